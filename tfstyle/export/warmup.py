"""Requests with which TensorFlow Serving warms a model up before it serves it, in its own format."""

import math
import os

import numpy as np
import tensorflow as tf

from tfstyle import images
from tfstyle.export import single
from tfstyle.export.verify import PICTURES

__all__ = ["FILE", "write"]

FILE = os.path.join("assets.extra", "tf_serving_warmup_requests")
_QUALITY = 80  # of JPEGs that nobody looks at
# Long sides in px: the first request of a size costs up to twice as much as the later ones.
_SIDES = {"arbitrary": (256, 512, 1024), "gatys": (128, 256), "style": (256, 512, 1024), "superres": (64, 128, 256),
          "translate": (128, 256, 512)}
_SIGNATURES = {"arbitrary": "stylize_bytes", "gatys": "optimize_bytes", "translate": "translate_bytes"} | {
    name: names.of_files for name, names in single.NAMES.items()
}


def write(path, name, version=1, served_as=None, most_pixels=math.inf):
    """Writes the requests of one model into its folder.

    Args:
        path: of the SavedModel's version folder.
        name: of the engine, one of `tfstyle.export.settings.NAMES`.
        version: its number.
        served_as: the name under which the server knows the model; None for the engine's.
        most_pixels: of a request that the model takes; squares of larger sides are left out.

    Returns:
        How many requests were written; 0 without tensorflow-serving-api (tfstyle[grpc]), which has their format.

    Source: TensorFlow Serving, "SavedModel Warmup" (https://www.tensorflow.org/tfx/serving/saved_model_warmup).
    """
    try:
        from tensorflow_serving.apis import prediction_log_pb2
    except ImportError:
        return 0
    sides = [side for side in _SIDES[name] if side**2 <= most_pixels]
    logs = [prediction_log_pb2.PredictionLog() for _ in sides]
    for log, side in zip(logs, sides, strict=True):
        request = log.predict_log.request
        request.model_spec.name = served_as or name
        request.model_spec.version.value = version
        request.model_spec.signature_name = _SIGNATURES[name]
        for key, values in _inputs(name, side).items():
            request.inputs[key].CopyFrom(tf.make_tensor_proto(values))
    os.makedirs(os.path.join(path, os.path.dirname(FILE)), exist_ok=True)
    with tf.io.TFRecordWriter(os.path.join(path, FILE)) as file:
        for log in logs:
            file.write(log.SerializeToString(deterministic=True))
    return len(logs)


def _inputs(name, side):
    if name in single.NAMES:
        return {single.NAMES[name].file: [_jpeg(images.read(PICTURES[0], size=side).rgb)]}
    content, style = (images.read(picture, size=side).rgb for picture in PICTURES)
    files = {f"{key}_bytes": [_jpeg(picture)] for key, picture in (("content", content), ("style", style))}
    if name == "translate":
        return files
    if name == "arbitrary":
        return files | {"strength": np.float32([1])}
    weights = {f"{key}_weight": np.float32([1]) for key in ("content", "style", "tv")}
    return files | weights | {"steps": np.int32([2])}


def _jpeg(picture):
    return tf.io.encode_jpeg(images.to_uint8(picture), quality=_QUALITY).numpy()
