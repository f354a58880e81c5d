"""Small pictures for super-resolution: the Gaussian against SciPy, the sizes, the cut."""

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from tfstyle.images.reduction import low_resolution


@pytest.fixture
def picture():
    return np.random.default_rng(3).integers(0, 256, (43, 50, 3), dtype=np.uint8)


@pytest.mark.parametrize("factor", [4, 8])
def test_sides_are_cut_to_multiples_of_the_factor(picture, factor):
    small, large = low_resolution(picture, factor)
    assert large.shape == (40, 48, 3) and small.shape == (40 // factor, 48 // factor, 3)
    assert small.dtype == large.dtype == np.uint8
    np.testing.assert_array_equal(large, picture[:40, :48])


@pytest.mark.parametrize("sigma", [1.0, 2.5])
def test_the_blur_is_a_gaussian_with_reflected_borders(picture, sigma):
    soft = ndimage.gaussian_filter(picture[:40, :48].astype(float), (sigma, sigma, 0), mode="mirror", truncate=4)
    wanted = Image.fromarray(np.rint(soft).astype(np.uint8)).resize((12, 10), Image.Resampling.BICUBIC)
    found, _ = low_resolution(picture, 4, blur=sigma)
    assert np.abs(found.astype(int) - np.asarray(wanted).astype(int)).max() <= 1


def test_without_blur_it_is_the_bicubic_reduction(picture):
    wanted = Image.fromarray(picture[:40, :48]).resize((12, 10), Image.Resampling.BICUBIC)
    np.testing.assert_array_equal(low_resolution(picture, 4, blur=0)[0], np.asarray(wanted))


def test_a_picture_smaller_than_the_gaussian(picture):
    small, _ = low_resolution(picture[:4, :8], 4, blur=3.0)
    assert small.shape == (1, 2, 3)
