"""The guides as a site: built without a warning and without TensorFlow, complete, and with nothing from elsewhere."""

import json
import os
import pathlib
import re
import runpy
import subprocess
import sys
from types import SimpleNamespace

import pytest
import yaml

import tfstyle
from tfstyle import gatys, images, losses, metrics, serving

PAGES = SimpleNamespace(**runpy.run_path(str(pathlib.Path(__file__).with_name("pages.py"))))
# What of a page a browser fetches by itself.
FETCHED = re.compile(
    r"<(?:link|script|img|iframe|source|video|audio|object|embed)\b[^>]*"
    r"(?:src|href|data)=\"?((?:https?:)?//[^\" >]*)"
)
BUILD = """
import sys
sys.modules |= dict.fromkeys(("tensorflow", "keras", "jax", "gradio", "ray"))
from mkdocs.__main__ import cli
cli(["build", "--strict", "--site-dir", sys.argv[1]])
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of the built site."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-c", BUILD, str(folder)], cwd=PAGES.ROOT, capture_output=True, text=True, check=False,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1", "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr and "ERROR" not in done.stderr
    return folder


def settings():
    """mkdocs.yml, but for what Python alone understands."""
    class Loader(yaml.SafeLoader):
        pass

    Loader.add_multi_constructor("tag:yaml.org,2002:python/", lambda loader, suffix, node: None)
    return yaml.load(PAGES.read("mkdocs.yml"), Loader)  # noqa: S506  a SafeLoader


def named(nav):
    """The pages of a navigation."""
    if isinstance(nav, str):
        return [nav]
    return [page for part in (nav.values() if isinstance(nav, dict) else nav) for page in named(part)]


def test_every_guide_is_in_the_navigation():
    listed = named(settings()["nav"])
    assert len(listed) == len(set(listed))
    assert {name for name in PAGES.markdown() if name.startswith("docs/")} <= set(listed)


def test_nothing_is_fetched_from_elsewhere(site):
    pages = list(site.rglob("*.html"))
    assert len(pages) > 25
    for page in pages:
        assert FETCHED.findall(page.read_text(encoding="utf-8")) == [], page.name
    for sheet in site.rglob("*.css"):
        text = sheet.read_text(encoding="utf-8")
        assert not re.search(r"(?:url\(|@import)\s*[\"']?(?:https?:)?//", text), sheet.name


def test_pages_and_pictures_are_there(site):
    for name in ("index.html", "methods.html", "tfstyle/train/index.html", "deploy/index.html", "deploy/SIZING.html",
                 "saved_models/index.html", "benchmarks/index.html", "CHANGELOG.html", "CONTRIBUTING.html",
                 "examples/results/fast.jpg", "examples/paint.py", "search/search_index.json"):
        assert (site / name).is_file(), name
    assert not (site / "docs").exists()


def test_links_lead_somewhere(site):
    """mkdocs has looked at those of Markdown; these are all, as a browser finds them."""
    for page in site.rglob("*.html"):
        if page.name == "404.html":  # whose links begin at the root
            continue
        text = page.read_text(encoding="utf-8")
        for target in re.findall(r"<(?:a|img|link|script)\b[^>]*(?:href|src)=\"([^\"#?]+)", text):
            if not re.match(r"[a-z]+:", target):
                found = (page.parent / target).resolve()
                assert found.exists() and found.is_relative_to(site.resolve()), f"{page.name}: {target}"


@pytest.mark.parametrize("path", sorted((PAGES.ROOT / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem)
def test_notebooks_are_pages_with_their_pictures(site, path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    outputs = [output.get("data", {}) for cell in cells for output in cell.get("outputs", ())]
    pictures = sum(any(kind in data for kind in ("image/png", "image/jpeg")) for data in outputs)
    text = (site / "notebooks" / f"{path.stem}.html").read_text(encoding="utf-8")
    assert len(re.findall(rf"<img[^>]*{path.stem}-\d+\.(?:png|jpg)", text)) == pictures
    assert len(list((site / "notebooks").glob(f"{path.stem}-*.*"))) == pictures


@pytest.mark.parametrize("path", sorted((PAGES.ROOT / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem)
def test_formulas_are_shown_without_mathjax(site, path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    told = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    told = re.sub(r"```.*?```|`[^`]+`", "", told, flags=re.DOTALL)  # where $ is the shell's
    wide = re.findall(r"\$\$.+?\$\$", told, re.DOTALL)
    within = re.findall(r"\$[^$]+\$", re.sub(r"\$\$.+?\$\$", "", told, flags=re.DOTALL))
    text = (site / "notebooks" / f"{path.stem}.html").read_text(encoding="utf-8")
    assert text.count('display="block"') == len(wide) and text.count('display="inline"') == len(within)
    article = re.sub(r"<pre>.*?</pre>|<script.*?</script>", "", text, flags=re.DOTALL)
    assert not re.search(r"arithmatex|mathvariant=\"script|\\[a-zA-Z]{2}", article)


def test_settings_tell_their_range(site):
    text = (site / "api" / "tfstyle.html").read_text(encoding="utf-8")
    assert "Long side of the result in pixels; none keeps the content&#39;s own." in text.replace("'", "&#39;")
    assert "setting(" not in re.sub("<[^>]*>", "", text)


@pytest.mark.parametrize(
    "module", [tfstyle, gatys, images, losses, metrics, serving], ids=lambda module: module.__name__
)
def test_every_public_name_is_on_a_page(module):
    told = "\n".join(PAGES.read(name) for name in PAGES.markdown() if name.startswith("docs/api/"))
    names = [name for name in module.__all__ if not name.isupper() and name != "__version__"]
    if module is gatys:  # the page of tfstyle has these
        names = [name for name in names if name not in tfstyle.__all__]
    missing = [name for name in names if f"heading: {module.__name__}.{name}\n" not in told]
    assert names and missing == []


def test_every_object_is_where_the_page_takes_it_from():
    """So that none is shown by a name under which nobody finds it."""
    told = PAGES.read("docs/api/tfstyle.md")
    for name, home in tfstyle._HOMES.items():
        assert f"::: {home}.{name}\n" in told


@pytest.mark.parametrize("html, found", [
    ('<img src="https://example.org/a.png">', ["https://example.org/a.png"]),
    ('<script async src="//example.org/a.js">', ["//example.org/a.js"]),
    ('<a href="https://example.org">', []),
    ('<img src="../a.png">', []),
])
def test_the_test_sees_what_it_should(html, found):
    assert FETCHED.findall(html) == found
