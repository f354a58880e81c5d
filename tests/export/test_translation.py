"""A translation's graph in both loaders against Keras; what is written beside it."""

import hashlib
import io
import json
import re

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tfstyle import controls, images
from tfstyle.export import ExportError, card, graph, loaders, savedmodel, translation, verify, warmup
from tfstyle.export.settings import ExportSettings
from tfstyle.nets import dsmap, network_files
from tfstyle.serving import config as serving
from tfstyle.weights import files as weights

# Keras reads TensorFlow's variables in a way that NumPy 2 wants changed.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

CLOSE = 1e-5
CODE = 8
PAIR = {"content_image": "float32 [-1, -1, -1, -1]", "style_image": "float32 [-1, -1, -1, -1]"}
PAINTED = {"stylized_image": "float32 [-1, -1, -1, 3]"}


@pytest.fixture(scope="module")
def session(translate_session):
    return translate_session


@pytest.fixture(scope="module")
def two(translation_saved):
    return loaders.signature_calls(translation_saved["monet_a2b"])


@pytest.fixture(scope="module", params=["session", "two"])
def call(request):
    """The SavedModel in TensorFlow Serving's loader, then in TensorFlow 2's."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def network(translation_files):
    return network_files.load(translation_files["monet"], "translate")[0]


@pytest.fixture(scope="module")
def keras_of(network):
    """(contents, codes) -> what the network makes of pictures of A in B."""
    model = dsmap.translation(network, "a", "b")
    return lambda contents, codes: model([contents, codes]).numpy()


@pytest.fixture(scope="module")
def code_of(network):
    """Pictures of B, of any size -> what the network's style encoder says of them, reflected to multiples of 8."""
    encoder = dsmap.part(network, "b", "style")

    def code(pictures):
        rows, columns = (-side % 8 for side in pictures.shape[1:3])
        around = [(0, 0), (rows // 2, rows - rows // 2), (columns // 2, columns - columns // 2), (0, 0)]
        return encoder(np.pad(pictures, around, mode="reflect")).numpy()

    return code


@pytest.fixture(scope="module")
def pair(photo, painting, other_painting):
    """Two photos and two paintings: (2, 45, 61, 3) and (2, 56, 50, 3)."""
    contents = np.stack([photo, photo[::-1] ** 2])
    return contents, np.stack([images.resize(style, (56, 50)) for style in (painting, other_painting)])


@pytest.fixture(scope="module")
def codes():
    """Two codes as users draw them: (2, 8)."""
    return np.random.default_rng(3).standard_normal((2, CODE), np.float32)


def file(picture, kind="PNG", **options):
    stream = io.BytesIO()
    image = picture if isinstance(picture, Image.Image) else images.to_pil(picture)
    image.save(stream, kind, **options)
    return stream.getvalue()


def close(found, wanted, atol=CLOSE):
    assert found.shape == wanted.shape and found.dtype == np.float32
    np.testing.assert_allclose(found, wanted, rtol=0, atol=atol)


# What it is made of


def test_signatures(translation_saved):
    """Clients depend on every name here."""
    wanted = {
        "serving_default": {"inputs": PAIR, "outputs": PAINTED},
        "translate": {"inputs": PAIR, "outputs": PAINTED},
        "translate_code": {
            "inputs": {"content_image": PAIR["content_image"], "style_code": "float32 [-1, -1]"}, "outputs": PAINTED,
        },
        "encode_style": {
            "inputs": {"style_image": PAIR["style_image"]}, "outputs": {"style_code": f"float32 [-1, {CODE}]"},
        },
        "translate_bytes": {
            "inputs": {"content_bytes": "string [-1]", "style_bytes": "string [-1]"},
            "outputs": {"stylized_bytes": "string [-1]"},
        },
    }
    for path in translation_saved.values():
        assert card.signatures(path) == wanted


def test_every_weight_of_the_direction_is_there_once(translation_saved, translation_files):
    """And none of the other direction's: as many in the folder as its parts have."""
    for name, direction, parts in (
        ("monet", "a2b", ("a content", "b style", "b mapping", "b decoder")),
        ("munit", "b2a", ("b content", "a style", "a decoder")),
    ):
        network, _ = network_files.load(translation_files[name], "translate")
        wanted = sorted(
            hashlib.sha256(kept(variable.numpy()).tobytes()).hexdigest()
            for part in parts for variable in dsmap.part(network, *part.split()).variables
        )
        assert sorted(card.array_hashes(translation_saved[f"{name}_{direction}"]).values()) == wanted


def kept(values):
    half = values.astype(np.float16)
    return half if np.array_equal(half, values) else values


# The same pictures as Keras'


@pytest.mark.parametrize(("shape", "style_shape"), [((45, 61), (56, 48)), ((16, 16), (17, 64)), ((40, 33), (16, 16))])
def test_translate(call, keras_of, code_of, photo, painting, shape, style_shape):
    """Of any two sizes; the content's is kept. The default does the same."""
    content, style = images.resize(photo, shape)[None], images.resize(painting, style_shape)[None]
    wanted = keras_of(content, code_of(style))
    for signature in ("translate", "serving_default"):
        close(call(signature, content_image=content, style_image=style)["stylized_image"], wanted)
    assert np.ptp(wanted) > 0.1 and wanted.shape[1:3] == shape


@pytest.mark.parametrize("shape", [(45, 61), (16, 16), (64, 23)])
def test_translate_code(call, keras_of, photo, codes, shape):
    content = images.resize(photo, shape)[None]
    first, second = (
        call("translate_code", content_image=content, style_code=code[None])["stylized_image"] for code in codes
    )
    close(first, keras_of(content, codes[:1]))
    close(second, keras_of(content, codes[1:]))
    assert np.abs(first - second).max() > 0.1


def test_codes(call, code_of, pair):
    """A batch's codes are those of each picture, and they paint as the pictures do."""
    contents, styles = pair
    found = call("encode_style", style_image=styles)["style_code"]
    close(found, code_of(styles), 1e-4)
    assert np.abs(found[0] - found[1]).max() > 0.1
    painted = call("translate_code", content_image=contents, style_code=found)["stylized_image"]
    close(painted, call("translate", content_image=contents, style_image=styles)["stylized_image"])


def test_a_batch_is_its_pictures(session, keras_of, code_of, pair):
    """What a server puts together from several clients."""
    contents, styles = pair
    found = session("translate", content_image=contents, style_image=styles)["stylized_image"]
    for one, content, style in zip(found, contents, styles, strict=True):
        close(one, keras_of(content[None], code_of(style[None]))[0])
    assert np.abs(found[0] - found[1]).max() > 0.1


def test_a_batch_that_goes_through_the_network_in_portions(translation_files, keras_of, code_of, pair, monkeypatch):
    monkeypatch.setattr(graph, "_AT_ONCE", 2 * 45 * 61)
    module = translation.TranslationModule(ExportSettings(model=translation_files["monet"]))
    order = [0, 1, 1, 0, 1]
    contents, styles = (pictures[order] for pictures in pair)
    found, = module(tf.constant(contents), tf.constant(styles))  # as TF Hub's modules are called
    close(found.numpy(), keras_of(contents, code_of(styles)))


def test_the_other_direction_of_munit(translation_saved, translation_files, pair, codes):
    network, _ = network_files.load(translation_files["munit"], "translate")
    whole = network(pair[1])[0].numpy()
    with loaders.in_session(translation_saved["munit_b2a"]) as call:
        code = call("encode_style", style_image=pair[1])["style_code"]
        painted = call("translate_code", content_image=pair[0], style_code=codes)["stylized_image"]
    close(painted, dsmap.translation(network, "b", "a")([pair[0], codes]).numpy())
    # A's own decoder makes of A's content and this code what the whole network does, so the code is A's.
    close(dsmap.translation(network, "a", "a")([pair[1], code]).numpy(), whole, 1e-4)


def test_files(call, keras_of, code_of, photo, painting, other_painting):
    """Of unlike sizes in one request; each is answered in its own kind, its style looked at in its own size."""
    contents = [
        file(photo), file(images.resize(photo, (40, 33)), "JPEG", quality=95),
        file(images.to_pil(photo[:20]).convert("L"), "JPEG"), file(images.to_pil(photo).convert("RGBA")),
    ]
    styles = [file(painting, "JPEG"), file(other_painting), file(painting[:16]), file(painting)]
    given = {"content_bytes": np.array(contents, object), "style_bytes": np.array(styles, object)}
    found = call("translate_bytes", **given)["stylized_bytes"]
    assert found.shape == (4,)
    found = [Image.open(io.BytesIO(content)) for content in found]
    assert [image.format for image in found] == ["PNG", "JPEG", "JPEG", "PNG"]
    for image, content, style in zip(found, contents, styles, strict=True):
        assert image.mode == "RGB"
        wanted = keras_of(*(images.read(content).rgb[None], code_of(images.read(style).rgb[None])))
        wanted = images.to_pil(wanted[0])
        if image.format == "JPEG":
            wanted = Image.open(io.BytesIO(file(wanted, "JPEG", quality=95)))
        difference = np.abs(np.asarray(image, int) - np.asarray(wanted, int))
        assert difference.max() <= (1 if image.format == "PNG" else 12) and difference.mean() < 0.5


# What is written


def test_exported(tmp_path, translation_files, logs):
    """Compared in every loader, with all that is said of it."""
    path, differences = savedmodel.export(
        "translate", tmp_path, model=translation_files["monet"], direction="b2a", version=3
    )
    assert path == tmp_path / "monet_b2a" / "3" and serving.find_models(tmp_path) == {"monet_b2a": 3}
    assert set(differences) == {"hub", *(f"{loader} {signature}" for loader in ("tensorflow", "session")
                                         for signature in card.signatures(path))}
    content = json.loads((path / card.FILE).read_text(encoding="utf-8"))
    assert (content["name"], content["weights"]) == ("monet_b2a", "monet.npz")
    assert "2008.02198" in content["what"] and "1804.04732" in content["what"]
    assert content["licenses"] == {"graph": "Apache-2.0, the tfstyle authors", "network": "its maker's"}
    assert (content["pictures"]["least_side"], content["pictures"]["direction"]) == (16, "b2a")
    assert content["sha256"] == {"shipped files": {}, "variables": card.array_hashes(path)}
    assert {log.predict_log.request.model_spec.name for log in logs(path)} == {"monet_b2a"}


def test_python_knows_the_folder(translation_saved):
    """By a small file, without TensorFlow."""
    wanted = {"kind": "translate", "least_side": 16, "most_pixels": 2097152, "most_pictures": 16, "style": CODE}
    assert controls.saved_card(translation_saved["monet_a2b"]) == wanted | {"direction": "a2b"}
    assert controls.saved_card(translation_saved["munit_b2a"]) == wanted | {"direction": "b2a"}
    assert controls.kind_of(translation_saved["monet_a2b"]) == "translate"


def test_warmup_requests_are_answered(session, monkeypatch, tmp_path, logs):
    monkeypatch.setitem(warmup._SIDES, "translate", (40, 64))
    assert warmup.write(tmp_path, "translate", 5, "monet_a2b") == 2
    for log, side in zip(logs(tmp_path), (40, 64), strict=True):
        asked = log.predict_log.request
        assert (asked.model_spec.name, asked.model_spec.version.value) == ("monet_a2b", 5)
        inputs = {key: tf.make_ndarray(value) for key, value in asked.inputs.items()}
        (painted,), = session(asked.model_spec.signature_name, **inputs).values()
        assert max(Image.open(io.BytesIO(painted)).size) == side


def test_a_shipped_network(tmp_path, monkeypatch, translation_files, without_warmup):
    """As if "monet" were shipped."""
    content, name = translation_files["monet"].read_bytes(), weights.TRANSLATE.format("monet")
    (tmp_path / name).write_bytes(content)
    monkeypatch.setitem(weights.SHIPPED, name, hashlib.sha256(content).hexdigest())
    monkeypatch.setattr(weights, "HERE", tmp_path)
    monkeypatch.setattr(savedmodel, "check_translation", lambda path, settings: {"hub": 0.0})
    path, _ = savedmodel.export("translate", tmp_path / "models", model="monet", direction="b2a")
    assert path == tmp_path / "models" / "monet_b2a" / "1"
    content = json.loads((path / card.FILE).read_text(encoding="utf-8"))
    assert (content["name"], content["weights"]) == ("monet_b2a", "shipped with tfstyle")
    assert content["sha256"]["shipped files"] == {name: weights.SHIPPED[name]}
    assert set(content["licenses"].values()) == {"Apache-2.0, the tfstyle authors"}


def test_a_trained_network_is_named_after_its_folder(tmp_path, translation_files):
    (tmp_path / "winter").mkdir()
    path = tmp_path / "winter" / "weights.npz"
    path.write_bytes(translation_files["monet"].read_bytes())
    assert ExportSettings(model=path).served_as("translate") == "winter_a2b"
    assert ExportSettings(model=path, direction="b2a").served_as("translate") == "winter_b2a"


# The comparison


def test_a_graph_that_computes_something_else_is_told(translation_saved, translation_files, tmp_path):
    """The network in the file differs in one layer from the one that was saved."""
    network, config = network_files.load(translation_files["monet"], "translate")
    kernel = dsmap.part(network, "b", "decoder").get_layer("b_decoder0_conv").kernel
    kernel.assign(keras.ops.flip(kernel, -1))
    other = tmp_path / "other.npz"
    network_files.save(other, network, config)
    words = r"not kept: (tensorflow translate_bytes|hub) differs from Python by (\S+), more than \S+\.$"
    with pytest.raises(ExportError, match=words) as error:
        verify.check_translation(translation_saved["monet_a2b"], ExportSettings(model=other))
    assert float(re.search(words, str(error.value))[2]) > 0.01
