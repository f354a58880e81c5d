"""What lies around the networks inside a graph, against `tfstyle.look` and `tfstyle.images`."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tfstyle import look
from tfstyle.checks import InputError
from tfstyle.export import controls, graph
from tfstyle.images import masks as python_masks

BOUNDS = graph.Bounds(pixels=80 * 60, pictures=3)
MASKS, PICTURE, INT = tf.TensorSpec((None,) * 3), tf.TensorSpec((None, None, 3)), tf.TensorSpec((), tf.int32)
quick = settings(deadline=None, max_examples=25, database=None, derandomize=True)
small = st.integers(1, 40)


def compiled(function, *specs):
    return tf.function(function, input_signature=specs, autograph=False).get_concrete_function()


shares = compiled(controls.shares, MASKS, INT, INT)
finished = compiled(controls.finished, PICTURE, PICTURE, tf.TensorSpec((), tf.string), MASKS)
checked_masks = compiled(
    lambda masks, count: controls.checked_masks(masks, count, BOUNDS), tf.TensorSpec((None,) * 4), INT
)
checked_colors = compiled(controls.checked_colors, tf.TensorSpec((None,), tf.string))
checked_strength = compiled(controls.checked_strength, tf.TensorSpec((None,)))


def of(masks, shape):
    """Shares of masks (S, h, w) in the graph, and as Python reads them where it does not refuse them."""
    found = shares(tf.constant(masks), *(tf.constant(side) for side in shape)).numpy()
    try:
        return found, python_masks.read_masks(list(masks), shape, len(masks))
    except InputError:
        return found, None


def in_graph(painted, photo, color, regions):
    return finished(*map(tf.constant, (painted, photo, color, regions))).numpy()


def in_python(painted, photo, color, regions=None):
    return look.finished(painted, photo, look.Look(color=color, color_when="after"), regions)


@pytest.fixture(scope="module")
def regions(photo):
    """Three soft regions that leave something out on the right, and of which one has no pixel."""
    x = np.linspace(0, 1, photo.shape[1], dtype=np.float32)
    rows = np.stack([np.clip(1.5 - 3 * x, 0, 1), 0 * x, np.clip(3 * x - 0.5, 0, 1)])
    rows /= np.maximum(rows.sum(axis=0), 1)
    rows[:, 50:] *= np.linspace(1, 0, 11, dtype=np.float32)
    return np.repeat(rows[:, None], photo.shape[0], axis=1)


@pytest.fixture(scope="module")
def painted(photo, other_painting):
    """What a network could have made of the photo."""
    squares = np.tile(other_painting, (2, 1, 1))[:45, :61]
    return (0.6 * squares + 0.4 * photo[::-1] ** 2).astype(np.float32)


# Regions


@pytest.mark.parametrize("size", [(45, 61), (90, 122), (23, 31), (9, 12)])
def test_shares_are_python_s(size):
    masks = np.random.default_rng(5).random((3, *size), np.float32) ** 3
    found, wanted = of(masks, (45, 61))
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5)
    assert found.sum(axis=0).max() <= 1 + 1e-6 and (found.sum(axis=0) < 0.99).any()


def test_masks_at_the_photo_s_size_are_taken_as_they_are():
    masks = np.float32([[[0.2, 0.5], [0, 1]], [[0.3, 0.5], [0, 0]]])
    np.testing.assert_array_equal(of(masks, (2, 2))[0], masks)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (7, 1)])
def test_a_mask_of_any_ratio_is_stretched(shape):
    found, _ = of(np.ones((1, *shape), np.float32), (45, 61))
    np.testing.assert_allclose(found, 1, rtol=0, atol=1e-6)


@quick
@given(small, small, small, small, st.integers(1, 4))
def test_shares_are_shares_at_any_size(height, width, new_height, new_width, count):
    masks = np.random.default_rng([height, width]).integers(0, 2, (count, height, width)).astype(np.float32)
    found, wanted = of(masks, (new_height, new_width))
    assert found.min() >= 0 and found.sum(axis=0).max() <= 1 + 1e-6
    if wanted is not None:
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-4)


# Colors


@pytest.mark.parametrize("color", controls.COLORS)
def test_finished_as_python_finishes(photo, painted, regions, color):
    found = in_graph(painted, photo, color, regions)
    wanted = in_python(painted, photo, color, regions[[0, 2]])  # Python refuses a region without a pixel
    np.testing.assert_allclose(found, wanted, rtol=0, atol=2e-6)
    np.testing.assert_array_equal(found[:, -1], photo[:, -1])
    if color != "style":
        assert np.abs(found - in_graph(painted, photo, "style", regions)).max() > 0.05


@pytest.mark.parametrize("color", controls.COLORS)
def test_one_region_that_is_all_of_it(photo, painted, color):
    found = in_graph(painted, photo, color, np.ones((1, 45, 61), np.float32))
    np.testing.assert_allclose(found, in_python(painted, photo, color), rtol=0, atol=2e-6)


FLAT = {
    "gray": (0.5, 0.5, 0.5), "black": (0, 0, 0), "white": (1, 1, 1), "saturated": (1, 0, 0), "skin": (0.8, 0.6, 0.5),
}


@pytest.mark.parametrize("color", ["luminance", "match"])
@pytest.mark.parametrize("flat", FLAT)
@pytest.mark.parametrize("which", ["painted", "photo", "both"])
def test_flat_and_saturated_pictures(photo, painted, color, flat, which):
    """Limits of the gain and the least variance are Python's; noise of a step of 8 bits shows them."""
    noise = np.random.default_rng(1).integers(0, 2, painted.shape).astype(np.float32) / 255
    one = np.clip(np.float32(FLAT[flat]) + noise, 0, 1)
    pair = {"painted": (one, photo), "photo": (painted, one), "both": (one, one[::-1])}[which]
    found = in_graph(*pair, color, np.ones((1, 45, 61), np.float32))
    np.testing.assert_allclose(found, in_python(*pair, color), rtol=0, atol=5e-6)


def test_without_any_noise(photo):
    flat = np.full_like(photo, 0.25)
    found = in_graph(flat, photo, "match", np.ones((1, 45, 61), np.float32))
    np.testing.assert_allclose(found, in_python(flat, photo, "match"), rtol=0, atol=5e-6)
    np.testing.assert_allclose(found[0, 0], photo.mean((0, 1)), rtol=0, atol=1e-5)


# Refusals


def test_strength(told):
    np.testing.assert_array_equal(checked_strength(tf.constant([0.0, 0.3, 1.0])), np.float32([0, 0.3, 1]))
    assert told(checked_strength, tf.constant([0.5, 1.5])) == "strength must be from 0 to 1; received [0.5 1.5]."


def test_colors(told):
    assert checked_colors(tf.constant(list(controls.COLORS))).numpy().tolist() == [b"style", b"luminance", b"match"]
    assert set(look.COLORS) - set(controls.COLORS) == {"histogram"}
    assert told(checked_colors, tf.constant(["style", "histogram"])) == (
        "color must not be histogram here, which sorts all pixels; use tfstyle.serving.Client, or the color match."
    )
    for colors, shown in ((["match", "blue", "red"], "blue"), (["x" * 10**6], "x" * 20), ([""], "")):
        said = told(checked_colors, tf.constant(colors))
        assert said == f"color must be style, luminance or match; received {shown}."


@pytest.mark.parametrize(("shape", "count", "sentence"), [
    ((1, 2, 4, 4), 3, "masks must be one for each style of style_code; received 2 and 3."),
    ((1, 0, 4, 4), 1, "masks must be one for each style of style_code; received 0 and 1."),
    ((1, 1, 61, 80), 1, "masks must be of 1 px a side or more and up to 4800 pixels; received 80x61 px."),
    ((1, 1, 4, 0), 1, "masks must be of 1 px a side or more and up to 4800 pixels; received 0x4 px."),
    ((2, 1, 4, 4), 1, "masks must leave each picture some place that is white, where a style goes; all of one are "
                      "black."),
])
def test_shapes_of_masks(told, shape, count, sentence):
    masks = np.ones(shape, np.float32)
    masks[1:] = 0
    assert told(checked_masks, tf.constant(masks), tf.constant(count)) == sentence


@pytest.mark.parametrize(("value", "shown"), [(np.nan, ""), (np.inf, "0 to inf"), (-1, "-1 to 0"), (255, "0 to 255")])
def test_values_of_masks(told, value, shown):
    masks = np.zeros((1, 2, 3, 3), np.float32)
    masks[0, 1, 1, 1] = value
    said = told(checked_masks, tf.constant(masks), tf.constant(2))
    assert said.startswith("masks must be float32 in [0, 1], all of it finite; received ") and shown in said


def test_a_style_may_have_no_place_and_rounding_is_clipped():
    masks = np.zeros((2, 3, 4, 5), np.float32)
    masks[:, 1], masks[0, 2] = 1.05, -0.05
    found = checked_masks(tf.constant(masks), tf.constant(3)).numpy()
    np.testing.assert_array_equal(found, masks.clip(0, 1))
