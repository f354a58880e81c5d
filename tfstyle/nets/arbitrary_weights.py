"""Weights of the arbitrary-style network: both models into one file, and back into models."""

import dataclasses
import json
import pathlib

import keras
import numpy as np

from tfstyle import atomic
from tfstyle.checks import InputError
from tfstyle.nets.arbitrary import ArbitraryConfig, style_predictor, transformer
from tfstyle.nets.network_files import checked, key_of, packed, read, unpacked
from tfstyle.weights.files import ARBITRARY, shipped

__all__ = ["load", "save"]

_NPZ, _KERAS = ".npz", ".keras"
_PARTS = ("predictor", "transformer")


def save(path, predictor, transformer, config):
    """Writes both models as one file, whole or not at all.

    Args:
        path: ends in .npz (float16: half the size, for shipping) or in .keras (as they are; Keras reads
            them where `tfstyle.nets.arbitrary` is imported).
        predictor: a keras.Model as `style_predictor` makes it.
        transformer: a keras.Model as `tfstyle.nets.arbitrary.transformer` makes it.
        config: the `ArbitraryConfig` of both.

    Raises:
        InputError: another ending, weights beyond float16's range, a folder or disk that refuses.
    """
    path = pathlib.Path(path)
    kind = path.suffix.lower()
    if kind not in (_NPZ, _KERAS):
        raise InputError(f"{path} has an unknown ending: the network is written as {_NPZ} or {_KERAS}.")
    try:
        with atomic.replaced(path) as beside:
            if kind == _NPZ:
                np.savez(beside, **_packed(predictor, transformer, config))
            else:
                _whole(predictor, transformer).save(beside)
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error.strerror}); choose another place.") from error


def load(name="default", dtype="float32"):
    """The network out of a file, each array checked.

    Args:
        name: "default", the shipped weights, or the path of an .npz or .keras file that `save` wrote.
        dtype: of the transformer's convolutions, as `tfstyle.nets.arbitrary.transformer` takes it.

    Returns:
        (predictor, transformer, config): two keras.Models and their `ArbitraryConfig`.

    Raises:
        InputError: no such file, a damaged one, or one of another network.
    """
    if isinstance(name, str) and name == "default":
        content, _ = shipped(ARBITRARY)
        arrays, config = _unpacked(content)
        name = ARBITRARY
    else:
        arrays, config = read(pathlib.Path(name), _unpacked, _taken_apart, "arbitrary-style network")
    models = style_predictor(config), transformer(config, dtype)
    wanted = {f"{part}/{key_of(v)}": v for part, model in zip(_PARTS, models, strict=True) for v in model.variables}
    for key, variable in wanted.items():
        variable.assign(checked(arrays.pop(key, None), key, tuple(variable.shape), name))
    if arrays:
        raise InputError(f"{name} holds {min(arrays)}, which this network does not have: give another file.")
    return *models, config


def _packed(predictor, transformer, config):
    fields = dataclasses.asdict(config)
    if config.predictor == "vgg19":
        del fields["predictor"]  # files without it are as old as the network
    arrays = {"config": np.frombuffer(json.dumps(fields).encode(), np.uint8)}
    for part, model in zip(_PARTS, (predictor, transformer), strict=True):
        arrays |= packed(model, f"{part}/")
    return arrays


def _unpacked(content):
    """({name: array}, config) of the bytes of an .npz."""
    fields, arrays = unpacked(content)
    return arrays, ArbitraryConfig(**fields | {"widths": tuple(fields["widths"])})


def _whole(predictor, transformer):
    """Both models as one: image (N, H, W, 3), moments (N, 1920) or style (N, h, w, 3) -> picture (N, H, W, 3)."""
    image = keras.Input((None, None, 3), name="image")
    read = keras.Input(predictor.input_shape[1:], name=predictor.inputs[0].name)
    return keras.Model([image, read], transformer([image, predictor(read)]), name="arbitrary_style")


def _taken_apart(model):
    """({name: array}, config) of the model out of a .keras file."""
    predictor, transformer = model.get_layer("style_predictor"), model.get_layer("transformer")
    arrays = {
        f"{part}/{key_of(v)}": keras.ops.convert_to_numpy(v)
        for part, model in zip(_PARTS, (predictor, transformer), strict=True) for v in model.variables
    }
    widths = tuple(transformer.get_layer(f"contract{i}_conv").filters for i in range(1, 5))
    blocks = sum(layer.name.startswith("deep") and layer.name.endswith("_sum") for layer in transformer.layers)
    units = {layer.name: layer.units for layer in predictor.layers if layer.name in ("hidden", "code")}
    if "hidden" not in units:
        return arrays, ArbitraryConfig(widths, blocks, units["code"], predictor="inception_v3")
    return arrays, ArbitraryConfig(widths, blocks, units["code"], units["hidden"])
