"""Video: every frame repainted after the same styles, held steady by the optical flow, in its own time and sound.

Importing this module imports no TensorFlow; painting does.
"""

import collections
import concurrent.futures
import contextlib
import dataclasses
import itertools
import time
from typing import NamedTuple

import numpy as np

from tfstyle import images
from tfstyle.atomic import replaced
from tfstyle.checks import check_callback
from tfstyle.images.containers import exact_times, joined, piece
from tfstyle.images.flow import flow, steadied, trust, visible, warped
from tfstyle.images.frames import Frame, cut_off, frames_of
from tfstyle.metrics.flicker import warp_error
from tfstyle.movie import parts
from tfstyle.movie.plan import PIECE, identity, planned

__all__ = ["Progress", "VideoResult", "paint_plan", "stylize_video"]

_AHEAD = 3  # frames read ahead, and waiting to be encoded


@dataclasses.dataclass(frozen=True)
class Progress:
    """Where a run stands, as the callback is told after every frame.

    Attributes:
        frame: how many are done.
        frames: how many there will be, an estimate; None if the file does not tell.
        resumed: how many of them were done by an earlier run.
        seconds: of work, over resumed parts too.
    """

    frame: int
    frames: int | None
    resumed: int
    seconds: float


@dataclasses.dataclass(frozen=True)
class VideoResult:
    """A finished video.

    Attributes:
        path: of the file.
        frames: how many.
        width, height: in px.
        seconds: of work, over resumed parts too.
        flicker: `tfstyle.metrics.flicker.warp_error` of the result, the mean over its frames; None unless `report`.
        flicker_frame_by_frame: the same of the frames each painted by itself.
        faults: sentences on what of the source could not be read; the rest is done.
        notes: sentences on what the container could not keep.
    """

    path: str
    frames: int
    width: int
    height: int
    seconds: float
    flicker: float | None = None
    flicker_frame_by_frame: float | None = None
    faults: tuple = ()
    notes: tuple = ()


def stylize_video(source, style, output, *, method="fast", weights=None, callback=None, **settings):
    """Repaints a video, steadily from frame to frame; times and sound stay as they are.

    Frames are upright in the result, whatever a phone has written beside them, and keep their times to the last digit
    in .mp4 and .mov (Matroska and WebM count milliseconds). Sound is copied, not encoded again. What is done stays in
    the folder OUTPUT.part until all is: the same call after a kill goes on from there, to the same frames. Memory does
    not grow with the length.

    Args:
        source: path of a video.
        style: a picture, or a list of them; for "fast" also codes from `tfstyle.ArbitraryStylizer.style_code`; None
            where `model` is for one style. Looked at once, for all frames.
        output: path ending in .mp4, .m4v, .mov, .mkv or .webm.
        method: "fast" or "optimize", as of `tfstyle.stylize`.
        weights: one number for each style, scaled to sum 1; None weighs them alike.
        callback: called with a `Progress` after every frame.
        **settings: fields of `tfstyle.movie.settings.MovieSettings`, such as size, stability, strength, color, model
            and report; for "optimize" those of `tfstyle.GatysSettings` too. tiled="yes" is for "optimize" alone: frames
            go through the networks of "fast" whole.

    Returns:
        `VideoResult`.

    Raises:
        InputError: a video, style or setting that does not work, a container that cannot hold the sound, or a full
            disk, in one sentence.
        NonFiniteError: the optimization diverged.
    """
    check_callback(callback)
    return paint_plan(planned(source, style, output, method=method, weights=weights, **settings), callback)


def paint_plan(plan, callback=None):
    """Carries out a plan, from where an earlier run of the same plan was broken off.

    Args, Returns, Raises: as `stylize_video`.
    """
    from tfstyle.movie.painters import painter

    with parts.kept_folder(plan.output, identity(plan)) as folder:
        state = parts.load(folder)
        resumed, earlier, start = state.frames, state.seconds, time.monotonic()

        def tell():
            state.seconds = earlier + time.monotonic() - start
            if callback is not None:
                callback(Progress(state.frames, plan.clip.count, resumed, state.seconds))

        paint = painter(plan)
        with contextlib.closing(_ahead(_observed(plan, resumed))) as coming:
            while (first := next(coming, None)) is not None:
                rest = itertools.islice(coming, PIECE[plan.settings.method] - 1)
                path = parts.piece_path(folder, state.pieces)
                with parts.writing(plan.output) as elsewhere, replaced(path) as beside, _encoder(plan, beside) as write:
                    for observed in itertools.chain([first], rest):
                        with elsewhere():
                            result = _step(plan, state, paint, observed)
                            tell()
                        write(images.to_uint8(result), observed.frame.pts, observed.frame.duration)
                state.pieces += 1
                with parts.writing(plan.output):
                    parts.save(folder, state)
        pieces = [parts.piece_path(folder, number) for number in range(state.pieces)]
        with parts.writing(plan.output), replaced(plan.output) as beside:
            all_sound = joined(pieces, plan.clip, beside, state.last_duration)
    return _result(plan, state, all_sound)


class _Observed(NamedTuple):
    """A frame, and what the flow tells of it; None for the first."""

    frame: Frame
    back: np.ndarray | None = None
    seen: np.ndarray | None = None
    trusted: np.ndarray | None = None


def _observed(plan, done):
    """`_Observed` of the frames that are left; what comes before is gone through for the last of them."""
    before, still = None, not (plan.settings.stability or plan.settings.report or plan.recipe)
    with contextlib.closing(frames_of(plan.clip.path, plan.shape, max(0, done - 1))) as frames:
        for number, frame in enumerate(frames):
            if number >= done:
                if before is None or still:
                    yield _Observed(frame)
                else:
                    back, forth = flow(frame.rgb, before), flow(before, frame.rgb)
                    seen = visible(back, forth)
                    yield _Observed(frame, back, seen, trust(frame.rgb, before, back, seen))
            before = frame.rgb


def _step(plan, state, paint, observed):
    """Paints one frame, (H, W, 3) float32."""
    frame, back, seen, trusted = observed
    photo = np.float32(frame.rgb) / 255
    if back is None:
        result = alone = paint(photo)
    else:
        brought = warped(state.result, back)
        alone = paint(photo, brought, trusted)
        result = steadied(alone, brought, trusted, plan.settings.stability) if plan.settings.stability else alone
        if plan.settings.report:
            errors = [warp_error(now, old, back, seen) for now, old in ((result, state.result), (alone, state.alone))]
            if errors[0] is not None:
                state.errors = tuple(total + error for total, error in zip(state.errors, errors, strict=True))
                state.pairs += 1
    state.result, state.alone, state.last_duration = result, alone, frame.duration
    state.frames += 1
    state.damaged += frame.damaged
    return result


@contextlib.contextmanager
def _encoder(plan, path):
    """Yields write(rgb, pts, duration), which encodes in a thread, a few frames behind."""
    written = piece(path, plan.shape, plan.clip, plan.codec, plan.settings.crf)
    with written as write, concurrent.futures.ThreadPoolExecutor(1) as pool:
        waiting = collections.deque()

        def later(*frame):
            waiting.append(pool.submit(write, *frame))
            if len(waiting) > _AHEAD:
                waiting.popleft().result()

        yield later
        while waiting:
            waiting.popleft().result()


def _ahead(items):
    """The items of a generator, which runs in a thread, a few items ahead."""
    with contextlib.closing(items), concurrent.futures.ThreadPoolExecutor(1) as pool:
        try:
            coming = collections.deque(pool.submit(next, items, None) for _ in range(_AHEAD))
            while (item := coming.popleft().result()) is not None:
                coming.append(pool.submit(next, items, None))
                yield item
        finally:
            pool.shutdown(cancel_futures=True)


def _result(plan, state, all_sound):
    clip, faults, notes = plan.clip, [], []
    if state.damaged:
        where = f"{state.damaged} of {state.frames} frames"
        faults.append(f"{clip.path!r} is damaged at {where}; the rest is as it should be.")
    if not all_sound:
        faults.append(f"the sound of {clip.path!r} breaks off where the file is damaged; what could be read is kept.")
    if not faults and (times := cut_off(clip.path)) is not None:
        there, told = times
        faults.append(f"{clip.path!r} ends after {there:.1f} of {told:.1f} seconds; what is there is done.")
    if not exact_times(plan.output, clip.time_base):
        notes.append("times are rounded to milliseconds, as Matroska and WebM count; .mp4 and .mov keep them.")
    means = [error / state.pairs for error in state.errors] if state.pairs else [None, None]
    height, width = (side + side % 2 for side in plan.shape)
    return VideoResult(
        plan.output, state.frames, width, height, state.seconds, *means, faults=tuple(faults), notes=tuple(notes)
    )
