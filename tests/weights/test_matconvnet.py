import builtins

import numpy as np
import pytest
import scipy.io

from tfstyle.checks import InputError
from tfstyle.weights import convolutions, load
from tfstyle.weights.matconvnet import oriented, read_matconvnet

MEAN = np.array([120.0, 110.0, 100.0])  # RGB, and unlike the published one


def cell(*values):
    row = np.empty((1, len(values)), dtype=object)
    row[0, :] = values
    return row


def network(layers, layout):
    """`layers` {"conv1_1": (kernel HWIO for RGB, bias)} as MatConvNet's variables."""
    items = []
    for name, (kernel, bias) in layers.items():
        bias = bias[None]
        old = {"filters": kernel, "biases": bias}
        stored = old if layout == "filters" else {"weights": cell(kernel, bias)}
        items.append({"type": "conv", "name": name, **stored, "pad": np.ones((1, 4))})
        items.append({"type": "relu", "name": name.replace("conv", "relu"), "weights": cell()})
    spread = np.zeros((1, 1, 1)) if layout == "new" else np.linspace(-9, 9, 224 * 224).reshape(224, 224, 1)
    normalization = {"averageImage": MEAN + spread, "imageSize": [224, 224, 3]}
    if layout == "new":
        return {"layers": cell(*items), "meta": {"normalization": normalization}}
    return {"layers": cell(*items), "normalization": normalization}


@pytest.fixture(scope="module")
def vgg16():
    layers = {}
    for number, (layer, (before, width)) in enumerate(convolutions("vgg16").items(), start=1):
        kernel = np.full((3, 3, before, width), number, "uint8")
        kernel[0, 1], kernel[2, 1], kernel[1, 0] = 50, 60, 70
        kernel[1, 1, :, 3] = np.arange(before) % 200
        layers[f"conv{layer[5]}_{layer[-1]}"] = kernel, (np.arange(width) % 100).astype("uint8")
    return layers


@pytest.mark.parametrize("layout", ["filters", "weights", "new"])
def test_layouts(tmp_path, vgg16, layout):
    path = tmp_path / "imagenet-vgg-verydeep-16.mat"
    scipy.io.savemat(path, network(vgg16, layout))
    weights = load(path, "vgg16")
    np.testing.assert_allclose(weights.mean, MEAN, rtol=1e-6)
    for layer, (kernel, bias) in weights.arrays.items():
        expected, expected_bias = vgg16[f"conv{layer[5]}_{layer[-1]}"]
        if layer == "block1_conv1":
            expected = expected[:, :, [2, 1, 0]]
        np.testing.assert_array_equal(kernel, expected)
        np.testing.assert_array_equal(bias, expected_bias)


def test_variables_inside_net(tmp_path, vgg16):
    few = {name: vgg16[name] for name in ("conv1_1", "conv1_2")}
    scipy.io.savemat(tmp_path / "net.mat", {"net": network(few, "new")})
    found, mean = read_matconvnet(tmp_path / "net.mat")
    assert list(found) == ["conv1_1", "conv1_2"]
    np.testing.assert_allclose(mean, MEAN)


def test_without_a_mean_pixel(tmp_path, vgg16):
    few = network({"conv1_1": vgg16["conv1_1"]}, "weights")
    few["normalization"]["averageImage"] = np.zeros((1, 2))
    scipy.io.savemat(tmp_path / "net.mat", few)
    assert read_matconvnet(tmp_path / "net.mat")[1] is None


@pytest.mark.parametrize("resaved", [False, True], ids=["as published", "width first"])
def test_features_of_a_picture(tmp_path, resaved):
    """RGB minus the mean in RGB, filtered height by width as MatConvNet does it, comes out of `vgg`."""
    from tfstyle.nets.vgg import vgg

    layers = {f"conv{layer[5]}_{layer[-1]}": parts for layer, parts in load().arrays.items()}
    layers["conv1_1"] = layers["conv1_1"][0][:, :, ::-1], layers["conv1_1"][1]
    stored = {name: (k.swapaxes(0, 1) if resaved else k, b) for name, (k, b) in layers.items()}
    scipy.io.savemat(tmp_path / "imagenet-vgg-verydeep-19.mat", network(stored, "weights"))
    weights = load(tmp_path / "imagenet-vgg-verydeep-19.mat")

    picture = np.random.default_rng(0).random((5, 6, 3), dtype="float32")
    found = np.asarray(vgg("conv1_1", weights=weights)(picture[None])["conv1_1"])[0]
    around = np.pad(picture * 255 - MEAN, ((1, 1), (1, 1), (0, 0)))
    kernel, bias = layers["conv1_1"]
    for y, x in [(0, 0), (2, 3), (4, 5)]:
        expected = np.einsum("hwi,hwio->o", around[y:y + 3, x:x + 3], kernel) + bias
        np.testing.assert_allclose(found[y, x], expected, rtol=1e-3, atol=1e-2)


def test_swapped_filters_are_turned_back():
    kernel = load().arrays["block1_conv1"][0]
    deeper = np.arange(9.0).reshape(3, 3, 1, 1)
    upright = {"conv1_1": {"kernel": kernel * 1.001, "bias": 1}, "conv1_2": {"kernel": deeper, "bias": 2}}
    swapped = {name: {**parts, "kernel": parts["kernel"].swapaxes(0, 1)} for name, parts in upright.items()}
    for found in (upright, swapped):
        turned = oriented(found, kernel)
        np.testing.assert_allclose(turned["conv1_1"]["kernel"], kernel, rtol=0.01)
        np.testing.assert_array_equal(turned["conv1_2"]["kernel"], deeper)
        assert turned["conv1_2"]["bias"] == 2


def test_filters_of_another_network_stay_as_they_are():
    kernel = load().arrays["block1_conv1"][0]
    found = {"conv1_1": {"kernel": np.random.default_rng(0).normal(size=kernel.shape), "bias": 1}}
    assert oriented(found, kernel) is found
    assert oriented({}, kernel) == {}


def test_wrong_shape_names_the_layer(tmp_path, vgg16):
    broken = vgg16 | {"conv1_2": (vgg16["conv1_2"][0][:, :, :32], vgg16["conv1_2"][1])}
    scipy.io.savemat(tmp_path / "vgg.mat", network(broken, "weights"))
    with pytest.raises(InputError, match=r"block1_conv2 has shape \(3, 3, 32, 64\), but vgg16 wants"):
        load(tmp_path / "vgg.mat", "vgg16")


def test_other_matlab_files(tmp_path):
    scipy.io.savemat(tmp_path / "other.mat", {"x": np.zeros(3)})
    with pytest.raises(InputError, match="kernel of block1_conv1 is missing"):
        load(tmp_path / "other.mat")
    header = b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM"
    (tmp_path / "new.mat").write_bytes(header + b"\0" * 384 + b"\x89HDF\r\n\x1a\n")
    with pytest.raises(InputError, match=r"MATLAB 7\.3 file.*-v7"):
        load(tmp_path / "new.mat")


def test_truncated(tmp_path, vgg16):
    path = tmp_path / "vgg.mat"
    scipy.io.savemat(path, network({"conv1_1": vgg16["conv1_1"], "conv1_2": vgg16["conv1_2"]}, "weights"))
    content = path.read_bytes()
    path.write_bytes(content[:len(content) // 2])
    with pytest.raises(InputError, match=r"cannot be read as a \.mat file.*cut short"):
        load(path, "vgg16")


def test_without_scipy(tmp_path, monkeypatch):
    (tmp_path / "vgg.mat").write_bytes(b"anything")
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name.startswith("scipy"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(InputError, match=r"pip install 'tfstyle\[matconvnet\]'"):
        load(tmp_path / "vgg.mat")
