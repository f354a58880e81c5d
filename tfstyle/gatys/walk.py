"""Where a run of Gatys' method stands: the picture, its targets at this scale, and the optimiser's state."""

import math
import time

import numpy as np
import tensorflow as tf

from tfstyle.checks import InputError
import tfstyle.gatys.checkpoint as checkpoints
from tfstyle.gatys import optimizers
from tfstyle.gatys.memory import fits
from tfstyle.gatys.objective import Objective, weighted_terms
from tfstyle.gatys.pyramid import scaled
from tfstyle.gatys.record import NonFiniteError, Record
from tfstyle.gatys.tiles import TiledObjective
from tfstyle.images import resize
from tfstyle.machine import give_back


class Walk:
    """Where a run stands: picture, optimiser state, best picture and records; all that a checkpoint keeps."""

    def __init__(self, settings, scales, dtype, pictures, start, strip):
        """Begins at the coarsest scale.

        Args:
            settings: `GatysSettings`.
            scales: from `plan`.
            dtype: of the convolutions.
            pictures: `Pictures`.
            start: (h, w, 3) to start from; None starts as the settings say.
            strip: from `check_fits`.
        """
        self.settings, self.scales, self.dtype = settings, scales, dtype
        self.content, self.styles, self.style_weights, self.shares = pictures
        self.terms = weighted_terms(settings)
        self.records, self.seconds, self.clock = [], 0.0, time.monotonic()
        self.scale, self.step, self.strip = 0, 0, strip
        self.best, self.best_total, self.average, self.state = None, math.inf, None, {}
        if not settings.strength:  # the photo as it is, and nothing to be done
            self.scale, self.image = len(scales), tf.constant(self.content[None])
            return
        self.image = self._first(start)
        self.objective = self._objective(dtype=dtype)
        self._enter()

    @property
    def done(self):
        return self.scale == len(self.scales)

    def _objective(self, **options):
        """The losses, over all of the picture or over strips of it."""
        if self.strip is None:
            return Objective(self.settings, self.style_weights, **options)
        return TiledObjective(self.settings, self.style_weights, pixels=self.strip, **options)

    def _first(self, start):
        height, width, _ = self.scales[0]
        if start is None and self.settings.init == "noise":
            noise = np.random.default_rng(self.settings.seed).standard_normal((height, width, 3), np.float32)
            picture = np.clip(0.5 + self.settings.noise * noise, 0, 1)
        else:
            wanted = {"content": self.content, "style": self.styles[0] if self.styles else None}
            picture = wanted.get(self.settings.init) if start is None else start
            if picture is None:
                init = self.settings.init
                raise InputError(f"There is no {init} picture to start from; use the init noise.")
            picture = resize(picture, (height, width))
        return tf.constant(picture[None], tf.float32)

    def _enter(self):
        """Measures the targets of the current scale and starts its optimiser."""
        height, width, _ = self.scales[self.scale]
        factor = 1 if self.scale == len(self.scales) - 1 else max(height, width) / max(self.scales[-1][:2])
        content = None if self.content is None else resize(self.content, (height, width))
        self.measured = (
            self.objective.measure_content(content, self.shares),
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

    def finish(self, report=True):
        """The final record, at the finished size whatever scale was reached; ends the walk."""
        picture = self.picture()
        if picture.shape[:2] != self.scales[-1][:2]:
            picture = resize(picture, self.scales[-1][:2])
        if not np.isfinite(picture).all():
            raise NonFiniteError(
                "The last step left no finite picture; try the precision float32 or a smaller learning_rate."
            )
        # Two networks, the optimiser's memory and this scale's targets would not all fit into the least memory.
        self.state = self.gradient = self.measured = self.objective = None
        give_back()
        raw, figures = {}, None
        if report:
            raw, figures = self._objective(plain=True).report(picture, self.content, self.styles, self.shares)
        self._tick()
        final = self._record(raw, max(self.scales[-1][:2]), lambda: picture.copy(), figures)
        self.records.append(final.as_dict())
        return final

    def save(self, path, run):
        progress = {
            "scale": self.scale, "step": self.step, "best_total": self.best_total if self.best is not None else None,
            "seconds": self.seconds, "records": self.records, "strip": self.strip,
        }
        checkpoints.save(path, run, progress, self.image, self.best, self.average, self.state)

    def resume(self, path, run):
        found, progress, image, best, average, state = checkpoints.read(path)
        checkpoints.check_same_run(path, found, run)
        again = self._same_strips(progress["strip"])
        self.scale, self.step = progress["scale"], progress["step"]
        self.image = image
        if (self.scale or again) and not self.done:
            self._enter()
        self.best, self.average, self.state = best, average, state
        self.best_total = math.inf if progress["best_total"] is None else progress["best_total"]
        self.seconds, self.records = progress["seconds"], progress["records"]
        self.clock = time.monotonic()

    def _same_strips(self, strip):
        """Takes the strips that the run has had so far, where they fit: others would round otherwise."""
        height, width, _ = self.scales[-1]
        regions = 0 if self.shares is None else len(self.shares)
        if strip == self.strip or not fits(height, width, self.settings, self.dtype, strip, regions):
            return False
        self.strip = strip
        self.objective = self._objective(dtype=self.dtype)
        return True

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
            f"{width}x{height} px scale; try the precision float32, a smaller learning_rate or a smaller weight."
        )
