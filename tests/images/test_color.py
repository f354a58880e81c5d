"""Colors after another picture's: moments that match, luminance kept, edges and refusals."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfstyle.images import color
from tfstyle.images.color import (
    luminance,
    match_covariance,
    match_histograms,
    match_luminance,
    recolor,
    with_luminance,
)


def noise(*shape, seed=0, levels=None):
    random = np.random.default_rng(seed)
    if levels is None:
        return random.random((*shape, 3), np.float32)
    return np.float32(random.integers(0, levels, (*shape, 3)) / np.float32(255))


@pytest.mark.parametrize("match", [match_histograms, match_covariance, match_luminance])
@pytest.mark.parametrize("weights", [
    np.ones((4, 5), bool), np.zeros((4, 4), bool), np.zeros((4, 4)), np.ones((4, 4), int), np.full((4, 4), np.nan),
    np.full((4, 4), np.inf), np.full((4, 4), -1.0), np.ones((4, 4, 1)),
])
def test_weights_that_do_not_work(match, weights, refusal):
    for both in ((weights, None), (None, weights)):
        said = refusal(match, noise(4, 4), noise(4, 4), *both)
        assert said.startswith("what pixels weigh must be bool or float of shape (4, 4), at least 0 and not 0 everywhe")
        assert f"received {weights.dtype} of {weights.shape}." in said


@pytest.mark.parametrize(("picture", "reference", "words"), [
    (noise(4, 4)[..., 0], noise(4, 4), "the picture to match must be float32 or uint8 of shape (H, W, 3); received "),
    (noise(4, 4), noise(4, 4).astype(float), "the reference to match must be float32 or uint8 of shape (H, W, 3)"),
    (noise(4, 4), noise(0, 4), "the reference to match must be float32 or uint8 of shape (H, W, 3); rece"),
    (np.full((2, 2, 3), np.nan, np.float32), noise(4, 4), "the picture to match holds NaN or infinite values; "),
])
@pytest.mark.parametrize("match", [match_histograms, match_covariance, match_luminance])
def test_what_cannot_be_matched(match, picture, reference, words, refusal):
    assert refusal(match, picture, reference).startswith(words)


# All of them


EDGES = {
    "noise": noise(13, 17),
    "flat": np.full((13, 17, 3), 0.4, np.float32),
    "one color": np.broadcast_to(np.float32([0.9, 0.2, 0.1]), (13, 17, 3)),
    "black": np.zeros((13, 17, 3), np.float32),
    "gray": noise(13, 17)[..., :1].repeat(3, axis=2),
    "two colors": np.where(noise(13, 17, seed=3)[..., :1] < 0.5, np.float32([1, 0, 0]), np.float32([0, 0, 1])),
    "saturated": np.float32(noise(13, 17, seed=4) > 0.5),
    "nearly flat": np.float32(0.5) + np.float32(1e-4) * noise(13, 17, seed=5),
}
EDGES = {name: np.ascontiguousarray(picture, np.float32) for name, picture in EDGES.items()}


@pytest.mark.parametrize("how", color.WAYS)
@pytest.mark.parametrize("name", EDGES)
@pytest.mark.parametrize("other", EDGES)
def test_any_picture_after_any_other(how, name, other):
    picture, reference = EDGES[name], EDGES[other]
    found = recolor(picture, reference, how)
    assert found.dtype == np.float32 and found.shape == picture.shape
    assert np.isfinite(found).all() and found.min() >= 0 and found.max() <= 1
    if name == other:
        np.testing.assert_allclose(found, picture, atol=1e-3)
    elif how == "match" and name not in ("saturated", "two colors"):  # which clip much
        wanted = reference.mean(axis=(0, 1))
        np.testing.assert_allclose(found.mean(axis=(0, 1)), wanted, atol=0.03)


sides, amounts = st.integers(1, 9), st.sampled_from([1, 2, 5, 256, None])


@settings(deadline=None, max_examples=60, database=None)
@given(sides, sides, sides, sides, amounts, amounts, st.integers(0, 99), st.booleans())
def test_whatever_comes_in_comes_out_as_a_picture(height, width, rows, columns, levels, others, seed, weighed):
    picture = noise(height, width, seed=seed, levels=levels)
    reference = noise(rows, columns, seed=seed + 1, levels=others)
    random = np.random.default_rng(seed)
    weights = random.random((height, width), np.float32) if weighed else None
    for match in (match_covariance, match_luminance, match_histograms):
        found = match(picture, reference, weights)
        assert found.dtype == np.float32 and found.shape == picture.shape
        assert np.isfinite(found).all() and found.min() >= 0 and found.max() <= 1
    np.testing.assert_allclose(match_covariance(picture, picture, weights, weights), picture, atol=1e-3)


@pytest.mark.parametrize("how", color.WAYS)
def test_of_bytes_the_result_is_bytes(how):
    picture, reference = noise(21, 16, levels=256), noise(21, 16, seed=1, levels=256)
    wanted = recolor(picture, reference, how)
    bytes_, others = np.uint8(np.rint(255 * picture)), np.uint8(np.rint(255 * reference))
    for other in (others, reference):
        found = recolor(bytes_, other, how)
        assert found.dtype == np.uint8
        # Between covariance and histogram bytes are rounded, which moves some pixels by a rank.
        np.testing.assert_allclose(found, np.rint(255 * wanted), atol=16 if how == "histogram" else 0)
    np.testing.assert_array_equal(recolor(picture, others, how), wanted)


@pytest.mark.parametrize("how", color.WAYS)
def test_by_rows_as_at_once_and_the_pictures_stay(monkeypatch, how):
    picture, reference = noise(23, 11), noise(23, 11, seed=1)
    picture.setflags(write=False), reference.setflags(write=False)
    wanted, gray = recolor(picture, reference, how), luminance(picture)
    monkeypatch.setattr(color, "_AT_ONCE", 40)
    np.testing.assert_allclose(recolor(picture, reference, how), wanted, atol=1e-6)
    np.testing.assert_array_equal(luminance(picture), gray)


def test_recolor_is_the_functions(photo, painting, refusal):
    share = np.random.default_rng(1).random(photo.shape[:2], np.float32)
    other = np.random.default_rng(2).random(painting.shape[:2], np.float32)
    near = match_covariance(photo, painting, share, other)
    for how, wanted in (("match", near), ("histogram", match_histograms(near, painting, share, other))):
        found = recolor(photo, painting, how, share, other)
        np.testing.assert_array_equal(found, wanted)
        assert (found != recolor(photo, painting, how)).any()
    mirrored = np.ascontiguousarray(photo[:, ::-1])
    np.testing.assert_array_equal(recolor(photo, mirrored, "luminance"), with_luminance(photo, mirrored))
    assert "did you mean 'histogram'?" in refusal(recolor, photo, painting, "histograms")


# Mean and covariance


def moments(picture, weights=None):
    values = picture.reshape(-1, 3).astype(np.float64)
    weights = None if weights is None else weights.ravel()
    return np.average(values, axis=0, weights=weights), np.cov(values.T, ddof=0, aweights=weights)


def mild(height, width, seed, spread=0.06):
    """Correlated colors around the middle, which nothing clips."""
    random = np.random.default_rng(seed)
    mixing = np.eye(3) + 0.4 * random.random((3, 3))
    colors = random.uniform(-1, 1, (height, width, 3)) @ mixing
    return np.float32(0.4 + 0.2 * random.random(3) + spread * colors)


@settings(deadline=None, max_examples=40, database=None)
@given(st.integers(4, 20), st.integers(4, 20), st.integers(0, 99), st.booleans())
def test_moments_become_the_reference_s_where_nothing_clips(height, width, seed, weighed):
    picture, reference = mild(height, width, seed), mild(15, 11, seed + 1, 0.09)
    random = np.random.default_rng(seed)
    weights, others = random.random((height, width)), random.random((15, 11))
    if not weighed:
        weights = others = None
    found = match_covariance(picture, reference, weights, others)
    if 0 < found.min() and found.max() < 1:
        for ours, theirs in zip(moments(found, weights), moments(reference, others), strict=True):
            np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_of_all_such_maps_this_one_moves_colors_least():
    """It is symmetric with positive eigenvalues, by which the least map is known; another root does not."""
    picture, reference = mild(30, 30, 1), mild(30, 30, 7)
    gain = np.linalg.lstsq(
        (picture - picture.mean((0, 1))).reshape(-1, 3),
        (match_covariance(picture, reference) - reference.mean((0, 1))).reshape(-1, 3),
    )[0]
    np.testing.assert_allclose(gain, gain.T, atol=1e-3)
    assert (np.linalg.eigvalsh(gain) > 0).all()
    (_, ours), (_, theirs) = moments(picture), moments(reference)
    cholesky = np.linalg.cholesky(theirs) @ np.linalg.inv(np.linalg.cholesky(ours))
    assert np.trace(gain @ ours) > np.trace(cholesky @ ours) + 1e-5


def test_weights_may_take_a_region():
    picture, reference = noise(12, 30), mild(12, 30, 3)
    left = np.zeros((12, 30), np.float32)
    left[:, :11] = 0.7
    found = match_covariance(picture, reference, left, left)
    part = match_covariance(*(np.ascontiguousarray(one[:, :11]) for one in (picture, reference)))
    np.testing.assert_allclose(found[:, :11], part, atol=1e-5)
    assert np.ptp(found[:, 11:], axis=(0, 1)).min() > 0.1, "the others are mapped along"


def test_noise_of_a_flat_picture_grows_fourfold_at_most():
    random = np.random.default_rng(0)
    flat = np.float32(0.5 + 0.002 * random.standard_normal((40, 40, 3)))
    for match, scale in ((match_covariance, 0.002), (match_luminance, 0.002)):
        found = match(flat, noise(40, 40))
        assert found.std(axis=(0, 1)).max() < 4.2 * scale
        assert abs(found.mean() - 0.5) < 0.02
    foggy = np.float32(0.5 + 0.2 * (noise(40, 40) - 0.5))
    for ours, theirs in zip(moments(match_covariance(foggy, mild(40, 40, 1, 0.15))), moments(mild(40, 40, 1, 0.15))):
        np.testing.assert_allclose(ours, theirs, atol=1e-3)


def test_after_a_gray_picture_a_picture_is_gray():
    gray = mild(20, 20, 1)[..., :1].repeat(3, axis=2)
    found = match_covariance(mild(30, 30, 2), gray)
    assert np.ptp(found, axis=-1).max() < 0.5 / 255
    assert abs(found.std() - gray.std()) < 1e-3


def test_of_a_gray_picture_a_few_colors_stay():
    """A stamp on a gray page, with the page as its own reference but for that."""
    page = noise(60, 60)[..., :1].repeat(3, axis=2)
    stamped = page.copy()
    stamped[7, 9] = (1, 0, 0)
    np.testing.assert_allclose(match_covariance(stamped, stamped), stamped, atol=1e-4)
    there = np.ones((60, 60))
    there[7, 9] = 0
    found = match_covariance(stamped, page, there)
    assert np.ptp(found[7, 9]) > 0.9, "what does not vary is not shrunk"


# Luminance


def test_luminance_is_that_of_rec_601(photo):
    np.testing.assert_allclose(luminance(photo), photo @ np.float32([0.299, 0.587, 0.114]), atol=1e-6)
    gray = noise(9, 9)[..., :1].repeat(3, axis=2)
    np.testing.assert_array_equal(luminance(gray), gray[..., 0])
    levels = np.arange(256, dtype=np.uint8)[None, :, None].repeat(3, axis=2)
    np.testing.assert_array_equal(luminance(levels)[0], np.arange(256, dtype=np.float32) / 255)


@settings(deadline=None, max_examples=60, database=None)
@given(sides, sides, amounts, amounts, st.integers(0, 99))
def test_with_luminance_keeps_it_and_the_hue(height, width, levels, others, seed):
    first, second = noise(height, width, seed=seed, levels=levels), noise(height, width, seed=seed + 1, levels=others)
    first[0, 0], second[-1, -1] = (0, 0, 1), (1, 1, 0)
    found = with_luminance(first, second)
    assert found.dtype == np.float32 and found.min() >= 0 and found.max() <= 1
    np.testing.assert_allclose(luminance(found), luminance(first), atol=1e-6)
    chroma, wanted = (one - luminance(one)[..., None] for one in (found, second))
    share = (chroma * wanted).sum(-1) / np.maximum((wanted**2).sum(-1), 1e-12)
    assert (share > -1e-4).all() and (share < 1 + 1e-4).all()
    np.testing.assert_allclose(chroma, share[..., None] * wanted, atol=1e-5)
    outside = luminance(first)[..., None] + wanted
    inside = (outside >= 0).all(-1) & (outside <= 1).all(-1)
    np.testing.assert_allclose(share[inside & (np.abs(wanted).max(-1) > 1e-3)], 1, atol=1e-3)
    limits = np.minimum(found, 1 - found).min(-1)
    np.testing.assert_allclose(limits[~inside], 0, atol=1e-6, err_msg="as much of the color as there is room for")


def test_with_luminance_of_gray_and_of_the_same(photo):
    np.testing.assert_allclose(with_luminance(photo, photo), photo, atol=1e-6)
    gray = luminance(photo)[..., None].repeat(3, axis=2)
    np.testing.assert_allclose(with_luminance(photo, gray), gray, atol=1e-6)
    np.testing.assert_allclose(with_luminance(gray, photo), photo, atol=1e-6)


def test_unlike_shapes_have_no_common_luminance(photo, painting, refusal):
    said = refusal(with_luminance, photo, painting)
    assert said == "luminance and colors must be of pictures of one shape; received (45, 61, 3) and (56, 48, 3)."


def test_luminance_takes_the_reference_s_mean_and_deviation():
    picture, reference = mild(20, 30, 1), mild(9, 9, 2, 0.1)
    random = np.random.default_rng(0)
    for weights, others in ((None, None), (random.random((20, 30)), random.random((9, 9)))):
        found = match_luminance(picture, reference, weights, others)
        assert (found == found[..., :1]).all()
        ours, theirs = (
            moments(luminance(one)[..., None].repeat(3, axis=2), weight)
            for one, weight in ((found, weights), (reference, others))
        )
        np.testing.assert_allclose(ours[0], theirs[0], atol=1e-5)
        np.testing.assert_allclose(ours[1], theirs[1], atol=1e-5)
    order = np.argsort(luminance(picture), axis=None)
    assert (np.diff(found[..., 0].ravel()[order]) >= -1e-6).all()


def test_luminance_of_a_flat_picture_becomes_the_mean():
    flat, reference = np.full((5, 7, 3), 0.25, np.float32), noise(9, 9)
    np.testing.assert_allclose(match_luminance(flat, reference), luminance(reference).mean(), atol=1e-5)
    found = match_luminance(reference, flat)
    np.testing.assert_allclose(found, 0.25, atol=1e-3)
