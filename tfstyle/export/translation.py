"""A translation from one domain to another as a graph: styles by example, codes that can be kept, picture files."""

import functools

import keras
import tensorflow as tf

from tfstyle.export import graph
from tfstyle.export.stored import StoredNetwork
from tfstyle.images import LEAST_SIDE
from tfstyle.nets import dsmap, network_files
from tfstyle.nets.layers import ReflectToMultiple
from tfstyle.weights.files import shipped

__all__ = ["SHAPES", "TranslationModule", "load"]

# Heights and widths in px of content and style at which exports are compared with Keras.
SHAPES = (((96, 128), (64, 80)), ((75, 117), (51, 43)))
_MOST_PIXELS, _PICTURES = 2**21, 16
# Numbers in the largest layer, which is of the picture's own size. Measured: 27 bytes for each of them, so that a
# request takes 1.7 GiB. Of the paper's 64 channels that is 1024 x 1024 px.
_MOST_NUMBERS = 2**26
_OTHERWISE = "draw its numbers from the normal distribution, or encode a picture"
_MOST_CODE = 1000  # those of pictures and random ones are about 1; beyond the range of float32 there is no picture


def load(settings, dtype="float32"):
    """The two networks of the direction that settings ask for.

    Args:
        settings: `ExportSettings`.
        dtype: of the convolutions, as `tfstyle.nets.network_files.load` takes it.

    Returns:
        (painter, a keras.Model: [image (N, H, W, 3), style code (N, K)] -> (N, H, W, 3); reader, a keras.Model: image
        (N, h, w, 3) of the target domain -> style code (N, K); their config).

    Raises:
        InputError: no such model, a damaged one, one of another kind.
    """
    settings.check_for("translate")
    file = settings.shipped_file("translate")
    network, config = network_files.load(
        settings.model if file is None else (file, shipped(file)[0]), "translate", dtype
    )
    source, target = settings.domains
    image = keras.Input((None, None, 3), dtype="float32", name="image")
    square = ReflectToMultiple(dsmap.STRIDE, dtype="float32", name="reflect")(image)
    reader = keras.Model(image, dsmap.part(network, target, "style")(square), name=f"{target}_reader")
    return dsmap.translation(network, source, target), reader, config


class TranslationModule(tf.Module):
    """What a translation network computes in one direction, as graphs. As a whole it is called as TF Hub's modules are.

    Args:
        settings: `ExportSettings`: model, direction and precision.
        bounds: of one request; None for those of the network.

    Raises:
        InputError: as `load`.
    """

    def __init__(self, settings, bounds=None):
        super().__init__(name="translate")
        inner = "mixed_bfloat16" if settings.precision == "bfloat16" else "float32"
        painter, reader, config = load(settings, inner)
        self.painter, self.reader = StoredNetwork(painter), StoredNetwork(reader)
        self._code_size, self._bounds = config.style, bounds or _bounds(config)
        self.bounds = {
            "least_side": self._bounds.least, "most_pixels": self._bounds.pixels,
            "most_pictures": self._bounds.pictures, "style": config.style, "direction": "2".join(settings.domains),
        }

    @tf.function(input_signature=[tf.TensorSpec(graph.PICTURES, name="content_image"),
                                  tf.TensorSpec(graph.PICTURES, name="style_image")], autograph=False)
    def __call__(self, content_image, style_image):
        """Pictures (N, H, W, 3) and (N, h, w, 3) float32 in [0, 1] -> [translated (N, H, W, 3)], as TF Hub's module."""
        content, style = graph.picture_pairs(content_image, style_image, self._bounds)
        return [self._painted(content, self._codes(style))]

    def signatures(self):
        """{name: tf.function} of all signatures, to be given to `tf.saved_model.save`."""
        content, style = (tf.TensorSpec(graph.PICTURES, name=f"{name}_image") for name in ("content", "style"))
        content_file, style_file = (tf.TensorSpec((None,), tf.string, f"{name}_bytes") for name in ("content", "style"))
        code = tf.TensorSpec((None, None), name="style_code")

        @tf.function(input_signature=[content, style], autograph=False)
        def translate(content_image, style_image):
            return {"stylized_image": self(content_image, style_image)[0]}

        @tf.function(input_signature=[content, code], autograph=False)
        def translate_code(content_image, style_code):
            code = graph.codes(style_code, self._code_size, _MOST_CODE, _OTHERWISE)
            content = graph.pictures(content_image, "content_image", self._bounds)
            content, code = graph.same_count(("content_image", content), ("style_code", code))
            return {"stylized_image": self._painted(content, code)}

        @tf.function(input_signature=[style], autograph=False)
        def encode_style(style_image):
            return {"style_code": self._codes(graph.pictures(style_image, "style_image", self._bounds.of_style))}

        @tf.function(input_signature=[content_file, style_file], autograph=False)
        def translate_bytes(content_bytes, style_bytes):
            requests = graph.requests(self._bounds, ("content_bytes", content_bytes), ("style_bytes", style_bytes))
            return {"stylized_bytes": graph.one_by_one(self._painted_file, requests, tf.TensorSpec((), tf.string))}

        found = (translate, translate_code, encode_style, translate_bytes)
        return {"serving_default": translate} | {function.__name__: function for function in found}

    # These two are functions so that all signatures share one graph of each network.

    @tf.function(input_signature=[tf.TensorSpec(graph.SPEC)], autograph=False)
    def _codes(self, pictures):
        """(N, h, w, 3) -> (N, K)."""
        look = functools.partial(self.reader, self.reader.widened())
        return graph.in_portions(look, (None, self._code_size), pictures)

    @tf.function(input_signature=[tf.TensorSpec(graph.SPEC), tf.TensorSpec((None, None))], autograph=False)
    def _painted(self, contents, codes):
        """(N, H, W, 3) under (N, K)."""
        paint = functools.partial(self.painter, self.painter.widened())
        codes = tf.ensure_shape(codes, (None, self._code_size))
        return graph.in_portions(paint, graph.SPEC, contents, codes)

    def _painted_file(self, request):
        """Both pictures at the sizes of their files: a code is a mean, which any size gives."""
        content, style = request
        content, is_png = graph.decoded(content, "content_bytes", self._bounds)
        style, _ = graph.decoded(style, "style_bytes", self._bounds.of_style)
        return graph.encoded(self._painted(content[None], self._codes(style[None]))[0], is_png)


def _bounds(config):
    return graph.Bounds(min(_MOST_PIXELS, _MOST_NUMBERS // config.width), _PICTURES, LEAST_SIDE)
