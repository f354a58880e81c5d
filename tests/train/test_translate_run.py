"""Runs of the training of a translation: what they leave, how they go on, where they start, what they refuse."""

import dataclasses
import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from tfstyle import images
from tfstyle.nets import network_files
from tfstyle.nets.dsmap import DSMAPConfig, part, translation
from tfstyle.train import data
from tfstyle.train.data import PictureSet
from tfstyle.train.translate import (
    Domains,
    DSMAPPace,
    DSMAPSettings,
    Training,
    train_translate,
)

# Keras reads TensorFlow's variables in a way that NumPy 2 wants changed.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

# No VGG, which is of no matter here.
TINY = DSMAPSettings(
    crop=64, short_side=72, width=2, style=3, hidden=4, blocks=1, contextual_weight=0.0, pictures=1
)
PACE = DSMAPPace(
    steps=4, learning_rate=1e-3, average=0.5, log_every=1, checkpoint_every=2, preview_every=10**6,
    precision="float32", workers=1,
)


@pytest.fixture(scope="module")
def domains(domain):
    """Two `PictureSet`s, of 4 and 2 pictures."""
    return [domain(0, 4), domain(20, 2)]


@pytest.fixture(scope="module")
def run(domains, tmp_path_factory):
    """A function (workdir or None for a new one, ...) -> workdir of a run.

    It runs step by step unless `compiled`: the graph takes longer to build than some steps to run.
    """

    def train(workdir=None, pace=PACE, compiled=False, **options):
        workdir = workdir or tmp_path_factory.mktemp("run")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("tfstyle.train.journal._board", lambda folder, done: None)
            tf.config.run_functions_eagerly(not compiled)
            try:
                train_translate(*domains, workdir, TINY, pace, **options)
            finally:
                tf.config.run_functions_eagerly(False)
        return workdir

    return train


@pytest.fixture(scope="module")
def finished(run):
    return run()


def numbers(tensor):
    return ops.convert_to_numpy(tensor)


def arrays(workdir):
    with np.load(workdir / "checkpoint.npz") as file:
        return {name: file[name] for name in file.files if name != "head"}


def test_what_a_run_leaves(finished):
    assert {path.name for path in finished.iterdir()} == {"checkpoint.npz", "log.jsonl", "previews", "weights.npz"}
    lines = [json.loads(line) for line in (finished / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 3, 4]
    for line in lines:
        assert set(line) == {"step", "seconds", "learning_rate", "loss", "discriminator", *Training.TERMS}
        assert line["learning_rate"] == pytest.approx(1e-3)
        wanted = 10 * (line["image"] + line["style"]) + 2 * (line["content"] + line["mapped"])
        assert line["loss"] == pytest.approx(wanted + 5 * line["cycle"] + line["adversarial"], rel=1e-3)


def test_the_weights_are_the_averages_and_translate(finished):
    network, config = network_files.load(finished / "weights.npz", "translate")
    assert config == DSMAPConfig(2, 3, 4, 3, 1)
    kept = arrays(finished)
    places = {network_files.key_of(v): i for i, v in enumerate(Training(TINY, PACE).trainable_variables, start=1)}
    assert len(places) == len(network.trainable_variables)
    for variable in network.trainable_variables:
        average = kept[f"optimizer/{places[network_files.key_of(variable)]}"]
        np.testing.assert_array_equal(numbers(variable), average.astype("float16"))
    painted = translation(network, "a", "b")([np.full((1, 20, 31, 3), 0.5, "float32"), np.ones((1, 3), "float32")])
    assert painted.shape == (1, 20, 31, 3)


def test_the_checkpoint_holds_both_sides(finished):
    kept = arrays(finished)
    model = Training(TINY, PACE)
    count = len(model.judge_variables)
    assert sum(name.startswith("beside/") for name in kept) == 3 * count + 1  # Adam's step and two moments
    assert int(kept["step"]) == int(kept["optimizer/0"]) == int(kept[f"beside/{count}"]) == 4


@pytest.mark.parametrize("compiled", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_killed_run_goes_on_bit_for_bit(run, finished, tmp_path, compiled):
    """Weights, discriminators, both optimizers and the log, as if it had never been killed between checkpoints."""

    class Killed(BaseException):
        pass

    def kill(step, _):
        if step == 3:
            raise Killed

    if compiled:
        finished = run(compiled=True)
    with pytest.raises(Killed):
        run(tmp_path, callback=kill, compiled=compiled)
    stopped = arrays(tmp_path)
    assert int(stopped["step"]) == 2
    run(tmp_path, compiled=compiled)
    resumed, whole = arrays(tmp_path), arrays(finished)
    assert resumed.keys() == whole.keys()
    for name, value in whole.items():
        np.testing.assert_array_equal(resumed[name], value, err_msg=name)
    for kind in ("model", "optimizer", "beside"):
        assert any((stopped[name] != whole[name]).any() for name in whole if name.startswith(f"{kind}/"))
    logs = [(path / "log.jsonl").read_text().splitlines() for path in (tmp_path, finished)]
    for one, other in zip(*logs, strict=True):
        assert json.loads(one) | {"seconds": 0} == json.loads(other) | {"seconds": 0}


def test_the_sheet(finished, domains):
    """Columns: two pictures of each domain; rows: these, decoded, after an example, in two random styles."""
    sheet = images.read(finished / "previews" / "step-000004.png").rgb
    assert sheet.shape == (5 * 68 - 4, 4 * 68 - 4, 3)
    tiles = np.array([[sheet[68 * i:68 * i + 64, 68 * j:68 * j + 64] for j in range(4)] for i in range(5)])
    names = [[images.to_uint8(tile).tobytes() for tile in row] for row in tiles]
    for i, pictures in enumerate(domains):
        cut = {data.centered_square(pictures[j], 72, 64).tobytes() for j in range(len(pictures))}
        assert set(names[0][2 * i:2 * i + 2]) <= cut and len(set(names[0][2 * i:2 * i + 2])) == 2

    model = Training(TINY, PACE)
    network, kept = model.network, arrays(finished)
    for i, variable in enumerate(model.trainable_variables):
        variable.assign(kept[f"optimizer/{1 + i}"])
    codes = np.random.default_rng([0, 4])
    for count in (4, 2):
        codes.choice(count, 2, replace=False)
    codes = codes.standard_normal((2, 1, 3), dtype=np.float32)
    shown = {"a": ops.convert_to_tensor(tiles[0, :2]), "b": ops.convert_to_tensor(tiles[0, 2:])}
    for columns, here, there in ((slice(2), "a", "b"), (slice(2, 4), "b", "a")):
        own, given = part(network, here, "style")(shown[here]), part(network, there, "style")(shown[there])
        wanted = [translation(network, here, here)([shown[here], own])]
        across = translation(network, here, there)
        wanted += [across([shown[here], ops.convert_to_tensor(code)]) for code in (
            given, *(np.repeat(one, 2, axis=0) for one in codes)
        )]
        np.testing.assert_allclose(tiles[1:, columns], [numbers(one) for one in wanted], atol=0.004)


@pytest.mark.slow
def test_compiled_steps_are_the_same(run, finished):
    """But for rounding, and weights whose gradient is nothing else: Adam moves them by the rate, either way."""
    compiled = run(compiled=True)
    whole, other = arrays(finished), arrays(compiled)
    assert whole.keys() == other.keys()
    for name, value in whole.items():
        if name.startswith("model/"):
            assert np.abs(other[name] - value).max() <= 2 * 4 * 1e-3, name
        elif name.startswith("beside/"):
            np.testing.assert_allclose(other[name], value, rtol=1e-3, atol=1e-4, err_msg=name)
    lines = [json.loads((path / "log.jsonl").read_text().splitlines()[-1]) for path in (finished, compiled)]
    for name in lines[0].keys() - {"seconds"}:
        assert lines[0][name] == pytest.approx(lines[1][name], rel=0.01, abs=1e-4)


# Where a run starts, and what it refuses


def test_a_new_run_may_start_from_weights(run, finished):
    """Under a rate of almost 0 they are what is left."""
    still = dataclasses.replace(PACE, steps=1, learning_rate=1e-8)
    found = run(pace=still, init=finished / "weights.npz")
    before, _ = network_files.load(finished / "weights.npz", "translate")
    after, _ = network_files.load(found / "weights.npz", "translate")
    for one, other in zip(before.variables, after.variables, strict=True):
        np.testing.assert_allclose(numbers(one), numbers(other), atol=2e-8)


def test_a_new_run_may_start_from_a_checkpoint(run, finished):
    """Generators by their averages, discriminators as they were; both optimizers begin anew."""
    still = dataclasses.replace(PACE, steps=1, learning_rate=1e-8)
    found, before = arrays(run(pace=still, init=finished / "checkpoint.npz")), arrays(finished)
    for i in range(sum(name.startswith("model/") for name in before)):
        np.testing.assert_allclose(found[f"model/{i}"], before[f"optimizer/{1 + i}"], atol=2e-8)
    count = len(Training(TINY, PACE).judge_variables)
    for i in range(count):
        np.testing.assert_allclose(found[f"beside/{i}"], before[f"beside/{i}"], atol=2e-8)
    assert int(found["optimizer/0"]) == 1
    assert int(found[f"beside/{count}"]) == 1


def test_files_that_do_not_fit(domains, finished, tmp_path, refusal, network_file):
    other = dataclasses.replace(TINY, blocks=2)

    def start(init, settings=other):
        train_translate(*domains, tmp_path / "run", settings, PACE, init=init)

    said = refusal(start, finished / "weights.npz")
    assert "weights.npz is of a network of another shape; " in said and "blocks=1" in said
    assert "checkpoint.npz is of another network " in refusal(start, finished / "checkpoint.npz")
    assert refusal(start, network_file, TINY) == (
        f"{network_file} holds a network for any style, not a network that translates: give another file."
    )


def test_other_pictures_are_another_run(domains, finished, refusal):
    a, b = domains
    said = refusal(train_translate, b, a, finished, TINY, PACE)
    assert "checkpoint.npz is of a run in which domain a was '" in said
    said = refusal(train_translate, a, b, finished, dataclasses.replace(TINY, cycle_weight=1.0), PACE)
    assert "checkpoint.npz is of a run in which cycle_weight was 5.0, not 1.0; " in said


@pytest.mark.parametrize(("given", "words"), [
    ({"loss_layer": "relu4_9"}, "vgg19 has no layer 'relu4_9'; did you mean "),
    ({"loss_network": "vgg16"}, "No vgg16 weights are shipped: "),
])
def test_a_judge_that_cannot_be_built(domains, tmp_path, refusal, given, words):
    settings = dataclasses.replace(TINY, contextual_weight=1.0, **given)
    assert refusal(train_translate, *domains, tmp_path, settings, PACE).startswith(words)


def test_domains_are_checked_first(domains, tmp_path, picture, png, refusal):
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "a.png").write_bytes(png(picture(1, 90, 90)))
    one = PictureSet(tmp_path / "one")
    said = refusal(train_translate, domains[0], one, tmp_path / "run", TINY, PACE)
    assert said.startswith("Domain b holds a single picture that ")
    large = dataclasses.replace(TINY, crop=96, short_side=96)
    assert refusal(train_translate, *domains, tmp_path / "run", large, PACE).startswith(
        "4 of domain a's 4 pictures are smaller than the crop of 96 px, such as 0.png (80x70); "
    )
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_one_picture_of_each_is_learned_by_heart(domains):
    """To less than 0.05 of mean absolute error, in [-1, 1], where that is what counts."""
    settings = dataclasses.replace(TINY, width=8, style=8, hidden=32, image_weight=100.0)
    keras.utils.set_random_seed(0)
    model, batch = Training(settings, PACE), Domains(*domains, settings)[0]
    model.compile(optimizer=model.adam(dataclasses.replace(PACE, learning_rate=2e-3)), jit_compile=False)
    for _ in range(1500):
        model.reset_metrics()
        image = float(model.train_on_batch(batch, return_dict=True)["image"]) / 2
        if image < 0.05:
            break
    assert image < 0.05
