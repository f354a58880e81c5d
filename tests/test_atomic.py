import os

import pytest

from tfstyle.atomic import replaced


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
