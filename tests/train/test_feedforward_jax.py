"""Training for one style under JAX without TensorFlow, and from one backend to the other."""

import importlib.util
import os
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest
from PIL import Image

import tfstyle
from tfstyle import images
from tfstyle.nets import network_files
from tfstyle.nets.feedforward import FeedForwardConfig, feedforward

# Keras reads TensorFlow's variables in a way that NumPy 2 wants changed.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

FLAGS = (
    "--style-size 48 --crop 32 --photos 2 --style-layers relu1_1,relu2_1 --content-layer relu2_2 --widths 4,4,4,8 "
    "--blocks 1 --warmup 1 --average 0.9 --log-every 1 --checkpoint-every 1 --preview-every 1000 --precision float32"
).split()
NO_TENSORFLOW = pathlib.Path(__file__).with_name("no_tensorflow.py").read_text()


def arrays(workdir):
    with np.load(workdir / "checkpoint.npz") as file:
        return {name: file[name] for name in file.files if name != "head"}


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="JAX is not installed")
@pytest.mark.parametrize("normalization", ["instance", "batch"])
def test_jax_without_tensorflow(folders, painting, tmp_path, normalization):
    """The same three steps as TensorFlow's from the same weights; and each goes on where the other stood."""
    Image.fromarray(images.to_uint8(painting)).save(tmp_path / "painting.png")
    keras.utils.set_random_seed(0)
    config = FeedForwardConfig("compact", (4, 4, 4, 8), 1, normalization)
    network_files.save(tmp_path / "start.npz", feedforward(config), config)
    code = "from tfstyle.train import feedforward\nfeedforward.PREVIEW_SIDE = 32\nfrom tfstyle.cli import main"
    words = [
        "train", "style", "--style", "painting.png", "--content-dir", str(folders[0]), "--init", "start.npz",
        "--normalization", normalization, *FLAGS,
    ]

    def train(backend, workdir, steps):
        before = NO_TENSORFLOW if backend == "jax" else "import sys"
        subprocess.run(
            [sys.executable, "-c", f"{before}\n{code}\nsys.exit(main(sys.argv[1:]))", *words, "--workdir", workdir,
             "--steps", str(steps)],
            check=True, cwd=tmp_path, stdout=subprocess.DEVNULL,
            env=os.environ | {"KERAS_BACKEND": backend, "PYTHONPATH": str(pathlib.Path(tfstyle.__file__).parents[1])},
        )
        return arrays(tmp_path / workdir)

    one, other = train("jax", "jax", 3), train("tensorflow", "tensorflow", 3)
    assert one.keys() == other.keys() and any(name.startswith("beside/") for name in one) == (normalization == "batch")
    for name, value in other.items():
        if not name.startswith("optimizer/"):
            np.testing.assert_allclose(one[name], value, rtol=0.02, atol=2e-3, err_msg=name)
    for backend, workdir in (("tensorflow", "jax"), ("jax", "tensorflow")):
        further = train(backend, workdir, 4)
        assert further["step"] == 4 and further["optimizer/0"] == 4
