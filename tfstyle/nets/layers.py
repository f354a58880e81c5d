"""Layers that networks share: reflected padding, instance normalization with and without a condition, other sizes."""

import keras
from keras import layers as kl
from keras import ops

__all__ = [
    "AdaptiveInstanceNormalization",
    "Average3x3",
    "Bilinear",
    "ConditionalInstanceNormalization",
    "CropLike",
    "InstanceNormalization",
    "Reflect",
    "ReflectConv",
    "ReflectToMultiple",
    "TwiceAsLarge",
]


@keras.saving.register_keras_serializable(package="tfstyle")
class ReflectConv(kl.Conv2D):
    """A convolution that keeps height and width (halved by stride 2) and surrounds the picture by its reflection.

    A kernel of even size is for stride 2 and even sides.
    """

    def __init__(self, filters, kernel_size, strides=1, **kwargs):
        kwargs = {"padding": "valid", "data_format": "channels_last", **kwargs}
        super().__init__(filters, kernel_size, strides=strides, **kwargs)

    def call(self, x):
        rows, columns = ((side - 1) // 2 for side in self.kernel_size)
        return super().call(ops.pad(x, ((0, 0), (rows, rows), (columns, columns), (0, 0)), mode="reflect"))

    def compute_output_shape(self, input_shape):
        count, *sides, _ = input_shape
        height, width = (
            None if side is None else (side + 2 * ((kernel - 1) // 2) - kernel) // step + 1
            for side, kernel, step in zip(sides, self.kernel_size, self.strides, strict=True)
        )
        return count, height, width, self.filters


@keras.saving.register_keras_serializable(package="tfstyle")
class ConditionalInstanceNormalization(kl.Layer):
    """Every channel of every picture to the mean and deviation that a style code asks for.

    y = scale(code) (x - mean(x)) / std(x) + shift(code), mean and deviation over the positions of one picture, in
    float32 whatever the layer's dtype; scale and shift are linear in the code, so that mixed codes mix styles.

    Call: x (N, H, W, C), code (N, K) -> (N, H, W, C).

    Source: Dumoulin et al., "A Learned Representation for Artistic Style", ICLR 2017, eq. 5; predicted from a code as
    in Ghiasi et al., BMVC 2017 (arXiv:1705.06830), section 3.
    """

    def __init__(self, epsilon=1e-5, **kwargs):
        super().__init__(autocast=False, **kwargs)  # the code stays float32 under a mixed policy, as the weights do
        self.epsilon = epsilon

    def build(self, x_shape, code_shape):
        channels = x_shape[-1]
        # One each: an initializer gives the same numbers whenever it is asked.
        for_scale, for_shift = (keras.initializers.VarianceScaling(0.1) for _ in range(2))
        self.scale_kernel = self.add_weight((code_shape[-1], channels), for_scale, name="scale_kernel", autocast=False)
        self.scale_bias = self.add_weight((channels,), "ones", name="scale_bias", autocast=False)
        self.shift_kernel = self.add_weight((code_shape[-1], channels), for_shift, name="shift_kernel", autocast=False)
        self.shift_bias = self.add_weight((channels,), "zeros", name="shift_bias", autocast=False)

    def call(self, x, code):
        code = ops.cast(code, "float32")
        scale, shift = (
            ops.matmul(code, ops.cast(kernel, "float32")) + ops.cast(bias, "float32")
            for kernel, bias in ((self.scale_kernel, self.scale_bias), (self.shift_kernel, self.shift_bias))
        )
        return ops.cast(_normalized(x, scale[:, None, None], shift[:, None, None], self.epsilon), self.compute_dtype)

    def compute_output_shape(self, x_shape, code_shape):
        return x_shape

    def get_config(self):
        return {**super().get_config(), "epsilon": self.epsilon}


@keras.saving.register_keras_serializable(package="tfstyle")
class InstanceNormalization(kl.Layer):
    """Every channel of every picture to a learned mean and deviation: (N, H, W, C) -> (N, H, W, C).

    y = scale (x - mean(x)) / std(x) + shift, mean and deviation over the positions of one picture, in float32 whatever
    the layer's dtype.

    Args:
        affine: learn scale and shift; without, they are 1 and 0.

    Source: Ulyanov et al., "Instance Normalization: The Missing Ingredient for Fast Stylization", 2016, eq. 2.
    """

    def __init__(self, epsilon=1e-5, affine=True, **kwargs):
        super().__init__(autocast=False, **kwargs)  # its weights stay float32 under a mixed policy, too
        self.epsilon, self.affine = epsilon, affine

    def build(self, input_shape):
        if self.affine:
            self.scale = self.add_weight((input_shape[-1],), "ones", name="scale", autocast=False)
            self.shift = self.add_weight((input_shape[-1],), "zeros", name="shift", autocast=False)

    def call(self, x):
        scale, shift = (ops.cast(v, "float32") for v in (self.scale, self.shift)) if self.affine else (1.0, 0.0)
        return ops.cast(_normalized(x, scale, shift, self.epsilon), self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "epsilon": self.epsilon, "affine": self.affine}


@keras.saving.register_keras_serializable(package="tfstyle")
class AdaptiveInstanceNormalization(kl.Layer):
    """Every channel of every picture to a mean and deviation that are handed in.

    y = scale (x - mean(x)) / std(x) + shift, in float32 whatever the layer's dtype. A network hands the same long list
    of parameters to all its layers, of which each takes the C shifts, then the C scales from `first` on.

    Call: x (N, H, W, C), parameters (N, K) -> (N, H, W, C).

    Source: Huang and Belongie, "Arbitrary Style Transfer in Real-time with Adaptive Instance Normalization", ICCV 2017,
    eq. 8; parameters made from a style code as in MUNIT (Huang et al., ECCV 2018), section 5.1.
    """

    def __init__(self, first=0, epsilon=1e-5, **kwargs):
        super().__init__(autocast=False, **kwargs)
        self.first, self.epsilon = first, epsilon

    def call(self, x, parameters):
        channels = x.shape[-1]
        mine = ops.cast(parameters[:, None, None, self.first:self.first + 2 * channels], "float32")
        y = _normalized(x, mine[..., channels:], mine[..., :channels], self.epsilon)
        return ops.cast(y, self.compute_dtype)

    def compute_output_shape(self, x_shape, parameters_shape):
        return x_shape

    def get_config(self):
        return {**super().get_config(), "first": self.first, "epsilon": self.epsilon}


@keras.saving.register_keras_serializable(package="tfstyle")
class Reflect(kl.Layer):
    """Surrounds pictures by their reflection, `margin` pixels wide: (N, H, W, C) -> (N, H + 2 m, W + 2 m, C).

    Pictures must be larger than the margin on both sides.
    """

    def __init__(self, margin, **kwargs):
        super().__init__(**kwargs)
        self.margin = margin

    def call(self, x):
        around = (self.margin, self.margin)
        return ops.pad(x, ((0, 0), around, around, (0, 0)), mode="reflect")

    def compute_output_shape(self, input_shape):
        count, *sides, channels = input_shape
        height, width = (None if side is None else side + 2 * self.margin for side in sides)
        return count, height, width, channels

    def get_config(self):
        return {**super().get_config(), "margin": self.margin}


@keras.saving.register_keras_serializable(package="tfstyle")
class ReflectToMultiple(kl.Layer):
    """Enlarges pictures by their reflection until both sides are multiples of a number: (N, H, W, C) -> (N, h, w, C).

    `CropLike` undoes it. Pictures must be larger than the number on both sides.
    """

    def __init__(self, multiple, **kwargs):
        super().__init__(**kwargs)
        self.multiple = multiple

    def call(self, x):
        _, height, width, channels = ops.shape(x)
        rows, columns = _split(height, self.multiple), _split(width, self.multiple)
        x = ops.pad(x, [(0, 0), rows, columns, (0, 0)], mode="reflect")
        # Says again how many channels there are, which TensorFlow Lite's converter forgets where sides are free.
        return ops.reshape(x, (-1, height + sum(rows), width + sum(columns), channels))

    def compute_output_shape(self, input_shape):
        count, *sides, channels = input_shape
        height, width = (None if side is None else side + sum(_split(side, self.multiple)) for side in sides)
        return count, height, width, channels

    def get_config(self):
        return {**super().get_config(), "multiple": self.multiple}


@keras.saving.register_keras_serializable(package="tfstyle")
class CropLike(kl.Layer):
    """Cuts the middle of `x` (N, h, w, C) that has the height and width of `like` (N, H, W, D)."""

    def call(self, x, like):
        height, width = ops.shape(like)[1:3]
        top, left = (ops.shape(x)[1] - height) // 2, (ops.shape(x)[2] - width) // 2
        return x[:, top:top + height, left:left + width]

    def compute_output_shape(self, x_shape, like_shape):
        return (*like_shape[:3], x_shape[-1])


@keras.saving.register_keras_serializable(package="tfstyle")
class TwiceAsLarge(kl.Layer):
    """Every pixel as four, bit for bit: (N, H, W, C) -> (N, 2 H, 2 W, C).

    What `keras.layers.UpSampling2D(2)` gives, in concatenations that TensorFlow Lite converts at free sizes, too. Their
    gradients are sums in a fixed order.
    """

    def call(self, x):
        _, height, width, channels = ops.shape(x)
        columns = ops.reshape(ops.concatenate([x, x], axis=-1), (-1, height, 1, 2 * width * channels))
        return ops.reshape(ops.concatenate([columns, columns], axis=2), (-1, 2 * height, 2 * width, channels))

    def compute_output_shape(self, input_shape):
        count, *sides, channels = input_shape
        height, width = (None if side is None else 2 * side for side in sides)
        return count, height, width, channels


@keras.saving.register_keras_serializable(package="tfstyle")
class Bilinear(kl.Layer):
    """Enlarges pictures `factor` times by bilinear interpolation: (N, H, W, C) -> (N, factor H, factor W, C).

    What `tf.image.resize` gives for an even factor, in sums of shifted copies: `keras.ops.image.resize` takes no size
    that a graph knows only when it runs.
    """

    def __init__(self, factor, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, x):
        return self._along(self._along(x, 1), 2)

    def _along(self, x, axis):
        _, height, width, channels = ops.shape(x)
        size, around = (height, width)[axis - 1], [(0, 0)] * 4
        around[axis] = (1, 1)
        x = ops.pad(x, around, mode="symmetric")
        before, here, after = (x[:, i:i + size] if axis == 1 else x[:, :, i:i + size] for i in range(3))
        places = [(2 * i + 1) / (2 * self.factor) - 0.5 for i in range(self.factor)]
        parts = [(1 - abs(at)) * here + abs(at) * (before if at < 0 else after) for at in places]
        rows, columns = (self.factor, 1) if axis == 1 else (1, self.factor)
        return ops.reshape(ops.stack(parts, axis=axis + 1), (-1, rows * height, columns * width, channels))

    def compute_output_shape(self, input_shape):
        count, *sides, channels = input_shape
        height, width = (None if side is None else self.factor * side for side in sides)
        return count, height, width, channels

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


@keras.saving.register_keras_serializable(package="tfstyle")
class Average3x3(kl.Layer):
    """The mean of every second 3 x 3 square, of what lies within the picture: (N, H, W, C) -> (N, H / 2, W / 2, C).

    Squares lie around the pixels 0, 2, 4 ... ; odd sides are rounded up.
    """

    def call(self, x):
        around = [(0, 0), (1, 1), (1, 1), (0, 0)]
        mean, share = (
            ops.average_pool(ops.pad(y, around), 3, 2, padding="valid", data_format="channels_last")
            for y in (x, ops.ones_like(x[:1, :, :, :1]))
        )
        return mean / share

    def compute_output_shape(self, input_shape):
        count, *sides, channels = input_shape
        height, width = (None if side is None else -(-side // 2) for side in sides)
        return count, height, width, channels


def _normalized(x, scale, shift, epsilon):
    """scale (x - mean) / std + shift in float32, mean and deviation over each picture's positions."""
    wide = ops.cast(x, "float32")
    mean = ops.mean(wide, axis=(1, 2), keepdims=True)
    variance = ops.mean(ops.square(wide - mean), axis=(1, 2), keepdims=True)
    scale = scale * ops.rsqrt(variance + epsilon)
    return wide * scale + (shift - mean * scale)


def _split(side, multiple):
    extra = (multiple - side % multiple) % multiple  # -side % multiple is another number in ONNX
    return extra // 2, extra - extra // 2
