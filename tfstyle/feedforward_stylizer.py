"""One style in one pass: pictures painted by a network that was trained for a single painting."""

import os


from tfstyle import images
from tfstyle.checks import InputError, check_choice
from tfstyle.controls import PRECISIONS, check_model, check_one_style, controls_of, saved_card
from tfstyle.foreign import served
from tfstyle.images.files import pixels
from tfstyle.images.masks import read_masks
from tfstyle.large import in_strips, painted_large
from tfstyle.look import painted, settled
from tfstyle.machine import limit_arenas, resolve
from tfstyle.nets import fast_style_transfer, network_files
from tfstyle.nets.feedforward import FeedForwardConfig
from tfstyle.running import BASE, check_backend, check_fits, checked_contents, in_portions, traced_pictures
from tfstyle.weights.files import STYLE, shipped, shipped_styles

__all__ = ["FeedForwardStylizer"]

# Memory, estimated: bytes a pixel for each channel at full and at half the sides, where networks are the largest.
_PAINT = {"float32": 10, "bfloat16": 5}


class FeedForwardStylizer:
    """Paints pictures in the one style of its network. Keep one for many pictures: building it takes a second or two.

    Args:
        model: name of a network shipped with tfstyle (`tfstyle.weights.files.shipped_styles`); the path of an .npz or
            .keras file (`tfstyle.nets.network_files.save`); the folder of a checkpoint of fast-style-transfer, which
            holds manifest.json; or the folder of a SavedModel that tfstyle has made of such a network.
        precision: "float32", "bfloat16", or "auto": bfloat16 where the processor has it. Convolutions only; statistics
            are float32 always. A SavedModel computes in its own; leave it "auto".

    Attributes:
        least_side: the least side in px of a picture that the network paints.

    Raises:
        InputError: no such model, a damaged one or one of another kind, or bfloat16 where it would be emulated.

    Source: Johnson, Alahi and Fei-Fei, ECCV 2016 (arXiv:1603.08155).
    """

    def __init__(self, model, *, precision="auto"):
        check_backend()
        kind = check_model(model)
        check_choice("precision", precision, PRECISIONS)
        self.model = os.fsdecode(model)
        if kind != "style":
            raise InputError(f"The model {self.model!r} paints in any style; use tfstyle.ArbitraryStylizer for it.")
        limit_arenas()
        card = None if self.model in shipped_styles() else saved_card(self.model)
        if card is not None:
            if precision == "bfloat16":
                raise InputError(f"The model {self.model!r} computes in its own precision; use the precision auto.")
            dtype, widths, self.least_side = "float32", FeedForwardConfig("paper").widths, card["least_side"]
            self._network = None
            self._paint = served(self.model, "content_image", "stylized_image", "paints in one style")
        else:
            dtype = resolve(precision)
            self._network, config = _network(self.model, "mixed_bfloat16" if dtype == "bfloat16" else "float32")
            widths, self.least_side = config.widths, config.least_side
            self._paint = traced_pictures(self._network)
        self._pixel = 100 + _PAINT[dtype] * sum(widths[:2])

    def stylize(self, content, *, masks=None, size=512, **look):
        """Paints one picture.

        Args:
            content: a picture of any kind.
            masks: a picture, white where the style goes, of any size in the photo's ratio; None for everywhere.
            size: long side of the result in px; None keeps the content's own.
            **look: of the fields of `tfstyle.look.Look`: color, color_when ("before" for luminance alone), photoreal,
                tiled. The others are for networks of any style.

        Returns:
            PIL image of the content's shape at `size`: RGB, or RGBA if the content has alpha.

        Raises:
            InputError: a picture or setting that does not work, a side below `least_side`, or too little memory.
        """
        controls = settled(controls_of({"size": size, **look}), [])
        check_one_style(self.model, None, None, controls)
        rgb, alpha = pixels(content, name="content picture", size=size)
        shares = None if masks is None else read_masks(masks, rgb.shape[:2], 1)
        regions = 0 if shares is None else 1
        if min(rgb.shape[:2]) >= self.least_side and in_strips(
            self._network, self._need, rgb.shape[:2], controls, regions
        ):
            return images.to_pil(painted_large(self._network, rgb, [None], None, shares, controls, alpha), alpha)
        photo = images.read(rgb).rgb
        return images.to_pil(painted(photo, controls, shares, lambda given: self._painted(given[None]), alpha), alpha)

    def stylize_batch(self, contents):
        """Paints pictures of one shape: what `stylize` gives for each alone.

        Args:
            contents: (N, H, W, 3) float32 in [0, 1].

        Returns:
            (N, H, W, 3) float32 in [0, 1].

        Raises:
            InputError: another shape or values, a side below `least_side`, or too little memory.
        """
        return self._painted(checked_contents(contents))

    def _painted(self, contents):
        height, width = contents.shape[1:3]
        if min(height, width) < self.least_side:
            raise InputError(
                f"The model {self.model!r} paints pictures of at least {self.least_side} px a side, and this one has "
                f"{width}x{height} px; use a larger size."
            )
        check_fits(self._need, height, width)
        return in_portions(self._paint, contents)

    def _need(self, height, width):
        """Peak memory in bytes, roughly."""
        return BASE + height * width * self._pixel


def _network(model, dtype):
    """(keras.Model, its config) of a shipped name, a file, or the folder of a checkpoint."""
    if model in shipped_styles():
        file = STYLE.format(model)
        return network_files.load((file, shipped(file)[0]), "style", dtype)
    if os.path.isdir(model):
        return fast_style_transfer.load(model, dtype)
    return network_files.load(model, "style", dtype)
