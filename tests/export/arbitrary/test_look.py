"""The one-pass engine's `stylize_look` in both loaders against `tfstyle.ArbitraryStylizer.stylize`."""

import numpy as np
import pytest
import tensorflow as tf

from tfstyle import images
from tfstyle.codes import reduced
from tfstyle.export import arbitrary
from tfstyle.images.masks import read_masks
from tfstyle.look import Look, painted

# Keras reads TensorFlow's variables in a way that NumPy 2 wants changed.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

CLOSE = 1e-5  # under the same code
OWN_CODE = 1e-4  # the small network of random weights amplifies the roundings of a code
CODE = 12


@pytest.fixture(scope="module")
def codes(engine, painting, other_painting):
    return np.stack([engine.style_code(style, 56) for style in (painting, other_painting)])


@pytest.fixture(scope="module")
def masks():
    """Two with soft edges, in sum over 1 in the middle and under 1 to the right: (2, 90, 122)."""
    x = np.broadcast_to(np.linspace(0, 1, 122, dtype=np.float32), (90, 122))
    rows = np.stack([np.clip(3 - 5 * x, 0, 1), np.clip(8 * x - 3.5, 0, 1) * np.clip(9.5 - 10 * x, 0, 1)])
    return images.to_uint8(rows).astype(np.float32) / 255


ALL = np.ones((1, 1, 1), np.float32)


def request(photo, codes, masks=ALL, strength=1.0, color="style"):
    return {
        "content_image": photo[None], "style_code": codes[None], "masks": masks[None],
        "strength": np.float32([strength]), "color": np.array([color], object),
    }


def asked(call, *args, **options):
    found = call("stylize_look", **request(*args, **options))["stylized_image"]
    assert found.shape == (1, *args[0].shape) and found.dtype == np.float32
    return found[0]


def in_python(engine, photo, codes, masks=None, strength=1.0, color="style"):
    """What `stylize` makes before it rounds to 8 bits."""
    look = Look(strength=strength, color=color, color_when="after")
    shares = None if masks is None else read_masks(list(masks), photo.shape[:2], len(codes))

    def paint(given):
        return engine.stylize_batch(np.repeat(given[None], len(codes), axis=0), codes, strength)

    return painted(photo, look, shares, paint)


def close(found, wanted, atol=CLOSE):
    np.testing.assert_allclose(found, wanted, rtol=0, atol=atol)


# The same pictures as Python's


def test_one_style_without_masks_is_stylize_code(call, photo, codes):
    found = asked(call, photo, codes[:1])
    close(found, call("stylize_code", content_image=photo[None], style_code=codes[:1])["stylized_image"][0], 1e-6)
    assert np.abs(found - photo).max() > 0.1


@pytest.mark.parametrize("strength", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("color", ["style", "luminance", "match"])
def test_two_masks(call, engine, photo, codes, masks, strength, color):
    found = asked(call, photo, codes, masks, strength, color)
    wanted = in_python(engine, photo, codes, masks, strength, color) if strength else photo
    close(found, wanted, OWN_CODE if strength == 0.5 else CLOSE)
    np.testing.assert_array_equal(found[:, -2:], photo[:, -2:])  # where no mask lies
    assert (np.abs(found - photo).max() > 0.05) == (strength > 0)


@pytest.mark.parametrize("color", ["style", "luminance", "match"])
def test_as_the_library_is_called(session, engine, photo, codes, masks, color):
    found = images.to_uint8(asked(session, photo, codes, masks, 0.6, color))
    bytes_ = [images.to_pil(np.repeat(mask[..., None], 3, axis=-1)) for mask in masks]
    wanted = engine.stylize(photo, list(codes), masks=bytes_, strength=0.6, color=color, size=None)
    assert np.abs(found.astype(int) - np.asarray(wanted, int)).max() <= 1


@pytest.mark.parametrize("strength", [0.3, 1.0])
def test_colors_without_masks(session, engine, photo, codes, strength):
    for color in ("luminance", "match"):
        found = asked(session, photo, codes[:1], strength=strength, color=color)
        close(found, in_python(engine, photo, codes[:1], None, strength, color), OWN_CODE)


def test_a_mixed_style_is_a_mixed_code(session, engine, photo, codes):
    mixed = engine.mix(list(codes), [1, 3])
    wanted = engine.stylize(photo, list(codes), weights=[1, 3], size=None)
    assert np.abs(images.to_uint8(asked(session, photo, mixed[None])).astype(int) - np.asarray(wanted, int)).max() <= 1


def test_a_style_without_a_place_changes_nothing(session, photo, codes, masks):
    """So pictures of fewer styles can go with pictures of more."""
    padded = np.concatenate([codes[:1], codes[1:] * 0, codes[1:]])
    spread = np.concatenate([masks[:1], masks[:1] * 0, masks[1:]])
    for color in ("style", "match"):
        found = asked(session, photo, padded, spread, 0.7, color)
        close(found, asked(session, photo, codes, masks, 0.7, color), 1e-6)


def test_a_batch_is_its_pictures(session, photo, codes, masks):
    """What a server puts together from several clients."""
    ways = [
        (photo, codes, masks, 0.4, "match"), (photo[::-1] ** 2, codes[::-1], masks[:, ::-1], 1.0, "style"),
        (photo[:, ::-1], codes, masks[::-1], 0.0, "luminance"),
    ]
    requests = [request(*way) for way in ways]
    whole = {name: np.concatenate([one[name] for one in requests]) for name in requests[0]}
    found = session("stylize_look", **whole)["stylized_image"]
    for one, way in zip(found, ways, strict=True):
        close(one, asked(session, *way), 1e-6)


@pytest.fixture
def seen_small(monkeypatch):
    """Python and graphs look at pictures of 32 px at most; with those of 2048 px and more tests would take a while."""
    for module in ("tfstyle.controls", "tfstyle.stylizer", "tfstyle.codes", "tfstyle.export.arbitrary"):
        monkeypatch.setattr(f"{module}.MOST_SEEN", 32)


def test_long_photos_are_looked_at_as_python_looks_at_them(engine, network_file, photo, seen_small):
    module = arbitrary.ArbitraryModule(network_file)
    found = tf.function(module._own, autograph=False)(tf.constant(photo[None])).numpy()
    close(found, engine._own(photo[None]), 2e-3)
    assert reduced(photo).shape == (24, 32, 3)


def test_so_are_styles_beside_them(engine, network_file, photo, painting, seen_small):
    """However long a photo is, its style is never a picture beyond all memory."""
    module, files = arbitrary.ArbitraryModule(network_file), []
    for picture in (photo, painting):
        files.append(tf.io.encode_png(images.to_uint8(picture)))
    paint = tf.function(lambda *files: module._painted_file((*files, tf.constant(1.0))), autograph=False)
    found = images.read(paint(*files).numpy()).rgb
    photo, painting = (images.read(file.numpy()).rgb for file in files)
    wanted = images.read(engine.stylize(photo, painting, size=None)).rgb
    assert np.abs(found - wanted).max() <= 1.01 / 255
    whole = images.read(engine.stylize(photo, painting, size=None, style_size=61)).rgb
    assert np.abs(wanted - whole).max() > 0.05


# Refusals


def test_good_requests_are_answered(session, photo, codes):
    """Or else the refusals below would not be of what is changed in them."""
    assert session("stylize_look", **request(photo, codes[[0] * 8], np.ones((8, 1, 1), np.float32)))


@pytest.mark.parametrize(("name", "value", "sentence"), [
    ("style_code", np.zeros((1, 9, CODE)), "style_code must hold 1 to 8 styles a picture; received 9."),
    ("style_code", np.zeros((1, 0, CODE)), "style_code must hold 1 to 8 styles a picture; received 0."),
    ("style_code", np.zeros((1, 2, 100)), "style_code must have 12 numbers a picture; received 100."),
    ("style_code", np.full((1, 2, CODE), np.nan),
     "style_code must be from -1000 to 1000, all of it finite; make it anew from its picture."),
    ("style_code", np.zeros((2, 2, CODE)), "style_code must be as many as content_image; received 2 and 1."),
    ("masks", np.ones((1, 1, 5, 5)), "masks must be one for each style of style_code; received 1 and 2."),
    ("masks", np.ones((3, 2, 5, 5)), "masks must be as many as content_image; received 3 and 1."),
    ("masks", np.zeros((1, 2, 5, 5)),
     "masks must leave each picture some place that is white, where a style goes; all of one are black."),
    ("masks", np.full((1, 2, 5, 5), 2), "masks must be float32 in [0, 1], all of it finite; received 2 to 2."),
    ("strength", [1.5], "strength must be from 0 to 1; received [1.5]."),
    ("strength", [1, 1], "strength must be as many as content_image; received 2 and 1."),
    ("color", ["histogram"],
     "color must not be histogram here, which sorts all pixels; use tfstyle.serving.Client, or the color match."),
    ("color", ["Match"], "color must be style, luminance or match; received Match."),
    ("color", ["style"] * 2, "color must be as many as content_image; received 2 and 1."),
    ("content_image", np.zeros((1, 20, 20, 4)), "content_image must have 3 channels (RGB), without alpha; received 4."),
    ("content_image", np.zeros((17, 16, 16, 3)),
     "content_image must be 1 to 16 pictures, each of 16 px a side or more and up to 2097152 pixels; received 17 of "
     "16x16 px."),
])
def test_inputs_refused(session, told, photo, codes, name, value, sentence):
    good = request(photo, codes, np.ones((2, 1, 1), np.float32))
    bad = good | {name: np.asarray(value, object if name == "color" else np.float32)}
    assert told(session, "stylize_look", **bad) == sentence


def test_masks_larger_than_any_picture_are_refused(session, told, photo, codes):
    masks = np.broadcast_to(np.float32(1), (1, 1, 2**11, 2**10 + 1))
    assert told(session, "stylize_look", **request(photo, codes[:1]) | {"masks": masks}) == (
        "masks must be of 1 px a side or more and up to 2097152 pixels; received 1025x2048 px."
    )
