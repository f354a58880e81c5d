"""The page as a process: a socket, a folder for its pictures, and a clean end."""

import contextlib
import importlib.metadata
import importlib.util
import os
import shutil
import signal
import socket
import tempfile
import threading

from tfstyle.checks import InputError
from tfstyle.web.settings import WebSettings

__all__ = ["at_work", "check_gradio", "launch", "listening", "url"]

_OLDEST = 6  # of gradio
_THREADS = "tfstyle-web-"  # how the names of threads begin that use TensorFlow
_PATIENCE = 10.0  # seconds that pictures have to stop when the page ends


def check_gradio():
    """Raises `InputError` unless gradio is there, and not too old; does not import it."""
    if importlib.util.find_spec("gradio") is None:
        raise InputError("The page needs gradio: pip install 'tfstyle[web]'.")
    version = importlib.metadata.version("gradio")
    if int(version.partition(".")[0]) < _OLDEST:
        raise InputError(
            f"The page needs gradio {_OLDEST} or newer, and this is {version}: pip install --upgrade 'tfstyle[web]'."
        )


def url(host, port):
    """The page's address."""
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/"


def launch(settings=None, *, ready=None, around=contextlib.nullcontext):
    """Serves the page until Ctrl-C or SIGTERM.

    While it does, environment variables keep gradio and what it loads from calling elsewhere and name it a folder;
    afterwards they are as before. KERAS_BACKEND is "tensorflow" from the moment that TensorFlow is loaded.

    Args:
        settings: `WebSettings`; None for the defaults.
        ready: called with the page's address once it can be opened.
        around: context manager function, entered while TensorFlow is imported in the background.

    Raises:
        InputError: no gradio, or an address or port that cannot be listened on.
        KeyboardInterrupt: Ctrl-C has ended the page, and all has been put away.
        SystemExit: SIGTERM has, unless there is a handler for it, which is then called; `code` is 143.
    """
    settings = settings or WebSettings()
    check_gradio()
    with listening(settings.host, settings.port) as listener, _folder() as folder, _environment(folder), _terminable():
        _serve(settings, listener, folder, ready, around)


def at_work():
    """Whether a page that has ended has left a thread in TensorFlow: an interpreter that ends below its feet crashes.

    It does so where a single step, or loading, takes longer than the end waits for it.
    """
    return any(thread.name.startswith(_THREADS) for thread in threading.enumerate())


@contextlib.contextmanager
def listening(host, port):
    """A socket that nobody else has.

    Raises:
        InputError: an address or port that cannot be listened on.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
            listener.listen(128)
        except OSError as error:
            raise _unusable(host, port, error) from None
        yield listener


def _unusable(host, port, error):
    if isinstance(error, socket.gaierror) or error.errno in (99, 49, 10049):  # EADDRNOTAVAIL of Linux, macOS, Windows
        return InputError(f"{host!r} is no address of this machine; use --host 127.0.0.1 or 0.0.0.0.")
    if isinstance(error, PermissionError):
        return InputError(f"Port {port} is not for this user; use one above 1023, such as --port 7860.")
    return InputError(f"Port {port} is in use ({error.strerror}); end what uses it, or give another, such as --port 0.")


@contextlib.contextmanager
def _folder():
    """A folder for pictures that nobody else may read, gone at the end."""
    folder = tempfile.mkdtemp(prefix="tfstyle-web-")
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _environment(folder):
    """What gradio, and the hub's library that it loads, look for in the environment."""
    wanted = {
        "GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1",
        "GRADIO_TEMP_DIR": folder,
    }
    before = {name: os.environ.get(name) for name in wanted}
    os.environ |= wanted
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def _serve(settings, listener, folder, ready, around):
    import uvicorn

    from tfstyle.web.jobs import Jobs
    from tfstyle.web.page import application
    from tfstyle.web.painter import Painter

    painter = Painter(around)
    jobs = Jobs(settings, painter)
    address = url(*listener.getsockname()[:2])
    config = uvicorn.Config(
        application(settings, jobs, folder), log_level="critical", timeout_graceful_shutdown=1, lifespan="on"
    )

    class Server(uvicorn.Server):
        async def startup(self, sockets=None):
            await super().startup(sockets=sockets)
            if ready is not None:
                ready(address)

    server = Server(config)
    loading = threading.Thread(target=_loaded, args=(painter,), name=f"{_THREADS}loading", daemon=True)
    loading.start()
    try:
        server.run(sockets=[listener])
    finally:
        jobs.close(_PATIENCE)
        loading.join(_PATIENCE)


def _loaded(painter):
    """Loads TensorFlow; what is wrong with it is told to the first who wants a picture."""
    with contextlib.suppress(InputError):
        painter.load()


@contextlib.contextmanager
def _terminable():
    """SIGTERM as an exception, so that all is put away, where it would end the process at once."""
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return

    def terminate(number, frame):
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
