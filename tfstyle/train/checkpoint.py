"""Checkpoints of a training: one .npz file with weights, optimizer, their moving average, step, and whose run it is.

Keys: "model/0".. and "optimizer/0".. are the variables in Keras' order (the optimizer's: iteration, moving average of
each weight, then Adam's moments), "beside/0".. what a model's `beside` lists, if anything, "step" the number of steps
done, which is the position in the data too, "head" JSON. Both backends read both's.
"""

import contextlib
import io
import json
import os

try:
    import fcntl
except ImportError:  # Windows, where two processes must be kept apart by hand
    fcntl = None

import numpy as np

from tfstyle import atomic
from tfstyle.checks import InputError
from tfstyle.train import machines
from tfstyle.train.settings import BEFORE

__all__ = ["all_finite", "alone_in", "check_same_run", "read_head", "read_step", "replaced", "restore", "save"]


@contextlib.contextmanager
def replaced(path):
    """A file to write bytes to that takes the place of `path` once it is complete; a disk that refuses is told of."""
    try:
        with atomic.replaced(path) as beside, open(beside, "wb") as file:
            yield file
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error.strerror or error}); make room and go on.") from error


@contextlib.contextmanager
def alone_in(folder):
    """Keeps other processes out of a run's folder: two would overwrite each other's checkpoints. A kill lets go of it.

    Raises:
        InputError: another one is at work there.
    """
    if fcntl is None:
        yield
        return
    claim = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(claim)
        raise InputError(f"Another process is training in {folder}; stop it first, or name another workdir.") from None
    except OSError:
        pass  # a file system without locks
    try:
        yield
    finally:
        os.close(claim)


def save(model, step, path, *, run=None, pending=None):
    """Writes the state of a compiled model.

    Args:
        model: a keras.Model whose optimizer is built. Its attribute `beside`, if it has one, lists variables that
            training changes and no optimizer holds, such as statistics of batch normalization.
        step: steps done.
        path: of the file; the old one stays until the new one is complete.
        run: dict of texts that a resumed run must agree in, as `tfstyle.train.settings.run_of` makes it, or None.
        pending: JSON-ready, what the next line of the log has gathered so far.

    Raises:
        InputError: the disk refuses.
    """
    arrays = {}
    for kind, variables in _variables(model):
        arrays |= {f"{kind}/{i}": _array(variable) for i, variable in enumerate(variables)}
    head = np.frombuffer(json.dumps({"run": run, "pending": pending}).encode(), np.uint8)
    with replaced(path) as file:
        np.savez(file, step=step, head=head, **arrays)


def all_finite(model):
    """Whether all weights and the optimizer's variables are finite numbers."""
    return all(np.isfinite(_array(variable)).all() for _, variables in _variables(model) for variable in variables)


def restore(model, path, run=None):
    """Puts back what `save` wrote.

    Args:
        model: a keras.Model whose optimizer is built.
        path: of the file; where several processes train together, process 0 reads it for all.
        run: as for `save`; None asks for no agreement.

    Returns:
        (steps done, what was pending or None).

    Raises:
        InputError: damaged, of another run, or of a network of another shape.
    """
    with _opened_by_first(path) as raw:
        head = _head(path, raw)
        check_same_run(path, head.get("run"), run)
        try:
            raw.seek(0)
            with np.load(raw, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            step = int(arrays["step"])
        except Exception:  # damaged archives fail in every way there is
            raise _damaged(path) from None
    for kind, variables in _variables(model):
        held = sum(name.startswith(f"{kind}/") for name in arrays)
        for i, variable in enumerate(variables):
            value = arrays.get(f"{kind}/{i}")
            if value is None or value.shape != tuple(variable.shape):
                raise InputError(f"{path} is of another network ({variable.path} differs); name another workdir.")
            variable.assign(value)
        if held != len(variables):
            raise InputError(f"{path} is of another network ({held} variables); name another workdir.")
    return step, head.get("pending")


def read_head(path):
    """The JSON part of a checkpoint; {} in files that have none.

    Raises:
        InputError: missing, damaged, or no checkpoint of a training.
    """
    with _opened(path) as raw:
        return _head(path, raw)


def read_step(path):
    """Steps done of a checkpoint that `read_head` has read."""
    with open(path, "rb") as raw, np.load(raw, allow_pickle=False) as file:
        return int(file["step"])


def check_same_run(path, found, wanted):
    """Raises `InputError` naming the first thing in which a checkpoint's run differs from the one asked for.

    A checkpoint or a caller that tells nothing is taken at its word.
    """
    found = found and BEFORE | found
    for name in wanted or ():
        if found and found.get(name) != wanted[name]:
            had = found.get(name, "not there")
            raise InputError(
                f"{path} is of a run in which {name} was {had}, not {wanted[name]}; repeat that run's flags, "
                "give --change to go on otherwise, or begin in another workdir."
            )


def _opened(path):
    try:
        return open(path, "rb")
    except FileNotFoundError:
        raise InputError(f"There is no checkpoint {path}; check the path.") from None
    except OSError:
        raise _damaged(path) from None


def _opened_by_first(path):
    """The file as process 0 finds it, where several train together: the others may have no such folder."""
    if machines.count() == 1:
        return _opened(path)

    def read():
        with _opened(path) as raw:
            return raw.read()

    return io.BytesIO(machines.from_first(read))


def _head(path, raw):
    try:
        with np.load(raw, allow_pickle=False) as file:  # np.load leaves damaged ones open
            if "step" not in file.files or "model/0" not in file.files:
                raise InputError(f"{path} is no checkpoint of a training; name another file or workdir.")
            return json.loads(bytes(file["head"])) if "head" in file.files else {}
    except InputError:
        raise
    except Exception:
        raise _damaged(path) from None


def _variables(model):
    return (
        ("model", model.trainable_variables), ("optimizer", model.optimizer.variables),
        ("beside", getattr(model, "beside", ())),
    )


def _array(variable):
    from keras import ops

    return ops.convert_to_numpy(variable)


def _damaged(path):
    return InputError(f"{path} is damaged; delete it to start anew.")
