"""Any style in one pass: codes of styles, and pictures painted under them."""

import itertools
import os

import keras
import numpy as np
import tensorflow as tf

from tfstyle import images
from tfstyle.checks import InputError, check_choice, check_number, check_weights
from tfstyle.controls import PRECISIONS, Controls, check_model, read_style
from tfstyle.foreign import ForeignModel
from tfstyle.machine import available, limit_arenas, resolve
from tfstyle.moments import MARGIN, MomentsReader
from tfstyle.nets import arbitrary_weights

__all__ = [
    "BASE", "ArbitraryStylizer", "check_backend", "check_fits", "checked_contents", "in_portions", "traced_pictures",
]

# Pixels that go through a network at once, where there are several pictures.
_AT_ONCE = 2**20
# Memory, measured: TensorFlow, Keras and the weights; bytes a pixel in the transformer, in VGG-19 to relu4_1, and in
# Inception-v3 to Mixed_6e.
BASE = 800 * 2**20
_PAINT = {"float32": 640, "bfloat16": 320}
_MEASURE = {"float32": 900, "bfloat16": 600}
_LOOK = 220


class ArbitraryStylizer:
    """Paints pictures in any style in one pass. Keep one for many pictures: building it takes a second or two.

    Args:
        model: "default", the network shipped with tfstyle; the path of an .npz or .keras file of it
            (`tfstyle.nets.arbitrary_weights.save`); the folder of a SavedModel, or the https:// handle of a TF Hub
            model, that is called as model(content (N, H, W, 3), style (N, 256, 256, 3))[0], float32 in [0, 1], as
            arbitrary-image-stylization-v1-256 is. Such a model takes one style picture, at full strength.
        precision: "float32", "bfloat16", or "auto": bfloat16 where the processor has it. Convolutions only; codes and
            statistics are float32 always.

    Raises:
        InputError: no such model, a damaged one, or bfloat16 where it would be emulated.

    Source: Ghiasi et al., BMVC 2017 (arXiv:1705.06830).
    """

    def __init__(self, model="default", *, precision="auto"):
        check_backend()
        kind = check_model(model)
        check_choice("precision", precision, PRECISIONS)
        self.model, self._foreign = os.fsdecode(model), None
        if kind == "style":
            raise InputError(f"The model {self.model!r} paints in one style only; use tfstyle.FeedForwardStylizer.")
        limit_arenas()
        if kind != "ours":
            if precision == "bfloat16":
                raise InputError(f"The model {self.model!r} computes in its own precision; use precision='auto'.")
            self._foreign = ForeignModel(self.model, kind)
            return
        self._dtype = resolve(precision)
        inner = "mixed_bfloat16" if self._dtype == "bfloat16" else "float32"  # weights of norms stay float32
        self._predictor, transformer, config = arbitrary_weights.load(model, inner)
        self._code_size = config.code
        self._sees_pictures = config.predictor == "inception_v3"
        if self._sees_pictures:
            self._predictor = traced_pictures(self._predictor)
        else:
            self._moments = MomentsReader(self._dtype)
        self._paint = _traced(transformer)

    def style_code(self, style, style_size=512):
        """The code of a style: a few numbers that can be kept (np.save), sent and mixed, in place of the picture.

        Args:
            style: a picture of any kind that `tfstyle.images.read` takes.
            style_size: long side in px at which the picture is looked at. The network copies the texture as it is
                shown to it: at half the size of the result, strokes are half as large as in the painting.

        Returns:
            float32 (100,) for the shipped network.

        Raises:
            InputError: no usable picture or size, or a model of another make, which has no codes.
        """
        self._check_ours()
        check_number("style_size", style_size, images.LEAST_SIDE, integer=True)
        return self._code(images.read(style, name="style picture", size=style_size).rgb)

    def _code(self, picture):
        self._check_fits(*picture.shape[:2], painted=False)
        return self._codes(picture[None])[0]

    def mix(self, codes, weights=None):
        """One code between several.

        Args:
            codes: list of (100,) float32, or (K, 100).
            weights: one number of at least 0 for each, scaled to sum 1; None weighs them alike.

        Returns:
            float32 (100,).

        Raises:
            InputError: codes or weights of other shapes or values.
        """
        self._check_ours()
        if not isinstance(codes, (list, tuple)) and np.ndim(codes) != 2:
            raise InputError(f"codes must be a list of style codes; received {type(codes).__name__}.")
        codes = [self._checked_code(code) for code in codes]
        if not codes:
            raise InputError("There is no style code to mix; give one or more.")
        return np.float32(check_weights(weights, len(codes))) @ np.stack(codes)

    def stylize(self, content, style, *, weights=None, strength=1.0, size=512, style_size=None):
        """Paints one picture.

        Args:
            content: a picture of any kind.
            style: a picture, a code from `style_code`, or a list of either, which are mixed.
            weights: one number for each style, scaled to sum 1; None weighs them alike.
            strength: of the style, 0 to 1. 0 is the content itself, pixel for pixel; in between, the style's code is
                mixed with the content's own and what the network changes under that alone is taken back.
            size: long side of the result in px; None keeps the content's own.
            style_size: long side in px at which style pictures are looked at, and so the size of the strokes; None
                takes the result's. (Models of another make look at the middle square of 256 px by default.)

        Returns:
            PIL image of the content's shape at `size`: RGB, or RGBA if the content has alpha.

        Raises:
            InputError: pictures, codes or settings that do not work, or too little memory.
        """
        Controls(size=size, style_size=style_size, strength=strength)
        styles = list(style) if isinstance(style, (list, tuple)) else [style]
        if not styles:
            raise InputError("There is no style picture; give one or more.")
        weights = check_weights(weights, len(styles))
        if len(styles) > 1 or strength < 1 or _is_code(styles[0]):
            self._check_ours()
        photo = images.read(content, name="content picture", size=size)
        if self._foreign is not None:
            return images.to_pil(self._foreign.paint(photo.rgb, styles[0], style_size), photo.alpha)
        self._check_fits(*photo.rgb.shape[:2])
        side = max(photo.rgb.shape[:2])
        seen = [self._checked_code(one) if _is_code(one) else read_style(one, style_size, side) for one in styles]
        if strength == 0:
            return images.to_pil(photo.rgb, photo.alpha)
        codes = [self._code(one.rgb) if isinstance(one, images.Picture) else one for one in seen]
        painted = self.stylize_batch(photo.rgb[None], self.mix(codes, weights)[None], strength)
        return images.to_pil(painted[0], photo.alpha)

    def stylize_batch(self, contents, codes, strength=1.0):
        """Paints pictures of one shape, each under a code of its own: what `stylize` gives for each alone.

        Args:
            contents: (N, H, W, 3) float32 in [0, 1].
            codes: (N, 100) float32.
            strength: (N,) numbers in [0, 1], or one for all.

        Returns:
            (N, H, W, 3) float32 in [0, 1].

        Raises:
            InputError: other shapes or values, or too little memory.
        """
        self._check_ours()
        contents = checked_contents(contents)
        codes = _array("codes", codes)
        if codes.shape != (len(contents), self._code_size):
            wanted = (len(contents), self._code_size)
            raise InputError(f"codes must have shape {wanted}, one for each content; received {codes.shape}.")
        codes = np.stack([self._checked_code(code) for code in codes])
        strength = np.asarray(strength)
        if strength.shape not in ((), (len(contents),)):
            raise InputError(f"strength must be one number or ({len(contents)},); received shape {strength.shape}.")
        values = [check_number("strength", value, 0, 1) for value in np.ravel(strength).tolist()]
        strength = np.broadcast_to(np.float32(values), len(contents))
        self._check_fits(*contents.shape[1:3])
        return self._blended(contents, codes, strength)

    def _blended(self, contents, codes, strength):
        """picture(s) = net(photo, (1 - s) own + s style) + (1 - s) (photo - net(photo, own)): the photo at s = 0."""
        result = contents.copy()
        moved = np.flatnonzero(strength > 0)
        partly = np.flatnonzero((strength > 0) & (strength < 1))
        both = np.concatenate([moved, partly])
        if not len(both):
            return result
        own = self._codes(contents[partly]) if len(partly) else codes[:0]
        codes = codes.copy()
        less = 1 - strength[partly]
        codes[partly] = less[:, None] * own + strength[partly, None] * codes[partly]
        painted = in_portions(self._paint, contents[both], np.concatenate([codes[moved], own]))
        result[moved] = painted[:len(moved)]
        result[partly] += less[:, None, None, None] * (contents[partly] - painted[len(moved):])
        return result.clip(0, 1, out=result)

    def _codes(self, pictures):
        """(N, H, W, 3) -> (N, 100): the codes of pictures as styles."""
        if self._sees_pictures:
            return in_portions(self._predictor, pictures)
        return np.asarray(self._predictor(in_portions(self._moments, pictures)))

    def _checked_code(self, code):
        code = np.asarray(code)
        if code.shape != (self._code_size,) or code.dtype.kind != "f":
            raise InputError(
                f"A style code must be float of shape ({self._code_size},); received {code.dtype} of {code.shape}."
            )
        if not np.isfinite(code).all():
            raise InputError("A style code holds NaN or infinite values; make it anew from its picture.")
        return code.astype("float32")

    def _check_ours(self):
        if self._foreign is not None:
            raise InputError(
                f"The model {self.model!r} takes one style picture at strength 1; codes, mixed styles and other "
                'strengths need a network of tfstyle, such as model="default".'
            )

    def _check_fits(self, height, width, painted=True):
        check_fits(lambda *sides: self._need(*sides, painted), height, width, "size" if painted else "style_size")

    def _need(self, height, width, painted):
        """Peak memory in bytes, roughly: of the transformer, of VGG-19 on a strip, or of Inception-v3."""
        pixels = height * width
        if self._sees_pictures:
            looked = pixels * _LOOK
        else:
            looked = min(pixels, _AT_ONCE + 2 * MARGIN * width) * _MEASURE[self._dtype]
        return BASE + 100 * pixels + max(looked, pixels * _PAINT[self._dtype] * painted)


def check_backend():
    """Raises `InputError` where Keras does not run on TensorFlow: the stylizers are graphs of it."""
    if keras.backend.backend() != "tensorflow":
        raise InputError(
            f"tfstyle needs Keras on TensorFlow here and it runs on {keras.backend.backend()}; "
            "set KERAS_BACKEND=tensorflow before Python starts."
        )


def check_fits(need, height, width, setting="size"):
    """Raises `InputError` where need(height, width) bytes are not free, with a value of `setting` that takes fewer."""
    if (wanted := need(height, width)) <= (have := available()):
        return
    sides = range(max(height, width) // 16 * 16, images.LEAST_SIDE - 1, -16)
    fits = (side for side in sides if need(*images.fitted_shape(height, width, side)) <= have)
    remedies = [f"use {setting}={side}" for side in itertools.islice(fits, 1)]
    raise InputError(
        f"A {width}x{height} px picture needs about {wanted / 2**30:.1f} GiB of memory and {have / 2**30:.1f} GiB "
        f"are free; {', '.join([*remedies, 'close other programs'])} or take a machine with more memory."
    )


def checked_contents(contents):
    """Pictures of one shape as (N, H, W, 3) float32 in [0, 1], else `InputError`."""
    contents = _array("contents", contents)
    if contents.ndim != 4 or contents.shape[-1] != 3 or not len(contents):
        raise InputError(f"contents must have shape (N, H, W, 3); received {contents.shape}.")
    return np.stack([images.read(one, name="content picture").rgb for one in contents])


def in_portions(function, pictures, *others):
    """A function of batches, a few pictures at a time where they are large."""
    step = max(1, _AT_ONCE // (pictures.shape[1] * pictures.shape[2]))
    parts = [
        np.asarray(function(pictures[i:i + step], *(other[i:i + step] for other in others)))
        for i in range(0, len(pictures), step)
    ]
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _traced(transformer):
    """The transformer as a graph for pictures of any size, traced once."""
    pictures, codes = tf.TensorSpec((None, None, None, 3)), tf.TensorSpec(transformer.input_shape[1])

    @tf.function(input_signature=[pictures, codes])
    def paint(images, under):
        return transformer([images, under])

    return paint


def traced_pictures(model):
    """A model of pictures as a graph for pictures of any size, traced once."""
    return tf.function(lambda pictures: model(pictures), input_signature=[tf.TensorSpec((None, None, None, 3))])


def _array(name, value):
    try:
        return np.asarray(value)
    except ValueError:  # NumPy's word is "inhomogeneous"
        raise InputError(f"{name} must all have one shape; stylize pictures of unlike shapes one by one.") from None


def _is_code(style):
    return getattr(style, "ndim", None) == 1
