"""NOTICE names every origin that the source names, and the changes begin with the version that this is."""

import pathlib
import re

import pytest

import tfstyle
from tfstyle.weights.files import SHIPPED

ROOT = pathlib.Path(__file__).resolve().parents[2]
NOTICE = (ROOT / "NOTICE").read_text(encoding="utf-8")
SOURCES = "\n".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "tfstyle").rglob("*.py")))
PAPERS = sorted(set(re.findall(r"arXiv:\s*(\d{4}\.\d{4,5})", SOURCES)))
# Of papers without a number: whoever is named first before a conference, journal or year.
FIRST = sorted(set(re.findall(
    r"([A-Z][a-z]+)(?: et al\.|, [A-Z][a-z]+(?:,| and) [A-Z][a-z]+| and [A-Z][a-z]+),? \(?(?:19|20)\d\d\b", SOURCES
)))


def test_there_are_enough():
    assert len(PAPERS) > 12 and len(FIRST) > 8


@pytest.mark.parametrize("number", PAPERS)
def test_papers(number):
    assert f"arXiv:{number}" in NOTICE


@pytest.mark.parametrize("name", FIRST)
def test_authors(name):
    assert name in NOTICE


@pytest.mark.parametrize("file", sorted(SHIPPED))
def test_weights(file):
    assert file in NOTICE


def test_photographs():
    for photo in (ROOT / "examples" / "content").iterdir():
        assert photo.name in NOTICE


def test_lines_are_short_and_tell_nothing_of_a_machine():
    assert max(map(len, NOTICE.splitlines())) <= 120
    assert not re.search(r"(?<!\w)/(?:home|root|tmp|work)/", NOTICE)


def test_the_changes_begin_with_this_version():
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    version, date = re.search(r"^## \[(.+?)\] - (\d{4}-\d\d-\d\d)$", changes, re.MULTILINE).groups()
    assert version == tfstyle.__version__ and date
