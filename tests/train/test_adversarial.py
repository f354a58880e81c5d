"""Steps of two sides: what each learns from and when, against NumPy; the optimizer; the loop with another optimizer."""

import dataclasses

import keras
import numpy as np
import pytest
from keras import ops

from tfstyle.train import loop
from tfstyle.train.adversarial import Adversarial, Halved, adam
from tfstyle.train.settings import TrainSettings
from tfstyle.train.translate_settings import DSMAPPace

# Keras reads TensorFlow's variables in a way that NumPy 2 wants changed.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

PACE = DSMAPPace(steps=3, learning_rate=0.1, weight_decay=0.0, log_every=1, precision="float32", workers=1)


def dense(slope, shift):
    layer = keras.layers.Dense(1)
    layer.build((None, 1))
    layer.set_weights([np.full((1, 1), slope, np.float32), np.full(1, shift, np.float32)])
    return layer


class Line(Adversarial):
    """A generator w x + b, whose discriminator v y + c knows numbers of a batch's "y"; both by least squares."""

    def __init__(self, pace=PACE, rate=1.0):
        judge = keras.Sequential([keras.Input((1,)), dense(0.5, 0.25)])
        super().__init__([judge], adam(pace), pace.weight_decay)
        self.dense = dense(2.0, -1.0)
        self.trackers = {name: keras.metrics.Mean(name) for name in ("near", "discriminator")}
        self.compile(optimizer=adam(pace, pace.average, [(self.dense.kernel, rate)]), jit_compile=False)
        self.optimizer.build(self.trainable_variables)

    def call(self, batch, training=None):
        return self.dense(batch["x"])

    def judge_loss(self, batch, made):
        """Does not stop the gradient to what was made: the step has to."""
        (judge,) = self.judges
        return ops.mean(ops.square(judge(batch["y"]) - 1)) + ops.mean(ops.square(judge(made)))

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        near = ops.mean(ops.square(self.judges[0](y_pred) - 1))
        self.trackers["near"].update_state(near)
        return near


def batch(step):
    random = np.random.default_rng([3, step])
    return {name: random.standard_normal((4, 1), np.float32) for name in ("x", "y")}


def parameters(model):
    """([w, b], [v, c])"""
    return [np.concatenate([ops.convert_to_numpy(v).ravel() for v in variables]).astype(np.float64)
            for variables in (model.trainable_variables, model.judge_variables)]


class Adam:
    """Kingma and Ba 2015, section 2, with L2 decay in the gradient."""

    def __init__(self, rate, decay):
        self.rate, self.decay, self.count, self.first, self.second = rate, decay, 0, 0.0, 0.0

    def step(self, values, gradient):
        gradient = gradient + self.decay * values
        self.count += 1
        self.first = 0.5 * self.first + 0.5 * gradient
        self.second = 0.999 * self.second + 0.001 * gradient**2
        rate = self.rate * np.sqrt(1 - 0.999**self.count) / (1 - 0.5**self.count)
        return values - rate * self.first / (np.sqrt(self.second) + 1e-8)


def trained(steps, decay, judged_first=True):
    """([w, b], [v, c], losses of the last step) by derivatives taken by hand."""
    (w, b), (v, c) = np.array([2.0, -1.0]), np.array([0.5, 0.25])
    mine, theirs = Adam(0.1, decay), Adam(0.1, decay)
    for step in range(steps):
        x, y = (one.ravel().astype(np.float64) for one in batch(step).values())
        made, before = w * x + b, (v, c)
        real, fake = v * y + c - 1, v * made + c
        judged = (real**2).mean() + (fake**2).mean()
        gradient = 2 * np.array([(real * y + fake * made).mean(), (real + fake).mean()])
        v, c = theirs.step(np.array([v, c]), gradient)
        slope, shift = (v, c) if judged_first else before
        error = slope * made + shift - 1
        gradient = 2 * slope * np.array([(error * x).mean(), error.mean()])
        w, b = mine.step(np.array([w, b]), gradient)
    return np.array([w, b]), np.array([v, c]), {"loss": (error**2).mean(), "discriminator": judged}


@pytest.mark.parametrize("decay", [0.0, 0.3])
@pytest.mark.parametrize("steps", [1, 3])
def test_steps_by_hand(steps, decay):
    """The generators' step meets discriminators that have made theirs; neither side's loss moves the other."""
    model = Line(dataclasses.replace(PACE, weight_decay=decay))
    for step in range(steps):
        model.reset_metrics()
        told = model.train_on_batch(batch(step), return_dict=True)
    mine, theirs, losses = trained(steps, decay)
    found = parameters(model)
    np.testing.assert_allclose(found[0], mine, rtol=1e-4)
    np.testing.assert_allclose(found[1], theirs, rtol=1e-4)
    assert set(told) == {"loss", "near", "discriminator"} and float(told["near"]) == float(told["loss"])
    for name, value in losses.items():
        np.testing.assert_allclose(float(told[name]), value, rtol=1e-4, err_msg=name)
    other = trained(steps, decay, judged_first=False)
    assert abs(other[2]["loss"] - losses["loss"]) > 0.01 * losses["loss"]  # the order can be told


def test_whose_variables_are_whose():
    model = Line()
    assert [v.path for v in model.trainable_variables] == [v.path for v in model.dense.variables]
    assert len(model.judge_variables) == 2 and not any(v.trainable for v in model.judge_variables)
    beside = list(map(id, model.beside))
    assert beside == list(map(id, [*model.judge_variables, *model.judge_optimizer.variables]))
    assert [id(v) for v in model.non_trainable_variables] == [id(v) for v in model.fixed_variables] + beside
    assert not model.fixed_variables and len(set(beside)) == len(beside) == 2 + 1 + 2 * 2


def test_the_optimizer_is_the_published_one():
    one = adam(PACE)
    assert (one.beta_1, one.beta_2, one.epsilon) == (0.5, 0.999, 1e-8)
    assert one.weight_decay is None and one.global_clipnorm is None and not one.use_ema
    assert adam(dataclasses.replace(PACE, clip=3.0)).global_clipnorm == 3


@pytest.mark.parametrize("average", [0.0, 0.75])
def test_the_average_of_the_weights(average):
    """From the first step's on; 0 keeps the weights themselves."""
    model = Line(dataclasses.replace(PACE, average=average))
    for step in range(3):
        model.train_on_batch(batch(step))
        now = parameters(model)[0]
        wanted = average * wanted + (1 - average) * now if step else now
    model.optimizer.finalize_variable_values(model.trainable_variables)
    np.testing.assert_allclose(parameters(model)[0], wanted, rtol=1e-5)


def test_gradients_of_each_side_are_cut():
    """Adam's first moment is half of the first gradient, which is cut after the decay was added."""
    model = Line(dataclasses.replace(PACE, clip=1e-3, weight_decay=0.3))
    model.train_on_batch(batch(0))
    for optimizer in (model.optimizer, model.judge_optimizer):
        first = np.concatenate([ops.convert_to_numpy(one).ravel() for one in optimizer._momentums])
        assert np.linalg.norm(first) == pytest.approx(0.5e-3, rel=1e-3)


def test_some_variables_have_another_rate():
    """In a first step Adam moves each weight by the rate."""
    model = Line(rate=2.5)
    model.train_on_batch(batch(0))
    np.testing.assert_allclose(np.abs(parameters(model)[0] - [2.0, -1.0]), [0.25, 0.1], rtol=1e-3)


@pytest.mark.parametrize(("warmup", "step", "wanted"), [
    (0, 0, 0.8), (0, 99, 0.8), (0, 100, 0.4), (0, 199, 0.4), (0, 200, 0.2), (0, 1000, 0.8 / 1024),
    (3, 0, 0.2), (3, 1, 0.4), (3, 3, 0.8), (3, 100, 0.4),
])
def test_the_rate_is_halved_in_steps(warmup, step, wanted):
    rate = Halved(0.8, 100, warmup)
    assert float(rate(step)) == pytest.approx(wanted, rel=1e-6)
    assert Halved.from_config(rate.get_config()).get_config() == {"rate": 0.8, "every": 100, "warmup": warmup}


def test_both_sides_are_halved():
    model = Line(dataclasses.replace(PACE, halve_every=2))
    for step in range(2):
        model.train_on_batch(batch(step))
        assert float(model.optimizer.learning_rate) == pytest.approx(0.1 if step == 0 else 0.05)
    assert float(model.judge_optimizer.learning_rate) == pytest.approx(0.05)


def test_three_steps_are_two_and_one_more(tmp_path):
    """The discriminators and their optimizer go on where they stood, too."""

    class Batches:
        def __getitem__(self, step):
            return batch(step)

    def run(workdir, stop=None):
        model = Line()
        loop.train(
            model, Batches(), PACE, tmp_path / workdir, optimizer=lambda pace: adam(pace, pace.average),
            callback=lambda done, _: done == stop,
        )
        kept = *model.trainable_variables, *model.optimizer.variables, *model.beside
        return [ops.convert_to_numpy(variable) for variable in kept]

    whole, stopped = run("whole"), run("run", 2)
    resumed = run("run")
    assert len(whole) == len(resumed) > 15
    for found, wanted in zip(resumed, whole, strict=True):
        np.testing.assert_array_equal(found, wanted)
    assert sum((one != other).any() for one, other in zip(stopped, whole, strict=True)) > 15


def test_the_loop_takes_another_optimizer(line_model, line_batches, tmp_path):
    asked, settings = [], TrainSettings(steps=1, preview_every=10**9, precision="float32")

    def plain(given):
        asked.append(given)
        return keras.optimizers.SGD(0.25, use_ema=True, ema_momentum=0.5)

    model = line_model()
    loop.train(model, line_batches, settings, tmp_path, optimizer=plain)
    assert set(map(id, asked)) == {id(settings)} and isinstance(model.optimizer, keras.optimizers.SGD)
    x = line_batches[0]["x"].astype(np.float64)
    slope = (2 * (1 * x - (2 * x + 1)) * x).mean()  # of mean (w x - y)^2 at w = 1
    assert ops.convert_to_numpy(model.dense.kernel).item() == pytest.approx(1 - 0.25 * slope, rel=0.01)
