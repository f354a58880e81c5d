"""What the one-pass engine's graph refuses, and with which sentence."""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tensorflow.core.protobuf import config_pb2

from tfstyle import images
from tfstyle.export import loaders

CODE = 12
INPUTS = {
    "serving_default": ("content_image", "style_image"),
    "stylize": ("content_image", "style_image", "strength"),
    "style_code": ("style_image",),
    "stylize_code": ("content_image", "style_code"),
    "stylize_bytes": ("content_bytes", "style_bytes", "strength"),
}


@pytest.fixture
def good(photo, painting):
    """A request of each signature that is answered: {signature: inputs}."""
    contents, styles = photo[None], painting[None]
    given = {
        "content_image": contents, "style_image": styles, "strength": np.float32([0.5]),
        "style_code": np.zeros((1, CODE), np.float32),
        **{f"{name}_bytes": np.array([file(picture[0])], object) for name, picture in
           (("content", contents), ("style", styles))},
    }
    return {signature: {name: given[name] for name in names} for signature, names in INPUTS.items()}


def file(picture, kind="PNG", **options):
    stream = io.BytesIO()
    image = picture if isinstance(picture, Image.Image) else images.to_pil(picture)
    image.save(stream, kind, **options)
    return stream.getvalue()


PICTURES = "{} must be 1 to 16 pictures, each of 16 px a side or more and up to {} pixels; received "
MOST = {"content": 2097152, "style": 4194304}
FLOATS = [
    ((1, 32, 32, 4), "{} must have 3 channels (RGB), without alpha; received 4."),
    ((1, 32, 32, 1), "{} must have 3 channels (RGB), without alpha; received 1."),
    ((0, 32, 32, 3), PICTURES + "0 of 32x32 px."),
    ((1, 15, 32, 3), PICTURES + "1 of 32x15 px."),
    ((1, 0, 32, 3), PICTURES + "1 of 32x0 px."),
    ((1, 2048, 2049, 3), PICTURES + "1 of 2049x2048 px."),
    ((17, 16, 16, 3), PICTURES + "17 of 16x16 px."),
]


def test_good_requests_are_answered(session, good):
    """Or else the refusals below would not be of what is changed in them."""
    for signature, inputs in good.items():
        assert [len(answer) for answer in session(signature, **inputs).values()] == [1]


@pytest.mark.parametrize(("shape", "sentence"), FLOATS)
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


@pytest.mark.parametrize(("signature", "name", "value", "sentence"), [
    *((signature, "strength", [value], f"strength must be from 0 to 1; received [{shown}].")
      for signature in ("stylize", "stylize_bytes")
      for value, shown in ((-0.5, "-0.5"), (1.5, "1.5"), (np.nan, "nan"), (np.inf, "inf"))),
    ("stylize", "strength", [1, 1], "strength must be as many as content_image; received 2 and 1."),
    ("stylize", "strength", [], "strength must be as many as content_image; received 0 and 1."),
    ("stylize_bytes", "strength", [0, 1], "strength must be as many as content_bytes; received 2 and 1."),
    ("stylize_code", "style_code", np.zeros((2, CODE)),
     "style_code must be as many as content_image; received 2 and 1."),
    ("stylize_code", "style_code", np.zeros((1, 100)), "style_code must have 12 numbers a picture; received 100."),
    *(("stylize_code", "style_code", np.full((1, CODE), value),
       "style_code must be from -1000 to 1000, all of it finite; make it anew from its picture.")
      for value in (np.nan, np.inf, -1e30, 1001)),
    ("stylize_code", "style_code", np.zeros((1, 0)), "style_code must have 12 numbers a picture; received 0."),
    ("serving_default", "style_image", np.zeros((2, 16, 16, 3)),
     "style_image must be as many as content_image; received 2 and 1."),
])
def test_other_inputs_refused(session, told, good, signature, name, value, sentence):
    assert told(session, signature, **good[signature] | {name: np.asarray(value, np.float32)}) == sentence


@pytest.mark.parametrize("name", ["content_bytes", "style_bytes"])
def test_files_refused(session, told, good, name):
    most = MOST[name.partition("_")[0]]
    sizes = f"{name} must hold pictures each of 16 px a side or more and up to {most} pixels; received "
    bomb = bytearray(file(Image.new("RGB", (32, 32))))
    bomb[16:24] = b"\0\0\xc3\x50" * 2
    for content, sentence in (
        (b"", f"{name} must be JPEG or PNG files; received 0 bytes of neither."),
        (file(Image.new("RGB", (32, 32)), "GIF"), f"{name} must be JPEG or PNG files; received "),
        (bytes(bomb), f"{sizes}50000x50000 px."),
        (file(Image.new("L", (15, 40)), "JPEG"), f"{sizes}15x40 px."),
    ):
        assert told(session, "stylize_bytes", **good["stylize_bytes"] | {name: [content]}).startswith(sentence)
    whole = good["stylize_bytes"][name][0]
    with pytest.raises(tf.errors.InvalidArgumentError, match="Invalid PNG data"):
        session("stylize_bytes", **good["stylize_bytes"] | {name: [whole[:len(whole) // 2]]})


def test_how_many_files(session, told, good):
    one = {name: value[0] for name, value in good["stylize_bytes"].items()}
    for count in (0, 17):
        kinds = {name: object if "bytes" in name else np.float32 for name in one}
        many = {name: np.array([value] * count, kinds[name]) for name, value in one.items()}
        assert told(session, "stylize_bytes", **many) == f"content_bytes must be 1 to 16 pictures; received {count}."
    uneven = good["stylize_bytes"] | {"style_bytes": np.array([one["style_bytes"]] * 2, object)}
    sentence = "style_bytes must be as many as content_bytes; received 2 and 1."
    assert told(session, "stylize_bytes", **uneven) == sentence


def test_a_batch_with_one_bad_file_is_refused_as_a_whole(session, told, good):
    one = good["stylize_bytes"]
    both = {
        "content_bytes": [*one["content_bytes"], b"bad"], "style_bytes": [*one["style_bytes"]] * 2,
        "strength": np.float32([1, 1]),
    }
    said = told(session, "stylize_bytes", **both)
    assert said == "content_bytes must be JPEG or PNG files; received 3 bytes of neither."


def test_no_runtime_checks_shapes_for_the_graph(arbitrary_saved, told, good):
    """TensorFlow Serving feeds a session what it has received; only Python's `run` looks at the shapes first."""
    model = tf.Graph()
    with model.as_default(), tf.compat.v1.Session(graph=model) as session:
        with loaders._quietly():
            meta = tf.compat.v1.saved_model.load(session, [tf.saved_model.SERVING], str(arbitrary_saved))
        known = meta.signature_def["serving_default"]
        names, inputs = list(known.inputs), good["serving_default"]
        run = session._make_callable_from_options(config_pb2.CallableOptions(
            feed=[known.inputs[name].name for name in names], fetch=[known.outputs["stylized_image"].name]
        ))
        assert run(*(inputs[name] for name in names))[0].shape == (1, 45, 61, 3)
        for shape, sentence in FLOATS[:4]:
            bad = inputs | {"content_image": np.zeros(shape, np.float32)}
            assert told(run, *(bad[name] for name in names)) == sentence.format("content_image", MOST["content"])
        for shape in ((32, 32, 3), (32,), (1, 1, 32, 32, 3)):  # no sentence of ours, but no crash either
            bad = inputs | {"content_image": np.zeros(shape, np.float32)}
            with pytest.raises(tf.errors.InvalidArgumentError):
                run(*(bad[name] for name in names))
