"""Fields that check themselves; what the engines' settings hold is tested with the engines."""

import dataclasses
import pathlib

import numpy as np
import pytest

from tfstyle.checks import InputError
from tfstyle.settings import check_fields, setting


@dataclasses.dataclass(frozen=True)
class Small:
    count: int | None = setting(5, "how many", group="one", low=1, high=9)
    rate: float = setting(0.5, "how fast", group="two", low=0.0)
    parts: tuple[float, ...] = setting((1.0,), "how much of each", group="two", low=0.0)
    kind: str = setting("red", "what color", group="one", choices=("red", "blue"))
    on_top: bool | None = setting(None, "whether on top", group="two")
    path: str = setting("x", "where", group="two")

    def __post_init__(self):
        check_fields(self)


def test_a_field_tells_what_flags_and_checks_need():
    field = dataclasses.fields(Small)[0]
    assert field.default == 5
    assert dict(field.metadata) == {"text": "how many", "group": "one", "choices": None, "low": 1, "high": 9}


@pytest.mark.parametrize("given, kept", [
    ({"count": np.int64(3)}, 3), ({"count": None}, None), ({"rate": 2}, 2.0), ({"parts": [1, 2]}, (1.0, 2.0)),
    ({"parts": 3}, (3.0,)), ({"parts": ()}, ()), ({"kind": "blue"}, "blue"), ({"on_top": True}, True),
    ({"on_top": None}, None), ({"path": pathlib.Path("a")}, "a"),
])
def test_values_take_the_type_of_their_field(given, kept):
    (name, _), = given.items()
    found = getattr(Small(**given), name)
    assert found == kept and type(found) is type(kept)
    if isinstance(kept, tuple):
        assert all(type(item) is float for item in found)


@pytest.mark.parametrize("given, sentence", [
    ({"count": 0}, "count must be a whole number from 1 to 9; received 0."),
    ({"count": 1.5}, "count must be a whole number from 1 to 9; received 1.5."),
    ({"rate": None}, "rate must be a number of at least 0; received None."),
    ({"rate": True}, "rate must be a number of at least 0; received True."),
    ({"parts": (1, -1)}, "parts must be a number of at least 0; received -1."),
    ({"parts": None}, "parts must be a list; received None."),
    ({"kind": "blu"}, "kind must be one of 'red', 'blue'; received 'blu'; did you mean 'blue'?"),
    ({"on_top": 1}, "on_top must be True or False; received 1."),
    ({"path": ""}, "path must be a text; received ''."),
])
def test_bad_values_name_the_field(given, sentence):
    with pytest.raises(InputError) as error:
        Small(**given)
    assert str(error.value) == sentence
