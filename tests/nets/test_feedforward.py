"""Networks for one style: their shapes, their layers by the papers, and what they refuse."""

import dataclasses

import keras
import numpy as np
import pytest

from tfstyle.nets.arbitrary import ArbitraryConfig, transformer
from tfstyle.nets.feedforward import FeedForwardConfig, ScaledTanh, feedforward

# Keras reads TensorFlow's variables in a way that NumPy 2 wants changed.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

TINY = {
    "compact": FeedForwardConfig("compact", (4, 4, 4, 8), 1),
    "paper": FeedForwardConfig("paper", (4, 4, 8), 2),
    "fast-style-transfer": FeedForwardConfig("fast-style-transfer", (4, 4, 8), 1),
}


def pictures(count, height, width):
    return np.random.default_rng(height * width).random((count, height, width, 3), np.float32)


def numbers(tensor):
    return keras.ops.convert_to_numpy(keras.ops.cast(tensor, "float32"))


def painted(model, image):
    return numbers(model(image))


@pytest.fixture(scope="module")
def networks():
    """A small network of each kind, with weights that let contrasts through: {name: keras.Model}."""
    keras.utils.set_random_seed(2)
    return {name: feedforward(config) for name, config in TINY.items()}


# Shapes


@pytest.mark.parametrize("name", TINY)
@pytest.mark.parametrize("size", [(17, 17), (18, 35), (45, 61)])
def test_the_result_is_as_large_as_the_picture(networks, name, size):
    found = painted(networks[name], pictures(2, *size))
    assert found.shape == (2, *size, 3) and found.dtype == np.float32
    assert 0 <= found.min() < found.max() <= 1


@pytest.mark.parametrize(("config", "side"), [
    (FeedForwardConfig(), 16), (FeedForwardConfig("paper"), 41), (FeedForwardConfig("fast-style-transfer"), 16),
    (TINY["compact"], 16), (TINY["paper"], 17), (FeedForwardConfig("paper", (4, 4, 8), 1), 16),
])
def test_the_least_side(config, side):
    assert config.least_side == side
    small = dataclasses.replace(config, widths=[min(4, width) for width in config.widths])
    assert painted(feedforward(small), pictures(1, side, side)).shape == (1, side, side, 3)


def test_the_margin_of_the_paper_is_used_up(networks):
    """40 px for five blocks: four residual pixels at 1/4 of the sides each, which the blocks cut off again."""
    assert networks["paper"].get_layer("margin").margin == 16
    image = keras.Input((None, None, 3))
    config = FeedForwardConfig("paper", (4, 4, 4), 5)
    inner = feedforward(config)
    assert inner.get_layer("margin").margin == 40
    for layer, side in (("margin", 64 + 80), ("contract3_relu", 16 + 20), ("deep5_sum", 16), ("paint", 64)):
        part = keras.Model(inner.input, inner.get_layer(layer).output)
        assert part(np.zeros((1, 64, 64, 3), "float32")).shape[1:3] == (side, side)
    assert inner(image).shape == (None, None, None, 3)


# Layers by the papers


def test_the_weights_of_the_paper():
    """Table 1 of the supplement, without biases but the last.

    9 x 9 32, 3 x 3 64 and 128, five pairs of 128, 64 and 32, 9 x 9 3.
    """
    kernels = 81 * 3 * 32 + 9 * (32 * 64 + 64 * 128) + 10 * 9 * 128 * 128 + 9 * (128 * 64 + 64 * 32) + 81 * 32 * 3
    normalized = 32 + 64 + 128 + 10 * 128 + 64 + 32
    assert kernels + 2 * normalized + 3 == 1_677_635
    assert feedforward(FeedForwardConfig("paper")).count_params() == 1_677_635
    batch = feedforward(FeedForwardConfig("paper", normalization="batch"))
    assert batch.count_params() == 1_677_635 + 2 * normalized  # and the statistics of batches
    assert sum(np.prod(variable.shape) for variable in batch.trainable_variables) == 1_677_635
    # Its other form normalizes the three colors instead.
    assert feedforward(FeedForwardConfig("fast-style-transfer")).count_params() == 1_677_635 - 3 + 6


def test_ours_is_the_network_for_any_style_without_its_code():
    """The same layers of the same names in the same order, so that the one's weights start the other."""
    shape = (4, 6, 8, 8), 2
    mine = feedforward(FeedForwardConfig("compact", *shape))
    theirs = transformer(ArbitraryConfig(*shape, code=3))
    assert [layer.name for layer in mine.layers if layer.weights] == [
        layer.name for layer in theirs.layers if layer.weights
    ]
    code = np.random.default_rng(1).standard_normal((1, 3), np.float32)
    for layer in mine.layers:
        weights = theirs.get_layer(layer.name).get_weights() if layer.weights else []
        if layer.name.endswith("_norm"):
            kernel, bias, shift_kernel, shift_bias = weights
            weights = [code[0] @ kernel + bias, code[0] @ shift_kernel + shift_bias]
        layer.set_weights(weights)
    image = pictures(1, 23, 34)
    np.testing.assert_allclose(painted(mine, image), numbers(theirs([image, code])), atol=2e-5)


def conv(x, kernel, stride=1):
    return keras.ops.conv(x, kernel, strides=stride, padding="valid")


def test_the_layers_of_the_paper_by_hand(networks):
    """From the picture to the paint: reflection, 9 x 9, two of stride 2, two residual blocks, two expansions, 9 x 9."""
    model = networks["paper"]
    random = np.random.default_rng(6)
    for variable in model.variables:
        if variable.path.endswith(("scale", "shift")):
            variable.assign(random.uniform(0.5, 1.5, variable.shape).astype("float32"))
    weights = {layer.name: [numbers(w) for w in layer.weights] for layer in model.layers}

    def normalized(x, name):
        scale, shift = weights[f"{name}_norm"]
        mean, variance = x.mean((1, 2), keepdims=True), x.var((1, 2), keepdims=True)
        return scale * (x - mean) / np.sqrt(variance + 1e-5) + shift

    def convolved(x, name, stride=1, pad=0, after=True):
        size = np.array(x.shape[1:3])
        kernel = weights[f"{name}_conv"][0]
        if pad:  # as TensorFlow pads by zeros: with stride 2 the odd one goes to the end
            whole = np.maximum((-(-size // stride) - 1) * stride + kernel.shape[0] - size, 0)
            x = np.pad(x, ((0, 0), *((n // 2, n - n // 2) for n in whole), (0, 0)))
        x = numbers(conv(x, kernel, stride))
        return np.maximum(normalized(x, name), 0) if after else normalized(x, name)

    image = pictures(1, 24, 28)
    x = 2 * np.pad(image, ((0, 0), (16, 16), (16, 16), (0, 0)), mode="reflect") - 1
    x = convolved(x, "contract1", pad=1)
    x = convolved(convolved(x, "contract2", 2, 1), "contract3", 2, 1)
    for block in ("deep1", "deep2"):
        y = convolved(convolved(x, f"{block}a"), f"{block}b", after=False)
        x = x[:, 2:-2, 2:-2] + y
    for name in ("expand1", "expand2"):
        x = convolved(x.repeat(2, axis=1).repeat(2, axis=2), name, pad=1)
    x = numbers(conv(np.pad(x, ((0, 0), (4, 4), (4, 4), (0, 0))), weights["paint_conv"][0]))
    np.testing.assert_allclose(painted(model, image), 0.5 + 0.5 * np.tanh(x), atol=1e-4)


def test_scaled_tanh():
    x = np.array([-30, -1, 0, 1, 30], "float32")
    np.testing.assert_allclose(numbers(ScaledTanh()(x)), 0.5 + 0.5 * np.tanh(x), atol=1e-6)
    wide = np.clip(127.5 + 150 * np.tanh(x), 0, 255) / 255  # as public weights of that name are run
    np.testing.assert_allclose(numbers(ScaledTanh(150 / 255)(x)), wide, atol=1e-6)
    layer = ScaledTanh(0.75, name="a")
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert again.get_config() == layer.get_config() and again.reach == 0.75


# Normalization and precision


@pytest.mark.parametrize("name", ["compact", "paper", "fast-style-transfer"])
def test_every_picture_is_normalized_by_itself(networks, name):
    images = pictures(2, 24, 32)
    both = painted(networks[name], images)
    for i in range(2):
        np.testing.assert_allclose(both[i:i + 1], painted(networks[name], images[i:i + 1]), atol=1e-5)


@pytest.mark.parametrize("name", ["compact", "paper"])
def test_batch_normalization_learns_statistics(name):
    model = feedforward(dataclasses.replace(TINY[name], normalization="batch"))
    images = pictures(2, 24, 32)
    before = [numbers(variable) for variable in model.non_trainable_variables]
    assert {variable.path.rpartition("/")[2] for variable in model.non_trainable_variables} == {
        "moving_mean", "moving_variance"
    }
    alone = painted(model, images[:1])
    np.testing.assert_allclose(painted(model, images)[:1], alone, atol=1e-6)  # others in the batch are of no matter
    together, single = (numbers(model(some, training=True)) for some in (images, images[:1]))
    assert np.abs(together[:1] - single).max() > 1e-3  # but in training they are
    assert all((numbers(v) != old).any() for v, old in zip(model.non_trainable_variables, before, strict=True))
    assert np.abs(painted(model, images[:1]) - alone).max() > 1e-3


@pytest.mark.parametrize("name", TINY)
def test_bfloat16_paints_nearly_the_same(networks, name):
    rough = feedforward(TINY[name], "mixed_bfloat16")
    rough.set_weights(networks[name].get_weights())
    assert {keras.backend.standardize_dtype(variable.dtype) for variable in rough.variables} == {"float32"}
    images = pictures(1, 45, 61)
    answer = rough(images)
    assert keras.backend.standardize_dtype(answer.dtype) == "float32"
    difference = np.abs(numbers(answer) - painted(networks[name], images))
    assert 0 < difference.mean() < 0.02


# What is refused


@pytest.mark.parametrize(("given", "sentence"), [
    ({"network": "papr"}, "network must be one of 'compact', 'paper', 'fast-style-transfer'; received 'papr'; did you "
     "mean 'paper'?"),
    ({"normalization": "layer"}, "normalization must be one of 'instance', 'batch'; received 'layer'."),
    ({"widths": (4, 4, 4)}, "widths must be 4 numbers for the network compact; received 3."),
    ({"network": "paper", "widths": (4, 4, 4, 4)}, "widths must be 3 numbers for the network paper; received 4."),
    ({"network": "fast-style-transfer", "normalization": "batch"},
     "The network fast-style-transfer has instance normalization only; leave the other out."),
])
def test_configs_that_do_not_work(refusal, given, sentence):
    assert refusal(FeedForwardConfig, **given) == sentence


def test_what_a_config_leaves_open_is_the_network_s_own():
    assert FeedForwardConfig() == FeedForwardConfig("compact", [16, 48, 96, 128], 4)
    assert FeedForwardConfig("paper") == FeedForwardConfig("paper", (32, 64, 128), 5, "instance")
