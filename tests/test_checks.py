import ast
import math
import pathlib
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfstyle.checks import InputError, check_choice, check_number, check_weights, closest


def message(function, *args, **kwargs):
    with pytest.raises(InputError) as error:
        function(*args, **kwargs)
    return str(error.value)


def test_an_input_error_is_a_value_error():
    assert issubclass(InputError, ValueError)


@pytest.mark.parametrize(
    ("value", "wanted"),
    [("relu4_1x", "relu4_1"), ("pool", "pool5"), ("zzz", None), ("", None), (12, None), (None, None)],
)
def test_closest(value, wanted):
    assert closest(value, ("relu1_1", "relu4_1", "pool5")) == wanted


@pytest.mark.parametrize(("value", "choice", "near"), [
    ("nope.jpg", "rocket.jpg", False), ("ksh", "zsh", False), ("phot.jpg", "photo.jpg", True), ("bsh", "bash", True),
])
def test_what_merely_shares_an_ending_is_not_near(value, choice, near):
    assert closest(value, (choice,)) == (choice if near else None)


def test_closest_of_nothing():
    assert closest("max", ()) is None


def test_a_choice_is_returned():
    assert check_choice("pooling", "max", ("max", "average")) == "max"


def test_a_wrong_choice_is_told_with_the_choices_and_the_nearest():
    said = message(check_choice, "pooling", "avarage", ("max", "average"))
    assert said == "pooling must be one of 'max', 'average'; received 'avarage'; did you mean 'average'?"


@pytest.mark.parametrize("value", ["xyz", None, 3, [], {"a": 1}, np.zeros(2)])
def test_a_choice_without_neighbor(value):
    said = message(check_choice, "pooling", value, ("max", "average"))
    assert said == f"pooling must be one of 'max', 'average'; received {value!r}."


@pytest.mark.parametrize(
    ("value", "wanted"), [(3, 3.0), (3.5, 3.5), (np.float32(0.5), 0.5), (np.int64(2), 2.0)]
)
def test_numbers_become_floats(value, wanted):
    found = check_number("weight", value)
    assert type(found) is float and found == wanted


@pytest.mark.parametrize("value", [5, np.int32(5), np.uint8(5)])
def test_whole_numbers_become_ints(value):
    found = check_number("steps", value, 1, 10, integer=True)
    assert type(found) is int and found == 5


@settings(deadline=None, max_examples=50, database=None)
@given(value=st.floats(), low=st.floats(-10, 0), high=st.floats(0, 10))
def test_exactly_the_finite_numbers_in_range_pass(value, low, high):
    if math.isfinite(value) and low <= value <= high:
        assert check_number("x", value, low, high) == value
    else:
        assert repr(value) in message(check_number, "x", value, low, high)


@pytest.mark.parametrize("value", [True, False, "3", None, 1j, [1], math.nan, math.inf, np.array([1.0, 2.0])])
def test_what_is_no_number(value):
    assert message(check_number, "weight", value) == f"weight must be a number; received {value!r}."


@pytest.mark.parametrize("whole", [True, False])
def test_numbers_beyond_all_floats(whole):
    assert message(check_number, "size", 10**400, 16, integer=whole).startswith("size must be a ")


@pytest.mark.parametrize("value", [5.0, "5", True, 0, 11])
def test_what_is_no_whole_number_in_range(value):
    said = message(check_number, "steps", value, 1, 10, integer=True)
    assert said == f"steps must be a whole number from 1 to 10; received {value!r}."


@pytest.mark.parametrize(
    ("bounds", "words"),
    [
        ({"low": 2}, "of at least 2"),
        ({"high": 0.5}, "of at most 0.5"),
        ({"low": 2, "high": 4}, "from 2 to 4"),
    ],
)
def test_ranges_are_told(bounds, words):
    assert message(check_number, "x", 1, **bounds) == f"x must be a number {words}; received 1."


def test_weights_sum_to_1():
    assert check_weights([1, 3], 2) == (0.25, 0.75)
    assert check_weights(np.array([2.0, 0.0]), 2) == (1.0, 0.0)
    assert check_weights(None, 4) == (0.25,) * 4 and check_weights(None, 0) == ()


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ([1], "There must be one weight for each of the 2 styles; received 1."),
        ([1, -1], "The weights of the styles must be at least 0 and not all 0; received [1.0, -1.0]."),
        ([0, 0], "The weights of the styles must be at least 0 and not all 0; received [0.0, 0.0]."),
        ([math.nan, 1], "The weights of the styles must be at least 0 and not all 0; received [nan, 1.0]."),
        ([1, math.inf], "The weights of the styles must be at least 0 and not all 0; received [1.0, inf]."),
        (0.5, "The weights of the styles must be a list of numbers; received 0.5."),
        (["a", "b"], "The weights of the styles must be a list of numbers; received ['a', 'b']."),
    ],
)
def test_weights_that_do_not_work(weights, words):
    assert message(check_weights, weights, 2) == words


# Sentences that are read in Python, on the command line and on the page alike

PACKAGE = pathlib.Path(__file__).parents[1] / "tfstyle"
# Which also speak of flags, or hold HTML.
OTHER_TEXTS = {
    "cli/__init__.py", "cli/manners.py", "evaluate_settings.py", "export/savedmodel.py", "gatys/settings.py",
    "previews.py", "serving/config.py", "web/page.py", "web/parts.py",
}


def texts(source):
    """Every text of a module but its docstrings, with {} where something is put in."""
    tree = ast.parse(source)
    bodies = [node.body for node in ast.walk(tree) if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef))]
    put_together = [node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)]
    passed = {id(body[0].value) for body in bodies if isinstance(body[0], ast.Expr)}
    passed |= {id(part) for node in put_together for part in node.values}
    plain = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in passed]
    return [node.value for node in plain if isinstance(node.value, str)] + [
        "".join(part.value if isinstance(part, ast.Constant) else "{}" for part in node.values) for node in put_together
    ]


def pythons(source):
    """The texts in which something is said as only Python knows it: size=64, PIL.Image.MAX_IMAGE_PIXELS."""
    return [text for text in texts(source) if re.search(r"""[a-z_]=["'{\w]|PIL\.""", text)]


def test_remedies_are_in_words():
    found, count = [], 0
    for path in sorted(PACKAGE.rglob("*.py")):
        source, name = path.read_text(encoding="utf-8"), path.relative_to(PACKAGE).as_posix()
        if "InputError" in source and name not in OTHER_TEXTS:
            count += len(texts(source))
            # Whence weights came is no remedy.
            found += [f"{name}: {text}" for text in pythons(source) if not text.startswith("keras.applications")]
    assert count > 1000 and found == []


def test_the_test_sees_what_it_should():
    source = """def f(x=1):
    'x=1: what docstrings say.'
    raise InputError(f"{x} is too large; use size={x}." if x else "use model='default'", f(x="use x or y.") + "A=1")
"""
    assert pythons(source) == ["use model='default'", "{} is too large; use size={}."]
