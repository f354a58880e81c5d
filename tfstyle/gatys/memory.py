"""An estimate of a run's memory before it starts, a refusal where it will not fit, and giving memory back."""

import ctypes
import gc

from tfstyle.checks import InputError
from tfstyle.images import LEAST_SIDE, fitted_shape
from tfstyle.machine import available, bfloat16_wins
from tfstyle.nets.vgg import layer_info

_MIB = 1024**2
# TensorFlow, Keras, the network's weights twice (the run's and the report's) and what Python needs.
_BASE = 820 * _MIB


def estimate(height, width, settings, dtype):
    """Peak memory of a run in bytes, to about a fifth (`benchmarks/gatys.py` prints both).

    The feature maps that the gradient needs dominate: relu1_1 and relu1_2 hold 64 numbers a pixel each, and all of
    VGG-19 to relu5_1 about 300, once for the forward and in part for the backward pass.

    Args:
        height, width: of the finished picture in pixels.
        settings: `GatysSettings`.
        dtype: "float32" or "bfloat16".
    """
    pixels = height * width
    deepest = max(layer_info(name, settings.network)[1] for name in (*settings.content_layers, *settings.style_layers))
    numbers = {1: 150, 2: 225, 4: 290, 8: 320, 16: 325}.get(deepest, 325)
    run = pixels * numbers * (2 if dtype == "bfloat16" else 4) * 1.8
    statistics = pixels * 64 * 4 * 2  # relu1_1 in float32 for its Gram matrix, and the gradient of that
    painted = max(pixels, (max(height, width) * settings.style_scale) ** 2)
    report = painted * 64 * 4 * 3  # the largest picture forward only: the report's, or the painting if it is larger
    kept = pixels * 3 * 4 * (2 * settings.history + 8 if settings.optimizer == "lbfgs" else 8)
    return int(_BASE + max(run + statistics, report) + kept)


def check_fits(height, width, settings, dtype):
    """Raises `InputError` naming two remedies when a run would not fit into memory; returns the estimate in bytes."""
    need, have = estimate(height, width, settings, dtype), available()
    if need <= have:
        return need
    remedies = []
    for side in range(max(height, width) // 16 * 16, LEAST_SIDE - 1, -16):
        if estimate(*fitted_shape(height, width, side), settings, dtype) <= have:
            remedies.append(f"use size={side}")
            break
    if dtype == "float32" and bfloat16_wins()[0]:
        remedies.append("use precision='bfloat16'")
    elif settings.optimizer == "lbfgs":
        remedies.append("use optimizer='adam'")
    raise InputError(
        f"A {width}x{height} px picture needs about {need / 2**30:.1f} GiB of memory and {have / 2**30:.1f} GiB are "
        f"free; {', '.join([*remedies, 'close other programs'])} or take a machine with more memory."
    )


def give_back():
    """Frees compiled functions, which are rings of references, and what glibc holds for each of TensorFlow's threads."""
    gc.collect()
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (AttributeError, OSError, TypeError):
        pass  # another C library, which has its own ways
