"""A batch on a Ray cluster: a pool of actors that Ray Data keeps busy, whatever becomes of machines meanwhile.

A row is a task: the paths of some pictures. These are read and written by the actors, on a disk that all machines
share, and never pass through Ray. Nothing here imports Ray before it is asked to.

Source: Ray Data, https://docs.ray.io/en/latest/data/transforming-data.html (stateful transforms).
"""

import contextlib
import importlib.util
import json
import logging
import os
import signal
import socket
import sys
import threading

from tfstyle.batch.worker import FULL, REFUSED, Worker
from tfstyle.checks import InputError

__all__ = ["check_address", "check_room", "connected", "paint_on_ray"]

_ALONE, _CLIENT = ("auto", "local"), "ray://"
_SECONDS = 5  # for a cluster to answer
_TIMES = 3  # a server of ray:// is asked
# How both sides of HTTP/2, and so of gRPC, begin: with a frame of settings, of type 4 (RFC 9113, section 3.4).
_HELLO, _SETTINGS = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0", 4


def check_address(address):
    """Checks that Ray is installed, and that something like it answers at an address; joins no cluster yet.

    Raises:
        InputError: it is not, or nothing does.
    """
    if any(importlib.util.find_spec(name) is None for name in ("ray", "pyarrow")):
        raise InputError("ray_address needs Ray: pip install 'tfstyle[ray]'.")
    if address in _ALONE:
        return
    host, colon, port = str(address).removeprefix(_CLIENT).rpartition(":")
    if not (host and colon and port.isdecimal() and 0 < int(port) < 65536):
        raise InputError(f"ray_address must be auto, local, HOST:PORT or ray://HOST:PORT; received {address!r}.")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=_SECONDS) as connection:
            known = os.environ.get("RAY_USE_TLS", "0") in ("1", "true") or _speaks_grpc(connection)
    except OSError as error:
        why = error.strerror or error
        raise InputError(f"No Ray cluster answers at {address} ({why}); start one, or name its address.") from None
    if not known:
        raise InputError(f"What answers at {address} is no Ray cluster; start one, or name its address.")


def _speaks_grpc(connection):
    """Whether the other side does, as Ray's do: it would wait for another's answer without end."""
    connection.sendall(_HELLO)
    told = b""
    while len(told) < 4:
        more = connection.recv(16)
        if not more:
            return False
        told += more
    return told[3] == _SETTINGS


def check_room(address, settings):
    """Checks that a cluster of this machine alone would have the cores of one actor; of others nobody knows yet.

    Raises:
        InputError: it has fewer, so that nothing would ever be painted.
    """
    if address == "local" and settings.cpus > (cores := os.cpu_count() or 1):
        raise InputError(f"cpus must be at most {cores} here, as many as this machine has; received {settings.cpus:g}.")


def paint_on_ray(ray, pairs, order, settings, tell):
    """Paints pairs on a cluster.

    Restarts of actors and retries of tasks are left at Ray Data's own, which are without end: a limit would fail the
    whole batch when a machine goes. A picture that is painted twice for it is written whole both times.

    Args:
        ray: what `connected` yields.
        pairs: list of (photo, result).
        order: `tfstyle.batch.worker.Order`.
        settings: `tfstyle.batch.settings.RaySettings`.
        tell: called with the lines of a task, and whether the disk takes no more; it returns True to stop.

    Raises:
        InputError: workers that cannot paint.
    """
    streamed = _streamed_there if ray.util.client.ray.is_connected() else _streamed
    for lines in streamed(ray, pairs, order, settings):
        of_pictures = [line for line in lines if line["state"] not in (REFUSED, FULL)]
        stop = tell(of_pictures, any(line["state"] == FULL for line in lines))
        refused = next((line["sentence"] for line in lines if line["state"] == REFUSED), None)
        if refused:
            raise InputError(refused)
        if stop:
            break


def _streamed(ray, pairs, order, settings):
    """Yields the lines of each task as it is done."""
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = context.print_on_execution_start = False
    size = settings.pictures_per_task
    tasks = [{"pairs": json.dumps(pairs[first:first + size])} for first in range(0, len(pairs), size)]
    least, most = (1, None) if settings.actors is None else (settings.actors[0], settings.actors[-1])
    done = ray.data.from_items(tasks, override_num_blocks=len(tasks)).flat_map(
        Worker, fn_constructor_args=(order,),
        # One task is painted, the next waits beside it; the rest stay in the queue, for whoever is free first.
        compute=ray.data.ActorPoolStrategy(min_size=least, max_size=most, max_tasks_in_flight_per_actor=2),
        num_cpus=settings.cpus, num_gpus=settings.gpus or None,
    )
    for batch in done.iter_batches(batch_size=None, batch_format="numpy"):
        yield [json.loads(line) for line in batch["line"]]


def _streamed_there(ray, pairs, order, settings):
    """The same from outside the cluster, through ray://, where Ray Data does not run: it does in an actor then."""
    conductor = ray.remote(num_cpus=0)(_Conductor).remote(pairs, order, settings)
    while (lines := ray.get(conductor.lines.remote())) is not None:
        yield lines


class _Conductor:
    def __init__(self, *call):
        import ray.data

        self._streamed = _streamed(ray, *call)

    def lines(self):
        """Of the next task; None at the end."""
        return next(self._streamed, None)


@contextlib.contextmanager
def connected(address, settings):
    """Yields Ray, connected; the connection, and a cluster that was started for it, end with the context.

    Args:
        address: as `tfstyle.stylize_batch` takes it.
        settings: `tfstyle.batch.settings.RaySettings`. Where no machine has room for an actor of theirs, one that comes
            later may, and stderr tells what is waited for.

    Raises:
        InputError: no cluster, or one of this machine alone that has no room.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise InputError(f"Ray cannot be imported ({error}): pip install 'tfstyle[ray]'.") from error
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    with contextlib.ExitStack() as stack:
        joins = not ray.is_initialized()  # else by who calls us, and it stays so
        if joins:
            stack.enter_context(_no_news())  # until the end of the shutdown, too
            with _own_sigterm():
                _join(ray, address)
            stack.callback(ray.shutdown)
        _check_nodes(ray, settings, is_all=joins and address == "local")
        yield ray


def _check_nodes(ray, settings, is_all):
    wanted = {name: count for name, count in (("CPU", settings.cpus), ("GPU", settings.gpus)) if count}
    machines = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    if not any(all(machine.get(name, 0) >= count for name, count in wanted.items()) for machine in machines):
        needs = " and ".join(f"{count:g} {name}" for name, count in wanted.items())
        if is_all:
            raise InputError(f"This machine has not the {needs} that an actor is to have; lower cpus or gpus.")
        told = f"tfstyle: no machine of the cluster has {needs} for an actor; waiting for one that has."
        print(told, file=sys.stderr)


@contextlib.contextmanager
def _own_sigterm():
    """Whoever handled SIGTERM does so again: Ray takes it, and the C++ below it, which ends by a stack trace."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if before is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)


def _join(ray, address):
    """Connects Ray, or starts a cluster on this machine for "local".

    A server of ray:// starts a process for each client by a fork while threads of gRPC run, of which that process dies
    at once in a few of a hundred cases on a busy machine; the next time all is well.
    """
    options = {"include_dashboard": False} if address == "local" else {}
    for left in reversed(range(_TIMES)):
        try:
            with _mute():  # Ray says on stderr that it has been told to be silent
                ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, **options)
            return
        except (ConnectionError, RuntimeError, ValueError) as error:
            from_server = isinstance(error, ConnectionAbortedError)  # its traceback, as text
            if from_server and left:
                continue
            if address == "auto" and isinstance(error, ConnectionError):
                raise InputError("No Ray cluster runs on this machine; start one, or name its address.") from error
            why = str(error).strip().splitlines()[-1] if from_server else " ".join(str(error).split())
            raise InputError(f"There is no Ray cluster at {address} to work with: {why.rstrip('.')}.") from error


@contextlib.contextmanager
def _no_news():
    """Ray tells of every retry on stderr, and has no switch for it; `ray status` shows what is lost."""
    from ray._private import worker

    name = "print_to_stdstream"
    before = getattr(worker, name, None)
    setattr(worker, name, lambda *_, **__: None)
    try:
        yield
    finally:
        setattr(worker, name, before)


@contextlib.contextmanager
def _mute():
    """Nothing comes to stderr meanwhile, whoever writes it; errors come as exceptions."""
    if sys.stderr is None:  # no console
        yield
        return
    sys.stderr.flush()
    real, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(real, 2)
        os.close(real)
        os.close(null)
