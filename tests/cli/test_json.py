"""--json and --dry-run of the verbs that work on pictures: what a script reads, and that nothing is written."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import tfstyle.api
import tfstyle.cli.client
import tfstyle.enlarger
import tfstyle.folder
from tfstyle.cli import main


@pytest.fixture
def asked(folder, capsys):
    """Runs a command line with --json; returns (exit code, its document without seconds, its stderr)."""

    def run(*words):
        code = main([*words, "--json"])
        told = capsys.readouterr()
        found = json.loads(told.out)
        seconds = found.pop("seconds", None)
        assert seconds is None or 0 <= seconds < 600
        return code, found, told.err

    return run


@pytest.fixture
def planned(asked, capsys):
    """Runs a command line with --dry-run, with --json and without; returns (document, line).

    Nothing is written, no folder made, and TensorFlow not asked for.
    """

    def everything():
        return sorted(os.path.join(*found) for found in ((where, name) for where, *names in os.walk(".")
                                                         for part in names for name in part))

    def run(*words):
        before = everything()
        code, found, said = asked(*words, "--dry-run")
        assert (code, said) == (0, "") and found.pop("dry_run") is True
        assert main([*words, "--dry-run"]) == 0
        told = capsys.readouterr()
        assert told.err == "" and everything() == before
        assert main([*words, "--dry-run", "--quiet"]) == 0
        assert tuple(capsys.readouterr()) == ("", "")
        return found, told.out

    return run


@pytest.fixture
def photos(folder):
    """photos/ of a.png and b.png, with a folder inside that has c.png."""
    for path in ("photos/a.png", "photos/b.png", "photos/more/c.png"):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        Image.fromarray(np.random.default_rng(1).integers(0, 256, (24, 32, 3), dtype=np.uint8)).save(path)


STYLIZE = ("stylize", "photo.png", "paint.png", "-o", "out.png", "--size", "64")
PAINTED = {"input": "photo.png", "styles": ["paint.png"], "output": "out.png", "method": "fast", "model": "default",
           "width": 64, "height": 48}


def test_stylize(asked, planned, monkeypatch):
    found, line = planned(*STYLIZE)
    assert found == PAINTED and line == "out.png  64x48  would be painted\n"
    monkeypatch.setattr(tfstyle.api, "stylize", lambda *_, **__: Image.new("RGB", (64, 48)))
    assert asked(*STYLIZE) == (0, PAINTED, "") and os.path.exists("out.png")
    assert asked(*STYLIZE, "--quiet") == (0, PAINTED, "")


def test_a_dry_run_refuses_what_the_run_would(asked, photos):
    for words, start in (
        ((*STYLIZE, "--strength", "2"), "--strength must be a number from 0 to 1"),
        (("stylize", "gone.png", "paint.png", "-o", "out.png"), "content picture 'gone.png' does not exist"),
        (("stylize", "photos", "paint.png", "-o", "photo.png/out"), "--output "),
        (("enlarge", "photo.png", "-o", "gone/out.png"), "output 'gone/out.png'"),
        (("optimize", "photo.png", "paint.png", "-o", "out.png", "--frames-dir", "photo.png/f", "--save-every", "1"),
         "--frames-dir "),
    ):
        code, found, said = asked(*words, "--dry-run")
        assert code == found["exit_code"] == 2 and found["error"].startswith(start) and said.startswith("tfstyle: ")


def test_a_folder(asked, planned, photos, monkeypatch):
    words = ("stylize", "photos", "paint.png", "-o", "new/out", "--size", "32", "--recursive")
    facts = {name: PAINTED[name] for name in ("styles", "method", "model")} | {"input": "photos", "output": "new/out"}
    found, line = planned(*words)
    assert found == facts | {"painted": 0, "skipped": 0, "failed": [], "left": 3}
    assert line == "new/out  3 would be painted, 0 are there already\n"

    def painter(job):
        return lambda photo: Image.fromarray(255 - photo[0])

    monkeypatch.setattr(tfstyle.folder, "_painter", painter)
    with open("photos/b.png", "wb") as file:
        file.write(b"no picture")
    code, found, said = asked(*words)
    failure, = found.pop("failed")
    assert failure["photo"] == "photos/b.png" and failure["sentence"] in said
    assert (code, found) == (1, facts | {"painted": 2, "skipped": 0, "left": 0, "interrupted": False})
    found, line = planned(*words)
    assert (found["skipped"], found["left"]) == (2, 1) and line == "new/out  1 would be painted, 2 are there already\n"


def test_optimize(asked, planned, stand_in):
    words = ("optimize", "photo.png", "paint.png", "-o", "out.png", "--size", "64", "--scales", "2", "--steps", "3,5",
             "--save-every", "2", "--frames-dir", "new/frames", "--trace", "out.json")
    facts = {
        "input": "photo.png", "styles": ["paint.png"], "output": "out.png", "method": "optimize", "preset": "default",
        "width": 64, "height": 48, "steps": 8, "frames": 4, "trace": "out.json",
        "scales": [{"width": 32, "height": 24, "steps": 3}, {"width": 64, "height": 48, "steps": 5}],
    }
    found, line = planned(*words)
    assert found == facts and stand_in["calls"] == []
    assert line == "out.png  64x48  would be painted in at most 3 at 32x24, 5 at 64x48 steps\n"
    code, found, said = asked(*words)
    assert (code, said) == (0, "")
    assert found == facts | {
        "written": True, "interrupted": False, "step": 4, "faults": [],
        "figures": {"content_loss": 0.25, "style_rel": 0.125, "style_loss": 9.0, "tv": 0.5},
    }


def test_optimize_that_comes_to_nothing(asked, stand_in):
    from tfstyle.gatys.record import NonFiniteError

    def step(number):
        raise NonFiniteError("The loss is no number any more; lower --learning-rate.")

    stand_in["step"] = step
    code, found, said = asked("optimize", "photo.png", "paint.png", "-o", "out.png", "--size", "64")
    assert code == found["exit_code"] == 1 and not found["written"] and not os.path.exists("out.png")
    assert found["faults"] == [found["error"]] and said == f"tfstyle: {found['error']}\n"


def test_enlarge(asked, planned, monkeypatch):
    class Enlarger:
        def __init__(self, *_, **__):
            pass

        def enlarge(self, *_, **__):
            return Image.new("RGB", (320, 240))

    words = ("enlarge", "photo.png", "-o", "out.png")
    facts = {"input": "photo.png", "output": "out.png", "model": "default", "factor": 4, "width": 320, "height": 240}
    assert planned(*words) == (facts, "out.png  320x240  would be written\n")
    monkeypatch.setattr(tfstyle.enlarger, "Enlarger", Enlarger)
    assert asked(*words) == (0, facts, "")


def test_translate(planned):
    words = ("translate", "photo.png", "--model", "monet", "--size", "32", "-o")
    facts = {"input": "photo.png", "styles": [], "model": "monet", "direction": "a2b", "width": 32, "height": 24}
    found, line = planned(*words, "out.png")
    assert found == facts | {"outputs": ["out.png"], "pictures": 1} and line == "out.png  32x24  would be written\n"
    found, line = planned(*words, "out.png", "--random-styles", "3")
    assert found == facts | {"outputs": ["out-1.png", "out-2.png", "out-3.png"], "pictures": 3}
    assert line == "out-1.png to out-3.png  32x24  would be written\n"
    found, line = planned(*words, "out.gif", "--interpolate", "paint.png", "glass.png", "4")
    assert found == facts | {"styles": ["paint.png", "glass.png"], "outputs": ["out.gif"], "pictures": 4, "frames": 6}
    assert line == "out.gif  6 pictures of 32x24  would be written\n"


def test_export(asked, planned):
    facts = {"engine": "arbitrary", "model": "default", "output": "new/models"}
    words = ("export", "arbitrary", "-o", "new/models")
    found, line = planned(*words, "--version", "3")
    path = os.path.join("new/models", "arbitrary", "3")
    assert found == facts | {"format": "savedmodel", "written": [{"path": path}]}
    assert line == f"{path}  would be written\n"
    found, line = planned(*words, "--format", "onnx")
    paths = [os.path.join("new/models", f"{name}.onnx") for name in ("style_predict", "style_transform")]
    assert found == facts | {"format": "onnx", "written": [{"path": path} for path in paths]} and line.count("\n") == 2
    found, _ = planned("export", "style", "--model", "night", "--format", "litert", "-o", "new/models")
    assert found["written"] == [{"path": os.path.join("new/models", "night_*.tflite")}]
    os.makedirs(path)
    assert asked(*words, "--version", "3", "--dry-run")[:2] == (2, {
        "error": f"{path} is there already; give the next version, or replace it (--replace).", "exit_code": 2})


def test_export_without_its_packages(asked, monkeypatch):
    monkeypatch.setattr("tfstyle.cli.export.util.find_spec", lambda name: None)
    for form in ("litert", "onnx"):
        code, found, _ = asked("export", "arbitrary", "-o", "m", "--format", form, "--dry-run")
        assert code == 2 and found["error"].endswith(f": pip install 'tfstyle[{form}]'.")


def test_client(asked, planned, monkeypatch):
    words = ("client", "photo.png", "paint.png", "-o", "out.png", "--size", "64", "--url", "http://127.0.0.1:1")
    facts = PAINTED | {"model": "arbitrary", "url": "http://127.0.0.1:1"}
    found, line = planned(*words)
    assert found == facts and line == "out.png  64x48  would be asked of arbitrary at http://127.0.0.1:1\n"
    assert planned(*words, "--method", "optimize", "--model", "slow")[0]["model"] == "slow"
    assert planned(*words, "--method", "optimize")[0]["model"] == "gatys"
    code, found, said = asked(*words, "--retries", "0")
    assert code == found["exit_code"] == 1 and said == f"tfstyle: {found['error']}\n"
    monkeypatch.setattr(tfstyle.cli.client.Client, "stylize", lambda *_, **__: Image.new("RGB", (64, 48)))
    assert asked(*words) == (0, facts, "")


def test_serve(asked, planned, monkeypatch):
    os.makedirs("models/mine/1")
    with open("models/mine/1/saved_model.pb", "wb") as file:
        file.write(b"graph")
    words = ("serve", "--models", "models", "--config", "conf")
    found, line = planned(*words)
    facts = {"models": {"mine": 1}, "folder": os.path.abspath("models"), "rest_port": 8501, "grpc_port": 8500,
             "timeout": 600.0, "batching": False}
    assert found == facts | {"models_config": found["models_config"], "command": found["command"]}
    assert line.startswith(found["models_config"]) and line.split()[-1] == found["command"][-1]
    monkeypatch.setenv("PATH", os.path.abspath("."))
    code, found, said = asked(*words)
    assert code == 1 and found["docker"].startswith("docker run ") and found["models"] == {"mine": 1}
    with open("tensorflow_model_server", "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), 0o755)
    started = []
    monkeypatch.setattr(os, "execvp", lambda name, command: started.append(command))
    code, found, said = asked(*words)
    assert started == [found["command"]] and found["config"] == os.path.abspath("conf") and said


def test_evaluate(planned, photos):
    found, line = planned("evaluate", "photos", "photos", "-o", "out.json", "--features", "vgg19")
    assert found == {"real": "photos", "fake": "photos", "output": "out.json", "count": 3, "pairs": 0, "of": [3, 3],
                     "features": "vgg19"}
    assert line == "3 of 3 real and 3 of 3 fake pictures would be compared; out.json would be written\n"


def test_dry_runs_import_no_tensorflow(folder, photos):
    lines = [
        [*STYLIZE], ["stylize", "photos", "paint.png", "-o", "out"], ["enlarge", "photo.png", "-o", "out.png"],
        ["optimize", "photo.png", "paint.png", "-o", "out.png"], ["client", "photo.png", "paint.png", "-o", "out.png"],
        ["translate", "photo.png", "--model", "monet", "-o", "out.png"], ["export", "gatys", "-o", "models"],
        ["evaluate", "photos", "photos", "--features", "vgg19"],
    ]
    code = f"""
import sys
from tfstyle.cli import main
print([main([*line, "--dry-run", "--quiet"]) for line in {lines}], "tensorflow" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == (f"{[0] * len(lines)} False\n", "")
    assert not any(os.path.exists(name) for name in ("out", "out.png", "models"))
