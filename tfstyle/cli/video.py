"""tfstyle video: checks everything that needs no TensorFlow, repaints a video, and writes it."""

import contextlib
import dataclasses
import os
import sys

from tfstyle.cli import flags, outputs
from tfstyle.cli.chatter import hushed
from tfstyle.movie import loop as movie
from tfstyle.movie.settings import MovieSettings, recipe_fields

EXAMPLES = """A run that is killed or interrupted leaves OUT.part; the same command goes on from there.

exit codes: 0 done; 1 done but for what of the video could not be read, or came to nothing; 2 bad input or usage,
nothing was written; 130 interrupted.

examples:
  tfstyle video clip.mp4 painting.jpg -o painted.mp4
  tfstyle video clip.mov one.jpg two.jpg --weights 0.7 0.3 --size 960 --strength 0.8 -o painted.mp4
  tfstyle video clip.mp4 --model night --stability 0.9 --report -o painted.mp4      (a network of one style)
  tfstyle video clip.mp4 painting.jpg --method optimize --size 512 -o painted.mp4   (slow: minutes a second)
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
    parser.usage = "tfstyle video IN [STYLE ...] -o OUT [flags]"
    add = parser.add_argument_group("files").add_argument
    add("video", metavar="IN", help="video to repaint")
    add("style", metavar="STYLE", nargs="*", default=[],
        help="painting to repaint it after, or several; none for a --model of one style")
    add("-o", "--output", metavar="OUT", required=True, help="video to write (.mp4, .mov, .mkv, .webm)")
    flags.add_weights(add)
    add = parser.add_argument_group("the run").add_argument
    add("--quiet", action="store_true", help="no progress bar and no line at the end")
    add("--flagfile", metavar="FILE", help="read further flags from a file, one --flag=value to a line")
    flags.add_settings(parser, MovieSettings)
    flags.add_settings(parser, _RECIPE)


def run(args):
    """Runs the verb: 0 done, 1 some of the video could not be read or memory ran out."""
    settings = flags.given(args, MovieSettings) | flags.given(args, _RECIPE)
    weights = flags.style_weights(args) if args.style else args.weights
    outputs.check_names((args.video, *args.style), {"--output": args.output})
    outputs.check_file(args.output, "--output")
    plan = movie.planned(args.video, args.style or None, args.output, weights=weights, **settings)

    os.environ["KERAS_BACKEND"] = "tensorflow"  # the graphs of the engines are its
    with _progress(args.quiet) as tell:
        try:
            with hushed():
                import tensorflow as tf
        except ImportError as error:
            return _failed(f"TensorFlow cannot be imported ({error}); see tfstyle doctor.")
        from tfstyle.gatys.record import NonFiniteError

        try:
            result = movie.paint_plan(plan, tell)
        except NonFiniteError as error:
            return _failed(str(error))
        except (MemoryError, tf.errors.ResourceExhaustedError):
            return _failed("memory ran out; use a smaller --size.")
        except KeyboardInterrupt:
            if os.path.isdir(f"{os.path.realpath(args.output)}.part"):
                print("\ntfstyle: the same command goes on from what is done.", file=sys.stderr)
            raise
    if not args.quiet:
        print(_summary(result))
        for note in result.notes:
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


def _failed(sentence):
    print(f"tfstyle: {sentence}", file=sys.stderr)
    return 1
