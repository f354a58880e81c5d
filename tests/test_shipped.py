"""What the shipped networks but those for any style are worth, on small real pictures."""

import pathlib

import numpy as np
import pytest
from PIL import Image

import tfstyle
from tfstyle import images
from tfstyle.images.reduction import low_resolution
from tfstyle.metrics import Evaluator, perceptual_distance
from tfstyle.weights.files import HERE, STYLE, TRANSLATE, shipped_factors, shipped_styles, shipped_translations

DATA = pathlib.Path(__file__).parent / "data"
CONTENT, PAINTINGS = (pathlib.Path(__file__).parents[1] / "examples" / kind for kind in ("content", "style"))
# Mean colors of the pictures: a red evening, ink on paper, a blue night, yellow.
COLORS = {
    "dusk": lambda red, green, blue: red > blue and max(red, green, blue) < 0.45,
    "ink": lambda red, green, blue: min(red, green, blue) > max(0.4, max(red, green, blue) - 0.12),
    "night": lambda red, green, blue: blue > 0.9 * red and max(red, green, blue) < 0.45,
    "sunflowers": lambda red, green, blue: min(red, green) > 1.3 * blue,
}


@pytest.fixture(scope="module")
def painted():
    """{name: china_128.jpg by that network, uint8}."""
    return {name: np.asarray(tfstyle.stylize(DATA / "china_128.jpg", model=name, size=256)) for name in COLORS}


def test_four_styles_are_shipped_small():
    assert sorted(shipped_styles()) == sorted(COLORS)
    for name in shipped_styles():
        assert (HERE / STYLE.format(name)).stat().st_size <= 3.5e6


@pytest.mark.parametrize("name", COLORS)
def test_each_paints_in_colors_of_its_own(painted, name):
    assert COLORS[name](*painted[name].mean(axis=(0, 1)) / 255)
    for other in COLORS.keys() - {name}:
        assert np.abs(painted[name].astype(int) - painted[other]).mean() > 20


def test_ink_comes_nearer_to_both_pictures_than_the_network_for_any_style():
    """At the size that it was trained for."""
    photo, painting = CONTENT / "chelsea.jpg", PAINTINGS / "ink.jpg"
    measure, totals = Evaluator(512), []
    for picture in (tfstyle.stylize(photo, model="ink"), tfstyle.stylize(photo, painting)):
        found = measure(photo, painting, picture)
        totals.append(found["content_loss"] + 2.5 * found["style_rel"])
    assert totals[0] < 0.9 * totals[1]


@pytest.mark.parametrize("factor", [4])
def test_enlarged_pictures_are_nearer_to_the_large_ones_than_bicubic(factor):
    assert factor in shipped_factors()
    ours, bicubic = [], []
    for name in ("china_128.jpg", "coffee_96.jpg", "chelsea_96.jpg"):
        small, large = low_resolution(images.to_uint8(images.read(DATA / name).rgb), factor)
        plain = Image.fromarray(small).resize(large.shape[1::-1], Image.Resampling.BICUBIC)
        ours.append(perceptual_distance(large, np.asarray(tfstyle.enlarge(small, factor))))
        bicubic.append(perceptual_distance(large, np.asarray(plain)))
    assert np.mean(ours) < 0.85 * np.mean(bicubic)


# Translation


@pytest.fixture(scope="module")
def monet():
    assert shipped_translations() == ("monet",) and (HERE / TRANSLATE.format("monet")).stat().st_size <= 12e6
    return tfstyle.Translator("monet")


def layout(picture):
    """Light and dark in a grid of 16 x 24."""
    return images.resize(images.read(picture).rgb, (16, 24)).mean(axis=-1).ravel()


def test_random_styles_keep_the_layout_and_differ(monet):
    photo = DATA / "china_128.jpg"
    painted = [monet.translate(photo, seed=seed) for seed in range(6)]
    for picture in painted:
        assert np.corrcoef(layout(picture), layout(photo))[0, 1] > 0.8
    colors = np.array([np.asarray(picture).mean(axis=(0, 1)) for picture in painted])
    assert colors.std(axis=0).min() > 10


def test_a_photograph_comes_back_in_its_own_domain(monet):
    photo = DATA / "china_128.jpg"
    again = monet.translate(photo, photo, direction="a2a")
    wanted = images.to_uint8(images.read(photo, size=256).rgb)
    assert np.abs(np.asarray(again).astype(int) - wanted).mean() < 0.08 * 255
    assert np.abs(np.asarray(monet.translate(photo, seed=1)).astype(int) - wanted).mean() > 0.1 * 255
