"""The optimizer's `optimize_look` in the session loader against `tfstyle.stylize(..., method="optimize")`."""

import pathlib

import numpy as np
import pytest

import tfstyle
from tfstyle import images
from tfstyle.export import loaders
from tfstyle.gatys import optimize
from tfstyle.gatys.settings import GatysSettings
from tfstyle.look import Look, finished

# Keras reads TensorFlow's variables in a way that NumPy 2 wants changed.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

KINDS = ("content", "style", "tv")
DATA = pathlib.Path(__file__).parents[2] / "data"
ONE_STEP, MORE_STEPS = 1e-5, 2e-5  # the largest difference; the mean of those that more steps amplify


@pytest.fixture(scope="module")
def styles(other_painting):
    """Two style pictures of one shape, shorter than the photos: (2, 40, 36, 3)."""
    swirl = images.resize(images.read(DATA / "swirl_128.jpg").rgb, (40, 36))
    return np.stack([swirl, images.resize(other_painting, (40, 36))])


def request(content, styles, weights, steps=2, losses=(1.0, 6.0, 0.5), strength=1.0, color="style"):
    return {
        "content_image": content[None], "style_image": styles[None], "weights": np.float32([weights]),
        "steps": np.int32([steps]), "strength": np.float32([strength]), "color": np.array([color], object),
        **{f"{kind}_weight": np.float32([weight]) for kind, weight in zip(KINDS, losses, strict=True)},
    }


def asked(call, *args, **options):
    found = call("optimize_look", **request(*args, **options))["stylized_image"]
    assert found.shape == (1, *args[0].shape) and found.dtype == np.float32
    return found[0]


def python(content, styles, weights, steps=2, strength=1.0, color="style"):
    settings = GatysSettings(
        size=None, style_size=max(styles.shape[1:3]), steps=(steps,), strength=strength, precision="float32"
    )
    painted = optimize(content, list(styles), settings, style_weights=weights).image
    return finished(painted, content, Look(color=color, color_when="after"))


# The same pictures as Python's


def test_one_style_as_large_as_the_content_is_optimize(session, small, styles):
    style = images.fit(styles[0], 46)
    given = request(small, style[None], [1.0])
    plain = {name: value for name, value in given.items() if name not in ("weights", "strength", "color")}
    wanted = session("optimize", **plain | {"style_image": style[None]})["stylized_image"][0]
    np.testing.assert_array_equal(session("optimize_look", **given)["stylized_image"][0], wanted)


@pytest.mark.parametrize(("strength", "steps", "weights"), [  # after fewer it is the photo still
    (0.3, 12, [1, 3]), (0.7, 6, [1, 0]), (1.0, 2, [1, 3]),
])
def test_styles_and_strengths(session, small_pyramid, small, styles, strength, steps, weights):
    found = asked(session, small, styles, weights, steps, strength=strength)
    difference = np.abs(found - python(small, styles, weights, steps, strength))
    assert difference.mean() <= MORE_STEPS and (steps > 2 or difference.max() <= ONE_STEP)
    assert np.abs(found - small).max() > 0.01


def test_two_scales(session, small_pyramid, photo, styles):
    found = asked(session, photo, styles, [2, 1], steps=6, strength=0.7)
    assert np.abs(found - python(photo, styles, [2, 1], 6, 0.7)).mean() <= 10 * MORE_STEPS
    assert np.abs(found - photo).max() > 0.02


@pytest.mark.parametrize("color", ["luminance", "match"])
def test_colors(session, small_pyramid, small, styles, color):
    found = asked(session, small, styles, [1, 1], color=color)
    assert np.abs(found - python(small, styles, [1, 1], color=color)).max() <= 4 * ONE_STEP
    assert np.abs(found - asked(session, small, styles, [1, 1])).max() > 0.01


def test_as_the_library_is_called(session, small_pyramid, small, styles):
    found = images.to_uint8(asked(session, small, styles, [1, 1], 6, strength=0.7, color="match"))
    wanted = tfstyle.stylize(
        small, list(styles), "optimize", None, style_size=40, steps=(6,), precision="float32", strength=0.7,
        color="match", color_when="after",
    )
    assert np.abs(found.astype(int) - np.asarray(wanted, int)).max() <= 1


@pytest.mark.parametrize("color", ["style", "luminance", "match"])
def test_no_strength_is_the_photo_itself(session, small, styles, color):
    np.testing.assert_array_equal(asked(session, small, styles, [1, 1], strength=0.0, color=color), small)


def test_the_order_of_styles_is_of_no_matter_but_their_weights_are(session, small, styles):
    found = asked(session, small, styles, [1, 3])
    np.testing.assert_allclose(asked(session, small, styles[::-1], [30, 10]), found, rtol=0, atol=ONE_STEP)
    assert np.abs(asked(session, small, styles, [3, 1]) - found).max() > 0.01


def test_a_batch_is_its_pictures_in_both_loaders(gatys_saved, session, small, styles):
    ways = [request(small, styles, [1, 3], 6, strength=0.7), request(small[::-1], styles, [1, 0], 3, color="match")]
    both = {name: np.concatenate([way[name] for way in ways]) for name in ways[0]}
    two = loaders.signature_calls(gatys_saved)
    for call in (session, two):
        found = call("optimize_look", **both)["stylized_image"]
        for one, way in zip(found, ways, strict=True):
            np.testing.assert_allclose(one, session("optimize_look", **way)["stylized_image"][0], rtol=0, atol=1e-4)


# Refusals


@pytest.mark.parametrize(("name", "value", "sentence"), [
    ("style_image", np.zeros((1, 9, 16, 16, 3)), "style_image must hold 1 to 8 styles a picture; received 9."),
    ("style_image", np.zeros((1, 0, 16, 16, 3)), "style_image must hold 1 to 8 styles a picture; received 0."),
    ("style_image", np.zeros((1, 2, 16, 16, 4)), "style_image must have 3 channels (RGB), without alpha; received 4."),
    ("style_image", np.zeros((1, 2, 16, 15, 3)),
     "style_image must be 1 to 32 pictures, each of 16 px a side or more and up to 2097152 pixels; received 2 of "
     "15x16 px."),
    ("style_image", np.full((1, 2, 16, 16, 3), 9),
     "style_image must be float32 in [0, 1], all of it finite; received 9 to 9."),
    ("style_image", np.zeros((2, 2, 16, 16, 3)), "style_image must be as many as content_image; received 2 and 1."),
    ("weights", [[1]], "weights must be one for each style of style_image; received 1 and 2."),
    ("weights", [[0, 0]], "weights must be at least 0 and not all 0; received [[0 0]]."),
    ("weights", [[2, -1]], "weights must be at least 0 and not all 0; received [[2 -1]]."),
    ("weights", [[2, np.nan]], "weights must be at least 0 and not all 0; received [[2 nan]]."),
    ("weights", [[2, np.inf]], "weights must be at least 0 and not all 0; received [[2 inf]]."),
    ("weights", [[1, 1]] * 2, "weights must be as many as content_image; received 2 and 1."),
    ("strength", [-1], "strength must be from 0 to 1; received [-1]."),
    ("color", ["histogram"],
     "color must not be histogram here, which sorts all pixels; use tfstyle.serving.Client, or the color match."),
    ("color", ["style"] * 2, "color must be as many as content_image; received 2 and 1."),
    ("tv_weight", [-1], "tv_weight must be from 0 to 1000000; received [-1]."),
    ("steps", [501], "steps must be from 1 to 500, or 0 for the defaults; received [501]."),
    ("content_image", np.zeros((0, 16, 16, 3)),
     "content_image must be 1 to 4 pictures, each of 16 px a side or more and up to 1048576 pixels; received 0 of "
     "16x16 px."),
])
def test_inputs_refused(session, told, small, styles, name, value, sentence):
    given = request(small, styles, [1, 1], 1)
    given[name] = np.asarray(value, given[name].dtype)
    assert told(session, "optimize_look", **given) == sentence


def test_work_is_bounded_and_there_must_be_some(session, told, small, styles):
    given = request(np.zeros((1024, 1000, 3), np.float32), styles, [1, 1], 200)
    assert told(session, "optimize_look", **given) == (
        "Pixels times steps times pictures must be up to 134217728; received 1000 x 1024 x 200 x 1."
    )
    given = request(small, styles, [1, 1], losses=(0, 0, 1))
    assert told(session, "optimize_look", **given) == "content_weight and style_weight are both 0; raise one."
