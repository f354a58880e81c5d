"""Strength: from the photo itself to all of the style."""

import numpy as np
import pytest
import tensorflow as tf

from tfstyle.api import optimize_pictures
from tfstyle.gatys import GatysSettings, optimize
from tfstyle.gatys.objective import Objective
from tfstyle.images import fit, read, resize
from tfstyle.losses import style_distance, total_variation

SHALLOW = dict(content_layers="relu2_1", style_layers=("relu1_1", "relu2_1"))


def test_at_0_the_photo_comes_back_to_the_bit(run, told_truly, tiny_vgg, monkeypatch, tmp_path, photo, painting):
    """Without a step, and yet with all that a run tells."""
    monkeypatch.setattr("tfstyle.gatys.walk.Walk.evaluate", pytest.fail)
    records = []
    result = run(photo, [painting], strength=0.0, steps=7, init="noise", callback=records.append, **SHALLOW)
    np.testing.assert_array_equal(result.image, read(photo, name="photo", size=48).rgb)
    assert [record.step for record in records] == [7] and result.final is records[0]
    assert result.records == [records[0].as_dict()] and not result.interrupted
    assert result.final.figures["content_loss"] == 0 and result.final.figures["style_rel"] > 0.1
    assert result.final.raw["content/relu2_1"] == 0 and result.final.raw["style/relu1_1"] == 0
    np.testing.assert_array_equal(records[0].image(), result.image)
    recipe = GatysSettings(size=48, strength=0.0, **SHALLOW)
    masked = optimize(photo, [painting], recipe, masks=np.ones((1, 35, 48)), checkpoint=tmp_path / "run.npz")
    np.testing.assert_array_equal(masked.image, result.image)


def test_the_figures_at_0_are_the_photos(run, told_truly, photo, painting):
    result = run(photo, [painting], strength=0.0)
    told_truly(result, fit(photo, 48), [fit(painting, 48)])


def test_each_style_is_mixed_with_the_photo(tiny_vgg, photo, painting, other_painting):
    photo, image = resize(photo, (32, 48)), resize(painting, (32, 48))
    objective = Objective(GatysSettings(strength=0.3, tv_weight=2.0, **SHALLOW), (0.75, 0.25))
    content, *styles, mine = (objective.measure(p) for p in (photo, painting, other_painting, image))
    _, raw, _ = objective.value_and_gradient(tf.constant(image[None]), content, styles)
    for index, name in enumerate(SHALLOW["style_layers"]):
        targets = [0.3 * other.style[index] + 0.7 * content.style[index] for other in styles]
        parts = [float(style_distance(mine.style[index], target)) for target in targets]
        np.testing.assert_allclose(raw[f"style/{name}"], np.dot([0.75, 0.25], parts), rtol=1e-4)
    assert objective.terms["tv"] == pytest.approx(0.6)
    np.testing.assert_allclose(raw["tv"], float(total_variation(image[None])), rtol=1e-5)


def test_less_strength_stays_nearer_to_the_photo(run, photo, painting):
    away = [
        np.abs(run(photo, [painting], strength=strength, steps=10, **SHALLOW).image - fit(photo, 48)).mean()
        for strength in (0.1, 0.5, 1.0)
    ]
    assert 0.01 < 2 * away[0] < away[1] < away[2]


@pytest.mark.parametrize("statistic", ["moments", "wasserstein"])
def test_every_statistic_mixes(run, tiny_vgg, photo, painting, statistic):
    options = dict(style_statistic=statistic, steps=1, report=False, **SHALLOW)
    losses = [
        [run(photo, [painting], strength=strength, **options).records[0]["raw"][f"style/{name}"]
         for name in SHALLOW["style_layers"]] for strength in (0.1, 0.5, 1.0)
    ]
    for little, half, full in zip(*losses, strict=True):  # the photo, where it starts, is no distance from itself
        assert 0 < 2 * little < half < full


def test_samples_cannot_be_mixed(refusal):
    assert "mmd's samples cannot; use gram." in refusal(GatysSettings, strength=0.5, style_statistic="mmd")


def test_without_a_photo_there_is_nothing_to_keep(refusal, run, painting):
    said = refusal(run, None, [painting], content_weight=0, init="noise", strength=0.5)
    assert said == "There is no content picture to keep, as strength below 1 does; give one, or leave it at 1."


@pytest.mark.parametrize("look", [
    {"photoreal": True}, {"color": "luminance"}, {"color": "histogram", "color_when": "after"}, {"texture": True},
    {"masks": True, "color": "match", "color_when": "after"},
], ids=lambda look: ",".join(look))
def test_at_0_nothing_of_the_look_is_left(tiny_vgg, monkeypatch, photo, painting, other_painting, look):
    monkeypatch.setattr("tfstyle.look.WORKING_SIZE", 32)
    monkeypatch.setattr("tfstyle.api.mixed_style", pytest.fail)
    given = {"texture": other_painting, "masks": [np.tile(np.linspace(0, 1, 61), (45, 1))]}
    look = {name: given.get(name, value) for name, value in look.items()}
    told = []
    result, _ = optimize_pictures(photo, painting, size=48, strength=0, callback=told.append, **look, **SHALLOW)
    wanted = read(photo, size=48).rgb
    for picture in (result.image, result.final.image(), told[-1].image()):
        np.testing.assert_array_equal(picture, wanted)
    assert len(told) == 1 and result.final.figures["content_loss"] == 0 and not result.interrupted
