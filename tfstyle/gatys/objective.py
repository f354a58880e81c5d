"""What the optimiser minimizes: targets measured once, then losses and their gradient at a picture."""

import functools
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfstyle.images import to_uint8
from tfstyle.losses import content_loss, gram_matrix, style_distance, style_statistic, total_variation
from tfstyle.nets.vgg import vgg

# What every run reports at its end, whatever it minimized: the layers of the CVPR 2016 paper.
REPORT_CONTENT = "relu4_2"
REPORT_STYLE = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")


# The deepest layers look at the picture in steps of this many pixels.
_STRIDE = 16


class Measures(NamedTuple):
    """What the losses look at of one picture; small but for the content features."""

    content: list  # features (1, h, w, C), one for each content layer
    style: list  # statistics, one for each style layer
    report: list  # Gram matrices at REPORT_STYLE, then features at REPORT_CONTENT; empty while optimising


class Objective:
    """The weighted losses of eq. 7 and their gradient, compiled once for all sizes of picture.

    Args:
        settings: `GatysSettings`.
        style_weights: floats that sum to 1, one for each style picture.
        dtype: "float32" or "bfloat16", of the convolutions.
        plain: False: the network that the settings describe; True: as trained, with zero padding, max
            pooling and unscaled filters in float32, which is how a finished run is judged.
        features: what takes the network's place, image -> {layer: features}; None builds it.
    """

    def __init__(self, settings, style_weights, dtype="float32", plain=False, features=None):
        self.settings = settings
        self.style_weights = style_weights
        self.content_layers = settings.content_layers if settings.content_weight else ()
        self.style_layers = settings.style_layers if settings.style_weight else ()
        weights = settings.style_layer_weights or (1 / max(1, len(self.style_layers)),) * len(self.style_layers)
        self.terms = {f"content/{name}": settings.content_weight / len(self.content_layers) for name in self.content_layers}
        self.terms |= {f"style/{name}": settings.style_weight * w for name, w in zip(self.style_layers, weights)}
        self.terms["tv"] = settings.tv_weight
        self.plain = plain
        self.features = features or self.network(dtype)
        self._compiled = None

    def network(self, dtype):
        """The VGG that the settings describe, or the plain one, to the layers that the losses look at."""
        settings, layers = self.settings, self.content_layers + self.style_layers
        if self.plain:
            layers += (REPORT_CONTENT, *REPORT_STYLE)
        look = {} if self.plain else dict(
            pooling=settings.pooling, normalized=settings.normalized, padding=settings.padding, dtype=dtype
        )
        return vgg(tuple(dict.fromkeys(layers)), network=settings.network, weights=settings.network_weights, **look)

    @functools.cached_property
    def _measure(self):
        return _traced(self.look, [tf.TensorSpec([1, None, None, 3])])

    def measure(self, picture):
        """`Measures` of a style picture (H, W, 3) float32 in [0, 1]."""
        return self._measure(tf.constant(np.asarray(picture, np.float32)[None]))

    def measure_content(self, picture):
        """`Measures` of the content picture as `value_and_gradient` looks at images; None of None."""
        if picture is None:
            return None
        return self._measure(self.whole_steps(tf.constant(np.asarray(picture, np.float32)[None])))

    def look(self, image):
        """`Measures` of a picture (1, H, W, 3), tensor in, tensors out."""
        features = self.features(image)
        report = [*(gram_matrix(features[n]) for n in REPORT_STYLE), features[REPORT_CONTENT]] if self.plain else []
        return Measures(
            [tf.cast(features[name], tf.float32) for name in self.content_layers],
            [style_statistic(features[name], self.settings.style_statistic) for name in self.style_layers],
            report,
        )

    def whole_steps(self, image):
        """Mirrors two edges of the picture outward until its sides are multiples of 16: every layer then sees all of it.

        Pooling drops odd rows: of a side of 255 pixels relu5_1 sees 240, and what no deep layer sees turns into a colored
        frame. The paper's network (zero padding) and the plain one keep what they do.
        """
        if self.plain or self.settings.padding == "zero":
            return image
        height, width = tf.unstack(tf.shape(image)[1:3])
        # Below and to the right only: the grid of the pooled layers then lies as the plain network has it.
        margins = [[0, 0], [0, -height % _STRIDE], [0, -width % _STRIDE], [0, 0]]
        return tf.pad(image, margins, "REFLECT" if self.settings.padding == "reflect" else "SYMMETRIC")

    def losses(self, image, found, content, styles):
        """Raw value of every term.

        Args:
            image: (1, H, W, 3) float32 tensor, and `found`, its `Measures`.
            content: `Measures` of the content picture; None where there is no content loss.
            styles: list of `Measures` of the style pictures.

        Returns:
            Dict of float32 scalars in the order of `terms`.
        """
        settings, raw = self.settings, {}
        for index, name in enumerate(self.content_layers):
            raw[f"content/{name}"] = content_loss(
                found.content[index], content.content[index], settings.content_normalization
            )
        for index, name in enumerate(self.style_layers):
            raw[f"style/{name}"] = sum(
                weight * style_distance(
                    found.style[index], style.style[index], settings.style_statistic, settings.style_normalization
                )
                for weight, style in zip(self.style_weights, styles)
            )
        raw["tv"] = total_variation(image, settings.tv_kind)
        return raw

    def value_and_gradient(self, image, content, styles):
        """Losses and gradient in one compiled step.

        Args:
            image: (1, H, W, 3) float32 tensor.
            content, styles: as `losses` takes them, measured at this scale.

        Returns:
            (total as a float, raw terms as a dict of floats, gradient as a tensor like `image`).
        """
        inputs = (image, content.content if content else [], [style.style for style in styles])
        if self._compiled is None:
            self._compiled = _traced(self._value_and_gradient, tf.nest.map_structure(_free_size, inputs))
        values, gradient = self._compiled(*inputs)
        raw = dict(zip(self.terms, map(float, values.numpy())))
        return self.total(raw), raw, gradient

    def _value_and_gradient(self, image, content, styles):
        content, styles = Measures(content, [], []), [Measures([], style, []) for style in styles]
        with tf.GradientTape() as tape:
            tape.watch(image)
            raw = self.losses(image, self.look(self.whole_steps(image)), content, styles)
            # A term of weight 0 is reported, but its gradient is not even asked for: 0 x inf would spoil the rest.
            total = tf.add_n([weight * raw[name] for name, weight in self.terms.items() if weight])
        return tf.stack([raw[name] for name in self.terms]), tape.gradient(total, image)

    def total(self, raw):
        """The sum of the weighted terms."""
        return float(sum(weight * raw[name] for name, weight in self.terms.items() if weight))

    def report(self, image, content, styles):
        """Losses of a finished picture as anyone can recompute them from the files.

        Args:
            image, content: (H, W, 3) float32 in [0, 1], of one shape; content may be None.
            styles: list of style pictures at their stated size.

        Returns:
            (raw terms by this run's settings, figures): the figures are content_loss, mean (F - P)^2 / mean P^2 at
            relu4_2; style_rel, mean over relu1_1 to relu5_1 of |G - A|^2 / |A|^2; style_loss, eq. 5 with w_l = 1/5;
            tv, mean |dx| + mean |dy|. All on pictures rounded to 8 bits.
        """
        image = _eight_bits(image)
        found = self.measure(image)
        theirs = None if content is None else self.measure_content(_eight_bits(content))
        painted = [self.measure(_eight_bits(style)) for style in styles]
        raw = self.losses(tf.constant(image[None]), found, theirs, painted)
        figures = {"tv": sum(float(np.abs(np.diff(image, axis=axis)).mean(dtype=np.float64)) for axis in (0, 1))}
        if theirs is not None:
            figures["content_loss"] = float(content_loss(found.report[-1], theirs.report[-1]))
        for key, form in (("style_rel", "relative"), ("style_loss", "paper")) if painted else ():
            figures[key] = sum(
                weight * float(style_distance(mine, other, normalization=form))
                for weight, style in zip(self.style_weights, painted)
                for mine, other in zip(found.report[:-1], style.report[:-1])
            ) / len(REPORT_STYLE)
        return {name: float(value) for name, value in raw.items()}, figures


def _eight_bits(picture):
    return to_uint8(picture).astype(np.float32) / 255


def _traced(function, specs):
    """Compiled once for these specs; as a concrete function, so that many runs are not taken for needless retracing."""
    return tf.function(function, input_signature=specs, autograph=False).get_concrete_function()


def _free_size(tensor):
    """The spec of a tensor whose batch and channels are fixed and whose other sides are free."""
    return tf.TensorSpec([tensor.shape[0], *[None] * (tensor.shape.rank - 2), tensor.shape[-1]], tf.float32)
