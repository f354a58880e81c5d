"""Picture files, bytes and arrays to `Picture`.

Whatever comes in (turned by EXIF, in another color space, grey, palette, 16-bit, transparent) is a `Picture`
inside: float32 sRGB in [0, 1], alpha set aside. 8-bit pictures are resampled as 8-bit, all others as floats.
"""

import contextlib
import dataclasses
import io
import os
import stat

import numpy as np
from PIL import Image

from tfstyle.checks import InputError, check_number, closest
from tfstyle.images.alpha import filled
from tfstyle.images.geometry import LEAST_SIDE, check_shape, resize
from tfstyle.images.pixels import checked, decoded, opened, split, unit

__all__ = ["Picture", "pixels", "read", "reason"]


@dataclasses.dataclass(frozen=True, eq=False)
class Picture:
    """A picture as tfstyle works on it.

    Attributes:
        rgb: float32 (H, W, 3), sRGB, in [0, 1].
        alpha: float32 (H, W) in [0, 1], 1 being opaque; None if the source had no transparency.
    """

    rgb: np.ndarray
    alpha: np.ndarray | None = None


def read(source, *, name="picture", size=None):
    """Any picture, checked and brought to the one form that tfstyle works on.

    Args:
        source: path (str or pathlib), bytes of a picture file, PIL image, `Picture`, or array (NumPy, or any
            tensor with `__array__`): uint8 0..255, uint16 0..65535 or float in [0, 1], of shape (H, W) or
            (H, W, 1|3|4), a leading 1 allowed. Of an animation the first frame counts.
        name: how the error sentences call it, such as "content picture".
        size: long side in px to fit to, up or down; None keeps the source's shape.

    Returns:
        A new `Picture` that shares no memory with `source`: EXIF orientation and ICC profile applied, colors that
        nothing is seen of continued from those beside them.

    Raises:
        InputError: anything that is no readable picture of at least 16 px a side, before and after fitting.
    """
    return Picture(*(None if part is None else unit(part) for part in pixels(source, name=name, size=size)))


def pixels(source, *, name="picture", size=None, least=LEAST_SIDE):
    """What `read` makes a `Picture` of, before it is made floats: a quarter of the memory, for large pictures.

    Args:
        source, name, size: as `read` takes them.
        least: side in px that the source must have.

    Returns:
        (rgb, alpha): (H, W, 3) and (H, W) or None; uint8, or float32 in [0, 1] if the source has more bits. Not to be
        written to: bytes may be the source's own.

    Raises:
        InputError: as `read`.
    """
    if size is not None:  # the caller's slip is told before any fault of the file
        size = check_number(f"the size of the {name}", size, LEAST_SIDE, integer=True)
    label = name
    if isinstance(source, (str, os.PathLike)):
        path = os.fsdecode(source)
        label = f"{name} {path!r}"
        with _open(path, label) as file:
            rgb, alpha = decoded(opened(file, label), label, size, least)
    elif isinstance(source, (bytes, bytearray, memoryview)):
        if not len(source):
            raise InputError(f"{name} is empty (0 bytes); pass the bytes of a whole picture file.")
        rgb, alpha = decoded(opened(io.BytesIO(source), name), name, size, least)
    elif isinstance(source, Image.Image):
        rgb, alpha = decoded(source, name, size, least)
    elif isinstance(source, Picture):
        rgb, alpha = split(checked(source.rgb, name))
        if source.alpha is not None:
            alpha = checked(source.alpha, f"the alpha of the {name}")[..., 0]
    elif hasattr(source, "__array__"):
        rgb, alpha = split(checked(source, name))
    else:
        raise InputError(
            f"{name} must be a path, the bytes of a picture file, a PIL image or an array; "
            f"received {type(source).__name__}."
        )
    if alpha is not None and alpha.shape != rgb.shape[:2]:
        raise InputError(f"the alpha of the {name} must have shape {rgb.shape[:2]}; received {alpha.shape}.")
    shape = check_shape(*rgb.shape[:2], size, name=label, least=least)
    if alpha is None:
        return _fitted(rgb, shape), None
    if not isinstance(source, Picture):  # whose hidden colors have been filled when it was read
        rgb = filled(rgb, alpha)
    return _fitted(rgb, shape), _fitted(alpha, shape)


def _fitted(array, shape):
    return np.ascontiguousarray(array) if array.shape[:2] == shape else resize(array, shape)


def _open(path, label):
    """An ordinary file, opened for reading."""
    try:
        status = os.stat(path)
        if stat.S_ISREG(status.st_mode) and status.st_size:
            return open(path, "rb")
    except (FileNotFoundError, NotADirectoryError) as error:
        if os.path.islink(path):
            raise InputError(f"{label} is a link to what does not exist; mend or remove it.") from error
        near = None
        with contextlib.suppress(OSError):
            given = os.path.basename(path)
            beside = [name for name in os.listdir(os.path.dirname(path) or ".")[:1000] if name != given]
            stems = {os.path.splitext(name)[0]: name for name in beside}  # any two names with one ending look alike
            near = stems.get(closest(os.path.splitext(given)[0], stems))
        hint = f"did you mean {near!r}?" if near else "check the path."
        raise InputError(f"{label} does not exist; {hint}") from error
    except PermissionError as error:
        raise InputError(f"{label} may not be read by this user; change its permissions.") from error
    except (OSError, ValueError) as error:
        raise InputError(f"{label} cannot be opened ({reason(error)}); check the path.") from error
    if stat.S_ISDIR(status.st_mode):
        raise InputError(f"{label} is a folder; name one picture file in it.")
    if stat.S_ISREG(status.st_mode):
        raise InputError(f"{label} is empty (0 bytes); get or save the picture again.")
    raise InputError(f"{label} is no ordinary file; save the picture as a file first.")


def reason(error):
    """What an operating system's error says went wrong."""
    return getattr(error, "strerror", None) or str(error)
