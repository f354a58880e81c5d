"""tfstyle video: checks everything that needs no TensorFlow, repaints a video, and writes it."""

import contextlib
import dataclasses
import os
import sys

from tfstyle.cli import backend, ends, flags, manners, outputs
from tfstyle.movie import loop as movie
from tfstyle.movie.settings import MovieSettings, recipe_fields

FAILED = "done but for what of the video could not be read, or it came to nothing"
EXAMPLES = """A run that is killed or interrupted leaves OUT.part; the same command goes on from there.

examples:
  tfstyle video clip.mp4 painting.jpg -o painted.mp4
  tfstyle video clip.mov one.jpg two.jpg --weights 0.7 0.3 --size 960 --strength 0.8 -o painted.mp4
  tfstyle video clip.mp4 --model night --stability 0.9 --report -o painted.mp4  # a network of one style
  tfstyle video clip.mp4 painting.jpg --method optimize --size 512 -o painted.mp4  # slow: minutes a second
"""


def _recipe():
    """The settings of the optimizer that a video has no settings of its own for, as a class to make flags from."""
    fields = []
    for field in recipe_fields():
        told = field.metadata | {"group": f"--method optimize: {field.metadata['group']}"}
        fields.append((field.name, field.type, dataclasses.field(default=field.default, metadata=told)))
    return dataclasses.make_dataclass("Recipe", fields)


_RECIPE = _recipe()


def add_flags(parser):
    """Adds the verb's own flags and one for each field of `MovieSettings` and of the recipe of --method optimize."""
    parser.usage = "tfstyle video VIDEO [STYLE ...] -o OUT [flags]"
    add = parser.add_argument_group("pictures").add_argument
    add("video", metavar="VIDEO", help="video to repaint")
    add("style", metavar="STYLE", nargs="*", default=[],
        help="painting to repaint it after, or several; none for a --model of one style")
    add("-o", "--output", metavar="OUT", required=True, help="video to write (.mp4, .mov, .mkv, .webm)")
    flags.add_weights(add)
    manners.add_run(parser)
    flags.add_settings(parser, MovieSettings)
    flags.add_settings(parser, _RECIPE)


def run(args):
    """Runs the verb: 0 done, 1 some of the video could not be read or memory ran out."""
    settings = flags.given(args, MovieSettings) | flags.given(args, _RECIPE)
    weights = flags.style_weights(args) if args.style else args.weights
    outputs.check_names((args.video, *args.style), {"--output": args.output})
    outputs.check_file(args.output, "--output")
    plan = movie.planned(args.video, args.style or None, args.output, weights=weights, **settings)
    facts = {"input": args.video, "styles": args.style, "output": args.output, "method": plan.settings.method,
             "model": plan.settings.model if plan.recipe is None else None}
    if args.dry_run:
        height, width = (side + side % 2 for side in plan.shape)
        many = "" if plan.clip.count is None else f"about {plan.clip.count} frames  "
        line = f"{args.output}  {width}x{height}  {many}would be painted"
        manners.tell(args, line, **facts, frames=plan.clip.count, width=width, height=height)
        return 0

    with _progress(args.quiet) as tell:
        tf = backend.tensorflow()
        from tfstyle.gatys.record import NonFiniteError

        try:
            result = movie.paint_plan(plan, tell)
        except NonFiniteError as error:
            raise manners.Failed(str(error)) from None
        except (MemoryError, tf.errors.ResourceExhaustedError):
            raise manners.Failed("memory ran out; use a smaller --size.") from None
        except (KeyboardInterrupt, ends.Ended):
            if os.path.isdir(f"{os.path.realpath(args.output)}.part"):
                manners.say("the same command goes on from what is done.")
            raise
    manners.tell(args, _summary(result), **facts, **{
        name: value for name, value in dataclasses.asdict(result).items() if name != "path"
    })
    for note in result.notes if not args.quiet else ():
        print(f"tfstyle: {note}", file=sys.stderr)
    for fault in result.faults:
        print(f"tfstyle: {fault}", file=sys.stderr)
    return 1 if result.faults else 0


@contextlib.contextmanager
def _progress(quiet):
    """A bar on stderr, if that is a terminal; yields a function to call with every `tfstyle.movie.loop.Progress`."""
    from tqdm import tqdm

    bar = tqdm(disable=True if quiet else None, desc="loading TensorFlow", unit="frame", dynamic_ncols=True)
    first = True

    def tell(progress):
        nonlocal first
        if first:  # a resumed run starts in the middle; the import is no measure of the time left
            bar.set_description_str("painting", refresh=False)
            bar.total = progress.frames
            bar.initial = bar.n = progress.resumed
            bar.unpause()
            first = False
        if bar.total is not None and progress.frame > bar.total:
            bar.total = None  # the file's head was wrong
        bar.update(progress.frame - bar.n)

    with bar:
        yield tell


def _summary(result):
    """The line on stdout."""
    told = [result.path, f"{result.width}x{result.height}", f"{result.frames} frames", f"{result.seconds:.1f} s"]
    if result.flicker is not None:
        told.append(f"flicker {result.flicker:.4f} (frame by frame {result.flicker_frame_by_frame:.4f})")
    return "  ".join(told)

