"""L-BFGS in a graph against the one in Python, step by step from the same states."""

import numpy as np
import pytest
import tensorflow as tf

from tfstyle.export import lbfgs
from tfstyle.gatys.optimizers import FIRST_STEP, TOLERATED_RISE, lbfgs_start, lbfgs_step

SHAPE = (1, 5, 4, 3)
SIZE = 60
HISTORY = 4


def quadratic(center, condition=40.0):
    """f(x) = (x - c)' H (x - c) / 2 + 1 with curvatures from 1 to `condition`: x -> (value, gradient)."""
    axes, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((SIZE, SIZE)))
    hessian = axes @ np.diag(np.geomspace(1, condition, SIZE)) @ axes.T

    def evaluate(image):
        away = image.numpy().astype(np.float64).reshape(-1) - center
        slope = hessian @ away
        return float(away @ slope / 2 + 1), tf.constant(slope.reshape(SHAPE), tf.float32)

    return evaluate


@pytest.fixture(scope="module")
def step():
    picture, rows = tf.TensorSpec((1, None, None, 3)), tf.TensorSpec((HISTORY, None))
    state = lbfgs.State(rows, rows, tf.TensorSpec((), tf.int32), picture, picture, tf.TensorSpec(()))
    return tf.function(lbfgs.step, input_signature=[picture, tf.TensorSpec(()), picture, state], autograph=False)


@pytest.fixture
def walk(step):
    """Takes the same steps in both ways; returns one dict for each: the picture, whether it rose, the pairs known."""

    def walk(evaluate, count, image=None):
        image = tf.random.stateless_uniform(SHAPE, (1, 2)) if image is None else tf.constant(image)
        ours, theirs, told = lbfgs.start(image, HISTORY), lbfgs_start(), []
        for _ in range(count):
            value, gradient = evaluate(image)
            rose = "value" in theirs and value > theirs["value"] + TOLERATED_RISE * abs(theirs["value"])
            found, ours = step(image, tf.constant(value, tf.float32), gradient, ours)
            image, theirs = lbfgs_step(image, value, gradient, theirs, HISTORY)
            np.testing.assert_allclose(found, image, rtol=0, atol=2e-6)
            pairs = int(ours.pairs)
            assert pairs == len(theirs["s"])
            for rows, wanted in ((ours.s, theirs["s"]), (ours.y, theirs["y"])):
                assert not np.any(rows[:HISTORY - pairs])
                for row, one in zip(rows[HISTORY - pairs:], wanted, strict=True):
                    np.testing.assert_array_equal(row, np.ravel(one))
            told.append({"image": image.numpy(), "rose": rose, "pairs": pairs})
        return told

    return walk


def test_the_history_fills_and_the_oldest_pair_is_forgotten(walk):
    center = np.random.default_rng(1).uniform(0.3, 0.7, SIZE)
    told = walk(quadratic(center), 14)
    assert [one["pairs"] for one in told[:6]] == [0, 1, 2, 3, 4, 4]
    assert np.abs(told[-1]["image"].ravel() - center).max() < 0.05


def test_pixels_at_their_bounds(walk):
    """Half of the coordinates have their minimum beyond 0 or 1."""
    center = np.random.default_rng(2).uniform(-0.5, 1.5, SIZE)
    image = walk(quadratic(center, condition=5.0), 14)[-1]["image"].ravel()
    assert image.min() == 0 and image.max() == 1
    assert 10 < np.sum((image == 0) | (image == 1)) < SIZE


def test_a_step_that_raised_the_loss_is_halved(walk):
    """The loss turns out higher than any model of it at three evaluations, two in a row."""
    evaluate, turn = quadratic(np.full(SIZE, 0.5)), []

    def bumpy(image):
        value, gradient = evaluate(image)
        turn.append(value)
        return value + 100 * (len(turn) in (4, 7, 8)), gradient

    told = walk(bumpy, 12)
    assert [index for index, one in enumerate(told, start=1) if one["rose"]] == [4, 7, 8]
    before, far, back = (told[index]["image"] for index in (1, 2, 3))
    np.testing.assert_array_equal(back, (far + before) / 2)


def test_a_step_without_curvature_teaches_nothing(walk):
    """A saddle: the gradient falls along the way."""

    def evaluate(image):
        away = image - 0.5
        return -float(tf.reduce_sum(away**2)), -2 * away

    told = walk(evaluate, 5)
    assert all(one["pairs"] == 0 for one in told)
    moves = np.abs(np.diff([one["image"] for one in told], axis=0)).mean((1, 2, 3, 4))
    assert moves[0] == pytest.approx(FIRST_STEP, rel=0.2)  # less where pixels have reached their bounds


def test_without_a_gradient_nothing_moves(walk):
    image = np.full(SHAPE, 0.25, np.float32)
    told = walk(lambda image: (1.0, tf.zeros(SHAPE)), 3, image)
    np.testing.assert_array_equal(told[-1]["image"], image)
