"""Enlargement of pictures: tiles against the whole, colors, alpha, batches, settings, and what it refuses."""

import dataclasses
import os

import numpy as np
import pytest
from PIL import Image

import tfstyle
from tfstyle import enlarge_settings, enlarger, images
from tfstyle.checks import InputError
from tfstyle.images.color import match_histograms
from tfstyle.nets.superres import FACTORS

# Keras reads TensorFlow's variables in a way that NumPy 2 wants changed.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


NAMES = ("plain", "x4", "x8")  # of the networks in conftest.py


def pixels(image):
    return np.asarray(image, np.uint8)


# Tiles


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(16, 90), (61, 45), (70, 71)])
def test_tiles_equal_the_whole(configs, engines, wholes, monkeypatch, name, shape):
    """At the borders, too, where the picture's own reflection is."""
    small, config = np.random.default_rng(2).random((1, *shape, 3), np.float32), configs[name]
    whole = wholes[name](small)
    assert whole.shape == (1, shape[0] * config.factor, shape[1] * config.factor, 3)
    np.testing.assert_allclose(engines[name].enlarge_batch(small, match_histogram=False), whole, atol=1e-6)
    seen, run = [], engines[name]._network
    monkeypatch.setattr(engines[name], "_network", lambda part: seen.append(part.shape[1:3]) or run(part))
    monkeypatch.setattr(engines[name], "_side", 32)
    np.testing.assert_allclose(engines[name].enlarge_batch(small, match_histogram=False), whole, atol=2e-6)
    assert len(seen) > 4 and np.max(seen) <= max(32, 16 + 2 * config.reach)


@pytest.mark.parametrize("name", NAMES)
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


@pytest.mark.parametrize("name", NAMES)
def test_the_result_is_as_many_times_as_large(configs, engines, name, photo):
    factor = configs[name].factor
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
