"""Checkpoints of fast-style-transfer: painted as the public network paints, and refused where they are damaged."""

import json
import os

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfstyle.nets import fast_style_transfer, network_files
from tfstyle.nets.feedforward import FeedForwardConfig, feedforward

# Keras reads TensorFlow's variables in a way that NumPy 2 wants changed.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

WIDTHS = (4, 6, 8)


def shapes(widths):
    """The shapes of the 48 variables of src/transform.py in the order in which it makes them, counted by hand."""
    a, b, c = widths
    kernels = [(9, 9, 3, a), (3, 3, a, b), (3, 3, b, c), *[(3, 3, c, c)] * 10, (3, 3, b, c), (3, 3, a, b), (9, 9, a, 3)]
    channels = [a, b, c, *[c] * 10, b, a, 3]
    return [shape for kernel, n in zip(kernels, channels, strict=True) for shape in (kernel, (n,), (n,))]


def name_of(number):
    return f"Variable_{number}" if number else "Variable"


@pytest.fixture(scope="module")
def arrays():
    """Random variables; scales about 1, so that no layer drowns the next."""
    random = np.random.default_rng(5)
    return [
        random.standard_normal(shape, np.float32) * (0.1 if len(shape) == 4 else 0.3) + (number % 3 == 2)
        for number, shape in enumerate(shapes(WIDTHS))
    ]


@pytest.fixture
def checkpoint(tmp_path, arrays):
    """Path of a checkpoint of those variables, with an optimizer's beside them."""
    manifest = {}
    for number, array in enumerate(arrays):
        name = name_of(number)
        manifest[name] = {"filename": name, "shape": list(array.shape)}
        array.astype("<f4").tofile(tmp_path / name)
    manifest["Variable_1_Adam"] = {"filename": "Variable_1_Adam", "shape": [4]}  # whose file is not there
    manifest["beta1_power"] = {"filename": "beta1_power", "shape": []}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest, sort_keys=True))
    return tmp_path


def transform_net(image, arrays):
    """The public network in TensorFlow's own operations: (1, H, W, 3) in 0..255 -> the same, not cut."""
    left = iter(arrays)

    def normalized(x):
        shift, scale = next(left), next(left)
        mean, variance = tf.nn.moments(x, [1, 2], keepdims=True)
        return scale * (x - mean) / (variance + 1e-3) ** 0.5 + shift

    def conv(x, stride=1, relu=True):
        x = normalized(tf.nn.conv2d(x, next(left), stride, "SAME"))
        return tf.nn.relu(x) if relu else x

    def transposed(x):
        kernel = next(left)
        shape = (1, 2 * x.shape[1], 2 * x.shape[2], kernel.shape[2])
        return tf.nn.relu(normalized(tf.nn.conv2d_transpose(x, kernel, shape, 2, "SAME")))

    x = conv(conv(conv(image), 2), 2)
    for _ in range(5):
        x = x + conv(conv(x), relu=False)
    painted = tf.nn.tanh(conv(transposed(transposed(x)), relu=False)) * 150 + 255.0 / 2
    assert next(left, None) is None
    return painted


def painted(model, image):
    return keras.ops.convert_to_numpy(model(image))


def test_it_paints_what_the_public_network_paints(checkpoint, arrays, photo):
    model, config = fast_style_transfer.load(checkpoint)
    assert config == FeedForwardConfig("fast-style-transfer", WIDTHS)
    image = photo[None, :44, :60]
    wanted = np.asarray(transform_net(255 * image, arrays)) / 255
    assert wanted.min() < 0 and wanted.max() > 1  # it has to be cut
    found = painted(model, image)
    np.testing.assert_allclose(found, wanted.clip(0, 1), atol=1e-4)
    assert found.std() > 0.1
    # The comparison would see a shift or scale in another's place.
    for number in (1, 2, 22, 46, 47):
        others = [0.5 * array if i == number else array for i, array in enumerate(arrays)]
        assert np.abs(np.asarray(transform_net(255 * image, others)) / 255 - wanted).max() > 1e-2


def test_sides_that_are_no_multiples_of_4_keep_their_length(checkpoint, photo):
    model, _ = fast_style_transfer.load(checkpoint)
    assert painted(model, photo[None]).shape == (1, 45, 61, 3)
    assert painted(model, photo[None, :17, :18]).shape == (1, 17, 18, 3)


def test_every_array_lies_where_it_was_made(checkpoint, arrays):
    """Shift before scale; transposed kernels as they are."""
    model, _ = fast_style_transfer.load(checkpoint)
    found = {network_files.key_of(v): keras.ops.convert_to_numpy(v) for v in model.variables}
    assert len(found) == 48
    layers = ["contract1", "contract2", "contract3", *(f"deep{b}{p}" for b in range(1, 6) for p in "ab"),
              "expand1", "expand2", "paint"]
    for i, layer in enumerate(layers):
        for part, array in zip(("conv/kernel", "norm/shift", "norm/scale"), arrays[3 * i:3 * i + 3], strict=True):
            np.testing.assert_array_equal(found[f"{layer}_{part}"], array)


def test_the_shapes_of_the_public_checkpoints_are_those_of_our_network():
    model = feedforward(FeedForwardConfig("fast-style-transfer"))
    found = {network_files.key_of(v): tuple(v.shape) for v in model.variables}
    wanted = fast_style_transfer._variables((32, 64, 128))
    assert list(wanted) == [name_of(number) for number in range(48)]
    assert [shape for _, shape in wanted.values()] == shapes((32, 64, 128))
    assert dict(wanted.values()) == found


def test_a_checkpoint_becomes_a_file_of_ours(checkpoint, photo, tmp_path):
    model, config = fast_style_transfer.load(str(checkpoint))
    network_files.save(tmp_path / "wave.keras", model, config)
    again, same = network_files.load(tmp_path / "wave.keras", "style")
    assert same == config
    np.testing.assert_array_equal(painted(again, photo[None]), painted(model, photo[None]))


# Damage


def changed(checkpoint, name, **entry):
    """Says something else of a variable in the manifest."""
    path = checkpoint / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest[name] |= entry
    path.write_text(json.dumps(manifest))


def told(refusal, checkpoint):
    """What is refused, without the folder."""
    said = refusal(fast_style_transfer.load, checkpoint)
    assert said.startswith(str(checkpoint))
    return said.removeprefix(str(checkpoint)).lstrip(os.sep + ": ")


@pytest.mark.parametrize(("name", "shape", "sentence"), [
    ("Variable_3", [3, 3, 4, 5], "Variable_3 has shape (3, 3, 4, 5), but the network wants (3, 3, 4, 6)"),
    ("Variable_39", [3, 3, 8, 6], "Variable_39 has shape (3, 3, 8, 6), but the network wants (3, 3, 6, 8)"),
    ("Variable_47", [4], "Variable_47 has shape (4,), but the network wants (3,)"),
    ("Variable_10", None, "Variable_10 has no shape, but the network wants (8,)"),
    ("Variable_10", [8.0], "Variable_10 has no shape, but the network wants (8,)"),
    ("Variable_10", [-8], "Variable_10 has no shape, but the network wants (8,)"),
    # Without that, the first width is taken for the public one.
    ("Variable_1", "4", "Variable has shape (9, 9, 3, 4), but the network wants (9, 9, 3, 32)"),
])
def test_other_shapes(checkpoint, refusal, name, shape, sentence):
    changed(checkpoint, name, shape=shape)
    assert told(refusal, checkpoint) == f"{sentence}: give another checkpoint."


def test_widths_that_do_not_agree(checkpoint, refusal):
    changed(checkpoint, "Variable_4", shape=[7])
    assert told(refusal, checkpoint).startswith("Variable_3 has shape (3, 3, 4, 6), but the network wants (3, 3, 4, 7)")


@pytest.mark.parametrize("widths", [10**9, 0])
def test_widths_that_no_file_has(checkpoint, refusal, widths):
    """Nothing of that size is ever made."""
    changed(checkpoint, "Variable_7", shape=[widths])
    assert told(refusal, checkpoint).startswith("Variable_6 has shape (3, 3, 6, 8), but the network wants")


def test_missing_variables(checkpoint, refusal):
    manifest = json.loads((checkpoint / "manifest.json").read_text())
    del manifest["Variable_20"]
    (checkpoint / "manifest.json").write_text(json.dumps(manifest))
    said = told(refusal, checkpoint)
    assert said == "Variable_20 is missing; the network wants shape (8,): give another file."


def test_missing_files(checkpoint, refusal):
    os.remove(checkpoint / "Variable_20")
    said = told(refusal, checkpoint)
    assert said == "Variable_20 is missing, there is no file 'Variable_20': fetch the checkpoint again."
    os.mkdir(checkpoint / "Variable_20")
    assert told(refusal, checkpoint) == said


@pytest.mark.parametrize("size", [0, 100, 865])
def test_short_and_long_files(checkpoint, refusal, size):
    (checkpoint / "Variable_3").write_bytes(bytes(size))
    said = told(refusal, checkpoint)
    assert said == (f"Variable_3 has {size} bytes, and float32 of shape (3, 3, 4, 6) takes 864: fetch the damaged file "
                    "again.")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite(checkpoint, refusal, value):
    array = np.fromfile(checkpoint / "Variable_5", "<f4")
    array[3] = value
    array.tofile(checkpoint / "Variable_5")
    said = told(refusal, checkpoint)
    assert said == "Variable_5 has values that are not finite numbers: fetch the damaged file again."


@pytest.mark.parametrize("file", [
    "../Variable_1", "/etc/hosts", "sub/Variable_1", "..\\Variable_1", "C:Variable_1", "..", ".", "", "a\0b", None, 7,
])
def test_files_outside_the_folder(checkpoint, refusal, file):
    changed(checkpoint, "Variable_1", filename=file)
    said = told(refusal, checkpoint)
    assert said == f"Variable_1 must be a file of the folder, not {file!r}: give another checkpoint."


@pytest.mark.parametrize("file", ["\ud800", "x" * 5000])
def test_names_that_no_file_has(checkpoint, refusal, file):
    changed(checkpoint, "Variable_1", filename=file)
    assert "fetch the checkpoint again." in told(refusal, checkpoint)


@pytest.mark.parametrize(("content", "words"), [
    (b"", "manifest.json is damaged, it is no JSON"), (b'{"Variable": ', "manifest.json is damaged, it is no JSON"),
    (b"\xff\xfe\xfd", "manifest.json is damaged, it is no JSON"), (b"[" * 10**5, "manifest.json is damaged"),
    (b"[1]", "manifest.json is no manifest of variables"), (b"null", "manifest.json is no manifest of variables"),
    (b'{"name": "an extension"}', "Variable is missing; the network wants shape (9, 9, 3, 32)"),
    (b'{"Variable": 3}', "Variable has no shape, but the network wants (9, 9, 3, 32)"),
])
def test_damaged_manifests(checkpoint, refusal, content, words):
    (checkpoint / "manifest.json").write_bytes(content)
    assert told(refusal, checkpoint).startswith(words)


def test_no_manifest(tmp_path, refusal):
    said = told(refusal, tmp_path / "gone")
    assert said == "manifest.json cannot be read (No such file or directory); give the folder of a checkpoint."
