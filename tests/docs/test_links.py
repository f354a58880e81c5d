"""Every link of every page leads somewhere, every picture is small enough, and nothing tells of a machine."""

import pathlib
import re
import runpy
import urllib.parse
from types import SimpleNamespace

import pytest

PAGES = SimpleNamespace(**runpy.run_path(str(pathlib.Path(__file__).with_name("pages.py"))))
LARGEST = 400_000  # bytes of a picture
MACHINE_PATH = re.compile(r"(?<![\w./~$])/(?:home|root|tmp|private|work|Users)/|\b[A-Z]:\\")

pages = pytest.mark.parametrize("name", PAGES.markdown())


def broken(name):
    """The links of a page that lead nowhere."""
    found = []
    for _, _, target in PAGES.links(name):
        place = urllib.parse.urlsplit(target)
        if place.scheme in ("http", "https"):
            continue
        path = (PAGES.ROOT / name).parent / urllib.parse.unquote(place.path) if place.path else PAGES.ROOT / name
        path = path.resolve()
        if place.scheme or place.netloc or not path.is_file() or not path.is_relative_to(PAGES.ROOT):
            found.append(target)
        elif place.fragment and place.fragment not in PAGES.anchors(path.relative_to(PAGES.ROOT).as_posix()):
            found.append(target)
    return found


@pages
def test_links_and_anchors(name):
    assert broken(name) == []


@pages
def test_pictures(name):
    for is_picture, text, target in PAGES.links(name):
        if is_picture:
            assert len(text) > 10, f"{target}: a picture says in words what it shows"
            assert ((PAGES.ROOT / name).parent / target).stat().st_size < LARGEST, target


@pages
def test_it_tells_nothing_of_a_machine(name):
    assert MACHINE_PATH.findall(PAGES.read(name)) == []


def test_the_readme_is_short_and_leads_to_every_guide():
    lines = PAGES.read("README.md").splitlines()
    assert len(lines) <= 120
    reached, waiting = set(), ["README.md"]
    while waiting:
        name = waiting.pop()
        if name in reached:
            continue
        reached.add(name)
        targets = (urllib.parse.urlsplit(target).path for _, _, target in PAGES.links(name))
        paths = ((PAGES.ROOT / name).parent.joinpath(target).resolve() for target in targets if target.endswith(".md"))
        waiting += [path.relative_to(PAGES.ROOT).as_posix() for path in paths]
    assert set(PAGES.markdown()) - reached <= {"tests/data/README.md"}


@pytest.mark.parametrize("text, is_broken", [
    ("[x](there.md)", False),
    ("[x](there.md#two-words-and-code)", False),
    ("[x](#one)\n# One", False),
    ("[x](https://example.org/a)", False),
    ("[x](gone.md)", True),
    ("![x](gone.png)", True),
    ("[x](there.md#three)", True),
    ("[x](/etc/passwd)", True),
    ("[x](../outside.md)", True),
    ("```sh\n[x](gone.md)\n```", False),
    ("`[x](gone.md)`", False),
    ("[`x`](gone.md)", True),
])
def test_the_test_sees_what_it_should(text, is_broken, tmp_path, monkeypatch):
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "outside.md").write_text("# Outside")
    (root / "there.md").write_text("# There\n\n## Two words, and `code`\n")
    (root / "page.md").write_text(text)
    monkeypatch.setitem(PAGES.read.__globals__, "ROOT", root)
    monkeypatch.setattr(PAGES, "ROOT", root)
    assert bool(broken("page.md")) is is_broken
