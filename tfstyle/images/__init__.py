"""Pictures: files, bytes and arrays to one kind of array and back, and their sizes.

Inside tfstyle a picture is always float32, height x width x RGB, sRGB, values in [0, 1]. Nothing here imports
TensorFlow.
"""

from tfstyle.images.files import Picture, read
from tfstyle.images.geometry import LEAST_SIDE, fit, fitted_shape, resize
from tfstyle.images.output import check_output, to_pil, to_uint8, write

__all__ = [
    "LEAST_SIDE",
    "Picture",
    "check_output",
    "fit",
    "fitted_shape",
    "read",
    "resize",
    "to_pil",
    "to_uint8",
    "write",
]
