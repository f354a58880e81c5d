"""What paints the frames of a video: one function for each method. Imports TensorFlow."""

import contextlib
import dataclasses

import numpy as np

from tfstyle import gatys, images
from tfstyle.controls import check_model
from tfstyle.feedforward_stylizer import FeedForwardStylizer
from tfstyle.images.frames import frames_of
from tfstyle.look import painted, settled, style_given
from tfstyle.stylizer import ArbitraryStylizer

__all__ = ["painter"]

_CUT = 0.1  # share of a frame that the flow can be trusted in, below which it begins a scene
_LEAST = 32  # px a side of what the optimizer is to see at half the sides


def painter(plan):
    """The function that paints the frames of a plan.

    Args:
        plan: `tfstyle.movie.plan.Plan`.

    Returns:
        paint(photo (H, W, 3) float32 in [0, 1], brought, trusted) -> (H, W, 3) float32 in [0, 1]. `brought` is the
        result before, brought along the flow, and `trusted` (H, W) how far; None for the first frame. Styles are
        looked at once, and where they are to be recolored before, in the colors of the first frame.
    """
    look = settled(plan.settings, list(plan.styles))
    with contextlib.closing(frames_of(plan.clip.path, plan.shape)) as frames:
        first = np.float32(next(frames).rgb) / 255
    styles = [style_given(one, first, look) if one.ndim == 3 else one for one in plan.styles]
    engine = (_one_pass if look.method == "fast" else _optimizer)(plan, styles)

    def paint(photo, brought=None, trusted=None):
        def layers(given):
            if brought is None:
                return [engine(given, None, None)]
            shape = given.shape[:2]
            known = images.resize(brought.clip(0, 1), shape), images.resize(trusted, shape)[..., None]
            return [engine(given, *known)]

        return painted(photo, look, None, layers)

    return paint


def _one_pass(plan, styles):
    settings = plan.settings
    kind = check_model(settings.model)
    if kind == "style":
        stylizer = FeedForwardStylizer(settings.model, precision=settings.precision)
        return lambda photo, *_: stylizer.stylize_batch(photo[None])[0]
    stylizer = ArbitraryStylizer(settings.model, precision=settings.precision)
    if kind != "ours":  # of another make: pictures in, pictures out
        look = {"style_size": settings.style_size, "style_scale": settings.style_scale}
        return lambda photo, *_: np.float32(stylizer.stylize(photo, styles[0], size=None, **look)) / 255
    codes = [one if one.ndim == 1 else stylizer.style_code(one, max(one.shape[:2])) for one in styles]
    code = stylizer.mix(codes, plan.weights)[None]
    return lambda photo, *_: stylizer.stylize_batch(photo[None], code, settings.strength)[0]


def _optimizer(plan, styles):
    """Gatys' method; from the second frame on, at one scale, from the frame before as far as the flow tells it.

    What has come into view starts from a picture painted at half the sides, in a quarter of the time: from the photo
    itself it would stay one in so few steps.

    Source: Ruder, Dosovitskiy and Brox, "Artistic Style Transfer for Videos", GCPR 2016 (arXiv:1604.08610), section
    4.1. Differs: the picture at half the sides, and the result blended with the frame before for a temporal loss.
    """
    recipe = plan.recipe
    coarse = dataclasses.replace(recipe, scales=1, steps=recipe.steps[:1])
    later = dataclasses.replace(recipe, scales=1, steps=(plan.settings.later_steps,))

    def optimized(photo, settings, start=None):
        result = gatys.optimize(photo, styles, settings, style_weights=plan.weights, start=start, report=False)
        if result.interrupted:  # it has swallowed the Ctrl-C to return what it has, which is of no use here
            raise KeyboardInterrupt
        return result.image

    def paint(photo, brought, trusted):
        if brought is None or trusted.mean() < _CUT:
            return optimized(photo, recipe)
        new = photo
        if trusted.min() < 1 and min(side for one in (photo, *styles) for side in one.shape[:2]) >= 2 * _LEAST:
            small = images.resize(photo, tuple(side // 2 for side in photo.shape[:2]))
            rough = optimized(small, coarse)
            new = photo + images.resize(rough, photo.shape[:2]) - images.resize(small, photo.shape[:2])
        return optimized(photo, later, (new + trusted * (brought - new)).clip(0, 1))

    return paint
