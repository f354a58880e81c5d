"""Networks of other makes behind the stylizer: SavedModels and TF Hub handles, and what they may not be."""

import functools
import http.server
import tarfile
import threading

import numpy as np
import pytest
import tensorflow as tf

import tfstyle
from tfstyle import images

# Keras reads TensorFlow's variables in a way that NumPy 2 wants changed.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def pixels(image):
    return np.asarray(image, np.uint8)


class Contract(tf.Module):
    """Half the content and half the style's mean color; sides rounded up to a multiple of 4, as strides do."""

    @tf.function(input_signature=[tf.TensorSpec((None, None, None, 3)), tf.TensorSpec((None, 256, 256, 3))])
    def __call__(self, content, style):
        extra = [[0, 0], *([0, -tf.shape(content)[axis] % 4] for axis in (1, 2)), [0, 0]]
        content = tf.pad(content, extra)
        return [0.5 * content + 0.5 * tf.reduce_mean(style, axis=(1, 2), keepdims=True)]


@pytest.fixture(scope="module")
def saved_model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("module") / "arbitrary" / "1"
    tf.saved_model.save(Contract(), str(folder))
    return folder


@pytest.fixture(scope="module")
def broad_painting():
    """A green square between red margins, which no model of 256 px sees."""
    picture = np.zeros((40, 80, 3), np.uint8)
    picture[..., 0], picture[:, 20:60] = 255, (0, 255, 0)
    return picture


def check_painted(image, photo):
    green = 0.5 * photo + 0.5 * np.float32([0, 1, 0])
    assert np.abs(pixels(image)[..., :3].astype(int) - images.to_uint8(green)).max() <= 1


def test_a_saved_model_of_the_contract(saved_model, photo, broad_painting, refusal):
    foreign = tfstyle.ArbitraryStylizer(saved_model)
    image = foreign.stylize(np.dstack([photo, photo[..., 0]]), broad_painting, size=None)
    assert image.mode == "RGBA" and image.size == (61, 45)
    check_painted(image, photo)
    for smaller in ({"style_size": 128}, {"style_scale": 0.5}):
        assert "cannot be called as model(content, style)[0] with pictures of 61x45 and 128x128 px" in refusal(
            foreign.stylize, photo, broad_painting, size=None, **smaller)
    assert "cannot be run in strips; leave tiled out." in refusal(
        foreign.stylize, photo, broad_painting, size=None, tiled="yes")


def test_what_a_foreign_model_has_not(saved_model, photo, painting, refusal):
    foreign = tfstyle.ArbitraryStylizer(str(saved_model))
    code = np.zeros(100, np.float32)
    for call in (
        lambda: foreign.style_code(painting),
        lambda: foreign.mix([code]),
        lambda: foreign.stylize(photo, [painting, painting]),
        lambda: foreign.stylize(photo, painting, strength=0.5),
        lambda: foreign.stylize(photo, code),
        lambda: foreign.stylize_batch(photo[None], code[None]),
    ):
        said = refusal(call)
        assert said.startswith(f"The model {str(saved_model)!r} takes one style picture at strength 1; codes, mixed")
    said = refusal(tfstyle.ArbitraryStylizer, saved_model, precision="bfloat16")
    assert said.endswith("computes in its own precision; use the precision auto.")


def test_saved_models_that_are_no_such_thing(tmp_path, photo, painting, refusal):
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "saved_model.pb").write_bytes(b"no model")
    assert "damaged' cannot be loaded (" in refusal(tfstyle.ArbitraryStylizer, tmp_path / "damaged")
    plain = tf.Module()
    plain.number = tf.Variable(1.0)
    tf.saved_model.save(plain, str(tmp_path / "plain"))
    assert "cannot be called as model(content, style)" in refusal(tfstyle.ArbitraryStylizer, tmp_path / "plain")
    plain.__class__ = type("Flat", (tf.Module,), {"__call__": tf.function(
        lambda self, content, style: [tf.reduce_mean(content, axis=(1, 2, 3))],
        input_signature=[tf.TensorSpec((None, None, None, 3)), tf.TensorSpec((None, 256, 256, 3))],
    )})
    tf.saved_model.save(plain, str(tmp_path / "flat"))
    foreign = tfstyle.ArbitraryStylizer(tmp_path / "flat")
    assert "answered with (1,), no picture" in refusal(foreign.stylize, photo, painting)


@pytest.fixture
def hub(tmp_path, saved_model, monkeypatch):
    """A TF Hub of one model on this machine; yields its address."""
    (tmp_path / "site" / "maker").mkdir(parents=True)
    with tarfile.open(tmp_path / "site" / "maker" / "arbitrary", "w:gz") as archive:
        archive.add(saved_model, ".")
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "*")

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    handler = functools.partial(Quiet, directory=tmp_path / "site")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/maker"
        server.shutdown()
        thread.join()


def test_a_handle_is_fetched_through_tensorflow_hub(hub, photo, broad_painting, refusal):
    check_painted(tfstyle.ArbitraryStylizer(f"{hub}/arbitrary").stylize(photo, broad_painting, size=None), photo)
    said = refusal(tfstyle.ArbitraryStylizer, f"{hub}/other")
    assert said.startswith(f"The model '{hub}/other' could not be fetched (HTTPError): check the handle")


def foreign_model(folder, answer):
    """The stylizer of a SavedModel that answers with `answer`(content)."""
    model = tf.Module()
    model.__class__ = type("Answer", (tf.Module,), {"__call__": tf.function(
        lambda self, content, style: [answer(content)],
        input_signature=[tf.TensorSpec((None, None, None, 3)), tf.TensorSpec((None, 256, 256, 3))],
    )})
    tf.saved_model.save(model, str(folder))
    return tfstyle.ArbitraryStylizer(folder)


def test_foreign_answers_that_are_no_numbers(tmp_path, photo, painting, refusal):
    engine = foreign_model(tmp_path / "nan", lambda content: content * np.nan)
    assert "nan' answered with values that are no numbers; give another model." in refusal(
        engine.stylize, photo, painting
    )


def test_a_foreign_answer_of_another_size_is_the_whole_picture(tmp_path, photo, painting):
    engine = foreign_model(tmp_path / "twice", lambda content: tf.repeat(tf.repeat(content, 2, axis=1), 2, axis=2))
    found = pixels(engine.stylize(photo, painting, size=None)).astype(int)
    assert np.abs(found - images.to_uint8(photo)).mean() < 6
