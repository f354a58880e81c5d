"""Every painting measured once: what the style predictor reads of it and what the style loss aims at.

Measuring a painting costs more than a training step spends on a picture, and a painting comes by many times. So a
run on a processor measures all of them first (a few minutes for ten thousand) and keeps the figures in files.
"""

import functools
import json
import pathlib
import shutil

import keras
import numpy as np

from tfstyle.checks import InputError
from tfstyle.losses.style import gram_matrix, joined_moments
from tfstyle.nets.vgg import layer_info, vgg
from tfstyle.train import data, devices
from tfstyle.train.checkpoint import replaced

__all__ = ["STYLE_LAYERS", "StyleBank", "packed_size", "statistics"]

STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
SHARD = 256  # paintings a file
BATCH = 8


def statistics(features):
    """Moments and Gram matrices of features, in the form in which targets are kept.

    Args:
        features: {layer: (N, H, W, C)} for STYLE_LAYERS.

    Returns:
        (moments (N, 2 x channels of all layers): mean, standard deviation of each layer in turn,
        [Gram matrix (N, C, C) of each layer]), float32.
    """
    maps = [features[layer] for layer in STYLE_LAYERS]
    return joined_moments(maps), [gram_matrix(one) for one in maps]


def packed_size():
    """How many numbers a packed row holds: the upper triangles of five Gram matrices."""
    return sum(c * (c + 1) // 2 for c in map(_channels, STYLE_LAYERS))


class StyleBank:
    """Figures of all paintings of a set, on disk, measured where they are missing.

    Args:
        pictures: a `PictureSet`; what cannot be read of it is left out.
        folder: where the figures lie (0.6 MB a painting and size); a killed measurement goes on where it was.
        sizes: short sides in px at which paintings are measured, the middle square of `side` px of each; a size
            larger than a painting is left out, so that nothing is enlarged. A painting smaller than all is fitted.
        dtype: of the VGG, as `tfstyle.nets.vgg.vgg` takes it.
        side: of the squares, in px, at most the least of `sizes`.
        told: called with (paintings done, of how many) at the start and after every batch.

    Raises:
        InputError: the folder holds figures of something else, or the disk is too small.
    """

    def __init__(self, pictures, folder, sizes=(224, 320), dtype="float32", side=224, told=None):
        self._folder = pathlib.Path(folder)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"The folder {folder} cannot be made ({error.strerror}); name another bank.") from None
        self._side = side
        views = self._views(pictures, sizes, told)
        self._count = len(views)
        firsts = range(0, len(views), SHARD)
        missing = [first for first in firsts if not all(path.exists() for path in self._paths(first))]
        if missing:
            self._check_room(sum(min(SHARD, len(views) - first) for first in missing))
            measure = _measurer(dtype, side)
            for first in missing:
                self._measure(pictures, views, first, measure, told)
        try:
            self._grams = [np.load(self._paths(first)[0], mmap_mode="r") for first in firsts]
            self._moments = np.concatenate([np.load(self._paths(first)[1]) for first in firsts])
        except (ValueError, EOFError):  # what NumPy makes of a damaged file
            raise InputError(f"Figures of paintings in {folder} are damaged; delete that folder.") from None

    def __len__(self):
        return self._count

    def targets(self, indices):
        """(moments (N, 2944) float32, packed unit Gram matrices (N, `packed_size()`) float16) of some paintings."""
        packed = np.stack([self._grams[i // SHARD][i % SHARD] for i in indices])
        return self._moments[np.asarray(indices)], packed

    def batch(self, step, count, seed):
        """{"moments" (count, 2944) float32, "gram0".. (count, C, C) float16}: the next paintings of a shuffled run."""
        moments, packed = self.targets([data.shuffled(len(self), step * count + i, seed) for i in range(count)])
        return {"moments": moments, **{f"gram{i}": np.take(packed, at, axis=1) for i, at in enumerate(_places())}}

    def _paths(self, first):
        stem = f"{first // SHARD:04d}"
        return self._folder / f"grams-{stem}.npy", self._folder / f"moments-{stem}.npy"

    def _views(self, pictures, sizes, told=None):
        """[(picture, short side)]: which squares there are, kept in a file because it takes reading every picture."""
        path = self._folder / "views.json"
        of = {"pictures": pictures.fingerprint, "sizes": list(sizes), "side": self._side}
        if path.exists():
            try:
                found = {"side": 224, "views": [], **json.loads(path.read_text())}
            except (ValueError, TypeError):
                raise InputError(f"{path} is damaged; delete the folder {self._folder}.") from None
            if {key: found.get(key) for key in of} != of:
                raise InputError(
                    f"{self._folder} holds figures of other paintings or sizes; delete it or name another folder."
                )
            return [tuple(view) for view in found["views"]]
        if next(self._folder.glob("grams-*.npy"), None):
            raise InputError(f"{self._folder} holds figures of unknown paintings; delete it or name another.")
        views = []
        for index in range(len(pictures)):
            if told and index % SHARD == 0:
                told(0, len(pictures))
            try:
                short = min(pictures[index].shape[:2])
            except InputError as error:
                pictures.damaged[index] = str(error)
                continue
            views += [(index, size) for size in sizes if size <= short] or [(index, self._side)]
        if not views:
            raise InputError("None of the paintings can be read; give other ones.")
        order = np.random.default_rng(0).permutation(len(views))  # early shards of a long measurement hold all kinds
        views = [views[i] for i in order]
        with replaced(path) as file:
            file.write(json.dumps({**of, "views": views}).encode())
        return views

    def _check_room(self, paintings):
        needed = paintings * (2 * packed_size() + 4 * 2944)
        free = shutil.disk_usage(self._folder).free
        if needed > free:
            raise InputError(
                f"Measuring the paintings takes {needed / 1e9:.1f} GB in {self._folder}, where {free / 1e9:.1f} GB are "
                "free; name a bank on a larger disk, or train without measured styles."
            )

    def _measure(self, pictures, views, first, measure, told):
        rows = views[first:first + SHARD]
        packed, moments = np.empty((len(rows), packed_size()), np.float16), []
        for start in range(0, len(rows), BATCH):
            squares = [data.centered_square(pictures[i], size, self._side) for i, size in rows[start:start + BATCH]]
            keep = len(squares)
            batch = np.stack(squares + squares[:1] * (BATCH - keep))  # one shape, compiled once
            found, *grams = measure.predict_on_batch(batch.astype("float32") / 255)
            moments.append(found[:keep])
            packed[start:start + keep] = _packed(grams)[:keep]
            if told:
                told(first + start + keep, len(views))
        for path, array in zip(self._paths(first), (packed, np.concatenate(moments)), strict=True):
            with replaced(path) as file:
                np.save(file, array)


def _measurer(dtype, side):
    image = keras.Input(batch_shape=(BATCH, side, side, 3))
    moments, grams = statistics(vgg(STYLE_LAYERS, dtype=dtype)(image))
    model = keras.Model(image, [moments, *grams])
    model.compile(jit_compile=devices.compiles())
    return model


def _packed(grams):
    """Gram matrices scaled to Frobenius norm 1, their upper triangles side by side: (N, packed_size())."""
    parts = []
    for gram in grams:
        unit = gram / np.maximum(np.linalg.norm(gram, axis=(1, 2), keepdims=True), 1e-12)
        parts.append(unit[(slice(None), *np.triu_indices(gram.shape[-1]))])
    return np.concatenate(parts, axis=-1)


@functools.cache
def _places():
    """For each layer, where in a packed row each entry of its symmetric matrix stands: (C, C) indices."""
    places, start = [], 0
    for channels in map(_channels, STYLE_LAYERS):
        rows, columns = np.triu_indices(channels)
        place = np.empty((channels, channels), np.intp)
        place[rows, columns] = place[columns, rows] = np.arange(start, start + len(rows))
        places.append(place)
        start += len(rows)
    return places


def _channels(layer):
    return layer_info(layer)[0]
