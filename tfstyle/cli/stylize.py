"""tfstyle stylize: checks everything that needs no TensorFlow, paints in one pass, and writes the picture or folder."""

import os
import time

from tfstyle import folder
from tfstyle.checks import InputError, check_choice, check_number
from tfstyle.cli import backend, ends, flags, manners, many, outputs
from tfstyle.controls import Controls, check_model, check_one_style, check_styles, read_style
from tfstyle.folder_plan import FORMATS

EXAMPLES = """examples:
  tfstyle stylize photo.jpg painting.jpg -o painted.png
  tfstyle stylize photo.jpg one.jpg two.jpg --weights 0.7 0.3 --strength 0.8 -o painted.jpg
  tfstyle stylize photo.jpg painting.jpg --size 1024 --style-size 512 -o painted.png  # finer strokes
  tfstyle stylize photo.jpg painting.jpg --color luminance -o painted.png  # in the photo's colors
  tfstyle stylize photo.jpg one.jpg two.jpg --masks sky.png -o painted.png  # one.jpg in the sky
  tfstyle stylize photo.jpg painting.jpg --texture canvas.jpg -o painted.png
  tfstyle stylize photo.jpg evening.jpg --photoreal -o painted.png  # light and palette alone
  tfstyle stylize photos/ painting.jpg -o painted/  # a folder; run again, it goes on
  tfstyle stylize photo.jpg painting.jpg --model mine.npz -o painted.png
  tfstyle stylize photo.jpg --model wave.keras -o painted.png  # a network of one style
"""
FAILED = "it came to nothing, or some photos of a folder failed and the rest is painted"

_OF_FOLDERS = ("recursive", "overwrite", "format")


def add_flags(parser):
    """Adds the verb's own flags and one for each field of `Controls`."""
    parser.usage = "tfstyle stylize CONTENT [STYLE ...] -o OUT [flags]"
    add = flags.add_pictures(parser, styles="*", folders=", or a folder of them: then OUT is one, made if missing")
    flags.add_masks(add)
    add = parser.add_argument_group("a folder as CONTENT").add_argument
    add("--recursive", action="store_true", help="the folders inside it as well")
    add("--overwrite", action="store_true", help="paint anew what is there in OUT, which is skipped otherwise")
    add("--format", metavar="{" + ",".join(FORMATS) + "}",
        help="of the pictures in OUT (default: the photo's own, or png where that cannot be written)")
    manners.add_run(parser)
    flags.add_settings(parser, Controls)


def run(args):
    """Runs the verb: 0 done, 1 it came to nothing (or some of a folder did) through no fault of the command line."""
    given = flags.given(args, Controls)
    controls = Controls(**given)
    is_folder = os.path.isdir(args.content)
    masks = flags.given_masks(args)
    _check_styles(args, controls, masks.get("texture"))
    call = given | masks | {"weights": flags.style_weights(args)}
    check_styles(call["weights"], call.get("masks"))
    quality = check_number("--quality", flags.number(args.quality), 1, 100, integer=True)
    if is_folder:
        return _paint_folder(args, call, controls, quality)
    for name in _OF_FOLDERS:
        if getattr(args, name):
            raise InputError(f"{flags.flag(name)} is for a folder as CONTENT, and {args.content!r} is none.")
    shape = _check_pictures(args, call, controls)
    return _paint_picture(args, call, controls, shape, quality)


# One picture


def _paint_picture(args, call, controls, shape, quality):
    facts = _facts(args, controls)
    if args.dry_run:
        height, width = shape
        line = f"{args.output}  {width}x{height}  would be painted"
        manners.tell(args, line, **facts, width=width, height=height)
        return 0
    tf = backend.tensorflow()
    from tfstyle import api, images

    start = time.perf_counter()
    try:
        painted = api.stylize(args.content, args.style or None, **call)
    except (MemoryError, tf.errors.ResourceExhaustedError):
        raise manners.Failed("memory ran out; use a smaller --size.") from None
    images.write(args.output, painted, quality=quality)
    seconds = time.perf_counter() - start
    line = f"{args.output}  {painted.width}x{painted.height}  {seconds:.1f} s"
    manners.tell(args, line, **facts, width=painted.width, height=painted.height, seconds=seconds)
    return 0


def _facts(args, controls):
    return {"input": args.content, "styles": args.style, "output": args.output, "method": "fast",
            "model": controls.model}


def _check_styles(args, controls, texture):
    """The model is there, and is given STYLE pictures where it takes them."""
    if check_model(controls.model) == "style":
        check_one_style(controls.model, args.style or None, args.weights, controls, texture)
    elif not args.style:
        raise InputError("There is no STYLE picture; name one after CONTENT, or give a --model of one style.")


def _check_pictures(args, call, controls):
    """Every picture can be read and the result written, and it is none of the inputs; returns (height, width)."""
    from tfstyle import images

    photo = images.read(args.content, name="content picture", size=controls.size)
    shape = photo.rgb.shape[:2]
    for style in args.style:
        read_style(style, controls, max(shape))
    others = flags.check_masks(call, shape, max(1, len(args.style)))
    images.check_output(args.output, shape)
    outputs.check_names((args.content, *args.style, *others), {"--output": args.output})
    return shape


# A folder


def _paint_folder(args, call, controls, quality):
    if "masks" in call:
        raise InputError("--masks fit one photo, and CONTENT is a folder; paint its photos one by one.")
    if args.format is not None:
        check_choice("--format", args.format, FORMATS)
    options = {name: getattr(args, name) for name in _OF_FOLDERS}
    if args.dry_run:
        outputs.check_folder(args.output, "--output", make=False)
    job = folder.prepared_folder(
        args.content, args.style or None, args.output, quality=quality, make=not args.dry_run, **options, **call
    )
    start, result, code = time.perf_counter(), job.result, 0
    if args.dry_run:
        line = f"{args.output}  {result.left} would be painted, {len(result.skipped)} are there already"
        manners.tell(args, line, **_facts(args, controls), **many.facts(result))
        return 0
    if job.todo:
        with many.bar(len(job.todo), args.quiet) as tell:
            backend.tensorflow()
            try:
                folder.paint_folder(job, tell)
            except (KeyboardInterrupt, ends.Ended) as end:
                code = ends.code_of(end)
    seconds = time.perf_counter() - start
    line = f"{args.output}  {many.counts(result)}  {seconds:.1f} s"
    manners.tell(args, line, **_facts(args, controls), **many.facts(result), interrupted=bool(code), seconds=seconds)
    return many.closing(result, code, args.overwrite)
