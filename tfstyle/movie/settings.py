"""What can be asked of a painted video: its settings, written once.

Nothing here imports TensorFlow: the command line checks with it before anything heavy is loaded.
"""

import dataclasses

from tfstyle.checks import InputError, check_choice
from tfstyle.controls import Controls
from tfstyle.gatys.settings import GatysSettings
from tfstyle.images.containers import CODECS
from tfstyle.settings import setting

__all__ = ["METHODS", "MovieSettings", "recipe_fields", "split_settings"]

METHODS = ("fast", "optimize")
_NOT_OURS = ("init", "noise")  # a frame starts from the one before


@dataclasses.dataclass(frozen=True)
class MovieSettings(Controls):
    """How `tfstyle.stylize_video` works. Each field carries its unit, range and source in `metadata["text"]`.

    Raises:
        InputError: a value outside its range or not among its choices.
    """

    size: int | None = setting(
        None, "long side of the frames in pixels; none keeps the video's own; odd sides get one more", group="picture",
        low=16,
    )
    tiled: str = setting(
        "auto", "go through large frames strip by strip, slower and in less memory, to the same picture, with method "
        "optimize; auto: where the whole would not fit; method fast takes every frame whole", group="run",
        choices=("auto", "yes", "no"),
    )
    method: str = setting(
        "fast", "fast: one pass a frame; optimize: Gatys' method, each frame starting from the one before",
        group="video", choices=METHODS,
    )
    stability: float = setting(
        0.8, "share of the frame before, brought along the optical flow, wherever that is trusted; 0: frame by frame",
        group="video", low=0.0, high=1.0,
    )
    later_steps: int = setting(
        20, "evaluations of method optimize for each frame but the first, and those after cuts", group="video", low=1,
        high=1_000_000,
    )
    report: bool = setting(
        False, "measure the flicker of the result, and of the frames painted one by one (Lai et al. 2018)",
        group="video",
    )
    codec: str = setting("auto", "auto: h264, in .webm vp9", group="video", choices=CODECS)
    crf: int | None = setting(
        None, "constant rate factor of the encoder: lower is better and larger; none: 18 of h264, 24 of vp9",
        group="video", low=0, high=51,
    )


def recipe_fields():
    """The fields of `GatysSettings` that a video has no settings of its own for, and that say nothing of the start."""
    ours = {field.name for field in dataclasses.fields(MovieSettings)}
    return [field for field in dataclasses.fields(GatysSettings) if field.name not in ours.union(_NOT_OURS)]


def split_settings(settings):
    """(`MovieSettings`, `GatysSettings` or None) of keyword arguments.

    Args:
        settings: fields of `MovieSettings`, and with method="optimize" of `GatysSettings`, but for where to start.

    Raises:
        InputError: an unknown one, naming the nearest, one of the other method, or a value that does not work.
    """
    ours = tuple(field.name for field in dataclasses.fields(MovieSettings))
    theirs = tuple(field.name for field in recipe_fields())
    for name in settings:
        check_choice("setting", name, ours + theirs)
    movie = MovieSettings(**{name: value for name, value in settings.items() if name in ours})
    only = [name for name in settings if name in theirs]
    if movie.method == "fast" and "later_steps" in settings:
        only.append("later_steps")
    if movie.method == "fast" and only:
        raise _of_another_method(only[0], "optimize", "fast")
    if movie.method == "fast" and movie.tiled == "yes":
        raise InputError("tiled yes needs the method optimize, as fast takes every frame whole; leave tiled out.")
    if movie.method == "fast":
        return movie, None
    if movie.model != Controls.model:
        raise _of_another_method("model", "fast", "optimize")
    shared = {name: getattr(movie, name) for name in ("strength", "style_scale", "style_size", "tiled", "precision")}
    return movie, GatysSettings(**shared, **{name: settings[name] for name in only}, size=None)


def _of_another_method(name, theirs, ours):
    return InputError(
        f"{name} is a setting of the method {theirs}, not of {ours}; use that method or leave {name} out."
    )
