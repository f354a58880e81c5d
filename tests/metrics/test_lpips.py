"""LPIPS against NumPy, its files in all their forms, and the pairing of diversity."""

import collections
import functools
import itertools
import os
import pickle
import struct
import sys
import types
import zipfile

import numpy as np
import pytest
from PIL import Image

from tfstyle.metrics import diversity, lpips_distance
from tfstyle.metrics import lpips as module
from tfstyle.weights import convolutions

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

RNG = np.random.default_rng(11)
PARTS = ("kernel", "bias")
WIDTHS = (64, 128, 256, 512, 512)
MAGIC = 0x1950A86A20F9469CFC6C


# PyTorch's files, written without PyTorch


class Storage:
    def __init__(self, key, values):
        self.key, self.values = key, values


class Tensor:
    """An array that is pickled as PyTorch pickles tensors."""

    how = "_rebuild_tensor_v2"

    def __init__(self, key, values, strides=None):
        self.storage, self.shape = Storage(key, values), values.shape
        self.strides = strides or tuple(s // values.itemsize for s in values.strides)

    def __reduce__(self):
        rest = (False, collections.OrderedDict()) if self.how.endswith("v2") else ()
        return getattr(sys.modules["torch._utils"], self.how), (self.storage, 0, self.shape, self.strides, *rest)


@pytest.fixture
def save(monkeypatch):
    """Writes {name: array} as a state dict: save(path, arrays, old=False, how=..., strides=...).

    `how` is PyTorch's function that makes the tensors, or "Parameter" for objects with a state, as before its 0.4.
    """

    def with_state(name):
        return type(name, (), {"__getstate__": lambda self: self.state})

    def parameter(tensor):
        inner, outer = (stubs[home].__dict__[name]() for home, name in (
            ("torch", "FloatTensor"), ("torch.nn.parameter", "Parameter"),
        ))
        inner.state = tensor.storage, 0, tensor.shape, tensor.strides
        outer.state = inner, None, None, False, {}
        return outer

    def stub(name, **members):
        made = types.ModuleType(name)
        for key, value in members.items():
            value.__module__, value.__qualname__ = name, key
            setattr(made, key, value)
        return made

    kinds = {f"{kind}Storage": type(f"{kind}Storage", (), {}) for kind in ("Half", "Float", "Double", "Int")}
    functions = {name: lambda *_: None for name in ("_rebuild_tensor", "_rebuild_tensor_v2")}
    stubs = {
        "torch": stub("torch", FloatTensor=with_state("FloatTensor"), **kinds),
        "torch._utils": stub("torch._utils", **functions),
        "torch.nn": types.ModuleType("torch.nn"),
        "torch.nn.parameter": stub("torch.nn.parameter", Parameter=with_state("Parameter")),
    }

    class Pickler(pickle.Pickler):
        def persistent_id(self, thing):
            if not isinstance(thing, Storage):
                return None
            kind = {"f2": "Half", "f4": "Float", "f8": "Double", "i4": "Int"}[thing.values.dtype.str[1:]]
            return "storage", kinds[f"{kind}Storage"], thing.key, "cpu", thing.values.size, *self.more

    def write(path, arrays, old=False, how="_rebuild_tensor_v2", strides=None):
        monkeypatch.setattr(Tensor, "how", how)
        tensors = collections.OrderedDict(
            (name, Tensor(str(i), array, strides)) for i, (name, array) in enumerate(arrays.items())
        )
        state = collections.OrderedDict(
            (name, parameter(tensor) if how == "Parameter" else tensor) for name, tensor in tensors.items()
        )
        state._metadata = {"": {"version": 1}}
        Pickler.more = (None,) if old else ()
        with monkeypatch.context() as patch, open(path, "wb") as file:
            for name, module in stubs.items():
                patch.setitem(sys.modules, name, module)
            if old:
                for part in (MAGIC, 1001, {"protocol_version": 1001, "little_endian": True, "type_sizes": {}}):
                    pickle.dump(part, file, 2)
                Pickler(file, 2).dump(state)
                keys = [str(i) for i in reversed(range(len(arrays)))]
                pickle.dump(keys, file, 2)
                for key in keys:
                    values = tensors[list(arrays)[int(key)]].storage.values
                    file.write(struct.pack("<q", values.size) + values.tobytes())
                return path
            with zipfile.ZipFile(file, "w") as archive:
                with archive.open("archive/data.pkl", "w") as inner:
                    Pickler(inner, 2).dump(state)
                for tensor in tensors.values():
                    archive.writestr(f"archive/data/{tensor.storage.key}", tensor.storage.values.tobytes())
        return path

    return write


# A network and its weights


@pytest.fixture(scope="module")
def convolved():
    """A VGG-16 of random weights: {layer: (kernel HWIO, bias)}, for BGR in 0..255 minus Keras' mean."""
    found = {}
    for layer, (before, width) in convolutions("vgg16").items():
        kernel = RNG.standard_normal((3, 3, before, width), np.float32) * np.float32((2 / (9 * before)) ** 0.5)
        found[layer] = kernel / (60 if before == 3 else 1), RNG.random(width, np.float32) * np.float32(0.1)
    return found


@pytest.fixture(scope="module")
def network(convolved, tmp_path_factory):
    path = tmp_path_factory.mktemp("vgg16") / "vgg16.npz"
    np.savez(path, **{f"{name}/{part}": pair[i] for name, pair in convolved.items() for i, part in enumerate(PARTS)})
    return path


@pytest.fixture(scope="module")
def learned():
    return [RNG.random(width, np.float32) - np.float32(0.1) for width in WIDTHS]


@pytest.fixture(scope="module")
def weights(learned, tmp_path_factory):
    path = tmp_path_factory.mktemp("lpips") / "lpips.npz"
    np.savez(path, **{f"lin{i}": values for i, values in enumerate(learned)})
    return path


@pytest.fixture(scope="module")
def pictures():
    return [RNG.integers(0, 256, (17, 20, 3), dtype=np.uint8) for _ in range(3)]


def recomputed(first, second, kernels, learned, prepared):
    """LPIPS by NumPy in float64; `prepared` scales a picture of float64 in 0..255."""

    def directions(picture):
        x, found = prepared(picture.astype(np.float64)), []
        for name, (kernel, bias) in kernels.items():
            if name.endswith("conv1") and not name.startswith("block1"):
                height, width = x.shape[0] // 2, x.shape[1] // 2
                x = x[:2 * height, :2 * width].reshape(height, 2, width, 2, -1).max(axis=(1, 3))
            wide = np.pad(x, ((1, 1), (1, 1), (0, 0)))
            around = np.concatenate(
                [wide[i:i + x.shape[0], j:j + x.shape[1]] for i, j in itertools.product(range(3), range(3))], axis=-1
            )
            x = np.maximum(around @ kernel.astype(np.float64).reshape(-1, kernel.shape[-1]) + bias, 0)
            if name in ("block1_conv2", "block2_conv2", "block3_conv3", "block4_conv3", "block5_conv3"):
                found.append(x / (np.linalg.norm(x, axis=-1, keepdims=True) + 1e-10))
        return found

    pairs = zip(directions(first), directions(second), learned, strict=True)
    return sum(np.mean(np.sum(w.astype(np.float64) * (a - b) ** 2, axis=-1)) for a, b, w in pairs)


def of_keras(picture):
    return picture[..., ::-1] - [103.939, 116.779, 123.68]


# The figure


def test_lpips_by_numpy(pictures, convolved, learned, weights, network):
    found = lpips_distance(*pictures[:2], weights, network)
    assert found == pytest.approx(recomputed(*pictures[:2], convolved, learned, of_keras), rel=1e-4)
    assert lpips_distance(pictures[1], pictures[0], weights, network) == pytest.approx(found, rel=1e-9)
    assert lpips_distance(pictures[0], pictures[0], weights, network) == 0
    assert module.lpips_figure(network) == module.lpips_figure() == "lpips_other_vgg16"


@pytest.mark.parametrize("old", [False, True])
def test_lpips_by_the_published_kinds_of_files(pictures, convolved, learned, save, tmp_path, old):
    """Theirs: RGB in [-1, 1] by LPIPS' scaling layer, kernels out x in x height x width."""
    rough = {name: (kernel * (60 if name == "block1_conv1" else 1), bias) for name, (kernel, bias) in convolved.items()}
    state, place = {}, 0
    for name, (kernel, bias) in rough.items():
        place += name.endswith("conv1") and place > 0  # a pooling layer before it
        state[f"features.{place}.weight"] = np.ascontiguousarray(kernel.transpose(3, 2, 0, 1))
        state[f"features.{place}.bias"] = bias
        place += 2  # and its ReLU
    assert "features.28.weight" in state and "features.24.bias" in state
    state["classifier.0.weight"] = np.ones((2, 3), np.float32)
    network = save(tmp_path / "vgg16.pth", state, old)
    linear = {f"lin{i}.model.1.weight": values.reshape(1, -1, 1, 1) for i, values in enumerate(learned)}
    weights = save(tmp_path / "vgg.pth", linear, old)

    def scaled(picture):
        return (picture / 127.5 - 1 - [-0.030, -0.088, -0.188]) / [0.458, 0.448, 0.450]

    found = lpips_distance(*pictures[:2], weights, network)
    assert found == pytest.approx(recomputed(*pictures[:2], rough, learned, scaled), rel=1e-4)
    assert module.lpips_figure(network) == "lpips_vgg16"


def test_any_form_of_a_picture(pictures, weights, network, tmp_path):
    wanted = lpips_distance(*pictures[:2], weights, network)
    Image.fromarray(pictures[0]).save(tmp_path / "first.png")
    other = np.dstack([pictures[1], np.full(pictures[1].shape[:2], 9, np.uint8)])
    assert lpips_distance(tmp_path / "first.png", other, os.fspath(weights), os.fspath(network)) == wanted


def test_a_changed_file_is_read_anew(pictures, learned, network, tmp_path):
    path = tmp_path / "lpips.npz"
    np.savez(path, **{f"lin{i}": values for i, values in enumerate(learned)})
    before = lpips_distance(*pictures[:2], path, network)
    np.savez(path, **{f"lin{i}": 2 * values for i, values in enumerate(learned)})
    os.utime(path, ns=(1, 1))
    assert lpips_distance(*pictures[:2], path, network) == pytest.approx(2 * before, rel=1e-6)


# PyTorch's files


@pytest.mark.parametrize("kind", ["f2", "f4", "f8"])
@pytest.mark.parametrize(("old", "how"), [(False, "_rebuild_tensor_v2"), (True, "_rebuild_tensor_v2"),
                                          (True, "_rebuild_tensor"), (True, "Parameter")])
def test_tensors_as_they_were(save, tmp_path, kind, old, how):
    arrays = {f"lin{i}.model.1.weight": RNG.random((1, width, 1, 1)).astype(kind) for i, width in enumerate(WIDTHS)}
    path = save(tmp_path / "vgg.pth", arrays | {"other": np.arange(6.0).reshape(2, 3)}, old, how)
    for found, wanted in zip(module._linear(module._mark(path)), arrays.values(), strict=True):
        np.testing.assert_array_equal(found, wanted.ravel().astype(np.float64))
    found = module.read_pytorch(path, "other")
    assert list(found) == ["other"] and found["other"].tolist() == [[0, 1, 2], [3, 4, 5]]


def test_a_pickle_that_asks_for_more_is_not_obeyed(refusal, tmp_path):
    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "made"),)

    for path, old in ((tmp_path / "new.pth", False), (tmp_path / "old.pth", True)):
        data = pickle.dumps({"lin0.model.1.weight": Evil()}, 2)
        if old:
            head = (MAGIC, 1001, {"little_endian": True})
            path.write_bytes(b"".join(pickle.dumps(part, 2) for part in head) + data)
        else:
            with zipfile.ZipFile(path, "w") as archive:
                archive.writestr("archive/data.pkl", data)
        said = refusal(module.check_lpips, path)
        assert said.startswith(f"{path} cannot be read as a state dict of PyTorch (UnpicklingError): it is damaged or ")
        assert not (tmp_path / "made").exists()
        pickle.loads(data)  # what it would have done
        (tmp_path / "made").rmdir()


def test_damaged_files(save, refusal, learned, tmp_path):
    linear = {f"lin{i}.model.1.weight": values.reshape(1, -1, 1, 1) for i, values in enumerate(learned)}
    for old in (False, True):
        whole = save(tmp_path / "whole.pth", linear, old).read_bytes()
        for name, data in (("cut", whole[:-500]), ("none", b""), ("text", b"no weights")):
            path = tmp_path / f"{name}.pth"
            path.write_bytes(data)
            assert refusal(module.check_lpips, path).startswith(f"{path} cannot be read as a state dict of PyTorch (")
    path = save(tmp_path / "turned.pth", {"lin0.model.1.weight": np.ones((2, 3), np.float32)}, strides=(1, 2))
    assert "(ValueError)" in refusal(module.check_lpips, path)


# What is refused


def test_unusable_linear_weights(refusal, learned, weights, save, tmp_path):
    good = {f"lin{i}": values for i, values in enumerate(learned)}
    for bad in ({"lin2": learned[1]}, {"lin2": learned[2] * np.nan}, {"lin2": np.arange(256)}):
        np.savez(tmp_path / "bad.npz", **(good | bad))
        said = refusal(module.check_lpips, tmp_path / "bad.npz")
        assert said == f"{tmp_path / 'bad.npz'}: lin2 must be 256 finite numbers; give LPIPS' weights for VGG."
    of_alexnet = {"lin0.model.1.weight": learned[0], "lin1.model.1.weight": np.ones((1, 192, 1, 1))}
    alex = save(tmp_path / "alex.pth", of_alexnet)
    assert "lin1 must be 128 finite numbers" in refusal(module.check_lpips, alex)
    assert refusal(module.check_lpips, "gone.npz").startswith("There is no file 'gone.npz' of LPIPS' linear weights;")
    assert refusal(module.check_lpips, None) == "weights for LPIPS must be the path of a file; received None."
    (tmp_path / "text.npz").write_text("no weights")
    assert "cannot be read as LPIPS' linear weights, .npz or .pth" in refusal(module.check_lpips, tmp_path / "text.npz")


def test_unusable_networks(refusal, weights, save, tmp_path):
    assert refusal(module.check_lpips, weights, "gone.h5").startswith("There is no file of weights 'gone.h5'")
    assert refusal(module.check_lpips, weights, "default").startswith("No vgg16 weights are shipped")
    assert refusal(module.check_lpips, weights, "gone.pth") == "There is no file of weights 'gone.pth'; check the path."
    path = save(tmp_path / "other.pth", {"features.0.weight": np.ones((4, 3, 3, 3), np.float32)})
    assert refusal(module.check_lpips, weights, path).startswith(f"{path} holds no VGG-16 of torchvision (features.0.")


def test_unusable_pictures(refusal, pictures, weights, network):
    said = "pictures to compare must have one shape; received (17, 20, 3) and (17, 18, 3): resize one of them."
    assert refusal(lpips_distance, pictures[0], pictures[1][:, :18], weights, network) == said
    assert refusal(lpips_distance, pictures[0], pictures[1][:9], weights, network).startswith("second picture is 20x9")


# Diversity


def test_diversity_is_the_mean_over_pairs_of_unlike_translations():
    pairs = []

    def distance(one, another):
        pairs.append((one, another))
        return abs(one - another)

    contents = [[0, 1], [10, 20, 40], range(100, 200)]
    found = diversity(contents, distance, draws=15, seed=3)
    assert len(pairs) == 45 and found == np.mean([abs(one - another) for one, another in pairs])
    for number, (one, another) in enumerate(pairs):
        assert one != another and {one, another} <= set(contents[number // 15])
    assert len(set(map(frozenset, pairs[15:30]))) == 3  # of the three pairs of the second, each comes up
    first, pairs[:] = list(pairs), []
    assert diversity(contents, distance, draws=15, seed=3) == found and pairs == first
    assert diversity(contents, distance, draws=15, seed=4) != found


def test_diversity_of_pictures(pictures, weights, network):
    distance = functools.partial(lpips_distance, weights=weights, network=network)
    assert diversity([pictures[:2]], distance, draws=2) == pytest.approx(distance(*pictures[:2]), rel=1e-9)
    assert diversity([[pictures[0]] * 2], distance, draws=1) == 0


def test_what_has_no_diversity(refusal):
    assert refusal(diversity, [], max) == "There must be at least one content with translations; received none."
    said = "content 2 must have at least 2 translations; received 1."
    assert refusal(diversity, [[1, 2], [1]], max) == said
    assert refusal(diversity, [[1, 2]], max, draws=0).startswith("draws must be a whole number of at least 1; received")
