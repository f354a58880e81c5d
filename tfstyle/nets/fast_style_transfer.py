"""Public networks for one style that fast-style-transfer has trained, out of their plain checkpoints.

A checkpoint is a folder: manifest.json, as {"Variable": {"filename": "Variable", "shape": [9, 9, 3, 32]}, ..}, and for
each variable one file of little-endian float32 numbers. Weights stay under their maker's license.

Source: github.com/lengstrom/fast-style-transfer, src/transform.py: of each of the 16 convolutions first the kernel is
made, then the shift and the scale of its instance normalization; pictures in 0..255 go in, and 150 tanh + 255 / 2 comes
out, which is cut to 0..255. The layout is that of deeplearn.js' checkpoints, as ml5's StyleTransfer reads them.
"""

import json
import math
import os
import pathlib

import numpy as np

from tfstyle.checks import InputError
from tfstyle.nets.feedforward import FeedForwardConfig, feedforward
from tfstyle.nets.network_files import checked, key_of

__all__ = ["MANIFEST", "load"]

MANIFEST = "manifest.json"
_NETWORK = "fast-style-transfer"
_SHIFTS = ("Variable_1", "Variable_4", "Variable_7")  # of the contractions: as long as the layers are wide


def load(folder, dtype="float32"):
    """The network out of a checkpoint, each file checked before anything is built.

    Args:
        folder: path of the folder that holds manifest.json and the variables' files. Widths other than 32, 64 and 128
            are taken from the shapes; variables that are none of the network's, as an optimizer's, are left alone.
        dtype: of the convolutions, as `tfstyle.nets.feedforward.feedforward` takes it.

    Returns:
        (keras.Model, `FeedForwardConfig`): it paints what the public network paints where both sides are multiples of
        4; other sides are continued by reflection up to one, and the result is cut.

    Raises:
        InputError: no such folder; a variable that is missing, of another shape, short, not finite, or said to lie
            outside the folder.
    """
    folder = pathlib.Path(folder)
    manifest = _manifest(folder)
    shapes = {name: _shape(manifest[name]) for name in manifest}
    ours = FeedForwardConfig(_NETWORK).widths
    lengths = [shapes.get(name) or () for name in _SHIFTS]
    widths = tuple(its[0] if len(its) == 1 else width for its, width in zip(lengths, ours, strict=True))
    wanted = _variables(widths)
    for name, (_, shape) in wanted.items():
        if name not in manifest:
            checked(None, name, shape, folder)
        if shapes[name] != shape:
            found = f"has shape {shapes[name]}" if shapes[name] else "has no shape"
            raise InputError(f"{folder}: {name} {found}, but the network wants {shape}: give another checkpoint.")
    arrays = {key: _read(folder, name, manifest[name], shape) for name, (key, shape) in wanted.items()}
    config = FeedForwardConfig(_NETWORK, widths)
    model = feedforward(config, dtype)
    for variable in model.variables:
        variable.assign(arrays[key_of(variable)])
    return model, config


def _variables(widths):
    """{name in a checkpoint: (name in our network, shape)}, in the order in which the variables were made."""
    full, half, quarter = widths
    kernels = {"contract1": (9, 9, 3, full), "contract2": (3, 3, full, half), "contract3": (3, 3, half, quarter)}
    kernels |= {f"deep{block}{part}": (3, 3, quarter, quarter) for block in range(1, 6) for part in "ab"}
    # Of transposed convolutions: channels out, then channels in.
    kernels |= {"expand1": (3, 3, half, quarter), "expand2": (3, 3, full, half), "paint": (9, 9, full, 3)}
    found = []
    for layer, shape in kernels.items():
        channels = (shape[2 if layer.startswith("expand") else 3],)
        found += [(f"{layer}_conv/kernel", shape), (f"{layer}_norm/shift", channels), (f"{layer}_norm/scale", channels)]
    return {f"Variable_{number}" if number else "Variable": one for number, one in enumerate(found)}


def _manifest(folder):
    """The manifest as {name of a variable: what is said of it}."""
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); give the folder of a checkpoint.") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is damaged, it is no JSON: fetch the checkpoint again.") from error
    if not isinstance(manifest, dict):
        raise InputError(f"{path} is no manifest of variables by name: give another checkpoint.")
    return manifest


def _shape(entry):
    """The shape that a manifest gives a variable, as a tuple of whole numbers from 1, or None."""
    shape = entry.get("shape") if isinstance(entry, dict) else None
    if isinstance(shape, list) and all(type(side) is int and side > 0 for side in shape):
        return tuple(shape)
    return None


def _read(folder, name, entry, shape):
    """A variable's float32 array of the shape, which is known to be that of the manifest."""
    file = entry.get("filename")
    # Any separator or drive could lead out of the folder; the layout knows none.
    if not isinstance(file, str) or not file or file in (".", "..") or any(sign in file for sign in "/\\:\0"):
        raise InputError(f"{folder}: {name} must be a file of the folder, not {file!r}: give another checkpoint.")
    path, size = folder / file, 4 * math.prod(shape)
    try:
        # A pipe would be waited for, and a larger file is not read to be refused.
        found = os.stat(path).st_size if path.is_file() else None
        content = path.read_bytes() if found == size else b""
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); fetch the checkpoint again.") from error
    if found is None:
        raise InputError(f"{folder}: {name} is missing, there is no file {file!r}: fetch the checkpoint again.")
    if len(content) != size:
        raise InputError(
            f"{folder}: {name} has {found} bytes, and float32 of shape {shape} takes {size}: fetch the damaged file "
            "again."
        )
    return checked(np.frombuffer(content, "<f4").reshape(shape), name, shape, folder)
