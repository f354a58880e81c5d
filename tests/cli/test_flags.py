"""Flags from a settings dataclass: every setting has one, and what is typed is what is set."""

import argparse
import dataclasses

import pytest
from PIL import Image

from tfstyle.checks import InputError
from tfstyle.cli import flags
from tfstyle.gatys.settings import PRESETS, GatysSettings, preset, setting


@dataclasses.dataclass(frozen=True)
class Small:
    count: int | None = setting(5, "how many, 100% of them", group="one", low=1, high=9)
    rate: float = setting(0.5, "how fast", group="two", low=0.0)
    names: tuple[str, ...] = setting(("a", "b"), "which", group="one")
    parts: tuple[float, ...] | None = setting(None, "how much of each", group="two", low=0.0)
    kind: str = setting("red", "what color", group="one", choices=("red", "blue"))
    on_top: bool = setting(False, "whether on top", group="two")
    path: str = setting("x", "where", group="two")


def parser(settings_class):
    made = argparse.ArgumentParser(allow_abbrev=False)
    flags.add_settings(made, settings_class)
    return made


def given(*words, of=Small):
    return flags.given(parser(of).parse_args(words), of)


def test_a_flag_left_out_is_no_setting():
    assert given() == {}
    assert given("--rate", "2") == {"rate": 2.0}


@pytest.mark.parametrize("words, wanted", [
    (["--count", "3"], {"count": 3}),
    (["--count=none"], {"count": None}),
    (["--count", "NONE"], {"count": None}),
    (["--rate", "1e-3"], {"rate": 0.001}),
    (["--names", "relu1_1, relu2_1"], {"names": ("relu1_1", "relu2_1")}),
    (["--names", ""], {"names": ()}),
    (["--parts", "1,.5,0"], {"parts": (1.0, 0.5, 0.0)}),
    (["--parts", "none"], {"parts": None}),
    (["--kind", "blue"], {"kind": "blue"}),
    (["--on-top"], {"on_top": True}),
    (["--no-on-top"], {"on_top": False}),
    (["--path", "none"], {"path": "none"}),
])
def test_values(words, wanted):
    found = given(*words)
    assert found == wanted
    assert [type(value) for value in found.values()] == [type(value) for value in wanted.values()]


@pytest.mark.parametrize("words, sentence", [
    (["--count", "0"], "--count must be a whole number from 1 to 9; received 0."),
    (["--count", "2.5"], "--count must be a whole number from 1 to 9; received 2.5."),
    (["--count", "many"], "--count must be a whole number from 1 to 9; received 'many'."),
    (["--count", "9" * 400], f"--count must be a whole number from 1 to 9; received '{'9' * 400}'."),
    (["--count", "9" * 5000], f"--count must be a whole number from 1 to 9; received '{'9' * 5000}'."),
    (["--rate", "-1"], "--rate must be a number of at least 0; received -1."),
    (["--rate", "1e308"], "--rate must be a number from 0 to 1e+300; received '1e308'."),
    (["--rate", "nan"], "--rate must be a number of at least 0; received 'nan'."),
    (["--rate", "inf"], "--rate must be a number of at least 0; received 'inf'."),
    (["--rate", ""], "--rate must be a number of at least 0; received ''."),
    (["--rate", "none"], "--rate must be a number of at least 0; received 'none'."),
    (["--parts", "1,x"], "--parts must be a number of at least 0; received 'x'."),
    (["--kind", "blu"], "--kind must be one of 'red', 'blue'; received 'blu'; did you mean 'blue'?"),
    (["--path", ""], "--path is empty; give a value."),
])
def test_bad_values_name_the_flag(words, sentence):
    with pytest.raises(InputError) as error:
        given(*words)
    assert str(error.value) == sentence


def test_help_groups_and_shows_the_defaults():
    text = " ".join(parser(Small).format_help().split())
    for part in (
        "one settings:", "two settings:", "--count N|none how many, 100% of them (default: 5)",
        "--rate X how fast (default: 0.5)", "--names NAME,... which (default: a,b)",
        "--parts X,... how much of each (default: none)", "--kind {red,blue} what color (default: red)",
        "--on-top, --no-on-top whether on top (default: no)",
    ):
        assert part in text
    assert text.index("what color") < text.index("two settings:") < text.index("how fast")
    assert text.count("one settings:") == 1


def test_every_setting_of_the_optimizer_has_a_flag():
    made = parser(GatysSettings)
    known = {word for action in made._actions for word in action.option_strings}
    for field in dataclasses.fields(GatysSettings):
        assert flags.flag(field.name) in known
    assert "--style-layer-weights" in known and "--no-deterministic" in known


@pytest.mark.parametrize("name", PRESETS)
def test_what_help_says_a_preset_is_can_be_typed(name):
    words = " ".join(flags.typed(key, value) for key, value in PRESETS[name].items()).split()
    assert preset("default", **given(*words, of=GatysSettings)) == preset(name)


def test_every_default_can_be_typed():
    words = [flags.typed(field.name, field.default) for field in dataclasses.fields(GatysSettings)]
    found = given(*" ".join(words).split(), of=GatysSettings)
    assert GatysSettings(**found) == GatysSettings() and len(found) == len(words)


def parsed(add, words, styles):
    """The namespace of some words, beside so many STYLE pictures."""
    made = argparse.ArgumentParser(exit_on_error=False)
    add(made.add_argument)
    args = made.parse_args(words)
    args.style = ["x.png"] * styles
    return args


def weighed(*words, styles=2):
    return flags.style_weights(parsed(flags.add_weights, words, styles))


def test_weights():
    assert weighed() is None
    for words in (["0.7", "0.3"], ["0.7,0.3"], ["0.7,", ".3"]):
        assert weighed("--weights", *words) == (0.7, 0.3)
    assert weighed("--weights", "3", styles=1) == (3.0,)


@pytest.mark.parametrize(("words", "sentence"), [
    (["1", "-1"], "--weights must be a number of at least 0; received -1."),
    (["1", "1e308"], "--weights must be a number from 0 to 1e+300; received '1e308'."),
    (["1,9e999"], "--weights must be a number from 0 to 1e+300; received '9e999'."),
    (["1", "2", "3"], "--weights must have one number for each STYLE; received 3 for 2."),
    (["0,0"], "--weights are all 0; raise one."),
])
def test_weights_that_do_not_work(words, sentence):
    with pytest.raises(InputError) as error:
        weighed("--weights", *words)
    assert str(error.value) == sentence


@pytest.mark.parametrize("word", ["a.png", "1,a", ",", "nan", "inf", "1e308.png"])
def test_what_is_no_weight(word):
    with pytest.raises(argparse.ArgumentError, match="is no number; name the pictures before this flag"):
        weighed("--weights", "1", word)


def masked(*words, styles=2):
    return flags.given_masks(parsed(flags.add_masks, words, styles))


def test_masks():
    assert masked() == masked(styles=0) == {}
    assert masked("--texture", "t.png") == {"texture": "t.png"}
    for count, styles in ((2, 2), (1, 2), (1, 1), (1, 0), (2, 3), (3, 3)):
        masks = ["a.png", "b.png", "c.png"][:count]
        assert masked("--masks", *masks, styles=styles) == {"masks": masks}


@pytest.mark.parametrize(("count", "styles"), [(2, 0), (2, 1), (3, 2), (1, 3), (4, 3)])
def test_another_number_of_masks(count, styles):
    with pytest.raises(InputError) as error:
        masked("--masks", *"abcd"[:count], styles=styles)
    assert str(error.value) == (
        f"--masks must have one picture for each STYLE, or one fewer; received {count} ({', '.join('abcd'[:count])}) "
        f"for {styles}: name CONTENT and every STYLE before this flag."
    )


def test_masks_are_read_at_the_shape_of_the_photo(tmp_path):
    mask, texture = str(tmp_path / "mask.png"), str(tmp_path / "texture.png")
    Image.new("L", (40, 20), 255).save(mask)
    Image.new("RGB", (30, 30)).save(texture)
    assert flags.check_masks({}, (20, 40), 2) == []
    assert flags.check_masks({"masks": [mask], "texture": texture}, (10, 20), 1) == [mask, texture]
    with pytest.raises(InputError, match="another ratio"):
        flags.check_masks({"masks": [mask]}, (40, 20), 1)
    with pytest.raises(InputError, match="texture picture '.*gone.png' does not exist"):
        flags.check_masks({"texture": str(tmp_path / "gone.png")}, (40, 20), 1)
