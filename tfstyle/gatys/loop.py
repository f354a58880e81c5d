"""The loop of Gatys' method: evaluate, tell, step, from coarse to fine."""

import pathlib
import time
import warnings

import keras

from tfstyle.checks import InputError
import tfstyle.gatys.checkpoint as checkpoints
from tfstyle.gatys.inputs import check_layers, prepared
from tfstyle.gatys.memory import check_fits
from tfstyle.gatys.pyramid import plan
from tfstyle.gatys.record import Result
from tfstyle.gatys.settings import GatysSettings
from tfstyle.gatys.walk import Walk
from tfstyle.images import read
from tfstyle.machine import limit_arenas, make_deterministic, resolve

# Writing a checkpoint takes a tenth of a second; a kill costs at most this many seconds of work.
CHECKPOINT_SECONDS = 10.0


def optimize(content, styles, settings=None, *, style_weights=None, masks=None, start=None, callback=None,
             checkpoint=None, checkpoint_seconds=CHECKPOINT_SECONDS, made_of=None, report=True):
    """Paints a picture with the content of one and the style of others, by optimising its pixels.

    Args:
        content: (H, W, 3) float32 in [0, 1]; None with `content_weight=0` (texture synthesis).
        styles: list of (h, w, 3) float32 in [0, 1]; empty with `style_weight=0` (content reconstruction).
        settings: `GatysSettings`; None for the defaults.
        style_weights: one number of at least 0 for each style, scaled to sum 1; None weighs them alike.
        masks: float32 (R, H, W) of the result's height and width, one for each style: how much of each pixel is that
            style's, in [0, 1]. Where they sum to less than 1 the rest is the photo's own. In place of style_weights.
        start: (H, W, 3) picture to start from, of any size; None starts as `settings.init` says
            ("content", "style" or "noise"; the front door reads paths).
        callback: called with a `Record` after every evaluation and once with the final one; return True to stop.
        checkpoint: path of a .npz file. If it exists the run goes on from there, to the same bits as without
            the break; it is written every `checkpoint_seconds`, and at the end.
        made_of: {name: picture (h, w, 3)} that the styles have been made of, where making them again may not come to
            the same bits: a checkpoint then belongs to these in place of the styles.
        report: False leaves out the losses and figures of the final record, for which the finished picture is looked at
            by a second network.

    Returns:
        `Result`. Its picture is the one of the least loss at the last scale reached (or the running average of
        all pictures there, if `average` is set). Ctrl-C ends the run early with what there is.

    Raises:
        InputError: pictures and settings that do not go together, too little memory, another run's checkpoint.
        NonFiniteError: a loss or the gradient became infinite or not a number.

    Source: Gatys, Ecker and Bethge, CVPR 2016. Differs: starts from the photo at a coarse scale, takes each
    layer's error relative to its target, and keeps pixels in [0, 1]; presets give the published recipes. Regions:
    Gatys et al. 2017 (arXiv:1611.07865), section 4.
    """
    if keras.backend.backend() != "tensorflow":
        raise InputError(
            f"The optimiser needs Keras on TensorFlow and it runs on {keras.backend.backend()}; "
            "set KERAS_BACKEND=tensorflow before Python starts."
        )
    limit_arenas()
    settings = settings or GatysSettings()
    if checkpoint:
        checkpoints.check_path(checkpoint)
    (height, width), pictures = prepared(content, styles, settings, style_weights, masks)
    start = None if start is None else read(start, name="start picture").rgb
    scales = plan(height, width, settings)
    check_layers(scales, pictures.styles, settings)
    dtype = resolve(settings.precision)
    strip = check_fits(height, width, settings, dtype, 0 if masks is None else len(pictures.shares))
    if settings.deterministic:
        make_deterministic()
    run = checkpoints.fingerprint(settings, pictures, start, made_of) if checkpoint else None
    walk = Walk(settings, scales, dtype, pictures, start, strip)
    if checkpoint and pathlib.Path(checkpoint).exists():
        walk.resume(checkpoint, run)
    interrupted, saved = False, time.monotonic()
    try:
        while not (walk.done or interrupted):
            record = walk.evaluate()
            interrupted = callback is not None and bool(callback(record))
            walk.advance()
            if checkpoint and (walk.done or interrupted or time.monotonic() - saved >= checkpoint_seconds):
                checkpoint = _save(walk, checkpoint, run)
                saved = time.monotonic()
    except KeyboardInterrupt:
        interrupted = True
    final = walk.finish(report)
    if callback is not None:
        callback(final)
    return Result(final.image(), walk.records, final, settings, interrupted)


def _save(walk, checkpoint, run):
    """The checkpoint's path; None where it cannot be written any more, which must not cost the picture."""
    try:
        walk.save(checkpoint, run)
    except OSError as error:
        warnings.warn(f"The checkpoint {checkpoint} cannot be written ({error.strerror}); the run goes on without it.")
        return None
    return checkpoint
