"""What all verbs have in common: --quiet, --json, --dry-run and --flagfile, and how they tell what they have done."""

import contextlib
import json
import math
import os
import sys
import threading

__all__ = [
    "Failed", "Stdout", "add_run", "document", "led_to", "mute", "one_document", "open_streams", "say", "tell",
    "tell_end",
]


class Failed(Exception):
    """A run that came to nothing through no fault of its command line: one sentence, exit code 1.

    Attributes:
        facts: for programs, beside the sentence.
    """

    def __init__(self, sentence, **facts):
        super().__init__(sentence)
        self.facts = facts


def add_run(parser, quiet="no progress bar and no line at the end", dry_run=True):
    """Adds the section "the run" to a verb's help.

    Args:
        parser: of the verb.
        quiet: what --quiet does.
        dry_run: whether there is anything to write or to start, and so --dry-run.

    Returns:
        The section's `add_argument`, for flags of the verb's own.
    """
    add = parser.add_argument_group("the run").add_argument
    add("--quiet", action="store_true", help=quiet)
    add("--json", action="store_true", help="print one JSON document on stdout instead of lines")
    if dry_run:
        add("--dry-run", action="store_true", help="check everything, say what would be done, and do nothing")
    add("--flagfile", metavar="FILE", help="read further flags from a file, one --flag=value to a line")
    return add


def tell(args, line, **facts):
    """Prints on stdout what has been done, or would be.

    Args:
        args: of the verb, with `json` and `quiet`.
        line: for people, or several; not with --quiet, nor if it is empty.
        **facts: for programs: with --json, they are printed as one document, --quiet or not. With --dry-run,
            "dry_run": true comes before them.
    """
    if args.json:
        if getattr(args, "dry_run", False):
            facts = {"dry_run": True} | facts
        if "seconds" in facts:
            facts["seconds"] = round(float(facts["seconds"]), 3)
        args.told = True
        print(document(facts), file=getattr(args, "stdout", None), flush=True)
    elif line and not args.quiet:
        print(line)


def document(facts):
    """Facts as JSON: paths as text, arrays' numbers as numbers, and null for what is no finite number."""
    return json.dumps(_plain(facts), indent=1, allow_nan=False)


def tell_end(args, sentence, code, facts=()):
    """With --json, prints what a script reads in place of what has been done, unless that is printed already.

    Args:
        args: of the verb, with `json` and `told`.
        sentence: why the run has come to nothing.
        code: its exit code.
        facts: further pairs for the document.
    """
    if args.json and not args.told:
        args.told = True
        facts = {"error": sentence, "exit_code": code, **dict(facts)}
        print(document(facts), file=getattr(args, "stdout", None), flush=True)


def say(sentence):
    """Says on stderr, where there is one that takes it, what is wrong."""
    try:
        print(f"tfstyle: {sentence}", file=sys.stderr, flush=True)
    except OSError:
        mute(sys.stderr)


def open_streams():
    """Opens what a process has been started without, as by `tfstyle ... >&-`: a file of ours would get its number."""
    for number, (name, mode) in enumerate({"stdin": "r", "stdout": "w", "stderr": "w"}.items()):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # opened at the lowest number that is free: this
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, encoding="utf-8", errors="backslashreplace", closefd=False))


def led_to(out):
    """A context in which `sys.stdout` is `out`, in the main thread: others share the name, and might end before it."""
    is_main = threading.current_thread() is threading.main_thread()
    return contextlib.redirect_stdout(out) if is_main else contextlib.nullcontext()


@contextlib.contextmanager
def one_document(args):
    """With --json, leads whatever else is printed to stderr, such as a library's word on what it fetches."""
    if not args.json:
        yield
        return
    args.stdout = sys.stdout
    with contextlib.redirect_stdout(sys.stderr):
        yield


def mute(stream):
    """Leads nowhere what stdout or stderr still holds, which Python would try again at its end."""
    with contextlib.suppress(OSError):
        number = stream.fileno()
        if number <= 2:  # others are a caller's
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, number)
            os.close(nowhere)


def _plain(value):
    if isinstance(value, dict):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if hasattr(value, "tolist"):  # an array, or a number out of one
        return _plain(value.tolist())
    return None if isinstance(value, float) and not math.isfinite(value) else value


class Stdout:
    """A text stream that lets no work be lost because a disk is full or a reader has gone: it keeps what is wrong.

    Args:
        stream: to write to.

    Attributes:
        error: the first OSError of the stream, after which nothing is written any more, or None.
    """

    def __init__(self, stream):
        self.error, self._stream = None, stream

    def __getattr__(self, name):
        if name == "_stream":  # of a copy that is being made
            raise AttributeError(name)
        return getattr(self._stream, name)

    def write(self, text):
        self._tried(self._stream.write, text)
        return len(text)

    def flush(self):
        self._tried(self._stream.flush)

    def closing(self, code):
        """Writes what is held, and says on stderr what is wrong, unless a reader has gone, which is no fault.

        Args:
            code: exit code of the run.

        Returns:
            It, or 1 where it is 0 and not all has been written.
        """
        self.flush()
        if self.error is None:
            return code
        if not isinstance(self.error, BrokenPipeError):
            say(f"stdout cannot be written ({self.error.strerror or self.error}).")
        return code or 1

    def _tried(self, write, *text):
        if self.error is None:
            try:
                write(*text)
            except OSError as error:
                self.error = error
                mute(self._stream)
