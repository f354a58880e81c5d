"""The pictures of a run: read, brought to their sizes, and checked before anything is computed."""

from typing import NamedTuple

import numpy as np

from tfstyle.checks import InputError, check_weights
from tfstyle.gatys.targets import check_shares
from tfstyle.images import LEAST_SIDE, read
from tfstyle.images.geometry import check_shape
from tfstyle.nets.vgg import layer_info


class Pictures(NamedTuple):
    """What a run works from, at the sizes of the finished picture."""

    content: np.ndarray | None  # (H, W, 3)
    styles: list  # of (h, w, 3)
    style_weights: tuple
    shares: np.ndarray | None  # (R, H, W), see `tfstyle.gatys.targets`


def prepared(content, styles, settings, style_weights=None, masks=None):
    """The result's (height, width), and the `Pictures` at their sizes.

    The content's long side is `size`, the styles' `size` times `style_scale`, or `style_size`; a texture has its first
    style's shape.

    Args:
        content, styles, settings, style_weights, masks: as `tfstyle.gatys.optimize` takes them.

    Raises:
        InputError: what cannot be used, or does not go together.
    """
    if masks is not None and style_weights is not None:
        raise InputError("weights and masks both say how much of each style there is; give one of them.")
    if masks is not None and content is None:
        raise InputError("masks say where on the content picture each style goes; give one, or leave them out.")
    style_weights = check_weights(style_weights, len(styles))
    if content is None and settings.strength < 1:
        raise InputError("There is no content picture to keep, as strength below 1 does; give one, or leave it at 1.")
    if content is None and settings.content_weight:
        raise InputError("There is no content picture; give one, or set content_weight to 0 to synthesize a texture.")
    if not styles and settings.style_weight:
        raise InputError("There is no style picture; give one, or set style_weight to 0 to reconstruct the content.")
    if content is None and not styles:
        raise InputError("There is neither a content nor a style picture; give at least one.")
    if content is not None:
        content = read(content, name="content picture", size=settings.size).rgb
    styles = [read(style, name="style picture").rgb for style in styles]
    shape = check_shape(*(styles[0] if content is None else content).shape[:2], settings.size, name="style picture")
    style_size = settings.style_size or max(LEAST_SIDE, round(max(shape) * settings.style_scale))
    styles = [read(style, name="style picture", size=style_size).rgb for style in styles]
    return shape, Pictures(content, styles, style_weights, check_shares(masks, len(styles), shape, settings))


def check_layers(scales, styles, settings):
    """Raises `InputError` if some layer would have no position left in the smallest picture it is to see."""
    factor = max(scales[0][:2]) / max(scales[-1][:2])
    painted = [max(LEAST_SIDE, round(min(style.shape[:2]) * factor)) for style in styles]
    side = min(*scales[0][:2], *painted)
    for name in (*settings.content_layers, *settings.style_layers):
        least = layer_info(name, settings.network)[2]
        if side < least:
            raise InputError(
                f"{name} needs pictures of at least {least} px a side and the smallest here has {side} px; "
                "use a larger size, fewer scales or a shallower layer."
            )
