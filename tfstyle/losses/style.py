"""Style losses: statistics of feature maps that forget where things are.

A style is a statistic of one layer's features, taken over all positions. `style_statistic` measures it
once for the painting; `style_loss` measures it for the picture and returns the distance of the two.
"""

import math
from typing import Callable, NamedTuple

from keras import ops

from tfstyle.checks import check_choice

STYLE_NORMALIZATIONS = ("relative", "paper", "mean", "size")

_TINY = 1e-12
_SAMPLES = 1024  # about so many positions on a regular grid: kernel sums cost samples^2 * channels
_DEGREE, _OFFSET = 3, 1.0


def gram_matrix(features, guide=None):
    """Second moments of the channels: G_ij = sum_k F_ik F_jk / M (CVPR 2016, eq. 3, divided by M).

    Args:
        features: (N, H, W, C). M = H W positions; dividing by it lets pictures of unlike sizes compare.
        guide: (N, H, W), how much each position counts, at least 0: G_ij = sum_k T_k F_ik F_jk / sum_k T_k. None counts
            all alike. Where it is 0 everywhere, so is G.

    Returns:
        (N, C, C) float32. Its first derivatives are exact, its second ones are not.

    Source: guided Gram matrices, Gatys et al. 2017 (arXiv:1611.07865), section 4. Differs: their guidance channels
    multiply the features, so T here is the square of theirs: a soft edge then counts by its share.
    """
    rows, positions = _positions(features)
    counted = ops.stop_gradient(rows)
    if guide is not None:
        guide = ops.reshape(ops.cast(guide, "float32"), (ops.shape(guide)[0], -1, 1))
        counted = counted * guide
        positions = ops.maximum(ops.sum(guide, axis=1, keepdims=True), _TINY)
    gram = ops.matmul(ops.transpose(counted, (0, 2, 1)), rows) / positions
    # The derivative goes through one of the two equal factors and is doubled: half the time and memory of both.
    doubled = 2 * gram - ops.stop_gradient(gram)
    return (doubled + ops.transpose(doubled, (0, 2, 1))) / 2


def mean_and_std(features):
    """Mean and standard deviation of every channel: two float32 tensors (N, C).

    Source: the statistics that adaptive instance normalization matches (Huang and Belongie, ICCV 2017, eq. 13).
    """
    features = ops.cast(features, "float32")
    mean = ops.mean(features, axis=(1, 2))
    variance = ops.mean(ops.square(features - mean[:, None, None]), axis=(1, 2))
    return mean, ops.sqrt(variance + _TINY)


def joined_moments(maps):
    """`mean_and_std` of several layers side by side.

    Args:
        maps: feature maps (N, h, w, C) of one batch, layer by layer.

    Returns:
        (N, 2 x all channels) float32: mean, then standard deviation, of each layer in turn.
    """
    return ops.concatenate([moment for features in maps for moment in mean_and_std(features)], axis=-1)


def mean_and_covariance(features):
    """The Gaussian fitted to the features: mean (N, C) and covariance (N, C, C), float32."""
    rows, positions = _positions(features)
    mean = ops.mean(rows, axis=1)
    centered = rows - mean[:, None]
    return mean, ops.matmul(ops.transpose(centered, (0, 2, 1)), centered) / positions


def grid_sample(features, samples=_SAMPLES):
    """About `samples` feature vectors, or all if there are fewer, on an even grid: (N, ~samples, C) float32."""
    features = ops.cast(features, "float32")
    batch, height, width, channels = ops.shape(features)
    step = (height * width / samples) ** 0.5  # of rows and of columns: one step along the rows might meet few columns
    step = math.ceil(step) if isinstance(step, float) else ops.cast(ops.ceil(step), "int32")
    return ops.reshape(features[:, ::step, ::step], (batch, -1, channels))


def wasserstein_distance(gaussian, target):
    """Squared 2-Wasserstein distance of two Gaussians, each (mean, covariance), averaged over the batch.

    |m - n|^2 + tr(A + B - 2 (B^1/2 A B^1/2)^1/2) (Dowson and Landau 1982; as a style loss: Vacher et al. 2020).
    """
    return ops.mean(_wasserstein_distances(gaussian, target))


def _wasserstein_distances(gaussian, target):
    (mean, covariance), (target_mean, target_covariance) = gaussian, target
    root = _matrix_square_root(target_covariance)
    values = ops.linalg.eigh(_symmetric(ops.matmul(ops.matmul(root, covariance), root)))[0]
    # v / sqrt(v + small) for sqrt(v), whose slope is unbounded at 0, where covariances of low rank put many values.
    values = ops.maximum(values, 0.0)
    cross = ops.sum(values / ops.sqrt(values + 1e-6 * ops.max(values, axis=-1, keepdims=True) + _TINY), axis=-1)
    traces = _trace(covariance) + _trace(target_covariance)
    return ops.sum(ops.square(mean - target_mean), axis=-1) + traces - 2 * cross


def polynomial_mmd(samples, target, degree=_DEGREE, offset=_OFFSET):
    """Squared maximum mean discrepancy under k(x, y) = (x.y / C + offset)^degree.

    With degree 2 and offset 0 this is |G - A|^2 / C^2 of the two Gram matrices: Gram matching is the quadratic case.

    Args:
        samples: (N, M, C) feature vectors of the picture.
        target: (N, K, C) feature vectors of the style.

    Returns:
        float32 scalar, the biased estimate of the squared discrepancy, averaged over the batch.

    Source: Li et al., "Demystifying Neural Style Transfer", IJCAI 2017, eq. 5 to 9.
    """
    return ops.mean(_polynomial_mmds(samples, target, degree, offset))


def _polynomial_mmds(samples, target, degree=_DEGREE, offset=_OFFSET):
    def mean_kernel(x, y):
        products = ops.matmul(x, ops.transpose(y, (0, 2, 1))) / ops.cast(ops.shape(x)[-1], "float32")
        return ops.mean((products + offset) ** degree, axis=(1, 2))

    return mean_kernel(samples, samples) + mean_kernel(target, target) - 2 * mean_kernel(samples, target)


class _Statistic(NamedTuple):
    measure: Callable  # features -> statistic
    distance: Callable  # (statistic, target) -> (N,)
    size: Callable  # target -> its own squared size (N,), for the relative error


def _gram_distance(gram, target):
    return ops.sum(ops.square(gram - target), axis=(1, 2))


def _moment_distance(moments, target):
    return sum(ops.sum(ops.square(a - b), axis=-1) for a, b in zip(moments, target, strict=True))


def _kernel_distance(samples, target):
    """MMD with the target's root mean square as unit: a loud layer to the sixth power would leave float32's comfort,
    and of a quiet one the offset would leave nothing but the mean."""
    unit = ops.sqrt(ops.mean(ops.square(target), axis=(1, 2), keepdims=True) + 0.01)
    return _polynomial_mmds(samples / unit, target / unit)


STYLE_STATISTICS = {
    "gram": _Statistic(gram_matrix, _gram_distance, lambda g: ops.sum(ops.square(g), axis=(1, 2))),
    "moments": _Statistic(mean_and_std, _moment_distance, lambda t: sum(ops.sum(ops.square(v), axis=-1) for v in t)),
    "wasserstein": _Statistic(
        mean_and_covariance,
        _wasserstein_distances,
        lambda t: ops.sum(ops.square(t[0]), axis=-1) + _trace(t[1]),
    ),
    "mmd": _Statistic(
        grid_sample,
        _kernel_distance,
        lambda t: _kernel_distance(ops.zeros_like(t), t),
    ),
}


def style_statistic(features, statistic="gram"):
    """The named statistic of one layer's features (N, H, W, C): a target for `style_loss`.

    "gram": `gram_matrix`; "moments": `mean_and_std`; "wasserstein": `mean_and_covariance`; "mmd": sampled vectors.

    Raises:
        InputError: unknown statistic.
    """
    return STYLE_STATISTICS[check_choice("statistic", statistic, tuple(STYLE_STATISTICS))].measure(features)


def style_loss(features, target, statistic="gram", normalization="relative"):
    """Distance of one layer's style from its target: `style_distance` of the features' statistic.

    Args:
        features: (N, H, W, C) features of the picture.
        target: what `style_statistic` returned for the style picture.

    Returns:
        float32 scalar, the mean over the batch of each picture's own; sum over layers with weights w_l for eq. 5.

    Raises:
        InputError: unknown statistic or normalization.

    Source: Gatys et al., CVPR 2016, eq. 3 to 5; the gradient of eq. 4 is eq. 6.
    """
    return style_distance(style_statistic(features, statistic), target, statistic, normalization)


def style_distance(found, target, statistic="gram", normalization="relative"):
    """Squared distance of two style statistics of one layer.

    Args:
        found, target: what `style_statistic` returned for a picture and for the style picture.
        statistic: "gram", "moments", "wasserstein" or "mmd".
        normalization: d is the squared distance of the statistics (for Gram, sum (G/M - A/M)^2):
            "relative": d / the target's own squared size, so that no layer drowns the others: VGG-19's
            relu4_1 is twenty times louder than its relu1_1, and d goes with the fourth power of that;
            "paper": d / (4 C^2), which is E_l of eq. 4 (there with equal M, 1 / (4 N_l^2 M_l^2) sum (G - A)^2);
            "mean": d / C^2, as TensorFlow's tutorial takes it;
            "size": as "mean", with Gram matrices divided by the size M C of the feature matrix.

    Returns:
        float32 scalar, averaged over the batch.

    Raises:
        InputError: unknown statistic or normalization.
    """
    check_choice("statistic", statistic, tuple(STYLE_STATISTICS))
    check_choice("normalization", normalization, STYLE_NORMALIZATIONS)
    _, distance, size = STYLE_STATISTICS[statistic]
    error = distance(found, target)
    if normalization == "relative":
        return ops.mean(error / ops.maximum(size(target), _TINY))
    first = found[0] if isinstance(found, tuple) else found
    channels = first.shape[-1]
    return ops.mean(error) / {"paper": 4 * channels**2, "mean": channels**2, "size": channels**4}[normalization]


def _positions(features):
    """(N, H, W, C) as float32 rows (N, M, C), and M as a float32 scalar."""
    features = ops.cast(features, "float32")
    batch, height, width, channels = ops.shape(features)
    rows = ops.reshape(features, (batch, -1, channels))
    return rows, ops.cast(height * width, "float32")


def _trace(matrix):
    return ops.trace(matrix, axis1=-2, axis2=-1)


def _symmetric(matrix):
    return (matrix + ops.transpose(matrix, (0, 2, 1))) / 2


def _matrix_square_root(matrix):
    values, vectors = ops.linalg.eigh(_symmetric(matrix))
    scaled = vectors * ops.sqrt(ops.maximum(values, 0.0))[:, None]
    return ops.matmul(scaled, ops.transpose(vectors, (0, 2, 1)))
