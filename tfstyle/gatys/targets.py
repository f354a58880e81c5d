"""What the style of a picture is drawn to: which statistics, in which of its regions, and how hard.

Regions are given by `shares`, float32 (R, H, W): how much of each pixel belongs to each of R styles, in [0, 1], in sum
at most 1. What is left of 1 belongs to the photo itself and is the last region everywhere in here.
"""

from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from tfstyle.checks import InputError
from tfstyle.nets.vgg import layer_info

_ROUNDING = 1e-3  # by which shares may leave [0, 1] or sum to more than 1


class Target(NamedTuple):
    """A statistic that one region's is drawn to."""

    region: int
    weight: Any  # float, or float32 scalar
    statistic: Any  # from `tfstyle.losses.style_statistic`


def check_shares(shares, count, shape, settings):
    """Shares of `count` styles in a picture of `shape` (height, width), as a float32 array; None of None.

    Raises:
        InputError: other numbers or another shape, or a statistic that knows no regions.
    """
    if shares is None:
        return None
    if settings.style_statistic != "gram":
        raise InputError(
            f"masks need the style_statistic gram; received {settings.style_statistic!r}; use gram or leave masks out."
        )
    shares, wanted = np.asarray(shares, np.float32), (count, *shape)
    if shares.shape != wanted:
        raise InputError(
            f"masks must be one for each style, at the result's size: {wanted}; received {shares.shape}."
        )
    if not (shares.min() >= -_ROUNDING and shares.sum(axis=0).max() <= 1 + _ROUNDING):  # which NaN fails
        raise InputError("masks must be from 0 to 1 and sum to at most 1 at every pixel; divide them by their sum.")
    return shares.clip(0, 1)


def shares_at(shares, shape):
    """Shares (R, H, W) averaged to another shape (h, w): float32 (R + 1, h, w, 1), the photo's own last."""
    shares = tf.constant(shares[..., None])
    if tuple(shares.shape[1:3]) != tuple(shape):
        # No filter with negative lobes: what is a share stays one.
        shares = tf.image.resize(shares, shape, "bilinear", antialias=True)
    return tf.concat([shares, tf.maximum(1.0 - tf.reduce_sum(shares, axis=0, keepdims=True), 0.0)], axis=0)


def guides_at(shares, layers, network):
    """The shares of every layer's positions.

    Args:
        shares: (R + 1, H, W, 1) float32 tensor, of the picture as the network gets it.
        layers: names of layers of `network`.

    Returns:
        {layer: (R + 1, h, w, 1) float32 tensor}, each the mean share of the pixels that a position stands for.
    """
    strides = {name: layer_info(name, network)[1] for name in layers}
    means = {stride: tf.nn.avg_pool2d(shares, stride, stride, "VALID") for stride in set(strides.values())}
    return {name: means[stride] for name, stride in strides.items()}


def covered(guide):
    """The part of all positions that each region of a guide (R + 1, h, w, 1) takes: (R + 1,) float32.

    0 for a region of less than one position: at that layer it has no statistic worth the name.
    """
    sums = tf.reduce_sum(guide, axis=(1, 2, 3))
    positions = tf.cast(tf.reduce_prod(tf.shape(guide)[1:3]), tf.float32)
    return tf.where(sums >= 1.0, sums / positions, 0.0)


def targets(index, strength, style_weights, content, styles, guide=None):
    """Targets of one style layer.

    Below a strength of 1 each statistic is mixed with the photo's own, so that at 0 the photo is itself the best
    picture, as codes are mixed in one-pass networks. Each region weighs as much of the picture as it covers, so that
    every pixel is drawn as hard as without regions; the last is drawn to the photo alone.

    Args:
        index: of the style layer.
        strength: of the styles, in [0, 1].
        style_weights: floats, one for each style; of no use to regions.
        content: `Measures` of the photo; None will do at full strength without regions.
        styles: list of `Measures` of the style pictures.
        guide: of this layer, from `guides_at`; None is one region that is all of the picture.

    Returns:
        List of `Target`.
    """
    if guide is None:
        own = content.style[index] if content and content.style else None
        return [
            Target(0, weight, mixed(style.style[index], own, strength)) for weight, style in zip(style_weights, styles)
        ]
    weights, own = tf.unstack(covered(guide)), content.style[index]
    found = [
        Target(region, weight, mixed(style.style[index], own[region], strength))
        for region, (weight, style) in enumerate(zip(weights, styles))
    ]
    return [*found, Target(len(styles), weights[-1], own[-1])]


def mixed(statistic, own, strength):
    """A style's statistic and the photo's own, in between by the strength of the style: float, or float32 scalar."""
    if isinstance(strength, (int, float)) and strength == 1:
        return statistic
    return tf.nest.map_structure(lambda theirs, mine: mine + strength * (theirs - mine), statistic, own)
