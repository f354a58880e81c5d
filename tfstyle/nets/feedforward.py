"""One style in one pass: networks that are trained for a single painting.

Johnson, Alahi and Fei-Fei, "Perceptual Losses for Real-Time Style Transfer and Super-Resolution", ECCV 2016
(arXiv:1603.08155), with the instance normalization of Ulyanov et al. 2016.
"""

import dataclasses

import keras
from keras import layers as kl
from keras import ops

from tfstyle.checks import InputError, check_choice, check_number
from tfstyle.nets.compact import compact
from tfstyle.nets.layers import CropLike, InstanceNormalization, Reflect, ReflectToMultiple, TwiceAsLarge

__all__ = ["NETWORKS", "NORMALIZATIONS", "FeedForwardConfig", "feedforward"]

NETWORKS = ("compact", "paper", "fast-style-transfer")
NORMALIZATIONS = ("instance", "batch")
# Channels at 1, 1/2, 1/4 .. of the sides, and residual blocks at the last of them.
_SHAPES = {"compact": ((16, 48, 96, 128), 4), "paper": ((32, 64, 128), 5), "fast-style-transfer": ((32, 64, 128), 5)}
_MARGIN = 8  # px of reflection for each residual block: two convolutions without padding, at 1/4 of the sides


@dataclasses.dataclass(frozen=True)
class FeedForwardConfig:
    """Shape of the network.

    Attributes:
        network: "compact": ours, as the arbitrary-style network under one code. "paper": Johnson et al. 2016, table 1
            of the supplementary material, but for nearest neighbor and convolution in place of strides of 1/2.
            "fast-style-transfer": the paper's shape in the form that public weights of that name have.
        widths: channels at 1, 1/2, 1/4 (and in "compact" 1/8) of the picture's sides; None for the network's own.
        blocks: residual blocks at the least of them; None for the network's own.
        normalization: "instance", or "batch" as the paper of 2016.

    Raises:
        InputError: an unknown choice, another number of widths, a number out of range, or a normalization that the
            network does not have.
    """

    network: str = "compact"
    widths: tuple | None = None
    blocks: int | None = None
    normalization: str = "instance"

    def __post_init__(self):
        widths, blocks = _SHAPES[check_choice("network", self.network, NETWORKS)]
        check_choice("normalization", self.normalization, NORMALIZATIONS)
        object.__setattr__(self, "widths", widths if self.widths is None else tuple(self.widths))
        object.__setattr__(self, "blocks", blocks if self.blocks is None else self.blocks)
        if len(self.widths) != len(widths):
            raise InputError(
                f"widths must be {len(widths)} numbers for the network {self.network}; received {len(self.widths)}."
            )
        for width in self.widths:
            check_number("widths", width, 1, 4096, integer=True)
        check_number("blocks", self.blocks, 1, 64, integer=True)
        if self.network == "fast-style-transfer" and self.normalization != "instance":
            raise InputError("The network fast-style-transfer has instance normalization only; leave the other out.")

    @property
    def least_side(self):
        """The least side in px of a picture that the network paints."""
        return max(16, self.blocks * _MARGIN + 1) if self.network == "paper" else 16


def feedforward(config=FeedForwardConfig(), dtype="float32"):
    """Paints photographs in the one style that its weights hold.

    Args:
        config: a `FeedForwardConfig`.
        dtype: of the convolutions: "float32", "bfloat16", or "mixed_bfloat16" (weights of norms kept in float32).

    Returns:
        A keras.Model: image (N, H, W, 3) float32 in [0, 1] -> (N, H, W, 3) float32 in [0, 1], for every H and W from
        `config.least_side`.

    Padding: "compact" reflects at every convolution; "paper" reflects 8 px a residual block (40 px) before the first
    layer, which the blocks' convolutions without padding use up; "fast-style-transfer" pads by zeros.
    """
    image = keras.Input((None, None, 3), dtype="float32", name="image")
    kind = {"instance": InstanceNormalization, "batch": kl.BatchNormalization}[config.normalization]

    def normalized(x, name, dtype):
        return kind(epsilon=1e-3 if config.network == "fast-style-transfer" else 1e-5, dtype=dtype, name=name)(x)

    if config.network == "compact":
        painted = compact(image, config.widths, config.blocks, normalized, dtype)
    else:
        painted = _of_the_paper(image, config, normalized, dtype)
    return keras.Model(image, painted, name="feedforward")


def _of_the_paper(image, config, normalized, dtype):
    """The painted picture: the paper's layers, or those of fast-style-transfer."""
    foreign = config.network == "fast-style-transfer"

    def conv(x, filters, kernel, name, stride=1, padding="same", bias=False):
        return kl.Conv2D(
            filters, kernel, strides=stride, padding=padding, use_bias=bias, data_format="channels_last", dtype=dtype,
            name=f"{name}_conv",
        )(x)

    def convolved(x, filters, kernel, name, stride=1, padding="same"):
        x = normalized(conv(x, filters, kernel, name, stride, padding), f"{name}_norm", dtype)
        return kl.ReLU(dtype=dtype, name=f"{name}_relu")(x)

    def residual(x, name):
        around = "same" if foreign else "valid"
        y = convolved(x, x.shape[-1], 3, f"{name}a", padding=around)
        y = normalized(conv(y, x.shape[-1], 3, f"{name}b", padding=around), f"{name}b_norm", dtype)
        if not foreign:
            x = kl.Cropping2D(2, data_format="channels_last", dtype=dtype, name=f"{name}_crop")(x)
        return kl.Add(dtype=dtype, name=f"{name}_sum")([x, y])

    def enlarged(x, filters, name):
        if not foreign:
            return convolved(TwiceAsLarge(dtype=dtype, name=f"{name}_larger")(x), filters, 3, name)
        x = kl.Conv2DTranspose(
            filters, 3, strides=2, padding="same", use_bias=False, data_format="channels_last", dtype=dtype,
            name=f"{name}_conv",
        )(x)
        return kl.ReLU(dtype=dtype, name=f"{name}_relu")(normalized(x, f"{name}_norm", dtype))

    first, *deeper = config.widths
    x = ReflectToMultiple(2 ** len(deeper), dtype="float32", name="reflect")(image)
    if foreign:
        x = kl.Rescaling(255.0, dtype=dtype, name="bytes")(x)
    else:
        x = Reflect(_MARGIN * config.blocks, dtype="float32", name="margin")(x)
        x = kl.Rescaling(2.0, -1.0, dtype=dtype, name="center")(x)
    x = convolved(x, first, 9, "contract1")
    for number, width in enumerate(deeper, start=2):
        x = convolved(x, width, 3, f"contract{number}", stride=2)
    for block in range(config.blocks):
        x = residual(x, f"deep{block + 1}")
    for number, width in enumerate(reversed(config.widths[:-1]), start=1):
        x = enlarged(x, width, f"expand{number}")
    x = conv(x, 3, 9, "paint", bias=not foreign)  # which normalization would take away
    if foreign:
        x = normalized(x, "paint_norm", "float32")
    x = ScaledTanh(150 / 255 if foreign else 0.5, dtype="float32", name="paint")(x)
    return CropLike(dtype="float32", name="crop")(x, image)


@keras.saving.register_keras_serializable(package="tfstyle")
class ScaledTanh(kl.Layer):
    """0.5 + reach tanh(x), cut to [0, 1]: the paper's output has reach 1/2, that of fast-style-transfer 150/255."""

    def __init__(self, reach=0.5, **kwargs):
        super().__init__(**kwargs)
        self.reach = reach

    def call(self, x):
        return ops.clip(0.5 + self.reach * ops.tanh(x), 0.0, 1.0)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "reach": self.reach}
