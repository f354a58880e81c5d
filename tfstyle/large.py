"""Large pictures painted by our networks: strip by strip, with what is asked of their look."""

import contextlib
import math

import numpy as np

from tfstyle import images
from tfstyle.checks import InputError
from tfstyle.look import blended, finished, painted_size, photo_given
from tfstyle.machine import available
from tfstyle.running import BASE, check_fits
from tfstyle.scratch import check_room
from tfstyle.strips import painted_rows, peak, scratch_bytes, supports

__all__ = ["in_strips", "painted_large"]

# Memory in bytes that a whole picture may take where nothing else is said: strips take less, and hardly more time.
_WHOLE = 2 * 2**30
# Bytes, measured, for a pixel: of photo, result and copies of both; of a mask; of what takes back the style; of a
# picture that is recolored as a whole, by its covariance or its histogram, and for each region more; of a relit one.
_PIXEL, _MASK, _LESS, _MATCH, _HISTOGRAM, _REGION, _RELIT = 16, 4, 60, 30, 50, 20, 60


def in_strips(network, need, shape, look, regions=0):
    """Whether a picture goes through a network in strips, or whole.

    Args:
        network: keras.Model; None for one that only a SavedModel holds.
        need: function of height and width in px that gives the memory in bytes which the whole takes.
        shape: (height, width) of the result in px.
        look: settled `tfstyle.look.Look`, whose `tiled` has the last word; photoreal ones are painted small, whole.
        regions: number of masks.

    Raises:
        InputError: neither fits into memory, or strips are asked of a network that cannot be run so.
    """
    if look.photoreal:
        size = painted_size(look, max(shape))
        check_fits(lambda *sides: BASE + _RELIT * math.prod(sides), *shape)
        check_fits(need, *(shape if size == max(shape) else images.fitted_shape(*shape, size)))
        return False
    able = network is not None and supports(network)
    if look.tiled == "yes" and not able:
        raise InputError("This network has layers that cannot be run in strips; leave tiled out, or use another model.")
    around = _around(look, regions)

    def in_one(height, width):
        return need(height, width) + height * width * around

    def by_strips(height, width):
        return BASE + height * width * (_PIXEL + around) + _runs(look, regions) * peak(network, height, width)

    whole = look.tiled == "no" or not able or (look.tiled == "auto" and in_one(*shape) <= min(_WHOLE, available()))
    check_fits(in_one if whole else by_strips, *shape)
    return not whole


def _runs(look, regions):
    """How many pictures are on their way at once."""
    return max(1, regions) * (2 if look.strength < 1 else 1)


def _around(look, regions):
    """Bytes for a pixel, beside those of the network."""
    kept = _MASK * regions + (_LESS if look.strength < 1 else 0)
    if _at_once(look):
        return kept
    return kept + (_MATCH if look.color == "match" else _HISTOGRAM) + _REGION * regions


def _at_once(look):
    """Whether rows can be finished as they are painted: other ways to color a picture have to see all of it first."""
    return look.color in ("style", "luminance") or look.color_when == "before"


def painted_large(network, rgb, codes, own, shares, look, alpha=None):
    """A picture painted strip by strip, to what it would be in one piece.

    Args:
        network: keras.Model of `tfstyle.nets.compact`'s layers, of a picture and, if it takes one, a code.
        rgb: (H, W, 3), uint8 or float32 in [0, 1].
        codes: list of (K,) float32, one for each region, or one; of None for a network that takes none.
        own: (K,) float32, the code of the photo itself, for a strength below 1; None for full strength.
        shares: (R, H, W) float32 from `tfstyle.images.masks.read_masks`; None without masks.
        look: `tfstyle.look.Look`; light and palette alone (photoreal) are not for here.
        alpha: (H, W) of the picture, as `tfstyle.look.color_weights` takes it.

    Returns:
        (H, W, 3) uint8.
    """
    given = _Given(rgb, look)
    at_once, runs = _at_once(look), _runs(look, 0 if shares is None else len(shares))
    check_room(runs * scratch_bytes(network, *rgb.shape[:2]))  # of all runs together, before the first begins
    result = np.empty(rgb.shape, np.uint8 if at_once else np.float16)
    with contextlib.ExitStack() as stack:
        layers = [
            stack.enter_context(contextlib.closing(_layer(network, given, code, own, look.strength))) for code in codes
        ]
        for strips in zip(*layers, strict=True):
            place = slice(strips[0][0], strips[0][0] + len(strips[0][1]))
            share = None if shares is None else shares[:, place]
            rows = strips[0][1] if share is None else blended([rows for _, rows in strips], share)
            result[place] = images.to_uint8(finished(rows, _floats(rgb[place]), look, share)) if at_once else rows
    if at_once:
        return result
    return images.to_uint8(finished(result.astype(np.float32), _floats(rgb), look, shares, alpha))


class _Given:
    """The rows of a photo as an engine is to be given them."""

    def __init__(self, rgb, look):
        self._rgb, self._look, self.shape = rgb, look, rgb.shape

    def __getitem__(self, rows):
        return photo_given(_floats(self._rgb[rows]), self._look)


def _layer(network, given, code, own, strength):
    """Generator of (top, rows) under one code, as `tfstyle.ArbitraryStylizer` blends them at a strength below 1."""
    if own is None:
        yield from painted_rows(network, given, [] if code is None else [code[None]])
        return
    less = np.float32(1 - strength)
    mixed = less * own + np.float32(strength) * code
    runs = [painted_rows(network, given, [one[None]]) for one in (mixed, own)]
    with contextlib.closing(runs[0]), contextlib.closing(runs[1]):
        for (top, rows), (_, back) in zip(*runs, strict=True):
            yield top, (rows + less * (given[top:top + len(rows)] - back)).clip(0, 1)


def _floats(rgb):
    return np.divide(rgb, 255, dtype=np.float32) if rgb.dtype == np.uint8 else rgb
