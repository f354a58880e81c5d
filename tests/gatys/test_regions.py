"""Regions: each style where its mask is, and the photo where none is."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tfstyle.checks import InputError
from tfstyle.gatys import GatysSettings, optimize
from tfstyle.gatys.objective import Objective
from tfstyle.gatys.targets import covered, guides_at, shares_at
from tfstyle.images import resize
from tfstyle.losses import style_distance

SHALLOW = dict(content_layers="relu2_1", style_layers=("relu1_1", "relu2_1"))
HALVES = np.zeros((2, 36, 48), np.float32)
HALVES[0, :, :24] = HALVES[1, :, 24:] = 1


def painted(content, styles, masks, **options):
    recipe = dict(size=48, scales=1, steps=12, precision="float32", tv_weight=0.0) | SHALLOW | options
    return optimize(content, styles, GatysSettings(**recipe), masks=masks)


# Shares and guides


@settings(deadline=None, max_examples=40, database=None)
@given(seed=st.integers(0, 2**16), count=st.integers(1, 3), shape=st.tuples(st.integers(4, 40), st.integers(4, 40)))
def test_shares_stay_shares_at_any_size(seed, count, shape):
    random = np.random.default_rng(seed)
    shares = random.random((count + 1, 24, 31)).astype(np.float32) ** 3
    shares = (shares / shares.sum(axis=0))[:count]
    found = shares_at(shares, shape).numpy()
    assert found.shape == (count + 1, *shape, 1) and found.min() >= 0
    np.testing.assert_allclose(found.sum(axis=0), 1, atol=1e-5)
    assert np.abs(found[:count].mean(axis=(1, 2, 3)) - shares.mean(axis=(1, 2))).max() < 0.08


def test_shares_at_their_own_size_are_as_given():
    found = shares_at(HALVES * np.float32(0.75), (36, 48)).numpy()
    np.testing.assert_array_equal(found[:2, ..., 0], HALVES * np.float32(0.75))
    np.testing.assert_array_equal(found[2], np.full((36, 48, 1), 0.25))


def test_guides_are_means_over_what_a_position_stands_for():
    shares = tf.constant(np.random.default_rng(3).random((2, 35, 48, 1), np.float32))
    guides = guides_at(shares, ("relu1_1", "relu3_1", "block3_conv2", "pool3"), "vgg19")
    np.testing.assert_array_equal(guides["relu1_1"], shares)
    assert guides["relu3_1"] is guides["block3_conv2"]
    for name, stride in (("relu3_1", 4), ("pool3", 8)):
        height, width = 35 // stride, 48 // stride  # pooling drops what fills no position
        cut = shares.numpy()[:, : height * stride, : width * stride, 0]
        wanted = cut.reshape(2, height, stride, width, stride).mean(axis=(2, 4))
        np.testing.assert_allclose(guides[name][..., 0], wanted, rtol=1e-5)


def test_a_region_of_less_than_one_position_weighs_nothing():
    guide = np.zeros((3, 4, 5, 1), np.float32)
    guide[0, 0, 0], guide[1, 0, 1:3], guide[2] = 0.9, 0.6, 0.5
    np.testing.assert_allclose(covered(tf.constant(guide)), [0, 1.2 / 20, 0.5], rtol=1e-6)


# Losses


def test_the_values_are_those_of_each_region(tiny_vgg, photo, painting, other_painting):
    """By masks of 0 and 1 that follow the layers' grid: each part's own Gram matrix, weighed by its area."""
    recipe = GatysSettings(content_weight=0, tv_weight=0, strength=0.75, padding="zero", **SHALLOW)
    objective = Objective(recipe, (0.5, 0.5))
    photo, image = resize(photo, (32, 48)), resize(other_painting, (32, 48))
    shares = np.zeros((2, 32, 48), np.float32)
    shares[0, :, :16], shares[1, :8, 16:] = 1, 1
    content = objective.measure_content(photo, shares)
    styles = [objective.measure(style) for style in (painting, other_painting)]
    _, raw, _ = objective.value_and_gradient(tf.constant(image[None]), content, styles)

    def gram(picture, name, rows, columns, stride):
        features = objective.features(picture[None])[name][0].numpy()
        if rows is not None:
            cut = (slice(side.start // stride, side.stop // stride) for side in (rows, columns))
            features = features[tuple(cut)]
        features = features.reshape(-1, features.shape[-1])
        return (features.T @ features / len(features))[None]

    regions = [
        (1 / 3, slice(0, 32), slice(0, 16), painting), (1 / 6, slice(0, 8), slice(16, 48), other_painting),
        (1 / 2, slice(8, 32), slice(16, 48), None),
    ]
    for name, stride in (("relu1_1", 1), ("relu2_1", 2)):
        wanted = 0.0
        for area, *place, style in regions:
            mine, own = (gram(picture, name, *place, stride) for picture in (image, photo))
            target = own if style is None else 0.25 * own + 0.75 * gram(style, name, None, None, stride)
            wanted += area * float(style_distance(mine, target))
        np.testing.assert_allclose(raw[f"style/{name}"], wanted, rtol=1e-4)


def test_a_mask_of_ones_is_none(tiny_vgg, photo, painting):
    one, none = (painted(photo, [painting], masks, steps=4) for masks in (np.ones((1, 35, 48)), None))
    np.testing.assert_allclose(one.image, none.image, atol=1e-4)
    for name, value in none.final.figures.items():
        np.testing.assert_allclose(one.final.figures[name], value, rtol=1e-4)


def test_without_a_region_the_photo_is_the_best_picture(tiny_vgg, photo, painting):
    result = painted(photo, [painting], np.zeros((1, 35, 48)), steps=3)
    assert result.records[0]["total"] == 0
    np.testing.assert_array_equal(result.image, resize(photo, (35, 48)))
    assert all(np.isfinite(value) for value in result.final.figures.values())


@pytest.mark.parametrize("layers", [("relu1_1", "relu5_1"), ("relu5_1",)])
def test_a_mask_of_one_pixel_harms_nothing(run, tiny_vgg, photo, painting, layers):
    masks = np.zeros((2, 35, 48), np.float32)
    masks[0, 3, 4], masks[1] = 1, 1
    masks[1, 3, 4] = 0
    result = painted(photo, [painting, painting], masks, style_layers=layers, steps=3)
    assert len(result.records) == 4 and np.isfinite(result.image).all()
    assert all(np.isfinite(value) for record in result.records for value in record["raw"].values())


# Pictures


@pytest.fixture(scope="module")
def flat_and_striped():
    """Two paintings: orange, with a little grain; and blue and white stripes."""
    grain = np.random.default_rng(5).normal(0, 0.03, (48, 48, 1))
    orange = np.clip(np.array([0.9, 0.45, 0.1]) + grain, 0, 1).astype(np.float32)
    stripes = np.where((np.arange(48) // 3 % 2)[None, :, None], [0.1, 0.2, 0.7], [0.9, 0.95, 1.0])
    return orange, np.broadcast_to(stripes, (48, 48, 3)).astype(np.float32)


def test_halves_of_either_painting(photo, flat_and_striped):
    content = np.full((36, 48, 3), 0.5, np.float32)
    image = painted(content, list(flat_and_striped), HALVES, content_weight=0.01, steps=40).image
    left, right = image[:, :20], image[:, 28:]
    orange, striped = (style.mean(axis=(0, 1)) for style in flat_and_striped)
    for part, mine, other in ((left, orange, striped), (right, striped, orange)):
        color = part.mean(axis=(0, 1))
        assert np.abs(color - mine).max() < 0.5 * np.abs(color - other).max()
    profiles = [np.std(part.mean(axis=0)[:, 0]) for part in (left, right)]
    assert profiles[1] > 4 * profiles[0]  # stripes there, and none here


def test_what_no_mask_covers_stays_nearly_as_it_is(photo, flat_and_striped):
    """A soft edge and a rest."""
    content = resize(photo, (36, 48))
    mask = np.clip(np.linspace(2, -1, 48, dtype=np.float32), 0, 1)[None, None].repeat(36, 1)
    image = painted(content, [flat_and_striped[0]], mask).image
    away = np.abs(image - content).mean(axis=(0, 2))
    assert away[:12].mean() > 4 * away[36:].mean() and away[36:].mean() < 0.03


def test_masks_follow_the_scales(run, tiny_vgg, photo, painting, other_painting):
    masks = np.stack([np.eye(48, dtype=np.float32)[:35], 0.5 - np.eye(48, dtype=np.float32)[:35] / 2])
    result = painted(photo, [painting, other_painting], masks, scales=2, steps=(3, 2), strength=0.6)
    assert [record["scale"] for record in result.records] == [24] * 3 + [48] * 3
    assert result.image.shape == (35, 48, 3)
    assert all(np.isfinite(value) for value in result.final.figures.values())


# What is refused


@pytest.mark.parametrize(
    ("masks", "words"),
    [
        (np.ones((2, 35, 48)), r"one for each style, at the result's size: \(1, 35, 48\); received \(2, 35, 48\)"),
        (np.ones((1, 45, 61)), r"received \(1, 45, 61\)"),
        (np.ones((35, 48)), r"received \(35, 48\)"),
        (np.full((1, 35, 48), 255), "from 0 to 1 and sum to at most 1"),
        (np.full((1, 35, 48), -0.1), "from 0 to 1 and sum to at most 1"),
        (np.full((1, 35, 48), np.nan), "from 0 to 1 and sum to at most 1"),
    ],
)
def test_masks_that_do_not_fit(photo, painting, masks, words):
    with pytest.raises(InputError, match=words):
        painted(photo, [painting], masks)


def test_masks_that_overlap(photo, painting):
    with pytest.raises(InputError, match="sum to at most 1 at every pixel"):
        painted(photo, [painting, painting], np.full((2, 35, 48), 0.6))


def test_what_masks_do_not_go_with(refusal, photo, painting):
    masks = np.ones((1, 35, 48), np.float32)
    recipe = GatysSettings(size=48)
    said = refusal(optimize, photo, [painting], recipe, masks=masks, style_weights=[1])
    assert said.startswith("weights and masks both say")
    said = refusal(optimize, photo, [painting], GatysSettings(size=48, style_statistic="moments"), masks=masks)
    assert said == "masks need the style_statistic gram; received 'moments'; use gram or leave masks out."
    said = refusal(optimize, None, [painting], GatysSettings(size=48, content_weight=0, init="noise"), masks=masks)
    assert said.startswith("masks say where on the content picture")
