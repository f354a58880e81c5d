"""Paintings cropped and recolored anew at every step, where a fast device measures them along the way.

The augmentations of Ghiasi et al., BMVC 2017 (arXiv:1705.06830), in NumPy and Pillow: a batch depends on the seed and
the step's number alone.
"""

import numpy as np
from PIL import Image

from tfstyle.train import data

__all__ = ["StyleCrops", "augmented"]

# Ranges of the authors' published code, either way; contrast is ours, as wide as saturation.
BRIGHTNESS = 0.8  # added, of values in [0, 1]
SATURATION = CONTRAST = 0.5  # factors from 1 - 0.5 to 1 + 0.5
HUE = 0.2  # of a turn of the color circle
LARGER = 200  # px by which a painting's short side may exceed the crop


class StyleCrops:
    """Squares of paintings: what `tfstyle.train.styles.StyleBank` gives as figures, as pictures.

    Args:
        pictures: a `PictureSet`.
        side: of the squares, in px.
        amount: of the changes of color, from 0 (the plain middle square, as a bank measures it) to 1 (the paper's).
    """

    def __init__(self, pictures, side, amount=1.0):
        self._pictures, self._side, self._amount = pictures, side, amount

    def __len__(self):
        return len(self._pictures)

    def batch(self, step, count, seed):
        """{"style" (count, side, side, 3) uint8}: the next paintings of a shuffled run."""
        rng = np.random.default_rng([seed, 3, step])
        picked = [data.shuffled(len(self), step * count + i, seed) for i in range(count)]
        squares = []
        for index in picked:
            picture = self._pictures.sound(index)
            if self._amount:
                squares.append(augmented(picture, self._side, rng, self._amount))
            else:
                squares.append(data.centered_square(picture, self._side, self._side))
        return {"style": np.stack(squares)}


def augmented(picture, side, rng, amount=1.0):
    """A random square of a painting, mirrored, upside down, and in other colors, each at random.

    Args:
        picture: uint8 (H, W, 3).
        side: of the result, in px. The square covers all of the painting's short side to 1 / (1 + 200 / side) of it.
        rng: numpy Generator.
        amount: share of the paper's ranges that brightness, saturation, contrast and hue are drawn from.

    Returns:
        uint8 (side, side, 3).

    Differs: the paper enlarges small paintings by up to 200 px; here a seventh at most, as strokes would blur.
    """
    height, width = picture.shape[:2]
    short = min(height, width)
    scaled = rng.integers(side, max(side * 8 // 7, min(side + LARGER, short)) + 1)  # the short side to crop from
    cut = short * side / scaled
    left, top = rng.uniform(0, width - cut), rng.uniform(0, height - cut)
    square = Image.fromarray(picture).resize(
        (side, side), Image.Resampling.LANCZOS, box=(left, top, min(left + cut, width), min(top + cut, height))
    )
    brightness, contrast, saturation, hue = rng.uniform(-1, 1, 4) * amount
    values = np.asarray(square, np.float32) + 255 * BRIGHTNESS * brightness
    mean = values.mean(axis=(0, 1))
    values = (values - mean) * (1 + CONTRAST * contrast) + mean
    hsv = np.array(Image.fromarray(np.rint(values.clip(0, 255)).astype(np.uint8)).convert("HSV"))
    hsv[..., 0] += np.uint8(round(256 * HUE * hue) % 256)  # wraps around, as the circle does
    hsv[..., 1] = np.rint(np.minimum(hsv[..., 1] * (1 + SATURATION * saturation), 255))
    square = Image.merge("HSV", [Image.fromarray(hsv[..., channel]) for channel in range(3)]).convert("RGB")
    mirrored, upside_down = rng.random(2) < 0.5
    return np.asarray(square)[:: -1 if upside_down else 1, :: -1 if mirrored else 1]
