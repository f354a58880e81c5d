"""ONNX files: what they take and answer, several pictures at once, and what is not kept."""

import pathlib
import re
import sys

import numpy as np
import pytest
from PIL import Image

from tfstyle import images
from tfstyle.export import ExportError, pair, single
from tfstyle.export import onnx as exports
from tfstyle.nets import network_files
from tfstyle.nets.feedforward import FeedForwardConfig, feedforward
from tfstyle.nets.superres import SuperResConfig, superres
from tfstyle.stylizer import ArbitraryStylizer

onnxruntime = pytest.importorskip("onnxruntime")
onnx = pytest.importorskip("onnx")
pytest.importorskip("tf2onnx")

# Keras reads TensorFlow's variables in a way that NumPy 2 wants changed.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

ROOT = pathlib.Path(__file__).parents[2]
DATA = ROOT / "tests" / "data"


@pytest.fixture(scope="module")
def exported(tmp_path_factory, network_file):
    folder = tmp_path_factory.mktemp("onnx") / "devices"  # made by the export
    return folder, exports.export(folder, model=network_file)


def session(path):
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


def pictures(names, height, width):
    return np.stack([images.resize(images.read(DATA / name).rgb, (height, width)) for name in names])


def shapes(values):
    return {value.name: value.shape for value in values}


def test_files(exported):
    folder, told = exported
    assert [pathlib.Path(one.path) for one in told] == [folder / "style_predict.onnx", folder / "style_transform.onnx"]
    assert sorted(file.name for file in folder.iterdir()) == ["style_predict.onnx", "style_transform.onnx"]
    assert all(0 < one.mean <= one.largest <= 1e-4 for one in told)


def test_names_and_shapes(exported):
    predict, transform = (session(one.path) for one in exported[1])
    image = ["N", "height", "width", 3]
    assert shapes(predict.get_inputs()) == {"style_image": image}
    assert shapes(predict.get_outputs()) == {"style_code": ["N", 12]}
    assert shapes(transform.get_inputs()) == {"content_image": image, "style_code": ["N", 12]}
    assert shapes(transform.get_outputs()) == {"stylized_image": image}


def test_they_are_whole_and_say_whose_they_are(exported):
    for one in exported[1]:
        model = onnx.load(one.path)
        onnx.checker.check_model(model, full_check=True)
        assert [(entry.domain, entry.version) for entry in model.opset_import if not entry.domain] == [("", 17)]
        assert "VGG-19" in model.doc_string and "CC BY 4.0" in model.doc_string


@pytest.mark.parametrize(("shape", "other"), [((45, 61), (64, 48)), ((16, 24), (33, 40)), ((17, 31), (16, 16))])
def test_each_part_is_what_python_computes_at_every_size(exported, network_file, shape, other):
    predict, transform = (session(one.path) for one in exported[1])
    stylizer = ArbitraryStylizer(network_file, precision="float32")
    photos = pictures(("chelsea_96.jpg", "china_128.jpg", "coffee_96.jpg"), *shape)
    paintings = pictures(("swirl_128.jpg", "mosaic_128.jpg", "coffee_96.jpg"), *other)
    wanted = np.stack([stylizer.style_code(one, style_size=max(other)) for one in paintings])
    found, = predict.run(None, {"style_image": paintings})
    np.testing.assert_allclose(found, wanted, atol=1e-4)
    found, = transform.run(None, {"content_image": photos, "style_code": wanted})
    np.testing.assert_allclose(found, stylizer.stylize_batch(photos, wanted), atol=1e-4)


@pytest.fixture
def one_picture(single_files, tmp_path):
    """{name: path} of networks of one picture: transposed convolutions and bilinear enlargement are among them."""
    found = dict(single_files)
    for name, build, config in (("transposed", feedforward, FeedForwardConfig("fast-style-transfer", (4, 6, 8), 1)),
                                ("added", superres, SuperResConfig(8, 6, 1, "none", residual=True))):
        found[name] = tmp_path / f"{name}.npz"
        network_files.save(found[name], build(config), config)
    return found


@pytest.mark.parametrize(("name", "engine"), [
    ("wave", "style"), ("larger", "superres"), pytest.param("old", "style", marks=pytest.mark.slow),
    pytest.param("transposed", "style", marks=pytest.mark.slow),
    pytest.param("added", "superres", marks=pytest.mark.slow),
])
def test_networks_of_one_picture(tmp_path, one_picture, name, engine):
    told, = exports.export(tmp_path / "out", engine, model=one_picture[name])
    assert pathlib.Path(told.path) == tmp_path / "out" / f"{name}.onnx"
    network, config = network_files.load(one_picture[name], engine)
    names, opened, factor = single.NAMES[engine], session(told.path), getattr(config, "factor", 1)
    grown = "" if factor == 1 else f"_x{factor}"
    assert shapes(opened.get_inputs()) == {names.picture: ["N", "height", "width", 3]}
    assert shapes(opened.get_outputs()) == {names.answer: ["N", f"height{grown}", f"width{grown}", 3]}
    wanted = "Made by tfstyle (Apache-2.0). Its weights are under their maker's license."
    assert onnx.load(told.path).doc_string == wanted
    for height, width in ((45, 61), (27, 40)):
        photos = pictures(("chelsea_96.jpg", "coffee_96.jpg"), height, width)
        found, = opened.run(None, {names.picture: photos})
        assert found.shape == (2, factor * height, factor * width, 3)
        np.testing.assert_allclose(found, network(photos).numpy(), rtol=0, atol=1e-4)


def test_a_file_that_is_too_far_off_is_not_kept(tmp_path, network_file, monkeypatch):
    monkeypatch.setitem(pair.BOUNDS["style_transform"], "float32", (1e-9, 1e-9))
    with pytest.raises(ExportError, match="style_transform.onnx is .* at most and .* on average beside Keras"):
        exports.export(tmp_path / "out", model=network_file)
    assert not (tmp_path / "out").exists()


def test_answers_that_are_no_numbers_are_not_kept(network_file):
    network = pair.Pair(network_file)
    for answer in (np.full((1, 12), np.nan, np.float32), np.zeros((2, 12), np.float32)):
        with pytest.raises(ExportError, match=r"a.onnx does not answer \(1, 12\) finite numbers, so nothing"):
            network.compared(network.predict(), lambda answer=answer, **_: answer, "float32", "a.onnx")


@pytest.mark.parametrize("missing", ["tf2onnx", "onnxruntime"])
def test_without_the_tools_nothing_is_converted(tmp_path, refusal, monkeypatch, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    assert "pip install 'tfstyle[onnx]'" in refusal(exports.export, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_page_works(exported, tmp_path, monkeypatch):
    """What it says to Python, line by line, on files that an export made."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "devices").symlink_to(exported[0])
    for name, source in (("photo.jpg", "china_128.jpg"), ("painting.jpg", "swirl_128.jpg")):
        (tmp_path / name).write_bytes((DATA / source).read_bytes())
    page = (ROOT / "deploy" / "MOBILE.md").read_text(encoding="utf-8")
    code, = (block for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "onnxruntime" in block)
    exec(compile(code, "MOBILE.md", "exec"), {})
    with Image.open("painted.png") as painted:
        assert painted.size == (128, 85)
        assert max(high - low for low, high in painted.getextrema()) > 64


@pytest.mark.slow
def test_the_shipped_network_on_all_examples(tmp_path):
    predict, transform = (session(one.path) for one in exports.export(tmp_path))
    stylizer = ArbitraryStylizer(precision="float32")
    contents, styles = (sorted((ROOT / "examples" / kind).glob("*.jpg")) for kind in ("content", "style"))
    for content, style, size in zip(contents, styles, (256, 203, 256, 203, 160), strict=True):
        photo, painting = (images.read(path, size=size).rgb[None] for path in (content, style))
        wanted = stylizer.style_code(painting[0], style_size=size)[None]
        code, = predict.run(None, {"style_image": painting})
        assert np.abs(code - wanted).max() <= 1e-4 * np.abs(wanted).max()
        found, = transform.run(None, {"content_image": photo, "style_code": wanted})
        assert np.abs(found - stylizer.stylize_batch(photo, wanted)).max() <= 1e-4
