"""What is kept until a video is finished: how a run goes on after a break, and what it refuses to go on from."""

import os
import pathlib

import numpy as np
import pytest

from tfstyle.movie import loop as movie


class Stop(Exception):
    """What a test breaks a run off with."""



def left(folder):
    return sorted(os.listdir(folder))



@pytest.mark.parametrize("broken", [3, 4, 7, 9])
def test_a_broken_run_goes_on_to_the_same_frames(clips, run, output, tmp_path, stand_in, monkeypatch, broken):
    monkeypatch.setitem(movie.PIECE, "fast", 4)
    run(report=True, output=str(tmp_path / "whole.mp4"))
    whole = stand_in.calls.copy()
    stand_in.calls.clear()

    def stop(number):
        if number == broken:
            raise Stop

    stand_in.step = stop
    with pytest.raises(Stop):
        run(report=True)
    assert not os.path.exists(output)
    stand_in.step, done = lambda number: None, broken // 4 * 4
    assert os.path.isdir(f"{output}.part") == bool(done)
    stand_in.calls.clear()
    told = []
    result = run(report=True, callback=told.append)
    assert len(stand_in.calls) == 10 - done and result.frames == 10
    assert (told[0].frame, told[0].resumed) == (done + 1, done)
    for ours, theirs in zip(stand_in.calls, whole[done:], strict=True):
        np.testing.assert_array_equal(ours[0], theirs[0])
        np.testing.assert_array_equal(ours[1], theirs[1])
    np.testing.assert_array_equal(clips.frames(output), clips.frames(tmp_path / "whole.mp4"))
    assert clips.times(output) == clips.times(tmp_path / "whole.mp4")
    assert clips.sound(output) == clips.sound(tmp_path / "whole.mp4")
    assert left(tmp_path) == ["in.mp4", "out.mp4", "whole.mp4"]



def test_a_break_before_the_end_is_joined_without_painting(clips, run, output, stand_in, monkeypatch):
    def fail(*args):
        raise Stop

    real = movie.joined
    monkeypatch.setattr(movie, "joined", fail)
    with pytest.raises(Stop):
        run(report=True)
    monkeypatch.setattr(movie, "joined", real)
    stand_in.calls.clear()
    result = run(report=True)
    assert stand_in.calls == [] and result.frames == 10 and result.flicker > 0
    assert len(clips.times(output)) == 10



def test_a_kill_leaves_whole_pieces_only(clips, run, output, stand_in, monkeypatch):
    monkeypatch.setitem(movie.PIECE, "fast", 4)
    stand_in.step = lambda number: number == 6 and (_ for _ in ()).throw(Stop)
    with pytest.raises(Stop):
        run()
    assert left(f"{output}.part") == ["piece-000000.nut", "run.json", "state.npz"]
    assert len(clips.times(f"{output}.part/piece-000000.nut")) == 4



def test_what_is_left_of_another_run_stays(clips, run, source, output, other_painting, stand_in, monkeypatch, refusal):
    monkeypatch.setitem(movie.PIECE, "fast", 4)
    stand_in.step = lambda number: number == 6 and (_ for _ in ()).throw(Stop)
    with pytest.raises(Stop):
        run()
    before = left(f"{output}.part")
    assert "another state of the settings" in refusal(run, stability=0.7)
    assert "another state of the styles" in refusal(movie.stylize_video, source, other_painting, output)
    clips.write(source, crf="12")
    assert "another state of the video" in refusal(run)
    assert left(f"{output}.part") == before



def test_damaged_remains_are_told(run, output, stand_in, monkeypatch, refusal):
    monkeypatch.setitem(movie.PIECE, "fast", 4)
    stand_in.step = lambda number: number == 9 and (_ for _ in ()).throw(Stop)
    with pytest.raises(Stop):
        run()
    state = pathlib.Path(output + ".part", "state.npz")
    data = state.read_bytes()
    state.write_bytes(data[:len(data) // 2])
    assert "is damaged" in refusal(run)
    state.write_bytes(data)
    os.remove(f"{output}.part/piece-000000.nut")
    assert "lacks a piece" in refusal(run)
    pathlib.Path(output + ".part", "run.json").write_text("{")
    assert "is damaged" in refusal(run)



def test_a_folder_of_that_name_that_is_not_ours(run, output, refusal):
    os.mkdir(f"{output}.part")
    pathlib.Path(output + ".part", "diary.txt").write_text("mine")
    assert "not of tfstyle" in refusal(run)
    assert left(f"{output}.part") == ["diary.txt"]



def test_two_runs_at_one_output(run, output, stand_in, refusal):
    pytest.importorskip("fcntl")
    sentences = []

    def again(number):
        if number == 2:
            stand_in.step = lambda number: None
            sentences.append(refusal(run))

    stand_in.step = again
    assert run().frames == 10
    assert "Another process is writing" in sentences[0]


def test_what_a_kill_leaves_of_the_first_file_is_no_hindrance(run, output):
    os.mkdir(f"{output}.part")
    pathlib.Path(output + ".part", ".tfstyle-0123456789abcdef.json").write_text('{"the vid')
    assert run().frames == 10
    assert not os.path.exists(f"{output}.part")


@pytest.mark.parametrize("name, painted", [("state.npz", 0), ("piece-000000.nut", 10), ("run.json", 10)])
def test_a_kill_while_the_folder_is_removed_is_no_hindrance(run, output, stand_in, monkeypatch, name, painted):
    real = os.remove

    def killed(path):
        if os.path.basename(path) == name:
            raise Stop
        real(path)

    with monkeypatch.context() as patch, pytest.raises(Stop):
        patch.setattr(os, "remove", killed)
        run()
    assert os.path.exists(output) and "run.json" in left(f"{output}.part")
    stand_in.calls.clear()
    assert run().frames == 10 and len(stand_in.calls) == painted
    assert not os.path.exists(f"{output}.part")


def test_the_folder_of_the_next_process_stays(run, output, monkeypatch):
    real = os.rmdir

    def followed(folder):
        real(folder)
        os.mkdir(folder)
        pathlib.Path(folder, "run.json").write_text("of the next")

    monkeypatch.setattr(os, "rmdir", followed)
    run()
    assert left(f"{output}.part") == ["run.json"]


def test_a_folder_that_goes_while_it_is_waited_for(run, output, stand_in, monkeypatch, refusal):
    fcntl = pytest.importorskip("fcntl")
    monkeypatch.setattr(fcntl, "flock", lambda file, how: os.remove(file.name))
    assert "Another process is writing" in refusal(run)
    assert stand_in.plans == []
