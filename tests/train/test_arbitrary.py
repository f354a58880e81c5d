"""The arbitrary-style network's training: its batches, its loss by hand, and what a run leaves behind."""

import dataclasses
import json

import keras
import numpy as np
import pytest

from tfstyle import images
from tfstyle.checks import InputError
from tfstyle.nets import arbitrary_weights
from tfstyle.train import arbitrary, data, loop
from tfstyle.train.arbitrary import Batches, Training, train_arbitrary
from tfstyle.train.crops import StyleCrops
from tfstyle.train.data import PictureSet, random_square, shuffled
from tfstyle.train.settings import ArbitrarySettings, TrainSettings
from tfstyle.train.styles import STYLE_LAYERS, StyleBank

TINY = ArbitrarySettings(
    crop=32, photos=2, styles=2, style_crop=32, style_sizes=(32,), widths=(4, 4, 8, 8), blocks=1, code=4, hidden=8,
    style_weight=3.0, moments_weight=0.25, identity_weight=2.0, identity_every=3, tv_weight=0.125,
)
PACE = TrainSettings(steps=2, warmup=1, average=0.5, log_every=1, checkpoint_every=1, precision="float32", workers=1)


@pytest.fixture(scope="module")
def photos(folders):
    return PictureSet(folders[0])


@pytest.fixture(scope="module")
def paintings(folders):
    return PictureSet(folders[1])


@pytest.fixture(scope="module")
def bank(paintings, tmp_path_factory):
    """The four paintings, measured by VGG at 32 px."""
    return StyleBank(paintings, tmp_path_factory.mktemp("bank"), sizes=(32,), side=32)


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(4)
    return Training(TINY)


# Batches


def test_what_a_batch_holds(photos, bank):
    """Changing this changes every run that is resumed."""
    batch = Batches(photos, bank, TINY)[7]
    assert set(batch) == {"photo", "own", "moments", *(f"gram{i}" for i in range(5))}
    rng = np.random.default_rng([0, 2, 7])
    wanted = [random_square(photos[shuffled(3, 14 + i, 0)], 32, rng) for i in range(2)]
    np.testing.assert_array_equal(batch["photo"], wanted)
    np.testing.assert_array_equal(batch["moments"], bank.targets([shuffled(4, 28 + i, 1) for i in range(4)])[0])


def test_which_steps_serve_identity(photos, bank):
    batches = Batches(photos, bank, TINY)
    for step in range(7):
        assert batches[step]["own"].tolist() == [float(step in (0, 3, 6)), 0, 0, 0]


def test_large_photographs_are_reduced(photos, bank):
    batch = Batches(photos, bank, dataclasses.replace(TINY, photo_side=32))[0]
    rng = np.random.default_rng([0, 2, 0])
    wanted = [random_square(data.reduced(photos[shuffled(3, i, 0)], 32), 32, rng) for i in range(2)]
    np.testing.assert_array_equal(batch["photo"], wanted)


def test_seeds_draw_differently(photos, bank):
    batch, other = (Batches(photos, bank, dataclasses.replace(TINY, seed=seed))[0] for seed in (0, 1))
    assert (batch["photo"] != other["photo"]).any()


# The loss


def numbers(tensor):
    return keras.ops.convert_to_numpy(tensor).astype(np.float64)


def judged(model, batch):
    """(loss, terms, what the model answered) of a batch, outside of a training step."""
    model.reset_metrics()
    answer = model(batch)
    loss = model.compute_loss(x=batch, y_pred=answer)
    return float(loss), {name: float(one.result()) for name, one in model.trackers.items()}, answer


def by_hand(model, batch, answer):
    """The terms from the pictures, in float64."""
    photo = np.repeat(batch["photo"] / 255, 2, axis=0)
    features = {name: numbers(one) for name, one in model.judge(answer["image"]).items()}
    wanted = {name: numbers(one) for name, one in model.judge(photo.astype("float32")).items()}
    own, image = batch["own"], numbers(answer["image"])
    error = ((features["relu4_2"] - wanted["relu4_2"]) ** 2).mean(axis=(1, 2, 3))
    terms = {"content": (error / (wanted["relu4_2"] ** 2).mean(axis=(1, 2, 3))).mean()}
    found, start, moments = [], 0, []
    for i, name in enumerate(STYLE_LAYERS):
        rows = features[name].reshape(4, -1, features[name].shape[-1])
        count = rows.shape[-1]
        mine = np.concatenate([rows.mean(axis=1), rows.std(axis=1)], axis=1)
        theirs = batch["moments"][:, start:start + 2 * count].astype(float)
        start += 2 * count
        squared = ((mine - theirs) ** 2).sum(axis=1) / (theirs**2).sum(axis=1)
        moments.append(np.where(squared < 1, squared, 2 * np.sqrt(squared) - 1))
        unit = batch[f"gram{i}"].astype(float)
        size = (theirs**2).sum(axis=1) / np.trace(unit, axis1=1, axis2=2)  # trace of a Gram matrix: sum of mean squares
        gram = rows.transpose(0, 2, 1) @ rows / rows.shape[1] / size[:, None, None]
        squared = ((gram - unit) ** 2).sum(axis=(1, 2))
        found.append(np.where(squared < 1, squared, 2 * np.sqrt(squared) - 1))
    painted = own == 0
    for name, one in zip(STYLE_LAYERS, found, strict=True):
        terms[f"gram{name[4:]}"] = one[painted].mean()
    terms["gram"] = np.mean([one[painted].mean() for one in found])
    terms["moments"] = np.mean([one[painted].mean() for one in moments])
    terms["identity"] = own[0] * np.abs(image[0] - photo[0]).mean()
    terms["tv"] = sum(np.abs(np.diff(image, axis=axis)).mean() for axis in (1, 2))
    return terms


@pytest.mark.parametrize("step", [0, 1])
def test_the_loss_by_hand(model, photos, bank, step):
    batch = Batches(photos, bank, TINY)[step]
    loss, terms, answer = judged(model, batch)
    wanted = by_hand(model, batch, answer)
    assert terms.keys() == wanted.keys()
    for name in wanted:
        tolerance = 0.02 if name == "tv" else 1e-3  # the corner of |d| is rounded off
        np.testing.assert_allclose(terms[name], wanted[name], rtol=tolerance, err_msg=name)
    weighted = (terms["content"] + 3 * terms["gram"] + 0.75 * terms["moments"] + 2 * terms["identity"]
                + 0.125 * terms["tv"])
    np.testing.assert_allclose(loss, weighted, rtol=1e-5)
    assert (terms["identity"] > 0) == (step == 0)


def test_who_is_painted_in_whose_style(model, photos, bank):
    batch = Batches(photos, bank, TINY)[1]
    changed = batch | {"moments": batch["moments"].copy()}
    changed["moments"][:1] *= 3
    for own, differs in ((0, True), (1, False)):
        flags = np.array([own, 0, 0, 0], np.float32)
        one, other = (numbers(model(found | {"own": flags})["image"]) for found in (batch, changed))
        assert (np.abs(one - other).max(axis=(1, 2, 3)) > 1e-4).tolist() == [differs, False, False, False]
        np.testing.assert_allclose(one[1:], other[1:], atol=1e-6)


def test_crops_measured_on_the_fly_are_what_a_bank_holds(model, photos, paintings, bank):
    views = json.loads((bank._folder / "views.json").read_text())["views"]
    picked = [shuffled(4, i, 1) for i in range(4)]
    squares = [data.centered_square(paintings[views[i][0]], 32, 32) for i in picked]
    measured = Batches(photos, bank, TINY)[0]
    fly = {"photo": measured["photo"], "own": measured["own"], "style": np.stack(squares)}
    loss, terms, answer = judged(model, measured)
    other_loss, other_terms, other = judged(model, fly)
    np.testing.assert_allclose(numbers(other["moments"]), numbers(answer["moments"]), rtol=1e-4, atol=1e-4)
    for gram, one in zip(answer["grams"], other["grams"], strict=True):
        np.testing.assert_allclose(numbers(one), numbers(gram), rtol=2**-10, atol=1e-6)  # half a float16 step
        np.testing.assert_allclose(np.linalg.norm(numbers(one), axis=(1, 2)), 1, rtol=1e-5)
    for name, wanted in terms.items():
        np.testing.assert_allclose(other_terms[name], wanted, rtol=2e-3, err_msg=name)
    np.testing.assert_allclose(other_loss, loss, rtol=1e-3)


def test_crops_come_in_batches(photos, paintings):
    batch = Batches(photos, StyleCrops(paintings, 32, 0.5), TINY)[2]
    assert set(batch) == {"photo", "own", "style"} and batch["style"].shape == (4, 32, 32, 3)


def test_only_the_two_networks_are_trained(model):
    trained = [variable.path for variable in model.trainable_variables]
    both = [*model.predictor.trainable_variables, *model.transformer.trainable_variables]
    assert trained == [variable.path for variable in both] and len(trained) > 20


# A run


@pytest.fixture(scope="module")
def finished(photos, paintings, tmp_path_factory):
    """(workdir, steps told) of a run of two steps, as train_arbitrary makes it."""
    workdir, measured = tmp_path_factory.mktemp("run"), []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(arbitrary, "PREVIEW_SIDE", 32)
        patch.setattr("tfstyle.train.journal._board", lambda folder, done: None)
        done = train_arbitrary(photos, paintings, workdir, TINY, PACE, measured=lambda *at: measured.append(at))
    assert done == 2
    return workdir, measured


def test_what_a_run_leaves(finished):
    workdir, measured = finished
    assert measured == [(0, 4), (4, 4)]
    assert sorted(path.name for path in workdir.iterdir()) == [
        "checkpoint.npz", "log.jsonl", "previews", "styles", "weights.npz"
    ]
    lines = [json.loads(line) for line in (workdir / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2]
    assert set(lines[0]) == {"step", "seconds", "learning_rate", "loss", *Training.TERMS, *Training.GRAMS}


def test_the_sheet_shows_each_photograph_under_each_painting(finished):
    sheet = images.read(finished[0] / "previews" / "step-000002.png").rgb
    assert sheet.shape == (5 * 36 - 4, 4 * 36 - 4, 3)  # four paintings and the photographs, three and the paintings
    assert (sheet[:32, :32] == 1).all()
    tiles = {(i, j): sheet[36 * i:36 * i + 32, 36 * j:36 * j + 32] for i in range(5) for j in range(4)}
    assert all(np.ptp(tile) > 0.02 for place, tile in tiles.items() if place != (0, 0))


def averages(path):
    """The moving averages in a checkpoint: after the iteration, one for each weight."""
    with np.load(path) as file:
        weights = sum(name.startswith("model/") for name in file.files)
        return [file[f"optimizer/{1 + i}"] for i in range(weights)]


def test_the_weights_are_the_averages_and_can_be_used(finished):
    predictor, painter, config = arbitrary_weights.load(finished[0] / "weights.npz")
    assert (config.widths, config.blocks, config.code, config.hidden) == ((4, 4, 8, 8), 1, 4, 8)
    found = [numbers(one) for one in (*predictor.trainable_variables, *painter.trainable_variables)]
    for one, wanted in zip(found, averages(finished[0] / "checkpoint.npz"), strict=True):
        np.testing.assert_array_equal(one, wanted.astype("float16"))
    code = numbers(predictor(np.ones((1, 1920), "float32"))).astype("float32")
    picture = painter([np.full((1, 20, 31, 3), 0.5, "float32"), code])
    assert picture.shape == (1, 20, 31, 3)


def test_a_new_run_may_start_from_either(finished, model):
    loop._compile(model, PACE)
    wanted = averages(finished[0] / "checkpoint.npz")
    for name, kind in (("checkpoint.npz", "float32"), ("weights.npz", "float16")):
        for variable in model.trainable_variables:
            variable.assign(numbers(variable) * 0)
        arbitrary._start_from(model, finished[0] / name)
        for one, value in zip(model.trainable_variables, wanted, strict=True):
            np.testing.assert_array_equal(numbers(one), value.astype(kind))


def test_weights_that_do_not_fit(finished, tmp_path):
    other = Training(dataclasses.replace(TINY, blocks=2))
    loop._compile(other, PACE)
    with pytest.raises(InputError, match=r"weights.npz is of a network of another shape; .* blocks=1, "):
        arbitrary._start_from(other, finished[0] / "weights.npz")
    with pytest.raises(InputError, match="checkpoint.npz is of another network "):
        arbitrary._start_from(other, finished[0] / "checkpoint.npz")
    (tmp_path / "a.npz").write_bytes(b"x")
    with pytest.raises(InputError, match="a.npz holds no arbitrary-style network of tfstyle, or is damaged "):
        arbitrary._start_from(other, tmp_path / "a.npz")


def test_other_paintings_are_another_run(finished, photos, tmp_path):
    with pytest.raises(InputError, match="holds figures of other paintings or sizes"):
        train_arbitrary(photos, photos, finished[0], TINY, PACE)
    with pytest.raises(InputError, match="checkpoint.npz is of a run in which paintings was '.*', not '.*'; "):
        train_arbitrary(photos, photos, finished[0], TINY, PACE, bank=tmp_path)
