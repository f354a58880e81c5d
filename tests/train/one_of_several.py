"""tfstyle train superres with a network of two numbers in place of the real one, which starts in a moment.

Arguments are those of the command line. BROKEN_AT in the environment is a step whose inputs are not finite.
"""

import dataclasses
import os
import pathlib
import sys

from tfstyle.cli import main, train_networks

broken = int(os.environ.get("BROKEN_AT", "-1"))


def train(sets, args, settings, pace, measured, **options):
    import keras
    import numpy as np
    from keras import ops

    from tfstyle.train import devices, loop
    from tfstyle.train.settings import run_of

    class Line(keras.Model):
        """Learns y = 2 x + 1 behind a normalization over the batch, which no part of a batch can tell alone."""

        def __init__(self):
            super().__init__()
            self.dense, self.normal = keras.layers.Dense(1), keras.layers.BatchNormalization(momentum=0.5)
            for layer in (self.dense, self.normal):
                layer.build((None, 1))
            self.trackers = {name: keras.metrics.Mean(name) for name in ("near", "first")}

        @property
        def beside(self):
            return self.normal.non_trainable_variables

        def call(self, batch, training=None):
            return self.dense(self.normal(batch["x"], training=training))

        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            error = ops.square(y_pred - x["y"])
            terms = ops.mean(error), error[0, 0]
            for tracker, value in zip(self.trackers.values(), terms, strict=True):
                tracker.update_state(value)
            return terms[0] + 0.1 * terms[1]

    class Batches:
        def __getitem__(self, step):
            x = np.random.default_rng([5, step]).normal(size=(settings.photos, 1)).astype(np.float32)
            return {"x": x * (np.inf if step == broken else 1), "y": 2 * x + 1}

    def numbers(model):
        return [float(value) for value in np.concatenate([ops.convert_to_numpy(v).ravel() for v in model.weights])]

    devices.share(settings.photos)
    keras.utils.set_random_seed(settings.seed)
    assert options.pop("init") is None
    workdir = pathlib.Path(args.workdir)
    return loop.train(
        Line(), Batches(), pace, workdir, run=run_of(settings, pace, photographs=sets[0].fingerprint),
        preview=lambda model, step: np.full((4, 4, 3), float(ops.abs(model.dense(np.ones((3, 1)))[0, 0])) % 1),
        export=lambda model: (workdir / "weights.npz").write_text(repr(numbers(model))), **options,
    )


train_networks.NETWORKS["superres"] = dataclasses.replace(train_networks.NETWORKS["superres"], train=train)
if __name__ == "__main__":
    sys.exit(main())
