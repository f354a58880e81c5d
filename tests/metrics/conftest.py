"""A network of 1,100 weights in the place of VGG, and figures by NumPy in float64 from the features it gives."""

import keras
import numpy as np
import pytest

from tfstyle.metrics.stylization import _perceptual_network

STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
PERCEPTUAL_LAYERS = ("relu1_2", "relu2_2", "relu3_4", "relu4_4", "relu5_4")
LAYERS = ("relu1_1", "relu1_2", "relu2_1", "relu2_2", "relu3_1", "relu3_4", "relu4_1", "relu4_2", "relu4_4", "relu5_1",
          "relu5_4")


def _network():
    """Random convolutions to 3 channels under the names of VGG's layers, pooled between its blocks."""
    image = keras.Input((None, None, 3))
    x, found = image * 4.0 - 2.0, {}
    for seed, name in enumerate(LAYERS):
        if name[-1] == "1" and name != "relu1_1":
            x = keras.layers.MaxPooling2D(2, padding="valid", data_format="channels_last")(x)
        filters = keras.initializers.VarianceScaling(2.0, seed=seed)
        x = found[name] = keras.layers.Conv2D(
            3, 3, padding="same", activation="relu", data_format="channels_last", kernel_initializer=filters,
            bias_initializer=keras.initializers.Constant(0.2),
        )(x)
    return keras.Model(image, found)


@pytest.fixture(scope="session")
def network():
    return _network()


@pytest.fixture
def looks(network, monkeypatch):
    """Puts the small network in VGG's place; the list of the shapes of all pictures it has looked at."""
    shapes = []

    def vgg(layers, **options):
        assert not options and set(layers) in (set(LAYERS), set(PERCEPTUAL_LAYERS))

        def features(image):
            shapes.append(image.shape[1:3])
            found = network(image)
            return {name: found[name] for name in layers}

        return features

    monkeypatch.setattr("tfstyle.metrics.stylization.vgg", vgg)
    _perceptual_network.cache_clear()
    yield shapes
    _perceptual_network.cache_clear()


@pytest.fixture(scope="session")
def recomputed(network):
    """Every figure but the pixels' own, from uint8 pictures at the size measured at."""

    def features(picture):
        found = network(picture[None].astype("float32") / 255)
        return {name: np.asarray(f, np.float64).reshape(-1, f.shape[-1]) for name, f in found.items()}

    def gram(rows):
        return np.einsum("ki,kj->ij", rows, rows) / len(rows)

    def style(mine, target):
        squares = {name: np.sum((gram(mine[name]) - gram(target[name])) ** 2) for name in STYLE_LAYERS}
        layers = {name: d / (4 * mine[name].shape[1] ** 2) for name, d in squares.items()}
        relative = {name: d / np.sum(gram(target[name]) ** 2) for name, d in squares.items()}
        return sum(layers.values()) / 5, sum(relative.values()) / 5, layers, relative

    def unit(rows):
        return rows / (np.linalg.norm(rows, axis=1, keepdims=True) + 1e-10)

    def recomputed(content, painting, stylized):
        photo, target, mine = map(features, (content, painting, stylized))
        mse = np.mean((mine["relu4_2"] - photo["relu4_2"]) ** 2)
        adain = [
            (np.mean((mine[n].mean(0) - target[n].mean(0)) ** 2) + np.mean((mine[n].std(0) - target[n].std(0)) ** 2),
             np.mean(target[n].mean(0) ** 2) + np.mean(target[n].var(0)))
            for n in STYLE_LAYERS[:4]
        ]
        figures = dict(zip(("style_loss", "style_rel", "style_layers", "style_rel_layers"), style(mine, target)))
        figures["style_of_content"], figures["style_rel_of_content"], _, _ = style(photo, target)
        return figures | {
            "content_mse": mse,
            "content_loss": mse / np.mean(photo["relu4_2"] ** 2),
            "adain_loss": sum(error for error, _ in adain),
            "adain_rel": sum(error / size for error, size in adain) / 4,
            "vgg_dist": sum(
                np.mean(np.sum((unit(mine[n]) - unit(photo[n])) ** 2, axis=1)) for n in PERCEPTUAL_LAYERS
            ) / 5,
        }

    return recomputed
