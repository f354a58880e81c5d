"""The one-pass network as two parts for small devices, and how a file of either is compared with Keras.

As in Magenta's mobile pair, `style_predict` looks at a painting once and `style_transform` paints any number of
pictures under the code that it found.
"""

import dataclasses
import os
import pathlib
from typing import Callable

import keras
import numpy as np
import tensorflow as tf

from tfstyle import atomic, images
from tfstyle.checks import InputError
from tfstyle.export import ExportError
from tfstyle.export.disk import no_empty_folders
from tfstyle.export.verify import PICTURES
from tfstyle.losses.style import joined_moments
from tfstyle.nets import arbitrary_weights
from tfstyle.nets.arbitrary import PREDICTOR_LAYERS
from tfstyle.nets.vgg import vgg

__all__ = ["BOUNDS", "Exported", "Pair", "Part", "check_backend", "compared", "pictures", "samples", "write"]

# How far a file's answers may be from those of Keras, at most and on average: pictures on [0, 1], codes in units of the
# largest number in a code. Twice and more what the shipped network needs on the pictures of examples/.
BOUNDS = {
    "style_predict": {"float32": (1e-4, 2e-5), "float16": (0.01, 0.002), "dynamic": (0.06, 0.02)},
    "style_transform": {"float32": (1e-4, 2e-5), "float16": (0.01, 0.002), "dynamic": (0.5, 0.04)},
    "style": {"float32": (1e-4, 2e-5), "float16": (0.01, 0.002), "dynamic": (0.5, 0.04)},
    "superres": {"float32": (1e-4, 2e-5), "float16": (0.01, 0.002), "dynamic": (0.3, 0.02)},
}
NOTE = "Made by tfstyle (Apache-2.0)."
_SHAPES = [(160, 208), (117, 75)]  # in px, of what files of free sides are given
_VGG_NOTE = (
    " style_predict holds convolutions of VGG-19, trained by Karen Simonyan and Andrew Zisserman, CC BY 4.0 "
    "(https://creativecommons.org/licenses/by/4.0/), changed: coded with a palette of 256 values."
)


@dataclasses.dataclass(frozen=True)
class Exported:
    """A file that was written.

    Attributes:
        path: of the file.
        largest, mean: how far its answers were from those of Keras, in the units of `BOUNDS`.
    """

    path: str
    largest: float
    mean: float


@dataclasses.dataclass(frozen=True)
class Part:
    """What becomes one file: one half of the network, or a network of one picture.

    Attributes:
        name: of the file, without its ending: "style_predict", "style_transform" or the network's own.
        function: a tf.function of named tensors that answers {name: tensor}.
        output: the name of what it answers.
        factor: by which the sides of pictures grow in it.
    """

    name: str
    function: Callable
    output: str
    factor: int = 1


class Pair(tf.Module):
    """Both parts in float32.

    Args:
        model: as `tfstyle.nets.arbitrary_weights.load` takes it.

    Attributes:
        note: whose work the files are, for those who get them.

    Raises:
        InputError: no such model, a damaged one, or Keras on another backend than TensorFlow.
    """

    def __init__(self, model="default"):
        super().__init__(name="pair")
        check_backend()
        self._predictor, self._transformer, config = arbitrary_weights.load(model)
        self._reader = vgg(PREDICTOR_LAYERS) if config.predictor == "vgg19" else None
        self._code, self.note = config.code, NOTE + _VGG_NOTE * (self._reader is not None)
        networks = filter(None, (self._reader, self._predictor, self._transformer))
        self.tf_variables = [v.value for network in networks for v in network.variables]
        self._keras = self.predict().function, self.transform().function

    def predict(self, count=None, size=None):
        """Pictures (count, *size, 3) float32 in [0, 1] -> codes (count, 100); None leaves a count or sides free."""

        @tf.function(input_signature=[pictures("style_image", count, size)], autograph=False)
        def style_predict(style_image):
            if self._reader is not None:
                style_image = joined_moments(self._reader(style_image).values())
            return {"style_code": self._predictor(style_image)}

        return Part("style_predict", style_predict, "style_code")

    def transform(self, count=None, size=None):
        """Pictures (count, *size, 3) float32 in [0, 1] and codes (count, 100) -> pictures of the same shape."""
        code = tf.TensorSpec((count, self._code), name="style_code")

        @tf.function(input_signature=[pictures("content_image", count, size), code], autograph=False)
        def style_transform(content_image, style_code):
            return {"stylized_image": self._transformer([content_image, style_code])}

        return Part("style_transform", style_transform, "stylized_image")

    def compared(self, part, run, kind, name, *, size=None, count=1):
        """How far a file's answers are from those of Keras, on real pictures; of two sizes where sides are free.

        Args:
            part: the `Part` that the file was made from.
            run: function of named arrays that runs the file and returns its one array.
            kind: of the file, a key of `BOUNDS`.
            name: of the file, for sentences.
            size: (height, width) that the file takes; None if its sides are free.
            count: pictures that the file is given at once.

        Returns:
            (largest, mean) difference, the worse of both sizes, in the units of `BOUNDS`.

        Raises:
            ExportError: further away than `BOUNDS`, not finite, or of another shape.
        """
        predict, transform = self._keras
        shapes, requests = _SHAPES if size is None else [size], []
        for photo, painting in zip(*(samples(file, count, shapes) for file in PICTURES), strict=True):
            code = predict(painting)["style_code"].numpy()
            if part.name == "style_predict":
                requests.append(({"style_image": painting}, code, np.abs(code).max()))
            else:
                painted = transform(photo, code)["stylized_image"].numpy()
                requests.append(({"content_image": photo, "style_code": code}, painted, 1.0))
        return compared(run, requests, BOUNDS[part.name][kind], name)


def check_backend():
    """Raises `InputError` where Keras does not run on TensorFlow."""
    if keras.backend.backend() != "tensorflow":
        raise InputError(
            f"An export needs Keras on TensorFlow and it runs on {keras.backend.backend()}; "
            "set KERAS_BACKEND=tensorflow before Python starts."
        )


def compared(run, requests, bounds, name):
    """How far a file's answers are from those that are wanted.

    Args:
        run: function of named arrays that runs the file and returns its one array.
        requests: list of ({name: array}, wanted array, unit of differences).
        bounds: (largest, mean) difference allowed.
        name: of the file, for sentences.

    Returns:
        (largest, mean) difference, of the worst request.

    Raises:
        ExportError: further away than that, not finite, or of another shape.
    """
    differences = []
    for inputs, wanted, unit in requests * 3:  # there are runtimes that answer otherwise when they are called again
        found = run(**inputs)
        if found.shape != wanted.shape or not np.isfinite(found).all():
            raise ExportError(
                f"{name} does not answer {wanted.shape} finite numbers, so nothing was written: convert to "
                "another kind, or other weights."
            )
        differences.append(np.abs(found - wanted) / unit)
    largest, mean = max(float(d.max()) for d in differences), max(float(d.mean()) for d in differences)
    if largest > bounds[0] or mean > bounds[1]:
        raise ExportError(
            f"{name} is {largest:.2g} at most and {mean:.2g} on average beside Keras, where {bounds[0]:g} and "
            f"{bounds[1]:g} are allowed, so nothing was written: convert to another kind, or other weights."
        )
    return largest, mean


def write(folder, files):
    """Writes checked files, each whole or not at all.

    Args:
        folder: where to; made if missing.
        files: {name: (bytes, largest, mean)}.

    Returns:
        list of `Exported`.

    Raises:
        InputError: the folder or the disk refuses.
    """
    folder, found = os.fspath(folder), []
    try:
        with no_empty_folders(folder):
            os.makedirs(folder, exist_ok=True)
            for name, (content, largest, mean) in files.items():
                path = os.path.join(folder, name)
                with atomic.replaced(path) as beside:
                    pathlib.Path(beside).write_bytes(content)
                found.append(Exported(path, largest, mean))
    except OSError as error:
        raise InputError(f"{folder} cannot be written to ({error.strerror}); choose another folder.") from error
    return found


def pictures(name, count, size):
    """What a graph is given: `count` pictures of `size`, None for any."""
    return tf.TensorSpec((count, *(size or (None, None)), 3), name=name)


def samples(file, count, shapes):
    """A picture as batches (count, H, W, 3) of each (height, width), every other one mirrored."""
    picture = images.read(file).rgb
    pictures = [images.resize(picture, shape) for shape in shapes]
    return [np.stack([one[:, ::-1] if i % 2 else one for i in range(count)]) for one in pictures]
