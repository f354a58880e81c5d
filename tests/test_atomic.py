import os
import pathlib
import signal
import subprocess
import sys

import pytest

from tfstyle.atomic import LEFT, replaced, replaced_folder


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_takes_its_place_when_all_has_gone_well(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with replaced(path) as beside:
        assert os.path.dirname(beside) == str(tmp_path) and beside.endswith(".txt") and not os.path.exists(beside)
        with open(beside, "x") as file:
            file.write("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new" and names(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("error", [KeyError, OSError, KeyboardInterrupt])
def test_after_a_failure_the_old_one_is_there_alone(tmp_path, error):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(error), replaced(path) as beside:
        with open(beside, "w") as file:
            file.write("half")
        raise error
    assert path.read_text() == "old" and names(tmp_path) == ["a.txt"]


def test_permissions_and_links_stay(tmp_path):
    path, link = tmp_path / "a.txt", tmp_path / "link.txt"
    path.write_text("old")
    path.chmod(0o640)
    link.symlink_to(path)
    with replaced(link) as beside, open(beside, "x") as file:
        file.write("new")
    assert link.is_symlink() and path.read_text() == "new" and path.stat().st_mode & 0o777 == 0o640


def test_nothing_written_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError), replaced(tmp_path / "a.txt"):
        pass
    assert names(tmp_path) == []


# Folders


def contents(folder):
    """{path from there: text} of all files below a folder, None of folders."""
    return {str(path.relative_to(folder)): path.read_text() if path.is_file() else None for path in folder.rglob("*")}


@pytest.fixture
def target(tmp_path):
    """The place of a folder that holds something already."""
    path = tmp_path / "models" / "1"
    path.mkdir(parents=True)
    (path / "old.txt").write_text("old")
    return path


OLD = {"models": None, "models/1": None, "models/1/old.txt": "old"}


def test_a_folder_takes_its_place_when_all_has_gone_well(target, tmp_path):
    with replaced_folder(target) as beside:
        assert os.path.dirname(beside) == str(target.parent) and os.listdir(beside) == []
        os.mkdir(os.path.join(beside, "inner"))
        with open(os.path.join(beside, "inner", "new.txt"), "x") as file:
            file.write("new")
        assert os.listdir(target) == ["old.txt"]
    new = {"models": None, "models/1": None, "models/1/inner": None, "models/1/inner/new.txt": "new"}
    assert contents(tmp_path) == new


def test_folders_above_are_made(tmp_path):
    with replaced_folder(tmp_path / "a" / "b" / "c"):
        assert names(tmp_path / "a" / "b") != ["c"]
    assert contents(tmp_path) == {"a": None, "a/b": None, "a/b/c": None}


@pytest.mark.parametrize("error", [KeyError, OSError, KeyboardInterrupt])
def test_after_a_failure_the_old_folder_is_there_alone(target, tmp_path, error):
    with pytest.raises(error), replaced_folder(target) as beside:
        with open(os.path.join(beside, "half.txt"), "x") as file:
            file.write("half")
        raise error
    assert contents(tmp_path) == OLD


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
@pytest.mark.parametrize("failing", [1, 2])
def test_a_move_that_fails_is_undone(target, tmp_path, monkeypatch, error, failing):
    """Of the old folder away, and of the new one to its place; Ctrl-C may come between the two."""
    moves, rename = [], os.rename

    def moved(*paths):
        moves.append(paths)
        if len(moves) == failing:
            raise error
        rename(*paths)

    monkeypatch.setattr(os, "rename", moved)
    with pytest.raises(error), replaced_folder(target):
        pass
    assert len(moves) >= failing and contents(tmp_path) == OLD


def test_a_file_is_not_replaced_by_a_folder(tmp_path):
    (tmp_path / "1").write_text("mine")
    with pytest.raises(NotADirectoryError), replaced_folder(tmp_path / "1"):
        raise AssertionError("work that would have been for nothing")
    with pytest.raises(OSError), replaced_folder(tmp_path / "1" / "2"):
        raise AssertionError("work that would have been for nothing")
    assert contents(tmp_path) == {"1": "mine"}


def test_a_link_to_a_folder_stays(target, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(target)
    with replaced_folder(link) as beside, open(os.path.join(beside, "new.txt"), "x") as file:
        file.write("new")
    assert link.is_symlink() and contents(target) == {"new.txt": "new"} and names(tmp_path / "models") == ["1"]


@pytest.mark.parametrize("name", ["1", "2"])
def test_a_kill_leaves_no_half_folder_by_the_name(target, name):
    """What is left is called so that servers, which look for numbers, pass it by."""
    code = """
import sys, time
from tfstyle.atomic import replaced_folder
with replaced_folder(sys.argv[1]) as beside:
    open(beside + "/half.txt", "x").close()
    print("half", flush=True)
    time.sleep(600)
"""
    process = subprocess.Popen([sys.executable, "-c", code, target.parent / name], stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout.readline() == "half\n"
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert contents(target) == {"old.txt": "old"}
    (left,) = set(names(target.parent)) - {"1"}
    assert pathlib.PurePath(left).match(LEFT)
