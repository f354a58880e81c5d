"""What doctor finds, and what it finds wrong."""

import importlib.metadata
import json
import platform
import subprocess
import sys

import pytest

from tfstyle import __version__
from tfstyle.cli import doctor, main
from tfstyle.weights import files

MACHINE = {
    "tensorflow": "2.21.0", "keras": "3.15.1", "numpy": "2.4.6", "pillow": "13.0.0",
    "formats": {"jpg": True, "webp": True, "avif": False},
    "devices": [{"type": "CPU", "name": "/physical_device:CPU:0"},
                {"type": "GPU", "name": "NVIDIA T4", "compute_capability": "7.5"}],
    "built_with_cuda": True, "bfloat16": False, "bfloat16_why": "compute capability 7.5 lacks bfloat16",
    "memory_available": 3 * 2**30,
}


@pytest.fixture
def machine(monkeypatch):
    """A machine described by MACHINE, with exactly the metadata in the list that the test fills."""
    monkeypatch.setattr(doctor, "_machine", lambda: (dict(MACHINE), None))
    lines = ["numpy>=1.26", 'tfstyle[plot]; extra == "test"', 'matplotlib>=3; extra == "plot"']
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: lines)
    versions = {"numpy": "2.4.6", "matplotlib": None, "setuptools": "82.0"}

    def version(name):
        if versions.get(name) is None:
            raise importlib.metadata.PackageNotFoundError(name)
        return versions[name]

    monkeypatch.setattr(importlib.metadata, "version", version)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    return lines


def test_lines(machine, capsys):
    assert main(["doctor"]) == 0
    told = capsys.readouterr()
    rows = [line.split(maxsplit=1) for line in told.out.splitlines()]
    assert told.err == ""
    for row in (
        ["tfstyle", __version__], ["tensorflow", "2.21.0"], ["keras", "3.15.1 on tensorflow"],
        ["numpy", "2.4.6"],
        ["pillow", "13.0.0 (webp yes, avif no)"], ["[plot]", "lacks matplotlib: pip install 'tfstyle[plot]'"],
        ["device", "/physical_device:CPU:0"], ["device", "NVIDIA T4, compute capability 7.5"],
        ["bfloat16", "no: compute capability 7.5 lacks bfloat16"], ["memory", "3.0 GiB available"],
        ["weights", f"{files.DEFAULT} ok, SHA-256 {files.SHIPPED[files.DEFAULT]}"],
    ):
        assert row in rows
    assert ["python", f"{platform.python_version()}, {platform.platform()}"] in rows
    assert "[test]" not in told.out  # it only asks for another extra


def test_json(machine, capsys, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert main(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["broken"] == [] and found["tfstyle"] == __version__ and found["keras_backend"] == "jax"
    assert found["extras"] == {"plot": {"matplotlib": None}} and found["requirements"] == {"numpy": "2.4.6"}
    shipped = {name: {"state": "ok", "sha256": digest} for name, digest in files.SHIPPED.items()}
    assert found["weights"] == shipped
    assert MACHINE.items() <= found.items()
    assert main(["doctor"]) == 0
    assert "3.15.1 on jax (tfstyle optimize takes tensorflow)" in capsys.readouterr().out


def faults(capsys):
    """Exit code and sentences, the same in both forms."""
    code = main(["doctor"])
    told = capsys.readouterr().err.splitlines()
    assert main(["doctor", "--json"]) == code
    both = capsys.readouterr()
    assert both.err.splitlines() == told
    assert [f"tfstyle: {sentence}" for sentence in json.loads(both.out)["broken"]] == told
    return code, told


def test_missing_and_unfit_requirements(machine, capsys):
    machine += ["setuptools<82", "absl-py>=2"]
    assert faults(capsys) == (1, [
        "tfstyle: setuptools 82.0 does not serve: pip install 'setuptools<82'.",
        "tfstyle: absl-py is not installed: pip install 'absl-py>=2'.",
    ])


def test_a_build_under_another_name_serves(machine, capsys, monkeypatch):
    machine.append("tensorflow>=2.18")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object() if name == "tensorflow" else None)
    assert faults(capsys) == (0, [])


def test_damaged_and_missing_weights(machine, capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(files, "HERE", tmp_path)
    (tmp_path / files.DEFAULT).write_bytes(b"damaged")
    assert faults(capsys) == (1, [
        f"tfstyle: {files.DEFAULT} of the package tfstyle is damaged: reinstall tfstyle.",
        *(f"tfstyle: {file} of the package tfstyle is missing: reinstall tfstyle."
          for file in files.SHIPPED if file != files.DEFAULT),
    ])


def test_never_installed(machine, capsys, monkeypatch):
    def requires(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "requires", requires)
    assert faults(capsys) == (0, [])


@pytest.mark.parametrize("ending, why", [
    ("raise ImportError('libfoo.so.1 is missing.')", "ImportError: libfoo.so.1 is missing"),
    ("os._exit(3)", "it ended with exit code 3"),
    ("os.write(2, b'no AVX\\n'); os.abort()", "no AVX"),
])
def test_a_tensorflow_that_cannot_be_used(tmp_path, capsys, monkeypatch, ending, why):
    (tmp_path / "tensorflow.py").write_text(f"import os\n{ending}\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    code, told = faults(capsys)
    assert code == 1
    assert told == [f"tfstyle: TensorFlow cannot be used ({why}): pip install --force-reinstall tensorflow."]


def test_this_machine():
    """The whole of it, as a user calls it."""
    command = [sys.executable, "-m", "tfstyle", "doctor", "--json"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    found = json.loads(done.stdout)
    assert found["broken"] == []
    assert any(device["type"] == "CPU" for device in found["devices"])
    assert found["memory_available"] > 0 and found["cores"] >= 1 and isinstance(found["bfloat16"], bool)
    assert importlib.metadata.version("keras") == found["keras"]
    assert importlib.metadata.version("pillow") == found["pillow"]
