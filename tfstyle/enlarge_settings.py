"""What can be asked of enlargement: its settings, written once, which models it takes, and how large it may get.

Nothing here imports TensorFlow: the command line checks with it before anything heavy is loaded.
"""

import dataclasses
import json
import numbers
import os
import zipfile

import numpy as np
from PIL import Image

from tfstyle.checks import InputError
from tfstyle.controls import PRECISIONS, kind_at, saved_card
from tfstyle.images import LEAST_SIDE
from tfstyle.settings import check_fields, setting
from tfstyle.weights.files import shipped_factors

__all__ = [
    "FACTORS", "EnlargeSettings", "check_factor", "check_model", "enlarged_shape", "model_factor", "other_factor",
]

FACTORS = (4, 8)
_LEAST_REQUEST = LEAST_SIDE**2  # px that a SavedModel takes at least


@dataclasses.dataclass(frozen=True)
class EnlargeSettings:
    """How `tfstyle.enlarge` works. Each field carries its unit, range and source in `metadata["text"]`.

    Raises:
        InputError: a value outside its range or not among its choices.
    """

    factor: int | None = setting(
        None, "by which the sides grow, 4 or 8; none takes the model's own, and 4 of those shipped", group="picture"
    )
    match_histogram: bool = setting(
        True, "distribute the values of each channel as in the picture itself (arXiv:1603.08155, section 4.2)",
        group="picture",
    )
    model: str = setting(
        "default", "default: shipped with tfstyle for that factor; or the path of an .npz, a .keras or a SavedModel "
        "folder", group="network",
    )
    precision: str = setting(
        "auto", "of the convolutions; auto: bfloat16 where the processor has it", group="network", choices=PRECISIONS,
    )

    def __post_init__(self):
        if self.factor is not None:
            check_factor(self.factor)
        check_fields(self)


def check_factor(factor):
    """Raises `InputError` unless networks enlarge by `factor`."""
    if not isinstance(factor, numbers.Integral) or factor not in FACTORS:
        raise InputError(f"factor must be 4 or 8; received {factor!r}.")


def check_model(model, factor=None):
    """Checks a model as far as that goes without loading it.

    Args:
        model: "default" or a path (str or pathlib).
        factor: by which it is to enlarge; None for whatever a model at a path does, and for 4 by "default".

    Returns:
        What one of our SavedModels says of itself: {"kind": "superres", "factor": 4 or 8, "reach": px around a pixel
        that its enlargement depends on, "most_pixels": of a request, ...}; None of any other model.

    Raises:
        InputError: nothing is there, or no network that enlarges by `factor`.
    """
    if not isinstance(model, (str, os.PathLike)):
        raise InputError(f'model must be "default" or a path; received {model!r}.')
    name = os.fsdecode(model)
    if name == "default":
        _check_shipped(FACTORS[0] if factor is None else factor)
        return None
    kind = kind_at(name, ("default",), "check the path, or use the model default.")
    if kind in ("arbitrary", "style"):
        raise InputError(f"model {name!r} paints pictures and enlarges none; use tfstyle.stylize, or give another.")
    if kind == "translate":
        raise InputError(f"model {name!r} translates pictures; use tfstyle.translate, or give another to enlarge by.")
    return _card(name, factor) if os.path.isdir(name) else None


def model_factor(model, factor=None):
    """By how much a model that `check_model` lets pass enlarges, as its file or folder says.

    Args:
        model: as `check_model` takes it.
        factor: by which it is to enlarge; None for whatever it does.

    Returns:
        4 or 8.

    Raises:
        InputError: it enlarges by another factor, or does not say by which.
    """
    name = os.fsdecode(model)
    if name == "default":
        return FACTORS[0] if factor is None else factor
    found = (saved_card(name) if os.path.isdir(name) else _head(name)).get("factor")
    if type(found) is not int or found not in FACTORS:
        raise InputError(f"{name} does not say by how much it enlarges, or is damaged: give another model.")
    if factor not in (None, found):
        raise other_factor(name, found, factor)
    return found


def other_factor(name, found, factor):
    """The `InputError` for a model that enlarges by another factor than asked for."""
    return InputError(
        f"The model {name!r} enlarges by {found}, not by {factor}; use the factor {found} or another model."
    )


def enlarged_shape(height, width, factor):
    """(height, width) in px of a picture enlarged.

    Raises:
        InputError: more pixels than `PIL.Image.MAX_IMAGE_PIXELS`.
    """
    limit = Image.MAX_IMAGE_PIXELS
    if limit is not None and factor**2 * height * width > limit:
        raise InputError(
            f"A {width}x{height} px picture would be {factor * width}x{factor * height} px, over the limit of {limit} "
            "pixels; enlarge a smaller one."
        )
    return factor * height, factor * width


def _check_shipped(factor):
    there = shipped_factors()
    if factor not in there:
        instead = f", or use the factor {there[0]}" if there else ""
        raise InputError(
            f"No network that enlarges by {factor} is part of this version of tfstyle; train one (tfstyle train "
            f"superres --factor {factor}) and give its path as the model{instead}."
        )


def _head(path):
    """What a file says of its network, which is one that enlarges."""
    if path.lower().endswith(".npz"):
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as arrays:
            return json.loads(bytes(arrays["config"]))
    with zipfile.ZipFile(path) as file:
        layers = json.loads(file.read("config.json"))["config"]["layers"]
    return next(layer["config"]["values"] for layer in layers if layer["class_name"] == "Head")


def _card(folder, factor):
    """What the folder of a SavedModel says of a network that enlarges by `factor`."""
    card = saved_card(folder)
    if card is None:
        raise InputError(f"The SavedModel {folder!r} is none of tfstyle export superres; give another model.")
    values = [card.get(name) for name in ("factor", "reach", "most_pixels")]
    if (any(type(value) is not int for value in values) or card["factor"] not in FACTORS or card["reach"] < 0
            or card["most_pixels"] < _LEAST_REQUEST):
        raise InputError(f"The SavedModel {folder!r} does not say rightly how it enlarges; export it anew.")
    if factor not in (None, card["factor"]):
        raise other_factor(folder, card["factor"], factor)
    return card
