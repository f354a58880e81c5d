"""What the settings do to a picture."""

import numpy as np
import pytest

from tfstyle.checks import InputError
from tfstyle.gatys import PRESETS
from tfstyle.images import fit

SHALLOW = dict(content_layers="relu2_1", style_layers=("relu1_1", "relu2_1"))  # for a quick start


def totals(result):
    return [record["total"] for record in result.records if "final" not in record]


# Reconstructions, as in figure 1 of the paper


def test_the_content_alone_comes_back_from_noise(run, photo):
    result = run(photo, [], style_weight=0, init="noise", content_layers="relu3_1", steps=40)
    found = totals(result)
    assert found[0] > 0.3 and min(found) < 0.05 * found[0]
    assert result.final.figures.keys() == {"content_loss", "tv"}
    assert result.image.shape == (35, 48, 3)
    noise = np.abs(np.random.default_rng(0).random(result.image.shape) - fit(photo, 48)).mean()
    assert np.abs(result.image - fit(photo, 48)).mean() < 0.7 * noise


def test_a_texture_from_the_style_alone(run, told_truly, painting):
    result = run(None, [painting], content_weight=0, init="noise", steps=15)
    assert result.image.shape == (48, 41, 3)
    found = totals(result)
    assert min(found) < 0.3 * found[0]
    told_truly(result, None, [fit(painting, 48)])


def test_a_texture_has_the_size_asked_for_whatever_the_styles_scale(run, tiny_vgg, painting):
    result = run(None, [painting], content_weight=0, init="noise", steps=1, style_scale=0.5, **SHALLOW)
    assert result.image.shape == (48, 41, 3)
    result = run(
        None, [painting], content_weight=0, init="noise", steps=1, style_scale=2.0, size=None, **SHALLOW
    )
    assert result.image.shape == painting.shape


# Styles


def test_a_style_of_weight_zero_takes_no_part(run, tiny_vgg, photo, painting, other_painting):
    single = run(photo, [painting], steps=4, **SHALLOW)
    pair = run(photo, [painting, other_painting], style_weights=(1, 0), steps=4, **SHALLOW)
    mixed = run(photo, [painting, other_painting], steps=4, **SHALLOW)
    np.testing.assert_allclose(pair.image, single.image, atol=1e-3)
    np.testing.assert_allclose(pair.final.figures["style_rel"], single.final.figures["style_rel"], rtol=1e-3)
    assert np.abs(mixed.image - single.image).mean() > 0.01


def test_weights_are_scaled_to_sum_one(run, tiny_vgg, photo, painting, other_painting):
    one, other = (
        run(photo, [painting, other_painting], style_weights=weights, steps=2, **SHALLOW)
        for weights in ((2, 6), [0.25, 0.75])
    )
    np.testing.assert_array_equal(one.image, other.image)


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ((1,), "one weight for each of the 2 styles; received 1"),
        ((1, 2, 3), "one weight for each of the 2 styles; received 3"),
        ((1, -1), "at least 0 and not all 0"),
        ((0, 0), "at least 0 and not all 0"),
        ((1, float("nan")), "at least 0 and not all 0"),
        ((1, float("inf")), "at least 0 and not all 0"),
        (3, "must be a list of numbers"),
        (("a", "b"), "must be a list of numbers"),
    ],
)
def test_weights_of_several_styles_refused(run, photo, painting, weights, words):
    with pytest.raises(InputError, match=words):
        run(photo, [painting, painting], style_weights=weights)


def test_the_style_at_another_scale_is_another_style(run, tiny_vgg, photo, painting):
    one, other = (run(photo, [painting], style_scale=scale, steps=3, **SHALLOW) for scale in (1.0, 0.5))
    assert np.abs(one.image - other.image).max() > 0.01


@pytest.mark.parametrize("statistic", ["moments", "wasserstein", "mmd"])
def test_every_statistic_paints(run, recomputed, photo, painting, statistic):
    result = run(photo, [painting], style_statistic=statistic, steps=8)
    found = totals(result)
    assert min(found) < 0.8 * found[0]
    before = recomputed(fit(photo, 48), None, [fit(painting, 48)], (1.0,))["style_rel"]
    assert result.final.figures["style_rel"] < 0.8 * before  # Gram matrices come nearer, too


# Presets


@pytest.mark.parametrize("name", PRESETS)
def test_presets_run(run, photo, painting, name):
    result = run(photo, [painting], name, size=40, steps=2)
    assert result.image.shape == (30, 40, 3)
    assert len(result.records) == 3 and np.isfinite(totals(result)).all()
    assert totals(result)[1] < totals(result)[0]


@pytest.mark.slow
@pytest.mark.parametrize("name", PRESETS)
def test_presets_come_near_the_style(run, photo, painting, name):
    """Forty steps bring every recipe nearer to the style than where it starts."""
    start, end = (run(photo, [painting], name, size=64, steps=steps).final.figures for steps in (1, 40))
    assert end["style_rel"] < 0.75 * start["style_rel"]


# Optimisers


def test_lbfgs_needs_fewer_steps_than_adam(run, photo, painting):
    lbfgs = run(photo, [painting], steps=15)
    adam = run(photo, [painting], steps=15, optimizer="adam", learning_rate=0.02, schedule="constant")
    assert min(totals(lbfgs)) < min(totals(adam)) < 0.9 * totals(adam)[0]


def test_the_cosine_falls_to_nothing(run, tiny_vgg, photo, painting):
    """Adam's first step is as long as the learning rate; the last of a falling schedule is far shorter."""

    def moves(schedule):
        pictures = []
        run(
            photo,
            [painting],
            steps=8,
            optimizer="adam",
            learning_rate=0.02,
            schedule=schedule,
            callback=lambda record: pictures.append(record.image()),
            **SHALLOW,
        )
        return [np.abs(after - before).max() for before, after in zip(pictures[:8], pictures[1:8])]

    falling, constant = moves("cosine"), moves("constant")
    np.testing.assert_allclose(constant[0], 0.02, rtol=1e-2)
    np.testing.assert_allclose(falling[0], 0.02 * 0.5 * (1 + np.cos(np.pi / 8)), rtol=1e-2)
    assert falling[-1] < 0.2 * constant[-1]


def test_the_average_of_the_pictures(run, tiny_vgg, photo, painting):
    pictures = []
    result = run(
        photo,
        [painting],
        steps=5,
        average=0.6,
        optimizer="adam",
        callback=lambda r: pictures.append(r.image()),
        **SHALLOW,
    )
    wanted = pictures[0].astype(np.float64)
    for picture in pictures[1:5]:
        wanted = 0.6 * wanted + 0.4 * picture
    np.testing.assert_allclose(result.image, wanted, atol=1e-5)
