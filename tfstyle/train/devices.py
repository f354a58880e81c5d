"""What the device under Keras is good at: compiling, bfloat16, and being several, on one machine or on many."""

import os

import keras

from tfstyle.checks import InputError
from tfstyle.train import machines

__all__ = ["compiles", "convolutions", "on_accelerator", "readers", "share"]


def on_accelerator():
    """Whether the backend runs on something faster than the processor that reads the pictures."""
    if keras.backend.backend() == "jax":
        import jax

        return jax.default_backend() != "cpu"
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return bool(tf.config.list_physical_devices("GPU"))
    return False


def compiles():
    """Whether to compile by XLA: not where TensorFlow's own convolutions are faster, on a processor."""
    return keras.backend.backend() != "tensorflow" or on_accelerator()


def convolutions(precision):
    """The dtype of the convolutions, "float32" or "bfloat16", for "auto", "float32" or "bfloat16".

    Raises:
        InputError: bfloat16 asked for where it would be emulated.
    """
    if precision == "float32":
        return precision
    if keras.backend.backend() == "tensorflow":
        from tfstyle.machine import resolve

        return resolve(precision)
    wins = keras.backend.backend() == "jax" and _jax_bfloat16()
    if precision == "bfloat16" and not wins:
        raise InputError("The precision bfloat16 would be slower than float32 on this device; use the precision auto.")
    return "bfloat16" if wins else "float32"


def readers(workers):
    """How many threads read pictures: `workers`, or if that is None one for every two processors, at most 16."""
    return workers or max(1, min(16, (os.cpu_count() or 1) // 2))


def share(photos):
    """From here on, several devices of JAX share every batch: each holds all weights and a part of the pictures.

    Args:
        photos: photographs in a batch, of all processes together.

    Returns:
        Number of devices in all processes, 1 where there is nothing to share.

    Raises:
        InputError: the photographs cannot be dealt out evenly.
    """
    if keras.backend.backend() != "jax":
        return 1
    names = machines.devices()
    if len(names) > 1:
        if photos % len(names):
            raise InputError(f"photos must be a multiple of the {len(names)} devices; received {photos}.")
        keras.distribution.set_distribution(keras.distribution.DataParallel(devices=names))
    return len(names)


def _jax_bfloat16():
    import jax

    device = jax.devices()[0]
    if device.platform == "gpu":
        return float(getattr(device, "compute_capability", 0) or 0) >= 8
    return device.platform == "tpu"
