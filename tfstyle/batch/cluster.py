"""A batch on a Ray cluster: a pool of actors that Ray Data keeps busy, whatever becomes of machines meanwhile.

Rows hold two paths each. Pictures are read and written by the actors, on a disk that all machines share, and never
pass through Ray. Nothing here imports Ray before it is asked to.

Source: Ray Data, https://docs.ray.io/en/latest/data/transforming-data.html (stateful transforms).
"""

import contextlib
import importlib.util
import json
import logging
import os
import socket
import sys

from tfstyle.batch.worker import FULL, REFUSED, Worker
from tfstyle.checks import InputError

__all__ = ["check_address", "paint_on_ray"]

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


def paint_on_ray(pairs, order, settings, address, tell):
    """Paints pairs on a cluster.

    Restarts of actors and retries of tasks are left at Ray Data's own, which are without end: a limit would fail the
    whole batch when a machine goes. A picture that is painted twice for it is written whole both times.

    Args:
        pairs: list of (photo, result).
        order: `tfstyle.batch.worker.Order`.
        settings: `tfstyle.batch.settings.RaySettings`.
        address: as `tfstyle.stylize_batch` takes it.
        tell: called with the lines of a task, and whether the disk takes no more; it returns True to stop.

    Raises:
        InputError: no cluster, or workers that cannot paint.
    """
    with _connected(address) as ray:
        streamed = _streamed if not address.startswith(_CLIENT) else _streamed_there
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
    count = -(-len(pairs) // settings.pictures_per_task)
    least, most = (1, None) if settings.actors is None else (settings.actors[0], settings.actors[-1])
    rows = ray.data.from_items([{"pair": json.dumps(pair)} for pair in pairs], override_num_blocks=count)
    done = rows.map_batches(
        Worker, fn_constructor_args=(order,), batch_size=None, batch_format="numpy",
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
def _connected(address):
    """Ray, connected; the connection, and a cluster that was started for it, end with the context."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise InputError(f"Ray cannot be imported ({error}): pip install 'tfstyle[ray]'.") from error
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    if ray.is_initialized():  # by who calls us, and it stays so
        yield ray
        return
    _join(ray, address)
    with _no_news():
        try:
            yield ray
        finally:
            ray.shutdown()


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
