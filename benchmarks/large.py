"""Large pictures strip by strip beside pictures of 512 px that go through whole; prints one JSON line a size.

    python benchmarks/large.py                           2048x1536, 4000x3000 and 8000x6000, in bfloat16
    python benchmarks/large.py --sizes 2048 --compare    its error beside the whole network's result, too
    python benchmarks/large.py --front                   tfstyle.stylize, from file to picture, style and all

Each size runs in a process of its own, because a process never tells that its memory has shrunk. `ratio` is the time
of a pixel by that of a 512x384 picture through the whole network (warm, median), `cpu_ratio` the same in processor
time, which other work on the machine changes less.
"""

import argparse
import json
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
from PIL import Image

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
EXAMPLES = pathlib.Path(__file__).resolve().parents[1] / "examples"
STYLE = str(EXAMPLES / "style" / "swirl.jpg")
# In a process of its own, since looking at a style takes memory, too.
CODE = "import sys, numpy, tfstyle; numpy.save(sys.argv[2], tfstyle.ArbitraryStylizer().style_code(sys.argv[1]))"
RUNS = 9  # of the picture of 512 px


def photograph(width, height):
    """A photograph enlarged, with noise as a camera has it: (height, width, 3) uint8."""
    with Image.open(EXAMPLES / "content" / "china.jpg") as file:
        picture = np.array(file.convert("RGB").resize((width, height), Image.Resampling.LANCZOS))
    random = np.random.default_rng(0)
    for rows in np.array_split(picture, max(1, height // 64)):
        rows[:] = np.clip(rows + random.normal(0, 2, rows.shape), 0, 255)
    return picture


def measure(width, args):
    """One size, as a dict."""
    height = width * 3 // 4
    picture, painted = photograph(width, height), np.empty((height, width, 3), np.uint8)

    import tensorflow as tf

    from tfstyle import images, strips
    from tfstyle.machine import limit_arenas
    from tfstyle.nets import arbitrary_weights

    limit_arenas()
    network = arbitrary_weights.load("default", "mixed_bfloat16" if args.precision == "bfloat16" else "float32")[1]
    code = np.load(args.code)[None]
    options = {"memory": None if args.memory is None else args.memory * 2**20, "rows": args.rows}
    for _ in strips.painted_rows(network, picture[:64, :64], (code,)):  # makes ready what is made once
        pass
    loaded, whole = _peak_mib(), np.empty((height, width, 3), np.float32) if args.compare else None

    def paint():
        for top, rows in strips.painted_rows(network, picture, (code,), **options):
            painted[top:top + len(rows)] = images.to_uint8(rows)
            if whole is not None:
                whole[top:top + len(rows)] = rows

    seconds, cpu = _timed(paint)
    found = {"pixels": f"{width}x{height}", "precision": args.precision, "seconds": round(seconds, 2)}
    found |= {"peak_mib": _peak_mib(), "loaded_mib": loaded}
    for name, estimate in (("strips_mib", strips.peak), ("scratch_mib", strips.scratch_bytes)):
        kept = {key: value for key, value in options.items() if key != "rows" or estimate is strips.peak}
        found[name] = round(estimate(network, height, width, **kept) / 2**20)
    through = tf.function(
        lambda images, codes: network([images, codes]),
        input_signature=[tf.TensorSpec((None, None, None, 3)), tf.TensorSpec((None, code.shape[1]))],
    )
    small = photograph(512, 384)[None] / np.float32(255)
    times = [_timed(lambda: through(small, code).numpy()) for _ in range(1 + RUNS)][1:]
    for name, mine, theirs in zip(("ratio", "cpu_ratio"), (seconds, cpu), zip(*times, strict=True), strict=True):
        found[name] = round(mine / (width * height) / (statistics.median(theirs) / (512 * 384)), 2)
    if args.compare:
        error = 255 * np.abs(through(picture[None] / np.float32(255), code).numpy()[0] - whole)
        found |= {"mean_error_of_255": round(float(error.mean()), 3), "max_error_of_255": round(float(error.max()), 2)}
    if args.keep:
        Image.fromarray(painted).save(args.keep)
    return found


def front(width, args):
    """The same through `tfstyle.stylize`: the file read, the style looked at, and a PIL image made."""
    import tfstyle

    start = time.perf_counter()
    painted = tfstyle.stylize(args.photo, STYLE, size=None, precision=args.precision)
    seconds = round(time.perf_counter() - start, 2)
    told = {"pixels": f"{width}x{painted.height}", "precision": args.precision, "front_door": True}
    return told | {"seconds": seconds, "peak_mib": _peak_mib()}


def _timed(function):
    """(seconds, processor seconds) that a call takes."""
    start = time.perf_counter(), time.process_time()
    function()
    return time.perf_counter() - start[0], time.process_time() - start[1]


def _peak_mib():
    """The most memory that this process has had, on Linux."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[2048, 4000, 8000], help="long sides in pixels, of 4:3")
    parser.add_argument("--precision", choices=("bfloat16", "float32"), default="bfloat16")
    parser.add_argument("--compare", action="store_true", help="paint the picture whole, too")
    parser.add_argument("--memory", type=int, help="MiB for feature maps")
    parser.add_argument("--rows", type=int, help="rows of a strip")
    parser.add_argument("--front", action="store_true", help="measure tfstyle.stylize as a whole")
    parser.add_argument("--keep", help="file for the painted picture")
    parser.add_argument("--code", help=argparse.SUPPRESS)
    parser.add_argument("--photo", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.code or args.photo:
        print(json.dumps((front if args.photo else measure)(args.sizes[0], args)), flush=True)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        code, photo = os.path.join(folder, "code.npy"), os.path.join(folder, "photo.jpg")
        result = subprocess.run([sys.executable, "-c", CODE, STYLE, code], check=False).returncode
        for size in args.sizes:
            given = ["--photo", photo] if args.front else ["--code", code]
            if args.front:
                Image.fromarray(photograph(size, size * 3 // 4)).save(photo, quality=92)
            again = [sys.executable, __file__, *sys.argv[1:], "--sizes", str(size), *given]
            result = result or subprocess.run(again, check=False).returncode
    return result


if __name__ == "__main__":
    sys.exit(main())
