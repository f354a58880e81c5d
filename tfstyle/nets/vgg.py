"""VGG-16 and VGG-19 as one model: a picture in, a dict of named features out.

The networks that measure content and style. Frozen, of free picture size, and no deeper than asked for.
"""

import keras
import numpy as np
from keras import layers as kl
from keras import ops

from tfstyle.checks import InputError, check_choice, closest
from tfstyle.weights import VGGWeights, convolutions, load, mean_activations

__all__ = ["Preprocess", "layer_info", "vgg"]

POOLING = {"max": kl.MaxPooling2D, "average": kl.AveragePooling2D}
PADDING = ("zero", "reflect", "replicate")
DTYPES = ("float32", "bfloat16")
# For a border of one pixel the symmetric extension is the copied edge, and TensorFlow has no mode "edge".
PAD_MODES = {"reflect": "reflect", "replicate": "symmetric"}
# A filter whose mean activation is below this (the loudest ones reach thousands) is dead and keeps its scale.
DEAD = 1e-6


@keras.saving.register_keras_serializable(package="tfstyle")
class Preprocess(kl.Layer):
    """RGB in [0, 1] to what VGG was trained on: BGR in 0..255 minus a mean. Always float32.

    Args:
        mean: three numbers, RGB in 0..255.
        border: None, or "reflect" or "replicate" to add one pixel on every side.
    """

    def __init__(self, mean, border=None, **kwargs):
        super().__init__(**{**kwargs, "dtype": "float32", "trainable": False})
        self.mean = tuple(float(value) for value in mean)
        self.border = border

    def call(self, image):
        image = ops.flip(image, axis=-1) * 255.0 - ops.convert_to_tensor(self.mean[::-1], "float32")
        if self.border is None:
            return image
        return ops.pad(image, ((0, 0), (1, 1), (1, 1), (0, 0)), mode=PAD_MODES[self.border])

    def compute_output_shape(self, input_shape):
        count, height, width, channels = input_shape
        extra = 0 if self.border is None else 2
        height, width = (None if side is None else side + extra for side in (height, width))
        return count, height, width, channels

    def get_config(self):
        return {**super().get_config(), "mean": self.mean, "border": self.border}


def vgg(layers, *, network="vgg19", weights="default", pooling="max", normalized=False, padding="zero",
        dtype="float32"):
    """Builds a frozen VGG that answers with the features of the named layers.

    Names: "relu4_2" and Keras' "block4_conv2" are the same tensor, after ReLU; "conv4_2" is before it;
    "pool4" and "block4_pool" are the same. Pooling drops an odd last row or column.

    Args:
        layers: names of the layers wanted (a single name will do). The graph ends at the deepest of them.
        network: "vgg19" or "vgg16".
        weights: what `tfstyle.weights.load` takes ("default", "imagenet", a path), or a VGGWeights.
        pooling: "max", or "average" as Gatys et al. prefer.
        normalized: every filter scaled to mean activation 1 over natural pictures; ImageNet's VGG-19 only.
        padding: what surrounds the picture in the first convolution: "zero" as trained, or "reflect" or
            "replicate", which print no frame into an optimized picture. Deeper convolutions pad by zeros.
        dtype: "float32", or "bfloat16" for weights, convolutions and features; preprocessing stays float32.

    Returns:
        A keras.Model: image (N, H, W, 3) float32 RGB in [0, 1] -> {name as asked: (N, h, w, channels) in
        `dtype`}. The least H and W are those that `layer_info` gives for the deepest layer.

    Raises:
        InputError: an unknown layer, network, pooling, padding or dtype, or unusable weights.

    Source: Simonyan and Zisserman 2014 (arXiv:1409.1556), configurations D and E; average pooling and the
    normalized network: Gatys, Ecker and Bethge, "Image Style Transfer Using CNNs", CVPR 2016, section 2.
    """
    wanted = _wanted(layers, network)
    check_choice("pooling", pooling, tuple(POOLING))
    check_choice("padding", padding, PADDING)
    check_choice("dtype", dtype, DTYPES)
    values = weights if isinstance(weights, VGGWeights) else load(weights, network)
    if values.network != network:
        owner = values.network
        raise InputError(f"These weights are of {owner}, not of {network}: use the network {owner}.")
    arrays = _normalized(values) if normalized else values.arrays

    border = None if padding == "zero" else padding
    image = keras.Input((None, None, 3), dtype="float32", name="image")
    x = Preprocess(values.mean, border, name="preprocess")(image)
    tensors = {}
    steps = _steps(network)
    for step in steps[:1 + max(map(steps.index, wanted.values()))]:
        name = _keras_name(step)
        before_relu = step.replace("relu", "conv") in wanted.values()
        if step.startswith("pool"):
            x = POOLING[pooling](2, padding="valid", data_format="channels_last", dtype=dtype, name=name)(x)
        elif step.startswith("conv"):
            around = "valid" if border and step == "conv1_1" else "same"
            called, activation = (step, None) if before_relu else (name, "relu")
            x = _convolve(x, *arrays[name], around, activation, dtype, called)
        elif before_relu:
            x = kl.ReLU(dtype=dtype, name=name)(x)
        tensors[step] = x
    model = keras.Model(image, {name: tensors[step] for name, step in wanted.items()}, name=network)
    model.trainable = False
    return model


def layer_info(name, network="vgg19"):
    """What one layer's features look like.

    Args:
        name: a layer name, as `vgg` takes it.
        network: "vgg19" or "vgg16".

    Returns:
        (channels, stride in pixels of the picture, least picture side in pixels that leaves one position).

    Raises:
        InputError: an unknown name, with the nearest one.
    """
    step = _names(network).get(name) if isinstance(name, str) else None
    if step is None:
        near = closest(name, _names(network))
        hint = f"; did you mean {near!r}?" if near else ", for example 'relu4_2', 'block4_conv2' or 'pool4'."
        raise InputError(f"{network} has no layer {name!r}{hint}")
    block = int(step[4])
    channels = convolutions(network)[f"block{block}_conv1"][1]
    stride = 2 ** (block if step.startswith("pool") else block - 1)
    return channels, stride, stride


def _wanted(layers, network):
    """{name as asked: "conv4_2", "relu4_2" or "pool4"}."""
    try:
        layers = (layers,) if isinstance(layers, str) else tuple(layers)
    except TypeError as error:
        raise InputError(f"layers must be names such as 'relu4_2'; received {layers!r}.") from error
    if not layers:
        raise InputError("At least one VGG layer must be named, for example 'relu4_2'.")
    for name in layers:
        layer_info(name, network)
    return {name: _names(network)[name] for name in layers}


def _convolve(x, kernel, bias, padding, activation, dtype, name):
    """`x` through one 3 x 3 convolution of its own weights."""
    layer = kl.Conv2D(
        kernel.shape[-1], 3, padding=padding, activation=activation, kernel_initializer="zeros",
        data_format="channels_last", dtype=dtype, name=name,
    )
    x = layer(x)
    layer.set_weights([kernel, bias])
    return x


def _steps(network):
    """"conv1_1", "relu1_1", ... "pool5": every tensor of a network in order."""
    steps, block = [], "1"
    for layer in [*convolutions(network), "block6"]:
        if layer[5] != block:
            steps.append(f"pool{block}")
            block = layer[5]
        if layer != "block6":
            steps += [f"conv{block}_{layer[-1]}", f"relu{block}_{layer[-1]}"]
    return steps


def _keras_name(step):
    """"relu4_2" or "conv4_2" -> "block4_conv2", "pool4" -> "block4_pool"."""
    return f"block{step[4]}_pool" if step.startswith("pool") else f"block{step[4]}_conv{step[6]}"


def _names(network):
    """Every accepted name -> its step; Keras' conv names mean the tensor after ReLU."""
    names = {}
    for step in _steps(network):
        names[step] = step
        names[_keras_name(step)] = step
    return names


def _normalized(weights):
    """Arrays of the network whose filters all have mean activation 1, and otherwise compute the same.

    With m the mean activations, w'[i, o] = w[i, o] m_in[i] / m_out[o] and b'[o] = b[o] / m_out[o]: scaling
    by a positive number commutes with ReLU and with both kinds of pooling.
    """
    shipped = load() if weights.network == "vgg19" else None
    if shipped is None or not all(
        np.allclose(weights.arrays[layer][1], bias, atol=0.01) for layer, (_, bias) in shipped.arrays.items()
    ):
        raise InputError(
            "The normalized network exists for ImageNet's VGG-19 only, whose mean activations are known: "
            "turn normalized off, or use the network vgg19 and its weights default."
        )
    means = mean_activations()
    arrays, before = {}, np.ones(3, "float32")
    for layer, (kernel, bias) in weights.arrays.items():
        scale = np.where(means[layer] > DEAD, means[layer], 1.0).astype("float32")
        arrays[layer] = kernel * before[:, None] / scale, bias / scale
        before = scale
    return arrays
