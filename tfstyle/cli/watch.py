"""What hangs on the optimizer's callback: the progress bar, frames, and the signals that end a run."""

import contextlib
import os
import signal
import sys
import threading
import types

from tfstyle.previews import parts, worked

from tfstyle.cli.ends import INTERRUPTED, TERMINATED, Ended

__all__ = ["interrupts", "progress", "write_frame"]

_STOPPING = b"\ntfstyle: stopping after this step to write %s; %s again quits at once.\n"
_ENDS = {
    signal.SIGINT: (INTERRUPTED, b"Ctrl-C", b"interrupted"), signal.SIGTERM: (TERMINATED, b"SIGTERM", b"terminated"),
}


@contextlib.contextmanager
def progress(scales, quiet=False):
    """A bar on stderr, if that is a terminal; yields a function to call with every record.

    Args:
        scales: list of (height, width, steps), as `tfstyle.gatys.pyramid.plan` makes it: a step at twice the
            side takes four times as long, which the time left takes into account.
        quiet: True shows nothing.
    """
    from tqdm import tqdm

    bar = tqdm(
        total=worked(scales, sys.maxsize), disable=True if quiet else None, desc="loading TensorFlow",
        dynamic_ncols=True, bar_format="{desc} {percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}",
    )
    first = True

    def tell(record):
        nonlocal first
        if not record.step:
            bar.set_description_str("mixing the texture")
            return
        if first:  # a resumed run starts in the middle; the import is no measure of the time left
            bar.initial = bar.n = worked(scales, record.step - 1)
            bar.unpause()
        bar.set_description_str(f"{record.scale} px, step {record.step} of {record.steps}", refresh=False)
        losses = ", ".join(f"{kind} {loss:.4g}" for kind, loss in parts(record.weighted).items() if loss)
        bar.set_postfix_str(losses, refresh=False)
        bar.update(worked(scales, record.step) - bar.n)
        if first:
            bar.refresh()
            first = False

    with bar:
        yield tell


@contextlib.contextmanager
def interrupts(written=b"the picture"):
    """Ctrl-C or SIGTERM once asks the run to stop after its step, twice (or before the first step) quits.

    Args:
        written: what a run that stops writes, as the user is told.

    Yields:
        Namespace: `asked`, whether the run is to stop; `code`, its exit code then; set `started` to True at the
        first step.
    """
    state = types.SimpleNamespace(asked=False, started=False, code=INTERRUPTED)
    told = False

    def handle(signum, frame):
        nonlocal told
        code, name, sentence = _ENDS[signum]
        if state.asked or not state.started:
            if signum == signal.SIGTERM and callable(before.get(signum)):
                before[signum](signum, frame)  # of `tfstyle.cli.ends`, which knows it behind what a library raises
                return
            if not told:  # the signal comes anew where the exception was swallowed
                # No print: this may have interrupted one. No KeyboardInterrupt: the run would catch it.
                os.write(2, b"\ntfstyle: %s.\n" % sentence)
            told = True
            raise Ended(code)
        state.asked, state.code = True, code
        os.write(2, _STOPPING % (written, name))

    if threading.current_thread() is not threading.main_thread():
        yield state
        return
    before = {}
    for signum in _ENDS:
        if signal.getsignal(signum) not in (signal.SIG_IGN, None):  # a background job, which stays one
            before[signum] = signal.signal(signum, handle)
    try:
        yield state
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)


def write_frame(stem, record, shape, alpha=None):
    """The picture of one record as STEM-0010.png, at the finished size, whatever scale the run is at.

    Args:
        stem: path without extension.
        shape: (height, width) of the finished picture.
        alpha: (height, width) or None.
    """
    from tfstyle import images

    digits = max(4, len(str(record.steps)))
    images.write(f"{stem}-{record.step:0{digits}d}.png", images.resize(record.image(), shape), alpha)
