"""Folders of pictures: each is painted as it is alone."""

import os

import numpy as np
import pytest
from PIL import Image

import tfstyle
from tfstyle import images
from tfstyle.folder import stylize_folder

OURS = {"model": "network.npz", "precision": "float32", "size": 48}


def pixels(image):
    return np.asarray(image)


@pytest.mark.parametrize("settings", [
    {}, {"size": None}, {"style_size": 40}, {"style_scale": 0.5}, {"strength": 0.4}, {"color": "luminance"},
    {"color": "match", "color_when": "before"}, {"photoreal": True, "size": 64}, {"tiled": "yes"},
    {"style": ["paint.png", "other.png"], "weights": [3, 1]}, {"texture": "other.png"},
], ids=lambda settings: ",".join(settings) or "plain")
def test_as_alone(here, settings):
    settings = OURS | {"style": "paint.png"} | settings
    style = settings.pop("style")
    os.remove("photos/C.BMP")
    os.remove("photos/d.webp")
    result = stylize_folder("photos", style, "out", format="png", **settings)
    assert not result.failed and len(result.done) == 2
    for photo, painted in (("a.jpg", "a.png"), ("b.png", "b.png")):
        with Image.open(f"out/{painted}") as image:
            np.testing.assert_array_equal(pixels(image), pixels(tfstyle.stylize(f"photos/{photo}", style, **settings)))


def test_codes_as_styles(here):
    code = tfstyle.ArbitraryStylizer("network.npz", precision="float32").style_code("paint.png", 48)
    stylize_folder("photos", code, "out", **OURS)
    with Image.open("out/b.png") as image:
        np.testing.assert_array_equal(pixels(image), pixels(tfstyle.stylize("photos/b.png", code, **OURS)))


def test_a_style_is_looked_at_once_for_each_size(here, monkeypatch):
    from tfstyle.stylizer import ArbitraryStylizer

    sizes = []
    measure = ArbitraryStylizer.style_code

    def style_code(self, style, style_size=512):
        sizes.append(style_size)
        return measure(self, style, style_size)

    monkeypatch.setattr(ArbitraryStylizer, "style_code", style_code)
    stylize_folder("photos", "paint.png", "one", **OURS)
    assert sizes == [48]
    stylize_folder("photos", "paint.png", "two", **(OURS | {"size": None, "style_size": 40}))
    assert sizes == [48, 40]
    stylize_folder("photos", "paint.png", "three", **(OURS | {"size": None, "style_scale": 2.0}))
    assert sizes == [48, 40, 80, 96, 120]


def test_a_model_of_one_style(here, refusal):
    from tfstyle.nets import network_files
    from tfstyle.nets.feedforward import FeedForwardConfig, feedforward

    config = FeedForwardConfig(widths=(4, 6, 8, 8), blocks=1)
    network_files.save("wave.npz", feedforward(config), config)
    call = {"model": "wave.npz", "precision": "float32", "size": 48}
    assert "give no style picture" in refusal(stylize_folder, "photos", "paint.png", "out", **call)
    result = stylize_folder("photos", None, "out", **call)
    assert len(result.done) == 4
    with Image.open("out/b.png") as image:
        np.testing.assert_array_equal(pixels(image), pixels(tfstyle.stylize("photos/b.png", **call)))


def test_memory_of_the_device_running_out(here, monkeypatch):
    import tensorflow as tf

    from tfstyle.stylizer import ArbitraryStylizer

    def stylize(self, content, *_, **__):
        if isinstance(content, images.Picture):  # as which b.png comes, with its alpha
            raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")
        return images.to_pil(content)

    monkeypatch.setattr(ArbitraryStylizer, "stylize", stylize)
    result = stylize_folder("photos", "paint.png", "out", **OURS)
    assert result.failed == {"photos/b.png": "memory ran out; use a smaller size."} and len(result.done) == 3


def test_photos_are_given_as_what_they_are_documented_to_be(here, monkeypatch):
    """Opaque ones as bytes, which take the least memory; a `Picture` holds floats."""
    from tfstyle.stylizer import ArbitraryStylizer

    given = []

    def stylize(self, content, *_, **__):
        given.append(content)
        return images.to_pil(getattr(content, "rgb", content), getattr(content, "alpha", None))

    monkeypatch.setattr(ArbitraryStylizer, "stylize", stylize)
    stylize_folder("photos", "paint.png", "out", **OURS)
    glass = given.pop(2)
    assert {type(one) for one in given} == {np.ndarray} and {one.dtype.name for one in given} == {"uint8"}
    assert glass.rgb.dtype == glass.alpha.dtype == np.float32
    wanted = images.read("photos/b.png", size=48)
    np.testing.assert_array_equal(glass.rgb, wanted.rgb)
    np.testing.assert_array_equal(glass.alpha, wanted.alpha)
