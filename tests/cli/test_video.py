"""tfstyle video: what is checked, what is handed on, what is written, and with which exit code."""

import os
import pathlib
import runpy
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest

from tfstyle.cli import main
from tfstyle.movie import loop as movie

av = pytest.importorskip("av", reason="needs tfstyle[video]")
pytest.importorskip("cv2", reason="needs tfstyle[video]")
CLIPS = SimpleNamespace(**runpy.run_path(str(pathlib.Path(__file__).parents[1] / "clips.py")))
PLAIN = ("video", "in.mp4", "paint.png", "-o", "out.mp4")

# The command line with a painter that needs neither network nor TensorFlow, for processes; from the fifth frame on it
# takes its time.
SLOW = """
import signal, sys, time, types
signal.signal(signal.SIGINT, signal.default_int_handler)
from tfstyle.cli import main
from tfstyle.movie import loop as movie
done = []

def painter(plan):
    def paint(photo, brought=None, trusted=None):
        done.append(photo)
        if len(done) > 4:
            time.sleep(float(sys.argv[1]))
        return 1 - photo
    return paint

movie.PIECE["fast"] = 2
sys.modules["tensorflow"] = types.SimpleNamespace(errors=types.SimpleNamespace(ResourceExhaustedError=MemoryError))
sys.modules["tfstyle.movie.painters"] = types.SimpleNamespace(painter=painter)
sys.exit(main(sys.argv[2:]))
"""


@pytest.fixture
def clip(folder):
    """in.mp4 of 10 frames in the current folder, beside the pictures."""
    return CLIPS.write(folder / "in.mp4")


@pytest.fixture
def asked(monkeypatch, clip):
    """Puts a painter without a network in place; returns the plans that it is made for."""
    plans = []

    def painter(plan):
        plans.append(plan)
        return lambda photo, *_: 1 - photo

    monkeypatch.setitem(sys.modules, "tfstyle.movie.painters", SimpleNamespace(painter=painter))
    return plans


def test_a_plain_run(asked, capsys):
    assert main(PLAIN) == 0
    told = capsys.readouterr()
    assert told.err == "" and told.out.startswith("out.mp4  64x48  10 frames  ") and told.out.count("\n") == 1
    assert CLIPS.times("out.mp4") == CLIPS.times("in.mp4") and CLIPS.sound("out.mp4") == CLIPS.sound("in.mp4")
    assert not os.path.exists("out.mp4.part")


def test_flags_become_settings(asked, capsys):
    flags = "--size 32 --stability 0.5 --strength 0.25 --color luminance --crf 30 --codec vp9 --weights 3 1 --report"
    assert main(["video", "in.mp4", "paint.png", "photo.png", "-o", "out.mkv", *flags.split()]) == 0
    plan = asked[0]
    settings = plan.settings
    assert (settings.size, settings.stability, settings.strength, settings.color) == (32, 0.5, 0.25, "luminance")
    assert (settings.crf, plan.codec, plan.weights, plan.shape) == (30, "vp9", (0.75, 0.25), (24, 32))
    told = capsys.readouterr()
    assert "  flicker 0." in told.out and "(frame by frame 0." in told.out and "milliseconds" in told.err


def test_the_recipe_of_the_other_method(asked):
    assert main([*PLAIN, "--method", "optimize", "--steps", "9,5", "--style-weight", "2", "--later-steps", "3"]) == 0
    assert (asked[0].recipe.steps, asked[0].recipe.style_weight, asked[0].settings.later_steps) == ((9, 5), 2.0, 3)


def test_quiet_and_flagfile(asked, capsys):
    pathlib.Path("flags.txt").write_text("--stability=0.25\n--quiet\n")
    assert main([*PLAIN, "--flagfile", "flags.txt"]) == 0
    assert tuple(capsys.readouterr()) == ("", "") and asked[0].settings.stability == 0.25


def test_bad_calls(clip, refused, monkeypatch):
    assert "does not exist" in refused("video", "none.mp4", "paint.png", "-o", "out.mp4")
    assert "is a picture" in refused("video", "photo.png", "paint.png", "-o", "out.mp4")
    assert "would overwrite the picture" in refused("video", "in.mp4", "paint.png", "-o", "in.mp4")
    assert "unknown extension" in refused("video", "in.mp4", "paint.png", "-o", "out.gif")
    assert "cannot hold the sound" in refused("video", "in.mp4", "paint.png", "-o", "out.webm")
    assert "There is no style picture" in refused("video", "in.mp4", "-o", "out.mp4")
    assert "--stability must be a number from 0 to 1" in refused(*PLAIN, "--stability", "2")
    assert "did you mean --stability?" in refused(*PLAIN, "--stabilty", "1")
    assert refused(*PLAIN, "--steps", "9") == (
        "steps is a setting of the method optimize, not of fast; use that method or leave steps out."
    )
    assert "--weights must have one number for each" in refused(*PLAIN, "--weights", "1", "2")
    assert "there is no folder" in refused("video", "in.mp4", "paint.png", "-o", "none/out.mp4")
    assert "did you mean 'night'?" in refused(*PLAIN, "--model", "nigt")
    assert "tiled yes needs the method optimize" in refused(*PLAIN, "--tiled", "yes")
    for module in ("av", "cv2"):
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, module, None)
            assert "pip install 'tfstyle[video]'" in refused(*PLAIN)
    assert not os.path.exists("out.mp4.part")


def test_damage_exits_1_and_keeps_the_rest(asked, capsys):
    CLIPS.write("in.mp4", times=range(0, 5000, 500), sounds=(), plain=True)
    with av.open("in.mp4") as container:
        third = [packet for packet in container.demux(video=0) if packet.size][3]
    data = bytearray(pathlib.Path("in.mp4").read_bytes())
    data[third.pos + 4:third.pos + third.size] = bytes(third.size - 4)
    pathlib.Path("in.mp4").write_bytes(data)
    assert main(PLAIN) == 1
    told = capsys.readouterr()
    assert told.out.startswith("out.mp4  64x48  ") and "is damaged at" in told.err
    assert len(CLIPS.times("out.mp4")) >= 8


def test_memory_that_runs_out(asked, monkeypatch, capsys):
    def fail(*args):
        raise MemoryError

    monkeypatch.setattr(movie, "steadied", fail)
    assert main(PLAIN) == 1
    assert capsys.readouterr().err == "tfstyle: memory ran out; use a smaller --size.\n"


def started(seconds, *words):
    command = [sys.executable, "-c", SLOW, str(seconds), *(words or PLAIN)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for(process, path):
    while not os.path.exists(path):
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)


@pytest.mark.parametrize("how, code", [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -signal.SIGKILL)])
def test_a_run_that_is_broken_off_goes_on(clip, how, code):
    process = started(0, "video", "in.mp4", "paint.png", "-o", "whole.mp4")
    assert process.communicate(timeout=120)[1] == "" and process.returncode == 0
    process = started(60)
    wait_for(process, "out.mp4.part/piece-000001.nut")
    process.send_signal(how)
    told = process.communicate(timeout=120)
    assert process.returncode == code and not os.path.exists("out.mp4")
    if how != signal.SIGKILL:
        assert "the same command goes on from what is done" in told[1]
        assert ("interrupted." if how == signal.SIGINT else "terminated.") in told[1]
    process = started(0)
    told = process.communicate(timeout=120)
    assert (process.returncode, told[1]) == (0, "") and told[0].startswith("out.mp4  64x48  10 frames  ")
    np.testing.assert_array_equal(CLIPS.frames("out.mp4"), CLIPS.frames("whole.mp4"))
    assert CLIPS.sound("out.mp4") == CLIPS.sound("in.mp4") and not os.path.exists("out.mp4.part")


def test_help_explains(capsys):
    with pytest.raises(SystemExit) as exit_:
        main(["video", "--help"])
    told = capsys.readouterr().out
    assert exit_.value.code == 0
    for word in ("VIDEO", "--stability", "--report", "--later-steps", "--color", "OUT.part", "examples:"):
        assert word in told
