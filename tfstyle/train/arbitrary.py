"""Training of the arbitrary-style network: what a batch holds and what its loss is.

Losses after Ghiasi et al., BMVC 2017 (arXiv:1705.06830), section 3, with Gram matrices as there, moments as in Huang
and Belongie, ICCV 2017, and every layer's error relative to its target so that none drowns the others.
"""

import functools
import pathlib

import keras
import numpy as np
from keras import ops

from tfstyle.checks import InputError
from tfstyle.losses import content_loss, total_variation
from tfstyle.losses.style import joined_moments
from tfstyle.nets import arbitrary_weights
from tfstyle.nets.arbitrary import PREDICTOR_LAYERS, ArbitraryConfig, style_predictor, transformer
from tfstyle.nets.inception import keep_statistics, load_imagenet
from tfstyle.nets.vgg import vgg
from tfstyle.train import data, devices, loop, machines
from tfstyle.train.crops import StyleCrops
from tfstyle.train.journal import sheet
from tfstyle.train.settings import ArbitrarySettings, TrainSettings, run_of
from tfstyle.train.styles import STYLE_LAYERS, StyleBank, statistics

__all__ = ["ArbitrarySettings", "Batches", "Training", "train_arbitrary"]

WEIGHTS = "weights.npz"
PREVIEW_SIDE = 256  # of the photographs on a sheet, in px
PREVIEWS = (5, 6)  # photographs, paintings


def train_arbitrary(photos, paintings, workdir, settings=ArbitrarySettings(), pace=TrainSettings(), *, bank=None,
                    init=None, change=False, measured=None, told=None, callback=None):
    """Trains the network from pictures to `weights.npz`, going on from the checkpoint in `workdir` if there is one.

    Args:
        photos, paintings: a `tfstyle.train.data.PictureSet` each.
        workdir: folder for all that is written, made if missing.
        settings: an `ArbitrarySettings`; pace: a `TrainSettings`.
        bank: folder of the measured paintings, which several runs may share; by default `workdir`/styles.
        init: what a new run starts from: None for random weights, "default" for the shipped ones, the path of a
            weights.npz, or of a checkpoint.npz, of which the averaged weights count.
        change: go on from the checkpoint with other settings than its run's: the next stage of a recipe.
        measured: called with (paintings done, of how many) while they are measured.
        told, callback: as `tfstyle.train.loop.train` takes them.

    Returns:
        Number of steps done.

    Raises:
        InputError, NonFiniteLoss: as `tfstyle.train.loop.train`.
    """
    workdir = pathlib.Path(workdir)
    convolutions = devices.convolutions(pace.precision)
    measures = settings.measure_styles
    if measures is None:
        measures = not devices.on_accelerator()
    if measures:
        folder = bank or workdir / "styles"
        sizes, side = settings.style_sizes, settings.style_crop
        with machines.in_turn() as busy:

            def told_of(done, of):
                busy()
                if measured:
                    measured(done, of)

            styles = StyleBank(paintings, folder, sizes, convolutions, side, told=told_of)
    else:
        styles = StyleCrops(paintings, settings.style_crop, settings.augment)
    devices.share(settings.photos)
    keras.utils.set_random_seed(settings.seed)  # of the first weights; batches have generators of their own
    model = Training(settings, "mixed_bfloat16" if convolutions == "bfloat16" else "float32")
    start = _start_from_imagenet if settings.imagenet else None
    if init is not None:
        start = functools.partial(_start_from, init=init)
    return loop.train(
        model, Batches(photos, styles, settings), pace, workdir,
        run=run_of(settings, pace, photographs=photos.fingerprint, paintings=paintings.fingerprint),
        change=change, start=start,
        preview=_previews(photos, paintings, settings), told=told, callback=callback,
        export=lambda model: arbitrary_weights.save(
            workdir / WEIGHTS, model.predictor, model.transformer, model.config
        ),
    )


class Batches:
    """The batch of any step.

    Args:
        photos: a `PictureSet`.
        styles: a `StyleBank` or `StyleCrops`.
        settings: an `ArbitrarySettings`.
    """

    def __init__(self, photos, styles, settings):
        self._photos, self._styles, self._settings = photos, styles, settings

    def __getitem__(self, step):
        """{"photo" (P, S, S, 3) uint8, "own" (N,) float32, and what `styles` gives for N = P x styles paintings}.

        "own" is 1 for the picture that is to be painted in its own photograph's style, else 0. For a predictor that
        sees pictures, that photograph is its "style" then, as large as the paintings.
        """
        s = self._settings
        rng = np.random.default_rng([s.seed, 2, step])
        photos = []
        for i in range(s.photos):
            picture = self._photos.sound(data.shuffled(len(self._photos), step * s.photos + i, s.seed))
            photos.append(data.random_square(data.reduced(picture, s.photo_side), s.crop, rng))
        own = np.zeros(s.photos * s.styles, np.float32)
        own[0] = step % s.identity_every == 0
        batch = {"photo": np.stack(photos), "own": own, **self._styles.batch(step, len(own), s.seed + 1)}
        if s.predictor == "inception_v3" and own[0]:
            batch["style"][0] = data.centered_square(photos[0], s.style_crop, s.style_crop)
        return batch


class Training(keras.Model):
    """The predictor and the transformer together with the VGG that judges them; `compute_loss` is the objective.

    Args:
        settings: an `ArbitrarySettings`.
        dtype: of the convolutions of both, "float32" or "mixed_bfloat16"; the VGG follows it.
    """

    TERMS = ("content", "gram", "moments", "identity", "tv")
    GRAMS = tuple(f"gram{name.removeprefix('relu')}" for name in STYLE_LAYERS)  # what "gram" is the mean of

    def __init__(self, settings, dtype="float32"):
        super().__init__(dtype="float32", name="training")
        self.settings = settings
        s = settings
        self.config = ArbitraryConfig(s.widths, s.blocks, s.code, s.hidden, s.predictor)
        self.predictor = style_predictor(self.config, dtype)
        if s.imagenet:
            keep_statistics(self.predictor)
        self.transformer = transformer(self.config, dtype)
        layers = tuple(dict.fromkeys((*STYLE_LAYERS, settings.content_layer)))
        self.judge = vgg(layers, dtype="bfloat16" if dtype == "mixed_bfloat16" else "float32")
        # Ends at the deepest layer that is asked of photographs and of the style, in the same weights.
        layers = tuple(dict.fromkeys((*PREDICTOR_LAYERS, settings.content_layer)))
        self.reader = keras.Model(self.judge.input, {name: self.judge.output[name] for name in layers})
        self.trackers = {term: keras.metrics.Mean(term) for term in self.TERMS + self.GRAMS}

    def call(self, batch, training=None):
        """Paints a batch of `Batches`; returns the pictures and what `compute_loss` holds against them."""
        photo = ops.cast(batch["photo"], "float32") / 255.0
        features = self.reader(photo)
        moments, grams = self._wanted(batch)
        code = self.predictor(self._read(batch, features, moments), training=training)
        styles = self.settings.styles
        photo = ops.repeat(photo, styles, axis=0)
        target = ops.repeat(ops.cast(features[self.settings.content_layer], "float32"), styles, axis=0)
        image = self.transformer([photo, code])
        return {"image": image, "photo": photo, "target": target, "moments": moments, "grams": grams}

    def _read(self, batch, features, moments):
        """What the predictor looks at: the paintings, but for the photograph to be painted in its own style."""
        if self.settings.predictor == "inception_v3":
            return ops.cast(batch["style"], "float32") / 255.0  # that photograph is among them
        own = self.moments({name: features[name][:1] for name in PREDICTOR_LAYERS})
        read, first = moments[:, : own.shape[-1]], batch["own"][:1, None]
        return ops.concatenate([first * own + (1 - first) * read[:1], read[1:]], axis=0)

    def codes(self, pictures):
        """(N, H, W, 3) float32 in [0, 1] -> (N, code): the codes of pictures as styles, as one paints under them."""
        sees_pictures = self.settings.predictor == "inception_v3"
        return self.predictor(pictures if sees_pictures else self.moments(self.reader(pictures)))

    @property
    def beside(self):
        """What training changes beside the weights: Inception-v3's batch statistics. A checkpoint keeps them."""
        return self.predictor.non_trainable_variables

    @staticmethod
    def moments(features):
        """What the predictor reads of {layer of PREDICTOR_LAYERS: (N, H, W, C)}: (N, 1920) float32."""
        return joined_moments(features[name] for name in PREDICTOR_LAYERS)

    def _wanted(self, batch):
        """(moments (N, 2944), [Gram matrix (N, C, C) of Frobenius norm 1]): measured before, or of crops now."""
        if "style" not in batch:
            return batch["moments"], [ops.cast(batch[f"gram{i}"], "float32") for i in range(len(STYLE_LAYERS))]
        features = self.judge(ops.cast(batch["style"], "float32") / 255.0)
        moments, grams = statistics({name: features[name] for name in STYLE_LAYERS})
        sizes = [ops.sqrt(ops.sum(ops.square(gram), axis=(1, 2), keepdims=True)) for gram in grams]
        units = [ops.stop_gradient(gram / ops.maximum(size, 1e-12)) for gram, size in zip(grams, sizes, strict=True)]
        return ops.stop_gradient(moments), units

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        s = self.settings
        image = y_pred["image"]
        features = self.judge(image)
        content = content_loss(features[s.content_layer], y_pred["target"])
        found, grams = statistics({name: features[name] for name in STYLE_LAYERS})
        gram, moments, start = 0.0, 0.0, 0
        share = (1 - x["own"]) / ops.sum(1 - x["own"])  # a photograph in its own style has no painting to match
        for name, matrix, unit in zip(self.GRAMS, grams, y_pred["grams"], strict=True):
            channels = matrix.shape[-1]
            wanted = y_pred["moments"][:, start:start + 2 * channels]
            # The trace of a Gram matrix is the sum of its channels' mean squares: it gives back the unit's size.
            size = ops.sum(ops.square(wanted), axis=-1) / ops.trace(unit, axis1=-2, axis2=-1)
            error = ops.sum(ops.square(matrix / size[:, None, None] - unit), axis=(1, 2))
            here = ops.sum(share * _huber(error))
            self.trackers[name].update_state(here)
            gram += here / len(grams)
            mine = found[:, start:start + 2 * channels]
            error = ops.sum(ops.square(mine - wanted), axis=-1) / ops.sum(ops.square(wanted), axis=-1)
            moments += ops.sum(share * _huber(error)) / len(grams)
            start += 2 * channels
        identity = x["own"][0] * ops.mean(ops.abs(image[0] - y_pred["photo"][0]))
        tv = total_variation(image)
        terms = (content, gram, moments, identity, tv)
        for term, value in zip(self.TERMS, terms, strict=True):
            self.trackers[term].update_state(value)
        weights = (1, s.style_weight, s.style_weight * s.moments_weight, s.identity_weight, s.tv_weight)
        return sum(weight * value for weight, value in zip(weights, terms, strict=True))


def _huber(squared):
    """A squared relative error, from 1 on only its root grows (2 r - 1): quiet paintings would outshout the rest."""
    safe = ops.maximum(squared, 1.0)
    return ops.where(squared < 1.0, squared, 2.0 * ops.sqrt(safe) - 1.0)


def _start_from(model, init):
    """Assigns the weights that a new run starts from."""
    if loop.is_checkpoint(init):
        loop.start_from(model, init)
        return
    predictor, painter, config = arbitrary_weights.load(init)
    if config != model.config:
        raise InputError(f"{init} is of a network of another shape; repeat its settings: {config}.")
    for mine, theirs in ((model.predictor, predictor), (model.transformer, painter)):
        for variable, value in zip(mine.variables, theirs.variables, strict=True):
            variable.assign(ops.convert_to_numpy(value))


def _start_from_imagenet(model):
    load_imagenet(model.predictor)


def _previews(photos, paintings, settings):
    """A function (model, step) -> sheet of a few photographs under a few paintings, the same in every run."""
    rng = np.random.default_rng([settings.seed, 4])
    shown = [
        np.stack([
            data.centered_square(pictures.sound(int(i)), PREVIEW_SIDE, PREVIEW_SIDE)
            for i in rng.choice(len(pictures), min(count, len(pictures)), replace=False)
        ])
        for pictures, count in zip((photos, paintings), PREVIEWS, strict=True)
    ]
    photos, paintings = (np.divide(pictures, 255, dtype=np.float32) for pictures in shown)

    def preview(model, step):
        codes = ops.convert_to_numpy(model.codes(paintings))
        rows = [[None, *photos]]
        for painting, code in zip(paintings, codes, strict=True):
            painted = model.transformer([photos, np.repeat(code[None], len(photos), axis=0)])
            rows.append([painting, *ops.convert_to_numpy(painted)])
        return sheet(rows)

    return preview
