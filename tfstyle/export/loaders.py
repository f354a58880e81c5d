"""A SavedModel as each of its users loads it: TensorFlow 2, TF Hub, and the session that TensorFlow Serving runs."""

import contextlib
import os

import tensorflow as tf

__all__ = ["hub_call", "in_session", "signature_calls"]


@contextlib.contextmanager
def in_session(path):
    """A SavedModel in a TF 1 session, whose C++ loader is TensorFlow Serving's.

    Args:
        path: of the version's folder.

    Yields:
        A function (name of a signature, **arrays) -> {name: array}. It may be called from many threads at once.
    """
    graph = tf.Graph()
    session = tf.compat.v1.Session(graph=graph)
    try:
        with graph.as_default(), _quietly():
            meta = tf.compat.v1.saved_model.load(session, [tf.saved_model.SERVING], os.fspath(path))

        def call(signature, **arrays):
            known = meta.signature_def[signature]
            fed = {known.inputs[name].name: array for name, array in arrays.items()}
            return session.run({name: tensor.name for name, tensor in known.outputs.items()}, fed)

        yield call
    finally:
        session.close()


def signature_calls(path):
    """The same function as `in_session`, through TensorFlow 2's loader."""
    loaded = tf.saved_model.load(path)

    def call(signature, **arrays):
        found = loaded.signatures[signature](**{name: tf.constant(array) for name, array in arrays.items()})
        return {name: tensor.numpy() for name, tensor in found.items()}

    call.owner = loaded  # whose variables the signatures hold by weak references only
    return call


def hub_call(path):
    """(*pictures) -> picture, all (N, H, W, 3): as the notebooks of TF Hub's module call it with content and style."""
    loaded = tf.saved_model.load(path)  # which tensorflow_hub.load is
    return lambda *pictures: loaded(*map(tf.constant, pictures))[0].numpy()


@contextlib.contextmanager
def _quietly():
    """Without TensorFlow's advice to use its other loader."""
    logger = tf.get_logger()
    level = logger.level
    logger.setLevel("ERROR")
    try:
        yield
    finally:
        logger.setLevel(level)
