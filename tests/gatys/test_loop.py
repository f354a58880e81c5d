import dataclasses
import json
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tfstyle.checks import InputError
from tfstyle.gatys import PRESETS, GatysSettings, NonFiniteError, Record, optimize, preset
from tfstyle.gatys.precision import bfloat16_wins, resolve
from tfstyle.images import fit, resize, to_uint8
from tfstyle.nets.vgg import vgg

STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
SHALLOW = dict(content_layers="relu2_1", style_layers=("relu1_1", "relu2_1"))


def run(content, styles, name="default", style_weights=None, start=None, callback=None, **settings):
    """`optimize` at 48 px for 6 steps in float32, unless told otherwise; the default recipe may change."""
    recipe = dict(style_weight=6.0, tv_weight=0.0, optimizer="lbfgs", scales=1) if name == "default" else {}
    recipe = preset(name, **recipe | dict(size=48, steps=6, precision="float32") | settings)
    return optimize(content, styles, recipe, style_weights=style_weights, start=start, callback=callback)


def totals(result):
    return [record["total"] for record in result.records if "final" not in record]


# The figures, once more by NumPy in float64


@pytest.fixture(scope="module")
def plain():
    """Features of an 8-bit picture by the network as trained: rows (positions, channels), float64."""
    network = vgg((*STYLE_LAYERS, "relu4_2"))

    def features(picture):
        found = network(to_uint8(picture)[None] / np.float32(255))
        return {name: np.asarray(f, np.float64).reshape(-1, f.shape[-1]) for name, f in found.items()}

    return features


def recomputed(plain, image, content, styles, weights):
    mine, picture = plain(image), to_uint8(image) / 255
    figures = {"tv": sum(np.abs(np.diff(picture, axis=axis)).mean() for axis in (0, 1))}
    if content is not None:
        theirs = plain(content)["relu4_2"]
        figures["content_loss"] = np.mean((mine["relu4_2"] - theirs) ** 2) / np.mean(theirs**2)
    if styles:
        figures |= {"style_rel": 0.0, "style_loss": 0.0}
    for weight, style in zip(weights, styles, strict=True):
        theirs = plain(style)
        for name in STYLE_LAYERS:
            gram, target = (rows[name].T @ rows[name] / len(rows[name]) for rows in (mine, theirs))
            difference = np.sum((gram - target) ** 2)
            figures["style_rel"] += weight * difference / np.sum(target**2) / 5
            figures["style_loss"] += weight * difference / (4 * len(gram) ** 2) / 5
    return figures


def assert_told_truly(plain, result, content, styles, weights=(1.0,)):
    figures = recomputed(plain, result.image, content, styles, weights)
    assert result.final.figures.keys() == figures.keys()
    for name, wanted in figures.items():
        np.testing.assert_allclose(result.final.figures[name], wanted, rtol=1e-3, err_msg=name)
    assert result.records[-1]["figures"] == result.final.figures


# One run of two scales, looked at from all sides


@pytest.fixture(scope="module")
def pyramid(photo, painting):
    """Two scales of 5 and 4 steps: (result, records that the callback got, the pictures they carried)."""
    records, pictures = [], []

    def callback(record):
        records.append(record)
        pictures.append(record.image())

    result = run(photo, [painting], size=61, scales=2, steps=(5, 4), tv_weight=0.25, content_weight=2.0, callback=callback)
    return result, records, pictures


def test_the_result_is_a_picture_of_the_contents_shape(pyramid, photo):
    image = pyramid[0].image
    assert image.shape == photo.shape == (45, 61, 3) and image.dtype == np.float32
    assert image.min() >= 0 and image.max() <= 1
    assert image.std() > 0.05 and np.abs(image - photo).max() > 0.05


def test_the_callers_pictures_are_untouched(pyramid, photo, painting):
    assert not photo.flags.writeable and not painting.flags.writeable  # a write would have raised


def test_one_record_for_each_step_and_one_at_the_end(pyramid):
    _, records, _ = pyramid
    assert all(isinstance(record, Record) for record in records)
    assert [record.step for record in records] == [*range(1, 10), 9]
    assert {record.steps for record in records} == {9}
    assert [record.scale for record in records] == [30] * 5 + [61] * 5
    assert [record.figures is None for record in records] == [True] * 9 + [False]
    seconds = [record.seconds for record in records]
    assert seconds == sorted(seconds) and 0 < seconds[0] < seconds[-1]


def test_records_hold_every_loss_raw_and_weighted(pyramid):
    weights = {"content/relu4_2": 2.0, "tv": 0.25} | {f"style/{name}": 6.0 / 5 for name in STYLE_LAYERS}
    for record in pyramid[1]:
        assert record.raw.keys() == record.weighted.keys() == weights.keys()
        for name, weight in weights.items():
            assert record.raw[name] >= 0
            np.testing.assert_allclose(record.weighted[name], weight * record.raw[name], rtol=1e-6)
        np.testing.assert_allclose(record.total, sum(record.weighted.values()), rtol=1e-6)


def test_records_carry_the_picture_that_they_judge(pyramid):
    _, records, pictures = pyramid
    assert [picture.shape for picture in pictures] == [(22, 30, 3)] * 5 + [(45, 61, 3)] * 5
    for record, picture in zip(records, pictures, strict=True):
        assert picture.dtype == np.float32 and picture.min() >= 0 and picture.max() <= 1
        tv = sum(np.abs(np.diff(to_uint8(picture) / 255, axis=axis)).mean() for axis in (0, 1))
        assert abs(record.raw["tv"] - tv) < 0.003  # its corners are rounded, and the picture is not, to 8 bits
        np.testing.assert_array_equal(record.image(), picture)


def test_the_loss_falls_at_every_scale(pyramid):
    found = totals(pyramid[0])
    assert found[0] > 1.3 * min(found[:5]) and found[5] > 1.1 * min(found[5:])


def test_the_result_is_the_best_picture_of_the_last_scale(pyramid):
    result, _, pictures = pyramid
    best = 5 + int(np.argmin(totals(result)[5:]))
    np.testing.assert_array_equal(result.image, pictures[best])
    np.testing.assert_array_equal(result.final.image(), result.image)


def test_records_are_json(pyramid):
    result, records, _ = pyramid
    assert json.loads(json.dumps(result.records)) == result.records == [record.as_dict() for record in records]
    assert [record.get("final", False) for record in result.records] == [False] * 9 + [True]


def test_the_result_knows_how_it_came_about(pyramid):
    result, records, _ = pyramid
    told = {"size": 61, "scales": 2, "steps": (5, 4), "tv_weight": 0.25, "content_weight": 2.0}
    assert dataclasses.asdict(result.settings).items() >= told.items()
    assert result.final is records[-1] and result.interrupted is False
    assert "array" not in repr(result) and "array" not in repr(records[0])  # pictures do not flood a notebook


def test_the_figures_of_the_final_record(pyramid, plain, photo, painting):
    assert_told_truly(plain, pyramid[0], photo, [fit(painting, 61)])


def test_the_terms_of_the_final_record_are_the_plain_networks(pyramid):
    final = pyramid[1][-1]
    np.testing.assert_allclose(final.raw["content/relu4_2"], final.figures["content_loss"], rtol=1e-6)
    mean = np.mean([final.raw[f"style/{name}"] for name in STYLE_LAYERS])
    np.testing.assert_allclose(mean, final.figures["style_rel"], rtol=1e-5)


# The figures of other runs


def test_figures_of_another_network(plain, photo, painting):
    result = run(
        photo, [painting], pooling="average", normalized=True, padding="replicate", steps=3,
        style_normalization="paper", content_normalization="paper",
    )
    assert_told_truly(plain, result, fit(photo, 48), [fit(painting, 48)])


@pytest.mark.skipif(not bfloat16_wins()[0], reason="this processor has no bfloat16")
def test_figures_of_a_run_in_bfloat16(plain, photo, painting):
    result = run(photo, [painting], precision="bfloat16")
    assert_told_truly(plain, result, fit(photo, 48), [fit(painting, 48)])
    same = run(photo, [painting])
    assert not np.array_equal(result.image, same.image)  # it did run otherwise
    np.testing.assert_allclose(min(totals(result)), min(totals(same)), rtol=0.1)


def test_figures_of_several_styles_at_another_scale(plain, photo, painting, other_painting):
    result = run(photo, [painting, other_painting], style_weights=(3, 1), style_scale=0.75, steps=2)
    styles = [fit(painting, 36), fit(other_painting, 36)]
    assert_told_truly(plain, result, fit(photo, 48), styles, (0.75, 0.25))


# Starts


def first_picture(*args, **options):
    """The picture of the first record; the run ends there."""
    pictures = []

    def callback(record):
        pictures.append(record.image())
        return True

    run(*args, callback=callback, **options)
    return pictures[0]


def test_starts(tiny_vgg, photo, painting, other_painting):
    shape = (35, 48)
    np.testing.assert_array_equal(first_picture(photo, [painting]), resize(photo, shape))
    np.testing.assert_array_equal(
        first_picture(photo, [other_painting, painting], init="style"), resize(fit(other_painting, 48), shape)
    )
    np.testing.assert_array_equal(
        first_picture(photo, [painting], start=other_painting), resize(other_painting, shape)
    )
    noise = first_picture(photo, [painting], init="noise", noise=0.1, seed=3)
    assert noise.shape == (*shape, 3)
    np.testing.assert_allclose([noise.mean(), noise.std()], [0.5, 0.1], atol=0.01)
    again, other = (first_picture(photo, [painting], init="noise", noise=0.1, seed=seed) for seed in (3, 4))
    np.testing.assert_array_equal(again, noise)
    assert np.abs(other - noise).max() > 0.1


def test_a_pyramid_starts_small(tiny_vgg, photo, painting):
    np.testing.assert_array_equal(first_picture(photo, [painting], scales=2), resize(fit(photo, 48), (18, 24)))


def test_a_start_that_is_not_there(tiny_vgg, photo, painting):
    with pytest.raises(InputError, match="no picture to start from with init='style'; use init='noise'"):
        run(photo, [], init="style", style_weight=0)
    with pytest.raises(InputError, match="no picture to start from with init='content'; use init='noise'"):
        run(None, [painting], content_weight=0)


# Reconstructions, as in figure 1 of the paper


def test_the_content_alone_comes_back_from_noise(photo):
    result = run(photo, [], style_weight=0, init="noise", content_layers="relu3_1", steps=40)
    found = totals(result)
    assert found[0] > 0.3 and min(found) < 0.05 * found[0]
    assert result.final.figures.keys() == {"content_loss", "tv"}
    assert result.image.shape == (35, 48, 3)
    noise = np.abs(np.random.default_rng(0).random(result.image.shape) - fit(photo, 48)).mean()
    assert np.abs(result.image - fit(photo, 48)).mean() < 0.7 * noise


def test_a_texture_from_the_style_alone(plain, painting):
    result = run(None, [painting], content_weight=0, init="noise", steps=15)
    assert result.image.shape == (48, 41, 3)
    found = totals(result)
    assert min(found) < 0.3 * found[0]
    assert_told_truly(plain, result, None, [fit(painting, 48)])


def test_a_texture_has_the_size_asked_for_whatever_the_styles_scale(tiny_vgg, painting):
    result = run(None, [painting], content_weight=0, init="noise", steps=1, style_scale=0.5, **SHALLOW)
    assert result.image.shape == (48, 41, 3)
    result = run(None, [painting], content_weight=0, init="noise", steps=1, style_scale=2.0, size=None, **SHALLOW)
    assert result.image.shape == painting.shape


# Styles


def test_a_style_of_weight_zero_takes_no_part(tiny_vgg, photo, painting, other_painting):
    single = run(photo, [painting], steps=4, **SHALLOW)
    pair = run(photo, [painting, other_painting], style_weights=(1, 0), steps=4, **SHALLOW)
    mixed = run(photo, [painting, other_painting], steps=4, **SHALLOW)
    np.testing.assert_allclose(pair.image, single.image, atol=1e-3)
    np.testing.assert_allclose(pair.final.figures["style_rel"], single.final.figures["style_rel"], rtol=1e-3)
    assert np.abs(mixed.image - single.image).mean() > 0.01


def test_weights_are_scaled_to_sum_one(tiny_vgg, photo, painting, other_painting):
    one, other = (
        run(photo, [painting, other_painting], style_weights=weights, steps=2, **SHALLOW)
        for weights in ((2, 6), [0.25, 0.75])
    )
    np.testing.assert_array_equal(one.image, other.image)


@pytest.mark.parametrize(("weights", "words"), [
    ((1,), "one weight for each of the 2 styles; received 1"),
    ((1, 2, 3), "one weight for each of the 2 styles; received 3"),
    ((1, -1), "at least 0 and not all 0"),
    ((0, 0), "at least 0 and not all 0"),
    ((1, float("nan")), "at least 0 and not all 0"),
    ((1, float("inf")), "at least 0 and not all 0"),
    (3, "must be a list of numbers"),
    (("a", "b"), "must be a list of numbers"),
])
def test_weights_of_styles_refused(photo, painting, weights, words):
    with pytest.raises(InputError, match=words):
        run(photo, [painting, painting], style_weights=weights)


def test_the_style_at_another_scale_is_another_style(tiny_vgg, photo, painting):
    one, other = (run(photo, [painting], style_scale=scale, steps=3, **SHALLOW) for scale in (1.0, 0.5))
    assert np.abs(one.image - other.image).max() > 0.01


@pytest.mark.parametrize("statistic", ["moments", "wasserstein", "mmd"])
def test_every_statistic_paints(plain, photo, painting, statistic):
    result = run(photo, [painting], style_statistic=statistic, steps=8)
    found = totals(result)
    assert min(found) < 0.8 * found[0]
    before = recomputed(plain, fit(photo, 48), None, [fit(painting, 48)], (1.0,))["style_rel"]
    assert result.final.figures["style_rel"] < 0.8 * before  # Gram matrices come nearer, too


# Presets


@pytest.mark.parametrize("name", PRESETS)
def test_presets_run(photo, painting, name):
    result = run(photo, [painting], name, size=40, steps=2)
    assert result.image.shape == (30, 40, 3)
    assert len(result.records) == 3 and np.isfinite(totals(result)).all()
    assert totals(result)[1] < totals(result)[0]


@pytest.mark.slow
@pytest.mark.parametrize("name", PRESETS)
def test_presets_come_near_the_style(photo, painting, name):
    """Forty steps bring every recipe much nearer to the style than where it starts."""
    start, end = (run(photo, [painting], name, size=64, steps=steps).final.figures for steps in (1, 40))
    assert end["style_rel"] < 0.5 * start["style_rel"]
    assert end["content_loss"] < 1.2


# Optimisers


def test_lbfgs_needs_fewer_steps_than_adam(photo, painting):
    lbfgs = run(photo, [painting], steps=15)
    adam = run(photo, [painting], steps=15, optimizer="adam", learning_rate=0.02, schedule="constant")
    assert min(totals(lbfgs)) < min(totals(adam)) < 0.9 * totals(adam)[0]


def test_the_cosine_falls_to_nothing(tiny_vgg, photo, painting):
    """A step of Adam's first update is the learning rate; the last one of a falling schedule is far smaller."""
    def moves(schedule):
        pictures = []
        run(
            photo, [painting], steps=8, optimizer="adam", learning_rate=0.02, schedule=schedule,
            callback=lambda record: pictures.append(record.image()), **SHALLOW,
        )
        return [np.abs(after - before).max() for before, after in zip(pictures[:8], pictures[1:8])]

    falling, constant = moves("cosine"), moves("constant")
    np.testing.assert_allclose(constant[0], 0.02, rtol=1e-2)
    np.testing.assert_allclose(falling[0], 0.02 * 0.5 * (1 + np.cos(np.pi / 8)), rtol=1e-2)
    assert falling[-1] < 0.2 * constant[-1]


def test_the_average_of_the_pictures(tiny_vgg, photo, painting):
    pictures = []
    result = run(
        photo, [painting], steps=5, average=0.6, optimizer="adam", callback=lambda r: pictures.append(r.image()), **SHALLOW
    )
    wanted = pictures[0].astype(np.float64)
    for picture in pictures[1:5]:
        wanted = 0.6 * wanted + 0.4 * picture
    np.testing.assert_allclose(result.image, wanted, atol=1e-5)


# Sizes


@pytest.mark.parametrize(("height", "width", "size"), [
    (45, 61, None), (16, 16, 16), (33, 17, None), (61, 45, 37), (16, 90, 90),
])
def test_odd_sizes(tiny_vgg, photo, painting, height, width, size):
    content = resize(photo, (height, width))
    result = run(content, [painting[:48]], size=size, steps=2)
    assert result.image.shape == fit(content, size).shape
    assert result.final.scale == max(result.image.shape)


def test_pictures_too_small(photo, painting):
    with pytest.raises(InputError, match="content picture .*16 px"):
        run(photo[:12], [painting])
    with pytest.raises(InputError, match="style picture .*16 px"):
        run(photo, [painting[:, :9]])
    with pytest.raises(InputError, match="scales=3 would shrink this 48x35 px picture under 16 px"):
        run(photo, [painting], scales=3)


def test_a_layer_that_would_see_nothing(tiny_vgg, photo, painting):
    with pytest.raises(InputError, match="pool5 needs pictures of at least 32 px a side and the smallest here has 27"):
        run(photo, [painting], size=36, style_layers=("relu1_1", "pool5"))
    with pytest.raises(InputError, match="pool5 needs pictures of at least 32 px a side and the smallest here has 18"):
        run(photo, [painting], scales=2, content_layers="pool5")
    with pytest.raises(InputError, match="pool5 needs pictures of at least 32 px a side and the smallest here has 21"):
        run(photo, [painting], style_scale=0.5, style_layers=("pool5",))
    assert run(photo, [painting], steps=1, style_layers=("relu1_1", "pool5")).image.shape == (35, 48, 3)


def test_unknown_layers_are_told_with_the_nearest(photo, painting):
    with pytest.raises(InputError, match="vgg19 has no layer 'relu4_9'; did you mean 'relu4_"):
        run(photo, [painting], content_layers="relu4_9")


# Pictures


@pytest.mark.parametrize("kind", [to_uint8, tf.constant, lambda p: Image.fromarray(to_uint8(p)), np.float64])
def test_any_kind_of_picture_is_taken_for_what_it_is(tiny_vgg, photo, painting, kind):
    """uint8 is not mistaken for values in [0, 1]."""
    plain, other = (
        run(to_kind(photo), [to_kind(painting)], start=to_kind(painting), steps=1, **SHALLOW)
        for to_kind in (np.asarray, kind)
    )
    np.testing.assert_allclose(other.image, plain.image, atol=0.01)
    np.testing.assert_allclose(totals(other), totals(plain), rtol=0.02)


@pytest.mark.parametrize(("broken", "words"), [
    (np.full((20, 20, 3), np.nan, np.float32), "NaN"),
    (np.full((20, 20, 3), 7.0, np.float32), "from 0 to 1"),
    (np.zeros((20, 20, 5), np.float32), "shape"),
    (np.zeros((20, 20, 3), np.int64), "int64"),
])
def test_broken_pictures_are_refused(photo, painting, broken, words):
    for name, pictures, start in (
        ("content picture", (broken, [painting]), None), ("style picture", (photo, [broken]), None),
        ("start picture", (photo, [painting]), broken),
    ):
        with pytest.raises(InputError, match=name) as error:
            run(*pictures, start=start)
        assert words in str(error.value)


@pytest.mark.parametrize(("content", "styles", "settings", "words"), [
    (False, True, {}, "no content picture; give one, or set content_weight=0"),
    (True, False, {}, "no style picture; give one, or set style_weight=0"),
    (False, False, {"content_weight": 0}, "no style picture"),
    (False, False, {"style_weight": 0}, "no content picture"),
])
def test_missing_pictures(photo, painting, content, styles, settings, words):
    with pytest.raises(InputError, match=words):
        run(photo if content else None, [painting] if styles else [], **settings)


# Ends


def test_a_callback_that_returns_true_ends_the_run(tiny_vgg, photo, painting):
    records = []

    def callback(record):
        records.append(record)
        return record.step == 3

    result = run(photo, [painting], steps=9, callback=callback, **SHALLOW)
    assert [record.step for record in records] == [1, 2, 3, 3]
    assert [record.figures is None for record in records] == [True, True, True, False]
    assert result.interrupted and records[-1].steps == 9
    best = records[int(np.argmin(totals(result)))]
    np.testing.assert_array_equal(result.image, best.image())


@pytest.mark.parametrize("step", [1, 3, 5])
def test_ctrl_c_returns_the_best_picture_so_far(tiny_vgg, photo, painting, step):
    """At the first step, at a later one, and at the first one of the second scale."""
    pictures = []

    def callback(record):
        if record.figures is None:
            pictures.append(record.image())
            if record.step == step:
                raise KeyboardInterrupt

    result = run(photo, [painting], scales=2, steps=4, callback=callback, **SHALLOW)
    assert result.interrupted and len(pictures) == step
    assert result.image.shape == (35, 48, 3) and result.final.figures
    first = 4 if step > 4 else 0
    best = pictures[first + int(np.argmin(totals(result)[first:]))]
    np.testing.assert_array_equal(result.image, resize(best, (35, 48)))


@pytest.mark.parametrize(("name", "patched", "term"), [
    ("content_loss", lambda *_: tf.constant(np.inf), "content/relu2_1"),
    ("style_distance", lambda *_, **__: tf.constant(np.nan), "style/relu1_1"),
    ("total_variation", lambda *_: tf.constant(-np.inf), "tv"),
    # A value of 0, whose slope is infinite.
    ("total_variation", lambda image, _: tf.sqrt(tf.reduce_sum(image - image)), "The gradient"),
])
def test_non_finite_values_stop_the_run_and_are_named(tiny_vgg, monkeypatch, photo, painting, name, patched, term):
    monkeypatch.setattr(f"tfstyle.gatys.objective.{name}", patched)
    records = []
    with pytest.raises(NonFiniteError) as error:
        run(photo, [painting], tv_weight=1, callback=records.append, **SHALLOW)
    said = str(error.value)
    assert said.startswith(f"{term} became infinite or not a number at step 1 of the 48x35 px scale; try ")
    assert records == [] and isinstance(error.value, ArithmeticError)


def test_other_errors_of_a_callback_are_the_callers(tiny_vgg, photo, painting):
    with pytest.raises(ZeroDivisionError):
        run(photo, [painting], callback=lambda record: 1 / 0, **SHALLOW)


# Memory and precision


def test_a_run_that_does_not_fit_is_refused_before_it_starts(monkeypatch, photo, painting):
    monkeypatch.setattr("tfstyle.gatys.memory.available", lambda: 2**20)
    monkeypatch.setattr("tfstyle.gatys.objective.vgg", pytest.fail)
    with pytest.raises(InputError, match="A 48x35 px picture needs about .* GiB of memory"):
        run(photo, [painting], callback=pytest.fail)


@pytest.mark.parametrize("wins", [True, False])
def test_auto_is_bfloat16_where_it_wins(monkeypatch, wins):
    monkeypatch.setattr("tfstyle.gatys.precision.bfloat16_wins", lambda: (wins, "a test says so"))
    assert resolve("auto") == ("bfloat16" if wins else "float32")
    assert resolve("float32") == "float32"
    if wins:
        assert resolve("bfloat16") == "bfloat16"
    else:
        with pytest.raises(InputError, match="precision='bfloat16' would be slower .*a test says so.*precision='auto'"):
            resolve("bfloat16")


# Repeatability


def test_the_seed_decides(tiny_vgg, photo, painting):
    options = dict(init="noise", steps=3, **SHALLOW)
    one, same, other = (run(photo, [painting], seed=seed, **options) for seed in (5, 5, 6))
    np.testing.assert_allclose(same.image, one.image, atol=1e-5)
    assert np.abs(other.image - one.image).max() > 0.1


DETERMINISTIC = textwrap.dedent("""
    import hashlib
    import numpy as np
    from tfstyle.gatys import GatysSettings, optimize
    photo, painting = np.random.default_rng(1).random((2, 48, 40, 3), np.float32)
    for _ in range({times}):
        settings = GatysSettings(size=48, scales=2, steps=2, init="noise", deterministic=True)
        result = optimize(photo, [painting], settings)
        print(hashlib.sha256(result.image.tobytes()).hexdigest(), result.records[-1]["total"])
""")


def repeated(times):
    """In a process of its own, since the setting holds for the whole process."""
    command = [sys.executable, "-c", DETERMINISTIC.format(times=times)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_deterministic_runs_agree_to_the_bit(threads):
    first, second = repeated(2)
    assert len(first.split()[0]) == 64 and first == second


@pytest.mark.slow
def test_deterministic_processes_agree_to_the_bit(threads):
    assert repeated(1) == repeated(1)


def test_deterministic_asks_tensorflow(tiny_vgg, monkeypatch, photo, painting):
    asked = []
    monkeypatch.setattr(tf.config.experimental, "enable_op_determinism", lambda: asked.append(True))
    for wanted in (False, True):
        run(photo, [painting], deterministic=wanted, callback=lambda record: asked.append(record.step) or True, **SHALLOW)
    assert asked == [1, 1, True, 1, 1]  # before the first step, and only where it is wanted


def test_settings_are_optional(tiny_vgg, photo, painting):
    result = optimize(photo, [painting], callback=lambda record: True)
    assert result.settings == GatysSettings() and result.image.shape == (378, 512, 3)
