"""The card of an exported model: what it is, what it takes, whose it is, and the hashes of what it holds."""

import hashlib
import json
import os

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from tfstyle.controls import CARD
from tfstyle.export.settings import NAMED
from tfstyle.images import LEAST_SIDE
from tfstyle.version import __version__
from tfstyle.weights.files import ARBITRARY, DEFAULT, MEANS, SHIPPED

__all__ = ["FILE", "array_hashes", "signatures", "write", "write_kind"]

FILE = os.path.join("assets.extra", "card.json")
_WHAT = {
    "arbitrary": "Paints a photograph in the style of any picture in one pass: Ghiasi et al., BMVC 2017 "
                 "(arXiv:1705.06830).",
    "gatys": "Optimizes a picture until VGG-19 sees one picture's content in another's style: Gatys et al., CVPR 2016.",
    "style": "Paints a photograph in the one style that it was trained for, in one pass: Johnson et al., ECCV 2016 "
             "(arXiv:1603.08155).",
    "superres": "Enlarges a picture: Johnson et al., ECCV 2016 (arXiv:1603.08155). Histograms are not matched in the "
                "graph; `tfstyle.enlarge` does that afterwards.",
    "translate": "Turns a picture of one domain into one of another, in the style of an example or of a code: Chang et "
                 "al., ECCV 2020 (arXiv:2008.02198), and Huang et al., ECCV 2018 (arXiv:1804.04732).",
}
_OURS = "Apache-2.0, the tfstyle authors"
_LICENSES = {
    "graph": _OURS,
    "vgg19": "CC BY 4.0, Karen Simonyan and Andrew Zisserman (arXiv:1409.1556); kernels coded with 256 values a layer",
}


def write(path, name, module, settings, differences):
    """Writes the card of a SavedModel into its folder.

    Args:
        path: of the version's folder.
        name: of the engine, one of `tfstyle.export.settings.NAMES`.
        module: what was saved, which knows its bounds.
        settings: `ExportSettings`. Of a model's path only the file's name is told.
        differences: what `tfstyle.export.verify` measured.
    """
    if name in NAMED:
        ours = settings.shipped_file(name) is not None
        shipped, licenses = [settings.shipped_file(name)] if ours else [], {"graph": _OURS}
    else:
        ours = settings.model == "default"
        shipped, licenses = [DEFAULT, *([ARBITRARY, MEANS] if name == "arbitrary" and ours else [])], _LICENSES
    folders = {"graph": path, "variables": os.path.join(path, "variables")}
    card = {
        "name": settings.served_as(name),
        "what": _WHAT[name],
        "made_by": {"tfstyle": __version__, "tensorflow": tf.__version__},
        "precision": settings.precision,
        "weights": "shipped with tfstyle" if ours else os.path.basename(os.path.abspath(settings.model)),
        "pictures": {
            "values": "RGB, sRGB, float32 in [0, 1], or JPEG and PNG files whose EXIF and ICC data are ignored",
            "least_side": LEAST_SIDE,
            **module.bounds,
        },
        "signatures": signatures(path),
        "licenses": licenses | ({"network": _OURS if ours else "its maker's"} if name != "gatys" else {}),
        "bytes": {kind: _size(folder) for kind, folder in folders.items()},
        "sha256": {"shipped files": {file: SHIPPED[file] for file in shipped}, "variables": array_hashes(path)},
        "differences_from_python": {what: float(f"{value:.2g}") for what, value in differences.items()},
    }
    _dump(path, FILE, card)


def write_kind(path, name, module):
    """Writes what a network of one model is, in short, so that Python knows its folder without TensorFlow."""
    _dump(path, CARD, {"kind": name, **module.bounds})


def _dump(path, name, content):
    os.makedirs(os.path.join(path, os.path.dirname(name)), exist_ok=True)
    with open(os.path.join(path, name), "w", encoding="utf-8") as file:
        json.dump(content, file, indent=1)
        file.write("\n")


def _size(folder):
    return sum(entry.stat().st_size for entry in os.scandir(folder) if entry.is_file())


def signatures(path):
    """{signature: {"inputs": {name: "dtype [shape]"}, "outputs": …}} of a SavedModel, -1 for free sides."""
    return {
        name: {
            side: {
                key: f"{tf.dtypes.as_dtype(info.dtype).name} {[dim.size for dim in info.tensor_shape.dim]}"
                for key, info in sorted(getattr(definition, side).items())
            }
            for side in ("inputs", "outputs")
        }
        for name, definition in sorted(_graph(path).signature_def.items())
        if not name.startswith("__")
    }


def array_hashes(path):
    """{name of a variable: SHA-256 of its bytes} of a SavedModel."""
    reader = tf.train.load_checkpoint(os.path.join(path, "variables", "variables"))
    names = [n for n in reader.get_variable_to_shape_map() if n.endswith(".ATTRIBUTES/VARIABLE_VALUE")]
    return {
        name.split("/.ATTRIBUTES")[0]: hashlib.sha256(np.ascontiguousarray(reader.get_tensor(name))).hexdigest()
        for name in sorted(names)
    }


def _graph(path):
    proto = saved_model_pb2.SavedModel()
    with open(os.path.join(path, "saved_model.pb"), "rb") as file:
        proto.ParseFromString(file.read())
    return proto.meta_graphs[0]
