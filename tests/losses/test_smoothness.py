import numpy as np
import pytest
import tensorflow as tf

from tfstyle.checks import InputError
from tfstyle.losses import TV_KINDS, total_variation

ROUNDED = 0.0011  # |d| loses at most the corner's 0.001 to the rounding


@pytest.fixture
def checkerboard():
    """4 x 6 squares of 0 and 1, one channel: 4 * 5 horizontal and 3 * 6 vertical differences, all of 1."""
    y, x = np.mgrid[0:4, 0:6]
    return ((y + x) % 2)[None, :, :, None].astype(np.float32)


@pytest.fixture
def ramp():
    """3 x 5 pixels: 0.25 brighter to the right, 0.125 darker downward."""
    y, x = np.mgrid[0:3, 0:5]
    return (0.25 * x - 0.125 * y)[None, :, :, None].astype(np.float32)


@pytest.mark.parametrize(
    ("kind", "wanted", "slack"),
    [("mean", 1 + 1, 2 * ROUNDED), ("sum", 20 + 18, 38 * ROUNDED), ("squared", 1 + 1, 1e-6)],
)
def test_checkerboard(checkerboard, kind, wanted, slack):
    assert abs(float(total_variation(checkerboard, kind)) - wanted) < slack


@pytest.mark.parametrize(
    ("kind", "wanted", "slack"),
    [
        ("mean", 0.25 + 0.125, 2 * ROUNDED),
        ("sum", 12 * 0.25 + 10 * 0.125, 22 * ROUNDED),
        ("squared", 0.25**2 + 0.125**2, 1e-6),
    ],
)
def test_ramp(ramp, kind, wanted, slack):
    assert abs(float(total_variation(ramp, kind)) - wanted) < slack


def test_sum_is_tensorflows():
    image = tf.constant(np.random.default_rng(0).random((1, 9, 7, 3), np.float32))
    count = 3 * (9 * 6 + 8 * 7)
    ours, theirs = float(total_variation(image, "sum")), float(tf.image.total_variation(image)[0])
    assert theirs - count * ROUNDED < ours <= theirs


@pytest.mark.parametrize("kind", TV_KINDS)
def test_a_flat_picture_is_smooth_and_has_a_gradient(kind):
    image = tf.fill((1, 5, 6, 3), 0.3)
    with tf.GradientTape() as tape:
        tape.watch(image)
        loss = total_variation(image, kind)
    assert float(loss) == 0
    np.testing.assert_array_equal(tape.gradient(loss, image), np.zeros((1, 5, 6, 3)))


@pytest.mark.parametrize("kind", TV_KINDS)
def test_descending_the_gradient_smooths(kind, checkerboard):
    image = tf.constant(0.5 + 0.2 * checkerboard)
    with tf.GradientTape() as tape:
        tape.watch(image)
        loss = total_variation(image, kind)
    step = 0.05 * tf.sign(tape.gradient(loss, image))
    assert float(total_variation(image - step, kind)) < float(loss)


def test_the_mean_is_free_of_the_pictures_size(checkerboard):
    large = np.tile(checkerboard, (1, 4, 4, 1))
    np.testing.assert_allclose(total_variation(large), total_variation(checkerboard), rtol=1e-6)


@pytest.mark.parametrize("kind", TV_KINDS)
def test_batches_are_averaged(kind, checkerboard):
    pair = np.concatenate([checkerboard, np.zeros_like(checkerboard)])
    np.testing.assert_allclose(
        total_variation(pair, kind), total_variation(checkerboard, kind) / 2, rtol=1e-6
    )


@pytest.mark.parametrize("kind", TV_KINDS)
def test_bfloat16_is_measured_in_float32(kind, ramp):
    loss = total_variation(tf.cast(ramp, tf.bfloat16), kind)
    assert loss.dtype == tf.float32 and loss.shape == ()
    assert float(loss) == float(total_variation(ramp, kind))  # the ramp's values are bfloat16 numbers


def test_unknown_kind():
    with pytest.raises(
        InputError, match="kind must be one of .*received 'squarred'; did you mean 'squared'."
    ):
        total_variation(np.zeros((1, 4, 4, 3), np.float32), "squarred")
