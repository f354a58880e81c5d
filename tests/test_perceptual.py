"""benchmarks/perceptual.py: that its figures are means over the pictures that it names."""

import importlib.util
import json
import pathlib
import statistics
import sys
import types

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


def test_time_holds_the_model_and_the_paper_s_width_against_the_optimizer(perceptual, photos, painting, tmp_path,
                                                                          monkeypatch, capsys):
    style = tmp_path / "style" / "painting.png"
    style.parent.mkdir()
    images.write(style, painting)
    asked = []
    monkeypatch.setattr(tfstyle, "stylize", lambda content, style, **settings: asked.append(settings))
    monkeypatch.setattr(perceptual, "graph", lambda model: lambda picture: picture)
    # What is timed in turn, at each size: the model and the paper's width, twice, then the optimizer.
    clock = iter([0.2, 0.5, 0.4, 0.7, 60.0, 1.0, 2.0, 1.0, 2.0, 90.0])
    monkeypatch.setattr(perceptual, "timed", lambda work: (work(), next(clock))[1])
    perceptual.main(["time", "--model", "any", "--style", str(style), "--sizes", "32,64", "--repeat", "2", *photos])
    lines = told(capsys)
    assert [line["size"] for line in lines] == ["32x24", "64x48"]
    assert [one["size"] for one in asked] == [32, 64] and {one["method"] for one in asked} == {"optimize"}
    figures = ("seconds", "least", "paper_width", "paper_width_least", "optimizer", "times_faster")
    assert [lines[0][name] for name in figures] == pytest.approx([0.3, 0.2, 0.6, 0.5, 60.0, 200])
    assert [lines[1][name] for name in figures] == pytest.approx([1.0, 1.0, 2.0, 2.0, 90.0, 90])


def test_steps_measures_the_pictures_after_so_many_steps(perceptual, photos, painting, tmp_path, monkeypatch, capsys):
    from tfstyle import gatys

    style = tmp_path / "style" / "painting.png"
    style.parent.mkdir()
    images.write(style, painting)

    def optimize(photo, styles, settings, *, callback):
        assert settings.steps == (3,) and settings.init == "noise" and settings.style_weight == 2.0
        for step in (1, 2, 3, 3):  # the last record comes twice
            callback(types.SimpleNamespace(step=step, image=lambda step=step: photo * (step / 3)))

    monkeypatch.setattr(gatys, "optimize", optimize)
    perceptual.main(["steps", "--model", "any", "--style", str(style), "--steps", "1,3", "--size", "64", "--limit", "1",
                     "--style-weight", "2", *photos])
    lines = {line["after"]: line for line in told(capsys)}
    assert list(lines) == ["network", 1, 3] and {line["count"] for line in lines.values()} == {1}
    assert lines[3]["content_loss"] < 0.01 < lines[1]["content_loss"]  # the third is the photograph
    for line in lines.values():
        wanted = line["content_loss"] + 2 * line["style_rel"]
        assert line["objective"] == pytest.approx(wanted, abs=1e-3)
