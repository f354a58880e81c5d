"""What visitors ask for, and what of it is refused before TensorFlow is needed."""

import os

import pytest
from PIL import Image

from tfstyle.controls import Controls
from tfstyle.gatys.settings import GatysSettings
from tfstyle.look import Look
from tfstyle.web.orders import METHODS, checked_picture, ordered
from tfstyle.web.settings import WebSettings

LIMITS = WebSettings(largest=256)


def bytes_of(path):
    with open(path, "rb") as file:
        return file.read()


def test_an_order_is_a_call_of_stylize(files):
    order = ordered(LIMITS, files["photo"], files["style"], size=64, strength=0.5, color="match")
    assert order.photo == bytes_of(files["photo"]) and order.size == 64
    assert order.call == {
        "style": [bytes_of(files["style"])], "weights": None, "strength": 0.5, "color": "match",
    }
    assert order.name == "my holiday-painted"


@pytest.mark.parametrize("mix, styles, weights", [
    (0, ["style"], None), (0.25, ["style", "second"], (0.75, 0.25)), (1, ["second"], None),
])
def test_two_paintings_are_mixed(files, mix, styles, weights):
    call = ordered(LIMITS, files["photo"], files["style"], files["second"], mix=mix, size=64).call
    assert call["style"] == [bytes_of(files[name]) for name in styles] and call["weights"] == weights


def test_a_learned_style_needs_no_painting_and_no_settings_of_one(files):
    order = ordered(
        LIMITS, files["photo"], None, files["bad"], method="learned", model="ink", size=64, strength=0.5,
        style_scale=2.0, color="luminance", photoreal=False,
    )
    assert order.call == {"model": "ink", "color": "luminance", "photoreal": False}


@pytest.mark.parametrize("change, told", [
    ({"photo": None}, "There is no photo yet"),
    ({"style": None}, "There is no painting yet"),
    ({"photo": "bad"}, "the photo is in no picture format"),
    ({"style": "bad"}, "the painting is in no picture format"),
    ({"second": "bad"}, "the second painting is in no picture format"),
    ({"size": 257}, "at most 256 px"),
    ({"size": 15}, "at least 16"),
    ({"mix": 2}, "mix"),
    ({"strength": 1.5}, "strength"),
    ({"method": "slow"}, "method"),
    ({"method": "learned", "model": "default"}, "model"),
    ({"photo": "gone.jpg"}, "no longer here"),
])
def test_refusals_are_sentences_without_paths(files, refusal, change, told):
    given = {"photo": "photo", "style": "style", "second": None} | change
    paths = {name: files.get(given.pop(name), change.get(name)) for name in ("photo", "style", "second")}
    sentence = refusal(ordered, LIMITS, **paths, **{"size": 64} | given)
    assert told in sentence
    assert os.path.dirname(files["bad"]) not in sentence


def test_a_picture_cut_short_is_refused(files, refusal):
    whole = bytes_of(files["style"])
    with open(files["bad"], "wb") as file:
        file.write(whole[: len(whole) // 2])
    assert "cut short" in refusal(ordered, LIMITS, files["photo"], files["bad"], size=64)


def test_an_empty_file_is_refused(files, refusal):
    with open(files["bad"], "wb"):
        pass
    assert "empty" in refusal(ordered, LIMITS, files["bad"], files["style"], size=64)


def test_a_large_file_is_refused_unread(files, refusal):
    with open(files["bad"], "r+b") as file:
        file.truncate(2 * 2**20)
    assert "more than 1 MB" in refusal(ordered, WebSettings(upload=1), files["bad"], files["style"])


def test_many_pixels_are_refused_by_their_header(files, refusal, monkeypatch):
    """A plain picture of a few kilobytes may fill the memory."""
    limits = WebSettings(megapixels=0.01, largest=256)
    Image.new("RGB", (101, 100)).save(files["bad"], "PNG")
    with monkeypatch.context() as patch:
        patch.setattr("PIL.Image.Image.load", lambda image: pytest.fail("it was decoded"))
        patch.setattr("PIL.ImageFile.ImageFile.load", lambda image: pytest.fail("it was decoded"))
        told = refusal(checked_picture, limits, files["bad"], "photo")
        assert told.startswith("The photo has 101 x 100 pixels, and 0.01 million are as much as this page takes")
        assert "The photo has" in refusal(ordered, limits, files["bad"], files["style"], size=64)
    checked_picture(limits, files["photo"], "photo")
    assert "The painting has" in refusal(ordered, limits, files["photo"], files["bad"], size=64)
    Image.new("RGB", (100, 100)).save(files["bad"], "PNG")
    assert ordered(limits, files["photo"], files["bad"], size=64)


def test_one_picture_is_decoded_at_a_time(files, monkeypatch):
    monkeypatch.setattr("tfstyle.web.orders.DECODING", lock := Lock())
    ordered(LIMITS, files["photo"], files["style"], files["second"], size=64)
    checked_picture(LIMITS, files["photo"], "photo")
    assert lock.taken == 4


class Lock:
    """Counts how often it is taken."""

    taken = 0

    def __enter__(self):
        self.taken += 1

    def __exit__(self, *how):
        pass


@pytest.mark.parametrize("given, kept", [
    ("a/../<b>.jpeg", "_b_-painted"), (" .png", "picture-painted"), ("x" * 200 + ".png", "x" * 60 + "-painted"),
    ("été 1.2.png", "été 1.2-painted"),
])
def test_results_are_named_after_the_photo(files, tmp_path, given, kept):
    path = tmp_path / os.path.basename(given)
    path.write_bytes(bytes_of(files["photo"]))
    assert ordered(LIMITS, str(path), files["style"], size=64).name == kept


def test_methods_and_defaults_are_the_library_s(files):
    assert set(METHODS) == {"fast", "optimize", "learned"}
    assert ordered(WebSettings(), files["photo"], files["style"]).size == Controls.size == GatysSettings.size
    assert {field for field in ("strength", "style_scale", "color", "photoreal")} <= Look.__dataclass_fields__.keys()
