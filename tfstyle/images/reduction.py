"""Small pictures made from large ones as super-resolution is measured: blurred, then reduced bicubically."""

import math

import numpy as np
from PIL import Image

__all__ = ["low_resolution"]

_REACH = 4.0  # standard deviations after which the Gaussian is cut off


def low_resolution(picture, factor, blur=1.0):
    """A picture as a network that enlarges it `factor` times gets it.

    Args:
        picture: uint8 (H, W, 3); sides are cut down to multiples of `factor` first, at the right and the bottom.
        factor: by which the sides shrink.
        blur: standard deviation in px of the Gaussian that goes before; 0 for none.

    Returns:
        (small (H / factor, W / factor, 3) uint8, the cut picture that it comes from).

    Source: Johnson et al., ECCV 2016 (arXiv:1603.08155), section 4.2: sigma 1.0 and bicubic interpolation; Pillow's is
    widened to the reduction, as MATLAB's imresize is by default.
    """
    height, width = (side - side % factor for side in picture.shape[:2])
    picture = picture[:height, :width]
    soft = Image.fromarray(_blurred(picture, blur) if blur else np.ascontiguousarray(picture))
    small = soft.resize((width // factor, height // factor), Image.Resampling.BICUBIC)
    return np.asarray(small), picture


def _blurred(picture, sigma):
    """Under a Gaussian, the border reflected: uint8 -> uint8."""
    reach = min(math.ceil(_REACH * sigma), min(picture.shape[:2]) - 1)
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2).astype(np.float32)
    weights /= weights.sum()
    values = np.pad(picture.astype(np.float32), ((reach, reach), (reach, reach), (0, 0)), mode="reflect")
    for axis in (0, 1):
        count = values.shape[axis] - 2 * reach
        values = sum(w * values.take(range(i, i + count), axis) for i, w in enumerate(weights))
    return np.rint(values).astype(np.uint8)
