"""Networks as LiteRT (TensorFlow Lite) files for phones and small boards."""

import contextlib
import os
import tempfile

import tensorflow as tf

from tfstyle.checks import InputError, check_choice, check_number
from tfstyle.export import pair
from tfstyle.export.alone import Alone
from tfstyle.export.disk import plain_errors
from tfstyle.images import LEAST_SIDE

__all__ = ["FREE_KINDS", "KINDS", "export"]

KINDS = ("float32", "float16", "dynamic")
# LiteRT 2.3 unpacks float16 weights once and moves them when it lays out tensors of free shape anew: from the second
# call on, half of the interpreters tried painted nonsense. With fixed shapes nothing is laid out twice.
FREE_KINDS = ("float32", "dynamic")
_FLOAT16 = (
    "float16 is for fixed sides: with free ones LiteRT loses the weights between two calls; give size{}, or use "
    "the kind dynamic, which is smaller."
)
# Calibrated and measured on five pairs of examples/: the mean difference of the worst one.
_INT8 = (
    "int8 is not offered: its pictures are off by 0.5 on average (0.03 by style_transform alone), where those of "
    "'dynamic', which is as small, are by 0.01 to 0.02; use the kind dynamic."
)
_MOST_SIDE = 4096


def export(folder, engine="arbitrary", *, model="default", factor=None, size=None, style_size=None, kinds=None):
    """Writes style_predict and style_transform, or one network of one picture, as .tflite files.

    Each is compared with Keras first: it is run by LiteRT's interpreter on real pictures, again and again, at two sizes
    where sides are free, and kept within `tfstyle.export.pair.BOUNDS`. All files are checked before the first is
    written.

    Signatures, one a file ("serving_default"), all float32:
        style_predict: style_image (1, h, w, 3) in [0, 1] -> style_code (1, 100)
        style_transform: content_image (1, H, W, 3) in [0, 1], style_code (1, 100) -> stylized_image (1, H, W, 3)
        of one style: content_image (1, H, W, 3) in [0, 1] -> stylized_image (1, H, W, 3)
        of enlargement: image (1, H, W, 3) in [0, 1] -> enlarged_image (1, factor H, factor W, 3)
    Sides of at least 16 px, or of the network's own least. Interpreters do not check what they are given.

    Args:
        folder: where to; made if missing. Files are called style_transform_float32.tflite, or
            style_transform_384x256_float32.tflite (width x height) where the size is fixed; those of one network by
            the name under which `tfstyle.export.savedmodel.export` writes it.
        engine: "arbitrary", "style" or "superres".
        model, factor: as `tfstyle.export.settings.ExportSettings` takes them.
        size: of content pictures: None leaves the sides free; a number of px fixes a square, (height, width) another
            shape, as some accelerators want it.
        style_size: the same for style pictures, of "arbitrary" alone. They are looked at as they are given, at 256 px
            or more for good codes.
        kinds: None for all that the sizes allow, or one or several of
            "float32": as Keras within 1e-4;
            "float16": weights in half the size, computed in float32; within 0.01, 0.002 on average; for fixed sizes;
            "dynamic": weights of a byte each, computed in 8 bits where LiteRT can; within 0.04 on average.

    Returns:
        list of `tfstyle.export.pair.Exported`, in the order of `kinds`, style_predict first.

    Raises:
        InputError: no such kind, size or model; LiteRT is not installed; a folder that cannot be written to.
        ExportError: a file that is too far off, or not finite.

    Source: https://ai.google.dev/edge/litert; the pair: Magenta's arbitrary-image-stylization-v1-256 for TF Lite.
    """
    size, style_size = _sides("size", size), _sides("style_size", style_size)
    if engine != "arbitrary" and style_size is not None:
        raise InputError(f"style_size is for arbitrary alone; {engine} looks at no style: leave it out.")
    is_free = size is None or engine == "arbitrary" and style_size is None
    if kinds is None:
        kinds = FREE_KINDS if is_free else KINDS
    kinds = (kinds,) if isinstance(kinds, str) else tuple(dict.fromkeys(kinds))
    if "int8" in kinds:
        raise InputError(_INT8)
    for kind in kinds:
        check_choice("kinds", kind, KINDS)
    if "float16" in kinds and is_free:
        raise InputError(_FLOAT16.format(" and style_size" if engine == "arbitrary" else ""))
    interpreter = _interpreter()

    files = {}
    if engine == "arbitrary":
        network = pair.Pair(model)
        parts = (network.predict(1, style_size), style_size), (network.transform(1, size), size)
    else:
        network = Alone(engine, model, factor)
        if size is not None and min(size) < network.least_side:
            raise InputError(f"size must be at least {network.least_side} px for this network; received {min(size)}.")
        parts = (network.part(1, size), size),
    converted = [_converted(network, part.function, kinds) for part, _ in parts]
    for i, kind in enumerate(kinds):
        for (part, sides), contents in zip(parts, converted, strict=True):
            fixed = "" if sides is None else f"_{sides[1]}x{sides[0]}"
            name, content = f"{part.name}{fixed}_{kind}.tflite", contents[i]
            run = _runner(interpreter, content, part.output)
            files[name] = content, *network.compared(part, run, kind, name, size=sides)
    return pair.write(folder, files)


def _sides(name, size):
    """(height, width), or None for free sides."""
    if size is None:
        return None
    sides = size if isinstance(size, (tuple, list)) else (size, size)
    if len(sides) != 2:
        raise InputError(f"{name} must be None, a number of px or (height, width); received {size!r}.")
    return tuple(check_number(name, side, LEAST_SIDE, _MOST_SIDE, integer=True) for side in sides)


def _interpreter():
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as error:
        raise InputError(
            "LiteRT files are checked by LiteRT's interpreter, which is not installed: pip install 'tfstyle[litert]'."
        ) from error
    return Interpreter


def _converted(network, function, kinds):
    """The bytes of a part in each kind."""
    found = []
    with _temporary_folder() as folder:
        # From a SavedModel: from_concrete_functions has been seen to convert without its variables.
        with plain_errors():
            tf.saved_model.save(network, folder, signatures=function)
        for kind in kinds:
            converter = tf.lite.TFLiteConverter.from_saved_model(folder)
            if kind != "float32":
                converter.optimizations = [tf.lite.Optimize.DEFAULT]
            if kind == "float16":
                converter.target_spec.supported_types = [tf.float16]
            found.append(converter.convert())
    return found


@contextlib.contextmanager
def _temporary_folder():
    try:
        with tempfile.TemporaryDirectory() as folder:
            yield folder
    except OSError as error:
        raise InputError(
            f"The folder for temporary files cannot be written ({error.strerror}); set TMPDIR to another."
        ) from error


def _runner(interpreter, content, output):
    """A function of named arrays that runs a file and returns its one array."""
    signature = interpreter(model_content=content, num_threads=min(4, os.cpu_count() or 1)).get_signature_runner()
    return lambda **inputs: signature(**inputs)[output]
