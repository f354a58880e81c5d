"""ICC profiles, made here byte by byte, against the colors that they stand for."""

import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageCms

from tfstyle.images import read, to_uint8

RAMP = np.arange(24 * 32, dtype=np.uint8).reshape(24, 32)
GREYS = RAMP[..., None].repeat(3, axis=2)
COLORS = np.stack([RAMP, RAMP[::-1], 255 - RAMP // 2], axis=-1)
DEEP = np.linspace(0, 65535, 24 * 32).round().astype(np.uint16).reshape(24, 32)
D50 = (63190, 65536, 54061)  # the white of ICC profiles, in 1/65536


def encoded(image, kind="PNG", **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def icc(space, pcs, *tags):
    """A version 2 ICC profile."""
    tags = [(b"wtpt", b"XYZ " + bytes(4) + struct.pack(">iii", *D50)), *tags]
    table, data = struct.pack(">I", len(tags)), b""
    for name, value in tags:
        table += struct.pack(">4sII", name, 132 + 12 * len(tags) + len(data), len(value))
        data += value + bytes(-len(value) % 4)
    header = struct.pack(">I4xI4s4s4s", 128 + len(table + data), 0x02400000, b"prtr", space, pcs)
    header += bytes(12) + b"acsp" + bytes(28) + struct.pack(">iii", *D50)
    return header.ljust(128, b"\0") + table + data


SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
RED_IS_GREEN = SRGB.replace(b"rXYZ", b"tmp ").replace(b"gXYZ", b"rXYZ").replace(b"tmp ", b"gXYZ")
LINE = b"curv" + bytes(8)
LINEAR_GREY = icc(b"GRAY", b"XYZ ", (b"kTRC", LINE))


def color_profile(curve, red=0.4360):
    """sRGB's primaries, as the books print them but for red's X, with any curve."""
    primaries = {b"r": (red, 0.2225, 0.0139), b"g": (0.3851, 0.7169, 0.0971), b"b": (0.1431, 0.0606, 0.7141)}
    points = [(c + b"XYZ", b"XYZ " + struct.pack(">4xiii", *fixed(*xyz))) for c, xyz in primaries.items()]
    return icc(b"RGB ", b"XYZ ", *points, *((c + b"TRC", curve) for c in primaries))


def fixed(*values):
    return [round(65536 * value) for value in values]


def cmyk_profile():
    """A press whose only ink is black: cyan, magenta and yellow leave no trace."""
    nodes = bytes([255, 128, 128, 0, 128, 128]) * 8  # Lab: white, black, by turns: black is the last ink
    identity = bytes(range(256))
    table = struct.pack(">4sIBBBB9i", b"mft1", 0, 4, 3, 2, 0, *(65536 * (i % 4 == 0) for i in range(9)))
    return icc(b"CMYK", b"Lab ", (b"A2B0", table + identity * 4 + nodes + identity * 3))


def converted(array, profile):
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    target = ImageCms.createProfile("sRGB")
    return np.asarray(ImageCms.profileToProfile(Image.fromarray(array), source, target, outputMode="RGB"))


def srgb(linear):
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def test_icc_profile_is_converted_to_srgb():
    for image, seen in ((Image.fromarray(COLORS), ...), (Image.fromarray(np.dstack([COLORS, RAMP])), RAMP >= 8)):
        picture = read(encoded(image, icc_profile=RED_IS_GREEN))
        np.testing.assert_allclose(picture.rgb[seen], COLORS[seen][..., [1, 0, 2]] / 255, atol=2.01 / 255)
    np.testing.assert_array_equal(to_uint8(picture.alpha), RAMP)


def test_an_srgb_profile_changes_nothing():
    # Profiles of sRGB differ in their last digits, which a conversion would turn into steps of 1/255.
    curve = b"para" + struct.pack(
        ">4xHHiiiii", 3, 0, *fixed(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
    )
    other = color_profile(curve, red=0.4358)
    assert np.abs(converted(COLORS, other) - np.int16(COLORS)).max() == 1
    for profile in (SRGB, other):
        picture = read(encoded(Image.fromarray(COLORS), icc_profile=profile))
        np.testing.assert_array_equal(to_uint8(picture.rgb), COLORS)


def test_palette_pictures_follow_their_profile():
    image = Image.new("RGB", (32, 24), (200, 30, 90)).quantize(4)
    picture = read(encoded(image, icc_profile=RED_IS_GREEN))
    np.testing.assert_allclose(picture.rgb[0, 0] * 255, (30, 200, 90), atol=2)


def test_grey_profile():
    for image, seen in ((Image.fromarray(RAMP), ...), (Image.merge("LA", [Image.fromarray(RAMP)] * 2), RAMP >= 8)):
        picture = read(encoded(image, icc_profile=LINEAR_GREY))
        np.testing.assert_allclose(picture.rgb[seen], srgb(GREYS[seen] / 255), atol=1.5 / 255)


def test_grey_picture_with_a_color_profile():
    picture = read(encoded(Image.fromarray(RAMP), icc_profile=color_profile(LINE)))
    np.testing.assert_allclose(picture.rgb, srgb(GREYS / 255), atol=2.01 / 255)


def test_grey_profile_on_16_bits():
    picture = read(encoded(Image.fromarray(DEEP), icc_profile=LINEAR_GREY))
    bright = DEEP > 4000  # the curve is known at 256 places, too few for its steep foot
    np.testing.assert_allclose(picture.rgb[bright][:, 1], srgb(DEEP / 65535)[bright], atol=1.5 / 255)
    assert picture.rgb.dtype == np.float32
    assert (np.diff(picture.rgb[..., 1].ravel()) > 0).all()  # no two levels became one


def test_cmyk_profile():
    for ink, level in (((0, 0, 0, 0), 1), ((255, 255, 255, 0), 1), ((0, 0, 0, 255), 0)):
        image = Image.new("CMYK", (32, 24), ink)
        for kind in ("TIFF", "JPEG"):
            picture = read(encoded(image, kind, icc_profile=cmyk_profile()))
            np.testing.assert_allclose(picture.rgb, level, atol=0.02)


@pytest.mark.parametrize("profile", [b"no profile", SRGB[:200], bytes(4000), LINEAR_GREY, cmyk_profile()])
def test_a_profile_that_cannot_be_used_is_ignored(profile):
    data = encoded(Image.fromarray(COLORS), icc_profile=profile)
    np.testing.assert_array_equal(to_uint8(read(data).rgb), COLORS)
