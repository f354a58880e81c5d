"""Feature maps of our painting networks, made a few rows at a time: each kind of layer as a map out of maps.

Imports TensorFlow.
"""

import dataclasses
import functools
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf
from keras import layers as kl

from tfstyle.nets.layers import (
    ConditionalInstanceNormalization,
    CropLike,
    InstanceNormalization,
    ReflectConv,
    ReflectToMultiple,
    TwiceAsLarge,
)

__all__ = ["MAKERS", "NORMS", "Map", "is_known", "joined", "moments_of", "normalized", "of_picture", "of_plane"]

NORMS = (InstanceNormalization, ConditionalInstanceNormalization)


@dataclasses.dataclass
class Map:
    """A feature map whose rows are made when they are asked for."""

    height: int
    width: int
    channels: int
    dtype: tf.DType
    reads: int  # bytes of what is kept that all of its rows are made from
    rows: Callable  # (top, bottom) -> tensor (1, bottom - top, width, channels)
    small: "Map | None" = None  # the map of which it holds every pixel four times


def of_picture(picture, height, width):
    """A picture (height, width, 3), uint8 or float32 in [0, 1], as a map in float32."""

    def rows(top, bottom):
        strip = tf.convert_to_tensor(picture[top:bottom][None])
        return tf.cast(strip, tf.float32) / 255 if strip.dtype == tf.uint8 else strip

    return Map(height, width, 3, tf.float32, 3 * height * width, rows)


def of_plane(plane, dtype):
    """What a `tfstyle.scratch.Plane` holds, as a map in a dtype of its own."""

    def rows(top, bottom):
        return tf.cast(tf.convert_to_tensor(plane.read(top, bottom)[None]), dtype)

    return Map(*plane.shape, dtype, plane.size, rows)


def _reflected_to_multiple(layer, x):
    (above, below), (left, right) = (_split(side, layer.multiple) for side in (x.height, x.width))

    def rows(top, bottom):
        return _wider(_reflected(x, top - above, bottom - above), left, right)

    return Map(x.height + above + below, x.width + left + right, x.channels, x.dtype, x.reads, rows)


def _cropped(layer, x, like):
    above, left = (x.height - like.height) // 2, (x.width - like.width) // 2

    def rows(top, bottom):
        return x.rows(top + above, bottom + above)[:, :, left:left + like.width]

    return Map(like.height, like.width, x.channels, x.dtype, x.reads, rows)


def _pointwise(layer, *sources):
    x, dtype = sources[0], tf.as_dtype(layer.compute_dtype)

    def rows(top, bottom):
        strips = [tf.cast(source.rows(top, bottom), dtype) for source in sources]
        return layer.call(strips if len(strips) > 1 else strips[0])

    return Map(x.height, x.width, x.channels, dtype, sum(source.reads for source in sources), rows)


def _twice_as_large(layer, x):
    def rows(top, bottom):
        y = layer.call(x.rows(top // 2, (bottom + 1) // 2))
        return y[:, top % 2:top % 2 + bottom - top]

    return Map(2 * x.height, 2 * x.width, x.channels, x.dtype, x.reads, rows, small=x)


def _convolution(layer, x):
    if x.small is not None and layer.kernel_size == (3, 3) and layer.strides == (1, 1):
        return _enlarging_convolution(layer, x.small)
    dtype = tf.as_dtype(layer.compute_dtype)
    (tall, wide), (down, along) = layer.kernel_size, layer.strides
    above, left = (tall - 1) // 2, (wide - 1) // 2

    def rows(top, bottom):
        y = tf.cast(_reflected(x, top * down - above, (bottom - 1) * down - above + tall), dtype)
        y = tf.nn.conv2d(_wider(y, left, left), tf.cast(layer.kernel, dtype), (down, along), "VALID")
        return y + tf.cast(layer.bias, dtype) if layer.use_bias else y

    height, width = (x.height + 2 * above - tall) // down + 1, (x.width + 2 * left - wide) // along + 1
    return Map(height, width, layer.filters, dtype, x.reads, rows)


# Which of three taps fall on the small pixel before and on the one after, for both pixels between their centers.
_TAPS = np.array([[[1, 1, 0], [0, 0, 1]], [[1, 0, 0], [0, 1, 1]]], np.float32)


def _enlarging_convolution(layer, x):
    """A convolution of 3 x 3 on a map twice as large as `x`, made of `x` itself in 4/9 of the multiplications.

    Source: Shi et al., CVPR 2016 (arXiv:1609.05158), section 3.2: sub-pixel convolution.
    """
    dtype = tf.as_dtype(layer.compute_dtype)

    @functools.cache
    def kernel():
        taps = tf.einsum("pak,qbl,klio->abipqo", _TAPS, _TAPS, tf.cast(layer.kernel, tf.float32))
        return tf.cast(tf.reshape(taps, (2, 2, x.channels, 4 * layer.filters)), dtype)

    def rows(top, bottom):
        first = (top - 1) // 2
        places = np.arange(first, bottom // 2 + 1).clip(0, x.height - 1)
        y = tf.cast(_at(x, places), dtype)
        y = tf.nn.conv2d(tf.concat([y[:, :, :1], y, y[:, :, -1:]], 2), kernel(), 1, "VALID")
        start = top - (2 * first + 1)
        y = tf.nn.depth_to_space(y, 2)[:, start:start + bottom - top, 1:-1]
        return y + tf.cast(layer.bias, dtype) if layer.use_bias else y

    return Map(2 * x.height, 2 * x.width, layer.filters, dtype, x.reads, rows)


def normalized(layer, x, moments, code=None):
    """A map under one of NORMS, given the mean and variance (C,) of the whole (None if no rows will be wanted)."""
    dtype, groups = tf.as_dtype(layer.compute_dtype), _groups(x.channels, x.width)
    if moments is not None:
        wanted = dict(zip(("scale", "offset"), _scale_and_shift(layer, code, x.channels), strict=True))
        wanted |= zip(("mean", "variance"), moments, strict=True)
        wanted = {name: tf.tile(tf.cast(numbers, tf.float32), [groups]) for name, numbers in wanted.items()}

    def rows(top, bottom):
        y = x.rows(top, bottom)
        if y.dtype != dtype:
            y = tf.cast(y, tf.float32)
        # In float32 inside, and rounded once.
        found = tf.raw_ops.FusedBatchNormV3(x=_grouped(y, groups), **wanted, epsilon=layer.epsilon, is_training=False)
        return tf.cast(tf.reshape(found.y, y.shape), dtype)

    return Map(x.height, x.width, x.channels, dtype, x.reads, rows)


def _scale_and_shift(layer, code, channels):
    """What a normalization asks for: (C,) and (C,) float32."""
    if isinstance(layer, InstanceNormalization):
        kept = (layer.scale, layer.shift) if layer.affine else (tf.ones(channels), tf.zeros(channels))
        return [tf.cast(one, tf.float32) for one in kept]
    pairs = (layer.scale_kernel, layer.scale_bias), (layer.shift_kernel, layer.shift_bias)
    return [(tf.cast(code, tf.float32) @ tf.cast(k, tf.float32) + tf.cast(b, tf.float32))[0] for k, b in pairs]


MAKERS = {
    ReflectToMultiple: _reflected_to_multiple, CropLike: _cropped, TwiceAsLarge: _twice_as_large,
    ReflectConv: _convolution,
    **dict.fromkeys((kl.Activation, kl.Add, kl.ReLU, kl.Rescaling), _pointwise),
}


def is_known(layer):
    """Whether a layer is of a kind that is made row by row."""
    if type(layer) is ReflectConv:
        plain = layer.padding, layer.data_format, layer.dilation_rate, layer.groups, layer.activation
        return plain == ("valid", "channels_last", (1, 1), 1, keras.activations.linear)
    return type(layer) in (kl.InputLayer, *NORMS, *MAKERS)


def _reflected(x, top, bottom):
    """Rows of a map, reflected where they lie beyond its ends."""
    last = x.height - 1
    return _at(x, last - np.abs(last - np.abs(np.arange(top, bottom))))


def _at(x, places):
    """The rows of a map at these places, which follow each other but at its ends."""
    first, last = places.min(), places.max()
    y = x.rows(first, last + 1)
    in_order = np.array_equal(places, np.arange(first, last + 1))
    return y if in_order else tf.gather(y, places - first, axis=1)


def _wider(y, left, right):
    """Columns reflected at both ends."""
    parts = [y[:, :, left:0:-1]] * bool(left) + [y] + [y[:, :, -2:-2 - right:-1]] * bool(right)
    return tf.concat(parts, 2)


def _split(side, multiple):
    extra = -side % multiple
    return extra // 2, extra - extra // 2


def _groups(channels, width):
    """How many neighbors in a row to look at as one, since so few as three channels take ten times as long."""
    return 1 if channels % 8 == 0 or width % 8 else 8


def _grouped(strip, groups):
    _, height, width, channels = strip.shape
    return tf.reshape(strip, (1, height, width // groups, groups * channels))


def moments_of(strip):
    """(positions, means (G, C), variances (G, C)) of so many equal parts of a strip, in one go over it."""
    _, height, width, channels = strip.shape
    groups = _groups(channels, width)
    one, none = tf.ones(groups * channels), tf.zeros(0)
    found = tf.raw_ops.FusedBatchNormV3(
        x=_grouped(strip, groups), scale=one, offset=one, mean=none, variance=none, is_training=True
    )
    count = height * width // groups
    mean, variance = (v.numpy().reshape(groups, channels) for v in (found.batch_mean, found.batch_variance))
    return count, mean, variance * ((count - 1) / count)  # which was that of a sample


def joined(parts):
    """Mean and variance (C,) of the whole in float64, from `moments_of` of its strips."""
    counts = np.concatenate([np.full(len(means), count, np.float64) for count, means, _ in parts])
    means, variances = (np.concatenate(column).astype(np.float64) for column in list(zip(*parts, strict=True))[1:])
    shares = (counts / counts.sum())[:, None]
    mean = (shares * means).sum(0)
    return mean, (shares * (variances + (means - mean) ** 2)).sum(0)
