"""tfstyle export: what is checked, what is handed on, what is written, and with which exit code."""

import json
import os
import re
import subprocess
import sys
import types

import numpy as np
import pytest

from tfstyle.cli import export as verb
from tfstyle.cli import main
from tfstyle.export import ExportError

INPUTS = ["glass.png", "larger.npz", "monet.npz", "network.npz", "paint.png", "photo.png", "wave.npz"]


@pytest.fixture(autouse=True)
def model(folder, network_file):
    """network.npz in the current folder, and three of which the heads alone are true: wave, larger and monet.npz."""
    (folder / "network.npz").write_bytes(network_file.read_bytes())
    for name, kind in (("wave", "style"), ("larger", "superres"), ("monet", "translate")):
        np.savez(folder / f"{name}.npz", config=np.frombuffer(json.dumps({"kind": kind}).encode(), np.uint8))


@pytest.fixture
def left():
    """Lists what a run has left beside the inputs."""
    return lambda: sorted(set(os.listdir()) - set(INPUTS))


@pytest.fixture
def real_litert():
    """What `asked` replaces."""
    from tfstyle.export import litert

    return litert.export


@pytest.fixture
def asked(monkeypatch, folder):
    """Puts exports of nothing in place of the real ones; returns their calls."""
    calls = []

    def savedmodel(name, out, **settings):
        calls.append((name, out, settings))
        path = folder / out / name / "1"
        path.mkdir(parents=True)
        (path / "a.pb").write_bytes(b"x" * 1_200_000)
        (path / "b.pb").write_bytes(b"x" * 300_000)
        return path, {"one": 2.6e-7, "other": 1e-9}

    def files(form):
        def export(out, engine, **options):
            calls.append((form, out, engine, options))
            (folder / out).mkdir()
            path = f"{out}/a.{form}"
            (folder / path).write_bytes(b"x" * 2_500_000)
            return [types.SimpleNamespace(path=path, largest=0.012, mean=0.001)] * 2

        return export

    monkeypatch.setattr("tfstyle.export.savedmodel.export", savedmodel)
    for form in ("litert", "onnx"):
        monkeypatch.setattr(f"tfstyle.export.{form}.export", files(form))
    return calls


# What is checked

BAD = [
    ("arbitrary", "-o", "models", "--precision", "float16"), ("arbitrary", "-o", "models", "--version", "0"),
    ("arbitrary", "-o", "models", "--model", "gone.npz"), ("gatys", "-o", "models", "--model", "network.npz"),
    ("arbitrary", "-o", "photo.png"), ("arbitary", "-o", "models"), ("arbitrary",), ("-o", "models"),
    ("gatys", "-o", "models", "--format", "onnx"),
    ("arbitrary", "-o", "models", "--format", "litert", "--version", "2"), ("style", "-o", "models"),
    ("style", "-o", "models", "--model", "larger.npz"), ("superres", "-o", "models", "--model", "wave.npz"),
    ("superres", "-o", "models", "--factor", "5"), ("translate", "-o", "models"),
    ("translate", "-o", "models", "--model", "wave.npz"),
    ("translate", "-o", "models", "--model", "monet.npz", "--direction", "a2a"),
    ("translate", "-o", "models", "--model", "monet.npz", "--format", "onnx"),
]


@pytest.mark.parametrize(("words", "sentence"), [
    (("arbitary", "-o", "m"), "name must be one of 'arbitrary', 'gatys', 'style', 'superres', 'translate'; "),
    (("arbitrary",), "The following arguments are required: -o/--output; see tfstyle export --help."),
    (("-o", "m"), "The following arguments are required: ENGINE; see tfstyle export --help."),
    (("arbitrary", "gatys", "-o", "m"), "tfstyle export takes no argument 'gatys'; see tfstyle export --help."),
    (("arbitrary", "-o", "m", "--precision", "float16"), "--precision must be one of 'float32', 'bfloat16'; received "),
    (("arbitrary", "-o", "m", "--version", "0"), "--version must be a whole number of at least 1; received 0."),
    (("arbitrary", "-o", "m", "--version", "1.5"), "--version must be a whole number of at least 1; received 1.5."),
    (("arbitrary", "-o", "m", "--model", "gone.npz"), "There is no model 'gone.npz'; check the path, or use "),
    (("arbitrary", "-o", "m", "--model", "photo.png"), "model 'photo.png' has an unknown ending; it must be .npz or "),
    (("arbitrary", "-o", "m", "--model", "https://tfhub.dev/x"), "'https://tfhub.dev/x' is no network for any "),
    (("gatys", "-o", "m", "--model", "network.npz"), "The optimizer is exported in float32 with the VGG-19 of "),
    (("gatys", "-o", "m", "--precision", "bfloat16"), "The optimizer is exported in float32 with the VGG-19 of "),
    (("arbitrary", "-o", "m", "--model", "wave.npz"), "'wave.npz' is no network for any style; give the path of "),
    (("arbitrary", "-o", "m", "--factor", "4"), "factor is for superres alone; leave it out."),
    (("style", "-o", "m"), "'default' is no network for one style; give "),
    (("style", "-o", "m", "--model", "gone.npz"), "There is no model 'gone.npz'; check the path"),
    (("style", "-o", "m", "--model", "network.npz"), "'network.npz' is no network for one style; give "),
    (("style", "-o", "m", "--model", "wave.npz", "--factor", "4"), "factor is for superres alone; leave it out."),
    (("style", "-o", "m", "--model", "wave.npz", "--format", "litert", "--style-size", "64"),
     "--style-size is for arbitrary alone; style looks at no style: leave it out."),
    (("superres", "-o", "m", "--model", "wave.npz"), "model 'wave.npz' paints pictures and enlarges none; "),
    (("superres", "-o", "m", "--model", "larger.npz", "--factor", "5"), "factor must be 4 or 8; received 5."),
    (("translate", "-o", "m"), "No network translates by default; give "),
    (("translate", "-o", "m", "--model", "gone.npz"), "There is no model 'gone.npz'; "),
    (("translate", "-o", "m", "--model", "wave.npz"), "model 'wave.npz' paints pictures and translates none; "),
    (("arbitrary", "-o", "m", "--model", "monet.npz"), "model 'monet.npz' translates pictures and paints none; "),
    (("translate", "-o", "m", "--model", "monet.npz", "--direction", "a2a"),
     "--direction must be one of 'a2b', 'b2a'; received 'a2a'."),
    (("style", "-o", "m", "--model", "wave.npz", "--direction", "b2a"), "direction is for translate alone; leave it "),
    (("translate", "-o", "m", "--model", "monet.npz", "--direction", "b2a", "--format", "onnx"),
     "Networks that translate are not exported to onnx; they are SavedModels alone."),
    (("translate", "-o", "m", "--model", "monet.npz", "--format", "litert", "--size", "64"),
     "Networks that translate are not exported to litert; they are SavedModels alone."),
    (("arbitrary", "-o", "photo.png"), "photo.png is a file; name a folder."),
    (("arbitrary", "-o", "m", "--replac"), "There is no flag --replac; did you mean --replace?"),
    (("arbitrary", "-o", "m", "--format", "tflite"), "--format must be one of 'savedmodel', 'litert', 'onnx'; "),
    (("gatys", "-o", "m", "--format", "onnx"), "The optimizer is not exported to onnx; it is a Saved"),
    (("gatys", "-o", "m", "--format", "litert"), "The optimizer is not exported to litert; it is a "),
    (("arbitrary", "-o", "m", "--format", "onnx", "--size", "64"), "--size is for --format litert; leave it out."),
    (("arbitrary", "-o", "m", "--style-size", "64"), "--style-size is for --format litert; leave it out."),
    (("arbitrary", "-o", "m", "--kinds", "float16"), "--kinds is for --format litert; leave it out."),
    (("arbitrary", "-o", "m", "--format", "litert", "--version", "2"), "--version is for --format savedmodel; "),
    (("arbitrary", "-o", "m", "--format", "onnx", "--replace"), "--replace is for --format savedmodel; leave it out."),
])
def test_bad_flags(refused, left, asked, words, sentence):
    assert refused("export", *words).startswith(sentence)
    assert asked == [] and left() == []


def test_nothing_heavy_is_loaded_before_the_checks(left):
    lines = [("export", *words) for words in BAD]
    code = f"""
import sys
from tfstyle.cli import main
print([main(line) for line in {lines}], "tensorflow" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.stdout == f"{[2] * len(BAD)} False\n" and done.stderr.count("tfstyle: ") == len(BAD)
    assert left() == []


# What is handed on


@pytest.mark.parametrize(("words", "call"), [
    (("arbitrary", "-o", "m"), ("arbitrary", "m", {})),
    (("gatys", "-o", "m/n"), ("gatys", "m/n", {})),
    (("style", "--model", "wave.npz", "-o", "m"), ("style", "m", {"model": "wave.npz"})),
    (("superres", "--model", "larger.npz", "--factor", "4", "-o", "m"),
     ("superres", "m", {"model": "larger.npz", "factor": 4})),
    (("translate", "--model", "monet.npz", "-o", "m"), ("translate", "m", {"model": "monet.npz"})),
    (("translate", "--model", "monet.npz", "--direction", "b2a", "-o", "m"),
     ("translate", "m", {"model": "monet.npz", "direction": "b2a"})),
    (("arbitrary", "--model", "network.npz", "--version", "20261122", "-o", "m", "--replace", "--precision", "float32"),
     ("arbitrary", "m", {"model": "network.npz", "version": 20261122, "replace": True, "precision": "float32"})),
])
def test_savedmodels(capsys, asked, folder, words, call):
    assert main(["export", *words]) == 0
    assert asked == [call]
    told = capsys.readouterr()
    path = re.escape(str(folder / call[1] / call[0] / "1"))
    assert re.fullmatch(rf"{path}  1\.5 MB  within 3e-07 of Python\n\d+ s\n", told.out) and told.err == ""


@pytest.mark.parametrize(("words", "call"), [
    (("arbitrary", "--format", "onnx"), ("onnx", "m", "arbitrary", {"model": "default"})),
    (("arbitrary", "--format", "litert"), ("litert", "m", "arbitrary", {"model": "default"})),
    (("style", "--model", "wave.npz", "--format", "onnx"), ("onnx", "m", "style", {"model": "wave.npz"})),
    (("superres", "--model", "larger.npz", "--factor", "4", "--format", "litert", "--size", "64"),
     ("litert", "m", "superres", {"model": "larger.npz", "factor": 4, "size": 64})),
    (("arbitrary", "--format", "litert", "--model", "network.npz", "--size", "384", "--style-size", "256",
      "--kinds", "float16, dynamic"),
     ("litert", "m", "arbitrary",
      {"model": "network.npz", "size": 384, "style_size": 256, "kinds": ("float16", "dynamic")})),
])
def test_files(capsys, asked, words, call):
    assert main(["export", *words, "-o", "m"]) == 0
    assert asked == [call]
    line = rf"m/a\.{call[0]}  2\.5 MB  within 0\.01 of Python\n"
    assert re.fullmatch(rf"{line}{line}\d+ s\n", capsys.readouterr().out)


def test_the_examples_of_the_help_are_good_command_lines(real_litert, asked, folder, network_file, monkeypatch):
    """As far as that goes without the work itself; of LiteRT files, it begins when the interpreter is looked for."""

    def begun():
        asked.append("litert")
        raise KeyboardInterrupt

    monkeypatch.setattr("tfstyle.export.litert.export", real_litert)
    monkeypatch.setattr("tfstyle.export.litert._interpreter", begun)
    (folder / "mine.npz").write_bytes(network_file.read_bytes())
    lines = [line.split()[1:] for line in verb.EXAMPLES.splitlines() if line.startswith("  tfstyle export")]
    assert len(lines) > 3
    for index, words in enumerate(lines):
        place = words.index("-o") + 1
        code = main([*words[:place], f"out{index}", *words[place + 1:]])
        assert code == (130 if "litert" in words else 0), words
    assert len(asked) == len(lines)


def test_quiet(capsys, asked):
    assert main(["export", "gatys", "-o", "m", "--quiet"]) == 0
    assert capsys.readouterr() == ("", "") and len(asked) == 1


def test_a_graph_that_is_not_kept(capsys, asked, left, monkeypatch):
    def export(*_, **__):
        raise ExportError("The exported graph was not kept: hub differs from Python by 0.5, more than 1e-05.")

    monkeypatch.setattr("tfstyle.export.savedmodel.export", export)
    assert main(["export", "arbitrary", "-o", "m"]) == 1
    told = capsys.readouterr()
    assert told.out == "" and left() == []
    assert told.err == "tfstyle: The exported graph was not kept: hub differs from Python by 0.5, more than 1e-05.\n"


def test_ctrl_c(capsys, asked, monkeypatch):
    def export(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("tfstyle.export.savedmodel.export", export)
    assert main(["export", "arbitrary", "-o", "m"]) == 130
    assert capsys.readouterr().err == "tfstyle: interrupted.\n"


# The whole of it


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_an_export_of_ones_own_network(capsys, refused, folder, left):
    """Checked in every loader, and refused a second time; the checks of the version come before the work."""
    words = ["arbitrary", "--model", "network.npz", "-o", "models/mine"]
    assert main(["export", *words]) == 0
    told = capsys.readouterr()
    line, _ = told.out.splitlines()
    path, size, _, difference = re.fullmatch(r"(\S+)  (\S+) MB  (within (\S+) of Python)", line).groups()
    assert path == "models/mine/arbitrary/1" and told.err == "" and left() == ["models"]
    assert 0 < float(difference) <= 1e-5
    files = [file for file in (folder / path).rglob("*") if file.is_file()]
    assert float(size) == round(sum(file.stat().st_size for file in files) / 1e6, 1)
    assert {"saved_model.pb", "variables.index", "card.json"} <= {file.name for file in files}
    assert os.listdir("models/mine/arbitrary") == ["1"]
    said = refused("export", *words)
    assert said.startswith("models/mine/arbitrary/1 is there already; give the next version, or replace it (")
