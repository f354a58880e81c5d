"""L-BFGS and Adam over one picture, as pure steps: state in, state out.

Both keep the picture in [0, 1] by projection. A state is a dict of tensors (or lists of them), so that a checkpoint
can hold it as it is.
"""

import numpy as np
import tensorflow as tf

# L-BFGS without curvature knows only a direction: its first step moves pixels by this much on average.
FIRST_STEP = 0.02
# A step longer than this (mean change of a pixel) has left the region where the quadratic model holds.
LONGEST_STEP = 0.1
# A rise beyond this fraction of the loss is no rounding of bfloat16: the step is taken back and halved.
TOLERATED_RISE = 0.02
# Numbers of each vector of the history that are stacked at once: those of a picture of 1024x1024 px, and more.
_AT_ONCE = 2**22


def lbfgs_start():
    """The state before the first step."""
    return {"s": [], "y": []}


def lbfgs_step(image, value, gradient, state, history=10):
    """One step of projected L-BFGS with backtracking instead of a line search, so one evaluation a step.

    Args:
        image: (1, H, W, 3) float32 tensor in [0, 1], where `value` (float) and `gradient` were taken.
        state: from `lbfgs_start` or the last step.
        history: number of (s, y) pairs kept.

    Returns:
        (next image, next state). Where the last step raised the value, the next image lies halfway back.

    Source: Nocedal and Wright, Numerical Optimization, 2nd ed., algorithm 7.4, in the vector-free form of Chen et
    al. (NeurIPS 2014): all inner products come from one matrix product, the recursion runs on 2m + 1 numbers.
    Differs: pixels at 0 or 1 that the gradient pushes further out take no part in a step.
    """
    pairs_s, pairs_y = state["s"], state["y"]
    if "image" in state and value > state["value"] + TOLERATED_RISE * abs(state["value"]):
        return (image + state["image"]) / 2, state
    if "image" in state:
        s, y = image - state["image"], gradient - state["gradient"]
        curvature, length = float(tf.reduce_sum(s * y)), float(tf.reduce_sum(y * y))
        if curvature > 1e-10 * length:
            pairs_s, pairs_y = [*pairs_s, s][-history:], [*pairs_y, y][-history:]
    outward = ((image <= 0) & (gradient > 0)) | ((image >= 1) & (gradient < 0))
    free = tf.where(outward, 0.0, gradient)
    direction = tf.where(outward, 0.0, _two_loop(free, pairs_s, pairs_y))
    length = float(tf.reduce_mean(tf.abs(direction)))
    wanted = min(length, LONGEST_STEP) if pairs_s else FIRST_STEP
    if length > 0:
        direction *= wanted / length
    kept = {"s": pairs_s, "y": pairs_y, "image": image, "gradient": gradient, "value": value}
    return tf.clip_by_value(image - direction, 0.0, 1.0), kept


def _two_loop(gradient, pairs_s, pairs_y):
    """Inverse Hessian times gradient."""
    count = len(pairs_s)
    if not count:
        return gradient
    vectors = [tf.reshape(v, [-1]) for v in (*pairs_s, *pairs_y, gradient)]
    # Long vectors are stacked piece by piece, twice, so that the history does not lie in memory twice.
    whole = [tf.stack(vectors)] if vectors[0].shape[0] <= _AT_ONCE else None
    products = sum(
        tf.matmul(basis, basis, transpose_b=True).numpy().astype(np.float64) for basis in whole or _pieces(vectors)
    )
    weights = np.zeros(2 * count + 1)
    weights[-1] = 1.0
    alphas = np.zeros(count)
    for i in reversed(range(count)):
        alphas[i] = products[i] @ weights / products[i, count + i]
        weights[count + i] -= alphas[i]
    newest = 2 * count - 1
    weights *= products[count - 1, newest] / products[newest, newest]
    for i in range(count):
        weights[i] += alphas[i] - products[count + i] @ weights / products[i, count + i]
    weights = tf.constant(weights, tf.float32)
    parts = [tf.linalg.matvec(basis, weights, transpose_a=True) for basis in whole or _pieces(vectors)]
    return tf.reshape(tf.concat(parts, 0), gradient.shape)


def _pieces(vectors):
    """The vectors stacked, piece by piece."""
    for start in range(0, vectors[0].shape[0], _AT_ONCE):
        yield tf.stack([vector[start:start + _AT_ONCE] for vector in vectors])


def adam_start(image):
    """The state before the first step on a picture like `image` (1, H, W, 3)."""
    return {"mean": tf.zeros_like(image), "square": tf.zeros_like(image), "count": 0}


def adam_step(image, gradient, state, learning_rate=0.05, beta_1=0.9, beta_2=0.999, epsilon=1e-8):
    """One step of Adam (Kingma and Ba 2015), projected into [0, 1].

    Returns:
        (next image, next state).

    Differs: epsilon stands where the end of the paper's section 2, and with it Keras, puts it: algorithm 1's times
    sqrt(1 - beta_2^t).
    """
    count = state["count"] + 1
    mean = beta_1 * state["mean"] + (1 - beta_1) * gradient
    square = beta_2 * state["square"] + (1 - beta_2) * tf.square(gradient)
    update = mean * ((1 - beta_2**count) ** 0.5 / (1 - beta_1**count)) / (tf.sqrt(square) + epsilon)
    image = tf.clip_by_value(image - learning_rate * update, 0.0, 1.0)
    return image, {"mean": mean, "square": square, "count": count}


def adam_resize(state, height, width):
    """The state carried to the next scale of a pyramid: the picture moves on with the speed that it had."""
    resized = {k: tf.image.resize(state[k], (height, width), antialias=True) for k in ("mean", "square")}
    return resized | {"count": state["count"]}
