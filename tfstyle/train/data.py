"""Pictures to train on: plain folders and tar shards, read one by one, and the crops that batches are made of.

NumPy and Pillow only. What a batch holds depends on the seed and the step's number alone, never on what was drawn
before, so that a resumed run draws what the killed one would have drawn.
"""

import dataclasses
import functools
import hashlib
import io
import os
import pathlib
import tarfile
import warnings

import numpy as np
from PIL import Image

from tfstyle import images
from tfstyle.checks import InputError
from tfstyle.images.pixels import decoded, opened

__all__ = ["PictureSet", "centered_square", "fingerprint", "random_square", "reduced", "shuffled"]

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".avif")


@dataclasses.dataclass(frozen=True)
class _Place:
    """Where the bytes of one picture lie: a file, or a stretch of a tar file."""

    path: str
    name: str
    size: int
    offset: int | None = None


class PictureSet:
    """The pictures below some folders, those inside tar files too, in an order that depends on their names alone.

    Args:
        folders: a folder or tar file, or a list of them. Nothing is unpacked or converted.

    Raises:
        InputError: a folder that is missing or holds no picture.

    `len(pictures)` is their number; `pictures[i]` reads one: uint8 (H, W, 3), sRGB. `fingerprint` names the set.
    `damaged` holds a sentence for each picture that was passed over, by its index.
    """

    def __init__(self, folders):
        folders = [folders] if isinstance(folders, (str, os.PathLike)) else list(folders)
        self._places = [place for folder in folders for place in _places(pathlib.Path(folder))]
        listing = "\n".join(f"{place.name} {place.size}" for place in self._places)
        self.fingerprint = hashlib.sha256(listing.encode()).hexdigest()[:16]
        self.damaged = {}

    def __len__(self):
        return len(self._places)

    def __getitem__(self, index):
        place = self._places[index]
        label = f"picture {place.name}"
        try:
            with open(place.path, "rb") as file:
                file.seek(place.offset or 0)
                data = file.read(place.size)
        except OSError as error:
            raise InputError(f"{label} cannot be read ({error.strerror}); check the disk.") from error
        # Not by `images.read`, which makes floats: four times the bytes, twice the time.
        return images.to_uint8(decoded(opened(io.BytesIO(data), label), label)[0])

    @property
    def names(self):
        """Of the pictures, in their order: paths below the folder, of a tar file's members with the file's name."""
        return [place.name for place in self._places]

    def sizes(self):
        """(width, height) of each picture by its header alone; None of those that have none."""
        found = []
        for place in self._places:
            try:
                with open(place.path, "rb") as file:
                    if place.offset is not None:
                        file.seek(place.offset)
                        file = io.BytesIO(file.read(place.size))
                    with warnings.catch_warnings():
                        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # nothing is decoded
                        with Image.open(file) as picture:
                            found.append(picture.size)
            except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
                found.append(None)
        return found

    def sound(self, index):
        """Picture `index`, or the next that can be read: one damaged file among a million must not end a run.

        Raises:
            InputError: a hundred in a row cannot be read, or all.
        """
        tries = min(100, len(self))
        for step in range(tries):
            place = (index + step) % len(self)
            try:
                return self[place]
            except InputError as error:
                self.damaged[place] = str(error)
        raise InputError(f"{tries} pictures in a row cannot be read; the last: {self.damaged[place]}")


def _places(folder):
    if folder.is_file() and folder.suffix.lower() == ".tar":
        files = [folder]
    elif folder.is_dir():
        files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    else:
        raise InputError(f"There is no folder or tar file {folder} to take pictures from; check the path.")
    places = []
    for path in files:
        if path.suffix.lower() == ".tar":
            places += _members(path)
        elif path.suffix.lower() in SUFFIXES:
            places.append(_Place(str(path), str(path.relative_to(folder)), path.stat().st_size))
    if not places:
        raise InputError(f"{folder} holds no pictures ({', '.join(SUFFIXES)}, plain or in .tar files).")
    return places


def _members(path):
    try:
        with tarfile.open(path, "r:") as shard:  # an uncompressed one: its members can be read in place
            return [
                _Place(str(path), f"{path.name}/{member.name}", member.size, member.offset_data)
                for member in shard
                if member.isfile() and member.name.lower().endswith(SUFFIXES)
            ]
    except tarfile.TarError as error:
        raise InputError(f"{path} is no uncompressed tar file ({error}); unpack it or make it anew.") from error


def fingerprint(picture):
    """What names a picture (H, W, 3), float32 in [0, 1] or uint8, in a checkpoint: 16 hexadecimal digits."""
    return hashlib.sha256(images.to_uint8(picture).tobytes()).hexdigest()[:16]


def shuffled(count, position, seed):
    """The index at `position` of an endless sequence in which every run of `count` holds each index once."""
    epoch, place = divmod(position, count)
    return int(_permutation(count, epoch, seed)[place])


@functools.lru_cache(maxsize=6)  # two sequences, of each this epoch and, for threads that are ahead, the next
def _permutation(count, epoch, seed):
    return np.random.default_rng([seed, epoch]).permutation(count)


def centered_square(picture, short_side, side):
    """The middle of a picture: its short side scaled to `short_side`, then `side` x `side` px cut out."""
    height, width = picture.shape[:2]
    scale = short_side / min(height, width)
    picture = images.resize(picture, (max(side, round(height * scale)), max(side, round(width * scale))))
    top, left = (picture.shape[0] - side) // 2, (picture.shape[1] - side) // 2
    return picture[top:top + side, left:left + side]


def reduced(picture, short_side):
    """A picture with a short side of at most `short_side` px (None: as it is): crops of huge ones are all sky."""
    height, width = picture.shape[:2]
    if short_side is None or min(height, width) <= short_side:
        return picture
    scale = short_side / min(height, width)
    return images.resize(picture, (round(height * scale), round(width * scale)))


def random_square(picture, side, rng, zoom=1.5):
    """A random square of a picture, mirrored half of the time.

    Args:
        picture: uint8 (H, W, 3); a smaller one is enlarged.
        side: of the result, in px.
        rng: numpy Generator.
        zoom: the square covers `side` to `zoom` * `side` px of the picture, as far as it is large enough.

    Returns:
        uint8 (side, side, 3).
    """
    height, width = picture.shape[:2]
    least = min(height, width)
    cut = min(least, round(side * rng.uniform(1, zoom)))
    top, left = rng.integers(height - cut + 1), rng.integers(width - cut + 1)
    box = (int(left), int(top), int(left) + cut, int(top) + cut)
    square = Image.fromarray(picture).resize((side, side), Image.Resampling.LANCZOS, box=box)
    square = np.asarray(square)
    return square[:, ::-1] if rng.random() < 0.5 else square
