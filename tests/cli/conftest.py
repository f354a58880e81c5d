"""Pictures and a run without a network, for the tests of the command line."""

import numpy as np
import pytest
from PIL import Image

import tfstyle.folder
from tfstyle.cli import main
from tfstyle.gatys.record import Record, Result
from tfstyle.gatys.settings import preset


@pytest.fixture(autouse=True)
def own_environment(monkeypatch):
    """What the command line sets for its process does not outlive the test."""
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")
    monkeypatch.setenv("COLUMNS", "100")


@pytest.fixture
def refused(capsys):
    """Runs a command line that must exit 2, and returns its one sentence."""

    def run(*words):
        assert main(words) == 2
        told = capsys.readouterr()
        assert told.out == "" and told.err.startswith("tfstyle: ") and told.err.count("\n") == 1
        assert told.err.rstrip()[-1] in ".?"
        return told.err.strip().removeprefix("tfstyle: ")

    return run


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder, with photo.png 80x60 (opaque), glass.png (with alpha) and paint.png 48x64."""
    rng = np.random.default_rng(0)
    pictures = ("photo", (80, 60), "RGB"), ("glass", (80, 60), "RGBA"), ("paint", (48, 64), "RGB")
    for name, size, mode in pictures:
        pixels = rng.integers(0, 256, (6, 8, len(mode)), dtype=np.uint8)
        Image.fromarray(pixels).resize(size).save(tmp_path / f"{name}.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def stand_in(monkeypatch):
    """Puts a run of 4 steps without a network in place of the optimizer.

    Returns:
        Dict: "calls", the keywords of each call; "step", a function called before the record of each step,
        which tests replace.
    """
    import tfstyle.api

    told = {"calls": [], "step": lambda number: None}

    def record(number, figures=None):
        raw = dict.fromkeys(("content/relu4_2", "style/relu1_1", "style/relu2_1"), 1 / number) | {"tv": 0.0}
        weighted = {name: loss * (2 if name.startswith("style") else 1) for name, loss in raw.items()}
        scale = 32 if number < 3 else 64
        shape = (scale * 3 // 4, scale, 3)
        seconds = 0.5 * number
        return Record(number, 4, scale, raw, weighted, seconds,
                      lambda: np.full(shape, number / 4, np.float32), figures)

    def optimize_pictures(content, style, *, callback, **settings):
        told["calls"].append({"content": content, "style": style, **settings})
        known = ("weights", "init", "checkpoint", "masks", "texture")
        recipe = preset(settings.pop("preset"), **{k: v for k, v in settings.items() if k not in known})
        records, interrupted, number = [], False, 0
        while number < 4 and not interrupted:
            number += 1
            told["step"](number)
            records.append(record(number))
            interrupted = bool(callback(records[-1]))
        final = record(number, {"content_loss": 0.25, "style_rel": 0.125, "style_loss": 9.0, "tv": 0.5})
        callback(final)
        dicts = [one.as_dict() for one in (*records, final)]
        image = np.full((48, 64, 3), number / 4, np.float32)
        return Result(image, dicts, final, recipe, interrupted), None

    monkeypatch.setattr(tfstyle.api, "optimize_pictures", optimize_pictures)
    return told


@pytest.fixture
def painting(monkeypatch):
    """Puts a painter without a network in place of the real one.

    Returns:
        Dict: "jobs", what was asked for; "step", a function called before each picture, which tests replace.
    """
    told = {"jobs": [], "step": lambda number: None}

    def painter(job):
        told["jobs"].append(job)
        count = 0

        def paint(photo):
            nonlocal count
            count += 1
            told["step"](count)
            return Image.fromarray(255 - photo[0])
        return paint

    monkeypatch.setattr(tfstyle.folder, "_painter", painter)
    return told
