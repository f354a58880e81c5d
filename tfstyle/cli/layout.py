"""How help is laid out: the same order everywhere, at any width, and examples that can be copied into a shell."""

import argparse
import re
import shlex
import textwrap

__all__ = ["Formatter", "closing", "examples"]

_HEAD = "examples:\n"
_LEAST = 40  # columns, however narrow the terminal is


class Formatter(argparse.RawDescriptionHelpFormatter):
    """Wraps what closes the help anew; a command that is too long goes on after a backslash."""

    def __init__(self, prog):
        super().__init__(prog, max_help_position=30)

    def _format_usage(self, usage, *rest):
        text = super()._format_usage(usage, *rest).rstrip()
        return "\n".join(_wrapped(text, max(_LEAST, self._width), " " * len("usage: "))) + "\n\n"

    def _fill_text(self, text, width, indent):
        width = max(_LEAST, width)
        notes, head, commands = text.rstrip().partition(_HEAD)
        lines = [piece for line in _paragraphs(notes) for piece in _wrapped(line, width)]
        if head:
            lines.append(_HEAD.rstrip())
            lines += [piece for line in commands.splitlines() for piece in _command(line, width)]
        return "\n".join(indent + line for line in lines)


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


def _paragraphs(text):
    """Lines of any length: one for a paragraph, however it was wrapped, and one for each that is indented."""
    found = []
    for line in text.splitlines():
        if found and found[-1] and line and not found[-1].startswith(" ") and not line.startswith(" "):
            found[-1] += f" {line}"
        else:
            found.append(line)
    return found


def _wrapped(line, width, further=None):
    """A line of any length as lines that fit; those after the first begin with `further`, or go on as it begins."""
    if len(line) <= width:
        return [line]
    start = line[:len(line) - len(line.lstrip())]
    return _pieces(line, width, "", further or start + ("  " if start else ""), r"--\S+ [^-\s]\S*")


def _command(line, width):
    """A command as lines that can be pasted: what it does before it, since not every shell takes comments behind."""
    start = line[:len(line) - len(line.lstrip())]
    command, _, comment = (part.strip() for part in line.partition(" #"))
    told = _pieces(comment, width, f"{start}# ", f"{start}# ") if comment else []
    if len(start + command) <= width:
        return [*told, start + command]
    words = _pieces(command, width - 2, start, f"{start}    ", r"'[^']*'|(?:-\S+|>)(?: (?:'[^']*'|[^-\s]\S*))+")
    return told + [f"{piece} \\" for piece in words[:-1]] + words[-1:]


def _pieces(text, width, first, further, together=r"(?!)"):
    """Lines that fit; what matches `together`, such as a flag and its value, stays so if a line can hold it."""

    def held(found):
        return found[0].replace(" ", "\0") if len(found[0]) <= width - len(further) else found[0]

    lines = textwrap.wrap(
        re.sub(rf"(?<=\s)(?:{together})", held, text), width, initial_indent=first, subsequent_indent=further,
        break_on_hyphens=False, break_long_words=False,
    )
    return [line.replace("\0", " ") for line in lines]
