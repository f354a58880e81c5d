"""Networks that take one picture as graphs: one style in one pass, and enlargement; picture files in and out."""

import functools
import os
from typing import NamedTuple

import tensorflow as tf

from tfstyle.checks import InputError
from tfstyle.export import graph
from tfstyle.export.stored import StoredNetwork
from tfstyle.images import LEAST_SIDE
from tfstyle.nets import network_files
from tfstyle.weights.files import shipped

__all__ = ["NAMES", "SHAPES", "SingleModule", "load"]


class Names(NamedTuple):
    """What the inputs and outputs of an engine's two signatures are called, and the one of files."""

    picture: str
    answer: str
    of_files: str
    file: str
    answer_file: str


NAMES = {
    "style": Names("content_image", "stylized_image", "stylize_bytes", "content_bytes", "stylized_bytes"),
    "superres": Names("image", "enlarged_image", "enlarge_bytes", "image_bytes", "enlarged_bytes"),
}
# Heights and widths in px at which exports are compared with Keras; enlarged ones are small to begin with.
SHAPES = {"style": ((96, 128), (75, 117)), "superres": ((24, 32), (19, 29))}
# As large as what the any-style network paints, at about the same memory a pixel.
_STYLE = graph.Bounds(pixels=2**21, pictures=16)
# Numbers in the largest layer of an enlargement, 0.75 GiB in float32. Measured: 11 bytes for each of them, so that a
# request takes 2 GiB and the server less than 3. Of 64 channels that is 512 x 384 px enlarged by 4, 256 x 192 px by 8.
_MOST_NUMBERS, _LEAST_WIDTH = 3 * 2**26, 64
_ENLARGED = 4  # pictures, whose answers are all held at once


def load(name, settings, dtype="float32"):
    """The network that settings ask for.

    Args:
        name: "style" or "superres".
        settings: `ExportSettings`.
        dtype: of the convolutions, as `tfstyle.nets.network_files.load` takes it.

    Returns:
        (keras.Model, its config).

    Raises:
        InputError: no such model, a damaged one, one of another kind or factor.
    """
    settings.check_for(name)
    file = settings.shipped_file(name)
    if file is None and os.path.isdir(settings.model):
        from tfstyle.nets import fast_style_transfer

        return fast_style_transfer.load(settings.model, dtype)
    source = settings.model if file is None else (file, shipped(file)[0])
    network, config = network_files.load(source, name, dtype)
    if settings.factor is not None and settings.factor != config.factor:
        raise InputError(
            f"{settings.model} enlarges by {config.factor}, not by {settings.factor}; leave factor out, or give "
            "another file."
        )
    return network, config


class SingleModule(tf.Module):
    """What a network of one picture computes, as graphs. As a whole it is called as TF Hub's modules are.

    Args:
        name: "style" or "superres".
        settings: `ExportSettings`: model, factor and precision.
        bounds: of one request; None for those of the network.

    Raises:
        InputError: as `load`.
    """

    def __init__(self, name, settings, bounds=None):
        super().__init__(name=name)
        inner = "mixed_bfloat16" if settings.precision == "bfloat16" else "float32"
        network, config = load(name, settings, inner)
        self.network = StoredNetwork(network)
        self._names, self._enlarges = NAMES[name], name == "superres"
        self._bounds = bounds = bounds or _bounds(name, config)
        # By its reach, tiles of larger pictures can be put together as if these had gone through whole.
        more = {"factor": config.factor, "reach": config.reach} if self._enlarges else {}
        self.bounds = {
            "least_side": bounds.least, "most_pixels": bounds.pixels, "most_pictures": bounds.pictures, **more
        }

    @tf.function(input_signature=[tf.TensorSpec(graph.PICTURES, name="image")], autograph=False)
    def __call__(self, image):
        """Pictures (N, H, W, 3) float32 in [0, 1] -> [painted (N, H, W, 3), or larger ones], as TF Hub's modules."""
        return [self._painted(graph.pictures(image, self._names.picture, self._bounds))]

    def signatures(self):
        """{name: tf.function} of both signatures, to be given to `tf.saved_model.save`."""
        names = self._names

        @tf.function(input_signature=[tf.TensorSpec(graph.PICTURES, name=names.picture)], autograph=False)
        def serving_default(image):
            return {names.answer: self(image)[0]}

        @tf.function(input_signature=[tf.TensorSpec((None,), tf.string, names.file)], autograph=False)
        def of_files(files):
            requests = graph.requests(self._bounds, (names.file, files))
            return {names.answer_file: graph.one_by_one(self._painted_file, requests, tf.TensorSpec((), tf.string))}

        return {"serving_default": serving_default, names.of_files: of_files}

    def _painted(self, pictures):
        """(N, H, W, 3), of an enlargement (N, factor H, factor W, 3)."""
        paint = functools.partial(self.network, self.network.widened())
        if not self._enlarges:
            return graph.in_portions(paint, graph.SPEC, pictures)
        return graph.one_by_one(
            lambda one: tf.ensure_shape(paint(one[0][None])[0], graph.SPEC[1:]), (pictures,),
            tf.TensorSpec(graph.SPEC[1:]),
        )

    def _painted_file(self, request):
        picture, is_png = graph.decoded(request[0], self._names.file, self._bounds)
        return graph.encoded(self._painted(picture[None])[0], is_png)


def _bounds(name, config):
    if name == "style":
        return _STYLE._replace(least=config.least_side)
    pixels = _MOST_NUMBERS // (max(config.width, _LEAST_WIDTH) * config.factor**2)
    return graph.Bounds(pixels, _ENLARGED, LEAST_SIDE)
