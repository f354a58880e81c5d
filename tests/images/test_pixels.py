"""Every kind of picture file, made here byte by byte where Pillow cannot make it, read to known values."""

import io
import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image, features
from PIL.PngImagePlugin import PngInfo

from tfstyle.checks import InputError
from tfstyle.images import pixels, read, to_uint8

needs_avif = pytest.mark.skipif(not features.check("avif"), reason="this Pillow has no AVIF")
RAMP = np.arange(24 * 32, dtype=np.uint8).reshape(24, 32)
GREYS = RAMP[..., None].repeat(3, axis=2)
COLORS = np.stack([RAMP, RAMP[::-1], 255 - RAMP // 2], axis=-1)  # no two corners alike


def encoded(image, kind="PNG", **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def png(rows, depth, color, *chunks):
    """A PNG from big-endian sample rows, since Pillow writes no 16-bit color."""

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", rows.shape[1], rows.shape[0], depth, color, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    parts = [chunk(b"IHDR", header), *(chunk(*c) for c in chunks), chunk(b"IDAT", data), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def tiff16(array):
    """A little-endian, uncompressed 16-bit RGB TIFF."""
    height, width, _ = array.shape
    data = array.astype("<u2").tobytes()
    tags = [(256, width), (257, height), (258, 16), (259, 1), (262, 2), (273, 8), (277, 3), (279, len(data))]
    bits = 8 + len(data)
    entries = [(t, 3, 3, bits) if t == 258 else (t, 4, 1, v) for t, v in tags]
    directory = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *e) for e in entries)
    return (
        b"II*\0" + struct.pack("<I", bits + 6) + data + struct.pack("<HHH", 16, 16, 16) + directory + bytes(4)
    )


def refusal(source, name="content picture"):
    """The sentence with which `source` is refused; no warning may come with it."""
    with warnings.catch_warnings(record=True) as leaked, pytest.raises(InputError) as error:
        warnings.simplefilter("always")
        read(source, name=name)
    sentence = str(error.value)
    assert not leaked
    assert sentence.startswith(name) and sentence.endswith(".") and "\n" not in sentence
    return sentence


# Formats and modes


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("PNG", {}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("WEBP", {"lossless": True}),
        ("BMP", {}),
        ("PPM", {}),
        ("JPEG2000", {"irreversible": False}),
    ],
)
def test_lossless_formats_are_read_exactly(kind, options):
    picture = read(encoded(Image.fromarray(COLORS), kind, **options))
    assert picture.alpha is None
    np.testing.assert_array_equal(picture.rgb, COLORS / np.float32(255))


@pytest.mark.parametrize("kind", ["JPEG", pytest.param("AVIF", marks=needs_avif)])
def test_lossy_formats_are_read_as_pillow_reads_them(kind):
    data = encoded(Image.fromarray(COLORS), kind, quality=90)
    expected = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    np.testing.assert_array_equal(to_uint8(read(data).rgb), expected)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
def test_of_an_animation_the_first_frame_counts(kind):
    frames = [Image.new("RGB", (32, 24), color) for color in ("red", "lime", "blue")]
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    assert Image.open(io.BytesIO(data)).n_frames == 3
    picture = read(data)
    assert (picture.rgb == [1, 0, 0]).all() and picture.alpha is None


def test_an_animation_opened_by_the_caller_stays_at_its_frame():
    frames = [Image.new("RGB", (32, 24), color) for color in ("red", "lime", "blue")]
    image = Image.open(io.BytesIO(encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])))
    image.seek(2)
    assert (read(image).rgb == [0, 0, 1]).all()
    assert image.tell() == 2


@pytest.mark.parametrize(
    "mode", ["1", "L", "P", "RGB", "RGBX", "YCbCr", "HSV", "CMYK", "LA", "La", "PA", "RGBA", "RGBa", "LAB"]
)
def test_every_mode_of_a_pil_image_is_understood(mode):
    if mode == "LAB":
        image = Image.new("LAB", (32, 24), (255, 128, 128))
    else:
        stopover = {"RGBa": "RGBA", "La": "LA", "PA": "P"}.get(mode, "RGB")
        image = Image.new("RGB", (32, 24), "white").convert(stopover).convert(mode)
    assert image.mode == mode
    picture = read(image)
    assert picture.rgb.dtype == np.float32 and picture.rgb.shape == (24, 32, 3)
    np.testing.assert_allclose(picture.rgb, 1, atol=0.005)
    assert (picture.alpha is not None) == (mode in ("LA", "La", "PA", "RGBA", "RGBa"))
    assert picture.alpha is None or (picture.alpha == 1).all()
    assert image.mode == mode  # the caller's image is as it was


def test_grey_and_one_bit():
    np.testing.assert_array_equal(to_uint8(read(encoded(Image.fromarray(RAMP))).rgb), GREYS)
    checks = np.indices((24, 32)).sum(0) % 2 == 0
    data = encoded(Image.fromarray(np.uint8(checks) * 255).convert("1", dither=Image.Dither.NONE))
    np.testing.assert_array_equal(read(data).rgb[..., 0], checks)


def test_cmyk_jpeg_as_adobe_writes_it():
    ink = Image.new("CMYK", (32, 24), (255, 0, 0, 0))
    data = encoded(ink, "JPEG", quality=100, subsampling=0)
    assert b"Adobe" in data  # its samples are inverted: read straight, this cyan would be red
    np.testing.assert_allclose(read(data).rgb, np.broadcast_to([0, 1, 1], (24, 32, 3)), atol=0.01)


# Alpha


def test_alpha_is_set_aside_and_the_colors_that_are_seen_stay():
    image = Image.fromarray(np.dstack([COLORS, RAMP]))
    picture = read(encoded(image))
    np.testing.assert_array_equal(to_uint8(picture.rgb)[RAMP >= 8], COLORS[RAMP >= 8])
    assert (to_uint8(picture.rgb)[RAMP == 0] != COLORS[RAMP == 0]).any(axis=-1).all()
    np.testing.assert_array_equal(to_uint8(picture.alpha), RAMP)
    assert picture.alpha.dtype == np.float32


def test_grey_with_alpha():
    image = Image.merge("LA", [Image.fromarray(RAMP), Image.fromarray(RAMP[::-1])])
    picture = read(encoded(image))
    seen = RAMP[::-1] >= 8
    np.testing.assert_array_equal(to_uint8(picture.rgb)[seen], GREYS[seen])
    np.testing.assert_array_equal(to_uint8(picture.alpha), RAMP[::-1])


@pytest.mark.parametrize("transparency", [1, bytes([255, 0, 77])])
def test_palette_with_transparency(transparency):
    image = Image.fromarray(np.uint8(np.indices((24, 32)).sum(0) % 3))
    image = image.convert("P")
    image.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    index = np.asarray(image)
    picture = read(encoded(image, transparency=transparency))
    opacity = [255, 0, 255] if transparency == 1 else list(transparency)
    np.testing.assert_array_equal(to_uint8(picture.alpha), np.uint8(opacity)[index])
    np.testing.assert_array_equal(picture.rgb[index != 1], np.float32(np.eye(3))[index[index != 1]])
    assert (picture.rgb[index == 1, 1] < 0.1).all(), "the green that nobody sees is gone"


@pytest.mark.parametrize(("mode", "key"), [("L", 7), ("RGB", (7, 7, 7)), ("1", 255)])
def test_one_color_declared_transparent(mode, key):
    image = Image.new("L", (32, 24))
    image.paste(7 if mode != "1" else 255, (0, 0, 5, 24))
    alpha = read(encoded(image.convert(mode), transparency=key)).alpha
    assert (alpha[:, :5] == 0).all() and (alpha[:, 5:] == 1).all()


# 16 bits and more


DEEP = np.linspace(0, 65535, 24 * 32).round().astype(np.uint16).reshape(24, 32)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM"])
def test_16_bit_grey_keeps_its_precision(kind):
    picture = read(encoded(Image.fromarray(DEEP), kind))
    assert picture.rgb.dtype == np.float32
    np.testing.assert_array_equal(picture.rgb, np.float32(DEEP / np.float32(65535))[..., None].repeat(3, 2))
    assert len(np.unique(picture.rgb)) == DEEP.size


@pytest.mark.parametrize("array", [DEEP.astype(np.int32), np.float32(DEEP / 65535), DEEP.astype(">u2")])
def test_deep_pil_modes(array):
    image = Image.fromarray(array)
    assert image.mode in ("I", "F", "I;16B")
    np.testing.assert_allclose(read(image).rgb[..., 1], DEEP / 65535, atol=1e-7)


def test_16_bit_grey_whose_white_is_zero():
    data = encoded(Image.fromarray(DEEP), "TIFF", tiffinfo={262: 0})
    np.testing.assert_allclose(read(data).rgb[..., 0], 1 - DEEP / 65535, atol=1e-7)


def test_16_bit_grey_with_a_transparent_level():
    picture = read(encoded(Image.fromarray(DEEP), transparency=int(DEEP[3, 4])))
    assert picture.alpha[3, 4] == 0 and picture.alpha.sum() == DEEP.size - 1


@pytest.mark.parametrize("kind", ["png", "tiff"])
def test_16_bit_color(kind):
    deep = np.stack([DEEP, DEEP[::-1], DEEP[:, ::-1]], axis=-1)
    picture = read(png(deep.astype(">u2"), 16, 2) if kind == "png" else tiff16(deep))
    np.testing.assert_allclose(picture.rgb, deep / 65535, atol=1.01 / 255)


def test_16_bit_color_with_alpha():
    deep = np.stack([DEEP, DEEP[::-1], DEEP[:, ::-1], DEEP[::-1]], axis=-1)
    picture = read(png(deep.astype(">u2"), 16, 6))
    np.testing.assert_allclose(picture.alpha, DEEP[::-1] / 65535, atol=1.01 / 255)


def test_deep_values_that_no_picture_has():
    assert "from 0 to 65536" in refusal(Image.fromarray(DEEP + (DEEP == 65535).astype(np.int32)))
    assert "from -1 to 65534" in refusal(Image.fromarray(DEEP - np.int32(1)))
    assert "divide them by 255" in refusal(Image.fromarray(np.float32(RAMP)))
    assert "NaN" in refusal(Image.fromarray(np.full((24, 32), np.nan, np.float32)))


# EXIF orientation


UPRIGHT = {  # what each orientation says is to be done with the stored pixels
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a),
}


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", UPRIGHT)
def test_exif_orientation_is_applied_once(kind, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(Image.fromarray(COLORS), kind, exif=exif, **options)
    expected = UPRIGHT[orientation](COLORS)
    np.testing.assert_array_equal(to_uint8(read(data).rgb), expected)
    image = Image.open(io.BytesIO(data))
    for _ in range(2):  # a PIL image is not turned in the caller's hands
        np.testing.assert_array_equal(to_uint8(read(image).rgb), expected)


def test_exif_orientation_turns_alpha_and_16_bits_too():
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = read(encoded(Image.fromarray(np.dstack([COLORS, RAMP])), exif=exif))
    np.testing.assert_array_equal(to_uint8(picture.alpha), np.rot90(RAMP, -1))
    picture = read(encoded(Image.fromarray(DEEP), exif=exif))
    np.testing.assert_array_equal(picture.rgb[..., 0], np.rot90(np.float32(DEEP / np.float32(65535)), -1))


def test_the_size_after_turning_counts():
    exif = Image.Exif()
    exif[0x0112] = 8
    assert read(encoded(Image.fromarray(COLORS), exif=exif), size=64).rgb.shape == (64, 48, 3)


@pytest.mark.parametrize("exif", [b"Exif\0\0junk", b"Exif\0\0II*\0\x08\0\0\0\xff\xff", b"\xff" * 40])
def test_damaged_exif_is_ignored_in_silence(exif):
    text = PngInfo()
    text.add_text("Raw profile type exif", "\nexif\n 8\nno hexadecimals")
    image = Image.fromarray(COLORS)
    for data in (encoded(image, "JPEG", exif=exif), encoded(image, pnginfo=text)):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert read(data).rgb.shape == (24, 32, 3)


# Refusals


@pytest.mark.parametrize(
    "kind", ["PNG", "JPEG", "WEBP", "TIFF", "GIF", "BMP", pytest.param("AVIF", marks=needs_avif)]
)
def test_truncated_files_are_refused(kind):
    data = encoded(Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)), kind)
    for part in (0.02, 0.2, 0.5, 0.9):
        sentence = refusal(data[: int(part * len(data))])
        assert "cannot be decoded" in sentence or "is in no picture format that can be read" in sentence


@pytest.mark.parametrize(
    "data",
    [
        b"this is a text, not a picture\n" * 20,
        b"\0",
        encoded(Image.fromarray(RAMP), "EPS"),  # a program, for Ghostscript to run
        encoded(Image.fromarray(RAMP).convert("1"), "XBM"),  # a C source file
    ],
)
def test_what_is_no_picture_is_refused(data):
    remedy = "convert it to JPEG or PNG first."
    assert refusal(data) == f"content picture is in no picture format that can be read, or damaged; {remedy}"


@pytest.mark.parametrize("side", [32, 60])  # where Pillow would warn, and where it would raise
def test_too_many_pixels_are_refused_before_decoding(monkeypatch, side):
    data = encoded(Image.new("L", (side, side)))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", side * side)
    assert read(data).rgb.shape == (side, side, 3)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    sentence = "content picture has more than the limit of 1000 pixels; make it smaller first."
    assert refusal(data) == sentence  # which every reader can do, unlike raising the limit


def test_a_decompression_bomb_is_refused():
    rows = np.zeros((16, 16), np.uint8)
    for side in (10_000, 60_000):  # the header claims it, the data need not be there
        bomb = bytearray(png(rows, 8, 0))
        bomb[16:24] = struct.pack(">II", side, side)
        bomb[29:33] = struct.pack(">I", zlib.crc32(bomb[12:29]))
        assert "make it smaller" in refusal(bytes(bomb))


def test_a_bomb_opened_by_the_caller_is_refused(monkeypatch):
    image = Image.open(io.BytesIO(encoded(Image.new("L", (60, 60)))))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 3000)
    assert "limit of 3000 pixels" in refusal(image)
    monkeypatch.setattr(pixels, "_AT_ONCE", 1200)  # Pillow may apply the limit to every part that is cropped
    assert read(Image.new("L", (60, 60))).rgb.shape == (60, 60, 3)  # made, not opened: it is in memory anyway


def test_small_pictures_are_refused_before_decoding():
    data = encoded(Image.new("L", (15, 4000)))
    assert "15x4000 px" in refusal(data[: len(data) // 2])


def test_a_closed_image_is_refused():
    image = Image.open(io.BytesIO(encoded(Image.fromarray(COLORS))))
    image.close()
    assert "cannot be decoded" in refusal(image)
