"""The one-pass engine's graph in both loaders against `tfstyle.ArbitraryStylizer`."""

import io
import re

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tfstyle import images
from tfstyle.export import arbitrary, card, graph

# Keras reads TensorFlow's variables in a way that NumPy 2 wants changed.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

CLOSE = 1e-5  # under the same code
FROM_PICTURES = 1e-4  # the small network of random weights amplifies the roundings of a code
CODE = 12
INPUTS = {
    "serving_default": ("content_image", "style_image"),
    "stylize": ("content_image", "style_image", "strength"),
    "style_code": ("style_image",),
    "stylize_code": ("content_image", "style_code"),
    "stylize_look": ("content_image", "style_code", "masks", "strength", "color"),
    "stylize_bytes": ("content_bytes", "style_bytes", "strength"),
}


@pytest.fixture(scope="module")
def pair(photo, painting, other_painting):
    """Two photos and two paintings: (2, 45, 61, 3) and (2, 56, 48, 3)."""
    contents = np.stack([photo, photo[::-1] ** 2])
    return contents, np.stack([painting, images.resize(other_painting, (56, 48))])


@pytest.fixture(scope="module")
def codes(engine, pair):
    return np.stack([engine.style_code(style, 56) for style in pair[1]])


def file(picture, kind="PNG", **options):
    stream = io.BytesIO()
    image = picture if isinstance(picture, Image.Image) else images.to_pil(picture)
    image.save(stream, kind, **options)
    return stream.getvalue()


def close(found, wanted, atol=CLOSE):
    assert found.shape == wanted.shape and found.dtype == np.float32
    np.testing.assert_allclose(found, wanted, rtol=0, atol=atol)


# What it is made of


def test_signatures(arbitrary_saved, two):
    """Every input and output is named, and has a leading side for as many pictures as one likes."""
    signatures = two.owner.signatures
    inputs = {name: set(one.structured_input_signature[1]) for name, one in signatures.items()}
    assert inputs == {name: set(names) for name, names in INPUTS.items()}
    outputs = {name: list(one.structured_outputs) for name, one in signatures.items()}
    assert outputs == dict.fromkeys(INPUTS, ["stylized_image"]) | {
        "style_code": ["style_code"], "stylize_bytes": ["stylized_bytes"]
    }
    for name, sides in card.signatures(arbitrary_saved).items():
        for key, text in (sides["inputs"] | sides["outputs"]).items():
            assert re.search(r"\[-1\b", text), (name, key, text)


def test_only_variables_of_its_own(network_file):
    module = arbitrary.ArbitraryModule(network_file)
    stored = {id(v) for part in (module.reader, module.predictor, module.transformer) for v in part.stored.values()}
    assert {id(v) for v in module.variables} == stored
    assert {type(part).__name__ for part in module.submodules} == {"StoredVGG", "StoredNetwork"}
    assert module.bounds == {"most_pixels": 2**21, "most_pictures": 16, "most_styles": 8}


# The same pictures as Python's


@pytest.mark.parametrize("shape", [(45, 61), (16, 16), (17, 64), (40, 33)])
def test_serving_default(call, engine, photo, painting, shape):
    content = images.resize(photo, shape)[None]
    found = call("serving_default", content_image=content, style_image=painting[None])
    close(found["stylized_image"], engine.stylize_batch(content, engine.style_code(painting, 56)[None]), FROM_PICTURES)
    assert np.ptp(found["stylized_image"]) > 0.1


def test_codes(call, engine, pair, codes):
    """A batch's codes are those of each picture, and they paint as the pictures do."""
    found = call("style_code", style_image=pair[1])["style_code"]
    np.testing.assert_allclose(found, codes, rtol=1e-4, atol=1e-4)
    assert np.abs(codes[0] - codes[1]).max() > 0.1
    painted = call("stylize_code", content_image=pair[0], style_code=found)["stylized_image"]
    wanted = call("serving_default", content_image=pair[0], style_image=pair[1])["stylized_image"]
    close(painted, wanted, FROM_PICTURES)
    close(call("stylize_code", content_image=pair[0], style_code=codes)["stylized_image"],
          engine.stylize_batch(pair[0], codes))


@pytest.mark.parametrize("strengths", [(0, 0), (1, 1), (0.5, 0.5), (0.25, 1), (0, 1)])
def test_strength(call, engine, pair, codes, strengths):
    strengths = np.float32(strengths)
    found = call("stylize", content_image=pair[0], style_image=pair[1], strength=strengths)["stylized_image"]
    close(found, engine.stylize_batch(pair[0], codes, strengths), FROM_PICTURES)
    for one, content, strength in zip(found, pair[0], strengths, strict=True):
        assert (np.abs(one - content).max() <= CLOSE) == (strength == 0)


def test_a_batch_is_its_pictures(session, pair):
    """What a server puts together from several clients."""
    strengths = np.float32([0.3, 0.8])
    found = session("stylize", content_image=pair[0], style_image=pair[1], strength=strengths)["stylized_image"]
    for index in range(2):
        here = slice(index, index + 1)
        single = session(
            "stylize", content_image=pair[0][here], style_image=pair[1][here], strength=strengths[here]
        )["stylized_image"]
        close(found[here], single, FROM_PICTURES)
    assert np.abs(found[0] - found[1]).max() > 0.1


def test_a_batch_that_goes_through_the_network_in_portions(engine, network_file, pair, codes, monkeypatch):
    monkeypatch.setattr(graph, "_AT_ONCE", 2 * 45 * 61)
    module = arbitrary.ArbitraryModule(network_file)
    order = [0, 1, 1, 0, 1]
    found = tf.function(module._painted, autograph=False)(tf.constant(pair[0][order]), tf.constant(codes[order]))
    close(found.numpy(), engine.stylize_batch(pair[0][order], codes[order]))


def test_as_tf_hub_calls_it(two, engine, pair, codes):
    """Two pictures in, a list of one out."""
    (painted,) = two.owner(*map(tf.constant, pair))
    close(painted.numpy(), engine.stylize_batch(pair[0], codes), FROM_PICTURES)


def test_files(call, engine, photo, painting, other_painting):
    """Of unlike sizes in one request; each is answered in its own kind, its style looked at in its own size."""
    contents = [
        file(photo), file(images.resize(photo, (40, 33)), "JPEG", quality=95),
        file(images.to_pil(photo[:20]).convert("L"), "JPEG"), file(images.to_pil(photo).convert("RGBA")),
    ]
    styles = [file(painting, "JPEG"), file(other_painting), file(painting), file(painting[:16])]
    strengths = np.float32([1, 0.5, 1, 0.25])
    given = {"content_bytes": np.array(contents, object), "style_bytes": np.array(styles, object)}
    found = call("stylize_bytes", **given, strength=strengths)["stylized_bytes"]
    assert found.shape == (4,)
    found = [Image.open(io.BytesIO(content)) for content in found]
    assert [image.format for image in found] == ["PNG", "JPEG", "JPEG", "PNG"]
    for image, content, style, strength in zip(found, contents, styles, strengths, strict=True):
        assert image.mode == "RGB"
        photo = images.read(content).rgb
        wanted = engine.stylize(photo, images.read(style).rgb, strength=float(strength), size=None)
        if image.format == "JPEG":
            wanted = Image.open(io.BytesIO(file(wanted, "JPEG", quality=95)))
            assert image.quantization == wanted.quantization
        difference = np.abs(np.asarray(image, int) - np.asarray(wanted, int))
        assert difference.max() <= (1 if image.format == "PNG" else 12) and difference.mean() < 0.5


def test_a_style_longer_than_its_content(session, engine, photo):
    """The least that leaves it 16 px: as the library does."""
    long, small = np.concatenate([photo[:17]] * 4, axis=1), photo[:20, :24]
    answer = session(
        "stylize_bytes", content_bytes=[file(small)], style_bytes=[file(long)], strength=np.float32([1])
    )["stylized_bytes"][0]
    wanted = engine.stylize(images.read(file(small)).rgb, images.read(file(long)).rgb, size=None)
    assert np.abs(np.asarray(Image.open(io.BytesIO(answer)), int) - np.asarray(wanted, int)).max() <= 1
