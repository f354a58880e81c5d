"""Our painting networks over pictures too large to go through whole: strip by strip, to the same result.

A normalization needs the moments of a whole feature map. So the network goes over the picture once for each: the strips
of what it normalizes are made, measured and kept, in memory or in a scratch file, and the next pass begins with them.
Nothing is estimated, and no border shows.

Imports TensorFlow.
"""

import collections
import itertools

import psutil
import tensorflow as tf
from keras import layers as kl

from tfstyle.machine import available
from tfstyle.maps import MAKERS, NORMS, is_known, joined, moments_of, normalized, of_picture, of_plane
from tfstyle.scratch import Plane, Scratch, check_room, room

__all__ = ["painted_rows", "peak", "scratch_bytes", "supports"]

_STRIP = 2**19  # pixels of the picture
# Bytes for feature maps where nobody says how many. More gains nothing: what is free keeps the scratch file at hand.
_MEMORY = 512 * 2**20
# Measured: bytes for each pixel of a strip.
_WORK = {"float32": 640, "bfloat16": 320}


def painted_rows(network, picture, others=(), *, memory=None, rows=None, half=True):
    """What a network makes of a picture, from top to bottom.

    Args:
        network: a keras.Model that `supports` accepts; its first input is the picture.
        picture: (H, W, 3) uint8, or float32 in [0, 1]; at least 16 px a side.
        others: arrays (1, ...) for the further inputs, such as a style code.
        memory: bytes for feature maps; what goes beyond lies in a scratch file. None takes half a GiB of what is free,
            and more where the disk has no room.
        rows: that are made at a time, of every feature map; None for half a megapixel of the picture.
        half: keep the feature maps of a float32 network in float16, which changes the picture by a tenth of what
            bfloat16 does; those of a bfloat16 network are kept as they are.

    Returns:
        Generator of (top, (n, W, 3) float32 in [0, 1]), every row of the picture once. What it keeps goes with it.

    Raises:
        InputError: too little room on the disk.
    """
    height, width = picture.shape[:2]
    memory = _budget(network, height, width, rows, half) if memory is None else memory
    check_room(scratch_bytes(network, height, width, memory=memory, half=half))
    return _Run(network, height, width, memory, rows, half).painted(picture, others)


def supports(network):
    """Whether a keras.Model goes through strip by strip: all of its layers are of the kinds of `nets.compact`."""
    return len(network.outputs) == 1 and all(map(is_known, network.operations))


def scratch_bytes(network, height, width, *, memory=None, half=True):
    """The size of the scratch files that `painted_rows` makes for a picture, at most at one time.

    Args:
        network, memory, half: as `painted_rows` takes them.
        height, width: of the picture in pixels.
    """
    return _hollow(network, height, width, memory, None, half).most_file


def peak(network, height, width, *, memory=None, rows=None, half=True):
    """Memory in bytes that `painted_rows` takes, to about a fifth, beside TensorFlow, the picture and the result."""
    return _hollow(network, height, width, memory, rows, half).most_memory + _work(network, height, width, rows)


def _work(network, height, width, rows):
    """Bytes for what lies between the kept feature maps."""
    narrow = any("bfloat16" in layer.compute_dtype for layer in network.layers)
    return _WORK["bfloat16" if narrow else "float32"] * min(height, rows or _rows(width)) * width


def _rows(width):
    return max(8, _STRIP // width // 8 * 8)


def _budget(network, height, width, rows, half):
    """Bytes for feature maps: a part of what is free, or all of it where the disk has no room for the others."""
    free = available() - psutil.Process().memory_info().rss - _work(network, height, width, rows)
    memory = max(0, min(_MEMORY, free))
    return memory if scratch_bytes(network, height, width, memory=memory, half=half) <= room() else free


def _hollow(network, height, width, memory, rows, half):
    """The `Scratch` of a run in which nothing was computed."""
    run = _Run(network, height, width, _MEMORY if memory is None else memory, rows, half, hollow=True)
    run.evaluated()
    return run.scratch


class _Run:
    """One picture on its way through a network."""

    def __init__(self, network, height, width, memory, rows, half, hollow=False):
        self.network, self.height, self.width, self.half = network, height, width, half
        self.rows = rows or _rows(width)
        self.scratch = Scratch(memory, hollow)

    def painted(self, picture, others):
        final = self.evaluated(picture, others)
        for top, bottom in self._strips(final):
            yield top, final.rows(top, bottom)[0].numpy()

    def evaluated(self, picture=None, others=None):
        """The network's output as a `Map`, all moments known."""
        first, *further = self.network.inputs
        values = {id(first): of_picture(picture, self.height, self.width)}
        values |= zip(map(id, further), others or [None] * len(further), strict=True)
        layers = [layer for layer in self.network.operations if not isinstance(layer, kl.InputLayer)]
        uses = collections.Counter(id(source) for layer in layers for source in _sources(layer))
        uses[id(self.network.outputs[0])] += 1
        for layer in layers:
            keys = [id(source) for source in _sources(layer)]
            if isinstance(layer, NORMS):
                values[keys[0]], moments = self._measured(values[keys[0]])
                made = normalized(layer, values[keys[0]], moments, *(values[key] for key in keys[1:]))
            else:
                made = MAKERS[type(layer)](layer, *(values[key] for key in keys))
            if uses[id(layer.output)] > 1 and made.reads > self._size(made):
                made, _ = self._measured(made, with_moments=False)  # to have one plane in place of several
            values[id(layer.output)] = made
            for key in keys:
                uses[key] -= 1
                if not uses[key]:
                    del values[key]  # and with it the planes that only this one was made from
        return values[id(self.network.outputs[0])]

    def _measured(self, x, with_moments=True):
        """Goes over a map once: (the map, kept unless it is cheaper to make it again, its mean and variance)."""
        again = with_moments and x.height >= self.height and self._size(x) > x.reads
        dtype = self._kept_dtype(x)
        plane = None if again else Plane(self.scratch, (x.height, x.width, x.channels), dtype.as_numpy_dtype)
        parts = []
        for top, bottom in self._strips(x) if not self.scratch.hollow else ():
            strip = x.rows(top, bottom)
            if plane is not None:
                kept = strip if strip.dtype == dtype else tf.saturate_cast(strip, dtype)
                plane.write(top, kept.numpy()[0])
            if with_moments:
                parts.append(moments_of(strip))
        return x if again else of_plane(plane, x.dtype), joined(parts) if parts else None

    def _kept_dtype(self, x):
        return tf.float16 if self.half and x.dtype == tf.float32 else x.dtype

    def _size(self, x):
        return x.height * x.width * x.channels * self._kept_dtype(x).size

    def _strips(self, x):
        # The small maps' strips are half as tall, since a stride reaches for twice as many rows.
        step = self.rows if x.height >= self.height else max(1, self.rows // 2)
        return itertools.pairwise([*range(0, x.height, step), x.height])


def _sources(layer):
    return layer.input if isinstance(layer.input, (list, tuple)) else [layer.input]
