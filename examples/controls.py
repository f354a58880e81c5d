"""Makes the pictures of docs/controls.md: what each control does, by the code that is shown there.

    python examples/controls.py [NAME ...]

NAME is one of the functions below that make a sheet; without any, all are made (five minutes on two processor cores).
"""

import pathlib
import sys
import tempfile

import numpy as np
from PIL import Image, ImageOps

import tfstyle
from tfstyle import images
from tfstyle.images.frames import frames_of

HERE = pathlib.Path(__file__).parent
RESULTS = HERE / "results" / "controls"
CONTENT, STYLE = HERE / "content", HERE / "style"
GAP = 6
WIDTH = 1200  # of a sheet in px
PAN = 3  # px from frame to frame of the video


def sheet(pictures, columns):
    """Pictures cut to one shape, in rows."""
    width = (WIDTH + GAP) // columns - GAP
    height = width * 2 // 3
    rows = -(-len(pictures) // columns)
    page = Image.new("RGB", (columns * (width + GAP) - GAP, rows * (height + GAP) - GAP), "white")
    for index, picture in enumerate(pictures):
        one = ImageOps.fit(opened(picture), (width, height), Image.Resampling.LANCZOS, centering=(0.4, 0.4))
        page.paste(one, ((index % columns) * (width + GAP), (index // columns) * (height + GAP)))
    return page


def opened(picture):
    return picture.convert("RGB") if isinstance(picture, Image.Image) else Image.open(picture).convert("RGB")


def soft_disc(photo, y, x, radius, softness):
    """A mask (H, W) float32 for a photo: a white disc at (y, x), in parts of the sides, with a soft edge."""
    width, height = Image.open(photo).size
    rows, columns = np.mgrid[0:height, 0:width]
    away = np.hypot(rows - y * height, columns - x * width) / height - radius
    return np.clip(0.5 - away / softness, 0, 1).astype(np.float32)


def strength():
    photo = CONTENT / "chelsea.jpg"
    return sheet([tfstyle.stylize(photo, STYLE / "fauve.jpg", strength=s) for s in (0, 0.25, 0.5, 0.75, 1)], 5)


def style_scale():
    photo, style = CONTENT / "china.jpg", STYLE / "swirl.jpg"
    return sheet([style, *(tfstyle.stylize(photo, style, style_scale=s) for s in (0.4, 1.0, 2.0))], 4)


def color():
    photo, style = CONTENT / "china.jpg", STYLE / "fauve.jpg"
    plain = tfstyle.stylize(photo, style)
    cells = []
    for when, first in (("before", photo), ("after", style)):
        cells += [first, *(
            tfstyle.stylize(photo, style, color=how, color_when=when) for how in ("luminance", "match", "histogram")
        )]
    return sheet([cells[0], plain, *cells[1:4], cells[4], plain, *cells[5:]], 5)


def regions():
    photo = CONTENT / "chelsea.jpg"
    mask = soft_disc(photo, 0.52, 0.6, 0.42, 0.12)
    styles = [STYLE / "mosaic.jpg", STYLE / "ink.jpg"]
    return sheet([
        photo, images.to_pil(np.repeat(mask[..., None], 3, -1)), tfstyle.stylize(photo, styles[0], masks=mask),
        tfstyle.stylize(photo, styles, masks=mask),
    ], 4)


def weights():
    photo, styles = CONTENT / "coffee.jpg", [STYLE / "ink.jpg", STYLE / "fauve.jpg"]
    return sheet([tfstyle.stylize(photo, styles, weights=[1 - w, w]) for w in (0, 0.25, 0.5, 0.75, 1)], 5)


def texture():
    photo, style, fine = CONTENT / "china.jpg", STYLE / "fauve.jpg", STYLE / "mosaic.jpg"
    ask = {"method": "optimize", "size": 448}
    plain, mixed = tfstyle.stylize(photo, style, **ask), tfstyle.stylize(photo, style, texture=fine, **ask)
    return sheet([style, fine, plain, mixed], 4)


def photoreal():
    photo, evening = CONTENT / "china.jpg", CONTENT / "rocket.jpg"
    return sheet([photo, evening, tfstyle.stylize(photo, evening), tfstyle.stylize(photo, evening, photoreal=True)], 4)


def alpha():
    """A cut-out on a chessboard."""
    photo = Image.open(CONTENT / "astronaut.jpg").convert("RGB")
    cut = photo.copy()
    disc = soft_disc(CONTENT / "astronaut.jpg", 0.3, 0.44, 0.33, 0.05)
    cut.putalpha(Image.fromarray(images.to_uint8(disc)))
    y, x = np.mgrid[0:512, 0:512] // 16
    board = Image.fromarray(np.where((y + x) % 2, 255, 205).astype(np.uint8)).convert("RGBA")
    painted = tfstyle.stylize(cut, STYLE / "swirl.jpg")
    return sheet([Image.alpha_composite(board, one.convert("RGBA")) for one in (cut, painted)], 2)


def optimize():
    """The same controls by optimization."""
    photo, styles = CONTENT / "chelsea.jpg", [STYLE / "mosaic.jpg", STYLE / "ink.jpg"]
    ask = {"method": "optimize", "size": 384}
    mask = soft_disc(photo, 0.52, 0.6, 0.42, 0.12)
    return sheet([
        tfstyle.stylize(photo, styles[0], **ask), tfstyle.stylize(photo, styles[0], strength=0.5, **ask),
        tfstyle.stylize(photo, styles[0], color="luminance", **ask), tfstyle.stylize(photo, styles, masks=mask, **ask),
    ], 4)


def tiled():
    """A picture of 2560 px painted in strips: all of it, and two squares of it, pixel for pixel."""
    large = tfstyle.enlarge(CONTENT / "china.jpg")
    painted = tfstyle.stylize(large, STYLE / "swirl.jpg", size=2560, tiled="yes")
    width = (WIDTH + GAP) // 3 - GAP
    crops = [painted.crop((x, y, x + width, y + width * 2 // 3)) for x, y in ((560, 330), (1860, 700))]
    return sheet([painted, *crops], 3)


def video():
    """A frame, and how much it differs from the one before, along the motion and four times enhanced: each frame
    painted by itself, and steadied."""
    with tempfile.TemporaryDirectory() as folder:
        clip = pathlib.Path(folder) / "pan.mp4"
        write_pan(clip, CONTENT / "china.jpg")
        shown = []
        for stability in (0.0, 0.8):
            out = pathlib.Path(folder) / f"{stability}.mp4"
            tfstyle.stylize_video(clip, STYLE / "swirl.jpg", out, stability=stability)
            *_, before, frame = (one.rgb.astype(np.float32) for one in frames_of(str(out), (320, 480)))
            flicker = np.abs(frame[:, :-PAN] - before[:, PAN:])
            shown.append(images.to_pil(flicker.clip(0, 63) * 4 / 255))
        return sheet([images.to_pil(frame / 255), *shown], 3)


def write_pan(path, photo, frames=12, width=480):
    """A slow pan over a photograph with the grain of a sensor, as H.264 with 25 frames a second."""
    import av

    rng, whole = np.random.default_rng(0), images.read(photo, size=width + 40).rgb
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "16"})
        stream.width, stream.height, stream.pix_fmt = width, 320, "yuv420p"
        for number in range(frames):
            cut = whole[10:330, PAN * number:PAN * number + width]
            noisy = images.to_uint8(cut + rng.normal(0, 2 / 255, cut.shape))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(noisy, format="rgb24")))
        container.mux(stream.encode(None))


SHEETS = (strength, style_scale, color, regions, weights, texture, photoreal, alpha, tiled, video, optimize)


def main(names):
    chosen = [make for make in SHEETS if make.__name__ in (names or [one.__name__ for one in SHEETS])]
    if len(chosen) < len(names):
        sys.exit(f"There are {', '.join(one.__name__ for one in SHEETS)}.")
    RESULTS.mkdir(parents=True, exist_ok=True)
    for make in chosen:
        images.write(RESULTS / f"{make.__name__}.jpg", images.read(make()), quality=88)


if __name__ == "__main__":
    main(sys.argv[1:])
