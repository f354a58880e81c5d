"""What many runs in one process, and a disk that fails under one, must not cost."""

import gc
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfstyle.checks import InputError
from tfstyle.gatys import optimize, preset

QUICK = dict(size=48, scales=1, steps=3, precision="float32")


def test_a_checkpoint_that_cannot_be_written_does_not_cost_the_picture(tiny_vgg, tmp_path, photo, painting):
    folder = tmp_path / "gone"
    folder.mkdir()

    def callback(record):
        if record.step == 2:
            shutil.rmtree(folder, ignore_errors=True)

    with pytest.warns(UserWarning, match="cannot be written .* goes on without it"):
        result = optimize(
            photo, [painting], preset(**QUICK), callback=callback, checkpoint=folder / "run.npz", checkpoint_seconds=0
        )
    assert len(result.records) == 4 and not result.interrupted
    assert not folder.exists()


def test_many_runs_leave_nothing_behind_and_warn_of_nothing(tiny_vgg, photo, painting, monkeypatch):
    warned = []
    monkeypatch.setattr(tf.get_logger(), "warning", lambda text, *values, **options: warned.append(text))

    def tensors_after_a_run():
        optimize(photo, [painting], preset(**QUICK))
        gc.collect()
        return sum(type(thing).__name__ == "EagerTensor" for thing in gc.get_objects())

    first = tensors_after_a_run()
    assert [tensors_after_a_run() for _ in range(3)] == [first] * 3
    assert not [text for text in warned if "retracing" in text]


def test_another_backend_is_refused_with_the_remedy(photo, monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(InputError, match="runs on jax; set KERAS_BACKEND=tensorflow"):
        optimize(np.asarray(photo), [np.asarray(photo)], preset(**QUICK))
