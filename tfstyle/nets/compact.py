"""The layers of our own painting networks, whatever normalizes them.

Contract (a 5 x 5 convolution and three of stride 2), residual blocks, expand (nearest neighbor and convolution);
reflection padding throughout. The features at 1/4 of the sides are handed across. Most of the work is done at 1/8,
where it is cheap: twice as fast as the network of Johnson et al. 2016 at more weights.
"""

from keras import layers as kl

from tfstyle.nets.layers import CropLike, ReflectConv, ReflectToMultiple, TwiceAsLarge

__all__ = ["compact"]


def compact(image, widths, blocks, normalized, dtype):
    """The painted picture as a symbolic tensor.

    Args:
        image: keras.Input (N, H, W, 3) float32 in [0, 1].
        widths: channels at 1, 1/2, 1/4 and 1/8 of the picture's sides.
        blocks: residual blocks at 1/8. Two more stand at 1/4, before and after them.
        normalized: called as normalized(x, name, dtype) after every convolution: a normalization layer of that name
            and dtype, applied.
        dtype: of the convolutions, as a Keras policy.

    Returns:
        (N, H, W, 3) float32 in [0, 1], for every H and W from 16.
    """

    def convolved(x, filters, kernel, stride, name):
        x = ReflectConv(filters, kernel, strides=stride, use_bias=False, dtype=dtype, name=f"{name}_conv")(x)
        return kl.ReLU(dtype=dtype, name=f"{name}_relu")(normalized(x, f"{name}_norm", dtype))

    def residual(x, name):
        filters = x.shape[-1]
        y = convolved(x, filters, 3, 1, f"{name}a")
        y = ReflectConv(filters, 3, use_bias=False, dtype=dtype, name=f"{name}b_conv")(y)
        return kl.Add(dtype=dtype, name=f"{name}_sum")([x, normalized(y, f"{name}b_norm", dtype)])

    def enlarged(x, filters, name):
        """No checkerboard, as transposed convolutions print it (Odena et al. 2016)."""
        x = TwiceAsLarge(dtype=dtype, name=f"{name}_larger")(x)
        x = ReflectConv(filters, 3, use_bias=False, dtype=dtype, name=f"{name}_conv")(x)
        return normalized(x, f"{name}_norm", dtype)

    full, half, quarter, eighth = widths
    x = ReflectToMultiple(8, dtype="float32", name="reflect")(image)
    x = kl.Rescaling(2.0, -1.0, dtype=dtype, name="center")(x)
    x = convolved(x, full, 5, 1, "contract1")
    x = convolved(x, half, 3, 2, "contract2")
    x = convolved(x, quarter, 3, 2, "contract3")
    across = residual(x, "near1")
    x = convolved(across, eighth, 3, 2, "contract4")
    for block in range(blocks):
        x = residual(x, f"deep{block + 1}")
    x = kl.Add(dtype=dtype, name="across")([enlarged(x, quarter, "expand1"), across])
    x = kl.ReLU(dtype=dtype, name="expand1_relu")(x)
    x = residual(x, "near2")
    for width, name in ((half, "expand2"), (full, "expand3")):
        x = kl.ReLU(dtype=dtype, name=f"{name}_relu")(enlarged(x, width, name))
    x = ReflectConv(3, 5, use_bias=False, dtype=dtype, name="paint_conv")(x)
    x = normalized(x, "paint_norm", "float32")
    x = kl.Activation("sigmoid", dtype="float32", name="paint")(x)
    return CropLike(dtype="float32", name="crop")(x, image)
