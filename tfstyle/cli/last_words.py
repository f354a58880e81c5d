"""One sentence where JAX would end a process by a stack trace, because those it trains with have gone.

What finds that out is a thread of JAX's C++, which writes to stderr and aborts. So C++ writes through a pipe here, from
which its last words are left out, and the abort says ours.
"""

import atexit
import contextlib
import ctypes
import os
import signal
import sys
import threading
import time

__all__ = ["LastWords"]

_FATAL = b"JAX distributed service detected fatal errors"
_SOON = 5  # s in which what is said already comes to its end


class LastWords:
    """Takes stderr's file descriptor, SIGABRT and the end of this process into its hands, until it ends.

    Args:
        sentence: what to say at an abort; may be set anew.
        before: called with that sentence before it is said; for what stdout is to have.

    Attributes:
        code: exit code of a run that has failed, else None: then this process ends without waiting for the others, who
            notice it.
        told: set where the main thread has begun to say that the others have gone.
    """

    def __init__(self, sentence, before=None):
        self.sentence, self.code, self.told = sentence, None, False
        self._before = before
        self._seen = threading.Event()
        sys.stderr.flush()
        self._real = os.dup(2)
        sys.stderr = open(self._real, "w", encoding=sys.stderr.encoding, errors="backslashreplace", buffering=1)
        source, sink = os.pipe()
        os.dup2(sink, 2)
        os.close(sink)
        self._relayed = threading.Thread(target=self._relay, args=(source,), daemon=True)
        self._relayed.start()
        self._handler = ctypes.CFUNCTYPE(None, ctypes.c_int)(self._aborted)  # kept, or C would call what is gone
        self._libc = ctypes.CDLL(None)
        self._libc.signal(signal.SIGABRT, self._handler)

    def come_before_jax(self):
        """To be called once JAX is imported: of what is to be done at the end, the newest is done first."""
        atexit.register(self._ended)

    def _relay(self, source):
        with open(source, "rb", buffering=0) as file:
            rest = b""
            while some := file.read(65536):
                *lines, rest = (rest + some).split(b"\n")
                for line in lines:
                    if _FATAL in line:
                        self._seen.set()
                    if not self._seen.is_set():
                        os.write(self._real, line + b"\n")

    def _aborted(self, signum):
        """Runs in the thread that aborts, in place of the end."""
        if self.told:
            time.sleep(_SOON)
        elif self._seen.wait(1):
            if self._before is not None:
                self._before(self.sentence)
            os.write(self._real, f"tfstyle: {self.sentence}\n".encode())
        else:  # another abort than that
            os.dup2(self._real, 2)
            self._libc.signal(signal.SIGABRT, None)
            os.abort()
        os._exit(1)

    def _ended(self):
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        if not self.code:
            import jax

            jax.distributed.shutdown()  # waits for the others
        os.dup2(os.open(os.devnull, os.O_WRONLY) if self.code else self._real, 2)  # so that the pipe comes to its end
        self._relayed.join(1)
        if self.code:
            os._exit(self.code)
