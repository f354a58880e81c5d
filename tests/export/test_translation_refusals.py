"""What a translation's graph refuses, and what cannot be exported as one; with which sentence."""

import io
import os

import numpy as np
import pytest
from PIL import Image

from tfstyle import images
from tfstyle.export import savedmodel, translation
from tfstyle.export.settings import ExportSettings
from tfstyle.nets.dsmap import MUNIT, DSMAPConfig

# Keras reads TensorFlow's variables in a way that NumPy 2 wants changed.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

CODE = 8
INPUTS = {
    "serving_default": ("content_image", "style_image"),
    "translate": ("content_image", "style_image"),
    "encode_style": ("style_image",),
    "translate_code": ("content_image", "style_code"),
    "translate_bytes": ("content_bytes", "style_bytes"),
}


@pytest.fixture(scope="module")
def session(translate_session):
    return translate_session


@pytest.fixture
def good(photo, painting):
    """A request of each signature that is answered: {signature: inputs}."""
    given = {
        "content_image": photo[None], "style_image": painting[None], "style_code": np.zeros((1, CODE), np.float32),
        "content_bytes": [file(photo)], "style_bytes": [file(painting)],
    }
    return {signature: {name: given[name] for name in names} for signature, names in INPUTS.items()}


def file(picture, kind="PNG", **options):
    stream = io.BytesIO()
    image = picture if isinstance(picture, Image.Image) else images.to_pil(picture)
    image.save(stream, kind, **options)
    return stream.getvalue()


# By the graph


PICTURES = "{} must be 1 to 16 pictures, each of 16 px a side or more and up to {} pixels; received "
MOST = {"content": 2097152, "style": 4194304}


def test_good_requests_are_answered(session, good):
    """Or else the refusals below would not be of what is changed in them."""
    for signature, inputs in good.items():
        assert [len(answer) for answer in session(signature, **inputs).values()] == [1]


@pytest.mark.parametrize(("shape", "sentence"), [
    ((1, 32, 32, 4), "{} must have 3 channels (RGB), without alpha; received 4."),
    ((1, 32, 32, 1), "{} must have 3 channels (RGB), without alpha; received 1."),
    ((0, 32, 32, 3), PICTURES + "0 of 32x32 px."),
    ((1, 15, 32, 3), PICTURES + "1 of 32x15 px."),
    ((1, 2048, 2049, 3), PICTURES + "1 of 2049x2048 px."),
    ((17, 16, 16, 3), PICTURES + "17 of 16x16 px."),
])
@pytest.mark.parametrize("name", ["content_image", "style_image"])
def test_shapes_refused(session, told, good, name, shape, sentence):
    for signature in (key for key, names in INPUTS.items() if name in names):
        bad = good[signature] | {name: np.zeros(shape, np.float32)}
        assert told(session, signature, **bad) == sentence.format(name, MOST[name.partition("_")[0]])


@pytest.mark.parametrize(("low", "high"), [("-0.5", "0.5"), ("0.5", "255"), ("0.5", "inf")])
@pytest.mark.parametrize("name", ["content_image", "style_image"])
def test_values_refused(session, told, good, name, low, high):
    pictures = np.full((1, 20, 20, 3), 0.5, np.float32)
    pictures[0, :9], pictures[0, 9:11] = float(low), float(high)
    for signature in (key for key, names in INPUTS.items() if name in names):
        assert told(session, signature, **good[signature] | {name: pictures}) == (
            f"{name} must be float32 in [0, 1], all of it finite; received {low} to {high}."
        )


@pytest.mark.parametrize("name", ["content_image", "style_image"])
def test_nan_refused(session, told, good, name):
    pictures = np.full((1, 20, 20, 3), 0.5, np.float32)
    pictures[0, 3, 4, 1] = np.nan
    for signature in (key for key, names in INPUTS.items() if name in names):
        said = told(session, signature, **good[signature] | {name: pictures})
        assert said.startswith(f"{name} must be float32 in [0, 1], all of it finite; received ")


@pytest.mark.parametrize(("signature", "name", "value", "sentence"), [
    ("translate", "style_image", np.zeros((2, 16, 16, 3)),
     "style_image must be as many as content_image; received 2 and 1."),
    ("translate_code", "style_code", np.zeros((2, CODE)),
     "style_code must be as many as content_image; received 2 and 1."),
    *(("translate_code", "style_code", np.zeros((1, size)),
       f"style_code must have 8 numbers a picture; received {size}.") for size in (0, 7, 100)),
    *(("translate_code", "style_code", np.full((1, CODE), value),
       "style_code must be from -1000 to 1000, all of it finite; draw its numbers from the normal distribution, or "
       "encode a picture.") for value in (np.nan, np.inf, -1e30, 1001)),
])
def test_other_inputs_refused(session, told, good, signature, name, value, sentence):
    assert told(session, signature, **good[signature] | {name: np.asarray(value, np.float32)}) == sentence


@pytest.mark.parametrize("name", ["content_bytes", "style_bytes"])
def test_files_refused(session, told, good, name):
    sizes = (f"{name} must hold pictures each of 16 px a side or more and up to {MOST[name.partition('_')[0]]} pixels; "
             "received ")
    bomb = bytearray(file(Image.new("RGB", (32, 32))))
    bomb[16:24] = b"\0\0\xc3\x50" * 2
    for content, sentence in (
        (b"", f"{name} must be JPEG or PNG files; received 0 bytes of neither."),
        (file(Image.new("RGB", (32, 32)), "GIF"), f"{name} must be JPEG or PNG files; received "),
        (bytes(bomb), f"{sizes}50000x50000 px."),
        (file(Image.new("L", (15, 40)), "JPEG"), f"{sizes}15x40 px."),
    ):
        assert told(session, "translate_bytes", **good["translate_bytes"] | {name: [content]}).startswith(sentence)


def test_how_many_files(session, told, good):
    one = {name: value[0] for name, value in good["translate_bytes"].items()}
    for count in (0, 17):
        many = {name: np.array([value] * count, object) for name, value in one.items()}
        assert told(session, "translate_bytes", **many) == f"content_bytes must be 1 to 16 pictures; received {count}."
    uneven = good["translate_bytes"] | {"style_bytes": [one["style_bytes"]] * 2}
    sentence = "style_bytes must be as many as content_bytes; received 2 and 1."
    assert told(session, "translate_bytes", **uneven) == sentence


@pytest.mark.parametrize(("config", "pixels"), [
    (DSMAPConfig(), 1024 * 1024), (MUNIT, 1024 * 1024), (DSMAPConfig(width=32), 2**21), (DSMAPConfig(width=4), 2**21),
    (DSMAPConfig(width=1024), 256 * 256),
])
def test_wider_layers_leave_room_for_fewer_pixels(config, pixels):
    assert translation._bounds(config) == (pixels, 16, 16)


# Before there is a graph


@pytest.mark.parametrize(("engine", "model", "options", "sentence"), [
    ("translate", "default", {}, "No network translates by default; give the path of an .npz or .keras file."),
    ("translate", "{wave}", {}, "model '{wave}' paints pictures and translates none; use tfstyle.stylize, or give "),
    ("translate", "{larger}", {}, "model '{larger}' enlarges pictures and translates none; use tfstyle.enlarge, or "),
    ("translate", "gone.npz", {}, "There is no model 'gone.npz'; check the path."),
    ("translate", "{monet}", {"factor": 4}, "factor is for superres alone; leave it out."),
    ("translate", "{monet}", {"direction": "b2b"}, "direction must be one of 'a2b', 'b2a'; received 'b2b'."),
    ("translate", "{monet}", {"precision": "float16"}, "precision must be one of 'float32', 'bfloat16'; received "),
    ("translate", "{monet}", {"direction": 2}, "direction must be one of 'a2b', 'b2a'; received 2"),
    ("style", "{wave}", {"direction": "a2b"}, "direction is for translate alone; leave it out."),
    ("arbitrary", "default", {"direction": "b2a"}, "direction is for translate alone; leave it out."),
    ("gatys", "default", {"direction": "b2a"}, "direction is for translate alone; leave it out."),
    ("style", "{monet}", {}, "model '{monet}' translates pictures and paints none; "),
])
def test_settings_refused(refusal, tmp_path, monkeypatch, single_files, translation_files, engine, model, options,
                          sentence):
    monkeypatch.setattr("tfstyle.export.settings.shipped_translations", lambda: ())
    files = single_files | translation_files
    said = refusal(savedmodel.export, engine, tmp_path, model=model.format(**files), **options)
    assert said.startswith(sentence.format(**files)) and os.listdir(tmp_path) == []


def test_shipped_networks_are_named(refusal, monkeypatch):
    for where in ("export.settings", "translate_settings"):
        monkeypatch.setattr(f"tfstyle.{where}.shipped_translations", lambda: ("monet", "winter"))
    said = refusal(ExportSettings().check_for, "translate")
    assert said == "No network translates by default; give monet, or winter, or the path of an .npz or .keras file."
    said = refusal(ExportSettings(model="mone").check_for, "translate")
    assert said.startswith("There is no model 'mone'; did you mean 'monet'")


def test_models_that_are_no_source(refusal, tmp_path, translation_saved, single_saved, translation_files):
    path = translation_saved["monet_a2b"]
    said = refusal(savedmodel.export, "translate", tmp_path, model=path)
    assert said == f"'{path}' is a SavedModel already; give the file that it was made from."
    said = refusal(savedmodel.export, "translate", tmp_path, model=single_saved["wave"])
    assert said.startswith(f"model '{single_saved['wave']}' paints pictures and translates none; ")
    damaged = tmp_path / "damaged.npz"
    damaged.write_bytes(translation_files["monet"].read_bytes()[:2000])
    assert refusal(savedmodel.export, "translate", tmp_path, model=damaged).startswith(f"{damaged} holds no network ")
    assert os.listdir(tmp_path) == ["damaged.npz"]


def test_a_version_that_is_there_is_refused(refusal, tmp_path, translation_files):
    (tmp_path / "monet_b2a" / "1").mkdir(parents=True)
    said = refusal(savedmodel.export, "translate", tmp_path, model=translation_files["monet"], direction="b2a")
    assert said == (
        f"{tmp_path}/monet_b2a/1 is there already; give the next version, or replace it (replace=True, --replace)."
    )
    assert os.listdir(tmp_path) == ["monet_b2a"] and os.listdir(tmp_path / "monet_b2a" / "1") == []
