"""Large pictures painted strip by strip, with all that can be asked of their look."""

import functools
import pathlib

import numpy as np
import pytest

import tfstyle
from tfstyle import images, large, running
from tfstyle.look import Look
from tfstyle.nets import arbitrary_weights, network_files
from tfstyle.nets.arbitrary import ArbitraryConfig, style_predictor, transformer
from tfstyle.nets.feedforward import FeedForwardConfig, feedforward

DATA = pathlib.Path(__file__).parent / "data"
CONFIG = ArbitraryConfig(widths=(4, 6, 8, 8), blocks=1, code=12, hidden=8)


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    """A small network of random weights, in float32."""
    path = tmp_path_factory.mktemp("large") / "network.npz"
    rng = np.random.default_rng(7)
    models = style_predictor(CONFIG), transformer(CONFIG)
    for model in models:
        model.set_weights([w + 0.2 * rng.standard_normal(w.shape).astype(np.float32) for w in model.get_weights()])
    arbitrary_weights.save(path, *models, CONFIG)
    return tfstyle.ArbitraryStylizer(path, precision="float32")


@pytest.fixture(scope="module")
def one_style(tmp_path_factory):
    config = FeedForwardConfig(widths=(4, 6, 8, 8), blocks=1)
    path = tmp_path_factory.mktemp("large") / "wave.npz"
    network_files.save(path, feedforward(config), config)
    return tfstyle.FeedForwardStylizer(path, precision="float32")


@pytest.fixture(scope="module")
def picture():
    """A photograph of 150 x 203 px: several strips of it, where they are low."""
    return images.to_uint8(images.resize(images.read(DATA / "china_128.jpg").rgb, (150, 203)))


@pytest.fixture(autouse=True)
def low_strips(monkeypatch):
    """Strips of 32 rows, kept in float32: random networks blow up what float16 rounds off."""
    monkeypatch.setattr("tfstyle.strips._STRIP", 32 * 203)
    monkeypatch.setattr(large, "painted_rows", functools.partial(large.painted_rows, half=False))


@pytest.fixture(scope="module")
def masks():
    left = np.zeros((150, 203), np.float32)
    left[:, :90] = np.linspace(1, 0, 90)
    top = np.zeros((150, 203), np.float32)
    top[:40] = 1
    return [left, top]


def both(paint, **options):
    """The picture in strips and whole, as float arrays in units of 1 / 255."""
    return [np.asarray(paint(tiled=tiled, size=None, **options)).astype(float) for tiled in ("yes", "no")]


@pytest.mark.parametrize("options", [
    {}, {"strength": 0.4}, {"color": "luminance"}, {"color": "luminance", "color_when": "after"},
    {"color": "match"}, {"color": "match", "color_when": "after"}, {"color": "histogram", "color_when": "after"},
], ids=str)
def test_strips_give_the_whole(engine, picture, painting, options):
    strips, whole = both(lambda **more: engine.stylize(picture, painting, **more), **options)
    # Before it is recolored a picture is kept in half precision; ranks of nearly equal values show that.
    most, mean = {"match": (4, 0.5), "histogram": (255, 4)}.get(options.get("color"), (1.01, 0.5))
    assert np.abs(strips - whole).max() <= most and np.abs(strips - whole).mean() < mean
    assert np.abs(whole - picture).mean() > 5


def test_regions_in_strips(engine, picture, painting, other_painting, masks):
    strips, whole = both(lambda **more: engine.stylize(picture, [painting, other_painting], masks=masks, **more))
    assert np.abs(strips - whole).max() <= 1.01
    np.testing.assert_array_equal(strips[60:, 100:], picture[60:, 100:])  # where no mask lies


def test_a_network_of_one_style_in_strips(one_style, picture):
    strips, whole = both(lambda **more: one_style.stylize(picture, **more))
    assert np.abs(strips - whole).max() <= 1.01


def test_alpha_is_kept(engine, picture, painting):
    alpha = np.full(picture.shape[:2], 200, np.uint8)
    painted = engine.stylize(np.dstack([picture, alpha]), painting, size=None, tiled="yes")
    assert painted.mode == "RGBA" and (np.asarray(painted)[..., 3] == 200).all()


def test_light_and_palette_need_no_strips(engine, picture, painting):
    strips, whole = both(lambda **more: engine.stylize(picture, painting, photoreal=True, **more))
    np.testing.assert_array_equal(strips, whole)


def test_what_the_look_takes_is_counted(engine, monkeypatch):
    """What fits as it is does not fit with another way to color, with many regions, or at half the strength."""
    def asked(regions=0, **look):
        return large.in_strips(engine._network, engine._need, (3000, 4000), Look(tiled="yes", **look), regions)

    monkeypatch.setattr(running, "available", lambda: running.BASE + 12 * 10**6 * 45)
    assert asked() and asked(color="match", color_when="before")
    for look in ({"color": "histogram", "color_when": "after"}, {"regions": 10}, {"strength": 0.5}):
        with pytest.raises(tfstyle.InputError, match="needs about .* GiB"):
            asked(**look)
    with pytest.raises(tfstyle.InputError, match="needs about .* GiB"):
        asked(photoreal=True)


def test_what_decides(engine, monkeypatch):
    """Whole up to 2 GiB, or what is free; the user has the last word."""

    def asked(side, **look):
        return large.in_strips(engine._network, engine._need, (side, side), Look(**look))

    monkeypatch.setattr(running, "available", lambda: 2**40)
    monkeypatch.setattr(large, "available", lambda: 2**40)
    assert not asked(1000) and asked(4000) and not asked(4000, tiled="no") and asked(100, tiled="yes")
    monkeypatch.setattr(large, "available", lambda: 2**30)
    assert asked(1000)
    monkeypatch.setattr(running, "available", lambda: 2**20)
    with pytest.raises(tfstyle.InputError, match="close other programs"):
        asked(1000)


def test_a_network_that_cannot_says_so(engine, monkeypatch):
    monkeypatch.setattr(large, "supports", lambda network: False)
    with pytest.raises(tfstyle.InputError, match="cannot be run in strips; leave tiled out"):
        large.in_strips(engine._network, engine._need, (100, 100), Look(tiled="yes"))
    assert not large.in_strips(engine._network, engine._need, (3000, 3000), Look())
    assert not large.in_strips(None, engine._need, (100, 100), Look())
