"""How far two sets of pictures are apart: FID and KID, and a stand-in by VGG-19 where Inception's weights are missing.

Nothing here imports Keras before pictures are looked at: the command line checks with it before anything heavy is
loaded.
"""

import hashlib
import os
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from tfstyle import images
from tfstyle.checks import InputError, check_choice, check_number
from tfstyle.metrics.distributions import frechet_distance, kernel_distance, subset_of

__all__ = ["FEATURES", "check_features", "distribution_distances", "drawn", "picture_features"]

FEATURES = ("auto", "inception_v3", "vgg19")
ENDINGS = (".h5", ".hdf5", ".keras")
STAND_IN_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
STAND_IN_GROUPS = 16  # of neighboring channels, in each layer

# The file of keras.applications.InceptionV3(weights="imagenet", include_top=False), and the MD5 that Keras checks.
_IMAGENET = "inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5"
_IMAGENET_MD5 = "bcbd6486424b2319ff4ef7d526e38f63"
_BATCH = 16
_FILTER = "Lanczos, 8 bits, squeezed to a square"


class _Extractor(NamedTuple):
    """What turns pictures into numbers."""

    name: str  # of FEATURES
    figures: tuple  # names of the two figures made with it
    side: int  # px that pictures are resized to
    text: str
    weights: str
    sha256: str | None
    network: Callable  # (n, side, side, 3) float32 in [0, 1] -> (n, D)


def distribution_distances(
    real, fake, features="auto", inception_weights="imagenet", count=None, seed=0, subsets=100, subset_size=None,
    told=None,
):
    """The Fréchet and the kernel distance between two sets of pictures, with all that says how they were measured.

    Protocol. N pictures of each side: as many as the smaller has, or `count`; of a side that has more, N are drawn by
    `seed`. Each is brought to 8-bit sRGB, alpha dropped, and resized (Pillow's Lanczos, which is antialiased) to a
    square of the extractor's side, whatever its shape; no crop. `frechet_distance` and `kernel_distance` of the
    features say the rest. The figures' names say what saw them:

    - "fid", "kid": Inception-v3's 2,048 numbers after the average pooling, pictures at 299 px, with the very file of
      ImageNet's weights that keras.applications fetches, known by its hash. They are not comparable with figures made
      by the TensorFlow graph of 2015 that pytorch-fid and most papers use, nor with those of other resizing.
    - "frechet_inception_v3", "kernel_inception_v3": the same network with any other file of weights.
    - "frechet_vgg19", "kernel_vgg19": the stand-in that needs no download. The shipped VGG-19, each filter scaled to
      mean activation 1 over photographs, pictures at 128 px: the mean over all positions of relu1_1, relu2_1, relu3_1,
      relu4_1 and relu5_1, each layer's channels averaged in 16 groups of neighbors. 80 numbers, from color and grain
      to large forms, so that a hundred pictures suffice where Inception wants thousands. These have nothing to do with
      FID and KID but the formula.

    Args:
        real, fake: lists of pictures that `tfstyle.images.read` takes, or anything that has a length and gives them by
            index, such as a PictureSet; at least 2 pictures each.
        features: "inception_v3", "vgg19", or "auto": the former if its weights are at hand (given, or fetched by
            Keras before), else the latter. "auto" never goes to the network; "inception_v3" does once.
        inception_weights: "imagenet", or the path of weights of keras.applications.InceptionV3(include_top=False):
            .h5, .weights.h5 or .keras.
        count: pictures of each side; None for as many as both have.
        seed: of the drawing and of the kernel distance's subsets.
        subsets, subset_size: of `kernel_distance`.
        told: called with (pictures done, pictures in all) after each batch.

    Returns:
        Dict ready for JSON: the two figures by their names, the kernel distance's deviation as its name with "_std",
        and "protocol": {"features", "text", "weights", "weights_sha256", "n", "of": [real, fake], "d", "side",
        "resize", "seed", "subsets", "subset_size", "singular": whether N <= D}.

    Raises:
        InputError: fewer than 2 pictures, unreadable ones or with sides under 16 px, unusable weights, bad numbers.

    Warns:
        FewPicturesWarning: where N <= D.

    Source: Heusel et al. 2017 (arXiv:1706.08500); Binkowski et al. 2018 (arXiv:1801.01401); on resizing Parmar, Zhang
    and Zhu, "On Aliased Resizing and Surprising Subtleties in GAN Evaluation", CVPR 2022.
    """
    weights = check_features(features, inception_weights)
    real, fake = _indexed(real), _indexed(fake)
    chosen = drawn(len(real), len(fake), count, seed)
    number = len(chosen[0])
    subset_size = subset_of(number, subset_size)
    extractor = _extractor(features, inception_weights, weights)

    both = [(side, index) for side, indices in zip((real, fake), chosen, strict=True) for index in indices]
    found = _looked_at(both, extractor, told)
    seen = found[:number], found[number:]
    frechet, kernel = extractor.figures
    mean, deviation = kernel_distance(*seen, subsets, subset_size, seed)
    return {
        frechet: frechet_distance(*seen),
        kernel: mean,
        f"{kernel}_std": deviation,
        "protocol": _told_of(extractor) | {
            "n": number, "of": [len(real), len(fake)], "d": seen[0].shape[1], "seed": seed, "subsets": subsets,
            "subset_size": subset_size, "singular": number <= seen[0].shape[1],
        },
    }


def picture_features(pictures, features="auto", inception_weights="imagenet", told=None):
    """Pictures to the numbers that `distribution_distances` compares: its docstring has the protocol.

    Args:
        pictures, features, inception_weights: as there.
        told: called with (pictures done, pictures in all) after each batch.

    Returns:
        ((N, D) float64, {"features", "text", "weights", "weights_sha256", "side", "resize"}).

    Raises:
        InputError: as there, but that one picture is enough.
    """
    weights = check_features(features, inception_weights)
    pictures = _indexed(pictures)
    if not len(pictures):
        raise InputError("There must be at least one picture to look at; received none.")
    extractor = _extractor(features, inception_weights, weights)
    return _looked_at([(pictures, index) for index in range(len(pictures))], extractor, told), _told_of(extractor)


def check_features(features="auto", inception_weights="imagenet"):
    """Checks what is to look at the pictures, as far as that goes without loading it.

    Returns:
        Path of the file of Inception's weights; None for the stand-in, or if Keras has to fetch them first.

    Raises:
        InputError: an unknown name, no such file, one of an unknown ending, or one that nothing would use.
    """
    check_choice("features", features, FEATURES)
    if not isinstance(inception_weights, (str, os.PathLike)):
        raise InputError(f'inception_weights must be "imagenet" or a path; received {inception_weights!r}.')
    if features == "vgg19":
        if inception_weights != "imagenet":
            raise InputError("inception_weights are of no use to the features vgg19; leave them out.")
        return None
    path = os.fspath(inception_weights)
    if path == "imagenet":
        path = _cached()
        return path if os.path.isfile(path) else None
    if not os.path.isfile(path):
        raise InputError(f'There is no file of weights {path!r}; check the path, or give "imagenet".')
    if not path.lower().endswith(ENDINGS):
        raise InputError(f"{path} has an unknown ending; Inception's weights are read from {', '.join(ENDINGS)} files.")
    return path


def drawn(real, fake, count=None, seed=0):
    """Which pictures are compared: equally many of both sides, each at most once.

    Args:
        real, fake: how many pictures there are.
        count: of each side; None for as many as both have.
        seed: of the drawing, a whole number of at least 0.

    Returns:
        (indices of real, indices of fake), ascending arrays of one length.

    Raises:
        InputError: fewer than 2 on one side, or fewer than `count`.
    """
    seed = check_number("seed", seed, 0, integer=True)
    for name, number in (("real", real), ("fake", fake)):
        if number < 2:
            raise InputError(f"There must be at least 2 {name} pictures for a distance of sets; received {number}.")
    if count is None:
        count = min(real, fake)
    elif check_number("count", count, 2, integer=True) > min(real, fake):
        raise InputError(f"There are {real} real and {fake} fake pictures, fewer than the count of {count}: lower it.")
    return tuple(
        np.sort(np.random.default_rng([seed, side]).choice(number, count, replace=False))
        for side, number in enumerate((real, fake))
    )


def _indexed(pictures):
    if isinstance(pictures, (str, bytes, os.PathLike)):
        raise InputError(
            f"real and fake must be lists of pictures; received {pictures!r}: give PictureSet(folder) of "
            "tfstyle.train.data for all in a folder."
        )
    return pictures if hasattr(pictures, "__len__") and hasattr(pictures, "__getitem__") else list(pictures)


def _looked_at(places, extractor, told):
    """Features (N, D) float64 of the pictures at [(list of pictures, index), ...]."""
    found = []
    for start in range(0, len(places), _BATCH):
        batch = [_square(side[int(i)], f"picture {i + 1}", extractor.side) for side, i in places[start:start + _BATCH]]
        values = np.asarray(extractor.network(np.stack(batch)), np.float64)
        if not np.isfinite(values).all():
            raise InputError(f"The features by {extractor.weights} are not finite; give another file of weights.")
        found.append(values)
        if told is not None:
            told(start + len(batch), len(places))
    return np.concatenate(found)


def _square(picture, name, side):
    pixels = images.to_uint8(images.read(picture, name=name).rgb)
    return images.resize(pixels, (side, side)).astype(np.float32) / 255


def _told_of(extractor):
    return {
        "features": extractor.name, "text": extractor.text, "weights": extractor.weights,
        "weights_sha256": extractor.sha256, "side": extractor.side, "resize": _FILTER,
    }


def _extractor(features, inception_weights, path):
    """The `_Extractor` that is asked for; `path` is what `check_features` has found."""
    if features == "vgg19" or (features == "auto" and path is None):
        return _vgg19()
    return _inception(path)


def _vgg19():
    from keras import ops

    from tfstyle.nets.vgg import vgg
    from tfstyle.weights import load

    weights = load()
    model = vgg(STAND_IN_LAYERS, weights=weights, normalized=True)

    def network(batch):
        found = model(batch)
        means = [ops.convert_to_numpy(ops.mean(found[name], axis=(1, 2))) for name in STAND_IN_LAYERS]
        groups = [m.reshape(len(m), STAND_IN_GROUPS, -1).mean(axis=-1, dtype=np.float64) for m in means]
        return np.concatenate(groups, axis=1)

    text = f"VGG-19's mean activations, {STAND_IN_GROUPS} groups of channels in each of {', '.join(STAND_IN_LAYERS)}"
    return _Extractor(
        "vgg19", ("frechet_vgg19", "kernel_vgg19"), 128, text, weights.source, weights.sha256, network
    )


def _inception(path):
    """Inception-v3 to its average pooling, with the weights of a file; None has Keras fetch ImageNet's first."""
    from keras import ops

    from tfstyle.nets.inception import application

    try:
        model = application("imagenet" if path is None else None)
        if path is not None:
            model.load_weights(path)
    except Exception as error:  # whatever the network, the disk or a file of another kind gives rise to
        raise InputError(
            "Keras could not fetch the ImageNet weights of inception_v3: check the network connection, or give "
            "a file, or use the features vgg19." if path is None else
            f"{path} cannot be read as weights of inception_v3 without its top ({type(error).__name__}): it is damaged "
            "or of another kind, so give another file."
        ) from error
    sha256, md5 = _digests(_cached() if path is None else path)
    genuine = path is None or md5 == _IMAGENET_MD5  # Keras has checked what it fetched
    figures = ("fid", "kid") if genuine else ("frechet_inception_v3", "kernel_inception_v3")
    name = f"keras.applications inception_v3, {_IMAGENET}" if genuine else os.path.basename(path or _IMAGENET)

    def network(batch):
        return ops.convert_to_numpy(ops.mean(model(batch * 2 - 1, training=False), axis=(1, 2)))

    text = "Inception-v3's 2048 numbers after the average pooling"
    return _Extractor("inception_v3", figures, 299, text, name, sha256, network)


def _cached():
    """Where Keras keeps the file that it fetches, found without importing Keras."""
    home = os.path.expanduser("~")
    home = os.environ.get("KERAS_HOME") or os.path.join(home if os.access(home, os.W_OK) else "/tmp", ".keras")
    return os.path.join(home, "models", _IMAGENET)


def _digests(path):
    """(SHA-256, MD5) of a file, in hexadecimal."""
    try:
        with open(path, "rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            file.seek(0)
            return sha256, hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    except OSError:
        return None, None
