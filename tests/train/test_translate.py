"""Training of a translation: what a batch holds, and the losses of both sides by hand."""

import dataclasses
import itertools

import keras
import numpy as np
import pytest
from keras import ops

from tfstyle import images
from tfstyle.losses import contextual_loss, instance_normalized_error
from tfstyle.nets import dsmap
from tfstyle.nets.dsmap import DOMAINS, DSMAPConfig, part
from tfstyle.train.data import random_square, shuffled
from tfstyle.train.translate import Domains, DSMAPPace, DSMAPSettings, Training

# Keras reads TensorFlow's variables in a way that NumPy 2 wants changed.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

SMALL = {"crop": 64, "width": 2, "style": 3, "hidden": 4, "blocks": 1, "loss_layer": "pool3"}
TINY = DSMAPSettings(**SMALL, short_side=72)
MUNIT = DSMAPSettings(**SMALL, method="munit")
BLIND = dataclasses.replace(TINY, contextual_weight=0.0)  # loads no VGG
PACE = DSMAPPace(learning_rate=1e-3, precision="float32")
OTHER = {"a": "b", "b": "a"}


@pytest.fixture(scope="module")
def domains(domain):
    """Two `PictureSet`s, of 4 and 3 pictures."""
    return [domain(0, 4), domain(20, 3)]


def numbers(tensor):
    return ops.convert_to_numpy(tensor).astype(np.float64)


def trained(settings, pace=PACE, seed=2):
    """A new model, compiled to work step by step: its graph would take longer to build than all tests to run."""
    keras.utils.set_random_seed(seed)
    model = Training(settings, pace)
    model.compile(optimizer=model.adam(pace), run_eagerly=True)
    model.optimizer.build(model.trainable_variables)
    return model


@pytest.fixture(scope="module")
def model():
    return trained(TINY)


@pytest.fixture(scope="module")
def batch(domains):
    return Domains(*domains, TINY)[1]


# Batches


@pytest.mark.parametrize("short_side", [64, 72])
def test_what_a_batch_holds(domains, short_side):
    """Changing this changes every run that is resumed."""
    found = Domains(*domains, dataclasses.replace(TINY, short_side=short_side, seed=4))[7]
    rng, wanted = np.random.default_rng([4, 5, 7]), {}
    for seed, domain, pictures in zip((4, 5), DOMAINS, domains, strict=True):
        squares = []
        for place in (14, 15):
            one = pictures[shuffled(len(pictures), place, seed)]
            assert one.shape[0] == 70 <= one.shape[1]
            one = images.resize(one, (short_side, round(one.shape[1] * short_side / 70)))
            squares.append(random_square(one, 64, rng, 1.0))
        wanted[domain] = np.stack(squares)
        wanted[f"code_{domain}"] = rng.standard_normal((2, 3), dtype=np.float32)
    assert list(found) == list(wanted)
    for name, value in wanted.items():
        np.testing.assert_array_equal(found[name], value)
        assert found[name].dtype == value.dtype == (np.float32 if "code" in name else np.uint8)


def test_seeds_and_steps_draw_differently(domains):
    drawn = [Domains(*domains, dataclasses.replace(TINY, seed=seed))[step] for seed, step in ((0, 0), (1, 0), (0, 1))]
    for one, other in itertools.combinations(drawn, 2):
        assert all((one[name] != other[name]).any() for name in one)


# Losses, term by term, from the parts of the networks alone


def error(found, target):
    return np.abs(numbers(found) - numbers(target)).mean()


def by_hand(model, batch):
    """(terms, discriminators' loss), as the papers write them for pictures in [-1, 1]."""
    s, net = model.settings, lambda domain, kind: part(model.network, domain, kind)
    x = {d: (batch[d] / np.float32(255)).astype(np.float32) for d in DOMAINS}
    coded, style = {d: net(d, "content")(x[d]) for d in DOMAINS}, {d: net(d, "style")(x[d]) for d in DOMAINS}

    def mapped(domain, content, features):
        return net(domain, "mapping")([content, features]) if s.mapping else content

    def painted(domain, content, features, code):
        return net(domain, "decoder")([mapped(domain, content, features), ops.convert_to_tensor(code)])

    terms, judged, example = dict.fromkeys(Training.TERMS, 0.0), 0.0, {}
    for d, o in OTHER.items():
        example[d] = painted(d, coded[o][0], coded[o][2], style[d])
    for judge, (d, o) in zip(model.judges, OTHER.items(), strict=True):
        content, before, features = coded[d]
        drawn = painted(d, coded[o][0], coded[o][2], batch[f"code_{d}"])
        terms["image"] += error(2 * painted(d, content, features, style[d]), 2 * x[d])
        terms["style"] += error(net(d, "style")(drawn), batch[f"code_{d}"])
        terms["content"] += error(net(d, "content")(drawn)[0], coded[o][0])
        if s.mapping:
            terms["mapped"] += error(before, mapped(d, content, features))
        shown = [(1.0, drawn)]
        if s.example_weight:
            terms["content"] += error(net(d, "content")(example[d])[0], coded[o][0])
            shown.append((s.example_weight, example[d]))
        if s.cycle_weight:
            there = net(o, "content")(example[o])
            back = painted(d, there[0], there[2], net(d, "style")(example[d]))
            terms["cycle"] += error(2 * back, 2 * x[d])
        for weight, picture in shown:
            maps, real = [numbers(one) for one in judge(picture)], [numbers(one) for one in judge(x[d])]
            terms["adversarial"] += weight * sum(((one - 1) ** 2).mean() for one in maps)
            judged += weight * sum((one**2).mean() for one in maps)
            judged += weight * sum(((one - 1) ** 2).mean() for one in real)  # once for each kind of translation
            if s.contextual_weight:
                terms["contextual"] += weight * float(contextual_loss(model.measure(picture), model.measure(x[d])))
            if s.invariant_weight:
                away = instance_normalized_error(model.measure(picture), model.measure(x[o]))
                terms["invariant"] += weight * float(away)
    return terms, judged


PUBLISHED = {"image": 10, "style": 10, "content": 2, "mapped": 2, "cycle": 5, "adversarial": 1, "contextual": 1}


@pytest.mark.parametrize(("settings", "weights"), [
    (TINY, PUBLISHED),
    (MUNIT, {"image": 10, "style": 1, "content": 1, "adversarial": 1}),
    (dataclasses.replace(TINY, example_weight=0.25, cycle_weight=0.0), PUBLISHED | {"cycle": 0}),
    (dataclasses.replace(MUNIT, cycle_weight=3.0, invariant_weight=0.5, pictures=1),
     {"image": 10, "style": 1, "content": 1, "adversarial": 1, "cycle": 3, "invariant": 0.5}),
], ids=["dsmap", "munit", "quieter examples", "munit with a cycle"])
def test_losses_by_hand(domains, settings, weights):
    model, batch = trained(settings), Domains(*domains, settings)[1]
    made = model(batch)
    found = float(model.judge_loss(batch, made)), float(model.compute_loss(x=batch, y_pred=made))
    terms, judged = by_hand(model, batch)
    for name, value in terms.items():
        np.testing.assert_allclose(float(model.trackers[name].result()), value, rtol=1e-3, err_msg=name)
        assert bool(value) == bool(weights.get(name, 0)), name
    wanted = judged, sum(weight * terms[name] for name, weight in weights.items())
    np.testing.assert_allclose(found, wanted, rtol=1e-3)
    assert (model.measure is None) == (settings is MUNIT)
    shape = dsmap.MUNIT if settings.method == "munit" else DSMAPConfig()
    assert (model.config.halvings, model.config.mapping, model.config.shared_tail) == (
        shape.halvings, shape.mapping, shape.shared_tail
    )


def test_munit_translates_after_no_example(domains):
    made = trained(MUNIT)(Domains(*domains, MUNIT)[0])
    assert made["example"] == {"a": None, "b": None} and made["returned"] == made["mapped"] == {}
    assert made["drawn"]["a"].shape == made["own"]["b"].shape == (2, 64, 64, 3)


def test_domains_that_change_places_change_losses(model, batch):
    other = trained(TINY, seed=3)
    for mine, theirs in ((model.network, other.network), *zip(model.judges, other.judges[::-1], strict=True)):
        paths = {variable.path: variable for variable in mine.variables}
        for variable in theirs.variables:
            start = variable.path[:2]
            variable.assign(paths[{"a_": "b_", "b_": "a_"}.get(start, start) + variable.path[2:]])
    swapped = {name: batch[name[:-1] + OTHER[name[-1]]] for name in batch}
    made, mirrored = model(batch), other(swapped)
    for kind, (domain, there) in itertools.product(made, OTHER.items()):
        sides = map(keras.tree.flatten, (made[kind][domain], mirrored[kind][there]))
        for mine, theirs in zip(*sides, strict=True):
            np.testing.assert_allclose(numbers(mine), numbers(theirs), atol=1e-5, err_msg=kind)
    sides = (model, batch, made), (other, swapped, mirrored)
    np.testing.assert_allclose(*(float(one.judge_loss(x, y)) for one, x, y in sides), rtol=1e-5)
    np.testing.assert_allclose(*(float(one.compute_loss(x=x, y_pred=y)) for one, x, y in sides), rtol=1e-4)


def test_each_side_moves_by_its_own_optimizer(batch):
    """By a rate of 0 the other's weights stay as they are, bit for bit; all others move."""
    model = trained(BLIND)
    generators, judges = model.trainable_variables, list(model.judge_variables)
    assert {id(v) for v in generators} == {id(v) for v in model.network.variables} and len(generators) > 60
    for optimizer, still, moved in ((model.optimizer, generators, judges), (model.judge_optimizer, judges, generators)):
        rate, optimizer._learning_rate.rate = optimizer._learning_rate.rate, 0.0
        before = [[numbers(v) for v in variables] for variables in (still, moved)]
        model.train_on_batch(batch)
        optimizer._learning_rate.rate = rate
        for old, variable in zip(before[0], still, strict=True):
            np.testing.assert_array_equal(numbers(variable), old)
        for old, variable in zip(before[1], moved, strict=True):
            assert (numbers(variable) != old).any(), variable.path


def test_losses_in_bfloat16_are_near(domains):
    """Codes are compared and pictures judged in float32."""
    batch, losses = Domains(*domains, TINY)[0], []
    for dtype in ("float32", "mixed_bfloat16"):
        keras.utils.set_random_seed(2)
        model = Training(TINY, PACE, dtype)
        made = model(batch)
        losses += [float(model.judge_loss(batch, made)), float(model.compute_loss(x=batch, y_pred=made))]
        learned = model.trainable_variables + model.judge_variables
        assert {keras.backend.standardize_dtype(v.dtype) for v in learned} == {"float32"}
    assert losses[2:] != losses[:2] and losses[2:] == pytest.approx(losses[:2], rel=0.03)


def test_content_encoders_may_learn_faster(batch):
    """Or not at all."""
    model = trained(BLIND, dataclasses.replace(PACE, encoder_rate=0.0))
    before = {v.path: numbers(v) for v in model.network.variables}
    model.train_on_batch(batch)
    for variable in model.network.variables:
        held = "_content" in variable.path or "shared" in variable.path
        assert (numbers(variable) == before[variable.path]).all() == held, variable.path
