"""Optical flow, what it brings along, and what of it is not to be trusted."""

import sys

import numpy as np
import pytest

from tfstyle.images.flow import check_opencv, flow, steadied, trust, visible, warped

cv2 = pytest.importorskip("cv2", reason="needs tfstyle[video]")


def texture(height=96, width=128, seed=0):
    """Blurred noise, (H, W, 3) uint8: something to follow everywhere."""
    noise = np.random.default_rng(seed).random((height, width, 3), np.float32)
    soft = cv2.GaussianBlur(noise, (0, 0), 2.5)
    return np.uint8(255 * ((soft - 0.5) * 5 + 0.5).clip(0, 1))


def moved(picture, right, down=0):
    return np.roll(picture, (down, right), (0, 1))


@pytest.fixture
def passing():
    """A square that passes before a still background: (frame, the one before, back, forth)."""
    before, frame = texture(), texture()
    before[30:60, 30:60] = frame[30:60, 38:68] = texture(30, 30, seed=1)
    return frame, before, flow(frame, before), flow(before, frame)


def test_flow_says_where_a_pixel_was():
    before = texture()
    back = flow(moved(before, 3, 2), before)
    assert back.shape == (96, 128, 2) and back.dtype == np.float32
    np.testing.assert_allclose(np.median(back[10:-10, 10:-10], axis=(0, 1)), [-3, -2], atol=0.1)
    assert np.abs(flow(before, before)).max() < 0.2


@pytest.mark.parametrize("shape", [(16, 16), (16, 200), (31, 40)])
def test_flow_of_small_frames(shape):
    before = texture(*shape)
    back = flow(moved(before, 1), before)
    assert back.shape == (*shape, 2) and np.isfinite(back).all()
    assert abs(np.median(back[4:-4, 4:-4, 0]) + 1) < 0.3


def test_warping_brings_a_picture_to_its_frame():
    picture = texture().astype(np.float32) / 255
    back = np.zeros((96, 128, 2), np.float32)
    np.testing.assert_allclose(warped(picture, back), picture, atol=1e-5)
    back[..., 0], back[..., 1] = -4, 2
    np.testing.assert_allclose(warped(picture, back)[4:-8, 8:-4], moved(picture, 4, -2)[4:-8, 8:-4], atol=1e-5)
    assert warped(picture[..., 0], back, smooth=True).shape == (96, 128)


def test_lanczos_stays_sharper_than_a_line():
    picture = texture().astype(np.float32) / 255
    kept = {}
    for smooth in (False, True):
        result = picture
        for number in range(10):
            back = np.full((96, 128, 2), 0.5 if number % 2 else -0.5, np.float32)
            result = warped(result, back, smooth)
        kept[smooth] = np.abs(result - picture)[10:-10, 10:-10].mean()
    assert kept[False] < 0.2 * kept[True]


def test_what_has_come_into_view_is_not_visible_before(passing):
    _, _, back, forth = passing
    seen = visible(back, forth)
    assert seen.dtype == bool
    assert not seen[35:55, 31:36].any()  # uncovered behind the square
    assert seen[35:55, 45:60].mean() > 0.95 and seen[:, 90:].mean() > 0.95


def test_what_comes_from_beyond_the_border_is_not_visible():
    before = texture()
    frame = moved(before, 6)
    seen = visible(flow(frame, before), flow(before, frame))
    assert not seen[:, :4].any() and seen[10:-10, 20:-20].mean() > 0.95


def test_trust_follows_what_is_visible_and_alike(passing):
    frame, before, back, forth = passing
    seen = visible(back, forth)
    trusted = trust(frame, before, back, seen)
    assert trusted.dtype == np.float32 and trusted.min() >= 0 and trusted.max() <= 1
    assert trusted[35:55, 31:36].max() == 0 and trusted[:, 90:].mean() > 0.9
    noisy = np.uint8((frame + np.random.default_rng(3).normal(0, 3, frame.shape)).clip(0, 255))
    assert trust(noisy, before, back, seen)[:, 90:].mean() > 0.8  # the grain of a sensor
    lit = np.uint8((frame * 0.5).clip(0, 255))
    assert trust(lit, before, back, seen).mean() < 0.2


def test_a_cut_is_not_trusted():
    frame, before = texture(seed=1), texture(seed=2)
    back, forth = flow(frame, before), flow(before, frame)
    assert trust(frame, before, back, visible(back, forth)).mean() < 0.05


def test_steadied_between_its_two_ends():
    rng = np.random.default_rng(0)
    painted, brought = (texture(seed=seed).astype(np.float32) / 255 for seed in (1, 2))
    everywhere, nowhere = np.ones((96, 128), np.float32), np.zeros((96, 128), np.float32)
    np.testing.assert_array_equal(steadied(painted, brought, nowhere, 1.0), painted)
    np.testing.assert_allclose(steadied(painted, brought, everywhere, 0.0), painted, atol=1e-6)
    near = brought + rng.normal(0, 0.02, brought.shape).astype(np.float32)
    np.testing.assert_allclose(steadied(brought, near, everywhere, 1.0), near.clip(0, 1), atol=0.02)
    half = steadied(painted, brought, everywhere, 0.5)
    assert half.dtype == np.float32 and half.min() >= 0 and half.max() <= 1
    left = everywhere.copy()
    left[:, 64:] = 0
    np.testing.assert_array_equal(steadied(painted, brought, left, 0.8)[:, 64:], painted[:, 64:])


def test_steadied_stays_crisp():
    """Strokes that differ from frame to frame do not wash out, however long it goes on."""
    def strokes(seed):
        return np.random.default_rng(seed).random((96, 128, 3), np.float32)

    def crispness(picture):
        return np.abs(np.diff(picture, axis=1)).mean()

    everywhere, result = np.ones((96, 128), np.float32), strokes(0)
    plain = result
    for seed in range(1, 20):
        result = steadied(strokes(seed), result, everywhere, 0.8)
        plain = 0.2 * strokes(seed) + 0.8 * plain
    assert crispness(plain) < 0.5 * crispness(strokes(0))
    assert crispness(result) > 1.3 * crispness(plain)


def test_without_opencv(monkeypatch, refusal):
    monkeypatch.setitem(sys.modules, "cv2", None)
    assert "pip install 'tfstyle[video]'" in refusal(check_opencv)
