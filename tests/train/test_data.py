"""Pictures from folders and tar files, the order in which they come, and their crops."""

import io
import tarfile

import numpy as np
import pytest
from PIL import Image

from tfstyle import images
from tfstyle.checks import InputError
from tfstyle.train.data import PictureSet, centered_square, random_square, reduced, shuffled


def tar(path, members):
    with tarfile.open(path, "w") as shard:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            shard.addfile(member, io.BytesIO(data))


# Reading


def test_folders_and_shards_hold_the_same_pictures(tmp_path, picture, png):
    pictures = {f"{i}.png": picture(i, 20 + i, 24) for i in range(3)}
    plain, packed = tmp_path / "plain", tmp_path / "packed"
    plain.mkdir(), packed.mkdir()
    for name, pixels in pictures.items():
        (plain / name).write_bytes(png(pixels))
    (plain / ".hidden.png").write_bytes(b"x")
    (plain / "index.csv").write_text("a,b")
    tar(packed / "a.tar", {"index.csv": b"a,b"} | {f"in/{name}": png(pixels) for name, pixels in pictures.items()})
    for source in (plain, packed, packed / "a.tar", [str(plain)]):
        found = PictureSet(source)
        assert len(found) == 3
        for i, pixels in enumerate(pictures.values()):
            assert found[i].dtype == np.uint8
            np.testing.assert_array_equal(found[i], pixels)
    assert len(PictureSet([plain, packed])) == 6


def test_what_is_read_is_what_the_engine_reads(tmp_path, picture):
    """Turned by EXIF, palettes, grey of 16 bits: as `images.read`, which goes by way of floats."""
    pixels = picture(0, 30, 20)
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.fromarray(pixels).save(tmp_path / "a.jpg", exif=turned)
    Image.fromarray(pixels).quantize(16).save(tmp_path / "b.png")
    Image.fromarray((pixels[..., 0].astype(np.uint16) * 257)).save(tmp_path / "c.png")
    found = PictureSet(tmp_path)
    assert found[0].shape == (30, 20, 3)
    for i, name in enumerate(("a.jpg", "b.png", "c.png")):
        np.testing.assert_array_equal(found[i], images.to_uint8(images.read(tmp_path / name).rgb))


def test_the_fingerprint_is_of_the_pictures_not_of_where_they_lie(tmp_path, picture, png):
    sets = {}
    for name, members in (("one", (0, 1)), ("two", (0, 1)), ("three", (0, 2))):
        (tmp_path / name).mkdir()
        for i in members:
            (tmp_path / name / f"{i}.png").write_bytes(png(picture(i, 20, 20)))
        sets[name] = PictureSet(tmp_path / name).fingerprint
    assert sets["one"] == sets["two"] != sets["three"]


@pytest.mark.parametrize("make, sentence", [
    (lambda path: None, "There is no folder or tar file {path} to take pictures from; check the path."),
    (lambda path: path.mkdir(), "{path} holds no pictures (.jpg, "),
    (lambda path: path.write_bytes(b"x"), "There is no folder or tar file {path} to take pictures from; "),
])
def test_places_without_pictures(tmp_path, make, sentence):
    path = tmp_path / "there"
    make(path)
    with pytest.raises(InputError) as error:
        PictureSet(path)
    assert str(error.value).startswith(sentence.format(path=path))


def test_a_compressed_shard_is_refused(tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w:gz"):
        pass
    with pytest.raises(InputError, match="a.tar is no uncompressed tar file .*; unpack it or make it anew.$"):
        PictureSet(tmp_path)


def test_a_damaged_picture_is_passed_over(tmp_path, picture, png):
    for i in range(3):
        (tmp_path / f"{i}.png").write_bytes(png(picture(i, 20, 20)))
    (tmp_path / "2.png").write_bytes(png(picture(2, 20, 20))[:60])
    (tmp_path / "1.png").write_bytes(png(picture(1, 20, 8)))  # too flat for any network
    found = PictureSet(tmp_path)
    with pytest.raises(InputError, match="^picture 1.png is 20x8 px"):
        found[1]
    np.testing.assert_array_equal(found.sound(0), found[0])
    assert found.damaged == {}
    np.testing.assert_array_equal(found.sound(1), found[0])
    assert set(found.damaged) == {1, 2} and "2.png" in found.damaged[2]
    (tmp_path / "0.png").unlink()
    with pytest.raises(InputError, match="^3 pictures in a row cannot be read; the last: picture 1.png is 20x8 px"):
        found.sound(2)


def test_sizes(tmp_path, picture, png):
    """In folders and shards; none of those that cannot be read."""
    (tmp_path / "a.png").write_bytes(png(picture(0, 30, 40)))
    (tmp_path / "b.png").write_bytes(png(picture(1, 29, 40)))
    tar(tmp_path / "c.tar", {"in/d.png": png(picture(2, 50, 50)), "in/e.png": png(picture(3, 60, 28))})
    (tmp_path / "f.png").write_bytes(b"no picture")
    (tmp_path / "g.png").write_bytes(png(picture(4, 9, 9)) + b"more")
    found = PictureSet(tmp_path)
    names = ["a.png", "b.png", "c.tar/in/d.png", "c.tar/in/e.png", "f.png", "g.png"]
    assert found.names == names
    assert found.sizes() == [(30, 40), (29, 40), (50, 50), (60, 28), None, (9, 9)] and found.damaged == {}
    (tmp_path / "a.png").unlink()
    assert found.sizes()[:2] == [None, (29, 40)]


def test_a_side_is_told_from_the_header(tmp_path, picture, png):
    """A picture whose pixels are cut off still has a size; a huge one is not decoded for it."""
    (tmp_path / "a.png").write_bytes(png(picture(0, 30, 40))[:200])
    Image.new("1", (12000, 9000)).save(tmp_path / "b.png")  # more pixels than Pillow opens without a warning
    assert PictureSet(tmp_path).sizes() == [(30, 40), (12000, 9000)]


# Order


def test_every_epoch_holds_each_index_once():
    epochs = [[shuffled(7, 7 * epoch + i, seed=3) for i in range(7)] for epoch in range(4)]
    assert all(sorted(epoch) == list(range(7)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) > 1
    assert epochs[2] == [shuffled(7, 14 + i, 3) for i in range(7)]  # whatever was asked before
    assert [shuffled(50, i, 3) for i in range(50)] != [shuffled(50, i, 4) for i in range(50)]


# Crops


def test_centered_square(picture):
    wide = np.zeros((20, 60, 3), np.uint8)
    wide[:, 20:40] = 200
    np.testing.assert_array_equal(centered_square(wide, 20, 20), np.full((20, 20, 3), 200))
    assert centered_square(picture(0, 90, 61), 40, 32).shape == (32, 32, 3)
    assert centered_square(picture(0, 20, 21), 32, 32).shape == (32, 32, 3)


def test_reduced(picture):
    large = picture(0, 90, 60)
    assert reduced(large, 30).shape == (30, 45, 3)
    for kept in (60, 61, None):
        assert reduced(large, kept) is large


def test_random_squares_come_from_the_picture():
    ramp = np.broadcast_to(np.arange(200, dtype=np.uint8)[None, :, None], (120, 200, 3))
    widths, lefts, mirrored = [], [], 0
    for seed in range(60):
        square = random_square(ramp, 32, np.random.default_rng(seed))
        assert square.shape == (32, 32, 3) and square.dtype == np.uint8
        row = square[7, :, 0].astype(int)
        np.testing.assert_array_equal(square, np.broadcast_to(square[7][None], square.shape))
        mirrored += row[0] > row[-1]
        row = np.sort(row)
        lefts.append(row[0])
        widths.append((row[-1] - row[0]) * 32 / 31)
    assert 31 <= min(widths) < 36 and 44 < max(widths) <= 50  # 32 px to half as much again
    assert min(lefts) < 20 and max(lefts) > 130 and 15 < mirrored < 45


def test_random_squares_of_small_pictures_are_enlarged(picture):
    assert random_square(picture(0, 20, 16), 32, np.random.default_rng(0)).shape == (32, 32, 3)
