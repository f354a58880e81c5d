"""Training of a translation under JAX without TensorFlow: the same steps from the same checkpoint."""

import importlib.util
import json
import os
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pytest

import tfstyle

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="JAX is not installed"),
]

ROOT = pathlib.Path(tfstyle.__file__).parents[1]
NO_TENSORFLOW = pathlib.Path(__file__).with_name("no_tensorflow.py").read_text()
CODE = """
import json, sys
import tfstyle.train.journal
tfstyle.train.journal._board = lambda folder, done: None
from tfstyle.train.data import PictureSet
from tfstyle.train.translate import DSMAPPace, DSMAPSettings, train_translate
a, b, workdir, steps, settings = sys.argv[1:]
pace = DSMAPPace(
    steps=int(steps), learning_rate=1e-3, average=0.5, encoder_rate=2.0, clip=30.0, log_every=1, checkpoint_every=100,
    precision="float32", workers=1,
)
train_translate(PictureSet(a), PictureSet(b), workdir, DSMAPSettings(**json.loads(settings)), pace)
"""
SMALL = {"crop": 64, "pictures": 1, "width": 2, "style": 3, "hidden": 4, "blocks": 1, "loss_layer": "pool3"}


@pytest.fixture
def trained(tmp_path, picture, png):
    """A function (backend, workdir, steps, settings) that trains in a process, on two domains of two pictures."""
    folders = [tmp_path / name for name in ("a", "b")]
    for first, folder in zip((0, 20), folders, strict=True):
        folder.mkdir()
        for i in (0, 1):
            (folder / f"{i}.png").write_bytes(png(picture(first + i, 80 + i, 70)))

    def train(backend, workdir, steps, settings):
        before = NO_TENSORFLOW if backend == "jax" else ""
        words = [*map(str, folders), str(tmp_path / workdir), str(steps), json.dumps(settings)]
        done = subprocess.run(
            [sys.executable, "-c", before + CODE, *words], check=False, cwd=tmp_path, capture_output=True, text=True,
            env=os.environ | {"KERAS_BACKEND": backend, "PYTHONPATH": str(ROOT)},
        )
        assert done.returncode == 0, done.stderr
        with np.load(tmp_path / workdir / "checkpoint.npz") as file:
            return {name: file[name].astype(np.float64) for name in file.files if name != "head"}

    return train


@pytest.mark.parametrize("method", ["dsmap", "munit"])
def test_two_steps_are_those_of_tensorflow(trained, tmp_path, method):
    """From TensorFlow's checkpoint after one: losses to a thousandth; what moved, moved alike.

    Adam divides by a gradient's own size, so that where it is nothing but rounding (of biases before a normalization)
    weights may go either way: all may by twice the rate in a step, their mean by a tenth of what they moved.
    """
    settings = SMALL | {"method": method}
    first = trained("tensorflow", "tensorflow", 1, settings)
    shutil.copytree(tmp_path / "tensorflow", tmp_path / "jax")
    one, other = (trained(backend, backend, 3, settings) for backend in ("jax", "tensorflow"))
    assert one.keys() == other.keys() and one["step"] == one["optimizer/0"] == 3
    far, moved = 0.0, 0.0
    for name, value in other.items():
        if name.startswith("model/"):
            assert np.abs(one[name] - value).max() <= 2 * 2 * 2e-3, name
            far, moved = far + np.abs(one[name] - value).sum(), moved + np.abs(value - first[name]).sum()
        elif name.startswith("beside/"):
            np.testing.assert_allclose(one[name], value, rtol=1e-3, atol=1e-4, err_msg=name)
    assert far < 0.1 * moved
    lines = [[json.loads(line) for line in (tmp_path / name / "log.jsonl").read_text().splitlines()]
             for name in ("jax", "tensorflow")]
    assert [line["step"] for line in lines[0]] == [1, 2, 3]
    for mine, theirs in zip(*lines, strict=True):
        for name in theirs.keys() - {"seconds"}:
            np.testing.assert_allclose(mine[name], theirs[name], rtol=1e-2, atol=2e-5, err_msg=name)
    assert trained("tensorflow", "jax", 4, settings)["optimizer/0"] == 4  # and back


def test_the_steps_by_hand_under_jax():
    file = str(pathlib.Path(__file__).with_name("test_adversarial.py"))
    code = f"{NO_TENSORFLOW}\nimport pytest\nsys.exit(pytest.main(['-q', '-p', 'no:cacheprovider', {file!r}]))"
    done = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True, cwd=ROOT,
        env=os.environ | {"KERAS_BACKEND": "jax"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
