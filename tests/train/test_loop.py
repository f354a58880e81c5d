"""The loop: what is computed, logged, kept and shown at which step, and how a killed run goes on.

The network has two numbers, so that this file also runs quickly on other backends than TensorFlow.
"""

import dataclasses
import json
import math
import shutil

import keras
import numpy as np
import pytest

from tfstyle.checks import InputError
from tfstyle.train import loop
from tfstyle.train.checkpoint import read_head
from tfstyle.train.loop import NonFiniteLoss, TrainSettings, averaged, start_from, train

PACE = TrainSettings(
    steps=10, learning_rate=0.1, warmup=2, average=0.5, log_every=3, preview_every=4, checkpoint_every=5, workers=1
)


@pytest.fixture(autouse=True)
def no_board(monkeypatch):
    monkeypatch.setattr("tfstyle.train.journal._board", lambda folder, done: None)


def pace(**changed):
    return dataclasses.replace(PACE, **changed)


def state(model):
    """All numbers of a compiled model: weights, moments, moving averages, iterations."""
    variables = (*model.trainable_variables, *model.optimizer.variables)
    return [keras.ops.convert_to_numpy(variable).copy() for variable in variables]


def assert_same(found, wanted):
    assert len(found) == len(wanted) > 5
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(one, other)


def logged(workdir):
    """The log without what depends on the clock."""
    lines = [json.loads(line) for line in (workdir / "log.jsonl").read_text().splitlines()]
    assert all(line.pop("seconds") >= 0 for line in lines)
    return lines


class Stopped(Exception):
    """What stands in for a kill: nothing is written after it."""


def killer(step):
    def callback(done, values):
        if done == step:
            raise Stopped

    return callback


@pytest.fixture
def whole(line_model, line_batches, tmp_path):
    """(state, log) of a run of ten steps in one go."""
    model = line_model()
    assert train(model, line_batches, PACE, tmp_path / "whole") == 10
    return state(model), logged(tmp_path / "whole")


def test_a_run_learns_logs_and_asks_for_each_batch_once(line_model, line_batches, tmp_path):
    model, lines, steps = line_model(), [], []
    many = pace(steps=120, learning_rate=0.2, average=0.9, log_every=50)
    train(model, line_batches, many, tmp_path, told=lines.append, callback=lambda step, values: steps.append(step))
    assert steps == list(range(1, 121)) and line_batches.asked == list(range(120))
    kernel, bias = state(model)[:2]
    np.testing.assert_allclose([kernel.item(), bias.item()], [2, 1], atol=0.02)
    assert [line["step"] for line in lines] == [50, 100, 120]
    assert list(lines[0])[:3] == ["step", "seconds", "learning_rate"]
    assert set(lines[0]) == {"step", "seconds", "learning_rate", "loss", "near", "small"}
    assert lines[0]["near"] > 10 * lines[2]["near"]
    for line in lines:
        del line["seconds"]
    assert logged(tmp_path) == lines


def test_a_line_is_the_mean_of_its_steps(line_model, line_batches, tmp_path):
    seen = []
    train(line_model(), line_batches, PACE, tmp_path, callback=lambda step, values: seen.append(values))
    lines = logged(tmp_path)
    assert [line["step"] for line in lines] == [3, 6, 9, 10]
    for line, steps in zip(lines, ((0, 1, 2), (3, 4, 5), (6, 7, 8), (9,)), strict=True):
        for name in ("loss", "near", "small"):
            assert line[name] == round(sum(seen[i][name] for i in steps) / len(steps), 5)


def test_the_learning_rate_warms_up_and_falls_to_nothing(line_model, line_batches, tmp_path):
    train(line_model(), line_batches, pace(warmup=4, log_every=1), tmp_path)
    rates = [line["learning_rate"] for line in logged(tmp_path)]  # of the step to come
    fall = [0.05 * (1 + math.cos(math.pi * step / 6)) for step in range(7)]
    np.testing.assert_allclose(rates, [0.025, 0.05, 0.075, *fall], atol=1e-7)


@pytest.mark.parametrize("warmup", [0, 10, 25])
def test_odd_warmups(line_model, line_batches, tmp_path, warmup):
    seen = []
    model = line_model()
    train(model, line_batches, pace(warmup=warmup), tmp_path, callback=lambda step, values: seen.append(values["loss"]))
    assert np.isfinite(seen).all() and state(model)[0].item() != 1


@pytest.mark.parametrize("killed", [1, 4, 5, 7, 9])
def test_a_killed_run_goes_on_as_if_it_had_not_been(line_model, line_batches, tmp_path, whole, killed):
    with pytest.raises(Stopped):
        train(line_model(), line_batches, PACE, tmp_path / "run", callback=killer(killed))
    line_batches.asked.clear()
    model = line_model()
    assert train(model, line_batches, PACE, tmp_path / "run") == 10
    assert line_batches.asked[0] == (0 if killed <= 5 else 5)  # a step is told before it is kept
    assert_same(state(model), whole[0])
    assert logged(tmp_path / "run") == whole[1]  # also the line that the kill had cut in two


def test_a_stopped_run_keeps_its_last_step(line_model, line_batches, tmp_path, whole):
    assert train(line_model(), line_batches, PACE, tmp_path / "run", callback=lambda step, _: step == 7) == 7
    line_batches.asked.clear()
    model = line_model()
    assert train(model, line_batches, PACE, tmp_path / "run") == 10
    assert line_batches.asked == [7, 8, 9]
    assert_same(state(model), whole[0])
    assert logged(tmp_path / "run") == whole[1]


def test_a_finished_run_has_nothing_to_do(line_model, line_batches, tmp_path, whole):
    model, kept = line_model(), (tmp_path / "whole" / "checkpoint.npz").read_bytes()
    line_batches.asked.clear()
    assert train(model, line_batches, PACE, tmp_path / "whole") == 10
    assert line_batches.asked == [] and (tmp_path / "whole" / "checkpoint.npz").read_bytes() == kept
    assert_same(state(model), whole[0])
    assert train(model, line_batches, pace(steps=12), tmp_path / "whole") == 12  # and can be made longer
    assert line_batches.asked == [10, 11]


def test_threads_change_nothing(line_model, line_batches, tmp_path, whole):
    model = line_model()
    line_batches.asked.clear()
    train(model, line_batches, pace(workers=4), tmp_path / "run")
    assert sorted(line_batches.asked) == list(range(10))
    assert_same(state(model), whole[0])


def test_a_batch_that_cannot_be_made_ends_the_run(line_model, tmp_path):
    class Broken:
        def __getitem__(self, step):
            if step == 6:
                raise InputError("No more pictures.")
            return {"x": np.ones((4, 1), np.float32), "y": np.ones((4, 1), np.float32)}

    with pytest.raises(InputError, match="^No more pictures.$"):
        train(line_model(), Broken(), PACE, tmp_path)
    with np.load(tmp_path / "checkpoint.npz") as file:
        assert int(file["step"]) == 5


# The moving average, previews and export


def test_what_is_shown_and_exported_is_the_average(line_model, line_batches, tmp_path):
    model, weights, calls = line_model(), [], []

    def keep(step, values):
        weights.append(state(model)[0].item())

    def seen(name):
        def see(model, *step):
            calls.append((name, len(weights), *step, keras.ops.convert_to_numpy(model.dense.kernel).item()))
            return np.zeros((16, 16, 3), np.float32) if name == "preview" else None

        return see

    train(model, line_batches, PACE, tmp_path, callback=keep, preview=seen("preview"), export=seen("export"))
    average, averages = weights[0], [weights[0]]
    for weight in weights[1:]:
        average = 0.5 * average + 0.5 * weight
        averages.append(average)
    wanted = [("preview", 4, 4), ("export", 5), ("preview", 8, 8), ("preview", 10, 10), ("export", 10)]
    assert [call[:-1] for call in calls] == wanted
    for call in calls:
        np.testing.assert_allclose(call[-1], averages[call[1] - 1], rtol=1e-5)
    assert weights[4] != weights[3]  # the weights themselves were put back and went on
    files = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.*"))
    sheets = [f"previews/step-0000{step}.png" for step in ("04", "08", "10")]
    assert files == ["checkpoint.npz", "log.jsonl", *sheets]


def test_averaged_puts_the_weights_back(line_model, line_batches, tmp_path):
    model = line_model()
    train(model, line_batches, PACE, tmp_path)
    before = state(model)
    with pytest.raises(Stopped), averaged(model):
        assert state(model)[0].item() != before[0].item()
        raise Stopped
    assert_same(state(model), before)


# Beginning, and going on with what does not fit


def test_a_new_run_starts_from_what_start_assigns(line_model, line_batches, tmp_path, whole):
    def start(model):
        start_from(model, tmp_path / "whole" / "checkpoint.npz")

    first = []
    model = line_model()
    train(model, line_batches, PACE, tmp_path / "run", start=start,
          callback=lambda step, values: first.append(values["near"]))
    other = line_model()
    loop._prepared(other, PACE, tmp_path / "whole" / "checkpoint.npz", None, None)
    with averaged(other):
        kernel, bias = (one.item() for one in state(other)[:2])
    batch = line_batches[0]
    np.testing.assert_allclose(first[0], np.mean((kernel * batch["x"] + bias - batch["y"]) ** 2), rtol=1e-5)
    with np.load(tmp_path / "run" / "checkpoint.npz") as file:
        assert file["optimizer/0"] == 10  # iterations: the optimizer was a new one

    def never(model):
        raise AssertionError("a resumed run has its weights")

    assert train(line_model(), line_batches, pace(steps=11), tmp_path / "run", start=never) == 11


def test_another_run_is_refused(line_model, line_batches, tmp_path):
    train(line_model(), line_batches, pace(steps=2), tmp_path, run={"crop": "128", "the paintings": "'abc'"})
    path = tmp_path / "checkpoint.npz"
    with pytest.raises(InputError) as error:
        train(line_model(), line_batches, PACE, tmp_path, run={"crop": "128", "the paintings": "'abd'"})
    assert str(error.value) == (
        f"{path} is of a run in which the paintings was 'abc', not 'abd'; repeat that run's flags, give "
        "--change to go on otherwise, or begin in another workdir."
    )
    with pytest.raises(InputError, match="in which blocks was not there, not 4; "):
        train(line_model(), line_batches, PACE, tmp_path, run={"crop": "128", "the paintings": "'abc'", "blocks": "4"})
    assert train(line_model(), line_batches, pace(steps=3), tmp_path) == 3  # who asks for nothing is not refused
    assert train(line_model(), line_batches, pace(steps=4), tmp_path, run={"crop": "64"}) == 4  # nor what tells nothing
    with pytest.raises(InputError, match="in which crop was 64, not 128; "):
        train(line_model(), line_batches, PACE, tmp_path, run={"crop": "128"})


def test_a_recipe_goes_on_in_its_next_stage(line_model, line_batches, tmp_path):
    train(line_model(), line_batches, pace(steps=2), tmp_path, run={"crop": "64"})
    steps = []
    options = {"run": {"crop": "128"}, "callback": lambda step, values: steps.append(step)}
    assert train(line_model(), line_batches, pace(steps=4), tmp_path, change=True, **options) == 4
    assert steps == [3, 4]
    assert read_head(tmp_path / "checkpoint.npz")["run"] == {"crop": "128"}  # from now on it is of this stage


def test_a_checkpoint_of_another_network_is_refused(line_model, line_batches, tmp_path, whole):
    class Wider(line_model):
        def __init__(self):
            super().__init__()
            self.dense = keras.layers.Dense(2)
            self.dense.build((None, 1))

    class Deeper(line_model):
        def __init__(self):
            super().__init__()
            self.more = keras.layers.Dense(1)
            self.more.build((None, 1))

        def call(self, batch):
            return super().call(batch) + self.more(batch["x"])

    for other in (Wider, Deeper):
        with pytest.raises(InputError, match="checkpoint.npz is of another network .*; name another workdir.$"):
            train(other(), line_batches, PACE, tmp_path / "whole")
    shutil.copytree(tmp_path / "whole", tmp_path / "deep")
    (tmp_path / "deep" / "checkpoint.npz").unlink()
    train(Deeper(), line_batches, PACE, tmp_path / "deep")
    with pytest.raises(InputError, match="is of another network"):  # that has all that this one has, and more
        train(line_model(), line_batches, PACE, tmp_path / "deep")


# Divergence


def test_a_term_that_is_not_finite_stops_the_run(line_model, line_batches, tmp_path):
    line_batches.x[6] = 10.0
    with pytest.raises(NonFiniteLoss) as error:
        train(line_model(), line_batches, PACE, tmp_path)
    path = tmp_path / "checkpoint.npz"
    assert str(error.value) == (
        f"The term small is no longer finite at step 7; begin in another workdir with the init {path} and a lower "
        "learning_rate."
    )
    with np.load(path) as file:
        assert int(file["step"]) == 5 and all(np.isfinite(file[name]).all() for name in file.files)
    assert [line["step"] for line in logged(tmp_path)] == [3, 6]


def test_a_gradient_that_is_not_finite_is_never_kept_nor_shown(line_model, line_batches, tmp_path):
    line_batches.x[2] = -10.0

    def never(*_):
        raise AssertionError("weights that are no numbers")

    with pytest.raises(NonFiniteLoss) as error:
        train(line_model(), line_batches, pace(preview_every=3, checkpoint_every=3), tmp_path, preview=never,
              export=never)
    assert str(error.value) == (
        "The gradient of the loss is no longer finite at step 3; begin in another workdir with a lower learning_rate."
    )
    assert not (tmp_path / "checkpoint.npz").exists()


def test_what_a_kill_left_half_written_goes(line_model, line_batches, tmp_path):
    (tmp_path / ".tfstyle-0123456789abcdef.npz").write_bytes(b"half")
    train(line_model(), line_batches, pace(steps=1), tmp_path)
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
