"""What docs/troubleshooting.md quotes of ours is still said somewhere in the source."""

import ast
import pathlib
import re
import runpy
from types import SimpleNamespace

import pytest

PAGES = SimpleNamespace(**runpy.run_path(str(pathlib.Path(__file__).with_name("pages.py"))))
PAGE = "docs/troubleshooting.md"
# argparse's own, of which the command line makes a sentence.
OF_ARGPARSE = {"The following arguments are required: -o/--output; see tfstyle {verb} --help."}
HOLE = "\0"


def said():
    """Every text of the source, with HOLE where something is put in when it runs."""
    found = set()
    for path in (PAGES.ROOT / "tfstyle").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = (part.value if isinstance(part, ast.Constant) else HOLE for part in node.values)
                found.add("".join(parts))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
    return found


def left_over(quote, texts):
    """The letters of a quote that no text has, those that stand for others apart.

    A message may be put together of several texts; one of less than five letters proves nothing.
    """
    told = [letter.isalpha() for letter in quote]
    for hole in re.finditer(r"\{[^}]*\}", quote):
        told[hole.start():hole.end()] = [False] * len(hole[0])
    for text in texts:
        parts = text.strip(HOLE).split(HOLE)
        if sum(letter.isalpha() for letter in text) < 5 or not all(part in quote for part in parts):
            continue
        for match in re.finditer(".*?".join(f"({re.escape(part)})" for part in parts), quote):
            for start, end in match.regs[1:]:
                told[start:end] = [False] * (end - start)
    return "".join(letter for letter, is_left in zip(quote, told, strict=True) if is_left)


SAID = said()
BLOCKS = PAGES.blocks(PAGE)
OURS = [line for block in BLOCKS if block.mark != "not ours" for line in block.text.splitlines()]


def test_there_are_enough():
    assert all(block.language == "text" for block in BLOCKS)
    assert len(OURS) > 80 and len(OURS) == len(set(OURS))


@pytest.mark.parametrize("quote", OURS)
def test_it_is_said(quote):
    assert quote in OF_ARGPARSE or not left_over(quote, SAID)


@pytest.mark.parametrize("quote, left", [
    ("The model {name} cannot swim ({why}); give another.", ""),
    ("The model {name} cannot sing ({why}); give another.", "Themodelcannotsinggiveanother"),
    ("The model {name} cannot swim ({why}); give up.", "Themodelcannotswimgiveup"),
    ("The server at {url} has drowned ({why}); pull it out of the water.", ""),
    ("The server at {url} has died.", "hasdied"),
])
def test_the_test_sees_what_it_should(quote, left):
    texts = {f"The model {HOLE} cannot swim ({HOLE}); give another.", f"The server at {HOLE} {HOLE}.",
             f"has drowned{HOLE}; pull it out of the water", "sing"}
    assert left_over(quote, texts) == left
