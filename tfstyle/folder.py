"""Folders of pictures in, folders of painted pictures out.

While one picture is painted, the next ones are decoded and the last ones encoded. Nothing here imports TensorFlow
before the first picture is to be painted.
"""

import dataclasses
import errno
import functools
import os

from tfstyle import images
from tfstyle.checks import InputError, check_callback, check_choice, check_number, check_weights
from tfstyle.controls import Controls, check_model, check_one_style, controls_of, read_style
from tfstyle.folder_plan import FORMATS, check_apart, checked_folders, make_folders, planned
from tfstyle.images.files import pixels
from tfstyle.images.pixels import unit
from tfstyle.look import Look, checked_code, is_code, painted_size, settled
from tfstyle.pipeline import FAULTS, pipelined

__all__ = [
    "FolderJob", "FolderResult", "Painting", "checked_painting", "fault_of", "paint_folder", "pairs_painter",
    "prepared_folder", "stylize_folder",
]

_LARGE = 2048  # px; beyond, a picture takes far longer to paint than to decode, and two in memory are enough
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


@dataclasses.dataclass
class FolderResult:
    """What has become of the pictures of a folder.

    Attributes:
        done: paths of the pictures written, in order.
        skipped: paths of those that were there already.
        failed: {path of the photo: sentence}.
        left: number of photos that are still to be painted; 0 in the end, unless the run was stopped.
    """

    done: list = dataclasses.field(default_factory=list)
    skipped: list = dataclasses.field(default_factory=list)
    failed: dict = dataclasses.field(default_factory=dict)
    left: int = 0


@dataclasses.dataclass(frozen=True)
class Painting:
    """How pictures are to be painted, of which all has been checked that can be without TensorFlow."""

    styles: list
    weights: tuple | None
    texture: object
    controls: Controls
    quality: int


@dataclasses.dataclass(frozen=True)
class FolderJob(Painting):
    """A folder to paint."""

    todo: list  # of (path of the photo, path of the result)
    result: FolderResult  # grows while the folder is painted


def stylize_folder(folder, style, output, *, callback=None, **options):
    """Paints every picture of a folder in one pass, as `tfstyle.stylize` paints one.

    Pictures that are there already are skipped, so that a run which was stopped goes on when it is started again, and
    bad pictures are passed over. Each picture is written whole or not at all.

    Args:
        folder: of the photos. Hidden files, and `output` where it lies inside, are left out.
        style: a picture, or a list of them, or codes from `tfstyle.ArbitraryStylizer.style_code`; None for a model of
            one style.
        output: folder for the results, made if missing. A result has its photo's name, and its ending where that can
            be written, else .png (`tfstyle.folder_plan.planned`).
        callback: called after every picture with the `FolderResult` so far; return True to stop early.
        **options: recursive=False: True takes the folders inside as well, and makes them in `output`.
            overwrite=False: True paints anew what is there.
            format=None: ending for all results, one of `tfstyle.folder_plan.FORMATS`.
            quality=95: as `tfstyle.images.write` takes it.
            weights, texture, and any field of `tfstyle.controls.Controls`: as `tfstyle.stylize` takes them.

    Returns:
        `FolderResult`.

    Raises:
        InputError: no picture in the folder, an output that cannot be written or is the folder itself, a style or
            setting that does not work.
    """
    check_callback(callback)
    return paint_folder(prepared_folder(folder, style, output, **options), callback)


def prepared_folder(folder, style, output, *, recursive=False, overwrite=False, format=None, quality=95, weights=None,
                    texture=None, make=True, **settings):
    """Checks what `stylize_folder` is asked for, and makes the folders of its results, unless `make` is False.

    Returns:
        `FolderJob`.

    Raises:
        InputError: as `stylize_folder`.
    """
    painting = checked_painting(style, quality=quality, weights=weights, texture=texture, **settings)
    if format is not None:
        check_choice("format", format, FORMATS)
    folder, output = checked_folders(folder, output)
    pairs = planned(folder, output, recursive, format)
    check_apart(pairs, [*painting.styles, texture])
    there = [not overwrite and os.path.isfile(target) for _, target in pairs]
    todo = [pair for pair, done in zip(pairs, there, strict=True) if not done]
    skipped = [target for (_, target), done in zip(pairs, there, strict=True) if done]
    if make:
        make_folders(todo)
    return FolderJob(**vars(painting), todo=todo, result=FolderResult(skipped=skipped, left=len(todo)))


def checked_painting(style, *, quality=95, weights=None, texture=None, **settings):
    """Checks what is alike for all pictures of a run.

    Args:
        style, quality, weights, texture, **settings: as `stylize_folder` takes them.

    Returns:
        `Painting`.

    Raises:
        InputError: a style or setting that does not work.
    """
    if "masks" in settings:
        raise InputError("masks fit one photo; leave them out, or stylize the photos of the folder one by one.")
    controls = controls_of(settings)
    quality = check_number("quality", quality, 1, 100, integer=True)
    styles = list(style) if isinstance(style, (list, tuple)) else [] if style is None else [style]
    _check_styles(styles, weights, texture, controls)
    weights = None if weights is None else check_weights(weights, len(styles))
    return Painting(styles, weights, texture, controls, quality)


def paint_folder(job, callback=None):
    """Paints what `prepared_folder` has found to do.

    Args:
        job: `FolderJob`, whose `result` grows meanwhile and stays what it is if Ctrl-C ends the run.
        callback: as `stylize_folder` takes it.

    Returns:
        `FolderResult`.
    """
    result = job.result
    if not job.todo:
        return result

    def tell(pair, error):
        result.left -= 1
        sentence, is_full = fault_of(error)
        if error is None:
            result.done.append(pair[1])
        else:
            result.failed[pair[0]] = sentence
        stop = callback is not None and bool(callback(result))
        return stop or is_full

    pairs_painter(job)(job.todo, tell)
    return result


def pairs_painter(painting, threads=None, faults=FAULTS):
    """Builds the network, for any number of pictures.

    Args:
        painting: `Painting`.
        threads: how many pictures are decoded, and encoded, at a time; None: as the processor has cores.
        faults: as `tfstyle.pipeline.pipelined` takes them.

    Returns:
        paint_pairs(pairs, tell): pairs are tuples that begin with the path of a photo and that of its result;
        `tell` is as `tfstyle.pipeline.pipelined` takes it.
    """
    paint, size = _painter(painting), painting.controls.size
    ahead = 1 if size is None or size > _LARGE else min(8, max(2, threads or os.cpu_count() or 1))

    def paint_pairs(pairs, tell):
        pipelined(
            pairs, tell,
            # Bytes, of most files: a quarter of the memory of floats.
            decode=lambda pair: pixels(pair[0], name="content picture", size=size),
            paint=paint,
            encode=lambda pair, painted: images.write(pair[1], painted, quality=painting.quality),
            ahead=ahead, faults=faults,
        )

    return paint_pairs


def fault_of(error):
    """(sentence, whether the disk takes no more, so that all others would fail, too) of what has befallen a picture.

    Args:
        error: any exception, of which those beside `tfstyle.pipeline.FAULTS` are named; None makes (None, False).
    """
    if error is None:
        return None, False
    is_full = any(getattr(one, "errno", None) in _FULL for one in (error, error.__cause__))
    if not isinstance(error, FAULTS):
        return f"{type(error).__name__}: {' '.join(str(error).split())}", is_full
    return str(error) or "memory ran out; use a smaller size.", is_full


def _check_styles(styles, weights, texture, controls):
    """Finds what would be wrong for every photo, before the first."""
    model, kind, codes = controls.model, check_model(controls.model), [one for one in styles if is_code(one)]
    if kind == "style":
        check_one_style(model, styles or None, weights, controls, texture=texture)
    elif not styles:
        raise InputError("There is no style picture; give one or more.")
    elif kind != "ours" and (len(styles) > 1 or controls.strength < 1 or texture is not None or codes):
        raise InputError(f"The model {model!r} takes one style picture, at strength 1 and without a texture.")
    settled(controls, styles)
    for one in styles:
        if is_code(one):
            checked_code(one)
        else:
            images.read(one, name="style picture", size=controls.style_size)
    if texture is not None:
        images.read(texture, name="texture picture")


def _painter(painting):
    """A function of a photo, as `tfstyle.images.files.pixels` gives it: it, painted, as a PIL image."""
    import tensorflow as tf

    controls = painting.controls
    model, precision = controls.model, controls.precision
    look = {
        field.name: getattr(controls, field.name) for field in dataclasses.fields(Look)
        if getattr(controls, field.name) != field.default
    }
    kind = check_model(model)
    if kind == "style":
        from tfstyle.feedforward_stylizer import FeedForwardStylizer

        stylize = functools.partial(FeedForwardStylizer(model, precision=precision).stylize, size=None, **look)
    else:
        from tfstyle.stylizer import ArbitraryStylizer

        stylizer = ArbitraryStylizer(model, precision=precision)
        more = {} if painting.texture is None else {"texture": painting.texture}
        # Elsewhere what is seen of the painting depends on the photo, or on the texture: it is looked at each time.
        by_code = kind == "ours" and not more and (controls.color == "style" or controls.color_when == "after")
        if by_code:
            look = {name: value for name, value in look.items() if name not in ("style_size", "style_scale")}

        @functools.cache
        def codes(side):
            styles = painting.styles
            return [one if is_code(one) else _code(stylizer, read_style(one, controls, side)) for one in styles]

        def stylize(photo):
            shape = getattr(photo, "rgb", photo).shape[:2]
            side = controls.style_size or painted_size(controls, max(shape))
            styles = codes(side) if by_code else painting.styles
            return stylizer.stylize(photo, styles, weights=painting.weights, size=None, **look, **more)

    def paint(photo):
        rgb, alpha = photo
        try:
            # As a plain array, colors under transparency would be filled in anew.
            return stylize(rgb if alpha is None else images.Picture(unit(rgb), unit(alpha)))
        except tf.errors.ResourceExhaustedError as error:
            raise MemoryError from error

    return paint


def _code(stylizer, picture):
    return stylizer.style_code(picture, max(picture.rgb.shape[:2]))
