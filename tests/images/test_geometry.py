"""Shapes and resampling: exact against Pillow, and refusals in one sentence."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from tfstyle.checks import InputError
from tfstyle.images import LEAST_SIDE, fit, fitted_shape, resize
from tfstyle.images.geometry import check_shape

quick = settings(deadline=None, max_examples=60, database=None)
sides = st.integers(LEAST_SIDE, 4000)


def noise(*shape, dtype=np.uint8):
    values = np.random.default_rng(sum(shape)).integers(0, 256, shape, dtype=np.uint8)
    return values if dtype == np.uint8 else (values / np.float32(255)).astype(dtype)


def pillow_by_channel(array, size):
    planes = [Image.fromarray(plane) for plane in array.transpose(2, 0, 1)]
    return np.stack([np.asarray(p.resize(size, Image.Resampling.LANCZOS)) for p in planes], axis=-1)


@pytest.mark.parametrize(
    ("height", "width", "size", "shape"),
    [
        (300, 400, 512, (384, 512)),
        (400, 300, 200, (200, 150)),
        (451, 300, 512, (512, 341)),
        (64, 64, 100, (100, 100)),
        (1, 1000, 100, (1, 100)),  # never 0
    ],
)
def test_fitted_shape(height, width, size, shape):
    assert fitted_shape(height, width, size) == shape


@quick
@given(sides, sides, sides)
def test_fitted_shape_keeps_the_ratio_to_within_a_pixel(height, width, size):
    h, w = fitted_shape(height, width, size)
    assert max(h, w) == size
    assert abs(h - height * size / max(height, width)) <= 0.5 or h == 1
    assert abs(w - width * size / max(height, width)) <= 0.5 or w == 1
    assert fitted_shape(width, height, size) == (w, h)
    assert fitted_shape(height, width, max(height, width)) == (height, width)


@quick
@given(st.integers(16, 60), st.integers(16, 60), st.integers(1, 80), st.integers(1, 80), st.integers(0, 9))
def test_resize_of_bytes_equals_pillow(height, width, new_height, new_width, seed):
    array = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    expected = Image.fromarray(array).resize((new_width, new_height), Image.Resampling.LANCZOS)
    resized = resize(array, (new_height, new_width))
    assert resized.dtype == np.uint8
    np.testing.assert_array_equal(resized, np.asarray(expected))


@pytest.mark.parametrize("channels", [None, 1, 3, 4, 7])
def test_resize_of_floats_equals_pillow_channel_by_channel(channels):
    array = noise(20, 30, channels or 1, dtype=np.float32)
    expected = pillow_by_channel(array, (45, 17))
    assert expected.min() < 0 and expected.max() > 1  # the overshoot that must be clipped
    resized = resize(array if channels else array[..., 0], (17, 45))
    assert resized.dtype == np.float32
    np.testing.assert_array_equal(resized, expected.clip(0, 1) if channels else expected.clip(0, 1)[..., 0])


@pytest.mark.parametrize("channels", [None, 1, 2, 4])
def test_resize_of_bytes_treats_channels_alike(channels):
    array = noise(20, 30, channels or 1)
    expected = pillow_by_channel(array, (45, 17))
    resized = resize(array if channels else array[..., 0], (17, 45))
    np.testing.assert_array_equal(resized, expected if channels else expected[..., 0])


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("shape", [(20, 30), (10, 15)])
def test_resize_leaves_its_input_alone(dtype, shape):
    array = noise(20, 60, 3, dtype=dtype)[:, ::2]  # not contiguous
    array.flags.writeable = False
    before = array.copy()
    resized = resize(array, shape)
    assert resized.shape == (*shape, 3) and resized.flags.writeable
    assert not np.shares_memory(resized, array)
    np.testing.assert_array_equal(array, before)


def test_resize_to_the_same_shape_is_exact():
    array = noise(20, 30, 3, dtype=np.float32)
    np.testing.assert_array_equal(resize(array, (20, 30)), array)


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_resize_of_other_floats_gives_float32(dtype):
    assert resize(noise(20, 30, 3, dtype=dtype), (10, 15)).dtype == np.float32


@pytest.mark.parametrize(
    "array", [np.zeros((20, 30, 3), np.int32), np.zeros((20, 30), bool), np.zeros(20), 3]
)
def test_resize_refuses_what_is_no_picture(array):
    with pytest.raises(InputError, match="only .* can be resized; received"):
        resize(array, (10, 15))


def test_fit():
    array = noise(30, 40, 3)
    np.testing.assert_array_equal(fit(array, 80), resize(array, (60, 80)))
    np.testing.assert_array_equal(fit(array, None), array)
    assert fit(array, np.int64(24)).shape == (18, 24, 3)


def test_check_shape_returns_the_fitted_shape():
    assert check_shape(30, 40) == (30, 40)
    assert check_shape(30, 40, 80) == (60, 80)
    assert check_shape(16, 16, 16) == (16, 16)
    assert check_shape(31, 62, 32) == (16, 32)


@pytest.mark.parametrize("size", [15, 0, -512, 512.0, 511.5, "512", True, float("nan"), [512]])
def test_a_size_must_be_a_whole_number_of_at_least_16(size):
    with pytest.raises(InputError) as error:
        fit(noise(30, 40, 3), size, name="style picture")
    assert str(error.value) == (
        f"the size of the style picture must be a whole number of at least 16; received {size!r}."
    )


@pytest.mark.parametrize("shape", [(15, 40), (40, 15), (0, 40), (1, 1)])
def test_small_pictures_are_refused_even_if_enlarged(shape):
    with pytest.raises(
        InputError, match=rf"^painting is {shape[1]}x{shape[0]} px .* at least 16 px a side\.$"
    ):
        check_shape(*shape, 512, name="painting")


@quick
@given(sides, sides, st.integers(LEAST_SIDE, 300))
@example(29, 58, 20)
def test_the_size_that_a_refusal_names_is_the_least_that_works(height, width, size):
    try:
        shape = check_shape(height, width, size, name="content picture")
        assert shape == fitted_shape(height, width, size) and min(shape) >= LEAST_SIDE
    except InputError as error:
        assert "its short side would be" in str(error)
        least = int(str(error).removesuffix(".").rsplit(" ", 1)[1])
        assert min(fitted_shape(height, width, least)) == LEAST_SIDE
        assert min(fitted_shape(height, width, least - 1)) < LEAST_SIDE


def test_a_size_beyond_the_pixel_limit_is_refused(monkeypatch):
    with pytest.raises(
        InputError, match=r"^painting would be 100000x75000 px at size 100000, over the limit"
    ):
        check_shape(300, 400, 100_000, name="painting")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    assert check_shape(30, 40) == (30, 40)  # what is there already may stay,
    assert check_shape(30, 40, 38) == (28, 38)  # and become smaller
    with pytest.raises(InputError, match=r"limit of 1000 pixels; use a smaller size\.$"):
        check_shape(30, 40, 44)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    assert check_shape(300, 400, 100_000) == (75_000, 100_000)
