"""Ctrl-C and SIGTERM: exceptions that are not lost, and nothing else changed."""

import os
import signal
import sys
import threading
import time
import weakref

import pytest

from tfstyle.cli import doctor, ends, main
from tfstyle.cli.watch import interrupts


@pytest.fixture(autouse=True)
def pythons_own():
    """Python's handlers and hook, whatever the test's parent had set."""
    before = {one: signal.signal(one, default) for one, default in (
        (signal.SIGINT, signal.default_int_handler), (signal.SIGTERM, signal.SIG_DFL))}
    hook, sys.unraisablehook = sys.unraisablehook, sys.__unraisablehook__
    yield
    sys.unraisablehook = hook
    for one, handler in before.items():
        signal.signal(one, handler)


def send(signum):
    os.kill(os.getpid(), signum)
    time.sleep(5)  # which the signal breaks off


def lost(signum):
    """Sends a signal where Python loses its exception: in a callback of the garbage collector."""

    class Thing:
        pass

    thing = Thing()
    held = weakref.ref(thing, lambda _: send(signum))
    del thing
    return held


def test_ctrl_c_and_sigterm():
    with pytest.raises(KeyboardInterrupt), ends.caught():
        send(signal.SIGINT)
    with pytest.raises(ends.Ended) as end, ends.caught():
        send(signal.SIGTERM)
    assert (end.value.code, end.value.sentence) == (143, "terminated.")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL and sys.unraisablehook is sys.__unraisablehook__


@pytest.mark.parametrize(("signum", "error"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, ends.Ended)])
def test_what_was_swallowed_comes_again(capfd, signum, error):
    with pytest.raises(error), ends.caught():
        lost(signum)
        time.sleep(5)
    assert capfd.readouterr().err == ""


def test_what_was_swallowed_comes_again_while_a_run_may_stop(capfd):
    with pytest.raises(ends.Ended) as end, ends.caught(), interrupts():
        lost(signal.SIGINT)
        time.sleep(5)
    assert end.value.code == 130 and capfd.readouterr().err == "\ntfstyle: interrupted.\n"


def test_sigterm_before_a_run_may_stop_is_known_behind_what_a_library_raises(capfd):
    with pytest.raises(ImportError), ends.caught() as signals, interrupts():
        try:
            send(signal.SIGTERM)
        except ends.Ended:
            raise ImportError("half loaded") from None
    assert (signals.end.code, signals.end.sentence, capfd.readouterr().err) == (143, "terminated.", "")


def test_other_lost_exceptions_are_told_as_ever(capfd):
    with ends.caught():
        class Thing:
            def __del__(self):
                raise ValueError("lost")

        Thing()
    assert "ValueError: lost" in capfd.readouterr().err


def test_an_impatient_second_ctrl_c_does_not_break_into_the_cleaning_up():
    cleaned = []
    with pytest.raises(KeyboardInterrupt), ends.caught():
        try:
            send(signal.SIGINT)
        finally:
            os.kill(os.getpid(), signal.SIGINT)
            cleaned.append(True)
    assert cleaned


def test_a_later_ctrl_c_is_another(monkeypatch):
    monkeypatch.setattr(ends, "_AGAIN", 0.0)
    with pytest.raises(KeyboardInterrupt), ends.caught():
        try:
            send(signal.SIGINT)
        except KeyboardInterrupt:
            send(signal.SIGINT)


def test_background_jobs_and_callers_keep_their_handlers():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    seen = []
    signal.signal(signal.SIGTERM, lambda *_: seen.append("theirs"))
    with ends.caught():
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
    assert seen == ["theirs"] and signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_other_threads_take_no_signals():
    seen = []

    def work():
        with ends.caught():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [signal.SIG_DFL]


@pytest.mark.parametrize(("signum", "code", "sentence"), [
    (signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")])
def test_exit_codes(monkeypatch, capsys, signum, code, sentence):
    monkeypatch.setattr(doctor, "run", lambda args: send(signum))
    assert main(["doctor"]) == code
    assert tuple(capsys.readouterr()) == ("", f"tfstyle: {sentence}.\n")


@pytest.mark.parametrize("error", [ImportError("half loaded"), SystemError("returned a result"), ends.Ended(143)])
def test_what_a_library_makes_of_a_signal(monkeypatch, capsys, error):
    def run(args):
        try:
            send(signal.SIGTERM)
        except ends.Ended:
            raise error from None

    monkeypatch.setattr(doctor, "run", run)
    assert main(["doctor"]) == 143
    assert capsys.readouterr().err == ("" if isinstance(error, ends.Ended) else "tfstyle: terminated.\n")
