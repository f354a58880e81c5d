"""LiteRT files: what they are called, take and answer, and what is not kept."""

import pathlib
import re
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tfstyle import images
from tfstyle.checks import InputError
from tfstyle.export import ExportError, litert, pair, single
from tfstyle.nets import arbitrary_weights, network_files
from tfstyle.nets.feedforward import FeedForwardConfig, feedforward
from tfstyle.nets.superres import SuperResConfig, superres
from tfstyle.stylizer import ArbitraryStylizer

interpreters = pytest.importorskip("ai_edge_litert.interpreter")

# Keras reads TensorFlow's variables in a way that NumPy 2 wants changed.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

ROOT = pathlib.Path(__file__).parents[2]
DATA = ROOT / "tests" / "data"


@pytest.fixture(scope="module")
def exported(tmp_path_factory, network_file):
    folder = tmp_path_factory.mktemp("litert") / "devices"  # made by the export
    return folder, litert.export(folder, model=network_file)


def runner(path):
    return interpreters.Interpreter(model_path=str(path)).get_signature_runner()


def picture(name, height, width):
    return images.resize(images.read(DATA / name).rgb, (height, width))[None]


def blocks(page):
    """The pieces of Python on a page, in order."""
    return re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


def test_files(exported):
    folder, told = exported
    names = [f"{part}_{kind}.tflite" for kind in litert.FREE_KINDS for part in ("style_predict", "style_transform")]
    assert [pathlib.Path(one.path) for one in told] == [folder / name for name in names]
    assert sorted(file.name for file in folder.iterdir()) == sorted(names)
    whole, small = ((folder / f"style_predict_{kind}.tflite").stat().st_size for kind in litert.FREE_KINDS)
    assert small < 0.26 * whole


@pytest.mark.parametrize("kind", litert.FREE_KINDS)
def test_each_part_is_what_python_computes_at_every_size(exported, network_file, kind):
    folder, told = exported
    stylizer = ArbitraryStylizer(network_file, precision="float32")
    predict, transform = (runner(folder / f"style_{part}_{kind}.tflite") for part in ("predict", "transform"))
    for shape, other in [((45, 61), (64, 48)), ((16, 24), (33, 40))] * 2:
        photo, painting = picture("chelsea_96.jpg", *shape), picture("swirl_128.jpg", *other)
        wanted = stylizer.style_code(painting[0], style_size=max(other))
        answer = predict(style_image=painting)
        assert list(answer) == ["style_code"] and answer["style_code"].shape == (1, 12)
        unit = np.abs(wanted).max()
        assert np.abs(answer["style_code"][0] - wanted).max() <= pair.BOUNDS["style_predict"][kind][0] * unit
        answer = transform(content_image=photo, style_code=wanted[None])
        assert list(answer) == ["stylized_image"] and answer["stylized_image"].dtype == np.float32
        difference = np.abs(answer["stylized_image"] - stylizer.stylize_batch(photo, wanted[None]))
        assert difference.max() <= pair.BOUNDS["style_transform"][kind][0]
    assert max(one.largest for one in told if kind in one.path) > 0


def test_fixed_sizes(tmp_path, network_file):
    options = {"model": network_file, "kinds": "float16"}
    predict, transform = litert.export(tmp_path, size=(24, 40), style_size=32, **options)
    assert pathlib.Path(predict.path).name == "style_predict_32x32_float16.tflite"
    assert pathlib.Path(transform.path).name == "style_transform_40x24_float16.tflite"
    assert 7e6 < pathlib.Path(predict.path).stat().st_size < 7.5e6  # VGG-19 to relu4_1, two bytes a weight
    inputs = {tuple(one["shape"]) for one in interpreters.Interpreter(transform.path).get_input_details()}
    assert inputs == {(1, 24, 40, 3), (1, 12)}
    photo, painting = picture("china_128.jpg", 24, 40), picture("mosaic_128.jpg", 32, 32)
    stylizer = ArbitraryStylizer(network_file, precision="float32")
    code, wanted = runner(predict.path)(style_image=painting)["style_code"], stylizer.style_code(painting[0], 32)
    assert np.abs(code[0] - wanted).max() < 0.01 * np.abs(wanted).max()
    found = runner(transform.path)(content_image=photo, style_code=wanted[None])["stylized_image"]
    assert np.abs(found - stylizer.stylize_batch(photo, wanted[None])).max() < 0.01 and np.ptp(found) > 0.2


ONE_PICTURE = [
    ("wave", "style"), ("larger", "superres"), pytest.param("old", "style", marks=pytest.mark.slow),
    pytest.param("transposed", "style", marks=pytest.mark.slow),
    pytest.param("added", "superres", marks=pytest.mark.slow),
]


@pytest.fixture
def one_picture(single_files, tmp_path):
    """{name: path} of networks of one picture: transposed convolutions and bilinear enlargement are among them."""
    found = dict(single_files)
    for name, build, config in (("transposed", feedforward, FeedForwardConfig("fast-style-transfer", (4, 6, 8), 1)),
                                ("added", superres, SuperResConfig(8, 6, 1, "none", residual=True))):
        found[name] = tmp_path / f"{name}.npz"
        network_files.save(found[name], build(config), config)
    return found


@pytest.mark.parametrize(("name", "engine"), ONE_PICTURE)
def test_networks_of_one_picture(tmp_path, one_picture, name, engine):
    told, = litert.export(tmp_path / "out", engine, model=one_picture[name], kinds="float32")
    assert pathlib.Path(told.path) == tmp_path / "out" / f"{name}_float32.tflite"
    network, config = network_files.load(one_picture[name], engine)
    names, run, factor = single.NAMES[engine], runner(told.path), getattr(config, "factor", 1)
    for height, width in [(45, 61), (27, 40)] * 2:
        photo = picture("chelsea_96.jpg", height, width)
        answer = run(**{names.picture: photo})
        assert list(answer) == [names.answer]
        assert answer[names.answer].shape == (1, factor * height, factor * width, 3)
        np.testing.assert_allclose(answer[names.answer], network(photo).numpy(), rtol=0, atol=1e-4)


def test_a_fixed_size_of_one_network(tmp_path, single_files):
    told, = litert.export(tmp_path, "superres", model=single_files["larger"], factor=4, size=(24, 40), kinds="dynamic")
    assert pathlib.Path(told.path).name == "larger_40x24_dynamic.tflite" and told.mean <= 0.02
    found = runner(told.path)(image=picture("chelsea_96.jpg", 24, 40))["enlarged_image"]
    assert found.shape == (1, 96, 160, 3) and np.isfinite(found).all()


@pytest.mark.parametrize(("name", "options", "words"), [
    ("old", {"size": 24}, "size must be at least 25 px for this network; received 24."),
    ("wave", {"style_size": 64}, "style_size is for arbitrary alone; style looks at no style: leave it out."),
    ("wave", {"kinds": "float16"}, "float16 is for fixed sides"),
    ("larger", {}, "model .* enlarges pictures and paints none"),
    ("wave", {"factor": 4}, "factor is for superres alone; leave it out."),
])
def test_networks_of_one_picture_refused(tmp_path, refusal, single_files, name, options, words):
    assert re.search(words, refusal(litert.export, tmp_path / "out", "style", model=single_files[name], **options))
    assert not (tmp_path / "out").exists()


@pytest.fixture
def beyond_float16(tmp_path, network_file):
    """The same network, but for a kernel that float16 cannot hold and instance normalization scales away."""
    predictor, transformer, config = arbitrary_weights.load(network_file)
    kernel = transformer.get_layer("contract1_conv").kernel
    kernel.assign(kernel * 1e7)
    path = tmp_path / "large.keras"
    arbitrary_weights.save(path, predictor, transformer, config)
    return path


@pytest.mark.slow
def test_a_file_that_answers_no_numbers_is_not_kept_nor_the_good_ones_beside_it(tmp_path, beyond_float16):
    words = r"style_transform_24x24_float16.tflite (does not answer .* finite numbers|is .* beside Keras)"
    with pytest.raises(ExportError, match=words):
        litert.export(tmp_path / "out", model=beyond_float16, size=24, style_size=24, kinds=("float32", "float16"))
    assert not (tmp_path / "out").exists()


def test_what_is_too_far_off(network_file):
    network = pair.Pair(network_file)
    part = network.transform()
    words = "a.tflite is 0.5 at most and 0.5 on average beside Keras, where 0.01 and 0.002 are allowed, so nothing was"

    def brighter(**inputs):
        return part.function(**inputs)[part.output].numpy() + 0.5

    with pytest.raises(ExportError, match=words):
        network.compared(part, brighter, "float16", "a.tflite")


@pytest.mark.parametrize(("options", "words"), [
    ({"kinds": ["float16"]}, "float16 is for fixed sides: .* give size and style_size"),
    ({"kinds": "float16", "size": 256}, "float16 is for fixed sides"),
    ({"kinds": "int8"}, "int8 is not offered: .* use the kind dynamic"),
    ({"kinds": ("float32", "float61")}, "kinds must be one of .*; received 'float61'; did you mean 'float16'"),
    ({"size": 15}, "size must be a whole number from 16 to 4096; received 15"),
    ({"size": (24, 32, 3)}, r"size must be None, a number of px or \(height, width\)"),
    ({"style_size": 32.5}, "style_size must be a whole number"),
    ({"model": "nowhere.npz"}, "no file 'nowhere.npz'"),
])
def test_refused(tmp_path, refusal, options, words):
    assert re.search(words, refusal(litert.export, tmp_path / "out", **options))
    assert not (tmp_path / "out").exists()


def test_without_an_interpreter_nothing_is_converted(tmp_path, refusal, monkeypatch):
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    assert "pip install 'tfstyle[litert]'" in refusal(litert.export, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_place_that_cannot_be_written_to(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match="file cannot be written to .*; choose another folder"):
        pair.write(tmp_path / "file", {"a.tflite": (b"a", 0.0, 0.0)})
    assert (tmp_path / "file").read_text() == "mine"


def test_a_full_disk_leaves_no_folder(tmp_path, refusal, monkeypatch):
    def write_bytes(path, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pathlib.Path, "write_bytes", write_bytes)
    said = refusal(pair.write, tmp_path / "new" / "x", {"a.tflite": (b"a", 0.0, 0.0)})
    assert said == f"{tmp_path}/new/x cannot be written to (No space left on device); choose another folder."
    assert not list(tmp_path.iterdir())


def test_no_room_for_temporary_files(tmp_path, single_files, refusal, monkeypatch):
    def save(*_, **__):
        raise tf.errors.ResourceExhaustedError(None, None, "{{node}} part; No space left on device [Op:SaveV2]")

    monkeypatch.setattr(tf.saved_model, "save", save)
    said = refusal(litert.export, tmp_path / "out", "style", model=single_files["wave"])
    assert said == "The folder for temporary files cannot be written (No space left on device); set TMPDIR to another."
    assert not list(tmp_path.iterdir())


def test_another_backend(monkeypatch, refusal):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    assert "needs Keras on TensorFlow and it runs on jax" in refusal(pair.Pair)


def test_the_page_works(exported, tmp_path, monkeypatch):
    """What it says to Python, line by line, on files that an export made."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "devices").symlink_to(exported[0])
    for name, source in (("photo.jpg", "china_128.jpg"), ("painting.jpg", "swirl_128.jpg")):
        (tmp_path / name).write_bytes((DATA / source).read_bytes())
    code, = (block for block in blocks(ROOT / "deploy" / "MOBILE.md") if "ai_edge_litert" in block)
    exec(compile(code, "MOBILE.md", "exec"), {})
    with Image.open("painted.png") as painted:
        assert painted.size == (128, 85)
        assert max(high - low for low, high in painted.getextrema()) > 64


@pytest.mark.slow
@pytest.mark.parametrize("side", [None, 256])
def test_the_shipped_network_on_all_examples(tmp_path, side):
    """What deploy/MOBILE.md says of sizes and differences; every interpreter is called again and again."""
    told = litert.export(tmp_path, size=side, style_size=side)
    kinds = litert.FREE_KINDS if side is None else litert.KINDS
    assert len(told) == 2 * len(kinds)
    stylizer = ArbitraryStylizer(precision="float32")
    contents, styles = (sorted((ROOT / "examples" / kind).glob("*.jpg")) for kind in ("content", "style"))
    most_megabytes = {"float32": (19, 9), "float16": (9.5, 4.6), "dynamic": (4.7, 2.5)}
    for kind in kinds:
        paths = [one.path for one in told if kind in one.path]
        assert all(pathlib.Path(p).stat().st_size < 1e6 * m for p, m in zip(paths, most_megabytes[kind], strict=True))
        predict, transform = map(runner, paths)
        most, mean = pair.BOUNDS["style_transform"][kind]
        for content, style, size in 2 * list(zip(contents, styles, (256, 203, 256, 203, 160), strict=True)):
            photo, painting = (images.read(path, size=side or size).rgb for path in (content, style))
            if side is not None:
                photo, painting = (images.resize(one, (side, side)) for one in (photo, painting))
            wanted = stylizer.style_code(painting, style_size=max(painting.shape))
            code = predict(style_image=painting[None])["style_code"]
            assert np.abs(code[0] - wanted).max() <= pair.BOUNDS["style_predict"][kind][0] * np.abs(wanted).max()
            wanted_image = stylizer.stylize_batch(photo[None], wanted[None])
            found = transform(content_image=photo[None], style_code=wanted[None])["stylized_image"]
            assert np.abs(found - wanted_image).max() <= most and np.abs(found - wanted_image).mean() <= mean
            both = transform(content_image=photo[None], style_code=code)["stylized_image"]
            assert np.abs(both - wanted_image).mean() <= 1.5 * mean
