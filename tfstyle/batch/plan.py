"""Which pictures a pattern finds, and where each goes.

Every folder is listed once, and no file is asked about by itself: with a million pictures on a network disk, that is
minutes less. Nothing here imports TensorFlow or Ray.
"""

import dataclasses
import fnmatch
import functools
import os
import re

from tfstyle.checks import InputError
from tfstyle.folder_plan import READ, check_apart, is_photo, named

__all__ = ["Plan", "planned_batch"]


@dataclasses.dataclass(frozen=True)
class Plan:
    """The pictures of a batch.

    Attributes:
        pattern: as it was given, ~ being the home folder.
        root, output: as they were given, the folder that holds all photos and the one for the results.
        pairs: list of (photo, result), each relative to its folder; folder by folder, in the order of their names.
        there: set of the results that are files already.
    """

    pattern: str
    root: str
    output: str
    pairs: list
    there: set


def planned_batch(pattern, output, format=None, others=()):
    """Finds the pictures, and where each goes: below `output` as it lies below the fixed part of the pattern.

    Args:
        pattern: folder, with all in it, or a pattern: *, ? and [abc] within a name, ** for folders at any depth. What
            is hidden is left out, and so is `output` where it lies inside. Links to folders are followed where the
            pattern names them, not by **.
        output: folder for the results, which need not be there.
        format: as `tfstyle.folder_plan.planned` takes it.
        others: pictures of any kind that are read, too; no result may take the place of one.

    Returns:
        `Plan`.

    Raises:
        InputError: no picture, a folder that cannot be read, or results that would overwrite what is read.
    """
    for name, value in (("the pattern", pattern), ("output", output)):
        if not isinstance(value, (str, os.PathLike)) or not os.fspath(value):
            raise InputError(f"{name} must be a path (str or pathlib.Path); received {value!r}.")
    pattern = os.path.expanduser(os.fsdecode(pattern))  # no shell does it for what is quoted
    output = os.fsdecode(output)
    root, segments = _split(pattern)
    _check_output(output, pattern, root)
    pairs, there = [], set()
    photos = _by_folder(root, segments, os.path.realpath(output))
    for inside, names in photos.items():
        files = {entry.name for entry in _listed(os.path.join(output, inside)) if entry.is_file()}
        for name, result in named(sorted(names), format).items():
            result = os.path.join(inside, result)
            photo = os.path.join(inside, name)
            pairs.append((photo, photo if photo == result else result))  # one text in memory for both
            if os.path.basename(result) in files:
                there.add(result)
    if not pairs:
        raise InputError(f"There is no picture that {pattern!r} finds; check the path, and quote the pattern.")
    _check_apart(root, output, photos, pairs, others)
    return Plan(pattern, root, output, pairs, there)


def _split(pattern):
    """(fixed folder, what its content must match, name by name)."""
    if os.path.isdir(pattern):
        return pattern, ["**", "*"]
    if os.path.isfile(pattern):
        raise InputError(f"{pattern!r} is one picture; quote the pattern, such as 'photos/*.jpg', or name a folder.")
    drive, path = os.path.splitdrive(pattern)
    root = drive + (os.sep if path.startswith(os.sep) else "")
    segments = [name for name in path.split(os.sep) if name not in ("", ".")]
    while segments and os.path.isdir(os.path.join(root, segments[0])):  # also of a name that looks like a pattern
        root = os.path.join(root, segments.pop(0))
    if not segments or not re.search(r"[*?[]", "".join(segments)):
        missing = os.path.join(root, segments[0]) if segments else pattern
        raise InputError(f"There is no {missing!r}; check the path, and quote the pattern.")
    if ".." in segments:
        raise InputError(f"The pattern {pattern!r} goes back by .. after a wildcard; write it without.")
    return root or os.curdir, segments


def _check_output(output, pattern, root):
    is_there = os.path.isdir(output)
    if not is_there and (os.path.exists(output) or os.path.splitext(output)[1].lower() in READ):
        raise InputError(f"output {output!r} is a file, and {pattern!r} many pictures; name a folder for theirs.")
    if is_there and os.path.samefile(output, root):
        raise InputError(f"output {output!r} is the folder of the photos itself; choose another.")


def _by_folder(root, segments, output):
    """{folder relative to the root: set of photos' names}, in order, without what lies in the real folder `output`."""
    found = {}

    def search(inside, segments, entries=None):
        first, rest = segments[0], segments[1:]
        folder = os.path.join(root, inside)
        if entries is None:
            if os.path.realpath(folder) == output:
                return
            entries = sorted(_listed(folder, refuse=True), key=lambda entry: entry.name)
        if first == "**":
            search(inside, rest or ["*"], entries)
        fits = re.compile(fnmatch.translate("*" if first == "**" else first)).match
        for entry in entries:
            if entry.name.startswith(".") or not fits(entry.name):
                continue
            if first == "**":
                if entry.is_dir(follow_symlinks=False):
                    search(os.path.join(inside, entry.name), segments)
            elif rest:
                if entry.is_dir():
                    search(os.path.join(inside, entry.name), rest)
            elif is_photo(entry.name) and not entry.is_dir():  # a link to nothing is told of
                found.setdefault(inside, set()).add(entry.name)

    search("", segments)
    return found


def _listed(folder, refuse=False):
    """The entries of a folder; none if it is missing, unless that is to be refused."""
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError as error:
        if not refuse and isinstance(error, (FileNotFoundError, NotADirectoryError)):
            return []
        why = error.strerror
        raise InputError(f"The folder {folder!r} cannot be read ({why}); change its permissions.") from error


def _check_apart(root, output, photos, pairs, others):
    """`tfstyle.folder_plan.check_apart`, asked only where a result could be a photo: by a link, or in its folder."""
    real = functools.cache(os.path.realpath)
    read = {real(os.path.join(root, inside)) for inside in photos}
    read |= {os.path.dirname(real(os.fsdecode(one))) for one in others if isinstance(one, (str, os.PathLike))}
    links = functools.cache(lambda folder: {entry.name for entry in _listed(folder) if entry.is_symlink()})

    def is_suspect(result):
        folder, name = os.path.split(os.path.join(output, result))
        return real(folder) in read or name in links(folder)

    if any(links(os.path.join(root, inside)) for inside in photos) or any(is_suspect(pair[1]) for pair in pairs):
        check_apart([(os.path.join(root, photo), os.path.join(output, result)) for photo, result in pairs], others)
