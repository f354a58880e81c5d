"""Runs that are ended from without: Ctrl-C and SIGTERM become exceptions that are not lost, at any moment."""

import _thread
import contextlib
import signal
import sys
import threading
import time
import types

__all__ = ["INTERRUPTED", "TERMINATED", "Ended", "caught", "code_of"]

INTERRUPTED, TERMINATED = 130, 143
_AGAIN = 1.0  # s; a second Ctrl-C within it is meant for the first, and must not break into the cleaning up
_SOON = 0.02  # s; by then what swallowed the exception has returned


class Ended(SystemExit):
    """A signal has ended the run: `code` is its exit code, `sentence` what there is to say or None if that is said."""

    def __init__(self, code, sentence=None):
        super().__init__(code)
        self.sentence = sentence


@contextlib.contextmanager
def caught():
    """Ctrl-C raises KeyboardInterrupt inside, and SIGTERM `Ended`, so that what is half-written is cleared away.

    Python has these exceptions anyway, but loses them where one arises in a callback of the garbage collector, as
    libraries beside TensorFlow have them: a traceback is printed and the run goes on. Here the signal is sent anew.
    What is ignored, as in background jobs, or handled by the caller stays so, and other threads take no signals.

    Yields:
        Namespace: `end`, the `Ended` that a signal comes to, or None. Where there is one, another exception is what
        has become of it on its way through a library.
    """
    state = types.SimpleNamespace(end=None)
    if threading.current_thread() is not threading.main_thread():
        yield state
        return
    last = None

    def interrupt(signum, frame):
        nonlocal last
        if last is not None and time.monotonic() - last < _AGAIN:
            return
        last = time.monotonic()
        state.end = Ended(INTERRUPTED, "interrupted.")
        raise KeyboardInterrupt

    def terminate(signum, frame):
        state.end = Ended(TERMINATED, "terminated.")
        raise state.end

    def swallowed(lost):
        nonlocal last
        if not isinstance(lost.exc_value, (KeyboardInterrupt, Ended)):
            hook(lost)
            return
        last = None
        again = signal.SIGTERM if getattr(lost.exc_value, "code", None) == TERMINATED else signal.SIGINT
        timer = threading.Timer(_SOON, _sent, [again])
        timer.daemon = True
        timer.start()

    before = {}
    for signum, handler, default in (
        (signal.SIGINT, interrupt, signal.default_int_handler), (signal.SIGTERM, terminate, signal.SIG_DFL),
    ):
        if signal.getsignal(signum) is default:
            before[signum] = signal.signal(signum, handler)
    hook, sys.unraisablehook = sys.unraisablehook, swallowed
    try:
        yield state
    finally:
        sys.unraisablehook = hook
        for signum, handler in before.items():
            signal.signal(signum, handler)


def code_of(end):
    """The exit code of a run that `caught` has ended by a KeyboardInterrupt or an `Ended`."""
    return end.code if isinstance(end, Ended) else INTERRUPTED


def _sent(signum):
    """Sends a signal to the main thread, out of whatever it waits in."""
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident, signum)
    else:
        _thread.interrupt_main(signum)
