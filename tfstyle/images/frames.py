"""Video files read by PyAV: what is in them, and their frames as upright RGB, each with its time.

Needs the extra `tfstyle[video]`; nothing here imports TensorFlow.
"""

import contextlib
import dataclasses
import os
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from tfstyle.checks import InputError
from tfstyle.images.geometry import resize

__all__ = ["Clip", "Frame", "check_av", "clip_of", "cut_off", "frames_of", "opened_video"]

_HD = (1280, 576)  # px beyond which players take a video that does not say so for BT.709
_BT709, _BT2020, _PQ, _HLG = 1, 9, 16, 18  # of ITU-T H.273, as FFmpeg numbers them
_UNSPECIFIED = 2
_WHOLE = 0.9  # of its seconds that a whole file holds at least: heads round, and count gaps


@dataclasses.dataclass(frozen=True)
class Clip:
    """What is known of a video before it is gone through.

    Attributes:
        path: as it was given.
        height, width: in px, of a frame as it is shown.
        time_base: seconds of one unit of `Frame.pts`.
        rate: frames in a second, on the mean.
        count: of the frames, an estimate; None where the file does not tell.
        pixel_ratio: width of a pixel over its height.
        sounds: names of the codecs of its sound streams.
    """

    path: str
    height: int
    width: int
    time_base: Fraction
    rate: Fraction
    count: int | None
    pixel_ratio: Fraction
    sounds: tuple


class Frame(NamedTuple):
    """One frame, and when it is shown."""

    pts: int  # in units of the clip's time base, rising from frame to frame
    duration: int  # likewise; 0 if unknown
    rgb: np.ndarray | None  # (H, W, 3) uint8, upright; None if it was to be skipped
    damaged: bool  # the decoder has made up some of it, or had to leave out what came before


def check_av():
    """PyAV, or `InputError` where it is missing."""
    try:
        import av
    except ImportError:
        raise InputError("Video needs PyAV, which reads and writes it: pip install 'tfstyle[video]'.") from None
    return av


@contextlib.contextmanager
def opened_video(path):
    """Yields (container, video stream) of a file.

    Raises:
        InputError: no file that can be read, or one without moving pictures.
    """
    av, path = check_av(), os.fsdecode(path)
    if os.path.isdir(path):
        raise InputError(f"video {path!r} is a folder; name one video file in it.")
    try:
        container = av.open(path)
    except FileNotFoundError:
        raise InputError(f"video {path!r} does not exist; check the path.") from None
    except (av.FFmpegError, OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise InputError(f"video {path!r} cannot be read ({why}); it is no video, or cut off or damaged.") from None
    with container:
        name = container.format.name
        if "image2" in name or name.endswith("_pipe"):
            raise InputError(f"video {path!r} is a picture; repaint it by tfstyle stylize.")
        streams = [stream for stream in container.streams.video if not _is_cover(stream)]
        if not streams:
            raise InputError(f"{path!r} holds no moving pictures; name a video file.")
        streams[0].thread_type = "AUTO"
        yield container, streams[0]


def clip_of(path):
    """What is in a video file, as its head and first frame tell.

    Raises:
        InputError: as `opened_video`, or there is no frame that can be decoded.
    """
    with opened_video(path) as (container, stream):
        with contextlib.closing(_decoded(container, stream)) as decoded:
            frame, _ = next(decoded, (None, None))
        if frame is None:
            raise InputError(f"video {os.fsdecode(path)!r} has no frame that can be decoded; get the file again.")
        height, width, ratio = frame.height, frame.width, stream.sample_aspect_ratio or Fraction(1)
        if _matrix(frame)[0, 0] == 0:
            height, width, ratio = width, height, 1 / ratio
        rate = stream.average_rate or stream.guessed_rate or Fraction(25)
        seconds = container.duration / 1_000_000 if container.duration else None
        if stream.duration:
            seconds = float(stream.duration * stream.time_base)
        count = stream.frames or (round(seconds * rate) if seconds else None)
        sounds = tuple(sound.codec_context.name for sound in container.streams.audio)
        return Clip(os.fsdecode(path), height, width, stream.time_base, rate, count, ratio, sounds)


def cut_off(path):
    """(seconds that are there, seconds that the head tells of) of a file that ends early; None of a whole one.

    Matroska and WebM that were cut off can be read without an error, as if they were shorter.
    """
    with opened_video(path) as (container, _):
        if not container.duration:
            return None
        told, end = container.duration / 1_000_000, 0.0
        with contextlib.suppress(check_av().FFmpegError):
            for packet in container.demux():
                if packet.pts is not None:
                    end = max(end, float((packet.pts + (packet.duration or 0)) * packet.time_base))
        there = end - (container.start_time or 0) / 1_000_000
        return (there, told) if there < _WHOLE * told else None


def frames_of(path, shape, skip=0):
    """The frames of a video in the order in which they are shown, one at a time.

    BT.601, BT.709 and BT.2020, limited and full range, are read as the file says; where it does not, as players do:
    BT.709 from 1280 px on. High dynamic range is brought to BT.709. The display matrix that phones write is applied.

    Args:
        path: of the video.
        shape: (height, width) in px that each frame is resized to.
        skip: so many frames at the beginning come without their pixels.

    Yields:
        `Frame`. What cannot be decoded is left out; the frame after it is marked, and so is the last one where the
        file breaks off.
    """
    with opened_video(path) as (container, stream), contextlib.closing(_decoded(container, stream)) as decoded:
        last, step = None, max(1, round(1 / ((stream.average_rate or 25) * stream.time_base)))
        for number, (frame, damaged) in enumerate(decoded):
            pts = frame.dts if frame.pts is None else frame.pts
            if pts is None:
                pts = 0 if last is None else last + step
            if last is not None and pts <= last:  # two frames at one time are not to be shown, or written
                pts = last + 1
            last = pts
            rgb = None if number < skip else resize(_upright(_rgb(frame), _matrix(frame)), shape)
            yield Frame(pts, frame.duration or 0, rgb, damaged)


def _decoded(container, stream):
    """(frame, whether it is damaged or something before it could not be decoded) of a stream."""
    av = check_av()
    packets, lost, held = container.demux(stream), False, None
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            break
        except av.FFmpegError:  # the file breaks off
            lost = True
            break
        try:
            decoded = packet.decode()
        except av.FFmpegError:
            lost = True
            continue
        lost = lost or packet.is_corrupt
        for frame in decoded:
            if held is not None:
                yield held
            held, lost = (frame, lost or frame.is_corrupt), False
    if held is not None:
        yield held[0], held[1] or lost


def _is_cover(stream):
    """The picture on the cover of a piece of music is a stream of video, too."""
    from av.stream import Disposition

    return bool(stream.disposition & Disposition.attached_pic)


def _rgb(frame):
    """(H, W, 3) uint8 of a frame as it is stored."""
    from av.video.reformatter import Interpolation

    how = {"format": "rgb24", "interpolation": Interpolation.BICUBIC | Interpolation.FULL_CHR_H_INT
           | Interpolation.ACCURATE_RND}
    if frame.colorspace == _UNSPECIFIED and (frame.width >= _HD[0] or frame.height > _HD[1]):
        how["src_colorspace"] = "ITU709"
    if frame.color_trc in (_PQ, _HLG) or frame.color_primaries == _BT2020:
        how |= {"dst_color_trc": _BT709, "dst_color_primaries": _BT709}
    return frame.to_ndarray(**how)


def _matrix(frame):
    """How a stored frame is to be shown: (2, 2) whole numbers of one 1 or -1 in each row and column.

    A pixel at (x, y) is shown at (x, y) @ matrix; the nearest quarter turn, with its mirror image.
    """
    from av.sidedata.sidedata import Type

    found = frame.side_data.get(Type.DISPLAYMATRIX)
    if found is None:
        return np.eye(2, dtype=int)
    (a, b, _), (c, d, _) = np.frombuffer(bytes(found), np.int32).reshape(3, 3)[:2].tolist()
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return np.diag([-1 if a < 0 else 1, -1 if d < 0 else 1])
    return np.array([[0, -1 if b < 0 else 1], [-1 if c < 0 else 1, 0]])


def _upright(rgb, matrix):
    """A stored frame as it is shown."""
    if matrix[0, 0] == 0:
        rgb = rgb.swapaxes(0, 1)
    to_right, down = matrix.sum(axis=0)  # which way the shown x and y run along the stored ones
    return np.ascontiguousarray(rgb[::down, ::to_right])
