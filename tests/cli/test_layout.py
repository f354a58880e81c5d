"""How help is closed and wrapped, and that what is wrapped can still be copied into a shell."""

import re
import shlex

import pytest

from tfstyle.cli import layout

LONG = "  tfstyle stylize photo.jpg one.jpg two.jpg --weights 0.7 0.3 --masks 'a sky.png' -o painted.png"
EPILOG = f"""A note.

examples:
{LONG}  # one's sky
  TF_CPP_MIN_LOG_LEVEL=0 tfstyle doctor  # loud
  tfstyle doctor --json > doctor.json
"""


def filled(text, width):
    return layout.Formatter("tfstyle")._fill_text(text, width, "")


def test_closing():
    text = layout.closing(EPILOG, "it broke")
    assert text.startswith("A note.\n\nexit codes: 0 done; 1 it broke; 2 bad input")
    assert text.endswith("--json > doctor.json") and text.index("exit codes:") < text.index("\n\nexamples:\n")
    assert layout.closing("examples:\n  tfstyle x\n", "y").startswith("exit codes:")


def test_a_verb_that_has_its_own_exit_codes():
    text = layout.closing("exit codes: 7 done.\n\nexamples:\n  tfstyle x\n", "it broke")
    assert text == "exit codes: 7 done.\n\nexamples:\n  tfstyle x"


def test_examples():
    assert layout.examples(EPILOG) == [shlex.split(LONG), ["tfstyle", "doctor"], ["tfstyle", "doctor", "--json"]]
    assert layout.examples("no examples") == []


def test_wide_enough():
    lines = EPILOG.splitlines()
    assert filled(EPILOG, 200).splitlines() == [
        *lines[:3], "  # one's sky", LONG, "  # loud", "  TF_CPP_MIN_LOG_LEVEL=0 tfstyle doctor", lines[-1],
    ]


def test_narrow():
    told = filled(EPILOG, 60)
    lines = told.splitlines()
    assert max(map(len, lines)) <= 60
    assert "  # one's sky" in lines and lines.index("  # one's sky") == lines.index("examples:") + 1
    command = told[told.index("  tfstyle"):told.index("  # loud")]
    assert command.count(" \\\n      ") == 1 and shlex.split(command.replace("\\\n", "")) == shlex.split(LONG)
    assert layout.examples(told.replace("\\\n", "")) == layout.examples(EPILOG)


@pytest.mark.parametrize("width", range(40, 100))
def test_no_flag_is_parted_from_its_values(width):
    told = filled(EPILOG, width)
    for line in told.splitlines():
        assert not re.search(r"(-o|>|--weights|--masks)( \\)?$", line)
        assert line.startswith(("  # ", "      ", "  tfstyle ", "  TF_CPP_MIN")) or line in ("A note.", "", "examples:")


def test_flags_in_notes_stay_with_their_values():
    told = filled("x:\n  name: --one 1 --switch --three 3 --four 4 --five 5 --six 6", 40)
    assert told == "x:\n  name: --one 1 --switch --three 3\n    --four 4 --five 5 --six 6"
    names = ",".join(["block1_conv1"] * 4)  # too long for any line
    assert filled(f"  --layers {names} --x 1", 40) == f"  --layers\n    {names}\n    --x 1"


def test_paragraphs_are_wrapped_anew():
    assert filled("one two\nthree\n\nfour:\n  five\n  six\nseven\neight", 40) == (
        "one two three\n\nfour:\n  five\n  six\nseven eight"
    )


def test_notes_are_wrapped_at_words():
    assert filled("one two three\n  four five six", 40) == "one two three\n  four five six"
    long = "word " * 20
    assert filled(long, 50).splitlines() == ["word " * 9 + "word", "word " * 9 + "word"]
    assert filled("  name: " + long, 50).splitlines()[1].startswith("    word")
