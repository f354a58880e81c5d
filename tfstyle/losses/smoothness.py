"""Smoothness of a picture: total variation."""

from keras import ops

from tfstyle.checks import check_choice

TV_KINDS = ("mean", "sum", "squared")

_CORNER = 1e-3  # a quarter of one 8-bit level: below it |d| is rounded off, so that its gradient exists at 0


def total_variation(image, kind="mean"):
    """Differences between neighboring pixels.

    Args:
        image: (N, H, W, C) pictures with values in [0, 1], at least 2 pixels high and wide.
        kind: "mean": mean |horizontal difference| + mean |vertical difference|, free of the picture's
            size (anisotropic total variation, Rudin et al. 1992, with a rounded corner at 0);
            "sum": the same as plain sums, as `tf.image.total_variation` takes it;
            "squared": mean squared differences, which punish strokes' edges more than grain (Mahendran
            and Vedaldi, CVPR 2015, eq. 6 with beta = 2).

    Returns:
        float32 scalar, averaged over the batch.

    Raises:
        InputError: unknown kind.
    """
    check_choice("kind", kind, TV_KINDS)
    image = ops.cast(image, "float32")
    differences = (image[:, :, 1:] - image[:, :, :-1], image[:, 1:] - image[:, :-1])
    if kind == "squared":
        return sum(ops.mean(ops.square(d)) for d in differences)
    sizes = [ops.sqrt(ops.square(d) + _CORNER**2) - _CORNER for d in differences]
    if kind == "sum":
        return ops.mean(sum(ops.sum(s, axis=(1, 2, 3)) for s in sizes))
    return sum(ops.mean(s) for s in sizes)
