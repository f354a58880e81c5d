"""The card of a SavedModel: what it tells, and that it is true."""

import hashlib
import json

import numpy as np
import pytest
import tensorflow as tf

from tfstyle.export import card, savedmodel
from tfstyle.version import __version__
from tfstyle.weights.files import DEFAULT, HERE

# Keras reads TensorFlow's variables in a way that NumPy 2 wants changed.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture
def told(tmp_path, saved, unchecked, without_warmup, network_file):
    """(path of the SavedModel, its card)"""
    path, _ = savedmodel.export("arbitrary", tmp_path, model=network_file, version=4)
    return path, json.loads((path / card.FILE).read_text(encoding="utf-8"))


def test_card(told, tmp_path):
    path, content = told
    assert content["name"] == "arbitrary" and "1705.06830" in content["what"]
    assert content["made_by"] == {"tfstyle": __version__, "tensorflow": tf.__version__}
    assert (content["precision"], content["weights"]) == ("float32", "network.npz")
    assert content["pictures"]["least_side"] == 16 and content["pictures"]["most_pixels"] == 7
    assert content["differences_from_python"] == {"hub": 1.3e-7}
    assert content["bytes"] == {
        "graph": sum((path / name).stat().st_size for name in ("saved_model.pb", "fingerprint.pb")),
        "variables": sum(file.stat().st_size for file in (path / "variables").iterdir()),
    }
    assert any("Simonyan" in text for text in content["licenses"].values())
    assert str(tmp_path) not in json.dumps(content)


def test_the_cards_signatures(told):
    path, content = told
    assert content["signatures"] == card.signatures(path)
    assert content["signatures"]["stylize"] == {
        "inputs": {
            "content_image": "float32 [-1, -1, -1, -1]", "style_image": "float32 [-1, -1, -1, -1]",
            "strength": "float32 [-1]",
        },
        "outputs": {"stylized_image": "float32 [-1, -1, -1, 3]"},
    }
    assert content["signatures"]["stylize_bytes"]["outputs"] == {"stylized_bytes": "string [-1]"}
    assert set(content["signatures"]) == {
        "serving_default", "stylize", "style_code", "stylize_code", "stylize_look", "stylize_bytes"
    }


def test_the_cards_hashes_are_of_the_weights(told, network_file):
    """Of VGG-19 as shipped, and of the network's own file; no other variable is there."""
    path, content = told
    hashes = content["sha256"]["variables"]
    assert hashes == card.array_hashes(path)
    # VGG-19 to relu4_1: blocks of 2, 2 and 4 convolutions, and the first of the next.
    layers = {f"block{block}_conv{i + 1}" for block, count in ((1, 2), (2, 2), (3, 4), (4, 1)) for i in range(count)}
    with np.load(HERE / DEFAULT) as vgg, np.load(network_file) as network:
        arrays = [vgg[key] for key in vgg.files if key.partition("/")[0] in layers]
        arrays += [network[key] for key in network.files if key != "config"]
    assert sorted(hashes.values()) == sorted(hashlib.sha256(array.tobytes()).hexdigest() for array in arrays)
