"""What is left and said where a disk refuses: no folders that hold nothing, and the operating system's words."""

import errno
import os

import pytest
import tensorflow as tf

from tfstyle.export.disk import no_empty_folders, plain_errors

FULL = "{{function_node __wrapped__SaveV2_device_/job:localhost/device:CPU:0}} /x/.tfstyle-1/part; %s [Op:SaveV2]"


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_folders_that_hold_nothing_go_again(tmp_path, error):
    (tmp_path / "there").mkdir()
    path = tmp_path / "there" / "a" / "b"
    with pytest.raises(error), no_empty_folders(path):
        path.mkdir(parents=True)
        raise error
    assert list(tmp_path.rglob("*")) == [tmp_path / "there"], "what was there stays, empty or not"


def test_folders_that_hold_something_stay(tmp_path):
    path = tmp_path / "a" / "b" / "c"
    with pytest.raises(OSError), no_empty_folders(path):
        path.mkdir(parents=True)
        (tmp_path / "a" / "file").touch()
        raise OSError
    assert sorted(tmp_path.rglob("*")) == [tmp_path / "a", tmp_path / "a" / "file"]


def test_a_path_that_is_never_made(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with no_empty_folders("a/b"):
        pass
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.ENXIO])
@pytest.mark.parametrize("kind", [tf.errors.ResourceExhaustedError, tf.errors.UnknownError])
def test_the_operating_systems_words(kind, code):
    with pytest.raises(OSError) as error, plain_errors():
        raise kind(None, None, FULL % os.strerror(code))
    assert (error.value.errno, error.value.strerror) == (code, os.strerror(code))


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no disk that is always full")
def test_a_full_disk():
    with pytest.raises(OSError) as error, plain_errors():
        tf.io.write_file("/dev/full", "text")
    assert error.value.errno == errno.ENOSPC


def test_what_the_operating_system_has_no_words_for():
    with pytest.raises(OSError) as error, plain_errors():
        raise tf.errors.DataLossError(None, None, FULL % "short write")
    assert error.value.strerror == "/x/.tfstyle-1/part; short write"
    with pytest.raises(tf.errors.ResourceExhaustedError), plain_errors():
        raise tf.errors.ResourceExhaustedError(None, None, FULL % "failed to allocate memory")
