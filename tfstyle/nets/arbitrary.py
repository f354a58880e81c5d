"""Any style in one pass: a network whose normalization is predicted from the style picture.

Ghiasi et al., "Exploring the structure of a real-time, arbitrary neural artistic stylization network", BMVC 2017
(arXiv:1705.06830). Two models: `style_predictor` turns a painting, or what VGG-19 sees of it, into a short code, and
`transformer` paints a photograph under that code.
"""

import dataclasses

import keras
import numpy as np
from keras import layers as kl
from keras import ops

from tfstyle.checks import check_choice
from tfstyle.nets.compact import compact
from tfstyle.nets.inception import inception_predictor
from tfstyle.nets.layers import ConditionalInstanceNormalization
from tfstyle.nets.vgg import layer_info
from tfstyle.weights import mean_activations

__all__ = ["PREDICTORS", "PREDICTOR_LAYERS", "ArbitraryConfig", "style_predictor", "transformer"]

PREDICTORS = ("vgg19", "inception_v3")
PREDICTOR_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1")


@dataclasses.dataclass(frozen=True)
class ArbitraryConfig:
    """Shape of the network.

    Attributes:
        widths: channels at 1, 1/2, 1/4 and 1/8 of the picture's sides.
        blocks: residual blocks at 1/8. Two more stand at 1/4, before and after them.
        code: numbers in a style code (100 in the paper).
        hidden: width of the hidden layer of the predictor "vgg19"; the other has none, and 0 here.
        predictor: what looks at styles: "vgg19", or the paper's "inception_v3".

    Raises:
        InputError: an unknown predictor.
    """

    widths: tuple = (16, 48, 96, 128)
    blocks: int = 4
    code: int = 100
    hidden: int = 512
    predictor: str = "vgg19"

    def __post_init__(self):
        if check_choice("predictor", self.predictor, PREDICTORS) == "inception_v3":
            object.__setattr__(self, "hidden", 0)


def style_predictor(config=ArbitraryConfig(), dtype="float32"):
    """Moments of a style picture's VGG-19 features to its code, or the picture itself.

    Args:
        config: an `ArbitraryConfig`.
        dtype: of the convolutions of "inception_v3", as `transformer` takes it.

    Returns:
        A keras.Model. Of "vgg19": moments (N, 1920) float32, mean and standard deviation of the 64, 128, 256 and 512
        channels of PREDICTOR_LAYERS in turn -> code (N, config.code) float32. Of "inception_v3":
        `tfstyle.nets.inception.inception_predictor`.

    Differs from the paper, whose predictor is the Inception-v3: VGG-19 is shipped with the package anyway.
    """
    if config.predictor == "inception_v3":
        return inception_predictor(config.code, dtype)
    moments = keras.Input((2 * sum(layer_info(name)[0] for name in PREDICTOR_LAYERS),), dtype="float32", name="moments")
    x = ScaledMoments(name="scaled")(moments)
    x = kl.Dense(config.hidden, activation="relu", dtype="float32", name="hidden")(x)
    x = kl.Dense(config.code, dtype="float32", name="code")(x)
    return keras.Model(moments, x, name="style_predictor")


def transformer(config=ArbitraryConfig(), dtype="float32"):
    """Paints a photograph under a style code.

    The layers of `tfstyle.nets.compact`, with conditional instance normalization throughout.

    Args:
        config: an `ArbitraryConfig`.
        dtype: of the convolutions: "float32", "bfloat16", or "mixed_bfloat16" to train (weights kept in float32).

    Returns:
        A keras.Model: [image (N, H, W, 3) float32 in [0, 1], code (N, config.code)] -> (N, H, W, 3) float32 in [0, 1],
        for every H and W from 16.
    """
    image = keras.Input((None, None, 3), dtype="float32", name="image")
    code = keras.Input((config.code,), dtype="float32", name="code")

    def normalized(x, name, dtype):
        return ConditionalInstanceNormalization(dtype=dtype, name=name)(x, code)

    painted = compact(image, config.widths, config.blocks, normalized, dtype)
    return keras.Model([image, code], painted, name="transformer")


@keras.saving.register_keras_serializable(package="tfstyle")
class ScaledMoments(kl.Layer):
    """Moments of VGG-19's features in units of each channel's mean activation over natural pictures, logarithmically.

    relu4_1 is twenty times louder than relu1_1, and single channels reach fifty times their mean.
    """

    def __init__(self, **kwargs):
        super().__init__(**{**kwargs, "dtype": "float32", "trainable": False})
        means = mean_activations()
        names = [f"block{name[4]}_conv1" for name in PREDICTOR_LAYERS]
        self.unit = np.concatenate([np.maximum(means[name], 1e-2) for name in names for _ in range(2)])

    def call(self, moments):
        return ops.log1p(moments / ops.convert_to_tensor(self.unit.astype("float32")))
