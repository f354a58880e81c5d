"""tfstyle: neural style transfer in TensorFlow and Keras.

    import tfstyle
    tfstyle.stylize("photo.jpg", "painting.jpg").save("painted.png")

Public names are resolved when first used, so that importing the package does not import TensorFlow.
"""

import contextlib
import importlib
import sys

from tfstyle.chatter import hushed
from tfstyle.checks import InputError
from tfstyle.version import __version__

# No submodule may bear one of these names: importing it would replace the function.
_HOMES = {
    "stylize": "tfstyle.api",
    "ArbitraryStylizer": "tfstyle.stylizer",
    "Enlarger": "tfstyle.enlarger",
    "FolderResult": "tfstyle.folder",
    "FeedForwardStylizer": "tfstyle.feedforward_stylizer",
    "GatysSettings": "tfstyle.gatys.settings",
    "NonFiniteError": "tfstyle.gatys.record",
    "Record": "tfstyle.gatys.record",
    "Translator": "tfstyle.translator",
    "enlarge": "tfstyle.enlarger",
    "panel": "tfstyle.widgets",
    "preset": "tfstyle.gatys.settings",
    "stylize_batch": "tfstyle.batch.job",
    "stylize_folder": "tfstyle.folder",
    "stylize_video": "tfstyle.movie.loop",
    "translate": "tfstyle.translator",
}

__all__ = ["InputError", "__version__", *_HOMES]


def __getattr__(name):
    if name not in _HOMES:
        raise AttributeError(f"module 'tfstyle' has no attribute {name!r}")
    # In a notebook, what TensorFlow logs while it loads would stand in red below the cell for good.
    with hushed() if "ipykernel" in sys.modules else contextlib.nullcontext():
        value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__():
    return sorted({*globals(), *__all__})
