"""What can be asked of the one-pass engines: their settings, written once, and which models they take.

Nothing here imports TensorFlow: the command line checks with it before anything heavy is loaded.
"""

import dataclasses
import json
import os
import zipfile

import numpy as np

from tfstyle import images
from tfstyle.checks import InputError, check_choice, closest
from tfstyle.look import Look, seen_size
from tfstyle.settings import setting
from tfstyle.weights.files import ARBITRARY, SHIPPED, shipped_styles

__all__ = [
    "Controls", "check_model", "check_one_style", "check_styles", "controls_of", "kind_at", "kind_of", "read_style",
    "saved_card", "stamp",
]

# Long side in px at which styles are looked at unless it is said otherwise: no painting has more to tell.
MOST_SEEN = 2048
PRECISIONS = ("auto", "float32", "bfloat16")
ENDINGS = (".npz", ".keras")
CHECKPOINT = "manifest.json"  # of fast-style-transfer, read by nets/fast_style_transfer.py
_OF_STYLES = ("style_size", "style_scale", "strength")  # what nobody can ask of a model of one style
CARD = os.path.join("assets.extra", "tfstyle.json")  # in our SavedModels of networks of one model
OTHERS = {"superres": ("enlarges pictures", "enlarge"), "translate": ("translates pictures", "translate")}
_ONE_STYLE = f" {', '.join(shipped_styles())}: one style each, likewise;" if shipped_styles() else ""


@dataclasses.dataclass(frozen=True)
class Controls(Look):
    """How the one-pass engines paint. Each field carries its unit, range and source in `metadata["text"]`.

    Raises:
        InputError: a value outside its range or not among its choices.
    """

    size: int | None = setting(
        512, "long side of the result in pixels; none keeps the content's own", group="picture", low=16
    )
    model: str = setting(
        "default", f"default: any style, shipped with tfstyle;{_ONE_STYLE} the path of an .npz, a .keras, a SavedModel "
        "folder or the folder of a fast-style-transfer checkpoint; or the https:// handle of a TF Hub model",
        group="network",
    )
    precision: str = setting(
        "auto", "of the convolutions; statistics are float32 always; auto: bfloat16 where the processor has it",
        group="network", choices=PRECISIONS,
    )


def check_model(model):
    """Checks a model's name as far as that goes without loading it.

    Args:
        model: "default", the name of a shipped network for one style, a path (str or pathlib), or a handle beginning
            with https:// (or http://).

    Returns:
        "ours" (a network for any style: shipped, .npz or .keras), "style" (for one style: shipped, .npz, .keras, our
        SavedModel, or a checkpoint of fast-style-transfer), "folder" (another SavedModel) or "handle" (of TF Hub).

    Raises:
        InputError: nothing is there, or nothing that could be a model that paints.
    """
    if not isinstance(model, (str, os.PathLike)):
        raise InputError(f'model must be "default", a path or a TF Hub handle; received {model!r}.')
    name = os.fsdecode(model)
    if name == "default":
        if ARBITRARY not in SHIPPED:
            raise InputError(
                "The one-pass network's weights are not part of this version of tfstyle; give the path of an .npz or "
                ".keras file as the model, or use the method optimize."
            )
        return "ours"
    if name in shipped_styles():
        return "style"
    if name.startswith(("https://", "http://")):
        return "handle"
    kind = kind_at(name, ("default", *shipped_styles()), "check the path, or use the model default.")
    if kind in OTHERS:
        does, verb = OTHERS[kind]
        raise InputError(f"model {name!r} {does} and paints none; use tfstyle.{verb}, or give another.")
    return "ours" if kind == "arbitrary" else kind


def kind_at(name, names, otherwise):
    """What lies at a path that a model was asked for by, as `kind_of` says it.

    Args:
        name: the path.
        names: that it might have been meant for.
        otherwise: what to do if it was for none of them, for the sentence.

    Raises:
        InputError: nothing is there, or nothing that could be a model.
    """
    is_folder = os.path.isdir(name)
    if not is_folder and not os.path.isfile(name):
        near = closest(name, names)
        raise InputError(f"There is no model {name!r}; {f'did you mean {near!r}?' if near else otherwise}")
    if not is_folder and not name.lower().endswith(ENDINGS):
        raise InputError(f"model {name!r} has an unknown ending; it must be {' or '.join(ENDINGS)}, or a folder.")
    kind = kind_of(name)
    if kind is None and is_folder:
        raise InputError(f"model {name!r} is a folder without a saved_model.pb; name the folder that holds it.")
    if kind is None:
        raise InputError(f"{name} holds no network that this tfstyle knows, or is damaged: give another file.")
    return kind


def kind_of(path):
    """What a path holds: "arbitrary", "style", one of OTHERS, "folder" (another SavedModel) or None (no model)."""
    if os.path.isdir(path):
        if (card := saved_card(path)) is not None:
            return card["kind"]
        if _has_saved_model(path):
            return "folder"
        return "style" if os.path.isfile(os.path.join(path, CHECKPOINT)) else None
    try:
        kind = _kind_of_file(os.fsdecode(path))
    except Exception:  # damaged archives fail in every way there is
        return None
    return kind if kind in ("arbitrary", "style", *OTHERS) else None


def _kind_of_file(path):
    """What the head of a file says of its network; networks for any style are older than heads."""
    if path.lower().endswith(".npz"):
        # Opened here, since NumPy leaves the file of a damaged archive open.
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as arrays:
            return json.loads(bytes(arrays["config"])).get("kind", "arbitrary")
    with zipfile.ZipFile(path) as file:
        layers = json.loads(file.read("config.json"))["config"]["layers"]
    heads = [layer["config"]["values"] for layer in layers if layer["class_name"] == "Head"]
    if heads:
        return heads[0]["kind"]
    return "arbitrary" if {"style_predictor", "transformer"} <= {layer["name"] for layer in layers} else None


def saved_card(folder):
    """What one of our SavedModels of a network of one model says of itself.

    Args:
        folder: of the SavedModel, the one that holds saved_model.pb.

    Returns:
        {"kind": "style" or one of OTHERS, "least_side": in px, ...}, or None where it is no SavedModel of that sort.

    Raises:
        InputError: it is one, and what it says is damaged or of another version.
    """
    path = os.path.join(folder, CARD)
    if not _has_saved_model(folder) or not os.path.isfile(path):
        return None
    try:
        with open(path, "rb") as file:
            card = json.load(file)
        if card["kind"] in ("style", *OTHERS) and type(card["least_side"]) is int:
            return card
    except (KeyError, OSError, RecursionError, TypeError, ValueError):
        pass
    raise InputError(f"{path} is damaged or of another version of tfstyle: export the model anew.")


def stamp(model):
    """What changes when a model's file, or one of its folder, is written anew."""
    try:
        files = [model, *(os.scandir(model) if os.path.isdir(model) else ())]
        return max(os.stat(file).st_mtime_ns for file in files)
    except (OSError, TypeError, ValueError):  # a name, a handle, or nothing that could be a model
        return None


def _has_saved_model(folder):
    return any(os.path.isfile(os.path.join(folder, f"saved_model.{kind}")) for kind in ("pb", "pbtxt"))


def check_one_style(model, style, weights, controls, texture=None):
    """Checks that a model of one style is asked for nothing that takes others.

    Args:
        model: as `check_model` takes it, which found it to be of kind "style".
        style: the style pictures, None if there are none.
        weights: of the style pictures, None if they were not given.
        controls: `Controls`.
        texture: None if it was not given.

    Raises:
        InputError: a style picture, or a setting of those.
    """
    name = os.fsdecode(model)
    if style is not None:
        raise InputError(f"The model {name!r} paints in the one style that it has learned; give no style picture.")
    changed = [one for one in _OF_STYLES if getattr(controls, one) != getattr(Controls, one)]
    if controls.color_when == "before" and controls.color != "luminance":
        changed.append("color_when before")
    changed += [one for one, value in (("weights", weights), ("texture", texture)) if value is not None]
    if changed:
        raise InputError(f"{changed[0]} is for models of any style, and {name!r} paints in one; leave it out.")


def check_styles(weights, masks):
    """Checks that styles are either mixed by weights or kept apart by masks.

    Raises:
        InputError: both are given.
    """
    if weights is not None and masks is not None:
        raise InputError("weights mix styles everywhere and masks give each its place; give one of them.")


def controls_of(settings):
    """`Controls` of keyword arguments.

    Raises:
        InputError: an unknown one, naming the nearest, or a value that does not work.
    """
    known = tuple(field.name for field in dataclasses.fields(Controls))
    for name in settings:
        check_choice("setting", name, known)
    return Controls(**settings)


def read_style(style, look, photo_side, name="style picture"):
    """A style picture at the size at which it is looked at.

    Args:
        style: a picture of any kind.
        look: `tfstyle.look.Look`. Where its style_size is None and the size would leave the short side under 16 px, as
            of a long painting beside a small photo, the least is taken that does not.
        photo_side: long side of the result in px.
        name: how error sentences call it.

    Returns:
        A `tfstyle.images.Picture`.

    Raises:
        InputError: no usable picture, or a style_size too small for it.
    """
    side = seen_size(look, photo_side, MOST_SEEN)
    try:
        return images.read(style, name=name, size=side)
    except InputError:
        if look.style_size is not None:
            raise
    whole = images.read(style, name=name)
    while min(images.fitted_shape(*whole.rgb.shape[:2], side)) < images.LEAST_SIDE:
        side += 1
    return images.read(style, name=name, size=side)
