import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfstyle.checks import InputError
from tfstyle.gatys import GatysSettings
from tfstyle.gatys.pyramid import COARSEST, plan, scaled


@pytest.mark.parametrize(
    ("height", "width", "wanted"),
    [
        (384, 512, [(192, 256, 9), (384, 512, 5)]),
        (512, 383, [(256, 192, 9), (512, 383, 5)]),
        (768, 1024, [(192, 256, 9), (384, 512, 5), (768, 1024, 5)]),
        (384, 384, [(192, 192, 9), (384, 384, 5)]),
        (383, 383, [(383, 383, 9)]),
        (45, 61, [(45, 61, 9)]),
        (20, 1000, [(20, 1000, 9)]),  # half of it would be 10 px high
    ],
)
def test_default_scales(height, width, wanted):
    assert plan(height, width, GatysSettings(steps=(9, 5))) == wanted


def test_scales_and_steps_as_asked():
    found = plan(64, 96, GatysSettings(scales=3, steps=(9, 5)))
    assert found == [(16, 24, 9), (32, 48, 5), (64, 96, 5)]
    assert plan(512, 512, GatysSettings(scales=1, steps=(9, 5, 2))) == [(512, 512, 9)]


@pytest.mark.parametrize("count", [4, 12])
def test_more_scales_than_the_picture_has(count):
    with pytest.raises(
        InputError, match=f"{count} scales would shrink this 96x64 px picture under 16 px; use fewer"
    ):
        plan(64, 96, GatysSettings(scales=count))


@settings(deadline=None, max_examples=60, database=None)
@given(height=st.integers(16, 3000), width=st.integers(16, 3000))
def test_default_scales_of_any_picture(height, width):
    scales = plan(height, width, GatysSettings(steps=(9, 5, 3)))
    assert scales[-1][:2] == (height, width)
    assert [steps for *_, steps in scales] == [9, 5, 3, 3, 3][: len(scales)]
    for (h, w, _), (h2, w2, _) in zip(scales, scales[1:], strict=False):
        assert min(h, w) >= 16 and abs(2 * max(h, w) - max(h2, w2)) <= 2
        assert abs(h / w - height / width) <= (height / width) * (1 / h + 1 / w)
    if len(scales) > 1:
        assert max(scales[0][:2]) >= COARSEST


def test_scaled():
    picture = np.random.default_rng(0).random((60, 40, 3), np.float32)
    assert scaled(picture, 1) is picture
    half = scaled(picture, 0.5)
    assert half.shape == (30, 20, 3) and half.dtype == np.float32
    assert scaled(picture, 0.3).shape == (18, 16, 3)  # never under 16 px
    np.testing.assert_allclose(half.mean(), picture.mean(), atol=0.01)
