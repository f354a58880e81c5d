"""Files beside the picture: refused before the work, whole or absent after it."""

import builtins
import json
import os
import sys

import pytest
from PIL import Image

from tfstyle.checks import InputError
from tfstyle.cli import outputs

RECORDS = [
    {"step": step, "scale": 32 if step < 3 else 64, "seconds": float(step),
     "weighted": {"content/relu4_2": 0.0 if step == 1 else 1 / step, "style/relu1_1": 2 / step, "tv": 0.0}}
    for step in range(1, 6)
]
FINAL = {"step": 5, "scale": 64, "seconds": 9.0, "final": True, "weighted": {"content/relu4_2": 1.0}}


def refused(sentence):
    return pytest.raises(InputError, match=f"^{sentence}$")


def test_check_names(folder):
    outputs.check_names(["photo.png", "paint.png"], {"--output": "out.png", "--trace": None, "--plot": "a.png"})
    os.symlink("photo.png", "link.png")
    with refused("--output 'link.png' would overwrite the picture 'photo.png'; choose another name."):
        outputs.check_names(["photo.png"], {"--output": "link.png"})
    with refused("--trace './a.png' would overwrite --output; choose another name."):
        outputs.check_names([], {"--output": "a.png", "--trace": "./a.png"})


def test_check_file(folder):
    os.mkdir("there")
    os.symlink("/dev/null", "device")
    for good in ("run.json", "there/run.json", str(folder / "new.json"), "photo.png"):
        outputs.check_file(good, "--trace")
    with refused("--trace 'there' is a folder; name a file in it."):
        outputs.check_file("there", "--trace")
    with refused("--trace 'gone/run.json': there is no folder '.*gone'; make it first."):
        outputs.check_file("gone/run.json", "--trace")
    with refused("--trace 'photo.png/run.json': there is no folder '.*photo.png'; make it first."):
        outputs.check_file("photo.png/run.json", "--trace")
    with refused("--trace 'device' exists and is no ordinary file; choose another name."):
        outputs.check_file("device", "--trace")
    assert sorted(os.listdir()) == ["device", "glass.png", "paint.png", "photo.png", "there"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_check_file_without_permission(folder):
    os.chmod("photo.png", 0o400)
    with refused("--trace 'photo.png' exists and is write-protected; choose another name."):
        outputs.check_file("photo.png", "--trace")
    os.mkdir("shut", 0o500)
    with refused(r"--trace 'shut/run.json' cannot be written \(Permission denied\); choose another place."):
        outputs.check_file("shut/run.json", "--trace")


def test_check_folder(folder):
    outputs.check_folder("new/inner", "--frames-dir")
    outputs.check_folder("new", "--frames-dir")
    assert os.listdir("new/inner") == []
    sentence = r"--frames-dir 'photo.png/frames' cannot be made \(Not a directory\); choose another folder."
    with refused(sentence):
        outputs.check_folder("photo.png/frames", "--frames-dir")
    with refused(r"--frames-dir 'photo.png' cannot be made \(File exists\); choose another folder."):
        outputs.check_folder("photo.png", "--frames-dir")


def test_check_plot(folder):
    pytest.importorskip("matplotlib")
    for good in ("loss.png", "loss.SVG", "loss.pdf"):
        outputs.check_plot(good, "--plot")
    with refused(r"--plot 'loss.pgn' has the unknown extension '.pgn'; use one of .*; did you mean '.png'\?"):
        outputs.check_plot("loss.pgn", "--plot")
    with refused("--plot 'loss' has no extension; use one of .png, .svg, .pdf."):
        outputs.check_plot("loss", "--plot")
    with refused("--plot 'gone/loss.png': there is no folder .*"):
        outputs.check_plot("gone/loss.png", "--plot")


def test_a_plot_without_matplotlib(folder, monkeypatch):
    real = builtins.__import__

    def importing(name, *args, **options):
        if name.partition(".")[0] == "matplotlib":
            raise ImportError(name)
        return real(name, *args, **options)

    monkeypatch.setattr(builtins, "__import__", importing)
    with refused(r"--plot needs matplotlib: pip install 'tfstyle\[plot\]'."):
        outputs.check_plot("loss.png", "--plot")


def test_trace_is_one_document(folder):
    (folder / "run.json").write_text("old")
    os.chmod("run.json", 0o640)
    outputs.trace("run.json", {"records": [1.5], "final": None})
    assert json.loads((folder / "run.json").read_text()) == {"records": [1.5], "final": None}
    assert os.stat("run.json").st_mode & 0o777 == 0o640
    assert sorted(os.listdir()) == ["glass.png", "paint.png", "photo.png", "run.json"]


def test_a_link_stays_a_link(folder):
    os.mkdir("there")
    os.symlink("there/run.json", "run.json")
    outputs.trace("run.json", {})
    assert os.path.islink("run.json") and (folder / "there/run.json").read_text() == "{}\n"


def test_a_failure_keeps_the_old_file_and_leaves_nothing(folder, monkeypatch):
    (folder / "run.json").write_text("old")

    def replace(source, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", replace)
    with refused(r"--trace 'run.json' could not be written \(No space left on device\)."):
        outputs.trace("run.json", {})
    assert (folder / "run.json").read_text() == "old"
    assert sorted(os.listdir()) == ["glass.png", "paint.png", "photo.png", "run.json"]


def drawn(monkeypatch, records):
    """The axes that `plot` draws."""
    figure = pytest.importorskip("matplotlib.figure").Figure
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)  # which wants a window system and keeps state
    kept = []
    add = figure.add_subplot

    def adding(self, **options):
        kept.append(add(self, **options))
        return kept[-1]

    monkeypatch.setattr(figure, "add_subplot", adding)
    outputs.plot("loss.png", records)
    with Image.open("loss.png") as image:
        assert image.size == (960, 600)
    return kept[0]


def test_plot(folder, monkeypatch):
    axes = drawn(monkeypatch, [*RECORDS, FINAL])
    assert axes.get_yscale() == "log"
    assert axes.get_legend_handles_labels()[1] == ["total", "content", "style"]  # no tv: it is 0
    curves = [line.get_xydata().tolist() for line in axes.lines if line.get_marker() == "."]
    third = 1 / 3
    assert curves == [
        [[1, 2], [2, 1.5]], [[3, 3 * third], [4, 0.75], [5, pytest.approx(0.6)]],
        [[2, 0.5]], [[3, third], [4, 0.25], [5, 0.2]],
        [[1, 2], [2, 1]], [[3, 2 * third], [4, 0.5], [5, 0.4]],
    ]
    assert [text.get_text().strip() for text in axes.texts] == ["32 px", "64 px"]
    assert [text.xy[0] for text in axes.texts] == [1, 3]


def test_a_plot_of_nothing_but_zeros(folder, monkeypatch):
    records = [record | {"weighted": {"content/relu4_2": 0.0}} for record in RECORDS]
    axes = drawn(monkeypatch, records)
    assert axes.get_legend() is None and len(axes.texts) == 2


@pytest.mark.parametrize("kind, start", [("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_other_formats_of_plots(folder, kind, start):
    pytest.importorskip("matplotlib")
    outputs.plot(f"loss.{kind}", RECORDS)
    assert (folder / f"loss.{kind}").read_bytes().startswith(start)
