"""What is asked of the device, with stand-ins for what is not here."""

import sys
import types

import keras
import pytest

from tfstyle.checks import InputError
from tfstyle.train import devices


@pytest.fixture
def tensorflow(monkeypatch):
    """A function that puts graphics processors under TensorFlow."""
    monkeypatch.setattr(keras.backend, "backend", lambda: "tensorflow")

    def has(*graphics):
        config = types.SimpleNamespace(list_physical_devices=lambda kind: [*graphics] if kind == "GPU" else ["cpu"])
        monkeypatch.setitem(sys.modules, "tensorflow", types.SimpleNamespace(config=config))

    return has


@pytest.fixture
def jax(monkeypatch):
    """A function that puts devices under JAX."""
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")

    def has(platform, count=1, **told):
        found = [types.SimpleNamespace(platform=platform, id=i, process_index=0, **told) for i in range(count)]
        fake = types.SimpleNamespace(default_backend=lambda: platform, devices=lambda: found)
        monkeypatch.setitem(sys.modules, "jax", fake)

    return has


def test_a_processor_under_tensorflow(tensorflow):
    tensorflow()
    assert (devices.on_accelerator(), devices.compiles()) == (False, False)
    tensorflow("one")
    assert (devices.on_accelerator(), devices.compiles()) == (True, True)


def test_jax_compiles_everywhere(jax):
    jax("cpu")
    assert (devices.on_accelerator(), devices.compiles()) == (False, True)
    jax("gpu")
    assert (devices.on_accelerator(), devices.compiles()) == (True, True)


@pytest.mark.parametrize("platform, told, wins", [
    ("cpu", {}, False), ("tpu", {}, True), ("gpu", {"compute_capability": "9.0"}, True),
    ("gpu", {"compute_capability": "7.5"}, False), ("gpu", {}, False),
])
def test_precision_under_jax(jax, platform, told, wins):
    jax(platform, **told)
    assert devices.convolutions("float32") == "float32"
    assert devices.convolutions("auto") == ("bfloat16" if wins else "float32")
    if wins:
        assert devices.convolutions("bfloat16") == "bfloat16"
    else:
        with pytest.raises(InputError, match="^The precision bfloat16 would be slower than float32 on this device; "):
            devices.convolutions("bfloat16")


def test_precision_under_tensorflow_is_that_of_the_optimizer(tensorflow, monkeypatch):
    fake = types.SimpleNamespace(resolve=lambda precision: f"resolved {precision}")
    monkeypatch.setitem(sys.modules, "tfstyle.machine", fake)
    tensorflow()
    assert devices.convolutions("auto") == "resolved auto" and devices.convolutions("float32") == "float32"


def test_readers(monkeypatch):
    for processors, threads in ((1, 1), (2, 1), (8, 4), (200, 16), (None, 1)):
        monkeypatch.setattr(devices.os, "cpu_count", lambda processors=processors: processors)
        assert devices.readers(None) == threads
        assert devices.readers(3) == 3


def test_several_devices_share(jax, monkeypatch):
    shared = []
    monkeypatch.setattr(keras.distribution, "set_distribution", shared.append)
    monkeypatch.setattr(keras.distribution, "DataParallel", lambda **options: options)
    jax("gpu")
    assert devices.share(3) == 1 and shared == []
    jax("gpu", count=4)
    names = ["gpu:0", "gpu:1", "gpu:2", "gpu:3"]
    assert devices.share(8) == 4 and shared == [{"devices": names}]
    with pytest.raises(InputError) as error:
        devices.share(6)
    assert str(error.value) == "photos must be a multiple of the 4 devices; received 6."
    monkeypatch.setattr(keras.backend, "backend", lambda: "tensorflow")
    assert devices.share(6) == 1 and len(shared) == 1
