"""The warp error: 0 for what moves with the video, and as large as what changes by itself."""

import numpy as np
import pytest

from tfstyle.metrics.flicker import video_flicker, warp_error

cv2 = pytest.importorskip("cv2", reason="needs tfstyle[video]")


@pytest.fixture(scope="module")
def video():
    """A pan by 2 px a frame over blurred noise: (5, 80, 100, 3) uint8."""
    noise = np.random.default_rng(0).random((80, 120, 3), np.float32)
    wide = np.uint8(255 * ((cv2.GaussianBlur(noise, (0, 0), 2.5) - 0.5) * 5 + 0.5).clip(0, 1))
    return np.stack([wide[:, 2 * n:2 * n + 100] for n in range(5)])


def test_what_moves_along_does_not_flicker(video):
    assert video_flicker(video, 1 - video.astype(np.float32) / 255) < 0.01


def test_flicker_is_what_changes_by_itself(video):
    still = np.full(video[0].shape, 0.5, np.float32)
    painted = [still + (0.1 if number % 2 else 0) for number in range(5)]
    assert video_flicker(video, painted) == pytest.approx(0.1, abs=1e-6)
    assert video_flicker(iter(video), iter([still] * 5)) == 0


def test_more_noise_flickers_more(video):
    rng = np.random.default_rng(1)
    base = video.astype(np.float32) / 255
    errors = [
        video_flicker(video, [(frame + rng.normal(0, s, frame.shape)).astype(np.float32) for frame in base])
        for s in (0.01, 0.05, 0.2)
    ]
    assert errors == sorted(errors) and errors[2] > 3 * errors[1]


def test_only_pixels_that_count_count():
    picture, before = np.zeros((20, 30, 3), np.float32), np.zeros((20, 30, 3), np.float32)
    picture[:10] = 1
    back, seen = np.zeros((20, 30, 2), np.float32), np.zeros((20, 30), bool)
    assert warp_error(picture, before, back, seen) is None
    seen[:10] = True
    assert warp_error(picture, before, back, seen) == 1
    seen[10:] = True
    assert warp_error(picture, before, back, seen) == 0.5


def test_cuts_and_single_frames_do_not_count(video):
    black, noise = np.zeros_like(video[0]), np.random.default_rng(0).integers(0, 256, video[0].shape, np.uint8)
    painted = np.zeros(video[0].shape, np.float32)
    assert np.isnan(video_flicker(video[:1], [painted]))
    assert np.isnan(video_flicker([], []))
    assert np.isfinite(video_flicker([black, noise, noise], [painted] * 3))


def test_frames_that_do_not_belong_together(video, refusal):
    painted = video.astype(np.float32) / 255
    assert "received none" in refusal(video_flicker, video, painted[:-1])
    assert "more painted frames" in refusal(video_flicker, video[:-1], painted)
    assert "(40, 100, 3)" in refusal(video_flicker, video, painted[:, :40])
