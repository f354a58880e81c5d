"""Folders of pictures in, folders of painted pictures out.

While one picture is painted, the next ones are decoded and the last ones encoded. Nothing here imports TensorFlow
before the first picture is to be painted.
"""

import dataclasses
import errno
import functools
import os

from tfstyle import images
from tfstyle.checks import InputError, check_choice, check_number, check_weights
from tfstyle.controls import Controls, check_model, check_one_style, controls_of, read_style
from tfstyle.folder_plan import FORMATS, check_apart, checked_folders, make_folders, planned
from tfstyle.images.files import pixels
from tfstyle.images.pixels import unit
from tfstyle.look import Look, is_code, painted_size, settled
from tfstyle.pipeline import pipelined

__all__ = ["FolderJob", "FolderResult", "paint_folder", "prepared_folder", "stylize_folder"]

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
class FolderJob:
    """A folder to paint, of which all has been checked that can be without TensorFlow."""

    todo: list  # of (path of the photo, path of the result)
    result: FolderResult  # grows while the folder is painted
    styles: list
    weights: tuple | None
    texture: object
    controls: Controls
    quality: int


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
    return paint_folder(prepared_folder(folder, style, output, **options), callback)


def prepared_folder(folder, style, output, *, recursive=False, overwrite=False, format=None, quality=95, weights=None,
                    texture=None, **settings):
    """Checks what `stylize_folder` is asked for, and makes the folders of its results.

    Returns:
        `FolderJob`.

    Raises:
        InputError: as `stylize_folder`.
    """
    if "masks" in settings:
        raise InputError("masks fit one photo; leave them out, or stylize the photos of the folder one by one.")
    controls = controls_of(settings)
    quality = check_number("quality", quality, 1, 100, integer=True)
    if format is not None:
        check_choice("format", format, FORMATS)
    styles = list(style) if isinstance(style, (list, tuple)) else [] if style is None else [style]
    _check_styles(styles, weights, texture, controls)
    weights = None if weights is None else check_weights(weights, len(styles))
    folder, output = checked_folders(folder, output)
    pairs = planned(folder, output, recursive, format)
    check_apart(pairs, [*styles, texture])
    there = [not overwrite and os.path.isfile(target) for _, target in pairs]
    todo = [pair for pair, done in zip(pairs, there, strict=True) if not done]
    skipped = [target for (_, target), done in zip(pairs, there, strict=True) if done]
    make_folders(todo)
    return FolderJob(todo, FolderResult(skipped=skipped, left=len(todo)), styles, weights, texture, controls, quality)


def paint_folder(job, callback=None):
    """Paints what `prepared_folder` has found to do.

    Args:
        job: `FolderJob`, whose `result` grows meanwhile and stays what it is if Ctrl-C ends the run.
        callback: as `stylize_folder` takes it.

    Returns:
        `FolderResult`.
    """
    result, size = job.result, job.controls.size
    if not job.todo:
        return result

    def tell(pair, error):
        result.left -= 1
        if error is None:
            result.done.append(pair[1])
        else:
            result.failed[pair[0]] = str(error) or "memory ran out; use a smaller size."
        stop = callback is not None and bool(callback(result))
        return stop or getattr(error and error.__cause__, "errno", None) in _FULL

    pipelined(
        job.todo, tell,
        # Bytes, of most files: a quarter of the memory of floats.
        decode=lambda pair: pixels(pair[0], name="content picture", size=size),
        paint=_painter(job),
        encode=lambda pair, painted: images.write(pair[1], painted, quality=job.quality),
        ahead=1 if size is None or size > _LARGE else min(8, max(2, os.cpu_count() or 1)),
    )
    return result


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
        if not is_code(one):
            images.read(one, name="style picture", size=controls.style_size)
    if texture is not None:
        images.read(texture, name="texture picture")


def _painter(job):
    """A function of a photo, as `tfstyle.images.files.pixels` gives it: it, painted, as a PIL image."""
    import tensorflow as tf

    controls = job.controls
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
        more = {} if job.texture is None else {"texture": job.texture}
        # Elsewhere what is seen of the painting depends on the photo, or on the texture: it is looked at each time.
        by_code = kind == "ours" and not more and (controls.color == "style" or controls.color_when == "after")
        if by_code:
            look = {name: value for name, value in look.items() if name not in ("style_size", "style_scale")}

        @functools.cache
        def codes(side):
            return [one if is_code(one) else _code(stylizer, read_style(one, controls, side)) for one in job.styles]

        def stylize(photo):
            shape = getattr(photo, "rgb", photo).shape[:2]
            side = controls.style_size or painted_size(controls, max(shape))
            styles = codes(side) if by_code else job.styles
            return stylizer.stylize(photo, styles, weights=job.weights, size=None, **look, **more)

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
