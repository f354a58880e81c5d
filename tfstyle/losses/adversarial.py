"""Least-squares adversarial losses: a discriminator learns 1 for real pictures and 0 for others."""

from keras import ops

__all__ = ["lsgan_discriminator_loss", "lsgan_generator_loss"]


def lsgan_discriminator_loss(real, fake):
    """What a discriminator is to lower: sum over its scales of mean (D(real) - 1)^2 + mean D(fake)^2.

    Args:
        real, fake: lists of maps (N, h, w, 1), one for each scale, of pictures of the domain and of translated ones.

    Returns:
        float32 scalar; 0 where both are told apart for certain.

    Source: Mao et al., "Least Squares Generative Adversarial Networks", ICCV 2017 (arXiv:1611.04076), eq. 2 with a = 0,
    b = 1 and without the factor 1/2, as in MUNIT and DSMAP.
    """
    return _mean_square(real, 1.0) + _mean_square(fake, 0.0)


def lsgan_generator_loss(fake):
    """What a generator is to lower: sum over a discriminator's scales of mean (D(fake) - 1)^2.

    Args:
        fake: list of maps (N, h, w, 1), one for each scale, of translated pictures.

    Returns:
        float32 scalar; 0 where they pass for real.

    Source: as of `lsgan_discriminator_loss`, c = 1.
    """
    return _mean_square(fake, 1.0)


def _mean_square(maps, wanted):
    return sum(ops.mean(ops.square(ops.cast(one, "float32") - wanted)) for one in maps)
