"""Video files written by PyAV: frames encoded in pieces, and the pieces joined with the sound of the source.

Needs the extra `tfstyle[video]`; nothing here imports TensorFlow.
"""

import contextlib
import heapq
import io
import itertools
import math
import os
from fractions import Fraction

import numpy as np

from tfstyle.checks import InputError, closest
from tfstyle.images.frames import check_av, opened_video

__all__ = ["CODECS", "check_container", "codec_for", "exact_times", "joined", "piece"]

CODECS = ("auto", "h264", "vp9")
# Without frames that look ahead a packet's two times are one, so that pieces join at any spacing of the frames.
_ENCODERS = {
    "h264": ("libx264", {"bf": "0"}, 18),
    "vp9": ("libvpx-vp9", {"row-mt": "1", "cpu-used": "4", "b": "0"}, 24),
}
_FORMATS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm"}
_BT709, _LIMITED = 1, 1
_PICTURE, _SOUND = 0, 1
_MOST = 2**31 - 1  # units a second that an MP4 can count


def codec_for(path, codec="auto"):
    """The codec of a video to be written: "h264", or "vp9" in WebM.

    Args:
        path: of the file; its ending names the container.
        codec: of CODECS.

    Raises:
        InputError: another ending than those of `_FORMATS`, naming the nearest.
    """
    ending = _ending(path)
    if ending not in _FORMATS:
        near = closest(ending, _FORMATS) if ending else None
        what = f"has the unknown extension {ending!r}" if ending else "has no extension"
        hint = f"; did you mean {near!r}?" if near else "."
        raise InputError(f"output {os.fsdecode(path)!r} {what}; use one of {', '.join(_FORMATS)}{hint}")
    return codec if codec != "auto" else "vp9" if ending == ".webm" else "h264"


def check_container(path, clip, codec):
    """Checks that a container can hold a codec, and the sound of a clip as it is.

    Args:
        path: of the file to be written.
        clip: `tfstyle.images.frames.Clip`.
        codec: as `codec_for` gives it.

    Raises:
        InputError: it cannot; names containers that can.
    """
    ending = _ending(path)
    if not _holds(ending, None, codec):
        raise InputError(f"output {os.fsdecode(path)!r}: {ending} cannot hold {codec}; use .mkv, or the codec auto.")
    if not _holds(ending, clip.path, codec):
        able = [other for other in (".mp4", ".mov", ".mkv") if other != ending and _holds(other, clip.path, codec)]
        use = f"name the output {' or '.join(able)}" if able else "take the sound out of the video first"
        raise InputError(
            f"output {os.fsdecode(path)!r}: {ending} cannot hold the sound of {clip.path!r} as it is "
            f"({', '.join(clip.sounds)}); {use}."
        )


def exact_times(path, time_base):
    """Whether a container keeps times in units of `time_base` as they are: Matroska and WebM count milliseconds."""
    return _FORMATS[_ending(path)] in ("mp4", "mov") or (time_base * 1000).denominator == 1


@contextlib.contextmanager
def piece(path, shape, clip, codec, crf=None):
    """Writes a piece of the video without sound, which begins with a keyframe.

    Args:
        path: of the file, in the NUT container, which keeps any times.
        shape: (height, width) of its frames in px; where a side is odd, the last row or column is repeated.
        clip: `Clip` that the times are of.
        codec: as `codec_for` gives it.
        crf: constant rate factor, lower is better and larger; None for 18 (H.264) or 24 (VP9).

    Yields:
        write(rgb (H, W, 3) uint8, pts, duration).

    Raises:
        OSError: the disk refuses.
    """
    av = check_av()
    from av.codec.context import Flags
    from av.video.reformatter import Interpolation

    how = Interpolation.BICUBIC | Interpolation.FULL_CHR_H_INT | Interpolation.ACCURATE_RND
    with av.open(path, "w", format="nut") as container:
        stream = _encoder(container, shape, clip.rate, codec, crf)
        stream.time_base = stream.codec_context.time_base = clip.time_base
        stream.codec_context.sample_aspect_ratio = clip.pixel_ratio
        stream.codec_context.flags |= Flags.frame_duration

        def write(rgb, pts, duration):
            odd = [(0, side % 2) for side in rgb.shape[:2]]
            frame = av.VideoFrame.from_ndarray(np.pad(rgb, [*odd, (0, 0)], mode="edge"), format="rgb24")
            frame = frame.reformat(
                format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG", interpolation=how
            )
            frame.pts, frame.time_base, frame.duration = pts, clip.time_base, duration
            container.mux(stream.encode(frame))

        yield write
        container.mux(stream.encode(None))


def joined(pieces, clip, path, last_duration=0):
    """Puts pieces and the sound of a clip into one file, packet by packet: nothing is encoded again.

    Args:
        pieces: paths of what `piece` has written, in their order.
        clip: `Clip` whose sound, names and times it gets.
        path: of the file to be written; its ending names the container.
        last_duration: of the last frame, in units of the clip's time base; 0 if unknown.

    Returns:
        True if all of the sound could be read.

    Raises:
        OSError: the disk refuses.
    """
    av = check_av()
    whole = [True]
    with contextlib.ExitStack() as stack:
        source, _ = stack.enter_context(opened_video(clip.path))
        head = stack.enter_context(av.open(pieces[0]))
        sounds = source.streams.audio
        options = {}
        if _FORMATS[_ending(path)] in ("mp4", "mov"):
            # Where a stream starts is counted in units of the whole file; by default milliseconds.
            units = math.lcm(clip.time_base.denominator, *(sound.time_base.denominator for sound in sounds))
            options["movie_timescale"] = str(units if units <= _MOST else clip.time_base.denominator)
        target = stack.enter_context(av.open(path, "w", format=_FORMATS[_ending(path)], options=options))
        target.metadata.update({k: v for k, v in source.metadata.items() if k in ("title", "artist", "creation_time")})
        video = target.add_stream_from_template(head.streams.video[0], opaque=True)
        video.time_base, video.codec_context.sample_aspect_ratio = clip.time_base, clip.pixel_ratio
        added = {sound.index: _added(target, sound) for sound in sounds}
        streams = [_pictures(pieces, clip.time_base, last_duration)]
        if sounds:
            streams.append(_sound(source, sounds, whole))
        for stream in streams:  # before the files that they read
            stack.enter_context(contextlib.closing(stream))
        for _, kind, packet in heapq.merge(*streams, key=lambda item: item[:2]):
            # A packet of a piece outlives its file, but must not be asked for its stream any more.
            packet.stream = added[packet.stream.index] if kind == _SOUND else video
            target.mux(packet)
    return whole[0]


def _pictures(pieces, time_base, last_duration):
    """(time, _PICTURE, packet) of all pieces; each lasts until the next, which not every encoder says."""
    av = check_av()

    def packets():
        for path in pieces:
            with av.open(path) as container:
                for packet in container.demux(video=0):
                    if packet.size:
                        packet.pts = packet.dts = round(packet.pts * packet.time_base / time_base)
                        packet.time_base = time_base
                        yield packet
        yield None

    with contextlib.closing(packets()) as found:
        for packet, following in itertools.pairwise(found):
            packet.duration = last_duration if following is None else following.pts - packet.pts
            yield packet.pts * time_base, _PICTURE, packet


def _sound(source, sounds, whole):
    """(time, _SOUND, packet) of the sound streams of a source, all of it where `whole` stays [True]."""
    av, now = check_av(), Fraction(0)
    packets = source.demux(*sounds)
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except av.FFmpegError:
            whole[0] = False
            return
        if packet.size:
            stamp = packet.pts if packet.dts is None else packet.dts
            now = now if stamp is None else stamp * packet.time_base
            yield now, _SOUND, packet


def _holds(ending, source, codec):
    """Whether a container takes a codec, and the sound of a source if one is given: its header is written in memory."""
    av = check_av()
    with contextlib.ExitStack() as stack:
        try:
            target = stack.enter_context(contextlib.closing(
                av.open(io.BytesIO(), "w", format=_FORMATS[ending])))
            _encoder(target, (64, 64), Fraction(25), codec, None)
            if source is not None:
                for sound in stack.enter_context(opened_video(source))[0].streams.audio:
                    _added(target, sound)
            target.start_encoding()
        except (av.FFmpegError, ValueError):
            return False
    return True


def _encoder(container, shape, rate, codec, crf):
    """A stream that encodes yuv420p in BT.709, limited range."""
    name, options, usual = _ENCODERS[codec]
    stream = container.add_stream(name, rate=rate)
    stream.height, stream.width = (side + side % 2 for side in shape)
    stream.pix_fmt = "yuv420p"
    context = stream.codec_context
    context.options = options | {"crf": str(usual if crf is None else crf)}
    context.colorspace = context.color_primaries = context.color_trc = _BT709
    context.color_range = _LIMITED
    return stream


def _added(container, sound):
    """A stream that takes the packets of a sound stream as they are."""
    stream = container.add_stream_from_template(sound)
    stream.time_base = sound.time_base
    stream.metadata.update({k: v for k, v in sound.metadata.items() if k in ("language", "title")})
    stream.disposition = sound.disposition
    return stream


def _ending(path):
    return os.path.splitext(os.fsdecode(path))[1].lower()
