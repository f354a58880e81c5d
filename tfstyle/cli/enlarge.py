"""tfstyle enlarge: checks everything that needs no TensorFlow, enlarges a picture, and writes it."""

import time

from tfstyle import images
from tfstyle.checks import check_number
from tfstyle.cli import backend, flags, manners, outputs
from tfstyle.enlarge_settings import (
    EnlargeSettings,
    check_model,
    enlarged_shape,
    model_factor,
)

EXAMPLES = """examples:
  tfstyle enlarge photo.jpg -o large.png
  tfstyle enlarge photo.jpg --no-match-histogram --quality 90 -o large.jpg
  tfstyle enlarge photo.jpg --model mine.npz -o large.png
"""


def add_flags(parser):
    """Adds the verb's own flags and one for each field of `EnlargeSettings`."""
    parser.usage = "tfstyle enlarge PHOTO -o OUT [flags]"
    add = parser.add_argument_group("pictures").add_argument
    add("photo", metavar="PHOTO", help="picture to enlarge")
    add("-o", "--output", metavar="OUT", required=True, help="picture to write (.png, .jpg, .webp, ...)")
    add("--quality", metavar="N", default="95", help="of JPEG, WebP and AVIF, 1 to 100 (default: 95)")
    manners.add_run(parser, quiet="no line at the end")
    flags.add_settings(parser, EnlargeSettings)


def run(args):
    """Runs the verb: 0 done, 1 it came to nothing through no fault of its input."""
    settings = EnlargeSettings(**flags.given(args, EnlargeSettings))
    quality = check_number("--quality", flags.number(args.quality), 1, 100, integer=True)
    check_model(settings.model, settings.factor)
    factor = model_factor(settings.model, settings.factor)
    photo = images.read(args.photo, name="picture")
    height, width = shape = enlarged_shape(*photo.rgb.shape[:2], factor)
    images.check_output(args.output, shape)
    outputs.check_names([args.photo], {"--output": args.output})
    facts = {"input": args.photo, "output": args.output, "model": settings.model, "factor": factor, "width": width,
             "height": height}
    if args.dry_run:
        manners.tell(args, f"{args.output}  {width}x{height}  would be written", **facts)
        return 0

    tf = backend.tensorflow()
    from tfstyle.enlarger import Enlarger

    start = time.perf_counter()
    try:
        enlarger = Enlarger(settings.model, factor=factor, precision=settings.precision)
        large = enlarger.enlarge(photo, match_histogram=settings.match_histogram)
    except (MemoryError, tf.errors.ResourceExhaustedError):
        raise manners.Failed("memory ran out; use a smaller picture.") from None
    images.write(args.output, large, quality=quality)
    seconds = time.perf_counter() - start
    manners.tell(args, f"{args.output}  {large.width}x{large.height}  {seconds:.1f} s", **facts, seconds=seconds)
    return 0

