"""Losses of neural style transfer: pure functions, tensors in, one scalar out, on any Keras backend.

Feature maps are NHWC, float32 or bfloat16; every statistic and every sum is taken in float32.
"""

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

__all__ = [
    "CONTENT_NORMALIZATIONS",
    "STYLE_NORMALIZATIONS",
    "STYLE_STATISTICS",
    "TV_KINDS",
    "content_loss",
    "gram_matrix",
    "polynomial_mmd",
    "style_distance",
    "style_loss",
    "style_statistic",
    "total_variation",
    "wasserstein_distance",
]
