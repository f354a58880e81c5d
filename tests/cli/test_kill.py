"""A run that is killed goes on where its checkpoint stands, and Ctrl-C writes what there is: as processes."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

pytestmark = pytest.mark.slow

# The command line with a checkpoint after every step; a user's run writes one every few seconds.
EVERY_STEP = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from tfstyle.cli.chatter import hushed
with hushed():
    from tfstyle.gatys import loop
loop.optimize.__kwdefaults__["checkpoint_seconds"] = 0.0
from tfstyle.cli import main
sys.exit(main(sys.argv[1:]))
"""
FLAGS = "--size 96 --scales 2 --steps 12,40 --deterministic --seed 3 --init noise".split()
STEPS = 52


def started(output, *words):
    """The command line as a process."""
    words = ("optimize", "photo.png", "paint.png", "-o", output, *FLAGS, *words)
    command = [sys.executable, "-c", EVERY_STEP, *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finished(process):
    """(exit code, stdout, stderr)"""
    out, err = process.communicate(timeout=600)
    return process.returncode, out, err


def steps_done(checkpoint):
    """Steps that a checkpoint holds; 0 if it is not there yet."""
    if not os.path.exists(checkpoint):
        return 0
    with np.load(checkpoint) as file:
        return len(json.loads(bytes(file["head"]))["progress"]["records"])


def wait_for_steps(process, checkpoint, count):
    while steps_done(checkpoint) < count:
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)


def losses(path):
    with open(path, encoding="utf-8") as file:
        trace = json.load(file)
    return [record["raw"] for record in (*trace["records"], trace["final"])]


def test_killed_at_both_scales_and_resumed(folder):
    code, line, told = finished(started("whole.png", "--trace", "whole.json"))
    assert (code, told) == (0, "") and line.startswith("whole.png  96x72  ")

    for count in (5, 20):  # at the first scale, and the resumed run at the second
        process = started("resumed.png", "--trace", "resumed.json", "--checkpoint", "run.npz")
        wait_for_steps(process, "run.npz", count)
        process.kill()
        assert finished(process)[0] == -signal.SIGKILL
        assert count <= steps_done("run.npz") < STEPS
        assert not os.path.exists("resumed.png") and not os.path.exists("resumed.json")

    code, line, told = finished(started("resumed.png", "--trace", "resumed.json", "--checkpoint", "run.npz"))
    assert (code, told) == (0, "") and line.startswith("resumed.png  96x72  ")
    assert (folder / "resumed.png").read_bytes() == (folder / "whole.png").read_bytes()
    assert losses("resumed.json") == losses("whole.json") and len(losses("whole.json")) == STEPS + 1


def test_ctrl_c_writes_the_picture(folder):
    process = started("out.png", "--checkpoint", "run.npz", "--trace", "run.json", "--steps", "9999")
    wait_for_steps(process, "run.npz", 3)
    process.send_signal(signal.SIGINT)
    code, line, told = finished(process)
    assert code == 130
    assert line.startswith("out.png  96x72  ") and "interrupted at step " in line
    assert told == "\ntfstyle: stopping after this step to write the picture; Ctrl-C again quits at once.\n"
    assert 3 <= len(losses("run.json")) - 1 < 9999
    assert os.path.getsize("out.png") > 1000
