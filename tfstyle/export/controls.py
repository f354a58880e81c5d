"""What a look asks for around the networks, inside a graph: colors and regions, as `tfstyle.look` computes them.

Statistics of colors are float64, as they are there: of a nearly flat picture little else would be left than rounding.
"""

import numpy as np
import tensorflow as tf

from tfstyle.export.graph import OVERSHOOT, pictures, refuse_unless

__all__ = [
    "COLORS", "MOST_STYLES", "checked_colors", "checked_count", "checked_masks", "checked_strength", "checked_styles",
    "checked_weights", "finished", "parts", "shares",
]

MOST_STYLES = 8  # of one picture: each costs as much as a picture
COLORS = ("style", "luminance", "match")
_LEAST_WHITE = 1 / 255  # of a mask, as `tfstyle.images.masks` has it, and what its rounding may leave over
_NOTHING = 1 / 512
_TINY = np.finfo(np.float32).tiny
_Y = (0.299, 0.587, 0.114)  # as `tfstyle.images.color` has these three
_LEAST_VARIANCE = 1e-8
_MOST_GAIN = 4.0
_SHARES = tf.TensorSpec((None, None, None))
_PICTURE = (None, None, 3)


def checked_strength(strength):
    """Strengths (N,), refused unless from 0 to 1."""
    with tf.control_dependencies(refuse_unless(
        tf.reduce_all((strength >= 0) & (strength <= 1)), "strength must be from 0 to 1; received {}.", strength
    )):
        return tf.identity(strength)


def checked_colors(color):
    """Ways to color pictures, (N,) strings, refused unless among `COLORS`."""
    sorts = refuse_unless(
        tf.reduce_all(color != "histogram"),
        "color must not be histogram here, which sorts all pixels; use tfstyle.serving.Client, or the color match.",
    )
    known = tf.reduce_any(color[:, None] == list(COLORS), axis=1)
    unknown = tf.strings.substr(tf.boolean_mask(color, ~known)[:1], 0, 20)  # whatever a stranger has sent
    sentence = f"color must be {', '.join(COLORS[:-1])} or {COLORS[-1]}; received "
    with tf.control_dependencies(sorts):
        checks = refuse_unless(tf.reduce_all(known), tf.strings.join([sentence, tf.strings.reduce_join(unknown), "."]))
    with tf.control_dependencies(checks):
        return tf.identity(color)


def checked_count(count, name):
    """How many styles `name` holds for each picture, refused unless 1 to `MOST_STYLES`."""
    with tf.control_dependencies(refuse_unless(
        (count > 0) & (count <= MOST_STYLES),
        f"{name} must hold 1 to {MOST_STYLES} styles a picture; received {{}}.", count,
    )):
        return tf.identity(count)


def checked_styles(styles, bounds):
    """Style pictures (N, S, h, w, 3), as `graph.pictures` checks those of one style.

    Args:
        bounds: `Bounds` of the content pictures.
    """
    of_style = bounds.of_style._replace(pictures=MOST_STYLES * bounds.pictures)
    shape = tf.shape(styles)
    leading = tf.stack([shape[0], checked_count(shape[1], "style_image")])
    flat = pictures(tf.reshape(styles, tf.concat([[tf.reduce_prod(leading)], shape[2:]], 0)), "style_image", of_style)
    return tf.ensure_shape(tf.reshape(flat, tf.concat([leading, tf.shape(flat)[1:]], 0)), (None, None, None, None, 3))


def checked_weights(weights, count):
    """Weights (N, S) of the styles of each picture scaled to sum 1, refused as `tfstyle.checks.check_weights` does."""
    found = tf.shape(weights)[1]
    with tf.control_dependencies(refuse_unless(
        tf.equal(found, count), "weights must be one for each style of style_image; received {} and {}.", found, count
    )):
        sums = tf.reduce_sum(weights, axis=1, keepdims=True)
    with tf.control_dependencies(refuse_unless(
        tf.reduce_all(weights >= 0) & tf.reduce_all(tf.math.is_finite(sums) & (sums > 0)),
        "weights must be at least 0 and not all 0; received {}.", weights,
    )):
        return weights / sums


def checked_masks(masks, count, bounds):
    """Masks of the styles of each picture, refused or clipped to [0, 1].

    Args:
        masks: float32 tensor that should be (N, S, h, w) in [0, 1].
        count: S, int32 scalar.
        bounds: `tfstyle.export.graph.Bounds` of the pictures.

    Returns:
        (N, S, h, w). Some of a picture may be black everywhere, so that pictures of fewer styles can go with others.
    """
    _, found, height, width = tf.unstack(tf.shape(masks))
    sizes = refuse_unless(
        tf.equal(found, count), "masks must be one for each style of style_code; received {} and {}.", found, count
    )
    low, most = tf.minimum(height, width), tf.maximum(height, width)
    pixels = tf.cast(height, tf.int64) * tf.cast(width, tf.int64)
    sizes += refuse_unless(
        (low > 0) & (most <= bounds.pixels) & (pixels <= bounds.pixels),
        f"masks must be of 1 px a side or more and up to {bounds.pixels} pixels; received {{}}x{{}} px.", width, height,
    )
    with tf.control_dependencies(sizes):
        low, high = tf.reduce_min(masks), tf.reduce_max(masks)
        finite = tf.reduce_all(tf.math.is_finite(masks))
        values = refuse_unless(
            finite & (low >= -OVERSHOOT) & (high <= 1 + OVERSHOOT),
            "masks must be float32 in [0, 1], all of it finite; received {} to {}.", low, high,
        )
    with tf.control_dependencies(values):
        white = refuse_unless(
            tf.reduce_all(tf.reduce_max(masks, axis=(1, 2, 3)) > _LEAST_WHITE),
            "masks must leave each picture some place that is white, where a style goes; all of one are black.",
        )
    with tf.control_dependencies(white):
        return tf.clip_by_value(masks, 0.0, 1.0)


def shares(masks, height, width):
    """Masks (S, h, w) of one picture at its shape, divided by their sum where that is over 1: (S, height, width).

    As `tfstyle.images.masks.read_masks` makes them, resampled as Pillow's bicubic filter does it, to 1e-5.
    """
    found = tf.shape(masks)

    def resample():
        large = tf.image.resize(masks[..., None], tf.stack([height, width]), "bicubic", antialias=True)[..., 0]
        return tf.clip_by_value(large, 0.0, 1.0)

    same = tf.equal(found[1], height) & tf.equal(found[2], width)
    large = tf.ensure_shape(tf.cond(same, lambda: masks, resample), _SHARES.shape)
    return large / tf.maximum(tf.reduce_sum(large, axis=0), 1.0)


def parts(shares):
    """Shares (S, H, W) of all that is covered: `tfstyle.look.blended` adds up layers times these."""
    return shares / tf.maximum(tf.reduce_sum(shares, axis=0), _TINY)


def finished(painted, photo, color, shares):
    """What a network has painted as it is to be shown: `tfstyle.look.finished` where colors come after.

    Args:
        painted: (H, W, 3) float32 in [0, 1].
        photo: (H, W, 3), likewise.
        color: scalar string, one of `COLORS`.
        shares: (S, H, W) float32, from `shares`.

    Returns:
        (H, W, 3) float32: where no mask lies, the photo itself.
    """
    ways = lambda: painted, lambda: _with_luminance(painted, photo), lambda: _matched(painted, photo, shares)
    painted = tf.switch_case(tf.argmax(color == list(COLORS), output_type=tf.int32), ways)
    left = 1 - tf.reduce_sum(shares, axis=0)
    left = tf.where(left < _NOTHING, 0.0, left)[..., None]
    return tf.ensure_shape(tf.where(left == 1, photo, (1 - left) * painted + left * photo), _PICTURE)


def _with_luminance(luminance_of, colors_of):
    """`tfstyle.images.color.with_luminance`."""
    gray = _luminance(luminance_of)
    chroma = colors_of - _luminance(colors_of)
    room = tf.where(chroma > 0, 1 - gray, gray)
    share = tf.reduce_min(room / tf.maximum(tf.abs(chroma), 1e-9), axis=-1, keepdims=True)
    return tf.clip_by_value(gray + tf.minimum(share, 1.0) * chroma, 0.0, 1.0)


def _luminance(picture):
    red, green, blue = tf.split(picture, 3, axis=-1)
    return tf.clip_by_value(green + _Y[0] * (red - green) + _Y[2] * (blue - green), 0.0, 1.0)


def _matched(painted, photo, shares):
    """`tfstyle.images.color.match_covariance` of each region, blended; regions without a pixel take no part."""
    part = parts(shares)

    def one(index, total):
        ours, covariance = _moments(painted, shares[index])
        theirs, wanted = _moments(photo, shares[index])
        gain = _gain(covariance, wanted)
        shift = tf.cast(theirs - tf.linalg.matvec(gain, ours), tf.float32)
        moved = tf.tensordot(painted, tf.cast(tf.transpose(gain), tf.float32), 1) + shift
        return index + 1, total + part[index][..., None] * tf.clip_by_value(moved, 0.0, 1.0)

    return tf.while_loop(
        lambda index, _: index < tf.shape(shares)[0], one, (tf.constant(0), tf.zeros_like(painted)),
        (tf.TensorShape(()), tf.TensorShape(_PICTURE)), parallel_iterations=1,
    )[1]


def _moments(picture, weights):
    """(mean (3,), covariance (3, 3)) of a picture's colors, float64."""
    values = tf.reshape(tf.cast(picture, tf.float64), (-1, 3))
    share = tf.reshape(tf.cast(weights, tf.float64), (-1, 1))
    total = tf.maximum(tf.reduce_sum(share), _TINY)
    weighted = share * values
    mean = tf.reduce_sum(weighted, axis=0) / total
    return mean, tf.matmul(weighted, values, transpose_a=True) / total - mean[:, None] * mean


def _gain(covariance, wanted):
    """The symmetric A with A covariance A = wanted, its eigenvalues limited: (3, 3) float64."""
    values, axes = tf.linalg.eigh(covariance)
    deviations = tf.sqrt(tf.maximum(values, 0.0) + _LEAST_VARIANCE)
    root, inverse = (tf.matmul(scaled, axes, transpose_b=True) for scaled in (axes * deviations, axes / deviations))
    values, axes = tf.linalg.eigh(wanted)
    goal = tf.matmul(axes * tf.sqrt(tf.maximum(values, 0.0) + _LEAST_VARIANCE), axes, transpose_b=True)
    scales, _, axes = tf.linalg.svd(tf.matmul(goal, root))
    gain = inverse @ tf.matmul(axes * scales, axes, transpose_b=True) @ inverse
    values, axes = tf.linalg.eigh((gain + tf.transpose(gain)) / 2)
    return tf.matmul(axes * tf.minimum(values, _MOST_GAIN), axes, transpose_b=True)
