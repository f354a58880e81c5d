"""The page as a process: a socket, a folder for its pictures, and a clean end."""

import contextlib
import importlib.metadata
import importlib.util
import ipaddress
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading

from tfstyle.checks import InputError
from tfstyle.web.settings import WebSettings

__all__ = ["check_gradio", "is_private", "launch", "url"]

_OLDEST = 6  # of gradio
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


def is_private(host):
    """Whether only this machine reaches an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def url(host, port):
    """The page's address."""
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/"


def launch(settings=None, *, ready=None, around=contextlib.nullcontext):
    """Serves the page until Ctrl-C or SIGTERM, which raise KeyboardInterrupt once all has been put away.

    Args:
        settings: `WebSettings`; None for the defaults.
        ready: called with the page's address once it can be opened.
        around: context manager function, entered while TensorFlow is imported in the background.

    Raises:
        InputError: no gradio, or an address or port that cannot be listened on.
        KeyboardInterrupt: the page was ended.
    """
    settings = settings or WebSettings()
    check_gradio()
    with _listening(settings.host, settings.port) as listener, _folder() as folder:
        _serve(settings, listener, folder, ready, around)


@contextlib.contextmanager
def _listening(host, port):
    """A socket that nobody else has."""
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


def _serve(settings, listener, folder, ready, around):
    os.environ |= {
        "GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1",
        "GRADIO_TEMP_DIR": folder,
    }
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
    loading = threading.Thread(target=_loaded, args=(painter,), name="tfstyle-web-loading", daemon=True)
    loading.start()
    with _terminable():
        try:
            server.run(sockets=[listener])
        finally:
            ended = jobs.close(_PATIENCE)
            loading.join(_PATIENCE)
            if not ended or loading.is_alive():  # an interpreter that ends below TensorFlow's feet crashes
                shutil.rmtree(folder, ignore_errors=True)
                print("tfstyle: interrupted.", file=sys.stderr, flush=True)
                os._exit(130)


def _loaded(painter):
    """Loads TensorFlow; what is wrong with it is told to the first who wants a picture."""
    with contextlib.suppress(InputError):
        painter.load()


@contextlib.contextmanager
def _terminable():
    """SIGTERM as Ctrl-C, for whoever stops servers by it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number, frame):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
