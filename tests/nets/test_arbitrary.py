"""The arbitrary-style network: its shapes, and its weights through files."""

import hashlib
import json

import keras
import numpy as np
import pytest

from tfstyle.checks import InputError
from tfstyle.nets import arbitrary_weights
from tfstyle.nets.arbitrary import PREDICTOR_LAYERS, ArbitraryConfig, style_predictor, transformer
from tfstyle.weights import files, mean_activations

# Keras reads TensorFlow's variables in a way that NumPy 2 wants changed.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

CONFIG = ArbitraryConfig(widths=(4, 6, 8, 8), blocks=1, code=12, hidden=16)
SIZES = [(16, 16), (17, 17), (16, 23), (31, 100), (45, 61)]


@pytest.fixture(scope="module")
def network(network_file):
    return arbitrary_weights.load(network_file)


@pytest.fixture(scope="module")
def codes():
    return np.random.default_rng(3).standard_normal((2, 12), np.float32)


def painted(model, image, code):
    return keras.ops.convert_to_numpy(model([image, code]))


def pictures(count, height, width):
    return np.random.default_rng(height * width).random((count, height, width, 3), np.float32)


def values(model):
    return [keras.ops.convert_to_numpy(v) for v in model.variables]


# The network


@pytest.mark.parametrize("size", SIZES)
def test_the_result_is_as_large_as_the_picture(network, codes, size):
    found = painted(network[1], pictures(2, *size), codes)
    assert found.shape == (2, *size, 3) and found.dtype == np.float32
    assert 0 <= found.min() < found.max() <= 1


def test_every_picture_is_painted_under_its_own_code(network, codes):
    images = pictures(2, 24, 32)
    both = painted(network[1], images, codes)
    for i in range(2):
        np.testing.assert_allclose(both[i:i + 1], painted(network[1], images[i:i + 1], codes[i:i + 1]), atol=1e-5)
    assert np.abs(both[0] - painted(network[1], images, codes[::-1])[0]).mean() > 0.01


def test_contrast_and_brightness_of_the_photo_are_of_no_matter(network, codes):
    """Instance normalization forgets them, at the first layer already."""
    images = pictures(1, 24, 24)
    same = painted(network[1], 0.5 * images + 0.3, codes[:1])
    np.testing.assert_allclose(same, painted(network[1], images, codes[:1]), atol=1e-2)


def test_the_predictor_reads_moments_in_units_of_mean_activations(network):
    """1920 numbers: mean and deviation of 64, 128, 256 and 512 channels; by hand."""
    means = mean_activations()
    unit = np.concatenate([np.maximum(means[f"block{name[4]}_conv1"], 0.01) for name in PREDICTOR_LAYERS for _ in "md"])
    assert unit.shape == (1920,)
    moments = 2 * unit * np.random.default_rng(0).random((3, 1920), np.float32)
    kernel, bias, last, end = values(network[0])
    wanted = np.maximum(np.log1p(moments / unit) @ kernel + bias, 0) @ last + end
    np.testing.assert_allclose(keras.ops.convert_to_numpy(network[0](moments)), wanted, atol=1e-4)


def test_the_shape_that_is_shipped_fits_into_8_mb():
    count = style_predictor().count_params() + transformer().count_params()
    assert 1e6 < count < 8e6 / 2  # two bytes each


def test_bfloat16_paints_nearly_the_same(network_file, network, codes):
    images = pictures(1, 45, 61)
    _, rough, _ = arbitrary_weights.load(network_file, "mixed_bfloat16")
    assert {keras.backend.standardize_dtype(v.dtype) for v in rough.variables} == {"float32"}
    difference = np.abs(painted(rough, images, codes[:1]) - painted(network[1], images, codes[:1]))
    assert 0 < difference.mean() < 0.01 and difference.max() < 0.15


# Weights through files


def test_npz_there_and_back(tmp_path, network):
    """The fixture's file holds float16 already, so nothing more is lost."""
    arbitrary_weights.save(tmp_path / "again.npz", *network)
    *models, config = arbitrary_weights.load(str(tmp_path / "again.npz"))
    assert config == CONFIG
    for model, before in zip(models, network[:2], strict=True):
        for found, wanted in zip(values(model), values(before), strict=True):
            np.testing.assert_array_equal(found, wanted)
    assert [file.name for file in tmp_path.iterdir()] == ["again.npz"]


def test_what_the_npz_holds(network_file, network):
    with np.load(network_file) as file:
        assert json.loads(bytes(file["config"])) == {"widths": [4, 6, 8, 8], "blocks": 1, "code": 12, "hidden": 16}
        assert {file[name].dtype for name in file.files if name != "config"} == {np.dtype(np.float16)}
        parts = {"predictor": network[0], "transformer": network[1]}
        names = {f"{part}/{variable.path}" for part, model in parts.items() for variable in model.variables}
        assert set(file.files) == names | {"config"}
        assert "transformer/contract1_conv/kernel" in names and "predictor/code/bias" in names


def test_keras_there_and_back(tmp_path, network, codes):
    path = tmp_path / "network.keras"
    arbitrary_weights.save(path, *network)
    assert [file.name for file in tmp_path.iterdir()] == ["network.keras"]
    predictor, painter, config = arbitrary_weights.load(path)
    assert config == CONFIG
    images, moments = pictures(1, 17, 31), 9 * np.random.default_rng(1).random((1, 1920), np.float32)
    wanted = painted(network[1], images, codes[:1])
    np.testing.assert_array_equal(painted(painter, images, codes[:1]), wanted)
    np.testing.assert_array_equal(*(keras.ops.convert_to_numpy(m(moments)) for m in (predictor, network[0])))
    # And with Keras alone, as one model: photo and moments in, picture out.
    whole = keras.saving.load_model(path)
    code = keras.ops.convert_to_numpy(network[0](moments))
    found = keras.ops.convert_to_numpy(whole([images, moments]))
    np.testing.assert_allclose(found, painted(network[1], images, code), atol=1e-6)


def test_a_failed_write_keeps_the_old_file(tmp_path, network, monkeypatch):
    path = tmp_path / "network.npz"
    path.write_text("old")

    def refuse(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", refuse)
    with pytest.raises(InputError, match="network.npz cannot be written .No space left on device.; choose another"):
        arbitrary_weights.save(path, *network)
    assert path.read_text() == "old" and len(list(tmp_path.iterdir())) == 1


def test_what_is_not_written(tmp_path, network):
    with pytest.raises(InputError, match="unknown ending: the network is written as .npz or .keras"):
        arbitrary_weights.save(tmp_path / "network.h5", *network)
    predictor = style_predictor(CONFIG)
    predictor.get_layer("code").kernel.assign(np.full((16, 12), 1e6, np.float32))
    with pytest.raises(InputError, match="predictor/code/kernel is not finite in float16"):
        arbitrary_weights.save(tmp_path / "network.npz", predictor, *network[1:])
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def changed(tmp_path, network_file):
    """Writes the network's file again with some arrays changed (None drops one); returns the path."""

    def change(**arrays):
        with np.load(network_file) as file:
            whole = dict(file) | {name.replace("__", "/"): value for name, value in arrays.items()}
        path = tmp_path / "changed.npz"
        np.savez(path, **{name: value for name, value in whole.items() if value is not None})
        return path

    return change


@pytest.mark.parametrize(("arrays", "words"), [
    ({"predictor__code__bias": None}, r"predictor/code/bias is missing; the network wants shape \(12,\)"),
    ({"predictor__code__bias": np.zeros(9, "f")}, r"code/bias has shape \(9,\), but the network wants \(12,\)"),
    ({"predictor__code__bias": np.full(12, np.nan)}, "code/bias has values that are not finite numbers"),
    ({"predictor__code__bias": np.full(12, "a")}, "code/bias has values that are not finite numbers"),
    ({"transformer__deep2a_conv__kernel": np.zeros(3)}, "holds transformer/deep2a_conv/kernel, which this network"),
    ({"config": None}, "holds no arbitrary-style network of tfstyle, or is damaged"),
    ({"config": np.frombuffer(b'{"width": 3}', np.uint8)}, "holds no arbitrary-style network of tfstyle"),
    ({"config": np.frombuffer(b'{"widths": [4, 6, 8, 8], "predictor": "vgg"}', np.uint8)}, "holds no arbitrary-style"),
])
def test_a_file_of_another_network(changed, arrays, words):
    with pytest.raises(InputError, match=words) as error:
        arbitrary_weights.load(changed(**arrays))
    assert "changed.npz" in str(error.value) and str(error.value).endswith(".")


def test_files_that_are_none(tmp_path):
    with pytest.raises(InputError, match="There is no file '.*gone.npz' with the network's weights"):
        arbitrary_weights.load(tmp_path / "gone.npz")
    for name in ("text.npz", "text.keras"):
        (tmp_path / name).write_text("no network")
        with pytest.raises(InputError, match=f"{name} holds no arbitrary-style network .* give another file"):
            arbitrary_weights.load(tmp_path / name)
    with pytest.raises(InputError, match="unknown ending: the network is read from .npz and .keras files"):
        arbitrary_weights.load(tmp_path / "network.h5")
    keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]).save(tmp_path / "other.keras")
    with pytest.raises(InputError, match="other.keras holds no arbitrary-style network"):
        arbitrary_weights.load(tmp_path / "other.keras")


def test_the_shipped_file_is_verified(tmp_path, monkeypatch, network_file):
    content = network_file.read_bytes()
    (tmp_path / files.MEANS).write_bytes((files.HERE / files.MEANS).read_bytes())
    monkeypatch.setattr(files, "HERE", tmp_path)
    monkeypatch.delitem(files.SHIPPED, files.ARBITRARY, raising=False)
    with pytest.raises(InputError, match="arbitrary.npz is not part of this version of tfstyle: give the path"):
        arbitrary_weights.load()
    monkeypatch.setitem(files.SHIPPED, files.ARBITRARY, hashlib.sha256(content).hexdigest())
    with pytest.raises(InputError, match="arbitrary.npz of the package tfstyle cannot be read: reinstall"):
        arbitrary_weights.load()
    (tmp_path / files.ARBITRARY).write_bytes(content)
    assert arbitrary_weights.load()[2] == CONFIG
    (tmp_path / files.ARBITRARY).write_bytes(content[:-1] + b"x")
    with pytest.raises(InputError, match="arbitrary.npz of the package tfstyle is damaged"):
        arbitrary_weights.load("default")
