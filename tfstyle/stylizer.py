"""Any style in one pass: codes of styles, and pictures painted under them."""

import os

import numpy as np
import tensorflow as tf

from tfstyle import images
from tfstyle.checks import InputError, check_choice, check_number, check_weights
from tfstyle.codes import CodeReader, reduced
from tfstyle.controls import MOST_SEEN, PRECISIONS, check_model, check_styles, controls_of, read_style
from tfstyle.foreign import STYLE_SIDE, ForeignModel
from tfstyle.images.color import match_covariance
from tfstyle.images.files import pixels
from tfstyle.images.masks import read_masks, shrunk
from tfstyle.large import in_strips, painted_large
from tfstyle.look import color_weights, is_code, painted, painted_size, photo_given, seen_size, settled, style_given
from tfstyle.machine import give_back, limit_arenas, resolve
from tfstyle.nets import arbitrary_weights
from tfstyle.running import BASE, as_array, check_backend, check_fits, checked_contents, in_portions

__all__ = ["ArbitraryStylizer"]

# Memory, measured: bytes a pixel in the transformer.
_PAINT = {"float32": 640, "bfloat16": 320}


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
                raise InputError(f"The model {self.model!r} computes in its own precision; use the precision auto.")
            self._foreign = ForeignModel(self.model, kind)
            return
        self._dtype = resolve(precision)
        inner = "mixed_bfloat16" if self._dtype == "bfloat16" else "float32"  # weights of norms stay float32
        predictor, self._network, config = arbitrary_weights.load(model, inner)
        self._codes = CodeReader(predictor, config, self._dtype)
        self._paint = _traced(self._network)

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

    def _code(self, picture, texture=None):
        check_fits(self._codes.need, *picture.shape[:2], "style_size")
        return self._codes(picture[None], texture)[0]

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
        codes = [self._codes.checked(code) for code in codes]
        if not codes:
            raise InputError("There is no style code to mix; give one or more.")
        return np.float32(check_weights(weights, len(codes))) @ np.stack(codes)

    def stylize(self, content, style, *, weights=None, masks=None, texture=None, size=512, **look):
        """Paints one picture.

        Args:
            content: a picture of any kind.
            style: a picture, a code from `style_code`, or a list of either.
            weights: one number for each style, scaled to sum 1, by which they are mixed; None weighs them alike.
            masks: one picture for each style, white where it goes, or one fewer: the last style takes what they leave.
                Soft edges, and any size in the photo's ratio, will do. Where no mask lies, the photo stays.
            texture: a picture whose fine texture takes the place of the styles' own, whose colors and larger strokes
                remain (Gatys et al. 2017, section 6); gently, as all texture in one pass.
            size: long side of the result in px; None keeps the content's own.
            **look: fields of `tfstyle.look.Look`, alike for all engines: strength, style_scale, style_size, color,
                color_when, photoreal, tiled. A strength below 1 mixes the style's code with the content's own and takes
                back what the network changes under that alone; 0 is the content itself, pixel for pixel. (Models of
                another make look at the middle square of a style, 256 px times `style_scale`, or `style_size`.)

        Returns:
            PIL image of the content's shape at `size`: RGB, or RGBA if the content has alpha.

        Raises:
            InputError: pictures, codes or settings that do not work, or too little memory.
        """
        styles = list(style) if isinstance(style, (list, tuple)) else [style]
        controls = settled(controls_of({"size": size, **look}), styles)
        if not styles:
            raise InputError("There is no style picture; give one or more.")
        check_styles(weights, masks)
        weights = check_weights(weights, len(styles))
        if len(styles) > 1 or controls.strength < 1 or texture is not None or is_code(styles[0]):
            self._check_ours()
        rgb, alpha = pixels(content, name="content picture", size=size)
        shares = None if masks is None else read_masks(masks, rgb.shape[:2], len(styles))
        if self._foreign is not None:
            return images.to_pil(self._painted_by_another(rgb, alpha, styles[0], shares, controls), alpha)
        side = painted_size(controls, max(rgb.shape[:2]))
        regions = 0 if shares is None else len(styles)
        strips = in_strips(self._network, self._need, rgb.shape[:2], controls, regions)
        seen = [self._seen(one, controls, side) for one in styles]
        touch = None if texture is None else read_style(texture, controls, side, "texture picture").rgb
        if controls.strength == 0:
            return images.to_pil(rgb, alpha)
        codes = self._codes_of(seen, touch, rgb, color_weights(len(seen), shares, alpha), controls)
        codes = self.mix(codes, weights)[None] if shares is None else codes
        if strips:
            own = self._own(photo_given(reduced(rgb), controls)[None])[0] if controls.strength < 1 else None
            give_back()  # what VGG-19 took to look at the styles is as much as the strips are going to take
            return images.to_pil(painted_large(self._network, rgb, codes, own, shares, controls, alpha), alpha)

        def paint(given):
            return (self.stylize_batch(given[None], code[None], controls.strength)[0] for code in codes)

        return images.to_pil(painted(images.read(rgb).rgb, controls, shares, paint, alpha), alpha)

    def _painted_by_another(self, rgb, alpha, style, shares, controls):
        if controls.tiled == "yes":
            raise InputError(f"The model {self.model!r} of another make cannot be run in strips; leave tiled out.")
        side = seen_size(controls, STYLE_SIDE)
        photo, style = images.read(rgb).rgb, images.read(style, name="style picture").rgb
        style = style_given(style, photo, controls, color_weights(1, shares, alpha)[0])
        return painted(photo, controls, shares, lambda given: [self._foreign.paint(given, style, side)], alpha)

    def _seen(self, style, look, side):
        """A checked code, or the pixels (h, w, 3) that are looked at for a result of that long side."""
        return self._codes.checked(style) if is_code(style) else read_style(style, look, side).rgb

    def _codes_of(self, seen, texture, rgb, weights, look):
        """Codes (R, K) of what `_seen` has made of the styles."""
        codes, photo = [], None if look.color == "style" else reduced(rgb)
        for one, weight in zip(seen, weights, strict=True):
            if one.ndim == 3:
                if photo is not None:
                    weight = None if weight is None else shrunk(weight[None], photo.shape[:2])[0]
                    one = style_given(one, photo, look, weight)
                one = self._code(one, None if texture is None else match_covariance(texture, one))
            codes.append(one)
        return np.stack(codes)

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
        codes = as_array("codes", codes)
        if codes.shape != (len(contents), self._codes.size):
            wanted = (len(contents), self._codes.size)
            raise InputError(f"codes must have shape {wanted}, one for each content; received {codes.shape}.")
        codes = np.stack([self._codes.checked(code) for code in codes])
        strength = np.asarray(strength)
        if strength.shape not in ((), (len(contents),)):
            raise InputError(f"strength must be one number or ({len(contents)},); received shape {strength.shape}.")
        values = [check_number("strength", value, 0, 1) for value in np.ravel(strength).tolist()]
        strength = np.broadcast_to(np.float32(values), len(contents))
        check_fits(self._need, *contents.shape[1:3])
        return self._blended(contents, codes, strength)

    def _blended(self, contents, codes, strength):
        """picture(s) = net(photo, (1 - s) own + s style) + (1 - s) (photo - net(photo, own)): the photo at s = 0."""
        result = contents.copy()
        moved = np.flatnonzero(strength > 0)
        partly = np.flatnonzero((strength > 0) & (strength < 1))
        both = np.concatenate([moved, partly])
        if not len(both):
            return result
        own = self._own(contents[partly]) if len(partly) else codes[:0]
        codes = codes.copy()
        less = 1 - strength[partly]
        codes[partly] = less[:, None] * own + strength[partly, None] * codes[partly]
        painted = in_portions(self._paint, contents[both], np.concatenate([codes[moved], own]))
        result[moved] = painted[:len(moved)]
        result[partly] += less[:, None, None, None] * (contents[partly] - painted[len(moved):])
        return result.clip(0, 1, out=result)

    def _own(self, contents):
        """The codes (N, K) of photos, as those of style pictures."""
        if max(contents.shape[1:3]) > MOST_SEEN:
            contents = np.stack([reduced(one) for one in contents])
        return self._codes(contents)

    def _check_ours(self):
        if self._foreign is not None:
            raise InputError(
                f"The model {self.model!r} takes one style picture at strength 1; codes, mixed styles, textures and "
                "other strengths need a network of tfstyle, such as the model default."
            )

    def _need(self, height, width):
        """Peak memory in bytes, roughly: of looking at a picture, or of the transformer."""
        return max(self._codes.need(height, width), BASE + height * width * (100 + _PAINT[self._dtype]))


def _traced(transformer):
    """The transformer as a graph for pictures of any size, traced once."""
    pictures, codes = tf.TensorSpec((None, None, None, 3)), tf.TensorSpec(transformer.input_shape[1])

    @tf.function(input_signature=[pictures, codes])
    def paint(images, under):
        return transformer([images, under])

    return paint
