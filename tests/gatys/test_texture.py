"""One painting's strokes with another's fine grain."""

import numpy as np
import pytest

from tfstyle.api import optimize_pictures
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


def interrupted(record):
    raise KeyboardInterrupt


@pytest.mark.parametrize("stop", [interrupted, lambda record: True], ids=["ctrl-c", "callback"])
def test_a_stop_leaves_no_half_made_style(tiny_vgg, monkeypatch, photo, painting, grain, stop):
    """Nor does the run begin that it was for."""
    monkeypatch.setattr(texture, "STEPS", 5)
    told = []

    def callback(record):
        told.append(record)
        return stop(record) if len(told) == 2 else False

    with pytest.raises(KeyboardInterrupt):
        texture.mixed_style(photo, grain, callback=callback)
    assert {record.step for record in told} == {0} and len(told) < 5 and told[0].image().shape == photo.shape
    told.clear()
    with pytest.raises(KeyboardInterrupt):
        optimize_pictures(photo, painting, texture=grain, size=32, callback=callback)
    assert {record.step for record in told} == {0}


def test_a_checkpoint_belongs_to_the_pictures_that_were_mixed(tiny_vgg, monkeypatch, tmp_path, refusal, photo, painting,
                                                              grain):
    """The mixture may come to other bits when it is made again."""
    mixtures = []

    def mixed_style(style, fine, recipe, callback):
        mixtures.append(np.float32(0.5 * style + 0.25 + 1e-4 * len(mixtures)).clip(0, 1))
        return mixtures[-1]

    monkeypatch.setattr("tfstyle.api.mixed_style", mixed_style)
    call = {"size": 32, "scales": 1, "steps": 4, "precision": "float32", "checkpoint": tmp_path / "run.npz"}
    steps = []

    def callback(record):
        steps.append(record.step)
        return len(steps) == 2

    for name, content in (("photo", photo), ("none", None)):
        call["checkpoint"] = tmp_path / f"{name}.npz"
        steps.clear()
        stopped, _ = optimize_pictures(content, painting, texture=grain, callback=callback, **call)
        assert stopped.interrupted
        result, _ = optimize_pictures(content, painting, texture=grain, callback=callback, **call)
        assert steps == [1, 2, 2, 3, 4, 4] and not result.interrupted
        for other, told in (
            ({"texture": 1 - grain}, "texture picture"), ({}, "texture picture"),
            ({"texture": grain, "style": 1 - painting}, "style picture 1"),
        ):
            pictures = {"content": content, "style": painting} | other
            said = refusal(optimize_pictures, **pictures, **call)
            assert said.startswith(f"{call['checkpoint']} belongs to another run, which differs in {told};")


def test_pictures_too_small_are_told_by_name(refusal, photo, grain):
    assert refusal(texture.mixed_style, photo[:9], grain).startswith("style picture is 61x9 px")
    assert refusal(texture.mixed_style, photo, grain[:9]).startswith("texture picture is 70x9 px")
