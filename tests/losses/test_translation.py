import numpy as np
import pytest
import tensorflow as tf

from tfstyle.losses import absolute_error, contextual_loss, instance_normalized_error


def features(*rows):
    """One picture of so many positions, side by side."""
    return np.array([[rows]], np.float32)


LEFT, RIGHT, UP = (-1.0, 0.0), (1.0, 0.0), (0.0, 1.0)
TARGET = features(RIGHT, LEFT)  # of mean 0


@pytest.fixture
def random():
    return np.random.default_rng(3)


# Absolute error


def test_absolute_error_by_hand():
    loss = absolute_error(features((1, -2), (0, 5)), features((2, 0), (0, -1)))
    assert loss.dtype == tf.float32 and loss.shape == ()
    assert float(loss) == (1 + 2 + 0 + 6) / 4
    assert float(absolute_error(TARGET, TARGET)) == 0


def test_both_sides_learn_from_an_absolute_error(random):
    """No gradient is stopped at the target: contents and codes that are read back move toward each other."""
    found, target = (tf.constant(random.standard_normal((2, 8), np.float32)) for _ in range(2))
    with tf.GradientTape() as tape:
        tape.watch([found, target])
        loss = absolute_error(found, target)
    one, other = tape.gradient(loss, [found, target])
    np.testing.assert_allclose(one, np.sign(found.numpy() - target.numpy()) / 16)
    np.testing.assert_array_equal(one, -other)


def test_bfloat16_is_compared_in_float32(random):
    one, other = (tf.cast(random.random((1, 16, 16, 8)) * 50, tf.bfloat16) for _ in range(2))
    assert float(absolute_error(one, other)) == np.abs(np.float32(one) - np.float32(other)).mean(dtype=np.float32)


# Contextual loss


@pytest.mark.parametrize(("found", "wanted"), [
    (features(RIGHT, LEFT), 0),
    (features((2, 0), (-7, 0)), 0),  # lengths do not count
    (features(LEFT, RIGHT), 0),  # nor do places
    (features(RIGHT, RIGHT), np.log(2)),  # one of two is not matched
    (features(UP, UP), np.log(2)),  # as near to the one as to the other
    # Cosines 0.6 and -0.6: distances 0.4 and 1.6, relative 1 and 4, weights e^0 and e^-6.
    (features((0.6, 0.8), (-0.6, 0.8)), np.log(1 + np.exp(-6))),
])
def test_contextual_by_hand(found, wanted):
    loss = contextual_loss(found, TARGET)
    assert loss.dtype == tf.float32 and loss.shape == ()
    np.testing.assert_allclose(loss, wanted, atol=5e-4)


def test_bandwidth():
    """Half of it squares the weights' ratio."""
    loss = contextual_loss(features((0.6, 0.8), (-0.6, 0.8)), TARGET, bandwidth=0.25)
    np.testing.assert_allclose(loss, np.log(1 + np.exp(-12)), atol=2e-5)
    wide = contextual_loss(features((0.6, 0.8), (-0.6, 0.8)), TARGET, bandwidth=3)
    np.testing.assert_allclose(wide, np.log(1 + np.exp(-1)), rtol=1e-3)


def contextual(found, target, bandwidth=0.5):
    """Position by position, as the formulas are written."""
    mean, losses = target.astype(np.float64).mean((0, 1, 2)), []
    for one, other in zip(found, target, strict=True):
        mine, wanted = (rows.reshape(-1, rows.shape[-1]) - mean for rows in (one, other))
        shares = np.empty((len(mine), len(wanted)))
        for i, row in enumerate(mine):
            distances = np.array([1 - row @ to / np.linalg.norm(row) / np.linalg.norm(to) for to in wanted])
            weights = np.exp((1 - distances / (distances.min() + 1e-5)) / bandwidth)
            shares[i] = weights / weights.sum()
        losses.append(-np.log(np.mean([max(shares[:, j]) for j in range(len(wanted))]) + 1e-5))
    return np.mean(losses)


@pytest.mark.parametrize("bandwidth", [0.5, 0.1])
def test_contextual_as_written(random, bandwidth):
    """Pictures of other sizes than the target's too; the mean that is taken off is the whole batch's."""
    found, target = random.random((2, 3, 4, 6), np.float32), random.random((2, 5, 2, 6), np.float32)
    target[1] += 1
    loss = contextual_loss(found, target, bandwidth)
    np.testing.assert_allclose(loss, contextual(found, target, bandwidth), rtol=1e-3)


def test_features_resemble_themselves_most(random):
    """Of pictures like those that DSMAP is trained on: 6 x 6 positions."""
    one, other = np.maximum(random.standard_normal((2, 2, 6, 6, 64), np.float32), 0)
    moved = one[:, ::-1, ::-1]
    itself, elsewhere = float(contextual_loss(one, one)), float(contextual_loss(moved, one))
    assert itself == pytest.approx(elsewhere, abs=1e-5) and abs(itself) < 1e-3
    assert contextual_loss(other, one) > 1


def test_contextual_statistics_are_float32(random):
    one, other = (tf.cast(random.random((1, 4, 4, 8)), tf.bfloat16) for _ in range(2))
    wide = contextual_loss(tf.cast(one, tf.float32), tf.cast(other, tf.float32))
    assert float(contextual_loss(one, other)) == float(wide)


# MUNIT's


def test_instance_normalized_by_hand():
    """Each channel to -1 and 1: the first differs by 2 everywhere, the second nowhere."""
    loss = instance_normalized_error(features((1, 0), (3, 4)), features((9, -8), (5, 8)))
    assert loss.dtype == tf.float32 and loss.shape == ()
    np.testing.assert_allclose(loss, (4 + 0) / 2, rtol=1e-4)


def test_instance_normalized_is_blind_to_style_alone(random):
    one, other = random.random((2, 2, 6, 5, 4), np.float32)
    restyled = one * random.uniform(1, 3, (2, 1, 1, 4)) + random.uniform(-2, 2, (2, 1, 1, 4))
    exact = [(x - x.mean((1, 2), keepdims=True)) / np.sqrt(x.var((1, 2), keepdims=True) + 1e-5) for x in (one, other)]
    assert float(instance_normalized_error(restyled.astype("float32"), one)) < 1e-6
    np.testing.assert_allclose(instance_normalized_error(one, other), ((exact[0] - exact[1]) ** 2).mean(), rtol=1e-4)


# What is degenerate


@pytest.mark.parametrize("loss", [absolute_error, contextual_loss, instance_normalized_error])
@pytest.mark.parametrize("kind", ["zero", "flat", "the same", "one position", "huge"])
def test_degenerate_features_have_finite_losses_and_gradients(random, loss, kind):
    one, other = random.random((2, 2, 3, 3, 4), np.float32)
    if kind == "zero":
        one, other = 0 * one, 0 * other
    elif kind == "flat":
        one, other = np.full_like(one, 0.3), np.full_like(other, 0.7)
    elif kind == "the same":
        other = one
    elif kind == "one position":
        one, other = one[:, :1, :1], other[:, :1, :1]
    else:
        one, other = 1e6 * one, -1e6 * other
    one, other = tf.constant(one), tf.constant(other)
    with tf.GradientTape() as tape:
        tape.watch([one, other])
        value = loss(one, other)
    assert np.isfinite(value)
    assert all(np.isfinite(gradient).all() for gradient in tape.gradient(value, [one, other]))
