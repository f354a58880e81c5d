"""Sources of every kind, their refusals, and writing whole files or none."""

import contextlib
import errno
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import settings
from PIL import Image, features

from tfstyle.checks import InputError
from tfstyle.images import Picture, files, read, resize, to_uint8
from tfstyle.images.files import pixels

needs_avif = pytest.mark.skipif(not features.check("avif"), reason="this Pillow has no AVIF")
quick = settings(deadline=None, max_examples=40, database=None)
BYTES = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)
FLOATS = BYTES / np.float32(255)
ALPHA = FLOATS[..., 0]
SMOOTH = np.stack(np.broadcast_arrays(*np.ogrid[0:1:24j, 0:1:32j], 0.5), axis=-1)
LOSSY = ["jpg", "jpeg", "webp", pytest.param("avif", marks=needs_avif)]
EVERY = [*LOSSY, "png", "tif", "tiff"]


class Tensor:
    """Stands for the tensors of TensorFlow, JAX and PyTorch."""

    def __init__(self, array):
        self.array = array

    def __array__(self, dtype=None, copy=None):
        if self.array is None:
            raise RuntimeError("Can't call numpy() on a tensor that requires grad.\nDetach it.")
        return self.array


@contextlib.contextmanager
def refused(start, *parts):
    """One sentence that starts so, holds the parts and says what to do."""
    with pytest.raises(InputError) as error:
        yield
    sentence = str(error.value)
    assert sentence.startswith(start) and sentence.endswith((".", "?")) and "\n" not in sentence
    for part in parts:
        assert part in sentence


# Sources


@pytest.fixture
def file(tmp_path):
    Image.fromarray(BYTES).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def test_every_kind_of_source_gives_the_same_picture(file):
    data = file.read_bytes()
    sources = [
        file,
        str(file),
        data,
        bytearray(data),
        memoryview(data),
        Image.open(file),
        Image.fromarray(BYTES),
    ]
    sources += [
        BYTES,
        BYTES[None],
        Tensor(BYTES),
        FLOATS,
        FLOATS[None],
        Tensor(FLOATS[None]),
        Picture(FLOATS),
    ]
    sources += [FLOATS.astype(np.float64), BYTES.astype(np.uint16) * 257]
    for source in sources:
        picture = read(source)
        assert picture.alpha is None
        assert picture.rgb.dtype == np.float32
        assert picture.rgb.flags.c_contiguous and picture.rgb.flags.writeable
        np.testing.assert_array_equal(picture.rgb, FLOATS)


def test_half_and_brain_floats():
    for dtype in (np.float16, pytest.importorskip("ml_dtypes").bfloat16):
        rough = FLOATS.astype(dtype)
        np.testing.assert_array_equal(read(rough).rgb, rough.astype(np.float32))
        np.testing.assert_array_equal(to_uint8(rough), to_uint8(rough.astype(np.float32)))


@pytest.mark.parametrize("order", "<>")
def test_byte_order_does_not_matter(order):
    np.testing.assert_array_equal(read(FLOATS.astype(f"{order}f8")).rgb, FLOATS)
    np.testing.assert_array_equal(read(BYTES.astype(f"{order}u2") * 257).rgb, FLOATS)


def test_grey_and_transparent_arrays_keep_the_colors_that_are_seen():
    seen = BYTES[..., 0] >= 8
    assert not seen.all()
    grey = FLOATS[..., :1].repeat(3, axis=2)
    for source in (BYTES[..., 0], BYTES[..., :1], FLOATS[None, ..., :1], FLOATS[None, ..., 0]):
        picture = read(source)
        np.testing.assert_array_equal(picture.rgb, grey)
        assert picture.alpha is None
    for source in (np.dstack([BYTES, BYTES[..., 0]]), np.dstack([FLOATS, ALPHA])[None]):
        picture = read(source)
        np.testing.assert_array_equal(picture.rgb[seen], FLOATS[seen])
        np.testing.assert_array_equal(picture.alpha, ALPHA)


@pytest.mark.parametrize(("size", "height"), [(21, 16), (32, 24), (77, 58)])
def test_size_of_8_bit_sources_is_pillows_lanczos(file, size, height):
    image = Image.fromarray(BYTES).resize((size, height), Image.Resampling.LANCZOS)
    for source in (file, BYTES, Image.fromarray(BYTES)):
        picture = read(source, size=size)
        np.testing.assert_array_equal(picture.rgb, np.asarray(image) / np.float32(255))


def test_a_size_whose_short_side_is_too_small_is_refused(file):
    for source in (file, BYTES, FLOATS, Image.fromarray(BYTES), Picture(FLOATS)):
        with refused("picture", "its short side would be 15 px at size 20; use a size of at least 21."):
            read(source, size=20)


def test_size_of_other_sources_goes_through_floats():
    expected = resize(FLOATS, (48, 64))
    for source in (FLOATS, BYTES.astype(np.uint16) * 257, Picture(FLOATS)):
        picture = read(source, size=64)
        np.testing.assert_array_equal(picture.rgb, expected)
    assert expected.min() == 0 and expected.max() == 1


def test_alpha_is_fitted_with_the_colors():
    picture = read(Picture(FLOATS, ALPHA), size=64)
    np.testing.assert_array_equal(picture.alpha, resize(ALPHA, (48, 64)))
    assert read(np.dstack([BYTES, BYTES[..., 0]]), size=64).alpha.shape == (48, 64)


@pytest.mark.parametrize("size", [None, 32, 64])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
def test_the_callers_array_is_neither_changed_nor_shared(dtype, size):
    array = BYTES.astype(dtype) if np.dtype(dtype).kind == "u" else FLOATS.astype(dtype)
    array = np.dstack([array, array[..., 0]])
    before = array.copy()
    picture = read(array, size=size)
    np.testing.assert_array_equal(array, before)
    assert not np.shares_memory(picture.rgb, array) and not np.shares_memory(picture.alpha, array)
    again = read(picture)
    assert not np.shares_memory(again.rgb, picture.rgb) and not np.shares_memory(again.alpha, picture.alpha)


def test_read_only_and_scattered_arrays():
    for array in (BYTES[::-1, ::-1], np.asfortranarray(FLOATS), FLOATS.transpose(1, 0, 2)[::-1, :, ::-1]):
        array.flags.writeable = False
        expected = array / np.float32(255) if array.dtype == np.uint8 else array
        np.testing.assert_array_equal(read(array).rgb, expected)


def test_rounding_dust_beyond_the_range_is_clipped():
    picture = read(np.where(FLOATS > 0.5, np.nextafter(np.float32(1), 2), -1e-8))
    assert set(np.unique(picture.rgb)) == {0, 1}


def test_pixels_are_what_read_makes_floats_of(file):
    glass = np.dstack([BYTES, BYTES[..., 0]])
    deep = np.uint16(257) * BYTES
    for source, dtype in ((file, np.uint8), (BYTES, np.uint8), (glass, np.uint8), (deep, np.float32)):
        for size in (None, 32, 21):
            (rgb, alpha), picture = pixels(source, size=size), read(source, size=size)
            assert rgb.dtype == dtype and rgb.flags.c_contiguous
            np.testing.assert_array_equal(to_uint8(rgb), to_uint8(picture.rgb))
            assert (alpha is None) == (picture.alpha is None)
            if alpha is not None:
                assert alpha.dtype == dtype and alpha.flags.c_contiguous
                np.testing.assert_array_equal(to_uint8(alpha), to_uint8(picture.alpha))


def test_pixels_of_an_array_of_bytes_are_not_copied():
    opaque = np.full(BYTES.shape[:2], 255, np.uint8)
    for source, size in ((BYTES, None), (BYTES, 32), (Picture(BYTES, opaque), None)):
        rgb, alpha = pixels(source, size=size)
        assert np.shares_memory(rgb, BYTES) and (alpha is None or np.shares_memory(alpha, opaque))


def test_pixels_may_be_asked_for_of_small_pictures(file):
    small = BYTES[:1, :2]
    np.testing.assert_array_equal(pixels(small, least=1)[0], small)
    assert pixels(Image.fromarray(small), least=1)[0].shape == (1, 2, 3)
    for source in (small, Image.fromarray(small)):
        with refused("picture is 2x1 px (width x height); use one of at least 16 px a side."):
            pixels(source)
    with refused("picture is 2x0 px (width x height); use one of at least 1 px a side."):
        pixels(small[:0], least=1)


def test_large_pictures_are_taken_over_by_rows(file, monkeypatch):
    monkeypatch.setattr("tfstyle.images.pixels._AT_ONCE", 200)
    for source, wanted in ((file, BYTES), (Image.fromarray(BYTES[..., 0]), BYTES[..., :1].repeat(3, axis=2))):
        np.testing.assert_array_equal(pixels(source)[0], wanted)


def test_a_picture_is_frozen():
    with pytest.raises(AttributeError):
        read(BYTES).rgb = None


# Refusals


@pytest.mark.parametrize(
    ("array", "part"),
    [
        (FLOATS * 255, "must hold values from 0 to 1, not from 0 to 255; divide them by 255."),
        (FLOATS * 2 - 1, "must hold values from 0 to 1, not from -1 to 1; scale or clip them."),
        (FLOATS + 0.001, "not from 0.001 to 1.001"),
        (np.where(FLOATS > 0.9, np.nan, FLOATS), "holds NaN or infinite values"),
        (np.where(FLOATS > 0.9, np.inf, FLOATS), "holds NaN or infinite values"),
        (np.where(FLOATS > 0.9, -np.inf, FLOATS).astype(np.float16), "holds NaN or infinite values"),
        (BYTES.astype(np.int64), "be uint8 (0..255), uint16 (0..65535) or float (0..1); received int64."),
        (BYTES.astype(np.int8), "received int8."),
        (BYTES.astype(np.uint32), "received uint32."),
        (FLOATS.astype(complex), "received complex128."),
        (BYTES > 9, "received bool."),
        (BYTES.astype(object), "received object."),
        (BYTES.astype(str), "received <U3."),
        (BYTES[0], "is 3x32 px"),
        (BYTES[None, :, :3], "is 3x24 px"),
        (BYTES[0, 0], "must have shape (H, W) or (H, W, 1, 3 or 4); received (3,)."),
        (np.float32(0.5), "received ()."),
        (BYTES[..., :2], "received (24, 32, 2)."),
        (np.dstack([BYTES, BYTES]), "received (24, 32, 6)."),
        (np.stack([BYTES, BYTES]), "received (2, 24, 32, 3)."),
        (BYTES.transpose(2, 0, 1), "received (3, 24, 32); move the channels last."),
        (BYTES[None].transpose(0, 3, 1, 2), "received (1, 3, 24, 32); move the channels last."),
        (BYTES[None, None], "received (1, 1, 24, 32, 3)."),
        (BYTES[:15], "is 32x15 px (width x height); use one of at least 16 px a side."),
        (FLOATS[:, :1], "is 1x24 px"),
        (BYTES[:0], "is 32x0 px"),
        (FLOATS[:, :0], "is 0x24 px"),
        (BYTES[..., :0], "received (24, 32, 0)."),
        (Tensor(None), "(Tensor) does not turn into an array; pass a NumPy array."),
    ],
)
def test_arrays_that_are_no_pictures(array, part):
    with refused("style picture", part):
        read(array, name="style picture")


@pytest.mark.parametrize("source", [None, 3, 0.5, [[0.5] * 32] * 24, {"rgb": BYTES}, object(), lambda: BYTES])
def test_objects_that_are_no_pictures(source):
    with refused("content picture must be a path, the bytes of a picture file, a PIL", type(source).__name__):
        read(source, name="content picture")


def test_a_picture_made_wrongly():
    with refused("the alpha of the picture must have shape (24, 32); received (12, 32)."):
        read(Picture(FLOATS, ALPHA[:12]))
    with refused("the alpha of the picture must hold values from 0 to 1"):
        read(Picture(FLOATS, ALPHA * 9))
    with refused("picture holds NaN"):
        read(Picture(FLOATS * np.nan))


@pytest.mark.parametrize("size", [15, 0, -1, 512.0, 20.5, "512", True])
def test_a_bad_size_is_told_before_the_file_is_looked_at(size):
    with refused("the size of the content picture must be a whole number of at least 16", repr(size)):
        read("no such file.jpg", name="content picture", size=size)


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="no links here")
def test_a_link_to_nothing(tmp_path):
    link = tmp_path / "broken.jpg"
    link.symlink_to("nowhere")
    with pytest.raises(InputError) as error:
        read(link)
    assert str(error.value) == f"picture {str(link)!r} is a link to what does not exist; mend or remove it."


def test_a_name_that_was_given_is_never_suggested(tmp_path, monkeypatch):
    """As where a file goes, or a disk fails, between two looks at it."""
    monkeypatch.setattr(os, "listdir", lambda folder: ["photo.png"])
    with refused(f"picture {str(tmp_path / 'photo.png')!r} does not exist; check the path."):
        read(tmp_path / "photo.png")


def test_files_that_cannot_be_read(tmp_path, file, monkeypatch):
    def check(path, *parts):
        with refused(f"content picture {os.fspath(path)!r} ", *parts):
            read(path, name="content picture")

    check(tmp_path / "phto.png", "does not exist; did you mean 'photo.png'?")
    check(tmp_path / "nope.png", "does not exist; check the path.")
    check(str(tmp_path / "nowhere" / "x.png"), "does not exist; check the path.")
    check(file / "x.png", "does not exist; check the path.")
    check(tmp_path, "is a folder; name one picture file in it.")
    check("", "does not exist")
    check("a\0b.png", "cannot be opened (embedded null byte)")
    check("x" * 5000 + ".png", "cannot be opened (")
    (tmp_path / "empty.jpg").touch()
    check(tmp_path / "empty.jpg", "is empty (0 bytes)")
    (tmp_path / "text.jpg").write_text("This is a text.\n" * 100)
    check(tmp_path / "text.jpg", "is in no picture format that can be read, or damaged; convert it to JPEG")
    (tmp_path / "cut.png").write_bytes(file.read_bytes()[:1000])
    check(tmp_path / "cut.png", "cannot be decoded (", "; it may be damaged or cut short, so get")
    Image.fromarray(BYTES[:9]).save(tmp_path / "small.png")
    check(tmp_path / "small.png", "is 32x9 px")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.png")
        check(tmp_path / "pipe.png", "is no ordinary file")

    def deny(*args):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(files, "open", deny, raising=False)
    check(file, "may not be read by this user; change its permissions.")


def test_empty_bytes():
    with refused("picture is empty (0 bytes)"):
        read(b"")


def test_tensorflow_is_not_imported():
    root = pathlib.Path(files.__file__).parents[2]
    code = "import sys, tfstyle.images; sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=root, check=True)
