"""Small networks that enlarge, as files, engines and a SavedModel, for the tests of tfstyle.enlarger."""

import json
import os

import numpy as np
import pytest
import tensorflow as tf

import tfstyle
from tfstyle.nets import network_files
from tfstyle.nets.superres import SuperResConfig, superres

CONFIGS = {
    "plain": SuperResConfig(4, width=4, blocks=1, normalization="none"),
    "x4": SuperResConfig(4, width=4, blocks=1, residual=True),
    "x8": SuperResConfig(8, width=4, blocks=1),
}


def network(config):
    """Of random weights that all matter, with statistics of batches that differ from those of a new network."""
    model, random = superres(config), np.random.default_rng(4)
    for variable in model.variables:
        spread = (2 / np.prod(variable.shape[:-1])) ** 0.5 if "kernel" in variable.path else 0.2
        middle = 1 if variable.path.endswith(("gamma", "variance")) else 0
        variable.assign(middle + spread * random.standard_normal(variable.shape, np.float32))
    return model


@pytest.fixture(scope="session")
def configs():
    return CONFIGS


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """{name: path of an .npz} of CONFIGS."""
    folder = tmp_path_factory.mktemp("networks")
    for name, config in CONFIGS.items():
        network_files.save(folder / f"{name}.npz", network(config), config)
    return {name: folder / f"{name}.npz" for name in CONFIGS}


@pytest.fixture(scope="module")
def engines(models):
    return {name: tfstyle.Enlarger(path, precision="float32") for name, path in models.items()}


@pytest.fixture(scope="module")
def wholes(models):
    """{name: function of pictures} of the networks themselves, which see them whole."""
    networks = {name: network_files.load(path, "superres")[0] for name, path in models.items()}
    return {name: lambda small, network=network: np.asarray(network(small)) for name, network in networks.items()}


@pytest.fixture(scope="module")
def engine(engines):
    return engines["x4"]


@pytest.fixture(scope="module")
def saved_model(models, tmp_path_factory):
    """The x4 network as a SavedModel with the signature and the card of those that tfstyle exports."""
    folder = tmp_path_factory.mktemp("saved")
    model, _ = network_files.load(models["x4"], "superres")

    @tf.function(input_signature=[tf.TensorSpec((None, None, None, 3), name="image")])
    def serve(image):
        return {"enlarged_image": model(image, training=False)}

    module = tf.Module()
    module.model = model
    tf.saved_model.save(module, str(folder), signatures={"serving_default": serve})
    os.makedirs(folder / "assets.extra", exist_ok=True)
    card = {"kind": "superres", "least_side": 16, "most_pixels": 4096, "factor": 4, "reach": CONFIGS["x4"].reach}
    (folder / "assets.extra" / "tfstyle.json").write_text(json.dumps(card))
    return folder
