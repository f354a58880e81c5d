"""Pictures enlarged by 4 or 8, tile by tile, in the colors that they have."""

import functools
import itertools
import math
import os

import numpy as np
from PIL import Image

from tfstyle import images
from tfstyle.checks import InputError, check_choice
from tfstyle.controls import PRECISIONS, stamp
from tfstyle.enlarge_settings import (
    FACTORS,
    EnlargeSettings,
    check_factor,
    check_model,
    enlarged_shape,
    model_factor,
    other_factor,
)
from tfstyle.foreign import served
from tfstyle.images.color import match_histograms
from tfstyle.machine import available, limit_arenas, resolve
from tfstyle.nets import network_files
from tfstyle.running import BASE, check_backend, traced_pictures
from tfstyle.weights.files import SUPERRES, shipped

__all__ = ["Enlarger", "enlarge"]

# Side in px of the enlarged square that comes out of the network at once.
_SIDE = 1024
# Memory, measured: bytes for a pixel and a channel of an enlarged tile, and for a pixel of the result beside its copy
# of matched colors.
_TILE = {"float32": 14, "bfloat16": 9}
_RESULT = 36
_WIDTH = 64  # channels, where a SavedModel does not say: the paper's


def enlarge(picture, factor=None, *, model="default", match_histogram=True, precision="auto"):
    """Enlarges a picture by a network that adds the detail.

    Args:
        picture: path, bytes, PIL image, or array or tensor (H, W), (H, W, 1 | 3 | 4), uint8 in 0..255 or float in
            [0, 1], of at least 16 px a side.
        factor: by which the sides grow, 4 or 8; None for what a model at a path does, and for 4 by "default".
        model, precision: as `tfstyle.Enlarger` takes them; keep one of those for many pictures.
        match_histogram: as `tfstyle.Enlarger.enlarge` takes it.

    Returns:
        PIL image of as many times the sides: RGB, or RGBA if the picture has alpha.

    Raises:
        InputError: a picture or setting that does not work, in one sentence.

    Source: Johnson et al., ECCV 2016 (arXiv:1603.08155), section 3.2 and 4.2.
    """
    settings = EnlargeSettings(factor, match_histogram, model, precision)
    check_model(settings.model, settings.factor)
    factor = model_factor(settings.model, settings.factor)
    enlarger = _enlarger(settings.model, factor, settings.precision, stamp(settings.model))
    return enlarger.enlarge(picture, match_histogram=settings.match_histogram)


@functools.lru_cache(maxsize=2)
def _enlarger(model, factor, precision, stamp):
    """The enlarger, kept for the next call."""
    return Enlarger(model, factor=factor, precision=precision)


class Enlarger:
    """Enlarges pictures by one network. Keep one for many pictures: building it takes a second or two.

    Pictures go through the network in tiles that overlap by as much as an enlarged pixel depends on, so that a picture
    of any size takes little memory and comes out as if it had gone through whole.

    Args:
        model: "default", the network shipped with tfstyle for that factor; the path of an .npz or .keras file of one
            (`tfstyle.nets.network_files.save`); or the folder of a SavedModel as tfstyle exports it.
        factor: 4 or 8; None for what a model at a path does, and for 4 by "default".
        precision: of the convolutions: "float32", "bfloat16", or "auto": bfloat16 where the processor has it. A
            SavedModel computes in its own and takes no "bfloat16".

    Attributes:
        model: its name or path.
        factor: by which the sides grow.

    Raises:
        InputError: no such model, a damaged one, one of another kind or factor, a SavedModel that takes small
            requests alone, or bfloat16 where it would be emulated.

    Source: Johnson et al., ECCV 2016 (arXiv:1603.08155).
    """

    def __init__(self, model="default", *, factor=None, precision="auto"):
        check_backend()
        if factor is not None:
            check_factor(factor)
        card = check_model(model, factor)
        check_choice("precision", precision, PRECISIONS)
        self.model = os.fsdecode(model)
        limit_arenas()
        if card is not None:
            if precision == "bfloat16":
                raise InputError(f"The model {self.model!r} computes in its own precision; use the precision auto.")
            self.factor, self._reach, self._width = card["factor"], card["reach"], _WIDTH
            self._most_side = math.isqrt(card["most_pixels"])
            if self._most_side <= 2 * self._reach:
                raise InputError(
                    f"The SavedModel {self.model!r} takes requests too small to be put together; give the file that it "
                    "was made from."
                )
            self._network, self._dtype = served(self.model, "image", "enlarged_image", "enlarges"), "float32"
        else:
            self._dtype = resolve(precision)
            network, config = _network(self.model, factor, self._dtype)
            self._network = traced_pictures(network)
            self.factor, self._reach, self._width = config.factor, config.reach, config.width
            self._most_side = math.inf
        self._side = min(_SIDE // self.factor, self._most_side)  # of a tile, before it is enlarged

    def enlarge(self, picture, *, match_histogram=True):
        """Enlarges one picture.

        Args:
            picture: a picture of any kind that `tfstyle.images.read` takes, of at least 16 px a side.
            match_histogram: whether to distribute the values of each channel as in the picture itself, which takes
                back what the network does to the colors as a whole. What is transparent does not count, and a gray
                picture stays gray.

        Returns:
            PIL image of `factor` times the sides: RGB, or RGBA if the picture has alpha, which is enlarged bicubically.

        Raises:
            InputError: no usable picture, too little memory, or a model that does not enlarge it.
        """
        EnlargeSettings(match_histogram=match_histogram)
        small = images.read(picture, name="picture")
        self._check_fits(1, *small.rgb.shape[:2])
        large = self._enlarged(small.rgb[None])[0]
        if match_histogram:
            large = self._matched(large, small.rgb, small.alpha)
        return images.to_pil(_bytes(large), None if small.alpha is None else self._enlarged_alpha(small.alpha))

    def enlarge_batch(self, pictures, *, match_histogram=True):
        """Enlarges pictures of one shape: what `enlarge` gives for each alone, before it is rounded to 8 bits.

        Args:
            pictures: (N, H, W, 3) float32 in [0, 1], of at least 16 px a side.
            match_histogram: as `enlarge` takes it.

        Returns:
            (N, factor H, factor W, 3) float32 in [0, 1].

        Raises:
            InputError: other shapes or values, too little memory, or a model that does not enlarge them.
        """
        EnlargeSettings(match_histogram=match_histogram)
        try:
            pictures = np.asarray(pictures)
        except ValueError:  # NumPy's word is "inhomogeneous"
            raise InputError("pictures must all have one shape; enlarge those of unlike shapes one by one.") from None
        if pictures.ndim != 4 or pictures.shape[-1] != 3 or not len(pictures):
            raise InputError(f"pictures must have shape (N, H, W, 3); received {pictures.shape}.")
        small = np.stack([images.read(one, name="picture").rgb for one in pictures])
        self._check_fits(*small.shape[:3])
        large = self._enlarged(small)
        if match_histogram:
            for one, reference in zip(large, small, strict=True):
                one[:] = self._matched(one, reference)
        return large

    def _enlarged(self, pictures):
        """(N, H, W, 3) -> (N, factor H, factor W, 3), by tiles and a few pictures at a time."""
        count, height, width, _ = pictures.shape
        large = np.empty((count, self.factor * height, self.factor * width, 3), np.float32)
        for rows, columns in itertools.product(self._spans(height), self._spans(width)):
            (top, bottom), (left, right) = (self._around(*rows, height), self._around(*columns, width))
            step = max(1, self._side**2 // ((bottom - top) * (right - left)))
            inner = tuple(
                slice(self.factor * (first - start), self.factor * (last - start))
                for (first, last), start in ((rows, top), (columns, left))
            )
            place = tuple(slice(self.factor * first, self.factor * last) for first, last in (rows, columns))
            for i in range(0, count, step):
                found = self._tile(pictures[i:i + step, top:bottom, left:right])
                large[i:i + step, *place] = found[:, *inner]
        return large.clip(0, 1, out=large)

    def _tile(self, pictures):
        """What the network answers, which must be larger pictures."""
        found = np.asarray(self._network(pictures))
        count, height, width, _ = pictures.shape
        if found.shape != (count, self.factor * height, self.factor * width, 3):
            raise InputError(
                f"The model {self.model!r} makes {found.shape} of {pictures.shape}, which is not {self.factor} times "
                "as large; give another."
            )
        if not np.isfinite(found).all():
            raise InputError(f"The model {self.model!r} paints values that are no numbers; give another.")
        return found

    def _matched(self, large, small, alpha=None):
        """An enlarged picture in the colors of the small one, as far as these can be seen."""
        seen = None if alpha is None or not (alpha > 0).any() else alpha > 0
        colors = small if seen is None else small[seen]
        if (colors == colors[..., :1]).all():
            large = np.repeat(large.mean(-1, keepdims=True), 3, axis=-1)
        wide = None if seen is None else seen.repeat(self.factor, axis=0).repeat(self.factor, axis=1)
        return match_histograms(large, small, wide, seen)

    def _spans(self, length):
        """A side in parts of about one length, which fit into a tile with what lies around them.

        Half a tile at least, where the network is deep, but no more than a SavedModel takes.
        """
        within = max(self._side // 2, self._side - 2 * self._reach)
        within = min(within, self._most_side - 2 * self._reach)
        parts = 1 if length <= self._side else -(-length // within)
        edges = [length * i // parts for i in range(parts + 1)]
        return list(itertools.pairwise(edges))

    def _around(self, first, last, length):
        """A part of a side with what its enlargement depends on: the border of the picture stays its border.

        16 px at least, since models take no less.
        """
        end = min(length, max(last + self._reach, images.LEAST_SIDE))
        return max(0, min(first - self._reach, end - images.LEAST_SIDE)), end

    def _enlarged_alpha(self, alpha):
        size = tuple(self.factor * side for side in alpha.shape[::-1])
        return np.asarray(Image.fromarray(alpha).resize(size, Image.Resampling.BICUBIC))

    def _check_fits(self, count, height, width):
        enlarged_shape(height, width, self.factor)
        tile = min(_SIDE, self.factor * height) * min(_SIDE, self.factor * width)
        result = count * self.factor**2 * height * width
        need = BASE + tile * self._width * _TILE[self._dtype] + result * _RESULT
        if need > (have := available()):
            raise InputError(
                f"Enlarging {width}x{height} px by {self.factor} needs about {need / 2**30:.1f} GiB of memory and "
                f"{have / 2**30:.1f} GiB are free; use a smaller picture, close other programs or take a machine with "
                "more memory."
            )


def _network(model, factor, dtype):
    """(keras.Model, its config) of "default" or a file."""
    if model == "default":
        file = SUPERRES.format(FACTORS[0] if factor is None else factor)
        model = file, shipped(file)[0]
    # Under bfloat16, the weights of norms stay float32.
    network, config = network_files.load(model, "superres", "mixed_bfloat16" if dtype == "bfloat16" else dtype)
    if factor not in (None, config.factor):
        raise other_factor(model, config.factor, factor)
    return network, config


def _bytes(picture):
    """`images.to_uint8` a few rows at a time, without its copies of a large picture."""
    found = np.empty(picture.shape, np.uint8)
    rows = max(1, _SIDE**2 // picture.shape[1])
    for top in range(0, len(picture), rows):
        found[top:top + rows] = images.to_uint8(picture[top:top + rows])
    return found
