"""What a run of the optimizer shows of itself: a bar, its losses, the time left, and in notebooks the picture so far.

Nothing here imports IPython but in a notebook, where it is there already, and nothing imports TensorFlow.
"""

import base64
import contextlib
import html
import io
import sys
import time
import uuid

from PIL import Image

from tfstyle.checks import InputError
from tfstyle.images.output import to_pil

__all__ = ["Watch", "in_notebook", "jpeg", "parts", "watched", "worked"]

SIDE = 256  # px, long side of previews at most
_WORDS = 0.2  # seconds from one line to the next
_PICTURES = 1.5  # the same of previews
_BURDEN = 20  # of large pictures previews take long: no more than this part of the time
_BAR = "{desc} {percentage:3.0f}%|{bar}|{postfix}"


def in_notebook():
    """Whether this runs in the kernel of a notebook."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return any(kind.__name__ == "ZMQInteractiveShell" for kind in type(shell).__mro__)


def jpeg(picture, side=SIDE):
    """A picture as a small file to look at.

    Args:
        picture: PIL image, or (H, W, 3) float32 in [0, 1].
        side: long side in px at most.

    Returns:
        bytes of a JPEG file.
    """
    image = picture.copy() if isinstance(picture, Image.Image) else to_pil(picture)
    image.thumbnail((side, side), Image.Resampling.BOX)
    file = io.BytesIO()
    image.convert("RGB").save(file, "JPEG", quality=85)
    return file.getvalue()


def parts(weighted):
    """The weighted terms of a record summed by kind: {"total", "content", "style", "tv"}."""
    sums = {
        kind: sum(value for name, value in weighted.items() if name.partition("/")[0] == kind)
        for kind in ("content", "style", "tv")
    }
    return {"total": sum(weighted.values())} | sums


def worked(scales, step):
    """Pixels evaluated in the first `step` steps of a run, whose scales are a list of (height, width, steps)."""
    done = 0
    for height, width, steps in scales:
        done += height * width * min(step, steps)
        step = max(0, step - steps)
    return done


@contextlib.contextmanager
def watched(callback=None, progress=None):
    """Shows a run while it lasts, and clears that away.

    Args:
        callback: the user's own, which is called first; None for none.
        progress: True shows the run, in notebooks with pictures and elsewhere as a bar on stderr; False does not; None
            does in notebooks alone.

    Yields:
        (callback, planned) for `tfstyle.api.optimize_pictures`. In notebooks the callback raises KeyboardInterrupt at
        the end of a run that was interrupted, so that the cells below do not go on.

    Raises:
        InputError: another `progress`.
    """
    if not (progress is None or isinstance(progress, bool)):
        raise InputError(f"progress must be True, False or None; received {progress!r}.")
    notebook = in_notebook()
    if not (notebook if progress is None else progress):
        yield callback, None
        return
    with _page() if notebook else _bar() as show:
        watch = Watch(show, callback, pictures=notebook, raising=notebook)
        yield watch, watch.planned


class Watch:
    """A callback that says of a run what a person wants to know, no more often than can be read."""

    def __init__(self, show, callback=None, *, pictures=True, raising=False):
        """
        Args:
            show: called with the share of the work that is done, in [0, 1]; where the run is, in words; its losses, in
                words; and the picture so far, bytes of a JPEG file, or None where there is none yet.
            callback: called first with every record; whether the run is to stop is its to say.
            pictures: False asks for none.
            raising: True raises KeyboardInterrupt at the end of a run that ended early though the callback has not
                asked for it.
        """
        self._show, self._callback, self._pictures, self._raising = show, callback, pictures, raising
        self._scales, self._first, self._stopped, self._picture = (), None, False, None
        self._next_words = self._next_picture = 0.0

    def planned(self, scales):
        """Takes the run's scales, list of (height, width, steps): a step at twice the side takes four times as long."""
        self._scales = scales

    def __call__(self, record):
        if self._callback is not None:
            self._stopped = bool(self._callback(record)) or self._stopped
        if record.figures is not None:  # of the finished picture
            if self._raising and record.step < record.steps and not self._stopped:
                raise KeyboardInterrupt(f"stopped at step {record.step} of {record.steps}")
            return self._stopped
        share, now = self._share(record), time.monotonic()
        if self._first is None and record.step:
            self._first = share, now
        if now >= self._next_words:
            self._tell(record, share, now)
            self._next_words = time.monotonic() + _WORDS
        return self._stopped

    def _share(self, record):
        whole = worked(self._scales, sys.maxsize)
        return worked(self._scales, record.step) / whole if whole else record.step / record.steps

    def _tell(self, record, share, now):
        if not record.step:
            self._show(0.0, "mixing the texture", "", self._preview(record, now))
            return
        where = f"{record.scale} px, step {record.step} of {record.steps}"
        (share_then, then) = self._first
        if share > share_then:
            where += f", {_seconds((now - then) * (1 - share) / (share - share_then))} left"
        self._show(share, where, _losses(record.weighted), self._preview(record, now))

    def _preview(self, record, now):
        if self._pictures and now >= self._next_picture:
            self._picture = jpeg(record.image())
            end = time.monotonic()
            self._next_picture = end + max(_PICTURES, _BURDEN * (end - now))
        return self._picture


def _seconds(seconds):
    return f"{seconds:.0f} s" if seconds < 99.5 else f"{seconds / 60:.0f} min"


def _losses(weighted):
    """The weighted terms of a record, summed by kind, in words."""
    return ", ".join(f"{kind} {value:.4g}" for kind, value in parts(weighted).items() if value)


@contextlib.contextmanager
def _bar():
    """A bar on stderr; yields what `Watch` shows with."""
    from tqdm import tqdm

    with tqdm(total=1.0, leave=False, dynamic_ncols=True, bar_format=_BAR) as bar:

        def show(share, where, losses, picture):
            bar.set_description_str(where, refresh=False)
            bar.set_postfix_str(losses, refresh=False)
            bar.n = share
            bar.refresh()

        yield show


@contextlib.contextmanager
def _page():
    """A place below the cell, which is empty in the end; yields what `Watch` shows with."""
    from IPython.display import publish_display_data

    place, there = {"display_id": uuid.uuid4().hex}, False

    def put(data):
        nonlocal there
        update, there = there, True
        publish_display_data(data, transient=place, update=update)

    def show(share, where, losses, picture):
        put({"text/html": _html(share, where, losses, picture), "text/plain": f"{share:.0%}  {where}"})

    try:
        yield show
    finally:
        if there:
            put({})


def _html(share, where, losses, picture):
    lines = [f'<progress value="{share:.4f}" style="width: {SIDE}px"></progress> {html.escape(where)}']
    lines += [f"<small>{html.escape(losses)}</small>"] if losses else []
    if picture is not None:
        data = base64.b64encode(picture).decode()
        lines.append(f'<img src="data:image/jpeg;base64,{data}" alt="the picture so far">')
    return "<br>".join(lines)
