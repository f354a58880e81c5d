"""The loop that all networks share: steps, log, previews, checkpoints, resume, and a stop at non-finite losses."""

import collections
import concurrent.futures
import contextlib
import itertools
import math
import pathlib
import time

import keras
import numpy as np

from tfstyle import atomic
from tfstyle.train import checkpoint, devices, machines
from tfstyle.train.journal import Journal
from tfstyle.train.settings import TrainSettings

__all__ = [
    "CHECKPOINT", "NonFiniteLoss", "TrainSettings", "averaged", "is_checkpoint", "optimizer", "start_from", "train",
]

CHECKPOINT = "checkpoint.npz"
# Of the settings that a resumed run may change, those by which processes know what comes in which step.
_IN_STEP = ("steps", "log_every", "preview_every", "checkpoint_every")


class NonFiniteLoss(ArithmeticError):
    """A loss became NaN or infinite; the sentence names the term and what to do."""


def optimizer(settings):
    """Adam with warm-up, cosine decay, clipped gradients and a moving average of the weights."""
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, settings.steps - settings.warmup), warmup_target=settings.learning_rate,
        warmup_steps=settings.warmup,
    )
    return keras.optimizers.Adam(
        rate, beta_2=0.99, global_clipnorm=settings.clip, use_ema=True, ema_momentum=settings.average
    )


def train(model, batches, settings, workdir, *, run=None, change=False, optimizer=optimizer, start=None, preview=None,
          export=None, told=None, callback=None):
    """Trains `model`, going on from the checkpoint in `workdir` if there is one.

    Where several processes train as one (`tfstyle.train.machines`), all call this alike. Each draws every batch and
    keeps its part; all show, export and compute alike, and process 0 writes.

    Args:
        model: a keras.Model with `compute_loss` and a Mean in `trackers` for each term; it is compiled here.
        batches: batches[step] -> what `model` is called with; the same for the same step in every run, and safe to
            ask for from several threads.
        settings: a `TrainSettings`.
        workdir: folder for checkpoint.npz, log.jsonl, previews/ and tensorboard/; made if missing.
        run: dict of texts that a resumed run must agree in (`tfstyle.train.settings.run_of`), or None.
        change: go on from a checkpoint that does not agree: the next stage of a recipe.
        optimizer: called with the settings: a Keras optimizer with a moving average of the weights.
        start: called with the compiled model before the first step, not after a resume: it may assign weights.
        preview: called with (model holding the averaged weights, steps done) every `preview_every` steps and at the
            end; the picture that it returns, if any, is kept.
        export: called with the model holding the averaged weights before every checkpoint.
        told: called with every line of the log, a dict: step, seconds a step, learning_rate, loss and terms.
        callback: called after every step with (steps done, {"loss" and terms}); True stops with a checkpoint, in one
            process all of them.

    Returns:
        Number of steps done: `settings.steps`, or less where `callback` stopped the run.

    Raises:
        NonFiniteLoss: the run diverged; the last checkpoint is from before.
        InputError: a checkpoint of another run or network, another process at work in `workdir`, or a disk that
            refuses.
    """
    workdir = pathlib.Path(workdir)
    alone = contextlib.nullcontext()
    if machines.first():
        workdir.mkdir(parents=True, exist_ok=True)
        alone = checkpoint.alone_in(workdir)
    with alone:
        machines.check_alike((run or {}) | {name: getattr(settings, name) for name in _IN_STEP})
        return _train(model, batches, settings, workdir, run, change, optimizer, start, preview, export, told, callback)


def _train(model, batches, settings, workdir, run, change, optimizer, start, preview, export, told, callback):
    path, journal, stopped = workdir / CHECKPOINT, None, False
    if machines.first():
        for left in workdir.glob(atomic.LEFT):  # half-written when a run was killed
            left.unlink(missing_ok=True)
    done, pending = _prepared(model, settings, path, None if change else run, start, optimizer)
    line = _Line(pending)
    if machines.first():
        journal = Journal(workdir, done)
    ready = _ahead(batches, done, settings.steps, devices.readers(settings.workers))
    try:
        while done < settings.steps and not stopped:
            began = time.perf_counter()
            batch = machines.part(next(ready))
            _reset_metrics(model)
            values = {name: float(value) for name, value in model.train_on_batch(batch, return_dict=True).items()}
            done += 1
            _check_finite(values, done, path)
            line.add(values, time.perf_counter() - began)
            stopped = machines.any_of(callback and callback(done, values))
            last = done == settings.steps
            if last or done % settings.log_every == 0:
                whole = line.taken(done, float(model.optimizer.learning_rate))
                if journal:
                    journal.line(whole)
                    if told:
                        told(whole)
            shows = preview and (last or done % settings.preview_every == 0)
            keeps = last or stopped or done % settings.checkpoint_every == 0
            if (shows or keeps) and not checkpoint.all_finite(model):
                raise NonFiniteLoss(_diverged("gradient of the loss", done, path))
            if shows:
                _show(model, preview, journal, done)
            if keeps:  # last of all: what a checkpoint has seen is complete, and the rest is done again
                _keep(model, done, path, export, run, line.pending())
    finally:
        ready.close()
        if journal:
            journal.close()
    machines.all_have_come()  # nobody leaves before the last checkpoint is there
    return done


class averaged:
    """Within this context the model's weights are their moving average; what is no weight stays as it is."""

    def __init__(self, model):
        self._model = model

    def __enter__(self):
        # Copies: under JAX a plain conversion would look into a buffer that may be given away.
        # Not to NumPy: processes that train together would compare every array that they put back.
        self._kept = [keras.ops.copy(v) for v in self._model.trainable_variables]
        self._model.optimizer.finalize_variable_values(self._model.trainable_variables)

    def __exit__(self, *_):
        for variable, value in zip(self._model.trainable_variables, self._kept, strict=True):
            variable.assign(value)


def start_from(model, path):
    """Gives a compiled model the averaged weights of a checkpoint; for `start` of `train`.

    Raises:
        InputError: damaged, or of a network of another shape.
    """
    checkpoint.restore(model, path)
    model.optimizer.finalize_variable_values(model.trainable_variables)


def is_checkpoint(path):
    """Whether a path is that of a checkpoint, rather than of weights or of nothing."""
    try:
        with open(path, "rb") as raw, np.load(raw, allow_pickle=False) as file:
            return "step" in file.files
    except Exception:  # "default", or something that the reader of weights will refuse in its own words
        return False


def _prepared(model, settings, path, run, start, optimizer=optimizer):
    """Compiles and restores; returns (steps done, what the log had pending)."""
    _compile(model, settings, optimizer)
    if machines.from_first(lambda: b"" if path.exists() else None) is not None:
        return checkpoint.restore(model, path, run)
    if start:
        start(model)
        _compile(model, settings, optimizer)  # a fresh optimizer, whatever `start` did with this one
    return 0, None


def _compile(model, settings, optimizer=optimizer):
    model.compile(optimizer=optimizer(settings), jit_compile=devices.compiles())
    model.optimizer.build(model.trainable_variables)


def _reset_metrics(model):
    """As `model.reset_metrics`, whose zeros processes that train together would compare one by one."""
    if machines.count() == 1:
        model.reset_metrics()
        return
    for variable in model.metrics_variables:
        variable.assign(keras.ops.zeros_like(variable.value))


def _show(model, preview, journal, done):
    with averaged(model):
        picture = preview(model, done)
    if journal and picture is not None:
        journal.picture(picture, done)


def _keep(model, done, path, export, run, pending):
    if export:
        with averaged(model):
            if machines.first():
                export(model)
    if machines.first():
        checkpoint.save(model, done, path, run=run, pending=pending)


def _check_finite(values, step, path):
    bad = [name for name, value in values.items() if not math.isfinite(value)]
    if bad:
        named = [name for name in bad if name != "loss"] or bad
        raise NonFiniteLoss(_diverged(f"term {', '.join(named)}", step, path))


def _diverged(what, step, path):
    begin = f"with the init {path} and a lower learning_rate" if path.exists() else "with a lower learning_rate"
    return f"The {what} is no longer finite at step {step}; begin in another workdir {begin}."


class _Line:
    """Means over the steps since the last line of the log; a checkpoint carries what a line has gathered."""

    def __init__(self, pending=None):
        pending = pending or {"count": 0, "seconds": 0.0, "sums": {}}
        self._count, self._seconds, self._sums = pending["count"], pending["seconds"], dict(pending["sums"])

    def add(self, values, seconds):
        self._count += 1
        self._seconds += seconds
        for name, value in values.items():
            self._sums[name] = self._sums.get(name, 0.0) + value

    def pending(self):
        return {"count": self._count, "seconds": self._seconds, "sums": self._sums}

    def taken(self, step, learning_rate):
        means = {name: round(total / self._count, 5) for name, total in self._sums.items()}
        seconds = round(self._seconds / self._count, 4)
        self.__init__()
        return {"step": step, "seconds": seconds, "learning_rate": learning_rate, **means}


def _ahead(batches, first, end, workers):
    """The batches of all steps in turn, made by threads before they are needed."""
    pool = concurrent.futures.ThreadPoolExecutor(workers, thread_name_prefix="batch")
    steps, waiting = iter(range(first, end)), collections.deque()
    try:
        for step in itertools.islice(steps, workers + 2):
            waiting.append(pool.submit(batches.__getitem__, step))
        while waiting:
            batch = waiting.popleft().result()
            waiting.extend(pool.submit(batches.__getitem__, step) for step in itertools.islice(steps, 1))
            yield batch
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
