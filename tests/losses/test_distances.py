"""Distances of styles that are more than squares of differences: Wasserstein's, and the kernels'."""

import numpy as np
import pytest
import scipy.linalg
import tensorflow as tf

from tfstyle.losses import gram_matrix, polynomial_mmd, style_loss, style_statistic, wasserstein_distance
from tfstyle.losses.style import mean_and_covariance


def maps(shape, seed=0):
    """Random feature maps as after a ReLU, (N, H, W, C) float32, about half of them 0."""
    return np.maximum(np.random.default_rng(seed).standard_normal(shape), 0).astype(np.float32)


# Wasserstein distance


def gaussian(mean, covariance):
    return tf.constant([mean], tf.float32), tf.constant([covariance], tf.float32)


def random_gaussian(seed, channels=6):
    random = np.random.default_rng(seed)
    root = random.standard_normal((channels, channels))
    return random.standard_normal(channels), root @ root.T / channels + 0.1 * np.eye(channels)


def test_mean_and_covariance():
    features = maps((1, 6, 5, 4))
    mean, covariance = mean_and_covariance(features)
    rows = features.reshape(-1, 4)
    np.testing.assert_allclose(mean[0], rows.mean(0), rtol=1e-5)
    np.testing.assert_allclose(covariance[0], np.cov(rows.T, bias=True), rtol=1e-4, atol=1e-6)


def test_wasserstein_of_diagonal_gaussians():
    """|m - n|^2 + sum (sqrt a - sqrt b)^2."""
    here, there = gaussian([1, 2, 3], np.diag([4.0, 9, 1])), gaussian([0, 2, 5], np.diag([1.0, 4, 1]))
    np.testing.assert_allclose(wasserstein_distance(here, there), (1 + 4) + (1 + 1 + 0), rtol=1e-4)


def test_wasserstein_of_commuting_gaussians():
    axes = scipy.linalg.expm(np.array([[0, 1, 2], [-1, 0, 0.5], [-2, -0.5, 0]]))  # a rotation
    a, b = np.array([4.0, 9, 1]), np.array([1.0, 4, 2.25])
    here, there = (gaussian([0, 0, 0], axes @ np.diag(values) @ axes.T) for values in (a, b))
    np.testing.assert_allclose(wasserstein_distance(here, there), np.sum((a**0.5 - b**0.5) ** 2), rtol=1e-4)


@pytest.mark.parametrize("seed", range(4))
def test_wasserstein_against_the_matrix_square_root_of_scipy(seed):
    (m, a), (n, b) = random_gaussian(seed), random_gaussian(seed + 100)
    root = scipy.linalg.sqrtm(b)
    wanted = np.sum((m - n) ** 2) + np.trace(a + b - 2 * scipy.linalg.sqrtm(root @ a @ root).real)
    np.testing.assert_allclose(wasserstein_distance(gaussian(m, a), gaussian(n, b)), wanted, rtol=1e-3)


@pytest.mark.parametrize("positions", [(20, 20), (5, 4)])
def test_wasserstein_of_equal_gaussians_is_zero(positions):
    """64 channels over 400 and over 20 positions: a covariance of full rank, and one of rank 19."""
    itself = mean_and_covariance(maps((1, *positions, 64)))
    size = float(tf.linalg.trace(itself[1])[0])
    distance = float(wasserstein_distance(itself, itself))
    assert -2e-4 * size < distance < 2e-3 * size


def test_wasserstein_is_finite_where_covariances_are_of_low_rank():
    features = maps((1, 3, 3, 32))
    target = style_statistic(maps((1, 2, 2, 32), 1), "wasserstein")
    for picture in (features, np.zeros_like(features), np.ones_like(features)):
        value = tf.constant(picture)
        with tf.GradientTape() as tape:
            tape.watch(value)
            loss = style_loss(value, target, "wasserstein")
        slope = tape.gradient(loss, value).numpy()
        assert np.isfinite(slope).all()
        assert np.abs(slope).max() < 100
    assert float(style_loss(features, target, "wasserstein")) > 0


# Kernels


def rows(features):
    return tf.reshape(features, (1, -1, features.shape[-1]))


@pytest.mark.parametrize("shapes", [((1, 6, 7, 5), (1, 6, 7, 5)), ((1, 9, 4, 5), (1, 3, 5, 5))])
def test_gram_matching_is_the_quadratic_kernel(shapes):
    features, target = maps(shapes[0]), maps(shapes[1], seed=1)
    mmd = polynomial_mmd(rows(features), rows(target), degree=2, offset=0.0)
    difference = gram_matrix(features) - gram_matrix(target)
    np.testing.assert_allclose(mmd, tf.reduce_sum(difference**2) / 5**2, rtol=1e-4)
    # Hence eq. 4 is a quarter of it.
    np.testing.assert_allclose(
        style_loss(features, gram_matrix(target), normalization="paper"), mmd / 4, rtol=1e-4
    )


@pytest.mark.parametrize("offset", [0.0, 3.0])
def test_matching_means_is_the_linear_kernel(offset):
    features, target = maps((1, 6, 7, 5)), maps((1, 3, 5, 5), seed=1)
    mmd = polynomial_mmd(rows(features), rows(target), degree=1, offset=offset)
    difference = features.mean((0, 1, 2)) - target.mean((0, 1, 2))
    np.testing.assert_allclose(mmd, np.sum(difference**2) / 5, rtol=1e-4)


def test_mmd_by_hand():
    """k(x, y) = (x y + 1)^2 of the numbers 1, 2 and of 0: (4 + 9 + 9 + 25) / 4 + 1 - 2 * 1."""
    mmd = polynomial_mmd(np.array([[[1.0], [2.0]]], np.float32), np.array([[[0.0]]], np.float32), 2, 1.0)
    np.testing.assert_allclose(mmd, 47 / 4 - 1, rtol=1e-6)
