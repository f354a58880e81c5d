import keras
import numpy as np
import pytest
from PIL import Image
from skimage.data import chelsea

from tfstyle.checks import InputError
from tfstyle.nets import vgg as module
from tfstyle.nets.vgg import layer_info, vgg
from tfstyle.weights import VGGWeights, convolutions, load, mean_activations

# Keras reads TensorFlow's variables in a way that NumPy 2 wants changed.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

EVERY_CONV = list(convolutions("vgg19"))


@pytest.fixture(scope="module")
def weights():
    return load()


@pytest.fixture(scope="module")
def picture():
    """A photograph of 96 x 80 px with an axis of pictures in front."""
    photo = Image.fromarray(chelsea()).resize((150, 100)).crop((20, 2, 100, 98))
    return np.asarray(photo, "float32")[None] / 255


@pytest.fixture
def tiny():
    return np.random.default_rng(3).random((2, 5, 6, 3), dtype="float32")


def features(model, picture):
    found = model(picture)
    return {name: keras.ops.convert_to_numpy(keras.ops.cast(f, "float32")) for name, f in found.items()}


def convolve(picture, kernel, bias):
    """`picture` (N, H + 2, W + 2, in), already padded, by the definition and in float64."""
    height, width = picture.shape[1] - 2, picture.shape[2] - 2
    total = np.zeros((len(picture), height, width, len(bias))) + bias.astype("float64")
    for dy in range(3):
        for dx in range(3):
            total += picture[:, dy:dy + height, dx:dx + width] @ kernel[dy, dx].astype("float64")
    return total


def around(picture, mode="constant"):
    return np.pad(picture, ((0, 0), (1, 1), (1, 1), (0, 0)), mode)


@pytest.mark.parametrize(("padding", "mode"), [
    ("zero", "constant"), ("reflect", "reflect"), ("replicate", "edge"),
])
def test_first_layers_by_hand(weights, tiny, padding, mode):
    bgr = tiny[..., [2, 1, 0]].astype("float64") * 255 - [103.939, 116.779, 123.68]
    before = convolve(around(bgr, mode), *weights.arrays["block1_conv1"])
    first = np.maximum(before, 0)
    second = np.maximum(convolve(around(first), *weights.arrays["block1_conv2"]), 0)
    pooled = np.max([second[:, dy:4:2, dx:6:2] for dy in (0, 1) for dx in (0, 1)], axis=0)
    assert pooled.shape == (2, 2, 3, 64)

    found = features(vgg(["conv1_1", "relu1_1", "relu1_2", "pool1"], weights=weights, padding=padding), tiny)
    for name, expected in zip(found, (before, first, second, pooled), strict=True):
        np.testing.assert_allclose(found[name], expected, rtol=1e-4, atol=1e-3 * np.abs(expected).max())


def test_same_as_keras_applications(weights, picture):
    theirs = keras.applications.VGG19(weights=None, include_top=False, input_shape=(None, None, 3))
    for layer, parts in weights.arrays.items():
        theirs.get_layer(layer).set_weights(parts)
    names = [*EVERY_CONV, *(f"block{block}_pool" for block in range(1, 6))]
    theirs = keras.Model(theirs.input, {name: theirs.get_layer(name).output for name in names})
    expected = features(theirs, keras.applications.vgg19.preprocess_input(picture * 255))
    found = features(vgg(names, weights=weights), picture)
    assert list(found) == names
    for name in names:
        assert expected[name].max() > 1
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-3, atol=1e-3 * expected[name].max())


def test_vgg16_has_its_own_graph():
    rng = np.random.default_rng(0)
    arrays = {
        layer: (rng.normal(0, (2 / 9 / before) ** 0.5, (3, 3, before, width)).astype("float32"),
                np.zeros(width, "float32"))
        for layer, (before, width) in convolutions("vgg16").items() if layer < "block4"
    }
    # Blocks 4 and 5 are never looked at when only pool3 is asked for.
    weights = VGGWeights(arrays, np.array([1.0, 2.0, 3.0], "float32"), "vgg16", "made up")
    model = vgg(["relu3_3", "pool3"], network="vgg16", weights=weights)
    picture = rng.random((1, 20, 16, 3), dtype="float32")
    theirs = keras.applications.VGG16(weights=None, include_top=False, input_shape=(None, None, 3))
    for layer, parts in arrays.items():
        theirs.get_layer(layer).set_weights(parts)
    theirs = keras.Model(theirs.input, {"pool3": theirs.get_layer("block3_pool").output})
    expected = features(theirs, picture[..., ::-1] * 255 - [3.0, 2.0, 1.0])["pool3"]
    found = features(model, picture)
    np.testing.assert_allclose(found["pool3"], expected, rtol=1e-3, atol=1e-3 * expected.max())
    assert found["relu3_3"].shape == (1, 5, 4, 256)
    with pytest.raises(InputError, match="vgg16 has no layer 'relu3_4'"):
        vgg("relu3_4", network="vgg16", weights=weights)
    with pytest.raises(InputError, match="weights are of vgg16, not of vgg19: use the network vgg16"):
        vgg("relu3_3", weights=weights)
    with pytest.raises(InputError, match="ImageNet's VGG-19 only"):
        vgg("relu3_3", network="vgg16", weights=weights, normalized=True)


def test_two_names_for_one_tensor(weights, tiny):
    names = ["relu1_2", "block1_conv2", "conv1_2", "pool1", "block1_pool"]
    found = features(vgg(names, weights=weights), tiny)
    assert list(found) == names
    np.testing.assert_array_equal(found["relu1_2"], found["block1_conv2"])
    np.testing.assert_array_equal(found["pool1"], found["block1_pool"])
    assert found["conv1_2"].min() < 0
    np.testing.assert_array_equal(found["relu1_2"], np.maximum(found["conv1_2"], 0))


def test_one_name_will_do(weights, tiny):
    assert list(features(vgg("relu1_1", weights=weights), tiny)) == ["relu1_1"]


@pytest.mark.parametrize(("name", "last", "convs"), [
    ("relu1_1", "block1_conv1", 1), ("conv3_2", "conv3_2", 6), ("pool2", "block2_pool", 4),
    ("relu4_2", "block4_conv2", 10),
])
def test_stops_at_the_deepest_layer(weights, name, last, convs):
    model = vgg(["relu1_1", name], weights=weights)
    assert model.layers[-1].name == last
    assert sum(isinstance(layer, keras.layers.Conv2D) for layer in model.layers) == convs


def test_frozen_and_named_as_in_keras(weights):
    model = vgg("relu2_2", weights=weights)
    assert model.trainable_weights == [] and len(model.weights) == 8
    assert [layer.name for layer in model.layers[2:]] == [
        "block1_conv1", "block1_conv2", "block1_pool", "block2_conv1", "block2_conv2"]


def test_pooling(weights, tiny):
    for pooling, reduce in [("max", np.max), ("average", np.mean)]:
        found = features(vgg(["relu1_2", "pool1"], weights=weights, pooling=pooling), tiny)
        inside = found["relu1_2"][:, :4]  # the fifth row is odd and dropped
        blocks = inside.reshape(2, 2, 2, 3, 2, 64)
        np.testing.assert_allclose(found["pool1"], reduce(blocks, axis=(2, 4)), rtol=1e-5, atol=1e-4)


def test_replicated_border_prints_no_frame(weights):
    gray = np.full((1, 8, 8, 3), 0.25, "float32")
    spread = {}
    for padding in ("zero", "replicate", "reflect"):
        found = features(vgg("relu1_1", weights=weights, padding=padding), gray)["relu1_1"]
        spread[padding] = np.ptp(found, axis=(1, 2)).max()
        assert found.max() > 10
    assert spread["replicate"] < 1e-3 and spread["reflect"] < 1e-3
    assert spread["zero"] > 10


@pytest.mark.parametrize("padding", ["zero", "reflect", "replicate"])
def test_gradient_reaches_every_pixel_and_is_repeatable(weights, tiny, padding):
    tf = pytest.importorskip("tensorflow")
    model = vgg("relu2_1", weights=weights, padding=padding)

    @tf.function
    def gradient(picture):
        with tf.GradientTape() as tape:
            tape.watch(picture)
            loss = tf.reduce_sum(model(picture)["relu2_1"] ** 2)
        return tape.gradient(loss, picture)

    first = gradient(tf.constant(tiny[:, :4])).numpy()
    assert (np.abs(first) > 0).all()
    np.testing.assert_array_equal(first, gradient(tf.constant(tiny[:, :4])).numpy())


def test_bfloat16(weights, picture):
    names = ["relu1_1", "conv2_1", "pool2", "relu3_1"]
    model = vgg(names, weights=weights, dtype="bfloat16")
    assert {keras.backend.standardize_dtype(v.dtype) for v in model.weights} == {"bfloat16"}
    assert {keras.backend.standardize_dtype(f.dtype) for f in model(picture).values()} == {"bfloat16"}
    prepared = model.get_layer("preprocess")(picture)
    assert keras.backend.standardize_dtype(prepared.dtype) == "float32"
    np.testing.assert_allclose(prepared, picture[..., ::-1] * 255 - [103.939, 116.779, 123.68], atol=1e-3)

    exact, rounded = features(vgg(names, weights=weights), picture), features(model, picture)
    for name in names:
        error = np.linalg.norm(rounded[name] - exact[name]) / np.linalg.norm(exact[name])
        assert 1e-5 < error < 0.02, name


def test_global_settings_of_keras_do_not_reach_in(weights, tiny):
    expected = features(vgg(["pool1"], weights=weights, padding="reflect"), tiny)["pool1"]
    policy, order = keras.config.dtype_policy(), keras.config.image_data_format()
    try:
        keras.config.set_dtype_policy("mixed_bfloat16")
        keras.config.set_image_data_format("channels_first")
        model = vgg(["pool1"], weights=weights, padding="reflect")
        np.testing.assert_array_equal(features(model, tiny)["pool1"], expected)
    finally:
        keras.config.set_dtype_policy(policy)
        keras.config.set_image_data_format(order)


@pytest.mark.parametrize("pooling", ["max", "average"])
def test_normalized_features_are_plain_ones_over_their_means(weights, picture, pooling):
    plain = features(vgg(EVERY_CONV, weights=weights, pooling=pooling), picture)
    normalized = features(vgg(EVERY_CONV, weights=weights, pooling=pooling, normalized=True), picture)
    means = mean_activations()
    for layer in EVERY_CONV:
        expected = plain[layer] / means[layer]
        np.testing.assert_allclose(normalized[layer], expected, rtol=1e-3, atol=1e-3 * expected.max())


def test_normalized_mean_is_about_one(weights):
    photo = chelsea()[None].astype("float32") / 255
    found = features(vgg(EVERY_CONV, weights=weights, normalized=True), photo)
    for layer, values in found.items():
        assert 0.5 < values.mean() < 2, layer


def test_dead_filters_keep_their_scale(weights, tiny, monkeypatch):
    means = {layer: np.full(width, 2.0, "float32") for layer, (_, width) in convolutions("vgg19").items()}
    means["block1_conv1"][7] = 0
    monkeypatch.setattr(module, "mean_activations", lambda: means)
    plain = features(vgg(["relu1_1", "relu1_2"], weights=weights), tiny)
    normalized = features(vgg(["relu1_1", "relu1_2"], weights=weights, normalized=True), tiny)
    scale = np.where(np.arange(64) == 7, 1.0, 2.0)
    np.testing.assert_allclose(normalized["relu1_1"], plain["relu1_1"] / scale, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(normalized["relu1_2"], plain["relu1_2"] / 2, rtol=1e-4, atol=1e-2)


def test_normalized_wants_the_network_that_was_measured(weights):
    arrays = weights.arrays | {"block2_conv1": (weights.arrays["block2_conv1"][0], np.ones(128, "float32"))}
    other = VGGWeights(arrays, weights.mean, "vgg19", "made up")
    with pytest.raises(InputError, match=r"ImageNet's VGG-19 only.*turn normalized off"):
        vgg("relu2_1", weights=other, normalized=True)


def test_saved_and_loaded(weights, tiny, tmp_path):
    model = vgg(["conv1_1", "relu1_2"], weights=weights, padding="replicate")
    model.save(tmp_path / "vgg.keras")
    again = keras.saving.load_model(tmp_path / "vgg.keras")
    expected, found = features(model, tiny), features(again, tiny)
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values)


def test_own_weights_h5_goes_back_in(weights, tmp_path):
    vgg(["conv1_2", "relu5_4"], weights=weights).save_weights(tmp_path / "own.weights.h5")
    again = load(tmp_path / "own.weights.h5")
    for layer, (kernel, bias) in weights.arrays.items():
        np.testing.assert_array_equal(again.arrays[layer][0], kernel)
        np.testing.assert_array_equal(again.arrays[layer][1], bias)


@pytest.mark.parametrize(("name", "expected"), [
    ("relu1_1", (64, 1, 1)), ("block2_conv2", (128, 2, 2)), ("conv4_2", (512, 8, 8)),
    ("pool4", (512, 16, 16)), ("block5_pool", (512, 32, 32)),
])
def test_layer_info(weights, name, expected):
    assert layer_info(name) == expected
    channels, stride, least = expected
    model = vgg(name, weights=weights)
    assert features(model, np.zeros((1, least, least, 3), "float32"))[name].shape == (1, 1, 1, channels)
    wide = features(model, np.zeros((1, least, 3 * stride, 3), "float32"))[name]
    assert wide.shape == (1, 1, 3, channels)


@pytest.mark.parametrize(("arguments", "sentence"), [
    ({"layers": "relu4_22"}, "vgg19 has no layer 'relu4_22'; did you mean 'relu4_2'"),
    ({"layers": ["relu1_1", "block6_conv1"]}, "vgg19 has no layer 'block6_conv1'; did you mean 'block"),
    ({"layers": "fc"}, "vgg19 has no layer 'fc', for example 'relu4_2'"),
    ({"layers": [4]}, "vgg19 has no layer 4, for example"),
    ({"layers": []}, "At least one VGG layer must be named"),
    ({"layers": None}, "layers must be names such as 'relu4_2'; received None"),
    ({"network": "vgg18"}, "network must be one of 'vgg16', 'vgg19'; received 'vgg18'"),
    ({"pooling": "avg"}, "pooling must be one of 'max', 'average'; received 'avg'"),
    ({"padding": "zeros"}, "padding must be one of .* did you mean 'zero'"),
    ({"dtype": "float16"}, "dtype must be one of .* did you mean 'bfloat16'"),
])
def test_bad_arguments(weights, arguments, sentence):
    with pytest.raises(InputError, match=sentence):
        vgg(**{"layers": "relu1_1", "weights": weights} | arguments)
