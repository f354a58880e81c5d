"""What VGG-19 sees of pictures as styles: the moments from which their codes are predicted."""

import itertools

import numpy as np
import tensorflow as tf

from tfstyle.losses.style import joined_moments
from tfstyle.nets.arbitrary import PREDICTOR_LAYERS
from tfstyle.nets.vgg import layer_info, vgg

__all__ = ["MomentsReader", "at_once"]

# Pixels that go through the network at once: of a whole picture, and of a strip of a larger one. TensorFlow keeps what
# it has once taken, and whoever paints a large picture has none to spare.
WHOLE, STRIP = 2**20, 2**18
# Rows around a strip: relu4_1 sees 37 px in each direction. A multiple of its stride.
MARGIN = 40


def at_once(height, width):
    """How many pixels of a picture go through the network at once."""
    pixels = height * width
    return pixels if pixels <= WHOLE else min(pixels, STRIP + 2 * MARGIN * width)


class MomentsReader:
    """Mean and deviation of the channels of PREDICTOR_LAYERS, of large pictures strip by strip.

    Args:
        dtype: of the VGG-19, as `tfstyle.nets.vgg.vgg` takes it; the moments are float32 always.
    """

    def __init__(self, dtype):
        self._measure, self._measure_strip = _traced(vgg(PREDICTOR_LAYERS, dtype=dtype))

    def __call__(self, pictures):
        """(N, H, W, 3) float32 in [0, 1] -> (N, 1920) float32, as `style_predictor` takes it."""
        height, width = pictures.shape[1:3]
        rows = height if height * width <= WHOLE else max(2 * MARGIN, STRIP // width // 8 * 8)
        edges = [*range(0, height - 7, rows), height]  # the last strip has a row of relu4_1, too
        strips, parts = list(itertools.pairwise(edges)), []
        if len(strips) == 1:
            return self._measure(pictures).numpy()
        for top, bottom in strips:
            above, below = min(top, MARGIN), min(height - bottom, MARGIN)
            parts.append(self._measure_strip(pictures[:, top - above:bottom + below], above, below).numpy())
        return _joined(np.stack(parts), np.array([b - a for a, b in strips]))


def _traced(reader):
    """(measure, measure_strip) as graphs for pictures of any size, each traced once."""
    pictures, rows = tf.TensorSpec((None, None, None, 3)), tf.TensorSpec((), tf.int32)

    @tf.function(input_signature=[pictures])
    def measure(images):
        """Moments (N, 1920) of the features."""
        return joined_moments(reader(images).values())

    @tf.function(input_signature=[pictures, rows, rows])
    def measure_strip(images, above, below):
        """The same, but for so many rows of the picture above and below."""
        maps = []
        for name, features in reader(images).items():
            stride = layer_info(name)[1]
            maps.append(features[:, above // stride:tf.shape(features)[1] - below // stride])
        return joined_moments(maps)

    return measure, measure_strip


def _joined(moments, rows):
    """Moments of strips (S, N, 1920) of so many picture rows each (S,) as those of the whole: (N, 1920)."""
    parts, start = [], 0
    for name in PREDICTOR_LAYERS:
        width, stride, _ = layer_info(name)
        mean, deviation = moments[..., start:start + width], moments[..., start + width:start + 2 * width]
        share = (rows // stride / (rows // stride).sum())[:, None, None]
        whole = (share * mean).sum(0)
        variance = (share * (deviation**2 + (mean - whole) ** 2)).sum(0)
        parts += [whole, np.sqrt(variance)]
        start += 2 * width
    return np.concatenate(parts, axis=-1).astype("float32")
