"""Networks inside a SavedModel: weights stored small and widened in the graph, once a call.

Kept as variables, which all signatures share; constants would lie in every one of them anew. They are variables of a
`tf.Module`, not of Keras: the session loader, TensorFlow Serving's, does not find those of Keras.
"""

import io

import numpy as np
import tensorflow as tf

from tfstyle.weights.files import DEFAULT, shipped

__all__ = ["StoredNetwork", "StoredVGG"]


class StoredVGG(tf.Module):
    """The shipped VGG-19 as its palette: a byte for each weight and 256 values for each layer, a quarter of the size.

    Args:
        network: a keras.Model that `tfstyle.nets.vgg.vgg` built with the shipped weights; its values are not kept.
    """

    def __init__(self, network):
        super().__init__(name="vgg19")
        self._order, self._run = [_key(v) for v in _variables(network)], _runner(network)
        self._dtypes = [v.dtype for v in _variables(network)]
        content, _ = shipped(DEFAULT)
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            self.stored = {}
            for key in self._order:
                layer, part = key.split("/")
                for kind in (("kernel_index", "kernel_table") if part == "kernel" else ("bias",)):
                    self.stored[f"{layer}_{kind}"] = _variable(file[f"{layer}/{kind}"], f"{layer}_{kind}")

    def widened(self):
        """The weights as the network takes them: a list of tensors. Ask for them once, outside of loops."""
        found = []
        for key, dtype in zip(self._order, self._dtypes, strict=True):
            layer, part = key.split("/")
            if part == "bias":
                values = self.stored[f"{layer}_bias"].read_value()
            else:
                index = tf.cast(self.stored[f"{layer}_kernel_index"], tf.int32)
                values = tf.gather(self.stored[f"{layer}_kernel_table"], index)
            found.append(tf.cast(values, dtype))
        return found

    def __call__(self, widened, image):
        """The features of a picture: {name: (N, h, w, C)}."""
        return self._run(widened, image)


class StoredNetwork(tf.Module):
    """A trained network whose weights are stored as float16 where that loses nothing, as it does of the shipped ones.

    Args:
        network: a keras.Model.
    """

    def __init__(self, network):
        super().__init__(name=network.name)
        self._order, self._run = [_key(v) for v in _variables(network)], _runner(network)
        self._dtypes = [v.dtype for v in _variables(network)]
        self.stored = {
            key.replace("/", "_"): _variable(_halved(variable.numpy()), key.replace("/", "_"))
            for key, variable in zip(self._order, _variables(network), strict=True)
        }

    def widened(self):
        """The weights as the network takes them: a list of tensors. Ask for them once, outside of loops."""
        stored = (self.stored[key.replace("/", "_")] for key in self._order)
        return [tf.cast(v.read_value(), dtype) for v, dtype in zip(stored, self._dtypes, strict=True)]

    def __call__(self, widened, *inputs):
        """What the network answers to its inputs."""
        return self._run(widened, *inputs)


def _variable(values, name):
    return tf.Variable(values, trainable=False, name=name)


def _variables(network):
    """In the order in which Keras takes them: batch normalization mixes both kinds in `network.variables`."""
    return network.trainable_variables + network.non_trainable_variables


def _key(variable):
    return "/".join(variable.path.split("/")[-2:])


def _halved(values):
    with np.errstate(over="ignore"):
        half = values.astype(np.float16)
    return half if np.array_equal(half.astype(values.dtype), values) else values


def _runner(network):
    """A function (values of all variables, *inputs) -> outputs, which hides the Keras model from tf.Module."""
    trained = len(network.trainable_variables)

    def run(values, *inputs):
        inputs = inputs[0] if len(inputs) == 1 else list(inputs)
        return network.stateless_call(values[:trained], values[trained:], inputs)[0]

    return run
