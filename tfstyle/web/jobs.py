"""Who is painted when: a line of orders, so many at a time, each of which can be watched and stopped.

Nothing here knows of the page or imports TensorFlow.
"""

import collections
import dataclasses
import sys
import threading
import time

from PIL import Image

from tfstyle import previews
from tfstyle.checks import InputError

__all__ = ["Jobs", "Update"]

_LOOK = 0.5  # seconds from one look at a job to the next, where nothing calls for one
_SIDE = 640  # px, long side of previews


@dataclasses.dataclass(frozen=True)
class Update:
    """How an order stands.

    Attributes:
        state: "waiting", "loading", "painting", "stopping", and at the end "done" or "stopped".
        sentence: the same for people.
        share: of the work that is done, 0 to 1; None where nobody knows.
        preview: bytes of a JPEG, the picture as it is now; None where there is none.
        picture: PIL image, at the end; None before, and if nothing had come of it when it was stopped.
    """

    state: str
    sentence: str
    share: float | None = None
    preview: bytes | None = None
    picture: Image.Image | None = None


class _Job:
    """One order on its way. What the painting thread finds out is left here for the one who watches."""

    def __init__(self, owner):
        self.owner, self.order, self.news = owner, None, threading.Event()
        self.stopped, self.late = threading.Event(), False
        self.started = self.over = False
        self.step = self.steps = self.scale = 0
        self.share, self.left = 0.0, None  # of the work that is done; seconds for the rest of it
        self.preview = self.picture = self.fault = None

    def stop(self):
        self.stopped.set()
        self.news.set()


class Jobs:
    """The line of all orders.

    Args:
        limits: `tfstyle.web.settings.WebSettings`.
        painter: `tfstyle.web.painter.Painter`, or what can be called and has loaded as it.
    """

    def __init__(self, limits, painter):
        self._limits, self._painter = limits, painter
        self._lock = threading.Lock()
        self._line, self._painting, self._owners = collections.deque(), {}, {}
        self._entering, self._closed = 0, False

    def run(self, owner, ordered):
        """Has an order painted.

        Args:
            owner: anything hashable; one order of each is taken at a time.
            ordered: function of no arguments that makes its `tfstyle.web.orders.Order`, which may take memory and
                time: it is called once there is a place for it.

        Yields:
            `Update`, the last of which is "done" or "stopped". Closing the generator stops the work.

        Raises:
            InputError: the line is full, the owner has an order already, or the picture cannot be painted.
        """
        job = _Job(owner)
        self._enter(owner, job)
        try:
            try:
                job.order = ordered()
            finally:
                self._entered(job)
            yield from self._watched(job)
        finally:
            job.stop()
            with self._lock:
                self._owners.pop(owner, None)
                if job in self._line:
                    self._line.remove(job)

    def stop(self, owner):
        """Stops the order of an owner, if there is one; `run` then comes to its end with what there is."""
        with self._lock:
            job = self._owners.get(owner)
        if job is not None:
            job.stop()

    def close(self, seconds=10.0):
        """Stops all orders and takes no more.

        Returns:
            Whether the work has ended, for which so many seconds are waited.
        """
        with self._lock:
            self._closed = True
            threads = list(self._painting.values())
            for job in (*self._line, *self._painting):
                job.stop()
        until = time.monotonic() + seconds
        for thread in threads:
            thread.join(max(0.0, until - time.monotonic()))
        return not any(thread.is_alive() for thread in threads)

    def _enter(self, owner, job):
        with self._lock:
            if self._closed:
                raise InputError("The page is being closed; nothing more is painted.")
            if owner in self._owners:
                raise InputError("A picture of yours is being painted already; wait for it, or stop it.")
            count = len(self._painting) + len(self._line) + self._entering
            if count >= self._limits.at_once + self._limits.waiting:
                raise InputError(
                    f"{count} picture{'s are' if count > 1 else ' is'} being painted or waiting, which is as much as "
                    "this page takes on; try again in a minute."
                )
            self._owners[owner] = job
            self._entering += 1

    def _entered(self, job):
        """Puts a job into the line, or out of it if nothing has come of its order."""
        with self._lock:
            self._entering -= 1
            if job.order is None:
                return
            if self._closed:
                job.stop()
            if len(self._painting) < self._limits.at_once:
                self._start(job)
            else:
                self._line.append(job)

    def _start(self, job):
        """Gives a job its thread; the lock is held."""
        thread = threading.Thread(target=self._paint, args=(job,), name="tfstyle-web-job", daemon=True)
        job.started = True
        self._painting[job] = thread
        thread.start()

    def _paint(self, job):
        """The painting thread of a job; starts the next job at its end."""
        begun, scales = None, ()

        def planned(given):
            nonlocal scales
            scales = given

        def told(record):
            nonlocal begun
            whole = previews.worked(scales, sys.maxsize)
            job.share = previews.worked(scales, record.step) / whole if whole else record.step / record.steps
            now = time.monotonic()
            begun = (now, job.share) if begun is None else begun
            if job.share > begun[1]:
                job.left = (now - begun[0]) * (1 - job.share) / (job.share - begun[1])
            job.step, job.steps, job.scale = record.step, record.steps, record.scale
            job.late = now - begun[0] > self._limits.seconds
            if job.preview is None and record.step % self._limits.preview == 0 and record.figures is None:
                job.preview = previews.jpeg(record.image(), _SIDE)
            job.news.set()
            return job.late or job.stopped.is_set()

        try:
            if not job.stopped.is_set():
                job.picture = self._painter(job.order, told, planned)
        except BaseException as error:  # told where the job is watched
            job.fault = error
        with self._lock:
            del self._painting[job]
            while self._line and not self._closed and len(self._painting) < self._limits.at_once:
                self._start(self._line.popleft())
        job.over = True
        job.news.set()

    def _watched(self, job):
        """`Update` after `Update` until the job is over."""
        last = None
        while not job.over:
            if job.stopped.is_set() and not job.step:  # a single pass cannot be broken off, but need not be waited for
                break
            preview, job.preview = job.preview, None
            update = self._update(job, preview)
            if update != last:
                yield update
                last = update
            job.news.wait(_LOOK)
            job.news.clear()
        if job.fault is not None:
            raise job.fault
        yield self._outcome(job)

    def _update(self, job, preview):
        if not job.started:
            with self._lock:
                before = self._line.index(job) if job in self._line else 0
                own = not before and {other.owner for other in self._painting} == {job.owner}
                others = len(self._painting) + before
            if own:
                return Update("waiting", "Waiting for the picture that you stopped: it cannot be broken off.")
            pictures = "1 picture is" if others == 1 else f"{others} pictures are"
            return Update("waiting", f"Waiting: {pictures} before yours.")
        if job.stopped.is_set():
            return Update("stopping", "Stopping: the picture so far is being finished.", preview=preview)
        if not self._painter.loaded.is_set():
            return Update("loading", "Getting ready: the first picture after the start takes some seconds more.")
        if job.step:
            left = "" if job.left is None else f", about {_seconds(job.left)} left"
            sentence = f"Painting: step {job.step} of {job.steps}, at {job.scale} px{left}."
            return Update("painting", sentence, job.share, preview)
        return Update("painting", "Painting.")

    def _outcome(self, job):
        at = f"Stopped at step {job.step} of {job.steps}"
        if job.picture is None:
            return Update("stopped", "Stopped: nothing had been painted yet.")
        if job.step < job.steps and job.stopped.is_set():
            return Update("stopped", f"{at}: this is the picture so far.", picture=job.picture)
        if job.step < job.steps and job.late:
            limit = f"{self._limits.seconds:g} s, which is as long as this page paints"
            return Update(
                "stopped", f"{at} after {limit}: this is the picture so far; a smaller size takes less time.",
                picture=job.picture,
            )
        return Update("done", "Done.", picture=job.picture)


def _seconds(seconds):
    return f"{seconds:.0f} s" if seconds < 99.5 else f"{seconds / 60:.0f} min"
