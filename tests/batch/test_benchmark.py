"""benchmarks/batch.py at a size of no interest."""

import json
import pathlib
import subprocess
import sys

import pytest

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "benchmarks" / "batch.py"


def lines(*words):
    done = subprocess.run([sys.executable, SCRIPT, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_plan():
    (line,) = lines("--plan", "1200")
    assert (line["case"], line["pictures"]) == ("plan", 1200)


@pytest.mark.slow
def test_cases():
    pytest.importorskip("ray")
    told = lines("--count", "32", "--size", "64", "--cases", "loop", "ray-1x1")
    assert [(line["case"], line["pictures"]) for line in told] == [("loop", 32), ("ray-1x1", 32)]
    for line in told:
        assert min(line["start_s"], line["rate"], line["cpu_s"], line["actor_mib"]) > 0
        assert line["seconds"] > line["start_s"]
