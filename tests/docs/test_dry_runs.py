"""What docs/command-line.md shows of dry runs is what they print, for pictures such as it speaks of."""

import pathlib
import runpy
import shlex
from types import SimpleNamespace

import pytest
from PIL import Image

from tfstyle.cli import main

PAGES = SimpleNamespace(**runpy.run_path(str(pathlib.Path(__file__).with_name("pages.py"))))
PAGE = "docs/command-line.md"


def shown():
    """(commands, lines) of the page: below "$ ", or in the block of text that follows one of dry runs."""
    found, before = [], []
    for block in PAGES.blocks(PAGE):
        lines = block.text.splitlines()
        if block.language == "text" and lines[0].startswith("$ tfstyle ") and "--dry-run" in lines[0]:
            found.append((lines[0][2:], lines[1:]))
        elif block.language == "text" and before:
            found += [(command, [line]) for command, line in zip(before, lines, strict=True)]
        are_dry = block.language == "sh" and all(line.endswith("--dry-run") for line in lines)
        before = lines if are_dry else []
    return found


@pytest.fixture
def pictures(tmp_path, monkeypatch):
    """The pictures of the page, of which three have been painted, and its flag file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")  # which the command line sets for its process
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")
    folders = [f"photos/{number:02}.jpg" for number in range(15)] + [f"painted/{number:02}.jpg" for number in range(3)]
    for name in ("photo.jpg", "painting.jpg", "one.jpg", "two.jpg", *folders):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        Image.new("L", (1024, 682)).save(path)
    flags, = (block.text for block in PAGES.blocks(PAGE) if block.text.startswith("# evening.flags\n"))
    (tmp_path / "evening.flags").write_text(flags, encoding="utf-8")


def test_there_are_enough():
    assert {command.split()[1] for command, _ in shown()} == {"stylize", "optimize"} and len(shown()) == 3


@pytest.mark.parametrize("command, lines", shown())
def test_it_is_printed(pictures, capsys, command, lines):
    assert main(shlex.split(command)[1:]) == 0
    assert capsys.readouterr().out.splitlines() == lines
