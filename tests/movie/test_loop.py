"""The loop over a video: what it hands on, what it tells, and what it holds in memory."""

import inspect
import os
import pathlib
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest

from tfstyle.images.frames import cut_off
from tfstyle.movie import loop as movie
from tfstyle.movie import parts


def test_times_and_sound_stay(clips, run, source, output, tmp_path):
    told = []
    result = run(callback=told.append)
    assert clips.times(output) == clips.times(source) and clips.sound(output) == clips.sound(source)
    assert (result.path, result.frames, result.width, result.height) == (output, 10, 64, 48)
    assert result.flicker is None and result.faults == () and result.notes == ()
    assert [one.frame for one in told] == list(range(1, 11))
    assert {(one.frames, one.resumed) for one in told} == {(10, 0)}
    assert [one.seconds for one in told] == sorted(one.seconds for one in told)
    assert sorted(os.listdir(tmp_path)) == ["in.mp4", "out.mp4"]


def test_each_frame_is_painted_once_from_its_own_photo(clips, run, stand_in):
    run(stability=0.5)
    assert len(stand_in.calls) == 10 and stand_in.calls[0][1:] == (None, None)
    for (photo, brought, trusted), frame in zip(stand_in.calls, clips.pictures(), strict=True):
        assert photo.dtype == np.float32 and np.abs(photo - frame / 255).mean() < 0.03
        if brought is not None:
            assert brought.shape == (48, 64, 3) and trusted.shape == (48, 64)


def test_frame_by_frame_needs_no_flow(clips, run, stand_in, monkeypatch, output):
    monkeypatch.setattr(movie, "flow", None)
    run(stability=0.0, crf=1)
    assert all(call[1:] == (None, None) for call in stand_in.calls)
    painted = clips.frames(output).astype(int)
    wanted = np.stack([255 * (1 - photo) for photo, *_ in stand_in.calls])
    assert np.abs(painted - wanted)[:, :, 45:].mean() < 6


def test_stability_steadies_and_the_report_says_so(run, source, output):
    alone, held = run(report=True, stability=0.0), run(report=True, stability=0.8)
    assert alone.flicker == pytest.approx(alone.flicker_frame_by_frame) and alone.flicker > 0.02
    assert held.flicker_frame_by_frame == pytest.approx(alone.flicker, rel=1e-5)
    assert held.flicker < 0.6 * held.flicker_frame_by_frame


def test_a_cut_shows_nothing_of_the_scene_before(clips, tmp_path, painting, stand_in):
    scenes = np.concatenate([clips.pictures(3), 255 - clips.pictures(3)[:, ::-1]])
    source = clips.write(tmp_path / "cut.mp4", scenes, range(0, 3000, 500), crf="1")
    movie.stylize_video(str(source), painting, str(tmp_path / "out.mp4"), stability=1.0, crf=1)
    result = clips.frames(tmp_path / "out.mp4")[3].astype(float)
    photo = stand_in.calls[3][0]
    assert stand_in.calls[3][2].mean() < 0.05
    assert np.abs(result - 255 * (1 - photo))[:, 45:].mean() < 8


def test_frames_are_not_gathered(run, stand_in, monkeypatch):
    """Never more than a few are read ahead of the one that is painted."""
    read, most = [], []
    real = movie.frames_of

    def counted(*args):
        for frame in real(*args):
            read.append(frame.pts)
            yield frame

    monkeypatch.setattr(movie, "frames_of", counted)
    stand_in.step = lambda number: most.append(len(read) - number)
    run()
    assert len(read) == 10 and max(most) <= movie._AHEAD + 1


def test_damage_is_told_and_the_rest_done(clips, tmp_path, painting, stand_in):
    path = clips.write(tmp_path / "in.mp4", times=range(0, 5000, 500), sounds=(), plain=True)
    with clips.av.open(str(path)) as container:
        third = [packet for packet in container.demux(video=0) if packet.size][3]
    data = bytearray(path.read_bytes())
    data[third.pos + 4:third.pos + third.size] = bytes(third.size - 4)
    path.write_bytes(data)
    result = movie.stylize_video(str(path), painting, str(tmp_path / "out.mp4"))
    assert len(result.faults) == 1 and "is damaged at" in result.faults[0]
    assert result.frames == len(clips.times(tmp_path / "out.mp4")) >= 8


def test_a_file_that_was_cut_off_is_told(clips, tmp_path, painting, stand_in):
    """Matroska can be read without an error as far as it goes."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (10, 48, 64, 3), dtype=np.uint8)
    path = clips.write(tmp_path / "in.mkv", noise, range(0, 1000, 100), Fraction(1, 1000), sounds=(), plain=True)
    assert cut_off(path) is None
    path.write_bytes(path.read_bytes()[:path.stat().st_size // 2])
    there, told = cut_off(path)
    assert there < 0.8 < told
    result = movie.stylize_video(str(path), painting, str(tmp_path / "out.mp4"))
    assert 0 < result.frames < 10 and result.faults == (
        f"{str(path)!r} ends after {there:.1f} of {told:.1f} seconds; what is there is done.",
    )


def test_matroska_says_that_it_rounds(clips, tmp_path, painting, stand_in):
    source = clips.write(tmp_path / "in.mp4", times=range(0, 9009, 1001), time_base=Fraction(1, 30000), sounds=())
    result = movie.stylize_video(str(source), painting, str(tmp_path / "out.mkv"))
    assert len(result.notes) == 1 and "milliseconds" in result.notes[0]
    slips = [abs(a - b) for a, b in zip(clips.times(tmp_path / "out.mkv"), clips.times(source), strict=True)]
    assert max(slips) <= Fraction(1, 2000)


def test_size_and_a_phone(clips, tmp_path, painting, stand_in):
    source = clips.write(tmp_path / "in.mp4", rotation=(90,))
    result = movie.stylize_video(str(source), painting, str(tmp_path / "out.mp4"), size=33)
    assert (result.width, result.height) == (26, 34)  # 24.75 x 33, odd sides one more
    assert stand_in.calls[0][0].shape == (33, 25, 3)
    assert clips.frames(tmp_path / "out.mp4").shape[1:3] == (34, 26)


def full(*args, **options):
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("holder, name, kept", [(movie, "joined", True), (parts, "save", False)])
def test_a_full_disk(run, output, monkeypatch, refusal, holder, name, kept):
    monkeypatch.setattr(holder, name, full)
    assert "No space left on device" in refusal(run)
    assert os.path.isdir(f"{output}.part") == kept and not os.path.exists(output)


@pytest.fixture
def no_room(monkeypatch):
    """Pieces go where no byte can be written."""
    if not pathlib.Path("/dev/full").is_char_device():
        pytest.skip("needs /dev/full")
    real = movie.piece
    monkeypatch.setattr(movie, "piece", lambda path, *rest: real("/dev/full", *rest))


def test_a_disk_that_is_full_before_the_first_piece(run, output, no_room, refusal):
    assert "No space left on device" in refusal(run)
    assert not os.path.exists(f"{output}.part")


def fails(*args):
    raise OSError("the caller's own")


def test_errors_of_others_are_not_the_disks(run, output, stand_in, monkeypatch):
    with pytest.raises(OSError, match="^the caller's own$"):
        run(callback=fails)
    with monkeypatch.context() as patch:
        patch.setattr(stand_in, "step", fails)
        with pytest.raises(OSError, match="^the caller's own$"):
            run()
    monkeypatch.setattr(sys.modules["tfstyle.movie.painters"], "painter", fails)
    with pytest.raises(OSError, match="^the caller's own$"):
        run()
    assert not os.path.exists(f"{output}.part")


def test_an_error_of_others_comes_first_on_a_full_disk(run, no_room):
    with pytest.raises(OSError, match="^the caller's own$"):
        run(callback=fails)


def test_the_video_is_closed_when_a_run_breaks_off(run, monkeypatch):
    opened, real = [], movie.frames_of
    monkeypatch.setattr(movie, "frames_of", lambda *args: opened.append(real(*args)) or opened[-1])
    with pytest.raises(OSError, match="own"):
        run(callback=fails)
    assert [inspect.getgeneratorstate(one) for one in opened] == [inspect.GEN_CLOSED]


def test_importing_is_light():
    code = "import sys, tfstyle.movie, tfstyle.cli.video; print({'tensorflow', 'keras', 'av', 'cv2'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"

