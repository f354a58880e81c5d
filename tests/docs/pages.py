"""What the tests of the Markdown pages share: the pages, their blocks of code, their links and their anchors."""

import os
import pathlib
import re
from types import SimpleNamespace

ROOT = pathlib.Path(__file__).resolve().parents[2]
_SKIPPED = {"build", "dist", "site"}
_FENCE = re.compile(r"^( *)(`{3,})([^\n`]*)\n(.*?)^\1\2 *$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"(`+)(.+?)\1", re.DOTALL)
_LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(<?([^)\s>]*)>?(?:\s\"[^\"]*\")?\)")
_MARK = re.compile(r"<!-- *([^>]*?) *-->\s*\Z")


def markdown():
    """Every Markdown file of the checkout, by its name from the root."""
    found = []
    for folder, folders, files in os.walk(ROOT):
        folders[:] = [name for name in folders if not name.startswith(".") and name not in _SKIPPED]
        found += [pathlib.Path(folder, name).relative_to(ROOT).as_posix() for name in files if name.endswith(".md")]
    return sorted(found)


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def blocks(name):
    """The fenced blocks of a page: their language, their text, their line, and the comment before them."""
    page = read(name)
    return [
        SimpleNamespace(
            language=match[3].split()[0] if match[3].strip() else "", text=_unindented(match[4], len(match[1])),
            line=page.count("\n", 0, match.start(4)) + 1,
            mark=mark[1] if (mark := _MARK.search(page, 0, match.start())) else "",
        )
        for match in _FENCE.finditer(page)
    ]


def _unindented(text, spaces):
    return "".join(line[spaces:] if line.strip() else line for line in text.splitlines(keepends=True))


def commands(name):
    """The shell's parts of a page: blocks of sh, and what is indented by four spaces."""
    fenced = [block.text for block in blocks(name) if block.language in ("sh", "bash", "shell")]
    plain = _FENCE.sub("", read(name))
    indented = re.findall(r"(?:(?:^|(?<=\n))    [^\n]+\n?)+", plain)
    return fenced + [part for part in (_unindented(part, 4) for part in indented) if "tfstyle " in part]


def inline(name):
    """The code within lines."""
    return [" ".join(match[2].split()) for match in _CODE.finditer(_FENCE.sub("", read(name)))]


def links(name):
    """(whether it is a picture, its text, its target) of every link."""
    plain = _CODE.sub(lambda match: "x" if "](" in match[2] else match[0], _FENCE.sub("", read(name)))
    return [(bool(match[1]), match[2], match[3]) for match in _LINK.finditer(plain)]


def anchors(name):
    """What a code host calls the headings of a page."""
    found = []
    for title in re.findall(r"^#{1,6} +(.+?) *#*$", _FENCE.sub("", read(name)), re.MULTILINE):
        title = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title).replace("`", "").strip().lower()
        slug = re.sub(r"[^\w\- ]", "", title).replace(" ", "-")
        found.append(slug + (f"-{found.count(slug)}" if slug in found else ""))
    return found
