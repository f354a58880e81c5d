"""Training of a network that enlarges: what a batch holds and what its loss is.

Johnson, Alahi and Fei-Fei, ECCV 2016 (arXiv:1603.08155), sections 3.2 and 4.2: feature reconstruction at one layer, or
the pixels' squared error, with which the paper compares it.
"""

import pathlib

import keras
import numpy as np
from keras import ops
from PIL import Image

from tfstyle.images.reduction import low_resolution
from tfstyle.losses import content_loss, total_variation
from tfstyle.nets import network_files
from tfstyle.nets.superres import SuperResConfig, superres
from tfstyle.nets.vgg import vgg
from tfstyle.train import data, devices, loop
from tfstyle.train.feedforward import Crops, starting
from tfstyle.train.journal import sheet
from tfstyle.train.perceptual_settings import SuperResPace, SuperResSettings
from tfstyle.train.settings import run_of

__all__ = ["Pairs", "SuperResSettings", "Training", "train_superres"]

WEIGHTS = "weights.npz"
PREVIEW_SIDE = 192  # of the large pictures on a sheet, in px
PREVIEWS = 6


def train_superres(photos, workdir, settings=SuperResSettings(), pace=SuperResPace(), *, init=None, change=False,
                   told=None, callback=None):
    """Trains a network that enlarges to `weights.npz`, going on from the checkpoint in `workdir` if there is one.

    Args:
        photos: a `tfstyle.train.data.PictureSet` of sharp pictures.
        workdir: folder for all that is written, made if missing.
        settings: a `SuperResSettings`; pace: a `SuperResPace` or another `TrainSettings`.
        init: what a new run starts from: the path of a weights.npz, .keras or checkpoint.npz of the same shape, or
            "random"; None is the same.
        change: go on from the checkpoint with other settings than its run's: the next stage of a recipe.
        told, callback: as `tfstyle.train.loop.train` takes them.

    Returns:
        Number of steps done.

    Raises:
        InputError, NonFiniteLoss: as `tfstyle.train.loop.train`.
    """
    workdir = pathlib.Path(workdir)
    devices.share(settings.photos)
    keras.utils.set_random_seed(settings.seed)  # of the first weights; batches have a generator of their own
    convolutions = devices.convolutions(pace.precision)
    model = Training(settings, "mixed_bfloat16" if convolutions == "bfloat16" else "float32")
    return loop.train(
        model, Pairs(photos, settings), pace, workdir,
        run=run_of(settings, pace, photographs=photos.fingerprint), change=change,
        start=None if init in (None, "random") else starting(init, "superres"),
        preview=_previews(photos, settings), told=told, callback=callback,
        export=lambda model: network_files.save(workdir / WEIGHTS, model.network, model.config),
    )


class Pairs:
    """The batch of any step: {"photo" (N, S, S, 3) uint8, "small" (N, S / factor, S / factor, 3) uint8}.

    Args:
        photos: a `PictureSet`.
        settings: a `SuperResSettings`.
    """

    def __init__(self, photos, settings):
        self._crops, self._settings = Crops(photos, settings, zoom=1.0), settings

    def __getitem__(self, step):
        s = self._settings
        large = self._crops[step]["photo"]
        small = np.stack([low_resolution(one, s.factor, s.blur)[0] for one in large])
        return {"photo": large, "small": small}


class Training(keras.Model):
    """The network together with the VGG that judges it; `compute_loss` is the objective.

    Args:
        settings: a `SuperResSettings`.
        dtype: of the convolutions, "float32" or "mixed_bfloat16"; the VGG follows it.
    """

    TERMS = ("features", "pixels", "tv")

    def __init__(self, settings, dtype="float32"):
        super().__init__(dtype="float32", name="training")
        s = self.settings = settings
        self.config = SuperResConfig(s.factor, s.width, s.blocks, s.normalization, s.residual)
        self.network = superres(self.config, dtype)
        self.judge = vgg(
            s.feature_layers, network=s.loss_network, weights=s.loss_weights,
            dtype="bfloat16" if dtype == "mixed_bfloat16" else "float32",
        )
        self.trackers = {term: keras.metrics.Mean(term) for term in self.TERMS}

    def call(self, batch, training=None):
        """Enlarges a batch of `Pairs`."""
        return self.network(ops.cast(batch["small"], "float32") / 255.0, training=training)

    @property
    def beside(self):
        """What training changes beside the weights: batch statistics. A checkpoint keeps them."""
        return self.network.non_trainable_variables

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        s = self.settings
        photo = ops.cast(x["photo"], "float32") / 255.0
        pixels, tv = ops.mean(ops.square(y_pred - photo)), total_variation(y_pred)
        features = ops.zeros(())
        if s.feature_weight:
            found, wanted = self.judge(_shifted(y_pred, s.photos)), self.judge(_shifted(photo, s.photos))
            errors = [content_loss(found[name], wanted[name]) for name in s.feature_layers]
            features = sum(errors) / len(errors)
        terms = (features, pixels, tv)
        for term, value in zip(self.TERMS, terms, strict=True):
            self.trackers[term].update_state(value)
        weights = (s.feature_weight, s.pixel_weight, s.tv_weight)
        return sum(weight * value for weight, value in zip(weights, terms, strict=True))


def _shifted(pictures, count):
    """(count, S, S, 3) -> (count, S - 1, S - 1, 3), every other one beginning a row or a column later.

    Where all begin alike, a grid that meets VGG's poolings of 2 x 2 always at the same place looks like detail to them.
    """
    parts = []
    for i in range(count):
        row, column = divmod(i % 4, 2)
        parts.append(pictures[i:i + 1, row:row - 1 or None, column:column - 1 or None])
    return ops.concatenate(parts, axis=0)


def _previews(photos, settings):
    """A function (model, step) -> sheet of small pictures enlarged bicubically, by the network, and as they were."""
    rng = np.random.default_rng([settings.seed, 4])
    side = PREVIEW_SIDE
    large = [
        data.centered_square(photos.sound(int(i)), 2 * side, side)
        for i in rng.choice(len(photos), min(PREVIEWS, len(photos)), replace=False)
    ]
    small = [low_resolution(one, settings.factor, settings.blur)[0] for one in large]
    plain = [np.asarray(Image.fromarray(one).resize((side, side), Image.Resampling.BICUBIC)) for one in small]
    plain, given, wanted = (np.divide(some, 255, dtype=np.float32) for some in (plain, small, large))
    return lambda model, step: sheet([list(plain), list(ops.convert_to_numpy(model.network(given))), list(wanted)])
