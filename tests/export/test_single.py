"""Networks of one picture as graphs, in both loaders, against Keras; what is written beside them."""

import hashlib
import io
import json
import re

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tfstyle import controls, enlarge_settings, images
from tfstyle.export import ExportError, card, graph, savedmodel, single, verify
from tfstyle.export.settings import ExportSettings
from tfstyle.nets import network_files
from tfstyle.nets.feedforward import FeedForwardConfig, feedforward
from tfstyle.nets.superres import SuperResConfig, superres
from tfstyle.serving import config as serving
from tfstyle.weights import files as weights

# Keras reads TensorFlow's variables in a way that NumPy 2 wants changed.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

CLOSE = 1e-5
ENGINES = {"wave": "style", "old": "style", "larger": "superres"}


@pytest.fixture(scope="module")
def keras_of(single_files):
    """A function (name, pictures) -> what the network in the file paints."""
    networks = {name: network_files.load(file, ENGINES[name])[0] for name, file in single_files.items()}
    return lambda name, pictures: networks[name](pictures).numpy()


@pytest.fixture(scope="module")
def calls(single_calls):
    return single_calls


def file(picture, kind="PNG", **options):
    stream = io.BytesIO()
    image = picture if isinstance(picture, Image.Image) else images.to_pil(picture)
    image.save(stream, kind, **options)
    return stream.getvalue()


# The same pictures as Keras'


@pytest.mark.parametrize("name", ENGINES)
def test_signatures(single_saved, name):
    names, found = single.NAMES[ENGINES[name]], card.signatures(single_saved[name])
    assert found == {
        "serving_default": {
            "inputs": {names.picture: "float32 [-1, -1, -1, -1]"}, "outputs": {names.answer: "float32 [-1, -1, -1, 3]"}
        },
        names.of_files: {"inputs": {names.file: "string [-1]"}, "outputs": {names.answer_file: "string [-1]"}},
    }


def test_what_signatures_are_called():
    """Clients depend on it."""
    assert single.NAMES["style"] == (
        "content_image", "stylized_image", "stylize_bytes", "content_bytes", "stylized_bytes"
    )
    assert single.NAMES["superres"] == ("image", "enlarged_image", "enlarge_bytes", "image_bytes", "enlarged_bytes")


def test_only_variables_of_its_own(single_files):
    module = single.SingleModule("style", ExportSettings(model=single_files["wave"]))
    assert {id(v) for v in module.variables} == {id(v) for v in module.network.stored.values()}
    assert {v.dtype for v in module.variables} == {tf.float16}


@pytest.mark.parametrize("shape", [(45, 61), (25, 64), (40, 33)])
@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("loader", ["session", "tensorflow"])
def test_serving_default(calls, keras_of, photo, loader, name, shape):
    names, picture = single.NAMES[ENGINES[name]], images.resize(photo, shape)[None]
    found = calls[loader, name]("serving_default", **{names.picture: picture})[names.answer]
    assert found.dtype == np.float32 and found.shape[1:3] == tuple(s * (4 if name == "larger" else 1) for s in shape)
    np.testing.assert_allclose(found, keras_of(name, picture), rtol=0, atol=CLOSE)
    assert np.ptp(found) > 0.1


@pytest.mark.parametrize("name", ["wave", "larger"])
def test_a_batch_is_its_pictures(calls, keras_of, photo, name):
    names, pictures = single.NAMES[ENGINES[name]], np.stack([photo, photo[::-1] ** 2, 1 - photo])
    found = calls["session", name]("serving_default", **{names.picture: pictures})[names.answer]
    for one, picture in zip(found, pictures, strict=True):
        np.testing.assert_allclose(one, keras_of(name, picture[None])[0], rtol=0, atol=CLOSE)


def test_a_batch_that_goes_through_the_network_in_portions(single_files, keras_of, photo, monkeypatch):
    monkeypatch.setattr(graph, "_AT_ONCE", 2 * 45 * 61)
    module = single.SingleModule("style", ExportSettings(model=single_files["wave"]))
    pictures = np.stack([photo, photo[::-1] ** 2, 1 - photo])
    found, = module(tf.constant(pictures))
    np.testing.assert_allclose(found.numpy(), keras_of("wave", pictures), rtol=0, atol=CLOSE)


@pytest.mark.parametrize("name", ["wave", "larger"])
def test_as_tf_hub_calls_it(calls, keras_of, photo, name):
    """A picture in, a list of one out."""
    found, = calls["tensorflow", name].owner(tf.constant(photo[None]))
    np.testing.assert_allclose(found.numpy(), keras_of(name, photo[None]), rtol=0, atol=CLOSE)


@pytest.mark.parametrize("name", ["wave", "larger"])
@pytest.mark.parametrize("loader", ["session", "tensorflow"])
def test_files(calls, keras_of, photo, loader, name):
    """Of unlike sizes in one request; each is answered in its own kind."""
    names = single.NAMES[ENGINES[name]]
    given = [file(photo), file(images.resize(photo, (40, 33)), "JPEG", quality=95),
             file(images.to_pil(photo[:20]).convert("L"), "JPEG"), file(images.to_pil(photo).convert("RGBA"))]
    found = calls[loader, name](names.of_files, **{names.file: np.array(given, object)})[names.answer_file]
    answers = [Image.open(io.BytesIO(content)) for content in found]
    assert [image.format for image in answers] == ["PNG", "JPEG", "JPEG", "PNG"]
    for image, content in zip(answers, given, strict=True):
        assert image.mode == "RGB"
        wanted = images.to_pil(keras_of(name, images.read(content).rgb[None])[0])
        if image.format == "JPEG":
            wanted = Image.open(io.BytesIO(file(wanted, "JPEG", quality=95)))
        difference = np.abs(np.asarray(image, int) - np.asarray(wanted, int))
        assert difference.max() <= (1 if image.format == "PNG" else 12) and difference.mean() < 0.5


def test_a_network_that_adds_to_the_picture_enlarged(tmp_path, photo):
    config, path = SuperResConfig(8, 6, 1, "none", residual=True), tmp_path / "added.keras"
    model = superres(config)
    network_files.save(path, model, config)
    found, = single.SingleModule("superres", ExportSettings(model=path))(tf.constant(photo[None]))
    np.testing.assert_allclose(found.numpy(), model(photo[None]).numpy(), rtol=0, atol=CLOSE)


# What is written


@pytest.mark.parametrize(("name", "kind"), [("wave", "style"), ("old", "style"), ("larger", "superres")])
def test_exported(tmp_path, single_files, logs, name, kind):
    """Under the file's name, compared in every loader, with all that is said of it."""
    path, differences = savedmodel.export(kind, tmp_path, model=single_files[name], version=3)
    assert path == tmp_path / name / "3" and serving.find_models(tmp_path) == {name: 3}
    verb = single.NAMES[kind].of_files
    assert set(differences) == {"hub", *(f"{loader} {signature}" for loader in ("tensorflow", "session")
                                         for signature in ("serving_default", verb))}
    content = json.loads((path / card.FILE).read_text(encoding="utf-8"))
    assert (content["name"], content["weights"]) == (name, single_files[name].name)
    assert "1603.08155" in content["what"] and ("Histograms are not matched" in content["what"]) == (name == "larger")
    assert content["licenses"] == {"graph": "Apache-2.0, the tfstyle authors", "network": "its maker's"}
    assert content["pictures"]["least_side"] == {"wave": 16, "old": 25, "larger": 16}[name]
    assert content["sha256"]["shipped files"] == {}
    assert content["sha256"]["variables"] == card.array_hashes(path)
    assert {log.predict_log.request.model_spec.name for log in logs(path)} == {name}


def test_python_knows_the_folder(single_saved):
    """By a small file, without TensorFlow."""
    assert controls.saved_card(single_saved["old"]) == {
        "kind": "style", "least_side": 25, "most_pixels": 2097152, "most_pictures": 16
    }
    assert controls.check_model(single_saved["wave"]) == "style"
    assert enlarge_settings.check_model(single_saved["larger"], 4) == {
        "kind": "superres", "least_side": 16, "most_pixels": 196608, "most_pictures": 4, "factor": 4,
        "reach": SuperResConfig(4, 6, 1).reach,
    }


@pytest.fixture
def shipped(monkeypatch, tmp_path, single_files):
    """As if "wave" and a network that enlarges by 4 were shipped, and no other of one picture."""
    for file in list(weights.SHIPPED):
        if file.startswith(("style_", "superres")):
            monkeypatch.delitem(weights.SHIPPED, file)
    for name, file in (("wave", weights.STYLE.format("wave")), ("larger", weights.SUPERRES.format(4))):
        content = single_files[name].read_bytes()
        (tmp_path / file).write_bytes(content)
        monkeypatch.setitem(weights.SHIPPED, file, hashlib.sha256(content).hexdigest())
    monkeypatch.setattr(weights, "HERE", tmp_path)


@pytest.mark.parametrize(("engine", "options", "name", "file"), [
    ("style", {"model": "wave"}, "wave", "style_wave.npz"), ("superres", {}, "superres4", "superres4.npz"),
    ("superres", {"factor": 4}, "superres4", "superres4.npz"),
])
def test_shipped_networks(tmp_path, shipped, without_warmup, engine, options, name, file):
    path, _ = savedmodel.export(engine, tmp_path / "models", **options)
    assert path == tmp_path / "models" / name / "1"
    content = json.loads((path / card.FILE).read_text(encoding="utf-8"))
    assert content["name"] == name and content["weights"] == "shipped with tfstyle"
    assert content["sha256"]["shipped files"] == {file: weights.SHIPPED[file]}
    assert set(content["licenses"].values()) == {"Apache-2.0, the tfstyle authors"}


def test_shipped_networks_are_named(refusal, tmp_path, shipped):
    said = refusal(savedmodel.export, "style", tmp_path / "models")
    assert said == "'default' is no network for one style; give wave, or the path of an .npz or .keras file as model."
    assert "enlarges by 8" in refusal(savedmodel.export, "superres", tmp_path / "models", factor=8)


def test_a_checkpoint_folder(tmp_path, monkeypatch):
    """Another reader's: here it hands out a network of the same shape."""
    config = FeedForwardConfig("fast-style-transfer", (4, 6, 8), 1)
    reader = "tfstyle.nets.fast_style_transfer.load"
    monkeypatch.setattr(reader, lambda folder, dtype: (feedforward(config, dtype), config))
    folder = tmp_path / "la_muse.v1"
    folder.mkdir()
    (folder / "manifest.json").write_text("{}")
    settings = ExportSettings(model=folder)
    module = single.SingleModule("style", settings)
    assert settings.served_as("style") == "la_muse.v1" and module.bounds["least_side"] == 16
    painted, = module(tf.fill((1, 18, 21, 3), 0.5))
    assert painted.shape == (1, 18, 21, 3)


# The comparison


def test_a_graph_that_computes_something_else_is_told(single_saved, single_files, tmp_path):
    model, config = network_files.load(single_files["larger"], "superres")
    kernel = model.get_layer("paint_conv").kernel
    kernel.assign(kernel * 1.01)
    other = tmp_path / "other.keras"
    network_files.save(other, model, config)
    words = r"not kept: hub differs from Python by (\S+), more than 0\.0001\.$"
    with pytest.raises(ExportError, match=words) as error:
        verify.check_single(single_saved["larger"], "superres", ExportSettings(model=other))
    assert float(re.search(words, str(error.value))[1]) > 1e-3


def test_a_trained_network_is_named_after_its_folder(tmp_path):
    config = FeedForwardConfig("compact", (4, 4, 4, 4), 1)
    (tmp_path / "harbor").mkdir()
    path = tmp_path / "harbor" / "weights.npz"
    network_files.save(path, feedforward(config), config)
    assert ExportSettings(model=path).served_as("style") == "harbor"
    assert ExportSettings(model=path.with_name("weights2.npz")).served_as("style") == "weights2"
