"""What a video keeps beside its output until it is finished, so that a killed run goes on: the folder OUT.part.

It holds pieces of the video, whole each, and state.npz, which says how many of them count and what the next frame
needs. Nothing here imports TensorFlow.
"""

import contextlib
import dataclasses
import fnmatch
import json
import os

import numpy as np

from tfstyle.atomic import LEFT, replaced
from tfstyle.checks import InputError

__all__ = ["State", "kept_folder", "load", "piece_path", "save", "writing"]

_RUN, _STATE = "run.json", "state.npz"


@dataclasses.dataclass
class State:
    """Where a run stands after its last whole piece.

    Attributes:
        pieces, frames: how many there are.
        last_duration: of the last frame, in units of the video's time base.
        damaged: frames that were damaged in the source, or followed a gap.
        seconds: of work.
        errors: sums of the warp errors of the result and of the frames one by one.
        pairs: how many were summed.
        result, alone: (H, W, 3) float32, the last frame steadied and by itself; None before the first.
    """

    pieces: int = 0
    frames: int = 0
    last_duration: int = 0
    damaged: int = 0
    seconds: float = 0.0
    errors: tuple = (0.0, 0.0)
    pairs: int = 0
    result: np.ndarray | None = None
    alone: np.ndarray | None = None


@contextlib.contextmanager
def kept_folder(output, run):
    """The folder beside `output`, made if missing and held against other processes.

    It stays when the run breaks off with something kept, and is removed otherwise.

    Args:
        output: path of the video to be written.
        run: {name: text} of all that decides the result, such as {"the settings": ...}.

    Yields:
        Its path.

    Raises:
        InputError: it holds the beginning of another run, another process is at it, or it cannot be made.
    """
    folder = f"{os.path.realpath(output)}.part"
    path = os.path.join(folder, _RUN)
    with contextlib.ExitStack() as stack:
        with writing(output):
            os.makedirs(folder, exist_ok=True)
            if not os.path.exists(path):
                if not all(fnmatch.fnmatch(name, LEFT) for name in os.listdir(folder)):
                    raise InputError(f"{folder} is there and not of tfstyle; move it away or choose another output.")
                with replaced(path) as beside, open(beside, "x", encoding="utf-8") as file:
                    json.dump(run, file)
            file = stack.enter_context(open(path, "r+", encoding="utf-8"))
            _lock(file, folder)
            _check_same(file.read(), run, folder)
        try:
            yield folder
        except BaseException:
            if not os.path.exists(os.path.join(folder, _STATE)):  # nothing that would be worth going on from
                _remove(folder)
            raise
        _remove(folder)


@contextlib.contextmanager
def writing(output):
    """Says in a sentence what the disk refuses.

    Args:
        output: path of the video to be written.

    Yields:
        elsewhere(), a context whose errors are none of the disk's and pass as they are, whatever goes wrong after.

    Raises:
        InputError: the disk refuses.
    """
    passing = []

    @contextlib.contextmanager
    def elsewhere():
        try:
            yield
        except BaseException as error:
            passing.append(error)
            raise

    try:
        yield elsewhere
    except OSError as error:
        if passing:
            raise passing[0]
        raise InputError(
            f"output {os.fsdecode(output)!r} cannot be written ({error.strerror or error}); mend that, and the same "
            "call goes on from what is done."
        ) from error


def piece_path(folder, number):
    """Path of the piece of that number, from 0."""
    return os.path.join(folder, f"piece-{number:06d}.nut")


def load(folder):
    """The `State` in which the last run left a folder; a new one if there is none.

    Raises:
        InputError: it is damaged.
    """
    path = os.path.join(folder, _STATE)
    if not os.path.exists(path):
        return State()
    try:
        # Opened here, since NumPy leaves the file of a damaged archive open.
        with open(path, "rb") as raw, np.load(raw, allow_pickle=False) as file:
            state = State(**json.loads(bytes(file["numbers"])), result=file["result"], alone=file["alone"])
            state.errors = tuple(state.errors)
    except Exception as error:  # damaged archives fail in every way there is
        raise InputError(f"{path} is damaged ({error}); remove {folder} to start anew.") from error
    if not all(os.path.exists(piece_path(folder, number)) for number in range(state.pieces)):
        raise InputError(f"{folder} lacks a piece of the video; remove it to start anew.")
    return state


def save(folder, state):
    """Keeps a `State`, whole or not at all."""
    numbers = {k: v for k, v in vars(state).items() if k not in ("result", "alone")}
    with replaced(os.path.join(folder, _STATE)) as beside, open(beside, "xb") as file:
        np.savez(file, numbers=np.frombuffer(json.dumps(numbers).encode(), np.uint8),
                 result=state.result, alone=state.alone)


def _remove(folder):
    """Removes what a run has kept, in an order that leaves a run to be begun anew wherever a kill comes.

    Without its state nothing of it counts, and as long as run.json is there the folder is known for ours.
    """
    _, _, names = next(os.walk(folder), ("", (), ()))
    for name in (_STATE, *sorted({*names} - {_STATE, _RUN}), _RUN):
        with contextlib.suppress(OSError):
            os.remove(os.path.join(folder, name))
    with contextlib.suppress(OSError):  # another process has come in meanwhile, or something of another make is there
        os.rmdir(folder)


def _check_same(text, run, folder):
    try:
        found = json.loads(text)
        changed = [name for name in run if found.get(name) != run[name]]
    except (AttributeError, ValueError):
        raise InputError(f"{os.path.join(folder, _RUN)} is damaged; remove {folder} to start anew.") from None
    if changed:
        raise InputError(
            f"{folder} holds the beginning of a run with another state of {changed[0]}; give the same command again to "
            "finish that, or remove the folder to start anew."
        )


def _lock(file, folder):
    """Keeps a second process out; the system lets go when this one ends, however it does."""
    try:
        import fcntl
    except ImportError:  # Windows
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        same = os.path.samestat(os.stat(file.name), os.fstat(file.fileno()))
    except OSError:
        same = False
    if not same:  # locked, or removed by a process that has finished just now
        raise InputError(f"Another process is writing into {folder}; wait for it or choose another output.")
