"""Rows of large feature maps, kept in memory as far as a budget goes and in nameless files beyond it."""

import os
import shutil
import tempfile
import weakref

import numpy as np

from tfstyle.checks import InputError

__all__ = ["Plane", "Scratch", "check_room", "folder", "room"]


class Scratch:
    """What planes share: the memory that they may still take.

    Args:
        memory: bytes for all planes that are alive at one time; what goes beyond lies in files.
        hollow: planes only count what they would take.

    Attributes:
        left: bytes of memory that no plane has.
        most_memory, most_file: bytes that planes had at one time, at most.
    """

    def __init__(self, memory, hollow=False):
        self.left, self.hollow = max(0, int(memory)), hollow
        self.most_memory = self.most_file = 0
        self._memory = self._file = 0

    def take(self, memory, file):
        """Counts what a plane takes, or, where negative, gives back."""
        self.left -= memory
        self._memory += memory
        self._file += file
        self.most_memory = max(self.most_memory, self._memory)
        self.most_file = max(self.most_file, self._file)


class Plane:
    """An array (H, W, C) that is written once, from top to bottom, and read by rows.

    The first rows lie in memory, as many as the budget has room for, the others in a file that has no name and is gone
    with the plane, or with the process, however that ends.

    Args:
        scratch: a `Scratch`.
        shape: (H, W, C).
        dtype: of NumPy.

    Attributes:
        shape: as given.
        size: in bytes.
    """

    def __init__(self, scratch, shape, dtype):
        self.shape, self._dtype = shape, np.dtype(dtype)
        self._row_bytes = shape[1] * shape[2] * self._dtype.itemsize
        self.size = shape[0] * self._row_bytes
        self._kept = min(shape[0], scratch.left // self._row_bytes)
        taken = self._kept * self._row_bytes, (shape[0] - self._kept) * self._row_bytes
        scratch.take(*taken)
        weakref.finalize(self, scratch.take, *(-size for size in taken))
        self._memory = self._file = None
        if not scratch.hollow:
            self._memory = np.empty((self._kept, *shape[1:]), dtype)  # costs nothing until it is written
            if self._kept < shape[0]:
                self._file = _nameless()
                weakref.finalize(self, self._file.close)

    def write(self, top, rows):
        """Puts rows (n, W, C) from `top` on.

        Raises:
            InputError: the disk is full.
        """
        inside = min(max(0, self._kept - top), len(rows))
        self._memory[top:top + inside] = rows[:inside]
        if inside == len(rows):
            return
        content = memoryview(np.ascontiguousarray(rows[inside:]).view(np.uint8)).cast("B")
        try:
            self._file.seek((max(top, self._kept) - self._kept) * self._row_bytes)
            while content:
                content = content[self._file.write(content):]
        except OSError as error:
            raise InputError(
                f"The scratch file in {folder()} cannot be written ({error.strerror}); free some space there, or name "
                "another folder in TMPDIR."
            ) from error

    def read(self, top, bottom):
        """Rows (bottom - top, W, C); not to be written to."""
        if bottom <= self._kept:
            return self._memory[top:bottom]
        rows = np.empty((bottom - top, *self.shape[1:]), self._dtype)
        inside = max(0, self._kept - top)
        rows[:inside] = self._memory[top:top + inside]
        content = memoryview(rows[inside:].view(np.uint8)).cast("B")
        self._file.seek((max(top, self._kept) - self._kept) * self._row_bytes)
        while content:
            content = content[self._file.readinto(content):]
        return rows


def folder():
    """Where scratch files go: TMPDIR and its like, or /var/tmp, since /tmp is in memory on many machines."""
    named = any(os.environ.get(name) for name in ("TMPDIR", "TEMP", "TMP"))
    lasting = "/var/tmp"
    return lasting if not named and os.access(lasting, os.W_OK | os.X_OK) else tempfile.gettempdir()


def room():
    """Bytes that are free on the disk of `folder`."""
    return shutil.disk_usage(folder()).free


def check_room(size):
    """Raises `InputError` where so many bytes are not free on the disk of `folder`."""
    if size > (free := room()):
        raise InputError(
            f"A scratch file of {size / 2**30:.1f} GiB is needed and {folder()} has {free / 2**30:.1f} GiB free; free "
            "some space there, name another folder in TMPDIR, or use a smaller size."
        )


def _nameless():
    try:
        return tempfile.TemporaryFile(buffering=0, dir=folder())
    except OSError as error:
        raise InputError(
            f"No scratch file can be made in {folder()} ({error.strerror}); name another folder in TMPDIR."
        ) from error
