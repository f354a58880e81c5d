"""Planes of rows, in memory and in files."""

import collections
import contextlib
import functools
import gc
import os
import tempfile

import numpy as np
import pytest

from tfstyle import scratch


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where scratch files go in these tests."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path


def open_files():
    """How many files without a name this process has open; those of others are none of ours."""
    gc.collect()
    found = 0
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):
            found += os.readlink(f"/proc/self/fd/{number}").endswith("(deleted)")
    return found


@pytest.mark.parametrize("rows_in_memory", [0, 1, 4, 9, 100])
@pytest.mark.parametrize("step", [1, 3, 10])
def test_rows_come_back(folder, rows_in_memory, step):
    content = np.random.default_rng(0).integers(0, 9, (10, 6, 3)).astype(np.float16)
    shared = scratch.Scratch(rows_in_memory * 36 + 5)
    plane = scratch.Plane(shared, content.shape, np.float16)
    for top in range(0, 10, step):
        plane.write(top, content[top:top + step])
    for top in range(10):
        for bottom in range(top + 1, 11):
            found = plane.read(top, bottom)
            assert found.dtype == np.float16
            np.testing.assert_array_equal(found, content[top:bottom])
    kept = min(rows_in_memory, 10)
    assert (shared.most_memory, shared.most_file, plane.size) == (36 * kept, 36 * (10 - kept), 360)


def test_planes_give_back_what_they_took(folder):
    shared, before = scratch.Scratch(100), open_files()
    first = scratch.Plane(shared, (10, 5, 2), np.uint8)
    assert shared.left == 0 and open_files() == before
    second = scratch.Plane(shared, (10, 5, 2), np.uint8)
    assert open_files() == before + 1 and os.listdir(folder) == []
    del first
    assert shared.left == 100
    third = scratch.Plane(shared, (10, 4, 2), np.uint8)
    assert shared.left == 20
    del second, third
    assert (shared.left, shared.most_memory, shared.most_file) == (100, 100, 100) and open_files() == before


def test_hollow_planes_only_count(folder):
    shared, before = scratch.Scratch(1000, hollow=True), open_files()
    plane = scratch.Plane(shared, (10**6, 10**4, 64), np.uint8)
    assert shared.most_file == plane.size == 64 * 10**10 and open_files() == before


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device of Linux")
def test_a_full_disk(folder, monkeypatch, refusal):
    full = functools.partial(open, "/dev/full", "r+b", buffering=0)
    monkeypatch.setattr(scratch.tempfile, "TemporaryFile", lambda **options: full())
    plane = scratch.Plane(scratch.Scratch(0), (4, 5, 2), np.uint8)
    message = refusal(plane.write, 0, np.zeros((4, 5, 2), np.uint8))
    assert "No space left" in message and str(folder) in message and "TMPDIR" in message


def test_a_folder_that_refuses(folder, monkeypatch, refusal):
    monkeypatch.setattr(tempfile, "tempdir", str(folder / "missing"))
    message = refusal(scratch.Plane, scratch.Scratch(0), (4, 5, 2), np.uint8)
    assert "missing" in message and "TMPDIR" in message


def test_room(folder, monkeypatch, refusal):
    usage = collections.namedtuple("usage", "free")
    monkeypatch.setattr(scratch.shutil, "disk_usage", lambda where: usage(2**30) if where == str(folder) else None)
    assert scratch.room() == 2**30
    scratch.check_room(2**30)
    message = refusal(scratch.check_room, 3 * 2**29)
    assert "1.5 GiB" in message and "1.0 GiB" in message and str(folder) in message


def test_where(folder, monkeypatch):
    assert scratch.folder() == str(folder)
    for name in ("TMPDIR", "TEMP", "TMP"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(scratch.os, "access", lambda path, mode: path == "/var/tmp")
    assert scratch.folder() == "/var/tmp"
    monkeypatch.setattr(scratch.os, "access", lambda path, mode: False)
    assert scratch.folder() == tempfile.gettempdir()


def test_nothing_is_left_when_a_plane_dies_by_an_error(folder):
    before = open_files()

    def fails():
        plane = scratch.Plane(scratch.Scratch(0), (4, 5, 2), np.uint8)
        plane.write(0, np.zeros((4, 5, 2), np.uint8))
        raise RuntimeError

    with pytest.raises(RuntimeError):
        fails()
    assert open_files() == before and os.listdir(folder) == []
