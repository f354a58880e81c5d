"""Small networks between two domains, as files, engines and a SavedModel, for the tests of tfstyle.translator."""

import json
import os

import numpy as np
import pytest
import tensorflow as tf

import tfstyle
from tfstyle.nets import network_files
from tfstyle.nets.dsmap import DSMAPConfig, dsmap, part, translation

CONFIGS = {
    "dsmap": DSMAPConfig(width=4, hidden=8, blocks=1),
    "munit": DSMAPConfig(width=4, style=3, hidden=8, halvings=2, blocks=1, mapping=False, shared_tail=False),
}


def network(config):
    """Of random weights that all matter."""
    model, random = dsmap(config), np.random.default_rng(4)
    for variable in model.variables:
        spread = (2 / np.prod(variable.shape[:-1])) ** 0.5 if "kernel" in variable.path else 0.2
        middle = 1 if variable.path.endswith("gamma") else 0
        variable.assign(middle + spread * random.standard_normal(variable.shape, np.float32))
    return model


@pytest.fixture(scope="session")
def configs():
    return CONFIGS


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """{name: path of an .npz} of CONFIGS."""
    folder = tmp_path_factory.mktemp("networks")
    for name, config in CONFIGS.items():
        network_files.save(folder / f"{name}.npz", network(config), config)
    return {name: folder / f"{name}.npz" for name in CONFIGS}


@pytest.fixture(scope="session")
def networks(models):
    """{name: keras.Model} out of the files, whose weights are rounded."""
    return {name: network_files.load(path, "translate")[0] for name, path in models.items()}


@pytest.fixture(scope="session")
def engines(models):
    return {name: tfstyle.Translator(path, precision="float32") for name, path in models.items()}


@pytest.fixture(scope="session")
def engine(engines):
    return engines["dsmap"]


@pytest.fixture
def stand_ins(engine, monkeypatch):
    """Puts functions in the place of what an engine computes: called with paint and look."""

    def put(paint=None, look=None):
        for name, function in (("_painter", paint), ("_looker", look)):
            if function:
                monkeypatch.setattr(engine, name, lambda _, function=function: function)

    return put


@pytest.fixture(scope="session")
def saved_model(networks, tmp_path_factory):
    """The DSMAP network from b to a as a SavedModel with the signatures and the card of those that tfstyle exports."""
    folder = tmp_path_factory.mktemp("saved")
    paint, look = translation(networks["dsmap"], "b", "a"), part(networks["dsmap"], "a", "style")
    picture, code = tf.TensorSpec((None, None, None, 3)), tf.TensorSpec((None, 8))

    @tf.function(input_signature=[picture, code])
    def translate_code(content_image, style_code):
        with tf.control_dependencies([
            tf.debugging.Assert(tf.size(content_image) <= 3 * 4096, ["content_image must have at most 4096 pixels."]),
            tf.debugging.Assert(tf.shape(content_image)[0] == 1, ["content_image must be one picture."]),
        ]):
            return {"stylized_image": paint([content_image, style_code])}

    @tf.function(input_signature=[picture])
    def encode_style(style_image):
        return {"style_code": look(style_image)}

    module = tf.Module()
    module.models = [paint, look]
    signatures = {"translate_code": translate_code, "encode_style": encode_style}
    tf.saved_model.save(module, str(folder), signatures=signatures)
    os.makedirs(folder / "assets.extra", exist_ok=True)
    card = {
        "kind": "translate", "least_side": 16, "most_pixels": 4096, "most_pictures": 4, "style": 8, "direction": "b2a",
    }
    (folder / "assets.extra" / "tfstyle.json").write_text(json.dumps(card))
    return folder
