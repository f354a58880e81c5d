"""The manifest of a batch, OUT_DIR/manifest.jsonl: what each picture has come to, known by the line.

A head says by what the pictures are painted; a line follows for each as it becomes known, and the last one of a
picture counts. Another head begins anew: nothing before it counts. All is appended, so that a kill can cut short the
last line at most, which then is none. Nothing here imports TensorFlow or Ray.
"""

import contextlib
import json
import os
import sys

from tfstyle.checks import InputError

__all__ = ["DONE", "FAILED", "NAME", "check_same", "keeping", "read_manifest"]

NAME = "manifest.jsonl"
DONE, FAILED = "done", "failed"
_KEYS = ("photo", "result", "state", "sentence", "seconds")
_BEGINS = '{"version"'  # a head
_MADE_WITH = ("version", "overwrite")  # of the head, what a run that goes on may have otherwise


def read_manifest(output):
    """What the manifest of a folder says.

    Args:
        output: the folder.

    Returns:
        (head, {photo: line}); (None, {}) if there is no manifest, or none that got as far as its head.

    Raises:
        InputError: it is no manifest, or cannot be read.
    """
    path, head, lines = os.path.join(output, NAME), None, {}
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            for text in file:
                found = _object(text)
                if found is not None and isinstance(found.get("settings"), dict):
                    head, lines = found, {}
                elif head is None and (text.endswith("\n") or not _is_torn_head(text)):
                    raise InputError(f"{path} is no manifest of a batch; move it away, or choose another output.")
                elif found is not None and all(key in found for key in _KEYS):
                    lines[found["photo"]] = found
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); mend that, or choose another output.") from error
    return head, lines


def _is_torn_head(text):
    return text.startswith(_BEGINS) or _BEGINS.startswith(text)


def _object(text):
    """The JSON object of a line; None if it is damaged or cut short."""
    try:
        found = json.loads(text) if text.endswith("\n") else None
    except (RecursionError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def check_same(found, wanted, output):
    """Checks that a run may go on under the head that it finds.

    Args:
        found, wanted: heads.
        output: folder of the manifest, as it was given.

    Raises:
        InputError: the pictures would be painted by something else, naming what.
    """
    before, now = ({**head, **head["settings"]} for head in (found, wanted))
    network = now.get("model_sha256")
    if network is not None and network == before.get("model_sha256"):
        before["model"] = now["model"]  # the same file, wherever it lies
    for name in now:
        if name in ("settings", *_MADE_WITH) or before.get(name) == now[name]:
            continue
        told = f"setting of {name} ({_short(before.get(name))}, and now {_short(now[name])})"
        if name in found:
            told = name.removesuffix("s")  # style or pattern, which are long
        raise InputError(
            f"{output} holds pictures of another {told}; give the same as then, choose another output, or overwrite "
            "them."
        )


def _short(value):
    text = "none" if value is None else str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


@contextlib.contextmanager
def keeping(output, head, anew):
    """Holds the manifest of a folder for this process alone, ready to be added to.

    Args:
        output: the folder, which is there.
        head: written where there is none yet.
        anew: True writes it all the same, so that nothing before it counts.

    Yields:
        note(lines), which appends dicts of `photo`, `result`, `state`, `sentence` and `seconds`.

    Raises:
        InputError: another process is at it, or the disk refuses.
    """
    path = os.path.join(output, NAME)

    def note(lines):
        whole = file.seek(0, os.SEEK_END)
        rest = b"".join(json.dumps(line, allow_nan=False).encode() + b"\n" for line in lines)
        try:
            while rest:
                rest = rest[file.write(rest):]
        except OSError as error:
            with contextlib.suppress(OSError):
                file.truncate(whole)
            why = error.strerror
            raise InputError(f"{path} cannot be written ({why}); mend that, and the same command goes on.") from error

    try:
        file = open(path, "ab", buffering=0)  # so that nothing is left to be written when it is closed
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error.strerror}); choose another output.") from error
    try:
        _lock(file, path)
        before, _ = read_manifest(output)
        file.truncate(_end_of_lines(path))
        if anew or before is None:
            note([head])
        yield note
    finally:
        with contextlib.suppress(OSError):
            file.close()


def _lock(file, path):
    """Keeps a second process out; the system lets go when this one ends, however it does."""
    try:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise InputError(f"Another process is writing {path}; wait for it, or choose another output.") from None
    except (ImportError, OSError):  # Windows, or a network disk that knows no locks
        print(f"tfstyle: {path} cannot be locked here; start no second command for it meanwhile.", file=sys.stderr)


def _end_of_lines(path):
    """Where the last whole line ends; what comes after it, a kill has cut short."""
    with open(path, "rb") as file:
        end = file.seek(0, os.SEEK_END)
        while end > 0:
            start = max(0, end - 65536)
            file.seek(start)
            line_end = file.read(end - start).rfind(b"\n")
            if line_end >= 0:
                return start + line_end + 1
            end = start
    return end
