"""Figures that need no network: likeness and variation of 8-bit pictures, in float64."""

import math

import numpy as np

from tfstyle.checks import InputError, check_number

__all__ = ["mean_variation", "psnr", "ssim"]

_WINDOW, _SIGMA = 11, 1.5
_C1, _C2 = 0.01**2, 0.03**2  # (K L)^2 with the range of values L = 1
_LUMA = (0.299, 0.587, 0.114)
_STUDIO_LUMA = (65.481 / 255, 128.553 / 255, 24.966 / 255)  # to 16..235; the 16 goes in the difference


def psnr(first, second, border=0):
    """Peak signal-to-noise ratio of two pictures' luminance.

    Protocol: Y of YCbCr, ITU-R BT.601 in studio range (16 to 235, as MATLAB's rgb2ycbcr gives it, but not rounded);
    peak 255; `border` pixels cut off on every side, as many as the factor in most of the super-resolution literature.

    Args:
        first, second: RGB pictures (H, W, 3) uint8, of one shape.
        border: px to leave out on every side.

    Returns:
        Float in dB; math.inf for two pictures of one luminance. The order does not matter.

    Raises:
        InputError: other or unlike shapes or dtypes, or nothing left within the border.

    Source: 10 log10(255^2 / mean (Y1 - Y2)^2); on Y alone, with borders cut, as Johnson et al. (arXiv:1603.08155),
    section 4.2, and Dong et al., "Image Super-Resolution Using Deep Convolutional Networks", 2014.
    """
    first, second = _pair(first, second, 1, border)
    error = np.mean((first @ _STUDIO_LUMA - second @ _STUDIO_LUMA) ** 2)
    return 10 * math.log10(255**2 / error) if error else math.inf


def ssim(first, second, border=0):
    """Structural similarity of two pictures' luminance.

    Protocol: Rec. 601 luminance in [0, 1]; Gaussian window of 11x11 px with sigma 1.5; K1 = 0.01, K2 = 0.03; the
    mean over the windows that lie within the picture; no downsampling before.

    Args:
        first, second: RGB pictures (H, W, 3) uint8, of one shape of at least 11 px a side within the border.
        border: px to leave out on every side.

    Returns:
        Float in [-1, 1]; 1 is the same picture. The order does not matter.

    Raises:
        InputError: other or unlike shapes or dtypes.

    Source: Wang, Bovik, Sheikh and Simoncelli, "Image Quality Assessment: From Error Visibility to Structural
    Similarity", IEEE Transactions on Image Processing 13(4), 2004, eq. 13.
    """
    first, second = _pair(first, second, _WINDOW, border)
    x, y = first @ _LUMA / 255, second @ _LUMA / 255
    mean_x, mean_y = _blurred(x), _blurred(y)
    variances = _blurred(x * x) - mean_x**2 + _blurred(y * y) - mean_y**2
    covariance = _blurred(x * y) - mean_x * mean_y
    alike = (2 * mean_x * mean_y + _C1) * (2 * covariance + _C2)
    return float(np.mean(alike / ((mean_x**2 + mean_y**2 + _C1) * (variances + _C2))))


def mean_variation(picture):
    """Mean |horizontal difference| + mean |vertical difference| of neighboring pixels: grain and edges.

    This is `tfstyle.losses.total_variation` without the corner that it rounds off for its gradient.

    Args:
        picture: RGB (H, W, 3) uint8, at least 2 px a side.

    Returns:
        Float in [0, 2], of values in [0, 1].

    Raises:
        InputError: another shape or dtype.

    Source: anisotropic total variation (Rudin, Osher and Fatemi 1992), divided by the number of differences.
    """
    values = _checked(picture, 2).astype(np.int16)
    return sum(float(np.abs(np.diff(values, axis=axis)).mean(dtype=np.float64)) for axis in (0, 1)) / 255


def _pair(first, second, least, border):
    """Two pictures to compare, without their borders, at least so many px a side."""
    border = check_number("border", border, 0, integer=True)
    first, second = (_checked(picture, least + 2 * border) for picture in (first, second))
    if first.shape != second.shape:
        raise InputError(
            f"pictures to compare must have one shape; received {first.shape} and {second.shape}: resize one of them."
        )
    return (picture[border:len(picture) - border, border:picture.shape[1] - border] for picture in (first, second))


def _checked(picture, least):
    picture = np.asarray(picture)
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or min(picture.shape[:2]) < least:
        raise InputError(
            f"a picture to measure must be uint8 of shape (H, W, 3), at least {least} px a side; "
            f"received {picture.dtype} of shape {picture.shape}."
        )
    return picture


def _blurred(values):
    """Weighted means under the Gaussian window, where it lies within: (H, W) -> (H - 10, W - 10)."""
    weights = np.exp(-((np.arange(_WINDOW) - _WINDOW // 2) ** 2) / (2 * _SIGMA**2))
    weights /= weights.sum()
    for axis in (0, 1):
        count = values.shape[axis] - _WINDOW + 1
        values = sum(w * values.take(range(i, i + count), axis) for i, w in enumerate(weights))
    return values
