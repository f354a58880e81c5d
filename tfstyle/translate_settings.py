"""What can be asked of translation between two domains: its settings, written once, and which models it takes.

Nothing here imports TensorFlow: the command line checks with it before anything heavy is loaded.
"""

import dataclasses
import os

from tfstyle.checks import InputError
from tfstyle.controls import PRECISIONS, kind_at, saved_card
from tfstyle.images import LEAST_SIDE
from tfstyle.settings import check_fields, setting
from tfstyle.weights.files import shipped_translations

__all__ = ["DIRECTIONS", "DOMAINS", "TranslateSettings", "check_model", "other_direction"]

DOMAINS = ("a", "b")
DIRECTIONS = ("a2b", "b2a", "a2a", "b2b")
_LEAST_REQUEST = LEAST_SIDE**2  # px that a SavedModel takes at least


@dataclasses.dataclass(frozen=True)
class TranslateSettings:
    """How `tfstyle.translate` works. Each field carries its unit, range and source in `metadata["text"]`.

    Raises:
        InputError: a value outside its range or not among its choices.
    """

    direction: str = setting(
        "a2b", "from domain a to b, or from b to a; a2a and b2b code a picture and decode it as one of its own domain",
        group="picture", choices=DIRECTIONS,
    )
    size: int | None = setting(
        256, "long side of the result in pixels; none keeps the picture's own; networks are trained on pictures of 128 "
        "to 256 and paint strokes of so many pixels at any size: larger ones get finer strokes, and change less",
        group="picture", low=LEAST_SIDE,
    )
    style_size: int = setting(
        256, "long side in pixels at which pictures of the target domain are looked at", group="picture",
        low=LEAST_SIDE,
    )
    seed: int = setting(0, "of random styles", group="picture", low=0)
    precision: str = setting(
        "auto", "of the convolutions; statistics are float32 always; auto: bfloat16 where the processor has it",
        group="network", choices=PRECISIONS,
    )

    def __post_init__(self):
        check_fields(self)


def check_model(model, direction=None):
    """Checks a model as far as that goes without loading it.

    Args:
        model: name of a network shipped with tfstyle, or a path (str or pathlib).
        direction: in which it is to translate, one of DIRECTIONS; None for any. Files hold all of them.

    Returns:
        What one of our SavedModels says of itself: {"kind": "translate", "direction": one of DIRECTIONS, "style":
        numbers in a style code, "most_pixels": of a request, ...}; None of any other model.

    Raises:
        InputError: nothing is there, or no network that translates in this direction.
    """
    names = shipped_translations()
    if not isinstance(model, (str, os.PathLike)):
        wanted = " or ".join([*map(repr, names), "the path of a network from tfstyle train translate"])
        raise InputError(f"model must be {wanted}; received {model!r}.")
    name = os.fsdecode(model)
    if name in names:
        return None
    kind = kind_at(name, names, "check the path.")
    if kind in ("arbitrary", "style"):
        raise InputError(f"model {name!r} paints pictures and translates none; use tfstyle.stylize, or give another.")
    if kind == "superres":
        raise InputError(f"model {name!r} enlarges pictures and translates none; use tfstyle.enlarge, or give another.")
    return _card(name, direction) if os.path.isdir(name) else None


def other_direction(name, found, direction):
    """The `InputError` for a SavedModel that translates in another direction than asked for."""
    return InputError(
        f"The model {name!r} translates {found}, not {direction}; use the direction {found} or another model."
    )


def _card(folder, direction):
    """What the folder of a SavedModel says of a network that translates in this direction."""
    card = saved_card(folder)
    if card is None:
        raise InputError(f"The SavedModel {folder!r} is none of tfstyle export translate; give another model.")
    found, style, most = (card.get(name) for name in ("direction", "style", "most_pixels"))
    if found not in DIRECTIONS or type(style) is not int or style < 1 or type(most) is not int or most < _LEAST_REQUEST:
        raise InputError(f"The SavedModel {folder!r} does not say rightly how it translates; export it anew.")
    if direction not in (None, found):
        raise other_direction(folder, found, direction)
    return card
