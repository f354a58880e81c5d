"""benchmarks/perceptual.py: that its figures are means over the pictures that it names."""

import importlib.util
import json
import pathlib
import statistics
import sys

import numpy as np
import pytest
from PIL import Image

import tfstyle
from tfstyle import images, metrics
from tfstyle.images.reduction import low_resolution

BENCHMARKS = pathlib.Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def perceptual(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)  # as for a script that is run
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "2")
    spec = importlib.util.spec_from_file_location("perceptual", BENCHMARKS / "perceptual.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    for name in ("gatys", "quality"):
        sys.modules.pop(name, None)


@pytest.fixture
def photos(tmp_path, photo):
    """Flags for two photographs."""
    for name, picture in (("a", photo), ("b", photo[:, ::-1])):
        images.write(tmp_path / f"{name}.png", picture)
    return ["--content-dir", str(tmp_path)]


@pytest.fixture(autouse=True)
def networks(monkeypatch):
    """Networks that need no weights: one inverts colors, one enlarges by nearest neighbor."""

    class Painter:
        def __init__(self, model, *, precision="auto"):
            self.model = model

        def stylize(self, content, *, size=512):
            return images.to_pil(1 - images.read(content, size=size).rgb)

    class Enlarger:
        def __init__(self, model, *, factor=None, precision="auto"):
            self.factor = factor

        def enlarge(self, picture, *, match_histogram=True):
            image = Image.fromarray(np.asarray(picture))
            return image.resize([side * self.factor for side in image.size], Image.Resampling.NEAREST)

    monkeypatch.setattr(tfstyle, "FeedForwardStylizer", Painter, raising=False)
    monkeypatch.setattr(tfstyle, "Enlarger", Enlarger, raising=False)


def told(capsys):
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_styles_tells_means_over_the_photographs(perceptual, photos, painting, tmp_path, capsys):
    style = tmp_path / "style" / "painting.png"
    style.parent.mkdir()
    images.write(style, painting)
    perceptual.main(["styles", "--model", "any", "--style", str(style), "--out", str(tmp_path / "out"), *photos])
    (line,) = told(capsys)
    evaluator = metrics.Evaluator()
    wanted = [
        evaluator(tmp_path / f"{name}.png", style, tmp_path / "out" / f"{name}.png") for name in ("a", "b")
    ]
    assert line["count"] == 2
    for figure in ("content_loss", "style_rel"):
        assert line[figure] == pytest.approx(statistics.fmean(one[figure] for one in wanted), rel=1e-4)


def test_enlarge_holds_the_network_against_bicubic(perceptual, photos, photo, capsys):
    perceptual.main(["enlarge", "--factor", "4", *photos])
    lines = {line["by"]: line for line in told(capsys)}
    small, large = low_resolution(images.to_uint8(photo), 4)
    shape = large.shape[1], large.shape[0]
    for name, kind in (("bicubic", Image.Resampling.BICUBIC), ("network", Image.Resampling.NEAREST)):
        pixels = np.asarray(Image.fromarray(small).resize(shape, kind))
        assert lines[name]["count"] == 2
        # The second photograph is the first one's mirror image, but for a column that is cut on the other side.
        assert lines[name]["psnr"] == pytest.approx(metrics.psnr(large, pixels, border=4), abs=0.3)
        assert lines[name]["vgg_dist"] == pytest.approx(metrics.perceptual_distance(large, pixels), rel=0.2)


def test_a_painting_is_asked_for(perceptual, photos):
    with pytest.raises(SystemExit, match="--style"):
        perceptual.main(["styles", "--model", "any", *photos])
