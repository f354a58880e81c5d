"""The front door to the one-pass engines: which one is asked, what it is asked for, and what is refused."""

import os

import numpy as np
import pytest
from PIL import Image

import tfstyle
from tfstyle import api
from tfstyle.nets import network_files
from tfstyle.nets.feedforward import FeedForwardConfig, feedforward


def test_fast_is_the_default(files, network_file):
    """Another engine's tests say what it paints; here it is reached, with every setting."""
    engine = tfstyle.ArbitraryStylizer(network_file)
    code = engine.style_code(files[1], 40)
    for given, options in (
        (files[1], {}), (str(files[1]), {"size": 40, "strength": 0.5}), ([files[1], code], {"weights": [1, 3]}),
        (code, {"size": None}), (files[1], {"size": None, "style_size": 30, "strength": 0}),
    ):
        options = {"size": 48} | options
        image = tfstyle.stylize(files[0], given, model=network_file, **options)
        assert image.mode == "RGB" and image.size[0] == (options["size"] or 61)
        np.testing.assert_array_equal(np.asarray(image), np.asarray(engine.stylize(files[0], given, **options)))
        again = tfstyle.stylize(files[0], given, "fast", model=network_file, **options)
        np.testing.assert_array_equal(np.asarray(image), np.asarray(again))


def test_the_stylizer_is_kept(monkeypatch, tmp_path, files, network_file):
    built = []

    class Engine:
        def __init__(self, model, precision):
            built.append((model, precision))

        def stylize(self, content, style, **options):
            return options

    api._stylizer.cache_clear()
    monkeypatch.setattr(api, "ArbitraryStylizer", Engine)
    path = tmp_path / "network.npz"
    path.write_bytes(network_file.read_bytes())
    for _ in range(3):
        found = tfstyle.stylize(*files, model=path, strength=0.5)
        assert found == {"size": 512, "weights": None, "masks": None, "texture": None, "strength": 0.5}
    assert built == [(path, "auto")]
    os.utime(path, (1, 1))  # the file was written anew
    tfstyle.stylize(*files, model=path)
    tfstyle.stylize(*files, model=path, precision="float32")
    assert built[1:] == [(path, "auto"), (path, "float32")]
    monkeypatch.setattr("tfstyle.controls.SHIPPED", {"arbitrary.npz": "0"})
    tfstyle.stylize(*files)
    tfstyle.stylize(*files)
    assert built[3:] == [("default", "auto")]
    api._stylizer.cache_clear()


@pytest.mark.parametrize(("options", "words"), [
    ({"steps": 5}, "steps is a setting of the method optimize, not of fast; use that method or leave "
     "steps out."),
    ({"callback": print}, "callback is a setting of the method optimize, not of fast; use that method or leave "
     "callback out."),
    ({"progress": True}, "progress is a setting of the method optimize, not of fast; use that method or leave "
     "progress out."),
    ({"strenght": 1}, "setting must be one of 'strength', 'style_scale', 'style_size', 'color', 'color_when', "
     "'photoreal', 'tiled', 'size', 'model', 'precision'; received 'strenght'; did you mean 'strength'?"),
    ({"strength": 2}, "strength must be a number from 0 to 1; received 2."),
    ({"size": 8}, "size must be a whole number of at least 16; received 8."),
    ({"precision": "float16"}, "precision must be one of 'auto', 'float32', 'bfloat16'; received 'float16'; "
     "did you mean 'bfloat16'?"),
    ({"model": ["a"]}, "model must be \"default\", a path or a TF Hub handle; received ['a']."),
    ({"model": "gone.npz"}, "There is no model 'gone.npz'; check the path, or use the model default."),
    ({"content": None}, "There is no content or no style picture; give both, or use the method optimize."),
])
def test_what_the_fast_way_refuses_it_refuses_before_any_work(files, network_file, monkeypatch, options, words):
    monkeypatch.setattr(api, "ArbitraryStylizer", pytest.fail)
    settings = {"content": files[0], "style": files[1], "model": network_file} | options
    with pytest.raises(tfstyle.InputError) as error:
        tfstyle.stylize(**settings)
    assert str(error.value) == words


# A model of one style


@pytest.fixture(scope="module")
def one_style(tmp_path_factory):
    """The path of a small network for one style, of random weights."""
    config = FeedForwardConfig(widths=(4, 6, 8, 8), blocks=1)
    path = tmp_path_factory.mktemp("one") / "wave.npz"
    network_files.save(path, feedforward(config), config)
    return path


def test_a_model_of_one_style_takes_no_style_picture(files, one_style):
    engine = tfstyle.FeedForwardStylizer(one_style)
    for content, size in ((files[0], 48), (str(files[0]), 40), (np.asarray(Image.open(files[0])), None)):
        image = tfstyle.stylize(content, model=one_style, size=size)
        np.testing.assert_array_equal(np.asarray(image), np.asarray(engine.stylize(content, size=size)))
    same = tfstyle.stylize(files[0], None, "fast", 48, model=str(one_style), weights=None, strength=1, style_size=None)
    np.testing.assert_array_equal(np.asarray(same), np.asarray(engine.stylize(files[0], size=48)))


@pytest.mark.parametrize(("options", "words"), [
    ({"style": "painting.png"}, "The model {!r} paints in the one style that it has learned; give no style picture."),
    ({"style": []}, "The model {!r} paints in the one style that it has learned; give no style picture."),
    ({"weights": [1]}, "weights is for models of any style, and {!r} paints in one; leave it out."),
    ({"style_size": 64}, "style_size is for models of any style, and {!r} paints in one; leave it out."),
    ({"strength": 0.5}, "strength is for models of any style, and {!r} paints in one; leave it out."),
    ({"strength": 2}, "strength must be a number from 0 to 1; received 2."),
    ({"content": None}, "There is no content picture; give one."),
    ({"size": 8}, "size must be a whole number of at least 16; received 8."),
    ({"steps": 5}, "steps is a setting of the method optimize, not of fast; use that method or leave "
     "steps out."),
])
def test_what_a_model_of_one_style_has_no_use_for(files, one_style, monkeypatch, options, words):
    monkeypatch.setattr(api, "FeedForwardStylizer", pytest.fail)
    with pytest.raises(tfstyle.InputError) as error:
        tfstyle.stylize(**{"content": files[0], "model": one_style} | options)
    assert str(error.value) == words.format(str(one_style))


def test_an_unknown_name_and_a_missing_style(files, network_file, monkeypatch, refusal):
    monkeypatch.setattr("tfstyle.controls.shipped_styles", lambda: ("swirl", "dots"))
    assert refusal(tfstyle.stylize, files[0], model="swril") == "There is no model 'swril'; did you mean 'swirl'?"
    said = refusal(tfstyle.stylize, files[0], model=network_file)
    assert said == "There is no content or no style picture; give both, or use the method optimize."
    assert refusal(tfstyle.stylize, files[0]) == said


def test_a_checkpoint_that_is_written_anew_is_read_anew(tmp_path, monkeypatch, photo):
    built = []

    class Engine:
        def __init__(self, model, precision):
            built.append(model)

        def stylize(self, content, **options):
            return options

    api._stylizer.cache_clear()
    monkeypatch.setattr(api, "FeedForwardStylizer", Engine)
    for name in ("manifest.json", "Variable"):
        (tmp_path / name).write_text("{}")
    for _ in range(2):
        assert tfstyle.stylize(photo, model=tmp_path, size=32) == {"masks": None, "size": 32}
    os.utime(tmp_path / "Variable", (2**32, 2**32))  # the folder itself is as old as before
    tfstyle.stylize(photo, model=tmp_path)
    assert built == [tmp_path, tmp_path]
    api._stylizer.cache_clear()
