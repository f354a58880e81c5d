"""The pipeline: what goes on at once, how much is in memory, and what becomes of faults."""

import gc
import threading
import time
import weakref

import pytest

from tfstyle.checks import InputError
from tfstyle.pipeline import FAULTS, pipelined

SECONDS = 20  # before a test that waits for another thread gives up


def run(count, ahead=2, decode=lambda task: task, paint=lambda photo: photo, encode=lambda task, painted: None,
        stop=lambda task: False, faults=FAULTS):
    """[(task, error), ...] as they were told."""
    told = []

    def tell(task, error):
        told.append((task, error))
        return stop(task)

    pipelined(range(count), tell, decode=decode, paint=paint, encode=encode, ahead=ahead, faults=faults)
    return told


@pytest.mark.parametrize("ahead", [1, 2, 5])
@pytest.mark.parametrize("count", [0, 1, 2, 7])
def test_all_is_painted_in_order_and_here(count, ahead):
    painted, written, threads = [], {}, set()

    def paint(photo):
        painted.append(photo)
        threads.add(threading.current_thread())
        return -photo

    told = run(count, ahead, lambda task: task + 100, paint, written.__setitem__)
    assert told == [(task, None) for task in range(count)]
    assert painted == [task + 100 for task in range(count)]
    assert written == {task: -100 - task for task in range(count)}
    assert threads <= {threading.current_thread()}


def test_the_next_is_decoded_and_the_last_encoded_while_one_is_painted():
    decoded = [threading.Event() for _ in range(4)]
    painting, encoding = threading.Event(), threading.Event()

    def decode(task):
        decoded[task].set()
        return task

    def paint(photo):
        if photo < 3:
            assert decoded[photo + 1].wait(SECONDS)  # the one after this is read before this is painted
        if photo == 2:
            painting.set()
            assert encoding.wait(SECONDS)
        return photo

    def encode(task, painted):
        if task == 1:
            assert painting.wait(SECONDS)  # it is written while number 2 is painted, which waits for that
            encoding.set()

    assert len(run(4, 2, decode, paint, encode)) == 4


class Thing:
    """A picture that can be counted."""


class Held:
    """How many things there are at once, at most."""

    def __init__(self):
        self.alive, self.most, self.made, self.lock = weakref.WeakSet(), 0, 0, threading.Condition()

    def thing(self):
        thing = Thing()
        with self.lock:
            self.alive.add(thing)
            self.most, self.made = max(self.most, len(self.alive)), self.made + 1
            self.lock.notify_all()
        return thing

    def wait_for(self, count):
        """Waits until so many have been made, and then for a moment in which more could be."""
        with self.lock:
            assert self.lock.wait_for(lambda: self.made >= count, SECONDS)
        time.sleep(0.1)


@pytest.mark.parametrize("ahead", [1, 3])
def test_memory_is_bounded(ahead):
    """However slow the network: nothing is decoded beyond what fits. However slow the encoders: nor painted."""
    photos, painted = Held(), Held()

    def paint(photo):
        if not painted.made:
            photos.wait_for(ahead + 1)
        return painted.thing()

    def encode(task, thing):
        if task == 0:
            painted.wait_for(ahead + 1)

    assert len(run(60, ahead, lambda task: photos.thing(), paint, encode)) == 60
    gc.collect()
    assert not photos.alive and not painted.alive
    assert ahead + 1 <= photos.most <= 2 * ahead + 4 and ahead + 1 <= painted.most <= 2 * ahead + 4


@pytest.mark.parametrize("stage", ["decode", "paint", "encode"])
@pytest.mark.parametrize("fault", [InputError("It is bad."), MemoryError(), ZeroDivisionError()])
def test_a_fault_is_told_and_the_rest_is_done(stage, fault):
    written = []

    def step(name, value):
        if name == stage and value == 3:
            raise fault
        return value

    def encode(task, painted):
        step("encode", task)
        written.append(task)

    told = run(6, 2, lambda task: step("decode", task), lambda photo: step("paint", photo), encode,
               faults=FAULTS if isinstance(fault, FAULTS) else Exception)
    assert sorted(told) == [(task, fault if task == 3 else None) for task in range(6)]
    assert sorted(written) == [0, 1, 2, 4, 5]


@pytest.mark.parametrize("stage", ["decode", "paint", "encode"])
def test_whatever_else_is_raised_ends_it(stage):
    def step(name, value):
        if name == stage and value == 3:
            raise ZeroDivisionError
        return value

    painted = []

    def paint(photo):
        painted.append(photo)
        return step("paint", photo)

    with pytest.raises(ZeroDivisionError):
        run(100, 2, lambda task: step("decode", task), paint, lambda task, painted: step("encode", task))
    assert len(painted) <= 7 and threading.active_count() < 50


def test_what_is_painted_when_it_stops_is_written():
    written = []
    told = run(100, 2, encode=lambda task, painted: written.append(task), stop=lambda task: task == 4)
    assert sorted(written) == [task for task, _ in told] == list(range(len(told)))
    assert 5 <= len(told) <= 8


def test_ctrl_c_writes_what_is_painted():
    def paint(photo):
        if photo == 5:
            raise KeyboardInterrupt
        return photo

    written, told = [], []
    with pytest.raises(KeyboardInterrupt):
        pipelined(
            range(100), lambda task, error: told.append(task), decode=lambda task: task, paint=paint,
            encode=lambda task, painted: written.append(task), ahead=2,
        )
    assert sorted(written) == told == [0, 1, 2, 3, 4]


def test_a_defect_of_an_encoder_leaves_nothing_untold():
    """Neither what was written before it, nor what was after; and the first of two is raised."""
    written, told, after = [], [], threading.Event()

    def paint(photo):
        if photo == 4:
            after.set()
        return photo

    def encode(task, painted):
        if task in (1, 3):
            assert after.wait(SECONDS)
            raise ZeroDivisionError(task)
        written.append(task)

    with pytest.raises(ZeroDivisionError, match="^1$"):
        pipelined(
            range(100), lambda task, error: told.append(task), decode=lambda task: task, paint=paint, encode=encode,
            ahead=5,
        )
    assert told == sorted(written) and {0, 2, 4} <= set(told) and len(told) < 20
