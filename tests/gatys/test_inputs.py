"""Pictures and sizes that go into a run, and those that are refused."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tfstyle.checks import InputError
from tfstyle.images import fit, resize, to_uint8

SHALLOW = dict(content_layers="relu2_1", style_layers=("relu1_1", "relu2_1"))  # for a quick start


def totals(result):
    return [record["total"] for record in result.records if "final" not in record]


# Starts


@pytest.fixture
def first_picture(run):
    """Runs end at the first record; its picture."""

    def first_picture(*args, **options):
        pictures = []

        def callback(record):
            pictures.append(record.image())
            return True

        run(*args, callback=callback, report=False, **options)
        return pictures[0]

    return first_picture


def test_starts(first_picture, tiny_vgg, photo, painting, other_painting):
    shape = (35, 48)
    np.testing.assert_array_equal(first_picture(photo, [painting]), resize(photo, shape))
    np.testing.assert_array_equal(
        first_picture(photo, [other_painting, painting], init="style"), resize(fit(other_painting, 48), shape)
    )
    np.testing.assert_array_equal(
        first_picture(photo, [painting], start=other_painting), resize(other_painting, shape)
    )
    noise = first_picture(photo, [painting], init="noise", noise=0.1, seed=3)
    assert noise.shape == (*shape, 3)
    np.testing.assert_allclose([noise.mean(), noise.std()], [0.5, 0.1], atol=0.01)
    again, other = (first_picture(photo, [painting], init="noise", noise=0.1, seed=seed) for seed in (3, 4))
    np.testing.assert_array_equal(again, noise)
    assert np.abs(other - noise).max() > 0.1


def test_a_pyramid_starts_small(first_picture, tiny_vgg, photo, painting):
    np.testing.assert_array_equal(
        first_picture(photo, [painting], scales=2), resize(fit(photo, 48), (18, 24))
    )


def test_a_start_that_is_not_there(run, tiny_vgg, photo, painting):
    with pytest.raises(InputError, match="no style picture to start from; use the init noise"):
        run(photo, [], init="style", style_weight=0)
    with pytest.raises(InputError, match="no content picture to start from; use the init noise"):
        run(None, [painting], content_weight=0)


# Sizes


@pytest.mark.parametrize(
    ("height", "width", "size"), [(45, 61, None), (16, 16, 16), (33, 17, None), (61, 45, 37), (16, 90, 90)]
)
def test_odd_sizes(run, tiny_vgg, photo, painting, height, width, size):
    content = resize(photo, (height, width))
    result = run(content, [painting[:48]], size=size, steps=2)
    assert result.image.shape == fit(content, size).shape
    assert result.final.scale == max(result.image.shape)


def test_a_styles_size_in_pixels_is_that_as_a_multiple(run, tiny_vgg, photo, painting):
    size, scale, plain = (
        run(photo, [painting], steps=2, **SHALLOW | given)
        for given in ({"style_size": 36}, {"style_scale": 0.75}, {})
    )
    np.testing.assert_array_equal(size.image, scale.image)
    assert size.final.figures == scale.final.figures != plain.final.figures


def test_pictures_too_small(run, photo, painting):
    with pytest.raises(InputError, match="content picture .*16 px"):
        run(photo[:12], [painting])
    with pytest.raises(InputError, match="style picture .*16 px"):
        run(photo, [painting[:, :9]])
    with pytest.raises(InputError, match="3 scales would shrink this 48x35 px picture under 16 px"):
        run(photo, [painting], scales=3)


def test_a_layer_that_would_see_nothing(run, tiny_vgg, photo, painting):
    with pytest.raises(
        InputError, match="pool5 needs pictures of at least 32 px a side and the smallest here has 27"
    ):
        run(photo, [painting], size=36, style_layers=("relu1_1", "pool5"))
    with pytest.raises(
        InputError, match="pool5 needs pictures of at least 32 px a side and the smallest here has 18"
    ):
        run(photo, [painting], scales=2, content_layers="pool5")
    with pytest.raises(
        InputError, match="pool5 needs pictures of at least 32 px a side and the smallest here has 21"
    ):
        run(photo, [painting], style_scale=0.5, style_layers=("pool5",))
    assert run(photo, [painting], steps=1, style_layers=("relu1_1", "pool5")).image.shape == (35, 48, 3)


def test_unknown_layers_are_told_with_the_nearest(run, photo, painting):
    with pytest.raises(InputError, match="vgg19 has no layer 'relu4_9'; did you mean 'relu4_"):
        run(photo, [painting], content_layers="relu4_9")


# Pictures


@pytest.mark.parametrize("kind", [to_uint8, tf.constant, lambda p: Image.fromarray(to_uint8(p)), np.float64])
def test_any_kind_of_picture_is_taken_for_what_it_is(run, tiny_vgg, photo, painting, kind):
    """uint8 is not mistaken for values in [0, 1]."""
    plain, other = (
        run(to_kind(photo), [to_kind(painting)], start=to_kind(painting), steps=1, **SHALLOW)
        for to_kind in (np.asarray, kind)
    )
    np.testing.assert_allclose(other.image, plain.image, atol=0.01)
    np.testing.assert_allclose(totals(other), totals(plain), rtol=0.02)


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (np.full((20, 20, 3), np.nan, np.float32), "NaN"),
        (np.full((20, 20, 3), 7.0, np.float32), "from 0 to 1"),
        (np.zeros((20, 20, 5), np.float32), "shape"),
        (np.zeros((20, 20, 3), np.int64), "int64"),
    ],
)
def test_broken_pictures_are_refused(run, photo, painting, broken, words):
    for name, pictures, start in (
        ("content picture", (broken, [painting]), None),
        ("style picture", (photo, [broken]), None),
        ("start picture", (photo, [painting]), broken),
    ):
        with pytest.raises(InputError, match=name) as error:
            run(*pictures, start=start)
        assert words in str(error.value)


@pytest.mark.parametrize(
    ("content", "styles", "settings", "words"),
    [
        (False, True, {}, "no content picture; give one, or set content_weight to 0"),
        (True, False, {}, "no style picture; give one, or set style_weight to 0"),
        (False, False, {"content_weight": 0}, "no style picture"),
        (False, False, {"style_weight": 0}, "no content picture"),
    ],
)
def test_missing_pictures(run, photo, painting, content, styles, settings, words):
    with pytest.raises(InputError, match=words):
        run(photo if content else None, [painting] if styles else [], **settings)
