"""TensorFlow loaded without its chatter on stderr, and without hiding what matters.

TF_CPP_MIN_LOG_LEVEL=3 silences TensorFlow's C++ once it runs, up to errors, which come as exceptions too.
What its libraries log while they load comes before any level is read. So stderr is led through a small
process of its own while they do: it holds back log lines and passes on everything else at once, and when the
import fails, or kills this process, it says what it held back too.
"""

import contextlib
import os
import re
import sys

__all__ = ["hushed"]

# The environment variable with which one asks TensorFlow for more or less.
_LEVEL = "TF_CPP_MIN_LOG_LEVEL"
_DONE = b"\x00tfstyle: loaded\n"
# "I0000 00:00:1795296658.507332 11803 port.cc:153] oneDNN ..."; fatal lines begin with F and always pass.
_LOG = re.compile(rb"[IWE]\d{4} \d\d:\d\d:|WARNING: All log messages before absl::InitializeLog\(\)|"
                  rb"To enable the following instructions: ")


@contextlib.contextmanager
def hushed():
    """Wraps the first import of TensorFlow. Does nothing where TF_CPP_MIN_LOG_LEVEL=0 asks for everything."""
    if os.environ.setdefault(_LEVEL, "3") == "0" or "tensorflow" in sys.modules:
        yield
        return
    _flush()
    real, sieve = _led()
    if sieve is None:
        yield
        return
    failed = False
    try:
        yield
    except Exception:
        failed = True
        raise
    finally:
        _flush()
        if not failed:
            with contextlib.suppress(OSError):  # somebody has ended it
                os.write(2, _DONE)
        os.dup2(real, 2)
        os.close(real)
        sieve.wait()


def _led():
    """Leads stderr through the process.

    Returns:
        (copy of the file descriptor of stderr, process), or (None, None) where one of them is not to be had: better
        chatter than failure.
    """
    import subprocess  # takes longer than all else that `import tfstyle` does

    try:
        real = os.dup(2)  # first: where stderr is closed, a pipe would get its number
    except OSError:
        return None, None
    try:
        # In a session of its own, Ctrl-C in the terminal does not reach it: this process has the last word.
        process = subprocess.Popen(
            [sys.executable, "-IS", __file__], stdin=subprocess.PIPE, stderr=2, start_new_session=True
        )
    except OSError:
        os.close(real)
        return None, None
    os.dup2(process.stdin.fileno(), 2)
    process.stdin.close()
    return real, process


def _flush():
    with contextlib.suppress(AttributeError, OSError, ValueError):  # None without a console; full; closed
        sys.stderr.flush()


def sieve(lines, out):
    """Passes `lines` on but for log lines, which come at the end unless the marker has come first."""
    held = []
    for line in lines:
        if line == _DONE:
            return
        if _LOG.match(line):
            held.append(line)
        else:
            out.write(line)
            out.flush()
    out.writelines(held)
    out.flush()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt, BrokenPipeError):
        sieve(sys.stdin.buffer, sys.stderr.buffer)
