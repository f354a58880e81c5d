"""Training with Inception-v3 as predictor: whose style is the photograph's own, statistics, resume."""

import dataclasses

import keras
import numpy as np
import pytest

from tfstyle.nets import arbitrary_weights
from tfstyle.train import arbitrary
from tfstyle.train.arbitrary import Batches, Training, train_arbitrary
from tfstyle.train.crops import StyleCrops
from tfstyle.train.data import PictureSet, centered_square
from tfstyle.train.settings import ArbitrarySettings, TrainSettings

SIDE = 75
TINY = ArbitrarySettings(
    crop=32, photos=1, styles=2, style_crop=SIDE, widths=(4, 4, 8, 8), blocks=1, code=4, identity_every=3,
    predictor="inception_v3",
)
PACE = TrainSettings(steps=3, warmup=1, average=0.5, log_every=1, checkpoint_every=1, precision="float32", workers=1)


@pytest.fixture(scope="module")
def sets(folders):
    return [PictureSet(folder) for folder in folders]


def test_the_photograph_is_its_own_style(sets):
    crops = StyleCrops(sets[1], SIDE)
    batches = Batches(sets[0], crops, TINY)
    for step in (2, 3):
        batch, plain = batches[step], crops.batch(step, 2, TINY.seed + 1)["style"]
        wanted = centered_square(batch["photo"][0], SIDE, SIDE) if batch["own"][0] else plain[0]
        assert batch["own"].tolist() == [step == 3, 0] and batch["style"].dtype == np.uint8
        np.testing.assert_array_equal(batch["style"][0], wanted)
        np.testing.assert_array_equal(batch["style"][1:], plain[1:])


def test_every_picture_is_painted_under_its_own_code(sets):
    """And what a checkpoint keeps beside the weights are the statistics, mean and variance of each normalization."""
    model = Training(TINY)
    batch = Batches(sets[0], StyleCrops(sets[1], SIDE), TINY)[1]
    answer = model(batch)
    codes = keras.ops.convert_to_numpy(model.codes(batch["style"].astype("float32") / 255))
    photo = np.repeat(batch["photo"].astype("float32") / 255, 2, axis=0)
    wanted = model.transformer([photo, codes])
    np.testing.assert_allclose(*map(keras.ops.convert_to_numpy, (answer["image"], wanted)), atol=1e-5)
    norms = sum(variable.path.endswith("moving_mean") for variable in model.predictor.variables)
    assert len(model.beside) == 2 * norms > 100
    assert not {id(v) for v in model.beside} & {id(v) for v in model.trainable_variables}


@pytest.fixture
def run(sets, tmp_path, monkeypatch):
    """A function (workdir, settings, stop after) -> {name: array} of the checkpoint."""
    monkeypatch.setattr(arbitrary, "PREVIEW_SIDE", 32)
    monkeypatch.setattr("tfstyle.train.journal._board", lambda folder, done: None)

    def train(name, settings=TINY, stop=None, pace=PACE):
        train_arbitrary(*sets, tmp_path / name, settings, pace, callback=lambda step, _: step == stop)
        assert not (tmp_path / name / "styles").exists()
        with np.load(tmp_path / name / "checkpoint.npz") as file:
            return dict(file)

    return train


@pytest.mark.slow
def test_three_steps_are_two_and_one_more(run, tmp_path):
    whole, stopped = run("whole"), run("run", stop=2)
    assert int(stopped["step"]) == 2
    resumed = run("run")
    assert resumed.keys() == whole.keys()
    for name in set(whole) - {"head"}:
        np.testing.assert_allclose(resumed[name], whole[name], rtol=1e-5, atol=1e-6, err_msg=name)
    assert any((stopped[name] != whole[name]).any() for name in whole if name.startswith("beside/"))
    predictor, _, config = arbitrary_weights.load(tmp_path / "run" / "weights.npz")
    assert config.predictor == "inception_v3"
    for i, variable in enumerate(predictor.non_trainable_variables):
        kept = whole[f"beside/{i}"].astype("float16")
        np.testing.assert_allclose(keras.ops.convert_to_numpy(variable), kept, rtol=1e-3, atol=1e-5)


@pytest.mark.slow
def test_imagenet_s_statistics_stay(run, monkeypatch):
    application = keras.applications.InceptionV3
    made = []

    def fetched(include_top, weights):
        network = application(include_top=include_top, weights=None)
        if weights == "imagenet":
            made.append(network)
            for variable in network.non_trainable_variables:
                if variable.path.endswith("/moving_variance"):
                    variable.assign(np.full(variable.shape, 0.25, np.float32))
        return network

    monkeypatch.setattr(keras.applications, "InceptionV3", fetched)
    settings = dataclasses.replace(TINY, imagenet=True)
    done = run("run", settings, stop=2)  # the first step of a warm-up moves nothing
    again = run("run", settings, pace=dataclasses.replace(PACE, steps=2))
    assert len(made) == 1  # a resumed run has its weights in the checkpoint
    beside = {name for name in done if name.startswith("beside/")}
    assert {float(done[name].ravel()[0]) for name in beside} == {0.0, 0.25}  # offset, mean and variance
    assert all((done[name] == done[name].ravel()[0]).all() for name in beside) and done.keys() == again.keys()
    kernel = keras.ops.convert_to_numpy(next(v for v in made[0].variables if v.path.endswith("/kernel")))
    assert 0 < np.abs(done["model/0"] - kernel).max() < 0.01
