"""What can be asked of the one-pass engine: its settings, written once, and which models it takes.

Nothing here imports TensorFlow: the command line checks with it before anything heavy is loaded.
"""

import dataclasses
import os

from tfstyle import images
from tfstyle.checks import InputError, closest
from tfstyle.settings import check_fields, setting
from tfstyle.weights.files import ARBITRARY, SHIPPED

__all__ = ["Controls", "check_model", "read_style"]

PRECISIONS = ("auto", "float32", "bfloat16")
ENDINGS = (".npz", ".keras")


@dataclasses.dataclass(frozen=True)
class Controls:
    """How `tfstyle.ArbitraryStylizer` paints. Each field carries its unit, range and source in `metadata["text"]`.

    Raises:
        InputError: a value outside its range or not among its choices.
    """

    size: int | None = setting(
        512, "long side of the result in pixels; none keeps the content's own", group="picture", low=16
    )
    style_size: int | None = setting(
        None, "long side in pixels at which the style is looked at, and so the size of the strokes: smaller gives "
        "finer ones; none takes the result's", group="picture", low=16,
    )
    strength: float = setting(1.0, "of the style, from 0 (the photo itself) to 1", group="picture", low=0.0, high=1.0)
    model: str = setting(
        "default", "default: shipped with tfstyle; the path of an .npz, a .keras or a SavedModel folder; or the "
        "https:// handle of a TF Hub model", group="network",
    )
    precision: str = setting(
        "auto", "of the convolutions; statistics are float32 always; auto: bfloat16 where the processor has it",
        group="network", choices=PRECISIONS,
    )

    def __post_init__(self):
        check_fields(self)


def check_model(model):
    """Checks a model's name as far as that goes without loading it.

    Args:
        model: "default", a path (str or pathlib), or a handle beginning with https:// (or http://).

    Returns:
        "ours" (shipped, .npz or .keras), "folder" (a SavedModel) or "handle" (of TF Hub).

    Raises:
        InputError: nothing is there, or nothing that could be a model.
    """
    if not isinstance(model, (str, os.PathLike)):
        raise InputError(f'model must be "default", a path or a TF Hub handle; received {model!r}.')
    name = os.fsdecode(model)
    if name == "default":
        if ARBITRARY not in SHIPPED:
            raise InputError(
                "The one-pass network's weights are not part of this version of tfstyle; give the path of an .npz or "
                '.keras file as model, or use method="optimize".'
            )
        return "ours"
    if name.startswith(("https://", "http://")):
        return "handle"
    if os.path.isdir(name):
        if not any(os.path.isfile(os.path.join(name, f"saved_model.{kind}")) for kind in ("pb", "pbtxt")):
            raise InputError(f"model {name!r} is a folder without a saved_model.pb; name the folder that holds it.")
        return "folder"
    if not os.path.isfile(name):
        near = closest(name, ("default",))
        hint = f"did you mean {near!r}?" if near else 'check the path, or give model="default".'
        raise InputError(f"There is no model {name!r}; {hint}")
    if not name.lower().endswith(ENDINGS):
        raise InputError(f"model {name!r} has an unknown ending; it must be {' or '.join(ENDINGS)}, or a folder.")
    return "ours"


def read_style(style, style_size, photo_side):
    """A style picture at the size at which it is looked at.

    Args:
        style: a picture of any kind.
        style_size: long side in px, or None for the photo's; where that would leave the short side under 16 px, as a
            long painting beside a small photo, the least that does not.
        photo_side: long side of the photo in px.

    Returns:
        A `tfstyle.images.Picture`.

    Raises:
        InputError: no usable picture, or a `style_size` too small for it.
    """
    try:
        return images.read(style, name="style picture", size=style_size or photo_side)
    except InputError:
        if style_size is not None:
            raise
    whole = images.read(style, name="style picture")
    side = photo_side
    while min(images.fitted_shape(*whole.rgb.shape[:2], side)) < images.LEAST_SIDE:
        side += 1
    return images.read(style, name="style picture", size=side)
