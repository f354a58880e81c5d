"""Videos as frames: their times, the way up, their colors, and what cannot be read."""

import inspect
import pathlib
import runpy
import shutil
import sys
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from tfstyle.images import frames
from tfstyle.images.frames import clip_of, frames_of

pytest.importorskip("av", reason="needs tfstyle[video]")
CLIPS = SimpleNamespace(**runpy.run_path(str(pathlib.Path(__file__).parents[1] / "clips.py")))
SHAPE = (48, 64)


def corners(height=48, width=64):
    """A picture whose corners tell which way it is turned: red, green, blue, gray."""
    picture = np.zeros((height, width, 3), np.uint8)
    half, middle = height // 2, width // 2
    picture[:half, :middle], picture[:half, middle:] = (200, 30, 30), (30, 200, 30)
    picture[half:, :middle], picture[half:, middle:] = (30, 30, 200), (150, 150, 150)
    return picture


def still(picture, count=2):
    return np.repeat(picture[None], count, axis=0)


def middles(picture):
    """The colors in the middles of the four quarters."""
    height, width = picture.shape[:2]
    rows, columns = (height // 4, height * 3 // 4), (width // 4, width * 3 // 4)
    return np.int16([picture[y, x] for y in rows for x in columns])


def test_frames_times_and_what_is_known_before(tmp_path):
    path = CLIPS.write(tmp_path / "a.mp4", ratio=Fraction(4, 3))
    clip = clip_of(path)
    assert (clip.height, clip.width, clip.count, clip.sounds) == (48, 64, 10, ("aac",))
    assert (clip.time_base, clip.pixel_ratio) == (Fraction(1, 12800), Fraction(4, 3))
    found = list(frames_of(path, SHAPE))
    assert [frame.pts for frame in found] == list(CLIPS.UNEVEN)
    assert not any(frame.damaged for frame in found)
    rgb = np.stack([frame.rgb for frame in found])
    assert rgb.dtype == np.uint8 and np.abs(rgb.astype(int) - CLIPS.pictures()).mean() < 4


def test_a_file_is_closed_where_only_its_beginning_is_asked_for(tmp_path, monkeypatch):
    path, made, real = CLIPS.write(tmp_path / "a.mp4"), [], frames._decoded
    monkeypatch.setattr(frames, "_decoded", lambda *args: made.append(real(*args)) or made[-1])
    clip_of(path)
    few = frames_of(path, SHAPE)
    next(few)
    few.close()
    assert [inspect.getgeneratorstate(one) for one in made] == [inspect.GEN_CLOSED] * 2


def test_skipped_frames_come_without_their_pixels(tmp_path):
    path = CLIPS.write(tmp_path / "a.mp4")
    whole, part = list(frames_of(path, SHAPE)), list(frames_of(path, SHAPE, skip=4))
    assert [frame.pts for frame in part] == [frame.pts for frame in whole]
    assert [frame.rgb is None for frame in part] == [True] * 4 + [False] * 6
    np.testing.assert_array_equal(part[4].rgb, whole[4].rgb)


def test_frames_are_resized(tmp_path):
    path = CLIPS.write(tmp_path / "a.mp4")
    assert {frame.rgb.shape for frame in frames_of(path, (25, 33))} == {(25, 33, 3)}


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
@pytest.mark.parametrize("mirrored", [False, True])
def test_phones_turn_their_pictures(tmp_path, degrees, mirrored):
    path = CLIPS.write(tmp_path / "a.mp4", still(corners()), (0, 500), rotation=(degrees, mirrored), sounds=())
    shown = np.rot90(corners(), degrees // 90)  # counter-clockwise
    shown = shown[:, ::-1] if mirrored else shown
    clip = clip_of(path)
    assert (clip.height, clip.width) == shown.shape[:2]
    rgb = next(frames_of(path, shown.shape[:2])).rgb
    assert np.abs(middles(rgb) - middles(shown)).max() < 12


def test_a_turned_pixel_has_the_other_ratio(tmp_path):
    path = CLIPS.write(tmp_path / "a.mp4", times=(0, 500), rotation=(90,), ratio=Fraction(4, 3))
    assert clip_of(path).pixel_ratio == Fraction(3, 4)


@pytest.mark.parametrize("space, number", [("ITU709", 1), ("ITU601", 6)])
@pytest.mark.parametrize("span, full", [("MPEG", 1), ("JPEG", 2)])
def test_colors_are_read_as_the_file_says(tmp_path, space, number, span, full):
    tags = {"colorspace": number, "color_range": full}
    path = CLIPS.write(tmp_path / "a.mp4", still(corners()), (0, 500), tags=tags, space=space, span=span, crf="1")
    rgb = next(frames_of(path, SHAPE)).rgb
    assert np.abs(middles(rgb) - middles(corners())).max() <= 3


@pytest.mark.parametrize("size, space", [((64, 48), "ITU601"), ((1280, 32), "ITU709")])
def test_colors_that_the_file_does_not_tell(tmp_path, size, space):
    picture = corners(size[1], size[0])
    path = CLIPS.write(tmp_path / "a.mp4", still(picture), (0, 500), space=space, crf="1")
    rgb = next(frames_of(path, picture.shape[:2])).rgb
    assert np.abs(middles(rgb) - middles(picture)).max() <= 3


def test_high_dynamic_range_becomes_ordinary(tmp_path):
    tags = {"colorspace": 9, "color_range": 1, "color_primaries": 9, "color_trc": 16}
    picture = np.full((48, 64, 3), 128, np.uint8)  # 93 cd/m2 in PQ: near the white of an ordinary screen
    path = CLIPS.write(tmp_path / "a.mp4", still(picture), (0, 500), tags=tags, pixels="yuv420p10le", space="BT2020")
    assert next(frames_of(path, SHAPE)).rgb.mean() > 160


def test_times_rise_whatever_the_file_says(tmp_path, monkeypatch):
    path = CLIPS.write(tmp_path / "a.mp4", time_base=Fraction(1, 100), times=range(0, 40, 4), plain=True)
    import av

    def decoded(container, stream):
        for pts in (0, 4, 4, 3, 12, None):
            frame = av.VideoFrame(64, 48, "yuv420p")
            frame.pts = pts
            yield frame, False

    monkeypatch.setattr("tfstyle.images.frames._decoded", decoded)
    step = round(Fraction(1, 25) / clip_of(path).time_base)
    assert [frame.pts for frame in frames_of(path, SHAPE)] == [0, 4, 5, 6, 12, 12 + step]


def test_what_is_no_video(tmp_path, refusal):
    text, picture, music = (tmp_path / name for name in ("text.mp4", "photo.png", "music.m4a"))
    text.write_bytes(b"no video at all " * 100)
    Image.new("RGB", (64, 48)).save(picture)
    import av

    with av.open(str(music), "w") as container:
        tone = container.add_stream("aac", rate=48000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 48000
        container.mux(tone.encode(frame))
        container.mux(tone.encode(None))
    assert "does not exist" in refusal(clip_of, tmp_path / "none.mp4")
    assert "is a folder" in refusal(clip_of, tmp_path)
    assert "is no video, or cut off or damaged" in refusal(clip_of, text)
    assert "is a picture; repaint it by tfstyle stylize" in refusal(clip_of, picture)
    assert "holds no moving pictures" in refusal(clip_of, music)
    (tmp_path / "empty.mp4").touch()
    assert "cut off or damaged" in refusal(clip_of, tmp_path / "empty.mp4")


def test_a_file_without_its_end(tmp_path, refusal):
    path = CLIPS.write(tmp_path / "a.mp4")  # an MP4's table of contents is at its end
    data = path.read_bytes()
    path.write_bytes(data[:len(data) * 2 // 3])
    assert "cut off or damaged" in refusal(clip_of, path)


def test_a_file_cut_off_keeps_what_it_has(tmp_path):
    path = CLIPS.write(tmp_path / "a.mkv", times=range(0, 400, 40), time_base=Fraction(1, 1000), sounds=(), plain=True)
    data = path.read_bytes()
    path.write_bytes(data[:len(data) // 2])
    assert 2 <= len(list(frames_of(path, SHAPE))) < 10


def test_a_fault_in_the_middle_is_told_and_the_rest_kept(tmp_path):
    path = CLIPS.write(tmp_path / "a.mp4", times=range(0, 5000, 500), sounds=(), plain=True)
    whole = list(frames_of(path, SHAPE))
    import av

    with av.open(str(path)) as container:
        third = [packet for packet in container.demux(video=0) if packet.size][3]
    data = bytearray(path.read_bytes())
    data[third.pos + 4:third.pos + third.size] = bytes(third.size - 4)
    path.write_bytes(data)
    found = list(frames_of(path, SHAPE))
    assert any(frame.damaged for frame in found[:5]) and not any(frame.damaged for frame in found[6:])
    np.testing.assert_array_equal(found[-1].rgb, whole[-1].rgb)  # the next keyframe makes all well


def test_without_pyav(tmp_path, monkeypatch, refusal):
    path = shutil.copy(CLIPS.write(tmp_path / "a.mp4"), tmp_path / "b.mp4")
    monkeypatch.setitem(sys.modules, "av", None)
    assert "pip install 'tfstyle[video]'" in refusal(clip_of, path)
