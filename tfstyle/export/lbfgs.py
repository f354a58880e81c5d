"""L-BFGS as a step of a graph: what `tfstyle.gatys.optimizers.lbfgs_step` does, with tensors for a state."""

from typing import NamedTuple

import tensorflow as tf

from tfstyle.gatys.optimizers import FIRST_STEP, LONGEST_STEP, TOLERATED_RISE

__all__ = ["State", "start", "step"]


class State(NamedTuple):
    """What one step hands to the next."""

    s: tf.Tensor  # (history, P) float32: changes of the picture, the newest last
    y: tf.Tensor  # (history, P): changes of the gradient
    pairs: tf.Tensor  # int32: how many of those rows are filled, from the end
    image: tf.Tensor  # (1, H, W, 3), of the step before
    gradient: tf.Tensor
    value: tf.Tensor  # float32


def start(image, history):
    """The state before the first step on a picture (1, H, W, 3)."""
    rows = tf.zeros((history, tf.size(image)))
    return State(rows, rows, tf.constant(-1), image, tf.zeros_like(image), tf.constant(0.0))


def step(image, value, gradient, state):
    """(next picture, next state); the pairs of a state are -1 before its first step."""
    first = state.pairs < 0
    rise = ~first & (value > state.value + TOLERATED_RISE * tf.abs(state.value))
    return tf.cond(
        rise, lambda: ((image + state.image) / 2, state), lambda: _advanced(image, value, gradient, state, first)
    )


def _advanced(image, value, gradient, state, first):
    s, y = (tf.reshape(now - before, [1, -1]) for now, before in ((image, state.image), (gradient, state.gradient)))
    curved = ~first & (tf.reduce_sum(s * y) > 1e-10 * tf.reduce_sum(y * y))
    pairs_s, pairs_y, pairs = tf.cond(
        curved,
        lambda: (tf.concat([state.s[1:], s], 0), tf.concat([state.y[1:], y], 0),
                 tf.minimum(state.pairs + 1, tf.shape(state.s)[0])),
        lambda: (state.s, state.y, tf.maximum(state.pairs, 0)),
    )
    outward = ((image <= 0) & (gradient > 0)) | ((image >= 1) & (gradient < 0))
    free = tf.where(outward, 0.0, gradient)
    direction = tf.cond(pairs > 0, lambda: _two_loop(free, pairs_s, pairs_y, pairs), lambda: free)
    direction = tf.where(outward, 0.0, direction)
    length = tf.reduce_mean(tf.abs(direction))
    wanted = tf.where(pairs > 0, tf.minimum(length, LONGEST_STEP), FIRST_STEP)
    moved = image - direction * tf.math.divide_no_nan(wanted, length)
    return tf.clip_by_value(moved, 0.0, 1.0), State(pairs_s, pairs_y, pairs, image, gradient, value)


def _two_loop(gradient, pairs_s, pairs_y, pairs):
    """Inverse Hessian times gradient, all inner products from one matrix product; empty rows take no part."""
    count = pairs_s.shape[0]
    basis = tf.concat([pairs_s, pairs_y, tf.reshape(gradient, [1, -1])], 0)
    products = tf.cast(tf.matmul(basis, basis, transpose_b=True), tf.float64)
    unit = tf.eye(2 * count + 1, dtype=tf.float64)
    weights, alphas = unit[-1], {}
    for i in reversed(range(count)):  # rows of zeros give alpha = 0 / 0, taken as 0
        alphas[i] = tf.math.divide_no_nan(tf.tensordot(products[i], weights, 1), products[i, count + i])
        weights -= alphas[i] * unit[count + i]
    newest = 2 * count - 1
    weights *= products[count - 1, newest] / products[newest, newest]
    for i in range(count):
        beta = tf.math.divide_no_nan(tf.tensordot(products[count + i], weights, 1), products[i, count + i])
        weights += (alphas[i] - beta) * unit[i]
    direction = tf.linalg.matvec(basis, tf.cast(weights, tf.float32), transpose_a=True)
    return tf.reshape(direction, tf.shape(gradient))
