"""What an actor does, without Ray."""

import errno
import json
import os

import pytest

from tfstyle.batch import worker
from tfstyle.batch.worker import Worker, versions


def lines_of(worker, *pairs):
    return [json.loads(row["line"]) for row in worker({"pairs": json.dumps(pairs)})]


def test_a_worker(order, quick):
    with open("photos/bad\udcff.png", "wb") as file:
        file.write(b"no picture")
    os.remove("paint.png")  # an actor reads no style
    worker = Worker(order)
    assert os.environ["TF_NUM_INTRAOP_THREADS"] == os.environ["TF_NUM_INTEROP_THREADS"] == "3"
    told = lines_of(worker, ("a.jpg", "a.png"), ("bad\udcff.png", "bad.png"))
    states = sorted((line["photo"], line["state"]) for line in told)
    assert states == [("a.jpg", "done"), ("bad\udcff.png", "failed")] and os.listdir("out") == ["a.png"]
    assert any("is in no picture format" in (line["sentence"] or "") for line in told)


def test_a_worker_whose_disk_is_full_says_so(order, quick, monkeypatch):
    def replace(source, target):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", replace)
    told = lines_of(Worker(order), ("a.jpg", "a.png"))
    assert [line["state"] for line in told] == ["failed", "full"]


def test_a_worker_marks_what_it_may_leave(order, quick, monkeypatch):
    seen = []
    real = os.replace
    monkeypatch.setattr(os, "replace", lambda source, target: seen.append(source) or real(source, target))
    lines_of(Worker(order), ("a.jpg", "a.png"))
    (source,) = seen
    assert os.path.basename(source).startswith(".tfstyle-mark-")


def test_a_worker_at_which_all_fails_says_so(order, defects, monkeypatch):
    """However few pictures a task has."""
    monkeypatch.setattr(worker, "ALIKE", 3)
    defects |= {1, 2, 3}
    one = Worker(order)
    first = lines_of(one, ("a.jpg", "a.png"), ("b.png", "b.png"))
    assert [line["state"] for line in first] == ["failed", "failed"]
    second = lines_of(one, ("in/a.jpg", "c.png"), ("b.gif", "d.png"))
    assert (second[0]["state"], second[-1]["state"]) == ("failed", "refused")
    assert second[-1]["sentence"].startswith("3 pictures in a row have failed by RuntimeError")


@pytest.mark.parametrize("fault", ["folder", "version", "network"])
def test_a_worker_that_cannot_paint_says_why(order, here, monkeypatch, fault):
    wanted = "There is no model 'network.npz'"
    if fault == "folder":
        os.rename("photos", "elsewhere")
        wanted = f"there is no folder {str(here / 'photos')!r}; mount the disk of the pictures at the same place."
    elif fault == "version":
        order.versions["keras"] = "2.0"
        wanted = f"it has keras {versions()['keras']}, and the command that was given 2.0; install one version."
    else:
        os.remove("network.npz")
    (line,) = lines_of(Worker(order), ("a.jpg", "a.png"))
    assert line["state"] == "refused" and wanted in line["sentence"] and line["sentence"].endswith(".")
    assert " cannot paint: " in line["sentence"]
