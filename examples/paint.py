"""Paint the style pictures that ship with tfstyle: works of our own, the same at every run.

    python examples/paint.py [NAME ...] [-o DIR] [--size 720]

Each picture is a module of painting/: it sketches a scene (colors, and which way the brush goes), then paints
it with the brushes of painting/brush.py. A picture takes 6 to 20 seconds of one core. Needs NumPy, SciPy and
Pillow.
"""
import argparse
import io
import os
import tempfile
from pathlib import Path

from PIL import Image

from painting.dots import dots
from painting.fauve import fauve
from painting.ink import ink
from painting.mosaic import mosaic
from painting.swirl import swirl

PICTURES = {picture.__name__: picture for picture in (swirl, mosaic, ink, dots, fauve)}
SIZE, LEAST_SIZE = 720, 64
MOST_BYTES = 250_000  # a clone should not grow heavy with pictures


def encode(rgb):
    """uint8 (h, w, 3) to JPEG bytes, chroma 4:4:4, at quality 90, or down to 76 until they fit MOST_BYTES."""
    for quality in range(90, 75, -1):
        file = io.BytesIO()
        Image.fromarray(rgb).save(file, "JPEG", quality=quality, subsampling=0, optimize=True,
                                  progressive=True)
        if file.tell() <= MOST_BYTES:
            break
    return file.getvalue()


def write(path, data):
    """Write the bytes beside the path, then move them there: a picture is whole or not there at all."""
    handle, part = tempfile.mkstemp(dir=path.parent, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.chmod(part, 0o644)
        os.replace(part, path)
    except BaseException:
        os.unlink(part)
        raise


def main(arguments=None):
    """Paint the pictures named on the command line, all of them by default."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME",
                        help=f"one of {', '.join(PICTURES)}; all by default")
    parser.add_argument("-o", "--output", type=Path, default=Path(__file__).parent / "style", metavar="DIR",
                        help="folder to paint into (default: examples/style)")
    parser.add_argument("--size", type=int, default=SIZE, help=f"long side in pixels (default: {SIZE})")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.names if name not in PICTURES]
    if unknown:
        parser.error(f"no picture is called {unknown[0]!r}; there are {', '.join(PICTURES)}")
    if options.size < LEAST_SIZE:
        parser.error(f"--size must be at least {LEAST_SIZE}; received {options.size}")
    options.output.mkdir(parents=True, exist_ok=True)
    for name in options.names or PICTURES:
        path = options.output / f"{name}.jpg"
        data = encode(PICTURES[name](options.size))
        write(path, data)
        print(f"{path}  {len(data) / 1000:.0f} kB", flush=True)


if __name__ == "__main__":
    main()
