"""log.jsonl as if a run had never been killed, sheets of previews, TensorBoard where it is."""

import json
import sys
import types

import numpy as np
import pytest

from tfstyle import images
from tfstyle.checks import InputError
from tfstyle.train import journal
from tfstyle.train.journal import Journal, sheet


@pytest.fixture(autouse=True)
def no_board(monkeypatch):
    """Whatever is installed here: neither tensorboardX nor tensorboard."""
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    monkeypatch.setitem(sys.modules, "tensorboard", None)


def written(folder, name="log.jsonl"):
    return [json.loads(line) for line in (folder / name).read_text().splitlines()]


def test_lines(tmp_path):
    first = Journal(tmp_path, 0)
    first.line({"step": 2, "loss": 0.5})
    first.line({"step": 4, "loss": 0.25})
    first.close()
    assert written(tmp_path) == [{"step": 2, "loss": 0.5}, {"step": 4, "loss": 0.25}]


@pytest.mark.parametrize("done, kept", [(0, []), (1, []), (2, [2]), (5, [2, 4]), (6, [2, 4, 6]), (9, [2, 4, 6])])
def test_a_resumed_log_ends_where_the_checkpoint_stands(tmp_path, done, kept):
    lines = [json.dumps({"step": step, "loss": 1.0}) + "\n" for step in (2, 4, 6)]
    (tmp_path / "log.jsonl").write_text("".join(lines) + '{"step": 8, "lo')  # killed while it wrote
    Journal(tmp_path, done).line({"step": done + 1, "loss": 2.0})
    assert [line["step"] for line in written(tmp_path)] == [*kept, done + 1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log.jsonl", "previews"]


def test_a_log_that_cannot_be_written(tmp_path):
    told = Journal(tmp_path, 0)
    (tmp_path / "log.jsonl").mkdir()
    with pytest.raises(InputError, match=r"log.jsonl cannot be written \(Is a directory\); make room and go on.$"):
        told.line({"step": 1})


def test_pictures(tmp_path):
    picture = np.linspace(0, 1, 20 * 24 * 3, dtype=np.float32).reshape(20, 24, 3)
    told = Journal(tmp_path, 0)
    told.picture(picture, 500)
    told.picture(1 - picture, 500)  # done again after a resume
    assert [path.name for path in (tmp_path / "previews").iterdir()] == ["step-000500.png"]
    np.testing.assert_array_equal(
        images.to_uint8(images.read(tmp_path / "previews" / "step-000500.png").rgb), images.to_uint8(1 - picture)
    )


def test_sheet():
    red, blue = np.zeros((2, 3, 3, 3), np.float32)
    red[..., 0], blue[..., 2] = 1, 1
    whole = sheet([[None, red], [blue, red], [red, None]], gap=2)
    assert whole.shape == (3 * 3 + 2 * 2, 2 * 3 + 2, 3) and whole.dtype == np.float32
    wanted = np.ones_like(whole)
    for top, left, one in ((0, 5, red), (5, 0, blue), (5, 5, red), (10, 0, red)):
        wanted[top:top + 3, left:left + 3] = one
    np.testing.assert_array_equal(whole, wanted)
    assert sheet([[None, np.zeros((2, 2, 3), np.uint8)]], gap=1)[0, 0].tolist() == [255, 255, 255]


class Writer:
    """Stands in for tensorboardX's."""

    made = []

    def __init__(self, folder, purge_step=None):
        self.calls = [("made", folder, purge_step)]
        Writer.made.append(self)

    def __getattr__(self, name):
        return lambda *args, **options: self.calls.append((name, args, options))


def test_tensorboard_by_tensorboardx(tmp_path, monkeypatch):
    monkeypatch.setattr(Writer, "made", [])
    monkeypatch.setitem(sys.modules, "tensorboardX", types.SimpleNamespace(SummaryWriter=Writer))
    told = Journal(tmp_path, 5)
    told.line({"step": 6, "loss": 0.5, "tv": 0.25})
    told.picture(np.zeros((16, 16, 3), np.float32), 6)
    told.close()
    writer, = Writer.made
    assert writer.calls[0] == ("made", str(tmp_path / "tensorboard"), 6)  # steps to come again are purged
    assert [call[:2] for call in writer.calls[1:3]] == [
        ("add_scalar", ("loss", 0.5, 6)), ("add_scalar", ("tv", 0.25, 6))
    ]
    name, (tag, picture, step), options = writer.calls[3]
    assert (name, tag, step, options) == ("add_image", "previews", 6, {"dataformats": "HWC"})
    assert picture.dtype == np.uint8 and picture.shape == (16, 16, 3)
    assert [call[0] for call in writer.calls[4:]] == ["flush", "close"]


def test_tensorboard_by_tensorflow(tmp_path, monkeypatch):
    """tf.summary is handed what it takes; the stand-in for it keeps the calls."""
    import keras
    import tensorflow as tf

    if keras.backend.backend() != "tensorflow":
        pytest.skip("Keras runs on another backend")
    calls, writer = [], tf.summary.create_file_writer(str(tmp_path / "real"))
    monkeypatch.setitem(sys.modules, "tensorboard", types.ModuleType("tensorboard"))
    monkeypatch.setattr(tf.summary, "scalar", lambda name, value: calls.append((name, value)))
    monkeypatch.setattr(tf.summary, "image", lambda name, value: calls.append((name, value.shape, value.dtype)))
    monkeypatch.setattr(tf.summary, "create_file_writer", lambda folder: calls.append(folder) or writer)
    told = Journal(tmp_path, 0)
    told.line({"step": 6, "loss": 0.5})
    told.picture(np.zeros((16, 16, 3), np.float32), 6)
    told.close()
    assert calls == [str(tmp_path / "tensorboard"), ("loss", 0.5), ("previews", (1, 16, 16, 3), np.uint8)]


def test_no_tensorboard_is_no_fault(tmp_path):
    assert journal._board(tmp_path / "tensorboard", 0) is None
    assert not (tmp_path / "tensorboard").exists()


def test_a_file_in_the_way_of_the_previews(tmp_path):
    (tmp_path / "previews").write_text("mine")
    with pytest.raises(InputError, match=r"previews cannot be made \(File exists\); move it away\."):
        Journal(tmp_path, 0)
