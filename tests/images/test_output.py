"""Pictures to bytes and files: whole files or none, and outputs refused before the work."""

import contextlib
import errno
import os
import pathlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image, features

from tfstyle.checks import InputError
from tfstyle.images import Picture, check_output, read, to_pil, to_uint8, write

needs_avif = pytest.mark.skipif(not features.check("avif"), reason="this Pillow has no AVIF")
quick = settings(deadline=None, max_examples=40, database=None)
BYTES = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)
FLOATS = BYTES / np.float32(255)
ALPHA = FLOATS[..., 0]
SMOOTH = np.stack(np.broadcast_arrays(*np.ogrid[0:1:24j, 0:1:32j], 0.5), axis=-1)
LOSSY = ["jpg", "jpeg", "webp", pytest.param("avif", marks=needs_avif)]
EVERY = [*LOSSY, "png", "tif", "tiff"]


@contextlib.contextmanager
def refused(start, *parts):
    """One sentence that starts so, holds the parts and says what to do."""
    with pytest.raises(InputError) as error:
        yield
    sentence = str(error.value)
    assert sentence.startswith(start) and sentence.endswith((".", "?")) and "\n" not in sentence
    for part in parts:
        assert part in sentence


# Bytes and PIL images


@quick
@given(hnp.arrays(np.float32, (2, 3, 3), elements=st.floats(-2, 3, width=32)))
def test_to_uint8_clips_and_rounds_to_the_nearest(rgb):
    exact = rgb.astype(np.float64).clip(0, 1) * 255
    assert np.abs(to_uint8(rgb) - exact).max() <= 0.5 + 1e-4


def test_to_uint8_undoes_what_read_does():
    levels = np.arange(256, dtype=np.uint8)
    for dtype in (np.float16, np.float32, np.float64):
        np.testing.assert_array_equal(to_uint8((levels / 255).astype(dtype)), levels)
    copied = to_uint8(levels)
    assert (copied == levels).all() and not np.shares_memory(copied, levels)
    edges = np.float32([-np.inf, np.inf, -0.1, 0.4999 / 255, 0.5001 / 255])
    assert to_uint8(edges).tolist() == [0, 255, 0, 0, 1]


def test_to_pil():
    image = to_pil(FLOATS[None])
    assert image.mode == "RGB"
    np.testing.assert_array_equal(np.asarray(image), BYTES)
    image = to_pil(BYTES, ALPHA)
    assert image.mode == "RGBA"
    np.testing.assert_array_equal(np.asarray(image), np.dstack([BYTES, BYTES[..., 0]]))


def test_what_cannot_become_a_pil_image(tmp_path):
    with refused("values to write must be numbers; received NaN"):
        to_pil(FLOATS * np.nan)
    with refused("values to write must be float in [0, 1] or uint8; received int64"):
        to_pil(BYTES.astype(np.int64))
    for rgb in (FLOATS[..., 0], FLOATS[..., :2], FLOATS[:0], np.stack([FLOATS] * 2)):
        with refused(f"a picture to write must have shape (H, W, 3); received {rgb.shape}"):
            write(tmp_path / "x.png", rgb)
    with refused("the alpha to write must have shape (24, 32); received (24, 31)"):
        to_pil(FLOATS, ALPHA[:, 1:])
    assert not list(tmp_path.iterdir())


# Writing


@quick
@given(hnp.arrays(np.uint8, st.tuples(st.integers(16, 24), st.integers(16, 24), st.sampled_from([3, 4]))))
def test_lossless_round_trip_of_all_that_is_seen(tmp_path_factory, array):
    seen = array[..., 3] >= 8 if array.shape[2] == 4 else ...
    for name in ("round.png", "round.tif"):
        path = tmp_path_factory.getbasetemp() / name
        write(path, read(array))
        picture = read(path)
        np.testing.assert_array_equal(to_uint8(picture.rgb)[seen], array[..., :3][seen])
        assert (picture.alpha is None) == (array.shape[2] == 3)
        if picture.alpha is not None:
            np.testing.assert_array_equal(to_uint8(picture.alpha), array[..., 3])


@pytest.mark.parametrize("extension", EVERY)
def test_formats_follow_the_extension(tmp_path, extension):
    for name in (f"a.{extension}", f"A b.c.{extension.upper()}"):
        path = tmp_path / name
        check_output(path)
        write(str(path) if name[0] == "a" else path, SMOOTH)
        with Image.open(path) as image:
            kinds = {"jpg": "JPEG", "tif": "TIFF"}
            assert image.format == kinds.get(extension, extension.upper())
            assert image.mode == "RGB"
            assert image.getexif().get(0x0112, 1) == 1 and "icc_profile" not in image.info
        np.testing.assert_allclose(read(path).rgb, SMOOTH, atol=0.04)


@pytest.mark.parametrize("extension", EVERY)
def test_alpha_is_put_back_where_the_format_can_hold_it(tmp_path, extension):
    alpha = 0.1 + 0.8 * SMOOTH[..., 1]
    own, other = Picture(SMOOTH, alpha), Picture(SMOOTH, 1 - alpha)
    for kwargs in ({"picture": own}, {"picture": SMOOTH, "alpha": alpha}, {"picture": other, "alpha": alpha}):
        path = tmp_path / f"a.{extension}"
        write(path, **kwargs)
        picture = read(path)
        if extension in ("jpg", "jpeg"):
            assert picture.alpha is None
        else:
            np.testing.assert_allclose(picture.alpha, alpha, atol=0.02)
        np.testing.assert_allclose(picture.rgb, SMOOTH, atol=0.06)  # untouched by alpha


def test_jpeg_keeps_its_chroma_and_minds_its_quality(tmp_path):
    stripes = np.zeros((32, 32, 3))
    stripes[:, ::2] = [1, 0, 0]
    stripes[:, 1::2] = [0, 0, 1]
    write(tmp_path / "a.jpg", stripes)
    assert np.abs(read(tmp_path / "a.jpg").rgb - stripes).mean() < 0.03  # 0.3 with halved chroma
    write(tmp_path / "b.jpg", FLOATS, quality=30)
    write(tmp_path / "c.jpg", FLOATS)
    assert (tmp_path / "b.jpg").stat().st_size < (tmp_path / "c.jpg").stat().st_size / 2


@pytest.mark.parametrize("quality", [0, 101, 95.0, "high", None])
def test_quality_is_checked(tmp_path, quality):
    with refused("quality must be a whole number from 1 to 100", repr(quality)):
        write(tmp_path / "a.jpg", FLOATS, quality=quality)
    assert not list(tmp_path.iterdir())


def test_an_existing_file_is_replaced(tmp_path):
    path = tmp_path / "a.png"
    write(path, FLOATS[:, :16])
    write(path, FLOATS)
    assert read(path).rgb.shape == FLOATS.shape and os.listdir(tmp_path) == ["a.png"]


@pytest.mark.skipif(os.name == "nt", reason="permission bits")
def test_permissions_are_those_of_any_new_file(tmp_path):
    before = os.umask(0o027)
    try:
        write(tmp_path / "a.png", FLOATS)
    finally:
        os.umask(before)
    assert (tmp_path / "a.png").stat().st_mode & 0o777 == 0o640
    (tmp_path / "a.png").chmod(0o604)
    write(tmp_path / "a.png", FLOATS)  # replaced, as if written anew
    assert (tmp_path / "a.png").stat().st_mode & 0o777 == 0o604


@pytest.mark.skipif(os.name == "nt", reason="symbolic links")
@pytest.mark.parametrize("exists", [True, False])
def test_a_symbolic_link_is_written_through(tmp_path, exists):
    (tmp_path / "there").mkdir()
    target, link = tmp_path / "there" / "real", tmp_path / "link.png"
    if exists:
        target.write_bytes(b"old")
    link.symlink_to(target)
    check_output(link)
    write(link, FLOATS)
    assert link.is_symlink() and not target.is_symlink()
    np.testing.assert_array_equal(read(target).rgb, FLOATS)
    assert os.listdir(target.parent) == ["real"]


def test_a_relative_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    check_output("a.png")
    write("a.png", FLOATS)
    assert os.listdir(tmp_path) == ["a.png"]


@pytest.mark.parametrize("existing", [True, False])
@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_a_failure_leaves_all_as_it_was(tmp_path, monkeypatch, error, existing):
    path = tmp_path / "a.png"
    if existing:
        path.write_bytes(b"old")
    seen = []

    def fail(source, target):
        seen.append((pathlib.Path(source), pathlib.Path(target), read(source).rgb))
        raise error

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises((InputError, KeyboardInterrupt)) as raised:
        write(path, FLOATS)
    ((source, target, rgb),) = seen
    assert source.parent == target.parent == tmp_path and target == path  # beside it: the same file system
    np.testing.assert_array_equal(rgb, FLOATS)  # and whole before it takes the place
    assert os.listdir(tmp_path) == (["a.png"] if existing else [])
    assert not existing or path.read_bytes() == b"old"
    if isinstance(error, OSError):
        assert str(raised.value) == f"output {str(path)!r} cannot be written (No space left on device); " + (
            "choose another place."
        )


def test_an_encoder_that_fails(tmp_path, monkeypatch):
    def fail(*args, **kwargs):
        raise RuntimeError("encoder broke")

    monkeypatch.setattr(Image.Image, "save", fail)
    with refused("output ", "could not be encoded as TIFF (encoder broke); try .png."):
        write(tmp_path / "a.tif", FLOATS)
    assert not list(tmp_path.iterdir())


# Checking an output before the work


def both_refuse(path, *parts):
    """`check_output` and `write` give the same sentence."""
    with refused("output ", repr(os.fspath(path)), *parts):
        check_output(path)
    with refused("output ", repr(os.fspath(path)), *parts):
        write(path, FLOATS)


def test_check_output_leaves_nothing_behind(tmp_path):
    check_output(tmp_path / "new.png")
    assert not list(tmp_path.iterdir())
    (tmp_path / "old.png").write_bytes(b"old")
    check_output(tmp_path / "old.png")
    assert os.listdir(tmp_path) == ["old.png"] and (tmp_path / "old.png").read_bytes() == b"old"


def test_outputs_that_cannot_be(tmp_path):
    known = ".png, .jpg, .jpeg, .webp, .tif, .tiff, .avif"
    both_refuse(tmp_path / "a.gif", f"has the unknown extension '.gif'; use one of {known}")
    both_refuse(tmp_path / "a.jpgg", "did you mean '.jpg'?")
    both_refuse(tmp_path / "a", f"has no extension; use one of {known}.")
    both_refuse(tmp_path / ".png", "has no extension")
    both_refuse("", "has no extension")
    both_refuse(
        tmp_path / "nowhere" / "a.png", "nowhere' does not exist; make that folder first or choose another."
    )
    (tmp_path / "file").touch()
    both_refuse(tmp_path / "file" / "a.png", "/file' is a file; make")
    (tmp_path / "folder.png").mkdir()
    both_refuse(tmp_path / "folder.png", "is a folder; name a file in it, such as ", "picture.png'.")
    both_refuse(tmp_path, "is a folder")
    both_refuse("a\0b.png", "cannot be written (")
    both_refuse(tmp_path / ("x" * 5000 + ".png"), "cannot be written (")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.png")
        both_refuse(tmp_path / "pipe.png", "exists and is no ordinary file")
    assert sorted(os.listdir(tmp_path))[:2] == ["file", "folder.png"]


@pytest.mark.parametrize("path", [None, 3, b"", ["a.png"], Image.new("RGB", (16, 16))])
def test_an_output_must_be_a_path(path):
    with refused(f"the output must be a path (str or pathlib.Path); received {type(path).__name__}."):
        check_output(path)


def test_a_relative_path_where_the_current_folder_has_gone(tmp_path, monkeypatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    for one in (check_output, lambda path: write(path, FLOATS)):
        with refused("output 'x.png' cannot be written (", "choose another place"):
            one("x.png")
    write(tmp_path / "x.png", FLOATS)


def test_a_format_that_this_pillow_cannot_write(tmp_path, monkeypatch):
    Image.init()
    monkeypatch.delitem(Image.SAVE, "WEBP")
    both_refuse(tmp_path / "a.webp", "cannot write WEBP; use one of .png, .jpg,")


def test_a_folder_that_takes_no_files(tmp_path, monkeypatch):
    def deny(*args, **kwargs):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("tempfile.TemporaryFile", deny)
    with refused("output ", "a.png' cannot be written (Permission denied); choose another place."):
        check_output(tmp_path / "a.png")


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write everywhere")
def test_write_protection(tmp_path):
    (tmp_path / "old.png").write_bytes(b"old")
    (tmp_path / "old.png").chmod(0o400)
    both_refuse(tmp_path / "old.png", "exists and is write-protected; choose another name.")
    tmp_path.chmod(0o500)
    both_refuse(tmp_path / "new.png", "cannot be written (Permission denied)")
    tmp_path.chmod(0o000)
    with refused("picture ", "may not be read by this user"):
        read(tmp_path / "old.png")
    tmp_path.chmod(0o700)


def test_write_protection_of_a_file_as_the_system_tells_it(tmp_path, monkeypatch):
    (tmp_path / "old.png").write_bytes(b"old")
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)
    both_refuse(tmp_path / "old.png", "exists and is write-protected; choose another name.")
    assert (tmp_path / "old.png").read_bytes() == b"old"


@pytest.mark.parametrize(
    ("extension", "longest"), [("jpg", 65500), ("webp", 16383), pytest.param("avif", 32768, marks=needs_avif)]
)
def test_sides_too_long_for_the_format(tmp_path, extension, longest):
    path = tmp_path / f"a.{extension}"
    for shape in ((16, longest + 1), (longest + 1, 16)):
        with refused(f"output {str(path)!r}: ", f"at most {longest} px a side, not {longest + 1}; use .png"):
            check_output(path, shape)
    with refused("output ", f"at most {longest} px"):
        write(path, np.zeros((1, longest + 1, 3), np.uint8))
    assert not list(tmp_path.iterdir())
    check_output(path, (16, longest))
    write(path, np.zeros((16, longest, 3), np.uint8), quality=1)
    assert read(path).rgb.shape == (16, longest, 3)


def test_long_sides_in_lossless_formats(tmp_path):
    for name in ("a.png", "a.tif"):
        check_output(tmp_path / name, (16, 70_000))
        write(tmp_path / name, np.zeros((16, 70_000, 3), np.uint8))
        assert read(tmp_path / name).rgb.shape == (16, 70_000, 3)
