"""The Python on the guides' pages compiles and runs, from top to bottom of each page, on small pictures."""

import functools
import pathlib
import runpy
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

import tfstyle

HERE = pathlib.Path(__file__).parent
PAGES = SimpleNamespace(**runpy.run_path(str(HERE / "pages.py")))
DATA = HERE.parent / "data"
GUIDES = ["README.md", *(name for name in PAGES.markdown() if name.startswith("docs/"))]
WITH_CODE = [name for name in PAGES.markdown() if any(block.language == "python" for block in PAGES.blocks(name))]
SIDE = 48  # px of every result, whatever the page asks for
STEPS = 2
# Blocks that need what a test has not; each says what before it.
NOT_RUN = {"docs/notebooks.md": 1, "docs/serving.md": 2, "docs/web.md": 1}

# The pictures that the pages name, and what lies behind them here.
NAMED = {
    "photo.jpg": "china_128.jpg", "small.jpg": "chelsea_96.jpg", "huge.jpg": "china_128.jpg",
    "one.jpg": "mosaic_128.jpg", "two.jpg": "swirl_128.jpg", "painting.jpg": "swirl_128.jpg",
    "fauve.jpg": "swirl_128.jpg", "mosaic.jpg": "mosaic_128.jpg", "evening.jpg": "coffee_96.jpg",
    "photos/one.jpg": "chelsea_96.jpg", "photos/two.jpg": "coffee_96.jpg",
}


def python(name):
    return [block for block in PAGES.blocks(name) if block.language == "python"]


def test_what_is_not_run_says_why():
    found = {}
    for name in GUIDES:
        for block in python(name):
            if block.mark:
                assert block.mark.startswith("not run: ") and len(block.mark) > 20, f"{name}, line {block.line}"
                found[name] = found.get(name, 0) + 1
    assert found == NOT_RUN


@pytest.mark.parametrize("name", WITH_CODE)
def test_it_compiles(name):
    for block in python(name):
        compile("\n" * (block.line - 1) + block.text, name, "exec")


@pytest.fixture
def scratch(tmp_path, monkeypatch):
    """The current folder, with everything that the pages name."""
    (tmp_path / "photos").mkdir()
    for name, origin in NAMED.items():
        shutil.copy(DATA / origin, tmp_path / name)
    with Image.open(DATA / NAMED["photo.jpg"]) as photo:
        cutout, (width, height) = photo.convert("RGBA"), photo.size
    y, x = np.mgrid[0:height, 0:width]
    for name, middle in {"face.png": width / 3, "hands.png": 2 * width / 3, "sky.png": width / 2}.items():
        disc = Image.fromarray(np.uint8(255 * (np.hypot(x - middle, y - height / 2) < height / 4)))
        disc.save(tmp_path / name)
    cutout.putalpha(disc)
    cutout.save(tmp_path / "cutout.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def small(monkeypatch):
    """The public functions, with small results and few steps whatever they are asked for."""

    def put(name, **less):
        function = getattr(tfstyle, name)

        @functools.wraps(function)
        def call(*args, **options):
            few = {"steps": (STEPS,)} if options.get("method") == "optimize" else {}
            return function(*args, **{**options, **less, **few})

        monkeypatch.setattr(tfstyle, name, call)

    for name in ("stylize", "stylize_folder", "stylize_video", "stylize_batch"):
        put(name, size=SIDE)
    monkeypatch.setitem(tfstyle.ArbitraryStylizer.stylize.__kwdefaults__, "size", SIDE)
    monkeypatch.setitem(tfstyle.FeedForwardStylizer.stylize.__kwdefaults__, "size", SIDE)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in GUIDES if python(name)])
def test_it_runs(name, scratch, small):
    ready = [block for block in python(name) if not block.mark]
    if any("stylize_video" in block.text for block in ready):
        pytest.importorskip("av", reason="needs tfstyle[video]")
        pytest.importorskip("cv2", reason="needs tfstyle[video]")
        runpy.run_path(str(HERE.parent / "clips.py"))["write"](scratch / "in.mp4", times=range(0, 3000, 500))
    before, space = set(scratch.rglob("*")), {"__name__": "__main__"}
    for block in ready:
        exec(compile("\n" * (block.line - 1) + block.text, name, "exec"), space)
    saved = {path for block in ready for path in scratch.rglob("*") if path.is_file()} - before
    assert bool(saved) is any(".save(" in block.text or "_folder(" in block.text for block in ready)


def test_every_public_name_has_an_example_or_a_page():
    told = "\n".join(PAGES.read(name) for name in GUIDES)
    assert [name for name in tfstyle._HOMES if f"tfstyle.{name}" not in told] == []
