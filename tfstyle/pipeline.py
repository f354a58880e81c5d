"""A pipeline of threads: the next pictures are decoded and the last ones encoded while one is painted."""

import collections
import concurrent.futures
import functools
import itertools

from tfstyle.checks import InputError

__all__ = ["FAULTS", "pipelined"]

FAULTS = (InputError, MemoryError)  # of one picture; whatever else is raised is a defect


def pipelined(tasks, tell, *, decode, paint, encode, ahead, faults=FAULTS):
    """Paints in this thread, while others decode the tasks that come next and encode those that came before.

    Never more than `ahead` are decoded in advance and `ahead` are encoded, so that memory is the same for any number.

    Args:
        tasks: what to work on, in order.
        tell: called here as tell(task, None) for what is done, and with the error for what has failed by one of
            `faults`; it returns True to stop. What has been painted by then is encoded all the same.
        decode, paint, encode: decode(task) -> photo; paint(photo) -> painted; encode(task, painted).
        ahead: at least 1.
        faults: exceptions that are told of; any other ends the run.

    Raises:
        Whatever else one of them raises, once what has been painted is encoded.
    """
    tasks, reading, writing, defects = iter(tasks), collections.deque(), collections.deque(), []
    pool = functools.partial(concurrent.futures.ThreadPoolExecutor, ahead)

    def read_on():
        for task in itertools.islice(tasks, ahead - len(reading)):
            reading.append((task, readers.submit(decode, task)))

    def settle(most):
        """Tells of what has been encoded, and waits until no more than `most` are; True to stop."""
        stop = False
        while writing and (len(writing) > most or writing[0][1].done()):
            task, future = writing[0]
            error = future.exception()
            writing.popleft()  # only now: Ctrl-C comes while waiting
            if error is None or isinstance(error, faults):
                stop = bool(tell(task, error)) or stop
            else:
                defects.append(error)
        return stop or bool(defects)

    with pool() as readers, pool() as writers:
        try:
            stop = False
            read_on()
            while reading and not stop:
                task, future = reading.popleft()
                read_on()
                try:
                    painted = paint(future.result())
                except faults as error:
                    stop = bool(tell(task, error))
                    stop = settle(ahead) or stop
                else:
                    del future  # and the photo with it
                    stop = settle(ahead - 1)
                    writing.append((task, writers.submit(encode, task, painted)))
                    del painted
        finally:
            readers.shutdown(wait=False, cancel_futures=True)
            settle(0)
    if defects:
        raise defects.pop(0)
