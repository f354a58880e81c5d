"""Networks as ONNX files, for ONNX Runtime and whatever else reads them."""

import numpy as np

from tfstyle.checks import InputError
from tfstyle.export import pair
from tfstyle.export.alone import Alone

__all__ = ["export"]

_OPSET = 17  # of ONNX 1.12 (2022)
_AT_ONCE = 2  # pictures in the comparison


def export(folder, engine="arbitrary", *, model="default", factor=None):
    """Writes style_predict.onnx and style_transform.onnx, or one network of one picture, compared with Keras first.

    Each is run by ONNX Runtime on real pictures, two at a time and at two sizes, and kept if all are within 1e-4 of
    Keras' (`tfstyle.export.pair.BOUNDS`). All are checked before the first is written.

    Inputs and outputs, float32, every N, H and W free, sides of at least 16 px or the network's own least (runtimes do
    not check them):
        style_predict: style_image (N, h, w, 3) in [0, 1] -> style_code (N, 100)
        style_transform: content_image (N, H, W, 3) in [0, 1], style_code (N, 100) -> stylized_image (N, H, W, 3)
        of one style: content_image (N, H, W, 3) in [0, 1] -> stylized_image (N, H, W, 3)
        of enlargement: image (N, H, W, 3) in [0, 1] -> enlarged_image (N, factor H, factor W, 3)

    Args:
        folder: where to; made if missing.
        engine: "arbitrary", "style" or "superres"; the last two make one file, called by the name under which
            `tfstyle.export.savedmodel.export` writes the network.
        model, factor: as `tfstyle.export.settings.ExportSettings` takes them.

    Returns:
        list of `tfstyle.export.pair.Exported`, style_predict first.

    Raises:
        InputError: no such model; tf2onnx or ONNX Runtime is not installed; a folder that cannot be written to.
        ExportError: a file that is too far off, or not finite.

    Source: https://onnx.ai, operator set 17; https://github.com/onnx/tensorflow-onnx.
    """
    convert, session = _tools()
    files = {}
    if engine == "arbitrary":
        network = pair.Pair(model)
        parts = network.predict(), network.transform()
    else:
        network = Alone(engine, model, factor)
        parts = network.part(),
    for part in parts:
        content, name = _converted(convert, part, network.note), f"{part.name}.onnx"
        run = _runner(session, content, part.output)
        files[name] = content, *network.compared(part, run, "float32", name, count=_AT_ONCE)
    return pair.write(folder, files)


def _tools():
    """(converter, session class)."""
    try:
        import onnxruntime
        import tf2onnx
    except ImportError as error:
        raise InputError(
            "ONNX files need tf2onnx, and ONNX Runtime to be checked, and one is not installed: "
            "pip install 'tfstyle[onnx]'."
        ) from error
    return tf2onnx.convert.from_function, onnxruntime.InferenceSession


def _converted(convert, part, note):
    proto, _ = convert(
        part.function, input_signature=part.function.input_signature, opset=_OPSET,
        custom_op_handlers={"Log1p": (_log1p, [])},
    )
    larger = "" if part.factor == 1 else f"_x{part.factor}"
    for values, grown in ((proto.graph.input, ""), (proto.graph.output, larger)):
        for value in values:
            sides = value.type.tensor_type.shape.dim
            words = ("N", f"height{grown}", f"width{grown}") if len(sides) == 4 else ("N",)
            for side, word in zip(sides, words, strict=False):
                side.dim_param = word
    proto.graph.name, proto.doc_string = part.name, note
    return proto.SerializeToString()


def _runner(session, content, output):
    """A function of named arrays that runs a file and returns its one array."""
    opened = session(content, providers=["CPUExecutionProvider"])
    return lambda **inputs: opened.run([output], {name: np.asarray(array) for name, array in inputs.items()})[0]


def _log1p(context, node, name, _):
    """ONNX has no log(1 + x) in one; the sum rounds by less than 1e-7, on moments that are logarithms of 1 to 100."""
    kinds, shapes, inputs, outputs = node.output_dtypes, node.output_shapes, list(node.input), list(node.output)
    context.remove_node(name)
    one = context.make_const(f"{name}_one", np.float32(1)).output[0]
    total = context.make_node("Add", [*inputs, one], dtypes=kinds, shapes=shapes)
    context.make_node("Log", total.output, outputs=outputs, name=name, dtypes=kinds, shapes=shapes)
