"""How one-pass networks are run: as graphs for any size of picture, in portions, where memory suffices."""

import itertools

import keras
import numpy as np
import tensorflow as tf

from tfstyle import images
from tfstyle.checks import InputError
from tfstyle.machine import available

__all__ = [
    "AT_ONCE", "BASE", "as_array", "check_backend", "check_fits", "checked_contents", "in_portions", "traced_pictures",
]

# Pixels that go through a network at once, where there are several pictures.
AT_ONCE = 2**20
# Memory, measured: TensorFlow, Keras and the weights.
BASE = 900 * 2**20


def check_backend():
    """Raises `InputError` where Keras does not run on TensorFlow: the stylizers are graphs of it."""
    if keras.backend.backend() != "tensorflow":
        raise InputError(
            f"tfstyle needs Keras on TensorFlow here and it runs on {keras.backend.backend()}; "
            "set KERAS_BACKEND=tensorflow before Python starts."
        )


def check_fits(need, height, width, setting="size"):
    """Raises `InputError` where need(height, width) bytes are not free, with a value of `setting` that takes fewer."""
    if (wanted := need(height, width)) <= (have := available()):
        return
    sides = range(max(height, width) // 16 * 16, images.LEAST_SIDE - 1, -16)
    fits = (side for side in sides if need(*images.fitted_shape(height, width, side)) <= have)
    remedies = [f"use the {setting} {side}" for side in itertools.islice(fits, 1)]
    raise InputError(
        f"A {width}x{height} px picture needs about {wanted / 2**30:.1f} GiB of memory and {have / 2**30:.1f} GiB "
        f"are free; {', '.join([*remedies, 'close other programs'])} or take a machine with more memory."
    )


def checked_contents(contents):
    """Pictures of one shape as (N, H, W, 3) float32 in [0, 1], else `InputError`."""
    contents = as_array("contents", contents)
    if contents.ndim != 4 or contents.shape[-1] != 3 or not len(contents):
        raise InputError(f"contents must have shape (N, H, W, 3); received {contents.shape}.")
    return np.stack([images.read(one, name="content picture").rgb for one in contents])


def in_portions(function, pictures, *others):
    """A function of batches, a few pictures at a time where they are large."""
    step = max(1, AT_ONCE // (pictures.shape[1] * pictures.shape[2]))
    parts = [
        np.asarray(function(pictures[i:i + step], *(other[i:i + step] for other in others)))
        for i in range(0, len(pictures), step)
    ]
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def traced_pictures(model):
    """A model of pictures as a graph for pictures of any size, traced once."""
    return tf.function(lambda pictures: model(pictures), input_signature=[tf.TensorSpec((None, None, None, 3))])


def as_array(name, value):
    """An array-like as one array, else `InputError`."""
    try:
        return np.asarray(value)
    except ValueError:  # NumPy's word is "inhomogeneous"
        raise InputError(f"{name} must all have one shape; stylize pictures of unlike shapes one by one.") from None
