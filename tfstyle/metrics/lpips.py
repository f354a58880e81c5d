"""LPIPS, how far apart two pictures are to VGG-16 with learned weights, and the diversity of translations.

The learned weights are not shipped; the published files are read as they are. Nothing imports Keras before pictures are
looked at.
"""

import functools
import os

import numpy as np

from tfstyle import images
from tfstyle.checks import InputError, check_number
from tfstyle.weights import VGGWeights, convolutions, load
from tfstyle.weights.pytorch import read_pytorch

__all__ = ["check_lpips", "diversity", "lpips_distance", "lpips_figure"]

LAYERS = ("relu1_2", "relu2_2", "relu3_3", "relu4_3", "relu5_3")
WIDTHS = (64, 128, 256, 512, 512)
# LPIPS' scaling layer for RGB in [-1, 1]: (x - shift) / scale.
_SHIFT = np.array((-0.030, -0.088, -0.188))
_SCALE = np.array((0.458, 0.448, 0.450))


def lpips_distance(first, second, weights, network="imagenet"):
    """LPIPS: the learned perceptual distance of two pictures by VGG-16, at their own size.

    Protocol: pictures of 8 bits, no resizing. Features after ReLU at relu1_2, relu2_2, relu3_3, relu4_3 and relu5_3,
    scaled to length 1 at each position; squared differences weighted by channel with the learned weights, mean over
    positions, sum over layers. This is the measure's VGG variant: figures by AlexNet, which many papers give, do not
    compare. It is torchvision's VGG-16, so give its file as `network`; its input is scaled as LPIPS does it. Any other
    VGG-16 keeps its own scaling and gives figures of its own, which `lpips_figure` names differently. Without learned
    weights there is `perceptual_distance`, called vgg_dist.

    Args:
        first, second: pictures of one shape, in any form that `tfstyle.images.read` takes; alpha is dropped.
        weights: path of the published linear weights (weights/v0.1/vgg.pth of richzhang/PerceptualSimilarity: tensors
            lin0.model.1.weight to lin4.model.1.weight), or of an .npz with lin0 to lin4, of 64, 128, 256, 512 and 512
            numbers.
        network: path of torchvision's vgg16-397923af.pth, or what `tfstyle.weights.load` takes for "vgg16".

    Returns:
        Float; 0 is the same picture. The order does not matter.

    Raises:
        InputError: no readable pictures of at least 16 px a side, or of unlike shapes; unusable weights.

    Source: Zhang, Isola, Efros, Shechtman and Wang, "The Unreasonable Effectiveness of Deep Features as a Perceptual
    Metric", CVPR 2018 (arXiv:1801.03924), eq. 1, with the channels' weights on the squared differences.
    """
    from keras import ops

    first, second = (
        images.to_uint8(images.read(picture, name=f"{which} picture").rgb)
        for which, picture in (("first", first), ("second", second))
    )
    if first.shape != second.shape:
        raise InputError(
            f"pictures to compare must have one shape; received {first.shape} and {second.shape}: resize one of them."
        )
    model = _network(_mark(network))
    mine, other = (
        {name: _directions(ops.convert_to_numpy(f)) for name, f in model(p[None].astype(np.float32) / 255).items()}
        for p in (first, second)
    )
    learned = _linear(_mark(weights))
    return float(sum(np.mean((mine[n] - other[n]) ** 2 @ w) for n, w in zip(LAYERS, learned, strict=True)))


def check_lpips(weights, network="imagenet"):
    """Reads all that `lpips_distance` needs but what Keras would fetch, so that it cannot fail on them later.

    Raises:
        InputError: unusable weights.
    """
    _linear(_mark(weights))
    if network != "imagenet":
        _vgg16(_mark(network))


def lpips_figure(network="imagenet"):
    """What figures by `lpips_distance` are to be called: "lpips_vgg16" with torchvision's VGG-16, else another name."""
    return "lpips_vgg16" if _is_pytorch(network) else "lpips_other_vgg16"


def diversity(translations, distance, draws=15, seed=0):
    """How unlike the translations of one picture are: the mean distance of pairs of them.

    Protocol: for each content, `draws` random pairs of two of its translations; mean over pairs and contents. DSMAP's
    has 100 contents of 100 translations each, 15 draws, LPIPS by a network that is not told. The figure is one of
    `distance`: with `perceptual_distance` it is a diversity by vgg_dist, not by LPIPS.

    Args:
        translations: for each content, a list of at least 2 pictures, of one shape.
        distance: function of two pictures: `perceptual_distance`, or `lpips_distance` with its files bound by
            functools.partial.
        draws: pairs for each content, at least 1.
        seed: of the pairs, a whole number of at least 0.

    Returns:
        Float.

    Raises:
        InputError: no content, or one with fewer than 2 translations.

    Source: Huang et al., "Multimodal Unsupervised Image-to-Image Translation", ECCV 2018 (arXiv:1804.04732), section
    5.1; the pairing as the authors of DSMAP (ECCV 2020, arXiv:2008.02198) describe theirs.
    """
    draws = check_number("draws", draws, 1, integer=True)
    rng = np.random.default_rng(check_number("seed", seed, 0, integer=True))
    found = []
    for number, pictures in enumerate(translations, start=1):
        if len(pictures) < 2:
            raise InputError(f"content {number} must have at least 2 translations; received {len(pictures)}.")
        for _ in range(draws):
            one, another = rng.choice(len(pictures), 2, replace=False)
            found.append(float(distance(pictures[int(one)], pictures[int(another)])))
    if not found:
        raise InputError("There must be at least one content with translations; received none.")
    return float(np.mean(found))


def _directions(features):
    """Features (1, h, w, C) in float64, scaled to length 1 at each position."""
    features = features.astype(np.float64)
    return features / (np.sqrt(np.sum(features**2, axis=-1, keepdims=True)) + 1e-10)


# Files


def _mark(name):
    """What a cache is keyed by: a name, or a path with the file's time and size, since it may change."""
    if not isinstance(name, (str, os.PathLike)):
        raise InputError(f"weights for LPIPS must be the path of a file; received {name!r}.")
    status = os.stat(name) if os.path.isfile(name) else None
    return os.fspath(name), status and (status.st_mtime_ns, status.st_size)


def _is_pytorch(name):
    return os.fspath(name).lower().endswith((".pth", ".pt"))


@functools.lru_cache(1)
def _network(mark):
    from tfstyle.nets.vgg import vgg

    return vgg(LAYERS, network="vgg16", weights=_vgg16(mark))


@functools.lru_cache(1)
def _vgg16(mark):
    """VGGWeights of a file; torchvision's is brought to our convention, by which it computes the same."""
    path = mark[0]
    if not _is_pytorch(path):
        return load(path, "vgg16")
    found = read_pytorch(path, r"features\.\d+\.(weight|bias)")
    layers, arrays = convolutions("vgg16"), {}
    places = sorted({int(name.split(".")[1]) for name in found})
    for place, (layer, (before, width)) in zip(places, layers.items(), strict=False):
        kernel, bias = (found.get(f"features.{place}.{part}") for part in ("weight", "bias"))
        if kernel is None or bias is None or (kernel.shape, bias.shape) != ((width, before, 3, 3), (width,)):
            break
        arrays[layer] = kernel.transpose(2, 3, 1, 0), bias
    if len(places) != len(layers) or arrays.keys() != layers.keys():
        raise InputError(f"{path} holds no VGG-16 of torchvision (features.0.weight and so on): give another file.")
    # Ours is given BGR in 0..255 minus a mean: (x - shift) / scale = (255 p - mean) / spread of RGB p in [0, 1].
    mean, spread = 127.5 * (1 + _SHIFT), 127.5 * _SCALE
    kernel, bias = arrays["block1_conv1"]
    arrays["block1_conv1"] = (kernel / spread[:, None])[:, :, ::-1], bias
    arrays = {name: tuple(np.ascontiguousarray(a, np.float32) for a in pair) for name, pair in arrays.items()}
    return VGGWeights(arrays, mean.astype(np.float32), "vgg16", path)


@functools.lru_cache(1)
def _linear(mark):
    """The learned weights as five float64 vectors."""
    path = mark[0]
    if not os.path.isfile(path):
        raise InputError(f"There is no file {path!r} of LPIPS' linear weights; check the path.")
    if _is_pytorch(path):
        found = read_pytorch(path, r"lin\d\.model\.1\.weight")
        found = {name.partition(".")[0]: values for name, values in found.items()}
    else:
        try:
            with np.load(path, allow_pickle=False) as data:
                found = {name: data[name] for name in data.files}
        except Exception as error:  # NumPy has many for a file that is none of its own
            raise InputError(f"{path} cannot be read as LPIPS' linear weights, .npz or .pth: fetch it anew.") from error
    learned = []
    for number, width in enumerate(WIDTHS):
        values = np.asarray(found.get(f"lin{number}", ()))
        if values.size != width or values.dtype.kind != "f" or not np.isfinite(values).all():
            raise InputError(f"{path}: lin{number} must be {width} finite numbers; give LPIPS' weights for VGG.")
        learned.append(values.astype(np.float64).ravel())
    return tuple(learned)
