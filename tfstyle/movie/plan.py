"""What a call for a video comes to, checked, and by what its work is known again after a kill.

Nothing here imports TensorFlow.
"""

import dataclasses
import hashlib
import importlib.metadata
import os

import numpy as np

from tfstyle import images
from tfstyle.checks import InputError, check_weights
from tfstyle.controls import check_model, check_one_style, read_style, stamp
from tfstyle.gatys.settings import GatysSettings
from tfstyle.images.containers import check_container, codec_for
from tfstyle.images.flow import check_opencv
from tfstyle.images.frames import Clip, check_av, clip_of
from tfstyle.images.geometry import check_shape
from tfstyle.look import is_code, painted_size, settled
from tfstyle.movie.settings import MovieSettings, split_settings
from tfstyle.version import __version__

__all__ = ["PIECE", "Plan", "identity", "planned"]

# Frames in a piece. A kill costs one piece of work; a keyframe begins each.
PIECE = {"fast": 48, "optimize": 8}
_SAMPLE = 2**20  # bytes at either end by which a video is known again


@dataclasses.dataclass(frozen=True)
class Plan:
    """A call that has passed every check that can be made without TensorFlow.

    Attributes:
        clip: the video.
        styles: tuple of (h, w, 3) float32 as they are looked at (whole, where the network is of another make and takes
            its square out of them), or codes (100,).
        weights: of the styles, summing to 1.
        output: path.
        settings: `MovieSettings`.
        recipe: `GatysSettings`; None for "fast".
        shape: (height, width) of the painted frames in px.
        codec: of the result.
    """

    clip: Clip
    styles: tuple = dataclasses.field(repr=False)
    weights: tuple
    output: str
    settings: MovieSettings
    recipe: GatysSettings | None
    shape: tuple
    codec: str


def planned(source, style, output, *, weights=None, **settings):
    """`Plan` of a call of `stylize_video`: everything is checked, nothing is painted or written.

    Raises:
        InputError: as `stylize_video`.
    """
    settings, recipe = split_settings(settings)
    for name, path in (("the video", source), ("the output", output)):
        if not isinstance(path, (str, os.PathLike)):
            raise InputError(f"{name} must be a path (str or pathlib.Path); received {type(path).__name__}.")
    check_av()
    check_opencv()
    codec = codec_for(output, settings.codec)
    output = os.fsdecode(output)
    if os.path.exists(output) and os.path.exists(source) and os.path.samefile(source, output):
        raise InputError(f"output {output!r} is the video itself; choose another name.")
    if os.path.isdir(output):
        raise InputError(f"output {output!r} is a folder; name a file in it.")
    if not os.path.isdir(os.path.dirname(os.path.realpath(output))):
        raise InputError(f"output {output!r}: there is no folder {os.path.dirname(output)!r}; make it first.")
    clip = clip_of(source)
    shape = check_shape(clip.height, clip.width, settings.size, name=f"video {clip.path!r}")
    styles = _styles(style, weights, settings, painted_size(settings, max(shape)))
    check_container(output, clip, codec)
    weights = check_weights(weights, len(styles))
    return Plan(clip, styles, weights, output, settings, recipe, shape, codec)


def _styles(style, weights, settings, side):
    kind = check_model(settings.model) if settings.method == "fast" else None
    if kind == "style":
        check_one_style(settings.model, style, weights, settings)
        return ()
    styles = list(style) if isinstance(style, (list, tuple)) else [] if style is None else [style]
    if not styles:
        raise InputError("There is no style picture; give one, or a model of one style.")
    settled(settings, styles)
    codes = [one for one in styles if settings.method == "fast" and is_code(one)]
    if kind in ("folder", "handle"):
        _check_foreign(settings, len(styles), bool(codes))
        return (images.read(styles[0], name="style picture").rgb,)
    return tuple(np.float32(one) if codes and is_code(one) else read_style(one, settings, side).rgb for one in styles)


def _check_foreign(settings, count, coded):
    """Checks that a network of another make is asked for nothing that it has not, as `ArbitraryStylizer` does."""
    if count > 1 or coded or settings.strength < 1:
        raise InputError(
            f"The model {settings.model!r} takes one style picture at strength 1; codes, mixed styles and other "
            "strengths need a network of tfstyle, such as the model default."
        )
    if settings.precision == "bfloat16":
        raise InputError(f"The model {settings.model!r} computes in its own precision; use the precision auto.")


def identity(plan):
    """{name: text} of all that decides the result, by which a run is known again."""
    av, cv2 = check_av(), check_opencv()
    styles = hashlib.sha256()
    for one in plan.styles:
        styles.update(repr(one.shape).encode() + np.ascontiguousarray(one).tobytes())
    recipe, network = None, None
    if plan.recipe is not None:
        recipe, network = dataclasses.asdict(plan.recipe), stamp(plan.recipe.network_weights)
    ours = (__version__, av.__version__, cv2.__version__, np.__version__)
    told = {
        "the video": _fingerprint(plan.clip.path), "the styles": (styles.hexdigest(), plan.weights),
        "the settings": (dataclasses.asdict(plan.settings), recipe, plan.codec, PIECE[plan.settings.method]),
        "the model": (stamp(plan.settings.model), network),
        "the installed versions": (*ours, *map(_version, ("tensorflow", "keras"))),
    }
    return {name: repr(value) for name, value in told.items()}


def _version(package):
    """Of a package that is not to be imported for it; None where it came in by another name."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _fingerprint(path):
    """Size and SHA-256 of both ends of a file."""
    with open(path, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        ends = file.read(_SAMPLE)
        file.seek(max(0, size - _SAMPLE))
        return size, hashlib.sha256(ends + file.read()).hexdigest()
