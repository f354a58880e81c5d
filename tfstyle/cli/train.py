"""tfstyle train: checks everything that needs no Keras, trains, and goes on where a killed run stood."""

import contextlib
import os
import sys

from tfstyle.checks import InputError, check_choice
from tfstyle.cli import flags, outputs
from tfstyle.cli.chatter import hushed
from tfstyle.cli.watch import interrupts
from tfstyle.train.checkpoint import check_same_run, read_head
from tfstyle.train.data import PictureSet
from tfstyle.train.settings import ArbitrarySettings, TrainSettings, run_of

NETWORKS = ("arbitrary",)

EXAMPLES = """networks:
  arbitrary: any style in one pass (Ghiasi et al. 2017); its WORKDIR/weights.npz is a --model for tfstyle stylize

The same command goes on where a killed or interrupted run stood. KERAS_BACKEND=jax trains without TensorFlow.

examples:
  tfstyle train arbitrary --content-dir photos --style-dir paintings --workdir run
  tfstyle train arbitrary --content-dir photos --style-dir one --style-dir two.tar --workdir run --steps 40000
  tfstyle train arbitrary --content-dir photos --style-dir mine --workdir tuned --init default --learning-rate 3e-4
"""


def add_flags(parser):
    """Adds the verb's own flags and one for each field of the settings."""
    parser.usage = "tfstyle train NETWORK --content-dir DIR --style-dir DIR --workdir DIR [flags]"
    add = parser.add_argument_group("data").add_argument
    add("network", metavar="NETWORK", help=f"what to train: {', '.join(NETWORKS)}")
    add("--content-dir", metavar="DIR", action="append", required=True,
        help="folder of photographs, its folders and .tar files too; or a .tar file; may be given several times")
    add("--style-dir", metavar="DIR", action="append", required=True, help="the same of paintings")
    add("--workdir", metavar="DIR", required=True,
        help="folder for weights.npz, checkpoint.npz, log.jsonl and previews, made if missing")
    add("--bank", metavar="DIR",
        help="folder of the measured paintings, which runs may share (default: WORKDIR/styles)")
    add("--init", metavar="FILE", help="what a new run starts from: default (the shipped weights), a weights.npz or a "
        "checkpoint.npz (default: random weights)")
    add("--change", action="store_true", help="go on from WORKDIR's checkpoint with other settings than its run's: "
        "the next stage of a recipe, with the same weights, optimizer and averages")
    add("--quiet", action="store_true", help="no progress bar and no line at the end")
    add("--flagfile", metavar="FILE", help="read further flags from a file, one --flag=value to a line")
    for settings in (TrainSettings, ArbitrarySettings):
        flags.add_settings(parser, settings)


def run(args):
    """Runs the verb: 0 done, 1 diverged or out of memory, 130 interrupted with a checkpoint."""
    check_choice("NETWORK", args.network, NETWORKS)
    settings = ArbitrarySettings(**flags.given(args, ArbitrarySettings))
    pace = TrainSettings(**flags.given(args, TrainSettings))
    photos, paintings = _pictures("--content-dir", args.content_dir), _pictures("--style-dir", args.style_dir)
    _check_files(args, run_of(settings, pace, photographs=photos.fingerprint, paintings=paintings.fingerprint))

    with interrupts(b"a checkpoint") as interrupt, _progress(pace.steps, args.quiet) as (measured, tell):

        def callback(step, values):
            interrupt.started = True
            tell(step, values)
            return interrupt.asked

        try:
            done, fault = _train(photos, paintings, args, settings, pace, measured, callback)
        except InputError as error:
            if not interrupt.started:
                raise
            done, fault = 0, str(error)  # a disk that is full, not an input
    damaged = [*photos.damaged.values(), *paintings.damaged.values()]
    if damaged:
        print(f"tfstyle: pictures passed over: {len(damaged)}; the first: {damaged[0]}", file=sys.stderr)
    if fault:
        print(f"tfstyle: {fault}", file=sys.stderr)
        return 1
    interrupted = done < pace.steps
    if not args.quiet:
        weights = os.path.join(args.workdir, "weights.npz")
        print(f"{weights}  step {done} of {max(done, pace.steps)}{', interrupted' if interrupted else ''}")
    return 130 if interrupted else 0


def _pictures(flag, folders):
    try:
        return PictureSet(folders)
    except InputError as error:
        raise InputError(f"{flag}: {error}") from None


def _check_files(args, run):
    """Raises `InputError`, before the work, for files that cannot be written or are of another run."""
    outputs.check_folder(args.workdir, "--workdir")
    if args.bank is not None:
        outputs.check_folder(args.bank, "--bank")
    path = os.path.join(args.workdir, "checkpoint.npz")
    if os.path.exists(path):
        check_same_run(path, read_head(path).get("run"), None if args.change else run)
    elif args.init not in (None, "default") and not os.path.isfile(args.init):
        raise InputError(f"--init {args.init!r} is neither default nor a file; check the path.")


def _train(photos, paintings, args, settings, pace, measured, callback):
    """(steps done, None or what went wrong in a sentence); all that Keras has to do with it."""
    try:
        with hushed():
            import keras  # noqa: F401  loads the backend, with its chatter
    except (ImportError, ValueError) as error:  # no such backend, or an unknown name of one
        return 0, f"Keras cannot be imported ({error}); see tfstyle doctor."
    from tfstyle.train.arbitrary import train_arbitrary
    from tfstyle.train.loop import NonFiniteLoss

    try:
        done = train_arbitrary(
            photos, paintings, args.workdir, settings, pace, bank=args.bank, init=args.init, change=args.change,
            measured=measured, callback=callback,
        )
    except NonFiniteLoss as error:
        return 0, str(error)
    except Exception as error:  # each backend has its own class for it
        if isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error) or "OOM" in str(error):
            return 0, "memory ran out; use a smaller --photos or --crop."
        raise
    return done, None


@contextlib.contextmanager
def _progress(steps, quiet):
    """A bar on stderr, if that is a terminal; yields functions for paintings measured and for steps done."""
    from tqdm import tqdm

    bar = tqdm(total=steps, disable=True if quiet else None, desc="loading Keras", dynamic_ncols=True)
    seen = False

    def measured(done, of):
        bar.set_description_str(f"measuring paintings, {done} of {of}")

    def tell(step, values):
        nonlocal seen
        if not seen:  # a resumed run starts in the middle; imports and compiling are no measure of the time left
            bar.initial = bar.n = step - 1
            bar.unpause()
            bar.set_description_str("training", refresh=False)
            seen = True
        bar.set_postfix_str(", ".join(f"{name} {value:.3g}" for name, value in values.items()), refresh=False)
        bar.update(1)

    with bar:
        yield measured, tell
