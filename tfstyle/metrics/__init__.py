"""Figures of finished pictures: how much of the photograph is kept and how near the painting is."""

from tfstyle.metrics.pixels import mean_variation, ssim
from tfstyle.metrics.stylization import Evaluator

__all__ = ["Evaluator", "mean_variation", "ssim"]
