"""Several processes, on one machine or on many, that train as one: by JAX alone.

Every process holds all weights and a part of each batch's pictures, and all of them do the same in the same order, or
they would wait for each other for ever. The first one, process 0, writes and tells.
"""

import contextlib
import json
import os
import re
import socket
import sys
import threading
import time

import numpy as np

from tfstyle.checks import InputError
from tfstyle.train.machines_settings import host_and_port

__all__ = [
    "LOST", "all_have_come", "any_of", "check_alike", "count", "devices", "first", "from_first", "in_turn", "index",
    "is_lost", "join", "part",
]

COMING = 300  # s that the others have to come in
HEARTBEAT = 100  # s after which a process that has not been heard of counts as lost; JAX's own choice
BUSY = 60  # s between words of a process 0 that is at something longer; gloo gives up after half an hour
LOST = (
    "another process of this training has ended or cannot be reached; repeat the command in all of them to go on from "
    "the last checkpoint."
)
_PIECE = 1 << 25  # bytes handed round at once


def join(machines):
    """Waits for the other processes, before anything else asks JAX for its devices.

    Args:
        machines: a `Machines` of several processes.

    Raises:
        InputError: Keras runs on something else than JAX, process 0 is out of reach, its port is taken, or processes
            have unlike numbers of devices.
    """
    import keras

    if keras.backend.backend() != "jax":
        raise InputError("Several processes train together under JAX; set KERAS_BACKEND=jax.")
    import jax

    known = {}
    if machines.coordinator != "auto":
        _look(machines)
        known["coordinator_address"] = machines.coordinator
    known |= {"num_processes": machines.processes, "process_id": machines.process}
    with contextlib.suppress(AttributeError):  # how processors talk, where JAX lets one choose
        jax.config.update("jax_cpu_collectives_implementation", "gloo")
    known |= {"initialization_timeout": COMING, "heartbeat_timeout_seconds": HEARTBEAT}
    try:
        _beside(lambda: jax.distributed.initialize(**known))
    except ValueError:  # nothing says who the others are
        raise InputError(
            "There is no Slurm, Open MPI, Kubernetes or TPU pod to ask for the other processes; give --coordinator "
            "HOST:PORT, --processes and --process."
        ) from None
    if jax.device_count() != jax.process_count() * jax.local_device_count():
        raise InputError(
            "All processes must have equally many devices; hide some, as by CUDA_VISIBLE_DEVICES, where there are more."
        )
    with _silenced(1):  # gloo greets on stdout
        _words(0)


def count():
    """How many processes train together."""
    return _jax().process_count() if _jax() else 1


def index():
    """Which of them this is."""
    return _jax().process_index() if _jax() else 0


def first():
    """Whether this is process 0, which writes and tells."""
    return index() == 0


def devices():
    """The devices of all processes, those of each side by side, as Keras names them."""
    found = sorted(_jax().devices(), key=lambda device: (device.process_index, device.id))
    return [f"{device.platform}:{device.id}" for device in found]


def part(batch):
    """This process' part of a batch that all processes have drawn alike.

    Args:
        batch: {name: array whose first axis the devices share}.

    Returns:
        The same with as much of each as this process has of the devices.
    """
    if count() == 1:
        return batch
    owners = sorted(device.process_index for device in _jax().devices())
    mine = _jax().process_index()
    begin, end = owners.index(mine), owners.index(mine) + owners.count(mine)
    return {name: _share(array, begin, end, len(owners)) for name, array in batch.items()}


def any_of(asked):
    """Whether any process asks for something. All must call it, at the same step."""
    return bool(asked) if count() == 1 else bool(_words(bool(asked)).any())


def all_have_come():
    """Waits until every process is here."""
    any_of(False)


@contextlib.contextmanager
def in_turn():
    """Process 0 goes first, for what it writes where the others may find it; then all of them.

    Yields:
        Function to call now and then: the others would not wait for ever for a process 0 that says nothing.
    """
    said = time.monotonic()

    def busy():
        nonlocal said
        if first() and count() > 1 and time.monotonic() - said > BUSY:
            any_of(True)
            said = time.monotonic()

    if not first():
        while any_of(False):
            pass
    yield busy
    if first():
        any_of(False)


def from_first(make):
    """What process 0 makes, handed to every process. All must call it.

    Args:
        make: function that gives bytes, or None; only process 0 calls it.
    """
    if count() == 1:
        return make()
    from jax.experimental import multihost_utils

    made = make() if first() else None
    size = -1 if made is None else len(made)
    high, low = multihost_utils.broadcast_one_to_all(np.int32(divmod(size, 1 << 30)))
    size = (int(high) << 30) + int(low)
    if size < 0:
        return None
    pieces = []
    for begin in range(0, size, _PIECE):
        piece = np.zeros(min(_PIECE, size - begin), np.uint8)
        if first():
            piece[:] = np.frombuffer(made, np.uint8, len(piece), begin)
        pieces.append(np.asarray(multihost_utils.broadcast_one_to_all(piece), np.uint8).tobytes())
    return b"".join(pieces)


def check_alike(settings):
    """Raises `InputError` in each process that was started otherwise than process 0.

    Args:
        settings: {name: value}, JSON-ready: all that decides what is done in which step.
    """
    if count() == 1:
        return
    mine = {"processes": count(), **settings}
    theirs = json.loads(from_first(lambda: json.dumps(mine).encode()))
    for name in mine | theirs:
        if mine.get(name) != theirs.get(name):
            raise InputError(
                f"{name} is {mine.get(name)} here and {theirs.get(name)} in process 0; give all processes the same "
                "pictures and flags."
            )


def is_lost(error):
    """Whether an exception tells that another process has gone, in the words of those who carry between them."""
    words = r"gloo|nccl|rccl|coordination ?service|connection (reset|closed|refused)"
    return bool(re.search(words, str(error), re.IGNORECASE))


def _jax():
    """JAX where it is Keras' backend, else None."""
    keras = sys.modules.get("keras")
    if keras is None or keras.backend.backend() != "jax":
        return None
    import jax

    return jax


def _words(word):
    """A whole number of every process, in their order."""
    from jax.experimental import multihost_utils

    return np.ravel(multihost_utils.process_allgather(np.int32(word)))


def _share(array, begin, end, count):
    rows = len(array)
    if rows % count:
        raise InputError(f"Batches must be multiples of the {count} devices; received {rows}.")
    return array[rows * begin // count:rows * end // count]


def _look(machines):
    """Raises `InputError` for an address that is wrong, which JAX tells with a stack trace, minutes later."""
    host, port = host_and_port(machines.coordinator)
    if machines.process == 0:
        try:
            with socket.create_server(("", port)):
                return
        except OSError as error:
            why = os.strerror(error.errno)
            raise InputError(f"coordinator: port {port} is not free here ({why}); choose another.") from None
    end = time.monotonic() + COMING
    while True:
        try:
            with socket.create_connection((host, port), timeout=5):
                return
        except OSError as error:  # it may not be there yet
            if time.monotonic() > end:
                raise InputError(
                    f"coordinator: process 0 cannot be reached at {machines.coordinator} "
                    f"({getattr(error, 'strerror', None) or error}); start it there, or mend the address."
                ) from None
        time.sleep(0.2)


def _beside(work):
    """Does `work()` in a thread of its own: while C++ waits in it, Ctrl-C is heard here."""
    failed = []

    def run():
        try:
            work()
        except Exception as error:
            failed.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(0.1)
    if failed:
        raise failed[0]


@contextlib.contextmanager
def _silenced(stream):
    """Leads what C++ writes to a stream of this number into nothing."""
    sys.stdout.flush()
    kept, nothing = os.dup(stream), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, stream)
    try:
        yield
    finally:
        os.dup2(kept, stream)
        os.close(kept)
        os.close(nothing)
