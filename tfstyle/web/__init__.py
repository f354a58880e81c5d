"""The page in the browser: `tfstyle web`, or from Python

    from tfstyle.web import WebSettings, launch
    launch(WebSettings(port=8000))

Importing this package imports neither gradio nor TensorFlow.
"""

import importlib

_HOMES = {
    "WebSettings": "tfstyle.web.settings",
    "launch": "tfstyle.web.server",
}

__all__ = list(_HOMES)


def __getattr__(name):
    if name not in _HOMES:
        raise AttributeError(f"module 'tfstyle.web' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
