import numpy as np
import pytest
import tensorflow as tf

from tfstyle.losses import lsgan_discriminator_loss, lsgan_generator_loss

# Two scales: 1 x 2 patches and one patch, of one picture.
REAL = [np.array([[[[1.0], [0.5]]]], np.float32), np.array([[[[3.0]]]], np.float32)]
FAKE = [np.array([[[[0.0], [2.0]]]], np.float32), np.array([[[[-1.0]]]], np.float32)]


def test_by_hand():
    """Means within a scale, the sum over the scales."""
    judged = lsgan_discriminator_loss(REAL, FAKE)
    assert judged.dtype == tf.float32 and judged.shape == ()
    np.testing.assert_allclose(judged, (0.25 / 2 + 4) + (4 / 2 + 1), rtol=1e-6)
    made = lsgan_generator_loss(FAKE)
    assert made.dtype == tf.float32 and made.shape == ()
    np.testing.assert_allclose(made, (1 + 1) / 2 + 4, rtol=1e-6)


def test_zero_for_who_is_right():
    ones, zeros = ([np.full_like(one, value) for one in REAL] for value in (1, 0))
    assert float(lsgan_discriminator_loss(ones, zeros)) == float(lsgan_generator_loss(ones)) == 0
    assert float(lsgan_discriminator_loss(zeros, ones)) == 4 and float(lsgan_generator_loss(zeros)) == 2


@pytest.mark.parametrize("copies", [2, 5])
def test_a_batch_counts_as_one_picture(copies):
    real, fake = ([np.repeat(one, copies, axis=0) for one in maps] for maps in (REAL, FAKE))
    np.testing.assert_allclose(
        lsgan_discriminator_loss(real, fake), lsgan_discriminator_loss(REAL, FAKE), rtol=1e-6
    )
    np.testing.assert_allclose(lsgan_generator_loss(fake), lsgan_generator_loss(FAKE), rtol=1e-6)


def test_gradients_draw_to_one_and_zero():
    real, fake = [tf.constant(one) for one in REAL], [tf.constant(one) for one in FAKE]
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([real, fake])
        judged, made = lsgan_discriminator_loss(real, fake), lsgan_generator_loss(fake)
    for maps, loss, aim in ((real, judged, 1), (fake, judged, 0), (fake, made, 1)):
        for one, gradient in zip(maps, tape.gradient(loss, maps), strict=True):
            np.testing.assert_allclose(gradient, 2 * (one.numpy() - aim) / one.numpy().size, rtol=1e-6)


def test_bfloat16_maps_are_measured_in_float32():
    maps = [tf.cast(np.random.default_rng(1).normal(size=(2, 12, 12, 1)), tf.bfloat16)]
    wide = [tf.cast(one, tf.float32) for one in maps]
    assert lsgan_generator_loss(maps).dtype == tf.float32
    assert float(lsgan_generator_loss(maps)) == float(lsgan_generator_loss(wide))
    assert float(lsgan_discriminator_loss(maps, maps)) == float(lsgan_discriminator_loss(wide, wide))
