"""Losses of neural style transfer and of translation: pure functions, tensors in, one scalar out, on any Keras backend.

Feature maps are NHWC, float32 or bfloat16; every statistic and every sum is taken in float32.
"""

from tfstyle.losses.adversarial import lsgan_discriminator_loss, lsgan_generator_loss
from tfstyle.losses.content import CONTENT_NORMALIZATIONS, content_loss
from tfstyle.losses.smoothness import TV_KINDS, total_variation
from tfstyle.losses.style import (
    STYLE_NORMALIZATIONS,
    STYLE_STATISTICS,
    gram_matrix,
    polynomial_mmd,
    style_distance,
    style_loss,
    style_statistic,
    wasserstein_distance,
)
from tfstyle.losses.translation import absolute_error, contextual_loss, instance_normalized_error

__all__ = [
    "CONTENT_NORMALIZATIONS",
    "STYLE_NORMALIZATIONS",
    "STYLE_STATISTICS",
    "TV_KINDS",
    "absolute_error",
    "content_loss",
    "contextual_loss",
    "gram_matrix",
    "instance_normalized_error",
    "lsgan_discriminator_loss",
    "lsgan_generator_loss",
    "polynomial_mmd",
    "style_distance",
    "style_loss",
    "style_statistic",
    "total_variation",
    "wasserstein_distance",
]
