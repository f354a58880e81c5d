"""Colors under transparency: what is seen stays, what is hidden continues it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tfstyle.images import read, to_uint8
from tfstyle.images import alpha as module
from tfstyle.images.alpha import filled

quick = settings(deadline=None, max_examples=60, database=None)


def noise(height, width, dtype, seed=0):
    picture = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    return picture if dtype == np.uint8 else picture / np.float32(255)


def opacity(height, width, dtype, seed=0):
    """A third transparent, a third barely visible, a third opaque, and one pixel that is."""
    random = np.random.default_rng(seed + 100)
    bytes_ = np.choose(random.integers(0, 3, (height, width)), [0, random.integers(1, 9, (height, width)), 255])
    bytes_[random.integers(height), random.integers(width)] = 255
    return np.uint8(bytes_) if dtype == np.uint8 else np.float32(bytes_ / 255)


kinds = st.sampled_from([np.uint8, np.float32])


@quick
@given(st.integers(1, 40), st.integers(1, 40), kinds, kinds, st.integers(0, 99))
def test_what_is_seen_stays_bit_for_bit(height, width, dtype, alpha_dtype, seed):
    rgb, alpha = noise(height, width, dtype, seed), opacity(height, width, alpha_dtype, seed)
    before = rgb.copy()
    found = filled(rgb, alpha)
    assert found.shape == rgb.shape and found.dtype == dtype
    seen = alpha >= (8 if alpha_dtype == np.uint8 else np.float32(8 / 255))
    np.testing.assert_array_equal(found[seen], rgb[seen])
    assert np.isfinite(found).all() and found.min() >= 0 and found.max() <= (255 if dtype == np.uint8 else 1)
    np.testing.assert_array_equal(rgb, before)


@quick
@given(st.integers(1, 40), st.integers(1, 40), kinds, st.integers(0, 99))
def test_hidden_colors_are_of_no_matter(height, width, dtype, seed):
    rgb, alpha = noise(height, width, dtype, seed), opacity(height, width, dtype, seed)
    other = np.where(alpha[..., None] == 0, noise(height, width, dtype, seed + 1), rgb)
    np.testing.assert_array_equal(filled(other, alpha), filled(rgb, alpha))


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (13, 1), (31, 50), (64, 64)])
def test_one_color_is_continued_everywhere(shape, dtype):
    color = noise(1, 1, dtype)[0, 0]
    for alpha in (np.zeros(shape, np.uint8), opacity(*shape, np.uint8) & 254):
        alpha[shape[0] // 2, shape[1] // 3] = 60
        rgb = np.where(alpha[..., None] >= 8, color, noise(*shape, dtype, 5))
        rgb = np.where(alpha[..., None] > 0, color, rgb)
        np.testing.assert_allclose(filled(rgb, alpha), np.broadcast_to(color, rgb.shape), atol=1e-6)


def test_the_nearest_colors_are_continued():
    rgb, alpha = np.zeros((32, 64, 3), np.float32), np.zeros((32, 64), np.float32)
    rgb[:, :8], alpha[:, :8] = (1, 0.2, 0), 1
    rgb[:, -8:], alpha[:, -8:] = (0, 0.2, 1), 1
    found = filled(rgb, alpha)
    assert (found[:, 9, 0] > 0.9).all() and (found[:, -10, 2] > 0.9).all()
    np.testing.assert_allclose(found[..., 1], 0.2, atol=1e-6)
    red = found[16, :, 0]
    assert (np.diff(red) <= 1e-6).all(), "smoothly from one to the other"
    assert np.abs(np.diff(red)).max() < 0.15


def test_a_ramp_is_continued_into_a_hole_smoothly():
    ramp = np.broadcast_to(np.linspace(0.2, 0.8, 48, dtype=np.float32)[:, None, None], (48, 48, 3))
    alpha = np.ones((48, 48), np.float32)
    alpha[20:28, 20:28] = 0
    np.testing.assert_allclose(filled(np.where(alpha[..., None] > 0, ramp, 0), alpha), ramp, atol=0.05)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_the_less_is_seen_of_a_color_the_more_it_leans(dtype):
    """A red pixel in the middle of opaque gray."""
    full = 255 if dtype == np.uint8 else np.float32(1)
    rgb = np.full((16, 16, 3), 128, np.uint8) if dtype == np.uint8 else np.full((16, 16, 3), 0.5, np.float32)
    rgb[7, 7] = (full, 0, 0)
    found = []
    for level in (0, 1, 3, 5, 7, 8, 255):
        alpha = np.full((16, 16), full, dtype)
        alpha[7, 7] = level if dtype == np.uint8 else level / 255
        found.append((filled(rgb, alpha)[7, 7] / full).tolist())
    reds = [red for red, _, _ in found]
    assert reds[0] == pytest.approx(0.5, abs=0.003) and reds[-2:] == [1, 1]
    assert (np.diff(reds[:-1]) > 0.03).all()


def test_where_nothing_is_seen_or_hidden_the_picture_itself_is_given():
    rgb = noise(9, 12, np.uint8)
    for alpha in (0, 8, 255):
        assert filled(rgb, np.full((9, 12), alpha, np.uint8)) is rgb
    assert filled(rgb, np.full((9, 12), 1e-9, np.float32)) is rgb


def test_a_faint_picture_keeps_its_drawing():
    """Of a watermark of 5 parts in 255, all colors are faint."""
    rgb = np.zeros((32, 32, 3), np.uint8)
    rgb[:, 16:] = 255
    found = filled(rgb, np.full((32, 32), 5, np.uint8))
    assert found[:, :12].max() < 40 and found[:, 20:].min() > 215


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_pictures_are_filled_by_rows(monkeypatch, dtype):
    rgb, alpha = noise(37, 21, dtype), opacity(37, 21, dtype)
    wanted = filled(rgb, alpha)
    for at_once in (1, 100, 210):
        monkeypatch.setattr(module, "_AT_ONCE", at_once)
        np.testing.assert_array_equal(filled(rgb, alpha), wanted)


def test_filled_once_is_filled():
    alpha = np.where(opacity(30, 30, np.uint8) >= 8, 255, 0).astype(np.uint8)
    once = filled(noise(30, 30, np.uint8), alpha)
    np.testing.assert_array_equal(filled(once, alpha), once)


# As pictures are read


def cut_out():
    """White hair, a third of a pixel wide and more, on transparent black: straight RGBA bytes."""
    y, x = np.mgrid[0:120, 0:160]
    strands = 3 - np.abs((x + 25 * np.sin(y / 19)) % 16 - 8)
    alpha = np.uint8(255 * strands.clip(0, 1) * (y < 100))
    return np.dstack([*[np.uint8(255) * (alpha > 0)] * 3, alpha])


@pytest.mark.parametrize("size", [40, 61, 160, 300])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_a_cut_out_has_no_dark_fringe_at_any_size(size, dtype):
    rgba = cut_out()
    source = rgba if dtype == np.uint8 else rgba / np.float32(255)
    picture = read(source, size=size)
    over_white = picture.rgb * picture.alpha[..., None] + 1 - picture.alpha[..., None]
    exact = rgba / np.float64(255)
    planes = [exact[..., 3], *np.moveaxis(exact[..., :3] * exact[..., 3:], -1, 0)]
    side = picture.alpha.shape[::-1]
    alpha, *colors = (np.asarray(Image.fromarray(np.float32(p)).resize(side, Image.Resampling.LANCZOS)) for p in planes)
    right = (np.stack(colors, axis=-1) + 1 - alpha[..., None]).clip(0, 1)
    np.testing.assert_allclose(over_white, right, atol=2 / 255)
    assert picture.rgb.min() > 0.98, "no black is left beside or behind the hair"


def test_hidden_colors_are_continued_in_every_kind_of_source(tmp_path):
    rgba = cut_out()
    Image.fromarray(rgba).save(tmp_path / "hair.png")
    for source in (tmp_path / "hair.png", Image.fromarray(rgba), np.uint16(257) * rgba):
        picture = read(source)
        np.testing.assert_allclose(picture.rgb, 1, atol=1e-6)
        np.testing.assert_array_equal(to_uint8(picture.alpha), rgba[..., 3])


def test_a_picture_that_has_been_read_is_read_as_it_is():
    rng = np.random.default_rng(3)
    once = read(rng.integers(0, 256, (24, 20, 4), dtype=np.uint8))
    again = read(once)
    np.testing.assert_array_equal(again.rgb, once.rgb)
    np.testing.assert_array_equal(again.alpha, once.alpha)
