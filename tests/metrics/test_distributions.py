"""Fréchet and kernel distances against closed forms, SciPy's matrix root and numbers worked out by hand."""

import itertools
import warnings

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tfstyle.metrics import (
    FewPicturesWarning,
    frechet_distance,
    frechet_distance_of_moments,
    kernel_distance,
)

RNG = np.random.default_rng(5)


def sample(mean, covariance, count=40, seed=0):
    """(count, D) numbers of exactly that mean and covariance."""
    rows = np.random.default_rng(seed).standard_normal((count, len(mean)))
    rows -= rows.mean(axis=0)
    white = rows @ np.linalg.inv(np.linalg.cholesky(rows.T @ rows / (count - 1))).T
    return white @ np.linalg.cholesky(covariance).T + mean


def covariance(size, seed):
    factors = np.random.default_rng(seed).standard_normal((size, size + 2))
    return factors @ factors.T


def by_scipy(mean1, cov1, mean2, cov2):
    root = scipy.linalg.sqrtm(cov1 @ cov2)
    return np.sum((mean1 - mean2) ** 2) + np.trace(cov1 + cov2 - 2 * root.real)


# Fréchet


def test_two_diagonal_gaussians_in_closed_form():
    first = sample(np.array([1.0, 2.0, 3.0]), np.diag([1.0, 4.0, 9.0]))
    second = sample(np.array([1.0, 0.0, 4.0]), np.diag([16.0, 4.0, 0.25]), count=61, seed=1)
    # 2^2 + 1^2, and (1 - 4)^2 + 0 + (3 - 0.5)^2
    assert frechet_distance(first, second) == pytest.approx(5 + 9 + 6.25, rel=1e-9)


def test_covariances_that_do_not_commute_in_closed_form():
    first, second = np.array([[2.0, 1.0], [1.0, 3.0]]), np.array([[5.0, -2.0], [-2.0, 1.0]])
    assert not np.allclose(first @ second, second @ first)
    # Of a 2 x 2 matrix the root's trace is sqrt(trace + 2 sqrt(det)): here of 9 and 5 x 1.
    wanted = 5 + 6 - 2 * np.sqrt(np.trace(first @ second) + 2 * np.sqrt(5 * 1))
    assert frechet_distance_of_moments([0, 0], first, [0, 0], second) == pytest.approx(wanted, rel=1e-12)
    assert frechet_distance(sample(np.zeros(2), first), sample(np.zeros(2), second)) == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize("size", [1, 3, 24])
def test_any_gaussians_by_scipy(size):
    moments = RNG.random(size), covariance(size, 1), RNG.random(size), covariance(size, 2)
    wanted = by_scipy(*moments)
    assert frechet_distance_of_moments(*moments) == pytest.approx(wanted, rel=1e-8)
    count = 2 * size + 40
    found = frechet_distance(sample(*moments[:2], count), sample(*moments[2:], count, seed=1))
    assert found == pytest.approx(wanted, rel=1e-8)


def test_a_scaled_covariance_in_closed_form():
    mean, cov = np.arange(5.0), covariance(5, 3)
    assert frechet_distance_of_moments(mean, 9 * cov, mean, cov) == pytest.approx(4 * np.trace(cov), rel=1e-9)


def test_singular_covariances_in_closed_form():
    """Two lines at a right angle share nothing, a line and itself everything."""
    along, across = np.diag([4.0, 0.0, 0.0]), np.diag([0.0, 9.0, 0.0])
    zero = np.zeros(3)
    assert frechet_distance_of_moments(zero, along, zero, across) == pytest.approx(13, rel=1e-12)
    assert frechet_distance_of_moments(zero, along, zero, along) == pytest.approx(0, abs=1e-12)


def test_sets_that_are_the_same_have_no_distance():
    rows = RNG.random((50, 6)) * 100
    assert frechet_distance(rows, RNG.permutation(rows)) == pytest.approx(0, abs=1e-9)
    few = RNG.random((6, 300))
    with pytest.warns(FewPicturesWarning):
        assert frechet_distance(few, few[::-1]) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("counts", [(4, 9), (9, 4), (7, 7), (10, 4)])
def test_fewer_pictures_than_features_are_those_of_their_moments(counts):
    first, second = (RNG.standard_normal((count, 9)) + count for count in counts)
    moments = [moment for rows in (first, second) for moment in (rows.mean(axis=0), np.cov(rows, rowvar=False))]
    with pytest.warns(FewPicturesWarning):
        found = frechet_distance(first, second)
    assert found == pytest.approx(frechet_distance_of_moments(*moments), rel=1e-6)
    assert found == pytest.approx(by_scipy(*moments), rel=1e-5)


def test_few_pictures_are_warned_of():
    rows = RNG.random((9, 8))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        frechet_distance(rows, rows[::-1] / 2)
        kernel_distance(rows[:4], rows[4:8])
    with pytest.warns(FewPicturesWarning) as told:
        frechet_distance(rows, rows[:8])
    assert [str(one.message) for one in told] == [
        "8 pictures are no more than the 8 features, so their covariance is singular and the Fréchet distance far too "
        "large: take more than 8, or go by the kernel distance."
    ]
    assert told[0].filename == __file__


FEATURES = arrays.arrays(np.float64, (7, 3), elements=st.floats(-50, 50, width=32))


@settings(max_examples=40, deadline=None)
@given(FEATURES, FEATURES, st.permutations(range(7)))
def test_what_holds_for_all_sets(first, second, order):
    found = frechet_distance(first, second)
    size = np.trace(np.cov(first, rowvar=False) + np.cov(second, rowvar=False)) + 1
    assert found >= np.sum((first.mean(axis=0) - second.mean(axis=0)) ** 2) >= 0
    assert frechet_distance(second, first) == pytest.approx(found, abs=1e-6 * size)
    assert frechet_distance(first[list(order)], second) == pytest.approx(found, abs=1e-6 * size)
    kernels = [kernel_distance(*sides, subsets=1, subset_size=7)[0] for sides in (
        (first, second), (second, first), (first[list(order)], second)
    )]
    assert kernels == pytest.approx([kernels[0]] * 3, rel=1e-9, abs=1e-6 * (np.abs(kernels[0]) + 1))


# Kernel


def test_kernel_distance_by_hand():
    # k(0, 1) = 1 and k(2, 3) = 7^3 within; 1, 1, 3^3 and 4^3 across.
    found = kernel_distance([[0.0], [1.0]], [[2.0], [3.0]], subsets=3, subset_size=2)
    assert found == pytest.approx((1 + 343 - 2 * 93 / 4, 0), abs=1e-12)
    # With D = 2 the products are halved: k = (0 + 1)^3 of the first two, (4 / 2 + 1)^3 of the others.
    found = kernel_distance([[2.0, 0.0], [0.0, 2.0]], [[2.0, 0.0], [2.0, 0.0]], subsets=1)
    assert found[0] == pytest.approx(1 + 27 - 2 * (27 + 27 + 1 + 1) / 4, abs=1e-12)


def test_kernel_distance_is_the_mean_over_pairs_of_unlike_vectors():
    first, second = RNG.standard_normal((9, 4)), RNG.standard_normal((9, 4)) + 0.5

    def kernel(x, y):
        return (sum(a * b for a, b in zip(x, y, strict=True)) / 4 + 1) ** 3

    within = sum(np.mean([kernel(x, y) for x, y in itertools.permutations(side, 2)]) for side in (first, second))
    wanted = within - 2 * np.mean([kernel(x, y) for x in first for y in second])
    assert kernel_distance(first, second, 1, 9)[0] == pytest.approx(wanted, rel=1e-12)


def test_kernel_distance_has_no_bias():
    """The mean over all subsets of two is the figure of the whole."""
    first, second = RNG.standard_normal((6, 3)), RNG.standard_normal((5, 3)) + 1
    subsets = [
        kernel_distance(first[list(one)], second[list(other)], 1, 2)[0]
        for one in itertools.combinations(range(6), 2) for other in itertools.combinations(range(5), 2)
    ]

    def mean_kernel(x, y, same):
        kernel = (x @ y.T / 3 + 1) ** 3
        return kernel[~np.eye(len(x), dtype=bool)].mean() if same else kernel.mean()

    wanted = mean_kernel(first, first, True) + mean_kernel(second, second, True) - 2 * mean_kernel(first, second, False)
    assert np.mean(subsets) == pytest.approx(wanted, rel=1e-9)


def test_subsets_are_drawn_by_the_seed():
    first, second = RNG.standard_normal((30, 3)), RNG.standard_normal((24, 3)) + 1
    found = kernel_distance(first, second, subsets=20, seed=4)
    assert kernel_distance(first, second, subsets=20, seed=4) == found != kernel_distance(first, second, 20, seed=5)
    assert found[1] > 0
    assert kernel_distance(first, second, subsets=20, subset_size=12, seed=4) == found  # half of the smaller


def test_sets_of_one_distribution_are_near_and_others_far():
    first, second = (np.random.default_rng(seed).standard_normal((300, 4)) for seed in (1, 2))
    near, far = kernel_distance(first, second), kernel_distance(first, second + 1)
    assert abs(near[0]) < 0.05 < 0.5 < far[0]


# What they refuse


@pytest.mark.parametrize(("call", "sentence"), [
    (lambda: frechet_distance(np.ones(4), np.ones((4, 1))), "first features must have 2 axes; received shape (4,)."),
    (lambda: frechet_distance(np.ones((4, 2)), np.ones((1, 2))), "features must be of at least 2 pictures; received 1"),
    (lambda: frechet_distance(np.ones((4, 2)), np.ones((4, 3))), "features to compare must have one length D; received "
     "shapes (4, 2) and (4, 3)."),
    (lambda: frechet_distance(np.ones((4, 0)), np.ones((4, 0))), "features to compare must have one length D; rec"),
    (lambda: frechet_distance(np.ones((4, 2)), [[np.nan, 1]] * 2), "second features must be finite; received NaN or"),
    (lambda: frechet_distance("ab", np.ones((4, 2))), "first features must be numbers; received str."),
    (lambda: frechet_distance_of_moments([0], np.eye(2), [0, 0], np.eye(2)), "mean1, cov1, mean2 and cov2 must have"),
    (lambda: frechet_distance_of_moments([0, 0], [[1, 2], [0, 1]], [0, 0], np.eye(2)), "cov1 must be symmetric; it is"),
    (lambda: frechet_distance_of_moments([0, 0], np.eye(2), [0, 0], -np.eye(2)), "cov2 has the eigenvalue -1; a cov"),
    (lambda: kernel_distance(np.ones((4, 2)), np.ones((5, 2)), subset_size=5), "subset_size must be a whole number "
     "from 2 to 4; received 5."),
    (lambda: kernel_distance(np.ones((4, 2)), np.ones((5, 2)), subsets=0), "subsets must be a whole number of at lea"),
    (lambda: kernel_distance(np.ones((4, 2)), np.ones((5, 2)), seed=-1), "seed must be a whole number of at least 0;"),
])
def test_what_cannot_be_compared_is_refused(refusal, call, sentence):
    assert refusal(call).startswith(sentence)
