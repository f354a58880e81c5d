"""Masks: which style goes where, as each style's share of every pixel."""

import os

import numpy as np
from PIL import Image

from tfstyle.checks import InputError
from tfstyle.images.color import luminance
from tfstyle.images.files import pixels
from tfstyle.images.pixels import unit

__all__ = ["read_masks", "rest", "shrunk"]

_LEAST = 1 / 255  # of a mask's white: below, nothing of it would be seen
_NOTHING = 1 / 512  # what rounding may leave over
_RATIO = 0.02  # by which ratios of sides may differ, if rounding to whole pixels does not explain more


def read_masks(masks, shape, count):
    """The shares of styles at every pixel.

    Args:
        masks: list of pictures of any kind that `tfstyle.images.read` takes, of any size with the photo's ratio of
            sides; arrays (H, W) of bool, too. White is where the style goes, gray is soft, and what is transparent
            counts as black. One for each style, or one fewer: the last style takes what the others leave. A single
            picture is a list of one.
        shape: (height, width) of the shares in px.
        count: number of styles.

    Returns:
        (count, height, width) float32 in [0, 1]. Where masks overlap to more than 1 they are divided by their sum; what
        they leave of 1 is the photo's.

    Raises:
        InputError: a wrong number of masks, no usable picture, one of other proportions, or one that gives its style
            no place at all.
    """
    masks = masks if isinstance(masks, (list, tuple)) else [masks]
    if len(masks) not in (count, max(1, count - 1)):
        wanted = f"one mask for each of the {count} styles, or one fewer" if count > 1 else "one mask for the one style"
        raise InputError(f"There must be {wanted}; received {len(masks)}.")
    shares = np.zeros((count, *shape), np.float32)
    for number, mask in enumerate(masks):
        shares[number] = _read(mask, shape, f"mask {number + 1}")
    shares /= np.maximum(shares.sum(axis=0), 1)
    if len(masks) < count:
        shares[-1] = rest(shares)
        if shares[-1].max() <= _LEAST:
            raise InputError("The masks leave nothing to the last style; paint them black where it goes.")
    return shares


def rest(shares):
    """What shares leave of 1 at every pixel.

    Args:
        shares: (R, H, W) float32 in [0, 1], their sum over R at most 1 but for rounding.

    Returns:
        (H, W) float32 in [0, 1]; exactly 0 where it is under 1/512.
    """
    left = 1 - shares.sum(axis=0, dtype=np.float32)
    left[left < _NOTHING] = 0
    return left


def shrunk(shares, shape):
    """Shares averaged over the area of each position of a smaller layer; their sum stays what it is.

    Args:
        shares: (R, H, W) float32.
        shape: (h, w) of the layer; positions need not be whole numbers of pixels.

    Returns:
        (R, h, w) float32.
    """
    if shares.shape[1:] == tuple(shape):
        return shares.copy()
    rows, columns = (_means(*lengths) for lengths in zip(shares.shape[1:], shape, strict=True))
    return rows @ shares @ columns.T


def _means(length, parts):
    """(parts, length): what times a row of pixels gives the means of its equal parts."""
    edges = np.linspace(0, length, parts + 1)[:, None]
    places = np.arange(length)
    overlaps = np.minimum(edges[1:], places + 1) - np.maximum(edges[:-1], places)
    return np.float32(overlaps.clip(0) * (parts / length))


def _read(mask, shape, name):
    """One mask at a shape: (height, width) float32 in [0, 1]."""
    if getattr(mask, "dtype", None) == bool:
        mask = np.uint8(255) * np.asarray(mask)
    rgb, alpha = pixels(mask, name=name, least=1)
    label = f"{name} {os.fsdecode(mask)!r}" if isinstance(mask, (str, os.PathLike)) else name
    if not _alike(rgb.shape[:2], shape):
        sizes = [f"{width}x{height}" for height, width in (rgb.shape[:2], shape)]
        raise InputError(
            f"{label} is {sizes[0]} px and the photo {sizes[1]} px, which is another ratio of sides; crop or stretch "
            f"the mask to {sizes[1]} px or a multiple."
        )
    white = luminance(rgb)
    if alpha is not None:
        white *= unit(alpha)
    if white.shape != tuple(shape):
        white = np.asarray(Image.fromarray(white).resize(shape[::-1], Image.Resampling.BICUBIC)).clip(0, 1)
    if white.max() <= _LEAST:
        raise InputError(f"{label} is black everywhere; paint it white where its style goes, or leave both out.")
    return white


def _alike(first, second):
    """Whether two shapes may be of one picture, their sides rounded to whole pixels."""
    (height, width), (other_height, other_width) = first, second
    if abs(height * other_width / (width * other_height) - 1) <= _RATIO:
        return True
    low, high = (height - 0.5) / (width + 0.5), (height + 0.5) / (width - 0.5)
    return low <= (other_height + 0.5) / (other_width - 0.5) and (other_height - 0.5) / (other_width + 0.5) <= high
