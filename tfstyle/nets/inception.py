"""The paper's style predictor: Inception-v3 up to Mixed_6e, averaged over the positions, and a linear layer.

Ghiasi et al., BMVC 2017 (arXiv:1705.06830), section 3; the network is of Szegedy et al., CVPR 2016 (arXiv:1512.00567),
as keras.applications builds it.
"""

import keras
from keras import layers as kl
from keras import ops

from tfstyle.checks import InputError

__all__ = ["LEAST_SIDE", "application", "inception_predictor", "keep_statistics", "load_imagenet"]

LEAST_SIDE = 75  # px that keras.applications asks for
# Keras counts from 0 what slim, in which the paper is written, calls Mixed_5b to 5d and 6a to 6e: the last of 17 x 17.
_LAST = "mixed7"
_TRUNK = "inception_v3"


def inception_predictor(code, dtype="float32"):
    """A style picture to its code.

    Args:
        code: numbers in a code.
        dtype: of the convolutions: "float32", "bfloat16" or "mixed_bfloat16".

    Returns:
        A keras.Model of random weights: picture (N, H, W, 3) float32 in [0, 1] -> code (N, code) float32. A picture
        with a side under LEAST_SIDE px, down to 2, is continued by its reflection.

    In training, batch normalization takes the statistics of the batch, as the paper's does, and gathers them for
    painting: without that the signal of random weights dies out on its way through forty layers. From ImageNet's
    weights `keep_statistics` is the better choice.
    """
    style = keras.Input((None, None, 3), dtype="float32", name="style")
    x = ReflectToLeast(LEAST_SIDE, dtype="float32", name="reflect")(style)
    x = kl.Rescaling(2.0, -1.0, dtype="float32", name="center")(x)
    x = _trunk(dtype)(x)
    x = kl.GlobalAveragePooling2D(data_format="channels_last", dtype="float32", name="mean")(x)
    x = kl.Dense(code, dtype="float32", name="code")(x)
    return keras.Model(style, x, name="style_predictor")


def load_imagenet(predictor):
    """Gives an `inception_predictor` ImageNet's weights, which Keras downloads once, up to the linear layer.

    Raises:
        InputError: they cannot be fetched.
    """
    try:
        whole = application("imagenet")
    except Exception as error:  # whatever the network, the disk or a wrong hash gives rise to
        raise InputError(
            "Keras could not fetch the ImageNet weights of inception_v3: check the network connection and try again, "
            "or train without imagenet, from random weights."
        ) from error
    theirs = {name: whole.get_layer(old) for old, name in _names(whole).items()}
    for layer in predictor.get_layer(_TRUNK).layers:
        if layer.variables:
            layer.set_weights(theirs[layer.name].get_weights())


def keep_statistics(predictor):
    """From here on, training leaves the batch normalization of an `inception_predictor` as it is.

    Statistics and offsets, that is. ImageNet's are of a million pictures, those of a batch of a few paintings would
    only add noise; and so a painting's code never depends on its neighbors in the batch, in training as in painting.
    """
    for layer in predictor.get_layer(_TRUNK).layers:
        if isinstance(layer, kl.BatchNormalization):
            layer.trainable = False


@keras.saving.register_keras_serializable(package="tfstyle")
class ReflectToLeast(kl.Layer):
    """Continues pictures by their reflection to a least height and width: (N, H, W, C) -> (N, h, w, C)."""

    def __init__(self, side, **kwargs):
        super().__init__(**kwargs)
        self.side = side

    def call(self, image):
        for axis, side in zip((1, 2), ops.shape(image)[1:3], strict=True):
            if isinstance(side, int) and side >= self.side:
                continue
            wide = max(side, self.side) if isinstance(side, int) else ops.maximum(side, self.side)
            last = side - 1
            at = last - ops.abs(last - ops.arange(wide, dtype="int32") % (2 * last))  # there and back, again and again
            image = ops.take(image, at, axis=axis)
        return image

    def compute_output_shape(self, input_shape):
        count, *sides, channels = input_shape
        return count, *(None if side is None else max(side, self.side) for side in sides), channels

    def get_config(self):
        return {**super().get_config(), "side": self.side}


def _trunk(dtype):
    """Inception-v3 up to Mixed_6e, its layers under names that are the same in every session."""
    whole = application(None)
    names = _names(whole)

    def renamed(layer):
        return type(layer).from_config({**layer.get_config(), "name": names[layer.name], "dtype": dtype})

    part = keras.Model(whole.input, whole.get_layer(_LAST).output, name=_TRUNK)
    return keras.models.clone_model(part, clone_function=renamed)


def application(weights):
    """Inception-v3 of keras.applications without its top, of random weights (None) or ImageNet's ("imagenet")."""
    before = keras.config.image_data_format()
    keras.config.set_image_data_format("channels_last")
    try:
        return keras.applications.InceptionV3(include_top=False, weights=weights)
    finally:
        keras.config.set_image_data_format(before)


def _names(whole):
    """{Keras' name of a layer, which counts on through a session: ours}, by the order in which Keras' files go."""
    return {layer.name: f"inception{i}" for i, layer in enumerate(whole.layers)}
