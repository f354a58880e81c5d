"""Translation of pictures: the networks by hand, styles, sizes, alpha, batches, settings, and what it refuses."""

import dataclasses
import inspect
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from PIL import Image

import tfstyle
from tfstyle import images, translate_settings, translator
from tfstyle.nets import dsmap
from tfstyle.nets.dsmap import part

# Keras reads TensorFlow's variables in a way that NumPy 2 wants changed.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

NAMES = ("dsmap", "munit")  # of the networks in conftest.py
DIRECTIONS = ("a2b", "b2a", "a2a", "b2b")


def pixels(image):
    return np.asarray(image, np.uint8)


def reflected(pictures):
    """Pictures with sides of multiples of 8, and what of them to cut out again."""
    around = [((-side % 8) // 2, -side % 8 - (-side % 8) // 2) for side in pictures.shape[1:3]]
    inner = tuple(slice(first, first + side) for (first, _), side in zip(around, pictures.shape[1:3], strict=True))
    return np.pad(pictures, ((0, 0), *around, (0, 0)), mode="reflect"), inner


def by_hand(network, pictures, codes, direction):
    """G(Phi(c, h), s) of the target with c, h of the source, by the parts of a network."""
    square, inner = reflected(pictures)
    c, _, h = part(network, direction[0], "content")(square)
    if any(layer.name == "b_mapping" for layer in network.layers):
        c = part(network, direction[-1], "mapping")([c, h])
    codes = keras.ops.convert_to_tensor(codes)
    return np.asarray(part(network, direction[-1], "decoder")([c, codes]))[:, *inner]


def code_by_hand(network, picture, domain):
    return np.asarray(part(network, domain, "style")(reflected(picture[None])[0]))[0]


# The networks


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("name", NAMES)
def test_a_translation_is_that_of_the_parts(engines, networks, name, direction):
    random = np.random.default_rng(2)
    for shape in ((16, 16), (24, 40), (45, 61), (23, 18)):
        pictures = random.random((2, *shape, 3), np.float32)
        codes = engines[name].random_codes(2, 5)
        found = engines[name].translate_batch(pictures, codes, direction)
        assert found.shape == pictures.shape and found.dtype == np.float32 and 0 <= found.min() and found.max() <= 1
        np.testing.assert_allclose(found, by_hand(networks[name], pictures, codes, direction), atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_directions_codes_and_pictures_matter(engines, photo, name):
    """The test above can fail."""
    engine, (one, other) = engines[name], engines[name].random_codes(2)
    found = [engine.translate_batch(photo[None], one, direction) for direction in DIRECTIONS]
    found += [engine.translate_batch(photo[None], other), engine.translate_batch(photo[None, ::-1], one)]
    for i, first in enumerate(found):
        assert all(np.abs(first - second).max() > 0.01 for second in found[:i])


@pytest.mark.parametrize("name", NAMES)
def test_style_codes_are_those_of_the_encoders(configs, engines, networks, name, painting):
    engine, network = engines[name], networks[name]
    assert engine.code_size == configs[name].style
    for domain in ("a", "b"):
        code = engine.style_code(painting, domain, style_size=56)
        assert code.shape == (engine.code_size,) and code.dtype == np.float32
        np.testing.assert_allclose(code, code_by_hand(network, painting, domain), atol=1e-5)
        smaller = images.read(painting, size=45).rgb
        assert smaller.shape[:2] == (45, 39)
        np.testing.assert_allclose(
            engine.style_code(painting, domain, style_size=45), code_by_hand(network, smaller, domain), atol=1e-5
        )
    usual = images.read(painting, size=256).rgb
    np.testing.assert_allclose(engine.style_code(painting), code_by_hand(network, usual, "b"), atol=1e-5)
    assert np.abs(engine.style_code(painting) - engine.style_code(painting, "a")).max() > 0.01


def test_pictures_of_any_size_are_one_graph(engine):
    for side in (16, 20, 33):
        engine.translate(np.zeros((side, 17)), np.zeros((17, side)), size=None, style_size=40)
    assert engine._painter("a2b").experimental_get_tracing_count() == 1
    assert engine._looker("b").experimental_get_tracing_count() == 1


# One picture


@pytest.mark.parametrize("direction", ["a2b", "b2a"])
def test_a_style_is_a_picture_or_its_code(engine, photo, painting, direction):
    code = engine.style_code(painting, direction[-1], style_size=40)
    wanted = engine.translate_batch(photo[None], code, direction)[0]
    for style in (painting, code, code.astype(np.float64), images.read(painting)):
        found = engine.translate(photo, style, direction=direction, size=None, style_size=40)
        assert isinstance(found, Image.Image) and found.mode == "RGB" and found.size == (61, 45)
        assert np.abs(pixels(found).astype(int) - images.to_uint8(wanted)).max() <= 1
    found = engine.translate(photo, painting, direction=direction, size=None)
    assert (pixels(found) != images.to_uint8(wanted)).any(), "its size matters"


def test_random_styles_repeat(engine, photo):
    def made(**options):
        return pixels(engine.translate(photo, size=None, **options))

    np.testing.assert_array_equal(made(), made(seed=0))
    np.testing.assert_array_equal(made(seed=7), made(seed=7))
    assert (made(seed=7) != made()).any()
    code = engine.random_codes(3, 7)[0]
    np.testing.assert_array_equal(made(seed=7), pixels(engine.translate(photo, code, size=None)))


@pytest.mark.parametrize(("size", "result"), [(None, (61, 45)), (40, (40, 30)), (70, (70, 52)), (22, (22, 16))])
def test_sizes(engine, networks, photo, size, result):
    """Of sides that are no multiples of 8, the picture's own, and with the colors that the network paints."""
    image, code = engine.translate(photo, size=size), engine.random_codes(1)
    assert image.size == result
    wanted = by_hand(networks["dsmap"], images.read(photo, size=size).rgb[None], code, "a2b")[0]
    assert np.abs(pixels(image).astype(int) - images.to_uint8(wanted)).max() <= 1


def test_the_usual_size_is_that_of_training(engine, photo, stand_ins):
    stand_ins(paint=lambda pictures, codes: pictures)
    assert engine.translate(photo).size == (256, 189)


def test_alpha_is_kept(engine, photo):
    alpha = np.float32(0.1) + np.float32(0.9) * np.random.default_rng(3).random(photo.shape[:2], np.float32)
    rgba = images.to_uint8(np.dstack([photo, alpha]))
    image = engine.translate(rgba, size=None)
    assert image.mode == "RGBA"
    np.testing.assert_array_equal(pixels(image)[..., 3], rgba[..., 3])
    np.testing.assert_array_equal(pixels(image)[..., :3], pixels(engine.translate(rgba[..., :3], size=None)))
    wanted = images.to_uint8(images.read(rgba, size=30).alpha)
    np.testing.assert_array_equal(pixels(engine.translate(rgba, size=30))[..., 3], wanted)


def test_any_form_of_a_picture_is_the_same(engine, photo, tmp_path):
    path, shown = tmp_path / "photo.png", images.to_uint8(photo)
    Image.fromarray(shown).save(path)
    wanted = pixels(engine.translate(shown, shown, size=None, style_size=61))
    for picture in (path, path.read_bytes(), Image.fromarray(shown), images.read(path)):
        found = engine.translate(picture, picture, size=None, style_size=61)
        np.testing.assert_array_equal(pixels(found), wanted)


# Codes


def test_random_codes(engine, engines):
    codes = engine.random_codes(2000, 3)
    assert codes.shape == (2000, 8) and codes.dtype == np.float32
    assert np.abs(codes.mean(0)).max() < 0.1 and np.abs(codes.std(0) - 1).max() < 0.1
    np.testing.assert_array_equal(engine.random_codes(5, 3), codes[:5])
    assert (engine.random_codes(5) != codes[:5]).all()
    np.testing.assert_array_equal(engine.random_codes(5), engine.random_codes(5, 0))
    assert engines["munit"].random_codes(1).shape == (1, 3)


def test_a_straight_line_between_codes(engine):
    first, second = engine.random_codes(2)
    for count in (2, 3, 7, 100):
        line = engine.interpolated(first, second, count)
        assert line.shape == (count, 8) and line.dtype == np.float32
        np.testing.assert_array_equal(line[[0, -1]], [first, second])
        steps = np.diff(line, axis=0)
        np.testing.assert_allclose(steps, np.broadcast_to((second - first) / (count - 1), steps.shape), atol=1e-6)
    np.testing.assert_array_equal(engine.interpolated(first, first, 5), np.broadcast_to(first, (5, 8)))


# Batches


def test_a_batch_gives_what_single_pictures_give(engine, photo, other_painting):
    pictures = np.stack([photo, images.resize(other_painting, photo.shape[:2]), photo[::-1]])
    codes = engine.random_codes(3)
    found = engine.translate_batch(pictures, codes, "b2a")
    for one, picture, code in zip(found, pictures, codes, strict=True):
        image = pixels(engine.translate(picture, code, direction="b2a", size=None))
        assert np.abs(image.astype(int) - images.to_uint8(one)).max() <= 1
    same = engine.translate_batch(pictures, codes[1])
    np.testing.assert_array_equal(same, engine.translate_batch(pictures, codes[[1, 1, 1]]))
    np.testing.assert_allclose(same[1], engine.translate_batch(pictures[1:2], codes[1])[0], atol=1e-5)


@pytest.mark.parametrize(("pictures", "words"), [
    (np.zeros((20, 20, 3), "f"), "pictures must have shape (N, H, W, 3); received (20, 20, 3)."),
    (np.zeros((0, 20, 20, 3), "f"), "pictures must have shape (N, H, W, 3)"),
    (np.zeros((1, 20, 12, 3), "f"), "picture is 12x20 px (width x height); use one of at least 16 px a side."),
    (np.full((1, 20, 20, 3), 7.0), "picture must hold values from 0 to 1, not from 7 to 7"),
    ([np.zeros((20, 20, 3)), np.zeros((20, 21, 3))], "pictures must all have one shape; translate those of unlike"),
])
def test_batches_that_do_not_work(engine, refusal, pictures, words):
    assert words in refusal(engine.translate_batch, pictures, np.zeros(8, "f"))


@pytest.mark.parametrize(("codes", "words"), [
    (np.zeros((2, 8), "f"), "codes must be float of shape (1, 8) or (8,); received float32 of (2, 8)."),
    (np.zeros(7, "f"), "codes must be float of shape (1, 8) or (8,); received float32 of (7,)."),
    (np.zeros((1, 8), int), "codes must be float of shape (1, 8) or (8,); received int64 of (1, 8)."),
    ([[0.0] * 8, [0.0]], "codes must be an array of numbers, all of one length."),
    (np.full((1, 8), np.nan), "codes must be finite in float32; received NaN, infinite or too large values."),
    (np.full((1, 8), 1e39), "codes must be finite in float32; received NaN, infinite or too large values."),
])
def test_codes_of_batches_that_do_not_work(engine, refusal, codes, words):
    assert refusal(engine.translate_batch, np.zeros((1, 20, 20, 3), "f"), codes) == words


# The function


def test_the_function_keeps_the_translator(models, engine, photo, painting, tmp_path):
    path, options = tmp_path / "network.npz", {"precision": "float32", "size": 32}
    path.write_bytes(models["dsmap"].read_bytes())
    first = tfstyle.translate(photo, model=path, **options)
    np.testing.assert_array_equal(pixels(first), pixels(engine.translate(photo, size=32)))
    before = translator._translator.cache_info()
    asked = {"style": painting, "direction": "b2a", "style_size": 40, "seed": 3}
    other = tfstyle.translate(photo, model=str(path), **asked, **options)
    np.testing.assert_array_equal(pixels(other), pixels(engine.translate(photo, **asked, size=32)))
    assert translator._translator.cache_info().hits == before.hits + 1
    drawn = tfstyle.translate(photo, model=path, seed=3, **options)
    np.testing.assert_array_equal(pixels(drawn), pixels(engine.translate(photo, seed=3, size=32)))
    path.write_bytes(models["munit"].read_bytes())
    os.utime(path, ns=(1, 1))
    assert (pixels(tfstyle.translate(photo, model=path, **options)) != pixels(first)).any()


def test_settings_are_written_once():
    fields = {field.name: field.default for field in dataclasses.fields(translate_settings.TranslateSettings)}
    assert fields == {"direction": "a2b", "size": 256, "style_size": 256, "seed": 0, "precision": "auto"}
    for function in (tfstyle.translate, tfstyle.Translator, tfstyle.Translator.translate):
        given = inspect.signature(function).parameters.values()
        told = {one.name: one.default for one in given if one.name in fields}
        assert told and told.items() <= fields.items()
    assert (translate_settings.DIRECTIONS, translate_settings.DOMAINS) == (DIRECTIONS, dsmap.DOMAINS)


def test_settings_are_free_of_tensorflow():
    code = "import sys, tfstyle.translate_settings; print('tensorflow' in sys.modules, 'keras' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "False False\n"


@pytest.mark.parametrize(("options", "words"), [
    ({"direction": "b2c"}, "direction must be one of 'a2b', 'b2a', 'a2a', 'b2b'; received 'b2c'."),
    ({"direction": None}, "direction must be one of 'a2b', 'b2a', 'a2a', 'b2b'; received None."),
    ({"size": 15}, "size must be a whole number of at least 16; received 15."),
    ({"size": "256"}, "size must be a whole number of at least 16; received '256'."),
    ({"style_size": None}, "style_size must be a whole number of at least 16; received None."),
    ({"seed": -1}, "seed must be a whole number of at least 0; received -1."),
    ({"seed": 0.5}, "seed must be a whole number of at least 0; received 0.5."),
    ({"precision": "float23"}, "precision must be one of 'auto', 'float32', 'bfloat16'; received 'float23'; did you m"),
    ({"model": None}, "model must be 'monet' or the path of a network from tfstyle train translate; received None."),
    ({"model": "gone.npz"}, "There is no model 'gone.npz'; check the path."),
    ({"style": "gone.png"}, "style picture 'gone.png' does not exist"),
    ({"style": np.zeros(5)}, "A style code must be float of shape (8,); received float64 of (5,)."),
    ({"style": np.zeros(8, int)}, "A style code must be float of shape (8,); received int64 of (8,)."),
    ({"style": np.full(8, np.inf)}, "A style code must be finite in float32; received NaN, infinite or too large v"),
    ({"style": [0.0] * 8}, "style picture must be a path, the bytes of a picture file, a PIL image or an array;"),
    ({"style": np.zeros((15, 20, 3))}, "style picture is 20x15 px"),
])
def test_what_does_not_work(models, photo, options, words, refusal):
    settings = {"model": models["dsmap"], "precision": "float32", "size": 32}
    assert refusal(tfstyle.translate, photo, **settings | options).startswith(words)


def test_what_does_not_work_of_one_translator(engine, photo, painting, refusal):
    assert refusal(engine.translate, "gone.png").startswith("picture 'gone.png' does not exist")
    assert refusal(engine.translate, np.zeros((15, 40))).startswith("picture is 40x15 px (width x height); use one of")
    assert refusal(engine.translate, np.zeros((20, 400)), size=32).startswith("picture is 400x20 px and its short side")
    assert refusal(engine.translate, photo, direction="b").startswith("direction must be one of 'a2b',")
    batch = photo[None], np.zeros(8, "f")
    assert refusal(engine.translate_batch, *batch, "ab").startswith("direction must be one of 'a2b',")
    assert refusal(engine.style_code, painting, "c").startswith("domain must be one of 'a', 'b'; received 'c'")
    assert refusal(engine.style_code, painting, style_size=9).startswith("style_size must be a whole number of at lea")
    assert refusal(engine.random_codes, 0) == "count must be a whole number of at least 1; received 0."
    assert refusal(engine.random_codes, 1, -1) == "seed must be a whole number of at least 0; received -1."
    first, short = np.zeros(8), np.zeros(3)
    assert refusal(engine.interpolated, first, first, 1) == "count must be a whole number of at least 2; received 1."
    assert refusal(engine.interpolated, first, short, 3).startswith("A style code must be float of shape (8,); receive")


def test_a_network_that_answers_no_numbers(models, engine, stand_ins, photo, refusal):
    said = f"The model {str(models['dsmap'])!r} answers with values that are no numbers; give another."
    stand_ins(lambda pictures, codes: np.where(np.arange(3) == 1, np.nan, pictures), lambda _: np.full((1, 8), np.inf))
    assert refusal(engine.translate, photo, size=None) == said
    assert refusal(engine.translate_batch, photo[None], np.zeros(8, "f")) == said
    assert refusal(engine.style_code, photo) == refusal(engine.translate, photo, photo) == said
    stand_ins(lambda pictures, codes: pictures[:, :-1], lambda _: np.zeros((1, 7)))
    said = f"The model {str(models['dsmap'])!r} answers with (1, 44, 61, 3), not (1, 45, 61, 3); give another."
    assert refusal(engine.translate, photo, size=None) == said
    assert refusal(engine.style_code, photo).endswith(" answers with (1, 7), not (1, 8); give another.")
