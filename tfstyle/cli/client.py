"""tfstyle client: checks everything that needs no server, has a picture painted by one, and writes it."""

import contextlib
import dataclasses
import time

from tfstyle import images
from tfstyle.checks import InputError, check_choice, check_number
from tfstyle.cli import flags, manners, outputs
from tfstyle.chatter import hushed
from tfstyle.controls import Controls
from tfstyle.gatys.settings import GatysSettings
from tfstyle.serving.client import METHODS, OPTIMIZER, Client
from tfstyle.serving.connection import Connection
from tfstyle.serving.failures import ServingError
from tfstyle.serving.requests import AROUND, LOOK

FAILED = "the server cannot be reached, takes too long or fails"
EXAMPLES = """examples:
  tfstyle client photo.jpg painting.jpg -o painted.png
  tfstyle client photo.jpg painting.jpg --url http://host:8501 --label stable --strength 0.8 -o painted.jpg
  tfstyle client photo.jpg one.jpg two.jpg --weights 0.7 0.3 --url grpc://host:8500 -o painted.png
  tfstyle client photo.jpg painting.jpg --method optimize --steps 140 --timeout 1200 -o painted.png
"""


def _part(settings, *names, **renamed):
    """A settings class of some fields of another, from which flags are made; {field: its new name} renames."""
    fields = [
        (renamed.get(f.name, f.name), f.type, dataclasses.field(default=f.default, metadata=f.metadata))
        for f in dataclasses.fields(settings) if f.name in (*names, *renamed)
    ]
    return dataclasses.make_dataclass("Part", fields)


_SERVER = _part(Connection, "url", "model", "label", "timeout", "retries", version="model_version")
_PICTURE = _part(Controls, "size", *LOOK)
_LOSS = _part(GatysSettings, "content_weight", "style_weight", "tv_weight")


def add_flags(parser):
    """Adds the verb's own flags and those of the settings that a server takes."""
    parser.usage = "tfstyle client CONTENT STYLE [STYLE ...] -o OUT [flags]"
    flags.add_masks(flags.add_pictures(parser), texture=False)
    add = parser.add_argument_group("method").add_argument
    add("--method", metavar="{fast,optimize}", default="fast",
        help=f"fast: one pass; optimize: the model {OPTIMIZER!r}, unless --model names another (default: fast)")
    add("--steps", metavar="N", help="of --method optimize: evaluations at each scale (default: as tfstyle optimize)")
    manners.add_run(parser, quiet="no line at the end")
    for settings in (_SERVER, _PICTURE, _LOSS):
        flags.add_settings(parser, settings)


def run(args):
    """Runs the verb: 0 done, 1 it came to nothing through no fault of its input."""
    method, call = _call(args)
    quality = check_number("--quality", flags.number(args.quality), 1, 100, integer=True)
    server = flags.given(args, _SERVER)
    if method == "optimize" and "model" in server:
        call["model"] = server.pop("model")
    if "model_version" in server:
        server["version"] = server.pop("model_version")
    connection = Connection(**server)
    height, width = _check_pictures(args, call)
    model = call.get("model", OPTIMIZER) if method == "optimize" else connection.model
    facts = {"input": args.content, "styles": args.style, "output": args.output, "method": method, "model": model,
             "url": connection.url}
    if args.dry_run:
        line = f"{args.output}  {width}x{height}  would be asked of {model} at {connection.url}"
        manners.tell(args, line, **facts, width=width, height=height)
        return 0
    start = time.perf_counter()
    try:
        # The packages of gRPC bring TensorFlow, which chatters.
        with hushed() if server.get("url", "").startswith("grpc") else contextlib.nullcontext():
            client = Client(**server)
        with client:
            painted = (client.optimize if method == "optimize" else client.stylize)(args.content, args.style, **call)
    except ServingError as error:
        raise manners.Failed(str(error)) from None
    except MemoryError:
        raise manners.Failed("memory ran out; use a smaller --size.") from None
    images.write(args.output, painted, quality=quality)
    seconds = time.perf_counter() - start
    line = f"{args.output}  {painted.width}x{painted.height}  {seconds:.1f} s"
    manners.tell(args, line, **facts, width=painted.width, height=painted.height, seconds=seconds)
    return 0


def _call(args):
    """(method, keywords of the client's call of it); raises `InputError` for flags of the other method."""
    method = check_choice("--method", args.method, METHODS)
    picture, loss = flags.given(args, _PICTURE), flags.given(args, _LOSS)
    steps = {} if args.steps is None else {"steps": flags.number(args.steps)}
    mixed = {} if args.weights is None else {"weights": args.weights}
    for name in {**loss, **steps} if method == "fast" else (picture | mixed).keys() - {"size", *AROUND}:
        other = METHODS[method == "fast"]
        raise InputError(f"{flags.flag(name)} is a flag of --method {other}, not of {method}; leave it out.")
    call = {"size": Controls.size} | picture | flags.given_masks(args)
    if method == "fast":
        return method, call | {"weights": flags.style_weights(args)}
    if len(args.style) > 1:
        raise InputError(f"--method optimize takes one STYLE picture; received {len(args.style)}.")
    for number in steps.values():
        check_number("--steps", number, 1, integer=True)
    return method, call | loss | steps


def _check_pictures(args, call):
    """The content can be read and the result written, and it is none of the inputs; the client reads the styles.

    Returns:
        (height, width) of the result in px.
    """
    shape = images.read(args.content, name="content picture", size=call["size"]).rgb.shape[:2]
    others = flags.check_masks(call, shape, len(args.style))
    images.check_output(args.output, shape)
    outputs.check_names((args.content, *args.style, *others), {"--output": args.output})
    return shape

