"""How help is closed and wrapped, and that what is wrapped can still be copied into a shell."""

import shlex

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
    assert filled(EPILOG, 200) == EPILOG.rstrip("\n")


def test_narrow():
    told = filled(EPILOG, 60)
    lines = told.splitlines()
    assert max(map(len, lines)) <= 60
    assert "  # one's sky" in lines and lines.index("  # one's sky") == lines.index("examples:") + 1
    command = told[told.index("  tfstyle"):told.index("  TF_CPP")]
    assert command.count(" \\\n      ") == 1 and shlex.split(command.replace("\\\n", "")) == shlex.split(LONG)
    assert layout.examples(told.replace("\\\n", "")) == layout.examples(EPILOG)


def test_notes_are_wrapped_at_words():
    assert filled("one two three\n  four five six", 40) == "one two three\n  four five six"
    long = "word " * 20
    assert filled(long, 50).splitlines() == ["word " * 9 + "word", "word " * 9 + "word"]
    assert filled("  name: " + long, 50).splitlines()[1].startswith("    word")
