"""The file of a checkpoint: what it holds, that it is whole, and what is said about one that is not."""

import json
import os
import subprocess
import sys
import types

import numpy as np
import pytest

from tfstyle.checks import InputError
from tfstyle.train import checkpoint
from tfstyle.train.checkpoint import check_same_run, read_head, replaced, restore, save


@pytest.fixture(scope="module")
def model():
    """What `save` and `restore` ask of a compiled model."""
    import keras

    variables = [keras.Variable(np.arange(6, dtype="float32").reshape(2, 3), name="kernel"),
                 keras.Variable(np.ones(3, "float32"), name="bias")]
    inner = types.SimpleNamespace(variables=[keras.Variable(7, dtype="int32", name="iteration"), *variables])
    return types.SimpleNamespace(trainable_variables=variables, optimizer=inner)


def test_keys_and_contents(model, tmp_path):
    path = tmp_path / "a.npz"
    save(model, 12, path, run={"crop": "128"}, pending={"count": 1})
    with np.load(path, allow_pickle=False) as file:
        assert set(file.files) == {
            "step", "head", "model/0", "model/1", "optimizer/0", "optimizer/1", "optimizer/2"
        }
        assert int(file["step"]) == 12 and int(file["optimizer/0"]) == 7
        np.testing.assert_array_equal(file["model/0"], [[0, 1, 2], [3, 4, 5]])
        assert json.loads(bytes(file["head"])) == {"run": {"crop": "128"}, "pending": {"count": 1}}
    assert read_head(path)["run"] == {"crop": "128"}
    assert restore(model, path, {"crop": "128"}) == (12, {"count": 1})
    assert os.listdir(tmp_path) == ["a.npz"]


def test_values_come_back(model, tmp_path):
    path = tmp_path / "a.npz"
    save(model, 1, path)
    kernel, iteration = model.trainable_variables[0], model.optimizer.variables[0]
    kernel.assign(np.zeros((2, 3), "float32"))
    iteration.assign(0)
    restore(model, path)
    np.testing.assert_array_equal(np.asarray(kernel), [[0, 1, 2], [3, 4, 5]])
    assert int(np.asarray(iteration)) == 7


def test_what_a_model_has_beside_its_weights_comes_back(model, tmp_path):
    import keras

    moving = keras.Variable(np.full(3, 0.5, "float32"), name="moving_mean", trainable=False)
    normalized = types.SimpleNamespace(**vars(model), beside=[moving])
    path = tmp_path / "a.npz"
    save(normalized, 1, path)
    moving.assign(np.full(3, np.nan, "float32"))
    assert not checkpoint.all_finite(normalized)
    restore(normalized, path)
    np.testing.assert_array_equal(np.asarray(moving), 0.5)
    with pytest.raises(InputError, match=r"a.npz is of another network \(1 variables\); name another workdir.$"):
        restore(model, path)
    save(model, 1, path)
    with pytest.raises(InputError, match=r"a.npz is of another network \(moving_mean differs\); name another "):
        restore(normalized, path)


def test_one_without_a_head_is_read(model, tmp_path):
    """As written by hand, or by a program that keeps no head."""
    save(model, 3, tmp_path / "a.npz", run={"crop": "1"})
    with np.load(tmp_path / "a.npz") as file:
        np.savez(tmp_path / "b.npz", **{name: file[name] for name in file.files if name != "head"})
    assert restore(model, tmp_path / "b.npz", {"crop": "128"}) == (3, None)


@pytest.mark.parametrize("spoil", [lambda data: data[:len(data) // 2], lambda data: b"", lambda data: b"x" * 99])
def test_damaged(model, tmp_path, spoil):
    path = tmp_path / "a.npz"
    save(model, 1, path)
    path.write_bytes(spoil(path.read_bytes()))
    for read in (read_head, lambda path: restore(model, path)):
        with pytest.raises(InputError) as error:
            read(path)
        assert str(error.value) == f"{path} is damaged; delete it to start anew."


def test_missing_or_something_else(tmp_path):
    with pytest.raises(InputError, match="^There is no checkpoint .*a.npz; check the path.$"):
        read_head(tmp_path / "a.npz")
    np.savez(tmp_path / "b.npz", image=np.zeros(3))
    with pytest.raises(InputError, match="b.npz is no checkpoint of a training; name another file or workdir.$"):
        read_head(tmp_path / "b.npz")


def test_all_finite(model):
    assert checkpoint.all_finite(model)
    kernel = model.trainable_variables[0]
    kept = np.array(kernel)
    for bad in (np.nan, np.inf):
        kernel.assign(np.where(kept == 4, bad, kept))
        assert not checkpoint.all_finite(model)
    kernel.assign(kept)


def test_same_run():
    run = {"crop": "128", "seed": "0"}
    check_same_run("c", run, dict(run))
    check_same_run("c", None, run)
    check_same_run("c", run, None)
    check_same_run("c", run | {"more": "1"}, run)
    with pytest.raises(InputError, match="^c is of a run in which seed was 0, not 1; "):
        check_same_run("c", run, run | {"seed": "1"})


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path):
    path = tmp_path / "a"
    path.write_text("old")
    with pytest.raises(KeyError), replaced(path) as file:
        file.write(b"half")
        raise KeyError
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["a"]
    with replaced(path) as file:
        file.write(b"new")
        assert path.read_text() == "old"
    assert path.read_text() == "new" and os.listdir(tmp_path) == ["a"]


def test_a_disk_that_refuses(tmp_path):
    with pytest.raises(InputError, match=r"a cannot be written \(No such file or directory\); make room and go on.$"), \
            replaced(tmp_path / "gone" / "a"):
        pass
    with pytest.raises(InputError, match=r"a cannot be written \(No space left on device\); make room and go on.$"), \
            replaced(tmp_path / "a"):
        raise OSError(28, "No space left on device")
    assert os.listdir(tmp_path) == []


def test_one_process_at_a_time(tmp_path):
    hold = (
        "import sys; from tfstyle.train.checkpoint import alone_in\n"
        "with alone_in(sys.argv[1]): print('in', flush=True); input()"
    )
    command, pipe = [sys.executable, "-c", hold, tmp_path], subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe) as other:
        assert other.stdout.readline() == b"in\n"
        with pytest.raises(InputError, match=f"^Another process is training in {tmp_path}; stop it first"):
            with checkpoint.alone_in(tmp_path):
                pass
        other.kill()
    for _ in range(2):
        with checkpoint.alone_in(tmp_path):
            assert list(tmp_path.iterdir()) == []
