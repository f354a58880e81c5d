"""What a served model can be asked: the client of TensorFlow Serving.

    with tfstyle.serving.Client("http://localhost:8501") as client:
        client.stylize("photo.jpg", "painting.jpg").save("painted.png")

Importing this package imports no TensorFlow, nor does a client of an http:// address.
"""

import importlib

_HOMES = {
    "Client": "tfstyle.serving.client",
    "ServingError": "tfstyle.serving.failures",
}

__all__ = list(_HOMES)


def __getattr__(name):
    if name not in _HOMES:
        raise AttributeError(f"module 'tfstyle.serving' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
