"""The engines as the page uses them: loaded once, in the background."""

import contextlib
import os
import threading

from PIL import Image

import tfstyle
from tfstyle import images
from tfstyle.checks import InputError

__all__ = ["Painter"]


class Painter:
    """Paints orders, loading TensorFlow before the first.

    Args:
        around: context manager function, entered while TensorFlow is imported.

    Attributes:
        loaded: threading.Event, set once the first picture need not wait for TensorFlow.
    """

    def __init__(self, around=contextlib.nullcontext):
        self.loaded, self._around, self._lock = threading.Event(), around, threading.Lock()

    def load(self):
        """Imports TensorFlow and builds the network of the default method, unless that has been done.

        Raises:
            InputError: TensorFlow cannot be imported.
        """
        with self._lock:
            if self.loaded.is_set():
                return
            os.environ["KERAS_BACKEND"] = "tensorflow"  # the graphs of the engines are its
            try:
                with self._around():
                    import tensorflow  # noqa: F401  its import is the work
            except ImportError as error:
                raise InputError(f"TensorFlow cannot be imported here ({error}); see tfstyle doctor.") from error
            square = Image.new("RGB", (images.LEAST_SIDE, images.LEAST_SIDE))
            tfstyle.stylize(square, square, size=images.LEAST_SIDE)
            self.loaded.set()

    def __call__(self, order, callback, planned):
        """One picture.

        Args:
            order: `tfstyle.web.orders.Order`.
            callback, planned: as `tfstyle.api.optimize_pictures` takes them; the other methods do not call them.

        Returns:
            PIL image.

        Raises:
            InputError: what can only be found out by painting, such as too little memory.
        """
        self.load()
        import tensorflow as tf

        from tfstyle import api

        call = order.call | {"size": order.size}
        style = call.pop("style", None)
        try:
            if order.method != "optimize":
                return tfstyle.stylize(order.photo, style, **call)
            result, alpha = api.optimize_pictures(order.photo, style, callback=callback, planned=planned, **call)
            return images.to_pil(result.image, alpha)
        except (MemoryError, tf.errors.ResourceExhaustedError):
            raise InputError("Memory ran out; choose a smaller size.") from None
        except tfstyle.NonFiniteError as error:
            raise InputError(str(error)) from None
