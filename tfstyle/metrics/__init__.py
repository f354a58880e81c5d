"""Figures of finished pictures: how much of the photograph is kept, how near the painting or the original is."""

from tfstyle.metrics.pixels import mean_variation, psnr, ssim
from tfstyle.metrics.stylization import Evaluator, perceptual_distance

__all__ = ["Evaluator", "mean_variation", "perceptual_distance", "psnr", "ssim"]
