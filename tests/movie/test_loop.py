"""The loop over a video: what it hands on, what it keeps for the next run, and what it refuses."""

import os
import pathlib
import runpy
import subprocess
import sys
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest

from tfstyle.movie import loop as movie
from tfstyle.movie.settings import MovieSettings, recipe_fields, split_settings

av = pytest.importorskip("av", reason="needs tfstyle[video]")
pytest.importorskip("cv2", reason="needs tfstyle[video]")
CLIPS = SimpleNamespace(**runpy.run_path(str(pathlib.Path(__file__).parents[1] / "clips.py")))


class Stop(Exception):
    """What a test breaks a run off with."""


@pytest.fixture
def stand_in(monkeypatch):
    """Puts a painter without a network in place: the negative, with a stripe that jumps from frame to frame.

    Returns:
        Namespace: plans, those that it was made for; calls, (photo, brought, trusted) of every frame; step, called
        with the number of each, which tests replace.
    """
    told = SimpleNamespace(plans=[], calls=[], step=lambda number: None)

    def painter(plan):
        told.plans.append(plan)

        def paint(photo, brought=None, trusted=None):
            told.step(len(told.calls))
            told.calls.append((photo, brought, trusted))
            result = 1 - photo
            result[:, 8 * (int(photo.sum() * 1000) % 5):][:, :8] *= 0.6  # the same for the same frame
            return result

        return paint

    monkeypatch.setitem(sys.modules, "tfstyle.movie.painters", SimpleNamespace(painter=painter))
    return told


@pytest.fixture
def source(tmp_path):
    return str(CLIPS.write(tmp_path / "in.mp4"))


@pytest.fixture
def output(tmp_path):
    return str(tmp_path / "out.mp4")


@pytest.fixture
def run(source, output, painting, stand_in):
    """The call that the tests are about."""
    return lambda **changed: movie.stylize_video(source, painting, changed.pop("output", output), **changed)


def left(folder):
    return sorted(os.listdir(folder))


def test_times_and_sound_stay(run, source, output, tmp_path):
    told = []
    result = run(callback=told.append)
    assert CLIPS.times(output) == CLIPS.times(source) and CLIPS.sound(output) == CLIPS.sound(source)
    assert (result.path, result.frames, result.width, result.height) == (output, 10, 64, 48)
    assert result.flicker is None and result.faults == () and result.notes == ()
    assert [one.frame for one in told] == list(range(1, 11))
    assert {(one.frames, one.resumed) for one in told} == {(10, 0)}
    assert [one.seconds for one in told] == sorted(one.seconds for one in told)
    assert left(tmp_path) == ["in.mp4", "out.mp4"]


def test_each_frame_is_painted_once_from_its_own_photo(run, stand_in):
    run(stability=0.5)
    assert len(stand_in.calls) == 10 and stand_in.calls[0][1:] == (None, None)
    for (photo, brought, trusted), frame in zip(stand_in.calls, CLIPS.pictures(), strict=True):
        assert photo.dtype == np.float32 and np.abs(photo - frame / 255).mean() < 0.03
        if brought is not None:
            assert brought.shape == (48, 64, 3) and trusted.shape == (48, 64)


def test_frame_by_frame_needs_no_flow(run, stand_in, monkeypatch, output):
    monkeypatch.setattr(movie, "flow", None)
    run(stability=0.0, crf=1)
    assert all(call[1:] == (None, None) for call in stand_in.calls)
    painted = CLIPS.frames(output).astype(int)
    wanted = np.stack([255 * (1 - photo) for photo, *_ in stand_in.calls])
    assert np.abs(painted - wanted)[:, :, 45:].mean() < 6


def test_stability_steadies_and_the_report_says_so(run, source, output):
    alone, held = run(report=True, stability=0.0), run(report=True, stability=0.8)
    assert alone.flicker == pytest.approx(alone.flicker_frame_by_frame) and alone.flicker > 0.02
    assert held.flicker_frame_by_frame == pytest.approx(alone.flicker, rel=1e-5)
    assert held.flicker < 0.6 * held.flicker_frame_by_frame


def test_a_cut_shows_nothing_of_the_scene_before(tmp_path, painting, stand_in):
    scenes = np.concatenate([CLIPS.pictures(3), 255 - CLIPS.pictures(3)[:, ::-1]])
    source = CLIPS.write(tmp_path / "cut.mp4", scenes, range(0, 3000, 500), crf="1")
    movie.stylize_video(str(source), painting, str(tmp_path / "out.mp4"), stability=1.0, crf=1)
    result = CLIPS.frames(tmp_path / "out.mp4")[3].astype(float)
    photo = stand_in.calls[3][0]
    assert stand_in.calls[3][2].mean() < 0.05
    assert np.abs(result - 255 * (1 - photo))[:, 45:].mean() < 8


@pytest.mark.parametrize("broken", [3, 4, 7, 9])
def test_a_broken_run_goes_on_to_the_same_frames(run, output, tmp_path, stand_in, monkeypatch, broken):
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
    np.testing.assert_array_equal(CLIPS.frames(output), CLIPS.frames(tmp_path / "whole.mp4"))
    assert CLIPS.times(output) == CLIPS.times(tmp_path / "whole.mp4")
    assert CLIPS.sound(output) == CLIPS.sound(tmp_path / "whole.mp4")
    assert left(tmp_path) == ["in.mp4", "out.mp4", "whole.mp4"]


def test_a_break_before_the_end_is_joined_without_painting(run, output, stand_in, monkeypatch):
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
    assert len(CLIPS.times(output)) == 10


def test_a_kill_leaves_whole_pieces_only(run, output, stand_in, monkeypatch):
    monkeypatch.setitem(movie.PIECE, "fast", 4)
    stand_in.step = lambda number: number == 6 and (_ for _ in ()).throw(Stop)
    with pytest.raises(Stop):
        run()
    assert left(f"{output}.part") == ["piece-000000.nut", "run.json", "state.npz"]
    assert len(CLIPS.times(f"{output}.part/piece-000000.nut")) == 4


def test_what_is_left_of_another_run_stays(run, source, output, other_painting, stand_in, monkeypatch, refusal):
    monkeypatch.setitem(movie.PIECE, "fast", 4)
    stand_in.step = lambda number: number == 6 and (_ for _ in ()).throw(Stop)
    with pytest.raises(Stop):
        run()
    before = left(f"{output}.part")
    assert "another state of the settings" in refusal(run, stability=0.7)
    assert "another state of the styles" in refusal(movie.stylize_video, source, other_painting, output)
    CLIPS.write(source, crf="12")
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


def test_a_full_disk(run, output, monkeypatch, refusal, stand_in):
    def full(*args, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(movie, "joined", full)
    assert "No space left on device" in refusal(run)
    assert os.path.isdir(f"{output}.part") and not os.path.exists(output)


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


def test_damage_is_told_and_the_rest_done(tmp_path, painting, stand_in):
    path = CLIPS.write(tmp_path / "in.mp4", times=range(0, 5000, 500), sounds=(), plain=True)
    with av.open(str(path)) as container:
        third = [packet for packet in container.demux(video=0) if packet.size][3]
    data = bytearray(path.read_bytes())
    data[third.pos + 4:third.pos + third.size] = bytes(third.size - 4)
    path.write_bytes(data)
    result = movie.stylize_video(str(path), painting, str(tmp_path / "out.mp4"))
    assert len(result.faults) == 1 and "is damaged at" in result.faults[0]
    assert result.frames == len(CLIPS.times(tmp_path / "out.mp4")) >= 8


def test_matroska_says_that_it_rounds(tmp_path, painting, stand_in):
    source = CLIPS.write(tmp_path / "in.mp4", times=range(0, 9009, 1001), time_base=Fraction(1, 30000), sounds=())
    result = movie.stylize_video(str(source), painting, str(tmp_path / "out.mkv"))
    assert len(result.notes) == 1 and "milliseconds" in result.notes[0]
    slips = [abs(a - b) for a, b in zip(CLIPS.times(tmp_path / "out.mkv"), CLIPS.times(source), strict=True)]
    assert max(slips) <= Fraction(1, 2000)


def test_size_and_a_phone(tmp_path, painting, stand_in):
    source = CLIPS.write(tmp_path / "in.mp4", rotation=(90,))
    result = movie.stylize_video(str(source), painting, str(tmp_path / "out.mp4"), size=33)
    assert (result.width, result.height) == (26, 34)  # 24.75 x 33, odd sides one more
    assert stand_in.calls[0][0].shape == (33, 25, 3)
    assert CLIPS.frames(tmp_path / "out.mp4").shape[1:3] == (34, 26)


def test_what_cannot_work_is_said_before_any_work(source, output, painting, tmp_path, refusal, stand_in):
    call = movie.stylize_video
    assert "is the video itself" in refusal(call, source, painting, source)
    assert "unknown extension '.avi'" in refusal(call, source, painting, "out.avi")
    assert "there is no folder" in refusal(call, source, painting, str(tmp_path / "none" / "out.mp4"))
    os.mkdir(tmp_path / "folder.mp4")
    assert "is a folder" in refusal(call, source, painting, str(tmp_path / "folder.mp4"))
    assert "There is no style picture" in refusal(call, source, None, output)
    assert "give no style picture" in refusal(call, source, painting, output, model="night")
    assert "one weight for each" in refusal(call, source, painting, output, weights=[1, 2])
    assert "did you mean 'stability'?" in refusal(call, source, painting, output, stabilty=0.5)
    assert "from 0 to 1" in refusal(call, source, painting, output, stability=1.5)
    assert "cannot hold the sound" in refusal(call, source, painting, str(tmp_path / "out.webm"))
    assert "short side would be" in refusal(call, source, painting, output, size=16)
    assert "style picture 'none.jpg' does not exist" in refusal(call, source, "none.jpg", output)
    assert stand_in.plans == [] and left(tmp_path) == ["folder.mp4", "in.mp4"]


def test_settings_of_each_method(refusal):
    assert split_settings({}) == (MovieSettings(), None)
    movie_settings, recipe = split_settings({"method": "optimize", "steps": (9, 5), "strength": 0.5, "size": 64})
    assert (movie_settings.size, recipe.size, recipe.steps, recipe.strength) == (64, None, (9, 5), 0.5)
    assert "steps is a setting of method='optimize'" in refusal(split_settings, {"steps": 9})
    assert "later_steps is a setting" in refusal(split_settings, {"later_steps": 9})
    assert "model is a setting of method='fast'" in refusal(split_settings, {"method": "optimize", "model": "night"})
    assert "setting must be one of" in refusal(split_settings, {"method": "optimize", "init": "noise"})
    assert not {field.name for field in recipe_fields()} & {"size", "strength", "init", "precision"}


def test_importing_is_light():
    code = "import sys, tfstyle.movie, tfstyle.cli.video; print({'tensorflow', 'keras', 'av', 'cv2'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.fixture
def colorful(tmp_path):
    """A source of 6 frames of 64 px, for runs with a network."""
    return str(CLIPS.write(tmp_path / "in.mp4", times=range(0, 3000, 500)))


def test_a_real_run_with_the_shipped_network(colorful, output, painting, other_painting):
    result = movie.stylize_video(colorful, [painting, other_painting], output, weights=[0.7, 0.3], report=True,
                                 precision="float32")
    assert result.frames == 6 and 0 < result.flicker < result.flicker_frame_by_frame
    assert CLIPS.times(output) == CLIPS.times(colorful) and CLIPS.sound(output) == CLIPS.sound(colorful)
    assert np.abs(CLIPS.frames(output).astype(int) - CLIPS.frames(colorful)).mean() > 8


def test_the_first_frame_is_what_a_picture_becomes(colorful, output, painting):
    import tfstyle
    from tfstyle.images.frames import frames_of

    movie.stylize_video(colorful, painting, output, crf=1, precision="float32")
    photo = next(frames_of(colorful, (48, 64))).rgb
    alone = np.asarray(tfstyle.stylize(photo, painting, size=None, precision="float32"))
    luma = [picture @ [0.2126, 0.7152, 0.0722] for picture in (CLIPS.frames(output)[0], alone)]  # color is halved
    assert np.abs(luma[0] - luma[1]).mean() < 3


def test_a_model_of_one_style_and_the_photo_colors(colorful, output):
    result = movie.stylize_video(colorful, None, output, model="night", color="luminance", precision="float32")
    frames, photos = CLIPS.frames(output).astype(float), CLIPS.frames(colorful).astype(float)
    hues = [(side - side.mean(axis=-1, keepdims=True)).mean(axis=(0, 1, 2)) for side in (frames, photos)]
    assert result.frames == 6 and np.abs(hues[0] - hues[1]).max() < 6


def test_optimizing_starts_from_the_frame_before(tmp_path, output, painting, tiny_vgg, monkeypatch):
    """The first frame and those after cuts by the whole recipe; what has come into view from half the sides."""
    from tfstyle import gatys

    calls, real = [], gatys.optimize

    def watched(content, styles, settings, **options):
        calls.append((content.shape[:2], settings.scales, settings.steps, options.get("start") is not None))
        return real(content, styles, settings, **options)

    monkeypatch.setattr(gatys, "optimize", watched, raising=False)
    scene, other = CLIPS.pictures(3, (96, 72)), np.random.default_rng(0).integers(0, 256, (72, 96, 3), np.uint8)
    source = CLIPS.write(tmp_path / "in.mp4", np.stack([*scene, other, other]), range(0, 2500, 500))
    style = np.tile(painting, (2, 2, 1))
    result = movie.stylize_video(
        str(source), style, output, method="optimize", steps=(3, 2), scales=2, later_steps=1, precision="float32"
    )
    whole, half, later = ((72, 96), 2, (3, 2), False), ((36, 48), 1, (3,), False), ((72, 96), 1, (1,), True)
    assert result.frames == 5
    assert calls[:6] == [whole, half, later, half, later, whole] and calls[-1] == later


def test_ctrl_c_while_optimizing_ends_the_run(colorful, output, painting, tiny_vgg, monkeypatch):
    from tfstyle import gatys

    monkeypatch.setattr(gatys, "optimize", lambda *args, **options: SimpleNamespace(interrupted=True), raising=False)
    with pytest.raises(KeyboardInterrupt):
        movie.stylize_video(colorful, painting, output, method="optimize", precision="float32")
    assert not os.path.exists(f"{output}.part")
