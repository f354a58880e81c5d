"""The one-pass engine: codes, mixing, strength, batches, precision, other makers' models, and what it refuses."""

import functools
import os

import numpy as np
import pytest
from PIL import Image

import tfstyle
from tfstyle import codes as codes_module
from tfstyle import images, running, stylizer
from tfstyle.checks import InputError
from tfstyle.losses.style import mean_and_std
from tfstyle.nets import arbitrary_weights
from tfstyle.nets.arbitrary import PREDICTOR_LAYERS, ArbitraryConfig
from tfstyle.nets.vgg import vgg

# Keras reads TensorFlow's variables in a way that NumPy 2 wants changed.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

CONFIG = ArbitraryConfig()


def pixels(image):
    return np.asarray(image, np.uint8)


@pytest.fixture(scope="module")
def engine(network_file):
    return tfstyle.ArbitraryStylizer(network_file, precision="float32")


@pytest.fixture(scope="module")
def codes(engine, painting, other_painting):
    return np.stack([engine.style_code(picture, 48) for picture in (painting, other_painting)])


# Codes


def test_a_code_is_what_the_predictor_makes_of_the_features(engine, network_file, painting, codes):
    shown = images.fit(painting, 48)
    features = vgg(PREDICTOR_LAYERS)(shown[None])
    moments = np.concatenate([part for name in PREDICTOR_LAYERS for part in mean_and_std(features[name])], axis=-1)
    predictor, _, _ = arbitrary_weights.load(network_file)
    code = engine.style_code(painting, style_size=48)
    assert code.shape == (12,) and code.dtype == np.float32
    np.testing.assert_allclose(code, np.asarray(predictor(moments))[0], rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(code, codes[0])
    assert np.abs(codes[0] - codes[1]).max() > 0.1


def test_the_size_at_which_a_style_is_shown_matters(engine, painting, codes, refusal):
    assert np.abs(engine.style_code(painting, 32) - codes[0]).max() > 0.01
    said = refusal(engine.style_code, painting, 8)
    assert said == "style_size must be a whole number of at least 16; received 8."


def test_codes_are_mixed(engine, codes):
    np.testing.assert_array_equal(engine.mix(list(codes), [1, 0]), codes[0])
    np.testing.assert_allclose(engine.mix(codes, (1, 3)), 0.25 * codes[0] + 0.75 * codes[1], atol=1e-5)
    np.testing.assert_allclose(engine.mix(codes), codes.mean(0), atol=1e-5)
    assert engine.mix([codes[0].astype(np.float64)]).dtype == np.float32


@pytest.mark.parametrize(("weights", "words"), [
    ([1], "one weight for each of the 2 styles; received 1"),
    ([1, -1], "at least 0 and not all 0"),
    ([0, 0], "at least 0 and not all 0"),
    ([1, float("nan")], "at least 0 and not all 0"),
    (0.5, "must be a list of numbers"),
])
def test_weights_that_do_not_work(engine, photo, codes, weights, words, refusal):
    assert words in refusal(engine.mix, codes, weights)
    assert words in refusal(engine.stylize, photo, list(codes), weights=weights, size=None)


def test_codes_that_do_not_work(engine, photo, codes, refusal):
    for wrong in (codes[0][:5], codes[0].astype(int), np.full(12, np.nan, np.float32)):
        assert "style code" in refusal(engine.mix, [wrong])
        assert "style code" in refusal(engine.stylize, photo, wrong, size=None)
    assert "no style code" in refusal(engine.mix, [])
    assert "must be a list of style codes" in refusal(engine.mix, codes[0])


# One picture


@pytest.mark.parametrize("shape", [(16, 16), (17, 17), (31, 100), (45, 61)])
def test_the_result_has_the_shape_of_the_content(engine, codes, shape):
    content = np.random.default_rng(1).random((*shape, 3), np.float32)
    for strength in (0.5, 1):
        image = engine.stylize(content, codes[0], size=None, strength=strength)
        assert isinstance(image, Image.Image) and image.mode == "RGB" and image.size == shape[::-1]
    larger = max(shape) + 5
    assert engine.stylize(content, codes[0], size=larger).size == images.fitted_shape(*shape, larger)[::-1]


def test_pictures_codes_and_files_are_the_same_style(engine, tmp_path, photo, painting):
    path = tmp_path / "painting.png"
    Image.fromarray(images.to_uint8(painting)).save(path)
    np.save(tmp_path / "code.npy", engine.style_code(path, 61))
    wanted = pixels(engine.stylize(photo, path, size=None))
    for style in (str(path), [path], Image.open(path), np.load(tmp_path / "code.npy"), path.read_bytes()):
        np.testing.assert_array_equal(pixels(engine.stylize(photo, style, size=None)), wanted)
    smaller = engine.style_code(path, 40)
    found = engine.stylize(photo, path, size=None, style_size=40)
    np.testing.assert_array_equal(pixels(found), pixels(engine.stylize(photo, smaller, size=None)))
    assert np.abs(pixels(found).astype(int) - wanted).max() > 0


def test_several_styles(engine, photo, painting, codes):
    paint = functools.partial(engine.stylize, photo, size=None, style_size=48)
    one, other, first, both = (
        pixels(paint(style, weights=weights)).astype(int) for style, weights in (
            (codes[0], None), (codes[1], None), ([painting, codes[1]], [1, 0]), ([painting, codes[1]], None),
        )
    )
    np.testing.assert_array_equal(first, one)
    assert np.abs(one - other).max() > 5
    np.testing.assert_array_equal(both, pixels(paint(engine.mix(codes))))


def test_alpha_is_kept_and_gray_is_a_picture(engine, photo, codes):
    alpha = np.linspace(0.1, 1, photo.shape[1], dtype=np.float32) * np.ones((photo.shape[0], 1), np.float32)
    rgba = images.to_uint8(np.dstack([photo, alpha]))
    image = engine.stylize(rgba, codes[0], size=40)
    assert image.mode == "RGBA" and image.size == (40, 30)
    np.testing.assert_array_equal(pixels(image)[..., 3], images.fit(rgba[..., 3], 40))
    np.testing.assert_array_equal(pixels(image)[..., :3], pixels(engine.stylize(rgba[..., :3], codes[0], size=40)))
    assert engine.stylize(rgba, codes[0], size=40, strength=0).mode == "RGBA"
    gray = engine.stylize(photo.mean(-1), images.to_uint8(photo.mean(-1)), size=40)
    assert gray.mode == "RGB" and gray.size == (40, 30)


@pytest.mark.parametrize("shape", [(12, 48), (16, 333), (45, 15)])
def test_a_long_painting_suits_a_small_photo(engine, painting, shape, refusal):
    """Its short side at the photo's size would be under 16 px; unless asked for, no size is refused."""
    small, strip = images.resize(painting, (16, 16)), images.resize(painting, tuple(4 * side for side in shape))
    assert engine.stylize(small, strip, size=None).size == (16, 16)
    assert "use a size of at least" in refusal(engine.stylize, small, strip, size=None, style_size=16)


def test_batches_of_unlike_shapes(engine, photo, codes, refusal):
    said = "contents must all have one shape; stylize pictures of unlike shapes one by one."
    assert refusal(engine.stylize_batch, [photo, photo[:40]], codes) == said
    assert refusal(engine.stylize_batch, photo[None], [codes[0][:3], codes[0]]).startswith("codes must all have one")


# Strength


def test_strength_0_is_the_photo_and_asks_no_network(engine, monkeypatch, photo, painting, codes, refusal):
    monkeypatch.setattr(engine, "_paint", pytest.fail)
    for name in ("_moments", "_predictor"):
        monkeypatch.setattr(engine._codes, name, pytest.fail)
    bytes_ = images.to_uint8(photo)
    np.testing.assert_array_equal(pixels(engine.stylize(bytes_, [painting, codes[0]], strength=0, size=None)), bytes_)
    np.testing.assert_array_equal(engine.stylize_batch(photo[None], codes[:1], 0.0)[0], photo)
    assert "style picture" in refusal(engine.stylize, photo, "gone.png", strength=0)  # and yet all is checked


def test_strength_is_the_formula(engine, photo, codes):
    """Half way: code and residual by hand."""
    own = engine.style_code(photo, max(photo.shape))
    half, alone = engine.stylize_batch(np.stack([photo, photo]), np.stack([0.5 * own + 0.5 * codes[0], own]))
    found = engine.stylize_batch(photo[None], codes[:1], 0.5)[0]
    np.testing.assert_allclose(found, np.clip(half + 0.5 * (photo - alone), 0, 1), atol=1e-5)


def test_no_jump_near_the_photo_nor_near_the_full_style(engine, photo, codes):
    strengths = (0.005, 0.01, 0.02, 0.04, 0.98, 0.99)
    many = [np.stack([array] * len(strengths)) for array in (photo, codes[0])]
    found = engine.stylize_batch(*many, strengths)
    full = engine.stylize_batch(photo[None], codes[:1])[0]
    near = [np.abs(one - photo).mean() for one in found[:4]]
    assert near[0] < 0.01 and np.abs(full - photo).mean() > 20 * near[0]
    for less, more in zip(near, near[1:]):
        assert 1.8 < more / less < 2.2
    far = [np.abs(one - full).mean() for one in found[4:]]
    assert far[0] < 0.05 and 1.7 < far[0] / far[1] < 2.3


# Batches


def test_a_mixed_batch_gives_what_single_pictures_give(engine, photo, other_painting, codes):
    other = images.resize(other_painting, photo.shape[:2])
    contents, under = np.stack([photo, other, other, photo, photo]), codes[[0, 1, 0, 1, 0]]
    strength = np.array([1, 0.3, 1, 0.7, 0], np.float32)
    found = engine.stylize_batch(contents, under, strength)
    assert found.shape == contents.shape and found.dtype == np.float32
    assert 0 <= found.min() and found.max() <= 1
    for i in range(len(contents)):
        single = engine.stylize_batch(contents[i:i + 1], under[i:i + 1], strength[i])
        np.testing.assert_allclose(found[i], single[0], atol=1e-5)
        image = engine.stylize(contents[i], under[i], strength=strength[i], size=None)
        assert np.abs(pixels(image).astype(int) - images.to_uint8(found[i])).max() <= 1


def test_large_batches_go_in_portions(engine, monkeypatch, photo, codes):
    contents, under = np.stack([photo, photo[::-1], photo[:, ::-1]]), codes[[0, 1, 0]]
    wanted = engine.stylize_batch(contents, under, 0.5)
    sizes = []
    paint = engine._paint
    monkeypatch.setattr(engine, "_paint", lambda batch, its: sizes.append(len(batch)) or paint(batch, its))
    monkeypatch.setattr(running, "AT_ONCE", 4 * 45 * 61)
    np.testing.assert_allclose(engine.stylize_batch(contents, under, 0.5), wanted, atol=1e-5)
    assert sizes == [4, 2]


@pytest.mark.parametrize(("contents", "codes", "strength", "words"), [
    (np.zeros((20, 20, 3), "f"), np.zeros((1, 12), "f"), 1, r"contents must have shape \(N, H, W, 3\)"),
    (np.zeros((0, 20, 20, 3), "f"), np.zeros((0, 12), "f"), 1, r"contents must have shape \(N, H, W, 3\)"),
    (np.zeros((1, 20, 12, 3), "f"), np.zeros((1, 12), "f"), 1, "at least 16 px a side"),
    (np.full((1, 20, 20, 3), 7.0), np.zeros((1, 12), "f"), 1, "values from 0 to 1"),
    (np.zeros((1, 20, 20, 3), "f"), np.zeros((2, 12), "f"), 1, r"codes must have shape \(1, 12\)"),
    (np.zeros((1, 20, 20, 3), "f"), np.zeros((1, 12), "f"), 1.5, "strength must be a number from 0 to 1; received 1.5"),
    (np.zeros((1, 20, 20, 3), "f"), np.zeros((1, 12), "f"), [1, 1], r"strength must be one number or \(1,\)"),
    (np.zeros((1, 20, 20, 3), "f"), np.zeros((1, 12), "f"), "much", "strength must be a number from 0 to 1"),
])
def test_batches_that_do_not_work(engine, contents, codes, strength, words):
    with pytest.raises(InputError, match=words):
        engine.stylize_batch(contents, codes, strength)


@pytest.mark.parametrize(("options", "words"), [
    ({"strength": 1.2}, "strength must be a number from 0 to 1; received 1.2."),
    ({"strength": None}, "strength must be a number from 0 to 1; received None."),
    ({"size": 8}, "size must be a whole number of at least 16; received 8."),
    ({"style_size": 20.5}, "style_size must be a whole number of at least 16; received 20.5."),
])
def test_settings_that_do_not_work(engine, photo, painting, options, words, refusal):
    assert refusal(engine.stylize, photo, painting, **options) == words


def test_pictures_that_do_not_work(engine, photo, painting, refusal):
    assert refusal(engine.stylize, "gone.png", painting).startswith("content picture 'gone.png' does not exist")
    assert refusal(engine.stylize, photo, np.zeros((9, 9))).startswith("style picture is 9x9 px")
    assert refusal(engine.stylize, photo, []) == "There is no style picture; give one or more."


def test_pictures_of_any_size_are_one_graph(engine, photo, painting):
    for size in (16 * 4, 61, 80):
        engine.stylize(photo, painting, size=size, strength=0.5)
    assert engine._paint.experimental_get_tracing_count() == 1
    assert engine._codes._moments._measure.experimental_get_tracing_count() == 1


# Memory and precision


def test_a_picture_that_does_not_fit_is_refused(engine, monkeypatch, photo, painting, codes, refusal):
    need = engine._need(750, 1000)
    monkeypatch.setattr(running, "available", lambda: need)
    monkeypatch.setattr(engine, "_paint", pytest.fail)
    wide = np.zeros((60, 80, 3), np.uint8)
    said = refusal(engine.stylize, wide, codes[0], size=4000, tiled="no")
    assert said.startswith("A 4000x3000 px picture needs about ") and "; use the size 992, close other programs" in said
    assert engine._codes.need(4000, 3000) < engine._need(4000, 3000) / 2  # strips
    monkeypatch.setattr(running, "available", lambda: 2**20)
    for call in (lambda: engine.style_code(painting, 32), lambda: engine.stylize_batch(photo[None], codes[:1])):
        said = refusal(call)
        assert "size=" not in said and said.endswith("; close other programs or take a machine with more memory.")


def test_bfloat16_is_close_to_float32(network_file, monkeypatch, photo, painting, engine, codes):
    """Three significant digits in the convolutions: a hundredth of the range on average, of random weights."""
    monkeypatch.setattr("tfstyle.machine.bfloat16_wins", lambda: (True, "a test says so"))
    rough = tfstyle.ArbitraryStylizer(network_file, precision="bfloat16")
    code = rough.style_code(painting, 48)
    assert code.dtype == np.float32
    assert 0 < np.abs(code - codes[0]).max() < 0.05 * np.abs(codes[0]).max()
    found, wanted = (one.stylize_batch(photo[None], codes[:1], 0.7) for one in (rough, engine))
    assert found.dtype == np.float32
    assert 0 < np.abs(found - wanted).mean() < 0.01


@pytest.mark.parametrize(("wins", "asked", "network", "reader"), [
    (True, "auto", "mixed_bfloat16", "bfloat16"), (True, "float32", "float32", "float32"),
    (False, "auto", "float32", "float32"),
])
def test_precisions(network_file, monkeypatch, wins, asked, network, reader):
    told = []
    monkeypatch.setattr("tfstyle.machine.bfloat16_wins", lambda: (wins, "a test says so"))
    monkeypatch.setattr(arbitrary_weights, "load", lambda _, dtype: told.append(dtype) or (None, None, CONFIG))
    monkeypatch.setattr(codes_module, "MomentsReader", told.append)
    monkeypatch.setattr(stylizer, "_traced", lambda _: None)
    tfstyle.ArbitraryStylizer(network_file, precision=asked)
    assert told == [network, reader]


def test_bfloat16_where_it_would_be_emulated(network_file, monkeypatch, refusal):
    monkeypatch.setattr("tfstyle.machine.bfloat16_wins", lambda: (False, "a test says so"))
    assert "use the precision auto" in refusal(tfstyle.ArbitraryStylizer, network_file, precision="bfloat16")


# Models


def test_a_keras_file_paints_what_the_npz_paints(tmp_path, engine, network_file, photo, codes):
    arbitrary_weights.save(tmp_path / "network.keras", *arbitrary_weights.load(network_file))
    other = tfstyle.ArbitraryStylizer(tmp_path / "network.keras", precision="float32")
    np.testing.assert_array_equal(
        *(pixels(one.stylize(photo, codes[0], size=None, strength=0.5)) for one in (engine, other))
    )


@pytest.mark.parametrize(("model", "words"), [
    ("defualt", "There is no model 'defualt'; did you mean 'default'?"),
    ("gone.npz", "There is no model 'gone.npz'; check the path, or use the model default."),
    (None, 'model must be "default", a path or a TF Hub handle; received None.'),
    ("text.txt", "model 'text.txt' has an unknown ending; it must be .npz or .keras, or a folder."),
    ("folder", "model 'folder' is a folder without a saved_model.pb; name the folder that holds it."),
    ("empty.npz", "empty.npz holds no network that this tfstyle knows, or is damaged: give another file."),
])
def test_models_that_do_not_work(tmp_path, monkeypatch, model, words, refusal):
    monkeypatch.chdir(tmp_path)
    os.mkdir("folder")
    for name in ("text.txt", "empty.npz"):
        (tmp_path / name).write_text("")
    assert refusal(tfstyle.ArbitraryStylizer, model).startswith(words)


def test_an_unknown_precision(network_file, refusal):
    assert "did you mean 'float32'?" in refusal(tfstyle.ArbitraryStylizer, network_file, precision="float23")


def test_without_shipped_weights_it_is_said_so(monkeypatch, refusal):
    monkeypatch.setattr("tfstyle.controls.SHIPPED", {})
    assert "weights are not part of this version" in refusal(tfstyle.ArbitraryStylizer)
