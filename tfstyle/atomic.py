"""Files and folders written whole or not at all: beside their place first, then moved there."""

import contextlib
import errno
import os
import secrets
import shutil

__all__ = ["LEFT", "mark", "replaced", "replaced_folder"]

LEFT = ".tfstyle-*"  # what a kill in the middle of writing leaves beside a file
_marked = ""


def mark(text):
    """Has the names of what this process leaves, if it is killed, begin with .tfstyle-TEXT: so others can tell it."""
    global _marked
    _marked = text


@contextlib.contextmanager
def replaced(path):
    """A place to write to whose file takes that of `path` once all has gone well, so that a kill leaves old or new.

    Args:
        path: of the file wanted; one that is there keeps its permissions, a link its target.

    Yields:
        Path, as text, of a file that is not there yet, in the same folder and with the same ending.

    Raises:
        OSError: the folder or the disk refuses; nothing is left behind.
    """
    target = os.path.realpath(path)
    folder, name = os.path.split(target)
    beside = os.path.join(folder, f".tfstyle-{_marked}{secrets.token_hex(8)}{os.path.splitext(name)[1]}")
    try:
        yield beside
        with open(beside, "rb+") as file:
            os.fsync(file.fileno())
        if os.path.exists(target):
            shutil.copymode(target, beside)
        os.replace(beside, target)
    finally:
        with contextlib.suppress(OSError):
            os.remove(beside)


@contextlib.contextmanager
def replaced_folder(path):
    """A folder to write to that takes the place of `path` once all has gone well; what was there is removed then.

    Args:
        path: of the folder wanted; the folders above it are made if missing.

    Yields:
        Path, as text, of an empty folder beside it.

    Raises:
        OSError: the disk refuses, or a file has that name; nothing is left behind and what was there stays.
    """
    target = os.path.realpath(path)
    if os.path.exists(target) and not os.path.isdir(target):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), target)
    above, token = os.path.dirname(target), secrets.token_hex(8)
    os.makedirs(above, exist_ok=True)
    beside, old = (os.path.join(above, f".tfstyle-{token}{kind}") for kind in ("", "-old"))
    os.mkdir(beside)
    try:
        yield beside
        if os.path.exists(target):
            os.rename(target, old)
        os.rename(beside, target)
    finally:
        if os.path.exists(old) and not os.path.exists(target):  # whatever came between, Ctrl-C too
            os.rename(old, target)
        for folder in (beside, old):
            shutil.rmtree(folder, ignore_errors=True)
