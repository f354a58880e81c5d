"""Discriminators that look at patches of a picture at three scales, against which translations are trained."""

import keras
from keras import layers as kl

from tfstyle.nets.layers import Average3x3, ReflectConv

__all__ = ["SCALES", "discriminator"]

SCALES = 3  # the picture, its half, its quarter
_SLOPE = 0.01  # of leaky ReLU


def discriminator(domain, width=64, dtype="float32"):
    """Tells pictures of a domain from translated ones, patch by patch at three scales.

    Args:
        domain: "a" or "b".
        width: channels after the first convolution.
        dtype: as of `dsmap`.

    Returns:
        A keras.Model: image (N, H, W, 3) float32 in [0, 1] -> three maps (N, h, w, 1) float32: of 1/16, 1/32 and 1/64
        of its sides, rounded down, which must be multiples of 16 from 64 on.

    Source: of DSMAP, without normalization (MUNIT's but for its slope of 0.2); weights start as N(0, 0.02).
    """
    image = keras.Input((None, None, 3), dtype="float32", name="image")
    x, maps = kl.Rescaling(2.0, -1.0, dtype=dtype, name=f"{domain}_judge_center")(image), []
    for scale in range(SCALES):
        name, y = f"{domain}_judge{scale}", x
        for i in range(4):
            y = ReflectConv(
                2**i * width, 4, 2, kernel_initializer=_start(), dtype=dtype, name=f"{name}_conv{i}"
            )(y)
            y = kl.LeakyReLU(_SLOPE, dtype=dtype, name=f"{name}_relu{i}")(y)
        y = kl.Conv2D(
            1, 1, kernel_initializer=_start(), data_format="channels_last", dtype=dtype, name=f"{name}_map"
        )(y)
        maps.append(kl.Activation("linear", dtype="float32", name=f"{name}_out")(y))
        if scale < SCALES - 1:
            x = Average3x3(dtype=dtype, name=f"{name}_half")(x)
    return keras.Model(image, maps, name=f"{domain}_judge")


def _start():
    """N(0, 0.02); a new one for each layer, since an initializer has one seed, drawn when it is made."""
    return keras.initializers.RandomNormal(stddev=0.02)
