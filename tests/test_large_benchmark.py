"""benchmarks/large.py at a size of no interest."""

import json
import pathlib
import subprocess
import sys

import pytest

SCRIPT = pathlib.Path(__file__).resolve().parents[1] / "benchmarks" / "large.py"


@pytest.mark.slow
def test_sizes(tmp_path):
    command = [sys.executable, SCRIPT, "--sizes", "64", "96", "--precision", "float32", "--compare", "--memory", "0"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["pixels"] for line in lines] == ["64x48", "96x72"]
    for line in lines:
        assert min(line["seconds"], line["ratio"], line["cpu_ratio"]) > 0 and line["loaded_mib"] <= line["peak_mib"]
        assert 0 < line["mean_error_of_255"] < 0.2 and line["max_error_of_255"] < 4


@pytest.mark.slow
def test_a_large_picture_through_the_front_door_stays_under_two_gibibytes():
    """12 megapixels with their style looked at; 48 take as much and the pixels themselves."""
    command = [sys.executable, SCRIPT, "--sizes", "4000", "--front", "--precision", "float32"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["pixels"] == "4000x3000" and 500 < told["peak_mib"] < 2048
