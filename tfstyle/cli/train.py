"""tfstyle train: checks everything that needs no Keras, trains, and goes on where a killed run stood."""

import contextlib
import os
import sys

from tfstyle.checks import InputError, check_choice
from tfstyle.cli import flags, outputs
from tfstyle.cli.chatter import hushed
from tfstyle.cli.train_networks import NETWORKS
from tfstyle.cli.watch import interrupts
from tfstyle.train.checkpoint import check_same_run, read_head
from tfstyle.train.settings import run_of

_RESUME = """\
The same command goes on where a killed or interrupted run stood. KERAS_BACKEND=jax trains without TensorFlow."""
EXAMPLES = f"""networks, each explained by tfstyle train NETWORK --help:
{"".join(f"  {name + ':':<11}{network.text}{chr(10)}" for name, network in NETWORKS.items())}
{_RESUME}

examples:
{"".join(network.examples for network in NETWORKS.values())}"""


def add_flags(parser):
    """Adds the flags of the network that the command line names, and one for each field of its settings."""
    name = _named(parser.words)
    if name is None:
        parser.usage = "tfstyle train NETWORK ... --workdir DIR [flags]"
        return
    network = NETWORKS[name]
    parser.usage = f"tfstyle train {name} {network.usage} [flags]"
    parser.description = f"Train a network: {network.text}."
    parser.epilog = f"{_RESUME}\n\nexamples:\n{network.examples}"
    parser.set_defaults(named=name)
    add = parser.add_argument_group("data").add_argument
    add("trained", metavar="NETWORK", help=f"what to train: {', '.join(NETWORKS)}")
    network.add_flags(add)
    add("--workdir", metavar="DIR", required=True,
        help="folder for weights.npz, checkpoint.npz, log.jsonl and previews, made if missing")
    add("--init", metavar="FILE", help=f"what a new run starts from: {network.init}")
    add("--change", action="store_true", help="go on from WORKDIR's checkpoint with other settings than its run's: "
        "the next stage of a recipe, with the same weights, optimizer and averages")
    add("--quiet", action="store_true", help="no progress bar and no line at the end")
    add("--flagfile", metavar="FILE", help="read further flags from a file, one --flag=value to a line")
    for settings in (network.pace, network.settings):
        flags.add_settings(parser, settings)


def _named(words):
    """The network among the words of a command line, wherever it stands; None if they ask for help alone."""
    names = [word for word in words if not word.startswith("-")][1:]  # the first is the verb
    found = next((name for name in names if name in NETWORKS), None)
    if found is None and not {"-h", "--help"} & set(words):
        if names:
            check_choice("NETWORK", names[0], tuple(NETWORKS))
        raise InputError(f"Name the network to train: {', '.join(NETWORKS)}; see tfstyle train --help.")
    return found


def run(args):
    """Runs the verb: 0 done, 1 diverged or out of memory, 130 interrupted with a checkpoint."""
    if args.trained != args.named:  # a folder of another network's name came before it
        raise InputError(f"Name the network first: tfstyle train {args.trained} ...")
    network = NETWORKS[args.named]
    settings = network.settings(**flags.given(args, network.settings))
    pace = network.pace(**flags.given(args, network.pace))
    sets, data = network.read(args, settings)
    _check_files(args, network, run_of(settings, pace, **data))

    with interrupts(b"a checkpoint") as interrupt, _progress(pace.steps, args.quiet) as (measured, tell):

        def callback(step, values):
            interrupt.started = True
            tell(step, values)
            return interrupt.asked

        try:
            done, fault = _train(network, sets, args, settings, pace, measured, callback)
        except InputError as error:
            if not interrupt.started:
                raise
            done, fault = 0, str(error)  # a disk that is full, not an input
    damaged = [sentence for one in sets for sentence in one.damaged.values()]
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


def _check_files(args, network, run):
    """Raises `InputError`, before the work, for files that cannot be written or are of another run."""
    outputs.check_folder(args.workdir, "--workdir")
    path = os.path.join(args.workdir, "checkpoint.npz")
    if os.path.exists(path):
        check_same_run(path, read_head(path).get("run"), None if args.change else run)
    elif args.init is not None and args.init not in network.starts and not os.path.isfile(args.init):
        raise InputError(f"--init {args.init!r} is neither {', '.join(network.starts)} nor a file; check the path.")


def _train(network, sets, args, settings, pace, measured, callback):
    """(steps done, None or what went wrong in a sentence); all that Keras has to do with it."""
    try:
        with hushed():
            import keras  # noqa: F401  loads the backend, with its chatter
    except (ImportError, ValueError) as error:  # no such backend, or an unknown name of one
        return 0, f"Keras cannot be imported ({error}); see tfstyle doctor."
    from tfstyle.train.loop import NonFiniteLoss

    try:
        done = network.train(
            sets, args, settings, pace, measured, init=args.init, change=args.change, callback=callback
        )
    except NonFiniteLoss as error:
        return 0, str(error)
    except Exception as error:  # each backend has its own class for it
        if isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error) or "OOM" in str(error):
            return 0, "memory ran out; use a smaller batch or smaller crops."
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
