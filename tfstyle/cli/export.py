"""tfstyle export: writes an engine for another runtime, compared with Python before it is kept."""

import os
import sys
import time
from importlib import util

from tfstyle.checks import InputError, check_choice
from tfstyle.cli import backend, flags, manners, outputs
from tfstyle.chatter import hushed
from tfstyle.controls import check_model
from tfstyle.export import ExportError
from tfstyle.export.settings import ExportSettings

FAILED = "what was written would not have computed what Python does, and was not kept"
EXAMPLES = """saved_models/arbitrary/1, saved_models/wave/1 and saved_models/monet_b2a/1 are then what \
tensorflow_model_server serves (tfstyle serve --models saved_models); onnx/wave.onnx is one file.

examples:
  tfstyle export arbitrary -o saved_models
  tfstyle export gatys -o saved_models
  tfstyle export arbitrary --model mine.npz --version 2 -o saved_models
  tfstyle export style --model wave.npz -o saved_models
  tfstyle export superres --model larger.npz -o saved_models
  tfstyle export translate --model monet.npz --direction b2a -o saved_models
  tfstyle export arbitrary --format litert --kinds float16 --size 384 --style-size 256 -o mobile
  tfstyle export arbitrary --format onnx -o onnx
  tfstyle export style --model wave.npz --format onnx -o onnx
"""
FORMATS = ("savedmodel", "litert", "onnx")
# Which of the flags a format takes, beside --model.
_NEEDED = {"litert": ("ai_edge_litert",), "onnx": ("tf2onnx", "onnxruntime")}
_OWN = {"savedmodel": ("precision", "version", "replace"), "litert": ("size", "style_size", "kinds"), "onnx": ()}


def add_flags(parser):
    """Adds the verb's own flags and one for each field of `ExportSettings`."""
    parser.usage = "tfstyle export ENGINE -o FOLDER [flags]"
    add = parser.add_argument_group("what and where").add_argument
    add("engine", metavar="ENGINE", help="arbitrary (any style in one pass), gatys (the optimizer), style (one "
        "style in one pass, named by --model), superres (enlargement) or translate (from one domain to another, by "
        "--model and --direction)")
    add("-o", "--output", metavar="FOLDER", required=True, help="made if missing")
    add("--format", metavar="{" + ",".join(FORMATS) + "}", default="savedmodel",
        help="savedmodel for TensorFlow Serving; litert (TensorFlow Lite) and onnx, of arbitrary as two files: "
             "style_predict and style_transform, and of style and superres as one (default: savedmodel)")
    manners.add_run(parser, quiet="no lines at the end")
    flags.add_settings(parser, ExportSettings)
    add = parser.add_argument_group("litert settings").add_argument
    add("--size", metavar="N", help="side in pixels of square content pictures (default: any height and width)")
    add("--style-size", metavar="N", help="the same of style pictures, of arbitrary")
    add("--kinds", metavar="KIND,...", help="float32, float16 (with fixed sizes), dynamic (default: all that go)")


def run(args):
    """Runs the verb: 0 done, 1 the file would not have computed what Python does."""
    form = check_choice("--format", args.format, FORMATS)
    given = flags.given(args, ExportSettings)
    settings = ExportSettings(**given)
    settings.check_for(args.engine)
    lite = {name: value for name in _OWN["litert"] if (value := getattr(args, name)) is not None}
    for name in sorted((given | lite).keys() - {"model", "factor", "direction", *_OWN[form]}):
        owner = next(other for other in FORMATS if name in _OWN[other])
        raise InputError(f"{flags.flag(name)} is for --format {owner}; leave it out.")
    if form != "savedmodel" and args.engine == "gatys":
        raise InputError(f"The optimizer is not exported to {form}; it is a SavedModel alone.")
    if form != "savedmodel" and args.engine == "translate":
        raise InputError(f"Networks that translate are not exported to {form}; they are SavedModels alone.")
    if "style_size" in lite and args.engine != "arbitrary":
        raise InputError(f"--style-size is for arbitrary alone; {args.engine} looks at no style: leave it out.")
    if args.engine == "arbitrary" and check_model(settings.model) != "ours":
        raise InputError(f"{settings.model!r} is no network for any style; give the path of an .npz or .keras file.")
    if os.path.exists(args.output) and not os.path.isdir(args.output):
        raise InputError(f"{args.output} is a file; name a folder.")
    facts = {"engine": args.engine, "format": form, "model": settings.model, "output": args.output}
    if args.dry_run:
        paths = _paths(args, settings, form)
        outputs.check_folder(args.output, "--output", make=False)
        lines = [f"{path}  would be written" for path in paths]
        manners.tell(args, "\n".join(lines), **facts, written=[{"path": path} for path in paths])
        return 0
    tf = backend.tensorflow()
    start = time.perf_counter()
    try:
        found = _savedmodel(args, given) if form == "savedmodel" else _files(form, args, settings, lite)
    except ExportError as error:
        raise manners.Failed(str(error)) from None
    except (MemoryError, tf.errors.ResourceExhaustedError):
        raise manners.Failed("memory ran out; close other programs.") from None
    seconds = time.perf_counter() - start
    lines = [f"{path}  {size / 1e6:.1f} MB  within {difference:.1g} of Python" for path, size, difference in found]
    written = [{"path": path, "bytes": size, "difference": difference} for path, size, difference in found]
    manners.tell(args, "\n".join([*lines, f"{seconds:.0f} s"]), **facts, written=written, seconds=seconds)
    return 0


def _paths(args, settings, form):
    """What would be written; raises `InputError` for a version that is there, and where a package is missing."""
    if form == "savedmodel":
        path = os.path.join(args.output, settings.served_as(args.engine), str(settings.version))
        if os.path.exists(path) and not settings.replace:
            raise InputError(f"{path} is there already; give the next version, or replace it (--replace).")
        return [path]
    if missing := [name for name in _NEEDED[form] if not util.find_spec(name)]:
        raise InputError(f"--format {form} needs {missing[0]}: pip install 'tfstyle[{form}]'.")
    pair = ("style_predict", "style_transform")
    names = pair if args.engine == "arbitrary" else (settings.served_as(args.engine),)
    return [os.path.join(args.output, f"{name}{'.onnx' if form == 'onnx' else '_*.tflite'}") for name in names]


def _savedmodel(args, given):
    if not util.find_spec("tensorflow_serving"):
        print("tfstyle: there will be no warm-up requests, which need pip install 'tfstyle[grpc]'.", file=sys.stderr)
    with hushed():
        from tfstyle.export.savedmodel import export
    path, differences = export(args.engine, args.output, **given)
    worst = max(value for what, value in differences.items() if "bytes" not in what)  # files are rounded
    files = (os.path.join(folder, name) for folder, _, names in os.walk(path) for name in names)
    return [(path, sum(map(os.path.getsize, files)), worst)]


def _files(form, args, settings, lite):
    with hushed():
        from tfstyle.export import litert, onnx
    network = {"model": settings.model} | ({"factor": settings.factor} if args.engine == "superres" else {})
    if form == "onnx":
        written = onnx.export(args.output, args.engine, **network)
    else:
        sides = {name: flags.number(lite[name]) for name in ("size", "style_size") if name in lite}
        kinds = {"kinds": tuple(kind.strip() for kind in lite["kinds"].split(","))} if "kinds" in lite else {}
        written = litert.export(args.output, args.engine, **network, **sides, **kinds)
    return [(one.path, os.path.getsize(one.path), one.largest) for one in written]
