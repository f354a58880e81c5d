"""What lies around the served networks: color, regions, light and palette alone."""

import numpy as np
import pytest

from tfstyle import images
from tfstyle.checks import InputError
from tfstyle.look import Look, finished, photo_given, style_given


@pytest.fixture(scope="module")
def photo(photo):
    return images.to_uint8(photo)


def seen(picture, size):
    return images.read(picture, size=size).rgb


@pytest.mark.parametrize("color", ["luminance", "match", "histogram"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_colors_are_changed_here(client, engine, tiny, photo, painting, color, when):
    look = Look(color=color, color_when=when)
    whole, style = images.read(photo).rgb, seen(painting, 48)
    style = images.to_uint8(style_given(style, whole, look)) / np.float32(255)
    given = images.to_uint8(photo_given(whole, look)) / np.float32(255)
    expected = finished(tiny.painted(given, tiny.code(style)), whole, look)
    image = client.stylize(photo, painting, size=None, color=color, color_when=when, style_size=48)
    assert np.abs(np.asarray(image) / 255 - expected).mean() < 2 / 255
    assert engine.asked == ["stylize"]


def test_regions_are_put_together_here(client, engine, photo, painting):
    mask = np.zeros(photo.shape[:2], np.float32)
    mask[:, :20] = 1
    codes = [client.style_code(painting, side) for side in (24, 48)]
    alone = [np.asarray(client.stylize(photo, code, size=None)) for code in codes]
    both = np.asarray(client.stylize(photo, codes, masks=mask, size=None))
    one = np.asarray(client.stylize(photo, codes[:1], masks=[mask], size=None))
    np.testing.assert_array_equal(both, np.where(mask[..., None] > 0, *alone))
    np.testing.assert_array_equal(one, np.where(mask[..., None] > 0, alone[0], photo))


def test_masks_and_light_by_files_too(client, engine, photo, painting):
    mask = np.zeros(photo.shape[:2], np.float32)
    mask[:, :20] = 1
    plain = np.asarray(client.optimize(photo, painting, size=None))
    within = np.asarray(client.optimize(photo, painting, masks=mask, size=None))
    np.testing.assert_array_equal(within, np.where(mask[..., None] > 0, plain, photo))
    relit = np.asarray(client.stylize(photo, painting, photoreal=True, size=None))
    assert engine.asked == ["optimize_bytes"] * 2 + ["stylize_bytes"]
    assert np.abs(relit.astype(float) - photo).mean() > 3  # the palette has moved


def test_a_code_cannot_be_recolored(client, photo, painting):
    code = client.style_code(painting, 40)
    with pytest.raises(InputError, match="color_when before recolors style pictures"):
        client.stylize(photo, code, color="match", color_when="before")
    assert client.stylize(photo, code, color="match", size=None).size == (61, 45)
