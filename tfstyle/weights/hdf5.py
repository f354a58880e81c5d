"""Convolutions of a VGG out of Keras' HDF5 files: today's `.weights.h5` and the older `.h5` layouts."""

import re

import numpy as np

__all__ = ["read_hdf5"]

# A kernel was called block1_conv1_W_1:0, then kernel:0, then kernel; Keras 3 numbers a layer's variables.
KERNEL = re.compile(r"(.*_)?(W|kernel)(_\d+)?(:0)?|0")
BIAS = re.compile(r"(.*_)?(b|bias)(_\d+)?(:0)?|1")


def read_hdf5(path):
    """Reads every layer of a Keras file that has a kernel or a bias.

    Layouts: `block1_conv1/block1_conv1_W_1:0` (Keras 1, and to this day the files of keras.applications);
    `block1_conv1/block1_conv1/kernel:0`, on its own or under `model_weights` (Keras 2, and Keras 3's legacy
    `.h5`); `layers/conv2d_3/vars/0` (`.weights.h5` of Keras 3, where the group `vars` carries the layer's
    name; files without names are read in the order of their numbers).

    Args:
        path: of the file.

    Returns:
        {layer name, or position for layers without a name: {"kernel": array, "bias": array}}.

    Raises:
        Whatever h5py raises on a file that is damaged or of another kind.
    """
    import h5py

    found = {}

    def collect(name, item):
        if not isinstance(item, h5py.Dataset):
            return
        *groups, last = name.split("/")
        part = "kernel" if KERNEL.fullmatch(last) else "bias" if BIAS.fullmatch(last) else None
        layer = _layer(groups, item)
        if part and layer is not None:
            found.setdefault(layer, {})[part] = _array(item)

    with h5py.File(path, "r") as file:
        file.visititems(collect)
    return found


def _layer(groups, dataset):
    """Name or position of the layer that a dataset belongs to; None when it belongs to no convolution."""
    if not groups or groups[-1] != "vars":
        return groups[-1] if groups else None
    name = dataset.parent.attrs.get("name")
    if name is not None:
        return str(name)
    numbered = re.fullmatch(r"conv2d(?:_(\d+))?", groups[-2]) if len(groups) > 1 else None
    return int(numbered[1] or 0) if numbered else None


def _array(dataset):
    values = np.asarray(dataset)
    if dataset.attrs.get("dtype") == "bfloat16":  # HDF5 has no such type: Keras leaves the raw two bytes
        import ml_dtypes

        values = values.view(ml_dtypes.bfloat16)
    return values
