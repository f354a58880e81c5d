"""tfstyle train: checks everything that needs no Keras, trains, and goes on where a killed run stood."""

import contextlib
import os
import sys

from tfstyle.checks import InputError, check_choice
from tfstyle.cli import backend, ends, flags, manners, outputs
from tfstyle.cli.last_words import LastWords
from tfstyle.cli.train_networks import NETWORKS
from tfstyle.cli.watch import interrupts
from tfstyle.train import machines
from tfstyle.train.checkpoint import check_same_run, read_head, read_step
from tfstyle.train.machines_settings import Machines, check_backend
from tfstyle.train.settings import run_of

_RESUME = """\
The same command goes on where a killed or interrupted run stood. KERAS_BACKEND=jax trains without TensorFlow."""
EXAMPLES = f"""networks, each explained by tfstyle train NETWORK --help:
{"".join(f"  {name + ':':<11}{network.text}{chr(10)}" for name, network in NETWORKS.items())}
{_RESUME}

examples:
{"".join(network.examples for network in NETWORKS.values())}"""
FAILED = "it diverged, memory or the disk ran out, or another process of it has ended"
_ALONE = (
    "not all processes of this training have come; start each of them, with the same --coordinator and --processes."
)


def add_flags(parser):
    """Adds the flags of the network that the command line names, and one for each field of its settings."""
    name = _named(parser.words)
    if name is None:
        parser.usage = "tfstyle train NETWORK ... --workdir DIR [flags]"
        return
    network = NETWORKS[name]
    parser.prog = f"tfstyle train {name}"  # whose --help explains what is wrong
    parser.usage = f"{parser.prog} {network.usage} [flags]"
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
    manners.add_run(parser)
    for settings in (network.pace, Machines, network.settings):
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
    """Runs the verb: 0 done, 130 or 143 ended with a checkpoint; 1, diverged or out of memory, is `manners.Failed`."""
    if args.trained != args.named:  # a folder of another network's name came before it
        raise InputError(f"Name the network first: tfstyle train {args.trained} ...")
    network = NETWORKS[args.named]
    settings = network.settings(**flags.given(args, network.settings))
    pace = network.pace(**flags.given(args, network.pace))
    place = Machines(**flags.given(args, Machines))
    if place.several:
        check_backend()
    sets, data = network.read(args, settings)
    done = _check_files(args, network, run_of(settings, pace, **data), place)
    if args.dry_run:
        left = f"from step {done} to {pace.steps}" if done < pace.steps else f"no further than to step {done}"
        known = (place.processes, place.process) if place.several else (1, 0)
        _tell(args, pace, done, f"would be trained {left}", **dict(zip(("processes", "process"), known, strict=True)))
        return 0

    def work():
        return _run(args, network, sets, settings, pace, place)

    return _together(args, place, work) if place.several else work()


def _together(args, place, work):
    """Runs `work()` as one of several processes: one that fails ends at once, which the others notice."""
    words = LastWords(_ALONE, lambda sentence: manners.tell_end(args, sentence, 1))
    words.code = 1
    try:
        backend.keras()
        try:
            machines.join(place)
        finally:
            words.come_before_jax()
        words.sentence = machines.LOST
        code = work()
        words.code = 0  # interrupted or not, all of them end here
        return code
    except InputError:
        words.code = 2
        raise
    except KeyboardInterrupt:
        words.code = ends.INTERRUPTED
        raise
    except ends.Ended as end:
        words.code = end.code
        raise
    except Exception as error:
        if machines.is_lost(error):
            words.told = True
            # NCCL fails alike where it is set up wrongly: its own words tell which it is.
            own = f" (It says: {str(error).splitlines()[0]})" if "nccl" in str(error).lower() else ""
            raise manners.Failed(machines.LOST + own) from None
        raise


def _run(args, network, sets, settings, pace, place):
    with interrupts(b"a checkpoint") as interrupt, _progress(pace.steps, args, place) as (measured, tell):

        def callback(step, values):
            interrupt.started = True
            tell(step, values)
            return interrupt.asked

        try:
            done = _train(network, sets, args, settings, pace, measured, callback)
        except InputError as error:
            if not interrupt.started:
                raise
            _tell_damaged(sets)
            raise manners.Failed(str(error)) from None  # a disk that is full, not an input
        except manners.Failed:
            _tell_damaged(sets)
            raise
    damaged, interrupted = _tell_damaged(sets), done < pace.steps
    line = f"step {done} of {max(done, pace.steps)}{', interrupted' if interrupted else ''}"
    _tell(args, pace, done, line if machines.first() else "", processes=machines.count(), process=machines.index(),
          interrupted=interrupted, passed_over=damaged)
    return interrupt.code if interrupted else 0


def _tell_damaged(sets):
    """How many pictures were passed over, having said so."""
    damaged = [sentence for one in sets for sentence in one.damaged.values()]
    if damaged and machines.first():
        print(f"tfstyle: pictures passed over: {len(damaged)}; the first: {damaged[0]}", file=sys.stderr)
    return len(damaged)


def _tell(args, pace, done, line, **facts):
    """Says what WORKDIR holds, or would; an empty line says nothing to people."""
    files = {name: os.path.join(args.workdir, name) for name in ("weights.npz", "checkpoint.npz", "log.jsonl")}
    manners.tell(
        args, f"{files['weights.npz']}  {line}" if line else "", network=args.named, workdir=args.workdir,
        weights=files["weights.npz"], checkpoint=files["checkpoint.npz"], log=files["log.jsonl"], step=done,
        steps=max(done, pace.steps), **facts,
    )


def _check_files(args, network, run, place):
    """The step at which the run begins; raises `InputError` for files that cannot be written or are of another run."""
    outputs.check_folder(args.workdir, "--workdir", make=not args.dry_run)
    path = os.path.join(args.workdir, "checkpoint.npz")
    if os.path.exists(path) and place.writes:
        check_same_run(path, read_head(path).get("run"), None if args.change else run)
        return read_step(path)
    if args.init is not None and args.init not in network.starts and not os.path.isfile(args.init):
        raise InputError(f"--init {args.init!r} is neither {', '.join(network.starts)} nor a file; check the path.")
    return 0


def _train(network, sets, args, settings, pace, measured, callback):
    """Steps done; all that Keras has to do with it."""
    backend.keras()
    from tfstyle.train.loop import NonFiniteLoss

    try:
        return network.train(
            sets, args, settings, pace, measured, init=args.init, change=args.change, callback=callback
        )
    except NonFiniteLoss as error:
        raise manners.Failed(str(error)) from None
    except Exception as error:  # each backend has its own class for it
        if isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error) or "OOM" in str(error):
            raise manners.Failed("memory ran out; use a smaller batch or smaller crops.") from None
        raise


@contextlib.contextmanager
def _progress(steps, args, place):
    """A bar on stderr, if that is a terminal; yields functions for paintings measured and for steps done."""
    from tqdm import tqdm

    silent = True if args.quiet or not place.writes else None  # None: where stderr is no terminal
    bar = tqdm(total=steps, disable=silent, desc="loading Keras", dynamic_ncols=True)
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
