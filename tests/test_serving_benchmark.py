"""benchmarks/serving.py on the SavedModel that is there, at sizes of no interest."""

import json
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
SCRIPT, MODEL = ROOT / "benchmarks" / "serving.py", ROOT / "saved_models" / "arbitrary" / "1"


@pytest.mark.slow
def test_sizes():
    command = [sys.executable, SCRIPT, "sizes", MODEL, "--sizes", "32", "64", "--batch", "2", "--runs", "1"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(line["pixels"], line["batch"]) for line in lines] == [("32x24", 2), ("64x48", 2)]
    for line in lines:
        assert min(line["seconds"], line["first_seconds"]) > 0 and 0 < line["loaded_mib"] <= line["peak_mib"]


@pytest.mark.slow
def test_no_model(tmp_path):
    command = [sys.executable, SCRIPT, "sizes", tmp_path, "--sizes", "32", "64"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1 and done.stdout == ""


@pytest.mark.slow
def test_ratio():
    command = [sys.executable, SCRIPT, "ratio", MODEL, "--sizes", "64", "--runs", "1"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    cases = {line["case"]: line for line in map(json.loads, done.stdout.splitlines())}
    assert cases.keys() == {"new style", "style known", "strength 0.5"}
    for line in cases.values():
        assert min(line["graph_seconds"], line["python_seconds"], line["ratio"]) > 0
