"""Networks of one model as files: float16 .npz for shipping, .keras as they are, each array checked when read.

A file says which network it holds ("style", "superres" or "translate") and of what shape, so that a path is all that a
caller needs.
"""

import dataclasses
import io
import json
import pathlib

import keras
import numpy as np

from tfstyle import atomic
from tfstyle.checks import InputError
from tfstyle.nets.dsmap import DSMAPConfig, dsmap
from tfstyle.nets.feedforward import FeedForwardConfig, feedforward
from tfstyle.nets.superres import SuperResConfig, superres

__all__ = ["KINDS", "checked", "key_of", "load", "packed", "read", "save", "unpacked"]

KINDS = {
    "style": (FeedForwardConfig, feedforward), "superres": (SuperResConfig, superres),
    "translate": (DSMAPConfig, dsmap),
}
_CALLED = {
    "style": "network for one style", "superres": "network that enlarges", "translate": "network that translates",
}
VERSION = 1
_NPZ, _KERAS = ".npz", ".keras"


def save(path, model, config):
    """Writes a network as one file, whole or not at all.

    Args:
        path: ends in .npz (float16, compressed: for shipping) or in .keras (as it is; Keras reads it where
            `tfstyle.nets.network_files` is imported).
        model: a keras.Model as `feedforward`, `superres` or `dsmap` makes it.
        config: its `FeedForwardConfig`, `SuperResConfig` or `DSMAPConfig`.

    Raises:
        InputError: another ending, weights beyond float16's range, a folder or disk that refuses.
    """
    path = pathlib.Path(path)
    suffix = path.suffix  # NumPy and Keras know the lower case alone
    if suffix not in (_NPZ, _KERAS):
        raise InputError(f"{path} has an unknown ending: the network is written as {_NPZ} or {_KERAS}.")
    kind = next(kind for kind, (of, _) in KINDS.items() if isinstance(config, of))
    head = {"kind": kind, "version": VERSION, **dataclasses.asdict(config)}
    try:
        with atomic.replaced(path) as beside:
            if suffix == _NPZ:
                np.savez_compressed(beside, config=np.frombuffer(json.dumps(head).encode(), np.uint8), **packed(model))
            else:
                first, *others = model.outputs
                headed = [Head(head, name="head")(first), *others]
                keras.Model(model.inputs[0], headed, name="stored").save(beside)
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error.strerror}); choose another place.") from error


def load(source, kind, dtype="float32"):
    """The network out of a file.

    Args:
        source: path of an .npz or .keras file that `save` wrote; or (name, content) of a shipped .npz.
        kind: "style", "superres" or "translate", which the file must hold.
        dtype: of the convolutions, as the network's function takes it.

    Returns:
        (keras.Model, its config).

    Raises:
        InputError: no such file, a damaged one, or one of another network, kind or version.
    """
    if isinstance(source, tuple):
        name, content = source
        head, arrays = unpacked(content)
    else:
        name = pathlib.Path(source)
        head, arrays = read(name, unpacked, _taken_apart)
    model, config = _built(head, kind, name, dtype)
    for variable in model.variables:
        key = key_of(variable)
        variable.assign(checked(arrays.pop(key, None), key, tuple(variable.shape), name))
    if arrays:
        raise InputError(f"{name} holds {min(arrays)}, which this network does not have: give another file.")
    return model, config


def packed(model, prefix=""):
    """{prefix + name: float16 array} of a model's variables.

    Raises:
        InputError: a value beyond float16's range.
    """
    arrays = {}
    for variable in model.variables:
        key = prefix + key_of(variable)
        with np.errstate(over="ignore"):
            arrays[key] = keras.ops.convert_to_numpy(variable).astype(np.float16)
        if not np.isfinite(arrays[key]).all():
            raise InputError(f"{key} is not finite in float16; save it as {_KERAS}.")
    return arrays


def key_of(variable):
    """Layer and variable, whatever model they lie in: "contract1_conv/kernel"."""
    return "/".join(variable.path.split("/")[-2:])


def checked(values, key, shape, source):
    """An array out of a file as float32.

    Raises:
        InputError: it is missing, of another shape, or not all finite numbers.
    """
    if values is None:
        raise InputError(f"{source}: {key} is missing; the network wants shape {shape}: give another file.")
    if values.shape != shape:
        raise InputError(f"{source}: {key} has shape {values.shape}, but the network wants {shape}: give another file.")
    if values.dtype.kind != "f" and values.dtype.name != "bfloat16" or not np.isfinite(values).all():
        raise InputError(f"{source}: {key} has values that are not finite numbers: fetch the damaged file again.")
    if key.endswith("moving_variance") and values.min() < 0:
        raise InputError(f"{source}: {key} has values below 0: fetch the damaged file again.")
    return values.astype("float32")


@keras.saving.register_keras_serializable(package="tfstyle")
class Head(keras.layers.Layer):
    """Hands pictures through and carries what a .keras file says of its network."""

    def __init__(self, values, **kwargs):
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.values = dict(values)

    def call(self, x):
        return x

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "values": self.values}


def unpacked(content):
    """(head, {name: array}) of the bytes of an .npz."""
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    return json.loads(bytes(arrays.pop("config"))), arrays


def read(path, unpack, take_apart, called="network"):
    """What a user's .npz or .keras file holds.

    Args:
        path: pathlib.Path.
        unpack, take_apart: called with the bytes of an .npz, or the keras.Model out of a .keras file; what they return
            is returned, and whatever they raise means a damaged file.
        called: what error sentences expect in the file.

    Raises:
        InputError: another ending, no such file, or a damaged one.
    """
    if path.suffix.lower() not in (_NPZ, _KERAS):
        raise InputError(f"{path} has an unknown ending: the network is read from {_NPZ} and {_KERAS} files.")
    if not path.is_file():
        raise InputError(f"There is no file {str(path)!r} with the network's weights; check the path.")
    try:
        if path.suffix.lower() == _NPZ:
            return unpack(path.read_bytes())
        return take_apart(keras.saving.load_model(path, compile=False))
    except Exception as error:  # the readers raise all sorts of things on damaged files and on other networks
        raise InputError(
            f"{path} holds no {called} of tfstyle, or is damaged ({type(error).__name__}): give another file."
        ) from error


def _taken_apart(model):
    arrays = {key_of(variable): keras.ops.convert_to_numpy(variable) for variable in model.variables}
    return next((layer.values for layer in model.layers if isinstance(layer, Head)), {}), arrays


def _built(head, kind, name, dtype):
    """(model with random weights, its config) by a file's head, which must be of this kind."""
    head = head if isinstance(head, dict) else {}
    found = head.get("kind", "arbitrary" if "code" in head else None)
    if found != kind:
        other = {**_CALLED, "arbitrary": "network for any style"}.get(found, "network of another make")
        raise InputError(f"{name} holds a {other}, not a {_CALLED[kind]}: give another file.")
    if head.get("version") != VERSION:
        raise InputError(
            f"{name} is of version {head.get('version')!r}, and this tfstyle reads version {VERSION}: export it anew, "
            "or update tfstyle."
        )
    describe, build = KINDS[kind]
    try:
        config = describe(**{key: value for key, value in head.items() if key not in ("kind", "version")})
        return build(config, dtype), config
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} is damaged, its settings are not those of a {_CALLED[kind]}.") from error
