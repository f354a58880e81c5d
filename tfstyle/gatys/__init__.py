"""Gatys' method (CVPR 2016): the pixels of a picture optimised until VGG sees one picture's content in another's style.

`optimize` works on float arrays; `tfstyle.stylize(..., method="optimize")` is the front door for files. Importing
this package imports no TensorFlow; `optimize` does.
"""

import importlib

from tfstyle.gatys.settings import PRESETS, GatysSettings, preset

_HOMES = {
    "mixed_style": "tfstyle.gatys.texture",
    "optimize": "tfstyle.gatys.loop",
    "NonFiniteError": "tfstyle.gatys.record",
    "Record": "tfstyle.gatys.record",
    "Result": "tfstyle.gatys.record",
}

__all__ = ["PRESETS", "GatysSettings", "preset", *_HOMES]


def __getattr__(name):
    if name not in _HOMES:
        raise AttributeError(f"module 'tfstyle.gatys' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
