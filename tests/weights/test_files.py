import hashlib
import subprocess
import sys

import h5py
import numpy as np
import pytest

from tfstyle.checks import InputError
from tfstyle.weights import VGGWeights, convolutions, files, load, mean_activations

# Keras reads TensorFlow's variables in a way that NumPy 2 wants changed.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def made_up(network):
    """Small whole numbers, different for each layer, that a file of uint8 holds without loss."""
    arrays = {}
    for number, (layer, (before, width)) in enumerate(convolutions(network).items(), start=1):
        kernel = np.full((3, 3, before, width), number, "uint8")
        kernel[0, 1, 2, :5] = 100 + np.arange(5)
        arrays[layer] = kernel, (np.arange(width) % 200).astype("uint8")
    return arrays


@pytest.fixture(scope="module")
def vgg16():
    return made_up("vgg16")


def check_same(weights, expected):
    assert list(weights.arrays) == list(expected)
    for layer, (kernel, bias) in expected.items():
        found_kernel, found_bias = weights.arrays[layer]
        assert found_kernel.dtype == found_bias.dtype == np.float32
        np.testing.assert_array_equal(found_kernel, kernel)
        np.testing.assert_array_equal(found_bias, bias)


def save_npz(path, arrays, name="{}"):
    parts = {}
    for layer, (kernel, bias) in arrays.items():
        parts[f"{name.format(layer)}/kernel"], parts[f"{name.format(layer)}/bias"] = kernel, bias
    np.savez(path, **parts)
    return path


def test_table_of_convolutions():
    assert len(convolutions("vgg16")) == 13
    assert len(convolutions("vgg19")) == 16
    assert convolutions("vgg19")["block3_conv4"] == (256, 256)
    assert convolutions("vgg16")["block4_conv1"] == (256, 512)
    assert sum(width for _, width in convolutions("vgg19").values()) == 5504
    with pytest.raises(InputError, match="did you mean 'vgg16'"):
        convolutions("vgg-16")


def test_default_is_the_shipped_file():
    weights = load()
    path = files.HERE / "vgg19_imagenet_palette8.npz"
    assert isinstance(weights, VGGWeights) and weights.network == "vgg19"
    assert weights.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    np.testing.assert_allclose(weights.mean, [123.68, 116.779, 103.939], rtol=1e-6)
    with np.load(path) as data:
        index, table = data["block3_conv2/kernel_index"], data["block3_conv2/kernel_table"]
        bias = data["block3_conv2/bias"]
    kernel, found_bias = weights.arrays["block3_conv2"]
    for place in [(0, 0, 0, 0), (2, 0, 100, 200), (1, 2, 255, 255)]:
        assert kernel[place] == table[index[place]]
    np.testing.assert_array_equal(found_bias, bias)
    for layer, (before, width) in convolutions("vgg19").items():
        assert weights.arrays[layer][0].shape == (3, 3, before, width)
        assert weights.arrays[layer][1].shape == (width,)


def test_default_imports_only_numpy():
    code = (
        "import sys; from tfstyle.weights import load; load(); "
        "print([m for m in ('tensorflow', 'keras', 'jax', 'torch', 'scipy', 'h5py') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(("file", "use"), [(files.DEFAULT, load), (files.MEANS, mean_activations)])
def test_damaged_or_missing_shipped_file(tmp_path, monkeypatch, file, use):
    content = bytearray((files.HERE / file).read_bytes())
    content[len(content) // 2] ^= 1
    monkeypatch.setattr(files, "HERE", tmp_path)
    with pytest.raises(InputError, match=f"{file}.*reinstall tfstyle"):
        use()
    (tmp_path / file).write_bytes(content)
    with pytest.raises(InputError, match=f"{file}.*damaged.*reinstall tfstyle"):
        use()


def test_no_vgg16_is_shipped():
    with pytest.raises(InputError) as error:
        load("default", "vgg16")
    assert str(error.value) == (
        "No vgg16 weights are shipped: give imagenet or a file's path as the network's weights."
    )


def test_mean_activations():
    means = mean_activations()
    assert list(means) == list(convolutions("vgg19"))
    for layer, (_, width) in convolutions("vgg19").items():
        assert means[layer].shape == (width,) and means[layer].dtype == np.float32
        assert np.isfinite(means[layer]).all() and (means[layer] >= 0).all()


@pytest.mark.parametrize("name", ["{}", "model/{}"])
def test_plain_npz(tmp_path, vgg16, name):
    path = save_npz(tmp_path / "vgg.npz", vgg16, name)
    weights = load(path, "vgg16")
    check_same(weights, vgg16)
    assert weights.source == str(path)
    assert weights.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_npz_with_the_names_of_the_paper(tmp_path, vgg16):
    named = {layer.replace("block", "conv").replace("_conv", "_"): parts for layer, parts in vgg16.items()}
    named["fc6"] = np.zeros((7, 7)), np.zeros(3)
    assert "conv4_2" in named
    check_same(load(str(save_npz(tmp_path / "vgg.npz", named)), "vgg16"), vgg16)


def test_palette_npz(tmp_path, vgg16):
    table = np.linspace(-1, 1, 256, dtype="float32")
    parts = {}
    for layer, (kernel, bias) in vgg16.items():
        parts |= {f"{layer}/kernel_index": kernel, f"{layer}/kernel_table": table, f"{layer}/bias": bias}
    np.savez(tmp_path / "palette.npz", **parts)
    expected = {layer: (table[kernel], bias) for layer, (kernel, bias) in vgg16.items()}
    check_same(load(tmp_path / "palette.npz", "vgg16"), expected)


# Where each generation of Keras put block1_conv1's kernel and bias.
LAYOUTS = {
    "keras 1": ("{0}/{0}_W_1:0", "{0}/{0}_b_1:0"),
    "keras 2": ("{0}/{0}/kernel:0", "{0}/{0}/bias:0"),
    "whole model": ("model_weights/{0}/{0}/kernel", "model_weights/{0}/{0}/bias"),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_older_h5(tmp_path, vgg16, layout):
    with h5py.File(tmp_path / "vgg.h5", "w") as file:
        for layer, parts in vgg16.items():
            for name, values in zip(LAYOUTS[layout], parts, strict=True):
                file[name.format(layer)] = values
        file["fc1/fc1/kernel:0"] = np.zeros((4, 4))
    check_same(load(tmp_path / "vgg.h5", "vgg16"), vgg16)


def test_keras3_weights_without_names(tmp_path, vgg16):
    with h5py.File(tmp_path / "vgg.weights.h5", "w") as file:
        for number, (kernel, bias) in enumerate(vgg16.values()):
            group = file.create_group(f"layers/conv2d_{number}/vars" if number else "layers/conv2d/vars")
            group["0"], group["1"] = kernel, bias
        file["optimizer/vars/0"] = np.zeros(3)
        file["layers/dense/vars/0"] = np.zeros(3)
    check_same(load(tmp_path / "vgg.weights.h5", "vgg16"), vgg16)


def test_weights_h5_written_by_keras(tmp_path, vgg16):
    import keras

    model = keras.applications.VGG16(weights=None, include_top=False, input_shape=(None, None, 3))
    for layer, parts in vgg16.items():
        model.get_layer(layer).set_weights(parts)
    model.save_weights(tmp_path / "vgg.weights.h5")
    check_same(load(tmp_path / "vgg.weights.h5", "vgg16"), vgg16)


def test_bfloat16_weights_h5(tmp_path):
    import keras

    image = keras.Input((None, None, 3))
    layer = keras.layers.Conv2D(64, 3, dtype="bfloat16", name="block1_conv1")
    model = keras.Model(image, layer(image))
    kernel = np.full((3, 3, 3, 64), 1.5, "float32")
    layer.set_weights([kernel, np.full(64, -0.25, "float32")])
    model.save_weights(tmp_path / "one.weights.h5")
    with pytest.raises(InputError, match=r"kernel of block1_conv2 is missing; vgg19 wants shape \(3, 3, 64"):
        load(tmp_path / "one.weights.h5")
    found = files.read_hdf5(tmp_path / "one.weights.h5")["block1_conv1"]
    np.testing.assert_array_equal(found["kernel"].astype("float32"), kernel)
    np.testing.assert_array_equal(found["bias"].astype("float32"), np.full(64, -0.25))


def test_imagenet_comes_from_keras(monkeypatch, vgg16):
    import keras

    class Layer:
        def __init__(self, parts):
            self.get_weights = lambda: list(parts)

    class Model:
        get_layer = staticmethod(lambda name: Layer(vgg16[name]))

    def build(weights, include_top):
        assert (weights, include_top) == ("imagenet", False)
        return Model

    monkeypatch.setattr(keras.applications, "VGG16", build)
    weights = load("imagenet", "vgg16")
    check_same(weights, vgg16)
    assert weights.sha256 is None and "keras.applications" in weights.source


@pytest.mark.parametrize(("network", "advice"), [
    ("vgg16", r"the path of a file\.$"), ("vgg19", r"the path of a file, or the weights default\.$"),
])
def test_imagenet_without_a_network(monkeypatch, network, advice):
    import keras

    def fail(**_):
        raise OSError("URL fetch failure on https://...: None -- Name or service not known")

    monkeypatch.setattr(keras.applications, network.upper(), fail)
    with pytest.raises(InputError, match=f"could not fetch the ImageNet weights of {network}.*{advice}"):
        load("imagenet", network)


def test_the_other_network(tmp_path, vgg16):
    path = save_npz(tmp_path / "vgg16.npz", vgg16)
    with pytest.raises(InputError, match=r"vgg16\.npz holds vgg16, not vgg19: use the network vgg16 or another file"):
        load(path, "vgg19")
    path = save_npz(tmp_path / "vgg19.npz", made_up("vgg19"))
    with pytest.raises(InputError, match=r"vgg19\.npz holds vgg19, not vgg16"):
        load(path, "vgg16")


def changed(arrays, layer, *, kernel=None, bias=None):
    """The layers up to `layer`, with that one replaced."""
    names = list(arrays)[:list(arrays).index(layer) + 1]
    result = {name: arrays[name] for name in names}
    old_kernel, old_bias = result[layer]
    result[layer] = old_kernel if kernel is None else kernel, old_bias if bias is None else bias
    return result


@pytest.mark.parametrize(("change", "sentence"), [
    ({"kernel": np.zeros((64, 64, 3, 3))},
     r"kernel of block1_conv2 has shape \(64, 64, 3, 3\), but vgg16 wants \(3, 3, 64, 64\)"),
    ({"bias": np.zeros(128)}, r"bias of block1_conv2 has shape \(128,\), but vgg16 wants \(64,\)"),
    ({"bias": np.full(64, np.nan)}, "bias of block1_conv2 has values that are not finite"),
    ({"bias": np.full(64, "x")}, "bias of block1_conv2 is not numbers"),
])
def test_wrong_layer(tmp_path, vgg16, change, sentence):
    path = save_npz(tmp_path / "vgg.npz", changed(vgg16, "block1_conv2", **change))
    with pytest.raises(InputError, match=sentence):
        load(path, "vgg16")


def test_missing_layer_and_missing_bias(tmp_path, vgg16):
    path = save_npz(tmp_path / "vgg.npz", {k: v for k, v in vgg16.items() if k != "block2_conv2"})
    with pytest.raises(InputError, match=r"kernel of block2_conv2 is missing; vgg16 wants shape \(3, 3, 128"):
        load(path, "vgg16")
    np.savez(tmp_path / "half.npz", **{"block1_conv1/kernel": vgg16["block1_conv1"][0]})
    with pytest.raises(InputError, match="bias of block1_conv1 is missing"):
        load(tmp_path / "half.npz", "vgg16")
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    with pytest.raises(InputError, match="kernel of block1_conv1 is missing"):
        load(tmp_path / "other.npz")


@pytest.mark.parametrize("ending", [".npz", ".h5", ".weights.h5", ".mat"])
@pytest.mark.parametrize("content", [b"", b"Dear reader,\n" * 99, b"PK\x03\x04", b"\x89HDF\r\n\x1a\n"])
def test_not_what_its_name_says(tmp_path, ending, content):
    path = tmp_path / f"vgg{ending}"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"cannot be read as a .*fetch it again"):
        load(path)


@pytest.mark.parametrize("keep", [0.3, 0.9, 0.999])
def test_truncated(tmp_path, vgg16, keep):
    few = changed(vgg16, "block2_conv1")
    npz = save_npz(tmp_path / "vgg.npz", few)
    with h5py.File(tmp_path / "vgg.h5", "w") as file:
        for layer, (kernel, bias) in few.items():
            file[f"{layer}/{layer}/kernel:0"], file[f"{layer}/{layer}/bias:0"] = kernel, bias
    for path in (npz, tmp_path / "vgg.h5"):
        content = path.read_bytes()
        path.write_bytes(content[:int(len(content) * keep)])
        with pytest.raises(InputError, match=r"cannot be read as a .*cut short"):
            load(path, "vgg16")


def test_flipped_byte_in_npz(tmp_path, vgg16):
    path = save_npz(tmp_path / "vgg.npz", changed(vgg16, "block1_conv2"))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"cannot be read as a .*damaged"):
        load(path, "vgg16")


def test_pickles_are_never_opened(tmp_path):
    class Trap:
        def __reduce__(self):
            return (pytest.fail, ("unpickled",))

    np.savez(tmp_path / "vgg.npz", **{"block1_conv1/kernel": np.array([Trap()], dtype=object)})
    with pytest.raises(InputError, match="cannot be read"):
        load(tmp_path / "vgg.npz")


@pytest.mark.parametrize(("name", "sentence"), [
    ("defualt", "no file of weights 'defualt'; did you mean 'default'"),
    ("/no/such/folder/vgg.h5", "no file of weights '/no/such/folder/vgg.h5'"),
    (None, "path of a file; received None"),
    (19, "path of a file; received 19"),
])
def test_not_a_name(name, sentence):
    with pytest.raises(InputError, match=sentence):
        load(name)


def test_folders_and_unknown_endings(tmp_path):
    with pytest.raises(InputError, match="is a folder"):
        load(tmp_path)
    (tmp_path / "vgg.pth").write_bytes(b"1234")
    with pytest.raises(InputError, match=r"unknown ending: weights are read from \.h5"):
        load(tmp_path / "vgg.pth")
