"""One painting's strokes with another's fine grain."""

import numpy as np
import pytest

from tfstyle.gatys import GatysSettings, texture
from tfstyle.images import fit, resize
from tfstyle.images.color import match_covariance
from tfstyle.losses import style_loss, style_statistic
from tfstyle.nets.vgg import vgg


@pytest.fixture(scope="module")
def network():
    return vgg(texture.LAYERS)


@pytest.fixture
def grain():
    """Checks of 2 px."""
    y, x = np.mgrid[0:50, 0:70]
    return np.where(((y // 2 + x // 2) % 2)[..., None], [0.7, 0.6, 0.5], [0.3, 0.3, 0.4]).astype(np.float32)


def test_fine_texture_comes_and_structure_stays(monkeypatch, network, photo, grain):
    monkeypatch.setattr(texture, "STEPS", 15)
    mixed = texture.mixed_style(photo, grain, GatysSettings(precision="float32", size=20, strength=0.0, style_scale=4))
    assert mixed.shape == photo.shape and mixed.dtype == np.float32 and 0 <= mixed.min() <= mixed.max() <= 1
    wanted = network(fit(match_covariance(grain, photo), 61)[None])
    for name in texture.LAYERS:
        before, after = (
            float(style_loss(network(picture[None])[name], style_statistic(wanted[name]))) for picture in (photo, mixed)
        )
        assert after < 0.2 * before
    coarse, was = (resize(picture, (6, 8)) for picture in (mixed, photo))
    assert np.corrcoef(coarse.ravel(), was.ravel())[0, 1] > 0.5
    fine, was = (np.abs(np.diff(picture[2:18, 40:58], axis=1)).mean() for picture in (mixed, photo))  # in the sky
    assert fine > 0.02 and was < 1e-6


def test_sizes(monkeypatch, tiny_vgg, photo, grain):
    monkeypatch.setattr(texture, "STEPS", 1)
    assert texture.mixed_style(photo, grain[:20, :20]).shape == (45, 61, 3)
    monkeypatch.setattr(texture, "MOST", 40)
    assert texture.mixed_style(photo, grain, GatysSettings(content_layers="relu2_1")).shape == (30, 40, 3)


def test_pictures_too_small_are_told_by_name(refusal, photo, grain):
    assert refusal(texture.mixed_style, photo[:9], grain).startswith("style picture is 61x9 px")
    assert refusal(texture.mixed_style, photo, grain[:9]).startswith("texture picture is 70x9 px")
