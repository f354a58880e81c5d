"""tfstyle stylize: checks everything that needs no TensorFlow, paints in one pass, and writes the picture."""

import os
import sys
import time

from tfstyle.checks import InputError, check_number
from tfstyle.cli import flags, outputs
from tfstyle.cli.chatter import hushed
from tfstyle.controls import Controls, check_model, check_one_style, read_style

EXAMPLES = """examples:
  tfstyle stylize photo.jpg painting.jpg -o painted.png
  tfstyle stylize photo.jpg one.jpg two.jpg --weights 0.7 0.3 --strength 0.8 -o painted.jpg
  tfstyle stylize photo.jpg painting.jpg --size 1024 --style-size 512 -o painted.png   (finer strokes)
  tfstyle stylize photo.jpg painting.jpg --model mine.npz -o painted.png
  tfstyle stylize photo.jpg --model wave.keras -o painted.png                       (a network of one style)
"""


def add_flags(parser):
    """Adds the verb's own flags and one for each field of `Controls`."""
    parser.usage = "tfstyle stylize CONTENT [STYLE ...] -o OUT [flags]"
    flags.add_pictures(parser, styles="*")
    add = parser.add_argument_group("the run").add_argument
    add("--quiet", action="store_true", help="no line at the end")
    add("--flagfile", metavar="FILE", help="read further flags from a file, one --flag=value to a line")
    flags.add_settings(parser, Controls)


def run(args):
    """Runs the verb: 0 done, 1 it came to nothing through no fault of its input."""
    controls = Controls(**flags.given(args, Controls))
    _check_styles(args, controls)
    weights = flags.style_weights(args)
    quality = check_number("--quality", flags.number(args.quality), 1, 100, integer=True)
    _check_pictures(args, controls)

    os.environ["KERAS_BACKEND"] = "tensorflow"  # the graphs of the stylizer are its
    try:
        with hushed():
            import tensorflow as tf
    except ImportError as error:
        return _failed(f"TensorFlow cannot be imported ({error}); see tfstyle doctor.")
    from tfstyle import api, images

    start = time.perf_counter()
    try:
        painted = api.stylize(
            args.content, args.style or None, size=controls.size, weights=weights, strength=controls.strength,
            style_size=controls.style_size, model=controls.model, precision=controls.precision,
        )
    except (MemoryError, tf.errors.ResourceExhaustedError):
        return _failed("memory ran out; use a smaller --size.")
    images.write(args.output, *_parts(painted), quality=quality)
    if not args.quiet:
        print(f"{args.output}  {painted.width}x{painted.height}  {time.perf_counter() - start:.1f} s")
    return 0


def _check_styles(args, controls):
    """The model is there, and is given STYLE pictures where it takes them."""
    if check_model(controls.model) == "style":
        check_one_style(controls.model, args.style or None, args.weights, controls)
    elif not args.style:
        raise InputError("There is no STYLE picture; name one after CONTENT, or give a --model of one style.")


def _check_pictures(args, controls):
    """Every picture can be read and the result written, and it is none of the inputs."""
    from tfstyle import images

    photo = images.read(args.content, name="content picture", size=controls.size)
    for style in args.style:
        read_style(style, controls.style_size, max(photo.rgb.shape[:2]))
    images.check_output(args.output, photo.rgb.shape[:2])
    outputs.check_names((args.content, *args.style), {"--output": args.output})


def _parts(image):
    """A PIL image as its colors (H, W, 3) and its alpha (H, W), or None if it has none."""
    import numpy as np

    pixels = np.asarray(image)
    return pixels[..., :3], pixels[..., 3] if image.mode == "RGBA" else None


def _failed(sentence):
    print(f"tfstyle: {sentence}", file=sys.stderr)
    return 1
