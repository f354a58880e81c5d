"""Settings written once: dataclass fields that carry their own text, group, choices and range.

The checks, the command line's flags and their help are all made from them.
"""

import dataclasses
import numbers
import os

from tfstyle.checks import InputError, check_choice, check_number

__all__ = ["check_fields", "setting"]


def setting(default, text, *, group, choices=None, low=None, high=None):
    """A field that says all the command line and the checks need: its text, group, choices and range."""
    metadata = {"text": text, "group": group, "choices": choices, "low": low, "high": high}
    return dataclasses.field(default=default, metadata=metadata)


def check_fields(settings):
    """Brings every field of a frozen dataclass to its type: for `__post_init__`.

    Lists become tuples, whole floats stay floats, ranges and choices are kept.

    Raises:
        InputError: a value outside its range or not among its choices.
    """
    for field in dataclasses.fields(settings):
        object.__setattr__(settings, field.name, _checked(field, getattr(settings, field.name)))


def _checked(field, value):
    kind, meta = str(field.type), field.metadata
    if value is None and "None" in kind:
        return None
    if "tuple" in kind:
        items = (value,) if isinstance(value, (str, numbers.Real)) else value
        try:
            items = tuple(items)
        except TypeError:
            raise InputError(f"{field.name} must be a list; received {value!r}.") from None
        return tuple(_checked_item(field.name, kind, meta, item) for item in items)
    return _checked_item(field.name, kind, meta, value)


def _checked_item(name, kind, meta, value):
    if meta["choices"]:
        return check_choice(name, value, meta["choices"])
    low = -float("inf") if meta["low"] is None else meta["low"]
    high = float("inf") if meta["high"] is None else meta["high"]
    if "int" in kind:
        return check_number(name, value, low, high, integer=True)
    if "float" in kind:
        return check_number(name, value, low, high)
    if "bool" in kind:
        if not isinstance(value, bool):
            raise InputError(f"{name} must be True or False; received {value!r}.")
        return value
    value = os.fspath(value) if isinstance(value, os.PathLike) else value
    if not isinstance(value, str) or not value:
        raise InputError(f"{name} must be a text; received {value!r}.")
    return value
