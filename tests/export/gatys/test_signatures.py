"""The optimizer's graph in the session loader and through TF Hub's call, against `tfstyle.gatys.optimize`."""

import io
import pathlib

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from tfstyle import images
from tfstyle.export import gatys, graph, loaders
from tfstyle.gatys import optimize
from tfstyle.gatys.objective import Measures
from tfstyle.gatys.pyramid import plan
from tfstyle.gatys.settings import GatysSettings

# Keras reads TensorFlow's variables in a way that NumPy 2 wants changed.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

KINDS = ("content", "style", "tv")
DATA = pathlib.Path(__file__).parents[2] / "data"


@pytest.fixture(scope="module")
def painting():
    return images.resize(images.read(DATA / "swirl_128.jpg").rgb, (56, 48))


@pytest.fixture(scope="module")
def paint(session):
    """Paints one picture in so many evaluations at each scale."""

    def paint(content, style, steps, weights=(1.0, 6.0, 0.5)):
        return session("optimize", **request(content, style, steps, weights))["stylized_image"][0]

    return paint


def request(content, style, steps, weights=(1.0, 6.0, 0.5)):
    given = {"content_image": content[None], "style_image": style[None], "steps": np.int32([steps])}
    return given | {f"{kind}_weight": np.float32([weight]) for kind, weight in zip(KINDS, weights, strict=True)}


def joined(*requests):
    """Several requests as one, as a server puts them together."""
    return {name: np.concatenate([one[name] for one in requests]) for name in requests[0]}


def python(content, style, callback=None, **options):
    return optimize(content, [style], GatysSettings(size=None, precision="float32", **options), callback=callback).image


def close(found, wanted, atol, measure=np.max):
    assert found.shape == wanted.shape and found.dtype == np.float32
    assert measure(np.abs(found - wanted)) <= atol


# The same pictures as Python's


def test_step_by_step(paint, small_pyramid, small, painting):
    """After no step it is the photo, after one nearly the same floats; three amplify every rounding a little."""
    records = []
    python(small, painting, callback=records.append, steps=(4,))
    totals = [record.total for record in records[:4]]
    assert totals == sorted(totals, reverse=True)  # so that each evaluation's picture is the best until then
    np.testing.assert_array_equal(paint(small, painting, 1), small)
    close(paint(small, painting, 2), records[1].image(), 1e-5)
    close(paint(small, painting, 4), records[3].image(), 1e-4, np.mean)
    assert np.abs(records[3].image() - small).max() > 0.05


def test_two_scales_and_the_defaults(session, small_pyramid, photo, painting):
    """45x61 px is painted at 22x30 px first; the steps of both scales and the weights are the settings' own."""
    assert [shape for *shape, _ in plan(45, 61, GatysSettings())] == [[22, 30], [45, 61]]
    found = session("serving_default", content_image=photo[None], style_image=painting[None])["stylized_image"]
    close(found[0], python(photo, painting, steps=(3, 2)), 1e-4, np.mean)


@pytest.mark.parametrize("weights", [(0.0, 3.0, 2.0), (2.0, 0.0, 1.0)])
def test_a_weight_of_0(paint, small_pyramid, photo, painting, weights):
    """Without a content loss, the photo's detail is not added to the larger scale."""
    wanted = python(photo, painting, steps=(2,), **{f"{k}_weight": w for k, w in zip(KINDS, weights, strict=True)})
    close(paint(photo, painting, 2, weights), wanted, 1e-4, np.mean)


def test_requests_of_unlike_steps_and_weights_in_one(session, paint, small, painting, other_painting):
    style = images.resize(other_painting, painting.shape[:2])
    ways = (small, painting, 1, (1, 6, 0.5)), (small[::-1], style, 3, (1, 6, 0.5)), (small, style, 2, (0.5, 1e6, 0))
    found = session("optimize", **joined(*(request(*way) for way in ways)))["stylized_image"]
    for one, way in zip(found, ways, strict=True):
        close(one, paint(*way), 1e-6)


def test_as_tf_hub_calls_it(gatys_saved, session, small, painting):
    contents, styles = np.stack([small, small[:, ::-1]]), np.stack([painting, painting])
    found = loaders.hub_call(gatys_saved)(contents, styles)
    wanted = session("serving_default", content_image=contents, style_image=styles)["stylized_image"]
    close(found, wanted, 1e-4)


def test_files(session, paint, photo, small, painting):
    """Of unlike sizes, each answered in the content's own kind."""

    def file(picture, kind):
        stream = io.BytesIO()
        images.to_pil(picture).save(stream, kind)
        return stream.getvalue()

    files = [file(photo, "PNG"), file(small, "JPEG")], [file(painting, "JPEG"), file(painting, "PNG")]
    both = joined(*[request(photo, painting, 2)] * 2)
    settings = {name: value for name, value in both.items() if "image" not in name}
    found = session(
        "optimize_bytes", content_bytes=np.array(files[0], object), style_bytes=np.array(files[1], object), **settings
    )["stylized_bytes"]
    found = [Image.open(io.BytesIO(content)) for content in found]
    assert [image.format for image in found] == ["PNG", "JPEG"]
    for image, content, style, most in zip(found, *files, (0.05, 3), strict=True):
        wanted = images.to_uint8(paint(images.read(content).rgb, images.read(style).rgb, 2))
        assert np.abs(np.asarray(image, int) - wanted).mean() <= most  # of 255; JPEG loses some


# Sizes of the pyramid


count = tf.function(gatys._scale_count, input_signature=[tf.TensorSpec((), tf.int32)] * 2, autograph=False)


@settings(deadline=None, max_examples=80, database=None, derandomize=True)
@given(st.integers(16, 3000), st.integers(16, 3000))
@example(192, 384)
@example(192, 383)
@example(31, 1024)
@example(32, 1024)
@example(16, 65536)
def test_the_pyramid_has_as_many_scales_as_python_s(height, width):
    assert int(count(tf.constant(height), tf.constant(width))) == len(plan(height, width, GatysSettings()))


# Refusals


def test_bounds():
    assert gatys.BOUNDS == graph.Bounds(pixels=2**20, pictures=4) and gatys.MOST_STEPS == 500


@pytest.mark.parametrize(("name", "value", "sentence"), [
    ("steps", 501, "steps must be from 1 to 500, or 0 for the defaults; received [501]."),
    ("steps", -3, "steps must be from 1 to 500, or 0 for the defaults; received [-3]."),
    *((f"{kind}_weight", value, f"{kind}_weight must be from 0 to 1000000; received [{shown}].")
      for kind, value, shown in (("content", -1, "-1"), ("style", np.nan, "nan"), ("tv", np.inf, "inf"),
                                 ("style", 2e6, "2e+06"))),
])
def test_settings_refused(session, told, small, painting, name, value, sentence):
    given = request(small, painting, 1)
    given[name] = np.array([value], given[name].dtype)
    assert told(session, "optimize", **given) == sentence
    given = {name: value for name, value in given.items() if "image" not in name}
    assert told(session, "optimize_bytes", content_bytes=[b""], style_bytes=[b""], **given) == sentence


def test_one_bad_setting_of_several_is_refused(session, told, small, painting):
    given = joined(request(small, painting, 1), request(small, painting, 900))
    assert told(session, "optimize", **given) == "steps must be from 1 to 500, or 0 for the defaults; received [1 900]."


@pytest.mark.parametrize("signature", ["serving_default", "optimize"])
@pytest.mark.parametrize(("name", "shape", "sentence"), [
    ("content_image", (1, 32, 32, 4), " must have 3 channels (RGB), without alpha; received 4."),
    ("style_image", (1, 32, 32, 1), " must have 3 channels (RGB), without alpha; received 1."),
    ("style_image", (1, 15, 32, 3), "; received 1 of 32x15 px."),
    ("content_image", (1, 1024, 1025, 3), "; received 1 of 1025x1024 px."),
    ("content_image", (5, 16, 16, 3), "; received 5 of 16x16 px."),
    ("content_image", (0, 16, 16, 3), "; received 0 of 16x16 px."),
    ("style_image", (2, 16, 16, 3), " must be as many as content_image; received 2 and 1."),
])
def test_pictures_refused(session, told, small, painting, signature, name, shape, sentence):
    if sentence.startswith(";"):
        most = {"content_image": 2**20, "style_image": 2**21}[name]
        sentence = f" must be 1 to 4 pictures, each of 16 px a side or more and up to {most} pixels{sentence}"
    given = request(small, painting, 1)
    given = {key: value for key, value in given.items() if "image" in key or signature == "optimize"}
    given[name] = np.zeros(shape, np.float32)
    assert told(session, signature, **given) == f"{name}{sentence}"


def test_settings_for_more_or_fewer_pictures_are_refused(session, told, small, painting):
    given = request(small, painting, 1) | {"tv_weight": np.float32([1, 1])}
    assert told(session, "optimize", **given) == "tv_weight must be as many as content_image; received 2 and 1."


def test_a_content_so_long_that_its_style_would_take_all_memory_is_refused(session, told, painting):
    given = request(np.zeros((16, 65536, 3), np.float32), painting, 1)
    assert told(session, "optimize", **given) == (
        "The style picture, resized to be as long as the content, would have 56174x65536 px, over 2097152 pixels; "
        "use a smaller content picture, or send the style as floats of its own size."
    )


def test_work_is_bounded(session, told, painting):
    given = joined(*[request(np.zeros((512, 520, 3), np.float32), painting, 300)] * 2)
    assert told(session, "optimize", **given) == (
        "Pixels times steps times pictures must be up to 134217728; received 520 x 512 x 300 x 2."
    )


def test_nothing_to_optimize_is_refused(session, told, small, painting):
    given = request(small, painting, 1) | {f"{kind}_weight": np.float32([0]) for kind in ("content", "style")}
    assert told(session, "optimize", **given) == "content_weight and style_weight are both 0; raise one."


def test_no_steps_are_the_default_ones(session, small, painting):
    given = request(small, painting, 0) | {
        f"{kind}_weight": np.float32([getattr(GatysSettings, f"{kind}_weight")]) for kind in ("content", "style", "tv")
    }
    plain = {name: given[name] for name in ("content_image", "style_image")}
    found, wanted = (session(*call, **inputs)["stylized_image"]
                     for *call, inputs in (("optimize", given), ("serving_default", plain)))
    np.testing.assert_allclose(found, wanted, atol=0.02)
    assert np.abs(found - small).mean() > 0.02


# The loop


class Scripted:
    """An objective that is a function of the picture, in place of the network's."""

    terms = {"content/mine": 1.0}

    def __init__(self, loss):
        self.loss = loss

    def look(self, image):
        return Measures([], [], [])

    def whole_steps(self, image):
        return image

    def losses(self, image, *_):
        return {"content/mine": self.loss(image)}


def optimized(loss, steps):
    """The picture that the loop finds from mid-gray on."""
    nothing = Measures([], [], [])

    @tf.function(autograph=False)
    def run(start, weights):
        return gatys._optimized(Scripted(loss), start, nothing, nothing, tf.constant(steps), weights, 3)

    return run(tf.fill((1, 4, 5, 3), 0.5), tf.constant([1.0, 0.0, 0.0])).numpy()


@pytest.mark.parametrize(("loss", "step"), [
    (lambda image: tf.reduce_mean(image) * np.inf, 1),
    (lambda image: tf.reduce_mean(image - 0.5) * np.inf, 1),
    (lambda image: 1 + tf.sqrt(tf.reduce_mean(image) - 0.5), 1),  # a finite loss, but no finite gradient
    (lambda image: tf.where(tf.reduce_mean(image) < 0.49, np.nan, tf.reduce_mean(image)), 2),
], ids=["infinite", "nan", "gradient", "later"])
def test_a_loss_that_is_no_number_stops_the_run(told, loss, step):
    sentence = f"The loss became infinite or not a number at step {step}; use smaller weights."
    assert told(optimized, loss, 4) == sentence


def test_the_best_picture_is_kept():
    """The first step makes all worse, the second goes halfway back and is better than the start."""

    def loss(image):
        mean = tf.reduce_mean(image)
        return tf.where(mean < 0.485, 9 + mean, mean)

    np.testing.assert_allclose(optimized(loss, 1), 0.5)
    np.testing.assert_allclose(optimized(loss, 2), 0.5)
    np.testing.assert_allclose(optimized(loss, 3), 0.49, rtol=1e-6)
