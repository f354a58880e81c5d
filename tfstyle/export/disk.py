"""What an export leaves and says where a disk refuses or it is broken off: no empty folders, and plain words."""

import contextlib
import errno
import os
import re

import tensorflow as tf

__all__ = ["no_empty_folders", "plain_errors"]


@contextlib.contextmanager
def no_empty_folders(path):
    """Removes, in the end, whatever folders have been made for a path and hold nothing.

    Args:
        path: of a folder; those that are there already, and those above them, stay.
    """
    made, place = [], os.path.realpath(path)
    while not os.path.lexists(place):
        made.append(place)
        place = os.path.dirname(place)
    try:
        yield
    finally:
        for folder in made:
            with contextlib.suppress(OSError):
                os.rmdir(folder)  # which leaves one that holds something


@contextlib.contextmanager
def plain_errors():
    """TensorFlow's errors of files as those of Python, in the operating system's words.

    Raises:
        OSError: the disk refuses; `strerror` is why, without the names of operations and temporary files.
        tf.errors.ResourceExhaustedError: memory has run out, not a disk.
    """
    try:
        yield
    except tf.errors.OpError as error:
        codes = [code for code in errno.errorcode if f"; {os.strerror(code)}" in error.message]
        if codes:
            code = max(codes, key=lambda code: len(os.strerror(code)))  # some begin as others do
            raise OSError(code, os.strerror(code)) from error
        if isinstance(error, tf.errors.ResourceExhaustedError):
            raise
        raise OSError(None, re.sub(r"\{\{.*?\}\} *| *\[Op:.*", "", error.message.partition("\n")[0])) from error
