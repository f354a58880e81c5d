"""The optimizer as a graph: Gatys' method from two pictures to a third, its loop and gradient included.

The same losses, pyramid and L-BFGS as `tfstyle.gatys.optimize` with its defaults, in float32 and from the photo.
"""

import dataclasses
import functools

import tensorflow as tf

from tfstyle.export import controls, graph, lbfgs
from tfstyle.export.stored import StoredVGG
from tfstyle.gatys.objective import Measures, Objective
from tfstyle.gatys.pyramid import COARSEST
from tfstyle.gatys.settings import GatysSettings
from tfstyle.gatys.targets import mixed
from tfstyle.images import LEAST_SIDE
from tfstyle.losses import style_distance

__all__ = ["BOUNDS", "MOST_STEPS", "MOST_WORK", "GatysModule"]

BOUNDS = graph.Bounds(pixels=1024 * 1024, pictures=4)
MOST_STEPS = 500
# Pixels times evaluations at the finest scale times pictures: about ten minutes on two cores.
MOST_WORK = 2**27
_KINDS = ("content", "style", "tv")
_PICTURE = tf.TensorSpec((None, None, 3))


class GatysModule(tf.Module):
    """What `tfstyle.stylize(..., method="optimize", precision="float32")` computes, as graphs.

    Args:
        bounds: of one request.
        most_steps: evaluations at each scale that a request may ask for.
    """

    def __init__(self, bounds=BOUNDS, most_steps=MOST_STEPS):
        super().__init__(name="gatys")
        self._bounds, self._most_steps = bounds, most_steps
        self.bounds = {"most_pixels": bounds.pixels, "most_pictures": bounds.pictures, "most_steps": most_steps,
                       "most_work": MOST_WORK, "most_styles": controls.MOST_STYLES}
        self._defaults = GatysSettings()
        # Weights of a request multiply the terms of these settings.
        self._settings = dataclasses.replace(self._defaults, **{f"{kind}_weight": 1.0 for kind in _KINDS})
        self.vgg = StoredVGG(Objective(self._settings, (1.0,)).features)

    @tf.function(input_signature=[tf.TensorSpec(graph.PICTURES, name="content_image"),
                                  tf.TensorSpec(graph.PICTURES, name="style_image")], autograph=False)
    def __call__(self, content_image, style_image):
        """Pictures (N, H, W, 3) and (N, h, w, 3) float32 in [0, 1] -> [painted (N, H, W, 3)], at the defaults."""
        content, style = graph.picture_pairs(content_image, style_image, self._bounds)
        count = tf.shape(content)[:1]
        weights = (tf.fill(count, getattr(self._defaults, f"{kind}_weight")) for kind in _KINDS)
        return [self._optimized((content, style, tf.zeros(count, tf.int32), *weights))]

    def signatures(self):
        """{name: tf.function} of all signatures, to be given to `tf.saved_model.save`."""
        content, style = (tf.TensorSpec(graph.PICTURES, name=f"{name}_image") for name in ("content", "style"))
        content_file, style_file = (tf.TensorSpec((None,), tf.string, f"{name}_bytes") for name in ("content", "style"))
        steps = tf.TensorSpec((None,), tf.int32, "steps")
        weights = [tf.TensorSpec((None,), name=f"{kind}_weight") for kind in _KINDS]
        several, shares = tf.TensorSpec((None,) * 5, name="style_image"), tf.TensorSpec((None, None), name="weights")
        strength, color = tf.TensorSpec((None,), name="strength"), tf.TensorSpec((None,), tf.string, "color")

        @tf.function(input_signature=[content, style], autograph=False)
        def serving_default(content_image, style_image):
            return {"stylized_image": self(content_image, style_image)[0]}

        @tf.function(input_signature=[content, style, steps, *weights], autograph=False)
        def optimize(content_image, style_image, steps, content_weight, style_weight, tv_weight):
            settings = self._checked(steps, content_weight, style_weight, tv_weight)
            requests = graph.picture_pairs(content_image, style_image, self._bounds, *settings)
            return {"stylized_image": self._optimized(requests)}

        @tf.function(input_signature=[content, several, shares, steps, *weights, strength, color], autograph=False)
        def optimize_look(content_image, style_image, weights, steps, content_weight, style_weight, tv_weight, strength,
                          color):
            settings = self._checked(steps, content_weight, style_weight, tv_weight)
            strength, color = controls.checked_strength(strength), controls.checked_colors(color)
            content = graph.pictures(content_image, "content_image", self._bounds)
            styles = controls.checked_styles(style_image, self._bounds)
            weights = controls.checked_weights(weights, tf.shape(styles)[1])
            requests = graph.same_count(
                ("content_image", content), ("style_image", styles), ("weights", weights), *settings,
                ("strength", strength), ("color", color),
            )
            count = tf.shape(content)[0]
            return {"stylized_image": graph.one_by_one(lambda one: self._looked(*one, count), requests, _PICTURE)}

        @tf.function(input_signature=[content_file, style_file, steps, *weights], autograph=False)
        def optimize_bytes(content_bytes, style_bytes, steps, content_weight, style_weight, tv_weight):
            settings = self._checked(steps, content_weight, style_weight, tv_weight)
            requests = graph.requests(
                self._bounds, ("content_bytes", content_bytes), ("style_bytes", style_bytes), *settings
            )
            count = tf.size(content_bytes)
            return {"stylized_bytes": graph.one_by_one(
                lambda one: self._painted_file(one, count), requests, tf.TensorSpec((), tf.string)
            )}

        found = (serving_default, optimize, optimize_look, optimize_bytes)
        return {function.__name__: function for function in found}

    def _checked(self, steps, *weights):
        """[(name, tensor)] of a request's settings, refused where they are out of range."""
        most = self._most_steps
        checks = graph.refuse_unless(
            tf.reduce_all((steps >= 0) & (steps <= most)),
            f"steps must be from 1 to {most}, or 0 for the defaults; received {{}}.", steps,
        )
        for kind, values in zip(_KINDS, weights, strict=True):
            checks += graph.refuse_unless(
                tf.reduce_all((values >= 0) & (values <= 1e6)),
                f"{kind}_weight must be from 0 to 1000000; received {{}}.", values,
            )
        with tf.control_dependencies(checks):
            named = zip(("steps", *(f"{kind}_weight" for kind in _KINDS)), (steps, *weights), strict=True)
            return [(name, tf.identity(values)) for name, values in named]

    def _optimized(self, requests):
        count = tf.shape(requests[0])[0]
        return graph.one_by_one(lambda one: self._painted(*one, count), requests, _PICTURE)

    def _painted_file(self, request, count):
        content, style, *settings = request
        content, is_png = graph.decoded(content, "content_bytes", self._bounds)
        style, _ = graph.decoded(style, "style_bytes", self._bounds.of_style)
        return graph.encoded(self._painted(content, style, *settings, count), is_png)

    def _painted(self, content, style, steps, content_weight, style_weight, tv_weight, count):
        """One picture (H, W, 3) in one style (h, w, 3), seen at the content's long side."""
        style = graph.scaled_to(style[None], tf.reduce_max(tf.shape(content)), self._bounds)
        settings = steps, content_weight, style_weight, tv_weight
        return self._mixed(content, style, tf.constant([1.0]), tf.constant(1.0), *settings, count)

    def _looked(self, content, styles, weights, steps, content_weight, style_weight, tv_weight, strength, color, count):
        """One picture in the mean of several styles (S, h, w, 3), seen at their own size, as its look is asked for."""
        def paint():
            settings = steps, content_weight, style_weight, strength * tv_weight
            painted = self._mixed(content, styles, weights, strength, *settings, count)
            return controls.finished(painted, content, color, tf.ones_like(content[None, ..., 0]))

        return tf.cond(strength > 0, paint, lambda: content)

    def _mixed(self, content, styles, style_weights, strength, steps, content_weight, style_weight, tv_weight, count):
        """One picture (H, W, 3) by coarse-to-fine optimization, as `tfstyle.gatys.loop` does it.

        Args:
            content, styles: (H, W, 3) and (S, h, w, 3) float32 in [0, 1].
            style_weights: (S,) float32 that sum to 1.
            strength: float32, of the styles' statistics over the content's own.
            steps: int32, evaluations at each scale; 0 takes those of the default settings, coarse to fine.
            content_weight, style_weight, tv_weight: float32.
            count: int32, pictures in the request.
        """
        height, width = tf.unstack(tf.shape(content)[:2])
        scales, defaults = _scale_count(height, width), tf.constant(self._defaults.steps)
        steps = tf.where(steps > 0, steps, defaults)
        finest = steps[tf.minimum(scales, tf.size(steps)) - 1]
        work = tf.reduce_prod(tf.cast(tf.stack([height, width, finest, count]), tf.int64))
        with tf.control_dependencies([
            *graph.refuse_unless(work <= MOST_WORK, (
                f"Pixels times steps times pictures must be up to {MOST_WORK}; received {{}} x {{}} x {{}} x {{}}."
            ), width, height, finest, count),
            *graph.refuse_unless(
                content_weight + style_weight > 0, "content_weight and style_weight are both 0; raise one."
            ),
        ]):
            weights = tf.stack([content_weight, style_weight, tv_weight])
        content = content[None]
        long_side = tf.maximum(height, width)
        objective = _Mixture(self._settings, style_weights, features=functools.partial(self.vgg, self.vgg.widened()))

        def at_scale(index, before):
            halvings = tf.cast(scales - 1 - index, tf.float64)
            fine = graph.fitted(height, width, tf.round(tf.cast(long_side, tf.float64) / 2.0**halvings), least=1)
            photo = graph.resized(content, *fine)
            start = tf.cond(tf.equal(index, 0), lambda: photo, lambda: _enlarged(before, photo, weights[0]))
            factor = tf.cast(tf.reduce_max(fine), tf.float64) / tf.cast(long_side, tf.float64)
            targets = objective.targets(photo, styles, strength, factor)
            count = steps[tf.minimum(index, tf.size(steps) - 1)]
            return index + 1, _optimized(objective, start, *targets, count, weights, self._settings.history)

        shape = tf.TensorShape((1, None, None, 3))
        _, painted = tf.while_loop(
            lambda index, _: index < scales, at_scale, (tf.constant(0), content), (tf.TensorShape(()), shape),
            parallel_iterations=1,
        )
        return tf.ensure_shape(tf.clip_by_value(painted[0], 0.0, 1.0), (None, None, 3))


class _Mixture(Objective):
    """The losses where it is not known before a request how many styles there are: their statistics are stacked."""

    def targets(self, photo, styles, strength, factor):
        """`Measures` of the photo (1, H, W, 3), and those of styles (S, h, w, 3) resized by a factor with it.

        At a strength below 1 the styles' are mixed with the photo's own, as `tfstyle.gatys.targets` does it.
        """
        own = self.look(self.whole_steps(photo))

        def look(style):
            return [statistic[0] for statistic in self.look(_shrunk(style[None], factor)).style]

        specs = [tf.TensorSpec(statistic.shape[1:]) for statistic in own.style]
        found = tf.map_fn(look, styles, parallel_iterations=1, fn_output_signature=specs)
        return own, Measures([], mixed(found, own.style, strength), [])

    def style_losses(self, found, content, styles):
        """The mean over the styles by their weights."""
        raw = {}
        for index, name in enumerate(self.style_layers):
            def distance(target, found=found.style[index]):
                return style_distance(
                    found, target[None], self.settings.style_statistic, self.settings.style_normalization
                )

            distances = tf.vectorized_map(distance, styles.style[index])
            raw[f"style/{name}"] = tf.reduce_sum(self.style_weights * distances)
        return raw


def _optimized(objective, start, content, styles, steps, weights, history):
    """The picture of least loss among so many evaluations from `start` (1, H, W, 3) on."""

    def value_and_gradient(image):
        with tf.GradientTape() as tape:
            tape.watch(image)
            raw = objective.losses(image, objective.look(objective.whole_steps(image)), content, styles)
            shares = {kind: 0.0 for kind in _KINDS}
            for name, share in objective.terms.items():
                shares[name.partition("/")[0]] += share * raw[name]
            total = tf.reduce_sum(weights * tf.stack(list(shares.values())))
        return total, tape.gradient(total, image)

    def one(step, image, best, least, state):
        total, gradient = value_and_gradient(image)
        with tf.control_dependencies(graph.refuse_unless(
            tf.math.is_finite(total) & tf.math.is_finite(tf.reduce_sum(gradient)),
            "The loss became infinite or not a number at step {}; use smaller weights.", step + 1,
        )):
            better = total < least
        best = tf.cond(better, lambda: image, lambda: best)
        image, state = tf.cond(
            step + 1 < steps, lambda: lbfgs.step(image, total, gradient, state), lambda: (image, state)
        )
        return step + 1, image, best, tf.where(better, total, least), state

    picture, rows = tf.TensorShape((1, None, None, 3)), tf.TensorShape((history, None))
    number = tf.TensorShape(())
    state = lbfgs.State(rows, rows, number, picture, picture, number)
    _, _, best, _, _ = tf.while_loop(
        lambda step, *_: step < steps, one,
        (tf.constant(0), start, start, tf.constant(float("inf")), lbfgs.start(start, history)),
        (number, picture, picture, number, state), parallel_iterations=1,
    )
    return best


def _scale_count(height, width):
    """How many sizes of picture, each half of the next: `tfstyle.gatys.pyramid.plan`."""
    long_side = tf.cast(tf.maximum(height, width), tf.float64)

    def one_more(count):
        halved = long_side / 2.0 ** tf.cast(count, tf.float64)
        return (halved >= COARSEST) & (tf.reduce_min(graph.fitted(height, width, tf.round(halved), 1)) >= LEAST_SIDE)

    return tf.while_loop(one_more, lambda count: (count + 1,), (tf.constant(1),))[0]


def _enlarged(coarse, photo, content_weight):
    """The picture at the photo's shape, with the photo's detail that the coarser scale could not hold."""
    fine, small = (tf.unstack(tf.shape(picture)[1:3]) for picture in (photo, coarse))
    picture = graph.resized(coarse, *fine)
    detail = photo - graph.resized(graph.resized(photo, *small), *fine)
    return tf.clip_by_value(picture + tf.where(content_weight > 0, detail, 0.0), 0.0, 1.0)


def _shrunk(picture, factor):
    """(N, h, w, 3) resized by `factor`, never under 16 px: `tfstyle.gatys.pyramid.scaled`."""
    sides = tf.cast(tf.shape(picture)[1:3], tf.float64)
    height, width = tf.unstack(tf.maximum(tf.cast(tf.round(sides * factor), tf.int32), LEAST_SIDE))
    return graph.resized(picture, height, width)
