"""Coarse to fine: one painting's strokes and structure with the fine texture of another."""

import dataclasses

from tfstyle.gatys.loop import optimize
from tfstyle.gatys.settings import GatysSettings
from tfstyle.images import read
from tfstyle.images.color import match_covariance

# What is called fine: layers that see up to ten pixels of the picture.
LAYERS = ("relu1_1", "relu2_1")
# Long side in px at most: enough for strokes, and about ten seconds.
MOST = 512
STEPS = 60


def mixed_style(style, texture, settings=None, callback=None):
    """A style picture that is painted like `style` at large and like `texture` in its fine grain.

    Args:
        style, texture: (h, w, 3) float32 in [0, 1].
        settings: `GatysSettings` of the run that it is for, with its network and precision; None for the defaults.
        callback: called with a `Record` whose `step` is 0 after every evaluation; return True to stop.

    Returns:
        (h, w, 3) float32 in [0, 1], of the style's ratio and size, its long side at most `MOST` px.

    Raises:
        InputError: a picture that cannot be used.
        KeyboardInterrupt: Ctrl-C or the callback stopped it, before there is a picture to start a run with.

    Source: Gatys et al. 2017 (arXiv:1611.07865), section 6: started from the coarse style, without a content loss, Gram
    matrices of the fine style at the two lowest layers alone. Steps and sizes are ours. Differs: the texture takes the
    style's colors first, as section 5.2 has it, so that its grain comes along and its palette does not.
    """
    style, texture = read(style, name="style picture").rgb, read(texture, name="texture picture").rgb
    recipe = dataclasses.replace(
        settings or GatysSettings(), size=min(MOST, max(style.shape[:2])), style_scale=1.0, style_size=None,
        strength=1.0, init="content", content_weight=0.0, style_weight=1.0, tv_weight=0.0, style_layers=LAYERS,
        style_layer_weights=None, style_statistic="gram", style_normalization="relative", optimizer="lbfgs", scales=1,
        steps=(STEPS,), average=0.0,
    )

    def told(record):
        return callback(dataclasses.replace(record, step=0))

    fine = match_covariance(texture, style)
    result = optimize(style, [fine], recipe, callback=None if callback is None else told, report=False)
    if result.interrupted:
        raise KeyboardInterrupt
    return result.image
