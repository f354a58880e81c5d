"""Little videos for tests: a square that moves over a texture, a tone, any times."""

from fractions import Fraction

import av
import numpy as np

TICK = Fraction(1, 12800)
UNEVEN = (0, 500, 1000, 1700, 2000, 2900, 3000, 3300, 4400, 5000)
RATE = 48000


def pictures(count=10, size=(64, 48)):
    """(count, H, W, 3) uint8."""
    width, height = size
    y, x = np.mgrid[0:height, 0:width]
    texture = 128 + 50 * np.sin(0.5 * x[..., None] + [0, 0.2, 0.4]) * np.cos(0.4 * y[..., None])
    found = np.repeat(texture[None], count, axis=0)
    for number, picture in enumerate(found):
        picture[10:26, 5 + 3 * number:21 + 3 * number] = (220, 60, 30)
    return np.uint8(found)


def write(path, frames=None, times=UNEVEN, time_base=TICK, sounds=("aac",), codec="libx264", crf="10", rotation=None,
          first_sample=0, tags=None, pixels="yuv420p", space="ITU601", span="MPEG", ratio=None, plain=False):
    """A video of `frames` (N, H, W, 3) uint8 at `times`, with half a second of a tone for each of `sounds`."""
    frames = pictures(len(times)) if frames is None else frames
    with av.open(str(path), "w") as container:
        video = container.add_stream(codec, rate=25)
        video.height, video.width = frames.shape[1:3]
        video.pix_fmt, video.time_base = pixels, time_base
        context = video.codec_context
        context.time_base, context.options = time_base, {"crf": crf} if codec.startswith("lib") else {}
        if codec == "libvpx-vp9":
            context.options = {"crf": "20", "b": "0", "cpu-used": "8"}
        if plain:
            context.options |= {"bf": "0", "g": "5"}
        for name, value in (tags or {}).items():
            setattr(context, name, value)
        if ratio is not None:
            context.sample_aspect_ratio = ratio
        if rotation is not None:
            video.set_display_rotation(*rotation)
        tones = [container.add_stream(sound, rate=RATE, layout="mono") for sound in sounds]
        for rgb, time in zip(frames, times, strict=True):
            frame = av.VideoFrame.from_ndarray(rgb, format="rgb24")
            frame = frame.reformat(format=pixels, dst_colorspace=space, dst_color_range=span)
            frame.pts, frame.time_base = time, time_base
            container.mux(video.encode(frame))
        for tone in tones:
            _sound(container, tone, first_sample)
        for stream in (video, *tones):
            container.mux(stream.encode(None))
    return path


def _sound(container, tone, first_sample):
    step = tone.codec_context.frame_size or 960
    wave = np.sin(0.05 * np.arange(step * (RATE // 2 // step)))
    scale = {"s16": (20000, np.int16), "s32": (2**30, np.int32)}.get(tone.format.name.rstrip("p"), (0.5, np.float32))
    for start in range(0, len(wave), step):
        samples = (wave[start:start + step] * scale[0]).astype(scale[1])[None]
        frame = av.AudioFrame.from_ndarray(samples, format=tone.format.name, layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE, first_sample + start, Fraction(1, RATE)
        container.mux(tone.encode(frame))


def times(path):
    """When each frame is shown, in exact seconds."""
    with av.open(str(path)) as container:
        return [frame.pts * frame.time_base for frame in container.decode(video=0)]


def frames(path):
    """(N, H, W, 3) uint8, as stored."""
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def sound(path, number=0):
    """[(exact seconds, bytes)] of the packets of a sound stream."""
    with av.open(str(path)) as container:
        return [(p.pts * p.time_base, bytes(p)) for p in container.demux(audio=number) if p.size]
