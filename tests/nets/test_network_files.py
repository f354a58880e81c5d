"""Files of networks of one model: there and back, what they say of themselves, and what is refused."""

import dataclasses
import io
import json

import keras
import numpy as np
import pytest

from tfstyle import controls
from tfstyle.nets import arbitrary_weights, network_files
from tfstyle.nets.dsmap import MUNIT, DSMAPConfig, dsmap, translation
from tfstyle.nets.feedforward import FeedForwardConfig, feedforward
from tfstyle.nets.superres import SuperResConfig, superres

# Keras reads TensorFlow's variables in a way that NumPy 2 wants changed.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

CONFIGS = {
    "style": [
        FeedForwardConfig("compact", (4, 4, 4, 8), 1), FeedForwardConfig("paper", (4, 4, 8), 1, "batch"),
        FeedForwardConfig("fast-style-transfer", (4, 4, 8), 1),
    ],
    "superres": [SuperResConfig(4, 4, 1, "batch"), SuperResConfig(8, 4, 2, "none", True)],
    "translate": [DSMAPConfig(2, 3, 4, blocks=1), dataclasses.replace(MUNIT, width=2, hidden=4, blocks=1)],
}
BUILD = {"style": feedforward, "superres": superres, "translate": dsmap}
ALL = [(kind, config) for kind, configs in CONFIGS.items() for config in configs]


def values(model):
    return {network_files.key_of(variable): keras.ops.convert_to_numpy(variable) for variable in model.variables}


def filled(kind, config):
    """A network whose every variable differs from what a new one has."""
    model = BUILD[kind](config)
    random = np.random.default_rng(7)
    for variable in model.variables:
        variable.assign(random.uniform(0.01, 0.3, variable.shape).astype("float32"))
    return model


@pytest.fixture(scope="module")
def network():
    """(keras.Model, its config) of the first kind."""
    return filled(*ALL[0]), ALL[0][1]


@pytest.fixture
def npz(tmp_path, network):
    """Writes it with some arrays changed (None drops one) and a part of the head, too; returns the path."""

    def write(head=None, **arrays):
        network_files.save(tmp_path / "whole.npz", *network)
        with np.load(tmp_path / "whole.npz") as file:
            whole = dict(file) | {name.replace("__", "/"): value for name, value in arrays.items()}
        if head is not None:
            told = json.loads(bytes(whole["config"])) | head
            told = {name: value for name, value in told.items() if value is not None}
            whole["config"] = np.frombuffer(json.dumps(told).encode(), np.uint8)
        path = tmp_path / "changed.npz"
        np.savez(path, **{name: value for name, value in whole.items() if value is not None})
        return path

    return write


# There and back


@pytest.mark.parametrize(("kind", "config"), ALL)
@pytest.mark.parametrize("ending", [".npz", ".keras"])
def test_there_and_back(tmp_path, kind, config, ending):
    model = filled(kind, config)
    path = tmp_path / f"network{ending}"
    network_files.save(path, model, config)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    again, told = network_files.load(str(path), kind)
    assert told == config and controls.kind_of(path) == controls.kind_of(str(path)) == kind
    found, wanted = values(again), values(model)
    assert found.keys() == wanted.keys() and len(wanted) == len(model.variables)
    for name, value in wanted.items():
        if ending == ".npz":
            value = value.astype("float16")
        np.testing.assert_array_equal(found[name], value.astype("float32"), err_msg=name)


def test_what_the_npz_holds(tmp_path, network):
    network_files.save(tmp_path / "a.npz", *network)
    with np.load(tmp_path / "a.npz") as file:
        assert json.loads(bytes(file["config"])) == {
            "kind": "style", "version": 1, "network": "compact", "widths": [4, 4, 4, 8], "blocks": 1,
            "normalization": "instance",
        }
        assert {file[name].dtype for name in file.files if name != "config"} == {np.dtype(np.float16)}
        assert set(file.files) == {"config", *values(network[0])}
        assert {"contract1_conv/kernel", "paint_norm/shift"} < set(file.files)


def test_keras_alone_reads_the_keras_file(tmp_path, network):
    network_files.save(tmp_path / "a.keras", *network)
    whole = keras.saving.load_model(tmp_path / "a.keras", compile=False)
    image = np.random.default_rng(1).random((1, 17, 22, 3), np.float32)
    found, wanted = (keras.ops.convert_to_numpy(model(image)) for model in (whole, network[0]))
    np.testing.assert_array_equal(found, wanted)
    assert whole.layers[-1].values["kind"] == "style"


def test_keras_alone_reads_both_domains(tmp_path):
    """A tail that is shared stays one; translations made of the parts are not written along."""
    config = CONFIGS["translate"][0]
    network = filled("translate", config)
    image = np.random.default_rng(1).random((1, 17, 22, 3), np.float32)
    wanted = [keras.ops.convert_to_numpy(one) for one in network(image)]
    translation(network, "a", "b")
    network_files.save(tmp_path / "a.keras", network, config)
    whole = keras.saving.load_model(tmp_path / "a.keras", compile=False)
    for found, one in zip(whole(image), wanted, strict=True):
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(found), one)
    assert len(whole.variables) == len(network.variables)


def test_the_bytes_of_a_shipped_file(tmp_path, network):
    network_files.save(tmp_path / "a.npz", *network)
    model, config = network_files.load(("style_a.npz", (tmp_path / "a.npz").read_bytes()), "style", "mixed_bfloat16")
    assert config == network[1]
    for name, value in values(model).items():
        np.testing.assert_array_equal(value, values(network[0])[name].astype("float16"), err_msg=name)
    assert model.get_layer("deep1a_conv").compute_dtype == "bfloat16"


# What files say of themselves


def test_the_kinds_of_other_files(tmp_path, network_file):
    assert controls.kind_of(network_file) == "arbitrary"
    arbitrary_weights.save(tmp_path / "a.keras", *arbitrary_weights.load(network_file))
    assert controls.kind_of(tmp_path / "a.keras") == "arbitrary"
    np.savez(tmp_path / "b.npz", step=3)
    (tmp_path / "c.keras").write_text("no network")
    (tmp_path / "d.npz").write_bytes(b"")
    assert [controls.kind_of(tmp_path / name) for name in ("b.npz", "c.keras", "d.npz", "gone.npz")] == [None] * 4


# Refused


def test_a_network_of_another_kind(tmp_path, network, network_file, refusal):
    network_files.save(tmp_path / "a.keras", *network)
    network_files.save(tmp_path / "a.npz", *network)
    for name in ("a.keras", "a.npz"):
        assert refusal(network_files.load, tmp_path / name, "superres") == (
            f"{tmp_path / name} holds a network for one style, not a network that enlarges: give another file."
        )
    assert refusal(network_files.load, network_file, "style") == (
        f"{network_file} holds a network for any style, not a network for one style: give another file."
    )
    arbitrary_weights.save(tmp_path / "b.keras", *arbitrary_weights.load(network_file))
    for kind in ("style", "superres"):
        assert refusal(network_files.load, tmp_path / "b.keras", kind).startswith(f"{tmp_path / 'b.keras'} holds a ")
    said = refusal(arbitrary_weights.load, tmp_path / "a.npz")
    assert said.startswith(f"{tmp_path / 'a.npz'} holds no arbitrary-style network of tfstyle")


@pytest.mark.parametrize(("head", "sentence"), [
    ({"kind": "colors"}, "{} holds a network of another make, not a network for one style: give another file."),
    ({"kind": None}, "{} holds a network of another make, not a network for one style: give another file."),
    ({"kind": "superres"}, "{} holds a network that enlarges, not a network for one style: give another file."),
    ({"version": 2}, "{} is of version 2, and this tfstyle reads version 1: export it anew, or update tfstyle."),
    ({"version": None}, "{} is of version None, and this tfstyle reads version 1: export it anew, or update tfstyle."),
    ({"layers": 3}, "{} is damaged, its settings are not those of a network for one style."),
])
def test_heads_that_do_not_fit(npz, refusal, head, sentence):
    path = npz(head)
    assert refusal(network_files.load, path, "style") == sentence.format(path)


@pytest.mark.parametrize(("arrays", "words"), [
    ({"paint_norm__shift": None}, "paint_norm/shift is missing; the network wants shape (3,): give another file."),
    ({"paint_norm__shift": np.zeros(9, "f")}, "paint_norm/shift has shape (9,), but the network wants (3,): "),
    ({"paint_norm__shift": np.full(3, np.nan)}, "paint_norm/shift has values that are not finite numbers: "),
    ({"paint_norm__shift": np.full(3, "a")}, "paint_norm/shift has values that are not finite numbers: "),
    ({"paint_norm__shift": np.arange(3)}, "paint_norm/shift has values that are not finite numbers: "),
])
def test_arrays_that_do_not_fit(npz, refusal, arrays, words):
    path = npz(**arrays)
    assert refusal(network_files.load, path, "style").startswith(f"{path}: {words}")


def test_more_than_the_network_has(npz, refusal):
    path = npz(deep2a_conv__kernel=np.zeros(3, "f"))
    assert refusal(network_files.load, path, "style") == (
        f"{path} holds deep2a_conv/kernel, which this network does not have: give another file."
    )


def test_a_network_of_another_shape(npz, refusal):
    path = npz({"widths": [4, 4, 4, 9]})
    assert "contract4_conv/kernel has shape (3, 3, 4, 8), but the network wants (3, 3, 4, 9)" in refusal(
        network_files.load, path, "style"
    )


@pytest.mark.parametrize("head", [b"", b"{", b"[1]", b"3", b'"style"', b"\xff"])
def test_heads_that_are_none(npz, refusal, head):
    path = npz(config=np.frombuffer(head, np.uint8))
    assert refusal(network_files.load, path, "style").startswith(str(path))
    assert controls.kind_of(path) is None


@pytest.mark.parametrize("head", [
    {"widths": 5}, {"widths": [4, 4]}, {"blocks": "x"}, {"network": "papr"}, {"normalization": 3},
    {"widths": ["a"] * 4}, {"widths": [4, 4, 4, -8]},
])
def test_settings_that_are_none(npz, refusal, head):
    path = npz(head)
    assert refusal(network_files.load, path, "style") == (
        f"{path} is damaged, its settings are not those of a network for one style."
    )


def test_files_that_are_none(tmp_path, network, refusal):
    load = network_files.load
    assert refusal(load, tmp_path / "gone.npz", "style") == (
        f"There is no file '{tmp_path / 'gone.npz'}' with the network's weights; check the path."
    )
    assert refusal(load, tmp_path / "a.h5", "style") == (
        f"{tmp_path / 'a.h5'} has an unknown ending: the network is read from .npz and .keras files."
    )
    network_files.save(tmp_path / "whole.npz", *network)
    network_files.save(tmp_path / "whole.keras", *network)
    for ending in ("npz", "keras"):
        content = (tmp_path / f"whole.{ending}").read_bytes()
        for bad in (b"no network", b"", content[:len(content) // 2]):
            path = tmp_path / f"bad.{ending}"
            path.write_bytes(bad)
            said = refusal(load, path, "style")
            assert said.startswith(f"{path} holds no network of tfstyle, or is damaged (")
    keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]).save(tmp_path / "other.keras")
    assert refusal(load, tmp_path / "other.keras", "style") == (
        f"{tmp_path / 'other.keras'} holds a network of another make, not a network for one style: give another file."
    )
    (tmp_path / "folder.npz").mkdir()
    assert refusal(load, tmp_path / "folder.npz", "style").startswith("There is no file ")


def test_pickles_are_not_opened(tmp_path, refusal):
    data = io.BytesIO()
    np.savez(data, config=np.array([{"kind": "style"}], dtype=object))
    (tmp_path / "a.npz").write_bytes(data.getvalue())
    assert refusal(network_files.load, tmp_path / "a.npz", "style").endswith(
        "holds no network of tfstyle, or is damaged (ValueError): give another file."
    )


# Not written


def test_what_is_not_written(tmp_path, network, refusal):
    for name in ("a.h5", "a", "a.NPZ", "a.KERAS"):  # neither NumPy nor Keras takes capitals
        assert refusal(network_files.save, tmp_path / name, *network) == (
            f"{tmp_path / name} has an unknown ending: the network is written as .npz or .keras."
        )
    loud = filled(*ALL[0])
    loud.get_layer("paint_norm").scale.assign(np.array([1, 1e6, 1], "float32"))
    assert refusal(network_files.save, tmp_path / "a.npz", loud, network[1]) == (
        "paint_norm/scale is not finite in float16; save it as .keras."
    )
    assert "cannot be written (No such file or directory); choose another place." in refusal(
        network_files.save, tmp_path / "gone" / "a.npz", *network
    )
    assert list(tmp_path.iterdir()) == []
    network_files.save(tmp_path / "a.keras", loud, network[1])
    again, _ = network_files.load(tmp_path / "a.keras", "style")
    assert values(again)["paint_norm/scale"].tolist() == [1, 1e6, 1]


@pytest.mark.parametrize("ending", ["npz", "keras"])
def test_a_failed_write_keeps_the_old_file(tmp_path, network, monkeypatch, refusal, ending):
    path = tmp_path / f"network.{ending}"
    path.write_text("old")

    def refuse(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", refuse)
    assert refusal(network_files.save, path, *network) == (
        f"{path} cannot be written (No space left on device); choose another place."
    )
    assert path.read_text() == "old" and len(list(tmp_path.iterdir())) == 1
