"""Convolutions and mean pixel of a VGG out of MatConvNet's files, such as imagenet-vgg-verydeep-19.mat."""

import numpy as np

from tfstyle.checks import InputError

__all__ = ["oriented", "read_matconvnet"]


def read_matconvnet(path):
    """Reads a MatConvNet network in "simplenn" form, in its old and its new layouts.

    Old: `layers{i}.filters` and `.biases`, later `layers{i}.weights`, with `normalization.averageImage` of
    224 x 224 x 3. New: `meta.normalization.averageImage`, often a single pixel. The variables stand at the
    top of the file or inside one called `net`.

    MatConvNet wants RGB; the channels of conv1_1 are turned to BGR here. Its filters are height x width x in
    x out: the script that wrote the published files (utils/import-caffe.py) reverses Caffe's out x in x
    height x width and then swaps the first two axes. The help of vl_nnconv says FW x FH, a slip (reported as
    vlfeat/matconvnet issues 1053 and 1128) that several well-known converters follow, transposing every
    filter (anishathalye/neural-style issue 180). `oriented` undoes that where it can be seen.

    Args:
        path: of the file.

    Returns:
        {"conv1_1": {"kernel": array, "bias": array}, ...}, and the mean (3,), RGB in 0..255, or None when the
        file has none.

    Raises:
        InputError: SciPy is missing, or the file is of MATLAB 7.3.
        Whatever SciPy raises on a file that is damaged or of another kind.
    """
    try:
        import scipy.io
    except ImportError as error:
        raise InputError("MatConvNet files need SciPy: pip install 'tfstyle[matconvnet]'.") from error
    try:
        data = scipy.io.loadmat(path, simplify_cells=True)
    except NotImplementedError as error:  # how SciPy says that the file is HDF5 inside
        raise InputError(
            f"{path} is a MATLAB 7.3 file, which SciPy cannot read: save it again in MATLAB with -v7."
        ) from error
    net = data.get("net", data)
    found = {}
    for layer in np.atleast_1d(net["layers"]) if "layers" in net else ():
        if "weights" in layer and len(layer["weights"]) >= 2:
            kernel, bias = layer["weights"][:2]
        elif "filters" in layer:
            kernel, bias = layer["filters"], layer["biases"]
        else:
            continue
        found[str(layer["name"])] = {"kernel": np.asarray(kernel), "bias": np.ravel(bias)}
    if "conv1_1" in found:
        found["conv1_1"]["kernel"] = found["conv1_1"]["kernel"][:, :, ::-1]
    return found, _mean(net)


def oriented(found, reference):
    """Undoes a swap of height and width, in files that were saved again by a converter that believed in it.

    Args:
        found: {layer: {"kernel", "bias"}}.
        reference: conv1_1's kernel (3, 3, 3, 64) as it should be. The filters of another network are like
            neither orientation of it, and stay as they are.

    Returns:
        `found`, with the first two axes of every kernel swapped if that is what makes conv1_1 the reference.
    """
    kernel = found.get("conv1_1", {}).get("kernel")
    if kernel is None or kernel.shape != reference.shape:
        return found
    upright, swapped = (float(np.abs(k - reference).mean()) for k in (kernel, kernel.swapaxes(0, 1)))
    if swapped > 0.1 * upright:
        return found
    return {
        name: {**parts, "kernel": parts["kernel"].swapaxes(0, 1)} if parts["kernel"].ndim == 4 else parts
        for name, parts in found.items()
    }


def _mean(net):
    normalization = net.get("meta", net).get("normalization", {})
    image = np.asarray(normalization.get("averageImage", ()), "float64")
    if image.shape[-1:] != (3,):
        image = image.squeeze()
    return image.reshape(-1, 3).mean(axis=0) if image.shape[-1:] == (3,) else None
