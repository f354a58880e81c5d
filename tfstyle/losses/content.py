"""Content loss: how far a picture's deep features are from those of the photograph."""

from keras import ops

from tfstyle.checks import check_choice

CONTENT_NORMALIZATIONS = ("relative", "mean", "paper", "positions")


def content_loss(features, target, normalization="relative"):
    """Squared distance between two feature maps of one layer.

    Args:
        features: (N, H, W, C) features of the picture, F in the paper.
        target: features of the photograph, P in the paper, of the same shape.
        normalization: what the sum of squares is divided by:
            "paper": 1/2 sum (F - P)^2, as printed (it grows with the picture);
            "positions": the same over the H W positions, as `gram_matrix` divides, free of the picture's size;
            "mean": mean (F - P)^2;
            "relative": mean (F - P)^2 / mean P^2, so that 1 is as far off as an all-zero map,
            whatever the layer, the network or the picture's size.

    Returns:
        float32 scalar, the mean over the batch of each picture's own.

    Raises:
        InputError: unknown normalization.

    Source: Gatys et al., CVPR 2016, eq. 1; its gradient (eq. 2) is F - P.
    Differs: eq. 2 sets the gradient to 0 where F <= 0; here the network's own ReLU does that.
    """
    check_choice("normalization", normalization, CONTENT_NORMALIZATIONS)
    features, target = ops.cast(features, "float32"), ops.cast(target, "float32")
    squared = ops.square(features - target)
    if normalization == "paper":
        return ops.mean(ops.sum(squared, axis=(1, 2, 3))) / 2
    if normalization == "positions":
        return ops.mean(ops.sum(squared, axis=3)) / 2
    if normalization == "mean":
        return ops.mean(squared)
    size = ops.mean(ops.square(target), axis=(1, 2, 3))
    # The maximum keeps the quotient finite for a layer that a flat picture leaves silent.
    return ops.mean(ops.mean(squared, axis=(1, 2, 3)) / ops.maximum(size, 1e-12))
