"""The networks of DSMAP and MUNIT: how many weights, what each part computes, whose weights are whose."""

import dataclasses
import itertools

import keras
import numpy as np
import pytest

from tfstyle.nets.dsmap import DOMAINS, MUNIT, DSMAPConfig, dsmap, part, translation

# Keras reads TensorFlow's variables in a way that NumPy 2 wants changed.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

TINY = DSMAPConfig(width=3, style=2, hidden=5, blocks=2)
TINY_MUNIT = dataclasses.replace(MUNIT, width=3, style=2, hidden=5, blocks=1)
CONFIGS = pytest.mark.parametrize("config", [TINY, TINY_MUNIT], ids=["dsmap", "munit"])


def numbers(tensor):
    return keras.ops.convert_to_numpy(keras.ops.cast(tensor, "float32"))


def filled(model, seed=1):
    """The same model with no scale at 1 and no shift at 0."""
    random = np.random.default_rng(seed)
    for variable in model.variables:
        small = (0.7 / np.prod(variable.shape[:-1])) ** 0.5 if len(variable.shape) > 1 else 0.3
        variable.assign(small * random.standard_normal(variable.shape, np.float32) + (variable.name == "gamma"))
    return model


@pytest.fixture(scope="module")
def networks():
    """{config: network of other weights than a new one's}"""
    return {config: filled(dsmap(config)) for config in (TINY, TINY_MUNIT)}


@pytest.fixture
def random():
    return np.random.default_rng(6)


@pytest.fixture(scope="module")
def full():
    """As wide as published."""
    keras.utils.set_random_seed(2)
    return dsmap()


# How many weights, and how they start


def test_how_many_weights(full):
    count = {kind: part(full, "b", kind).count_params() for kind in ("content", "style", "mapping", "decoder")}
    layers = part(full, "b", "decoder").layers
    perceptron = sum(layer.count_params() for layer in layers if "perceptron" in layer.name)
    tail = full.get_layer("shared").count_params()
    assert (count["content"] - tail, tail) == (6_434_688, 1_180_160)
    assert 2 * count["content"] - tail == 14_049_536
    assert count["style"] == 2_764_936 and count["mapping"] == 1_181_184
    assert (perceptron, count["decoder"] - perceptron) == (1_120_768, 7_393_795)
    assert sum(count.values()) - count["content"] == 12_460_683
    assert full.count_params() == 38_970_902


@pytest.mark.parametrize("width", [2, 6])
def test_how_many_weights_munit_has(width):
    assert MUNIT == DSMAPConfig(64, 8, 256, halvings=2, blocks=4, mapping=False, shared_tail=False)
    network = dsmap(dataclasses.replace(MUNIT, width=width))

    def conv(size, before, after):
        return size * size * before * after + after

    w, deep = width, 8 * conv(3, 4 * width, 4 * width)
    content = conv(7, 3, w) + conv(4, w, 2 * w) + conv(4, 2 * w, 4 * w) + deep
    style = conv(7, 3, w) + conv(4, w, 2 * w) + conv(4, 2 * w, 4 * w) + 2 * conv(4, 4 * w, 4 * w) + conv(1, 4 * w, 8)
    perceptron = conv(1, 8, 256) + conv(1, 256, 256) + conv(1, 256, 4 * 2 * 4 * w * 2)
    decoder = deep + conv(5, 4 * w, 2 * w) + 2 * 2 * w + conv(5, 2 * w, w) + 2 * w + conv(7, w, 3)
    found = [part(network, "a", kind).count_params() for kind in ("content", "style", "decoder")]
    assert found == [content, style, perceptron + decoder] and network.count_params() == 2 * sum(found)


def test_how_weights_start(full):
    """Normal by fan-in for ReLU, untruncated; the scales of layer norms from U(0, 1)."""
    for variable in full.variables:
        values, path = numbers(variable), variable.path
        if len(values.shape) == 1:
            high = 1.0 if variable.name == "gamma" else 0.0
            assert 0 <= values.min() <= 0.1 * high and 0.9 * high <= values.max() <= high, path
            continue
        spread = (2 / np.prod(values.shape[:-1])) ** 0.5
        assert values.std() == pytest.approx(spread, rel=4 / values.size**0.5), path
        assert abs(values.mean()) < 5 * spread / values.size**0.5, path
        assert values.size < 1000 or np.abs(values).max() > 2.5 * spread, path
    assert sum(variable.name == "gamma" for variable in full.variables) == 2 * (2 + 3)


# What the parts compute, in NumPy from the tables of the papers


def convolved(x, layer, stride=1, mode="reflect"):
    kernel, bias = (numbers(one).astype(np.float64) for one in layer.weights)
    half = (len(kernel) - 1) // 2
    x = np.pad(x, ((0, 0), (half, half), (half, half), (0, 0)), mode)
    windows = np.lib.stride_tricks.sliding_window_view(x, kernel.shape[:2], axis=(1, 2))[:, ::stride, ::stride]
    return np.einsum("nhwcij,ijcd->nhwd", windows, kernel, optimize=True) + bias


def normalized(x, axes=(1, 2)):
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + 1e-5)


def layer_normalized(x, layer):
    return numbers(layer.gamma) * normalized(x, (1, 2, 3)) + numbers(layer.beta)


def relu(x, slope=0.0):
    return np.where(x > 0, x, slope * x)


def residual(x, model, name, slope=0.0, norms=(normalized, normalized)):
    first, second = (model.get_layer(f"{name}{half}_conv") for half in "ab")
    return x + norms[1](convolved(relu(norms[0](convolved(x, first)), slope), second))


@CONFIGS
def test_a_content_encoder(networks, random, config):
    image, network = random.random((2, 24, 16, 3), np.float32), networks[config]
    model = network.get_layer("b_content")
    x, layers = relu(convolved(2.0 * image - 1, model.get_layer("b_content0_conv")), 0.01), []
    for i in range(1, config.halvings + 1):
        x = relu(normalized(convolved(x, model.get_layer(f"b_content{i}_conv"), 2)))
        layers.append(x)
    for i in range(1, config.blocks + 1):
        x = residual(x, model, f"b_content_deep{i}")
    content, before, features = map(numbers, part(network, "b", "content")(image))
    np.testing.assert_allclose(features, layers[1], atol=1e-4)
    np.testing.assert_allclose(before, x, atol=1e-4)
    x = residual(x, network.get_layer("shared"), "shared", 0.01) if config.shared_tail else x
    np.testing.assert_allclose(content, x, atol=1e-4)
    assert features.shape == (2, 6, 4, 12) and before.shape[1:3] == ((3, 2) if config is TINY else (6, 4))


def test_a_style_encoder(networks, random):
    """72 px become 9 and then 4."""
    image, model = random.random((2, 72, 16, 3), np.float32), part(networks[TINY], "a", "style")
    x = 2.0 * image - 1
    for i in range(5):
        x = relu(convolved(x, model.get_layer(f"a_style{i}_conv"), 2 if i else 1))
    kernel, bias = map(numbers, model.get_layer("a_style_code").weights)
    np.testing.assert_allclose(numbers(model(image)), x.mean((1, 2)) @ kernel + bias, atol=1e-5)


def test_a_mapping(networks, random):
    """The transposed convolution is PyTorch's with padding 1 and output padding 1: pixel i spreads from 2 i - 1 on."""
    content, features = random.standard_normal((2, 3, 4, 12)), random.standard_normal((2, 6, 8, 12))
    model = part(networks[TINY], "a", "mapping")
    kernel, bias = map(numbers, model.get_layer("a_mapping_larger").weights)
    whole = np.zeros((2, 1 + 2 * 3, 1 + 2 * 4, 12)) + bias
    for i, j in np.ndindex(3, 4):
        whole[:, 2 * i:2 * i + 3, 2 * j:2 * j + 3] += np.einsum("nc,ijdc->nijd", content[:, i, j], kernel)
    x = relu(layer_normalized(whole[:, 1:, 1:], model.get_layer("a_mapping_larger_norm"))) + features
    x = convolved(x, model.get_layer("a_mapping_smaller"), 2, "constant")
    wanted = layer_normalized(x, model.get_layer("a_mapping_smaller_norm"))
    np.testing.assert_allclose(numbers(model([content, features])), wanted, atol=1e-4)


@CONFIGS
def test_a_decoder(networks, random, config):
    """Of the perceptron's numbers each adaptive norm takes its C shifts, then its C scales, in forward order."""
    content, code = random.standard_normal((2, 3, 4, 12)), random.standard_normal((2, 2))
    model, x, parameters = part(networks[config], "b", "decoder"), content, code
    for i in range(3):
        kernel, bias = map(numbers, model.get_layer(f"b_decoder_perceptron{i}").weights)
        parameters = parameters @ kernel + bias
        parameters = relu(parameters) if i < 2 else parameters
    assert parameters.shape == (2, config.blocks * 2 * 2 * 12)
    pairs = parameters.reshape(2, 2 * config.blocks, 2, 1, 1, 12).transpose(1, 2, 0, 3, 4, 5)
    norms = [lambda x, shift=shift, scale=scale: scale * normalized(x) + shift for shift, scale in pairs]
    for i in range(config.blocks):
        x = residual(x, model, f"b_decoder_deep{i + 1}", norms=norms[2 * i:2 * i + 2])
    for i in range(config.halvings):
        x = convolved(x.repeat(2, axis=1).repeat(2, axis=2), model.get_layer(f"b_decoder{i}_conv"))
        x = relu(layer_normalized(x, model.get_layer(f"b_decoder{i}_norm")))
    painted = np.tanh(convolved(x, model.get_layer("b_decoder_paint_conv"))) / 2 + 0.5
    found = numbers(model([content, code]))
    np.testing.assert_allclose(found, painted, atol=1e-4)
    assert found.shape == (2, 3 * 2**config.halvings, 4 * 2**config.halvings, 3) and np.ptp(found) > 0.1


# The whole


@CONFIGS
@pytest.mark.parametrize(("height", "width"), [(64, 64), (72, 72), (200, 200), (193, 197)])
def test_any_size(networks, random, config, height, width):
    """Padded by reflection to multiples of 8 and cropped back."""
    network, image = networks[config], random.random((1, height, width, 3), np.float32)
    rows, columns = -height % 8, -width % 8
    top, left = rows // 2, columns // 2
    around = [(0, 0), (top, rows - top), (left, columns - left), (0, 0)]
    for found, padded in zip(network(image), network(np.pad(image, around, "reflect")), strict=True):
        cut = padded[:, top:top + height, left:left + width]
        np.testing.assert_allclose(numbers(found), numbers(cut), atol=1e-5)
        assert found.shape == image.shape and 0 <= numbers(found).min() < numbers(found).max() <= 1


@CONFIGS
def test_translations_put_the_parts_together(networks, random, config):
    network, image = networks[config], keras.ops.convert_to_tensor(random.random((2, 24, 32, 3), np.float32))
    code = keras.ops.convert_to_tensor(random.standard_normal((2, 2), np.float32))
    for source, target in itertools.product(DOMAINS, DOMAINS):
        content, _, features = part(network, source, "content")(image)
        if config.mapping:
            content = part(network, target, "mapping")([content, features])
        wanted = numbers(part(network, target, "decoder")([content, code]))
        found = translation(network, source, target)
        np.testing.assert_allclose(numbers(found([image, code])), wanted, atol=1e-6)
        assert found.name == f"{source}2{target}"
    own = translation(network, "b", "b")([image, part(network, "b", "style")(image)])
    np.testing.assert_allclose(numbers(network(image)[1]), numbers(own), atol=1e-6)


@CONFIGS
def test_the_tail_is_one_for_both(networks, config):
    contents = [part(networks[config], domain, "content") for domain in DOMAINS]
    mine, theirs = ({id(variable) for variable in model.variables} for model in contents)
    assert len(mine & theirs) == (4 if config.shared_tail else 0) and len(mine - theirs) >= 10
    assert len(networks[config].variables) == len({variable.path for variable in networks[config].variables})
    assert mine | theirs <= {id(variable) for variable in networks[config].variables}


@CONFIGS
def test_domains_that_change_places_change_results(networks, random, config):
    network, other = networks[config], dsmap(config)
    mine = {variable.path: variable for variable in network.variables}
    for variable in other.variables:
        swapped = {"a_": "b_", "b_": "a_"}.get(variable.path[:2], variable.path[:2]) + variable.path[2:]
        variable.assign(mine[swapped])
    image, code = map(keras.ops.convert_to_tensor, (random.random((1, 16, 24, 3)), random.standard_normal((1, 2))))
    mine, theirs = [numbers(one) for one in network(image)], [numbers(one) for one in other(image)]
    np.testing.assert_array_equal(mine, theirs[::-1])
    assert np.abs(mine[0] - mine[1]).mean() > 0.01
    there, swapped = translation(network, "a", "b"), translation(other, "b", "a")
    np.testing.assert_array_equal(numbers(there([image, code])), numbers(swapped([image, code])))


@CONFIGS
def test_pictures_of_a_batch_do_not_meet(networks, random, config):
    network, images = networks[config], random.random((3, 32, 24, 3), np.float32)
    images[1] *= 0.1
    for together, alone in zip(network(images), network(images[1:2]), strict=True):
        np.testing.assert_allclose(numbers(together)[1:2], numbers(alone), atol=1e-4)


@pytest.mark.parametrize(("config", "dtype"), [(TINY, "mixed_bfloat16"), (TINY_MUNIT, "bfloat16")])
def test_bfloat16_is_near(networks, random, config, dtype):
    network, image = dsmap(config, dtype), random.random((1, 32, 24, 3), np.float32)
    for mine, theirs in zip(network.variables, networks[config].variables, strict=True):
        mine.assign(theirs)
    for found, wanted in zip(network(image), networks[config](image), strict=True):
        assert keras.backend.standardize_dtype(found.dtype) == "float32"
        assert 0 < np.abs(numbers(found) - numbers(wanted)).mean() < 0.02
    content, style = part(network, "a", "content")(image)[0], part(network, "a", "style")(image)
    assert [keras.backend.standardize_dtype(one.dtype) for one in (content, style)] == ["bfloat16", "float32"]


@pytest.mark.parametrize(("given", "sentence"), [
    ({"width": 0}, "width must be a whole number from 1 to 1024; received 0."),
    ({"mapping": 1}, "mapping must be True or False; received 1."),
    ({"shared_tail": None}, "shared_tail must be True or False; received None."),
    ({"halvings": 2}, "mapping adds features at 1/4 of the sides and so needs 3 halvings; turn mapping off."),
])
def test_shapes_that_are_none(refusal, given, sentence):
    assert refusal(DSMAPConfig, **given) == sentence


def test_weights_start_from_the_seed_and_each_from_its_own():
    """An initializer that layers share repeats its values, and its seed is as old as the module."""
    def kernels(seed):
        keras.utils.set_random_seed(seed)
        made = dsmap(DSMAPConfig(width=2, style=3, hidden=4, blocks=2))
        return [keras.ops.convert_to_numpy(v) for v in made.variables if v.path.endswith("kernel")]

    first, again, other = kernels(2), kernels(2), kernels(3)
    for mine, same, new in zip(first, again, other, strict=True):
        np.testing.assert_array_equal(mine, same)
        assert (mine != new).any()
    for i, one in enumerate(first):
        assert not any(one.shape == two.shape and (one == two).any() for two in first[i + 1:])
