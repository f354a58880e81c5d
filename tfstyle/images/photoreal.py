"""A painted picture's light and palette given to the photograph, and nothing else of it."""

import numpy as np

from tfstyle.checks import InputError
from tfstyle.images.color import match_covariance
from tfstyle.images.geometry import fitted_shape, resize

__all__ = ["WORKING_SIZE", "relit"]

# Light and palette change slowly across a picture: there is nothing to be seen of them beyond this long side in px.
WORKING_SIZE = 512
_FIT = 256  # long side at which the maps are fitted
# Of the long side. Smaller windows follow the painting into its strokes, larger ones lose a lit window in a dark wall.
_REACH = 0.2
# Of squared values in [0, 1]: where a window of the photo varies less than this, one color stands for it.
_SMOOTHNESS = 1e-3
_STEEPEST = 2.0  # change of color for a change of the photo's: so much does the grain of a sky grow that is lit up
_AT_ONCE = 2**18  # pixels mapped at once, whose maps take ten times the memory


def relit(photo, painted):
    """The photograph under an affine map of its colors, another at every place, that comes nearest to the painted one.

    In each window around a place the map c -> A c + b is fitted to what the painter made of the photo's colors there,
    and the maps of all windows that hold a pixel are averaged. They change slowly across the picture, so that lines
    stay lines and no stroke can appear. Averaging takes contrast away, which is given back by bringing mean and
    covariance to the painted picture's.

    Args:
        photo: (H, W, 3) float32 in [0, 1].
        painted: (h, w, 3) float32 in [0, 1], what an engine made of it, of any size: 512 px suffice.

    Returns:
        A new (H, W, 3) float32 in [0, 1].

    Raises:
        InputError: other shapes or dtypes.

    Source: the guided filter with a guide in color (He, Sun and Tang, "Guided Image Filtering", TPAMI 35(6), 2013,
    eq. 14 to 16), fitted on a reduced picture (He and Sun, "Fast Guided Filter", arXiv:1505.00996); maps that are
    affine in every window are what Luan et al., "Deep Photo Style Transfer", CVPR 2017, section 3.1, ask for by the
    matting Laplacian (Levin et al. 2006).
    """
    photo, painted = (_checked(picture, name) for picture, name in ((photo, "photo"), (painted, "painted picture")))
    height, width = photo.shape[:2]
    shape = (height, width) if max(height, width) <= _FIT else fitted_shape(height, width, _FIT)
    small = resize(photo, shape)
    slope, offset = _maps(small, resize(painted, shape), max(1, round(_REACH * max(shape))))
    result = np.empty_like(photo)
    rows = max(1, _AT_ONCE // width)
    for top in range(0, height, rows):
        part = slice(top, min(top + rows, height))
        slopes, offsets = (_enlarged(field, part, (height, width)) for field in (slope, offset))
        result[part] = np.einsum("hwi,hwip->hwp", photo[part], slopes) + offsets
    return match_covariance(result.clip(0, 1, out=result), painted)


def _maps(photo, painted, reach):
    """(slope (h, w, 3, 3), offset (h, w, 3)) float32 of every pixel's map: He et al. 2013, eq. 14 to 16."""
    mean, target = _box(photo, reach), _box(painted, reach)
    covariance = _box(photo[..., :, None] * photo[..., None, :], reach) - mean[..., :, None] * mean[..., None, :]
    cross = _box(photo[..., :, None] * painted[..., None, :], reach) - mean[..., :, None] * target[..., None, :]
    slope = np.linalg.solve(covariance + _SMOOTHNESS * np.eye(3), cross)
    slope *= np.minimum(1, _STEEPEST / np.linalg.norm(slope, 2, axis=(-2, -1)).clip(1e-6))[..., None, None]
    offset = target - np.einsum("hwi,hwip->hwp", mean, slope)
    return tuple(_box(field, reach).astype(np.float32) for field in (slope, offset))


def _box(values, reach):
    """Means over squares of 2 reach + 1 px, of what lies within the picture: (h, w, ...) -> the same, float64."""
    for axis in (0, 1):
        sums = np.cumsum(np.moveaxis(values, axis, 0), axis=0, dtype=np.float64)
        sums = np.concatenate([np.zeros_like(sums[:1]), sums])
        places = np.arange(len(sums) - 1)
        first, last = np.maximum(places - reach, 0), np.minimum(places + reach + 1, len(places))
        counts = (last - first).reshape(-1, *[1] * (values.ndim - 1))
        values = np.moveaxis((sums[last] - sums[first]) / counts, 0, axis)
    return values


def _enlarged(field, part, shape):
    """Rows of a field (h, w, ...), enlarged bilinearly to so many rows and columns."""
    wanted = np.arange(part.start, part.stop), np.arange(shape[1])
    rows, columns = (
        np.clip((places + 0.5) * small / large - 0.5, 0, small - 1)
        for places, small, large in zip(wanted, field.shape, shape)
    )
    field = _between(field, rows, 0)
    return _between(field, columns, 1)


def _between(field, places, axis):
    """A field at fractional places along an axis."""
    before = np.floor(places).astype(int)
    after = np.minimum(before + 1, field.shape[axis] - 1)
    share = np.float32(places - before).reshape([-1 if i == axis else 1 for i in range(field.ndim)])
    return (1 - share) * field.take(before, axis) + share * field.take(after, axis)


def _checked(picture, name):
    picture = np.asarray(picture)
    if picture.dtype != np.float32 or picture.ndim != 3 or picture.shape[2] != 3 or not picture.size:
        raise InputError(f"the {name} must be float32 of shape (H, W, 3); received {picture.dtype} of {picture.shape}.")
    return picture
