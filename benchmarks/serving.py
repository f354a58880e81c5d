"""SavedModels in the session that TensorFlow Serving runs them in; prints one JSON line a case.

    python benchmarks/serving.py sizes saved_models/arbitrary/1 --sizes 256 512 1024 2048   time and memory by picture size
    python benchmarks/serving.py sizes saved_models/gatys/1 --sizes 256 512 --runs 1
    python benchmarks/serving.py ratio saved_models/arbitrary/1                             beside the call in Python

`sizes` measures each in a process of its own, because a process never tells that its memory has shrunk. `ratio` takes
turns between the graph and `tfstyle.ArbitraryStylizer` or `tfstyle.gatys.optimize` in the same precision, and tells the
medians and their quotient. The optimizer makes ten evaluations at each scale.
"""

import argparse
import json
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import time

STEPS = 10  # evaluations at each scale of the optimizer
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def measure(path, size, batch, runs):
    """One size.

    Args:
        path: folder of the SavedModel's version.
        size: long side of content and style in pixels; the other is three quarters of it.
        batch: pictures in one call.
        runs: calls that are timed, after one that is not.

    Returns:
        Dict: pixels, batch, seconds of the median call, first_seconds of the one that is not timed, peak_mib of the
        process, loaded_mib before the first call.
    """
    import numpy as np

    from tfstyle.export.loaders import in_session

    random = np.random.default_rng(0)
    shape = (batch, size * 3 // 4, size, 3)
    pictures = {name: random.random(shape, np.float32) for name in ("content_image", "style_image")}
    signature = "serving_default"
    if _card(path)["name"] == "gatys":
        signature = "optimize"
        pictures |= {f"{kind}_weight": np.ones(batch, np.float32) for kind in ("content", "style", "tv")}
        pictures["steps"] = np.full(batch, STEPS, np.int32)
    with in_session(path) as call:
        loaded, seconds = _peak_mib(), []
        for _ in range(1 + runs):
            start = time.perf_counter()
            call(signature, **pictures)
            seconds.append(time.perf_counter() - start)
    return {
        "pixels": f"{shape[2]}x{shape[1]}", "batch": batch, "seconds": round(statistics.median(seconds[1:]), 3),
        "first_seconds": round(seconds[0], 3), "peak_mib": _peak_mib(), "loaded_mib": loaded,
    }


def _card(path):
    return json.loads((pathlib.Path(path) / "assets.extra" / "card.json").read_text())


def _peak_mib():
    """The most memory that this process has had, on Linux."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def sizes(args):
    """`measure` for each size, a line each; the exit code."""
    if len(args.sizes) == 1:
        print(json.dumps({"model": args.model} | measure(args.model, args.sizes[0], args.batch, args.runs)))
        return 0
    for size in args.sizes:
        again = [sys.executable, __file__, "sizes", args.model, "--sizes", str(size), "--batch", str(args.batch),
                 "--runs", str(args.runs)]
        code = subprocess.run(again, check=False).returncode
        if code:
            return code
    return 0


def ratio(args):
    """The graph beside the call in Python, a line a case."""
    import numpy as np

    from tfstyle import ArbitraryStylizer
    from tfstyle.export.loaders import in_session
    from tfstyle.gatys import GatysSettings, optimize

    card = _card(args.model)
    random, size = np.random.default_rng(0), args.sizes[0]
    content, style = random.random((2, 1, size * 3 // 4, size, 3), np.float32)
    with in_session(args.model) as call:
        if card["name"] == "gatys":
            weights = {f"{kind}_weight": np.float32([1]) for kind in ("content", "style", "tv")}
            settings = GatysSettings(size=None, steps=(STEPS,), precision="float32")
            cases = {f"{STEPS} evaluations at each scale": (
                lambda: call("optimize", content_image=content, style_image=style, steps=np.int32([STEPS]), **weights),
                lambda: optimize(content[0], [style[0]], settings),
            )}
        else:
            stylizer = ArbitraryStylizer(precision=card["precision"])
            code = stylizer.style_code(style[0], size)[None]
            strengths = np.float32([0.5])
            cases = {
                "new style": (lambda: call("serving_default", content_image=content, style_image=style),
                              lambda: stylizer.stylize_batch(content, stylizer.style_code(style[0], size)[None])),
                "style known": (lambda: call("stylize_code", content_image=content, style_code=code),
                                lambda: stylizer.stylize_batch(content, code)),
                "strength 0.5": (
                    lambda: call("stylize", content_image=content, style_image=style, strength=strengths),
                    lambda: stylizer.stylize_batch(content, stylizer.style_code(style[0], size)[None], 0.5),
                ),
            }
        for name, functions in cases.items():
            graph, python = _medians(functions, args.runs)
            print(json.dumps({"model": args.model, "case": name, "pixels": f"{size}x{size * 3 // 4}",
                              "graph_seconds": round(graph, 3), "python_seconds": round(python, 3),
                              "ratio": round(graph / python, 3)}))
    return 0


def _medians(functions, runs):
    """Median seconds of each, taking turns."""
    seconds = [[] for _ in functions]
    for _ in range(1 + runs):
        for function, found in zip(functions, seconds, strict=True):
            start = time.perf_counter()
            function()
            found.append(time.perf_counter() - start)
    return [statistics.median(found[1:]) for found in seconds]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("mode", choices=("sizes", "ratio"))
    parser.add_argument("model", help="saved_models/<name>/<version>")
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=[512], help="long sides in pixels; ratio takes the first"
    )
    parser.add_argument("--batch", type=int, default=1, help="pictures in one call (sizes)")
    parser.add_argument("--runs", type=int, default=5, help="calls that are timed")
    args = parser.parse_args()
    return {"sizes": sizes, "ratio": ratio}[args.mode](args)


if __name__ == "__main__":
    sys.exit(main())
