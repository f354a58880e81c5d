"""What a visitor asks for, checked as far as that goes without TensorFlow."""

import dataclasses
import io
import os
import re
import threading

from tfstyle import images
from tfstyle.checks import InputError, check_choice, check_number
from tfstyle.controls import Controls, read_style
from tfstyle.images.files import pixels
from tfstyle.images.pixels import opened
from tfstyle.weights.files import shipped_styles

__all__ = ["DECODING", "METHODS", "Order", "checked_picture", "no_picture", "ordered", "too_large"]

METHODS = ("fast", "optimize", "learned")  # the last: a shipped network for one style
DECODING = threading.Lock()  # held by who decodes for a visitor: one picture at a time, however many there are
_NAME = 60  # characters of a photo's name that its result keeps


@dataclasses.dataclass(frozen=True)
class Order:
    """One picture to be painted.

    Attributes:
        method: one of METHODS.
        photo: bytes of the photo's file.
        size: long side of the result in px.
        call: further keywords of `tfstyle.stylize`.
        name: of the result's file, without its ending.
    """

    method: str
    photo: bytes
    size: int
    call: dict
    name: str


def ordered(limits, photo, style=None, second=None, *, mix=0.5, method="fast", model="", size=Controls.size, **look):
    """An order, of which everything has been checked that TensorFlow is not needed for.

    Args:
        limits: `tfstyle.web.settings.WebSettings`.
        photo, style, second: paths of picture files, None where there is none. With "learned" the last two are left
            out of account.
        mix: share of the second style, 0 to 1.
        method: one of METHODS.
        model: name of a shipped network for one style, for "learned".
        size: long side of the result in px.
        **look: fields of `tfstyle.look.Look`. Those that a network for one style has no use for are left out for it.

    Returns:
        `Order`.

    Raises:
        InputError: a picture or a setting that does not work.
    """
    check_choice("method", method, METHODS)
    if check_number("size", size, images.LEAST_SIDE, integer=True) > limits.largest:
        raise InputError(f"Size is at most {limits.largest} px on this page; choose a smaller one.")
    mix = check_number("mix", mix, 0, 1)
    if method == "learned":
        check_choice("model", model, shipped_styles())
        look = {name: value for name, value in look.items() if name in ("color", "photoreal")}
    controls = Controls(size=size, **look)
    if photo is None:
        raise InputError("There is no photo yet; drop one onto its field, or choose one of those below it.")
    data = checked_picture(limits, photo, "photo", size)
    call = {name: getattr(controls, name) for name in look}
    if method == "learned":
        call["model"] = model
    else:
        call |= _styles(limits, style, second, mix, controls)
    return Order(method, data, size, call, _named(photo))


def checked_picture(limits, path, name, size=None):
    """The bytes of a picture file, once it is known that they are a picture.

    Args:
        limits: `WebSettings`.
        path: of the file.
        name: how error sentences call it, such as "photo". They do not tell its path, which is the server's affair.
        size: as `tfstyle.images.read` takes it.

    Raises:
        InputError: a file that is gone, empty, too large, or no picture.
    """
    with DECODING:
        data = _content(limits, path, name)
        pixels(data, name=f"the {name}", size=size)
    return data


def too_large(limits, name):
    """The sentence for a file that is."""
    return (
        f"The {name} has more than {limits.upload:g} MB, which is as much as this page takes; "
        "save it smaller, or as JPEG."
    )


def no_picture(name):
    """The sentence for a file whose name says that it is something else."""
    return f"The {name} is no picture file; choose a JPEG, PNG or WebP, or convert it to one of these first."


def _content(limits, path, name):
    """The bytes of a picture file whose header says that it can be decoded."""
    try:
        if os.path.getsize(path) > limits.upload * 2**20:
            raise InputError(too_large(limits, name))
        with open(path, "rb") as file:
            data = file.read()
    except (OSError, TypeError):  # the latter where there is no path at all
        raise InputError(f"The {name} is no longer here, for pictures are kept for a while only; choose it anew."
                         ) from None
    if not data:
        raise InputError(f"The {name} is empty (0 bytes); get or save it again.")
    with opened(io.BytesIO(data), f"the {name}") as image:
        if image.width * image.height > limits.megapixels * 1e6:
            raise InputError(
                f"The {name} has {image.width} x {image.height} pixels, and {limits.megapixels:g} million are as much "
                "as this page takes; make it smaller."
            )
    return data


def _styles(limits, style, second, mix, controls):
    """Keywords of `tfstyle.stylize` for one painting or two."""
    if style is None:
        raise InputError("There is no painting yet; drop one onto its field, or choose one of those below it.")
    if second is None or mix == 0:
        wanted = {"painting": style}
    elif mix == 1:
        wanted = {"second painting": second}
    else:
        wanted = {"painting": style, "second painting": second}
    pictures = []
    for name, path in wanted.items():
        with DECODING:
            pictures.append(_content(limits, path, name))
            read_style(pictures[-1], controls, controls.size, f"the {name}")
    return {"style": pictures, "weights": None if len(pictures) == 1 else (1 - mix, mix)}


def _named(photo):
    """"holiday-painted", for a photo in holiday.jpg."""
    stem = re.sub(r"[^\w .()-]+", "_", os.path.splitext(os.path.basename(photo))[0]).strip(" .")
    return f"{stem[:_NAME] or 'picture'}-painted"
