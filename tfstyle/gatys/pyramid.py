"""The coarse-to-fine pyramid: which sizes, and how many steps at each."""

from tfstyle.checks import InputError
from tfstyle.images import LEAST_SIDE, fitted_shape, resize

# Below this long side VGG's deeper layers see too little for coarse strokes to mean anything.
COARSEST = 192


def plan(height, width, settings):
    """Scales from coarse to fine.

    Args:
        height, width: of the finished picture in pixels.
        settings: `GatysSettings`; its `scales` and `steps` are read.

    Returns:
        List of (height, width, steps). Each scale has half the long side of the next.

    Raises:
        InputError: more scales than the picture's short side allows.
    """
    long_side = max(height, width)

    def shape(halvings):
        return fitted_shape(height, width, round(long_side / 2**halvings))

    count = settings.scales
    if count is None:
        count = 1
        while long_side / 2**count >= COARSEST and min(shape(count)) >= LEAST_SIDE:
            count += 1
    elif min(shape(count - 1)) < LEAST_SIDE:
        raise InputError(
            f"{count} scales would shrink this {width}x{height} px picture under {LEAST_SIDE} px; use fewer scales."
        )
    steps = [settings.steps[min(i, len(settings.steps) - 1)] for i in range(count)]
    return [(*shape(count - 1 - i), steps[i]) for i in range(count)]


def scaled(picture, factor):
    """(H, W, C) resized by `factor`, never under `LEAST_SIDE`; the same array for factor 1."""
    if factor == 1:
        return picture
    shape = (max(LEAST_SIDE, round(side * factor)) for side in picture.shape[:2])
    return resize(picture, tuple(shape))
