"""Pictures to bytes, PIL images and files, and the checks of an output before any work."""

import io
import os
import stat
import tempfile

import numpy as np
from PIL import Image, features
from PIL import __version__ as pillow_version

from tfstyle.atomic import replaced
from tfstyle.checks import InputError, check_number, closest
from tfstyle.images.files import Picture, reason
from tfstyle.images.pixels import floats

__all__ = ["check_output", "to_pil", "to_uint8", "write"]

_FORMATS = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".avif": "AVIF",
}
# Longest side in px: what libjpeg and WebP can write, and what libavif agrees to read again.
_LONGEST = {"JPEG": 65500, "WEBP": 16383, "AVIF": 32768}


def to_uint8(rgb):
    """Values in [0, 1] as bytes: clipped, then rounded to the nearest of 0..255.

    Args:
        rgb: float array of any shape; uint8 is copied.

    Returns:
        A new uint8 array of the same shape.

    Raises:
        InputError: another dtype, or NaN, which no rounding can help.
    """
    rgb = floats(np.asarray(rgb))
    if rgb.dtype == np.uint8:
        return rgb.copy()
    if rgb.dtype.kind != "f":
        raise InputError(f"values to write must be float in [0, 1] or uint8; received {rgb.dtype}.")
    if np.isnan(rgb).any():
        raise InputError("values to write must be numbers; received NaN.")
    values = rgb.astype(np.float32)  # and in place from here on, since pictures may be large
    np.clip(values, 0, 1, out=values)
    values *= 255
    return np.rint(values, out=values).astype(np.uint8)


def to_pil(rgb, alpha=None):
    """An 8-bit PIL image.

    Args:
        rgb: (H, W, 3), a leading 1 allowed, float (clipped to [0, 1]) or uint8.
        alpha: (H, W), the same kinds of values; None for an opaque picture.

    Returns:
        PIL image, mode RGB, or RGBA if there is an alpha.

    Raises:
        InputError: another shape or dtype, NaN.
    """
    rgb = to_uint8(rgb)
    if rgb.ndim == 4 and rgb.shape[0] == 1:
        rgb = rgb[0]
    if rgb.ndim != 3 or rgb.shape[2] != 3 or 0 in rgb.shape:
        raise InputError(f"a picture to write must have shape (H, W, 3); received {rgb.shape}.")
    if alpha is None:
        return Image.fromarray(rgb)
    alpha = to_uint8(alpha)
    if alpha.shape != rgb.shape[:2]:
        raise InputError(f"the alpha to write must have shape {rgb.shape[:2]}; received {alpha.shape}.")
    return Image.fromarray(np.dstack([rgb, alpha]))


def check_output(path, shape=None):
    """Checks, before any work, that a picture can be written to `path`; leaves nothing behind.

    Args:
        path: str or pathlib path; its extension names the format.
        shape: (height, width) of the picture to come, in px, if known: some formats end at 16383 px.

    Raises:
        InputError: a format that is unknown or that this Pillow cannot write, a folder that is missing or
            unwritable, a path that is a folder, a device or write-protected, sides too long for the format.
    """
    label, target, _ = _target(path, shape)
    try:
        with tempfile.TemporaryFile(dir=os.path.dirname(target)):
            pass
    except OSError as error:
        raise _unwritable(label, error) from error


def write(path, picture, alpha=None, *, quality=95):
    """Writes a picture file whole or not at all: nobody reads half of it, and a failure keeps the old one.

    Args:
        path: str or pathlib path ending in .png, .jpg, .jpeg, .webp, .tif, .tiff or .avif.
        picture: `Picture`, PIL image of mode RGB or RGBA, or RGB (H, W, 3), float (clipped to [0, 1]) or uint8; sRGB.
        alpha: (H, W), the same kinds of values, kept where the format can hold it (all but JPEG); by default
            the picture's own.
        quality: of JPEG (4:4:4), WebP and AVIF (4:4:4), 1 to 100; PNG and TIFF are lossless.

    Raises:
        InputError: as `check_output`; a picture that `to_pil` refuses; a disk that does.
    """
    quality = check_number("quality", quality, 1, 100, integer=True)
    if isinstance(picture, Picture):
        picture, alpha = picture.rgb, picture.alpha if alpha is None else alpha
    image = picture if isinstance(picture, Image.Image) and alpha is None else to_pil(picture, alpha)
    if image.mode not in ("RGB", "RGBA"):
        raise InputError(f"a picture to write must be RGB or RGBA; received mode {image.mode}.")
    label, target, kind = _target(path, image.size[::-1])
    options = {
        "PNG": {},
        "JPEG": {"quality": quality, "subsampling": "4:4:4"},
        "WEBP": {"quality": quality, "exact": True},  # colors survive under full transparency
        "TIFF": {"compression": "tiff_adobe_deflate"} if features.check("libtiff") else {},
        "AVIF": {"quality": quality, "subsampling": "4:4:4"},
    }[kind]
    data = io.BytesIO()
    try:
        (image.convert("RGB") if kind == "JPEG" else image).save(data, kind, **options)
    except Exception as error:
        raise InputError(f"{label} could not be encoded as {kind} ({error}); try .png.") from error
    try:
        with replaced(target) as beside, open(beside, "xb") as file:  # not tempfile, whose files nobody else may read
            file.write(data.getbuffer())
    except OSError as error:
        raise _unwritable(label, error) from error


def _target(path, shape):
    """Checks an output, all but the folder's consent.

    Returns:
        (label, target, kind): how errors call it, the real path behind symbolic links, Pillow's format.
    """
    if not isinstance(path, (str, os.PathLike)):
        raise InputError(f"the output must be a path (str or pathlib.Path); received {type(path).__name__}.")
    path = os.fsdecode(path)
    label = f"output {path!r}"
    if os.path.isdir(path):
        example = os.path.join(path, "picture.png")
        raise InputError(f"{label} is a folder; name a file in it, such as {example!r}.")
    kind = _kind(path, label)
    longest = _LONGEST.get(kind)
    if shape is not None and longest is not None and max(shape) > longest:
        raise InputError(
            f"{label}: {kind} holds at most {longest} px a side, not {max(shape)}; use .png or .tiff."
        )
    try:
        target = os.path.realpath(path)  # through symbolic links, so that they stay
    except (OSError, ValueError) as error:  # such as a relative path where the current folder has been removed
        raise _unwritable(label, error) from error
    try:
        mode = os.stat(target).st_mode
    except (FileNotFoundError, NotADirectoryError):
        mode = None
    except (OSError, ValueError) as error:
        raise _unwritable(label, error) from error
    folder = os.path.dirname(target)
    if not os.path.isdir(folder):
        what = "is a file" if os.path.exists(folder) else "does not exist"
        raise InputError(f"{label}: {folder!r} {what}; make that folder first or choose another.")
    if mode is not None and not stat.S_ISREG(mode):
        raise InputError(f"{label} exists and is no ordinary file; choose another name.")
    if mode is not None and not os.access(target, os.W_OK):
        raise InputError(f"{label} exists and is write-protected; choose another name.")
    return label, target, kind


def _kind(path, label):
    """Pillow's name of the format that the extension of `path` asks for."""
    extension = os.path.splitext(path)[1].lower()
    kind = _FORMATS.get(extension)
    if kind is None:
        near = closest(extension, _FORMATS) if extension else None
        what = f"has the unknown extension {extension!r}" if extension else "has no extension"
        hint = f"; did you mean {near!r}?" if near else "."
        raise InputError(f"{label} {what}; use one of {', '.join(_FORMATS)}{hint}")
    if kind not in Image.SAVE:
        Image.init()
    if kind not in Image.SAVE:
        others = ", ".join(e for e, k in _FORMATS.items() if k in Image.SAVE)
        raise InputError(f"{label}: this Pillow ({pillow_version}) cannot write {kind}; use one of {others}.")
    return kind


def _unwritable(label, error):
    """The sentence for a path, folder or disk that refuses."""
    return InputError(f"{label} cannot be written ({reason(error)}); choose another place.")
