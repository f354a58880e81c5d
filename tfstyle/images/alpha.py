"""Colors under transparency: where nothing is seen, a smooth continuation of what is.

Files hold any color there, black most often. A network looks at it beside the edges of hair and paints dark fringes,
and resampling mixes it in.
"""

import itertools

import numpy as np

from tfstyle.images.pixels import unit

__all__ = ["filled"]

_SURE = 8 / 255  # opacity from which a color stands for itself: below, little is left of it in 8 bits
_SEEN = 0.5 / 255  # the least opacity that 8 bits can show
_AT_ONCE = 2**20  # pixels of the picture filled at once


def filled(rgb, alpha):
    """A picture with colors where it is transparent that continue the visible ones.

    By pulling and pushing: the picture is halved again and again, each color weighing what is seen of it, until nothing
    is left open; then each size fills what is open in the next larger one. From opacity 8/255 on colors stay as they
    are, bit for bit; below, they lean the more on what lies around them the less is seen of them.

    Args:
        rgb: (H, W, 3) uint8, or float32 in [0, 1].
        alpha: (H, W) uint8 or float32, likewise, 0 being transparent.

    Returns:
        (H, W, 3) of the dtype of `rgb`: a new array, or `rgb` itself where there is nothing to fill, or nothing to
        fill it from: hidden colors are all that a picture has of which nothing is seen.

    Source: Gortler et al., "The Lumigraph", SIGGRAPH 1996, section 3.4 (pull-push), with bilinear pushing.
    """
    full = 255 if alpha.dtype == np.uint8 else 1
    if not (alpha < _SURE * full).any() or not (alpha >= _SEEN * full).any():
        return rgb
    around = _continued(_first_level(rgb, alpha))
    result = rgb.copy()
    for rows in _by_rows(rgb):
        open_here = alpha[rows] < _SURE * full
        if not open_here.any():
            continue
        low, high = max(0, rows.start // 2 - 1), rows.stop // 2 + 2
        behind = _doubled(around[low:high])[rows.start - 2 * low:][:len(open_here), :rgb.shape[1]][open_here]
        trust = unit(alpha[rows][open_here])[:, None] / np.float32(_SURE)
        mixed = behind + trust * (unit(rgb[rows][open_here]) - behind)
        mixed = mixed.clip(0, 1, out=mixed)
        result[rows][open_here] = np.rint(255 * mixed) if rgb.dtype == np.uint8 else mixed
    return result


def _first_level(rgb, alpha):
    """The picture halved once, its colors and what they weigh side by side: (h, w, 4) float32."""
    height, width = alpha.shape
    level = np.empty(((height + 1) // 2, (width + 1) // 2, 4), np.float32)
    for rows in _by_rows(rgb):
        part = np.concatenate([unit(rgb[rows]), unit(alpha[rows])[..., None]], axis=-1)
        level[rows.start // 2:][:(len(part) + 1) // 2] = _halved(part)
    return level


def _halved(level):
    """Four pixels to one, of their mean color; it weighs what they do together, and 1 at most."""
    height, width, _ = level.shape
    sums = np.zeros(((height + 1) // 2, (width + 1) // 2, 4), np.float32)
    for top, left in itertools.product((0, 1), repeat=2):
        part = level[top::2, left::2]
        there = sums[:part.shape[0], :part.shape[1]]
        there[..., :3] += part[..., :3] * part[..., 3:]
        there[..., 3] += part[..., 3]
    sums[..., :3] /= np.maximum(sums[..., 3:], np.finfo(np.float32).tiny)
    np.minimum(sums[..., 3], 1, out=sums[..., 3])
    return sums


def _continued(level):
    """The colors of a level, filled from the smaller ones: (h, w, 3)."""
    colors, weights = level[..., :3], level[..., 3:]
    if colors.shape[:2] == (1, 1) or (weights == 1).all():
        return colors
    behind = _doubled(_continued(_halved(level)))[:len(colors), :colors.shape[1]]
    behind += weights * (colors - behind)
    return behind


def _doubled(colors):
    """Twice the sides, bilinearly: three quarters of a color and one of its neighbor on either side."""
    for axis in (0, 1):
        colors = np.moveaxis(colors, axis, 0)
        result = np.repeat(np.float32(0.75) * colors, 2, axis=0)
        quarter = np.float32(0.25) * colors
        result[2::2] += quarter[:-1]
        result[1:-1:2] += quarter[1:]
        result[0] += quarter[0]
        result[-1] += quarter[-1]
        colors = np.moveaxis(result, 0, axis)
    return colors


def _by_rows(picture):
    """Slices of an even number of rows each, the last but for the end."""
    height, width = picture.shape[:2]
    step = 2 * max(1, _AT_ONCE // (2 * width))
    return (slice(top, min(top + step, height)) for top in range(0, height, step))
