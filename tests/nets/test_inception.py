"""Inception-v3 as style predictor: which layer it ends at, its pictures, its statistics, its names."""

import keras
import numpy as np
import pytest

from tfstyle.checks import InputError
from tfstyle.nets import inception

# Keras reads TensorFlow's variables in a way that NumPy 2 wants changed.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

RANDOM = np.random.default_rng(2)
CODE = 5


@pytest.fixture(scope="module")
def whole():
    """Keras' own network, with statistics that are not those it begins with."""
    network = keras.applications.InceptionV3(include_top=False, weights=None)
    for variable in network.non_trainable_variables:
        begin, spread = (0, 0.02) if "moving_mean" in variable.path else (0.3, 0.3)
        variable.assign(begin + spread * RANDOM.random(variable.shape, np.float32))
    return network


@pytest.fixture(scope="module")
def predictor(whole):
    """With the weights of `whole` in ImageNet's place."""
    model = inception.inception_predictor(CODE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras.applications, "InceptionV3", lambda include_top, weights: whole)
        inception.load_imagenet(model)
    return model


def coded(model, pictures, **options):
    return keras.ops.convert_to_numpy(model(pictures, **options))


def statistics(model):
    return [keras.ops.convert_to_numpy(v).copy() for v in model.non_trainable_variables]


def test_the_layer_is_the_paper_s(whole):
    """Of slim's Mixed_5b to 5d (35 x 35), 6a to 6e (17 x 17) and 7a to 7c (8 x 8), 6e is the last of 17 x 17."""
    blocks = [layer for layer in whole.layers if layer.name.removeprefix("mixed").isdigit()]
    shapes = keras.Model(whole.input, [layer.output for layer in blocks]).compute_output_shape((1, 299, 299, 3))
    sides = {layer.name: shape[1:3] for layer, shape in zip(blocks, shapes, strict=True)}
    assert list(sides.values()) == [(35, 35)] * 3 + [(17, 17)] * 5 + [(8, 8)] * 3
    assert list(sides)[7] == inception._LAST and whole.get_layer(inception._LAST).output.shape[-1] == 768


def test_the_code_by_hand(whole, predictor):
    """Pictures in [-1, 1] to Mixed_6e, mean over the positions, a linear layer."""
    pictures = RANDOM.random((2, 80, 93, 3), np.float32)
    mixed = coded(keras.Model(whole.input, whole.get_layer("mixed7").output), 2 * pictures - 1)
    kernel, bias = predictor.get_layer("code").get_weights()
    found = coded(predictor, pictures)
    assert found.shape == (2, CODE) and found.dtype == np.float32 and np.abs(found[0] - found[1]).max() > 1e-4
    np.testing.assert_allclose(found, mixed.mean((1, 2)) @ kernel + bias, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("size", [(16, 16), (20, 90), (74, 38)])
def test_small_pictures_are_continued_by_their_reflection(predictor, size):
    picture = RANDOM.random((1, *size, 3), np.float32)
    more = [(0, max(0, inception.LEAST_SIDE - side)) for side in size]
    continued = np.pad(picture, ((0, 0), *more, (0, 0)), "reflect")
    np.testing.assert_allclose(coded(predictor, picture), coded(predictor, continued), atol=1e-6)
    layer = predictor.get_layer("reflect")
    assert layer.compute_output_shape((None, *size, 3)) == (None, *continued.shape[1:])
    assert layer.compute_output_shape((None, None, 90, 3)) == (None, None, 90, 3)


def test_names_and_layout_are_those_of_every_session(predictor):
    """Keras' own names count on, and a user's configuration may have the channels first."""
    keras.config.set_image_data_format("channels_first")
    try:
        again = inception.inception_predictor(CODE)
        assert keras.config.image_data_format() == "channels_first"
    finally:
        keras.config.set_image_data_format("channels_last")
    assert [v.path for v in again.variables] == [v.path for v in predictor.variables]
    assert len({v.path for v in again.variables}) == len(again.variables) == 282
    again.set_weights(predictor.get_weights())
    picture = RANDOM.random((1, 75, 75, 3), np.float32)
    np.testing.assert_array_equal(coded(again, picture), coded(predictor, picture))


def test_statistics_are_gathered_until_they_are_kept(predictor):
    pictures = RANDOM.random((2, 75, 75, 3), np.float32)
    values = predictor.get_weights()
    before, alone = statistics(predictor), coded(predictor, pictures)
    assert np.abs(coded(predictor, pictures, training=True) - alone).max() > 1e-3
    assert all((one != other).any() for one, other in zip(statistics(predictor), before, strict=True))
    predictor.set_weights(values)
    inception.keep_statistics(predictor)
    np.testing.assert_allclose(coded(predictor, pictures, training=True), alone, atol=1e-6)
    np.testing.assert_array_equal(predictor.get_weights()[3], values[3])
    trained = {variable.path.partition("/")[2] for variable in predictor.trainable_variables}
    assert trained == {"kernel", "bias"}  # of convolutions and of the linear layer, nothing of the normalization


def test_without_a_connection_it_is_said_so(predictor, monkeypatch):
    def refuse(**_):
        raise Exception("URL fetch failure on https://storage.googleapis.com: None -- [Errno -2]")

    monkeypatch.setattr(keras.applications, "InceptionV3", refuse)
    with pytest.raises(InputError) as error:
        inception.load_imagenet(predictor)
    assert str(error.value) == (
        "Keras could not fetch the ImageNet weights of inception_v3: check the network connection and try again, or "
        "train without imagenet, from random weights."
    )
