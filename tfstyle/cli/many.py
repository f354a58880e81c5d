"""What stylize tells of a folder, and batch of a pattern: a bar while pictures are painted, and what became of them."""

import contextlib

from tfstyle.cli import ends
from tfstyle.cli.manners import say

__all__ = ["bar", "closing", "counts", "facts"]


@contextlib.contextmanager
def bar(total, quiet, first="loading TensorFlow"):
    """A bar on stderr, if that is a terminal.

    Args:
        total: number of pictures to paint.
        quiet: True shows nothing.
        first: what it says before the first picture.

    Yields:
        A function to call with the `tfstyle.folder.FolderResult` so far.
    """
    from tqdm import tqdm

    shown = tqdm(
        total=total, disable=True if quiet or not total else None, desc=first, dynamic_ncols=True,
        bar_format="{desc} {n_fmt} of {total_fmt} {percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}",
    )
    started = False

    def tell(result):
        nonlocal started
        count = len(result.done) + len(result.failed)
        if not started:  # the import is no measure of the time left
            started = True
            shown.set_description_str("painting", refresh=False)
            shown.initial = shown.n = count
            shown.unpause()
        if result.failed:
            shown.set_postfix_str(f"{len(result.failed)} failed", refresh=False)
        shown.update(count - shown.n)

    with shown:
        yield tell


def counts(result):
    """"12 painted, 3 skipped, 1 failed"; of the last two, and of what is left, only what there is."""
    told = [f"{len(result.done)} painted"]
    others = {"skipped": len(result.skipped), "failed": len(result.failed), "left": result.left}
    return ", ".join(told + [f"{count} {what}" for what, count in others.items() if count])


def facts(result):
    """What --json tells of a `FolderResult`."""
    return {
        "painted": len(result.done), "skipped": len(result.skipped), "left": result.left,
        "failed": [{"photo": photo, "sentence": sentence} for photo, sentence in result.failed.items()],
    }


def closing(result, code, overwrite):
    """Says on stderr what has failed and what is left.

    Args:
        result: `FolderResult`.
        code: `ends.INTERRUPTED` or `ends.TERMINATED` where a signal has ended the run, else 0.
        overwrite: as the command line has it.

    Returns:
        Exit code.
    """
    for photo, sentence in result.failed.items():
        say(sentence if photo in sentence else f"{photo}: {sentence}")
    if code:
        what = "terminated" if code == ends.TERMINATED else "interrupted"
        how = "the same command without --overwrite" if overwrite else "the same command"
        say(f"{what}; {how} goes on with the {result.left} left.")
        return code
    if result.left:
        were = "picture was" if result.left == 1 else "pictures were"
        say(f"{result.left} {were} not reached; the same command goes on from there.")
    return 1 if result.left or result.failed else 0
