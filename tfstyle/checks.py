"""One voice for bad input: what was wanted, what was received, and the nearest valid choice.

Every message is a single sentence that a user can act on. The command line prints it and exits 2.
"""

import difflib
import math
import numbers

__all__ = ["InputError", "check_callback", "check_choice", "check_number", "check_weights", "closest"]


class InputError(ValueError):
    """A picture, file or setting that tfstyle cannot work with.

    `str(error)` is one sentence saying what was wrong and what to do about it.
    """


def closest(value, choices):
    """The entry of `choices` spelled most like `value`, or None when nothing is near."""
    near = difflib.get_close_matches(str(value), [str(c) for c in choices], n=1, cutoff=0.7)
    return near[0] if near else None


def check_callback(callback):
    """Raises `InputError` unless it is None or can be called."""
    if callback is not None and not callable(callback):
        raise InputError(f"callback must be a function; received {type(callback).__name__}.")


def check_choice(name, value, choices):
    """Returns `value` if it is one of `choices`, else raises `InputError` naming the nearest one."""
    if isinstance(value, str) and value in choices:  # an array among the texts would be compared one by one
        return value
    near = closest(value, choices)
    hint = f"; did you mean {near!r}?" if near else "."
    raise InputError(f"{name} must be one of {', '.join(map(repr, choices))}; received {value!r}{hint}")


def check_number(name, value, low=-math.inf, high=math.inf, *, integer=False):
    """Returns `value` as int or float if it is a finite number in [low, high], else raises `InputError`."""
    kind = numbers.Integral if integer else numbers.Real
    try:
        good = isinstance(value, kind) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:  # a whole number beyond the largest float
        good = False
    if good and low <= value <= high:
        return int(value) if integer else float(value)
    wanted = "a whole number" if integer else "a number"
    if low > -math.inf and high < math.inf:
        wanted += f" from {low:g} to {high:g}"
    elif low > -math.inf:
        wanted += f" of at least {low:g}"
    elif high < math.inf:
        wanted += f" of at most {high:g}"
    raise InputError(f"{name} must be {wanted}; received {value!r}.")


def check_weights(weights, count):
    """The weights of `count` styles, scaled to sum 1, as a tuple of floats; None weighs them alike.

    Raises:
        InputError: not one finite number of at least 0 for each, or all of them 0.
    """
    if weights is None:
        return (1 / max(1, count),) * count
    try:
        numbers = tuple(float(weight) for weight in weights)
    except (TypeError, ValueError):
        raise InputError(f"The weights of the styles must be a list of numbers; received {weights!r}.") from None
    if len(numbers) != count:
        styles = "the one style" if count == 1 else f"each of the {count} styles"
        raise InputError(f"There must be one weight for {styles}; received {len(numbers)}.")
    if min(numbers, default=0) < 0 or not 0 < sum(numbers) < math.inf:  # NaN fails the second
        raise InputError(f"The weights of the styles must be at least 0 and not all 0; received {list(numbers)}.")
    return tuple(weight / sum(numbers) for weight in numbers)
