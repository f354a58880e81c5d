"""Paintings cropped and recolored anew at every step."""

import colorsys

import numpy as np
import pytest

from tfstyle.train import crops
from tfstyle.train.crops import StyleCrops, augmented
from tfstyle.train.data import PictureSet, centered_square


class Drawn:
    """Stands in for a generator: the middle of every range, but for what a test sets."""

    def __init__(self, place=0.5, colors=(0, 0, 0, 0), flips=(0.9, 0.9), scaled=None):
        self._place, self._colors, self._flips, self._scaled = place, colors, flips, scaled

    def integers(self, low, high):
        assert self._scaled is None or low <= self._scaled < high
        return low if self._scaled is None else self._scaled

    def uniform(self, low, high, count=None):
        return low + self._place * (high - low) if count is None else np.array(self._colors, float)

    def random(self, count):
        return np.array(self._flips)


@pytest.fixture
def painting(picture):
    return picture(5, 90, 60)


def test_all_in_the_middle_is_the_middle_square(painting):
    found = augmented(painting, 60, Drawn())
    assert found.dtype == np.uint8
    wanted = painting[:, 15:75].astype(int)
    assert np.abs(found - wanted).max() <= 6 and np.abs(found - wanted).mean() < 2  # HSV in bytes rounds


def test_mirrored_and_upside_down(painting):
    plain = augmented(painting, 32, Drawn())
    np.testing.assert_array_equal(augmented(painting, 32, Drawn(flips=(0.1, 0.9))), plain[:, ::-1])
    np.testing.assert_array_equal(augmented(painting, 32, Drawn(flips=(0.9, 0.1))), plain[::-1])


def test_where_a_square_is_cut_from(painting):
    quarter = augmented(painting, 30, Drawn(place=0.0, scaled=60)).astype(int)  # the size it has, at the top left
    assert np.abs(quarter - painting[:30, :30]).max() <= 6
    quarter = augmented(painting, 30, Drawn(place=1.0, scaled=60)).astype(int)
    assert np.abs(quarter - painting[30:, 60:]).max() <= 6
    with pytest.raises(AssertionError):
        augmented(painting, 30, Drawn(scaled=61))  # nothing is enlarged
    small = painting[:20, :24]
    assert augmented(small, 56, Drawn(scaled=64)).shape == (56, 56, 3)  # but by a seventh
    with pytest.raises(AssertionError):
        augmented(small, 56, Drawn(scaled=65))


def one_color(rgb, colors, amount=1.0):
    found = augmented(np.full((20, 20, 3), rgb, np.uint8), 16, Drawn(colors=colors), amount)
    assert np.ptp(found, axis=(0, 1)).max() == 0
    return found[0, 0].tolist()


def test_colors_by_hand():
    assert one_color((100, 100, 100), (0.25, 0, 0, 0)) == [151, 151, 151]  # 100 + 255 * 0.8 / 4
    assert one_color((100, 100, 100), (-1, 0, 0, 0)) == [0, 0, 0]
    assert one_color((100, 100, 100), (0.25, 0, 0, 0), amount=0.5) == [126, 126, 126]  # 100 + 25.5, to even
    red = one_color((200, 100, 100), (0, 0, 1, 0))  # saturation 0.5 to 0.75, at the same value
    np.testing.assert_allclose(red, [200, 50, 50], atol=2)
    np.testing.assert_allclose(one_color((200, 100, 100), (0, 0, -1, 0)), [200, 150, 150], atol=2)
    turned = np.array(colorsys.hsv_to_rgb(0.2, 0.5, 200 / 255)) * 255
    np.testing.assert_allclose(one_color((200, 100, 100), (0, 0, 0, 1)), turned, atol=3)
    turned = np.array(colorsys.hsv_to_rgb(0.8, 0.5, 200 / 255)) * 255
    np.testing.assert_allclose(one_color((200, 100, 100), (0, 0, 0, -1)), turned, atol=3)


def test_contrast_is_about_the_mean(painting):
    gray = np.repeat(painting.mean(axis=2).astype(np.uint8)[..., None], 3, axis=2)
    plain, flat = (augmented(gray, 60, Drawn(colors=(0, contrast, 0, 0))).astype(float) for contrast in (0, -1))
    np.testing.assert_allclose(flat - plain.mean(), (plain - plain.mean()) / 2, atol=1.5)


def test_crops_repeat_by_seed_and_step(folders):
    paintings = PictureSet(folders[1])
    first = StyleCrops(paintings, 32).batch(3, 4, seed=1)["style"]
    assert first.shape == (4, 32, 32, 3) and first.dtype == np.uint8
    other = StyleCrops(paintings, 32)
    other.batch(2, 4, seed=1)
    np.testing.assert_array_equal(other.batch(3, 4, seed=1)["style"], first)
    for step, seed in ((4, 1), (3, 2)):
        assert (other.batch(step, 4, seed)["style"] != first).any()


def test_no_amount_is_the_square_that_a_bank_measures(folders):
    paintings = PictureSet(folders[1])
    found = StyleCrops(paintings, 32, amount=0.0).batch(0, 4, seed=1)["style"]
    wanted = [centered_square(paintings[i], 32, 32) for i in range(4)]
    for square in found:  # each painting once, in some order
        matches = [i for i, one in enumerate(wanted) if (one == square).all()]
        assert len(matches) == 1
        wanted.pop(matches[0])
    assert wanted == []


def test_the_ranges_are_drawn_from_whole(painting, monkeypatch):
    """Over many draws every range is met near both of its ends."""
    seen = []

    class Spy:
        def __init__(self, seed):
            self._rng = np.random.default_rng(seed)

        def __getattr__(self, name):
            def draw(*args):
                value = getattr(self._rng, name)(*args)
                seen.append((name, args[:2], value))
                return value

            return draw

    for seed in range(200):
        augmented(painting, 32, Spy(seed))
    colors = np.stack([value for name, args, value in seen if name == "uniform" and args == (-1, 1)])
    assert colors.shape == (200, 4) and (colors.min(axis=0) < -0.9).all() and (colors.max(axis=0) > 0.9).all()
    scaled = [value for name, _, value in seen if name == "integers"]
    assert min(scaled) == 32 and max(scaled) == 60
    assert crops.BRIGHTNESS == 0.8 and crops.HUE == 0.2
