"""What the optimiser minimizes: targets measured once, then losses and their gradient at a picture."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfstyle.gatys.targets import covered, guides_at, shares_at, targets
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
    # Of the content picture where there are regions, {layer: their shares}: statistics then are lists, one a region.
    guides: dict | None = None


def weighted_terms(settings):
    """{name of a term: its weight} of the loss that a run minimizes."""
    content = settings.content_layers if settings.content_weight else ()
    style = settings.style_layers if settings.style_weight else ()
    weights = settings.style_layer_weights or (1 / max(1, len(style)),) * len(style)
    terms = {f"content/{name}": settings.content_weight / len(content) for name in content}
    terms |= {f"style/{name}": settings.style_weight * weight for name, weight in zip(style, weights)}
    return terms | {"tv": settings.strength * settings.tv_weight}


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
        self.terms = weighted_terms(settings)
        self.plain = plain
        self.features = features or self.network(dtype)
        self._compiled = {}

    def network(self, dtype):
        """The VGG that the settings describe, or the plain one, to the layers that the losses look at."""
        settings, layers = self.settings, self.content_layers + self.style_layers
        if self.plain:
            layers += (REPORT_CONTENT, *REPORT_STYLE)
        look = {} if self.plain else dict(
            pooling=settings.pooling, normalized=settings.normalized, padding=settings.padding, dtype=dtype
        )
        return vgg(tuple(dict.fromkeys(layers)), network=settings.network, weights=settings.network_weights, **look)

    def call(self, function, *inputs):
        """A method, compiled once for all sizes of so many tensors, of its inputs."""
        key = function.__name__, len(tf.nest.flatten(inputs))
        if key not in self._compiled:
            specs = tf.nest.map_structure(_free_size, inputs)
            # As a concrete function, so that many runs are not taken for needless retracing.
            traced = tf.function(function, input_signature=specs, autograph=False)
            self._compiled[key] = traced.get_concrete_function()
        return self._compiled[key](*inputs)

    def measure(self, picture):
        """`Measures` of a style picture (H, W, 3) float32 in [0, 1]."""
        return self.measure_image(tf.constant(np.asarray(picture, np.float32)[None]))

    def measure_content(self, picture, shares=None):
        """`Measures` of the content picture as `value_and_gradient` looks at images; None of None.

        Args:
            picture: (H, W, 3) float32 in [0, 1].
            shares: (R, h, w) float32 of any size, the regions of the styles; None is none.
        """
        if picture is None:
            return None
        image = self.whole_steps(tf.constant(np.asarray(picture, np.float32)[None]))
        if shares is None:
            return self.measure_image(image)
        layers = self.style_layers + (REPORT_STYLE if self.plain else ())
        guides = guides_at(self.whole_steps(shares_at(shares, picture.shape[:2])), layers, self.settings.network)
        return self.measure_image(image, guides)._replace(guides=guides)

    def measure_image(self, image, guides=None):
        """`Measures` of (1, H, W, 3) as the network gets it."""
        return self.call(self.look, image, *([] if guides is None else [guides]))

    def look(self, image, guides=None):
        """`Measures` of a picture (1, H, W, 3), of its regions if there are guides; tensors in, tensors out."""
        return self.measures(self.features(image), guides)

    def measures(self, features, guides=None):
        """`Measures` of the network's features."""
        def statistic(name, kind):
            if guides is None:
                return style_statistic(features[name], kind)
            return [gram_matrix(features[name], guide[None, ..., 0]) for guide in tf.unstack(guides[name])]

        report = [*(statistic(name, "gram") for name in REPORT_STYLE), features[REPORT_CONTENT]] if self.plain else []
        return Measures(
            [tf.cast(features[name], tf.float32) for name in self.content_layers],
            [statistic(name, self.settings.style_statistic) for name in self.style_layers],
            report,
        )

    def whole_steps(self, image):
        """Mirrors two edges of the picture outward until its sides are multiples of 16: each layer then sees it all.

        Pooling drops odd rows: of a side of 255 pixels relu5_1 sees 240, and what no deep layer sees turns into a
        colored frame. The paper's network (zero padding) and the plain one keep what they do.
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
            content: `Measures` of the content picture; None where there is nothing to compare with it.
            styles: list of `Measures` of the style pictures.

        Returns:
            Dict of float32 scalars in the order of `terms`.
        """
        raw = {}
        for index, name in enumerate(self.content_layers):
            raw[f"content/{name}"] = self.content_error(
                found.content[index], content.content[index], self.settings.content_normalization
            )
        raw |= self.style_losses(found, content, styles)
        raw["tv"] = total_variation(image, self.settings.tv_kind)
        return raw

    def content_error(self, found, target, normalization):
        """`content_loss` of features as `measure_image` returns them."""
        return content_loss(found, target, normalization)

    def style_losses(self, found, content, styles):
        """Raw value of every term of style, as `losses` takes and returns them."""
        settings, raw = self.settings, {}
        guides = content.guides if content else None
        for index, name in enumerate(self.style_layers):
            guide = guides[name] if guides else None
            regions = found.style[index] if guides else [found.style[index]]
            raw[f"style/{name}"] = sum(
                target.weight * style_distance(
                    regions[target.region], target.statistic, settings.style_statistic, settings.style_normalization
                )
                for target in targets(index, settings.strength, self.style_weights, content, styles, guide)
            )
        return raw

    def value_and_gradient(self, image, content, styles):
        """Losses and gradient in one compiled step.

        Args:
            image: (1, H, W, 3) float32 tensor.
            content, styles: as `losses` takes them, measured at this scale.

        Returns:
            (total as a float, raw terms as a dict of floats, gradient as a tensor like `image`).
        """
        own = content.style if content and (content.guides or self.settings.strength < 1) else []
        inputs = (
            image, content.content if content else [], own, [style.style for style in styles],
            content.guides or {} if content else {},
        )
        values, gradient = self.call(self._value_and_gradient, *inputs)
        raw = dict(zip(self.terms, map(float, values.numpy())))
        return self.total(raw), raw, gradient

    def _value_and_gradient(self, image, content, own, styles, guides):
        guides = guides or None
        content, styles = Measures(content, own, [], guides), [Measures([], style, []) for style in styles]
        with tf.GradientTape() as tape:
            tape.watch(image)
            raw = self.losses(image, self.look(self.whole_steps(image), guides), content, styles)
            # A term of weight 0 is reported, but its gradient is not even asked for: 0 x inf would spoil the rest.
            total = tf.add_n([weight * raw[name] for name, weight in self.terms.items() if weight])
        return tf.stack([raw[name] for name in self.terms]), tape.gradient(total, image)

    def total(self, raw):
        """The sum of the weighted terms."""
        return float(sum(weight * raw[name] for name, weight in self.terms.items() if weight))

    def report(self, image, content, styles, shares=None):
        """Losses of a finished picture as anyone can recompute them from the files.

        Args:
            image, content: (H, W, 3) float32 in [0, 1], of one shape; content may be None.
            styles: list of style pictures at their stated size.
            shares: (R, H, W), the regions of the styles; None is none.

        Returns:
            (raw terms by this run's settings, figures): the figures are content_loss, mean (F - P)^2 / mean P^2 at
            relu4_2; style_rel, mean over relu1_1 to relu5_1 of |G - A|^2 / |A|^2; style_loss, eq. 5 with w_l = 1/5;
            tv, mean |dx| + mean |dy|. All on pictures rounded to 8 bits. Of regions, style_rel and style_loss are means
            over those of the styles by what they cover.
        """
        image = _eight_bits(image)
        theirs = None if content is None else self.measure_content(_eight_bits(content), shares)
        guides = theirs.guides if theirs else None
        found = self.measure_image(tf.constant(image[None]), guides)
        painted = [self.measure(_eight_bits(style)) for style in styles]
        raw = self.losses(tf.constant(image[None]), found, theirs, painted)
        figures = {"tv": sum(float(np.abs(np.diff(image, axis=axis)).mean(dtype=np.float64)) for axis in (0, 1))}
        if theirs is not None:
            figures["content_loss"] = float(self.content_error(found.report[-1], theirs.report[-1], "relative"))
        for key, form in (("style_rel", "relative"), ("style_loss", "paper")) if painted else ():
            figures[key] = sum(
                weight * float(style_distance(mine, other, normalization=form))
                for weight, mine, other in self._compared(found, painted, guides)
            ) / len(REPORT_STYLE)
        return {name: float(value) for name, value in raw.items()}, figures

    def _compared(self, found, painted, guides):
        """(weight, Gram matrix, that of a style) of every style and layer of the report."""
        for number, style in enumerate(painted):
            for name, mine, other in zip(REPORT_STYLE, found.report[:-1], style.report[:-1]):
                if guides is None:
                    yield self.style_weights[number], mine, other
                    continue
                parts = covered(guides[name]).numpy()[:-1]
                yield float(parts[number] / max(parts.sum(), 1e-12)), mine[number], other


def _eight_bits(picture):
    return to_uint8(picture).astype(np.float32) / 255


def _free_size(tensor):
    """The spec of a tensor whose batch and channels are fixed and whose other sides are free."""
    if tensor.shape.rank < 2:
        return tf.TensorSpec(tensor.shape, tensor.dtype)
    return tf.TensorSpec([tensor.shape[0], *[None] * (tensor.shape.rank - 2), tensor.shape[-1]], tensor.dtype)
