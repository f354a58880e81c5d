"""Losses of translation between domains: absolute errors of pictures and codes, and distances of VGG's features."""

from keras import ops

__all__ = ["absolute_error", "contextual_loss", "instance_normalized_error"]


def absolute_error(found, target):
    """Mean absolute difference: all that a translation is to bring back or to keep.

    DSMAP (ECCV 2020) and MUNIT (ECCV 2018, eq. 1 to 3) take it of
    the picture and its reconstruction within the domain (image loss),
    a style code and the one read back from the picture painted with it (style loss),
    a content and the one of the translated picture (domain-invariant content loss),
    a content before the shared block and the one mapped into its own domain (domain-specific content loss),
    the picture and what comes back from the other domain (cycle loss).

    Args:
        found, target: two tensors of one shape.

    Returns:
        float32 scalar in the unit of the tensors.
    """
    return ops.mean(ops.abs(ops.cast(found, "float32") - ops.cast(target, "float32")))


def contextual_loss(features, target, bandwidth=0.5):
    """How badly each feature of the target is matched by its nearest in a picture, wherever that lies.

    With d_ij = 1 - cosine of feature i of the picture and j of the target, both less the target's mean over batch and
    positions: w_ij = exp((1 - d_ij / (min_j d_ij + 1e-5)) / bandwidth), CX = mean over j of max over i of
    w_ij / sum_j w_ij, and the loss is -log(CX + 1e-5).

    Args:
        features: (N, H, W, C) of the pictures.
        target: (N, h, w, C) of those that they are to resemble.
        bandwidth: h of the paper; less of it takes only the nearest for a match.

    Returns:
        float32 scalar from about 0 on, the mean over the batch.

    Source: Mechrez, Talmi and Zelnik-Manor, "The Contextual Loss for Image Transformation with Non-Aligned Data", ECCV
    2018 (arXiv:1803.02077), eq. 2 to 5, with the constants of DSMAP (ECCV 2020).
    """
    features, target = ops.cast(features, "float32"), ops.cast(target, "float32")
    mean = ops.mean(target, axis=(0, 1, 2), keepdims=True)
    mine, wanted = _directions(features - mean), _directions(target - mean)
    distance = 1.0 - ops.matmul(mine, ops.transpose(wanted, (0, 2, 1)))
    relative = distance / (ops.min(distance, axis=2, keepdims=True) + 1e-5)
    weights = ops.exp((1.0 - relative) / bandwidth)
    shares = weights / ops.sum(weights, axis=2, keepdims=True)
    similarity = ops.mean(ops.max(shares, axis=1), axis=1)
    return ops.mean(-ops.log(similarity + 1e-5))


def instance_normalized_error(features, target):
    """Squared distance of features whose channels are brought to mean 0 and deviation 1, which takes the style away.

    Args:
        features, target: (N, H, W, C), of a translated picture and of the one that it was made from.

    Returns:
        float32 scalar, the mean over all elements.

    Source: the domain-invariant perceptual loss of MUNIT (ECCV 2018, section 5.1), of relu4_3 or deeper.
    """
    return ops.mean(ops.square(_normalized(features) - _normalized(target)))


def _directions(features):
    """(N, H, W, C) -> (N, H W, C) of length 1; the epsilon lies inside the root, whose slope at 0 has no bound."""
    count, height, width, channels = ops.shape(features)
    rows = ops.reshape(features, (count, height * width, channels))
    return rows * ops.rsqrt(ops.sum(ops.square(rows), axis=-1, keepdims=True) + 1e-10)


def _normalized(features):
    features = ops.cast(features, "float32")
    mean = ops.mean(features, axis=(1, 2), keepdims=True)
    variance = ops.mean(ops.square(features - mean), axis=(1, 2), keepdims=True)
    return (features - mean) * ops.rsqrt(variance + 1e-5)
