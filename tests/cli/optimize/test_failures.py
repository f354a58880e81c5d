"""tfstyle optimize: when something fails, and Ctrl-C."""

import json
import os
import signal

import pytest

import tfstyle
from tfstyle import images
from tfstyle.cli import main
from tfstyle.gatys.record import NonFiniteError

PLAIN = ("optimize", "photo.png", "paint.png", "-o", "out.png", "--size", "64")


def test_a_failure_beside_the_picture_does_not_cost_it(files, stand_in, capsys):
    def step(number):
        if number == 3:
            os.rmdir("there")

    os.mkdir("there")
    stand_in["step"] = step
    assert main([*PLAIN, "--trace", "there/run.json"]) == 1
    told = capsys.readouterr()
    assert told.out.startswith("out.png  64x48")
    assert told.err == "tfstyle: --trace 'there/run.json' could not be written (No such file or directory).\n"
    assert files() == ["out.png"]


def test_a_frame_that_fails_stops_the_frames_and_not_the_run(files, stand_in, capsys):
    stand_in["step"] = lambda number: os.rename("frames", "moved") if number == 2 else None
    assert main([*PLAIN, "--save-every", "1", "--frames-dir", "frames"]) == 1
    told = capsys.readouterr()
    assert told.out.startswith("out.png  64x48")
    assert told.err.count("\n") == 1 and "'frames/out-0002.png'" in told.err
    assert files() == ["moved", "out.png"] and os.listdir("moved") == ["out-0001.png"]


def test_a_picture_that_cannot_be_written_in_the_end(files, stand_in, capsys):
    os.mkdir("there")
    stand_in["step"] = lambda number: os.rmdir("there") if number == 4 else None
    assert main([*PLAIN, "-o", "there/out.png", "--trace", "run.json"]) == 1
    told = capsys.readouterr()
    assert told.out == "" and told.err.count("\n") == 1
    assert told.err.startswith("tfstyle: output 'there/out.png': ")
    assert files() == ["run.json"]
    with open("run.json", encoding="utf-8") as file:
        assert json.load(file)["faults"] == [told.err.removeprefix("tfstyle: ").strip()]


@pytest.mark.parametrize("error, sentence", [
    (NonFiniteError("style/relu1_1 became infinite."), "style/relu1_1 became infinite."),
    (MemoryError(), "memory ran out; use a smaller --size, or --optimizer adam."),
])
def test_a_run_that_comes_to_nothing_leaves_its_trace(files, stand_in, capsys, error, sentence):
    def step(number):
        if number == 3:
            raise error

    stand_in["step"] = step
    assert main([*PLAIN, "--trace", "run.json"]) == 1
    assert tuple(capsys.readouterr()) == ("", f"tfstyle: {sentence}\n")
    assert files() == ["run.json"]
    with open("run.json", encoding="utf-8") as file:
        told = json.load(file)
    assert told["faults"] == [sentence] and len(told["records"]) == 2 and told["final"] is None


def test_memory_of_the_device_running_out(files, stand_in, capsys):
    import tensorflow as tf

    def step(number):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")

    stand_in["step"] = step
    assert main([*PLAIN, "--plot", "loss.png"]) == 1
    assert capsys.readouterr().err == "tfstyle: memory ran out; use a smaller --size, or --optimizer adam.\n"
    assert files() == []


def test_a_setting_that_only_the_run_can_refuse(files, stand_in, refused):
    def step(number):
        raise tfstyle.InputError("A picture of this size does not fit; use size=64.")

    stand_in["step"] = step
    assert refused(*PLAIN) == "A picture of this size does not fit; use size=64."


# Ctrl-C


@pytest.fixture
def ctrl_c():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield lambda: os.kill(os.getpid(), signal.SIGINT)
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_writes_what_there_is(files, stand_in, capsys, ctrl_c):
    stand_in["step"] = lambda number: ctrl_c() if number == 2 else None
    assert main([*PLAIN, "--trace", "run.json"]) == 130
    assert capsys.readouterr().out == (
        "out.png  64x48  1.0 s  content_loss 0.2500  style_rel 0.1250  tv 0.5000  "
        "interrupted at step 2 of 4\n"
    )
    assert files() == ["out.png", "run.json"]
    assert abs(images.read("out.png").rgb - 0.5).max() < 0.01
    with open("run.json", encoding="utf-8") as file:
        assert json.load(file)["interrupted"] is True


def test_ctrl_c_twice_writes_nothing(files, stand_in, ctrl_c):
    stand_in["step"] = lambda number: (ctrl_c(), ctrl_c()) if number == 2 else None
    assert main(PLAIN) == 130
    assert files() == []


def test_ctrl_c_while_checking(folder, monkeypatch, capsys):
    def interrupted(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(images, "read", interrupted)
    assert main(PLAIN) == 130
    assert tuple(capsys.readouterr()) == ("", "tfstyle: interrupted.\n")
