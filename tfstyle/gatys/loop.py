"""The loop of Gatys' method: evaluate, tell, step, from coarse to fine."""

import math
import pathlib
import time
import warnings

import keras
import numpy as np
import tensorflow as tf

from tfstyle.checks import InputError, check_weights
import tfstyle.gatys.checkpoint as checkpoints
from tfstyle.gatys import optimizers
from tfstyle.gatys.memory import check_fits, give_back
from tfstyle.gatys.objective import Objective
from tfstyle.gatys.pyramid import plan, scaled
from tfstyle.gatys.record import NonFiniteError, Record, Result
from tfstyle.gatys.settings import GatysSettings
from tfstyle.images import LEAST_SIDE, read, resize
from tfstyle.images.geometry import check_shape
from tfstyle.machine import limit_arenas, make_deterministic, resolve
from tfstyle.nets.vgg import layer_info

# Writing a checkpoint takes a tenth of a second; a kill costs at most this many seconds of work.
CHECKPOINT_SECONDS = 10.0


def optimize(content, styles, settings=None, *, style_weights=None, start=None, callback=None, checkpoint=None,
             checkpoint_seconds=CHECKPOINT_SECONDS):
    """Paints a picture with the content of one and the style of others, by optimising its pixels.

    Args:
        content: (H, W, 3) float32 in [0, 1]; None with `content_weight=0` (texture synthesis).
        styles: list of (h, w, 3) float32 in [0, 1]; empty with `style_weight=0` (content reconstruction).
        settings: `GatysSettings`; None for the defaults.
        style_weights: one number of at least 0 for each style, scaled to sum 1; None weighs them alike.
        start: (H, W, 3) picture to start from, of any size; None starts as `settings.init` says
            ("content", "style" or "noise"; the front door reads paths).
        callback: called with a `Record` after every evaluation and once with the final one; return True to stop.
        checkpoint: path of a .npz file. If it exists the run goes on from there, to the same bits as without
            the break; it is written every `checkpoint_seconds`, and at the end.

    Returns:
        `Result`. Its picture is the one of the least loss at the last scale reached (or the running average of
        all pictures there, if `average` is set). Ctrl-C ends the run early with what there is.

    Raises:
        InputError: pictures and settings that do not go together, too little memory, another run's checkpoint.
        NonFiniteError: a loss or the gradient became infinite or not a number.

    Source: Gatys, Ecker and Bethge, CVPR 2016. Differs: starts from the photo at a coarse scale, takes each
    layer's error relative to its target, and keeps pixels in [0, 1]; presets give the published recipes.
    """
    if keras.backend.backend() != "tensorflow":
        raise InputError(
            f"The optimiser needs Keras on TensorFlow and it runs on {keras.backend.backend()}; "
            "set KERAS_BACKEND=tensorflow before Python starts."
        )
    limit_arenas()
    settings = settings or GatysSettings()
    style_weights = check_weights(style_weights, len(styles))
    if checkpoint:
        checkpoints.check_path(checkpoint)
    (height, width), content, styles = _prepare(content, styles, settings)
    start = None if start is None else read(start, name="start picture").rgb
    scales = plan(height, width, settings)
    _check_layers(scales, styles, settings)
    dtype = resolve(settings.precision)
    check_fits(height, width, settings, dtype)
    if settings.deterministic:
        make_deterministic()
    run = checkpoints.fingerprint(settings, content, styles, style_weights, start) if checkpoint else None
    walk = _Walk(settings, scales, dtype, content, styles, style_weights, start)
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
    final = walk.finish()
    if callback is not None:
        callback(final)
    return Result(final.image(), walk.records, final, settings, interrupted)


class _Walk:
    """Where a run stands: picture, optimiser state, best picture and records; all that a checkpoint keeps."""

    def __init__(self, settings, scales, dtype, content, styles, style_weights, start):
        self.settings, self.scales = settings, scales
        self.content, self.styles, self.style_weights = content, styles, style_weights
        self.objective = Objective(settings, style_weights, dtype)
        self.terms = self.objective.terms
        self.records, self.seconds, self.clock = [], 0.0, time.monotonic()
        self.scale, self.step = 0, 0
        self.image = self._first(start)
        self._enter()

    @property
    def done(self):
        return self.scale == len(self.scales)

    def _first(self, start):
        height, width, _ = self.scales[0]
        if start is None and self.settings.init == "noise":
            noise = np.random.default_rng(self.settings.seed).standard_normal((height, width, 3), np.float32)
            picture = np.clip(0.5 + self.settings.noise * noise, 0, 1)
        else:
            wanted = {"content": self.content, "style": self.styles[0] if self.styles else None}
            picture = wanted.get(self.settings.init) if start is None else start
            if picture is None:
                raise InputError(f"There is no picture to start from with init={self.settings.init!r}; use init='noise'.")
            picture = resize(picture, (height, width))
        return tf.constant(picture[None], tf.float32)

    def _enter(self):
        """Measures the targets of the current scale and starts its optimiser."""
        height, width, _ = self.scales[self.scale]
        factor = 1 if self.scale == len(self.scales) - 1 else max(height, width) / max(self.scales[-1][:2])
        content = None if self.content is None else resize(self.content, (height, width))
        self.measured = (
            self.objective.measure_content(content),
            [self.objective.measure(scaled(style, factor)) for style in self.styles],
        )
        self.best, self.best_total, self.average = None, math.inf, None
        if self.settings.optimizer == "lbfgs":
            self.state = optimizers.lbfgs_start()
        elif self.scale == 0:
            self.state = optimizers.adam_start(self.image)
        else:
            self.state = optimizers.adam_resize(self.state, height, width)

    def evaluate(self):
        """Losses and gradient at the current picture; keeps it if it is the best of its scale."""
        total, raw, self.gradient = self.objective.value_and_gradient(self.image, *self.measured)
        self.total = total
        self._check_finite(raw)
        if total < self.best_total:
            self.best, self.best_total = self.image, total
        if self.settings.average:
            kept = 1 - self.settings.average
            self.average = self.image if self.average is None else self.average + kept * (self.image - self.average)
        self.step += 1
        self._tick()
        image = self.image
        record = self._record(raw, max(self.scales[self.scale][:2]), lambda: np.clip(image[0].numpy(), 0, 1))
        self.records.append(record.as_dict())
        return record

    def advance(self):
        """One step of the optimiser, or the move to the next scale."""
        height, width, steps = self.scales[self.scale]
        settings = self.settings
        if self.step < steps:
            if settings.optimizer == "lbfgs":
                self.image, self.state = optimizers.lbfgs_step(
                    self.image, self.total, self.gradient, self.state, settings.history
                )
            else:
                falling = 0.5 * (1 + math.cos(math.pi * self.step / steps)) if settings.schedule == "cosine" else 1.0
                self.image, self.state = optimizers.adam_step(
                    self.image, self.gradient, self.state, settings.learning_rate * falling,
                    settings.beta_1, epsilon=settings.epsilon,
                )
            return
        if self.scale + 1 == len(self.scales):
            self.scale += 1
            return
        self.image = tf.constant(self._enlarged((height, width), self.scales[self.scale + 1][:2])[None])
        self.scale, self.step = self.scale + 1, 0
        self._enter()

    def _enlarged(self, coarse, fine):
        """The picture at the next scale's shape, with the photo's detail that the coarser scale could not hold."""
        picture = resize(self.picture(), fine)
        if not self.settings.content_weight:
            return picture
        photo = resize(self.content, fine)
        return np.clip(picture + photo - resize(resize(photo, coarse), fine), 0, 1)

    def picture(self):
        """The result so far (H, W, 3): the running average, or the picture of least loss at this scale."""
        chosen = self.average if self.average is not None else self.best
        return np.clip((self.image if chosen is None else chosen)[0].numpy(), 0, 1)

    def finish(self):
        """The final record, at the finished size whatever scale was reached; ends the walk."""
        picture = self.picture()
        if picture.shape[:2] != self.scales[-1][:2]:
            picture = resize(picture, self.scales[-1][:2])
        if not np.isfinite(picture).all():
            raise NonFiniteError("The last step left no finite picture; try precision='float32' or a smaller learning_rate.")
        # Two networks, the optimiser's memory and this scale's targets would not all fit into the least memory.
        self.state = self.gradient = self.measured = self.objective = None
        give_back()
        judge = Objective(self.settings, self.style_weights, plain=True)
        raw, figures = judge.report(picture, self.content, self.styles)
        self._tick()
        final = self._record(raw, max(self.scales[-1][:2]), lambda: picture.copy(), figures)
        self.records.append(final.as_dict())
        return final

    def save(self, path, run):
        progress = {
            "scale": self.scale, "step": self.step, "best_total": self.best_total if self.best is not None else None,
            "seconds": self.seconds, "records": self.records,
        }
        checkpoints.save(path, run, progress, self.image, self.best, self.average, self.state)

    def resume(self, path, run):
        found, progress, image, best, average, state = checkpoints.read(path)
        checkpoints.check_same_run(path, found, run)
        self.scale, self.step = progress["scale"], progress["step"]
        self.image = image
        if self.scale and not self.done:
            self._enter()
        self.best, self.average, self.state = best, average, state
        self.best_total = math.inf if progress["best_total"] is None else progress["best_total"]
        self.seconds, self.records = progress["seconds"], progress["records"]
        self.clock = time.monotonic()

    def _record(self, raw, scale, image, figures=None):
        terms = self.terms
        weighted = {name: terms[name] * value if terms[name] else 0.0 for name, value in raw.items()}
        before = sum(steps for _, _, steps in self.scales[: self.scale])
        total_steps = sum(steps for _, _, steps in self.scales)
        step = total_steps if self.done else before + self.step
        return Record(step, total_steps, scale, raw, weighted, self.seconds, image, figures)

    def _tick(self):
        now = time.monotonic()
        self.seconds, self.clock = self.seconds + now - self.clock, now

    def _check_finite(self, raw):
        bad = [name for name, value in raw.items() if not math.isfinite(value)]
        if not bad and math.isfinite(float(tf.reduce_sum(self.gradient))):
            return
        height, width, _ = self.scales[self.scale]
        raise NonFiniteError(
            f"{bad[0] if bad else 'The gradient'} became infinite or not a number at step {self.step + 1} of the "
            f"{width}x{height} px scale; try precision='float32', a smaller learning_rate or a smaller weight."
        )


def _save(walk, checkpoint, run):
    """The checkpoint's path; None where it cannot be written any more, which must not cost the picture."""
    try:
        walk.save(checkpoint, run)
    except OSError as error:
        warnings.warn(f"The checkpoint {checkpoint} cannot be written ({error.strerror}); the run goes on without it.")
        return None
    return checkpoint


def _prepare(content, styles, settings):
    """The result's (height, width), and the pictures at their stated sizes.

    The content's long side is `size`, the styles' `size` times `style_scale`; a texture has its first style's shape.
    """
    if content is None and settings.content_weight:
        raise InputError("There is no content picture; give one, or set content_weight=0 to synthesize a texture.")
    if not styles and settings.style_weight:
        raise InputError("There is no style picture; give one, or set style_weight=0 to reconstruct the content.")
    if content is None and not styles:
        raise InputError("There is neither a content nor a style picture; give at least one.")
    if content is not None:
        content = read(content, name="content picture", size=settings.size).rgb
    styles = [read(style, name="style picture").rgb for style in styles]
    shape = check_shape(*(styles[0] if content is None else content).shape[:2], settings.size, name="style picture")
    style_size = max(LEAST_SIDE, round(max(shape) * settings.style_scale))
    return shape, content, [read(style, name="style picture", size=style_size).rgb for style in styles]


def _check_layers(scales, styles, settings):
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
