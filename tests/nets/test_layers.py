"""The layers of our own networks against what their formulas say, in NumPy."""

import itertools

import keras
import numpy as np
import pytest
from PIL import Image

from tfstyle.nets.layers import (
    AdaptiveInstanceNormalization,
    Average3x3,
    Bilinear,
    ConditionalInstanceNormalization,
    CropLike,
    InstanceNormalization,
    Reflect,
    ReflectConv,
    ReflectToMultiple,
    TwiceAsLarge,
)

# Keras reads TensorFlow's variables in a way that NumPy 2 wants changed.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture
def random():
    return np.random.default_rng(1)


def normal(random, *shape):
    return random.standard_normal(shape, np.float32)


def reflected_convolution(x, kernel, bias, stride):
    """Its definition: every position the sum of its neighbors, mirrored beyond the border."""
    size, half = len(kernel), (len(kernel) - 1) // 2
    padded = np.pad(x, ((0, 0), (half, half), (half, half), (0, 0)), mode="reflect").astype(np.float64)
    height, width = ((side - size) // stride + 1 for side in padded.shape[1:3])
    found = np.empty((len(x), height, width, kernel.shape[-1]))
    for row, column in np.ndindex(found.shape[1:3]):
        top, left = stride * row, stride * column
        window = padded[:, top:top + size, left:left + size]
        found[:, row, column] = np.tensordot(window, kernel, 3) + bias
    return found


@pytest.mark.parametrize(("size", "stride"), [(3, 1), (3, 2), (5, 1), (4, 2)])
def test_reflect_conv(random, size, stride):
    x = normal(random, 2, 6, 8, 3)
    layer = ReflectConv(4, size, strides=stride)
    layer.build(x.shape)
    kernel, bias = normal(random, size, size, 3, 4), normal(random, 4)
    layer.set_weights([kernel, bias])
    found = keras.ops.convert_to_numpy(layer(x))
    np.testing.assert_allclose(found, reflected_convolution(x, kernel, bias, stride), atol=1e-4)
    assert layer.compute_output_shape(x.shape) == found.shape
    assert layer.compute_output_shape((None, None, 8, 3)) == (None, None, 8 // stride, 4)


@pytest.mark.parametrize("size", [3, 4])
def test_odd_sides_under_a_convolution_of_stride_2(random, size):
    """Such are the style encoders' deeper features of a picture of 72 px."""
    layer = ReflectConv(2, size, strides=2)
    x = normal(random, 1, 9, 7, 3)
    found = keras.ops.convert_to_numpy(layer(x))
    np.testing.assert_allclose(found, reflected_convolution(x, *layer.get_weights(), 2), atol=1e-4)
    assert found.shape[1:3] == ((5, 4) if size == 3 else (4, 3))
    assert layer.compute_output_shape(x.shape) == found.shape


def test_a_flat_picture_stays_flat_under_a_reflecting_convolution(random):
    layer = ReflectConv(4, 5)
    found = keras.ops.convert_to_numpy(layer(np.full((1, 9, 7, 3), 0.7, np.float32)))
    assert np.ptp(found, axis=(1, 2)).max() < 1e-5 and np.abs(found).max() > 0.01


def normalized(x, code, weights, epsilon=1e-5):
    """Dumoulin et al. 2017, eq. 5, picture by picture."""
    scale_kernel, scale_bias, shift_kernel, shift_bias = (w.astype(np.float64) for w in weights)
    pictures = []
    for one, its in zip(x.astype(np.float64), code, strict=True):
        mean, variance = one.mean((0, 1)), one.var((0, 1))
        scale, shift = its @ scale_kernel + scale_bias, its @ shift_kernel + shift_bias
        pictures.append(scale * (one - mean) / np.sqrt(variance + epsilon) + shift)
    return np.stack(pictures)


def made(random, channels, codes, dtype="float32"):
    """A layer with random weights, and these."""
    layer = ConditionalInstanceNormalization(dtype=dtype)
    layer.build((None, None, None, channels), (None, codes))
    weights = [normal(random, codes, channels), normal(random, channels)] * 2
    layer.set_weights(weights)
    return layer, weights


def test_conditional_instance_normalization(random):
    layer, weights = made(random, 4, 6)
    x, code = 3 * normal(random, 3, 7, 5, 4) + 2, normal(random, 3, 6)
    found = keras.ops.convert_to_numpy(layer(x, code))
    np.testing.assert_allclose(found, normalized(x, code, weights), atol=1e-4)
    assert layer.compute_output_shape(x.shape, code.shape) == found.shape
    assert [w.path.rpartition("/")[2] for w in layer.weights] == [
        "scale_kernel", "scale_bias", "shift_kernel", "shift_bias"]


def test_scale_and_shift_begin_apart():
    keras.utils.set_random_seed(2)
    layer = ConditionalInstanceNormalization()
    layer.build((2, 4, 4, 64), (2, 100))
    scale, _, shift, _ = layer.get_weights()
    assert abs(np.corrcoef(scale.ravel(), shift.ravel())[0, 1]) < 0.05
    for kernel in (scale, shift):
        np.testing.assert_allclose(np.square(kernel).mean(), 0.1 / 100, rtol=0.1)  # variance 0.1 over codes' numbers


def test_a_new_normalization_is_nearly_plain(random):
    layer = ConditionalInstanceNormalization()
    found = keras.ops.convert_to_numpy(layer(5 * normal(random, 1, 9, 9, 4), np.zeros((1, 6), np.float32)))
    np.testing.assert_allclose(found.mean((1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(found.std((1, 2)), 1, atol=1e-4)


def test_a_flat_channel_becomes_its_shift(random):
    layer, weights = made(random, 4, 6)
    code = normal(random, 1, 6)
    found = keras.ops.convert_to_numpy(layer(np.full((1, 4, 4, 4), 9.0, np.float32), code))
    np.testing.assert_allclose(found, normalized(np.full((1, 4, 4, 4), 9.0), code, weights), atol=1e-2)
    assert np.isfinite(found).all()


def test_mixed_codes_mix_scale_and_shift(random):
    layer, _ = made(random, 4, 6)
    x = np.repeat(normal(random, 1, 5, 5, 4), 3, axis=0)
    one, other = normal(random, 2, 6)
    found = keras.ops.convert_to_numpy(layer(x, np.stack([one, other, 0.3 * one + 0.7 * other])))
    np.testing.assert_allclose(found[2], 0.3 * found[0] + 0.7 * found[1], atol=1e-4)


def test_statistics_are_float32_under_bfloat16(random):
    """A thousand values around 100: their mean in bfloat16 would be whole steps of 0.5 away, their deviation lost."""
    layer, weights = made(random, 2, 6, "mixed_bfloat16")
    x = keras.ops.cast(100 + normal(random, 1, 32, 32, 2), "bfloat16")
    code = np.zeros((1, 6), np.float32)
    answer = layer(x, code)
    assert keras.backend.standardize_dtype(answer.dtype) == "bfloat16"
    found = keras.ops.convert_to_numpy(keras.ops.cast(answer, "float32"))
    rounded = [np.array(keras.ops.cast(keras.ops.cast(w, "bfloat16"), "float32")) for w in weights]
    exact = normalized(keras.ops.convert_to_numpy(keras.ops.cast(x, "float32")), code, rounded)
    assert np.abs(found - exact).max() <= 2**-8 * np.abs(exact).max()


def test_instance_normalization(random):
    layer = InstanceNormalization(epsilon=1e-3)
    layer.build((None, None, None, 4))
    assert [w.path.rpartition("/")[2] for w in layer.weights] == ["scale", "shift"]
    x = 3 * normal(random, 3, 7, 5, 4) + 2
    plain = keras.ops.convert_to_numpy(layer(x))
    np.testing.assert_allclose(plain.mean((1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(plain.std((1, 2)), 1, atol=1e-3)
    scale, shift = normal(random, 2, 4)
    layer.set_weights([scale, shift])
    exact = x.astype(np.float64)
    mean, variance = exact.mean((1, 2), keepdims=True), exact.var((1, 2), keepdims=True)
    found = keras.ops.convert_to_numpy(layer(x))
    np.testing.assert_allclose(found, scale * (exact - mean) / np.sqrt(variance + 1e-3) + shift, atol=1e-4)
    assert layer.compute_output_shape(x.shape) == found.shape


def test_a_condition_that_is_always_the_same_is_none(random):
    conditional, weights = made(random, 4, 6)
    code, x = normal(random, 1, 6), normal(random, 2, 7, 5, 4)
    layer = InstanceNormalization()
    layer.build(x.shape)
    layer.set_weights([code[0] @ weights[0] + weights[1], code[0] @ weights[2] + weights[3]])
    wanted = keras.ops.convert_to_numpy(conditional(x, np.repeat(code, 2, axis=0)))
    np.testing.assert_allclose(keras.ops.convert_to_numpy(layer(x)), wanted, atol=1e-5)


def test_instance_statistics_are_float32_under_bfloat16(random):
    layer = InstanceNormalization(dtype="mixed_bfloat16")
    layer.build((None, None, None, 2))
    scale, shift = normal(random, 2, 2)
    layer.set_weights([scale, shift])
    assert {keras.backend.standardize_dtype(w.dtype) for w in layer.weights} == {"float32"}
    x = keras.ops.cast(100 + normal(random, 1, 32, 32, 2), "bfloat16")
    answer = layer(x)
    assert keras.backend.standardize_dtype(answer.dtype) == "bfloat16"
    exact = keras.ops.convert_to_numpy(keras.ops.cast(x, "float32")).astype(np.float64)
    exact = scale * (exact - exact.mean((1, 2))) / exact.std((1, 2)) + shift
    found = keras.ops.convert_to_numpy(keras.ops.cast(answer, "float32"))
    assert np.abs(found - exact).max() <= 2**-8 * np.abs(exact).max()


def test_instance_normalization_without_scale_and_shift(random):
    layer = InstanceNormalization(affine=False)
    x = 3 * normal(random, 3, 7, 5, 4) + 2
    found = keras.ops.convert_to_numpy(layer(x))
    exact = x.astype(np.float64)
    exact = (exact - exact.mean((1, 2), keepdims=True)) / np.sqrt(exact.var((1, 2), keepdims=True) + 1e-5)
    np.testing.assert_allclose(found, exact, atol=1e-5)
    assert layer.weights == []


@pytest.mark.parametrize(("dtype", "mean"), [("float32", 2.0), ("mixed_bfloat16", 100.0)])
def test_adaptive_instance_normalization(random, dtype, mean):
    """Of each picture's own list: C shifts from `first` on, then C scales; in float32 under bfloat16."""
    layer = AdaptiveInstanceNormalization(first=8, epsilon=1e-3, dtype=dtype)
    x = keras.ops.cast(3 * normal(random, 3, 7, 5, 4) + mean, layer.compute_dtype)
    parameters = normal(random, 3, 40)
    answer = layer(x, parameters)
    assert keras.backend.standardize_dtype(answer.dtype) == layer.compute_dtype and layer.weights == []
    exact, found = (keras.ops.convert_to_numpy(keras.ops.cast(y, "float32")).astype(np.float64) for y in (x, answer))
    shift, scale = parameters[:, None, None, 8:12], parameters[:, None, None, 12:16]
    exact = (exact - exact.mean((1, 2), keepdims=True)) / np.sqrt(exact.var((1, 2), keepdims=True) + 1e-3)
    exact = scale * exact + shift
    assert np.abs(found - exact).max() <= (1e-4 if dtype == "float32" else 2**-8 * np.abs(exact).max())
    assert layer.compute_output_shape(x.shape, parameters.shape) == found.shape


@pytest.mark.parametrize(("height", "width"), [(6, 8), (7, 5), (2, 1)])
def test_average_3x3(random, height, width):
    """Around the pixels 0, 2, 4 ...; what lies beyond the border does not count."""
    x = normal(random, 2, height, width, 3)
    wanted = np.stack([
        np.stack([x[:, max(0, i - 1):i + 2, max(0, j - 1):j + 2].mean((1, 2)) for j in range(0, width, 2)], axis=1)
        for i in range(0, height, 2)
    ], axis=1)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(Average3x3()(x)), wanted, atol=1e-6)
    assert Average3x3().compute_output_shape(x.shape) == wanted.shape
    assert Average3x3().compute_output_shape((None, None, 5, 3)) == (None, None, 3, 3)


def test_reflected_to_a_multiple_and_back(random):
    for height, width in itertools.product((16, 17, 23), (24, 31)):
        x = normal(random, 1, height, width, 2)
        wide = keras.ops.convert_to_numpy(ReflectToMultiple(8)(x))
        rows, columns = -height % 8, -width % 8
        pads = [(0, 0), (rows // 2, rows - rows // 2), (columns // 2, columns - columns // 2), (0, 0)]
        np.testing.assert_array_equal(wide, np.pad(x, pads, mode="reflect"))
        assert ReflectToMultiple(8).compute_output_shape(x.shape) == wide.shape
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(CropLike()(wide, x)), x)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_twice_as_large_bit_for_bit(random, dtype):
    x = keras.ops.cast(normal(random, 2, 5, 4, 3), dtype)
    found = TwiceAsLarge(dtype=dtype)(x)
    assert keras.backend.standardize_dtype(found.dtype) == dtype
    found, x = (keras.ops.convert_to_numpy(keras.ops.cast(values, "float32")) for values in (found, x))
    np.testing.assert_array_equal(found, x.repeat(2, axis=1).repeat(2, axis=2))
    assert TwiceAsLarge().compute_output_shape((2, None, 4, 3)) == (2, None, 8, 3)


@pytest.mark.parametrize("factor", [2, 4])
def test_bilinear(random, factor):
    """Half pixels' centers, as Pillow has them; sides of one pixel too."""
    for shape in ((7, 5), (1, 6)):
        x = normal(random, 2, *shape, 3)
        found = keras.ops.convert_to_numpy(Bilinear(factor)(x))
        size = factor * shape[1], factor * shape[0]
        wanted = [[np.asarray(Image.fromarray(one[..., i]).resize(size, Image.Resampling.BILINEAR)) for i in range(3)]
                  for one in x]
        np.testing.assert_allclose(found, np.moveaxis(wanted, 1, -1), atol=1e-5)
    assert Bilinear(factor).compute_output_shape((2, None, 4, 3)) == (2, None, 4 * factor, 3)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_reflect(random, dtype):
    x = keras.ops.cast(normal(random, 2, 6, 9, 3), dtype)
    found = Reflect(5, dtype=dtype)(x)
    assert keras.backend.standardize_dtype(found.dtype) == dtype
    found, x = (keras.ops.convert_to_numpy(keras.ops.cast(values, "float32")) for values in (found, x))
    np.testing.assert_array_equal(found, np.pad(x, ((0, 0), (5, 5), (5, 5), (0, 0)), mode="reflect"))
    assert Reflect(5).compute_output_shape((2, None, 9, 3)) == (2, None, 19, 3)


@pytest.mark.parametrize("layer", [
    ReflectConv(4, 5, strides=2, use_bias=False, name="a"),
    ConditionalInstanceNormalization(epsilon=1e-3, name="b"),
    ReflectToMultiple(16, name="c"),
    CropLike(name="d"),
    TwiceAsLarge(name="e"),
    InstanceNormalization(epsilon=1e-3, name="f"),
    Reflect(7, name="g"),
    Bilinear(8, name="h"),
    AdaptiveInstanceNormalization(first=12, epsilon=1e-3, name="i"),
    Average3x3(name="j"),
    InstanceNormalization(affine=False, name="k"),
])
def test_layers_are_written_and_read(layer):
    config = keras.saving.serialize_keras_object(layer)
    assert config["registered_name"].startswith("tfstyle>")
    again = keras.saving.deserialize_keras_object(config)
    assert type(again) is type(layer) and again.get_config() == layer.get_config()


@pytest.mark.parametrize("conditional", [True, False])
def test_weights_of_norms_are_not_rounded_under_a_mixed_policy(conditional):
    """1.001 is no bfloat16: rounded, it would be 1."""
    layer = (ConditionalInstanceNormalization if conditional else InstanceNormalization)(dtype="mixed_bfloat16")
    x = keras.Input((None, None, 3))
    inputs = [x, keras.Input((2,))] if conditional else [x]
    model = keras.Model(inputs if conditional else x, layer(*inputs))
    shift = layer.shift_bias if conditional else layer.shift
    shift.assign([1.001, 2.003, 4.01])
    seen = []
    layer.call = lambda *given, call=layer.call: seen.append(np.asarray(shift + 0.0)) or call(*given)
    given = [np.zeros((1, 4, 4, 3), np.float32), np.zeros((1, 2), np.float32)]
    model(given if conditional else given[0])
    np.testing.assert_allclose(seen[0].astype(np.float32), [1.001, 2.003, 4.01], rtol=1e-6)
