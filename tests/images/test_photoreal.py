"""Light and palette moved, and nothing else."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tfstyle.checks import InputError
from tfstyle.images import resize
from tfstyle.images.photoreal import relit

PICTURES = hnp.arrays(np.float32, (24, 20, 3), elements=st.floats(0, 1, width=32))


@pytest.fixture(scope="module")
def scene():
    """A dark wall with a straight, lit window, and a sky: (80, 100, 3)."""
    y, x = np.mgrid[0:80, 0:100]
    sky = np.stack([0.4 + 0.003 * x, 0.5 + 0.002 * y, 0.8 - 0.002 * x], axis=-1)
    wall = np.broadcast_to([0.25, 0.2, 0.15], sky.shape) + 0.0005 * x[..., None]
    window = (y > 50) & (y < 70) & (x > 30) & (x < 60)
    return np.where(window[..., None], 0.9, np.where((y > 40)[..., None], wall, sky)).astype(np.float32)


def test_a_picture_painted_as_itself_is_itself(scene):
    np.testing.assert_allclose(relit(scene, scene), scene, atol=0.03)


def test_an_affine_change_of_colors_is_taken_over(scene):
    turned = (scene[..., ::-1] * [0.5, 0.8, 0.6] + 0.1).astype(np.float32)
    np.testing.assert_allclose(relit(scene, turned), turned, atol=0.03)


def test_strokes_and_grain_are_left_behind(scene):
    """Of what is painted over the photo, the hue arrives and the pattern does not."""
    y, x = np.mgrid[0:80, 0:100]
    strokes = 0.2 * np.sin(1.7 * x + 2.3 * y)[..., None]
    noise = 0.1 * np.random.default_rng(0).standard_normal(scene.shape)
    warm = scene * [1.0, 0.7, 0.4]
    found = relit(scene, np.clip(warm + strokes + noise, 0, 1).astype(np.float32))
    assert np.abs(found.mean((0, 1)) - warm.mean((0, 1))).max() < 0.03
    plain = np.s_[5:35, 5:95]  # the sky, where the photo itself is smooth
    assert np.abs(np.diff(found[plain], axis=1)).max() < 4 * np.abs(np.diff(scene[plain], axis=1)).max() + 0.005


def test_straight_edges_stay_where_they_are(scene):
    """The border of the window is as sharp as in the photo, though it was painted two pixels beside its place."""
    found = relit(scene, np.roll(scene, 2, axis=1)).mean(-1)
    steps = np.abs(np.diff(found[60]))
    assert sorted(np.argsort(steps)[-2:]) == sorted(np.argsort(np.abs(np.diff(scene[60].mean(-1))))[-2:])


def test_a_small_painting_serves_a_large_photo(scene):
    painted = (scene * [0.6, 0.8, 1.0]).astype(np.float32)
    large = resize(scene, (400, 500))
    found = relit(large, resize(painted, (40, 50)))
    assert found.shape == large.shape and found.dtype == np.float32
    assert np.abs(found - resize(painted, (400, 500))).mean() < 0.02


@settings(max_examples=25, deadline=None)
@given(PICTURES, PICTURES)
def test_any_two_pictures_give_a_third(photo, painted):
    found = relit(photo, painted)
    assert found.dtype == np.float32 and np.isfinite(found).all() and 0 <= found.min() and found.max() <= 1


def test_a_flat_photo_stays_smooth():
    photo = np.full((20, 30, 3), 0.4, np.float32)
    painted = np.random.default_rng(0).random((20, 30, 3)).astype(np.float32)
    found = relit(photo, painted)
    steps = max(np.abs(np.diff(found, axis=axis)).max() for axis in (0, 1))
    assert steps < 0.08 < np.abs(np.diff(painted, axis=0)).mean()


@pytest.mark.parametrize("wrong", [np.zeros((4, 4, 3)), np.zeros((4, 4), np.float32), np.zeros((4, 4, 3), np.uint8)])
def test_other_arrays_are_refused(scene, wrong):
    with pytest.raises(InputError, match="must be float32 of shape"):
        relit(scene, wrong)
    with pytest.raises(InputError, match="the photo must be"):
        relit(wrong, scene)
