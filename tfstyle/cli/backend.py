"""TensorFlow and Keras, loaded without their chatter once all is checked; where that fails, one sentence."""

import os

from tfstyle.chatter import hushed
from tfstyle.cli.manners import Failed

__all__ = ["keras", "tensorflow"]


def tensorflow():
    """TensorFlow, as the backend of Keras: our graphs are its.

    Raises:
        Failed: it cannot be imported.
    """
    os.environ["KERAS_BACKEND"] = "tensorflow"
    try:
        with hushed():
            import tensorflow as tf
    except ImportError as error:
        raise Failed(f"TensorFlow cannot be imported ({error}); see tfstyle doctor.") from None
    return tf


def keras():
    """Keras on the backend that KERAS_BACKEND names.

    Raises:
        Failed: it cannot be imported, or there is no such backend.
    """
    try:
        with hushed():
            import keras
    except (ImportError, ValueError) as error:
        raise Failed(f"Keras cannot be imported ({error}); see tfstyle doctor.") from None
    return keras
