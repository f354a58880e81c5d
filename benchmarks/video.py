"""Measures `tfstyle.stylize_video`: frames a second and flicker, steadied and frame by frame; prints one JSON line.

    python benchmarks/video.py [--size 320] [--frames 48] [--style S] [--stability 0.8] [--noise 2] [--keep OUT.mp4]

The video is made here: a slow pan and zoom over a photograph, before which another one passes, with the grain of a
sensor (--noise, standard deviation of 0..255), as H.264 at 25 frames a second. `flicker` is the warp error of
`tfstyle.metrics.flicker`; `crispness` is the mean variation of the steadied frames over that of the same frames painted
one by one: 1 where nothing is washed out.
"""

import argparse
import os
import pathlib
import shutil
import statistics
import tempfile
import time
from fractions import Fraction

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from gatys import EXAMPLES, Quiet, tell  # beside this script
from quality import machine

RATE = 25


def frames(count, width, noise, seed=0):
    """Yields (H, W, 3) uint8."""
    import cv2

    from tfstyle import images

    photo = images.read(EXAMPLES / "content" / "china.jpg").rgb
    passing = images.read(EXAMPLES / "content" / "chelsea.jpg", size=width * 3 // 10).rgb
    height, rng = width * 3 // 16 * 4, np.random.default_rng(seed)
    for number in range(count):
        at = number / count
        scale = (0.65 + 0.12 * at) * photo.shape[1] / width / 2  # at twice the sides, which are halved after
        corner = photo.shape[1] * (0.42 + 0.16 * at) - scale * width, photo.shape[0] * 0.5 - scale * height
        matrix = np.float32([[scale, 0, corner[0]], [0, scale, corner[1]]])
        how = {"flags": cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP, "borderMode": cv2.BORDER_REFLECT}
        frame = cv2.warpAffine(photo, matrix, (2 * width, 2 * height), **how)
        frame = cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA)
        left, top = round(0.05 * width + 0.7 * at * width), round(0.4 * height + 0.1 * height * np.sin(9 * at))
        part = frame[top:top + passing.shape[0], left:left + passing.shape[1]]
        part[:] = passing[:part.shape[0], :part.shape[1]]
        yield images.to_uint8(frame + rng.normal(0, noise / 255, frame.shape))


def write(path, pictures):
    import av

    with av.open(path, "w") as container:
        for number, picture in enumerate(pictures):
            if not number:
                stream = container.add_stream("libx264", rate=RATE, options={"crf": "16"})
                stream.height, stream.width = picture.shape[:2]
                stream.pix_fmt = "yuv420p"
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def crispness(path):
    """Mean variation of the frames of a video."""
    from tfstyle.images.frames import clip_of, frames_of
    from tfstyle.metrics import mean_variation

    clip = clip_of(path)
    return statistics.fmean(mean_variation(frame.rgb) for frame in frames_of(path, (clip.height, clip.width)))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=320, help="width in px")
    parser.add_argument("--frames", type=int, default=48)
    parser.add_argument("--style", type=pathlib.Path, default=EXAMPLES / "style" / "swirl.jpg")
    parser.add_argument("--stability", type=float, default=0.8)
    parser.add_argument("--noise", type=float, default=2.0)
    parser.add_argument("--keep", metavar="OUT.mp4", help="keep the steadied video")
    arguments = parser.parse_args()

    from tfstyle.movie import loop as movie

    with tempfile.TemporaryDirectory() as folder:
        source, warm, alone, held = (os.path.join(folder, f"{name}.mp4") for name in ("in", "warm", "alone", "held"))
        write(source, frames(2, arguments.size, arguments.noise))
        movie.stylize_video(source, arguments.style, warm)  # compiles
        write(source, frames(arguments.frames, arguments.size, arguments.noise))
        rates = {}
        with Quiet() as quiet:
            for name, path, options in (("alone", alone, {"stability": 0.0}), ("held", held, {
                    "stability": arguments.stability, "report": True})):
                start = time.perf_counter()
                result = movie.stylize_video(source, arguments.style, path, **options)
                rates[name] = round(arguments.frames / (time.perf_counter() - start), 2)
        crisp = crispness(held) / crispness(alone)
        if arguments.keep:
            shutil.copyfile(held, arguments.keep)
    tell("video", size=f"{result.width}x{result.height}", frames=result.frames, style=arguments.style.stem,
         stability=arguments.stability, frames_a_second=rates["held"], frames_a_second_alone=rates["alone"],
         flicker=round(result.flicker, 4), flicker_frame_by_frame=round(result.flicker_frame_by_frame, 4),
         crispness=round(crisp, 3), others=quiet.others, **machine())


if __name__ == "__main__":
    main()
