"""Weights stored small in a SavedModel: what the graph widens them to, and what is left of Keras."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfstyle.export.stored import StoredNetwork, StoredVGG
from tfstyle.nets import arbitrary_weights
from tfstyle.nets.arbitrary import ArbitraryConfig, style_predictor
from tfstyle.nets.vgg import vgg

# Keras reads TensorFlow's variables in a way that NumPy 2 wants changed.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def values(network):
    """{layer and part: array} of a Keras network."""
    return {"/".join(v.path.split("/")[-2:]): v.numpy() for v in network.variables}


def same(stored, network):
    """Whether the widened weights are those of a network bit for bit."""
    wanted, found = values(network), dict(zip(stored._order, stored.widened(), strict=True))
    assert found.keys() == wanted.keys()
    return all(
        found[key].dtype == array.dtype and np.array_equal(found[key].numpy().view("u1"), array.view("u1"))
        for key, array in wanted.items()
    )


def alone(stored):
    """Whether a module's variables are its own, and no part of it is Keras'."""
    kept = list(stored.stored.values())
    return (
        {id(variable) for variable in stored.variables} == {id(variable) for variable in kept}
        and all(type(variable).__module__.startswith("tensorflow.") for variable in kept)
        and not stored.trainable_variables and not any(stored.submodules)
    )


@pytest.fixture(scope="module")
def features():
    return vgg(("relu1_1", "relu3_1"))


@pytest.fixture(scope="module")
def stored_vgg(features):
    return StoredVGG(features)


def test_vgg_is_the_same_bit_for_bit(stored_vgg, features):
    assert same(stored_vgg, features) and alone(stored_vgg)
    kernels = {key: variable for key, variable in stored_vgg.stored.items() if "kernel" in key}
    assert {v.dtype for k, v in kernels.items() if k.endswith("index")} == {tf.uint8}
    assert len(kernels) == 2 * sum(key.endswith("kernel") for key in values(features))


def test_vgg_computes_the_same(stored_vgg, features, photo):
    run = tf.function(
        lambda image: stored_vgg(stored_vgg.widened(), image), input_signature=[tf.TensorSpec((None, None, None, 3))],
        autograph=False,
    )
    found, wanted = run(tf.constant(photo[None])), features(photo[None])
    assert list(found) == list(wanted)
    for name in wanted:
        np.testing.assert_allclose(found[name], wanted[name], rtol=1e-5, atol=1e-4)


def test_vgg_for_bfloat16():
    stored, network = StoredVGG(vgg(("relu2_1",), dtype="bfloat16")), vgg(("relu2_1",), dtype="bfloat16")
    for found, variable in zip(stored.widened(), network.variables, strict=True):
        assert found.dtype.name == variable.dtype
        np.testing.assert_array_equal(tf.cast(found, tf.float32), tf.cast(variable.value, tf.float32))


@pytest.fixture
def mixed():
    """A network with one kernel for float16, one too fine, one too large, and statistics between them."""
    network = keras.Sequential([
        keras.Input((4,)), keras.layers.Dense(4, name="half"), keras.layers.BatchNormalization(name="norm"),
        keras.layers.Dense(4, name="fine"), keras.layers.Dense(4, name="large"),
    ])
    kernels = {"half": 0.25, "fine": 1 / 3, "large": 2.0**17}
    for name, value in kernels.items():
        network.get_layer(name).kernel.assign(np.full((4, 4), value, np.float32) * np.eye(4, dtype=np.float32))
    network.get_layer("norm").moving_mean.assign([0.1, 0.2, 0.3, 0.4])
    return network


def test_float16_only_where_it_loses_nothing(mixed):
    stored = StoredNetwork(mixed)
    assert same(stored, mixed) and alone(stored)
    assert {key: variable.dtype.name for key, variable in stored.stored.items()} == {
        "half_kernel": "float16", "half_bias": "float16", "fine_kernel": "float32", "fine_bias": "float16",
        "large_kernel": "float32", "large_bias": "float16", "norm_gamma": "float16", "norm_beta": "float16",
        "norm_moving_mean": "float32", "norm_moving_variance": "float16",
    }


def test_a_network_whose_layers_mix_both_kinds_of_variables_computes_the_same(mixed):
    given = np.random.default_rng(0).random((3, 4), np.float32)
    stored = StoredNetwork(mixed)
    np.testing.assert_allclose(stored(stored.widened(), tf.constant(given)), mixed(given), rtol=1e-6)


def test_one_value_is_enough_to_keep_float32(network_file):
    predictor, transformer, _ = arbitrary_weights.load(network_file)
    stored = StoredNetwork(transformer)
    assert {variable.dtype for variable in stored.stored.values()} == {tf.float16}  # as the file has them
    kernel = transformer.get_layer("contract1_conv").kernel
    array = np.array(kernel.numpy())
    array.flat[5] = np.nextafter(array.flat[5], np.float32(1))
    kernel.assign(array)
    stored = StoredNetwork(transformer)
    assert {key for key, variable in stored.stored.items() if variable.dtype == tf.float32} == {"contract1_conv_kernel"}
    assert same(stored, transformer)


def test_the_values_are_read_at_every_call(network_file):
    """Constants in the graph would be the network's of the day on which it was traced."""
    predictor, *_ = arbitrary_weights.load(network_file)
    stored, given = StoredNetwork(predictor), tf.ones((2, 1920))
    before = stored(stored.widened(), given).numpy()
    stored.stored["code_bias"].assign_add(tf.ones(12, tf.float16))
    np.testing.assert_allclose(stored(stored.widened(), given).numpy() - before, 1, atol=1e-3)


@pytest.mark.slow
def test_the_papers_predictor_is_stored_too(painting):
    network = style_predictor(ArbitraryConfig(code=12, predictor="inception_v3"))
    stored = StoredNetwork(network)
    assert same(stored, network) and alone(stored)
    found = stored(stored.widened(), tf.constant(painting[None]))
    np.testing.assert_allclose(found, network(painting[None]), rtol=1e-3, atol=1e-5)
