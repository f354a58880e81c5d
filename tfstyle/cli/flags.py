"""Flags made from a settings dataclass, so that a setting is written once.

Every field carries its text, group, choices and range in `metadata` (see `tfstyle.gatys.settings`). A flag
that is left out is no setting at all: it must not override a preset.
"""

import argparse
import dataclasses

from tfstyle.checks import InputError, check_choice, check_number

__all__ = [
    "add_masks", "add_pictures", "add_settings", "add_weights", "check_masks", "flag", "given", "given_masks",
    "number", "shown", "style_weights", "typed",
]

_LARGE = 1e300  # sums of what is smaller are finite


def flag(name):
    """style_weight -> --style-weight"""
    return "--" + name.replace("_", "-")


def add_settings(parser, settings_class):
    """Adds one flag for each field, in one help section for each group of fields; lists the class as a parser's."""
    parser.settings = [*getattr(parser, "settings", ()), settings_class]
    groups = {}
    for field in dataclasses.fields(settings_class):
        title = field.metadata["group"]
        group = groups.setdefault(title, None) or parser.add_argument_group(f"{title} settings")
        groups[title] = group
        text = f"{field.metadata['text']} (default: {shown(field.default)})".replace("%", "%%")
        how = {"action": argparse.BooleanOptionalAction} if _is_bool(field) else {"metavar": _metavar(field)}
        group.add_argument(flag(field.name), dest=field.name, default=argparse.SUPPRESS, help=text, **how)


def given(args, settings_class):
    """The settings whose flags were given, as {field: value}.

    Raises:
        InputError: a text that is no value for its flag, in one sentence with the flag's name.
    """
    return {
        field.name: _parsed(field, getattr(args, field.name))
        for field in dataclasses.fields(settings_class) if hasattr(args, field.name)
    }


def add_pictures(parser, styles="+", folders=""):
    """Adds CONTENT, STYLE ... (as many as argparse's `nargs` says), the result, its quality and --weights.

    Returns:
        The `add_argument` of their help section.
    """
    add = parser.add_argument_group("pictures").add_argument
    add("content", metavar="CONTENT", help=f"picture to repaint{folders}")
    none = "; none for a --model of one style" if styles == "*" else ""
    add("style", metavar="STYLE", nargs=styles, default=[], help=f"painting to repaint it after, or several{none}")
    add("-o", "--output", metavar="OUT", required=True, help="picture to write (.png, .jpg, .webp, ...)")
    add("--quality", metavar="N", default="95", help="of JPEG, WebP and AVIF, 1 to 100 (default: 95)")
    add_weights(add)
    return add


def add_weights(add):
    """Adds --weights by an `add_argument`: 0.7 0.3 and 0.7,0.3 are the same."""
    text = "one for each STYLE, such as 0.7 0.3 (default: all alike)"
    add("--weights", metavar="X", nargs="+", type=_numbers, help=text)


def style_weights(args):
    """The numbers of --weights as a tuple, or None if it was not given.

    Raises:
        InputError: not one of at least 0 for each of `args.style`, or all of them 0.
    """
    if args.weights is None:
        return None
    given = [weight for group in args.weights for weight in group]
    weights = tuple(check_number("--weights", weight, 0, _most(weight)) for weight in given)
    if len(weights) != len(args.style):
        raise InputError(
            f"--weights must have one number for each STYLE; received {len(weights)} for {len(args.style)}."
        )
    if not sum(weights):
        raise InputError("--weights are all 0; raise one.")
    return weights


def add_masks(add, texture=True):
    """Adds --masks by an `add_argument`, and --texture if it is wanted."""
    masks = (
        "pictures, white where a STYLE goes and gray at soft edges: one for each STYLE, or one fewer, and the last "
        "STYLE takes what they leave; name CONTENT and STYLE before this flag"
    )
    add("--masks", metavar="MASK", nargs="+", default=argparse.SUPPRESS, help=masks)
    if texture:
        text = "picture whose fine texture takes the place of the STYLE's, of which the larger strokes remain"
        add("--texture", metavar="PICTURE", default=argparse.SUPPRESS, help=text)


def given_masks(args):
    """What was given of --masks and --texture, as {"masks": paths, "texture": path}.

    Raises:
        InputError: neither one mask for each of `args.style` nor one fewer.
    """
    given = {name: getattr(args, name) for name in ("masks", "texture") if hasattr(args, name)}
    masks, styles = given.get("masks", ()), len(args.style)
    if masks and len(masks) not in (styles, max(1, styles - 1)):
        raise InputError(
            f"--masks must have one picture for each STYLE, or one fewer; received {len(masks)} ({', '.join(masks)}) "
            f"for {styles}: name CONTENT and every STYLE before this flag."
        )
    return given


def check_masks(given, shape, styles):
    """Reads what `given_masks` has found, before the work.

    Args:
        given: dict, with or without "masks" and "texture".
        shape: (height, width) of the photo in px.
        styles: their number.

    Returns:
        List of the paths read.

    Raises:
        InputError: a picture that cannot be read, or masks that do not fit the photo.
    """
    from tfstyle import images
    from tfstyle.images.masks import read_masks

    masks, texture = given.get("masks", []), given.get("texture")
    if masks:
        read_masks(masks, shape, styles)
    if texture is not None:
        images.read(texture, name="texture picture")
    return masks if texture is None else [*masks, texture]


def shown(value):
    """A setting's value as help shows it."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ",".join(map(shown, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def typed(name, value):
    """A setting as one would type it: --normalized, --steps 120,80."""
    if isinstance(value, bool):
        return flag(name if value else f"no_{name}")
    return f"{flag(name)} {shown(value)}"


def _is_bool(field):
    return "bool" in str(field.type)


def _metavar(field):
    kind, choices = str(field.type), field.metadata["choices"]
    one = "N" if "int" in kind else "X" if "float" in kind else "NAME"
    if choices:
        one = "{" + ",".join(choices) + "}"
    return f"{one},..." if "tuple" in kind else f"{one}|none" if "None" in kind else one


def _parsed(field, text):
    kind = str(field.type)
    if _is_bool(field) or ("None" in kind and text.lower() == "none"):
        return text if _is_bool(field) else None
    if "tuple" in kind:
        return tuple(_item(field, item) for item in _items(text))
    return _item(field, text)


def _items(text):
    return [item.strip() for item in text.split(",") if item.strip()]


def _numbers(text):
    """The numbers of one word of --weights; a picture named after the flag would be taken for one."""
    found = [number(item) for item in _items(text)]
    if not found or not all(isinstance(item, (int, float)) or _is_large(item) for item in found):
        raise argparse.ArgumentTypeError(f"{text!r} is no number; name the pictures before this flag")
    return found


def _item(field, text):
    kind, meta, name = str(field.type), field.metadata, flag(field.name)
    if meta["choices"]:
        return check_choice(name, text, meta["choices"])
    if "int" in kind or "float" in kind:
        low = float("-inf") if meta["low"] is None else meta["low"]
        value, integer = number(text), "int" in kind
        high = meta["high"]
        if high is None:
            high = float("inf") if integer else _most(value)
        return check_number(name, value, low, high, integer=integer)
    if not text:
        raise InputError(f"{name} is empty; give a value.")
    return text


def number(text):
    """The number that a text spells, or the text itself, which `check_number` refuses in its own words."""
    for kind in (int, float):
        try:
            value = kind(text)
        except ValueError:
            continue
        return value if abs(value) < _LARGE else text
    return text


def _is_large(value):
    """Whether what `number` gave back is a text because the number that it spells is too large to reckon with."""
    try:
        return isinstance(value, str) and any(map(str.isdigit, value)) and abs(float(value)) >= _LARGE
    except ValueError:
        return False


def _most(value):
    """What a number that has no bound of its own may be at most: none, unless `number` has found it too large."""
    return _LARGE if _is_large(value) else float("inf")
