"""What all exported graphs share: pictures checked, decoded, resized and encoded, against Pillow and our own Python."""

import io
import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tfstyle import images
from tfstyle.controls import read_style
from tfstyle.export import graph
from tfstyle.look import Look

BOUNDS = graph.Bounds(pixels=80 * 60, pictures=3)
INT, STRING = tf.TensorSpec((), tf.int32), tf.TensorSpec((), tf.string)
quick = settings(deadline=None, max_examples=25, database=None, derandomize=True)
small, large = st.integers(16, 70), st.integers(1, 4000)


def compiled(function, *specs):
    return tf.function(function, input_signature=specs, autograph=False).get_concrete_function()


resized = compiled(graph.resized, tf.TensorSpec(graph.SPEC), INT, INT)
fitted = compiled(graph.fitted, INT, INT, INT)
fitted_freely = compiled(lambda *sides: graph.fitted(*sides, least=1), INT, INT, INT)
scaled = compiled(lambda picture, side: graph.scaled_to(picture, side, BOUNDS), tf.TensorSpec(graph.SPEC), INT)
pictures = compiled(lambda given: graph.pictures(given, "content_image", BOUNDS), tf.TensorSpec(graph.PICTURES))
decoded = compiled(lambda content: graph.decoded(content, "style_bytes", BOUNDS), STRING)
encoded = compiled(graph.encoded, tf.TensorSpec((None, None, 3)), tf.TensorSpec((), tf.bool))


def integers(*values):
    return [tf.constant(value, tf.int32) for value in values]


def noise(height, width, channels=3):  # with edges and flat parts, so that filters overshoot
    rng = np.random.default_rng([height, width, channels])
    coarse = Image.fromarray(rng.integers(0, 2, (9, 9), dtype=np.uint8) * 255).resize((width, height), 0)
    pixels = rng.integers(0, 256, (height, width, channels), dtype=np.uint8)
    return np.where(np.asarray(coarse)[..., None] > 0, 255, pixels).astype(np.uint8)


def file(image, kind="PNG", **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


# Sizes


@quick
@given(small, small, small, st.integers(16, 140), st.integers(1, 2))
def test_resized_as_python_resizes(height, width, new_height, new_width, count):
    given = np.stack([noise(height, width) / np.float32(255)] * count)
    found = resized(tf.constant(given), *integers(new_height, new_width)).numpy()
    wanted = images.resize(given[0], (new_height, new_width))
    assert found.shape == (count, new_height, new_width, 3)
    np.testing.assert_allclose(found, np.stack([wanted] * count), rtol=0, atol=1e-5)


@quick
@given(large, large, large)
def test_fitted_as_python_fits(height, width, side):
    wanted = images.fitted_shape(height, width, side)
    assert tuple(map(int, fitted_freely(*integers(height, width, side)))) == wanted
    assert tuple(map(int, fitted(*integers(height, width, side)))) == tuple(max(16, side) for side in wanted)


@pytest.mark.parametrize(("shape", "side"), [
    ((20, 40), 61), ((40, 20), 32), ((31, 31), 61), ((16, 100), 61), ((150, 17), 20), ((16, 300), 16), ((21, 310), 17)
])
def test_a_style_is_looked_at_as_python_does(shape, side):
    picture = noise(*shape) / np.float32(255)
    wanted = read_style(picture, Look(), side).rgb
    found = scaled(tf.constant(picture[None]), *integers(side)).numpy()
    assert found.shape == (1, *wanted.shape)
    # Positions in float32: along hundreds of pixels of noise the error grows.
    np.testing.assert_allclose(found[0], wanted, rtol=0, atol=1e-5 if max(shape) <= 200 else 1e-4)


def test_a_style_far_larger_than_the_bounds_is_refused_before_it_is_made(told):
    """A content of 16 px and the most pixels is long enough for the server's whole memory."""
    square = tf.zeros((1, 32, 32, 3))
    assert scaled(square, *integers(97)).shape == (1, 97, 97, 3)
    for side in (98, 2**18):
        assert told(scaled, square, *integers(side)) == (
            f"The style picture, resized to be as long as the content, would have {side}x{side} px, "
            "over 9600 pixels; use a smaller content picture, or send the style as floats of its own size."
        )


# Pictures as floats


def test_pictures_are_clipped(photo):
    given = np.stack([photo, photo])
    given[0, 0, 0] = -0.09, 1.09, 0.5
    np.testing.assert_array_equal(pictures(tf.constant(given)).numpy(), given.clip(0, 1))
    assert pictures(tf.zeros((3, 16, 16, 3))).shape == pictures(tf.ones((3, 16, 16, 3))).shape == (3, 16, 16, 3)
    assert pictures(tf.zeros((1, 80, 60, 3))).shape == (1, 80, 60, 3)  # exactly the most pixels


@pytest.mark.parametrize(("shape", "sentence"), [
    ((1, 20, 20, 4), "content_image must have 3 channels (RGB), without alpha; received 4."),
    ((1, 20, 20, 1), "content_image must have 3 channels (RGB), without alpha; received 1."),
    ((0, 20, 20, 3), "received 0 of 20x20 px."),
    ((4, 20, 21, 3), "received 4 of 21x20 px."),
    ((1, 0, 0, 3), "received 1 of 0x0 px."),
    ((1, 15, 30, 3), "received 1 of 30x15 px."),
    ((1, 30, 15, 3), "received 1 of 15x30 px."),
    ((1, 69, 70, 3), "received 1 of 70x69 px."),
])
def test_shapes_refused(told, shape, sentence):
    if sentence.startswith("received"):
        wanted = "content_image must be 1 to 3 pictures, each of 16 px a side or more and up to 4800 pixels; "
        sentence = wanted + sentence
    assert told(pictures, tf.zeros(shape)) == sentence


@pytest.mark.parametrize(("value", "received"), [
    (-0.11, "-0.11 to 0.5"), (1.11, "0.5 to 1.11"), (255, "0.5 to 255"),
    (np.inf, "0.5 to inf"), (-np.inf, "-inf to 0.5"), (np.nan, None),
])
def test_values_refused(told, value, received):
    given = np.full((2, 16, 17, 3), 0.5, np.float32)
    given[1, 3, 4, 2] = value
    sentence = told(pictures, tf.constant(given))
    assert sentence.startswith("content_image must be float32 in [0, 1], all of it finite; received ")
    if received:  # of NaN, the extremes depend on the order
        assert sentence.endswith(f" received {received}.")


# Pictures as files


@pytest.mark.parametrize("mode", ["RGB", "L", "1", "P", "RGBA", "LA", "PA"])
def test_png(mode):
    image = Image.fromarray(noise(33, 47)).convert("RGB")
    if mode.endswith("A"):
        image.putalpha(Image.fromarray(noise(33, 47, 1)[..., 0]))
    image = image.convert(mode.replace("PA", "P"))
    options = {"transparency": 7} if mode == "PA" else {}
    wanted = np.asarray(image.convert("RGBA" if mode.endswith("A") else "RGB"))[..., :3]
    found, is_png = decoded(tf.constant(file(image, **options)))
    assert bool(is_png)
    np.testing.assert_allclose(found.numpy(), wanted / np.float32(255), rtol=0, atol=1e-7)


def deep_png(values):
    """A PNG of 16 bits: (H, W, 1 or 3) uint16; Pillow writes only gray ones."""
    height, width, channels = values.shape
    rows = b"".join(b"\0" + row.tobytes() for row in values.astype(">u2"))
    parts = (b"IHDR", struct.pack(">IIBBBBB", width, height, 16, {1: 0, 3: 2}[channels], 0, 0, 0)), \
        (b"IDAT", zlib.compress(rows)), (b"IEND", b"")
    chunks = (struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@pytest.mark.parametrize("channels", [1, 3])
def test_png_of_16_bits_becomes_8(channels):
    values = np.random.default_rng(1).integers(0, 2**16, (20, 31, channels), dtype=np.uint16)
    found, is_png = decoded(tf.constant(deep_png(values)))
    assert bool(is_png) and found.shape == (20, 31, 3)
    steps = found.numpy() * 255
    np.testing.assert_allclose(steps, np.rint(steps), rtol=0, atol=1e-4)
    assert np.abs(found.numpy() - values / 65535).max() < 1 / 255


@pytest.mark.parametrize(("mode", "options"), [
    ("RGB", {}), ("RGB", {"subsampling": 0}), ("RGB", {"progressive": True}), ("L", {}), ("L", {"progressive": True}),
    ("CMYK", {}),
])
def test_jpeg(mode, options, photo):
    image = images.to_pil(photo).convert(mode)
    content = file(image, "JPEG", quality=90, **options)
    found, is_png = decoded(tf.constant(content))
    wanted = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
    assert not bool(is_png) and found.shape == (45, 61, 3)
    # The same library in two builds, which may round differently by one.
    np.testing.assert_allclose(found.numpy() * 255, wanted, rtol=0, atol=1.01)


def test_the_turn_in_a_jpegs_exif_is_left_to_the_client(photo):
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    assert decoded(tf.constant(file(images.to_pil(photo), "JPEG", exif=exif)))[0].shape == (45, 61, 3)


def header(width, height):
    """A PNG's beginning: signature and IHDR, no pixels at all."""
    data = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + data + struct.pack(">I", zlib.crc32(data))


def jpeg_that_claims(width, height):
    content = bytearray(file(Image.new("RGB", (32, 32)), "JPEG"))
    start = content.index(b"\xff\xc0") + 5
    content[start:start + 4] = struct.pack(">HH", height, width)
    return bytes(content)


@pytest.mark.parametrize(("content", "received"), [
    (header(80, 61), "80x61"), (header(15, 16), "15x16"), (header(16, 15), "16x15"), (header(0, 0), "0x0"),
    (header(50_000, 50_000), "50000x50000"), (header(2**31 - 1, 2**31 - 1), "2147483647x2147483647"),
    (header(2**31, 100), "2147483648x100"), (header(2**32 - 1, 2**32 - 1), "4294967295x4294967295"),
    (header(2**16, 2**16), "65536x65536"),  # whose product is 0 in 32 bits
    (b"\x89PNG\r\n\x1a\n", "0x0"),
    (jpeg_that_claims(65_500, 65_500), "65500x65500"), (jpeg_that_claims(8, 32), "8x32"),
])
def test_sizes_are_refused_by_the_header(told, content, received):
    """None of these could be decoded: that the sentence is of the size shows that it was not tried."""
    assert told(decoded, tf.constant(content)) == (
        f"style_bytes must hold pictures each of 16 px a side or more and up to 4800 pixels; received {received} px."
    )


@pytest.mark.parametrize("content", [
    b"", b"hello", b"\xff\xd8", b"\x89PNG\r\n",
    *(file(Image.new("RGB", (32, 32)), kind) for kind in ("GIF", "BMP", "WEBP")),
], ids=["empty", "text", "2 bytes", "6 bytes", "gif", "bmp", "webp"])
def test_other_files_are_refused(told, content):
    wanted = f"style_bytes must be JPEG or PNG files; received {len(content)} bytes of neither."
    assert told(decoded, tf.constant(content)) == wanted


@pytest.mark.parametrize(("kind", "share"), [("PNG", 0.1), ("PNG", 0.8), ("JPEG", 0.02), ("JPEG", 0.8)])
def test_truncated_files_are_refused(kind, share):
    content = file(Image.fromarray(noise(60, 60)), kind)
    assert decoded(tf.constant(content))[0].shape == (60, 60, 3)
    with pytest.raises(tf.errors.InvalidArgumentError, match=f"nvalid {kind} data"):
        decoded(tf.constant(content[:int(share * len(content))]))


def test_a_damaged_png_is_refused():
    content = bytearray(file(Image.fromarray(noise(40, 40))))
    content[len(content) // 2] ^= 0xFF
    with pytest.raises(tf.errors.InvalidArgumentError, match="Invalid PNG"):
        decoded(tf.constant(bytes(content)))
    with pytest.raises(tf.errors.InvalidArgumentError, match="Invalid PNG"):
        decoded(tf.constant(header(40, 40)))


def test_encoded(photo):
    png, jpeg = (encoded(tf.constant(photo), tf.constant(as_png)).numpy() for as_png in (True, False))
    image = Image.open(io.BytesIO(png))
    assert (image.format, image.mode) == ("PNG", "RGB")
    np.testing.assert_array_equal(np.asarray(image), images.to_uint8(photo))
    pillows = file(images.to_pil(photo), "JPEG", quality=95)
    image, ours = (Image.open(io.BytesIO(content)) for content in (jpeg, pillows))
    assert (image.format, image.mode) == ("JPEG", "RGB")
    assert image.quantization == ours.quantization
    assert np.abs(np.asarray(image, int) - np.asarray(ours, int)).max() <= 2


# Requests


def test_same_count(told):
    specs = tf.TensorSpec((None,)), tf.TensorSpec((None, 2)), tf.TensorSpec((None,), tf.int32)
    same = compiled(lambda a, b, c: graph.same_count(("a", a), ("b", b), ("c", c)), *specs)
    given = tf.constant([1.0, 2]), tf.constant([[3.0, 4], [5, 6]]), tf.constant([7, 8])
    for one, other in zip(same(*given), given, strict=True):
        np.testing.assert_array_equal(one, other)
    assert told(same, given[0], given[1][:1], given[2]) == "b must be as many as a; received 1 and 2."
    assert told(same, given[0][:0], given[1][:0], given[2]) == "c must be as many as a; received 2 and 0."


def test_requests(told):
    named = compiled(
        lambda a, b: graph.requests(BOUNDS, ("a", a), ("b", b)),
        tf.TensorSpec((None,), tf.string), tf.TensorSpec((None,)),
    )
    assert [len(part) for part in named(tf.constant(["x"] * 3), tf.zeros(3))] == [3, 3]
    for count in (0, 4):
        sentence = f"a must be 1 to 3 pictures; received {count}."
        assert told(named, tf.constant(["x"] * count, tf.string), tf.zeros(count)) == sentence
    assert told(named, tf.constant(["x"]), tf.zeros(2)) == "b must be as many as a; received 2 and 1."


@pytest.mark.parametrize("at_once", [1, 2 * 16 * 17, 2**20])
def test_in_portions(monkeypatch, at_once):
    """One picture at a time, two, and all five."""
    monkeypatch.setattr(graph, "_AT_ONCE", at_once)
    sizes = []

    def function(pictures, factors):
        sizes.append(int(tf.shape(pictures)[0]))
        return pictures * factors[:, None, None, None]

    given = np.random.default_rng(0).random((5, 16, 17, 3), np.float32)
    factors = np.arange(5, dtype=np.float32)
    found = graph.in_portions(function, graph.SPEC, tf.constant(given), tf.constant(factors))
    np.testing.assert_array_equal(found, given * factors[:, None, None, None])
    assert sizes == {1: [1] * 5, 544: [2, 2, 1], 2**20: [5]}[at_once]
