"""Weights of the networks that measure content and style: the shipped files, and other makers' files."""

from tfstyle.weights.files import NETWORKS, VGGWeights, convolutions, load, mean_activations

__all__ = ["NETWORKS", "VGGWeights", "convolutions", "load", "mean_activations"]
