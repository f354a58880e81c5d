"""What networks of one picture refuse as graphs, and what cannot be exported as one; with which sentence."""

import io
import os

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tfstyle import images
from tfstyle.export import savedmodel, single
from tfstyle.nets.superres import SuperResConfig

# Keras reads TensorFlow's variables in a way that NumPy 2 wants changed.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

ENGINES = {"wave": "style", "old": "style", "larger": "superres"}


@pytest.fixture(scope="module")
def calls(single_calls):
    return single_calls


def file(picture, kind="PNG", **options):
    stream = io.BytesIO()
    image = picture if isinstance(picture, Image.Image) else images.to_pil(picture)
    image.save(stream, kind, **options)
    return stream.getvalue()


# By the graph


FITS = "{} must be 1 to {} pictures, each of {} px a side or more and up to {} pixels; received "


@pytest.mark.parametrize(("name", "shape", "sentence"), [
    ("wave", (1, 15, 32, 3), FITS.format("content_image", 16, 16, 2097152) + "1 of 32x15 px."),
    ("old", (1, 40, 24, 3), FITS.format("content_image", 16, 25, 2097152) + "1 of 24x40 px."),
    ("wave", (1, 2048, 1025, 3), FITS.format("content_image", 16, 16, 2097152) + "1 of 1025x2048 px."),
    ("wave", (0, 32, 32, 3), FITS.format("content_image", 16, 16, 2097152) + "0 of 32x32 px."),
    ("larger", (1, 512, 385, 3), FITS.format("image", 4, 16, 196608) + "1 of 385x512 px."),
    ("larger", (5, 16, 16, 3), FITS.format("image", 4, 16, 196608) + "5 of 16x16 px."),
    ("larger", (1, 16, 15, 3), FITS.format("image", 4, 16, 196608) + "1 of 15x16 px."),
    ("wave", (1, 32, 32, 4), "content_image must have 3 channels (RGB), without alpha; received 4."),
    ("larger", (1, 32, 32, 1), "image must have 3 channels (RGB), without alpha; received 1."),
])
def test_shapes_refused(calls, told, name, shape, sentence):
    pictures, picture = np.zeros(shape, np.float32), single.NAMES[ENGINES[name]].picture
    assert told(calls["session", name], "serving_default", **{picture: pictures}) == sentence
    assert told(calls["tensorflow", name].owner, tf.constant(pictures)) == sentence


@pytest.mark.parametrize("name", ["wave", "larger"])
@pytest.mark.parametrize(("value", "shown"), [(255, "255"), (-1, "-1"), (np.nan, "nan"), (np.inf, "inf")])
def test_values_refused(calls, told, name, value, shown):
    names = single.NAMES[ENGINES[name]]
    pictures = np.full((1, 20, 20, 3), value, np.float32)
    sentence = told(calls["session", name], "serving_default", **{names.picture: pictures})
    assert sentence.startswith(f"{names.picture} must be float32 in [0, 1], all of it finite; received ")
    assert shown in sentence or value is np.nan


@pytest.mark.parametrize(("name", "content", "sentence"), [
    ("wave", b"hello", "content_bytes must be JPEG or PNG files; received 5 bytes of neither."),
    ("larger", b"", "image_bytes must be JPEG or PNG files; received 0 bytes of neither."),
    ("old", file(Image.new("RGB", (40, 24))), "content_bytes must hold pictures each of 25 px a side or more and up to "
                                              "2097152 pixels; received 40x24 px."),
    ("larger", file(Image.new("L", (512, 385)), "JPEG"), "image_bytes must hold pictures each of 16 px a side or more "
                                                         "and up to 196608 pixels; received 512x385 px."),
])
def test_files_refused(calls, told, photo, name, content, sentence):
    names = single.NAMES[ENGINES[name]]
    for given in ([content], [file(photo), content]):
        asked = {names.file: np.array(given, object)}
        assert told(calls["session", name], names.of_files, **asked) == sentence


@pytest.mark.parametrize(("name", "most"), [("wave", 16), ("larger", 4)])
def test_how_many_files(calls, told, photo, name, most):
    names = single.NAMES[ENGINES[name]]
    for count in (0, most + 1):
        asked = {names.file: np.array([file(photo)] * count, object)}
        sentence = f"{names.file} must be 1 to {most} pictures; received {count}."
        assert told(calls["session", name], names.of_files, **asked) == sentence


@pytest.mark.parametrize(("config", "pixels"), [
    (SuperResConfig(4), 512 * 384), (SuperResConfig(8), 256 * 192), (SuperResConfig(4, width=128), 256 * 384),
    (SuperResConfig(4, width=8), 512 * 384),
])
def test_wider_and_larger_layers_leave_room_for_fewer_pixels(config, pixels):
    assert single._bounds("superres", config) == (pixels, 4, 16)


# Before there is a graph


@pytest.mark.parametrize(("engine", "model", "options", "sentence"), [
    ("style", "default", {}, "'default' is no network for one style; give "),
    ("style", "{larger}", {}, "model '{larger}' enlarges pictures and paints none; "),
    ("superres", "{wave}", {}, "model '{wave}' paints pictures and enlarges none; "),
    ("superres", "{larger}", {"factor": 8}, "{larger} enlarges by 4, not by 8; leave factor out, or give another "),
    ("superres", "{larger}", {"factor": 5}, "factor must be 4 or 8; received 5."),
    ("style", "{wave}", {"factor": 4}, "factor is for superres alone; leave it out."),
    ("style", "gone.npz", {}, "There is no model 'gone.npz'; "),
    ("superres", "gone.npz", {}, "There is no model 'gone.npz'; "),
    ("style", "{wave}", {"precision": "float16"}, "precision must be one of 'float32', 'bfloat16'; received "),
])
def test_settings_refused(refusal, tmp_path, single_files, engine, model, options, sentence):
    said = refusal(savedmodel.export, engine, tmp_path, model=model.format(**single_files), **options)
    assert said.startswith(sentence.format(**single_files))
    assert [name for name in os.listdir(tmp_path) if os.listdir(tmp_path / name)] == []


def test_models_that_are_no_source(refusal, tmp_path, single_files, single_saved):
    for engine, name in (("style", "wave"), ("superres", "larger")):
        said = refusal(savedmodel.export, engine, tmp_path, model=single_saved[name])
        assert said == f"'{single_saved[name]}' is a SavedModel already; give the file that it was made from."
    for name in ("gatys", "arbitrary"):
        path = tmp_path / f"{name}.npz"
        path.write_bytes(single_files["wave"].read_bytes())
        said = refusal(savedmodel.export, "style", tmp_path / "models", model=path)
        assert said == f"'{path}' would be served as {name!r}, another engine; rename it."
    assert not (tmp_path / "models").exists()
