"""Measures stylized pictures by `tfstyle.metrics.Evaluator`; prints one JSON line a case.

    python benchmarks/quality.py pairs [--content-dir C --style-dir S] [--out DIR]  every content in every style
    python benchmarks/quality.py curve [--strengths 0,0.25,0.5,0.75,1]             the same at several strengths
    python benchmarks/quality.py files --triples CSV                               pictures of any origin
    python benchmarks/quality.py time [--repeat 9]                                 seconds a picture of 512x384

`pairs` and `curve` take --model, --strength, --size, --style-size and --precision for `tfstyle.ArbitraryStylizer`, and
--limit N for N pairs, in which every content and every style comes as often as any other. Pictures are written as PNG
(under --out, else for the time of the run) and measured from there, at --eval-size. CSV has the columns content, style
and stylized; relative paths are taken from its folder, other columns are handed through. --verbose adds a line a pair.

Figures are means over the pairs. Seconds are medians: in `pairs` from the content's file to the finished picture, the
style's code known or not; in `time` from an array of the final size to a PIL image. `peak_mib` is the peak memory of
this process before anything is measured. `others` is the share of the processors' time that went to other processes.
"""

import argparse
import contextlib
import csv
import os
import pathlib
import platform
import resource
import statistics
import sys
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from gatys import EXAMPLES, PICTURES, Quiet, tell  # beside this script

STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)


def pairs(arguments):
    """Means at one strength."""
    with _folder(arguments.out) as folder:
        painted = paint(arguments, [arguments.strength], folder)[0]
        _tell_means("pairs", painted, arguments, strength=arguments.strength)


def curve(arguments):
    """Means at every strength; what is painted at all of them is painted before anything is measured."""
    with _folder(arguments.out) as folder:
        for strength, painted in zip(arguments.strengths, paint(arguments, arguments.strengths, folder), strict=True):
            _tell_means("curve", painted, arguments, strength=strength)


def files(arguments):
    """Means over given pictures. A row that cannot be measured is told and left out, and the exit status is 1."""
    if not arguments.triples:
        raise SystemExit("files needs --triples CSV, with the columns content, style and stylized.")
    table = pathlib.Path(arguments.triples)
    with open(table, newline="", encoding="utf-8") as file:
        rows = [{name: value for name, value in row.items() if name} for row in csv.DictReader(file)]
    missing = {"content", "style", "stylized"} - (rows[0].keys() if rows else set())
    if missing:
        raise SystemExit(f"{table} needs rows, and in its first line the columns content, style and stylized.")
    if _tell_means("files", {"rows": rows, "base": table.parent}, arguments):
        sys.exit(1)


def seconds(arguments):
    """Seconds a picture with the style's code known and with a style never seen, both 512x384, in memory."""
    import numpy as np

    content, style = (_array(path, (384, 512)) for path in chosen(arguments)[0])
    stylizer = _stylizer(arguments)
    settings = {"strength": arguments.strength, "size": 512, "style_size": arguments.style_size}
    code = stylizer.style_code(style, style_size=arguments.style_size or 512)
    stylizer.stylize(content, code, **settings)  # compiles
    known, new = [], []
    with Quiet() as quiet:
        for turn in range(1, arguments.repeat + 1):
            known.append(timed(lambda: stylizer.stylize(content, code, **settings)))
            unseen = np.roll(style, turn, axis=1)
            new.append(timed(lambda style=unseen: stylizer.stylize(content, style, **settings)))
    tell("time", size="512x384", model=arguments.model, precision=arguments.precision, strength=arguments.strength,
         known_style=median(known), known_style_least=round(min(known), 4), new_style=median(new),
         new_style_least=round(min(new), 4), repeat=arguments.repeat, peak_mib=_peak(), others=quiet.others,
         **machine())


def chosen(arguments):
    """[(content, style)] paths: all pairs, or as many as --limit says, spread over both folders."""
    sides = [
        sorted(p for p in pathlib.Path(folder or EXAMPLES / kind).iterdir() if p.suffix.lower() in PICTURES)
        for kind, folder in (("content", arguments.content_dir), ("style", arguments.style_dir))
    ]
    contents, styles = sides
    if not (contents and styles):
        raise SystemExit(f"There are no pictures ({', '.join(PICTURES)}) in one of the two folders.")
    if any(len({path.stem for path in side}) < len(side) for side in sides):
        raise SystemExit("Two pictures of one folder differ in nothing but their endings: rename one.")
    # Diagonals of the grid, each of which meets every content once.
    grid = [(c, (c + shift) % len(styles)) for shift in range(len(styles)) for c in range(len(contents))]
    return [(contents[c], styles[s]) for c, s in sorted(grid[:arguments.limit])]


def paint(arguments, strengths, folder):
    """Paints the chosen pairs at each strength into `folder`.

    Returns:
        One dict a strength: "rows" as of a table of triples, and the figures of the machine.
    """
    grid = chosen(arguments)
    stylizer = _stylizer(arguments)
    codes, encoding = {}, {}
    shown = arguments.style_size or arguments.size  # as `stylize` has it
    settings = {"size": arguments.size, "style_size": shown}
    stylizer.style_code(grid[0][1], style_size=shown)  # compiles
    for style in dict.fromkeys(style for _, style in grid):
        start = time.perf_counter()
        codes[style] = stylizer.style_code(style, style_size=shown)
        encoding[style] = time.perf_counter() - start
    painted = []
    for strength in strengths:
        stylizer.stylize(*grid[0], strength=strength, **settings)  # compiles
        rows, known, new = [], [], []
        with Quiet() as quiet:
            for content, style in grid:
                ending = f"__{strength:g}.png" if len(strengths) > 1 else ".png"
                out = folder / f"{content.stem}__{style.stem}{ending}"
                start = time.perf_counter()
                picture = stylizer.stylize(content, codes[style], strength=strength, **settings)
                known.append(time.perf_counter() - start)
                new.append(known[-1] + encoding[style])
                picture.convert("RGB").save(out)
                rows.append({"content": str(content), "style": str(style), "stylized": str(out)})
        painted.append({
            "rows": rows, "known_style": median(known), "new_style": median(new), "peak_mib": _peak(),
            "others": quiet.others,
        })
    return painted


def measured(rows, base, size):
    """(row, its figures or {"error": sentence}), content by content, as the evaluator likes it."""
    from tfstyle.metrics import Evaluator

    evaluator = Evaluator(size)
    for row in sorted(rows, key=lambda row: str(row["content"])):
        try:
            yield row, evaluator(*(pathlib.Path(base, row[key]) for key in ("content", "style", "stylized")))
        except Exception as error:  # one bad row must not hide the others
            yield row, {"error": f"{type(error).__name__}: {error}"}


def means(told):
    """Means of all numbers of all rows, through nested dicts; 6 significant digits."""
    found = {}
    for name, value in told[0].items():
        if isinstance(value, dict):
            found[name] = means([row[name] for row in told])
        elif isinstance(value, float):
            found[name] = _short(statistics.fmean(row[name] for row in told))
    return found


def machine():
    """The processor, its cores that this process may use, and the backend."""
    import keras

    name = platform.processor()
    with contextlib.suppress(OSError):
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
        name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), name)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"machine": f"{name}, {cores} cores", "backend": keras.backend.backend(), "keras": keras.__version__}


def _tell_means(case, painted, arguments, **more):
    """One line of means over the rows that could be measured; returns how many could not."""
    good, failed = [], 0
    for row, found in measured(painted.pop("rows"), painted.pop("base", "."), arguments.eval_size):
        failed += "error" in found
        if "error" not in found:
            good.append(found)
        if arguments.verbose or "error" in found:
            tell(**row | more | _short(found) | {"case": "failed" if "error" in found else "pair"})
    if case != "files":
        more |= {"model": arguments.model, "precision": arguments.precision, "size": arguments.size,
                 "style_size": arguments.style_size}
    figures = means(good) if good else {}
    tell(case, count=len(good), failed=failed, eval_size=arguments.eval_size, **more, **figures, **painted, **machine())
    return failed


def _stylizer(arguments):
    import tfstyle

    return tfstyle.ArbitraryStylizer(model=arguments.model, precision=arguments.precision)


def _array(path, shape):
    from tfstyle import images

    return images.resize(images.to_uint8(images.read(path).rgb), shape)


@contextlib.contextmanager
def _folder(out):
    """The folder for painted pictures, made if need be; a temporary one if none is named."""
    if out:
        pathlib.Path(out).mkdir(parents=True, exist_ok=True)
        yield pathlib.Path(out)
        return
    with tempfile.TemporaryDirectory() as scratch:
        yield pathlib.Path(scratch)


def timed(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def median(values):
    return round(statistics.median(values), 4)


def _peak():
    kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(kib / (2**20 if sys.platform == "darwin" else 2**10))


def _short(value):
    if isinstance(value, dict):
        return {name: _short(part) for name, part in value.items()}
    return float(f"{value:.6g}") if isinstance(value, float) else value


def _count(text):
    if not (text.isdecimal() and int(text)):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1")
    return int(text)


def _strengths(text):
    try:
        return [float(word) for word in text.split(",")]
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no list of numbers such as 0,0.5,1") from error


def main(words=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("case", choices=("pairs", "curve", "files", "time"))
    parser.add_argument("--content-dir", help="photographs (default: the examples')")
    parser.add_argument("--style-dir", help="paintings (default: the examples')")
    parser.add_argument("--triples", help="CSV of `files`")
    parser.add_argument("--model", default="default")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--strength", type=float, default=1.0)
    parser.add_argument("--strengths", type=_strengths, default=list(STRENGTHS))
    parser.add_argument("--size", type=int, default=512, help="long side that is painted, in px")
    parser.add_argument("--style-size", type=int)
    parser.add_argument("--eval-size", type=int, default=512, help="long side that is measured, in px")
    parser.add_argument("--out", help="folder for the painted pictures")
    parser.add_argument("--limit", type=_count, help="how many pairs (default: all)")
    parser.add_argument("--repeat", type=_count, default=9)
    parser.add_argument("--verbose", action="store_true", help="one line a pair")
    arguments = parser.parse_args(words)
    {"pairs": pairs, "curve": curve, "files": files, "time": seconds}[arguments.case](arguments)


if __name__ == "__main__":
    main()
