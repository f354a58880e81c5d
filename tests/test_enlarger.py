"""Enlargement: tiles against the whole, colors, alpha, batches, memory, models, and what it refuses."""

import dataclasses
import hashlib
import json
import os
import pathlib
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import tfstyle
from tfstyle import enlarge_settings, enlarger, images
from tfstyle.checks import InputError
from tfstyle.images.color import match_histograms
from tfstyle.nets import network_files
from tfstyle.nets.feedforward import FeedForwardConfig, feedforward
from tfstyle.nets.superres import FACTORS, SuperResConfig, superres
from tfstyle.weights import files

# Keras reads TensorFlow's variables in a way that NumPy 2 wants changed.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

CONFIGS = {
    "plain": SuperResConfig(4, width=4, blocks=1, normalization="none"),
    "x4": SuperResConfig(4, width=4, blocks=1, residual=True),
    "x8": SuperResConfig(8, width=4, blocks=1),
}


def network(config):
    """Of random weights that all matter, with statistics of batches that differ from those of a new network."""
    model, random = superres(config), np.random.default_rng(4)
    for variable in model.variables:
        spread = (2 / np.prod(variable.shape[:-1])) ** 0.5 if "kernel" in variable.path else 0.2
        middle = 1 if variable.path.endswith(("gamma", "variance")) else 0
        variable.assign(middle + spread * random.standard_normal(variable.shape, np.float32))
    return model


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """{name: path of an .npz} of CONFIGS."""
    folder = tmp_path_factory.mktemp("networks")
    for name, config in CONFIGS.items():
        network_files.save(folder / f"{name}.npz", network(config), config)
    return {name: folder / f"{name}.npz" for name in CONFIGS}


@pytest.fixture(scope="module")
def engines(models):
    return {name: tfstyle.Enlarger(path, precision="float32") for name, path in models.items()}


@pytest.fixture(scope="module")
def wholes(models):
    """{name: function of pictures} of the networks themselves, which see them whole."""
    networks = {name: network_files.load(path, "superres")[0] for name, path in models.items()}
    return {name: lambda small, network=network: np.asarray(network(small)) for name, network in networks.items()}


@pytest.fixture(scope="module")
def engine(engines):
    return engines["x4"]


@pytest.fixture(scope="module")
def saved_model(models, tmp_path_factory):
    """The x4 network as a SavedModel with the signature and the card of those that tfstyle exports."""
    folder = tmp_path_factory.mktemp("saved")
    model, _ = network_files.load(models["x4"], "superres")

    @tf.function(input_signature=[tf.TensorSpec((None, None, None, 3), name="image")])
    def serve(image):
        return {"enlarged_image": model(image, training=False)}

    module = tf.Module()
    module.model = model
    tf.saved_model.save(module, str(folder), signatures={"serving_default": serve})
    os.makedirs(folder / "assets.extra", exist_ok=True)
    card = {"kind": "superres", "least_side": 16, "most_pixels": 4096, "factor": 4, "reach": CONFIGS["x4"].reach}
    (folder / "assets.extra" / "tfstyle.json").write_text(json.dumps(card))
    return folder


def pixels(image):
    return np.asarray(image, np.uint8)


# Tiles


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("shape", [(16, 90), (61, 45), (70, 71)])
def test_tiles_equal_the_whole(engines, wholes, monkeypatch, name, shape):
    """At the borders, too, where the picture's own reflection is."""
    small, config = np.random.default_rng(2).random((1, *shape, 3), np.float32), CONFIGS[name]
    whole = wholes[name](small)
    assert whole.shape == (1, shape[0] * config.factor, shape[1] * config.factor, 3)
    np.testing.assert_allclose(engines[name].enlarge_batch(small, match_histogram=False), whole, atol=1e-6)
    seen, run = [], engines[name]._network
    monkeypatch.setattr(engines[name], "_network", lambda part: seen.append(part.shape[1:3]) or run(part))
    monkeypatch.setattr(engines[name], "_side", 32)
    np.testing.assert_allclose(engines[name].enlarge_batch(small, match_histogram=False), whole, atol=2e-6)
    assert len(seen) > 4 and np.max(seen) <= max(32, 16 + 2 * config.reach)


@pytest.mark.parametrize("name", CONFIGS)
def test_with_less_overlap_tiles_show(engines, monkeypatch, name):
    """The test above can fail."""
    engine, small = engines[name], np.random.default_rng(2).random((1, 61, 45, 3), np.float32)
    whole = engine.enlarge_batch(small, match_histogram=False)
    monkeypatch.setattr(engine, "_side", 32)
    monkeypatch.setattr(engine, "_reach", 5)
    assert np.abs(engine.enlarge_batch(small, match_histogram=False) - whole).max() > 1e-3


@pytest.mark.parametrize(("side", "reach"), [(256, 15), (64, 15), (16, 15), (32, 40)])
def test_parts_of_a_side_cover_it_and_fit(engine, monkeypatch, side, reach):
    monkeypatch.setattr(engine, "_side", side)
    monkeypatch.setattr(engine, "_reach", reach)
    most = max(side, side // 2 + 2 * reach)
    for length in (16, side, side + 1, 777, 5000):
        spans = engine._spans(length)
        assert [place for span in spans for place in range(*span)] == list(range(length))
        assert max(end - start for start, end in (engine._around(*span, length) for span in spans)) <= most
        assert len(spans) <= -(-length // (side // 2))


def test_pictures_of_any_size_are_one_graph(models):
    engine = tfstyle.Enlarger(models["plain"], precision="float32")
    for shape in ((16, 16), (20, 33), (41, 17)):
        engine.enlarge(np.zeros(shape, np.uint8))
    assert engine._network.experimental_get_tracing_count() == 1


# One picture


@pytest.mark.parametrize("name", CONFIGS)
def test_the_result_is_as_many_times_as_large(engines, name, photo):
    factor = CONFIGS[name].factor
    assert engines[name].factor == factor
    for picture in (photo[:16, :19], photo):
        image = engines[name].enlarge(picture)
        assert isinstance(image, Image.Image) and image.mode == "RGB"
        assert image.size == (factor * picture.shape[1], factor * picture.shape[0])


def test_colors_are_those_of_the_picture_unless_told(engine, wholes, photo):
    bare = wholes["x4"](photo[None])[0]
    matched = match_histograms(bare, photo)
    assert np.abs(matched - bare).max() > 0.1
    for image, wanted in ((engine.enlarge(photo), matched), (engine.enlarge(photo, match_histogram=False), bare)):
        assert np.abs(pixels(image).astype(int) - images.to_uint8(wanted)).max() <= 1
    assert set(np.unique(pixels(engine.enlarge(photo)))) <= set(np.unique(images.to_uint8(photo)))


def test_alpha_is_enlarged_bicubically(engine, photo):
    alpha = np.random.default_rng(3).random(photo.shape[:2], np.float32)
    rgba = images.to_uint8(np.dstack([photo, np.float32(0.1) + np.float32(0.9) * alpha]))
    image = engine.enlarge(rgba)
    assert image.mode == "RGBA"
    plane = Image.fromarray(rgba[..., 3] / np.float32(255)).resize((4 * 61, 4 * 45), Image.Resampling.BICUBIC)
    np.testing.assert_array_equal(pixels(image)[..., 3], images.to_uint8(np.asarray(plane)))
    np.testing.assert_array_equal(pixels(image)[..., :3], pixels(engine.enlarge(rgba[..., :3])))
    rgba[..., 3] = 255
    assert (pixels(engine.enlarge(rgba))[..., 3] == 255).all()


def test_any_form_of_a_picture_is_the_same(engine, photo, tmp_path):
    path, shown = tmp_path / "photo.png", images.to_uint8(photo)
    Image.fromarray(shown).save(path)
    wanted = pixels(engine.enlarge(shown))
    for picture in (path, path.read_bytes(), Image.open(path), images.read(path)):
        np.testing.assert_array_equal(pixels(engine.enlarge(picture)), wanted)
    assert engine.enlarge(photo.mean(-1)).mode == "RGB"


def test_bytes_are_made_by_rows(monkeypatch, photo):
    wanted = images.to_uint8(photo)
    for side in (1, 16, 1024):
        monkeypatch.setattr(enlarger, "_SIDE", side)
        np.testing.assert_array_equal(enlarger._bytes(photo), wanted)


@pytest.mark.parametrize("alpha", [None, 1.0])
def test_a_gray_picture_stays_gray(engine, wholes, photo, alpha):
    gray = photo.mean(-1, keepdims=True).repeat(3, axis=-1)
    assert np.ptp(wholes["x4"](gray[None])[0], axis=-1).max() > 0.1, "the network itself paints colors"
    picture = gray if alpha is None else np.dstack([gray, np.full_like(gray[..., 0], alpha)])
    found = pixels(engine.enlarge(picture))[..., :3]
    assert np.ptp(found, axis=-1).max() == 0 and np.ptp(found) > 50
    assert np.ptp(engine.enlarge_batch(np.stack([gray, photo]))[0], axis=-1).max() == 0
    assert np.ptp(engine.enlarge_batch(np.stack([gray, photo]))[1], axis=-1).max() > 0


def test_hidden_colors_do_not_count(engine, monkeypatch, photo):
    """A perfect network gives back what can be seen, whatever lies under the rest."""
    monkeypatch.setattr(engine, "_network", lambda small: small.repeat(4, axis=1).repeat(4, axis=2))
    rgba = images.to_uint8(np.dstack([photo, np.ones_like(photo[..., 0])]))
    rgba[:, :30, 3] = 0
    for color in (0, 255):
        rgba[:, :30, :3] = color
        found = pixels(engine.enlarge(rgba))
        np.testing.assert_array_equal(found[:, 120:, :3], rgba[:, 30:, :3].repeat(4, axis=0).repeat(4, axis=1))
    rgba[:, :30, :3] = [0, 0, 255]
    rgba[:, 30:, :3] = rgba[:, 30:, 1:2]
    assert np.ptp(pixels(engine.enlarge(rgba))[..., :3], axis=-1).max() == 0, "gray, as far as can be seen"
    rgba[..., 3] = 0
    assert (pixels(engine.enlarge(rgba))[..., 3] == 0).all()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_network_that_paints_no_numbers(models, engine, monkeypatch, photo, refusal, value):
    run = engine._network
    monkeypatch.setattr(engine, "_network", lambda small: np.where(np.arange(3) == 1, value, run(small)))
    for match in (True, False):
        said = f"The model {str(models['x4'])!r} paints values that are no numbers; give another."
        assert refusal(engine.enlarge, photo, match_histogram=match) == said
        assert refusal(engine.enlarge_batch, photo[None], match_histogram=match) == said


@pytest.mark.parametrize("shape", [(1, 45, 61, 3), (1, 360, 488, 3), (1, 180, 244, 1), (180, 244, 3)])
def test_a_network_that_enlarges_otherwise(engine, monkeypatch, photo, refusal, shape):
    monkeypatch.setattr(engine, "_network", lambda small: np.zeros(shape, np.float32))
    said = refusal(engine.enlarge, photo)
    assert f" makes {shape} of (1, 45, 61, 3), which is not 4 times as large; give another." in said


# Batches


@pytest.mark.parametrize("match", [True, False])
def test_a_batch_gives_what_single_pictures_give(engine, monkeypatch, photo, other_painting, match):
    small = np.stack([photo, images.resize(other_painting, photo.shape[:2]), photo[::-1]])
    found = engine.enlarge_batch(small, match_histogram=match)
    assert found.shape == (3, 180, 244, 3) and found.dtype == np.float32 and 0 <= found.min() and found.max() <= 1
    for one, picture in zip(found, small, strict=True):
        image = pixels(engine.enlarge(picture, match_histogram=match)).astype(int)
        # Matching may give another of the reference's values to values that differ by a rounding.
        assert (np.abs(image - images.to_uint8(one)) <= 1).mean() > 0.999
    sizes, run = [], engine._network
    monkeypatch.setattr(engine, "_network", lambda part: sizes.append(len(part)) or run(part))
    monkeypatch.setattr(engine, "_side", 75)  # room for two of 45x61
    np.testing.assert_allclose(engine.enlarge_batch(small, match_histogram=False),
                               np.concatenate([run(part[None]) for part in small]), atol=1e-6)
    assert sizes == [2, 1]


@pytest.mark.parametrize(("pictures", "words"), [
    (np.zeros((20, 20, 3), "f"), r"pictures must have shape \(N, H, W, 3\); received \(20, 20, 3\)"),
    (np.zeros((0, 20, 20, 3), "f"), r"pictures must have shape \(N, H, W, 3\)"),
    (np.zeros((1, 20, 12, 3), "f"), "at least 16 px a side"),
    (np.full((1, 20, 20, 3), 7.0), "values from 0 to 1"),
    ([np.zeros((20, 20, 3)), np.zeros((20, 21, 3))], "pictures must all have one shape; enlarge those of unlike"),
])
def test_batches_that_do_not_work(engine, pictures, words):
    with pytest.raises(InputError, match=words):
        engine.enlarge_batch(pictures)


# The function


def test_the_function_keeps_its_enlarger_until_the_file_changes(models, tmp_path, photo, engine):
    path = tmp_path / "mine.npz"
    path.write_bytes(models["x4"].read_bytes())
    first = tfstyle.enlarge(photo, model=path, precision="float32")
    np.testing.assert_array_equal(pixels(first), pixels(engine.enlarge(photo)))
    before = enlarger._enlarger.cache_info()
    bare = tfstyle.enlarge(photo, 4, model=str(path), precision="float32", match_histogram=False)
    np.testing.assert_array_equal(pixels(bare), pixels(engine.enlarge(photo, match_histogram=False)))
    assert enlarger._enlarger.cache_info().hits == before.hits + 1
    path.write_bytes(models["x8"].read_bytes())
    os.utime(path, ns=(2, 2))
    assert tfstyle.enlarge(photo, model=path, precision="float32").size == (8 * 61, 8 * 45)
    path.write_bytes(models["plain"].read_bytes())
    os.utime(path, ns=(1, 1))
    assert (pixels(tfstyle.enlarge(photo, model=path, precision="float32")) != pixels(first)).any()


def test_settings_are_written_once():
    fields = {field.name: field.default for field in dataclasses.fields(enlarge_settings.EnlargeSettings)}
    assert fields == {"factor": None, "match_histogram": True, "model": "default", "precision": "auto"}
    assert enlarge_settings.FACTORS == FACTORS


@pytest.mark.parametrize(("options", "words"), [
    ({"factor": 2}, "factor must be 4 or 8; received 2."),
    ({"factor": 4.0}, "factor must be 4 or 8; received 4.0."),
    ({"factor": "4"}, "factor must be 4 or 8; received '4'."),
    ({"factor": np.array([4, 8])}, "factor must be 4 or 8; received array([4, 8])."),
    ({"match_histogram": 1}, "match_histogram must be True or False; received 1."),
    ({"precision": "float23"}, "precision must be one of 'auto', 'float32', 'bfloat16'; received 'float23'; did you m"),
    ({"model": None}, "model must be a text; received None."),
    ({"model": "defualt"}, "There is no model 'defualt'; did you mean 'default'?"),
])
def test_settings_that_do_not_work(models, photo, options, words, refusal):
    assert refusal(tfstyle.enlarge, photo, **{"model": models["x4"]} | options).startswith(words)


def test_pictures_that_do_not_work(engine, models, refusal):
    assert refusal(engine.enlarge, "gone.png").startswith("picture 'gone.png' does not exist")
    assert refusal(engine.enlarge, np.zeros((15, 40))).startswith("picture is 40x15 px (width x height); use one of at")
    assert refusal(tfstyle.enlarge, np.zeros((8, 8)), model=models["x4"]).startswith("picture is 8x8 px")
    assert refusal(engine.enlarge, np.zeros((20, 20)), match_histogram=None).startswith("match_histogram must be True")


# Size, memory and precision


def test_a_result_of_too_many_pixels_is_refused(engine, monkeypatch, refusal):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 16 * 20 * 30)
    assert engine.enlarge(np.zeros((20, 30))).size == (120, 80)
    monkeypatch.setattr(engine, "_network", pytest.fail)
    assert refusal(engine.enlarge, np.zeros((20, 31))) == (
        "A 31x20 px picture would be 124x80 px, over the limit of 9600 pixels; enlarge a smaller one or raise "
        "PIL.Image.MAX_IMAGE_PIXELS."
    )
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    assert enlarge_settings.enlarged_shape(10**5, 10**6, 8) == (8 * 10**5, 8 * 10**6)


def test_a_picture_that_does_not_fit_is_refused(engine, monkeypatch, refusal, photo):
    monkeypatch.setattr(enlarger, "available", lambda: 2**30)
    assert engine.enlarge(photo).size == (244, 180)
    monkeypatch.setattr(engine, "_network", pytest.fail)
    for call in (lambda: engine.enlarge(np.zeros((2000, 2400, 3), np.uint8)),
                 lambda: engine.enlarge_batch(np.zeros((200, 160, 160, 3), np.float32))):
        said = refusal(call)
        assert said.startswith("Enlarging ") and " px by 4 needs about " in said
        assert " GiB of memory and 1.0 GiB are free; use a smaller picture, close other programs or take " in said


def test_bfloat16_is_close_to_float32(models, monkeypatch, photo, engine):
    monkeypatch.setattr("tfstyle.machine.bfloat16_wins", lambda: (True, "a test says so"))
    rough = tfstyle.Enlarger(models["x4"], precision="bfloat16")
    found, wanted = (one.enlarge_batch(photo[None], match_histogram=False) for one in (rough, engine))
    assert found.dtype == np.float32
    assert 0 < np.abs(found - wanted).mean() < 0.01


@pytest.mark.parametrize(("wins", "asked", "dtype"), [
    (True, "auto", "mixed_bfloat16"), (True, "float32", "float32"), (False, "auto", "float32"),
])
def test_precisions(models, monkeypatch, wins, asked, dtype):
    told = []
    monkeypatch.setattr("tfstyle.machine.bfloat16_wins", lambda: (wins, "a test says so"))
    monkeypatch.setattr(network_files, "load", lambda *given: told.append(given) or (None, CONFIGS["x4"]))
    tfstyle.Enlarger(models["x4"], precision=asked)
    assert told == [(str(models["x4"]), "superres", dtype)]


def test_bfloat16_where_it_would_be_emulated(models, monkeypatch, refusal):
    monkeypatch.setattr("tfstyle.machine.bfloat16_wins", lambda: (False, "a test says so"))
    assert "use precision='auto'" in refusal(tfstyle.Enlarger, models["x4"], precision="bfloat16")


def test_another_backend_is_said_so(models, monkeypatch, refusal):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    assert "needs Keras on TensorFlow here and it runs on jax" in refusal(tfstyle.Enlarger, models["x4"])


# Models


def test_a_keras_file_and_a_saved_model_enlarge_as_the_npz(models, saved_model, tmp_path, engine, photo):
    network_files.save(tmp_path / "network.keras", *network_files.load(models["x4"], "superres"))
    wanted = pixels(engine.enlarge(photo))
    for model in (tmp_path / "network.keras", saved_model, str(saved_model)):
        other = tfstyle.Enlarger(model, factor=4, precision="float32")
        assert (other.factor, other.model) == (4, os.fspath(model))
        assert (np.abs(pixels(other.enlarge(photo)).astype(int) - wanted) <= 1).mean() > 0.999


def test_a_saved_model_goes_by_tiles_too(engine, saved_model, monkeypatch, photo):
    """No larger ones than it takes in a request, and one at a time."""
    other = tfstyle.Enlarger(saved_model)
    small = np.stack([np.pad(part, ((9, 9), (9, 9), (0, 0)), mode="wrap") for part in (photo, photo[:, ::-1])])
    seen = []
    assert small[0].size > 3 * 4096 and other._side == 64
    monkeypatch.setattr("tfstyle.foreign.tf.constant", lambda part: seen.append(part.shape) or part)
    found = other.enlarge_batch(small, match_histogram=False)
    np.testing.assert_allclose(found, engine.enlarge_batch(small, match_histogram=False), atol=2e-6)
    assert len(seen) > 2 and all(shape[0] == 1 and shape[1] * shape[2] <= 4096 for shape in seen)


def test_shipped_networks_are_found_by_their_factor(models, monkeypatch, tmp_path, refusal):
    content = models["x8"].read_bytes()
    (tmp_path / "superres8.npz").write_bytes(content)
    monkeypatch.setattr(files, "HERE", tmp_path)
    monkeypatch.setattr(files, "SHIPPED", {"superres8.npz": hashlib.sha256(content).hexdigest()})
    assert tfstyle.Enlarger(factor=8).factor == 8
    assert refusal(tfstyle.Enlarger) == (
        "No network that enlarges by 4 is part of this version of tfstyle; train one (tfstyle train superres "
        "--factor 4) and give its path as model, or use factor=8."
    )
    monkeypatch.setattr(files, "SHIPPED", {})
    assert refusal(tfstyle.enlarge, np.zeros((20, 20)), 8) == (
        "No network that enlarges by 8 is part of this version of tfstyle; train one (tfstyle train superres "
        "--factor 8) and give its path as model."
    )


def test_a_model_of_another_factor(models, saved_model, refusal):
    for model, factor, other in ((models["x8"], 8, 4), (models["x4"], 4, 8), (saved_model, 4, 8)):
        assert tfstyle.Enlarger(model, factor=factor).factor == tfstyle.Enlarger(model).factor == factor
        said = f"The model {str(model)!r} enlarges by {factor}, not by {other}; give factor={factor} or another model."
        assert refusal(tfstyle.Enlarger, model, factor=other) == said


def test_the_factor_is_the_models_own(models, saved_model, tmp_path, monkeypatch, photo, refusal):
    network_files.save(tmp_path / "eight.keras", *network_files.load(models["x8"], "superres"))
    for model, factor in ((models["x8"], 8), (tmp_path / "eight.keras", 8), (models["x4"], 4), (saved_model, 4)):
        assert enlarge_settings.model_factor(model) == enlarge_settings.model_factor(model, factor) == factor
        assert tfstyle.enlarge(photo[:16, :20], model=model, precision="float32").size == (20 * factor, 16 * factor)
    assert [enlarge_settings.model_factor("default", factor) for factor in (None, 4, 8)] == [4, 4, 8]
    said = f"The model {str(models['x8'])!r} enlarges by 8, not by 4; give factor=8 or another model."
    monkeypatch.setattr(network_files, "load", pytest.fail)
    assert refusal(tfstyle.enlarge, photo, 4, model=models["x8"]) == said
    np.savez(tmp_path / "odd.npz", config=np.frombuffer(b'{"kind": "superres", "factor": 3}', np.uint8))
    assert refusal(tfstyle.enlarge, photo, model=tmp_path / "odd.npz") == (
        f"{tmp_path / 'odd.npz'} does not say by how much it enlarges, or is damaged: give another model."
    )


def told(folder, source, **more):
    """A copy of a SavedModel whose card says something else."""
    shutil.copytree(source, folder)
    card = folder / "assets.extra" / "tfstyle.json"
    card.write_text(json.dumps(json.loads(card.read_text()) | more))
    return folder


@pytest.mark.parametrize("most", [31**2, 36**2, 47**2])
def test_tiles_of_deep_networks_fit_into_requests(engine, saved_model, monkeypatch, tmp_path, photo, most):
    """Where twice the reach is more than half of what a request holds, tiles get small, and none too small."""
    reach = CONFIGS["x4"].reach
    other = tfstyle.Enlarger(told(tmp_path / "deep", saved_model, most_pixels=most, reach=reach), precision="float32")
    small, seen = photo[None], []
    monkeypatch.setattr("tfstyle.foreign.tf.constant", lambda part: seen.append(part.shape[1:3]) or part)
    found = other.enlarge_batch(small, match_histogram=False)
    np.testing.assert_allclose(found, engine.enlarge_batch(small, match_histogram=False), atol=2e-6)
    assert len(seen) > 2 and max(map(np.prod, seen)) <= most and np.min(seen) >= 16


@pytest.mark.parametrize(("most", "reach"), [(256, 0), (256, 7), (300, 8), (4096, 31), (961, 13)])
def test_no_tile_is_too_large_or_too_small(engine, monkeypatch, most, reach):
    side = int(most**0.5)
    for name, value in (("_side", side), ("_most_side", side), ("_reach", reach)):
        monkeypatch.setattr(engine, name, value)
    for length in range(16, 200):
        spans = engine._spans(length)
        assert [place for span in spans for place in range(*span)] == list(range(length))
        for first, last in spans:
            start, end = engine._around(first, last, length)
            assert 16 <= end - start <= side and 0 <= start <= max(0, first - reach)
            assert min(length, last + reach) <= end <= length


def test_requests_too_small_to_be_put_together(saved_model, tmp_path, monkeypatch, refusal):
    monkeypatch.setattr("tfstyle.foreign.loaded", pytest.fail)
    folder = told(tmp_path / "small", saved_model, most_pixels=1023, reach=16)
    assert refusal(tfstyle.Enlarger, folder) == (
        f"The SavedModel {str(folder)!r} takes requests too small to be put together; give the file that it was made "
        "from."
    )


@pytest.mark.parametrize(("sentence", "words"), [
    ("image must have at most 9 pixels.", "image must have at most 9 pixels."),
    (None, "it was made for others; export it anew."),
])
def test_what_a_saved_model_refuses(saved_model, tmp_path, photo, refusal, sentence, words):
    """Requests that it does not take after all, whatever its card says."""
    @tf.function(input_signature=[tf.TensorSpec((None, None, None, 3), name="image")])
    def serve(image):
        if sentence is None:
            return {"enlarged_image": tf.reshape(image, (7, -1, 11, 13))}
        with tf.control_dependencies([tf.debugging.Assert(tf.size(image) < 28, [sentence])]):
            return {"enlarged_image": tf.identity(image)}

    folder = told(tmp_path / "narrow", saved_model)
    tf.saved_model.save(tf.Module(), str(folder), signatures={"serving_default": serve})
    engine = tfstyle.Enlarger(folder)
    assert refusal(engine.enlarge, photo) == f"The model {str(folder)!r} refuses the picture: {words}"


def test_models_of_another_kind(network_file, saved_model, tmp_path, refusal):
    config = FeedForwardConfig(widths=(4, 4, 4, 4), blocks=1)
    network_files.save(tmp_path / "style.npz", feedforward(config), config)
    for path in (network_file, tmp_path / "style.npz"):
        said = f"model {str(path)!r} paints pictures and enlarges none; use tfstyle.stylize, or give another."
        assert refusal(tfstyle.Enlarger, path) == said
    said = refusal(tfstyle.Enlarger, saved_model, precision="bfloat16")
    assert said == f"The model {str(saved_model)!r} computes in its own precision; use precision='auto'."


def test_saved_models_of_another_kind(tmp_path, refusal):
    card, name = tmp_path / "assets.extra" / "tfstyle.json", repr(str(tmp_path))
    (tmp_path / "saved_model.pb").write_bytes(b"no graph")
    assert refusal(tfstyle.Enlarger, tmp_path) == (
        f"The SavedModel {name} is none of tfstyle export superres; give another model."
    )
    os.mkdir(card.parent)
    says = {"kind": "superres", "least_side": 16, "factor": 4, "reach": 9, "most_pixels": 4096}
    for key, value in (("factor", 3), ("factor", None), ("factor", 4.0), ("reach", "9"), ("reach", -1),
                       ("most_pixels", None), ("most_pixels", 255), ("most_pixels", True)):
        card.write_text(json.dumps(says | {key: value}))
        assert refusal(tfstyle.Enlarger, tmp_path) == (
            f"The SavedModel {name} does not say rightly how it enlarges; export it anew."
        )
    card.write_text(json.dumps(says | {"kind": "style"}))
    assert refusal(tfstyle.Enlarger, tmp_path).startswith(f"model {name} paints pictures and enlarges none; ")
    card.write_text(json.dumps(says))
    assert refusal(tfstyle.Enlarger, tmp_path).startswith(f"The SavedModel {name} cannot be loaded (")


def test_a_saved_model_without_its_signature(saved_model, monkeypatch, refusal):
    module = tf.Module()
    module.signatures = {"serving_default": tf.function(lambda x: {"y": x}).get_concrete_function(tf.TensorSpec((1,)))}
    monkeypatch.setattr("tfstyle.foreign.loaded", lambda folder: module)
    said = f"The SavedModel {str(saved_model)!r} has no signature that enlarges; export it anew."
    assert refusal(tfstyle.Enlarger, saved_model) == said


@pytest.mark.parametrize(("model", "words"), [
    ("gone.npz", "There is no model 'gone.npz'; check the path, or give model=\"default\"."),
    (None, 'model must be "default" or a path; received None.'),
    ("text.txt", "model 'text.txt' has an unknown ending; it must be .npz or .keras, or a folder."),
    ("folder", "model 'folder' is a folder without a saved_model.pb; name the folder that holds it."),
    ("empty.npz", "empty.npz holds no network that this tfstyle knows, or is damaged: give another file."),
    (pathlib.Path("empty.keras"), "empty.keras holds no network that this tfstyle knows"),
])
def test_models_that_do_not_work(tmp_path, monkeypatch, model, words, refusal):
    monkeypatch.chdir(tmp_path)
    os.mkdir("folder")
    for name in ("text.txt", "empty.npz", "empty.keras"):
        (tmp_path / name).write_text("")
    assert refusal(tfstyle.Enlarger, model).startswith(words)
