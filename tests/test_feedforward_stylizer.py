"""Networks of one style: what is painted, from which kinds of models, at which sizes, and what is refused."""

import json
import os

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import tfstyle
from tfstyle import controls, feedforward_stylizer, images, running
from tfstyle.checks import InputError
from tfstyle.nets import fast_style_transfer, network_files
from tfstyle.nets.feedforward import FeedForwardConfig, feedforward
from tfstyle.weights import files

# Keras reads TensorFlow's variables in a way that NumPy 2 wants changed.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

COMPACT = FeedForwardConfig("compact", widths=(4, 6, 8, 8), blocks=1)
PAPER = FeedForwardConfig("paper", widths=(4, 6, 8), blocks=3)


def pixels(image):
    return np.asarray(image, np.uint8)


def random_network(config):
    """A network of that shape that changes what it sees."""
    model, random = feedforward(config), np.random.default_rng(2)
    for variable in model.variables:
        if "kernel" in variable.path:
            spread = np.prod(variable.shape[:-1]) ** -0.5
            variable.assign(spread * random.standard_normal(variable.shape, np.float32))
    return model


@pytest.fixture(scope="module")
def network():
    return random_network(COMPACT)


@pytest.fixture(scope="module")
def folder(network, tmp_path_factory):
    """Path of a folder with one network as mine.npz and mine.keras, and another as paper.npz."""
    folder = tmp_path_factory.mktemp("networks")
    for name in ("mine.npz", "mine.keras"):
        network_files.save(folder / name, network, COMPACT)
    network_files.save(folder / "paper.npz", random_network(PAPER), PAPER)
    return folder


@pytest.fixture(scope="module")
def engine(folder):
    return tfstyle.FeedForwardStylizer(folder / "mine.keras", precision="float32")


class Served(tf.Module):
    """The network under the name of a server's signature; it refuses wide pictures in a sentence of its own."""

    def __init__(self, network):
        super().__init__()
        self.variables_, self.network = [variable.value for variable in network.variables], network

    @tf.function(input_signature=[tf.TensorSpec((None, None, None, 3), name="content_image")])
    def paint(self, content_image):
        width, count = tf.shape(content_image)[2], tf.shape(content_image)[0]
        told = tf.strings.format("content_image must be at most 64 px wide; received {}.", width)
        with tf.control_dependencies([tf.debugging.Assert((width <= 64) & (count == 1), [told])]):
            return {"stylized_image": self.network(tf.identity(content_image))}


@pytest.fixture(scope="module")
def saved_model(network, tmp_path_factory):
    """Path of a SavedModel of the network, as tfstyle exports one."""
    folder = tmp_path_factory.mktemp("served") / "mine" / "1"
    module = Served(network)
    tf.saved_model.save(module, str(folder), signatures=module.paint)
    (folder / "assets.extra").mkdir()
    (folder / "assets.extra" / "tfstyle.json").write_text(json.dumps({"kind": "style", "least_side": 24}))
    return folder


# Pictures


def test_it_paints_what_its_network_paints(engine, network, photo):
    image = engine.stylize(photo, size=None)
    assert isinstance(image, Image.Image) and image.mode == "RGB" and image.size == (61, 45)
    wanted = images.to_uint8(np.asarray(network(photo[None]))[0])
    assert np.abs(pixels(image).astype(int) - wanted).max() <= 1
    assert wanted.std() > 10 and np.abs(wanted.astype(int) - images.to_uint8(photo)).mean() > 10


def test_sizes(engine, photo):
    assert engine.stylize(photo, size=40).size == (40, 30)
    assert engine.stylize(images.to_uint8(photo)[:16, :17], size=None).size == (17, 16)
    shrunk = images.fit(images.to_uint8(photo), 40)
    np.testing.assert_array_equal(pixels(engine.stylize(images.to_uint8(photo), size=40)),
                                  pixels(engine.stylize(shrunk, size=None)))


def test_alpha_is_kept_and_gray_is_a_picture(engine, photo):
    alpha = np.linspace(0.1, 1, photo.shape[1], dtype=np.float32) * np.ones((photo.shape[0], 1), np.float32)
    rgba = images.to_uint8(np.dstack([photo, alpha]))
    image = engine.stylize(rgba, size=40)
    assert image.mode == "RGBA" and image.size == (40, 30)
    np.testing.assert_array_equal(pixels(image)[..., 3], images.fit(rgba[..., 3], 40))
    np.testing.assert_array_equal(pixels(image)[..., :3], pixels(engine.stylize(rgba[..., :3], size=40)))
    assert engine.stylize(photo.mean(-1), size=40).mode == "RGB"


def test_a_batch_is_its_pictures(engine, photo, other_painting):
    both = np.stack([photo, images.resize(other_painting, photo.shape[:2])])
    found = engine.stylize_batch(both)
    assert found.shape == both.shape and found.dtype == np.float32 and 0 <= found.min() < found.max() <= 1
    for one, picture in zip(found, both, strict=True):
        np.testing.assert_allclose(engine.stylize_batch(picture[None])[0], one, atol=1e-5)
        assert np.abs(pixels(engine.stylize(picture, size=None)).astype(int) - images.to_uint8(one)).max() <= 1


def test_large_batches_go_in_portions(engine, monkeypatch, photo):
    contents = np.stack([photo, photo[::-1], photo[:, ::-1]])
    wanted, paint, sizes = engine.stylize_batch(contents), engine._paint, []
    monkeypatch.setattr(engine, "_paint", lambda batch: sizes.append(len(batch)) or paint(batch))
    monkeypatch.setattr(running, "AT_ONCE", 2 * 45 * 61)
    np.testing.assert_allclose(engine.stylize_batch(contents), wanted, atol=1e-5)
    assert sizes == [2, 1]


def test_pictures_of_any_size_are_one_graph(engine, photo):
    for size in (40, 61, 80):
        engine.stylize(photo, size=size)
    assert engine._paint.experimental_get_tracing_count() == 1


@pytest.mark.parametrize(("contents", "words"), [
    (np.zeros((20, 20, 3), "f"), "contents must have shape (N, H, W, 3); received (20, 20, 3)."),
    (np.zeros((0, 20, 20, 3), "f"), "contents must have shape (N, H, W, 3); received (0, 20, 20, 3)."),
    (np.zeros((1, 20, 12, 3), "f"), "content picture is 12x20 px (width x height); use one of at least 16 px a side."),
    (np.full((1, 20, 20, 3), 7.0), "content picture must hold values from 0 to 1, not from 7 to 7; "),
    ([np.zeros((20, 20, 3)), np.zeros((20, 24, 3))], "contents must all have one shape; stylize pictures of unlike "),
])
def test_batches_that_do_not_work(engine, refusal, contents, words):
    assert refusal(engine.stylize_batch, contents).startswith(words)


def test_pictures_and_sizes_that_do_not_work(engine, photo, refusal):
    assert refusal(engine.stylize, "gone.png").startswith("content picture 'gone.png' does not exist")
    assert refusal(engine.stylize, photo, size=8) == "size must be a whole number of at least 16; received 8."


def test_a_picture_smaller_than_the_network_paints(folder, photo, refusal):
    path = folder / "paper.npz"
    paper = tfstyle.FeedForwardStylizer(path, precision="float32")
    assert paper.least_side == 25  # 8 px for each of three blocks are reflected around the picture
    said = refusal(paper.stylize, photo, size=32)
    assert said == (f"The model {str(path)!r} paints pictures of at least 25 px a side, and this one has 32x24 px; "
                    "use a larger size.")
    assert said == refusal(paper.stylize_batch, np.zeros((2, 24, 32, 3), "f"))
    assert paper.stylize(photo, size=34).size == (34, 25)


# Memory and precision


def test_a_picture_that_does_not_fit_is_refused(engine, monkeypatch, photo, refusal):
    need = engine._need(750, 1000)
    monkeypatch.setattr(running, "available", lambda: need)
    monkeypatch.setattr(engine, "_paint", pytest.fail)
    said = refusal(engine.stylize, np.zeros((60, 80, 3), np.uint8), size=4000, tiled="no")
    assert said.startswith("A 4000x3000 px picture needs about ") and "; use the size 992, close other programs" in said
    monkeypatch.setattr(running, "available", lambda: 2**20)
    assert "size=" not in refusal(engine.stylize_batch, photo[None])


def test_memory_goes_by_the_widths(monkeypatch):
    """640 bytes a pixel for our own network in float32, and half of that in bfloat16, beside the picture's own."""
    needs = []
    monkeypatch.setattr("tfstyle.machine.bfloat16_wins", lambda: (True, "a test says so"))
    monkeypatch.setattr(feedforward_stylizer, "check_model", lambda model: "style")
    monkeypatch.setattr(feedforward_stylizer, "_network", lambda model, dtype: (None, FeedForwardConfig(model)))
    for model, precision in (("compact", "float32"), ("compact", "auto"), ("paper", "float32")):
        need = tfstyle.FeedForwardStylizer(model, precision=precision)._need
        needs.append((need(1000, 1000) - need(0, 0)) / 1e6)
    assert needs == [740, 420, 1060]


def test_bfloat16_is_close_to_float32(folder, monkeypatch, engine, photo):
    monkeypatch.setattr("tfstyle.machine.bfloat16_wins", lambda: (True, "a test says so"))
    found, wanted = (
        one.stylize_batch(photo[None])
        for one in (tfstyle.FeedForwardStylizer(folder / "mine.keras", precision="bfloat16"), engine)
    )
    assert found.dtype == np.float32 and 0 < np.abs(found - wanted).mean() < 0.01


def test_bfloat16_where_it_would_be_emulated(folder, monkeypatch, refusal):
    monkeypatch.setattr("tfstyle.machine.bfloat16_wins", lambda: (False, "a test says so"))
    assert "use the precision auto" in refusal(tfstyle.FeedForwardStylizer, folder / "mine.npz", precision="bfloat16")
    assert "did you mean 'float32'?" in refusal(tfstyle.FeedForwardStylizer, folder / "mine.npz", precision="float23")


def test_another_backend(folder, monkeypatch, refusal):
    monkeypatch.setattr("keras.backend.backend", lambda: "jax")
    said = refusal(tfstyle.FeedForwardStylizer, folder / "mine.npz")
    assert said.startswith("tfstyle needs Keras on TensorFlow here and it runs on jax; ")


# Models


def test_an_npz_paints_what_a_keras_file_paints(folder, engine, photo):
    other = tfstyle.FeedForwardStylizer(str(folder / "mine.npz"), precision="float32")
    found, wanted = (one.stylize_batch(photo[None]) for one in (other, engine))
    np.testing.assert_allclose(found, wanted, atol=5e-3)  # the .npz is rounded to float16


def test_a_shipped_name(folder, monkeypatch, tmp_path, photo, refusal):
    content = (folder / "mine.npz").read_bytes()
    monkeypatch.setattr(feedforward_stylizer, "shipped_styles", lambda: ("swirl",))
    monkeypatch.setattr(controls, "shipped_styles", lambda: ("swirl",))
    monkeypatch.setattr(feedforward_stylizer, "shipped", {files.STYLE.format("swirl"): (content, "")}.__getitem__)
    monkeypatch.chdir(tmp_path)
    os.mkdir("swirl")  # the name comes first
    wanted = tfstyle.FeedForwardStylizer(folder / "mine.npz").stylize(photo, size=None)
    found = tfstyle.FeedForwardStylizer("swirl").stylize(photo, size=None)
    np.testing.assert_array_equal(pixels(found), pixels(wanted))
    assert refusal(tfstyle.FeedForwardStylizer, "swril") == "There is no model 'swril'; did you mean 'swirl'?"


def test_a_checkpoint_of_fast_style_transfer(tmp_path, photo, refusal):
    random, manifest = np.random.default_rng(1), {}
    for name, (_, shape) in fast_style_transfer._variables((4, 6, 8)).items():
        manifest[name] = {"filename": name, "shape": shape}
        random.standard_normal(shape, np.float32).tofile(tmp_path / name)
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    engine = tfstyle.FeedForwardStylizer(tmp_path, precision="float32")
    model, config = fast_style_transfer.load(tmp_path)
    assert engine.least_side == config.least_side == 16
    np.testing.assert_allclose(engine.stylize_batch(photo[None]), np.asarray(model(photo[None])), atol=1e-4)
    os.remove(tmp_path / "Variable_9")
    assert "Variable_9 is missing" in refusal(tfstyle.FeedForwardStylizer, tmp_path)


def test_a_saved_model_of_ours(saved_model, engine, photo, refusal):
    other = tfstyle.FeedForwardStylizer(saved_model)
    assert other.least_side == 24
    pair = np.stack([photo, photo[::-1]])  # which it takes one by one
    np.testing.assert_allclose(other.stylize_batch(pair), engine.stylize_batch(pair), atol=1e-4)
    assert np.abs(pixels(other.stylize(photo, size=40)).astype(int) - pixels(engine.stylize(photo, size=40))).max() <= 1
    assert refusal(other.stylize, photo, size=80) == (
        f"The model {str(saved_model)!r} refuses the picture: content_image must be at most 64 px wide; received 80."
    )
    assert "at least 24 px a side, and this one has 30x22 px" in refusal(other.stylize, photo, size=30)
    said = refusal(tfstyle.FeedForwardStylizer, saved_model, precision="bfloat16")
    assert said.endswith("computes in its own precision; use the precision auto.")


@pytest.mark.parametrize("card", ["", "{}", "[]", '{"kind": "style"}', '{"kind": "style", "least_side": "24"}',
                                  '{"kind": "other", "least_side": 24}'])
def test_saved_models_whose_card_is_damaged(tmp_path, card, refusal):
    (tmp_path / "assets.extra").mkdir()
    (tmp_path / "assets.extra" / "tfstyle.json").write_text(card)
    assert "no model" not in refusal(tfstyle.FeedForwardStylizer, tmp_path)  # nothing is saved here
    (tmp_path / "saved_model.pb").write_bytes(b"")
    said = refusal(tfstyle.FeedForwardStylizer, tmp_path)
    assert said.endswith("tfstyle.json is damaged or of another version of tfstyle: export the model anew.")


def test_saved_models_that_do_not_work(tmp_path, refusal):
    (tmp_path / "assets.extra").mkdir()
    (tmp_path / "assets.extra" / "tfstyle.json").write_text('{"kind": "style", "least_side": 16}')
    (tmp_path / "saved_model.pb").write_bytes(b"no model")
    assert "cannot be loaded (" in refusal(tfstyle.FeedForwardStylizer, tmp_path)
    os.remove(tmp_path / "saved_model.pb")
    other = tf.Module()
    other.number = tf.Variable(1.0)
    tf.saved_model.save(other, str(tmp_path))
    said = refusal(tfstyle.FeedForwardStylizer, tmp_path)
    assert said.endswith("has no signature that paints in one style; export it anew.")


def with_head(source, path, **changes):
    """Copies an .npz with other values in its head; of None they are left out."""
    with np.load(source) as file:
        arrays = dict(file)
    head = json.loads(bytes(arrays["config"])) | changes
    head = {key: value for key, value in head.items() if value is not None}
    np.savez(path, **arrays | {"config": np.frombuffer(json.dumps(head).encode(), np.uint8)})


@pytest.mark.parametrize(("changes", "words"), [
    ({"version": 2}, "is of version 2, and this tfstyle reads version 1: "),
    ({"version": None}, "is of version None, and this tfstyle reads version 1: "),
    ({"kind": "superres"}, "enlarges pictures and paints none; use tfstyle.enlarge, or give another."),
    ({"kind": "depth"}, "holds no network that this tfstyle knows, or is damaged: give another file."),
    ({"colors": 3}, "is damaged, its settings are not those of a network for one style."),
    ({"widths": [4, 6, 8, 9]}, "has shape "),
    ({"blocks": 2}, " is missing; the network wants shape "),
])
def test_files_of_other_kinds_and_versions(folder, tmp_path, refusal, changes, words):
    with_head(folder / "mine.npz", tmp_path / "other.npz", **changes)
    said = refusal(tfstyle.FeedForwardStylizer, tmp_path / "other.npz")
    assert "other.npz" in said and words in said


@pytest.mark.parametrize("name", ["mine.npz", "mine.keras"])
def test_damaged_files(folder, tmp_path, refusal, name):
    content = (folder / name).read_bytes()
    for damaged in (b"", b"no network", content[:len(content) // 2]):
        (tmp_path / name).write_bytes(damaged)
        for engine in (tfstyle.FeedForwardStylizer, tfstyle.ArbitraryStylizer):
            said = refusal(engine, tmp_path / name)
            assert said.endswith("holds no network that this tfstyle knows, or is damaged: give another file.")
    middle = len(content) // 2
    flipped = bytes(255 - byte for byte in content[middle:middle + 64])  # of zeros, zeros would be no damage
    (tmp_path / name).write_bytes(content[:middle] + flipped + content[middle + 64:])
    assert name in refusal(tfstyle.FeedForwardStylizer, tmp_path / name)


def test_models_of_any_style_are_for_the_other_engine(folder, network_file, tmp_path, saved_model, refusal):
    (tmp_path / "saved_model.pb").write_bytes(b"")  # of another make
    for model in ("default", "https://hub/model", tmp_path):
        said = refusal(tfstyle.FeedForwardStylizer, model)
        assert said == f"The model {str(model)!r} paints in any style; use tfstyle.ArbitraryStylizer for it."
    said = refusal(tfstyle.FeedForwardStylizer, network_file)
    assert said == f"The model {str(network_file)!r} paints in any style; use tfstyle.ArbitraryStylizer for it."
    for model in (folder / "mine.npz", folder / "mine.keras", saved_model):
        said = refusal(tfstyle.ArbitraryStylizer, model)
        assert said == f"The model {str(model)!r} paints in one style only; use tfstyle.FeedForwardStylizer."


def test_what_a_path_holds(folder, network_file, saved_model, tmp_path):
    for path, kind in ((network_file, "ours"), (folder / "mine.npz", "style"), (folder / "mine.keras", "style"),
                       (saved_model, "style"), ("https://hub/model", "handle"), ("default", "ours")):
        assert controls.check_model(path) == kind
    (tmp_path / "manifest.json").write_text("{}")
    assert controls.check_model(tmp_path) == "style"
    (tmp_path / "saved_model.pb").write_bytes(b"")
    assert controls.check_model(tmp_path) == "folder"
    (tmp_path / "assets.extra").mkdir()
    (tmp_path / "assets.extra" / "tfstyle.json").write_text('{"kind": "superres", "least_side": 16}')
    with pytest.raises(InputError, match="enlarges pictures and paints none"):
        controls.check_model(tmp_path)
