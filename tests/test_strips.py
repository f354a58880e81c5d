"""Pictures strip by strip, against the whole network."""

import collections
import gc
import os
import tempfile

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfstyle import maps, scratch, strips
from tfstyle.nets.arbitrary import ArbitraryConfig, transformer
from tfstyle.nets.feedforward import FeedForwardConfig, feedforward
from tfstyle.nets.layers import InstanceNormalization, ReflectConv

WIDTHS, CODE, PLENTY = (4, 6, 8, 8), 12, 2**30


@pytest.fixture(scope="module")
def networks():
    """Small networks of random weights, by name: (network, further inputs)."""
    keras.utils.set_random_seed(3)
    random = np.random.default_rng(3)
    code = random.standard_normal((1, CODE)).astype(np.float32)
    config = ArbitraryConfig(widths=WIDTHS, blocks=1, code=CODE)
    found = {
        "any": (transformer(config), (code,)),
        "one": (feedforward(FeedForwardConfig(widths=WIDTHS, blocks=1)), ()),
        "bfloat16": (transformer(config, "mixed_bfloat16"), (code,)),
    }
    for network, _ in found.values():
        for variable in network.variables:
            noise = random.standard_normal(variable.shape).astype(np.float32)
            is_norm = "norm" in variable.path
            variable.assign(variable + 0.15 * noise if is_norm else np.prod(variable.shape[:-1]) ** -0.5 * noise)
    return found


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Where scratch files go in these tests; none may be left."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    before = os.listdir("/proc/self/fd")
    yield tmp_path
    gc.collect()
    assert os.listdir(tmp_path) == [] and len(os.listdir("/proc/self/fd")) == len(before)


def picture(height, width):
    y, x = np.mgrid[0:1:height * 1j, 0:1:width * 1j]
    smooth = np.stack([y, x, np.sin(7 * x * y)], -1) / 2 + 0.2
    noise = np.random.default_rng(height).normal(0, 0.05, smooth.shape)
    return (smooth + noise).clip(0, 1).astype(np.float32)


def whole(network, photo, others):
    return network([photo[None], *others] if others else photo[None]).numpy()[0]


def painted(network, photo, others, **options):
    found = list(strips.painted_rows(network, photo, others, **options))
    tops = np.cumsum([0, *(len(rows) for _, rows in found)])
    assert [top for top, _ in found] == tops[:-1].tolist() and tops[-1] == len(photo)
    result = np.concatenate([rows for _, rows in found])
    assert result.dtype == np.float32 and result.shape == photo.shape
    return result


@pytest.mark.parametrize("name", ["any", "one"])
@pytest.mark.parametrize("shape", [(45, 61), (16, 16), (64, 40), (17, 130), (103, 33)])
def test_as_the_whole(networks, name, shape):
    network, others = networks[name]
    photo = picture(*shape)
    wanted = whole(network, photo, others)
    assert wanted.std() > 0.05
    for rows, memory in ((8, 0), (8, 5000), (1, PLENTY), (None, PLENTY)):
        found = painted(network, photo, others, rows=rows, memory=memory, half=False)
        np.testing.assert_allclose(found, wanted, rtol=0, atol=3e-5)
        assert np.abs(found - wanted).mean() < 3e-6
    error = np.abs(painted(network, photo, others, rows=8, memory=0) - wanted)
    assert 0 < error.mean() < 3e-3 and error.max() < 0.02


def test_moments_of_strips_would_be_far_off(networks):
    """What the moments of the whole are for: strips by themselves are other pictures."""
    network, others = networks["any"]
    photo = picture(64, 40)
    apart = np.concatenate([whole(network, part, others) for part in np.split(photo, 4)])
    assert np.abs(apart - whole(network, photo, others)).mean() > 0.02


def test_bytes_are_a_picture_too(networks):
    network, others = networks["any"]
    photo = np.rint(255 * picture(45, 61)).astype(np.uint8)
    found = painted(network, photo, others, rows=8, memory=0, half=False)
    np.testing.assert_allclose(found, whole(network, photo / np.float32(255), others), rtol=0, atol=3e-5)


def test_bfloat16(networks):
    """Whole networks round their moments otherwise, and a rounding of bfloat16 goes a long way in so small a one."""
    network, others = networks["bfloat16"]
    photo = picture(45, 61)
    found = painted(network, photo, others, rows=8, memory=0)
    assert np.abs(found - whole(network, photo, others)).mean() < 0.02
    np.testing.assert_array_equal(painted(network, photo, others, rows=8, memory=0, half=False), found)


@pytest.mark.parametrize("name", ["any", "bfloat16"])
@pytest.mark.parametrize("half", [True, False])
def test_the_same_picture_whatever_the_memory(networks, name, half):
    network, others = networks[name]
    photo = picture(45, 61)
    sizes = [strips.scratch_bytes(network, 45, 61, memory=memory, half=half) for memory in (0, 5000, PLENTY)]
    assert sizes[0] > sizes[1] > sizes[2] == 0
    in_files, mixed, in_memory = (
        painted(network, photo, others, rows=8, memory=memory, half=half) for memory in (0, 5000, PLENTY)
    )
    np.testing.assert_array_equal(in_files, in_memory)
    np.testing.assert_array_equal(mixed, in_memory)


def test_scratch_files_are_as_large_as_foretold(networks, monkeypatch):
    network, others = networks["any"]
    files, sizes, write, make = [], [], scratch.Plane.write, scratch._nameless
    monkeypatch.setattr(scratch, "_nameless", lambda: files.append(make()) or files[-1])

    def spy(plane, top, rows):
        write(plane, top, rows)
        sizes.append(sum(os.fstat(file.fileno()).st_size for file in files if not file.closed))

    monkeypatch.setattr(scratch.Plane, "write", spy)
    painted(network, picture(45, 61), others, rows=8, memory=0)
    assert max(sizes) == strips.scratch_bytes(network, 45, 61, memory=0) and all(file.closed for file in files)


def test_planes_go_when_nobody_needs_them():
    """48 megapixels: the two largest maps at a half of the sides, one at a time, and three at a quarter."""
    network = transformer()
    assert strips.scratch_bytes(network, 6000, 8000, memory=0) == 2 * 12_000_000 * 48 + 4 * 3_000_000 * 96
    most = strips.peak(network, 6000, 8000, memory=2**29)
    assert 2**29 < most < 2**29 + 400 * 2**20
    assert strips.scratch_bytes(network, 6000, 8000) < 2 * 2**30 and strips.peak(network, 6000, 8000) < 2**30


def test_closed_early(networks):
    """The fixture looks for what is left."""
    network, others = networks["any"]
    rows = strips.painted_rows(network, picture(45, 61), others, rows=8, memory=0)
    next(rows)
    assert len(os.listdir("/proc/self/fd")) > 3
    rows.close()


def test_failing_on_the_way(networks, monkeypatch):
    network, others = networks["any"]
    rows = strips.painted_rows(network, picture(45, 61), others, rows=8, memory=0)
    monkeypatch.setattr(strips, "joined", lambda parts: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        next(rows)


def test_no_room(networks, monkeypatch, refusal):
    network, others = networks["any"]
    usage = collections.namedtuple("usage", "free")
    monkeypatch.setattr(scratch.shutil, "disk_usage", lambda where: usage(1000))
    assert "free some space" in refusal(strips.painted_rows, network, picture(45, 61), others, memory=0)
    monkeypatch.setattr(strips, "_MEMORY", 0)
    found = painted(network, picture(45, 61), others, half=False)  # in memory, then
    np.testing.assert_allclose(found, whole(network, picture(45, 61), others), rtol=0, atol=3e-5)


def test_supports(networks):
    assert all(strips.supports(network) for network, _ in networks.values())
    for config in (FeedForwardConfig("paper", (4, 6, 8), 1), FeedForwardConfig(widths=WIDTHS, normalization="batch")):
        assert not strips.supports(feedforward(config))
    image = keras.Input((None, None, 3))
    normalized = InstanceNormalization()(image)
    assert strips.supports(keras.Model(image, ReflectConv(4, 3)(normalized)))
    assert not strips.supports(keras.Model(image, ReflectConv(4, 3, activation="relu")(normalized)))
    assert not strips.supports(keras.Model(image, keras.layers.Conv2D(4, 3)(normalized)))
    assert not strips.supports(keras.Model(image, [image, normalized]))


def test_layers_as_they_come():
    """Biases, strides, even kernels, no affine part, maps used twice, enlargement before something else."""
    kl, image = keras.layers, keras.Input((None, None, 3))
    x = kl.ReLU(negative_slope=0.1)(ReflectConv(5, 3, bias_initializer="normal")(image))
    x = InstanceNormalization(affine=False)(x)
    y = kl.Add()([x, maps.TwiceAsLarge()(ReflectConv(5, 4, strides=2)(x))])
    y = ReflectConv(4, 3, bias_initializer="normal")(kl.ReLU()(maps.TwiceAsLarge()(y)))
    y = ReflectConv(3, 3, bias_initializer="normal")(maps.TwiceAsLarge()(InstanceNormalization()(y)))
    network = keras.Model(image, ReflectConv(3, 5, strides=4)(y))
    assert strips.supports(network)
    photo = picture(22, 34)
    for rows in (1, 4, 7):
        np.testing.assert_allclose(
            painted(network, photo, (), rows=rows, memory=0, half=False), whole(network, photo, ()), rtol=0, atol=3e-5
        )


@pytest.mark.parametrize("channels", [3, 16])
@pytest.mark.parametrize("step", [1, 7, 40])
def test_moments_far_from_zero(channels, step):
    """A mean of 300 deviations: sums of squares in float32 would lose all of the variance."""
    values = np.random.default_rng(0).normal(30, 0.1, (1, 40, 24, channels)).astype(np.float32)
    parts = [maps.moments_of(tf.constant(values[:, top:top + step])) for top in range(0, 40, step)]
    mean, variance = maps.joined(parts)
    exact = values.astype(np.float64)
    np.testing.assert_allclose(mean, exact.mean((0, 1, 2)), rtol=3e-6)
    np.testing.assert_allclose(variance, exact.var((0, 1, 2)), rtol=1e-3)
