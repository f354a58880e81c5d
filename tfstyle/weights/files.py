"""Name or path to verified VGG arrays: the shipped file, Keras' download, or a file of the user's.

Loading the shipped file needs NumPy alone; h5py, SciPy and Keras are imported where a format wants them.
"""

import dataclasses
import hashlib
import io
import os
import pathlib
import re

import numpy as np

from tfstyle.checks import InputError, check_choice, closest
from tfstyle.weights.hdf5 import read_hdf5
from tfstyle.weights.matconvnet import oriented, read_matconvnet

__all__ = [
    "NETWORKS",
    "VGGWeights",
    "convolutions",
    "load",
    "mean_activations",
    "shipped",
    "shipped_factors",
    "shipped_styles",
    "shipped_translations",
]

# Output channels of each convolution, block by block (Simonyan and Zisserman 2014, table 1, columns D and E).
NETWORKS = {
    "vgg16": ((64,) * 2, (128,) * 2, (256,) * 3, (512,) * 3, (512,) * 3),
    "vgg19": ((64,) * 2, (128,) * 2, (256,) * 4, (512,) * 4, (512,) * 4),
}
MEAN_RGB = (123.68, 116.779, 103.939)  # of ImageNet's training pictures, as published with the networks

HERE = pathlib.Path(__file__).resolve().parent
DEFAULT = "vgg19_imagenet_palette8.npz"
MEANS = "vgg19_mean_activations.npz"
ARBITRARY = "arbitrary.npz"  # read by nets/arbitrary_weights.py
SHIPPED = {
    DEFAULT: "6cf486abc84b644f6db4df2c3f3f2f7abe2a137d02d6d0333791fbd641170b51",
    MEANS: "31c5e30fca01918c605b742b248518661d1c2fde576975cc6a9781ca595c334d",
    ARBITRARY: "28db414436b9adc67764346c3d8feb54181df81c6ad7e4be3b3f5ea3c996aac5",
    "style_dusk.npz": "e1342b615607cdc749d1bcef1b50b0ab9e0c383eb687339c1dc23f70afc8d9ec",
    "style_ink.npz": "a229ef2aaadbf614e38724fc5e4fcce832e0825df7391a092fe66d1ea86401e5",
    "style_night.npz": "6c0d91d96eef932d1aff0c32ecf585cba89181c0c7f1eaea3f608d85b2fa2862",
    "style_sunflowers.npz": "6b1717e0f0e4c291d16f63e9a091e0c6519ad3ec233f444b3809cac14cfd7001",
    "superres4.npz": "512209e9461d94a8b204e12e84925e616bcc44a1e77cbe36a8e9aee9d932f63f",
    "translate_monet.npz": "0169624518b271431252183041064ecce1a7a3f0f03955845698ecaebde6c267",
}
STYLE = "style_{}.npz"  # of the networks for one style, by name; read by nets/network_files.py
SUPERRES = "superres{}.npz"  # of those that enlarge, by factor
TRANSLATE = "translate_{}.npz"  # of those between two domains, by name


@dataclasses.dataclass(frozen=True, eq=False)
class VGGWeights:
    """The convolutions of one VGG network.

    Args:
        arrays: "block1_conv1" -> (kernel float32 (3, 3, in, out), bias float32 (out,)), in the network's
            order, for BGR input in 0..255 minus `mean`.
        mean: float32 (3,), the mean pixel that the network wants subtracted, RGB in 0..255.
        network: "vgg16" or "vgg19".
        source: where the arrays came from, for people to read.
        sha256: hexadecimal digest of the file, or None when there was no file.
    """

    arrays: dict
    mean: np.ndarray
    network: str
    source: str
    sha256: str | None = None


def convolutions(network):
    """Every convolution of a network in order: {"block1_conv1": (channels in, channels out), ...}."""
    check_choice("network", network, tuple(NETWORKS))
    found, before = {}, 3
    for block, widths in enumerate(NETWORKS[network], start=1):
        for number, width in enumerate(widths, start=1):
            found[f"block{block}_conv{number}"] = before, width
            before = width
    return found


def load(name="default", network="vgg19"):
    """Loads all convolutions of a VGG network and checks every one of them.

    Args:
        name: "default", the shipped VGG-19; "imagenet", which Keras downloads once and checks; or the path of
            - a `.h5` of keras.applications or of `model.save`, or a `.weights.h5` of Keras 3,
            - an `.npz` with `block1_conv1/kernel` (HWIO) and `block1_conv1/bias` and so on, or with
              `kernel_index` (uint8) and `kernel_table` (256 values) in place of `kernel`,
            - a MatConvNet `.mat`, old or new, whose own mean pixel is used.
            Layers may also be called conv1_1; other layers in the file are ignored.
        network: "vgg19" or "vgg16".

    Returns:
        VGGWeights.

    Raises:
        InputError: no such file, a damaged one, or one that holds another network: with the layer, and its
            expected and found shape.
    """
    check_choice("network", network, tuple(NETWORKS))
    if isinstance(name, str) and name == "default":
        return _load_default(network)
    if isinstance(name, str) and name == "imagenet":
        return _download(network)
    return _load_file(_path(name), network)


def mean_activations():
    """The mean activation of each filter of ImageNet's VGG-19 over natural photographs, after ReLU.

    Returns:
        {"block1_conv1": (channels,) float32, ...}: 5,504 numbers for input in 0..255, max pooling and zero
        padding; the README beside this module says how they were made.

    Raises:
        InputError: the shipped file is damaged.
    """
    content, _ = shipped(MEANS)
    with np.load(io.BytesIO(content), allow_pickle=False) as data:
        return {layer: data[layer] for layer in convolutions("vgg19")}


def shipped_styles():
    """Names of the shipped networks for one style."""
    return _named(STYLE)


def shipped_factors():
    """Factors by which shipped networks enlarge."""
    return tuple(map(int, _named(SUPERRES)))


def shipped_translations():
    """Names of the shipped networks that translate between two domains."""
    return _named(TRANSLATE)


def _named(form):
    """What stands for {} in the names of the shipped files of a form."""
    before, after = form.split("{}")
    return tuple(file[len(before):-len(after)] for file in SHIPPED if file.startswith(before))


def _load_default(network):
    if network != "vgg19":
        raise InputError(f"No {network} weights are shipped: give imagenet or a file's path as the network's weights.")
    content, digest = shipped(DEFAULT)
    arrays = _checked(_read_npz(content), network, DEFAULT)
    return VGGWeights(arrays, np.array(MEAN_RGB, "float32"), network, DEFAULT, digest)


def shipped(file):
    """Content (bytes) and SHA-256 of a file beside this module, which must be the one that was shipped.

    Raises:
        InputError: it is missing, damaged, or not shipped with this version.
    """
    if file not in SHIPPED:
        raise InputError(f"{file} is not part of this version of tfstyle: give the path of a file.")
    try:
        content = (HERE / file).read_bytes()
    except OSError as error:
        raise InputError(f"{file} of the package tfstyle cannot be read: reinstall tfstyle.") from error
    digest = hashlib.sha256(content).hexdigest()
    if digest != SHIPPED[file]:
        raise InputError(f"{file} of the package tfstyle is damaged (wrong SHA-256): reinstall tfstyle.")
    return content, digest


def _download(network):
    """ImageNet's weights from keras.applications, which fetches the file once and checks its hash."""
    import keras

    build = {"vgg16": keras.applications.VGG16, "vgg19": keras.applications.VGG19}[network]
    try:
        model = build(weights="imagenet", include_top=False)
    except Exception as error:  # whatever the network, the disk or a wrong hash gives rise to
        default = ", or the weights default" if network == "vgg19" else ""
        raise InputError(
            f"Keras could not fetch the ImageNet weights of {network}: check the network connection and try "
            f"again, or give the path of a file{default}."
        ) from error
    found = {
        layer: dict(zip(("kernel", "bias"), model.get_layer(layer).get_weights(), strict=True))
        for layer in convolutions(network)
    }
    source = f'keras.applications {network}, weights="imagenet"'
    return VGGWeights(_checked(found, network, source), np.array(MEAN_RGB, "float32"), network, source)


def _path(name):
    """`name` as the path of a file in a known format."""
    if not isinstance(name, (str, os.PathLike)):
        raise InputError(f'weights must be "default", "imagenet" or the path of a file; received {name!r}.')
    path = pathlib.Path(name)
    if not path.is_file():
        near = closest(name, ("default", "imagenet"))
        hint = f"; did you mean {near!r}?" if near else "; the network's weights may also be default or imagenet."
        raise InputError(f"{path} is a folder, not a file of weights." if path.is_dir() else
                         f"There is no file of weights {str(path)!r}{hint}")
    if path.suffix.lower() not in READERS:
        raise InputError(f"{path} has an unknown ending: weights are read from {', '.join(READERS)} files.")
    return path


def _load_file(path, network):
    mean = None
    try:
        with open(path, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        found = READERS[path.suffix.lower()](path)
        if path.suffix.lower() == ".mat":
            found, mean = found
            if network == "vgg19":
                found = oriented(found, _load_default(network).arrays["block1_conv1"][0])
    except InputError:
        raise
    except Exception as error:  # the readers' own libraries raise all sorts of things on damaged files
        raise InputError(
            f"{path} cannot be read as a {path.suffix} file ({type(error).__name__}): it is damaged, cut "
            "short or of another kind, so fetch it again."
        ) from error
    mean = np.array(MEAN_RGB if mean is None else mean, "float32")
    if not (np.isfinite(mean).all() and mean.min() >= 0 and mean.max() <= 255):
        raise InputError(f"{path} has the mean pixel {mean.tolist()}, not within 0 to 255: fetch it again.")
    return VGGWeights(_checked(found, network, path), mean, network, str(path), digest)


def _read_npz(source):
    """{layer: {"kernel", "bias"}} of an npz, from its path or its bytes; never unpickles."""
    found = {}
    content = source if isinstance(source, bytes) else source.read_bytes()
    with np.load(io.BytesIO(content), allow_pickle=False) as data:
        for key in data.files:
            layer, _, part = key.rpartition("/")
            if part in ("kernel", "bias"):
                found.setdefault(layer, {})[part] = data[key]
            elif part == "kernel_index":
                table = data[f"{layer}/kernel_table"]
                found.setdefault(layer, {})["kernel"] = np.take(table, data[key])
    return found


READERS = {".h5": read_hdf5, ".hdf5": read_hdf5, ".npz": _read_npz, ".mat": read_matconvnet}


def _checked(found, network, source):
    """The arrays of `network`, in its order and as float32, each of the right shape and finite.

    Args:
        found: {layer, by whatever name or as a position: {"kernel", "bias"}}.
        network: "vgg19" or "vgg16".
        source: how error sentences call the file.
    """
    named = _by_keras_name(found, network)
    other = {"vgg16": "vgg19", "vgg19": "vgg16"}[network]
    if named.keys() == convolutions(other).keys():
        raise InputError(f"{source} holds {other}, not {network}: use the network {other} or another file.")
    arrays = {}
    for layer, (before, width) in convolutions(network).items():
        for part, shape in (("kernel", (3, 3, before, width)), ("bias", (width,))):
            values = named.get(layer, {}).get(part)
            where = f"{source}: the {part} of {layer}"
            if values is None:
                raise InputError(f"{where} is missing; {network} wants shape {shape}: give another file.")
            if values.shape != shape:
                wants = f"has shape {values.shape}, but {network} wants {shape}"
                raise InputError(f"{where} {wants}: give another file.")
            try:
                values = np.ascontiguousarray(values, "float32")
            except (TypeError, ValueError) as error:
                raise InputError(f"{where} is not numbers but {values.dtype}: give another file.") from error
            if not np.isfinite(values).all():
                raise InputError(f"{where} has values that are not finite: fetch the damaged file again.")
            arrays.setdefault(layer, []).append(values)
    return {layer: tuple(parts) for layer, parts in arrays.items()}


def _by_keras_name(found, network):
    """Renames conv1_1 and nameless positions to block1_conv1; drops everything that is no convolution."""
    positions = sorted(key for key in found if isinstance(key, int))
    order = dict(zip(positions, convolutions(network), strict=False))
    named = {}
    for key, parts in found.items():
        match = re.fullmatch(r"(?:.*/)?(?:block(\d)_conv|conv(\d)_)(\d)", str(order.get(key, key)))
        if match:
            named[f"block{match[1] or match[2]}_conv{match[3]}"] = parts
    return named
