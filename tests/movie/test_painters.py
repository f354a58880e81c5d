"""What paints the frames: the networks, of other makes too, and the optimizer."""

import contextlib
import inspect
import os
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

import tfstyle
from tfstyle.images.frames import frames_of
from tfstyle.movie import loop as movie
from tfstyle.movie import painters
from tfstyle.movie.plan import planned


def test_a_real_run_with_the_shipped_network(clips, colorful, output, painting, other_painting):
    result = movie.stylize_video(colorful, [painting, other_painting], output, weights=[0.7, 0.3], report=True,
                                 precision="float32")
    assert result.frames == 6 and 0 < result.flicker < result.flicker_frame_by_frame
    assert clips.times(output) == clips.times(colorful) and clips.sound(output) == clips.sound(colorful)
    assert np.abs(clips.frames(output).astype(int) - clips.frames(colorful)).mean() > 8



def first_photo(path):
    with contextlib.closing(frames_of(path, (48, 64))) as frames:
        return next(frames).rgb


def unlike(clips, path, picture):
    """Mean difference in luminance, as color is halved, of a video's first frame and a picture, of 255."""
    first, other = (one @ [0.2126, 0.7152, 0.0722] for one in (clips.frames(path)[0], np.asarray(picture)))
    return np.abs(first - other).mean()


@pytest.mark.parametrize("look", [{}, {"photoreal": True, "style_scale": 0.7}])
def test_the_first_frame_is_what_a_picture_becomes(clips, colorful, output, painting, monkeypatch, look):
    monkeypatch.setattr("tfstyle.look.WORKING_SIZE", 32)
    movie.stylize_video(colorful, painting, output, crf=1, precision="float32", **look)
    alone = tfstyle.stylize(first_photo(colorful), painting, size=None, precision="float32", **look)
    assert unlike(clips, output, alone) < 3


class Contract(tf.Module):
    """Of another make: half the content and half the style's mean color, darker the smaller the style is."""

    @tf.function(input_signature=[tf.TensorSpec((None, None, None, 3)), tf.TensorSpec((None, None, None, 3))])
    def __call__(self, content, style):
        light = tf.cast(tf.shape(style)[1], tf.float32) / 256
        return [0.5 * content + 0.5 * light * tf.reduce_mean(style, axis=(1, 2), keepdims=True)]


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize("look", [{}, {"style_scale": 0.25}, {"style_size": 128, "color": "match", "photoreal": True}])
def test_a_model_of_another_make(clips, colorful, output, other_painting, tmp_path, look):
    tf.saved_model.save(Contract(), str(tmp_path / "saved"))
    result = movie.stylize_video(colorful, other_painting, output, crf=1, model=tmp_path / "saved", **look)
    alone = tfstyle.stylize(first_photo(colorful), other_painting, size=None, model=tmp_path / "saved", **look)
    assert result.frames == 6 and unlike(clips, output, alone) < 3


def test_the_video_is_closed_after_its_first_frame(colorful, output, painting, network_file, monkeypatch):
    opened = []
    monkeypatch.setattr(painters, "frames_of", lambda *args: opened.append(frames_of(*args)) or opened[-1])
    painters.painter(planned(colorful, painting, output, method="fast", model=str(network_file)))
    assert [inspect.getgeneratorstate(one) for one in opened] == [inspect.GEN_CLOSED]



def test_a_model_of_one_style_and_the_photo_colors(clips, colorful, output):
    result = movie.stylize_video(colorful, None, output, model="night", color="luminance", precision="float32")
    frames, photos = clips.frames(output).astype(float), clips.frames(colorful).astype(float)
    hues = [(side - side.mean(axis=-1, keepdims=True)).mean(axis=(0, 1, 2)) for side in (frames, photos)]
    assert result.frames == 6 and np.abs(hues[0] - hues[1]).max() < 6



def test_optimizing_starts_from_the_frame_before(clips, tmp_path, output, painting, tiny_vgg, monkeypatch):
    """The first frame and those after cuts by the whole recipe; what has come into view from half the sides."""
    from tfstyle import gatys

    calls, real = [], gatys.optimize

    def watched(content, styles, settings, **options):
        calls.append((content.shape[:2], settings.scales, settings.steps, options.get("start") is not None))
        return real(content, styles, settings, **options)

    monkeypatch.setattr(gatys, "optimize", watched, raising=False)
    scene, other = clips.pictures(2, (80, 64)), np.random.default_rng(0).integers(0, 256, (64, 80, 3), np.uint8)
    source = clips.write(tmp_path / "in.mp4", np.stack([*scene, other, other]), range(0, 2000, 500))
    style = np.tile(painting, (2, 2, 1))
    result = movie.stylize_video(
        str(source), style, output, method="optimize", steps=(2, 1), scales=2, later_steps=1, precision="float32"
    )
    whole, half, later = ((64, 80), 2, (2, 1), False), ((32, 40), 1, (2,), False), ((64, 80), 1, (1,), True)
    assert result.frames == 4
    assert calls[:4] == [whole, half, later, whole] and calls[-1] == later



def test_ctrl_c_while_optimizing_ends_the_run(colorful, output, painting, tiny_vgg, monkeypatch):
    from tfstyle import gatys

    monkeypatch.setattr(gatys, "optimize", lambda *args, **options: SimpleNamespace(interrupted=True), raising=False)
    with pytest.raises(KeyboardInterrupt):
        movie.stylize_video(colorful, painting, output, method="optimize", precision="float32")
    assert not os.path.exists(f"{output}.part")

