import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfstyle.gatys.optimizers import adam_resize, adam_start, adam_step, lbfgs_start, lbfgs_step

SHAPE = (1, 4, 5, 3)
SIZE = 60


def quadratic(center, condition=300.0, seed=0):
    """f(x) = (x - c)' H (x - c) / 2 with curvatures from 1 to `condition`: x -> (value, gradient)."""
    axes, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((SIZE, SIZE)))
    hessian = axes @ np.diag(np.geomspace(1, condition, SIZE)) @ axes.T
    center = np.broadcast_to(center, SHAPE).reshape(-1)

    def evaluate(image):
        away = np.asarray(image, np.float64).reshape(-1) - center
        slope = hessian @ away
        return float(away @ slope / 2), tf.constant(slope.reshape(SHAPE), tf.float32)

    return evaluate


def descend(evaluate, steps, image=None):
    """The pictures that L-BFGS visits."""
    image, state = tf.fill(SHAPE, 0.5) if image is None else image, lbfgs_start()
    for _ in range(steps):
        yield image
        image, state = lbfgs_step(image, *evaluate(image), state)
    yield image


# L-BFGS


def test_lbfgs_finds_the_minimum_far_sooner_than_gradient_descent():
    center = np.random.default_rng(1).uniform(0.2, 0.8, SHAPE)
    evaluate = quadratic(center)
    *_, found = descend(evaluate, 80)
    assert np.abs(found.numpy() - center).max() < 1e-3

    image = tf.fill(SHAPE, 0.5)
    for _ in range(5 * 80):
        image -= 2 / (1 + 300) * evaluate(image)[1]  # the best constant step
    assert np.abs(image.numpy() - center).max() > 1e-3


def test_lbfgs_stays_in_the_box_and_ends_at_its_side():
    """Half of the coordinates have their minimum beyond 0 or 1; separable, so that the answer is known."""
    center = np.random.default_rng(2).uniform(-0.5, 1.5, SHAPE)
    curvature = np.geomspace(1, 50, SIZE).reshape(SHAPE)

    def evaluate(image):
        away = image.numpy() - center
        return float(np.sum(curvature * away**2) / 2), tf.constant(curvature * away, tf.float32)

    for image in descend(evaluate, 100):
        assert image.numpy().min() >= 0 and image.numpy().max() <= 1
    assert ((center < 0) | (center > 1)).sum() > 10
    np.testing.assert_allclose(image, np.clip(center, 0, 1), atol=1e-3)


def test_coupled_coordinates_in_the_box():
    """Where the Hessian couples all pixels the end meets the first-order conditions of a bounded minimum."""
    center = np.random.default_rng(3).uniform(-0.3, 1.3, SHAPE)
    evaluate = quadratic(center, condition=20.0)
    *_, image = descend(evaluate, 300)
    slope, image = evaluate(image)[1].numpy(), image.numpy()
    inside = (image > 0) & (image < 1)
    assert inside.sum() > 10 and (image == 0).sum() > 3 and (image == 1).sum() > 3
    assert np.abs(slope[inside]).max() < 0.02
    assert slope[image == 0].min() > -0.02 and slope[image == 1].max() < 0.02


def textbook_direction(gradient, pairs):
    """H g by algorithm 7.4 of Nocedal and Wright, in float64."""
    q, alphas = gradient.copy(), []
    for s, y in reversed(pairs):
        alphas.append(s @ q / (y @ s))
        q -= alphas[-1] * y
    s, y = pairs[-1]
    r = q * (s @ y) / (y @ y)
    for (s, y), alpha in zip(pairs, reversed(alphas), strict=True):
        r += s * (alpha - y @ r / (y @ s))
    return r


@pytest.mark.parametrize("history", [3, 5, 10])
def test_the_direction_is_the_textbooks(history):
    """Seven points of a path down a bowl, so near the middle that no bound and no limit of length is met."""
    evaluate, random = quadratic(0.5, condition=30.0), np.random.default_rng(4)
    path = [0.5 + 0.02 * 0.8**k * random.standard_normal(SHAPE).astype(np.float32) for k in range(7)]
    points = [
        (x.astype(np.float64).reshape(-1), evaluate(x)[1].numpy().astype(np.float64).reshape(-1))
        for x in path
    ]
    pairs = [(x2 - x1, g2 - g1) for (x1, g1), (x2, g2) in itertools.pairwise(points)]

    state = lbfgs_start()
    for x, following in itertools.pairwise(path):
        state |= {"image": tf.constant(x), "gradient": evaluate(x)[1], "value": 1e9}
        image, state = lbfgs_step(tf.constant(following), *evaluate(following), state, history)
    assert len(state["s"]) == len(state["y"]) == min(history, 6)

    wanted = textbook_direction(points[-1][1], pairs[-history:])
    moved = path[-1].reshape(-1) - image.numpy().reshape(-1)
    np.testing.assert_allclose(moved, wanted, atol=1e-3 * np.abs(wanted).max())


@pytest.mark.parametrize("piece", [7, SIZE - 1, SIZE])
def test_long_vectors_go_piece_by_piece(monkeypatch, piece):
    evaluate = quadratic(0.4)
    whole = list(descend(evaluate, 12))
    monkeypatch.setattr("tfstyle.gatys.optimizers._AT_ONCE", piece)
    for found, wanted in zip(descend(evaluate, 12), whole, strict=True):
        np.testing.assert_allclose(found, wanted, atol=0 if piece == SIZE else 1e-4)


def test_the_first_step_is_short_and_against_the_gradient():
    _, gradient = evaluated = quadratic(0.9)(tf.fill(SHAPE, 0.5))
    image, state = lbfgs_step(tf.fill(SHAPE, 0.5), *evaluated, lbfgs_start())
    moved = image.numpy() - 0.5
    np.testing.assert_allclose(np.abs(moved).mean(), 0.02, rtol=1e-3)
    np.testing.assert_allclose(moved / np.abs(moved).max(), -gradient / np.abs(gradient).max(), atol=1e-4)
    assert state["s"] == [] and state["y"] == []


def test_no_step_is_longer_than_the_limit():
    evaluate = quadratic(np.random.default_rng(5).uniform(0, 1, SHAPE), condition=1.001)
    images = list(descend(evaluate, 6))
    lengths = [float(tf.reduce_mean(tf.abs(b - a))) for a, b in itertools.pairwise(images)]
    assert max(lengths) < 0.1001
    np.testing.assert_allclose(images[-1], images[-2], atol=1e-3)  # and still it has arrived


def test_a_rising_step_is_taken_back_by_half():
    image, evaluate = tf.fill(SHAPE, 0.5), quadratic(0.6)
    value, gradient = evaluate(image)
    following, state = lbfgs_step(image, value, gradient, lbfgs_start())
    back, kept = lbfgs_step(following, 1.03 * value, gradient, state)
    np.testing.assert_allclose(back, (image + following) / 2, rtol=1e-6)
    assert kept is state
    further, kept = lbfgs_step(
        following, 1.01 * value, 0.9 * gradient, state
    )  # a rise as small as bfloat16's noise
    assert kept is not state and not np.allclose(further, (image + following) / 2, atol=1e-4)


def test_a_negative_value_that_rises_is_taken_back_too():
    image, gradient = tf.fill(SHAPE, 0.5), tf.ones(SHAPE)
    following, state = lbfgs_step(image, -1.0, gradient, lbfgs_start())
    _, kept = lbfgs_step(following, -0.9, gradient, state)
    assert kept is state
    _, kept = lbfgs_step(following, -1.1, gradient, state)
    assert kept is not state


def test_pairs_without_curvature_are_left_out():
    image, state = lbfgs_step(tf.fill(SHAPE, 0.5), 1.0, tf.ones(SHAPE), lbfgs_start())
    for _ in range(3):  # the gradient stays the same, as on a plane
        image, state = lbfgs_step(image, state["value"] - 0.1, tf.ones(SHAPE), state)
        assert state["s"] == []
    assert np.isfinite(image).all()


def test_at_rest_nothing_moves():
    image = tf.fill(SHAPE, 0.3)
    following, _ = lbfgs_step(image, 0.0, tf.zeros(SHAPE), lbfgs_start())
    np.testing.assert_array_equal(following, image)


# Adam


@pytest.mark.parametrize(
    "options",
    [dict(learning_rate=0.05, beta_1=0.9, epsilon=1e-8), dict(learning_rate=0.02, beta_1=0.99, epsilon=0.1)],
)
def test_adam_is_keras_adam(options):
    evaluate = quadratic(0.6, condition=5.0)
    theirs = keras.Variable(np.full(SHAPE, 0.5, np.float32))
    optimizer = keras.optimizers.Adam(beta_2=0.999, **options)
    optimizer.build([theirs])
    ours, state = tf.fill(SHAPE, 0.5), adam_start(tf.fill(SHAPE, 0.5))
    for step in range(1, 6):
        optimizer.apply([evaluate(keras.ops.convert_to_numpy(theirs))[1]])
        ours, state = adam_step(ours, evaluate(ours)[1], state, **options)
        np.testing.assert_allclose(ours, keras.ops.convert_to_numpy(theirs), atol=1e-5)
        assert state["count"] == step
    assert np.abs(ours - 0.5).max() > 1e-3


def test_adam_stays_in_the_box():
    image, state = tf.fill(SHAPE, 0.99), adam_start(tf.fill(SHAPE, 0.99))
    for _ in range(3):
        image, state = adam_step(image, -tf.ones(SHAPE), state, 0.05)
    np.testing.assert_array_equal(image, np.ones(SHAPE))


def test_adams_state_moves_to_another_size():
    random = np.random.default_rng(6)
    image, state = tf.fill(SHAPE, 0.5), adam_start(tf.fill(SHAPE, 0.5))
    for _ in range(2):
        image, state = adam_step(image, tf.constant(random.standard_normal(SHAPE), tf.float32), state)
    larger = adam_resize(state, 9, 11)
    assert larger["mean"].shape == larger["square"].shape == (1, 9, 11, 3)
    assert larger["count"] == 2
    assert larger["mean"].dtype == tf.float32 and np.min(larger["square"]) >= 0
    np.testing.assert_allclose(np.mean(larger["square"]), np.mean(state["square"]), rtol=0.2)
    image, _ = adam_step(tf.fill((1, 9, 11, 3), 0.5), tf.zeros((1, 9, 11, 3)), larger)
    assert np.isfinite(image).all()
