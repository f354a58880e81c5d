"""Files written whole or not at all: beside their place first, then moved there."""

import contextlib
import os
import secrets
import shutil

__all__ = ["LEFT", "replaced"]

LEFT = ".tfstyle-*"  # what a kill in the middle of writing leaves beside a file


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
    beside = os.path.join(folder, f".tfstyle-{secrets.token_hex(8)}{os.path.splitext(name)[1]}")
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
