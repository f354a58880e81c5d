"""A network whose predictor is Inception-v3, through files and in the stylizer."""

import json

import keras
import numpy as np
import pytest

import tfstyle
from tfstyle import images, running
from tfstyle.nets import arbitrary_weights
from tfstyle.nets.arbitrary import ArbitraryConfig, style_predictor, transformer

# Keras reads TensorFlow's variables in a way that NumPy 2 wants changed.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

CONFIG = ArbitraryConfig(widths=(4, 6, 8, 8), blocks=1, code=12, predictor="inception_v3")


@pytest.fixture(scope="module")
def network_file(tmp_path_factory):
    """Random weights that heed the code, whose normalization lets a signal through: the path of an .npz."""
    predictor, painter = style_predictor(CONFIG), transformer(CONFIG)
    random = np.random.default_rng(4)
    for variable in predictor.variables:
        if "moving_variance" in variable.path:
            variable.assign(np.full(variable.shape, 0.5, np.float32))
    kernel = predictor.get_layer("code").kernel
    kernel.assign(20 * random.standard_normal(kernel.shape, np.float32))
    for variable in painter.variables:
        if "kernel" in variable.path:
            spread = 0.3 if "norm" in variable.path else np.prod(variable.shape[:-1]) ** -0.5
            variable.assign(spread * random.standard_normal(variable.shape, np.float32))
    path = tmp_path_factory.mktemp("network") / "network.npz"
    arbitrary_weights.save(path, predictor, painter, CONFIG)
    return path


@pytest.fixture(scope="module")
def network(network_file):
    return arbitrary_weights.load(network_file)


@pytest.fixture(scope="module")
def engine(network_file):
    return tfstyle.ArbitraryStylizer(network_file, precision="float32")


def values(model):
    return {variable.path: keras.ops.convert_to_numpy(variable) for variable in model.variables}


def assert_same(models, others):
    for model, other in zip(models, others, strict=True):
        wanted = values(other)
        for path, value in values(model).items():
            np.testing.assert_array_equal(value, wanted.pop(path), err_msg=path)
        assert not wanted


def test_the_predictor_s_hidden_layer_is_the_other_s():
    assert CONFIG.hidden == 0 == ArbitraryConfig(hidden=9, predictor="inception_v3").hidden


def test_npz_there_and_back(tmp_path, network):
    arbitrary_weights.save(tmp_path / "again.npz", *network)
    *models, config = arbitrary_weights.load(tmp_path / "again.npz")
    assert config == CONFIG
    assert_same(models, network[:2])
    with np.load(tmp_path / "again.npz") as file:
        told = json.loads(bytes(file["config"]))
    assert told == {"widths": [4, 6, 8, 8], "blocks": 1, "code": 12, "hidden": 0, "predictor": "inception_v3"}


def test_keras_there_and_back(tmp_path, network):
    path = tmp_path / "network.keras"
    arbitrary_weights.save(path, *network)
    *models, config = arbitrary_weights.load(path)
    assert config == CONFIG
    assert_same(models, network[:2])
    # And with Keras alone, as one model: photo and style picture in, picture out.
    photo, style = (np.random.default_rng(3).random((1, *size, 3), np.float32) for size in ((17, 31), (80, 76)))
    found = keras.saving.load_model(path)([photo, style])
    np.testing.assert_allclose(found, network[1]([photo, np.asarray(network[0](style))]), atol=1e-5)


def test_a_code_is_what_the_predictor_makes_of_the_picture(engine, network, painting, other_painting):
    codes = [engine.style_code(picture, 80) for picture in (painting, other_painting)]
    wanted = np.asarray(network[0](images.fit(painting, 80)[None]))[0]
    np.testing.assert_allclose(codes[0], wanted, rtol=1e-4, atol=1e-5)
    assert codes[0].shape == (12,) and np.abs(codes[0] - codes[1]).max() > 1e-3
    np.testing.assert_allclose(engine.mix(codes), np.mean(codes, axis=0), atol=1e-6)


def test_strength_and_sizes_down_to_16_px(engine, photo, painting):
    """Half way by hand, with the photo's own code; and one graph for all sizes."""
    code, own = (engine.style_code(picture, 61) for picture in (painting, photo))
    half, alone = engine.stylize_batch(np.stack([photo, photo]), np.stack([0.5 * own + 0.5 * code, own]))
    found = engine.stylize(photo, painting, strength=0.5, size=None)
    wanted = images.to_uint8(np.clip(half + 0.5 * (photo - alone), 0, 1))
    assert np.abs(np.asarray(found, int) - wanted).max() <= 1
    assert engine.stylize(photo[:16, :17], painting, strength=0.5, size=None).size == (17, 16)
    assert engine._codes._predictor.experimental_get_tracing_count() == 1


def test_memory_is_that_of_whole_pictures(engine, monkeypatch, refusal):
    """No strips: what a style takes grows with its size, but less than what painting takes."""
    little, much, most = (engine._codes.need(side, side) for side in (500, 2000, 4000))
    assert most - much == pytest.approx(3.2 * (much - little), rel=0.01)
    assert engine._need(2000, 2000) > much
    monkeypatch.setattr(running, "available", lambda: much)
    said = refusal(engine.style_code, np.zeros((50, 50), np.uint8), 4000)
    assert "use the style_size 2000, close other programs" in said
