"""Networks that enlarge: sizes, reach, the two kinds of output, and what they refuse."""

import dataclasses

import keras
import numpy as np
import pytest

from tfstyle.nets.layers import Bilinear
from tfstyle.nets.superres import SuperResConfig, superres

# Keras reads TensorFlow's variables in a way that NumPy 2 wants changed.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

TINY = SuperResConfig(4, 4, 1, "none")


def pictures(count, height, width):
    return np.random.default_rng(height * width).random((count, height, width, 3), np.float32)


def numbers(tensor):
    return keras.ops.convert_to_numpy(keras.ops.cast(tensor, "float32"))


@pytest.mark.parametrize("factor", [4, 8])
@pytest.mark.parametrize("normalization", ["batch", "none"])
@pytest.mark.parametrize("residual", [False, True])
def test_every_side_grows_by_the_factor(factor, normalization, residual):
    model = superres(SuperResConfig(factor, 4, 1, normalization, residual))
    assert model(keras.Input((None, 7, 3))).shape == (None, None, 7 * factor, 3)
    for height, width in ((5, 5), (9, 14)):
        found = numbers(model(pictures(2, height, width)))
        assert found.shape == (2, factor * height, factor * width, 3) and found.dtype == np.float32
        assert 0 <= found.min() < found.max() <= 1


@pytest.mark.parametrize("factor", [4, 8])
@pytest.mark.parametrize("blocks", [1, 2])
def test_reach(factor, blocks):
    """Every convolution a mean of its neighbors: whatever a pixel can change, it does."""
    config = SuperResConfig(factor, 2, blocks, "none")
    model = superres(config)
    for variable in model.variables:
        if variable.path.endswith("kernel"):
            variable.assign(np.full(variable.shape, 1 / np.prod(variable.shape[:-1]), "float32"))
    side, middle = 2 * config.reach + 7, config.reach + 3
    image = np.full((1, side, side, 3), 0.6, np.float32)
    changed = image.copy()
    changed[0, middle, middle] = 0.9
    differs = (numbers(model(image)) != numbers(model(changed))).any(axis=-1)[0]
    for rows in (differs.any(axis=0), differs.any(axis=1)):
        first, last = np.flatnonzero(rows)[[0, -1]] // factor
        assert middle - config.reach <= first <= middle - config.reach + 2
        assert middle + config.reach - 2 <= last <= middle + config.reach


def test_the_paper_s_reach_leaves_a_margin_of_pixels():
    """4 of the 9 x 9 convolution, two of each block, 3 of all that comes after."""
    assert SuperResConfig().reach == SuperResConfig(8).reach == 4 + 8 + 3


def test_what_is_missing_is_added_to_the_bilinear_picture():
    """A new network adds almost nothing."""
    keras.utils.set_random_seed(3)
    model = superres(dataclasses.replace(TINY, residual=True))
    image = pictures(1, 12, 15)
    large = numbers(Bilinear(4)(image))
    found = numbers(model(image))
    assert 0 < np.abs(found - large).max() < 0.05
    kernel = model.get_layer("paint_conv").kernel
    kernel.assign(3000 * numbers(kernel))
    far = numbers(model(image))
    assert far.min() == 0 and far.max() == 1 and np.abs(far - large).mean() > 0.05


def test_the_weights_of_the_paper():
    """9 x 9 64, four blocks, two expansions and 9 x 9 3, which alone has a bias beside normalization."""
    kernels = 81 * 3 * 64 + 10 * 9 * 64 * 64 + 81 * 64 * 3
    batch, none = (superres(SuperResConfig(normalization=kind)) for kind in ("batch", "none"))
    assert batch.count_params() == kernels + 3 + 11 * 4 * 64
    assert none.count_params() == kernels + 3 + 11 * 64
    assert superres(SuperResConfig(8)).count_params() == batch.count_params() + 9 * 64 * 64 + 4 * 64


def test_batch_statistics_are_learned_in_training_alone():
    model = superres(dataclasses.replace(TINY, normalization="batch"))
    image = pictures(2, 9, 9)
    before = numbers(model(image))
    np.testing.assert_allclose(numbers(model(image[:1])), before[:1], atol=1e-6)
    model(image, training=True)
    moved = [variable for variable in model.non_trainable_variables if np.ptp(numbers(variable)) > 0]
    assert len(moved) == len(model.non_trainable_variables) > 0
    assert np.abs(numbers(model(image)) - before).max() > 1e-3


@pytest.mark.parametrize("residual", [False, True])
def test_bfloat16_enlarges_nearly_the_same(residual):
    config = dataclasses.replace(TINY, residual=residual)
    exact, rough = superres(config), superres(config, "mixed_bfloat16")
    rough.set_weights(exact.get_weights())
    image = pictures(1, 9, 14)
    answer = rough(image)
    assert keras.backend.standardize_dtype(answer.dtype) == "float32"
    difference = np.abs(numbers(answer) - numbers(exact(image)))
    assert 0 < difference.mean() < 0.01


@pytest.mark.parametrize(("given", "sentence"), [
    ({"factor": 2}, "factor must be 4 or 8; received 2."),
    ({"factor": "4"}, "factor must be 4 or 8; received '4'."),
    ({"normalization": "bath"}, "normalization must be one of 'batch', 'none'; received 'bath'; did you mean 'batch'?"),
])
def test_configs_that_do_not_work(refusal, given, sentence):
    assert refusal(SuperResConfig, **given) == sentence
