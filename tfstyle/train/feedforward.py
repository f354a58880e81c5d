"""Training of a network for one style: what a batch holds and what its loss is.

Losses of Johnson, Alahi and Fei-Fei, ECCV 2016 (arXiv:1603.08155), section 3.2: feature reconstruction at one layer,
Gram matrices at several, total variation; every layer's error relative to its target so that none drowns the others.
"""

import functools
import pathlib

import keras
import numpy as np
from keras import ops

from tfstyle import images
from tfstyle.checks import InputError
from tfstyle.losses import content_loss, gram_matrix, style_distance, total_variation
from tfstyle.losses.style import joined_moments
from tfstyle.nets import arbitrary_weights, network_files
from tfstyle.nets.arbitrary import PREDICTOR_LAYERS
from tfstyle.nets.feedforward import FeedForwardConfig, feedforward
from tfstyle.nets.vgg import vgg
from tfstyle.train import data, devices, loop
from tfstyle.train.journal import sheet
from tfstyle.train.perceptual_settings import StylePace, StyleSettings
from tfstyle.train.settings import run_of

__all__ = ["Crops", "StyleSettings", "Training", "train_style"]

WEIGHTS = "weights.npz"
PREVIEW_SIDE = 256  # of the photographs on a sheet, in px
PREVIEWS = 6


def train_style(photos, painting, workdir, settings=StyleSettings(), pace=StylePace(), *, init=None, change=False,
                told=None, callback=None):
    """Trains a network for one painting to `weights.npz`, going on from the checkpoint in `workdir` if there is one.

    Args:
        photos: a `tfstyle.train.data.PictureSet`.
        painting: a picture of any kind that `tfstyle.images.read` takes.
        workdir: folder for all that is written, made if missing.
        settings: a `StyleSettings`; pace: a `StylePace` or another `TrainSettings`.
        init: what a new run starts from: the path of a weights.npz, .keras or checkpoint.npz of the same shape;
            "default": the shipped network for any style, as it paints under this painting's code, which saves most of
            the steps; "random"; or None: "default" where the shapes allow it, else "random".
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
    painting = images.read(painting, name="style picture", size=settings.style_size).rgb
    convolutions = devices.convolutions(pace.precision)
    model = Training(settings, painting, "mixed_bfloat16" if convolutions == "bfloat16" else "float32")
    return loop.train(
        model, Crops(photos, settings), pace, workdir,
        run=run_of(settings, pace, photographs=photos.fingerprint, painting=data.fingerprint(painting)),
        change=change, start=_start(model.config, painting, init),
        preview=_previews(photos, settings, max(PREVIEW_SIDE, model.config.least_side)), told=told, callback=callback,
        export=lambda model: network_files.save(workdir / WEIGHTS, model.network, model.config),
    )


class Crops:
    """The batch of any step: {"photo" (N, S, S, 3) uint8}.

    Args:
        photos: a `PictureSet`.
        settings: has photos, crop, photo_side and seed.
        zoom: as `tfstyle.train.data.random_square` takes it.
    """

    def __init__(self, photos, settings, zoom=1.5):
        self._photos, self._settings, self._zoom = photos, settings, zoom

    def __getitem__(self, step):
        s = self._settings
        rng = np.random.default_rng([s.seed, 2, step])
        crops = []
        for i in range(s.photos):
            picture = self._photos.sound(data.shuffled(len(self._photos), step * s.photos + i, s.seed))
            crops.append(data.random_square(data.reduced(picture, s.photo_side), s.crop, rng, self._zoom))
        return {"photo": np.stack(crops)}


class Training(keras.Model):
    """The network together with the VGG that judges it; `compute_loss` is the objective.

    Args:
        settings: a `StyleSettings`.
        painting: (H, W, 3) float32 in [0, 1], at the size at which it is measured.
        dtype: of the convolutions, "float32" or "mixed_bfloat16"; the VGG follows it.
    """

    TERMS = ("content", "style", "tv")

    def __init__(self, settings, painting, dtype="float32"):
        super().__init__(dtype="float32", name="training")
        s = self.settings = settings
        self.config = FeedForwardConfig(s.network, s.widths, s.blocks, s.normalization)
        self.network = feedforward(self.config, dtype)
        inner = "bfloat16" if dtype == "mixed_bfloat16" else "float32"
        measure = functools.partial(vgg, network=s.loss_network, weights=s.loss_weights)
        self.judge = measure((*s.style_layers, s.content_layer), dtype=inner)
        # Ends at the content layer, in the same weights: style layers beyond it are not asked of photographs.
        self.reader = keras.Model(self.judge.input, self.judge.output[s.content_layer])
        features = measure(s.style_layers)(painting[None])
        self.grams = {name: ops.convert_to_numpy(gram_matrix(features[name])) for name in s.style_layers}
        self.trackers = {term: keras.metrics.Mean(term) for term in (*self.TERMS, *map(_tracked, s.style_layers))}

    def call(self, batch, training=None):
        """Paints a batch of `Crops`; returns the pictures and what `compute_loss` holds against them."""
        photo = ops.cast(batch["photo"], "float32") / 255.0
        return {"image": self.network(photo, training=training), "target": self.reader(photo)}

    @property
    def beside(self):
        """What training changes beside the weights: batch statistics. A checkpoint keeps them."""
        return self.network.non_trainable_variables

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        s = self.settings
        image = y_pred["image"]
        features = self.judge(image)
        content = content_loss(features[s.content_layer], y_pred["target"])
        style = 0.0
        for name, wanted in self.grams.items():
            here = style_distance(gram_matrix(features[name]), ops.convert_to_tensor(wanted))
            self.trackers[_tracked(name)].update_state(here)
            style += here / len(self.grams)
        tv = total_variation(image)
        for term, value in zip(self.TERMS, (content, style, tv), strict=True):
            self.trackers[term].update_state(value)
        return content + s.style_weight * style + s.tv_weight * tv


def _tracked(layer):
    return f"gram{layer.removeprefix('relu')}"


def _start(config, painting, init):
    """The function that assigns the weights that a new run starts from, or None for random ones."""
    if init == "default" and config != FeedForwardConfig():
        raise InputError(
            "The init default needs a network of the shipped one's shape; leave network, widths, blocks and "
            "normalization as they are, or use the init random."
        )
    if init in (None, "default") and config == FeedForwardConfig():
        return functools.partial(_under_code, painting=painting)
    if init in (None, "random"):
        return None
    return starting(init, "style")


def _under_code(model, painting):
    """The shipped network for any style, as it paints under this painting's code."""
    predictor, painter, _ = arbitrary_weights.load("default")
    seen = vgg(PREDICTOR_LAYERS)(painting[None])
    code = ops.convert_to_numpy(predictor(joined_moments(seen[name] for name in PREDICTOR_LAYERS)))[0]
    for layer in model.network.layers:
        theirs = painter.get_layer(layer.name) if layer.weights else None
        if layer.name.endswith("_conv"):
            layer.set_weights(theirs.get_weights())
        elif theirs is not None:
            scale, scale_bias, shift, shift_bias = theirs.get_weights()
            layer.set_weights([code @ scale + scale_bias, code @ shift + shift_bias])


def starting(init, kind):
    """A function (training) that gives its network the weights of a file of this kind, or of a checkpoint.

    It raises `InputError` where there is no such file, or one of another network.
    """

    def start(model):
        if loop.is_checkpoint(init):
            loop.start_from(model, init)
            return
        network, config = network_files.load(init, kind)
        if config != model.config:
            raise InputError(f"{init} is of a network of another shape; repeat its settings: {config}.")
        for mine, theirs in zip(model.network.variables, network.variables, strict=True):
            mine.assign(ops.convert_to_numpy(theirs))

    return start


def _previews(photos, settings, side):
    """A function (model, step) -> sheet of a few photographs and what they are painted to, the same in every run."""
    rng = np.random.default_rng([settings.seed, 4])
    shown = [
        data.centered_square(photos.sound(int(i)), side, side)
        for i in rng.choice(len(photos), min(PREVIEWS, len(photos)), replace=False)
    ]
    shown = np.divide(shown, 255, dtype=np.float32)
    return lambda model, step: sheet([list(shown), list(ops.convert_to_numpy(model.network(shown)))])
