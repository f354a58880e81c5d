"""The front door: pictures of any kind in, a PIL image out, by any engine."""

import dataclasses
import functools
import os

import numpy as np

from tfstyle import gatys, images, previews
from tfstyle.checks import InputError, check_callback, check_choice
from tfstyle.controls import Controls, check_model, check_one_style, check_styles, stamp
from tfstyle.feedforward_stylizer import FeedForwardStylizer
import tfstyle.gatys.checkpoint as checkpoints
from tfstyle.gatys.pyramid import plan
from tfstyle.gatys.settings import STARTS, GatysSettings
from tfstyle.gatys.texture import mixed_style
from tfstyle.images.masks import read_masks, shrunk
from tfstyle.look import color_weights, finished, painted_size, photo_given, seen_size, settled, style_given
from tfstyle.stylizer import ArbitraryStylizer

METHODS = ("fast", "optimize")
_SETTINGS = {
    "fast": [field.name for field in dataclasses.fields(Controls)],
    "optimize": [
        "preset", "init", "callback", "progress", "checkpoint", *(f.name for f in dataclasses.fields(GatysSettings)),
    ],
}


def stylize(content, style=None, method="fast", size=512, *, weights=None, masks=None, texture=None, **settings):
    """Paints `content` in the style of `style`, or in the one that a model has learned.

    Args:
        content: a picture: path, bytes, PIL image, or array or tensor (H, W), (H, W, 1 | 3 | 4), uint8 in 0..255 or
            float in [0, 1]. For "optimize", None synthesizes a texture from the style alone.
        style: a picture, or a list of them. For "fast" also codes from `tfstyle.ArbitraryStylizer.style_code`; for
            "optimize", None reconstructs the content alone; and None where `model` is for one style.
        method: "fast": one pass through a network, Ghiasi et al. 2017. "optimize": Gatys et al. 2016, the best
            looking; under a minute on two processor cores at 512 px.
        size: long side of the result in pixels; None keeps the content's own.
        weights: one number for each style, scaled to sum 1, by which they are mixed; None weighs them alike.
        masks: one picture for each style, white where it goes, or one fewer: the last style takes what they leave. Soft
            edges, and any size in the photo's ratio, will do. Where no mask lies, the photo stays.
        texture: a picture whose fine texture takes the place of the styles' own, whose colors and larger strokes remain
            (Gatys et al. 2017, section 6).
        **settings: for both methods, the fields of `tfstyle.look.Look`:
            strength: of the style, 0 (the photo itself) to 1 (the default).
            style_scale, style_size: long side at which the style is looked at, and so the size of the strokes, as a
                multiple of the result's or in px; by default the result's.
            color: "style" (the painting's, the default), or the photo's by "luminance", "match" or "histogram".
            color_when: "before" or "after" painting; "auto" (the default) is before where there are style pictures.
            photoreal: True moves light and palette alone.
            tiled: "auto", "yes" or "no": whether large pictures go through strip by strip.
            For "fast":
            model, precision: as `tfstyle.ArbitraryStylizer` takes them, or, for a model of one style, which has no
                use for what is about styles, `tfstyle.FeedForwardStylizer`; keep one of those for many pictures.
            For "optimize":
            preset: recipe to start from: "default", "gatys2016", "tf-tutorial", "matconvnet-1000".
            init: start from "content", "style", "noise", any picture, or the path of a checkpoint (.npz).
            callback: called with a `tfstyle.Record` after every step and at the end; return True to stop early. While
                a texture is mixed, steps are 0, and a stop raises KeyboardInterrupt.
            progress: True shows a bar with the losses and the time left, in notebooks the picture so far as well, and
                clears all that away at the end; False does not; None (the default) does in notebooks, where the stop
                button then raises KeyboardInterrupt.
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
    check_styles(weights, masks)
    asked = {"weights": weights, "masks": masks, "texture": texture, "size": size}
    if method == "optimize":
        shown = {name: settings.pop(name, None) for name in ("callback", "progress")}
        _check_run(shown["callback"], settings.get("checkpoint"))
        with previews.watched(**shown) as (callback, planned):
            result, alpha = optimize_pictures(content, style, **asked, callback=callback, planned=planned, **settings)
        return images.to_pil(result.image, alpha)
    model, precision = (settings.pop(name, getattr(Controls, name)) for name in ("model", "precision"))
    kind = check_model(model)
    controls = Controls(size=size, precision=precision, **settings)
    if kind == "style":
        check_one_style(model, style, weights, controls, texture)
        if content is None:
            raise InputError("There is no content picture; give one.")
        stylizer = _stylizer(FeedForwardStylizer, model, precision, stamp(model))
        return stylizer.stylize(content, masks=masks, size=size, **settings)
    if content is None or style is None:
        raise InputError("There is no content or no style picture; give both, or use the method optimize.")
    return _stylizer(ArbitraryStylizer, model, precision, stamp(model)).stylize(content, style, **asked, **settings)


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
                    f"{name} is a setting of the method {other}, not of {method}; use that method or leave {name} out."
                )
        check_choice("setting", name, _SETTINGS[method])


def _check_run(callback, checkpoint):
    """Raises `InputError` for what a run would stumble over in its midst."""
    check_callback(callback)
    if checkpoint is not None and not isinstance(checkpoint, (str, os.PathLike)):
        kind = type(checkpoint).__name__
        raise InputError(f"checkpoint must be a path (str or pathlib.Path); received {kind}.")


def optimize_pictures(content, style, *, size=512, weights=None, masks=None, texture=None, preset="default", init=None,
                      callback=None, planned=None, checkpoint=None, **settings):
    """`stylize` by optimisation, for callers who want more than the picture.

    Args:
        content, style, size, weights, masks, texture, preset, init, callback, checkpoint, **settings: as `stylize`
            takes them.
        planned: called before the first step with the scales, as `tfstyle.gatys.pyramid.plan` returns them.

    Returns:
        (`tfstyle.gatys.Result`, the content's alpha (H, W) float32 at the result's size or None). Pictures of the
        result and of its records are as they are shown; figures are those of the optimization, before its colors
        are changed and where it works smaller than it shows (photoreal).
    """
    _check_run(callback, checkpoint)
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
    recipe = settled(gatys.preset(preset, **settings), [style])
    first = style if isinstance(style, (list, tuple)) else [] if style is None else [style]
    check_styles(weights, masks)
    if content is None:
        return _synthesized(first, weights, masks, texture, recipe, start, callback, planned, checkpoint), None
    photo = images.read(content, name="content picture", size=recipe.size)
    shape = photo.rgb.shape[:2]
    shares = None if masks is None else read_masks(masks, shape, len(first))
    side = painted_size(recipe, max(shape))
    working = images.fit(photo.rgb, side)
    pictures, made_of = _style_pictures(first, texture, recipe, side, callback)
    weights_of_colors = color_weights(len(first), shares, photo.alpha)
    styles = [
        style_given(one, photo.rgb, recipe, region)
        for one, region in zip(pictures, weights_of_colors, strict=True)
    ]

    def shown(image):
        """As it is to be seen, at whatever size it is."""
        if not recipe.strength:  # then all that there is to be seen is the end
            return photo.rgb
        if image.shape == working.shape:
            return finished(image, photo.rgb, recipe, shares, photo.alpha)
        at = image.shape[:2]
        small = None if shares is None else shrunk(shares, at)
        alpha = None if photo.alpha is None else images.resize(photo.alpha, at)
        return finished(image, images.resize(photo.rgb, at), recipe, small, alpha)

    def told(record):
        return dataclasses.replace(record, image=lambda: shown(record.image()))

    if planned is not None:
        planned(plan(*working.shape[:2], recipe))
    result = gatys.optimize(
        photo_given(working, recipe), styles, dataclasses.replace(recipe, size=side), style_weights=weights,
        masks=None if shares is None else shrunk(shares, working.shape[:2]),
        start=None if start is None else _start_picture(start),
        callback=None if callback is None else lambda record: callback(told(record)), checkpoint=checkpoint,
        made_of=made_of,
    )
    return dataclasses.replace(result, image=shown(result.image), final=told(result.final)), photo.alpha


def _synthesized(style, weights, masks, texture, recipe, start, callback, planned, checkpoint):
    """The `Result` of a run without a photo: a texture of the styles."""
    needing = {"masks": masks is not None, "color": recipe.color != "style", "photoreal": recipe.photoreal}
    for name, given in needing.items():
        if given:
            raise InputError(f"There is no content picture, which {name} goes with; give one, or leave {name} out.")
    pictures, made_of = _style_pictures(style, texture, recipe, recipe.size, callback)
    if planned is not None and pictures:
        shape = pictures[0].shape[:2]
        planned(plan(*images.fitted_shape(*shape, recipe.size or max(shape)), recipe))
    return gatys.optimize(
        None, pictures, recipe, style_weights=weights, start=None if start is None else _start_picture(start),
        callback=callback, checkpoint=checkpoint, made_of=made_of,
    )


def _style_pictures(styles, texture, recipe, side, callback):
    """Style pictures as the optimizer looks at them, for a result of that long side; None keeps their own.

    Returns:
        (list of (h, w, 3), what they have been made of as `tfstyle.gatys.optimize` takes it).
    """
    size = None if side is None else seen_size(recipe, side)
    pictures = [images.read(one, name="style picture", size=size).rgb for one in styles]
    if texture is None:
        return pictures, None
    if not pictures:
        raise InputError("There is no style picture to give the texture to; give one, or leave texture out.")
    fine = images.read(texture, name="texture picture", size=size).rgb
    if not recipe.strength:  # the photo itself is all that comes of them
        return pictures, None
    made_of = {f"style picture {i + 1}": picture for i, picture in enumerate(pictures)} | {"texture picture": fine}
    return [mixed_style(picture, fine, recipe, callback) for picture in pictures], made_of


def _start_picture(source):
    """A picture to start from: any picture, or the one that a checkpoint holds."""
    if isinstance(source, (str, os.PathLike)):
        if str(source).lower().endswith(".npz"):
            return np.asarray(checkpoints.read(source)[2][0])
        if not os.path.exists(source):
            raise InputError(
                f"The init {str(source)!r} is neither {', '.join(STARTS)} nor the path of a picture or checkpoint."
            )
    return images.read(source, name="start picture").rgb
