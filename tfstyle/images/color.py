"""Colors of one picture brought to those of another."""

import numpy as np

from tfstyle.checks import InputError

__all__ = ["match_histograms"]

_AT_ONCE = 2**20  # pixels looked up at once


def match_histograms(picture, reference, counted=None, reference_counted=None):
    """Each channel's values replaced so that they are distributed as in the reference.

    A value that stands at some share of its channel, ordered, becomes the reference's value at that share. The order
    of values is kept, and so are ties: equal values, which stand at the middle of their ranks, become one value. What
    comes out are values of the reference alone, so that the white of a page stays one white. A picture matched to
    itself is itself.

    Args:
        picture: (H, W, 3) float32 in [0, 1].
        reference: (h, w, 3) float32 in [0, 1], of any size.
        counted: (H, W) bool, the pixels of the picture that make its histogram; None for all. The others are replaced
            by the same curve.
        reference_counted: (h, w) bool, likewise of the reference.

    Returns:
        A new (H, W, 3) float32.

    Raises:
        InputError: other shapes or dtypes, values that are no numbers, or no pixel that counts.

    Source: Gonzalez and Woods, "Digital Image Processing", histogram specification; Johnson et al.
    (arXiv:1603.08155), section 4.2, have the colors of an enlarged picture from the small one by it.
    """
    picture, reference = _checked(picture, "picture"), _checked(reference, "reference")
    ours, theirs = _checked_mask(counted, picture), _checked_mask(reference_counted, reference)
    result = np.empty_like(picture)
    rows = max(1, _AT_ONCE // picture.shape[1])
    for channel in range(3):
        values, starts = _steps(picture[..., channel][ours], reference[..., channel][theirs])
        for top in range(0, len(picture), rows):
            part = picture[top:top + rows, :, channel]
            result[top:top + rows, :, channel] = values[np.searchsorted(starts, part, side="right")]
    return result


def _steps(source, target):
    """(values (K,), starts (K - 1,)) of two channels: what lies between starts[k - 1] and starts[k] becomes values[k].

    The first source value to become values[k] is the first whose ranks have their middle at or above the share of the
    target that lies below values[k]. It is the one at that place in order, or the next.
    """
    ordered = np.sort(source, axis=None)
    values, counts = np.unique(target, return_counts=True)
    below, size = np.cumsum(counts)[:-1], ordered.size
    found = ordered[below * size // target.size]
    first, end = (np.searchsorted(ordered, found, side=side) for side in ("left", "right"))
    following = np.where(end < size, ordered[np.minimum(end, size - 1)], np.float32(np.inf))
    return values, np.where((first + end) * target.size >= 2 * size * below, found, following)


def _checked_mask(counted, picture):
    """What takes the pixels that count out of a channel."""
    if counted is None:
        return ...
    counted = np.asarray(counted)
    if counted.dtype != bool or counted.shape != picture.shape[:2] or not counted.any():
        raise InputError(
            f"the pixels that count must be bool of shape {picture.shape[:2]}, and one of them at least; received "
            f"{counted.dtype} of {counted.shape}."
        )
    return counted


def _checked(picture, name):
    picture = np.asarray(picture)
    if picture.dtype != np.float32 or picture.ndim != 3 or picture.shape[2] != 3 or not picture.size:
        raise InputError(
            f"the {name} to match must be float32 of shape (H, W, 3); received {picture.dtype} of {picture.shape}."
        )
    if not np.isfinite(picture).all():
        raise InputError(f"the {name} to match holds NaN or infinite values; replace them by numbers from 0 to 1.")
    return picture
