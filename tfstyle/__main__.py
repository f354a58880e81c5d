"""`python -m tfstyle ...` and the command `tfstyle ...`."""

import signal
import sys

__all__ = ["main"]


def main():
    """Runs the command line for a process: Ctrl-C is one sentence before its modules are there too, and after."""
    try:
        from tfstyle.cli import main as run
    except KeyboardInterrupt:
        print("tfstyle: interrupted.", file=sys.stderr)
        return 130
    code = run()
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # the work is done: while threads end, Ctrl-C says nothing more
    return code


if __name__ == "__main__":
    sys.exit(main())
