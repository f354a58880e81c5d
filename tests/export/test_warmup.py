"""Requests that warm a server up, as TensorFlow Serving reads them."""

import io

import pytest
import tensorflow as tf
from PIL import Image

from tfstyle.export import warmup
from tfstyle.export.settings import NAMES

# Keras reads TensorFlow's variables in a way that NumPy 2 wants changed.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.mark.parametrize(("name", "signature"), [
    ("arbitrary", "stylize_bytes"), ("gatys", "optimize_bytes"), ("style", "stylize_bytes"),
    ("superres", "enlarge_bytes"),
])
def test_warmup_requests_are_answered(request, monkeypatch, tmp_path, logs, name, signature):
    monkeypatch.setitem(warmup._SIDES, name, (40, 64))
    assert warmup.write(tmp_path, name, version=5) == 2
    assert sorted(tmp_path.rglob("*")) == [tmp_path / "assets.extra", tmp_path / warmup.FILE]
    session = request.getfixturevalue(f"{name}_session")
    for log, side in zip(logs(tmp_path), (40, 64), strict=True):
        assert log.WhichOneof("log_type") == "predict_log"
        asked = log.predict_log.request
        assert (asked.model_spec.name, asked.model_spec.version.value) == (name, 5)
        assert asked.model_spec.signature_name == signature
        answer = session(signature, **{key: tf.make_ndarray(value) for key, value in asked.inputs.items()})
        (painted,), = answer.values()
        assert max(Image.open(io.BytesIO(painted)).size) == side * (4 if name == "superres" else 1)


def test_a_server_is_warmed_up_for_several_sizes(tmp_path, logs):
    for name in NAMES:
        warmup.write(tmp_path / name, name)
        found = [log.predict_log.request for log in logs(tmp_path / name)]
        assert all(one.model_spec.version.value == 1 for one in found)
        inputs = "image_bytes" if name == "superres" else "content_bytes"
        sides = [max(Image.open(io.BytesIO(one.inputs[inputs].string_val[0])).size) for one in found]
        assert len(sides) > 1 and sides == sorted(set(sides))


def test_what_a_model_would_refuse_is_not_asked(tmp_path, logs):
    assert warmup.write(tmp_path, "translate", most_pixels=256**2) == 2  # of 128, 256 and 512 px
    assert len(logs(tmp_path)) == 2


def test_a_network_of_another_name(tmp_path, logs):
    warmup.write(tmp_path, "style", 2, "wave")
    assert {log.predict_log.request.model_spec.name for log in logs(tmp_path)} == {"wave"}


def test_without_the_extra_nothing_is_written(tmp_path, without_warmup):
    assert warmup.write(tmp_path, "arbitrary") == 0 and not list(tmp_path.iterdir())
