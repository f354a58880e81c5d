"""Training of enlargement: pairs of pictures, the loss by hand, where a run starts, what it leaves, resume."""

import dataclasses
import json

import keras
import numpy as np
import pytest
from PIL import Image

from tfstyle import images
from tfstyle.images.reduction import low_resolution
from tfstyle.nets import network_files
from tfstyle.nets.superres import SuperResConfig
from tfstyle.train import loop, superres
from tfstyle.train.data import PictureSet, random_square, shuffled
from tfstyle.train.perceptual_settings import SuperResPace, SuperResSettings
from tfstyle.train.superres import Pairs, Training, train_superres

# Keras reads TensorFlow's variables in a way that NumPy 2 wants changed.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

TINY = SuperResSettings(
    crop=32, photos=2, feature_layers=("relu1_2", "relu2_2"), feature_weight=2.0, pixel_weight=3.0, tv_weight=0.125,
    width=4, blocks=1,
)
EIGHT = dataclasses.replace(TINY, factor=8, crop=48, normalization="none", residual=True)
PACE = SuperResPace(steps=3, warmup=1, average=0.5, log_every=1, checkpoint_every=1, precision="float32", workers=1)


@pytest.fixture(scope="module")
def photos(folders):
    return PictureSet(folders[0])


@pytest.fixture(scope="module")
def run(photos, tmp_path_factory):
    """A function (settings, workdir or None for a new one, stop after, ...) -> workdir of a run."""

    def train(settings=TINY, workdir=None, stop=None, pace=PACE, **options):
        workdir = workdir or tmp_path_factory.mktemp("run")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(superres, "PREVIEW_SIDE", 40)
            patch.setattr("tfstyle.train.journal._board", lambda folder, done: None)
            done = train_superres(photos, workdir, settings, pace, callback=lambda step, _: step == stop, **options)
        assert done == (stop or pace.steps)
        return workdir

    return train


@pytest.fixture(scope="module")
def finished(run):
    return run()


def numbers(tensor):
    return keras.ops.convert_to_numpy(tensor).astype(np.float64)


def arrays(workdir):
    with np.load(workdir / "checkpoint.npz") as file:
        return {name: file[name] for name in file.files if name != "head"}


# Batches


@pytest.mark.parametrize("settings", [TINY, EIGHT, dataclasses.replace(TINY, blur=0.0)])
def test_what_a_batch_holds(photos, settings):
    """Crops at the pictures' own scale, which would be sharper than any camera if they were reduced first."""
    batch = Pairs(photos, settings)[5]
    rng = np.random.default_rng([0, 2, 5])
    large = [random_square(photos[shuffled(3, 10 + i, 0)], settings.crop, rng, zoom=1.0) for i in range(2)]
    small = [low_resolution(one, settings.factor, settings.blur)[0] for one in large]
    assert set(batch) == {"photo", "small"}
    np.testing.assert_array_equal(batch["photo"], large)
    np.testing.assert_array_equal(batch["small"], small)
    side = settings.crop // settings.factor
    assert batch["small"].shape == (2, side, side, 3) and batch["small"].dtype == np.uint8


# The loss


@pytest.mark.parametrize("settings", [TINY, EIGHT])
def test_the_loss_by_hand(photos, settings):
    keras.utils.set_random_seed(3)
    model, batch = Training(settings), Pairs(photos, settings)[1]
    image = model(batch)
    loss = float(model.compute_loss(x=batch, y_pred=image))
    found = {name: float(one.result()) for name, one in model.trackers.items()}
    photo = (batch["photo"] / 255).astype("float32")
    errors = []
    for layer in settings.feature_layers:
        features, wanted = (
            np.concatenate([numbers(model.judge(part)[layer]) for part in (some[:1, :-1, :-1], some[1:, :-1, 1:])])
            for some in (image, photo)
        )
        errors.append(((features - wanted) ** 2).mean(axis=(1, 2, 3)) / (wanted**2).mean(axis=(1, 2, 3)))
    large = numbers(image)
    np.testing.assert_allclose(found["features"], np.mean(errors), rtol=1e-3)
    np.testing.assert_allclose(found["pixels"], ((large - photo) ** 2).mean(), rtol=1e-4)
    tv = sum(np.abs(np.diff(large, axis=axis)).mean() for axis in (1, 2))
    np.testing.assert_allclose(found["tv"], tv, rtol=0.02, atol=0.002)  # the corner of |d| is rounded off
    weighted = 2 * found["features"] + 3 * found["pixels"] + 0.125 * found["tv"]
    np.testing.assert_allclose(loss, weighted, rtol=1e-5)


def test_pixels_alone_ask_nothing_of_the_features(photos, monkeypatch):
    settings = dataclasses.replace(TINY, feature_weight=0.0, tv_weight=0.0, pixel_weight=1.0)
    model, batch = Training(settings), Pairs(photos, settings)[0]
    monkeypatch.setattr(model, "judge", None)
    image = model(batch)
    loss = float(model.compute_loss(x=batch, y_pred=image))
    np.testing.assert_allclose(loss, ((numbers(image) - batch["photo"] / 255) ** 2).mean(), rtol=1e-4)
    assert float(model.trackers["features"].result()) == 0


@pytest.mark.parametrize("settings", [
    TINY, dataclasses.replace(TINY, feature_weight=0.0), dataclasses.replace(TINY, normalization="none"),
], ids=["both", "pixels", "plain"])
def test_steps_lower_the_loss(photos, settings):
    keras.utils.set_random_seed(0)
    model = Training(settings)
    loop._compile(model, dataclasses.replace(PACE, steps=100, warmup=0, learning_rate=0.02))
    batch = Pairs(photos, settings)[0]
    losses = []
    for _ in range(20):
        model.reset_metrics()
        losses.append(float(model.train_on_batch(batch, return_dict=True)["loss"]))
    assert losses[-1] < 0.9 * losses[0]


# A run


def test_what_a_run_leaves(finished):
    assert sorted(path.name for path in finished.iterdir()) == [
        "checkpoint.npz", "log.jsonl", "previews", "weights.npz"
    ]
    lines = [json.loads(line) for line in (finished / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 3]
    assert set(lines[0]) == {"step", "seconds", "learning_rate", "loss", *Training.TERMS}


def test_the_sheet_shows_bicubic_ours_and_the_original(finished):
    """One above the other, for each photograph."""
    sheet = images.read(finished / "previews" / "step-000003.png").rgb
    assert sheet.shape == (3 * 44 - 4, 3 * 44 - 4, 3)
    plain, ours, sharp = (sheet[44 * i:44 * i + 40, :40] for i in range(3))
    small, _ = low_resolution(images.to_uint8(sharp), 4)
    wanted = Image.fromarray(small).resize((40, 40), Image.Resampling.BICUBIC)
    np.testing.assert_array_equal(images.to_uint8(plain), np.asarray(wanted))
    assert np.abs(plain - sharp).mean() > 0.002 and np.abs(ours - sharp).mean() > 0.002


@pytest.mark.parametrize("settings", [TINY, EIGHT], ids=["4", "8"])
def test_three_steps_are_two_and_one_more(run, finished, settings):
    whole = arrays(finished if settings is TINY else run(settings))
    workdir = run(settings, stop=2)
    stopped = arrays(workdir)
    assert int(stopped["step"]) == 2
    resumed = arrays(run(settings, workdir))
    assert resumed.keys() == whole.keys()
    for name, value in whole.items():
        np.testing.assert_allclose(resumed[name], value, rtol=1e-5, atol=1e-6, err_msg=name)
    assert any((stopped[name] != whole[name]).any() for name in whole if name.startswith("model/"))


def test_the_weights_are_the_averages_and_the_statistics(finished):
    network, config = network_files.load(finished / "weights.npz", "superres")
    assert config == SuperResConfig(4, 4, 1, "batch", False)
    kept = arrays(finished)
    for i, variable in enumerate(network.trainable_variables):
        np.testing.assert_array_equal(numbers(variable), kept[f"optimizer/{1 + i}"].astype("float16"))
    for i, variable in enumerate(network.non_trainable_variables):
        np.testing.assert_array_equal(numbers(variable), kept[f"beside/{i}"].astype("float16"))
    moved = [np.ptp(kept[name]) > 0 for name in kept if name.startswith("beside/")]
    assert len(moved) == len(network.non_trainable_variables) > 0 and all(moved)
    assert network(np.full((1, 7, 9, 3), 0.5, "float32")).shape == (1, 28, 36, 3)


@pytest.mark.parametrize("name", ["weights.npz", "checkpoint.npz"])
def test_a_new_run_may_start_from_either(run, finished, name):
    """One step of a warm-up moves nothing, so that the averages are what it started from."""
    pace = dataclasses.replace(PACE, steps=1)
    found, wanted = arrays(run(pace=pace, init=finished / name)), arrays(finished)
    for key, value in found.items():
        if key.startswith("model/"):
            start = wanted[f"optimizer/{1 + int(key[6:])}"]
            if name == "weights.npz":
                start = start.astype("float16").astype("float32")
            np.testing.assert_array_equal(value, start, err_msg=key)


def test_random_is_what_a_seed_makes(run):
    pace = dataclasses.replace(PACE, steps=1)
    one, other, third = (
        arrays(run(dataclasses.replace(TINY, seed=seed), pace=pace, init=init))
        for seed, init in ((1, None), (1, "random"), (2, None))
    )
    np.testing.assert_array_equal(one["model/0"], other["model/0"])
    assert (one["model/0"] != third["model/0"]).any()


def test_what_does_not_fit(photos, finished, tmp_path, refusal):
    other = dataclasses.replace(TINY, width=5)
    said = refusal(train_superres, photos, tmp_path, other, PACE, init=finished / "weights.npz")
    assert "weights.npz is of a network of another shape; " in said and "width=4" in said
    assert "in which width was 4, not 5" in refusal(train_superres, photos, finished, other, PACE)
    lost = dataclasses.replace(TINY, feature_layers="relu1_9")
    assert refusal(train_superres, photos, tmp_path, lost, PACE).startswith("vgg19 has no layer 'relu1_9'; ")
