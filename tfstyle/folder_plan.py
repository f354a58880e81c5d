"""Which pictures of a folder are painted, and where each goes.

Nothing here imports TensorFlow.
"""

import collections
import os

from tfstyle import images
from tfstyle.checks import InputError

__all__ = ["FORMATS", "READ", "check_apart", "checked_folders", "is_photo", "make_folders", "named", "planned"]

# Endings of what `tfstyle.images.read` reads. Those of HEIC need pillow-heif, of which its refusal is a hint.
READ = (
    ".jpg", ".jpeg", ".jfif", ".png", ".webp", ".avif", ".heic", ".heif", ".tif", ".tiff", ".gif", ".bmp", ".jp2",
    ".ppm", ".pgm", ".pnm", ".psd", ".qoi",
)
FORMATS = ("png", "jpg", "jpeg", "webp", "tif", "tiff", "avif")  # that `tfstyle.images.write` writes


def checked_folders(folder, output):
    """Both as text; `InputError` unless the one is a folder and the other may become one."""
    for name, value in (("folder", folder), ("output", output)):
        if not isinstance(value, (str, os.PathLike)):
            raise InputError(f"the {name} must be a path (str or pathlib.Path); received {type(value).__name__}.")
    folder, output = os.fsdecode(folder), os.fsdecode(output)
    if not os.path.isdir(folder):
        raise InputError(f"There is no folder {folder!r}; check the path.")
    is_there = os.path.isdir(output)
    if not is_there and (os.path.exists(output) or os.path.splitext(output)[1].lower() in READ):
        raise InputError(f"output {output!r} is a file, and {folder!r} a folder of pictures; name a folder for theirs.")
    if is_there and os.path.samefile(folder, output):
        raise InputError(f"output {output!r} is the folder of the photos itself; choose another.")
    return folder, output


def planned(folder, output, recursive, format):
    """Pairs (path of a photo, path of its result), folder by folder and in the order of their names.

    Args:
        folder, output: as `checked_folders` returns them. What is hidden is left out, and so is `output` if it lies
            inside.
        recursive: whether the folders inside count.
        format: ending of all results, one of `FORMATS`; None keeps the photo's where that can be written, else takes
            png. Where two photos would get one name, the one whose ending changes keeps its whole name before the new
            ending: "a.gif" beside "a.png" becomes "a.gif.png".

    Raises:
        InputError: no picture, a folder that cannot be read, or names that cannot be kept apart.
    """
    pairs = list(_pairs(folder, output, recursive, format))
    if not pairs:
        more = "" if recursive else " (with recursive, the folders inside are looked into, too)"
        raise InputError(f"There is no picture in the folder {folder!r}; check the path{more}.")
    return pairs


def _pairs(folder, output, recursive, format):
    def refuse(error):
        raise InputError(f"The folder {error.filename!r} cannot be read ({error.strerror}); change its permissions.")

    own = os.path.realpath(output)
    for where, folders, files in os.walk(folder, onerror=refuse):
        folders[:] = sorted(
            name for name in folders
            if recursive and not name.startswith(".") and os.path.realpath(os.path.join(where, name)) != own
        )
        photos = sorted(filter(is_photo, files))
        there = os.path.normpath(os.path.join(output, os.path.relpath(where, folder)))
        for name, result in named(photos, format).items():
            yield os.path.join(where, name), os.path.join(there, result)


def is_photo(name):
    """Whether a file of this name is painted: it has an ending of READ and is not hidden."""
    return name.lower().endswith(READ) and not name.startswith(".")


def named(photos, format):
    """{name of a photo: name of its result} for those of one folder, in `format` as `planned` takes it."""
    wanted = {}
    for name in photos:
        stem, ending = os.path.splitext(name)
        kept = ending if ending[1:].lower() in FORMATS else ".png"
        wanted[name] = stem + (kept if format is None else f".{format}")
    alike = collections.Counter(result.casefold() for result in wanted.values())  # one file on some disks
    named = {
        name: result if result == name or alike[result.casefold()] == 1 else name + os.path.splitext(result)[1]
        for name, result in wanted.items()
    }
    taken = {}
    for name, result in named.items():
        if taken.setdefault(result, name) != name:
            raise InputError(f"{taken[result]!r} and {name!r} would both become {result!r}; rename one of them.")
    return named


def check_apart(pairs, others):
    """Raises `InputError` if a result would take the place of a picture that is read."""
    paths = [photo for photo, _ in pairs] + [one for one in others if isinstance(one, (str, os.PathLike))]
    inputs = {os.path.realpath(os.fsdecode(path)) for path in paths}
    for _, target in pairs:
        if os.path.realpath(target) in inputs:
            raise InputError(f"output {target!r} would overwrite a picture that is read; choose another folder.")


def make_folders(todo):
    """Makes the folders of the results, and checks that every kind of picture wanted can be written there."""
    probes = {(os.path.dirname(path), os.path.splitext(path)[1].lower()): path for _, path in todo}
    for (folder, _), path in probes.items():
        try:
            os.makedirs(folder, exist_ok=True)
        except OSError as error:
            raise InputError(f"output {folder!r} cannot be made ({error.strerror}); choose another place.") from error
        if not os.path.lexists(path):  # what is there and cannot be replaced is that picture's fault alone
            images.check_output(path)
