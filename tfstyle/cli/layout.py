"""How help is laid out: the same order everywhere, at any width, and examples that can be copied into a shell."""

import argparse
import shlex
import textwrap

__all__ = ["Formatter", "closing", "examples"]

_HEAD = "examples:\n"
_LEAST = 40  # columns, however narrow the terminal is


class Formatter(argparse.RawDescriptionHelpFormatter):
    """Wraps the lines of what closes the help; a command that is too long goes on after a backslash."""

    def __init__(self, prog):
        super().__init__(prog, max_help_position=30)

    def _format_usage(self, usage, *rest):
        text = super()._format_usage(usage, *rest).rstrip()
        return "\n".join(_wrapped(text, max(_LEAST, self._width), " " * len("usage: "))) + "\n\n"

    def _fill_text(self, text, width, indent):
        return "\n".join(indent + piece for line in text.splitlines() for piece in _wrapped(line, max(_LEAST, width)))


def closing(epilog, failed):
    """What closes the help of a verb: its notes, the exit codes, its examples.

    Args:
        epilog: notes, with exit codes or without, and after a line "examples:" one command to a line, with what it does
            behind a #.
        failed: what exit code 1 means.
    """
    notes, _, lines = epilog.partition(_HEAD)
    codes = f"exit codes: 0 done; 1 {failed}; 2 bad input or usage, nothing was written; 130 interrupted."
    if "exit codes:" in notes:  # a verb that has its own
        codes = ""
    return "\n\n".join(filter(None, [notes.strip("\n"), codes, _HEAD + lines.strip("\n")]))


def examples(epilog):
    """The commands among the examples of a verb, each as a list of words from "tfstyle" up to where its output goes."""
    found = []
    for line in epilog.partition(_HEAD)[2].splitlines():
        words = shlex.split(line, comments=True)
        if "tfstyle" in words:
            words = words[words.index("tfstyle"):]
            found.append(words[:words.index(">")] if ">" in words else words)
    return found


def _wrapped(line, width, further=None):
    """A line of any length as lines that fit; those after the first begin with `further`, or go on as it begins."""
    if len(line) <= width:
        return [line]
    start = line[:len(line) - len(line.lstrip())]
    if not line.startswith("  tfstyle "):
        return _pieces(line, width, "", further or start + ("  " if start else ""))
    command, _, comment = (part.strip() for part in line.partition(" #"))
    told, words = _pieces(comment, width, f"{start}# "), _pieces(command, width - 2, start, f"{start}    ")
    return told + [f"{piece} \\" for piece in words[:-1]] + words[-1:]


def _pieces(text, width, first, further=None):
    further = first if further is None else further
    return textwrap.wrap(
        text, width, initial_indent=first, subsequent_indent=further, break_on_hyphens=False, break_long_words=False
    )
