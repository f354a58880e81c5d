"""Codes of style pictures: a few numbers from which a network predicts its normalization."""

import numpy as np

from tfstyle import images
from tfstyle.checks import InputError
from tfstyle.controls import MOST_SEEN
from tfstyle.look import checked_code
from tfstyle.moments import MomentsReader, at_once
from tfstyle.nets.arbitrary import PREDICTOR_LAYERS
from tfstyle.nets.vgg import layer_info
from tfstyle.running import BASE, in_portions, traced_pictures

__all__ = ["CodeReader", "reduced"]

# Memory, measured: bytes a pixel in VGG-19 to relu4_1, and in Inception-v3 to Mixed_6e.
_MEASURE = {"float32": 900, "bfloat16": 600}
_LOOK = 220
# What makes the texture: two numbers for each channel of relu1_1 and relu2_1 (Gatys et al. 2017, section 6).
_FINE = 2 * sum(layer_info(name)[0] for name in PREDICTOR_LAYERS[:2])


class CodeReader:
    """Reads the codes of pictures.

    Args:
        predictor: keras.Model, `tfstyle.nets.arbitrary.style_predictor`.
        config: its `ArbitraryConfig`.
        dtype: of the convolutions that look at the pictures, "float32" or "bfloat16".

    Attributes:
        size: numbers in a code.
    """

    def __init__(self, predictor, config, dtype):
        self.size, self._dtype = config.code, dtype
        self._sees_pictures = config.predictor == "inception_v3"
        if self._sees_pictures:
            self._predictor = traced_pictures(predictor)
        else:
            self._predictor, self._moments = predictor, MomentsReader(dtype)

    def __call__(self, pictures, texture=None):
        """(N, H, W, 3) float32 in [0, 1] -> (N, K) float32.

        Args:
            pictures: to look at.
            texture: (h, w, 3) float32 in [0, 1] whose moments at relu1_1 and relu2_1, and with them its colors, take
                the place of theirs.

        Raises:
            InputError: a texture, for a network that looks at pictures by other layers.
        """
        if self._sees_pictures:
            if texture is not None:
                raise InputError("texture needs a network that looks at styles by VGG-19, such as the model default.")
            return in_portions(self._predictor, pictures)
        moments = in_portions(self._moments, pictures)
        if texture is not None:
            moments = moments.copy()
            moments[:, :_FINE] = self._moments(texture[None])[:, :_FINE]
        return np.asarray(self._predictor(moments))

    def checked(self, code):
        """A code as float32 (K,), else `InputError`."""
        return checked_code(code, self.size)

    def need(self, height, width):
        """Peak memory in bytes, roughly: of VGG-19 on a strip, or of Inception-v3."""
        pixels = height * width
        if self._sees_pictures:
            return BASE + pixels * (100 + _LOOK)
        return BASE + pixels * 100 + at_once(height, width) * _MEASURE[self._dtype]


def reduced(picture):
    """A picture (H, W, 3), uint8 or float32, as float32 at the size at which it is looked at, 2048 px at most."""
    if max(picture.shape[:2]) > MOST_SEEN:
        picture = images.fit(picture, MOST_SEEN)
    return images.read(picture).rgb if picture.dtype == np.uint8 else picture
