"""The sizes of pictures: which are allowed, which are wanted, and Lanczos resampling to them."""

import math

import numpy as np
from PIL import Image

from tfstyle.checks import InputError, check_number

__all__ = ["LEAST_SIDE", "check_shape", "fit", "fitted_shape", "resize"]

# Four 2x2 poolings leave one position of 16 px: below that, the deepest VGG layers have nothing to say.
LEAST_SIDE = 16


def fitted_shape(height, width, size):
    """The shape of a `height` x `width` picture whose long side has become `size`.

    Args:
        height, width: sides in px, at least 1.
        size: long side in px, at least 1.

    Returns:
        (height, width) in px, the ratio kept to within half a pixel of the short side, at least 1 each.
    """
    scale = size / max(height, width)
    return max(1, round(height * scale)), max(1, round(width * scale))


def check_shape(height, width, size=None, *, name="picture", least=LEAST_SIDE):
    """Checks that a picture is large enough, and stays so at `size`; nothing is computed yet.

    Args:
        height, width: sides in px.
        size: long side in px to fit to, up or down; None keeps the shape.
        name: how the error sentences call the picture.
        least: side in px that is large enough without fitting.

    Returns:
        (height, width) at `size`, in px.

    Raises:
        InputError: a side under `least` before or 16 px after fitting; a `size` that is no whole number or under 16,
            or that asks for more pixels than `PIL.Image.MAX_IMAGE_PIXELS`.
    """
    if size is not None:
        check_number(f"the size of the {name}", size, LEAST_SIDE, integer=True)
    if min(height, width) < least:
        raise InputError(
            f"{name} is {width}x{height} px (width x height); use one of at least {least} px a side."
        )
    if size is None:
        return height, width
    shape = fitted_shape(height, width, int(size))
    if min(shape) < LEAST_SIDE:
        least = math.ceil((LEAST_SIDE - 0.5) * max(height, width) / min(height, width))
        while min(fitted_shape(height, width, least)) < LEAST_SIDE:  # rounded the other way
            least += 1
        raise InputError(
            f"{name} is {width}x{height} px and its short side would be {min(shape)} px at size {size}; "
            f"use a size of at least {least}."
        )
    limit = Image.MAX_IMAGE_PIXELS
    if limit is not None and math.prod(shape) > max(limit, height * width):
        raise InputError(
            f"{name} would be {shape[1]}x{shape[0]} px at size {size}, over the limit of {limit} pixels; "
            "use a smaller size."
        )
    return shape


def resize(array, shape):
    """Resamples a picture with Pillow's Lanczos filter, each channel on its own.

    Args:
        array: (H, W) or (H, W, C), uint8 0..255 or float in [0, 1].
        shape: (height, width) wanted, in px.

    Returns:
        A new array of that shape: uint8 for uint8, else float32 clipped to [0, 1] (Lanczos overshoots).

    Raises:
        InputError: another rank or dtype.
    """
    array = np.asarray(array)
    if array.dtype != np.uint8:
        if not np.issubdtype(array.dtype, np.floating):
            raise InputError(f"only uint8 and float arrays can be resized; received {array.dtype}.")
        array = array.astype(np.float32, copy=False)
    if array.ndim not in (2, 3) or 0 in array.shape:
        raise InputError(f"only arrays (H, W) and (H, W, C) can be resized; received shape {array.shape}.")
    if array.shape[:2] == tuple(shape):
        return array.copy()
    if array.ndim == 2 or (array.dtype == np.uint8 and array.shape[2] == 3):
        resized = np.array(Image.fromarray(array).resize(shape[::-1], Image.Resampling.LANCZOS))
    else:  # Pillow knows no RGB of floats, and would weight the colors of RGBA by its alpha
        resized = np.stack([resize(array[..., c], shape) for c in range(array.shape[2])], axis=-1)
    return resized if array.dtype == np.uint8 else resized.clip(0, 1, out=resized)


def fit(array, size, *, name="picture"):
    """Resamples a picture so that its long side is `size`, up or down, its ratio kept.

    Args:
        array: (H, W) or (H, W, C), uint8 0..255 or float in [0, 1].
        size: long side in px, a whole number of at least 16; None keeps the shape.
        name: how the error sentences call the picture.

    Returns:
        A new array of `fitted_shape`: uint8 for uint8, else float32.

    Raises:
        InputError: a side under 16 px before or after, an impossible `size`, another rank or dtype.
    """
    array = np.asarray(array)
    if array.ndim not in (2, 3):
        raise InputError(f"{name} must have shape (H, W) or (H, W, C); received {array.shape}.")
    return resize(array, check_shape(*array.shape[:2], size, name=name))
