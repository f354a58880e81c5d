"""The command line: `tfstyle VERB INPUT [STYLE ...] -o OUT`.

Each verb is a module of this folder with `add_flags(parser)`, `EXAMPLES` that close its help, and
`run(args)`, which returns the exit code or raises `manners.Failed`; it may have `FAILED`, what exit code 1 means. Only
the module of the verb asked for is imported, and none imports TensorFlow before all that can be checked without it has
been.
"""

import argparse
import contextlib
import importlib
import io
import os
import sys

from absl.flags import CantOpenFlagFileError, FlagValues, argparse_flags
from absl.flags import Error as FlagfileError

from tfstyle.checks import InputError, closest
from tfstyle.cli import ends, layout, manners
from tfstyle.version import __version__

DONE, FAILED, BAD_INPUT = 0, 1, 2

VERBS = {
    "stylize": "repaint a picture after paintings in one pass (Ghiasi et al. 2017), the quick way",
    "optimize": "repaint a picture after paintings by optimization (Gatys et al. 2016), the best-looking way",
    "video": "repaint a video, steadily from frame to frame",
    "batch": "repaint as many pictures as there are, on one machine or on a Ray cluster",
    "enlarge": "enlarge a picture by 4 or 8 (Johnson et al. 2016)",
    "translate": "translate a picture between two domains (DSMAP, Chang et al. 2020)",
    "train": "train a network of your own from folders of pictures",
    "export": "write an engine for TensorFlow Serving and other runtimes",
    "serve": "start TensorFlow Serving on a folder of SavedModels, or say how to",
    "client": "repaint a picture by a server",
    "web": "open a page in the browser to repaint pictures by hand",
    "evaluate": "measure how far two folders of pictures are apart (FID, KID)",
    "doctor": "show versions, devices, precision and weights, and what is wrong with them",
    "completion": "print what makes Tab complete verbs and flags in your shell",
}
_FAILED = "it came to nothing, through no fault of the command line"
_EXIT_CODES = """exit codes: 0 done; 1 some of it failed or it came to nothing, as stderr says; 2 bad input or usage, \
nothing was written; 130 interrupted by Ctrl-C; 143 ended by SIGTERM."""


class Parser(argparse_flags.ArgumentParser):
    """Our kind of flags: none of absl's but --flagfile, no abbreviations, errors as `InputError`."""

    words = ()

    def __init__(self, inherited_absl_flags=None, **kwargs):
        super().__init__(
            add_help=False, allow_abbrev=False, inherited_absl_flags=inherited_absl_flags,
            formatter_class=layout.Formatter, **kwargs,
        )
        self.add_argument("-h", "--help", action="help", help="show this and exit")

    def nearest(self, flag):
        """The flag spelled most like `flag`, or None."""
        return closest(flag, self._option_string_actions)

    def error(self, message):
        _, found, missing = message.partition("the following arguments are required: ")
        if found and len(self.words) == 1 and (lines := layout.examples(self.epilog or "")):
            missing = " and ".join(missing.rsplit(", ", 1))
            raise InputError(f"{self.prog} needs {missing}, such as {' '.join(lines[0])}.")
        raise InputError(f"{message[0].upper()}{message[1:]}; see {self.prog} --help.")


def main(argv=None):
    """Runs one command.

    Args:
        argv: list of arguments without the program's name; None takes those of the process.

    Returns:
        Exit code: 0 done; 1 some of it failed, the rest is done; 2 bad input or usage; 130 interrupted; 143 ended by
        SIGTERM.
    """
    manners.open_streams()
    with contextlib.suppress(AttributeError):
        sys.stdout.reconfigure(errors="backslashreplace")  # a path of any bytes can be printed
    words = sys.argv[1:] if argv is None else list(argv)
    args = argparse.Namespace(json="--json" in words, told=False)
    out = manners.Stdout(sys.stdout)
    with ends.caught() as signals, manners.led_to(out):
        try:
            _parse(words, args)
            with manners.one_document(args):
                code = args.run(args)
            manners.tell_end(args, "it came to nothing, as stderr says.", code)
            return out.closing(code)
        except BrokenPipeError:  # the reader of stderr has gone: `tfstyle doctor 2>&1 | head -1`
            manners.mute(sys.stderr)
            return FAILED
        except KeyboardInterrupt:
            return _ended(args, "interrupted.", ends.INTERRUPTED)
        except ends.Ended as end:
            return _ended(args, end.sentence, end.code)
        except SystemExit:  # --help, --version
            if out.closing(DONE):
                return FAILED
            raise
        except Exception as error:
            if signals.end is not None:
                return _ended(args, signals.end.sentence, signals.end.code)
            if isinstance(error, InputError):
                return _ended(args, str(error), BAD_INPUT)
            if isinstance(error, manners.Failed):
                return _ended(args, str(error), FAILED, error.facts)
            if isinstance(error, FileNotFoundError) and not _is_somewhere():
                return _ended(args, "The current folder has been removed; change to another.", BAD_INPUT)
            manners.tell_end(args, f"{type(error).__name__}: {error}", FAILED)
            raise  # a defect of ours
        finally:
            out.flush()


def _ended(args, sentence, code, facts=()):
    """Says why a run has come to nothing; returns its exit code."""
    manners.tell_end(args, sentence or "interrupted.", code, facts)
    if sentence is not None:
        manners.say(sentence)
    return code


def _is_somewhere():
    """Whether the current folder is there: without it, no relative path leads anywhere."""
    with contextlib.suppress(FileNotFoundError):
        return bool(os.getcwd())
    return False


def _parse(words, args):
    """Reads a command line into a namespace, with `run`; of unknown verbs and flags it names the nearest one."""
    verb = next((word for word in words if not word.startswith("-")), None)
    if verb is not None and verb not in VERBS:
        near = closest(verb, VERBS)
        hint = f"did you mean {near!r}?" if near else f"there are {', '.join(VERBS)}."
        raise InputError(f"There is no verb {verb!r}; {hint}")
    told = io.StringIO()
    try:
        with contextlib.redirect_stderr(told):  # where absl would go on without the file
            words = FlagValues().read_flags_from_files(words)
    except CantOpenFlagFileError as error:
        file, why = error.__context__.filename, error.__context__.strerror
        raise InputError(f"--flagfile {file!r} cannot be read ({why}); check the path.") from None
    except UnicodeDecodeError:
        raise InputError("--flagfile names a file that is no text; write one --flag=value to a line.") from None
    except FlagfileError as error:
        raise InputError(f"{str(error).removeprefix('ERROR:: ')}; see tfstyle {verb} --help.") from None
    if told.getvalue():
        file = told.getvalue().rstrip("\n").partition("flagfile: ")[2]
        raise InputError(f"--flagfile {file!r} leads to itself; take the line out that names it.")
    args.json = "--json" in words
    parser = Parser(
        prog="tfstyle", usage="tfstyle VERB ..., explained by tfstyle VERB --help",
        description="Neural style transfer: pictures in, pictures out, in the style of another picture.",
        epilog=_EXIT_CODES,
    )
    version = f"tfstyle {__version__}"
    parser.add_argument("--version", action="version", version=version, help="show the version and exit")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", prog="tfstyle")
    for name, text in VERBS.items():
        chosen = verbs.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        if name == verb:
            _add_flags(name, chosen, words)
    if verb is None and not any(word.startswith("-") for word in words):
        parser.print_help(sys.stderr)
        raise InputError("Say what to do, such as tfstyle stylize photo.jpg painting.jpg -o painted.png.")
    _, rest = parser.parse_known_args(words, args)
    _take(rest, args, verbs.choices[verb] if verb else parser)


def _add_flags(verb, parser, words):
    """The flags of one verb, from its module, which may look at `parser.words` for which of them."""
    module = importlib.import_module(f"tfstyle.cli.{verb}")
    parser.words, parser.epilog = tuple(words), module.EXAMPLES
    module.add_flags(parser)
    parser.epilog = layout.closing(parser.epilog, getattr(module, "FAILED", _FAILED))
    parser.set_defaults(run=module.run)


def _take(rest, args, parser):
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
