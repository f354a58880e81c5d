"""The line of orders: turns, limits, stops and previews, with a painter that does as it is told."""

import threading
import types

import numpy as np
import pytest
from PIL import Image

from tfstyle.checks import InputError
from tfstyle.gatys.record import Record
from tfstyle.web.jobs import Jobs
from tfstyle.web.orders import Order
from tfstyle.web.settings import WebSettings

SECONDS = 30  # that a test waits for what must come; it never does


def order(method="fast", name="a"):
    return lambda: Order(method, b"", 16, {}, name)


class Painter:
    """Paints gray at once; optimizations have four steps, before each of which `step` is called with the order."""

    def __init__(self):
        self.loaded, self.step, self.began, self.plan = threading.Event(), lambda order: None, [], ()
        self.loaded.set()

    def __call__(self, order, callback, planned):
        self.began.append(order.name)
        picture = np.full((16, 16, 3), 0.5, np.float32)
        if order.method == "fast":
            self.step(order)
        planned(self.plan)
        for number in range(1, 5) if order.method == "optimize" else ():
            self.step(order)
            if callback(Record(number, 4, 16, {}, {}, 0.0, lambda: picture)):
                break
        return Image.new("RGB", (16, 16), "gray")


@pytest.fixture
def painter():
    return Painter()


@pytest.fixture
def gate(painter):
    """Every step of the painter waits until this is set."""
    gate = threading.Event()
    painter.step = lambda order: gate.wait(SECONDS)
    yield gate
    gate.set()


def test_a_picture_is_painted(painter):
    *_, last = Jobs(WebSettings(), painter).run("me", order())
    assert last.state == "done" and last.picture.size == (16, 16)


def test_an_optimization_tells_its_steps_and_shows_itself(painter):
    jobs, turn = Jobs(WebSettings(preview=2), painter), threading.Semaphore(0)
    painter.step = lambda order: turn.acquire(timeout=SECONDS)
    seen, previews = [], 0
    for update in jobs.run("me", order("optimize")):
        seen.append(update)
        previews += update.preview is not None
        turn.release()
    assert [update.share for update in seen if update.share] == sorted({u.share for u in seen if u.share})
    assert "Painting: step 1 of 4, at 16 px." in [update.sentence for update in seen]
    assert previews >= 1 and all(u.preview[:2] == b"\xff\xd8" for u in seen if u.preview is not None)
    assert seen[-1].state == "done"


def test_the_time_left_goes_by_the_size_of_the_steps(painter, monkeypatch):
    clock, said = iter(range(0, 1000, 10)), []
    monkeypatch.setattr("tfstyle.web.jobs.time", types.SimpleNamespace(monotonic=lambda: next(clock)))
    jobs, turn = Jobs(WebSettings(), painter), threading.Semaphore(0)
    painter.plan, painter.step = [(8, 8, 2), (16, 16, 2)], lambda order: turn.acquire(timeout=SECONDS)
    for update in jobs.run("me", order("optimize")):
        said.append((update.sentence, update.share))
        turn.release()
    assert ("Painting: step 1 of 4, at 16 px.", 0.1) in said
    assert ("Painting: step 2 of 4, at 16 px, about 80 s left.", 0.2) in said, "the others take four times as long"


def test_who_has_stopped_waits_for_no_stranger(painter, gate):
    jobs = Jobs(WebSettings(), painter)
    run = jobs.run("me", order(name="a"))
    next(run)
    jobs.stop("me")
    assert list(run)[-1].state == "stopped"
    again = jobs.run("me", order(name="b"))
    assert next(again).sentence == "Waiting for the picture that you stopped: it cannot be broken off."
    gate.set()
    assert list(again)[-1].state == "done"


def test_one_at_a_time_and_in_order(painter, gate):
    jobs = Jobs(WebSettings(), painter)
    runs = [jobs.run(name, order(name=name)) for name in "abc"]
    first = [next(run) for run in runs]
    assert [update.state for update in first] == ["painting", "waiting", "waiting"]
    assert [update.sentence for update in first[1:]] == [
        "Waiting: 1 picture is before yours.", "Waiting: 2 pictures are before yours.",
    ]
    gate.set()
    assert [list(run)[-1].state for run in runs] == ["done"] * 3
    assert painter.began == ["a", "b", "c"]


def test_several_at_once_where_that_is_wanted(painter, gate):
    jobs = Jobs(WebSettings(at_once=2), painter)
    runs = [jobs.run(name, order(name=name)) for name in "abc"]
    assert [next(run).state for run in runs] == ["painting", "painting", "waiting"]
    gate.set()
    assert [list(run)[-1].state for run in runs] == ["done"] * 3


def test_a_full_line_is_said(painter, gate):
    jobs = Jobs(WebSettings(waiting=1), painter)
    kept = [jobs.run(name, order(name=name)) for name in "ab"]
    assert [next(run).state for run in kept] == ["painting", "waiting"]
    with pytest.raises(InputError, match="2 pictures are being painted or waiting, .* try again"):
        next(jobs.run("c", order()))


def test_an_order_is_made_once_there_is_a_place_for_it(painter, gate):
    jobs = Jobs(WebSettings(waiting=0), painter)
    with pytest.raises(InputError, match="no photo"):
        next(jobs.run("a", lambda: refuse("There is no photo yet.")))
    run = jobs.run("a", lambda: refused_meanwhile(jobs) or order()())
    assert next(run).state == "painting", "one that came to nothing has left its place"
    with pytest.raises(InputError, match="try again"):
        next(jobs.run("b", lambda: pytest.fail("an order was made that nobody can take")))
    gate.set()
    assert list(run)[-1].state == "done"


def refuse(sentence):
    raise InputError(sentence)


def refused_meanwhile(jobs):
    """While an order is being made, its place is taken."""
    with pytest.raises(InputError, match="1 picture is being painted or waiting"):
        next(jobs.run("b", order()))


def test_closing_while_an_order_is_made_paints_nothing(painter):
    jobs = Jobs(WebSettings(), painter)
    assert [update.state for update in jobs.run("a", lambda: jobs.close(0.0) and order()())] == ["stopped"]
    assert painter.began == []


def test_one_order_of_each(painter, gate):
    jobs = Jobs(WebSettings(), painter)
    run = jobs.run("me", order())
    next(run)
    with pytest.raises(InputError, match="of yours"):
        next(jobs.run("me", order()))
    gate.set()
    list(run)
    assert list(jobs.run("me", order()))[-1].state == "done"


def test_a_stop_ends_an_optimization_with_what_there_is(painter):
    jobs = Jobs(WebSettings(), painter)
    painter.step = lambda order: jobs.stop("me") if steps.append(1) or len(steps) == 3 else None
    steps = []
    *_, last = jobs.run("me", order("optimize"))
    assert len(steps) == 3, "the work went on after the stop"
    assert last.state == "stopped" and last.picture is not None
    assert last.sentence == "Stopped at step 3 of 4: this is the picture so far."


def test_a_stop_takes_one_s_own_picture_alone(painter, gate):
    jobs = Jobs(WebSettings(), painter)
    mine, other = jobs.run("me", order(name="a")), jobs.run("you", order(name="b"))
    next(mine), next(other)
    jobs.stop("nobody")
    jobs.stop("you")
    assert list(other)[-1].sentence == "Stopped: nothing had been painted yet."
    gate.set()
    assert list(mine)[-1].state == "done"
    assert painter.began == ["a"]


def test_who_goes_away_makes_room(painter, gate):
    jobs = Jobs(WebSettings(waiting=1), painter)
    first, second = jobs.run("a", order("optimize", "a")), jobs.run("b", order(name="b"))
    next(first), next(second)
    second.close()
    third = jobs.run("c", order(name="c"))
    assert next(third).state == "waiting"
    first.close()
    gate.set()
    assert list(third)[-1].state == "done"
    assert painter.began == ["a", "c"]


def test_the_limit_of_time_ends_an_optimization_with_what_there_is(painter, monkeypatch):
    clock = iter(range(0, 1000, 30))
    monkeypatch.setattr("tfstyle.web.jobs.time", types.SimpleNamespace(monotonic=lambda: next(clock)))
    *_, last = Jobs(WebSettings(seconds=50), painter).run("me", order("optimize"))
    assert last.state == "stopped" and last.picture is not None
    assert last.sentence.startswith("Stopped at step 3 of 4 after 50 s") and "a smaller size" in last.sentence


def test_loading_is_told(painter, gate):
    painter.loaded.clear()
    run = Jobs(WebSettings(), painter).run("me", order())
    assert next(run).state == "loading"
    painter.loaded.set()
    gate.set()
    assert list(run)[-1].state == "done"


@pytest.mark.parametrize("fault", [InputError("Memory ran out; choose a smaller size."), RuntimeError("a bug")])
def test_a_fault_is_the_watcher_s_and_the_line_goes_on(painter, fault):
    jobs = Jobs(WebSettings(), painter)

    def fail(order):
        raise fault

    painter.step = fail
    with pytest.raises(type(fault), match=str(fault)):
        list(jobs.run("me", order()))
    painter.step = lambda order: None
    assert list(jobs.run("me", order()))[-1].state == "done"


def test_closing_stops_all_and_takes_no_more(painter):
    jobs, began = Jobs(WebSettings(), painter), threading.Event()
    painter.step = lambda order: began.set() or jobs_closing.wait(SECONDS)
    jobs_closing = threading.Event()
    run, waiting = jobs.run("a", order("optimize", "a")), jobs.run("b", order(name="b"))
    next(run), next(waiting)
    assert began.wait(SECONDS)
    assert not jobs.close(0.0), "the work goes on until its next step"
    jobs_closing.set()
    assert jobs.close(SECONDS)
    assert [list(one)[-1].state for one in (run, waiting)] == ["stopped", "stopped"]
    assert painter.began == ["a"]
    with pytest.raises(InputError, match="closed"):
        next(jobs.run("c", order()))
