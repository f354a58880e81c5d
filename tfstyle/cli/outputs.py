"""Files beside the picture: checked before the work, and afterwards written whole or not at all."""

import io
import json
import os
import stat
import tempfile

from tfstyle.atomic import replaced
from tfstyle.checks import InputError, closest
from tfstyle.previews import parts

__all__ = ["check_file", "check_folder", "check_names", "check_plot", "plot", "trace"]

PLOTS = (".png", ".svg", ".pdf")


def check_names(pictures, written):
    """Raises `InputError` if two files to be written are one, or if one of them is an input.

    Args:
        pictures: paths of the inputs.
        written: {flag: path, or None where it was not given}.
    """
    taken = {os.path.realpath(path): f"the picture {path!r}" for path in pictures}
    for flag, path in written.items():
        if path is not None:
            other = taken.setdefault(os.path.realpath(path), flag)
            if other != flag:
                raise InputError(f"{flag} {path!r} would overwrite {other}; choose another name.")


def check_file(path, flag):
    """Raises `InputError`, before the work, unless a file can be written to `path`."""
    target = os.path.realpath(path)
    if os.path.isdir(target):
        raise InputError(f"{flag} {path!r} is a folder; name a file in it.")
    if os.path.exists(target) and not stat.S_ISREG(os.stat(target).st_mode):
        raise InputError(f"{flag} {path!r} exists and is no ordinary file; choose another name.")
    if not os.path.isdir(os.path.dirname(target)):
        raise InputError(f"{flag} {path!r}: there is no folder {os.path.dirname(target)!r}; make it first.")
    if os.path.exists(target) and not os.access(target, os.W_OK):
        raise InputError(f"{flag} {path!r} exists and is write-protected; choose another name.")
    _check_writable(os.path.dirname(target), f"{flag} {path!r}")


def check_folder(path, flag, make=True):
    """Makes a folder, unless it is there, and raises `InputError` unless files can be written into it.

    Args:
        path: of the folder.
        flag: that names it.
        make: False makes none, and looks at what is there of the folders above it.
    """
    while not make and path and not os.path.lexists(path):
        path = os.path.dirname(path)
    path = path or "."
    try:
        os.makedirs(path, exist_ok=True)
    except OSError as error:
        why = error.strerror
        raise InputError(f"{flag} {path!r} cannot be made ({why}); choose another folder.") from None
    _check_writable(path, f"{flag} {path!r}")


def check_plot(path, flag):
    """Like `check_file`, and raises `InputError` for other formats, and where matplotlib is missing."""
    kind = os.path.splitext(path)[1].lower()
    if kind not in PLOTS:
        near = closest(kind, PLOTS) if kind else None
        what = f"has the unknown extension {kind!r}" if kind else "has no extension"
        hint = f"; did you mean {near!r}?" if near else "."
        raise InputError(f"{flag} {path!r} {what}; use one of {', '.join(PLOTS)}{hint}")
    try:
        import matplotlib.figure  # noqa: F401  its import is the question
    except ImportError:
        raise InputError(f"{flag} needs matplotlib: pip install 'tfstyle[plot]'.") from None
    check_file(path, flag)


def _check_writable(folder, label):
    try:
        with tempfile.TemporaryFile(dir=folder or "."):
            pass
    except OSError as error:
        raise InputError(f"{label} cannot be written ({error.strerror}); choose another place.") from None


def _write_whole(path, data, flag):
    """A file of these bytes, whole or not at all."""
    try:
        with replaced(path) as beside, open(beside, "xb") as file:
            file.write(data)
    except OSError as error:
        raise InputError(f"{flag} {path!r} could not be written ({error.strerror}).") from None


def trace(path, told):
    """Writes `told` as one JSON document."""
    _write_whole(path, (json.dumps(told, indent=1) + "\n").encode(), "--trace")


def plot(path, records):
    """The weighted losses against the seconds, on a logarithmic scale, with a mark where each size starts.

    Args:
        path: file in a format that matplotlib writes.
        records: list of dicts, `Record.as_dict` of every step.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    steps = [record for record in records if not record.get("final")]
    figure = Figure(figsize=(8, 5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot(xlabel="seconds", ylabel="weighted loss", yscale="log")
    scales = list(dict.fromkeys(record["scale"] for record in steps))
    colors = {"total": "black", "content": "tab:blue", "style": "tab:orange", "tv": "tab:green"}
    sums = [(record["scale"], record["seconds"], parts(record["weighted"])) for record in steps]
    for kind, color in colors.items():
        label = kind
        for scale in scales:  # a curve for each: losses at two sizes do not compare
            points = [(seconds, sum_[kind]) for its, seconds, sum_ in sums if its == scale and sum_[kind] > 0]
            if points:
                marker = "." if len(steps) < 50 else None
                axes.plot(*zip(*points, strict=True), label=label, color=color, marker=marker)
                label = None
    for scale in scales:
        start = next(record["seconds"] for record in steps if record["scale"] == scale)
        axes.axvline(start, color="0.8", linewidth=1, zorder=0)
        axes.annotate(f" {scale} px", (start, 1), xycoords=("data", "axes fraction"), va="top")
    if axes.get_legend_handles_labels()[1]:
        axes.legend()
    data = io.BytesIO()
    figure.savefig(data, format=os.path.splitext(path)[1][1:].lower(), dpi=120)
    _write_whole(path, data.getvalue(), "--plot")
