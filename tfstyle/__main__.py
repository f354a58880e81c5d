"""`python -m tfstyle ...` and the command `tfstyle ...`."""

import contextlib
import os
import signal
import sys

__all__ = ["main"]

_DEFAULTS = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}


def main():
    """Runs the command line for a process: a signal is one sentence before its modules are there too, and after."""
    ours = [one for one, default in _DEFAULTS.items() if signal.getsignal(one) is default]
    for one in ours:
        signal.signal(one, _leave)
    from tfstyle.cli import main as run

    for one in ours:
        signal.signal(one, _DEFAULTS[one])
    try:
        code = run()
    except KeyboardInterrupt:  # in the moment before it has handlers of its own, or the one after
        _leave(signal.SIGINT)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # the work is done: while threads end, Ctrl-C says nothing more
    return code


def _leave(signum, frame=None):
    """Ends the process at once: there is nothing to clear away, and an import might make another error of an exception.

    Args:
        signum, frame: as handlers of signals take them.
    """
    what, code = (b"interrupted", 130) if signum == signal.SIGINT else (b"terminated", 143)
    with contextlib.suppress(OSError):
        if "--json" in sys.argv:
            os.write(1, b'{\n "error": "%s.",\n "exit_code": %d\n}\n' % (what, code))
    with contextlib.suppress(OSError):
        os.write(2, b"tfstyle: %s.\n" % what)
    os._exit(code)


if __name__ == "__main__":
    sys.exit(main())
