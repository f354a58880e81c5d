"""As many pictures as there are in, painted pictures and a manifest out, on one machine or on many."""

import contextlib
import dataclasses
import fnmatch
import hashlib
import os
import secrets
import time

import numpy as np

from tfstyle import images
from tfstyle.atomic import LEFT
from tfstyle.batch.cluster import check_address, check_room, connected, paint_on_ray
from tfstyle.batch.manifest import DONE, FAILED, check_same, keeping, read_manifest
from tfstyle.batch.plan import Plan, planned_batch
from tfstyle.batch.settings import RaySettings
from tfstyle.batch.worker import Order, lines_painter, versions
from tfstyle.checks import InputError, check_callback, check_choice
from tfstyle.folder import FolderResult, Painting, checked_painting
from tfstyle.folder_plan import FORMATS, make_folders
from tfstyle.version import __version__
from tfstyle.weights.files import shipped_styles

__all__ = ["BatchJob", "paint_batch", "prepared_batch", "stylize_batch"]

_OF_RAY = [field.name for field in dataclasses.fields(RaySettings)]


@dataclasses.dataclass(frozen=True)
class BatchJob:
    """A batch to paint, of which all has been checked that can be without TensorFlow. Nothing is written yet.

    Attributes:
        painting, plan, ray: how, which and where.
        address: as `stylize_batch` takes it.
        head: of the manifest.
        anew: whether the manifest begins anew.
        todo: pairs of the plan that are still to be painted.
        unnoted: those of the others that the manifest does not know as done yet.
        retried: how many of `todo` have failed before.
        result: `FolderResult`, which grows while the batch is painted.
    """

    painting: Painting
    plan: Plan
    ray: RaySettings
    address: str | None
    head: dict
    anew: bool
    todo: list
    unnoted: list
    retried: int
    result: FolderResult


def stylize_batch(pattern, style, output, *, ray_address=None, callback=None, **options):
    """Paints every picture that a pattern finds in one pass, as `tfstyle.stylize` paints one.

    `output`/manifest.jsonl says what has become of each. A run that was stopped, or killed, goes on when it is started
    again: with what is not there yet, and with what has failed. Each picture is written whole or not at all.

    Args:
        pattern: folder, with all in it, or a pattern such as "photos/**/*.jpg" (`tfstyle.batch.plan.planned_batch`).
        style: a picture, or a list of them, or codes from `tfstyle.ArbitraryStylizer.style_code`; None for a model of
            one style.
        output: folder for the results, made if missing. A result lies below it as its photo below the fixed part of
            the pattern, with its name, and its ending where that can be written, else .png.
        ray_address: None paints in this process, which is quickest on one machine. "auto" takes the cluster that this
            machine belongs to, "local" starts one of this machine alone, "HOST:PORT" and "ray://HOST:PORT" name one.
            All its machines must have tfstyle, and see `pattern` and `output` at the same paths.
        callback: called with the `FolderResult` so far, after every picture or, on a cluster, every task; return True
            to stop early.
        **options: overwrite=False: True paints anew what is there.
            format=None: ending for all results, one of `tfstyle.folder_plan.FORMATS`.
            quality=95: as `tfstyle.images.write` takes it.
            weights, texture, and any field of `tfstyle.controls.Controls`: as `tfstyle.stylize` takes them.
            Any field of `tfstyle.batch.settings.RaySettings`: actors, cpus, gpus, pictures_per_task.

    Returns:
        `tfstyle.FolderResult`.

    Raises:
        InputError: no picture, no cluster, an output that cannot be written or holds pictures of another style or
            setting, a style or setting that does not work.
    """
    check_callback(callback)
    return paint_batch(prepared_batch(pattern, style, output, ray_address=ray_address, **options), callback)


def prepared_batch(pattern, style, output, *, ray_address=None, overwrite=False, format=None, **options):
    """Checks what `stylize_batch` is asked for, and finds what is to be done; writes nothing.

    Returns:
        `BatchJob`.

    Raises:
        InputError: as `stylize_batch`.
    """
    ray = RaySettings(**{name: options.pop(name) for name in _OF_RAY if name in options})
    if format is not None:
        check_choice("format", format, FORMATS)
    painting = checked_painting(style, **options)
    plan = planned_batch(pattern, output, format, [*painting.styles, painting.texture])
    painting = dataclasses.replace(
        painting, styles=[*map(_carried, painting.styles)], texture=_carried(painting.texture)
    )
    if ray_address is not None:
        check_address(ray_address)
        check_room(ray_address, ray)
    head = _head(painting, plan, format, overwrite)
    before, lines = read_manifest(plan.output)
    # A run that was refused before it had painted, whatever it was for; the lock keeps one apart that has just begun.
    if not lines and not plan.there:
        before = None
    anew = overwrite or before is None
    if before is not None and not overwrite:
        check_same(before, head, os.fsdecode(output))
        head = before
    # After overwrite=True, what is there may be of another style unless the manifest says that it is not.
    known = set() if overwrite else {line["result"] for line in lines.values() if line["state"] == DONE}
    there = plan.there & known if head["overwrite"] else plan.there
    todo = [pair for pair in plan.pairs if pair[1] not in there]
    skipped = [pair for pair in plan.pairs if pair[1] in there]
    unnoted = [pair for pair in skipped if pair[1] not in known]
    failed = {photo for photo, line in lines.items() if line["state"] == FAILED and not overwrite}
    todo.sort(key=lambda pair: pair[0] in failed)  # what fails again keeps none of the others from being painted
    retried = sum(pair[0] in failed for pair in todo)
    result = FolderResult(skipped=[os.path.join(plan.output, pair[1]) for pair in skipped], left=len(todo))
    return BatchJob(painting, plan, ray, ray_address, head, anew, todo, unnoted, retried, result)


def paint_batch(job, callback=None):
    """Paints what `prepared_batch` has found to do.

    Args:
        job: `BatchJob`, whose `result` grows meanwhile and stays what it is if Ctrl-C ends the run.
        callback: as `stylize_batch` takes it.

    Returns:
        `FolderResult`.
    """
    plan, result, started, mark = job.plan, job.result, time.time(), f"{secrets.token_hex(4)}-"
    with contextlib.ExitStack() as stack:
        if job.address is not None and job.todo:
            # What its actors leave is removed once they have ended, and nothing is written before they can be had.
            stack.callback(_sweep, plan, LEFT.replace("*", f"{mark}*"))
            ray = stack.enter_context(connected(job.address, job.ray))
        _make_folder(plan.output)
        make_folders([(photo, os.path.join(plan.output, path)) for photo, path in job.todo])
        note = stack.enter_context(keeping(plan.output, job.head, job.anew))
        note({"photo": photo, "result": path, "state": DONE, "sentence": None, "seconds": None}
             for photo, path in job.unnoted)
        if not job.todo:
            return result
        open_ = {photo for photo, _ in job.todo}

        def tell(lines, is_full=False):
            lines = [line for line in lines if line["photo"] in open_]  # Ray may bring a task twice
            note(lines)
            for line in lines:
                open_.remove(line["photo"])
                result.left -= 1
                if line["state"] == DONE:
                    result.done.append(os.path.join(plan.output, line["result"]))
                else:
                    result.failed[os.path.join(plan.root, line["photo"])] = line["sentence"]
            return (callback is not None and bool(callback(result))) or is_full

        _sweep(plan, LEFT, started)
        if job.address is None:
            paint = lines_painter(job.painting, plan.root, plan.output)
            paint(job.todo, lambda line, is_full: tell([line], is_full))
            return result
        folders = os.path.abspath(plan.root), os.path.abspath(plan.output)
        order = Order(_anywhere(job.painting), *folders, job.ray.threads, versions(), mark)
        paint_on_ray(ray, job.todo, order, job.ray, tell)
    return result


def _anywhere(painting):
    """The same for processes that work in other folders."""
    model = os.fsdecode(painting.controls.model)
    if model in ("default", *shipped_styles()) or not os.path.exists(model):
        return painting
    return dataclasses.replace(painting, controls=dataclasses.replace(painting.controls, model=os.path.abspath(model)))


def _carried(picture):
    """A picture as it is handed to other processes, which may not see its file: bytes for a path."""
    if not isinstance(picture, (str, os.PathLike)):
        return picture
    try:
        with open(picture, "rb") as file:
            return file.read()
    except OSError as error:  # it was there just now
        raise InputError(f"{os.fsdecode(picture)!r} cannot be read ({error.strerror}); mend that.") from error


def _head(painting, plan, format, overwrite):
    """The first line of the manifest: by what the pictures are painted."""
    controls = painting.controls
    settings = dataclasses.asdict(controls) | {
        "model": os.fsdecode(controls.model), "format": format, "quality": painting.quality,
        "weights": None if painting.weights is None else list(painting.weights), "texture": _digest(painting.texture),
        "model_sha256": _digest_of_file(controls.model),
    }
    return {
        "version": __version__, "pattern": os.path.abspath(plan.pattern), "styles": [*map(_digest, painting.styles)],
        "settings": settings, "overwrite": overwrite,
    }


def _digest(picture):
    """SHA-256 of a picture's file, or of its pixels or numbers where there is none."""
    if picture is None:
        return None
    if not isinstance(picture, (bytes, bytearray, memoryview)):
        array = np.asarray(images.read(picture).rgb if getattr(picture, "ndim", None) != 1 else picture)
        picture = repr((array.shape, array.dtype.str)).encode() + np.ascontiguousarray(array).tobytes()
    return hashlib.sha256(picture).hexdigest()


def _digest_of_file(path):
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:  # a name, a handle or a folder
        return None


def _make_folder(output):
    try:
        os.makedirs(output, exist_ok=True)
    except OSError as error:
        raise InputError(f"output {output!r} cannot be made ({error.strerror}); choose another place.") from error


def _sweep(plan, pattern, before=float("inf")):
    """Removes what a process that was killed while it wrote has left beside the results, before a time."""
    for folder in {os.path.dirname(os.path.join(plan.output, result)) for _, result in plan.pairs}:
        for name in fnmatch.filter(os.listdir(folder) if os.path.isdir(folder) else (), pattern):
            path = os.path.join(folder, name)
            with contextlib.suppress(OSError):
                if os.path.getmtime(path) < before:  # another process may be at a younger one
                    os.remove(path)
