"""The same losses and gradient over large pictures strip by strip, in the memory that a strip needs."""

import math
import re
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfstyle.gatys.objective import REPORT_STYLE, Measures, Objective
from tfstyle.losses import content_loss, total_variation
from tfstyle.nets.vgg import layer_info
from tfstyle.weights import convolutions

_TINY = 1e-12


class Strip(NamedTuple):
    """A part of a picture: slices of rows and columns, in px."""

    seen: tuple  # what the network is given
    own: tuple  # what is this strip's alone; the rest of `seen` is there for the layers to look at


def halo(layers, network):
    """What the layers look at, and how they lie.

    Returns:
        (px to either side of its own that a position of the deepest layer sees, a multiple of the second number;
        px of which a strip's sides must be multiples, so that pooling meets the same pixels as in the whole).
    """
    reach, grid = 0, 16
    for name in layers:
        grid = max(grid, layer_info(name, network)[1])
        block, *number = map(int, re.findall(r"\d", name))  # a pooling layer has no number: it sees all of its block
        before = (tuple(map(int, re.findall(r"\d", one))) for one in convolutions(network))
        reach = max(reach, sum(2 ** (b - 1) for b, n in before if b < block or b == block and n <= (number or [n])[0]))
    return math.ceil(reach / grid) * grid, grid


def strips(height, width, pixels, margin, grid):
    """A picture in strips across its long side.

    Args:
        height, width: of the picture in px.
        pixels: that one strip may have, its margins included; where too few, strips are as narrow as they can be.
        margin, grid: in px, from `halo`.

    Returns:
        List of `Strip`: one if all of the picture is small enough.
    """
    long, across = max(height, width), min(height, width)
    count = 1
    if height * width > pixels:
        most = max(grid, (pixels // across - 2 * margin) // grid * grid)
        count = max(1, min(math.ceil(long / most), long // grid))
    cuts = [long // grid * i // count * grid for i in range(count)] + [long]
    found = []
    for start, stop in zip(cuts, cuts[1:]):
        own, seen = slice(start, stop), slice(max(0, start - margin), min(long, stop + margin))
        every = slice(0, across)
        found.append(Strip((seen, every), (own, every)) if height >= width else Strip((every, seen), (every, own)))
    return found


class TiledObjective(Objective):
    """`Objective` with Gram matrices added up over strips.

    Each evaluation goes through the picture twice: forward for the Gram matrices G of all of it, then forward and
    backward for <dE/dG, the strip's part of G> and the strip's part of the content losses. Every strip is given as much
    of its surroundings as the deepest layer looks at, so that the sums of its parts are those of the whole.

    Args:
        pixels: that one strip may have.
        *args, **options: as `Objective` takes them.
    """

    def __init__(self, *args, pixels, **options):
        super().__init__(*args, **options)
        layers = self.content_layers + self.style_layers + (REPORT_STYLE if self.plain else ())
        # Figures of the content are taken at relu4_2, which sees less than relu5_1.
        self._halo, self._pixels = halo(layers, self.settings.network), pixels

    def strips(self, image):
        """The strips of a picture (1, H, W, 3)."""
        return strips(*image.shape[1:3], self._pixels, *self._halo)

    def measure_image(self, image, guides=None):
        """`Measures` of (1, H, W, 3) as the network gets it; of several strips each content is a list of theirs."""
        parts = self.strips(image)
        if len(parts) == 1:
            return super().measure_image(image, guides)
        sums = masses = None
        contents = []
        for part in parts:
            (content, *grams), mass = self.call(self._sums, *self._cut(part, image, guides))
            contents.append(content)
            add = sums is not None
            sums = tf.nest.map_structure(tf.add, sums, grams) if add else grams
            masses = tf.nest.map_structure(tf.add, masses, mass) if add else mass
        style, report = tf.nest.map_structure(lambda s, m: s / tf.maximum(m, _TINY), sums, masses)
        contents = [list(layer) for layer in zip(*contents)]
        return Measures(contents[: len(self.content_layers)], style, [*report, *contents[len(self.content_layers):]])

    def _cut(self, part, image, guides):
        """What the network is given of a strip: (its pixels, (2, 2) its own of them, guides of its own or {})."""
        (rows, columns), own = part
        inner = [(cut.start - seen.start, cut.stop - seen.start) for cut, seen in zip(own, part.seen)]
        cuts = {
            name: guide[(slice(None), *_positions(own, layer_info(name, self.settings.network)[1]))]
            for name, guide in (guides or {}).items()
        }
        return image[:, rows, columns], tf.constant(inner, tf.int32), cuts

    def _features(self, piece, inner):
        """Features of the strip's own pixels alone."""
        found = {}
        for name, features in self.features(piece).items():
            cut = inner // layer_info(name, self.settings.network)[1]
            found[name] = features[:, cut[0, 0]:cut[0, 1], cut[1, 0]:cut[1, 1]]
        return found

    def _sums(self, piece, inner, guides):
        """([features at content layers, sums at style layers, sums at REPORT_STYLE], what the sums are to be over)."""
        features = self._features(piece, inner)
        found = self.measures(features, guides or None)
        *grams, deep = found.report or [None]
        sums, masses = [found.style, grams], []
        for names, matrices in zip((self.style_layers, REPORT_STYLE[: len(grams)]), sums):
            masses.append([_mass(tf.shape(features[name])[1:3], guides.get(name)) for name in names])
            matrices[:] = tf.nest.map_structure(tf.multiply, matrices, masses[-1])
        return [found.content + ([] if deep is None else [deep]), *sums], masses

    def content_error(self, found, target, normalization):
        """`content_loss` of features as `measure_image` returns them, of strips by their sums."""
        if not isinstance(found, list):
            return super().content_error(found, target, normalization)
        return _unit(target, normalization) * tf.add_n([content_loss(*pair, "paper") for pair in zip(found, target)])

    def value_and_gradient(self, image, content, styles):
        wide = self.whole_steps(image)
        parts = self.strips(wide)
        if len(parts) == 1:
            return super().value_and_gradient(image, content, styles)
        guides = content.guides if content else None
        raw, slopes = self._style(wide, content, styles, guides)
        units = [_unit(target, self.settings.content_normalization) for target in content.content] if content else []
        weights = [self.terms[f"content/{name}"] for name in self.content_layers]
        scales = tf.stack([weight * unit for weight, unit in zip(weights, units)] or [0.0])
        errors, gradient = np.zeros(len(units)), np.zeros(wide.shape, np.float32)
        for number, part in enumerate(parts):
            targets = [layer[number] for layer in content.content] if content else []
            found, slope = self.call(self._strip_gradient, *self._cut(part, wide, guides), targets, slopes, scales)
            errors += found.numpy()[: len(units)]
            gradient[(slice(None), *part.seen)] += slope.numpy()
        told = {f"content/{name}": float(unit) * error for name, unit, error in zip(self.content_layers, units, errors)}
        with tf.GradientTape() as tape:
            tape.watch(image)
            ends = [self.whole_steps(image)]
            smoothness = total_variation(image, self.settings.tv_kind)
            if self.terms["tv"]:
                ends.append(self.terms["tv"] * smoothness)
        gradient = tape.gradient(ends, image, [tf.constant(gradient), tf.ones(())][: len(ends)])
        told |= {name: float(value) for name, value in raw.items()} | {"tv": float(smoothness)}
        return self.total(told), told, gradient

    def _style(self, wide, content, styles, guides):
        """(raw terms of style, the gradient of their weighted sum by each Gram matrix over what it is a mean of)."""
        if not self.style_layers:
            return {}, []
        grams = self.measure_image(wide, guides).style
        with tf.GradientTape() as tape:
            tape.watch(grams)
            raw = self.style_losses(Measures([], grams, []), content, styles)
            heeded = [self.terms[name] * value for name, value in raw.items() if self.terms[name]]
            total = tf.add_n([tf.zeros(()), *heeded])
        slopes = tape.gradient(total, grams, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        for index, name in enumerate(self.style_layers):
            stride = layer_info(name, self.settings.network)[1]
            mass = _mass([side // stride for side in wide.shape[1:3]], guides and guides[name])
            slopes[index] = tf.nest.map_structure(lambda s, m: s / tf.maximum(m, _TINY), slopes[index], mass)
        return raw, slopes

    def _strip_gradient(self, piece, inner, guides, targets, slopes, scales):
        """(content losses of a strip as "paper" has them, gradient by its pixels of all that they and it weigh)."""
        with tf.GradientTape() as tape:
            tape.watch(piece)
            features = self._features(piece, inner)
            found = self.measures(features, guides or None)
            errors = [content_loss(mine, other, "paper") for mine, other in zip(found.content, targets)]
            pull = [scales[index] * error for index, error in enumerate(errors)]
            for name, matrices, slope in zip(self.style_layers, found.style, slopes):
                mass = _mass(tf.shape(features[name])[1:3], guides.get(name))
                parts = tf.nest.map_structure(lambda d, g, m: tf.reduce_sum(d * g) * m, slope, matrices, mass)
                pull += tf.nest.flatten(parts)
            total = tf.add_n(pull)
        return tf.stack(errors or [0.0]), tape.gradient(total, piece)


def _positions(own, stride):
    """Slices of a layer's positions for those of pixels."""
    return tuple(slice(side.start // stride, side.stop // stride) for side in own)


def _mass(sides, guide):
    """What a Gram matrix is a mean over: all positions of these two sides, or a list of the sums of regions."""
    if guide is None:
        return tf.cast(tf.reduce_prod(sides), tf.float32)
    return [tf.reduce_sum(part) for part in tf.unstack(guide)]


def _unit(target, normalization):
    """What `content_loss(..., "paper")` is multiplied with to be that of another normalization; target in strips."""
    positions = sum(math.prod(part.shape[1:3]) for part in target)
    size = positions * target[0].shape[-1]
    if normalization == "relative":
        squares = tf.add_n([content_loss(part, tf.zeros(()), "paper") for part in target])
        return 1 / tf.maximum(squares, 0.5 * _TINY * size)
    return tf.constant({"paper": 1.0, "positions": 1 / positions, "mean": 2 / size}[normalization])
