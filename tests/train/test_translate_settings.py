"""Settings of the training of a translation: what a method fills in, what is refused before any work."""

import dataclasses
import io

import pytest
from PIL import Image

from tfstyle.train.data import PictureSet
from tfstyle.train.translate_settings import METHODS, DSMAPPace, DSMAPSettings, check_domains

DSMAP = {
    "image_weight": 10, "style_weight": 10, "content_weight": 2, "mapped_weight": 2, "cycle_weight": 5,
    "contextual_weight": 1, "example_weight": 1, "mapping": True, "shared_tail": True, "halvings": 3,
}
MUNIT = {
    "image_weight": 10, "style_weight": 1, "content_weight": 1, "mapped_weight": 0, "cycle_weight": 0,
    "contextual_weight": 0, "example_weight": 0, "mapping": False, "shared_tail": False, "halvings": 2,
}


@pytest.mark.parametrize(("method", "filled"), [("dsmap", DSMAP), ("munit", MUNIT)])
def test_a_method_fills_what_is_left_out(method, filled):
    settings = dataclasses.asdict(DSMAPSettings(method=method))
    assert {name: settings[name] for name in filled} == filled and METHODS[method].keys() == filled.keys()
    assert settings["invariant_weight"] == 0 and None not in settings.values()
    given = DSMAPSettings(method=method, style_weight=3.0, cycle_weight=0.5)
    assert (given.style_weight, given.cycle_weight, given.image_weight) == (3, 0.5, 10)


def test_the_published_numbers():
    settings, pace = DSMAPSettings(), DSMAPPace()
    assert (settings.method, settings.crop, settings.short_side, settings.pictures) == ("dsmap", 192, 192, 2)
    assert (settings.width, settings.style, settings.hidden, settings.blocks) == (64, 8, 256, 4)
    assert (pace.steps, pace.learning_rate, pace.halve_every, pace.weight_decay) == (200_000, 1e-4, 100_000, 1e-4)
    assert (pace.warmup, pace.clip, pace.encoder_rate) == (0, None, 1.0)
    assert DSMAPSettings(crop=128).short_side == 128 and DSMAPSettings(crop=128, short_side=160).crop == 128


def test_settings_that_say_them_again_are_the_same():
    """A run may be resumed by the numbers that the first one was filled with."""
    for method, filled in (("dsmap", DSMAP), ("munit", MUNIT)):
        assert DSMAPSettings(method=method, **filled) == DSMAPSettings(method=method)


def test_parts_that_are_left_out_take_their_losses_along():
    """What `mapping` alone decides need not be given with it."""
    assert DSMAPSettings(mapping=False).mapped_weight == 0
    assert DSMAPSettings(mapping=False, halvings=2).mapped_weight == 0
    assert DSMAPSettings(method="munit", mapping=True).halvings == 3


@pytest.mark.parametrize(("given", "sentence"), [
    ({"crop": 32}, "crop must be a whole number from 64 to 4096; received 32."),
    ({"crop": 72}, "crop must be a multiple of 16; received 72."),
    ({"crop": 64, "short_side": 63}, "short_side must be a whole number from 64 to 4096; received 63."),
    ({"crop": 80, "short_side": 64}, "short_side (64) is under crop (80), so that no crop fits; raise it."),
    ({"pictures": 0}, "pictures must be a whole number from 1 to 4096; received 0."),
    ({"method": "dsmp"}, "method must be one of 'dsmap', 'munit'; received 'dsmp'; did you mean 'dsmap'?"),
    ({"style_weight": -1.0}, "style_weight must be a number of at least 0; received -1.0."),
    ({"image_weight": float("nan")}, "image_weight must be a number of at least 0; received nan."),
    ({"halvings": 4}, "halvings must be a whole number from 2 to 3; received 4."),
    ({"halvings": 2}, "2 halvings need mapping turned off; do that too, or leave halvings out."),
    ({"mapping": False, "mapped_weight": 1.0}, "mapped_weight is for networks with mapping; leave one of the two out."),
    ({"method": "munit", "mapped_weight": 1.0},
     "mapped_weight is for networks with mapping; leave one of the two out."),
    ({"loss_network": "vgg11"},
     "loss_network must be one of 'vgg19', 'vgg16'; received 'vgg11'; did you mean 'vgg19'?"),
    ({"width": 0}, "width must be a whole number from 1 to 1024; received 0."),
])
def test_refusals(refusal, given, sentence):
    assert refusal(DSMAPSettings, **given) == sentence


@pytest.mark.parametrize(("given", "sentence"), [
    ({"learning_rate": 0.0}, "learning_rate must be a number from 1e-08 to 1; received 0.0."),
    ({"halve_every": 0}, "halve_every must be a whole number from 1 to 1e+09; received 0."),
    ({"weight_decay": -0.1}, "weight_decay must be a number from 0 to 1; received -0.1."),
    ({"encoder_rate": 101.0}, "encoder_rate must be a number from 0 to 100; received 101.0."),
    ({"clip": 0.0}, "clip must be a number from 1e-06 to 1e+09; received 0.0."),
])
def test_refusals_of_paces(refusal, given, sentence):
    assert refusal(DSMAPPace, **given) == sentence


# Domains


@pytest.fixture
def domain(tmp_path):
    """A function (name, size of each picture) -> their `PictureSet`."""

    def make(name, *sizes):
        (tmp_path / name).mkdir()
        for i, size in enumerate(sizes):
            data = io.BytesIO()
            Image.new("RGB", size, (40 * i, 90, 200)).save(data, "PNG")
            (tmp_path / name / f"{i}.png").write_bytes(data.getvalue())
        return PictureSet(tmp_path / name)

    return make


@pytest.fixture
def other(domain):
    return domain("other", (99, 99), (98, 98))


def test_a_domain_of_one_picture(domain, other, tmp_path, refusal):
    sentence = "Domain {} holds {} that can be read; give it more, at best hundreds."
    one = domain("one", (200, 200))
    assert refusal(check_domains, one, other, 64) == sentence.format("a", "a single picture")
    (tmp_path / "one" / "damaged.png").write_bytes(b"no picture")
    assert refusal(check_domains, other, PictureSet(tmp_path / "one"), 64) == sentence.format("b", "a single picture")
    (tmp_path / "one" / "0.png").unlink()
    assert refusal(check_domains, PictureSet(tmp_path / "one"), other, 64) == sentence.format("a", "no picture")


def test_an_empty_domain(tmp_path, refusal):
    assert refusal(PictureSet, tmp_path).startswith(f"{tmp_path} holds no pictures (.jpg, ")


def test_pictures_smaller_than_the_crop(domain, other, refusal):
    pictures = domain("some", (64, 64), (90, 63), (64, 200), (40, 50))
    assert refusal(check_domains, other, pictures, 64) == (
        "2 of domain b's 4 pictures are smaller than the crop of 64 px, such as 1.png (90x63); take them out, or use a "
        "smaller crop."
    )
    check_domains(other, pictures, 40)


def test_twice_the_same_pictures(other, refusal):
    assert refusal(check_domains, other, other, 64) == (
        "Both domains are the same pictures, between which there is nothing to learn; name another."
    )
