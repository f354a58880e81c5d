"""What the tests of training share: folders of small pictures, and a network of two numbers."""

import io
import tarfile

import numpy as np
import pytest
from PIL import Image


def _picture(seed, width, height):
    spots = np.random.default_rng(seed).integers(0, 256, (6, 7, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(spots).resize((width, height), Image.Resampling.BICUBIC))


def _png(pixels):
    data = io.BytesIO()
    Image.fromarray(pixels).save(data, "PNG")
    return data.getvalue()


@pytest.fixture(scope="session")
def picture():
    """A function (seed, width, height) -> blurred noise in colors, uint8 (height, width, 3)."""
    return _picture


@pytest.fixture(scope="session")
def png():
    """A function (pixels) -> the bytes of a PNG file."""
    return _png


@pytest.fixture(scope="session")
def folders(tmp_path_factory):
    """(folder of 3 photographs, folder with a .tar of 4 paintings), 40 to 52 px a side."""
    photos, paintings = tmp_path_factory.mktemp("photos"), tmp_path_factory.mktemp("paintings")
    for i in range(3):
        (photos / f"{i}.png").write_bytes(_png(_picture(i, 48 + i, 40)))
    with tarfile.open(paintings / "some.tar", "w") as shard:
        for i in range(4):
            data = _png(_picture(10 + i, 44, 49 + i))
            member = tarfile.TarInfo(f"{i}.png")
            member.size = len(data)
            shard.addfile(member, io.BytesIO(data))
    return photos, paintings


@pytest.fixture(scope="session")
def domain(tmp_path_factory):
    """A function (first, count) -> `PictureSet` of so many pictures of 80 px or more by 70, with seeds from `first`."""
    from tfstyle.train.data import PictureSet

    def domain(first, count):
        folder = tmp_path_factory.mktemp("domain")
        for i in range(first, first + count):
            (folder / f"{i}.png").write_bytes(_png(_picture(i, 80 + i, 70)))
        return PictureSet(folder)

    return domain


@pytest.fixture(scope="session")
def line_model():
    """A function that makes a network of two numbers, which learns y = 2 x + 1 of {"x", "y"} (N, 1) float32.

    Where x is above 9 its term "small" is NaN; below -9 the terms are finite and the gradient is not.
    """
    import keras
    from keras import ops

    class LineModel(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = keras.layers.Dense(1, kernel_initializer="ones")
            self.dense.build((None, 1))
            self.trackers = {name: keras.metrics.Mean(name) for name in ("near", "small")}

        def call(self, batch):
            return self.dense(batch["x"])

        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            near = ops.mean(ops.square(y_pred - x["y"]))
            most, least = ops.max(x["x"]), ops.min(x["x"])
            small = ops.mean(ops.abs(y_pred)) + ops.where(most > 9, np.float32(np.nan), 0.0)
            steep = ops.sqrt(ops.where(least < -9, 0.0, 1.0) * ops.sum(ops.square(self.dense.kernel)))
            for name, value in (("near", near), ("small", small)):
                self.trackers[name].update_state(value)
            return near + 0.001 * small + 0.0001 * steep

    return LineModel


@pytest.fixture
def line_batches():
    """Batches for it; `asked` lists the steps asked for, and `x` may set the inputs of a step."""

    class LineBatches:
        def __init__(self):
            self.asked, self.x = [], {}

        def __getitem__(self, step):
            self.asked.append(step)
            x = np.random.default_rng([5, step]).normal(size=(4, 1)).astype(np.float32)
            x = np.full((4, 1), self.x[step], np.float32) if step in self.x else x
            return {"x": x, "y": 2 * x + 1}

    return LineBatches()
