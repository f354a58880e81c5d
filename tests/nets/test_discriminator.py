"""Discriminators against their table, in NumPy: weights, maps, how they start."""

import keras
import numpy as np
import pytest

from tfstyle.nets.discriminator import SCALES, discriminator

# Keras reads TensorFlow's variables in a way that NumPy 2 wants changed.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def numbers(tensor):
    return keras.ops.convert_to_numpy(keras.ops.cast(tensor, "float32"))


@pytest.fixture(scope="module")
def small():
    """Of 3 channels, with no shift at 0."""
    model, random = discriminator("b", 3), np.random.default_rng(1)
    for variable in model.variables:
        spread = np.prod(variable.shape[:-1]) ** -0.5
        variable.assign(spread * random.standard_normal(variable.shape, np.float32))
    return model


@pytest.fixture
def random():
    return np.random.default_rng(6)


def test_how_many_weights_and_how_they_start():
    """N(0, 0.02), untruncated, for each scale anew."""
    keras.utils.set_random_seed(2)
    model = discriminator("a")
    assert model.count_params() == 8_271_171 and len(model.variables) == SCALES * 5 * 2
    for variable in model.variables:
        values = numbers(variable)
        if len(values.shape) == 1:
            assert not values.any(), variable.path
            continue
        assert values.std() == pytest.approx(0.02, rel=4 / values.size**0.5), variable.path
        assert abs(values.mean()) < 5 * 0.02 / values.size**0.5, variable.path
        assert values.size < 1000 or np.abs(values).max() > 2.5 * 0.02, variable.path


def convolved(x, layer, stride=1):
    kernel, bias = map(numbers, layer.weights)
    half = (len(kernel) - 1) // 2
    x = np.pad(x, ((0, 0), (half, half), (half, half), (0, 0)), "reflect")
    windows = np.lib.stride_tricks.sliding_window_view(x, kernel.shape[:2], axis=(1, 2))[:, ::stride, ::stride]
    return np.einsum("nhwcij,ijcd->nhwd", windows, kernel, optimize=True) + bias


def test_what_it_computes(small, random):
    """Averages between the scales do not count what lies beyond the border."""
    image = random.random((2, 64, 80, 3), np.float32)
    x = 2.0 * image - 1
    for scale, found in enumerate(small(image)):
        y = x
        for i in range(4):
            y = convolved(y, small.get_layer(f"b_judge{scale}_conv{i}"), 2)
            y = np.where(y > 0, y, 0.01 * y)
        wanted = convolved(y, small.get_layer(f"b_judge{scale}_map"))
        np.testing.assert_allclose(numbers(found), wanted, atol=1e-4)
        assert wanted.shape == (2, 4 // 2**scale, 5 // 2**scale, 1)
        wide, count = (np.pad(y, ((0, 0), (1, 1), (1, 1), (0, 0))) for y in (x, np.ones_like(x)))
        x, share = (sum(y[:, i:i + x.shape[1]:2, j:j + x.shape[2]:2] for i in range(3) for j in range(3))
                    for y in (wide, count))
        x = x / share


def test_the_maps_of_the_published_crop(small):
    found = small(np.zeros((1, 192, 192, 3), np.float32))
    assert [tuple(one.shape) for one in found] == [(1, 12, 12, 1), (1, 6, 6, 1), (1, 3, 3, 1)]


def test_pictures_of_a_batch_do_not_meet(small, random):
    images = random.random((2, 64, 64, 3), np.float32)
    for together, alone in zip(small(images), small(images[1:]), strict=True):
        np.testing.assert_allclose(numbers(together)[1:], numbers(alone), atol=1e-5)


def test_bfloat16_is_near(small, random):
    model, image = discriminator("b", 3, "mixed_bfloat16"), random.random((1, 64, 64, 3), np.float32)
    for mine, theirs in zip(model.variables, small.variables, strict=True):
        mine.assign(theirs)
    for found, wanted in zip(model(image), small(image), strict=True):
        assert keras.backend.standardize_dtype(found.dtype) == "float32"
        assert 0 < np.abs(numbers(found) - numbers(wanted)).max() < 0.05


def test_weights_start_from_the_seed_and_each_from_its_own():
    """An initializer that layers share repeats its values, and its seed is as old as the module."""
    def kernels(seed):
        keras.utils.set_random_seed(seed)
        return [keras.ops.convert_to_numpy(v) for v in discriminator("a", 2).variables if v.path.endswith("kernel")]

    first, again, other = kernels(2), kernels(2), kernels(3)
    for mine, same, new in zip(first, again, other, strict=True):
        np.testing.assert_array_equal(mine, same)
        assert (mine != new).any()
    for i, one in enumerate(first):
        assert not any(one.shape == two.shape and (one == two).any() for two in first[i + 1:])
