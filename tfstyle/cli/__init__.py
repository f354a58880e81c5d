"""The command line: `tfstyle VERB INPUT [STYLE ...] -o OUT`.

Each verb is a module of this folder with `add_flags(parser)`, `EXAMPLES` that close its help, and
`run(args)`, which returns the exit code. Only the module of the verb asked for is imported, and none imports
TensorFlow before all that can be checked without it has been.
"""

import argparse
import contextlib
import importlib
import os
import sys

from absl.flags import Error as FlagfileError
from absl.flags import FlagValues, argparse_flags

from tfstyle.checks import InputError, closest
from tfstyle.version import __version__

DONE, FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130

VERBS = {
    "stylize": "repaint a picture after paintings in one pass (Ghiasi et al. 2017), the quick way",
    "optimize": "repaint a picture after paintings by optimization (Gatys et al. 2016), the best-looking way",
    "video": "repaint a video, steadily from frame to frame",
    "enlarge": "enlarge a picture by 4 or 8 (Johnson et al. 2016)",
    "translate": "translate a picture between two domains (DSMAP, Chang et al. 2020)",
    "train": "train a network of your own from folders of pictures",
    "export": "write an engine for TensorFlow Serving and other runtimes",
    "serve": "start TensorFlow Serving on a folder of SavedModels, or say how to",
    "client": "repaint a picture by a server",
    "evaluate": "measure how far two folders of pictures are apart (FID, KID)",
    "doctor": "show versions, devices, precision and weights, and what is wrong with them",
}
_EXIT_CODES = """exit codes: 0 done; 1 done but for what is said, or diverged; 2 bad input or
usage, nothing was written; 130 interrupted."""


class _Parser(argparse_flags.ArgumentParser):
    """Our kind of flags: none of absl's but --flagfile, no abbreviations, errors as `InputError`."""

    def __init__(self, inherited_absl_flags=None, **kwargs):
        super().__init__(
            add_help=False, allow_abbrev=False, inherited_absl_flags=inherited_absl_flags,
            formatter_class=_formatter, **kwargs,
        )
        self.add_argument("-h", "--help", action="help", help="show this and exit")

    def nearest(self, flag):
        """The flag spelled most like `flag`, or None."""
        return closest(flag, self._option_string_actions)

    def error(self, message):
        raise InputError(f"{message[0].upper()}{message[1:]}; see {self.prog} --help.")


def _formatter(prog):
    return argparse.RawDescriptionHelpFormatter(prog, max_help_position=30)


def main(argv=None):
    """Runs one command.

    Args:
        argv: list of arguments without the program's name; None takes those of the process.

    Returns:
        Exit code: 0 done; 1 some of it failed, the rest is done; 2 bad input or usage; 130 interrupted.
    """
    with contextlib.suppress(AttributeError):
        sys.stdout.reconfigure(errors="backslashreplace")  # a path of any bytes can be printed
    try:
        args = _parse(sys.argv[1:] if argv is None else list(argv))
        code = args.run(args)
        sys.stdout.flush()
        return code
    except InputError as error:
        return _told(error, BAD_INPUT)
    except KeyboardInterrupt:
        return _told("interrupted.", INTERRUPTED)
    except BrokenPipeError:  # the reader of our output has gone: `tfstyle doctor | head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED


def _told(sentence, code):
    print(f"tfstyle: {sentence}", file=sys.stderr)
    return code


def _parse(argv):
    """The namespace of a command line, with `run`; of unknown verbs and flags it names the nearest one."""
    verb = next((word for word in argv if not word.startswith("-")), None)
    if verb is not None and verb not in VERBS:
        near = closest(verb, VERBS)
        hint = f"did you mean {near!r}?" if near else f"there are {', '.join(VERBS)}."
        raise InputError(f"There is no verb {verb!r}; {hint}")
    parser = _Parser(
        inherited_absl_flags=FlagValues(), prog="tfstyle",
        usage="tfstyle VERB ..., explained by tfstyle VERB --help",
        description="Neural style transfer: pictures in, pictures out, in the style of another picture.",
        epilog=_EXIT_CODES,
    )
    version = f"tfstyle {__version__}"
    parser.add_argument("--version", action="version", version=version, help="show the version and exit")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", prog="tfstyle")
    for name, text in VERBS.items():
        chosen = verbs.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        if name == verb:
            _add_flags(name, chosen, argv)
    if verb is None and not any(word.startswith("-") for word in argv):
        parser.print_help(sys.stderr)
        raise InputError("Say what to do, such as tfstyle stylize photo.jpg painting.jpg -o painted.png.")
    try:
        args, rest = parser.parse_known_args(argv)
    except FlagfileError as error:
        raise InputError(f"{str(error).removeprefix('ERROR:: ')}; see tfstyle {verb} --help.") from None
    return _with_rest(args, rest, verbs.choices[verb] if verb else parser)


def _add_flags(verb, parser, words):
    """The flags of one verb, from its module, which may look at `parser.words` for which of them."""
    module = importlib.import_module(f"tfstyle.cli.{verb}")
    parser.words, parser.epilog = tuple(words), module.EXAMPLES
    module.add_flags(parser)
    parser.set_defaults(run=module.run)


def _with_rest(args, rest, parser):
    """Adds pictures named after a flag to `args.style`; argparse gives them back as unknown."""
    for word in rest:
        if word.startswith("-") and word != "-":
            flag = word.partition("=")[0]
            near = parser.nearest(flag)
            hint = f"did you mean {near}?" if near else f"see {parser.prog} --help."
            raise InputError(f"There is no flag {flag}; {hint}")
    if rest and not hasattr(args, "style"):
        raise InputError(f"{parser.prog} takes no argument {rest[0]!r}; see {parser.prog} --help.")
    if rest:
        args.style = [*args.style, *rest]
    return args
