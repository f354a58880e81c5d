"""Training of translation between two domains: what a batch holds and what the losses are.

Chang, Wang and Chuang, "Domain-Specific Mappings for Generative Adversarial Style Transfer", ECCV 2020
(arXiv:2008.02198), and MUNIT (Huang et al., ECCV 2018, arXiv:1804.04732), by settings.
"""

import functools
import pathlib

import keras
import numpy as np
from keras import ops

from tfstyle import images
from tfstyle.losses import (
    absolute_error,
    contextual_loss,
    instance_normalized_error,
    lsgan_discriminator_loss,
    lsgan_generator_loss,
)
from tfstyle.nets import network_files
from tfstyle.nets.discriminator import discriminator
from tfstyle.nets.dsmap import DOMAINS, DSMAPConfig, dsmap, part, translation
from tfstyle.nets.vgg import vgg
from tfstyle.train import data, devices, loop
from tfstyle.train.adversarial import Adversarial, adam
from tfstyle.train.feedforward import starting
from tfstyle.train.journal import sheet
from tfstyle.train.settings import run_of
from tfstyle.train.translate_settings import DSMAPPace, DSMAPSettings, check_domains

__all__ = ["Domains", "Training", "DSMAPPace", "DSMAPSettings", "train_translate"]

WEIGHTS = "weights.npz"
PREVIEWS = 3  # pictures of each domain on a sheet
OTHER = {"a": "b", "b": "a"}


def train_translate(a, b, workdir, settings=DSMAPSettings(), pace=DSMAPPace(), *, init=None, change=False,
                    told=None, callback=None):
    """Trains a translation between two domains to `weights.npz`, going on from the checkpoint in `workdir`.

    Args:
        a, b: a `tfstyle.train.data.PictureSet` of each domain; nothing pairs their pictures.
        workdir: folder for all that is written, made if missing.
        settings: a `DSMAPSettings`; pace: a `DSMAPPace`.
        init: what a new run starts from: the path of a weights.npz, .keras or checkpoint.npz of the same shape, or
            "random"; None is the same. Discriminators start anew but from a checkpoint.
        change: go on from the checkpoint with other settings than its run's: the next stage of a recipe.
        told, callback: as `tfstyle.train.loop.train` takes them.

    Returns:
        Number of steps done.

    Raises:
        InputError: a domain with a single picture or with one smaller than the crop, twice the same domain; and what
            `tfstyle.train.loop.train` raises.
        NonFiniteLoss: as `tfstyle.train.loop.train`.
    """
    check_domains(a, b, settings.crop)
    workdir = pathlib.Path(workdir)
    devices.share(settings.pictures)
    keras.utils.set_random_seed(settings.seed)  # of the first weights; batches have a generator of their own
    bfloat16 = devices.convolutions(pace.precision) == "bfloat16"
    model = Training(settings, pace, "mixed_bfloat16" if bfloat16 else "float32")
    return loop.train(
        model, Domains(a, b, settings), pace, workdir,
        run=run_of(settings, pace, domain_a=a.fingerprint, domain_b=b.fingerprint), change=change,
        optimizer=model.adam, start=None if init in (None, "random") else _starting(init),
        preview=_previews(a, b, settings), told=told, callback=callback,
        export=lambda model: network_files.save(workdir / WEIGHTS, model.network, model.config),
    )


class Domains:
    """The batch of any step: {"a", "b": (N, S, S, 3) uint8, "code_a", "code_b": (N, style) float32 from N(0, 1)}.

    Pictures are scaled to the short side, mirrored half of the time, and cropped.

    Args:
        a, b: `PictureSet`s.
        settings: a `DSMAPSettings`.
    """

    def __init__(self, a, b, settings):
        self._sets, self._settings = {"a": a, "b": b}, settings

    def __getitem__(self, step):
        s, batch = self._settings, {}
        rng = np.random.default_rng([s.seed, 5, step])
        for i, (domain, pictures) in enumerate(self._sets.items()):
            picked = [
                data.shuffled(len(pictures), step * s.pictures + j, s.seed + i) for j in range(s.pictures)
            ]
            batch[domain] = np.stack([
                data.random_square(_scaled(pictures.sound(index), s.short_side), s.crop, rng, 1.0) for index in picked
            ])
            batch[f"code_{domain}"] = rng.standard_normal((s.pictures, s.style), dtype=np.float32)
        return batch


class Training(Adversarial):
    """Generators, discriminators and the VGG that judges with them; `compute_loss` is the generators' objective.

    Args:
        settings: a `DSMAPSettings`.
        pace: a `DSMAPPace`.
        dtype: of the convolutions, "float32" or "mixed_bfloat16"; the VGG follows it.
    """

    TERMS = ("image", "style", "content", "mapped", "cycle", "adversarial", "contextual", "invariant")

    def __init__(self, settings, pace, dtype="float32"):
        s = settings
        judges = [discriminator(domain, s.width, dtype) for domain in DOMAINS]
        super().__init__(judges, adam(pace), pace.weight_decay, dtype="float32", name="training")
        self.settings = s
        self.config = DSMAPConfig(s.width, s.style, s.hidden, s.halvings, s.blocks, s.mapping, s.shared_tail)
        self.network = dsmap(self.config, dtype)
        kinds = ("content", "style", "decoder", *(("mapping",) if s.mapping else ()))
        self.parts = {(domain, kind): part(self.network, domain, kind) for domain in DOMAINS for kind in kinds}
        encoders = [variable for domain in DOMAINS for variable in self.parts[domain, "content"].variables]
        self.rates = [(variable, pace.encoder_rate) for variable in encoders]
        self.measure = None
        if s.contextual_weight or s.invariant_weight:
            inner = "bfloat16" if dtype == "mixed_bfloat16" else "float32"
            seen = vgg(s.loss_layer, network=s.loss_network, weights=s.loss_weights, dtype=inner)
            self.measure = keras.Model(seen.input, seen.output[s.loss_layer])
            self.measure.trainable = False
        self.trackers = {term: keras.metrics.Mean(term) for term in (*self.TERMS, "discriminator")}

    def adam(self, pace):
        """The generators' optimizer."""
        return adam(pace, pace.average, self.rates)

    def call(self, batch, training=None):
        """What a step makes of a batch of `Domains`.

        Returns:
            {kind: {domain: tensors}}, in the domain in which a picture is painted: "own" coded and decoded in its own,
            "example" from the other domain in the style of this one's picture, "drawn" in a random style, "returned"
            translated there and back (of the domain's own picture); "contents" (found, wanted), "styles" (found,
            wanted), "mapped" (found, wanted) of codes read back.
        """
        s, n = self.settings, self.settings.pictures
        pictures = {domain: _unit(batch[domain]) for domain in DOMAINS}
        coded = {domain: self.parts[domain, "content"](pictures[domain]) for domain in DOMAINS}
        styles = {domain: self.parts[domain, "style"](pictures[domain]) for domain in DOMAINS}
        with_example = bool(s.example_weight or s.cycle_weight)
        made = {kind: {} for kind in ("own", "example", "drawn", "returned", "contents", "styles", "mapped")}
        for domain in DOMAINS:
            content, _, features = coded[domain]
            mapped = self._mapped(domain, content, features)
            there = self._mapped(domain, *coded[OTHER[domain]][::2])
            count = 2 if with_example else 1  # translations of each picture
            painted = self.parts[domain, "decoder"]([
                ops.concatenate([mapped] + [there] * count),
                ops.concatenate([styles[domain]] * count + [batch[f"code_{domain}"]]),
            ])
            made["own"][domain], made["drawn"][domain] = painted[:n], painted[-n:]
            made["example"][domain] = painted[n:-n] if with_example else None
            if s.mapping:
                made["mapped"][domain] = coded[domain][1], mapped
        again = {domain: self._read_back(domain, made, coded, batch) for domain in DOMAINS}
        if s.cycle_weight:
            for domain in DOMAINS:
                content, features, _ = again[OTHER[domain]]
                mapped = self._mapped(domain, content, features)
                made["returned"][domain] = self.parts[domain, "decoder"]([mapped, again[domain][2]])
        return made

    def _read_back(self, domain, made, coded, batch):
        """Codes of what was painted in a domain: into `made`, and (content, features, style) of what had an example."""
        n, wanted = self.settings.pictures, coded[OTHER[domain]][0]
        painted = [made[kind][domain] for kind in ("example", "drawn") if made[kind][domain] is not None]
        painted = ops.concatenate(painted)
        content, _, features = self.parts[domain, "content"](painted)
        style = self.parts[domain, "style"](painted)
        with_example = bool(self.settings.example_weight)
        found = content if with_example else content[-n:]
        made["contents"][domain] = found, ops.concatenate([wanted, wanted]) if with_example else wanted
        made["styles"][domain] = style[-n:], batch[f"code_{domain}"]
        return content[:n], features[:n], style[:n]

    def judge_loss(self, batch, made):
        """LSGAN, for each kind of translation; real pictures count once for each."""
        loss, kinds = 0.0, self._kinds()
        for domain, judge in zip(DOMAINS, self.judges, strict=True):
            painted = [ops.stop_gradient(made[kind][domain]) for kind in kinds]
            maps = judge(ops.concatenate([_unit(batch[domain]), *painted]))
            real, *fakes = ([ops.split(one, len(kinds) + 1)[i] for one in maps] for i in range(len(kinds) + 1))
            for kind, fake in zip(kinds, fakes, strict=True):
                loss += self._weight(kind) * lsgan_discriminator_loss(real, fake)
        return loss

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        s, made = self.settings, y_pred
        terms = dict.fromkeys(self.TERMS, 0.0)
        for domain, judge in zip(DOMAINS, self.judges, strict=True):
            picture = _unit(x[domain])
            # Twice: the published weights are for pictures in [-1, 1].
            terms["image"] += 2 * absolute_error(made["own"][domain], picture)
            terms["style"] += absolute_error(*made["styles"][domain])
            # Means over the kinds of translation, which the published losses sum.
            found, wanted = made["contents"][domain]
            terms["content"] += (found.shape[0] // s.pictures) * absolute_error(found, wanted)
            if s.mapping:
                terms["mapped"] += absolute_error(*made["mapped"][domain])
            if s.cycle_weight:
                terms["cycle"] += 2 * absolute_error(made["returned"][domain], picture)
            kinds = self._kinds()
            painted = ops.concatenate([made[kind][domain] for kind in kinds])
            maps = judge(painted)
            for i, kind in enumerate(kinds):
                terms["adversarial"] += self._weight(kind) * lsgan_generator_loss(
                    [ops.split(one, len(kinds))[i] for one in maps]
                )
            if self.measure is not None:
                self._measured(terms, x, domain, painted, kinds)
        for term, value in terms.items():
            self.trackers[term].update_state(value)
        weights = {term: getattr(s, f"{term}_weight", 1.0) for term in self.TERMS}
        return sum(weights[term] * value for term, value in terms.items())

    def _measured(self, terms, batch, domain, painted, kinds):
        """Adds what VGG holds against the pictures painted in a domain."""
        s = self.settings
        weighed = [(self._weight(kind), seen) for kind, seen in
                   zip(kinds, ops.split(self.measure(painted), len(kinds)), strict=True)]
        if s.contextual_weight:
            target = self.measure(_unit(batch[domain]))
            terms["contextual"] += sum(weight * contextual_loss(seen, target) for weight, seen in weighed)
        if s.invariant_weight:
            source = self.measure(_unit(batch[OTHER[domain]]))
            terms["invariant"] += sum(weight * instance_normalized_error(seen, source) for weight, seen in weighed)

    def _kinds(self):
        """The kinds of translation that are held against the domain."""
        return ("example", "drawn") if self.settings.example_weight else ("drawn",)

    def _weight(self, kind):
        return self.settings.example_weight if kind == "example" else 1.0

    def _mapped(self, domain, content, features):
        return self.parts[domain, "mapping"]([content, features]) if self.settings.mapping else content


def _starting(init):
    """As `starting`, with a fresh optimizer of the discriminators too."""
    begin = starting(init, "translate")

    def start(model):
        begin(model)
        for variable in model.judge_optimizer.variables:
            variable.assign(ops.zeros_like(variable))

    return start


def _unit(pictures):
    return ops.cast(pictures, "float32") / 255.0


def _scaled(picture, short_side):
    height, width = picture.shape[:2]
    scale = short_side / min(height, width)
    return images.resize(picture, (max(short_side, round(height * scale)), max(short_side, round(width * scale))))


def _previews(a, b, settings):
    """A function (model, step) -> sheet, the same pictures in every run.

    Columns: pictures of A, then of B. Rows: the picture; coded and decoded in its own domain; translated after the
    other domain's picture of that column; in two random styles.
    """
    rng = np.random.default_rng([settings.seed, 4])
    shown = {}
    for domain, pictures in zip(DOMAINS, (a, b), strict=True):
        picked = rng.choice(len(pictures), min(PREVIEWS, len(a), len(b)), replace=False)
        squares = [data.centered_square(pictures.sound(int(i)), settings.short_side, settings.crop) for i in picked]
        shown[domain] = np.divide(squares, 255, dtype=np.float32)
    codes = rng.standard_normal((2, 1, settings.style), dtype=np.float32)
    paths = functools.cache(translation)  # each is built once for the run

    def preview(model, step):
        rows = [[], [], [], [], []]
        given = {domain: ops.convert_to_tensor(pictures) for domain, pictures in shown.items()}
        styles = {domain: model.parts[domain, "style"](pictures) for domain, pictures in given.items()}
        for domain, pictures in given.items():
            there = OTHER[domain]
            own, across = (paths(model.network, domain, target) for target in (domain, there))
            painted = [own([pictures, styles[domain]]), across([pictures, styles[there]])]
            painted += [across([pictures, ops.repeat(ops.convert_to_tensor(code), len(pictures), 0)]) for code in codes]
            for row, shown_here in zip(rows, [pictures, *painted], strict=True):
                row += list(ops.convert_to_numpy(shown_here))
        return sheet(rows)

    return preview
