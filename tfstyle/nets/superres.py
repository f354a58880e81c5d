"""Enlargement by 4 or 8: networks trained with perceptual losses, or with the pixels' for comparison.

Johnson, Alahi and Fei-Fei, "Perceptual Losses for Real-Time Style Transfer and Super-Resolution", ECCV 2016
(arXiv:1603.08155), section 3.1 and tables 2 and 3 of the supplementary material.
"""

import dataclasses
import math

import keras
from keras import layers as kl

from tfstyle.checks import InputError, check_choice, check_number
from tfstyle.nets.feedforward import ScaledTanh
from tfstyle.nets.layers import Bilinear, ReflectConv

__all__ = ["FACTORS", "NORMALIZATIONS", "SuperResConfig", "superres"]

FACTORS = (4, 8)
NORMALIZATIONS = ("batch", "none")


@dataclasses.dataclass(frozen=True)
class SuperResConfig:
    """Shape of the network.

    Attributes:
        factor: by which sides grow: 4 or 8.
        width: channels of every layer but the last.
        blocks: residual blocks at the small picture's size.
        normalization: "batch" as in the paper, or "none", which trains slower and keeps contrasts better.
        residual: add the picture enlarged bilinearly to what the network paints, which then has the detail alone to
            learn; the paper's paints all of it.

    Raises:
        InputError: another factor, or a value out of range or not among its choices.
    """

    factor: int = 4
    width: int = 64
    blocks: int = 4
    normalization: str = "batch"
    residual: bool = False

    def __post_init__(self):
        if type(self.factor) is not int or self.factor not in FACTORS:
            raise InputError(f"factor must be 4 or 8; received {self.factor!r}.")
        check_number("width", self.width, 1, 4096, integer=True)
        check_number("blocks", self.blocks, 1, 64, integer=True)
        if not isinstance(self.residual, bool):
            raise InputError(f"residual must be True or False; received {self.residual!r}.")
        check_choice("normalization", self.normalization, NORMALIZATIONS)

    @property
    def reach(self):
        """How many pixels of the small picture around one of them its enlargement depends on, in each direction."""
        first, last = -4, self.factor - 1 + 4  # of the large pixels that the last convolution sees, of one small one's
        for _ in range(_doublings(self.factor)):
            first, last = (first - 2) // 2, (last + 2) // 2  # a convolution, then the interpolation before it
        return 4 + 2 * self.blocks + max(-first, last)


def superres(config=SuperResConfig(), dtype="float32"):
    """Enlarges pictures.

    A 9 x 9 convolution, residual blocks, one expansion (bilinear, then a 3 x 3 convolution) for each doubling, a
    9 x 9 convolution. All padding by reflection.

    Args:
        config: a `SuperResConfig`.
        dtype: of the convolutions: "float32", "bfloat16", or "mixed_bfloat16".

    Returns:
        A keras.Model: image (N, H, W, 3) float32 in [0, 1] -> (N, factor H, factor W, 3) float32 in [0, 1], for every
        H and W from 5.

    Differs: bilinear enlargement and convolution where the paper has strides of 1/2, against checkerboards. Nearest
    neighbor, tried first, left a fine grid in flat areas.
    """
    image = keras.Input((None, None, 3), dtype="float32", name="image")
    plain = config.normalization == "none"

    def convolved(x, kernel, name, relu=True):
        x = ReflectConv(config.width, kernel, use_bias=plain, dtype=dtype, name=f"{name}_conv")(x)
        if not plain:
            x = kl.BatchNormalization(epsilon=1e-5, momentum=0.95, dtype=dtype, name=f"{name}_norm")(x)
        return kl.ReLU(dtype=dtype, name=f"{name}_relu")(x) if relu else x

    x = kl.Rescaling(2.0, -1.0, dtype=dtype, name="center")(image)
    x = convolved(x, 9, "contract1")
    for block in range(1, config.blocks + 1):
        y = convolved(convolved(x, 3, f"deep{block}a"), 3, f"deep{block}b", relu=False)
        x = kl.Add(dtype=dtype, name=f"deep{block}_sum")([x, y])
    for number in range(1, _doublings(config.factor) + 1):
        x = convolved(Bilinear(2, dtype=dtype, name=f"expand{number}_larger")(x), 3, f"expand{number}")
    # Of a picture to be added to, the first guess is that nothing is missing.
    start = keras.initializers.VarianceScaling(1e-4) if config.residual else "glorot_uniform"
    x = ReflectConv(3, 9, kernel_initializer=start, dtype=dtype, name="paint_conv")(x)
    if config.residual:
        large = Bilinear(config.factor, dtype="float32", name="bilinear")(image)
        x = kl.Add(dtype="float32", name="paint_sum")([large, x])
        x = kl.ReLU(max_value=1.0, dtype="float32", name="paint")(x)
    else:
        x = ScaledTanh(dtype="float32", name="paint")(x)
    return keras.Model(image, x, name="superres")


def _doublings(factor):
    return int(math.log2(factor))
