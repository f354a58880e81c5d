"""How often a task was begun by processes that did not live to tell, and which picture ends them.

Ray hands a task out again for as long as it takes. So that one picture which needs more memory than there is does not
kill an actor after another without end, a file beside the results keeps account of a task until it is done: an empty
line for each process that begins it and, once two have died, the name of each picture before it is painted alone.
"""

import contextlib
import hashlib
import json
import os

from tfstyle.atomic import LEFT

__all__ = ["Attempt"]

_TIMES = 2  # that a process may die of a task, and then of one picture alone; machines that go come into it, too


class Attempt:
    """One at a task.

    Args:
        pairs: (photo, result) of all its pictures, one or more; the same list names the same task.
        output: folder that the results are relative to.
        mark: in the name of the file, as `tfstyle.atomic.mark` takes it; who gives it removes what dead processes left.

    Attributes:
        alone: whether the pictures are to be painted one by one, each after `begin`.
        deadly: names of the photos of which processes have died too often.
    """

    def __init__(self, pairs, output, mark):
        photo, result = pairs[0]
        name = LEFT.replace("*", mark + hashlib.sha256(os.fsencode(photo)).hexdigest()[:16])
        self._path = os.path.join(output, os.path.dirname(result), name)
        died_at = self._read()
        self.alone = len(died_at) >= _TIMES
        self.deadly = {photo for photo in died_at if photo is not None and died_at.count(photo) >= _TIMES}
        self._append("")

    def _read(self):
        """The picture at which each process was, None where it is not known."""
        died_at = []
        with contextlib.suppress(OSError), open(self._path, encoding="ascii") as file:
            for line in file:
                if line == "\n" or not died_at:
                    died_at.append(None)
                else:
                    with contextlib.suppress(ValueError):  # cut short
                        died_at[-1] = json.loads(line)
        return died_at

    def _append(self, line):
        # A disk that takes no more is told of where pictures are written.
        with contextlib.suppress(OSError), open(self._path, "a", encoding="ascii") as file:
            file.write(f"{line}\n")

    def begin(self, photo):
        """Notes that a picture is painted next."""
        self._append(json.dumps(photo))

    def end(self):
        """Forgets the task, which is done."""
        with contextlib.suppress(OSError):
            os.remove(self._path)
