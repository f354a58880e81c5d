"""What paints the pictures of a batch, on this machine or as an actor on another.

An actor's process has Ray, this does not need it. Nothing here imports TensorFlow before a `Worker` is made.
"""

import dataclasses
import importlib.metadata
import json
import os
import socket
import time

from tfstyle import atomic
from tfstyle.batch.attempts import Attempt
from tfstyle.batch.manifest import DONE, FAILED
from tfstyle.checks import InputError
from tfstyle.folder import Painting, fault_of, pairs_painter
from tfstyle.pipeline import FAULTS
from tfstyle.version import __version__

__all__ = ["ALIKE", "FULL", "REFUSED", "Order", "Worker", "lines_painter", "versions"]

REFUSED, FULL = "refused", "full"  # besides DONE and FAILED, what a line from an actor may say: none of one picture
_DEADLY = "the process that painted it died each time, as it does where memory runs out; use a smaller size."
ALIKE = 20  # defects of one kind in a row, after which it is hardly the pictures' fault


def versions():
    """{package: version, or None where it is not there under a name that we know} of what decides how pictures look."""
    return {
        "tfstyle": __version__, "keras": _version("keras"),
        "tensorflow": _version("tensorflow") or _version("tensorflow-cpu"),
    }


def _version(package):
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def lines_painter(painting, root, output, threads=None):
    """Builds the network, for any number of pictures.

    Args:
        painting: `tfstyle.folder.Painting`.
        root, output: folders of the photos and of the results.
        threads: as `tfstyle.folder.pairs_painter` takes them.

    Returns:
        paint(pairs, tell): pairs are (photo, result) relative to their folders; tell(line, is_full) is called with the
        manifest's line of each, and whether the disk takes no more; it returns True to stop. `seconds` of a line are
        those that have gone by since the last one. It raises `InputError` once `ALIKE` pictures in a row, of this
        call and of those before, have failed by one kind of defect.
    """
    paint_pairs = pairs_painter(painting, threads, faults=Exception)
    kind, count = None, 0

    def paint(pairs, tell):
        before, is_hopeless = time.perf_counter(), False

        def told(task, error):
            nonlocal before, kind, count, is_hopeless
            _check_no_end(error)
            now = time.perf_counter()
            sentence, is_full = fault_of(error)
            if error is None:
                count = 0
            elif not isinstance(error, FAULTS):  # these say nothing of the next picture
                kind, count = type(error), count + 1 if type(error) is kind else 1
                is_hopeless = is_hopeless or count >= ALIKE
            line = {
                "photo": task[2], "result": task[3], "state": DONE if error is None else FAILED, "sentence": sentence,
                "seconds": round(now - before, 4),
            }
            before = now
            return tell(line, is_full) or is_full or is_hopeless

        paint_pairs(
            ((os.path.join(root, photo), os.path.join(output, result), photo, result) for photo, result in pairs), told
        )
        if is_hopeless:
            raise InputError(
                f"{ALIKE} pictures in a row have failed by {kind.__name__}, of which the manifest tells more; mend "
                "that, and the same command goes on."
            )

    return paint


def _check_no_end(error):
    """Raises the Ctrl-C again that a library has made another exception of."""
    while error is not None:
        if isinstance(error, (KeyboardInterrupt, SystemExit)):
            raise error
        error = error.__cause__ or error.__context__


@dataclasses.dataclass(frozen=True)
class Order:
    """All that an actor needs to know, small enough to be sent to each."""

    painting: Painting  # styles and texture being bytes or arrays: no file is read for them
    root: str
    output: str
    threads: int
    versions: dict
    mark: str = ""  # as `tfstyle.atomic.mark` takes it


class Worker:
    """An actor: the network and the codes of the styles, kept for all the pictures that it is handed.

    Args:
        order: `Order`. What does not work here is told by the first call, since Ray would wrap an error many times.
    """

    def __init__(self, order):
        self._order, self._refusal, self._paint = order, None, None
        # Read when TensorFlow and Keras are imported, which this process has not done yet.
        for name in ("INTRAOP", "INTEROP"):
            os.environ[f"TF_NUM_{name}_THREADS"] = str(order.threads)
        os.environ["KERAS_BACKEND"] = "tensorflow"
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")  # several may share one
        atomic.mark(order.mark)
        try:
            _check_here(order)
            self._paint = lines_painter(order.painting, order.root, order.output, order.threads)
        except (InputError, ImportError) as error:
            self._refusal = f"A worker on {socket.gethostname()} cannot paint: {str(error).rstrip('.')}."

    def __call__(self, row):
        """{"pairs": JSON of all of a task} -> [{"line": JSON}, ...], ASCII both, so that paths of any bytes pass."""
        lines = [{"state": REFUSED, "sentence": self._refusal}]
        if self._refusal is None:
            lines = []
            try:
                self._painted(json.loads(row["pairs"]), lines)
            except InputError as error:
                lines.append({"state": REFUSED, "sentence": str(error)})
        return [{"line": json.dumps(line)} for line in lines]

    def _painted(self, pairs, lines):
        def tell(line, is_full):
            lines.append(line)
            if is_full:
                lines.append({"state": FULL})

        attempt = Attempt(pairs, self._order.output, self._order.mark)
        if not attempt.alone:
            self._paint(pairs, tell)
            pairs = []
        for photo, result in pairs:
            if photo in attempt.deadly:
                line = {"photo": photo, "result": result, "state": FAILED, "sentence": _DEADLY, "seconds": None}
                tell(line, False)
                continue
            attempt.begin(photo)
            self._paint([(photo, result)], tell)
            if lines[-1]["state"] == FULL:
                break
        attempt.end()


def _check_here(order):
    for name, wanted in order.versions.items():
        found = versions()[name]
        if None not in (found, wanted) and found != wanted:
            raise InputError(f"it has {name} {found}, and the command that was given {wanted}; install one version")
    for folder in (order.root, order.output):
        if not os.path.isdir(folder):
            raise InputError(f"there is no folder {folder!r}; mount the disk of the pictures at the same place")
