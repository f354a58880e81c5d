"""An estimate of a run's memory before it starts, and a refusal where it will not fit."""

import dataclasses

from tfstyle.checks import InputError
from tfstyle.gatys.tiles import halo
from tfstyle.images import LEAST_SIDE, fitted_shape
from tfstyle.machine import available, bfloat16_wins
from tfstyle.nets.vgg import layer_info

_MIB = 1024**2
# TensorFlow, Keras, the network's weights twice (the run's and the report's) and what Python needs.
_BASE = 820 * _MIB
# Pixels of a strip at most: with these, 2048x1536 px stay under 4 GiB, and larger ones buy little time.
MOST = {"bfloat16": 3 * 2**18, "float32": 9 * 2**16}
# Pictures beside those of the optimiser: the strips' gradient, total variation's and copies of them.
_BESIDES = 8


def estimate(height, width, settings, dtype, strip=None, regions=0):
    """Peak memory of a run in bytes, to about a fifth (`benchmarks/gatys.py` prints both).

    The feature maps that the gradient needs dominate: relu1_1 and relu1_2 hold 64 numbers a pixel each, and all of
    VGG-19 to relu5_1 about 300, once for the forward and in part for the backward pass.

    Args:
        height, width: of the finished picture in pixels.
        settings: `GatysSettings`.
        dtype: "float32" or "bfloat16".
        strip: pixels that go through the network at once; None is all of them.
        regions: number of masks.
    """
    pixels = height * width
    at_once = pixels if strip is None else min(pixels, strip)
    layers = (*settings.content_layers, *settings.style_layers)
    deepest = max(layer_info(name, settings.network)[1] for name in layers)
    numbers = {1: 150, 2: 225, 4: 290, 8: 320, 16: 325}.get(deepest, 325)
    run = at_once * numbers * (2 if dtype == "bfloat16" else 4) * 1.8
    # relu1_1 in float32 for its Gram matrix, and the gradient of that; weighed anew for each region and for the rest.
    statistics = at_once * 64 * 4 * (2 + (regions and regions + 1))
    painted = max(pixels, (settings.style_size or max(height, width) * settings.style_scale) ** 2)
    # The largest picture forward only: the report's, or the painting if it is larger.
    report = (painted if strip is None else at_once) * 64 * 4 * 3
    pictures = 2 * settings.history + 8 if settings.optimizer == "lbfgs" else 8
    kept = pixels * 3 * 4 * pictures
    if strip is not None:
        contents = (layer_info(name, settings.network)[:2] for name in settings.content_layers)
        features = sum(pixels / stride**2 * channels * 4 for channels, stride in contents)
        kept += 2 * features + pixels * 3 * 4 * _BESIDES
    return int(_BASE + max(run + statistics, report) + kept)


def fits(height, width, settings, dtype, strip=None, regions=0):
    """Whether a run would fit into memory; `estimate` says what the arguments are."""
    return estimate(height, width, settings, dtype, strip, regions) <= available()


def check_fits(height, width, settings, dtype, regions=0):
    """How a run fits into memory.

    Returns:
        Pixels of a strip, or None where all of the picture goes through the network at once.

    Raises:
        InputError: it does not fit, with remedies that would help.
    """
    have = available()
    found, need = _arranged(height, width, settings, dtype, regions, have)
    if need <= have:
        return found
    remedies = []
    for side in range(max(height, width) // 16 * 16, LEAST_SIDE - 1, -16):
        if _arranged(*fitted_shape(height, width, side), settings, dtype, regions, have)[1] <= have:
            remedies.append(f"use the size {side}")
            break
    if settings.tiled == "no" and settings.style_statistic == "gram":
        loose = dataclasses.replace(settings, tiled="auto")
        if _arranged(height, width, loose, dtype, regions, have)[1] <= have:
            remedies.append("use tiled auto")
    if dtype == "float32" and bfloat16_wins()[0]:
        remedies.append("use the precision bfloat16")
    elif settings.optimizer == "lbfgs":
        remedies.append("use the optimizer adam")
    raise InputError(
        f"A {width}x{height} px picture needs about {need / 2**30:.1f} GiB of memory"
        f"{'' if found is None else ' even strip by strip'} and {have / 2**30:.1f} GiB are free; "
        f"{', '.join([*remedies, 'close other programs'])} or take a machine with more memory."
    )


def _arranged(height, width, settings, dtype, regions, have):
    """(pixels of a strip or None, memory in bytes), the fewest strips that fit, or else what needs least."""
    whole = estimate(height, width, settings, dtype, None, regions)
    if settings.tiled == "no" or settings.style_statistic != "gram" or settings.tiled == "auto" and whole <= have:
        return None, whole
    margin, grid = halo((*settings.content_layers, *settings.style_layers), settings.network)
    least = (2 * margin + grid) * min(height, width)
    strip = max(MOST[dtype], least)
    while (need := estimate(height, width, settings, dtype, strip, regions)) > have and strip > least:
        strip = max(least, strip * 3 // 4)
    return (None, whole) if settings.tiled == "auto" and whole < need else (strip, need)
