"""Enlargement by one model or another: sizes, memory, precision, files, SavedModels, and what it refuses."""

import hashlib
import json
import os
import pathlib
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import tfstyle
from tfstyle import enlarge_settings, enlarger
from tfstyle.nets import network_files
from tfstyle.nets.dsmap import DSMAPConfig, dsmap
from tfstyle.nets.feedforward import FeedForwardConfig, feedforward
from tfstyle.weights import files

# Keras reads TensorFlow's variables in a way that NumPy 2 wants changed.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def pixels(image):
    return np.asarray(image, np.uint8)


# Size, memory and precision


def test_a_result_of_too_many_pixels_is_refused(engine, monkeypatch, refusal):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 16 * 20 * 30)
    assert engine.enlarge(np.zeros((20, 30))).size == (120, 80)
    monkeypatch.setattr(engine, "_network", pytest.fail)
    assert refusal(engine.enlarge, np.zeros((20, 31))) == (
        "A 31x20 px picture would be 124x80 px, over the limit of 9600 pixels; enlarge a smaller one."
    )
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    assert enlarge_settings.enlarged_shape(10**5, 10**6, 8) == (8 * 10**5, 8 * 10**6)


def test_a_picture_that_does_not_fit_is_refused(engine, monkeypatch, refusal, photo):
    monkeypatch.setattr(enlarger, "available", lambda: 2**30)
    assert engine.enlarge(photo).size == (244, 180)
    monkeypatch.setattr(engine, "_network", pytest.fail)
    for call in (lambda: engine.enlarge(np.zeros((2000, 2400, 3), np.uint8)),
                 lambda: engine.enlarge_batch(np.zeros((200, 160, 160, 3), np.float32))):
        said = refusal(call)
        assert said.startswith("Enlarging ") and " px by 4 needs about " in said
        assert " GiB of memory and 1.0 GiB are free; use a smaller picture, close other programs or take " in said


def test_bfloat16_is_close_to_float32(models, monkeypatch, photo, engine):
    monkeypatch.setattr("tfstyle.machine.bfloat16_wins", lambda: (True, "a test says so"))
    rough = tfstyle.Enlarger(models["x4"], precision="bfloat16")
    found, wanted = (one.enlarge_batch(photo[None], match_histogram=False) for one in (rough, engine))
    assert found.dtype == np.float32
    assert 0 < np.abs(found - wanted).mean() < 0.01


@pytest.mark.parametrize(("wins", "asked", "dtype"), [
    (True, "auto", "mixed_bfloat16"), (True, "float32", "float32"), (False, "auto", "float32"),
])
def test_precisions(configs, models, monkeypatch, wins, asked, dtype):
    told = []
    monkeypatch.setattr("tfstyle.machine.bfloat16_wins", lambda: (wins, "a test says so"))
    monkeypatch.setattr(network_files, "load", lambda *given: told.append(given) or (None, configs["x4"]))
    tfstyle.Enlarger(models["x4"], precision=asked)
    assert told == [(str(models["x4"]), "superres", dtype)]


def test_bfloat16_where_it_would_be_emulated(models, monkeypatch, refusal):
    monkeypatch.setattr("tfstyle.machine.bfloat16_wins", lambda: (False, "a test says so"))
    assert "use the precision auto" in refusal(tfstyle.Enlarger, models["x4"], precision="bfloat16")


def test_another_backend_is_said_so(models, monkeypatch, refusal):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    assert "needs Keras on TensorFlow here and it runs on jax" in refusal(tfstyle.Enlarger, models["x4"])


# Models


def test_a_keras_file_and_a_saved_model_enlarge_as_the_npz(models, saved_model, tmp_path, engine, photo):
    network_files.save(tmp_path / "network.keras", *network_files.load(models["x4"], "superres"))
    wanted = pixels(engine.enlarge(photo))
    for model in (tmp_path / "network.keras", saved_model, str(saved_model)):
        other = tfstyle.Enlarger(model, factor=4, precision="float32")
        assert (other.factor, other.model) == (4, os.fspath(model))
        assert (np.abs(pixels(other.enlarge(photo)).astype(int) - wanted) <= 1).mean() > 0.999


def test_a_saved_model_goes_by_tiles_too(engine, saved_model, monkeypatch, photo):
    """No larger ones than it takes in a request, and one at a time."""
    other = tfstyle.Enlarger(saved_model)
    small = np.stack([np.pad(part, ((9, 9), (9, 9), (0, 0)), mode="wrap") for part in (photo, photo[:, ::-1])])
    seen = []
    assert small[0].size > 3 * 4096 and other._side == 64
    monkeypatch.setattr("tfstyle.foreign.tf.constant", lambda part: seen.append(part.shape) or part)
    found = other.enlarge_batch(small, match_histogram=False)
    np.testing.assert_allclose(found, engine.enlarge_batch(small, match_histogram=False), atol=2e-6)
    assert len(seen) > 2 and all(shape[0] == 1 and shape[1] * shape[2] <= 4096 for shape in seen)


def test_shipped_networks_are_found_by_their_factor(models, monkeypatch, tmp_path, refusal):
    content = models["x8"].read_bytes()
    (tmp_path / "superres8.npz").write_bytes(content)
    monkeypatch.setattr(files, "HERE", tmp_path)
    monkeypatch.setattr(files, "SHIPPED", {"superres8.npz": hashlib.sha256(content).hexdigest()})
    assert tfstyle.Enlarger(factor=8).factor == 8
    assert refusal(tfstyle.Enlarger) == (
        "No network that enlarges by 4 is part of this version of tfstyle; train one (tfstyle train superres "
        "--factor 4) and give its path as the model, or use the factor 8."
    )
    monkeypatch.setattr(files, "SHIPPED", {})
    assert refusal(tfstyle.enlarge, np.zeros((20, 20)), 8) == (
        "No network that enlarges by 8 is part of this version of tfstyle; train one (tfstyle train superres "
        "--factor 8) and give its path as the model."
    )


def test_a_model_of_another_factor(models, saved_model, refusal):
    for model, factor, other in ((models["x8"], 8, 4), (models["x4"], 4, 8), (saved_model, 4, 8)):
        assert tfstyle.Enlarger(model, factor=factor).factor == tfstyle.Enlarger(model).factor == factor
        assert refusal(tfstyle.Enlarger, model, factor=other) == (
            f"The model {str(model)!r} enlarges by {factor}, not by {other}; use the factor {factor} or another model."
        )


def test_the_factor_is_the_models_own(models, saved_model, tmp_path, monkeypatch, photo, refusal):
    network_files.save(tmp_path / "eight.keras", *network_files.load(models["x8"], "superres"))
    for model, factor in ((models["x8"], 8), (tmp_path / "eight.keras", 8), (models["x4"], 4), (saved_model, 4)):
        assert enlarge_settings.model_factor(model) == enlarge_settings.model_factor(model, factor) == factor
        assert tfstyle.enlarge(photo[:16, :20], model=model, precision="float32").size == (20 * factor, 16 * factor)
    assert [enlarge_settings.model_factor("default", factor) for factor in (None, 4, 8)] == [4, 4, 8]
    said = f"The model {str(models['x8'])!r} enlarges by 8, not by 4; use the factor 8 or another model."
    monkeypatch.setattr(network_files, "load", pytest.fail)
    assert refusal(tfstyle.enlarge, photo, 4, model=models["x8"]) == said
    np.savez(tmp_path / "odd.npz", config=np.frombuffer(b'{"kind": "superres", "factor": 3}', np.uint8))
    assert refusal(tfstyle.enlarge, photo, model=tmp_path / "odd.npz") == (
        f"{tmp_path / 'odd.npz'} does not say by how much it enlarges, or is damaged: give another model."
    )


def told(folder, source, **more):
    """A copy of a SavedModel whose card says something else."""
    shutil.copytree(source, folder)
    card = folder / "assets.extra" / "tfstyle.json"
    card.write_text(json.dumps(json.loads(card.read_text()) | more))
    return folder


@pytest.mark.parametrize("most", [31**2, 36**2, 47**2])
def test_tiles_of_deep_networks_fit_into_requests(configs, engine, saved_model, monkeypatch, tmp_path, photo, most):
    """Where twice the reach is more than half of what a request holds, tiles get small, and none too small."""
    reach = configs["x4"].reach
    other = tfstyle.Enlarger(told(tmp_path / "deep", saved_model, most_pixels=most, reach=reach), precision="float32")
    small, seen = photo[None], []
    monkeypatch.setattr("tfstyle.foreign.tf.constant", lambda part: seen.append(part.shape[1:3]) or part)
    found = other.enlarge_batch(small, match_histogram=False)
    np.testing.assert_allclose(found, engine.enlarge_batch(small, match_histogram=False), atol=2e-6)
    assert len(seen) > 2 and max(map(np.prod, seen)) <= most and np.min(seen) >= 16


@pytest.mark.parametrize(("most", "reach"), [(256, 0), (256, 7), (300, 8), (4096, 31), (961, 13)])
def test_no_tile_is_too_large_or_too_small(engine, monkeypatch, most, reach):
    side = int(most**0.5)
    for name, value in (("_side", side), ("_most_side", side), ("_reach", reach)):
        monkeypatch.setattr(engine, name, value)
    for length in range(16, 200):
        spans = engine._spans(length)
        assert [place for span in spans for place in range(*span)] == list(range(length))
        for first, last in spans:
            start, end = engine._around(first, last, length)
            assert 16 <= end - start <= side and 0 <= start <= max(0, first - reach)
            assert min(length, last + reach) <= end <= length


def test_requests_too_small_to_be_put_together(saved_model, tmp_path, monkeypatch, refusal):
    monkeypatch.setattr("tfstyle.foreign.loaded", pytest.fail)
    folder = told(tmp_path / "small", saved_model, most_pixels=1023, reach=16)
    assert refusal(tfstyle.Enlarger, folder) == (
        f"The SavedModel {str(folder)!r} takes requests too small to be put together; give the file that it was made "
        "from."
    )


@pytest.mark.parametrize(("sentence", "words"), [
    ("image must have at most 9 pixels.", "image must have at most 9 pixels."),
    (None, "it was made for others; export it anew."),
])
def test_what_a_saved_model_refuses(saved_model, tmp_path, photo, refusal, sentence, words):
    """Requests that it does not take after all, whatever its card says."""
    @tf.function(input_signature=[tf.TensorSpec((None, None, None, 3), name="image")])
    def serve(image):
        if sentence is None:
            return {"enlarged_image": tf.reshape(image, (7, -1, 11, 13))}
        with tf.control_dependencies([tf.debugging.Assert(tf.size(image) < 28, [sentence])]):
            return {"enlarged_image": tf.identity(image)}

    folder = told(tmp_path / "narrow", saved_model)
    tf.saved_model.save(tf.Module(), str(folder), signatures={"serving_default": serve})
    engine = tfstyle.Enlarger(folder)
    assert refusal(engine.enlarge, photo) == f"The model {str(folder)!r} refuses the picture: {words}"


def test_models_of_another_kind(network_file, saved_model, tmp_path, refusal):
    config = FeedForwardConfig(widths=(4, 4, 4, 4), blocks=1)
    network_files.save(tmp_path / "style.npz", feedforward(config), config)
    for path in (network_file, tmp_path / "style.npz"):
        said = f"model {str(path)!r} paints pictures and enlarges none; use tfstyle.stylize, or give another."
        assert refusal(tfstyle.Enlarger, path) == said
    translate = DSMAPConfig(width=2, hidden=4, blocks=1)
    network_files.save(tmp_path / "two.npz", dsmap(translate), translate)
    said = refusal(tfstyle.Enlarger, tmp_path / "two.npz")
    assert said.endswith("two.npz' translates pictures; use tfstyle.translate, or give another to enlarge by.")
    said = refusal(tfstyle.Enlarger, saved_model, precision="bfloat16")
    assert said == f"The model {str(saved_model)!r} computes in its own precision; use the precision auto."


def test_saved_models_of_another_kind(tmp_path, refusal):
    card, name = tmp_path / "assets.extra" / "tfstyle.json", repr(str(tmp_path))
    (tmp_path / "saved_model.pb").write_bytes(b"no graph")
    assert refusal(tfstyle.Enlarger, tmp_path) == (
        f"The SavedModel {name} is none of tfstyle export superres; give another model."
    )
    os.mkdir(card.parent)
    says = {"kind": "superres", "least_side": 16, "factor": 4, "reach": 9, "most_pixels": 4096}
    for key, value in (("factor", 3), ("factor", None), ("factor", 4.0), ("reach", "9"), ("reach", -1),
                       ("most_pixels", None), ("most_pixels", 255), ("most_pixels", True)):
        card.write_text(json.dumps(says | {key: value}))
        assert refusal(tfstyle.Enlarger, tmp_path) == (
            f"The SavedModel {name} does not say rightly how it enlarges; export it anew."
        )
    card.write_text(json.dumps(says | {"kind": "style"}))
    assert refusal(tfstyle.Enlarger, tmp_path).startswith(f"model {name} paints pictures and enlarges none; ")
    card.write_text(json.dumps(says))
    assert refusal(tfstyle.Enlarger, tmp_path).startswith(f"The SavedModel {name} cannot be loaded (")


def test_a_saved_model_without_its_signature(saved_model, monkeypatch, refusal):
    module = tf.Module()
    module.signatures = {"serving_default": tf.function(lambda x: {"y": x}).get_concrete_function(tf.TensorSpec((1,)))}
    monkeypatch.setattr("tfstyle.foreign.loaded", lambda folder: module)
    said = f"The SavedModel {str(saved_model)!r} has no signature that enlarges; export it anew."
    assert refusal(tfstyle.Enlarger, saved_model) == said


@pytest.mark.parametrize(("model", "words"), [
    ("gone.npz", "There is no model 'gone.npz'; check the path, or use the model default."),
    (None, 'model must be "default" or a path; received None.'),
    ("text.txt", "model 'text.txt' has an unknown ending; it must be .npz or .keras, or a folder."),
    ("folder", "model 'folder' is a folder without a saved_model.pb; name the folder that holds it."),
    ("empty.npz", "empty.npz holds no network that this tfstyle knows, or is damaged: give another file."),
    (pathlib.Path("empty.keras"), "empty.keras holds no network that this tfstyle knows"),
])
def test_models_that_do_not_work(tmp_path, monkeypatch, model, words, refusal):
    monkeypatch.chdir(tmp_path)
    os.mkdir("folder")
    for name in ("text.txt", "empty.npz", "empty.keras"):
        (tmp_path / name).write_text("")
    assert refusal(tfstyle.Enlarger, model).startswith(words)
