"""The front door: pictures of any kind in, a PIL image out, by any engine."""

import dataclasses
import functools
import os

import numpy as np

from tfstyle import gatys, images
from tfstyle.checks import InputError, check_choice
from tfstyle.controls import Controls, check_model, check_one_style, stamp
from tfstyle.feedforward_stylizer import FeedForwardStylizer
import tfstyle.gatys.checkpoint as checkpoints
from tfstyle.gatys.settings import STARTS, GatysSettings
from tfstyle.stylizer import ArbitraryStylizer

METHODS = ("fast", "optimize")
_SETTINGS = {
    "fast": [field.name for field in dataclasses.fields(Controls)],
    "optimize": ["preset", "init", "callback", "checkpoint", *(f.name for f in dataclasses.fields(GatysSettings))],
}


def stylize(content, style=None, method="fast", size=512, *, weights=None, **settings):
    """Paints `content` in the style of `style`, or in the one that a model has learned.

    Args:
        content: a picture: path, bytes, PIL image, or array or tensor (H, W), (H, W, 1 | 3 | 4), uint8 in 0..255 or
            float in [0, 1]. For "optimize", None synthesizes a texture from the style alone.
        style: a picture, or a list of them. For "fast" also codes from `tfstyle.ArbitraryStylizer.style_code`; for
            "optimize", None reconstructs the content alone; and None where `model` is for one style.
        method: "fast": one pass through a network, Ghiasi et al. 2017. "optimize": Gatys et al. 2016, the best
            looking; under a minute on two processor cores at 512 px.
        size: long side of the result in pixels; None keeps the content's own.
        weights: one number for each style, scaled to sum 1; None weighs them alike.
        **settings: for "fast":
            strength: of the style, 0 (the photo itself) to 1 (the default).
            style_size: long side in px at which the style is looked at, and so the size of the strokes; None (the
                default) takes the result's.
            model, precision: as `tfstyle.ArbitraryStylizer` takes them, or, for a model of one style, which has no
                use for the others, `tfstyle.FeedForwardStylizer`; keep one of those for many pictures.
            For "optimize":
            preset: recipe to start from: "default", "gatys2016", "tf-tutorial", "matconvnet-1000".
            init: start from "content", "style", "noise", any picture, or the path of a checkpoint (.npz).
            callback: called with a `tfstyle.Record` after every step and at the end; return True to stop early.
            checkpoint: path of a .npz file from which a killed run resumes exactly.
            Any field of `tfstyle.GatysSettings`, such as style_weight=10 or steps=(60, 40).

    Returns:
        PIL image of the content's shape at `size`: RGB, or RGBA if the content has alpha.

    Raises:
        InputError: a picture or setting that does not work, in one sentence.
        NonFiniteError: the optimisation diverged.
    """
    check_choice("method", method, METHODS)
    _check_settings(method, settings)
    if method == "optimize":
        result, alpha = optimize_pictures(content, style, size=size, weights=weights, **settings)
        return images.to_pil(result.image, alpha)
    model, precision = (settings.pop(name, getattr(Controls, name)) for name in ("model", "precision"))
    kind = check_model(model)
    controls = Controls(size=size, precision=precision, **settings)
    if kind == "style":
        check_one_style(model, style, weights, controls)
        if content is None:
            raise InputError("There is no content picture; give one.")
        return _stylizer(FeedForwardStylizer, model, precision, stamp(model)).stylize(content, size=size)
    if content is None or style is None:
        raise InputError("There is no content or no style picture; give both, or use method='optimize'.")
    stylizer = _stylizer(ArbitraryStylizer, model, precision, stamp(model))
    return stylizer.stylize(content, style, weights=weights, size=size, **settings)


@functools.lru_cache(maxsize=2)
def _stylizer(engine, model, precision, stamp):
    """The stylizer, kept for the next call."""
    return engine(model, precision=precision)


def _check_settings(method, settings):
    """Raises `InputError` for a setting of another method, and for one of none."""
    for name in settings:
        if name in _SETTINGS[method]:
            continue
        for other in METHODS:
            if name in _SETTINGS[other]:
                raise InputError(
                    f"{name} is a setting of method={other!r}, not of {method!r}; give that or leave it out."
                )
        check_choice("setting", name, _SETTINGS[method])


def optimize_pictures(content, style, *, size=512, weights=None, preset="default", init=None, callback=None,
                      checkpoint=None, **settings):
    """`stylize` by optimisation, for callers who want more than the picture.

    Returns:
        (`tfstyle.gatys.Result`, the content's alpha (H, W) float32 at the result's size or None).
    """
    settings |= {"size": size}
    if content is None:
        settings.setdefault("content_weight", 0.0)
    if style is None:
        settings.setdefault("style_weight", 0.0)
    if content is None or style is None:
        settings["init"] = "noise"  # unless another start is given: the photo itself would have nowhere to go
    start = None
    if init is not None:
        is_name = isinstance(init, (str, os.PathLike))
        settings["init"] = str(init) if is_name else "picture"
        start = init if not is_name or str(init) not in STARTS else None
    recipe = gatys.preset(preset, **settings)
    photo = None if content is None else images.read(content, name="content picture", size=recipe.size)
    first = style if isinstance(style, (list, tuple)) else [] if style is None else [style]
    long_side = recipe.size or (max(photo.rgb.shape[:2]) if photo else None)
    style_size = None if long_side is None else max(images.LEAST_SIDE, round(long_side * recipe.style_scale))
    styles = [images.read(one, name="style picture", size=style_size).rgb for one in first]
    result = gatys.optimize(
        None if photo is None else photo.rgb, styles, recipe, style_weights=weights,
        start=None if start is None else _start_picture(start), callback=callback, checkpoint=checkpoint,
    )
    return result, None if photo is None else photo.alpha


def _start_picture(source):
    """A picture to start from: any picture, or the one that a checkpoint holds."""
    if isinstance(source, (str, os.PathLike)):
        if str(source).lower().endswith(".npz"):
            return np.asarray(checkpoints.read(source)[2][0])
        if not os.path.exists(source):
            raise InputError(
                f"init={str(source)!r} is neither {', '.join(STARTS)} nor the path of a picture or checkpoint."
            )
    return images.read(source, name="start picture").rgb
