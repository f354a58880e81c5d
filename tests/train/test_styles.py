"""Paintings measured once: what is kept, in which order, and what a killed measurement goes on from."""

import json
import shutil

import keras
import numpy as np
import pytest

from tfstyle.checks import InputError
from tfstyle.train import styles
from tfstyle.train.data import PictureSet, centered_square, shuffled
from tfstyle.train.styles import STYLE_LAYERS, StyleBank, packed_size, statistics

CHANNELS = (64, 128, 256, 512, 512)


class Measure:
    """Stands in for VGG: figures that tell which squares they are of."""

    def __init__(self):
        self.batches = []

    def predict_on_batch(self, batch):
        self.batches.append(batch)
        mean = batch.mean(axis=(1, 2, 3))
        moments = np.repeat(mean[:, None], 2 * sum(CHANNELS), axis=1).astype("float32")
        grams = [mean[:, None, None] * np.ones((c, c), "float32") + np.eye(c, dtype="float32") for c in CHANNELS]
        return [moments, *grams]


@pytest.fixture
def measure(monkeypatch):
    made = Measure()
    monkeypatch.setattr(styles, "_measurer", lambda dtype, side: made)
    monkeypatch.setattr(styles, "SHARD", 4)
    monkeypatch.setattr(styles, "BATCH", 2)
    return made


@pytest.fixture
def paintings(folders):
    return PictureSet(folders[1])  # four, with short sides of 44 px


def test_every_size_of_every_painting_is_there_once(measure, paintings, tmp_path):
    told = []
    bank = StyleBank(paintings, tmp_path, sizes=(32, 40, 48), side=32, told=lambda *done: told.append(done))
    assert len(bank) == 8  # at 48 px they would have to be enlarged
    wanted = sorted(
        float((centered_square(paintings[i], size, 32).astype("float32") / 255).mean())
        for i in range(4) for size in (32, 40)
    )
    np.testing.assert_allclose(sorted(bank.targets(range(8))[0][:, 0]), wanted, rtol=1e-6)
    assert told == [(0, 4), (2, 8), (4, 8), (6, 8), (8, 8)]
    assert all(batch.shape == (2, 32, 32, 3) for batch in measure.batches)


def test_small_paintings_are_fitted(measure, paintings, tmp_path):
    assert len(StyleBank(paintings, tmp_path, sizes=(64, 80), side=64)) == 4


def test_targets_are_unit_gram_matrices_of_the_same_painting(measure, paintings, tmp_path):
    bank = StyleBank(paintings, tmp_path, sizes=(32, 40), side=32)
    assert packed_size() == sum(c * (c + 1) // 2 for c in CHANNELS)
    moments, packed = bank.targets([5, 2])
    assert moments.shape == (2, 2944) and moments.dtype == np.float32
    assert packed.shape == (2, packed_size()) and packed.dtype == np.float16
    batch = bank.batch(1, 3, seed=7)
    assert set(batch) == {"moments", "gram0", "gram1", "gram2", "gram3", "gram4"}
    wanted = bank.targets([shuffled(8, 3 + i, 7) for i in range(3)])[0]
    np.testing.assert_array_equal(batch["moments"], wanted)
    for i, channels in enumerate(CHANNELS):
        gram = batch[f"gram{i}"]
        assert gram.shape == (3, channels, channels) and gram.dtype == np.float16
        np.testing.assert_array_equal(gram, gram.transpose(0, 2, 1))
        np.testing.assert_allclose(np.linalg.norm(gram.astype(float), axis=(1, 2)), 1, rtol=2e-3)
        mean = batch["moments"][:, :1, None]
        full = mean * np.ones((channels, channels)) + np.eye(channels)
        np.testing.assert_allclose(gram, full / np.linalg.norm(full, axis=(1, 2), keepdims=True), rtol=1e-3)


def test_packing_keeps_every_entry_in_its_place():
    rng = np.random.default_rng(0)
    grams = []
    for channels in CHANNELS:
        half = rng.normal(size=(2, channels, channels)).astype("float32")
        grams.append(half + half.transpose(0, 2, 1))
    packed = styles._packed(grams).astype("float16")
    for gram, place in zip(grams, styles._places(), strict=True):
        unit = gram / np.linalg.norm(gram, axis=(1, 2), keepdims=True)
        np.testing.assert_array_equal(np.take(packed, place, axis=1), unit.astype("float16"))


def test_a_second_run_measures_nothing_and_a_killed_one_the_rest(measure, paintings, tmp_path):
    first = StyleBank(paintings, tmp_path, sizes=(32, 40), side=32).targets(range(8))
    count = len(measure.batches)
    again = StyleBank(paintings, tmp_path, sizes=(32, 40), side=32).targets(range(8))
    assert len(measure.batches) == count == 4
    (tmp_path / "moments-0001.npy").unlink()
    third = StyleBank(paintings, tmp_path, sizes=(32, 40), side=32).targets(range(8))
    assert len(measure.batches) == count + 2
    for one, two, three in zip(first, again, third, strict=True):
        np.testing.assert_array_equal(one, two)
        np.testing.assert_array_equal(one, three)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "grams-0000.npy", "grams-0001.npy", "moments-0000.npy", "moments-0001.npy", "views.json"
    ]


def test_a_measurement_that_stops_leaves_whole_shards(measure, paintings, tmp_path):
    def told(done, of):
        if done == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        StyleBank(paintings, tmp_path, sizes=(32, 40), side=32, told=told)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["grams-0000.npy", "moments-0000.npy", "views.json"]
    assert len(StyleBank(paintings, tmp_path, sizes=(32, 40), side=32).targets(range(8))[0]) == 8


@pytest.mark.parametrize("change", [{"sizes": (32,)}, {"sizes": (40, 40), "side": 40}])
def test_figures_of_something_else_are_refused(measure, paintings, tmp_path, change):
    StyleBank(paintings, tmp_path, sizes=(32, 40), side=32)
    with pytest.raises(InputError) as error:
        StyleBank(paintings, tmp_path, **{"sizes": (32, 40), "side": 32} | change)
    assert str(error.value) == (
        f"{tmp_path} holds figures of other paintings or sizes; delete it or name another folder."
    )


def test_other_paintings_are_refused(measure, folders, paintings, tmp_path):
    StyleBank(paintings, tmp_path, sizes=(32,), side=32)
    with pytest.raises(InputError, match="holds figures of other paintings or sizes; "):
        StyleBank(PictureSet(folders[0]), tmp_path, sizes=(32,), side=32)


def test_shards_that_no_list_explains_are_left_alone(measure, paintings, tmp_path):
    StyleBank(paintings, tmp_path, sizes=(32,), side=32)
    (tmp_path / "views.json").unlink()
    before = (tmp_path / "grams-0000.npy").read_bytes()
    with pytest.raises(InputError, match="holds figures of unknown paintings; delete it or name another"):
        StyleBank(paintings, tmp_path, sizes=(40,), side=32)
    assert (tmp_path / "grams-0000.npy").read_bytes() == before


@pytest.mark.parametrize("name", ["views.json", "grams-0000.npy", "moments-0000.npy"])
@pytest.mark.parametrize("content", [b"", b"half"])
def test_damaged_figures(measure, paintings, tmp_path, name, content):
    StyleBank(paintings, tmp_path, sizes=(32,), side=32)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match="damaged; delete"):
        StyleBank(paintings, tmp_path, sizes=(32,), side=32)


def test_a_folder_that_cannot_be_made(paintings, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be made .*; name another bank"):
        StyleBank(paintings, tmp_path / "file" / "bank")


def test_a_list_without_a_side_is_of_224_px(measure, paintings, tmp_path):
    StyleBank(paintings, tmp_path, sizes=(224,), side=224)
    path = tmp_path / "views.json"
    told = json.loads(path.read_text())
    del told["side"]
    path.write_text(json.dumps(told))
    assert len(StyleBank(paintings, tmp_path, sizes=(224,), side=224)) == 4


def test_damaged_paintings_are_left_out(measure, tmp_path, picture, png):
    (tmp_path / "some").mkdir()
    for i in range(3):
        (tmp_path / "some" / f"{i}.png").write_bytes(png(picture(i, 40, 40)))
    (tmp_path / "some" / "1.png").write_bytes(b"no picture")
    paintings = PictureSet(tmp_path / "some")
    assert len(StyleBank(paintings, tmp_path / "bank", sizes=(32,), side=32)) == 2
    assert list(paintings.damaged) == [1] and "1.png" in paintings.damaged[1]
    for i in (0, 2):
        (tmp_path / "some" / f"{i}.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match="^None of the paintings can be read; give other ones.$"):
        StyleBank(PictureSet(tmp_path / "some"), tmp_path / "other", sizes=(32,), side=32)


def test_a_disk_that_is_too_small_is_told_before_the_work(measure, paintings, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: shutil._ntuple_diskusage(10**9, 10**9, 10**6))
    with pytest.raises(InputError) as error:
        StyleBank(paintings, tmp_path, sizes=(32, 40), side=32)
    assert "takes 0.0 GB in" in str(error.value) and "0.0 GB are free; name a bank on a larger disk" in str(error.value)
    assert measure.batches == []


def test_statistics_by_hand():
    rng = np.random.default_rng(0)
    features = {name: rng.normal(size=(2, 3, 2, 4)).astype("float32") for name in STYLE_LAYERS}
    moments, grams = statistics({name: keras.ops.convert_to_tensor(one) for name, one in features.items()})
    rows = [one.reshape(2, 6, 4).astype(float) for one in features.values()]
    wanted = np.concatenate([part for one in rows for part in (one.mean(axis=1), one.std(axis=1))], axis=1)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(moments), wanted, rtol=1e-5, atol=1e-6)
    for gram, one in zip(grams, rows, strict=True):
        wanted = one.transpose(0, 2, 1) @ one / 6
        np.testing.assert_allclose(keras.ops.convert_to_numpy(gram), wanted, rtol=1e-5, atol=1e-6)
