"""All engines as files for other runtimes: SavedModels for TensorFlow Serving, LiteRT and ONNX for small devices.

Each file is run in the runtime that it is for and compared with the Keras networks before it is kept. Importing this
package imports no TensorFlow; its modules do.
"""

__all__ = ["ExportError"]


class ExportError(RuntimeError):
    """An exported file does not compute what the Keras networks do, and was not kept; the message says by how much."""
