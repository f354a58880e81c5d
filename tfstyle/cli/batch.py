"""tfstyle batch: checks everything that needs no TensorFlow, and paints all that a pattern finds."""

import os
import time

from tfstyle.batch import job as batch
from tfstyle.batch.manifest import NAME
from tfstyle.batch.settings import RaySettings
from tfstyle.checks import InputError, check_choice, check_number
from tfstyle.cli import backend, ends, flags, manners, many
from tfstyle.controls import Controls, check_model, check_one_style
from tfstyle.folder_plan import FORMATS

FAILED = "some pictures failed, the rest is painted"
EXAMPLES = """OUT_DIR/manifest.jsonl says what has become of each picture. The same command tries again what has failed.
Quote the pattern, which the shell would take apart.

examples:
  tfstyle batch 'photos/**/*.jpg' painting.jpg -o painted/
  tfstyle batch photos/ one.jpg two.jpg --weights 0.7 0.3 --strength 0.8 -o painted/  # a folder, with all in it
  tfstyle batch photos/ --model night -o painted/ --dry-run  # how many there are
  tfstyle batch '/data/photos/**/*.jpg' painting.jpg -o /data/painted --ray-address auto --actors 8 --cpus 2
"""


def add_flags(parser):
    """Adds the verb's own flags and one for each field of `RaySettings` and `Controls`."""
    parser.usage = "tfstyle batch INPUT_GLOB [STYLE ...] -o OUT_DIR [flags]"
    add = parser.add_argument_group("pictures").add_argument
    add("pattern", metavar="INPUT_GLOB",
        help="pictures to repaint: a folder, or a quoted pattern (*, ?, ** for folders at any depth)")
    add("style", metavar="STYLE", nargs="*", default=[],
        help="painting to repaint them after, or several; none for a --model of one style")
    add("-o", "--output", metavar="OUT_DIR", required=True, help="folder for the results, made if missing")
    add("--quality", metavar="N", default="95", help="of JPEG, WebP and AVIF, 1 to 100 (default: 95)")
    flags.add_weights(add)
    text = "picture whose fine texture takes the place of the STYLE's, of which the larger strokes remain"
    add("--texture", metavar="PICTURE", help=text)
    add("--overwrite", action="store_true", help="paint anew what is there in OUT_DIR, which is skipped otherwise")
    add("--format", metavar="{" + ",".join(FORMATS) + "}",
        help="of the results (default: the photo's own, or png where that cannot be written)")
    add = parser.add_argument_group("more than one machine").add_argument
    add("--ray-address", metavar="ADDRESS",
        help="a Ray cluster: auto (the one of this machine), HOST:PORT or ray://HOST:PORT; local starts one for the "
        "run (default: none, all in this process, which is quickest on one machine)")
    manners.add_run(parser)
    flags.add_settings(parser, RaySettings)
    flags.add_settings(parser, Controls)


def run(args):
    """Runs the verb: 0 done, 1 some pictures failed or were not reached."""
    job = _prepared(args)
    if args.dry_run:
        manners.tell(args, f"{args.output}  {_planned(job)}", **_facts(args, job))
        return 0
    start, code = time.perf_counter(), 0
    first = "loading TensorFlow" if args.ray_address is None else "starting actors"
    with many.bar(len(job.todo), args.quiet, first) as tell:
        if job.todo and args.ray_address is None:
            backend.tensorflow()
        try:
            batch.paint_batch(job, tell)
        except (KeyboardInterrupt, ends.Ended) as end:
            code = ends.code_of(end)
    seconds, result = time.perf_counter() - start, job.result
    line = f"{args.output}  {many.counts(result)}  {seconds:.1f} s"
    manners.tell(args, line, **_facts(args, job), interrupted=bool(code), seconds=seconds)
    return many.closing(result, code, args.overwrite)


def _prepared(args):
    given = flags.given(args, Controls)
    controls = Controls(**given)
    if check_model(controls.model) == "style":
        check_one_style(controls.model, args.style or None, args.weights, controls, args.texture)
    elif not args.style:
        raise InputError("There is no STYLE picture; name one after INPUT_GLOB, or give a --model of one style.")
    if args.format is not None:
        check_choice("--format", args.format, FORMATS)
    ray = flags.given(args, RaySettings)
    if ray and args.ray_address is None:
        raise InputError(f"{flags.flag(next(iter(ray)))} is for a Ray cluster; add --ray-address, or leave it out.")
    return batch.prepared_batch(
        args.pattern, args.style or None, args.output, ray_address=args.ray_address, overwrite=args.overwrite,
        format=args.format, weights=flags.style_weights(args) if args.style else args.weights, texture=args.texture,
        quality=check_number("--quality", flags.number(args.quality), 1, 100, integer=True), **ray, **given,
    )


def _facts(args, job):
    """What --json tells."""
    return {
        "input": args.pattern, "styles": args.style, "output": args.output,
        "manifest": os.path.join(args.output, NAME), "pictures": len(job.plan.pairs), "tried_again": job.retried,
        **many.facts(job.result),
    }


def _planned(job):
    """"12 pictures, 3 there already, 9 to paint, 1 of them again after it has failed"."""
    told = [f"{len(job.plan.pairs)} pictures", f"{len(job.result.skipped)} there already", f"{len(job.todo)} to paint"]
    return ", ".join(told + [f"{job.retried} of them again after a failure"] * bool(job.retried))
