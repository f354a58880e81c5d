"""The progress bar, frames and Ctrl-C."""

import io
import os
import signal
import sys
import threading

import numpy as np
import pytest

from tfstyle import images
from tfstyle.cli import watch
from tfstyle.gatys.record import Record


class Terminal(io.StringIO):
    """A stderr that is a terminal."""

    def isatty(self):
        return True


def record(step, steps=6, scale=16, picture=None, **weighted):
    weighted = weighted or {"content/relu4_2": 0.25, "style/relu1_1": 0.5, "style/relu2_1": 0.25, "tv": 0.0}
    return Record(step, steps, scale, weighted, weighted, 1.0, lambda: picture)


@pytest.fixture
def bars(monkeypatch):
    """The list of the bars that are made."""
    import tqdm

    made = []

    class Kept(tqdm.tqdm):
        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            made.append(self)

    monkeypatch.setattr(tqdm, "tqdm", Kept)
    return made


SCALES = [(12, 16, 4), (24, 32, 2)]  # 4 x 192 and 2 x 768 pixels


def test_progress_counts_work_not_steps(bars, monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    with watch.progress(SCALES) as tell:
        bar, = bars
        assert bar.total == 4 * 192 + 2 * 768 and "loading TensorFlow" in sys.stderr.getvalue()
        done = []
        for step in range(1, 7):
            tell(record(step, scale=16 if step < 5 else 32))
            done.append(bar.n)
        assert done == [192, 384, 576, 768, 1536, 2304]
        shown = bar.format_meter(**bar.format_dict)
    assert "32 px, step 6 of 6" in shown and "100%" in shown
    assert "total 1, content 0.25, style 0.75" in shown and "tv" not in shown
    assert "16 px, step 1 of 6" in sys.stderr.getvalue()


def test_progress_of_a_resumed_run_starts_where_it_stands(bars, monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    with watch.progress(SCALES) as tell:
        tell(record(5, scale=32))
        bar, = bars
        assert (bar.initial, bar.n) == (768, 1536)


def test_no_bar_without_a_terminal_or_when_quiet(bars, monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    with watch.progress(SCALES, quiet=True) as tell:
        tell(record(1))
    assert sys.stderr.getvalue() == ""
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with watch.progress(SCALES) as tell:
        tell(record(1))
    assert sys.stderr.getvalue() == ""


def test_frames_are_of_the_finished_size(folder):
    small = np.full((12, 16, 3), 0.5, np.float32)
    alpha = np.linspace(0, 1, 24 * 32, dtype=np.float32).reshape(24, 32)
    watch.write_frame("out", record(3, picture=small), (24, 32), alpha)
    watch.write_frame("out", record(70, steps=100_000, picture=small), (24, 32))
    frame = images.read("out-0003.png")
    assert frame.rgb.shape == (24, 32, 3)
    np.testing.assert_array_equal(images.to_uint8(frame.rgb), 128)
    np.testing.assert_array_equal(images.to_uint8(frame.alpha), images.to_uint8(alpha))
    assert images.read("out-000070.png").alpha is None


@pytest.fixture
def ctrl_c():
    """Sends SIGINT to this process, with Python's own handler in place whatever the test's parent had set."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield lambda: os.kill(os.getpid(), signal.SIGINT)
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_once_asks(ctrl_c, capfd):
    with watch.interrupts() as interrupt:
        interrupt.started = True
        assert not interrupt.asked
        ctrl_c()
        assert interrupt.asked and interrupt.code == 130
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert capfd.readouterr().err == (
        "\ntfstyle: stopping after this step to write the picture; Ctrl-C again quits at once.\n"
    )


def test_sigterm_asks_and_then_quits(capfd):
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        with pytest.raises(SystemExit) as end, watch.interrupts(b"a checkpoint") as interrupt:
            interrupt.started = True
            os.kill(os.getpid(), signal.SIGTERM)
            assert interrupt.asked and interrupt.code == 143
            os.kill(os.getpid(), signal.SIGTERM)
        assert end.value.code == 143 and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGTERM, before)
    assert capfd.readouterr().err == (
        "\ntfstyle: stopping after this step to write a checkpoint; SIGTERM again quits at once.\n"
        "\ntfstyle: terminated.\n"
    )


def test_ctrl_c_twice_quits(ctrl_c, capfd):
    with pytest.raises(SystemExit) as end, watch.interrupts() as interrupt:
        interrupt.started = True
        ctrl_c()
        ctrl_c()
    assert end.value.code == 130
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert capfd.readouterr().err.endswith("\ntfstyle: interrupted.\n")


def test_ctrl_c_before_the_first_step_quits(ctrl_c, capfd):
    with pytest.raises(SystemExit) as end, watch.interrupts():
        ctrl_c()
    assert end.value.code == 130
    assert capfd.readouterr().err == "\ntfstyle: interrupted.\n"


def test_a_background_job_goes_on_ignoring_ctrl_c(ctrl_c):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with watch.interrupts() as interrupt:
        ctrl_c()
        assert not interrupt.asked


def test_other_threads_take_no_signals(ctrl_c):
    seen = []

    def work():
        with watch.interrupts() as interrupt:
            seen.append((interrupt.asked, signal.getsignal(signal.SIGINT)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [(False, signal.default_int_handler)]
