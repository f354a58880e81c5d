"""Tasks whose processes die: when their pictures are painted one by one, and which of them are given up."""

import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfstyle import images
from tfstyle.batch import worker as worker_
from tfstyle.batch.attempts import Attempt

PAIRS = [("in/a.jpg", "in/a.png"), ("b\udcff.png", "b.png")]


class Death(BaseException):
    """What ends a process, as far as one process can play it."""


@pytest.fixture
def attempt(tmp_path):
    """Begins PAIRS once more."""
    (tmp_path / "in").mkdir()
    return lambda: Attempt(PAIRS, str(tmp_path), "mark-")


def told(worker, pairs):
    return [json.loads(row["line"]) for row in worker({"pairs": json.dumps(pairs)})]


def test_the_file(attempt, tmp_path):
    one = attempt()
    (path,) = (tmp_path / "in").iterdir()
    assert path.name.startswith(".tfstyle-mark-") and not one.alone and not one.deadly
    one.end()
    assert os.listdir(tmp_path / "in") == []
    one.end()  # gone already


def test_two_deaths_of_a_task_and_two_of_a_picture(attempt):
    attempt()
    assert not attempt().alone
    for _ in range(2):
        third = attempt()
        assert third.alone and not third.deadly
        third.begin("in/a.jpg")
        third.begin("b\udcff.png")
    last = attempt()
    assert last.alone and last.deadly == {"b\udcff.png"}
    last.end()
    assert not attempt().alone


def test_tasks_keep_their_accounts_apart(attempt, tmp_path):
    attempt(), attempt()
    assert not Attempt(PAIRS[::-1], str(tmp_path), "mark-").alone
    assert not Attempt(PAIRS, str(tmp_path), "other-").alone
    assert attempt().alone


@given(torn=st.integers(0, 400))
def test_a_file_cut_short_is_read(torn, tmp_path_factory):
    folder = tmp_path_factory.mktemp("torn")
    one = Attempt([("é.png", "é.png")], str(folder), "")
    for _ in range(9):
        one.begin("é.png")
    (path,) = folder.iterdir()
    path.write_bytes(path.read_bytes()[:torn])
    assert not Attempt([("é.png", "é.png")], str(folder), "").deadly


def test_a_folder_that_takes_no_file(tmp_path):
    one = Attempt(PAIRS, str(tmp_path / "missing"), "")
    one.begin("in/a.jpg")
    one.end()
    assert not one.alone


@pytest.mark.parametrize("deadly", [{"in/a.jpg"}, {"a.jpg", "in/deep/c.webp"}])
def test_what_ends_a_worker_fails_alone(order, quick, monkeypatch, deadly):
    pairs = [(photo, f"{number}.png") for number, photo in enumerate(["a.jpg", "b.png", "in/a.jpg", "in/deep/c.webp"])]
    real = images.write
    targets = {os.path.join(order.output, result) for photo, result in pairs if photo in deadly}

    def write(path, *rest, **options):
        if path in targets:
            raise Death
        return real(path, *rest, **options)

    monkeypatch.setattr(images, "write", write)
    for deaths in range(20):
        try:
            lines = told(worker_.Worker(order), pairs)
            break
        except Death:
            continue
    assert deaths == 2 + 2 * len(deadly)
    assert {line["photo"] for line in lines if line["state"] == "failed"} == deadly and len(lines) == len(pairs)
    assert all("the process that painted it died" in line["sentence"] for line in lines if line["photo"] in deadly)
    assert sorted(os.listdir("out")) == sorted(result for photo, result in pairs if photo not in deadly)


def test_one_by_one_ends_where_the_disk_is_full(order, quick, monkeypatch):
    def replace(source, target):
        raise OSError(28, "No space left on device")

    pairs = [("a.jpg", "a.png"), ("b.png", "b.png")]
    for _ in range(2):
        Attempt(pairs, order.output, order.mark)
    monkeypatch.setattr(os, "replace", replace)
    assert [line["state"] for line in told(worker_.Worker(order), pairs)] == ["failed", "full"]
