"""Masks of every kind and size to shares, what they leave, and what is refused."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tfstyle.images import Picture
from tfstyle.images.masks import read_masks, rest, shrunk

SHAPE = (45, 61)
quick = settings(deadline=None, max_examples=60, database=None)


def left_half(height=45, width=61):
    """White to the left of the middle, black to the right."""
    mask = np.zeros((height, width), np.uint8)
    mask[:, :width // 2] = 255
    return mask


def soft(seed, height=45, width=61):
    return np.random.default_rng(seed).random((height, width), np.float32)


def test_every_kind_of_mask_gives_the_same_shares(tmp_path):
    mask = left_half()
    Image.fromarray(mask).save(tmp_path / "mask.png")
    file = io.BytesIO()
    Image.fromarray(mask).convert("1").save(file, "PNG")
    white = np.full_like(mask, 255)
    alike = [
        mask, mask / np.float32(255), mask / 255, mask > 0, np.uint16(257) * mask, mask[None, ..., None],
        np.dstack([mask] * 3), np.dstack([mask] * 3 + [white]), np.dstack([white] * 3 + [mask]),
        Image.fromarray(mask), Image.merge("LA", [Image.fromarray(white), Image.fromarray(mask)]),
        Picture(np.dstack([mask / np.float32(255)] * 3)), tmp_path / "mask.png", str(tmp_path / "mask.png"),
        (tmp_path / "mask.png").read_bytes(), file.getvalue(),
    ]
    for one in alike:
        for given_as in (one, [one], (one,)):
            shares = read_masks(given_as, SHAPE, 1)
            assert shares.shape == (1, *SHAPE) and shares.dtype == np.float32
            np.testing.assert_array_equal(shares[0], mask / np.float32(255))


def test_colors_count_by_their_luminance_and_alpha():
    mask = np.zeros((45, 61, 4), np.float32)
    mask[..., 1], mask[..., 3] = 1, 0.5
    np.testing.assert_allclose(read_masks(mask, SHAPE, 1), 0.587 * 0.5, atol=1e-6)
    mask[:, 30:, 3] = 0
    np.testing.assert_array_equal(read_masks(mask, SHAPE, 1)[0, :, 30:], 0)


def test_grays_are_soft_and_the_callers_arrays_stay():
    first, second = 0.4 * soft(1), 0.5 * soft(2)
    for mask in (first, second):
        mask.setflags(write=False)
    shares = read_masks([first, second], SHAPE, 2)
    np.testing.assert_array_equal(shares, [first, second])


@pytest.mark.parametrize("shape", [(2, 2), (3, 4), (23, 31), (90, 122), (300, 407), (900, 1220)])
def test_any_size_becomes_the_wanted_one_smoothly(shape):
    y, x = np.mgrid[0:1:1j * shape[0], 0:1:1j * shape[1]]
    shares = read_masks(np.float32((x + y) / 2), SHAPE, 1)
    assert shares.shape == (1, *SHAPE) and shares.min() >= 0 and shares.max() <= 1
    assert (np.diff(shares[0], axis=0) > -1e-3).all() and (np.diff(shares[0], axis=1) > -1e-3).all()
    assert shares[0, 0, 0] < 0.06 and shares[0, -1, -1] > 0.94


def test_fine_masks_are_averaged_on_their_way_down():
    checks = np.uint8(255) * (np.indices((450, 610)).sum(0) % 2).astype(np.uint8)
    shares = read_masks(checks, SHAPE, 1)[0]
    np.testing.assert_allclose(shares[2:-2, 2:-2], 0.5, atol=0.02)


@quick
@given(st.integers(2, 6), st.integers(1, 70), st.integers(1, 70), st.integers(0, 99))
def test_masks_that_tile_the_picture_leave_nothing_at_any_size(count, height, width, seed):
    random = np.random.default_rng(seed)
    owner = random.integers(0, count, (height, width))
    owner.flat[:count] = np.arange(count)[:owner.size]
    tiles = [owner == number for number in range(count)]
    shape = (3 * height, 3 * width)
    if not all(tile.any() for tile in tiles):
        return
    shares = read_masks(tiles, shape, count)
    assert shares.min() >= 0
    np.testing.assert_allclose(shares.sum(0), 1, atol=1e-6)
    assert not rest(shares).any()


@quick
@given(st.integers(1, 5), st.integers(0, 99), st.floats(0.05, 1), st.booleans())
def test_shares_sum_to_one_at_most_and_keep_their_proportions(count, seed, level, one_fewer):
    given_ = [np.float32(level) * soft(seed + number) for number in range(count)]
    styles = count + one_fewer
    if one_fewer:
        given_ = [mask / count for mask in given_]
    shares = read_masks(given_, SHAPE, styles)
    total = sum(given_)
    assert shares.shape == (styles, *SHAPE) and shares.min() >= 0
    assert shares.sum(0).max() <= 1 + 1e-6
    for share, mask in zip(shares[:count], given_, strict=True):
        np.testing.assert_allclose(share, mask / np.maximum(total, 1), atol=1e-6)
    if one_fewer:
        np.testing.assert_allclose(shares[-1], 1 - total, atol=1 / 500)
        assert not rest(shares).any()
    else:
        np.testing.assert_allclose(rest(shares), np.maximum(1 - total, 0), atol=1 / 500)


def test_the_last_style_takes_what_the_others_leave():
    mask = left_half()
    shares = read_masks([mask], SHAPE, 2)
    np.testing.assert_array_equal(shares, [mask / np.float32(255), 1 - mask / np.float32(255)])
    shares = read_masks([mask, mask], SHAPE, 3)
    np.testing.assert_array_equal(shares[:2], [mask / np.float32(510)] * 2)
    np.testing.assert_array_equal(shares[2], 1 - mask / np.float32(255))


def test_rest_is_exact_where_nothing_is_left():
    shares = np.float32([[[0.3, 0.3, 0, 1]], [[0.7, 0.699, 0, 0]], [[0, 0, 0, 1e-7]]])
    np.testing.assert_array_equal(rest(shares), [[0, 0, 1, 0]])
    np.testing.assert_allclose(rest(shares[:1]), [[0.7, 0.7, 1, 0]])


# Smaller layers


@quick
@given(st.integers(1, 3), st.integers(1, 40), st.integers(1, 40), st.integers(1, 40), st.integers(1, 40))
def test_shrunk_by_area(count, height, width, rows, columns):
    shares = np.stack([soft(seed, height, width) / count for seed in range(count)])
    found = shrunk(shares, (rows, columns))
    assert found.shape == (count, rows, columns) and found.dtype == np.float32
    assert found.min() >= 0 and found.sum(0).max() <= 1 + 1e-5
    np.testing.assert_allclose(found.mean((1, 2)), shares.mean((1, 2)), atol=1e-5)
    whole = shares.repeat(rows, axis=1).repeat(columns, axis=2)
    exact = whole.reshape(count, rows, height, columns, width).mean((2, 4))
    np.testing.assert_allclose(found, exact, atol=1e-5)


def test_shrunk_to_its_own_shape_is_a_copy():
    shares = soft(0)[None]
    found = shrunk(shares, SHAPE)
    np.testing.assert_array_equal(found, shares)
    assert not np.shares_memory(found, shares)


# Refusals


@pytest.mark.parametrize(("number", "count", "wanted"), [
    (0, 1, "one mask for the one style"), (2, 1, "one mask for the one style"),
    (0, 2, "one mask for each of the 2 styles, or one fewer"),
    (3, 2, "one mask for each of the 2 styles, or one fewer"),
    (1, 3, "one mask for each of the 3 styles, or one fewer"),
])
def test_a_wrong_number_of_masks(number, count, wanted, refusal):
    assert refusal(read_masks, [left_half()] * number, SHAPE, count) == f"There must be {wanted}; received {number}."


def test_empty_masks(tmp_path, refusal):
    words = "is black everywhere; paint it white where its style goes, or leave both out."
    path = tmp_path / "empty.png"
    Image.new("L", (61, 45), 1).save(path)
    assert refusal(read_masks, path, SHAPE, 1) == f"mask 1 {str(path)!r} {words}"
    clear = np.full((45, 61, 4), 255, np.uint8)
    clear[..., 3] = 0
    speck = np.zeros((450, 610), np.uint8)
    speck[7, 7] = 60
    for empty in (np.zeros(SHAPE, bool), np.zeros((2, 2)), clear, speck):
        assert refusal(read_masks, [left_half(), empty], SHAPE, 2) == f"mask 2 {words}"
    assert read_masks(np.full(SHAPE, 2, np.uint8), SHAPE, 1).max() == np.float32(2 / 255)


def test_masks_that_leave_nothing_to_the_last_style(refusal):
    said = refusal(read_masks, [left_half(), 255 - left_half()], SHAPE, 3)
    assert said == "The masks leave nothing to the last style; paint them black where it goes."


@pytest.mark.parametrize("shape", [(61, 45), (45, 45), (45, 66), (44, 61 * 2), (1, 1000)])
def test_another_ratio_of_sides(tmp_path, shape, refusal):
    path = tmp_path / "mask.png"
    Image.new("L", shape[::-1], 255).save(path)
    for mask, label in ((path, f"mask 1 {str(path)!r}"), (np.ones(shape, bool), "mask 1")):
        assert refusal(read_masks, mask, SHAPE, 1) == (
            f"{label} is {shape[1]}x{shape[0]} px and the photo 61x45 px, which is another ratio of sides; crop or "
            "stretch the mask to 61x45 px or a multiple."
        )


@pytest.mark.parametrize(("shape", "other"), [
    ((45, 62), SHAPE), ((3000, 4000), (384, 512)), ((333, 500), (341, 512)), ((100, 1), (3000, 20)), ((1, 1), (2, 2)),
    ((2, 3), (341, 512)), ((1000, 1019), (500, 500)),
])
def test_ratios_that_rounding_explains(shape, other):
    np.testing.assert_array_equal(read_masks(np.ones(shape, bool), other, 1), np.ones((1, *other)))


def test_what_is_no_mask(tmp_path, refusal):
    assert refusal(read_masks, [left_half(), None], SHAPE, 2).startswith("mask 2 must be a path, the bytes of a pictur")
    assert refusal(read_masks, tmp_path / "no.png", SHAPE, 1).startswith("mask 1 ")
    assert "does not exist" in refusal(read_masks, tmp_path / "no.png", SHAPE, 1)
    assert "at least 1 px a side" in refusal(read_masks, np.ones((0, 4)), SHAPE, 1)
    assert "NaN" in refusal(read_masks, np.full(SHAPE, np.nan), SHAPE, 1)
    assert "divide them by 255" in refusal(read_masks, np.float32(left_half()), SHAPE, 1)


def test_small_masks_and_large_ones_need_no_photo_s_least_side():
    shares = read_masks(np.array([[True, False], [True, False]]), (40, 50), 1)[0]
    assert (shares[:, :10] == 1).all() and (shares[:, 40:] == 0).all()
    assert (np.diff(shares[20]) <= 0).all(), "soft between, without rings"
    assert read_masks(np.ones((1, 1), bool), (16, 16), 1).min() == 1
