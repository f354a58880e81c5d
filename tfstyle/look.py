"""How a picture is to look, whichever engine paints it: settings that all of them share, written once.

Nothing here imports TensorFlow.
"""

import dataclasses

from tfstyle.checks import InputError
from tfstyle.settings import check_fields, setting

__all__ = ["COLORS", "Look"]

COLORS = ("style", "luminance", "match", "histogram")


@dataclasses.dataclass(frozen=True)
class Look:
    """What can be asked of every engine that paints after pictures.

    Each field carries its unit, range and source in `metadata["text"]`. "Gatys et al. 2017" is "Controlling Perceptual
    Factors in Neural Style Transfer", CVPR 2017 (arXiv:1611.07865).

    Raises:
        InputError: a value outside its range or not among its choices.
    """

    strength: float = setting(1.0, "of the style, from 0 (the photo itself) to 1", group="look", low=0.0, high=1.0)
    style_scale: float = setting(
        1.0, "long side at which the style picture is looked at, as a multiple of the result's: larger gives larger "
        "strokes", group="look", low=0.05, high=8.0,
    )
    style_size: int | None = setting(
        None, "the same in pixels, in place of style_scale; none leaves it to that", group="look", low=16
    )
    color: str = setting(
        "style", "style: the painting's colors; the photo's by luminance (its hues), match (mean and covariance) or "
        "histogram (Gatys et al. 2017, section 5)", group="look", choices=COLORS,
    )
    color_when: str = setting(
        "after", "before: the painting is recolored, then painted after; after: the painted picture is recolored",
        group="look", choices=("before", "after"),
    )
    photoreal: bool = setting(
        False, "light and palette move, and nothing else: lines stay straight and no strokes appear", group="look"
    )
    tiled: str = setting(
        "auto", "go through large pictures strip by strip: slower and in less memory, to the same picture; auto: where "
        "the whole would not fit", group="run", choices=("auto", "yes", "no"),
    )

    def __post_init__(self):
        check_fields(self)
        if self.style_size is not None and self.style_scale != 1.0:
            raise InputError("style_size and style_scale both say how large the style is looked at; give one of them.")
