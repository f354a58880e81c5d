"""What a picture file, a PIL image or an array holds, as plain RGB and alpha arrays.

8-bit sources stay uint8 and all others become float32 in [0, 1], so that the caller can resample each in its
own precision. EXIF orientation and ICC profile are applied; `label` is how error sentences call the picture.
"""

import contextlib
import io
import threading
import warnings

import numpy as np
from PIL import Image, ImageCms, ImageFile

from tfstyle.checks import InputError
from tfstyle.images.geometry import LEAST_SIDE, check_shape

__all__ = ["checked", "decoded", "floats", "opened", "split", "unit"]

# Only formats that Pillow decodes by itself and that announce themselves: EPS would run Ghostscript.
_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP", "PPM", "JPEG2000", "PSD", "QOI", "AVIF")
_ORIENTATION = 0x0112  # the EXIF tag, and what each of its values asks for
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_PHOTOMETRIC = 262  # the TIFF tag; 0 says that white is the least value
_DUST = 1e-6  # how far rounding may carry a float beyond [0, 1]
_RAMP = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
_CUBE = Image.fromarray(np.indices((9, 9, 9), np.uint8).reshape(3, 27, 27).transpose(1, 2, 0) * 31)
_FILTERS = threading.Lock()
_AT_ONCE = 2**20  # pixels taken over from Pillow at once


@contextlib.contextmanager
def _quiet():
    """Silences Pillow's remarks on metadata and size; locked, since warning filters belong to all threads."""
    with _FILTERS, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def opened(file, label):
    """The PIL image in a seekable binary file, its header read and its pixels not yet.

    Raises:
        InputError: no picture, or more pixels than `PIL.Image.MAX_IMAGE_PIXELS`.
    """
    heif = ("HEIF",) if "HEIF" in Image.OPEN else ()  # there once the user has registered pillow-heif
    try:
        with _quiet():
            return Image.open(file, formats=_FORMATS + heif)
    except Image.DecompressionBombError as error:
        raise _too_many_pixels(label) from error
    except Exception as error:  # a damaged header surfaces as nearly anything
        raise InputError(
            f"{label} is in no picture format that can be read, or damaged; convert it to JPEG or PNG first."
        ) from error


def decoded(image, label, size=None, least=LEAST_SIDE):
    """The pixels of a PIL image.

    Args:
        image: PIL image of any mode; it is not changed, beyond being loaded.
        label: how error sentences call it.
        size: long side in px that it will be fitted to; an impossible one is refused before decoding.
        least: side in px that it must have.

    Returns:
        (rgb, alpha): (H, W, 3) and (H, W) or None; uint8, or float32 in [0, 1] if the source has more bits.

    Raises:
        InputError: too many pixels, damaged or truncated data, values that no picture has.
    """
    limit = Image.MAX_IMAGE_PIXELS
    if isinstance(image, ImageFile.ImageFile) and limit is not None and image.width * image.height > limit:
        raise _too_many_pixels(label)
    check_shape(image.height, image.width, size, name=label, least=least)
    try:
        image.load()
        image = _upright(image)
        return _deep(image, label) if image.mode.startswith(("I", "F")) else _shallow(image)
    except InputError:
        raise
    except Exception as error:  # decoders, too, fail in every way there is
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(
            f"{label} cannot be decoded ({reason}); it may be damaged or cut short, so get or save it again."
        ) from error


def _too_many_pixels(label):
    # Nothing of how to raise the limit: no flag does, and the visitors of a page shall not.
    return InputError(f"{label} has more than the limit of {Image.MAX_IMAGE_PIXELS} pixels; make it smaller first.")


def _upright(image):
    """Turned as EXIF asks. Not by ImageOps.exif_transpose, which fails if it cannot write EXIF anew."""
    turn = None
    with contextlib.suppress(Exception), _quiet():  # an unreadable EXIF block asks for nothing
        turn = _TURNS.get(image.getexif().get(_ORIENTATION))
    return image if turn is None else image.transpose(turn)


def _shallow(image):
    """Pixels of a loaded image with 8 bits a channel."""
    grey = image.mode in ("1", "L", "LA", "La")
    alpha = None
    if image.has_transparency_data:
        image = _as(image, "LA" if grey else "RGBA")
        alpha = _array(image.getchannel("A"))
    if grey:
        image = _as(image, "L")
    elif image.mode not in ("CMYK", "LAB"):
        image = _as(image, "RGB")
    return _srgb(image, image.info.get("icc_profile")), alpha


def _as(image, mode):
    return image if image.mode == mode else image.convert(mode)  # which copies even what is of that mode


def _array(image):
    """An L or RGB image as array, by rows: at once, Pillow would make two copies more of the whole."""
    array = np.empty((image.height, image.width, 3)[:2 + (image.mode == "RGB")], np.uint8)
    step = max(1, _AT_ONCE // image.width)
    for top in range(0, image.height, step):
        part = array[top:top + step]
        part[:] = image.crop((0, top, image.width, top + len(part)))
    return array


def _deep(image, label):
    """Pixels of a loaded grey image with 16 or 32 bits a channel."""
    grey = np.asarray(image)
    if image.mode == "I":  # Pillow's 32-bit mode, in which it hands out 16-bit PGM and PNG
        if grey.min() < 0 or grey.max() > 65535:
            raise InputError(
                f"{label} holds values from {grey.min()} to {grey.max()}; save it with 16 bits (0..65535)."
            )
        grey = grey.astype(np.uint16)
    transparent = image.info.get("transparency")
    alpha = None if transparent is None else (grey != transparent).astype(np.float32)
    if image.mode == "I;16" and getattr(image, "tag_v2", {}).get(_PHOTOMETRIC) == 0:
        grey = 65535 - grey  # Pillow leaves this to us for 16 bits
    rgb, _ = split(checked(grey, label))
    profile = image.info.get("icc_profile")
    if profile:  # Pillow's transforms end in 8 bits: follow the curve that they draw, from step to step
        steps = _srgb(_RAMP, profile)[0]
        rgb = np.stack([_along(rgb[..., c], steps[:, c]) for c in range(3)], axis=-1)
    return rgb, alpha


def _along(values, steps):
    """`values` in [0, 1] through a curve known as 256 bytes, free of its plateaus if it rises."""
    middle, levels = np.arange(256.0), steps
    if (steps[1:] >= steps[:-1]).all():
        levels, first, count = np.unique(steps, return_index=True, return_counts=True)
        middle = first + (count - 1) / 2
        middle[0], middle[-1] = 0, 255
    return np.interp(values * 255, middle, levels / 255).astype(np.float32)


def _srgb(image, profile):
    """An L, RGB, CMYK or LAB image as sRGB array; a profile that is broken or for another mode is ignored."""
    if not profile and image.mode != "LAB":
        return _array(_as(image, "RGB"))
    try:
        if image.mode == "LAB":
            source = ImageCms.createProfile("LAB")
        else:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if image.mode == "L" and source.profile.xcolor_space.strip() == "RGB":
            image = image.convert("RGB")
        # The optimized transform of greys is 0.03 off in the shadows; a table of the exact one is as fast.
        flags = ImageCms.Flags.NOOPTIMIZE if image.mode == "L" else ImageCms.Flags.NONE
        srgb = ImageCms.createProfile("sRGB")
        transform = ImageCms.buildTransform(
            source, srgb, image.mode, "RGB", ImageCms.Intent.PERCEPTUAL, flags
        )
        if image.mode == "L":
            return np.asarray(ImageCms.applyTransform(_RAMP, transform))[0][np.asarray(image)]
        if image.mode == "RGB":  # one of the many sRGB profiles? then spare the pixels its rounding
            moved = ImageCms.applyTransform(_CUBE, transform)
            if np.abs(np.asarray(moved, np.int16) - np.asarray(_CUBE)).max() <= 1:
                return _array(image)
        return _array(ImageCms.applyTransform(image, transform))
    except (ImageCms.PyCMSError, OSError, TypeError, ValueError):
        return _array(_as(image, "RGB"))


def checked(array, label):
    """An array or tensor as (H, W, 1|3|4), uint8 or float32 in [0, 1]; it may share the caller's memory.

    Raises:
        InputError: another shape, dtype or range.
    """
    try:
        array = floats(np.asarray(array))
    except Exception as error:
        kind = type(array).__name__
        raise InputError(f"{label} ({kind}) does not turn into an array; pass a NumPy array.") from error
    received = array.shape
    if array.ndim in (3, 4) and array.shape[0] == 1 and (array.ndim == 4 or array.shape[2] not in (1, 3, 4)):
        array = array[0]
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4):
        hint = "; move the channels last." if array.ndim == 3 and array.shape[0] in (1, 3, 4) else "."
        raise InputError(f"{label} must have shape (H, W) or (H, W, 1, 3 or 4); received {received}{hint}")
    kind, bits = array.dtype.kind, 8 * array.dtype.itemsize
    if (kind, bits) == ("u", 8) or not array.size:  # an empty one is refused for its sides
        return array
    if (kind, bits) == ("u", 16):
        return np.divide(array, 65535, dtype=np.float32)
    if kind != "f":
        raise InputError(
            f"{label} must be uint8 (0..255), uint16 (0..65535) or float (0..1); received {array.dtype}."
        )
    low, high = array.min(), array.max()
    if not (np.isfinite(low) and np.isfinite(high)):
        raise InputError(f"{label} holds NaN or infinite values; replace them by numbers from 0 to 1.")
    if low < -_DUST or high > 1 + _DUST:
        remedy = "divide them by 255" if 0 <= low and 2 < high <= 255 else "scale or clip them"
        raise InputError(f"{label} must hold values from 0 to 1, not from {low:g} to {high:g}; {remedy}.")
    return array.astype(np.float32).clip(0, 1)


def floats(array):
    """bfloat16, which NumPy does not count among its floats, as float32; anything else as it is."""
    return array.astype(np.float32) if array.dtype.name == "bfloat16" else array


def unit(array):
    """uint8 as float32 in [0, 1]; floats as they are."""
    return np.divide(array, 255, dtype=np.float32) if array.dtype == np.uint8 else array


def split(array):
    """(H, W, 1|3|4) as RGB (H, W, 3) and alpha (H, W) or None."""
    if array.shape[2] == 1:
        array = array.repeat(3, axis=2)
    return array[..., :3], array[..., 3] if array.shape[2] == 4 else None
