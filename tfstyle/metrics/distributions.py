"""How far two sets of feature vectors are apart: the arithmetic of FID and KID, in float64, by NumPy alone."""

import warnings

import numpy as np

from tfstyle.checks import InputError, check_number

__all__ = [
    "FewPicturesWarning", "few_pictures", "frechet_distance", "frechet_distance_of_moments", "kernel_distance",
    "subset_of",
]

_SUBSET = 1000  # vectors in a subset of Binkowski et al.


class FewPicturesWarning(UserWarning):
    """There are no more pictures than features, so that a covariance is singular."""


def frechet_distance(first, second):
    """The squared Fréchet distance between the normal distributions fitted to two sets of feature vectors.

    Protocol: means, and covariances divided by N - 1. The figure grows as N falls, whatever the pictures: compare only
    figures of one N, the same on both sides, which ought to be far above D.

    Args:
        first, second: (N, D) numbers, N at least 2; N may differ, D may not.

    Returns:
        Float of at least 0; 0 for sets of one mean and covariance. Neither the order of the sets nor that of the
        vectors matters.

    Raises:
        InputError: another shape, unlike D, or values that are not finite.

    Warns:
        FewPicturesWarning: where N <= D.

    Source: as `frechet_distance_of_moments`.
    """
    first, second = _sets(first, second)
    sentence = few_pictures(min(len(first), len(second)), first.shape[1])
    if sentence is not None:
        warnings.warn(sentence, FewPicturesWarning, stacklevel=2)
    if max(first.shape[0], second.shape[0]) > first.shape[1]:
        return frechet_distance_of_moments(*_moments(first), *_moments(second))
    # With C = R^T R of fewer rows than features, the root's trace is the sum of the singular values of R1 R2^T.
    rows = [(side - side.mean(axis=0)) / np.sqrt(len(side) - 1) for side in (first, second)]
    common = np.linalg.svd(rows[0] @ rows[1].T, compute_uv=False).sum()
    spread = sum(np.sum(side**2) for side in rows) - 2 * common
    return float(np.sum((first.mean(axis=0) - second.mean(axis=0)) ** 2) + max(0.0, spread))


def frechet_distance_of_moments(mean1, cov1, mean2, cov2):
    """The squared Fréchet (2-Wasserstein) distance between two normal distributions.

    |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)), the trace of the root being the sum of the singular values of
    C1^(1/2) C2^(1/2), which needs no root of an unsymmetric matrix and is as good for singular covariances.

    Args:
        mean1, mean2: (D,) numbers.
        cov1, cov2: (D, D), symmetric, with no eigenvalue below 0 but for rounding.

    Returns:
        Float of at least 0.

    Raises:
        InputError: other shapes, values that are not finite, a matrix that is no covariance.

    Source: Dowson and Landau, "The Fréchet distance between multivariate normal distributions", 1982; as a measure of
    generated pictures Heusel et al., NeurIPS 2017 (arXiv:1706.08500), eq. 6.
    """
    means = [_numbers(mean, f"mean{i}", 1) for i, mean in enumerate((mean1, mean2), start=1)]
    covariances = [_numbers(cov, f"cov{i}", 2) for i, cov in enumerate((cov1, cov2), start=1)]
    shapes = [array.shape for array in (means[0], covariances[0], means[1], covariances[1])]
    size = len(means[0])
    if shapes != [(size,), (size, size)] * 2:
        raise InputError(
            f"mean1, cov1, mean2 and cov2 must have shapes (D,), (D, D), (D,) and (D, D); received {shapes}."
        )
    roots = [_root(cov, f"cov{i}") for i, cov in enumerate(covariances, start=1)]
    common = np.linalg.svd(roots[0] @ roots[1], compute_uv=False).sum()
    spread = np.trace(covariances[0]) + np.trace(covariances[1]) - 2 * common
    return float(np.sum((means[0] - means[1]) ** 2) + max(0.0, spread))


def kernel_distance(first, second, subsets=100, subset_size=None, seed=0):
    """The squared maximum mean discrepancy between two sets of feature vectors, without bias.

    Protocol: kernel (x.y / D + 1)^3; in each of `subsets` draws, `subset_size` vectors of each set without
    replacement. The estimate does not depend on N but for its spread, and may fall below 0 where the sets are alike.
    Nothing is multiplied by 100 or 1000, as some papers do.

    Args:
        first, second: (N, D) numbers, N at least 2; N may differ, D may not.
        subsets: number of draws, at least 1.
        subset_size: vectors drawn of each set, 2 to the smaller N; None takes half of the smaller N, at most 1000.
        seed: of the draws, a whole number of at least 0.

    Returns:
        (mean, standard deviation) over the draws, floats. The deviation is of the draws, which overlap: it says less
        than the spread over new pictures would.

    Raises:
        InputError: another shape, unlike D, values that are not finite, numbers out of range.

    Source: Binkowski et al., "Demystifying MMD GANs", ICLR 2018 (arXiv:1801.01401), sections 2 and 4; Gretton et al.,
    "A Kernel Two-Sample Test", JMLR 2012, eq. 3.
    """
    first, second = _sets(first, second)
    subsets = check_number("subsets", subsets, 1, integer=True)
    size = subset_of(min(len(first), len(second)), subset_size)
    rng = np.random.default_rng(check_number("seed", seed, 0, integer=True))
    found = []
    for _ in range(subsets):
        x, y = (side[rng.choice(len(side), size, replace=False)] for side in (first, second))
        found.append(_discrepancy(x, y))
    return float(np.mean(found)), float(np.std(found))


def subset_of(count, size=None):
    """How many of `count` vectors `kernel_distance` draws: `size` if that is possible, by default half of them.

    Raises:
        InputError: fewer than 2, or more than there are.
    """
    if size is None:
        return min(_SUBSET, max(2, count // 2))
    return check_number("subset_size", size, 2, count, integer=True)


def few_pictures(count, features):
    """What `FewPicturesWarning` says of so many pictures and features, or None where there are pictures enough."""
    if count > features:
        return None
    return (
        f"{count} pictures are no more than the {features} features, so their covariance is singular and the Fréchet "
        f"distance far too large: take more than {features}, or go by the kernel distance."
    )


def _discrepancy(x, y):
    """MMD^2 of two sets of one size, no vector being compared with itself."""
    count = len(x)
    within = sum((kernel.sum() - np.trace(kernel)) / (count * (count - 1)) for kernel in (_kernel(x, x), _kernel(y, y)))
    return within - 2 * _kernel(x, y).mean()


def _kernel(x, y):
    return (x @ y.T / x.shape[1] + 1) ** 3


def _moments(rows):
    return rows.mean(axis=0), np.cov(rows, rowvar=False).reshape(rows.shape[1], rows.shape[1])


def _root(matrix, name):
    """The symmetric root of a covariance."""
    scale = np.abs(matrix).max(initial=0)
    if np.abs(matrix - matrix.T).max(initial=0) > 1e-6 * scale:
        raise InputError(f"{name} must be symmetric; it is no covariance.")
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    if values.min(initial=0) < -1e-6 * scale:
        raise InputError(f"{name} has the eigenvalue {values.min():g}; a covariance has none below 0.")
    return vectors * np.sqrt(values.clip(0)) @ vectors.T


def _sets(first, second):
    """Both sets as float64, checked."""
    first, second = (_numbers(side, f"{which} features", 2) for which, side in (("first", first), ("second", second)))
    for side in (first, second):
        if len(side) < 2:
            raise InputError(f"features must be of at least 2 pictures; received {len(side)}.")
    if first.shape[1] != second.shape[1] or not first.shape[1]:
        raise InputError(
            f"features to compare must have one length D; received shapes {first.shape} and {second.shape}."
        )
    return first, second


def _numbers(values, name, rank):
    """`values` as a finite float64 array of that rank."""
    try:
        array = np.asarray(values, np.float64)
    except (TypeError, ValueError):
        raise InputError(f"{name} must be numbers; received {type(values).__name__}.") from None
    if array.ndim != rank:
        raise InputError(f"{name} must have {rank} axes; received shape {array.shape}.")
    if not np.isfinite(array).all():
        raise InputError(f"{name} must be finite; received NaN or infinite values.")
    return array
