"""What lies around every engine: colors before and after, regions, light and palette alone."""

import numpy as np
import pytest

from tfstyle.checks import InputError
from tfstyle.images.color import luminance
from tfstyle.look import (
    COLORS,
    Look,
    blended,
    finished,
    painted,
    painted_size,
    photo_given,
    seen_size,
    settled,
    style_given,
)


@pytest.fixture(scope="module")
def halves(photo):
    """Shares of two regions, left and right of a soft border that leaves the last five columns to the photo."""
    height, width = photo.shape[:2]
    left = np.clip(np.linspace(2, -1, width, dtype=np.float32), 0, 1)
    shares = np.stack([left, 1 - left])
    shares[:, -5:] = 0
    return np.repeat(shares[:, None], height, axis=1)


def inverted(picture):
    return (1 - picture).astype(np.float32)


def moments(picture):
    flat = picture.reshape(-1, 3)
    return flat.mean(0), np.cov(flat.T)


def test_by_default_nothing_is_done(photo, painting):
    look = Look()
    assert photo_given(photo, look) is photo and style_given(painting, photo, look) is painting
    assert finished(painting, photo, look) is painting


@pytest.mark.parametrize("color", COLORS[1:])
def test_auto_is_before_for_pictures_and_after_for_codes(color):
    look, code = Look(color=color), np.zeros(100, np.float32)
    assert settled(look, ["a.jpg", np.zeros((20, 20, 3))]).color_when == "before"
    assert settled(look, ["a.jpg", code]).color_when == settled(look, []).color_when == "after"
    explicit = Look(color=color, color_when="after")
    assert settled(explicit, ["a.jpg"]) is explicit
    with pytest.raises(InputError, match="color_when before recolors style pictures, and a code was given"):
        settled(Look(color=color, color_when="before"), [code])


def test_luminance_before_makes_both_gray_and_alike(photo, painting):
    look = Look(color="luminance", color_when="before")
    gray, style = photo_given(photo, look), style_given(painting, photo, look)
    for picture in (gray, style):
        assert (picture == picture[..., :1]).all()
    np.testing.assert_allclose(style.mean(), gray.mean(), atol=0.02)
    np.testing.assert_allclose(style.std(), gray.std(), atol=0.03)


@pytest.mark.parametrize("when", ["before", "after"])
def test_luminance_gives_back_the_hues_of_the_photo(photo, painting, when):
    look = Look(color="luminance", color_when=when)
    found = finished(np.clip(inverted(photo) * 0.4 + 0.3, 0, 1).astype(np.float32), photo, look)
    assert np.corrcoef(luminance(found).ravel(), luminance(photo).ravel())[0, 1] < -0.9  # the painter's light
    warm = found[..., 0] - found[..., 2], photo[..., 0] - photo[..., 2]
    assert np.corrcoef(*(one.ravel() for one in warm))[0, 1] > 0.9  # the photo's hues


@pytest.mark.parametrize("color", ["match", "histogram"])
def test_before_recolors_the_style_and_leaves_the_result(photo, painting, color):
    look = Look(color=color, color_when="before")
    style = style_given(painting, photo, look)
    np.testing.assert_allclose(moments(style)[0], moments(photo)[0], atol=0.03)
    assert photo_given(photo, look) is photo and finished(painting, photo, look) is painting


@pytest.mark.parametrize("color", ["match", "histogram"])
def test_after_recolors_the_result_and_leaves_the_style(photo, painting, color):
    look = Look(color=color, color_when="after")
    assert style_given(painting, photo, look) is painting
    result = inverted(photo)
    np.testing.assert_allclose(moments(finished(result, photo, look))[0], moments(photo)[0], atol=0.03)


def test_colors_are_measured_within_each_mask(photo, painting, halves):
    """A style that goes to the left half takes the left half's colors."""
    look = Look(color="match", color_when="before")
    left = style_given(painting, photo, look, halves[0])
    expected = np.average(photo.reshape(-1, 3), axis=0, weights=halves[0].ravel())
    np.testing.assert_allclose(moments(left)[0], expected, atol=0.03)


def test_after_colors_each_region_on_its_own(photo, halves):
    hard = np.stack([np.zeros(photo.shape[:2], np.float32)] * 2)
    hard[0, :, :30], hard[1, :, 30:] = 1, 1
    found = finished(inverted(photo), photo, Look(color="match", color_when="after"), hard)
    for columns in (np.s_[:, :30], np.s_[:, 30:]):
        np.testing.assert_allclose(found[columns].mean((0, 1)), photo[columns].mean((0, 1)), atol=0.05)


def test_regions_are_blended_by_their_shares(photo, halves):
    layers = [np.full_like(photo, 0.2), np.full_like(photo, 0.8)]
    found = blended(layers, halves)
    expected = 0.2 * halves[0] + 0.8 * halves[1]
    np.testing.assert_allclose(found[:, :-5], np.repeat(expected[:, :-5, None], 3, -1), atol=1e-6)


def test_where_no_mask_lies_the_photo_stays_bit_for_bit(photo, halves):
    found = finished(blended([inverted(photo), photo * 0], halves), photo, Look(), halves)
    assert (found[:, -5:] == photo[:, -5:]).all() and (found[:, :5] == inverted(photo)[:, :5]).all()


def test_a_half_covered_pixel_is_half_the_photo(photo):
    shares = np.full((1, *photo.shape[:2]), 0.25, np.float32)
    layer = np.zeros_like(photo)
    np.testing.assert_allclose(finished(blended([layer], shares), photo, Look(), shares), 0.75 * photo, atol=1e-6)


def test_the_engine_gets_the_photo_once_and_its_layers_are_put_together(photo, halves):
    given = []

    def paint(picture):
        given.append(picture)
        return [inverted(picture), picture]

    found = painted(photo, Look(), halves, paint)
    assert len(given) == 1 and given[0] is photo
    assert (found == finished(blended([inverted(photo), photo], halves), photo, Look(), halves)).all()


def test_light_and_palette_are_painted_small(photo, halves):
    large = np.repeat(np.repeat(photo, 12, axis=0), 12, axis=1)
    shares = np.repeat(np.repeat(halves, 12, axis=1), 12, axis=2)
    sizes = []

    def paint(picture):
        sizes.append(picture.shape)
        return [picture * 0.5, picture * 0.5]

    look = Look(photoreal=True)
    found = painted(large, look, shares, paint)
    assert sizes == [(378, 512, 3)] and found.shape == large.shape
    assert painted_size(look, 100) == 100 and painted_size(Look(), 1000) == 1000
    assert abs(found[:, 100:400].mean() - 0.5 * large[:, 100:400].mean()) < 0.02
    assert (found[:, -24:] == large[:, -24:]).all()


def test_how_large_a_style_is_looked_at():
    assert seen_size(Look(), 500) == 500
    assert seen_size(Look(style_scale=0.5), 500) == 250
    assert seen_size(Look(style_scale=0.05), 100) == 16
    assert seen_size(Look(style_size=77), 500) == 77
    assert seen_size(Look(), 4000, most=2048) == 2048 and seen_size(Look(style_size=3000), 4000, most=2048) == 3000


@pytest.mark.parametrize("wrong, sentence", [
    ({"color": "lumnance"}, "did you mean 'luminance'"),
    ({"strength": 2}, "strength must be a number from 0 to 1"),
    ({"style_size": 300, "style_scale": 2.0}, "give one of them"),
    ({"photoreal": 1}, "photoreal must be True or False"),
    ({"tiled": True}, "tiled must be one of"),
])
def test_values_that_do_not_work_are_explained(wrong, sentence):
    with pytest.raises(InputError, match=sentence):
        Look(**wrong)
