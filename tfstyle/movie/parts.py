"""What a video keeps beside its output until it is finished, so that a killed run goes on: the folder OUT.part.

It holds pieces of the video, whole each, and state.npz, which says how many of them count and what the next frame
needs. Nothing here imports TensorFlow.
"""

import contextlib
import dataclasses
import json
import os
import shutil

import numpy as np

from tfstyle.atomic import replaced
from tfstyle.checks import InputError

__all__ = ["State", "kept_folder", "load", "piece_path", "remove", "save"]

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
    """The folder beside `output`, made if missing and held against other processes; it stays when the run breaks off.

    Args:
        output: path of the video to be written.
        run: {name: text} of all that decides the result, such as {"the settings": ...}.

    Yields:
        Its path.

    Raises:
        InputError: it holds the beginning of another run, another process is at it, or it cannot be made.
    """
    folder = f"{os.path.realpath(output)}.part"
    try:
        os.makedirs(folder, exist_ok=True)
        path = os.path.join(folder, _RUN)
        if not os.path.exists(path):
            if os.listdir(folder):
                raise InputError(f"{folder} is there and not of tfstyle; move it away or choose another output.")
            with replaced(path) as beside, open(beside, "x", encoding="utf-8") as file:
                json.dump(run, file)
        with open(path, "r+", encoding="utf-8") as file:
            _lock(file, folder)
            _check_same(file.read(), run, folder)
            try:
                yield folder
            finally:
                if not os.path.exists(os.path.join(folder, _STATE)):  # nothing that would be worth going on from
                    remove(folder)
    except BrokenPipeError:  # of whoever reads what the run prints
        raise
    except OSError as error:
        raise InputError(
            f"output {os.fsdecode(output)!r} cannot be written ({error.strerror or error}); make room for it, and the "
            "same call goes on from what is done."
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


def remove(folder):
    """Removes the folder of a finished run."""
    shutil.rmtree(folder, ignore_errors=True)


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
    except OSError:
        raise InputError(f"Another process is writing into {folder}; wait for it or choose another output.") from None
