"""One step of the discriminators, then one of the generators, in one compiled function, on TensorFlow and on JAX."""

import keras

__all__ = ["Adversarial", "adam"]


class Adversarial(keras.Model):
    """A model that is trained against discriminators, which an optimizer of their own trains along.

    What `compile` is given trains the generators. A subclass says what they make (`call`), what it is worth to them
    (`compute_loss`) and to the discriminators (`judge_loss`). The generators' step meets discriminators that have made
    theirs, as in the published code, and what was made serves both.

    Args:
        judges: list of keras.Model, the discriminators.
        judge_optimizer: theirs.
        weight_decay: of every weight, times which it is added to its gradient: classic L2, where Keras' own decay is
            decoupled from Adam's scaling.
    """

    def __init__(self, judges, judge_optimizer, weight_decay=0.0, **kwargs):
        super().__init__(**kwargs)
        self.judges, self.judge_optimizer, self.weight_decay = judges, judge_optimizer, weight_decay
        for judge in judges:
            judge.trainable = False  # not by the generators' optimizer
        self.judge_variables = [variable for judge in judges for variable in judge.variables]
        judge_optimizer.build(self.judge_variables)

    def judge_loss(self, batch, made):
        """The discriminators' scalar loss of what `call` made of a batch."""
        raise NotImplementedError

    @property
    def fixed_variables(self):
        """What no training changes, such as the network that measures."""
        trained = set(map(id, self.judge_variables))
        return [variable for variable in super().non_trainable_variables if id(variable) not in trained]

    @property
    def beside(self):
        """What training changes beside the weights: all of the discriminators. A checkpoint keeps it."""
        return self.judge_variables + self.judge_optimizer.variables

    @property
    def non_trainable_variables(self):
        """All that is no weight of the generators, the discriminators' optimizer too: JAX has to be told of it."""
        return self.fixed_variables + self.beside

    def train_step(self, *args):
        """As Keras calls it: with (data) under TensorFlow, with (state, data) under JAX."""
        return (_jax_step if keras.backend.backend() == "jax" else _tensorflow_step)(self, *args)

    def told(self, loss, judged):
        """{name: mean} of all that is tracked, after a step of these losses."""
        self._loss_tracker.update_state(loss)
        self.trackers["discriminator"].update_state(judged)
        return self.get_metrics_result()


def adam(pace, average=None, rates=None):
    """Adam as published with DSMAP: betas 0.5 and 0.999, epsilon 1e-8, the rate halved in steps.

    Args:
        pace: a `DSMAPPace`.
        average: of the moving average of the weights, or None for none.
        rates: pairs (variable, factor of its learning rate), for those that have another.
    """
    return _Adam(
        rates or (), learning_rate=Halved(pace.learning_rate, pace.halve_every, pace.warmup), beta_1=0.5, beta_2=0.999,
        epsilon=1e-8, global_clipnorm=pace.clip, use_ema=average is not None,
        ema_momentum=0.99 if average is None else average,
    )


class _Adam(keras.optimizers.Adam):
    """Adam with another learning rate for some variables."""

    def __init__(self, rates, **kwargs):
        super().__init__(**kwargs, name="adam")
        self._rates = {self._var_key(variable): factor for variable, factor in rates}

    def update_step(self, gradient, variable, learning_rate):
        super().update_step(gradient, variable, learning_rate * self._rates.get(self._var_key(variable), 1.0))


class Halved(keras.optimizers.schedules.LearningRateSchedule):
    """A rate that rises from 0 through `warmup` steps and is halved after every `every`."""

    def __init__(self, rate, every, warmup=0):
        self.rate, self.every, self.warmup = rate, every, warmup

    def __call__(self, step):
        step = keras.ops.cast(step, "float32")
        risen = keras.ops.minimum(1.0, (step + 1) / (self.warmup + 1))
        return self.rate * risen * keras.ops.power(0.5, keras.ops.floor(step / self.every))

    def get_config(self):
        return {"rate": self.rate, "every": self.every, "warmup": self.warmup}


def _tensorflow_step(model, data):
    import tensorflow as tf

    batch, _, _ = keras.utils.unpack_x_y_sample_weight(data)
    weights = model.trainable_variables
    with tf.GradientTape() as tape:
        made = model(batch, training=True)
        with tape.stop_recording():
            with tf.GradientTape() as of_judges:
                judged = model.judge_loss(batch, made)
            gradients = of_judges.gradient(judged, [variable.value for variable in model.judge_variables])
            model.judge_optimizer.apply(_decayed(model, gradients, model.judge_variables), model.judge_variables)
        loss = model.compute_loss(batch, None, made)
    gradients = tape.gradient(loss, [variable.value for variable in weights])
    model.optimizer.apply(_decayed(model, gradients, weights), weights)
    return model.told(loss, judged)


def _jax_step(model, state, data):
    import jax

    weights, beside, optimizer, metrics = state
    batch, _, _ = keras.utils.unpack_x_y_sample_weight(data)
    fixed = list(zip(model.fixed_variables, beside, strict=False))  # they come first
    first, count = len(fixed), len(model.judge_variables)
    judges, judge_optimizer = beside[first:first + count], beside[first + count:]

    def scope(weights, judges, metrics):
        mine = zip(model.trainable_variables, weights, strict=True)
        theirs = zip(model.judge_variables, judges, strict=True)
        return keras.StatelessScope([*fixed, *mine, *theirs, *zip(model.metrics_variables, metrics, strict=True)])

    def of_judges(judges):
        with scope(weights, judges, metrics):
            return model.judge_loss(batch, model(batch, training=True))

    def of_generators(weights):
        with scope(weights, judges, metrics) as inside:
            loss = model.compute_loss(batch, None, model(batch, training=True))
        return loss, [inside.get_current_value(variable) for variable in model.metrics_variables]

    judged, gradients = jax.value_and_grad(of_judges)(judges)
    judges, judge_optimizer = model.judge_optimizer.stateless_apply(
        judge_optimizer, _decayed(model, gradients, judges), judges
    )
    (loss, metrics), gradients = jax.value_and_grad(of_generators, has_aux=True)(weights)
    weights, optimizer = model.optimizer.stateless_apply(optimizer, _decayed(model, gradients, weights), weights)
    with scope(weights, judges, metrics) as inside:
        logs = model.told(loss, judged)
    metrics = [inside.get_current_value(variable) for variable in model.metrics_variables]
    return logs, (weights, [*beside[:first], *judges, *judge_optimizer], optimizer, metrics)


def _decayed(model, gradients, values):
    decay = model.weight_decay
    return [decay * value if g is None else g + decay * value for g, value in zip(gradients, values, strict=True)]
