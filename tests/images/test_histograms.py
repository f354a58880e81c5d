"""Histogram matching: exact by shares, monotone, the same for ties."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tfstyle.images import color
from tfstyle.images.color import match_histograms


def noise(*shape, seed=0, levels=None):
    random = np.random.default_rng(seed)
    if levels is None:
        return random.random((*shape, 3), np.float32)
    return np.float32(random.integers(0, levels, (*shape, 3)) / np.float32(255))


def by_hand(values, target):
    """One channel, value by value: the middle of its ranks, as a share, in the ordered target."""
    ordered, wanted = np.sort(values, axis=None), np.sort(target, axis=None)
    found = np.empty_like(values)
    for place, value in np.ndenumerate(values):
        ranks = np.flatnonzero(ordered == value)
        twice_middle = int(ranks[0] + ranks[-1] + 1)
        found[place] = wanted[twice_middle * wanted.size // (2 * ordered.size)]
    return found


@settings(deadline=None, max_examples=60, database=None)
@given(
    st.integers(1, 9), st.integers(1, 9), st.integers(1, 9), st.integers(1, 9), st.sampled_from([1, 2, 5, 256, None]),
    st.sampled_from([1, 2, 5, 256, None]), st.integers(0, 99),
)
def test_every_value_becomes_the_one_at_its_share(height, width, rows, columns, levels, others, seed):
    picture = noise(height, width, seed=seed, levels=levels)
    reference = noise(rows, columns, seed=seed + 1, levels=others)
    found = match_histograms(picture, reference)
    for channel in range(3):
        np.testing.assert_array_equal(found[..., channel], by_hand(picture[..., channel], reference[..., channel]))


def test_distinct_values_take_the_histogram_exactly():
    picture, reference = noise(20, 24), noise(10, 12, levels=40)
    found = match_histograms(picture, reference)
    assert found.shape == picture.shape and found.dtype == np.float32
    for channel in range(3):
        four_times = np.sort(np.repeat(reference[..., channel], 4))
        np.testing.assert_array_equal(np.sort(found[..., channel], axis=None), four_times)


def test_a_picture_matched_to_itself_is_itself(photo, painting):
    for picture in (photo, painting):
        np.testing.assert_array_equal(match_histograms(picture, picture), picture)


def test_a_rising_curve_of_the_reference_is_undone():
    reference = noise(16, 16)
    enlarged = reference.repeat(4, axis=0).repeat(4, axis=1)
    found = match_histograms(np.float32(0.2) + np.float32(0.5) * enlarged**2, reference)
    np.testing.assert_array_equal(found, enlarged)


def test_only_what_counts_makes_the_curves():
    picture, reference, random = noise(20, 24), noise(10, 12, seed=5, levels=40), np.random.default_rng(6)
    counted, others = random.random((20, 24)) < 0.4, random.random((10, 12)) < 0.6
    found = match_histograms(picture, reference, counted, others)
    wanted = match_histograms(picture[counted][None], reference[others][None])[0]
    np.testing.assert_array_equal(found[counted], wanted)
    for channel in range(3):
        order = np.argsort(picture[..., channel], axis=None)
        assert (np.diff(found[..., channel].ravel()[order]) >= 0).all(), "one curve for the others, too"
    assert (found != match_histograms(picture, reference)).any()
    found = match_histograms(picture, reference, np.ones((20, 24), bool), np.ones((10, 12), bool))
    np.testing.assert_array_equal(found, match_histograms(picture, reference))


def test_of_soft_weights_those_above_half_the_heaviest_count():
    picture, reference, random = noise(20, 24), noise(10, 12, seed=5, levels=40), np.random.default_rng(6)
    soft, others = random.random((20, 24)), np.float32(0.3) * random.random((10, 12), np.float32)
    hard = match_histograms(picture, reference, soft > soft.max() / 2, others > others.max() / 2)
    np.testing.assert_array_equal(match_histograms(picture, reference, soft, others), hard)


def test_order_and_ties_are_kept():
    picture, reference = noise(30, 30, levels=20), noise(17, 13, levels=200)
    found = match_histograms(picture, reference)
    for channel in range(3):
        values, places = np.unique(picture[..., channel], return_index=True)
        mapped = found[..., channel].ravel()[places]
        assert (np.diff(mapped) >= 0).all() and len(set(mapped)) > 10
        np.testing.assert_array_equal(found[..., channel], mapped[np.searchsorted(values, picture[..., channel])])


def test_constant_pictures():
    gray, reference = np.full((5, 7, 3), 0.25, np.float32), noise(9, 9)
    middle = np.sort(reference.reshape(-1, 3), axis=0)[40]
    np.testing.assert_array_equal(match_histograms(gray, reference), np.broadcast_to(middle, gray.shape))
    np.testing.assert_array_equal(match_histograms(reference, gray), np.full_like(reference, 0.25))
    np.testing.assert_array_equal(match_histograms(gray, gray), gray)


def test_the_white_of_a_page_stays_white():
    """Grain on nine parts of white is not drawn out to the tenth that is black."""
    page = np.ones((20, 20, 3), np.float32)
    page[:2] = 0
    grain = (0.05 + 0.9 * page - np.float32(0.04) * noise(20, 20)).astype(np.float32).clip(0, 1)
    np.testing.assert_array_equal(match_histograms(grain, page), page)


def test_pictures_are_looked_up_by_rows(monkeypatch):
    picture, reference = noise(23, 11), noise(5, 5)
    wanted = match_histograms(picture, reference)
    monkeypatch.setattr(color, "_AT_ONCE", 40)
    np.testing.assert_array_equal(match_histograms(picture, reference), wanted)
