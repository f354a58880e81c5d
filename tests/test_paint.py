"""The pictures the repository ships: painted the same every time, and on disk as examples/README.md says."""
import io
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[1]
EXAMPLES, DATA = ROOT / "examples", ROOT / "tests" / "data"
NAMES = ("swirl", "mosaic", "ink", "dots", "fauve")
STYLE_SIZES = {"swirl": (720, 540), "mosaic": (576, 720), "ink": (540, 720), "dots": (720, 540), "fauve": (720, 540)}
CONTENT_SIZES = {"chelsea": (451, 300), "coffee": (600, 400), "rocket": (640, 427), "astronaut": (512, 512),
                 "china": (640, 427)}
DATA_SIZES = {"chelsea_96": (96, 64), "china_128": (128, 85), "coffee_96": (96, 64), "swirl_128": (128, 96),
              "mosaic_128": (102, 128)}


@pytest.fixture(scope="module")
def paint():
    """The script, imported as `python examples/paint.py` imports it: with its own folder on the path."""
    sys.path.insert(0, str(EXAMPLES))
    try:
        import paint
    finally:
        sys.path.remove(str(EXAMPLES))
    return paint


def thumbnail(picture):
    """12 x 12 pixels, signed so that differences do not wrap."""
    return np.asarray(picture.convert("RGB").resize((12, 12), Image.Resampling.BOX)).astype(int)


@pytest.mark.parametrize("name", NAMES)
def test_painting_is_deterministic_and_the_shipped_picture(paint, name):
    first = paint.PICTURES[name](48)
    width, height = STYLE_SIZES[name]
    assert first.dtype == np.uint8
    assert first.shape == (round(48 * height / 720), round(48 * width / 720), 3)
    assert first.std((0, 1)).min() > 8  # not flat, in any channel
    np.testing.assert_array_equal(paint.PICTURES[name](48), first)
    # Even this small it is nearer to its own shipped file than to any other.
    small = thumbnail(Image.fromarray(first))
    apart = {other: abs(small - thumbnail(Image.open(EXAMPLES / "style" / f"{other}.jpg"))).mean() for other in NAMES}
    assert min(apart, key=apart.get) == name


def test_every_picture_is_shipped(paint):
    assert tuple(paint.PICTURES) == NAMES
    assert {path.name for path in (EXAMPLES / "style").iterdir()} == {f"{name}.jpg" for name in NAMES}


@pytest.mark.parametrize(("folder", "sizes", "most"), [
    (EXAMPLES / "style", STYLE_SIZES, 250_000), (EXAMPLES / "content", CONTENT_SIZES, 250_000),
    (DATA, DATA_SIZES, 20_000)], ids=["style", "content", "data"])
def test_shipped_files(folder, sizes, most):
    credits = (folder if folder == DATA else EXAMPLES).joinpath("README.md").read_text("utf-8")
    assert {path.stem for path in folder.glob("*.jpg")} == set(sizes)
    for name, size in sizes.items():
        path = folder / f"{name}.jpg"
        assert path.stat().st_size <= most
        with Image.open(path) as picture:
            picture.load()
            assert (picture.format, picture.mode, picture.size) == ("JPEG", "RGB", size)
            assert "icc_profile" not in picture.info and not picture.getexif()
            assert {sampling[1:3] for sampling in picture.layer} == {(1, 1)}  # chroma at full size
        assert f"{name}.jpg" in credits
        assert f"{size[0]} x {size[1]}" in credits


def test_command_writes_only_what_was_named(paint, tmp_path, capsys):
    paint.main(["mosaic", "-o", str(tmp_path / "new"), "--size", "64"])
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["mosaic.jpg"]
    with Image.open(tmp_path / "new" / "mosaic.jpg") as picture:
        assert picture.size == (51, 64)
    assert "mosaic.jpg" in capsys.readouterr().out


@pytest.mark.parametrize(("arguments", "said"), [(["swril"], "no picture is called 'swril'; there are swirl, "),
                                                 (["--size", "63"], "at least 64; received 63")])
def test_command_refuses(paint, tmp_path, capsys, arguments, said):
    with pytest.raises(SystemExit) as stopped:
        paint.main([*arguments, "-o", str(tmp_path)])
    assert stopped.value.code == 2
    assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_encode_lowers_the_quality_only_for_what_does_not_fit(paint, monkeypatch):
    rgb = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    data = paint.encode(rgb)
    best = io.BytesIO()
    Image.fromarray(rgb).save(best, "JPEG", quality=90, subsampling=0, optimize=True, progressive=True)
    assert data == best.getvalue()
    monkeypatch.setattr(paint, "MOST_BYTES", len(data) - 1)
    assert len(paint.encode(rgb)) < len(data)


def test_write_keeps_the_old_file_when_it_fails(paint, tmp_path, monkeypatch):
    path = tmp_path / "swirl.jpg"
    paint.write(path, b"old")

    def fail(source, target):
        raise OSError("disk full")

    monkeypatch.setattr(paint.os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        paint.write(path, b"new")
    assert [p.name for p in tmp_path.iterdir()] == ["swirl.jpg"]
    assert path.read_bytes() == b"old"
