"""What the tests of whole runs share: runs of a few steps, and their figures by NumPy in float64."""

import numpy as np
import pytest

from tfstyle.gatys import optimize, preset
from tfstyle.images import to_uint8
from tfstyle.nets.vgg import vgg

STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")


@pytest.fixture(scope="session")
def run():
    """`optimize` at 48 px for 6 steps in float32, unless told otherwise; the default recipe may change."""

    def run(content, styles, name="default", style_weights=None, start=None, callback=None, report=True, **settings):
        ours = dict(style_weight=6.0, tv_weight=0.0, optimizer="lbfgs", scales=1) if name == "default" else {}
        recipe = preset(name, **ours | dict(size=48, steps=6, precision="float32") | settings)
        return optimize(
            content, styles, recipe, style_weights=style_weights, start=start, callback=callback, report=report
        )

    return run


@pytest.fixture(scope="session")
def recomputed():
    """Figures of a final record from the pictures: features by the network as trained, the rest by NumPy."""
    network = vgg((*STYLE_LAYERS, "relu4_2"))

    def features(picture):
        found = network(to_uint8(picture)[None] / np.float32(255))
        return {name: np.asarray(f, np.float64).reshape(-1, f.shape[-1]) for name, f in found.items()}

    def recomputed(image, content, styles, weights=(1.0,)):
        mine, picture = features(image), to_uint8(image) / 255
        figures = {"tv": sum(np.abs(np.diff(picture, axis=axis)).mean() for axis in (0, 1))}
        if content is not None:
            theirs = features(content)["relu4_2"]
            figures["content_loss"] = np.mean((mine["relu4_2"] - theirs) ** 2) / np.mean(theirs**2)
        if styles:
            figures |= {"style_rel": 0.0, "style_loss": 0.0}
        for weight, style in zip(weights, styles, strict=True):
            theirs = features(style)
            for name in STYLE_LAYERS:
                gram, target = (rows[name].T @ rows[name] / len(rows[name]) for rows in (mine, theirs))
                difference = np.sum((gram - target) ** 2)
                figures["style_rel"] += weight * difference / np.sum(target**2) / 5
                figures["style_loss"] += weight * difference / (4 * len(gram) ** 2) / 5
        return figures

    return recomputed


@pytest.fixture(scope="session")
def told_truly(recomputed):
    """Checks the figures of a run's final record against `recomputed`."""

    def check(result, content, styles, weights=(1.0,)):
        figures = recomputed(result.image, content, styles, weights)
        assert result.final.figures.keys() == figures.keys()
        for name, wanted in figures.items():
            np.testing.assert_allclose(result.final.figures[name], wanted, rtol=1e-3, err_msg=name)
        assert result.records[-1]["figures"] == result.final.figures

    return check
