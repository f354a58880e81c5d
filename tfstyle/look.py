"""How a picture is to look, whichever engine paints it: settings that all of them share, and what lies around them.

`photo_given` and `style_given` come before an engine, `finished` after it. Nothing here imports TensorFlow.
"""

import dataclasses

import numpy as np

from tfstyle.checks import InputError
from tfstyle.images.color import luminance, match_luminance, recolor
from tfstyle.images.geometry import LEAST_SIDE, fitted_shape, resize
from tfstyle.images.masks import rest, shrunk
from tfstyle.images.photoreal import WORKING_SIZE, relit
from tfstyle.settings import check_fields, setting

__all__ = [
    "COLORS", "Look", "blended", "color_weights", "finished", "is_code", "painted", "painted_size", "photo_given",
    "seen_size", "settled", "style_given",
]

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
        "auto", "before: the painting is recolored, then painted after; after: what is painted is recolored; auto: "
        "before, which looks better, where there are style pictures", group="look", choices=("auto", "before", "after"),
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


def is_code(style):
    """Whether a style is a code of `tfstyle.ArbitraryStylizer` rather than a picture."""
    return getattr(style, "ndim", None) == 1


def checked_code(code, size=None):
    """A code as float32 (size,), of any size where none is given.

    Raises:
        InputError: it is no such array, or not finite.
    """
    code = np.asarray(code)
    if code.ndim != 1 or code.dtype.kind != "f" or size not in (None, len(code)):
        wanted = "(K,)" if size is None else f"({size},)"
        raise InputError(f"A style code must be float of shape {wanted}; received {code.dtype} of {code.shape}.")
    if not np.isfinite(code).all():
        raise InputError("A style code holds NaN or infinite values; make it anew from its picture.")
    return code.astype("float32")


def settled(look, styles):
    """The look with its "auto" in `color_when` made up: before, where there are pictures to recolor.

    Args:
        look: `Look`.
        styles: list of pictures of any kind and codes; empty for a network of one style.

    Raises:
        InputError: codes are to be recolored.
    """
    codes = any(map(is_code, styles))
    if codes and look.color != "style" and look.color_when == "before":
        raise InputError("color_when before recolors style pictures, and a code was given; give its picture.")
    if look.color_when != "auto":
        return look
    return dataclasses.replace(look, color_when="after" if codes or not styles else "before")


def seen_size(look, side, most=None):
    """Long side in px at which style pictures are looked at, for a result of that long side.

    Args:
        look: `Look`.
        side: in px.
        most: in px, where the look does not say it in pixels; None for no limit.
    """
    if look.style_size is not None:
        return look.style_size
    size = max(LEAST_SIDE, round(side * look.style_scale))
    return size if most is None else min(size, most)


def painted_size(look, size):
    """Long side in px at which an engine paints a result of `size`: light and palette need no large picture."""
    return min(size, WORKING_SIZE) if look.photoreal else size


def photo_given(photo, look):
    """The photo (H, W, 3) float32 as an engine is to be given it: gray, where "luminance" comes before it."""
    return _gray(photo) if look.color == "luminance" and look.color_when == "before" else photo


def style_given(style, photo, look, share=None):
    """A style picture as an engine is to be given it.

    Args:
        style: (h, w, 3) float32 in [0, 1].
        photo: (H, W, 3) float32 in [0, 1], in its own colors.
        look: `Look`.
        share: (H, W) float32 in [0, 1], from `color_weights`; None for everywhere.

    Returns:
        (h, w, 3) float32: where the colors are to be the photo's before the engine, "luminance" makes it gray, with the
        mean and deviation of the photo's luminance; "match" and "histogram" give it the photo's colors.

    Source: Gatys et al. 2017, section 5.
    """
    if look.color == "style" or look.color_when != "before":
        return style
    if look.color == "luminance":
        return match_luminance(style, photo, reference_weights=share)
    return recolor(style, photo, look.color, reference_weights=share)


def painted(photo, look, shares, paint, alpha=None):
    """A photo through an engine, with all that lies around it.

    Args:
        photo: (H, W, 3) float32 in [0, 1].
        look: `Look`.
        shares: (R, H, W) float32 from `tfstyle.images.masks.read_masks`; None without masks.
        paint: called once with the photo as the engine is to be given it; returns what it paints, an iterable of
            pictures of that shape, one for each region, or one.
        alpha: (H, W) of the photo, as `color_weights` takes it.

    Returns:
        (H, W, 3) float32 in [0, 1].
    """
    shape = photo.shape[:2]
    size = painted_size(look, max(shape))
    working = photo if size == max(shape) else resize(photo, fitted_shape(*shape, size))
    layers = paint(photo_given(working, look))
    one = next(iter(layers)) if shares is None else blended(layers, shrunk(shares, working.shape[:2]))
    return finished(one, photo, look, shares, alpha)


def blended(layers, shares):
    """Pictures painted after one style each, as one.

    Args:
        layers: iterable of (H, W, 3) float32, which are taken one after another.
        shares: (R, H, W) float32 from `tfstyle.images.masks.read_masks`.

    Returns:
        (H, W, 3) float32: at every pixel the mean of the layers by their shares; black where no mask lies, where
        `finished` puts the photo.
    """
    covered = np.maximum(shares.sum(axis=0), np.finfo(np.float32).tiny)
    return sum((share / covered)[..., None] * layer for share, layer in zip(shares, layers, strict=True))


def finished(painted, photo, look, shares=None, alpha=None):
    """What an engine has painted, as it is to be shown.

    Args:
        painted: (h, w, 3) float32 in [0, 1]; of the photo's shape, or smaller where the look is photoreal.
        photo: (H, W, 3) float32 in [0, 1], in its own colors.
        look: `Look`.
        shares: (R, H, W) float32 from `tfstyle.images.masks.read_masks`, one for each region; None without masks.
        alpha: (H, W) of the photo, as `color_weights` takes it.

    Returns:
        (H, W, 3) float32 in [0, 1]: relit, if the look is photoreal; in the photo's colors, each region on its own, if
        it asks for them; and where no mask lies, the photo itself, bit for bit.
    """
    if look.photoreal:
        painted = relit(photo, painted)
    if look.color != "style" and (look.color == "luminance" or look.color_when != "before"):
        painted = _recolored(painted, photo, look.color, shares, alpha)
    if shares is None:
        return painted
    left = rest(shares)[..., None]
    return np.where(left == 1, photo, (1 - left) * painted + left * photo).astype(np.float32)


def color_weights(count, shares=None, alpha=None):
    """Where the colors of each region are measured: within its mask, as far as the photo can be seen there.

    Args:
        count: of styles.
        shares: (R, H, W) float32, R being `count`; None without masks.
        alpha: (H, W) float32 in [0, 1] or uint8; None for an opaque photo.

    Returns:
        List of (H, W) float32, or None for everywhere, one for each style.
    """
    weights = [None] * count if shares is None else list(shares)
    if alpha is None:
        return weights
    seen = np.divide(alpha, 255 if alpha.dtype == np.uint8 else 1, dtype=np.float32)
    visible = [seen if one is None else one * seen for one in weights]
    return [one if (one > 0).any() else before for one, before in zip(visible, weights, strict=True)]


def _recolored(painted, photo, how, shares, alpha):
    if how == "luminance":
        return recolor(painted, photo, how)
    weights = color_weights(1 if shares is None else len(shares), shares, alpha)
    regions = [recolor(painted, photo, how, weights=one, reference_weights=one) for one in weights]
    return regions[0] if shares is None else blended(regions, shares)


def _gray(picture):
    return np.repeat(luminance(picture)[..., None], 3, axis=-1)
