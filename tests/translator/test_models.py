"""Translation by one model or another: memory, precision, files, SavedModels, and what it refuses."""

import hashlib
import json
import os
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfstyle
from tfstyle import running, translate_settings
from tfstyle.nets import network_files
from tfstyle.nets.feedforward import FeedForwardConfig, feedforward
from tfstyle.nets.superres import SuperResConfig, superres
from tfstyle.weights import files

# Keras reads TensorFlow's variables in a way that NumPy 2 wants changed.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def pixels(image):
    return np.asarray(image, np.uint8)


# Memory and precision


def test_a_picture_that_does_not_fit_is_refused(engine, monkeypatch, stand_ins, refusal, photo):
    monkeypatch.setattr(running, "available", lambda: 2**30)
    assert engine.translate(photo, size=None).size == (61, 45)
    stand_ins(pytest.fail, pytest.fail)
    large = np.zeros((2000, 2400, 3), np.uint8)
    said = refusal(engine.translate, large, size=None)
    assert said.startswith("A 2400x2000 px picture needs about 1.9 GiB of memory and 1.0 GiB are free; use the size ")
    assert refusal(engine.translate_batch, np.zeros((1, 2000, 2400, 3), np.float32), np.zeros(8, "f")) == said
    assert "; use the style_size " in refusal(engine.style_code, large, style_size=2400)


def test_bfloat16_is_close_to_float32(models, monkeypatch, photo, engine):
    monkeypatch.setattr("tfstyle.machine.bfloat16_wins", lambda: (True, "a test says so"))
    rough, code = tfstyle.Translator(models["dsmap"], precision="bfloat16"), engine.random_codes(1)
    found, wanted = (one.translate_batch(photo[None], code) for one in (rough, engine))
    assert found.dtype == np.float32
    assert 0 < np.abs(found - wanted).mean() < 0.03
    found, wanted = (one.style_code(photo) for one in (rough, engine))
    assert found.dtype == np.float32 and 0 < np.abs(found - wanted).max() < 0.1


@pytest.mark.parametrize(("wins", "asked", "dtype"), [
    (True, "auto", "mixed_bfloat16"), (True, "float32", "float32"), (False, "auto", "float32"),
])
def test_precisions(configs, models, monkeypatch, wins, asked, dtype):
    told = []
    monkeypatch.setattr("tfstyle.machine.bfloat16_wins", lambda: (wins, "a test says so"))
    monkeypatch.setattr(network_files, "load", lambda *given: told.append(given) or (None, configs["dsmap"]))
    tfstyle.Translator(models["dsmap"], precision=asked)
    assert told == [(str(models["dsmap"]), "translate", dtype)]


def test_bfloat16_where_it_would_be_emulated(models, monkeypatch, refusal):
    monkeypatch.setattr("tfstyle.machine.bfloat16_wins", lambda: (False, "a test says so"))
    assert "use the precision auto" in refusal(tfstyle.Translator, models["dsmap"], precision="bfloat16")


def test_another_backend_is_said_so(models, monkeypatch, refusal):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    assert "needs Keras on TensorFlow here and it runs on jax" in refusal(tfstyle.Translator, models["dsmap"])


# Files


@pytest.mark.parametrize("name", ["dsmap", "munit"])
def test_a_keras_file_translates_as_the_npz(configs, networks, tmp_path, engines, photo, name):
    path = tmp_path / "network.keras"
    network_files.save(path, networks[name], configs[name])
    assert translate_settings.check_model(path) is None
    other = tfstyle.Translator(path, precision="float32")
    assert (other.model, other.code_size) == (str(path), engines[name].code_size)
    for direction in ("a2b", "b2a"):
        found, wanted = (one.translate(photo, photo, direction=direction, size=48) for one in (other, engines[name]))
        np.testing.assert_array_equal(pixels(found), pixels(wanted))


def test_shipped_networks_are_found_by_their_name(models, monkeypatch, tmp_path, refusal):
    content = models["munit"].read_bytes()
    (tmp_path / "translate_monet.npz").write_bytes(content)
    monkeypatch.setattr(files, "HERE", tmp_path)
    monkeypatch.setattr(files, "SHIPPED", {"translate_monet.npz": hashlib.sha256(content).hexdigest()})
    engine = tfstyle.Translator("monet")
    assert (engine.model, engine.code_size) == ("monet", 3)
    assert refusal(tfstyle.Translator, "monte") == "There is no model 'monte'; did you mean 'monet'?"
    assert refusal(tfstyle.Translator, 7) == (
        "model must be 'monet' or the path of a network from tfstyle train translate; received 7."
    )
    monkeypatch.setattr(files, "SHIPPED", {"translate_monet.npz": "0"})
    assert "translate_monet.npz of the package tfstyle is damaged" in refusal(tfstyle.Translator, "monet")


@pytest.mark.parametrize(("model", "words"), [
    (7, "model must be 'monet' or the path of a network from tfstyle train translate; received 7."),
    ("gone.npz", "There is no model 'gone.npz'; check the path."),
    ("folder", "model 'folder' is a folder without a saved_model.pb; name the folder that holds it."),
    ("text.txt", "model 'text.txt' has an unknown ending; it must be .npz or .keras, or a folder."),
    ("empty.npz", "empty.npz holds no network that this tfstyle knows, or is damaged: give another file."),
    ("empty.keras", "empty.keras holds no network that this tfstyle knows, or is damaged: give another file."),
    ("cut.npz", "cut.npz holds no network that this tfstyle knows, or is damaged: give another file."),
    ("poor.npz", "poor.npz: "),
])
def test_models_that_do_not_work(models, tmp_path, monkeypatch, model, words, refusal):
    monkeypatch.chdir(tmp_path)
    os.mkdir("folder")
    for name in ("text.txt", "empty.npz", "empty.keras"):
        (tmp_path / name).write_text("")
    (tmp_path / "cut.npz").write_bytes(models["dsmap"].read_bytes()[:9000])
    with np.load(models["dsmap"]) as arrays:
        np.savez("poor.npz", **dict(list(arrays.items())[:-1]))
    assert refusal(tfstyle.Translator, model).startswith(words)


def test_models_of_another_kind(network_file, tmp_path, refusal):
    for name, config, build in (
        ("style.npz", FeedForwardConfig(widths=(4, 4, 4, 4), blocks=1), feedforward),
        ("larger.npz", SuperResConfig(4, width=4, blocks=1), superres),
    ):
        network_files.save(tmp_path / name, build(config), config)
    for path in (network_file, tmp_path / "style.npz"):
        said = f"model {str(path)!r} paints pictures and translates none; use tfstyle.stylize, or give another."
        assert refusal(tfstyle.Translator, path) == said
    path = tmp_path / "larger.npz"
    said = f"model {str(path)!r} enlarges pictures and translates none; use tfstyle.enlarge, or give another."
    assert refusal(tfstyle.Translator, path) == said


# SavedModels


def test_a_saved_model_translates_as_the_file_in_its_direction(engine, saved_model, photo, painting):
    other = tfstyle.Translator(saved_model)
    assert (other.model, other.code_size) == (str(saved_model), 8)
    codes, pictures = engine.random_codes(2), np.stack([photo, photo[::-1]])
    found = other.translate_batch(pictures, codes, "b2a")
    np.testing.assert_allclose(found, engine.translate_batch(pictures, codes, "b2a"), atol=1e-5)
    side = {"style_size": 56}  # 48x56, which needs no reflection
    np.testing.assert_allclose(
        other.style_code(painting, "a", **side), engine.style_code(painting, "a", **side), atol=1e-5
    )
    image = other.translate(np.dstack([photo, photo[..., 0]]), painting, direction="b2a", size=40, **side)
    wanted = engine.translate(photo, painting, direction="b2a", size=40, **side)
    assert image.mode == "RGBA" and np.abs(pixels(image)[..., :3].astype(int) - pixels(wanted)).max() <= 1


def test_what_a_saved_model_refuses(saved_model, photo, monkeypatch, refusal):
    other, name = tfstyle.Translator(saved_model), repr(str(saved_model))
    said = f"The model {name} translates b2a, not a2b; use the direction b2a or another model."
    assert refusal(other.translate, photo) == refusal(other.translate_batch, photo[None], np.zeros(8)) == said
    said_of_styles = f"The model {name} looks at pictures of domain 'a' alone; give one."
    assert refusal(other.style_code, photo) == said_of_styles
    assert refusal(other.translate, photo, direction="b2a", size=128) == (
        f"The model {name} refuses the request: content_image must have at most 4096 pixels."
    )
    monkeypatch.setattr("tfstyle.translator.loaded", pytest.fail)
    assert refusal(tfstyle.translate, photo, model=saved_model) == said
    said = f"The model {name} computes in its own precision; use the precision auto."
    assert refusal(tfstyle.Translator, saved_model, precision="bfloat16") == said


def test_cards_that_do_not_work(saved_model, tmp_path, monkeypatch, refusal):
    monkeypatch.setattr("tfstyle.translator.loaded", pytest.fail)
    folder, name = tmp_path / "copy", repr(str(tmp_path / "copy"))
    shutil.copytree(saved_model, folder)
    card = folder / "assets.extra" / "tfstyle.json"
    says = json.loads(card.read_text())
    for key, value in (("style", 0), ("style", "8"), ("style", True), ("style", None), ("direction", "ab"),
                       ("direction", None), ("most_pixels", 255), ("most_pixels", None)):
        card.write_text(json.dumps(says | {key: value}))
        assert refusal(tfstyle.Translator, folder) == (
            f"The SavedModel {name} does not say rightly how it translates; export it anew."
        )
    card.write_text(json.dumps(says | {"kind": "superres"}))
    said = f"model {name} enlarges pictures and translates none; use tfstyle.enlarge, or give another."
    assert refusal(tfstyle.Translator, folder) == said
    card.write_text("{")
    assert refusal(tfstyle.Translator, folder).startswith(f"{card} is damaged or of another version of tfstyle")
    os.remove(card)
    assert refusal(tfstyle.Translator, folder) == (
        f"The SavedModel {name} is none of tfstyle export translate; give another model."
    )


def test_saved_models_without_the_signatures(saved_model, tmp_path, refusal):
    folder = tmp_path / "other"
    shutil.copytree(saved_model, folder)

    @tf.function(input_signature=[tf.TensorSpec((None, None, None, 3), name="content_image")])
    def serve(image):
        return {"stylized_image": tf.identity(image)}

    tf.saved_model.save(tf.Module(), str(folder), signatures={"translate_code": serve})
    assert refusal(tfstyle.Translator, folder) == (
        f"The SavedModel {str(folder)!r} has no signature translate_code that translates; export it anew."
    )
    (folder / "saved_model.pb").write_bytes(b"no graph")
    assert refusal(tfstyle.Translator, folder).startswith(f"The SavedModel {str(folder)!r} cannot be loaded (")
