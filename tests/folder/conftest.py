"""Folders of photos, for the tests of folders."""

import os

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def here(tmp_path, monkeypatch, network_file):
    """The current folder: photos/ of four pictures and what is none, paint.png beside it, and network.npz."""
    rng = np.random.default_rng(3)

    def picture(path, size, mode="RGB"):
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        Image.fromarray(rng.integers(20, 256, (5, 7, len(mode)), dtype=np.uint8)).resize(size).save(path)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    for path, size, mode in (
        ("photos/a.jpg", (48, 36), "RGB"), ("photos/b.png", (36, 48), "RGBA"), ("photos/C.BMP", (40, 40), "RGB"),
        ("photos/d.webp", (60, 30), "RGB"), ("photos/.hidden.png", (20, 20), "RGB"),
        ("photos/.tfstyle-0123.png", (20, 20), "RGB"), ("photos/in/a.jpg", (30, 30), "RGB"),
        ("photos/in/deep/e.png", (30, 30), "RGB"), ("photos/.in/f.png", (30, 30), "RGB"),
        ("paint.png", (48, 64), "RGB"), ("other.png", (50, 40), "RGB"),
    ):
        picture(path, size, mode)
    (tmp_path / "photos" / "notes.txt").write_text("no picture")
    (tmp_path / "network.npz").write_bytes(network_file.read_bytes())
    return tmp_path
