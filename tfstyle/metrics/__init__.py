"""Figures of finished pictures: how much of the photograph is kept, how near the painting, the original or a domain.

Importing this package imports no TensorFlow; the figures that look through a network do when they are first called.
"""

import importlib

from tfstyle.metrics.distributions import (
    FewPicturesWarning,
    frechet_distance,
    frechet_distance_of_moments,
    kernel_distance,
)
from tfstyle.metrics.features import distribution_distances, picture_features
from tfstyle.metrics.lpips import diversity, lpips_distance
from tfstyle.metrics.pixels import mean_variation, psnr, ssim

_HOMES = {
    "Evaluator": "tfstyle.metrics.stylization",
    "perceptual_distance": "tfstyle.metrics.stylization",
    "video_flicker": "tfstyle.metrics.flicker",
    "warp_error": "tfstyle.metrics.flicker",
}

__all__ = [
    "FewPicturesWarning",
    "distribution_distances",
    "diversity",
    "frechet_distance",
    "frechet_distance_of_moments",
    "kernel_distance",
    "lpips_distance",
    "mean_variation",
    "picture_features",
    "psnr",
    "ssim",
    *_HOMES,
]


def __getattr__(name):
    if name not in _HOMES:
        raise AttributeError(f"module 'tfstyle.metrics' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
