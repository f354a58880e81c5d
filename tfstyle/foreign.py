"""SavedModels: networks of other makes that paint any style in one pass, TF Hub's too, and our own of one picture.

The contract of other makes is that of TF Hub's arbitrary-image-stylization-v1-256: called as model(content, style)[0]
with float32 pictures in [0, 1], content (N, H, W, 3) and style (N, 256, 256, 3), a model answers with the painted
(N, H, W, 3).
"""

import re
import urllib.error
import warnings

import numpy as np
import tensorflow as tf

from tfstyle import images
from tfstyle.checks import InputError

__all__ = ["STYLE_SIDE", "ForeignModel", "asked", "loaded", "served"]

STYLE_SIDE = 256
STRIDE = 16  # rounding up to a multiple of it is a frame to be cut off; more is another size


class ForeignModel:
    """A loaded model of that contract.

    Args:
        name: folder of a SavedModel, or a TF Hub handle, which tensorflow_hub fetches once and keeps
            (TFHUB_CACHE_DIR says where).
        kind: "folder" or "handle", as `tfstyle.controls.check_model` tells them apart.

    Raises:
        InputError: it cannot be fetched or loaded, or not be called.
    """

    def __init__(self, name, kind):
        self.name = name
        self._model = _fetched(name) if kind == "handle" else loaded(name)
        if not callable(self._model):
            raise InputError(f"The model {name!r} cannot be called as model(content, style); give another model.")

    def paint(self, photo, style, side=None):
        """Paints one picture.

        Args:
            photo: (H, W, 3) float32 in [0, 1].
            style: a picture of any kind; its middle square is shown to the model.
            side: of that square in px; None for 256.

        Returns:
            (H, W, 3) float32, nominally in [0, 1].

        Raises:
            InputError: no usable style picture, or a model that does not keep the contract.
        """
        height, width = photo.shape[:2]
        square = _middle_square(images.read(style, name="style picture").rgb, side or STYLE_SIDE)
        try:
            found = self._model(tf.constant(photo[None]), tf.constant(square[None]))[0]
            found = np.asarray(found, np.float32)
        except (AttributeError, KeyError, TypeError, ValueError, tf.errors.OpError) as error:
            raise InputError(
                f"The model {self.name!r} cannot be called as model(content, style)[0] with pictures of "
                f"{width}x{height} and {len(square)}x{len(square)} px ({type(error).__name__}); give another model."
            ) from error
        found = found[0] if found.ndim == 4 else found
        if found.ndim != 3 or found.shape[2] != 3 or 0 in found.shape:
            raise InputError(f"The model {self.name!r} answered with {found.shape}, no picture; give another model.")
        if not np.isfinite(found).all():
            raise InputError(f"The model {self.name!r} answered with values that are no numbers; give another model.")
        more = found.shape[0] - height, found.shape[1] - width
        if min(more) < 0 or max(more) > STRIDE:
            return images.resize(found.clip(0, 1), (height, width))
        return found[:height, :width]  # strided convolutions round odd sides up, at the lower right


def _fetched(handle):
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it imports pkg_resources, which says that it will go
            import tensorflow_hub
    except ImportError as error:
        raise InputError(
            f"TF Hub handles need tensorflow_hub, which cannot be imported ({error}): "
            "pip install tensorflow-hub 'setuptools<82'."
        ) from error
    try:
        return tensorflow_hub.load(handle)
    except Exception as error:  # whatever the network, the disk or the archive gives rise to
        if isinstance(error, urllib.error.HTTPError):
            error.close()  # it holds the connection
        raise InputError(
            f"The model {handle!r} could not be fetched ({type(error).__name__}): check the handle and the network "
            "connection, or give the folder of a SavedModel."
        ) from error


def loaded(folder):
    """A SavedModel out of its folder; `InputError` where TensorFlow cannot load it."""
    try:
        return tf.saved_model.load(folder)
    except Exception as error:  # damaged files fail in every way there is
        raise InputError(
            f"The SavedModel {folder!r} cannot be loaded ({type(error).__name__}): it is damaged or made for another "
            "version of TensorFlow, so fetch it again."
        ) from error


def served(folder, given, answer, does):
    """What one of our SavedModels is served by, as a function of pictures (N, H, W, 3), which go through one by one.

    Args:
        folder: of the SavedModel.
        given, answer: names of its signature's input and output.
        does: how error sentences say what it is for.

    Raises:
        InputError: it cannot be loaded or has no such signature; when called, a picture that its graph refuses.
    """
    model = loaded(folder)
    call = dict(model.signatures).get("serving_default")
    if call is None or given not in call.structured_input_signature[1] or answer not in call.structured_outputs:
        raise InputError(f"The SavedModel {folder!r} has no signature that {does}; export it anew.")

    def one(picture):
        return asked(model, folder, "serving_default", "picture", **{given: picture})[answer]

    # One request bounds how many pictures it may hold.
    return lambda pictures: np.concatenate([one(picture) for picture in np.split(pictures, len(pictures))])


def asked(model, folder, signature, what, **given):
    """One request to one of our SavedModels, whose graph says in a sentence what it refuses.

    Args:
        model: as `loaded` gives it; signatures are called by way of it, whose variables live as long as it does.
        folder: that it was loaded from, for the sentence.
        signature: its name.
        what: the sentence calls the request.
        **given: arrays by the names of the signature's inputs.

    Returns:
        {name: tensor} of the signature's outputs.

    Raises:
        InputError: the graph refuses it.
    """
    try:
        return model.signatures[signature](**{name: tf.constant(value) for name, value in given.items()})
    except tf.errors.InvalidArgumentError as error:
        sentence = re.search(r"assertion failed: \[(.*?\.)\]", error.message)
        told = sentence[1] if sentence else "it was made for others; export it anew."
        raise InputError(f"The model {folder!r} refuses the {what}: {told}") from error


def _middle_square(picture, side):
    short = min(picture.shape[:2])
    top, left = ((length - short) // 2 for length in picture.shape[:2])
    return images.resize(picture[top:top + short, left:left + short], (side, side))
