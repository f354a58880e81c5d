"""Colors of one picture brought to those of another.

Pictures are float32 in [0, 1], or bytes, of which the result is bytes, too. All goes by rows, so that large ones take
little more memory than they and the result do.
"""

import numpy as np

from tfstyle.checks import InputError, check_choice
from tfstyle.images.pixels import unit

__all__ = ["WAYS", "luminance", "match_covariance", "match_histograms", "match_luminance", "recolor", "with_luminance"]

WAYS = ("luminance", "match", "histogram")
_AT_ONCE = 2**20  # pixels looked up at once
_Y = np.array([0.299, 0.587, 0.114])  # of R, G and B in luminance: Rec. 601, the first row of YIQ
_LEAST_VARIANCE = 1e-8  # a fortieth of a step of 8 bits, squared: what a flat picture is said to vary by
_MOST_GAIN = 4.0  # the noise of a flat picture, of a step or two of 8 bits, stays under that of film


def recolor(picture, reference, how, weights=None, reference_weights=None):
    """A picture in the colors of another.

    Args:
        picture: (H, W, 3) float32 in [0, 1] or uint8.
        reference: (h, w, 3), likewise; for "luminance" of the picture's shape.
        how: "luminance": `with_luminance` of the picture, which takes no weights; "match": `match_covariance`;
            "histogram": that, and then `match_histograms`.
        weights: (H, W), how much each pixel of the picture counts; None for all alike.
        reference_weights: (h, w), likewise of the reference.

    Returns:
        A new (H, W, 3) of the picture's dtype.

    Raises:
        InputError: another way, or what the functions refuse.
    """
    check_choice("color", how, WAYS)
    if how == "luminance":
        return with_luminance(picture, reference)
    # Histograms are matched channel by channel: where channels go together otherwise than the reference's, that alone
    # makes colors which neither picture has.
    near = match_covariance(picture, reference, weights, reference_weights)
    return near if how == "match" else match_histograms(near, reference, weights, reference_weights)


def luminance(picture):
    """Y of YIQ, Rec. 601: 0.299 R + 0.587 G + 0.114 B, of which a gray gives itself, to the bit.

    Args:
        picture: (H, W, 3) float32 in [0, 1] or uint8.

    Returns:
        (H, W) float32 in [0, 1].
    """
    picture = _checked(picture, "picture")
    result = np.empty(picture.shape[:2], np.float32)
    for rows in _by_rows(picture):
        result[rows] = _luminance(unit(picture[rows]))
    return result


def with_luminance(luminance_of, colors_of):
    """The luminance of one picture and the chrominance (I and Q of YIQ) of another.

    Where no color of that luminance and chrominance exists, the chrominance is scaled down to the last that does:
    luminance and hue stay, and the color turns grayer.

    Args:
        luminance_of: (H, W, 3) float32 in [0, 1] or uint8.
        colors_of: (H, W, 3), likewise.

    Returns:
        A new (H, W, 3) of the dtype of `luminance_of`.

    Raises:
        InputError: pictures of unlike shapes, or what are none.

    Source: Gatys et al. 2017 (arXiv:1611.07865), section 5, luminance-only transfer. Differs: they leave open what
        becomes of colors out of range, which clipped channel by channel change in luminance and hue.
    """
    first, second = _checked(luminance_of, "picture"), _checked(colors_of, "reference")
    if first.shape != second.shape:
        raise InputError(
            f"luminance and colors must be of pictures of one shape; received {first.shape} and {second.shape}."
        )
    result = np.empty_like(first)
    for rows in _by_rows(first):
        gray, colors = _luminance(unit(first[rows]))[..., None], unit(second[rows])
        chroma = colors - _luminance(colors)[..., None]  # the same in RGB, where Y adds alike to all three
        room = np.where(chroma > 0, 1 - gray, gray)
        share = (room / np.maximum(np.abs(chroma), 1e-9)).min(axis=-1, keepdims=True)
        result[rows] = _stored(gray + np.minimum(share, 1) * chroma, result)
    return result


def match_luminance(picture, reference, weights=None, reference_weights=None):
    """The luminance of a picture with the mean and the deviation of the reference's.

    Args:
        picture: (H, W, 3) float32 in [0, 1] or uint8.
        reference: (h, w, 3), likewise, of any size.
        weights: (H, W), how much each pixel of the picture counts; None for all alike.
        reference_weights: (h, w), likewise of the reference.

    Returns:
        A new gray (H, W, 3) of the picture's dtype, clipped to the range. The deviation grows fourfold at most: of a
        flat picture it is noise.

    Raises:
        InputError: other shapes or dtypes, values that are no numbers, or no pixel that counts.

    Source: Gatys et al. 2017 (arXiv:1611.07865), section 5: L' = s_C / s_S (L - m_S) + m_C.
    """
    picture, reference = _checked(picture, "picture"), _checked(reference, "reference")
    ours, variance = _moments(picture, _checked_weights(weights, picture))
    theirs, wanted = _moments(reference, _checked_weights(reference_weights, reference))
    variance, wanted = (_Y @ covariance @ _Y + _LEAST_VARIANCE for covariance in (variance, wanted))
    gain = np.float32(min(np.sqrt(wanted / variance), _MOST_GAIN))
    shift = np.float32(_Y @ theirs - gain * (_Y @ ours))
    result = np.empty_like(picture)
    for rows in _by_rows(picture):
        result[rows] = _stored(gain * _luminance(unit(picture[rows]))[..., None] + shift, result)
    return result


def match_covariance(picture, reference, weights=None, reference_weights=None):
    """Colors mapped linearly, p -> A p + b, so that their mean and covariance become the reference's.

    Many maps do that. This is the Monge-Kantorovich one, which of all moves the colors least, in the mean of squares:
    A is symmetric and positive, so that no hue turns into its opposite and axes do not trade places, as they may under
    the Cholesky factors that Gatys et al. try first; and its eigenvalues are gains along colors, which can be limited.

    Args:
        picture: (H, W, 3) float32 in [0, 1] or uint8.
        reference: (h, w, 3), likewise, of any size.
        weights: (H, W), how much each pixel of the picture counts in its mean and covariance; None for all alike. The
            others are mapped along.
        reference_weights: (h, w), likewise of the reference.

    Returns:
        A new (H, W, 3) of the picture's dtype, clipped to the range. Deviations grow fourfold at most: where a picture
        is flat, or all but gray, they are noise. Where both are, nothing is stretched or shrunk.

    Raises:
        InputError: other shapes or dtypes, values that are no numbers, or no pixel that counts.

    Source: Pitie and Kokaram, "The linear Monge-Kantorovitch linear colour mapping for example-based colour transfer",
        CVMP 2007; for style transfer, Gatys et al. 2017 (arXiv:1611.07865), section 5, with other roots.
    """
    picture, reference = _checked(picture, "picture"), _checked(reference, "reference")
    ours, covariance = _moments(picture, _checked_weights(weights, picture))
    theirs, wanted = _moments(reference, _checked_weights(reference_weights, reference))
    gain = _gain(covariance, wanted)
    by, shift = gain.T.astype(np.float32), np.float32(theirs - gain @ ours)
    result = np.empty_like(picture)
    for rows in _by_rows(picture):
        part = unit(picture[rows])
        result[rows] = _stored((part.reshape(-1, 3) @ by + shift).reshape(part.shape), result)
    return result


def match_histograms(picture, reference, weights=None, reference_weights=None):
    """Each channel's values replaced so that they are distributed as in the reference.

    A value that stands at some share of its channel, ordered, becomes the reference's value at that share. The order
    of values is kept, and so are ties: equal values, which stand at the middle of their ranks, become one value. What
    comes out are values of the reference alone, so that the white of a page stays one white. A picture matched to
    itself is itself.

    Args:
        picture: (H, W, 3) float32 in [0, 1] or uint8.
        reference: (h, w, 3), likewise, of any size.
        weights: (H, W) bool or float: the pixels that weigh more than half of what the heaviest does make the picture's
            histogram; None for all. The others are replaced by the same curve.
        reference_weights: (h, w), likewise of the reference.

    Returns:
        A new (H, W, 3) of the picture's dtype.

    Raises:
        InputError: other shapes or dtypes, values that are no numbers, or no pixel that counts.

    Source: Gonzalez and Woods, "Digital Image Processing", histogram specification; Johnson et al.
    (arXiv:1603.08155), section 4.2, have the colors of an enlarged picture from the small one by it.
    """
    picture, reference = _checked(picture, "picture"), _checked(reference, "reference")
    ours = _counted(_checked_weights(weights, picture))
    theirs = _counted(_checked_weights(reference_weights, reference))
    result = np.empty_like(picture)
    for channel in range(3):
        values, starts = _steps(unit(picture[..., channel][ours]), unit(reference[..., channel][theirs]))
        for rows in _by_rows(picture):
            part = unit(picture[rows, :, channel])
            result[rows, :, channel] = _stored(values[np.searchsorted(starts, part, side="right")], result)
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


def _gain(covariance, wanted):
    """The symmetric A with A covariance A = wanted, its eigenvalues limited: (3, 3) float64."""
    values, axes = np.linalg.eigh(covariance)
    deviations = np.sqrt(np.maximum(values, 0) + _LEAST_VARIANCE)
    root, inverse = (axes * deviations) @ axes.T, (axes / deviations) @ axes.T
    values, axes = np.linalg.eigh(wanted)
    goal = (axes * np.sqrt(np.maximum(values, 0) + _LEAST_VARIANCE)) @ axes.T
    # (root wanted root)^1/2 by singular values: squared first, the small ones would drown in rounding.
    _, scales, axes = np.linalg.svd(goal @ root)
    gain = inverse @ (axes.T * scales) @ axes @ inverse
    values, axes = np.linalg.eigh((gain + gain.T) / 2)
    return (axes * np.minimum(values, _MOST_GAIN)) @ axes.T


def _moments(picture, weights):
    """(mean (3,), covariance (3, 3)) of a picture's colors, float64."""
    total, first, second = 0.0, np.zeros(3), np.zeros((3, 3))
    for rows in _by_rows(picture):
        values = unit(picture[rows]).reshape(-1, 3).astype(np.float64)
        share = np.ones((len(values), 1)) if weights is None else weights[rows].reshape(-1, 1).astype(np.float64)
        weighted = share * values
        total, first, second = total + share.sum(), first + weighted.sum(axis=0), second + weighted.T @ values
    mean = first / total
    return mean, second / total - np.outer(mean, mean)


def _luminance(colors):
    red, green, blue = np.moveaxis(colors, -1, 0)
    gray = green + np.float32(_Y[0]) * (red - green) + np.float32(_Y[2]) * (blue - green)  # exact for grays
    return gray.clip(0, 1, out=gray)


def _by_rows(picture):
    """Slices of rows of a few pixels each."""
    step = max(1, _AT_ONCE // picture.shape[1])
    return (slice(top, top + step) for top in range(0, len(picture), step))


def _stored(values, like):
    """Values clipped to [0, 1], as the dtype of `like` holds them."""
    values = values.clip(0, 1)
    return np.rint(255 * values) if like.dtype == np.uint8 else values


def _counted(weights):
    """What takes the pixels that count out of a channel."""
    return ... if weights is None else weights > weights.max() / 2


def _checked_weights(weights, picture):
    if weights is None:
        return None
    weights = np.asarray(weights)
    good = weights.dtype.kind in "bf" and weights.shape == picture.shape[:2]
    if not good or not 0 <= weights.min() <= weights.max() < np.inf or not weights.max():  # NaN fails the second
        raise InputError(
            f"what pixels weigh must be bool or float of shape {picture.shape[:2]}, at least 0 and not 0 everywhere; "
            f"received {weights.dtype} of {weights.shape}."
        )
    return weights


def _checked(picture, name):
    picture = np.asarray(picture)
    if picture.dtype not in (np.float32, np.uint8) or picture.ndim != 3 or picture.shape[2] != 3 or not picture.size:
        raise InputError(
            f"the {name} to match must be float32 or uint8 of shape (H, W, 3); received {picture.dtype} of "
            f"{picture.shape}."
        )
    if picture.dtype == np.float32 and not np.isfinite(picture).all():
        raise InputError(f"the {name} to match holds NaN or infinite values; replace them by numbers from 0 to 1.")
    return picture
