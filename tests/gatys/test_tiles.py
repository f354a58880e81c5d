"""Losses and gradient strip by strip: those of the whole picture."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tfstyle.checks import InputError
from tfstyle.gatys import GatysSettings, checkpoint, memory, optimize
from tfstyle.gatys.objective import Objective
from tfstyle.gatys.tiles import TiledObjective, halo, strips
from tfstyle.images import resize

SHALLOW = dict(content_layers="relu2_1", style_layers=("relu1_1", "conv2_1"))
NARROW = 48 * 64  # pixels: strips of 16 px and their margins, across pictures 64 px wide


# Geometry


@pytest.mark.parametrize(
    ("layers", "network", "wanted"),
    [
        (("relu1_1",), "vgg19", (16, 16)),  # sees 1 px around its own
        (("conv2_1", "relu1_1"), "vgg19", (16, 16)),  # 2 + 2
        (("relu4_2",), "vgg19", (48, 16)),  # 2 + 4 + 16 + 16
        (("block5_conv1", "relu4_2"), "vgg19", (80, 16)),  # 2 + 4 + 16 + 32 + 16
        (("relu5_1",), "vgg16", (64, 16)),  # 2 + 4 + 12 + 24 + 16
        (("pool4",), "vgg19", (64, 16)),  # 2 + 4 + 16 + 32
        (("block5_pool",), "vgg19", (128, 32)),  # and 64, in steps of 32
    ],
)
def test_margins_hold_all_that_a_layer_sees(layers, network, wanted):
    assert halo(layers, network) == wanted


@settings(deadline=None, max_examples=150, database=None)
@given(
    height=st.integers(16, 700), width=st.integers(16, 700), pixels=st.integers(1, 300_000),
    cells=st.integers(1, 8), grid=st.sampled_from([16, 32]),
)
def test_strips_part_a_picture(height, width, pixels, cells, grid):
    margin = cells * grid
    found = strips(height, width, pixels, margin, grid)
    own = np.zeros((height, width), int)
    for part in found:
        own[part.own] += 1
        sides = []
        for inner, outer, side in zip(part.own, part.seen, (height, width), strict=True):
            # Margins that end before the picture does are whole, and pooling meets the pixels that it would.
            assert outer.start == max(0, inner.start - margin) and outer.stop == min(side, inner.stop + margin)
            assert inner.start % grid == outer.start % grid == 0
            sides.append(outer.stop - outer.start)
        if len(found) > 1:
            assert max(inner.stop - inner.start for inner in part.own) >= grid
            narrow = (2 * margin + 2 * grid) * min(height, width)  # the last one also has what fills no cell
            assert np.prod(sides) <= max(pixels + grid * min(height, width), narrow)
    assert (own == 1).all()
    assert (len(found) == 1) == (height * width <= pixels or max(height, width) < 2 * grid)


def test_small_pictures_are_one_strip():
    assert len(strips(96, 64, 96 * 64, 16, 16)) == 1
    assert [part.own[0] for part in strips(96, 64, 96 * 64 - 1, 16, 16)] == [slice(0, 48), slice(48, 96)]
    assert [part.own[1] for part in strips(40, 100, 1, 16, 16)] == [
        slice(0, 16), slice(16, 32), slice(32, 48), slice(48, 64), slice(64, 80), slice(80, 100)
    ]


# The same losses and gradient


@pytest.fixture
def pictures(photo, painting, other_painting):
    """Image, content and two styles; the image's sides are no multiples of 16."""
    content = resize(photo, (107, 61))
    return resize(painting, (107, 61)) * 0.6 + 0.2, content, [resize(painting, (50, 110)), other_painting]


@pytest.fixture
def shares():
    """Two soft regions that meet and leave a rest."""
    y = np.linspace(0, 1, 107, dtype=np.float32)[:, None].repeat(61, 1)
    return np.stack([np.clip(1.5 - 3 * y, 0, 1), np.clip(3 * y - 1.8, 0, 0.7)])


def both(recipe, pixels, shares, pictures, **options):
    """(total, raw, gradient) by the whole picture, and by strips."""
    image, content, styles = pictures
    for objective in (
        Objective(recipe, (0.75, 0.25), **options),
        TiledObjective(recipe, (0.75, 0.25), pixels=pixels, **options),
    ):
        if pixels and isinstance(objective, TiledObjective):
            assert len(objective.strips(objective.whole_steps(tf.constant(image[None])))) > 2
        yield objective.value_and_gradient(
            tf.constant(image[None]), objective.measure_content(content, shares),
            [objective.measure(style) for style in styles],
        )


def assert_same(whole, tiled, rtol=1e-4):
    np.testing.assert_allclose(tiled[0], whole[0], rtol=rtol)
    assert list(tiled[1]) == list(whole[1])
    for name, value in whole[1].items():
        np.testing.assert_allclose(tiled[1][name], value, rtol=rtol, err_msg=name)
    difference = np.abs(tiled[2] - whole[2]).max()
    assert tiled[2].shape == whole[2].shape and difference < rtol * np.abs(whole[2]).max()


@pytest.mark.parametrize("regions", [False, True], ids=["whole", "regions"])
@pytest.mark.parametrize(
    "other",
    [
        {},
        dict(padding="zero", content_normalization="mean", style_normalization="paper"),
        dict(padding="replicate", content_normalization="positions", tv_weight=0.0, strength=0.3),
        dict(content_normalization="paper", style_layer_weights=(0.0, 1.0), tv_kind="squared"),
        dict(content_weight=0.0),
        dict(style_weight=0.0),
    ],
    ids=lambda other: "-".join(other) or "default",
)
def test_strips_add_up_to_the_whole(tiny_vgg, pictures, shares, other, regions):
    recipe = GatysSettings(**SHALLOW | other)
    assert_same(*both(recipe, NARROW, shares if regions else None, pictures))


def test_the_margins_are_needed(tiny_vgg, pictures, monkeypatch):
    """So that what the test above compares does depend on them."""
    monkeypatch.setattr("tfstyle.gatys.tiles.halo", lambda *_: (0, 16))
    whole, tiled = both(GatysSettings(**SHALLOW), NARROW, None, pictures)
    assert np.abs(tiled[2] - whole[2]).max() > 0.01 * np.abs(whole[2]).max()


def test_reports_are_the_same(tiny_vgg, pictures, shares):
    image, content, styles = pictures
    recipe = GatysSettings(**SHALLOW)
    for regions in (None, shares):
        whole, tiled = (
            objective.report(image, content, styles, regions)
            for objective in (
                Objective(recipe, (0.75, 0.25), plain=True),
                TiledObjective(recipe, (0.75, 0.25), pixels=1, plain=True),
            )
        )
        for mine, others in zip(tiled, whole, strict=True):
            assert list(mine) == list(others)
            for name, value in others.items():
                np.testing.assert_allclose(mine[name], value, rtol=1e-4, err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize("regions", [False, True], ids=["whole", "regions"])
@pytest.mark.parametrize("shape", [(160, 96), (96, 160)])
def test_strips_of_16_px_through_vgg_19(photo, painting, other_painting, regions, shape):
    pictures = resize(painting, shape) * 0.6 + 0.2, resize(photo, shape), [painting, resize(other_painting, (200, 320))]
    shares = np.zeros((2, *shape), np.float32)
    shares[0, :70], shares[1, 40:, 50:] = 0.5, 0.5
    whole, tiled = both(GatysSettings(), 1, shares if regions else None, pictures)
    assert_same(whole, tiled)


# Runs


@pytest.fixture
def narrow(monkeypatch):
    """Makes strips of pictures of any size."""
    monkeypatch.setattr(memory, "MOST", dict.fromkeys(memory.MOST, NARROW))


def test_a_run_in_strips_is_the_run(run, tiny_vgg, narrow, photo, painting):
    """And strips arise only where they are asked for."""
    options = dict(size=107, scales=2, steps=3, tv_weight=0.1, **SHALLOW)
    parts = []
    with pytest.MonkeyPatch.context() as patch:
        cut = TiledObjective._cut
        patch.setattr(TiledObjective, "_cut", lambda self, *args: parts.append(args[0]) or cut(self, *args))
        whole = run(photo, [painting], tiled="no", **options)
        auto = run(photo, [painting], tiled="auto", **options)
        assert not parts
        tiled = run(photo, [painting], tiled="yes", **options)
    assert len(parts) > 20
    np.testing.assert_array_equal(auto.image, whole.image)
    np.testing.assert_allclose(tiled.image, whole.image, atol=1e-3)
    for name, value in whole.final.figures.items():
        np.testing.assert_allclose(tiled.final.figures[name], value, rtol=1e-3)


def test_a_resumed_run_keeps_its_strips(tiny_vgg, monkeypatch, tmp_path, photo, painting):
    """Memory that has become more or less meanwhile changes no bit."""
    recipe = GatysSettings(size=107, scales=2, steps=3, precision="float32", tiled="yes", **SHALLOW)
    masks = np.full((1, 79, 107), 0.8, np.float32)
    monkeypatch.setitem(memory.MOST, "float32", NARROW)
    whole = optimize(photo, [painting], recipe, masks=masks, report=False)
    first, path = memory.check_fits(79, 107, recipe, "float32", 1), tmp_path / "run.npz"
    for step, most in ((2, NARROW), (5, 2 * NARROW), (9, 4 * NARROW)):  # in the last all of the picture
        monkeypatch.setitem(memory.MOST, "float32", most)
        resumed = optimize(
            photo, [painting], recipe, masks=masks, checkpoint=path, callback=lambda record: record.step == step,
            report=False,
        )
        assert checkpoint.read(path)[1]["strip"] == first
    assert memory.check_fits(79, 107, recipe, "float32", 1) > first
    np.testing.assert_array_equal(resumed.image, whole.image)
    with pytest.raises(InputError, match="differs in masks;"):
        optimize(photo, [painting], recipe, masks=masks / 2, checkpoint=path)


def test_strips_need_gram_matrices(refusal):
    said = refusal(GatysSettings, tiled="yes", style_statistic="mmd")
    assert said == "tiled yes needs the style_statistic gram; received 'mmd'; use gram or tiled auto."
    for tiled in ("auto", "no"):
        GatysSettings(tiled=tiled, style_statistic="mmd")
