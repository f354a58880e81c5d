"""Pieces of a video, and the file they make with the sound: every time and every byte of sound stays."""

import inspect
import pathlib
import runpy
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest

from tfstyle.images import containers
from tfstyle.images.containers import check_container, codec_for, exact_times, joined, piece
from tfstyle.images.frames import clip_of, frames_of

av = pytest.importorskip("av", reason="needs tfstyle[video]")
CLIPS = SimpleNamespace(**runpy.run_path(str(pathlib.Path(__file__).parents[1] / "clips.py")))
MS = Fraction(1, 1000)


def rewritten(source, target, shape=(48, 64), count=4, codec="auto", crf=None):
    """Source to target in pieces of `count` frames; returns the codec."""
    clip, codec = clip_of(source), codec_for(target, codec)
    check_container(target, clip, codec)
    frames, pieces = list(frames_of(source, shape)), []
    for start in range(0, len(frames), count):
        pieces.append(str(target) + f".{start}.nut")
        with piece(pieces[-1], shape, clip, codec, crf) as write:
            for frame in frames[start:start + count]:
                write(frame.rgb, frame.pts, frame.duration)
    assert joined(pieces, clip, str(target), frames[-1].duration)
    return codec


def stream_of(path):
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frame = next(container.decode(stream))
        return SimpleNamespace(codec=stream.codec_context.name, ratio=stream.sample_aspect_ratio, frame=frame,
                               shape=(frame.height, frame.width), sounds=len(container.streams.audio))


@pytest.mark.parametrize("source, target, times, tick, sound", [
    ("a.mp4", "b.mp4", CLIPS.UNEVEN, CLIPS.TICK, "aac"),
    ("a.mp4", "b.mov", [333 + time for time in CLIPS.UNEVEN], CLIPS.TICK, "aac"),
    ("a.mp4", "b.mp4", [1001 * n for n in range(9)], Fraction(1, 30000), "flac"),
    ("a.mov", "b.mov", CLIPS.UNEVEN, CLIPS.TICK, "pcm_s16le"),
    ("a.mkv", "b.mkv", [33 * n for n in range(9)], MS, "flac"),
    ("a.mkv", "b.mp4", [5, 38, 100, 101, 390], MS, "libopus"),
    ("a.ts", "b.mp4", [90000 + 3003 * n for n in range(9)], Fraction(1, 90000), "libmp3lame"),
])
def test_times_and_sound_stay(tmp_path, source, target, times, tick, sound):
    source, target = CLIPS.write(tmp_path / source, times=times, time_base=tick, sounds=(sound,)), tmp_path / target
    rewritten(source, target)
    assert CLIPS.times(target) == CLIPS.times(source) and len(CLIPS.times(target)) == len(times)
    before, after = CLIPS.sound(source), CLIPS.sound(target)
    assert [data for _, data in after] == [data for _, data in before] and len(before) > 5
    slip = max(abs(a - b) for (a, _), (b, _) in zip(after, before, strict=True))
    assert slip == 0 if source.suffix == target.suffix or source.suffix == ".mp4" else slip <= Fraction(1, CLIPS.RATE)


def test_sound_that_begins_elsewhere_than_the_picture(tmp_path):
    source = CLIPS.write(tmp_path / "a.mp4", times=[640 + time for time in CLIPS.UNEVEN], first_sample=777)
    rewritten(source, tmp_path / "b.mp4")
    assert CLIPS.times(tmp_path / "b.mp4")[0] == Fraction(640, 12800)
    assert CLIPS.sound(tmp_path / "b.mp4") == CLIPS.sound(source)


def test_what_is_read_is_closed_when_joining_fails(tmp_path, monkeypatch):
    source = CLIPS.write(tmp_path / "a.mp4")
    rewritten(source, tmp_path / "b.mp4")
    made = []
    for name in ("_pictures", "_sound"):
        real = getattr(containers, name)
        monkeypatch.setattr(containers, name, lambda *args, real=real: made.append(real(*args)) or made[-1])
    with pytest.raises(OSError, match="No such file"):
        joined([str(tmp_path / "b.mp4.0.nut"), "none.nut"], clip_of(source), str(tmp_path / "c.mp4"))
    assert [inspect.getgeneratorstate(one) for one in made] == [inspect.GEN_CLOSED] * 2


def test_webm_and_several_sounds(tmp_path):
    source = CLIPS.write(tmp_path / "a.mkv", times=range(0, 400, 40), time_base=MS, sounds=("libopus", "libopus"))
    assert rewritten(source, tmp_path / "b.webm") == "vp9"
    found = stream_of(tmp_path / "b.webm")
    assert found.codec.endswith("vp9") and found.sounds == 2
    assert CLIPS.times(tmp_path / "b.webm") == CLIPS.times(source)
    for number in range(2):
        assert CLIPS.sound(tmp_path / "b.webm", number) == CLIPS.sound(source, number)


def test_a_silent_video(tmp_path):
    source = CLIPS.write(tmp_path / "a.mp4", sounds=())
    rewritten(source, tmp_path / "b.mp4")
    assert CLIPS.times(tmp_path / "b.mp4") == CLIPS.times(source) and stream_of(tmp_path / "b.mp4").sounds == 0


@pytest.mark.parametrize("codec", ["h264", "vp9"])
def test_pictures_pixels_and_tags(tmp_path, codec):
    source = CLIPS.write(tmp_path / "a.mp4", rotation=(90,), ratio=Fraction(4, 3), crf="1")
    rewritten(source, tmp_path / "b.mp4", shape=(64, 48), codec=codec, crf=4)
    found = stream_of(tmp_path / "b.mp4")
    assert found.shape == (64, 48) and found.ratio == Fraction(3, 4)
    assert found.frame.rotation == 0 and (found.frame.colorspace, found.frame.color_range) == (1, 1)
    wanted = np.stack([frame.rgb for frame in frames_of(source, (64, 48))])
    assert np.abs(CLIPS.frames(tmp_path / "b.mp4").astype(int) - wanted).mean() < 4


def test_an_odd_side_gets_its_last_row_twice(tmp_path):
    source = CLIPS.write(tmp_path / "a.mp4")
    rewritten(source, tmp_path / "b.mp4", shape=(47, 63), crf=1)
    frames = CLIPS.frames(tmp_path / "b.mp4").astype(int)
    assert frames.shape[1:3] == (48, 64)
    assert np.abs(frames[:, -1] - frames[:, -2]).mean() < 3 and np.abs(frames[:, :, -1] - frames[:, :, -2]).mean() < 3


def test_quality_is_heeded(tmp_path):
    source = CLIPS.write(tmp_path / "a.mp4", sounds=())
    for crf in (10, 40):
        rewritten(source, tmp_path / f"{crf}.mp4", crf=crf)
    assert (tmp_path / "10.mp4").stat().st_size > 1.5 * (tmp_path / "40.mp4").stat().st_size


def test_what_a_container_cannot_hold(tmp_path, refusal):
    clip = clip_of(CLIPS.write(tmp_path / "a.mkv", times=(0, 40), time_base=MS, sounds=("flac",)))
    sentence = refusal(check_container, "out.mov", clip, "h264")
    assert ".mov cannot hold the sound of" in sentence and "(flac)" in sentence and ".mp4 or .mkv" in sentence
    assert ".mp4 or .mov or .mkv" not in refusal(check_container, "out.webm", clip, "vp9")
    assert ".webm cannot hold h264; use .mkv" in refusal(check_container, "out.webm", clip, "h264")
    assert "unknown extension '.mpf'" in refusal(codec_for, "out.mpf")
    assert "did you mean '.mp4'?" in refusal(codec_for, "out.mp5")
    assert "has no extension" in refusal(codec_for, "out")


def test_which_times_are_exact():
    assert exact_times("a.mp4", Fraction(1, 90000)) and exact_times("a.MOV", Fraction(1, 24))
    assert exact_times("a.mkv", Fraction(1, 25)) and not exact_times("a.webm", Fraction(1, 24))
