import math

import numpy as np
import pytest

from tfstyle.checks import InputError
from tfstyle.metrics import mean_variation, psnr, ssim


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def flat(value, side=12):
    return np.full((side, side, 3), value, np.uint8)


def test_ssim_is_the_mean_over_windows():
    first, second = noise(14, 17), noise(14, 17, seed=1)
    second[:, 8:] = first[:, 8:] // 2 + 40
    x, y = (picture @ [0.299, 0.587, 0.114] / 255 for picture in (first, second))
    window = np.exp(-np.add.outer(np.arange(-5, 6) ** 2, np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    window /= window.sum()
    values = []
    for row in range(4):
        for column in range(7):
            p, q = (side[row:row + 11, column:column + 11] for side in (x, y))
            mp, mq = np.sum(window * p), np.sum(window * q)
            vp, vq = np.sum(window * (p - mp) ** 2), np.sum(window * (q - mq) ** 2)
            cov = np.sum(window * (p - mp) * (q - mq))
            values.append((2 * mp * mq + 1e-4) * (2 * cov + 9e-4) / ((mp**2 + mq**2 + 1e-4) * (vp + vq + 9e-4)))
    assert ssim(first, second) == pytest.approx(np.mean(values), abs=1e-12)
    assert ssim(second, first) == pytest.approx(np.mean(values), abs=1e-12)


def test_ssim_of_flat_pictures_by_hand():
    # No structure to compare: (2 x 0.2 x 0.6 + C1) / (0.2^2 + 0.6^2 + C1) remains.
    assert ssim(flat(51), flat(153)) == pytest.approx(0.2401 / 0.4001, abs=1e-12)


def test_ssim_of_a_picture_with_itself_is_1():
    assert ssim(noise(11, 30), noise(11, 30)) == pytest.approx(1, abs=1e-12)


def test_ssim_sees_luminance_only():
    red, green = flat(0), flat(0)
    red[..., 0], green[..., 1] = 200, 100  # 0.299 x 200 = 59.8 and 0.587 x 100 = 58.7
    assert ssim(red, green) > 0.999 and ssim(red, flat(200)) < 0.9


def test_ssim_within_a_border_is_that_of_the_middle():
    first, second = noise(20, 24), noise(20, 24) // 2 + noise(20, 24, seed=1) // 2
    assert ssim(first, second, border=3) == ssim(first[3:-3, 3:-3], second[3:-3, 3:-3])
    assert ssim(first, second, border=0) == ssim(first, second) != ssim(first, second, border=3)


def test_psnr_by_hand():
    # Y of white is 235 and of black 16; a gray step is 219 / 255 of a step of Y.
    assert psnr(flat(0), flat(255)) == pytest.approx(20 * math.log10(255 / 219), abs=1e-9)
    assert psnr(flat(100), flat(102)) == pytest.approx(20 * math.log10(255 / (2 * 219 / 255)), abs=1e-9)
    one = flat(50)
    one[0, 0, 1] += 100  # of green alone, in 1 of 144 pixels
    assert psnr(flat(50), one) == pytest.approx(10 * math.log10(255**2 / (12.8553 / 25.5 * 100) ** 2 * 144), abs=1e-9)


def test_psnr_is_that_of_ycbcr_in_studio_range():
    first, second = noise(14, 17), noise(14, 17, seed=1)
    y, z = (16 + (65.481 * p[..., 0] + 128.553 * p[..., 1] + 24.966 * p[..., 2]) / 255
            for p in (first.astype(float), second.astype(float)))
    assert psnr(first, second) == pytest.approx(10 * math.log10(255**2 / np.mean((y - z) ** 2)), abs=1e-9)
    assert psnr(second, first) == pytest.approx(psnr(first, second), abs=1e-12)


def test_psnr_within_a_border_is_that_of_the_middle():
    first, second = noise(9, 12), noise(9, 12, seed=1)
    assert psnr(first, second, border=4) == psnr(first[4:-4, 4:-4], second[4:-4, 4:-4]) != psnr(first, second)


def test_psnr_of_a_picture_with_itself_is_infinite():
    assert psnr(noise(1, 3), noise(1, 3)) == math.inf
    frame = noise(9, 9)
    frame[2:-2, 2:-2] = noise(9, 9, seed=1)[2:-2, 2:-2]
    assert psnr(frame, noise(9, 9, seed=1), border=2) == math.inf > psnr(frame, noise(9, 9, seed=1), border=1)


def test_mean_variation_by_hand():
    picture = np.array([[[0, 0, 0], [255, 0, 0], [255, 51, 0]], [[0, 0, 0], [0, 0, 0], [0, 0, 102]]], np.uint8)
    # Of 12 horizontal differences 255 + 51 + 102 remain, of 9 vertical ones 255 + 255 + 51 + 102.
    assert mean_variation(picture) == pytest.approx((408 / 12 + 663 / 9) / 255, abs=1e-12)
    assert mean_variation(flat(77)) == 0


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: ssim(noise(12, 14), noise(14, 12)), r"one shape; received \(12, 14, 3\) and \(14, 12, 3\)"),
        (lambda: ssim(noise(10, 14), noise(10, 14)), r"at least 11 px a side; received uint8 of shape \(10, 14, 3\)"),
        (lambda: ssim(noise(12, 12) / 255, noise(12, 12)), "must be uint8 .* received float64"),
        (lambda: ssim(noise(30, 18), noise(30, 18), border=4), r"at least 19 px a side; received uint8 of shape \(30"),
        (lambda: psnr(noise(12, 14), noise(12, 13)), r"one shape; received \(12, 14, 3\) and \(12, 13, 3\)"),
        (lambda: psnr(noise(8, 14), noise(8, 14), border=4), r"at least 9 px a side; received uint8 of shape \(8, 14"),
        (lambda: psnr(noise(8, 8), noise(8, 8), border=-1), "border must be a whole number of at least 0; received -1"),
        (lambda: psnr(noise(8, 8), noise(8, 8) / 255), "must be uint8 .* received float64"),
        (lambda: mean_variation(noise(12, 12)[..., 0]), r"at least 2 px .* received uint8 of shape \(12, 12\)"),
    ],
)
def test_what_cannot_be_measured_is_refused(call, sentence):
    with pytest.raises(InputError, match=sentence):
        call()
