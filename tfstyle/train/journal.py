"""What a training tells: log.jsonl, the sheets of previews, and TensorBoard where it is installed."""

import json
import pathlib

import numpy as np

from tfstyle import images
from tfstyle.checks import InputError
from tfstyle.train.checkpoint import replaced

__all__ = ["Journal", "sheet"]

LOG = "log.jsonl"
PREVIEWS = "previews"
BOARD = "tensorboard"


class Journal:
    """The lines and sheets of one run, as if it had never been killed.

    Args:
        workdir: pathlib.Path of an existing folder.
        done: steps that the checkpoint holds: lines after it are of steps that will be done again, and go.
    """

    def __init__(self, workdir, done):
        self._workdir = workdir
        try:
            (workdir / PREVIEWS).mkdir(exist_ok=True)
        except OSError as error:
            raise InputError(f"{workdir / PREVIEWS} cannot be made ({error.strerror}); move it away.") from error
        _cut(workdir / LOG, done)
        self._board = _board(workdir / BOARD, done)

    def line(self, values):
        """Appends {"step": .., name: number, ..} to log.jsonl."""
        try:
            with open(self._workdir / LOG, "a", encoding="utf-8") as file:
                file.write(json.dumps(values) + "\n")
        except OSError as error:
            path = self._workdir / LOG
            raise InputError(f"{path} cannot be written ({error.strerror}); make room and go on.") from error
        if self._board:
            self._board.scalars({name: value for name, value in values.items() if name != "step"}, values["step"])

    def picture(self, picture, step):
        """Writes previews/step-000500.png, (H, W, 3) float in [0, 1] or uint8."""
        images.write(self._workdir / PREVIEWS / f"step-{step:06d}.png", picture)
        if self._board:
            self._board.picture(images.to_uint8(picture), step)

    def close(self):
        if self._board:
            self._board.close()


def sheet(rows, gap=4):
    """Pictures of one size as one picture, white between them.

    Args:
        rows: list of lists of equal length of (H, W, 3) arrays of one dtype, float32 in [0, 1] or uint8; None stays
            white.
        gap: in px.

    Returns:
        (rows x (H + gap) - gap, columns x (W + gap) - gap, 3) of that dtype.
    """
    first = next(picture for row in rows for picture in row if picture is not None)
    height, width = first.shape[:2]
    white = 255 if first.dtype == np.uint8 else 1
    shape = len(rows) * (height + gap) - gap, len(rows[0]) * (width + gap) - gap, 3
    whole = np.full(shape, white, first.dtype)
    for i, row in enumerate(rows):
        for j, picture in enumerate(row):
            if picture is not None:
                top, left = i * (height + gap), j * (width + gap)
                whole[top:top + height, left:left + width] = picture
    return whole


def _cut(path, done):
    """Leaves of a log the lines up to step `done`; a line that a kill cut short goes too."""
    if not path.exists():
        return
    kept = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            if json.loads(line)["step"] <= done:
                kept.append(line + "\n")
        except (ValueError, TypeError, KeyError):
            continue
    with replaced(path) as file:
        file.write("".join(kept).encode())


def _board(folder, done):
    """A writer for TensorBoard by tensorboardX or TensorFlow, or None where neither can."""
    for kind in (_BoardX, _BoardTF):
        try:
            return kind(pathlib.Path(folder), done)
        except ImportError:
            continue
    return None


class _BoardX:
    def __init__(self, folder, done):
        from tensorboardX import SummaryWriter

        self._writer = SummaryWriter(str(folder), purge_step=done + 1)

    def scalars(self, values, step):
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def picture(self, picture, step):
        self._writer.add_image("previews", picture, step, dataformats="HWC")
        self._writer.flush()

    def close(self):
        self._writer.close()


class _BoardTF:
    def __init__(self, folder, done):
        import keras

        if keras.backend.backend() != "tensorflow":  # it would be loaded for this alone
            raise ImportError
        import tensorboard  # noqa: F401  tf.summary cannot write without it
        import tensorflow as tf

        self._summary = tf.summary
        self._writer = tf.summary.create_file_writer(str(folder))

    def scalars(self, values, step):
        with self._writer.as_default(step=step):
            for name, value in values.items():
                self._summary.scalar(name, value)

    def picture(self, picture, step):
        with self._writer.as_default(step=step):
            self._summary.image("previews", picture[None])
        self._writer.flush()

    def close(self):
        self._writer.close()
