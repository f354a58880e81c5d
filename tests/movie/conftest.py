"""Videos, and a painter without a network, for the tests of the loop and what lies around it."""

import pathlib
import runpy
import sys
from types import SimpleNamespace

import pytest

from tfstyle.movie import loop as movie


@pytest.fixture(scope="session")
def clips():
    """The functions of tests/clips.py, which write and read little videos."""
    for module in ("av", "cv2"):
        pytest.importorskip(module, reason="needs tfstyle[video]")
    return SimpleNamespace(**runpy.run_path(str(pathlib.Path(__file__).parents[1] / "clips.py")))


@pytest.fixture
def stand_in(monkeypatch):
    """Puts a painter without a network in place: the negative, with a stripe that jumps from frame to frame.

    Returns:
        Namespace: plans, those that it was made for; calls, (photo, brought, trusted) of every frame; step, called
        with the number of each, which tests replace.
    """
    told = SimpleNamespace(plans=[], calls=[], step=lambda number: None)

    def painter(plan):
        told.plans.append(plan)

        def paint(photo, brought=None, trusted=None):
            told.step(len(told.calls))
            told.calls.append((photo, brought, trusted))
            result = 1 - photo
            result[:, 8 * (int(photo.sum() * 1000) % 5):][:, :8] *= 0.6  # the same for the same frame
            return result

        return paint

    monkeypatch.setitem(sys.modules, "tfstyle.movie.painters", SimpleNamespace(painter=painter))
    return told


@pytest.fixture
def source(clips, tmp_path):
    return str(clips.write(tmp_path / "in.mp4"))


@pytest.fixture
def output(tmp_path):
    return str(tmp_path / "out.mp4")


@pytest.fixture
def run(source, output, painting, stand_in):
    """The call that the tests are about."""
    return lambda **changed: movie.stylize_video(source, painting, changed.pop("output", output), **changed)


@pytest.fixture
def colorful(clips, tmp_path):
    """A source of 6 frames of 64 px, for runs with a network."""
    return str(clips.write(tmp_path / "in.mp4", times=range(0, 3000, 500)))
