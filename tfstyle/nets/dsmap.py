"""Translation between two domains A and B: the networks of DSMAP, with those of MUNIT as one setting.

Chang, Wang and Chuang, "Domain-Specific Mappings for Generative Adversarial Style Transfer", ECCV 2020
(arXiv:2008.02198); Huang, Liu, Belongie and Kautz, "Multimodal Unsupervised Image-to-Image Translation", ECCV 2018
(arXiv:1804.04732), appendix B. A picture is a content, maps of features, and a style, a few numbers; each domain
decodes any content in any style of its own.
"""

import dataclasses

import keras
from keras import layers as kl

from tfstyle.checks import InputError, check_number
from tfstyle.nets.layers import (
    AdaptiveInstanceNormalization,
    CropLike,
    InstanceNormalization,
    ReflectConv,
    ReflectToMultiple,
    TwiceAsLarge,
)

__all__ = ["DOMAINS", "MUNIT", "STRIDE", "DSMAPConfig", "dsmap", "part", "translation"]

DOMAINS = ("a", "b")
STRIDE = 8  # sides are brought to a multiple of it, by reflection
EPSILON = 1e-5
_SLOPE = 0.01  # of leaky ReLU


@dataclasses.dataclass(frozen=True)
class DSMAPConfig:
    """Shape of the networks.

    Attributes:
        width: channels at the picture's size; twice and four times as many at 1/2 and from 1/4 on.
        style: numbers in a style code.
        hidden: width of the perceptron that turns a style code into the decoder's scales and shifts.
        halvings: 3 for content at 1/8 of the sides, 2 for 1/4.
        blocks: residual blocks of a content encoder before the shared one, and of a decoder.
        mapping: maps of the content into each domain's own content space, which need three halvings.
        shared_tail: one more residual block, the same for both domains' contents.

    Raises:
        InputError: a value out of range.
    """

    width: int = 64
    style: int = 8
    hidden: int = 256
    halvings: int = 3
    blocks: int = 4
    mapping: bool = True
    shared_tail: bool = True

    def __post_init__(self):
        for name, low, high in (
            ("width", 1, 1024), ("style", 1, 4096), ("hidden", 1, 65536), ("halvings", 2, 3), ("blocks", 1, 64)
        ):
            check_number(name, getattr(self, name), low, high, integer=True)
        for name in ("mapping", "shared_tail"):
            if not isinstance(getattr(self, name), bool):
                raise InputError(f"{name} must be True or False; received {getattr(self, name)!r}.")
        if self.mapping and self.halvings != 3:
            raise InputError("mapping adds features at 1/4 of the sides and so needs 3 halvings; turn mapping off.")

    @property
    def channels(self):
        """Of the content."""
        return 4 * self.width


# Differs from MUNIT: the first convolution of a content encoder is not normalized.
MUNIT = DSMAPConfig(halvings=2, mapping=False, shared_tail=False)


def dsmap(config=DSMAPConfig(), dtype="float32"):
    """The generator side of both domains.

    Args:
        config: a `DSMAPConfig`.
        dtype: of the convolutions: "float32", "bfloat16" or "mixed_bfloat16"; statistics and style codes are float32.

    Returns:
        A keras.Model: image (N, H, W, 3) float32 in [0, 1], H and W from 16 -> the same picture coded and decoded
        [as one of A, as one of B]. It holds the parts that `part` finds and `translation` puts together:
        "content": image (its sides multiples of 8) -> [c, d, h]: the content (N, H / 8, W / 8, 4 width), the same
        before the shared block, and features at 1/4 of the sides;
        "style": image -> style code (N, style);
        "mapping": (c, h) -> the content in the domain's own space, shaped as c, where config.mapping;
        "decoder": (content, style code) -> image in [0, 1].

    Source: layer by layer as published with DSMAP; weights start Kaiming normal, biases 0.
    """
    tail = _tail(config, dtype) if config.shared_tail else None
    image = keras.Input((None, None, 3), dtype="float32", name="image")
    square = ReflectToMultiple(STRIDE, dtype="float32", name="reflect")(image)
    outputs = []
    for domain in DOMAINS:
        content, style, decoder = (
            _content_encoder(domain, config, dtype), _style_encoder(domain, config, dtype),
            _decoder(domain, config, dtype),
        )
        deep, h = content(square)
        c = tail(deep) if tail else deep
        if config.mapping:
            c = _mapping(domain, config, dtype)([c, h])
        again = decoder([c, style(square)])
        outputs.append(CropLike(dtype="float32", name=f"{domain}_crop")(again, image))
    return keras.Model(image, outputs, name="dsmap")


def part(network, domain, kind):
    """One part of a `dsmap` network, a keras.Model that shares its weights.

    Args:
        network: as `dsmap` makes it.
        domain: "a" or "b".
        kind: "content", "style", "mapping" or "decoder".
    """
    found = network.get_layer(f"{domain}_{kind}")
    if kind != "content":
        return found
    deep, h = found(image := keras.Input((None, None, 3), dtype="float32", name="image"))
    tails = [layer for layer in network.layers if layer.name == "shared"]
    return keras.Model(image, [tails[0](deep) if tails else deep, deep, h], name=found.name)


def translation(network, source, target):
    """What pictures go through from one domain to another, or back to their own.

    Args:
        network: as `dsmap` makes it; weights are shared with it.
        source, target: "a" or "b".

    Returns:
        A keras.Model: [image (N, H, W, 3) float32 in [0, 1], style code (N, style) float32 of the target domain] ->
        (N, H, W, 3) float32 in [0, 1]; H and W from 16.
    """
    image = keras.Input((None, None, 3), dtype="float32", name="image")
    decoder = part(network, target, "decoder")
    code = keras.Input(decoder.inputs[1].shape[1:], dtype="float32", name="style_code")
    c, _, h = part(network, source, "content")(ReflectToMultiple(STRIDE, dtype="float32", name="reflect")(image))
    if any(layer.name == f"{target}_mapping" for layer in network.layers):
        c = part(network, target, "mapping")([c, h])
    painted = CropLike(dtype="float32", name="crop")(decoder([c, code]), image)
    return keras.Model([image, code], painted, name=f"{source}2{target}")


def _tail(config, dtype):
    """The block that both domains' contents go through: a model, so that files know it as one layer called twice."""
    deep = keras.Input((None, None, config.channels), dtype=_computed(dtype), name="deep")
    return keras.Model(deep, _Block("shared", config.channels, "leaky", dtype)(deep), name="shared")


def _content_encoder(domain, config, dtype):
    name = f"{domain}_content"
    image = keras.Input((None, None, 3), dtype="float32", name="image")
    x = _convolved(_centered(image, name, dtype), config.width, 7, 1, f"{name}0", None, "leaky", dtype)
    h = x
    for i in range(1, config.halvings + 1):
        x = _convolved(x, min(2**i, 4) * config.width, 4, 2, f"{name}{i}", "instance", "relu", dtype)
        h = x if i == 2 else h
    for i in range(1, config.blocks + 1):
        x = _Block(f"{name}_deep{i}", config.channels, "relu", dtype)(x)
    return keras.Model(image, [x, h], name=name)


def _style_encoder(domain, config, dtype):
    name = f"{domain}_style"
    image = keras.Input((None, None, 3), dtype="float32", name="image")
    x = _convolved(_centered(image, name, dtype), config.width, 7, 1, f"{name}0", None, "relu", dtype)
    for i in range(1, 5):
        x = _convolved(x, min(2**i, 4) * config.width, 4, 2, f"{name}{i}", None, "relu", dtype)
    x = kl.GlobalAveragePooling2D(data_format="channels_last", dtype="float32", name=f"{name}_mean")(x)
    code = kl.Dense(config.style, kernel_initializer=_start(), dtype="float32", name=f"{name}_code")(x)
    return keras.Model(image, code, name=name)


def _mapping(domain, config, dtype):
    name = f"{domain}_mapping"
    c, h = (keras.Input((None, None, config.channels), dtype=_computed(dtype), name=which) for which in ("c", "h"))
    x = kl.Conv2DTranspose(
        config.channels, 3, 2, padding="valid", kernel_initializer=_start(), data_format="channels_last", dtype=dtype,
        name=f"{name}_larger",
    )(c)
    # Of 2 n + 1 rows the first goes, as with PyTorch's output padding; "same" would drop the last and shift the sum.
    x = kl.Cropping2D(((1, 0), (1, 0)), data_format="channels_last", dtype=dtype, name=f"{name}_crop")(x)
    x = kl.ReLU(dtype=dtype, name=f"{name}_relu")(_layer_norm(x, f"{name}_larger_norm", dtype))
    x = kl.Add(dtype=dtype, name=f"{name}_sum")([x, h])
    x = kl.ZeroPadding2D(1, data_format="channels_last", dtype=dtype, name=f"{name}_pad")(x)
    x = kl.Conv2D(
        config.channels, 3, 2, padding="valid", kernel_initializer=_start(), data_format="channels_last", dtype=dtype,
        name=f"{name}_smaller",
    )(x)
    return keras.Model([c, h], _layer_norm(x, f"{name}_smaller_norm", dtype), name=name)


def _decoder(domain, config, dtype):
    name, channels = f"{domain}_decoder", config.channels
    content = keras.Input((None, None, channels), dtype=_computed(dtype), name="content")
    code = keras.Input((config.style,), dtype="float32", name="style_code")
    parameters = code
    sizes = (config.hidden, config.hidden, 4 * config.blocks * channels)
    for i, (size, activation) in enumerate(zip(sizes, ("relu", "relu", None), strict=True)):
        parameters = kl.Dense(
            size, activation, kernel_initializer=_start(), dtype="float32", name=f"{name}_perceptron{i}"
        )(parameters)
    x = content
    for i in range(config.blocks):
        x = _Block(f"{name}_deep{i + 1}", channels, "relu", dtype, first=4 * i * channels)(x, parameters)
    for i in range(config.halvings):
        filters = channels // 2 ** max(0, i + 3 - config.halvings)
        x = TwiceAsLarge(dtype=dtype, name=f"{name}_larger{i}")(x)
        x = _convolved(x, filters, 5, 1, f"{name}{i}", "layer", "relu", dtype)
    x = ReflectConv(3, 7, kernel_initializer=_start(), dtype=dtype, name=f"{name}_paint_conv")(x)
    x = kl.Activation("tanh", dtype="float32", name=f"{name}_tanh")(x)
    return keras.Model([content, code], kl.Rescaling(0.5, 0.5, dtype="float32", name=f"{name}_paint")(x), name=name)


class _Block:
    """A residual block, nothing after the sum; called twice it shares its weights.

    Instance norm, or with `first` adaptive: by parameters from there on.
    """

    def __init__(self, name, channels, activation, dtype, first=None):
        self._layers = []
        for i, half in enumerate("ab"):
            conv = ReflectConv(channels, 3, kernel_initializer=_start(), dtype=dtype, name=f"{name}{half}_conv")
            if first is None:
                norm = InstanceNormalization(EPSILON, False, dtype=dtype, name=f"{name}{half}_norm")
            else:
                norm = AdaptiveInstanceNormalization(
                    first + 2 * i * channels, EPSILON, dtype=dtype, name=f"{name}{half}_norm"
                )
            self._layers.append((conv, norm))
        self._relu = _activation(activation, f"{name}_relu", dtype)
        self._sum = kl.Add(dtype=dtype, name=f"{name}_sum")

    def __call__(self, x, *parameters):
        (conv_a, norm_a), (conv_b, norm_b) = self._layers
        y = norm_b(conv_b(self._relu(norm_a(conv_a(x), *parameters))), *parameters)
        return self._sum([y, x])


def _start():
    """Kaiming normal for ReLU; a new one for each layer, since an initializer has one seed, drawn when it is made."""
    return keras.initializers.VarianceScaling(2.0, "fan_in", "untruncated_normal")


def _convolved(x, filters, kernel, stride, name, norm, activation, dtype):
    x = ReflectConv(filters, kernel, stride, kernel_initializer=_start(), dtype=dtype, name=f"{name}_conv")(x)
    if norm == "instance":
        x = InstanceNormalization(EPSILON, False, dtype=dtype, name=f"{name}_norm")(x)
    elif norm == "layer":
        x = _layer_norm(x, f"{name}_norm", dtype)
    return _activation(activation, f"{name}_relu", dtype)(x)


def _layer_norm(x, name, dtype):
    """Over channels and positions together, learned scale and shift per channel: free of the picture's size."""
    return kl.GroupNormalization(
        1, epsilon=EPSILON, gamma_initializer=keras.initializers.RandomUniform(0.0, 1.0), dtype=dtype, name=name
    )(x)


def _activation(kind, name, dtype):
    return kl.LeakyReLU(_SLOPE, dtype=dtype, name=name) if kind == "leaky" else kl.ReLU(dtype=dtype, name=name)


def _centered(image, name, dtype):
    return kl.Rescaling(2.0, -1.0, dtype=dtype, name=f"{name}_center")(image)


def _computed(dtype):
    return keras.dtype_policies.DTypePolicy(dtype).compute_dtype
