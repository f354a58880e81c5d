"""benchmarks/translation.py: that its figures are those of the networks and pictures that it names."""

import importlib.util
import json
import pathlib
import sys

import numpy as np
import pytest
from PIL import Image

from tfstyle import images, metrics
from tfstyle.nets import network_files
from tfstyle.nets.dsmap import DSMAPConfig, dsmap, part, translation

BENCHMARKS = pathlib.Path(__file__).parents[1] / "benchmarks"
TINY = DSMAPConfig(width=2, hidden=4, blocks=1)


@pytest.fixture
def benchmark(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)  # as for a script that is run
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "2")
    spec = importlib.util.spec_from_file_location("translation", BENCHMARKS / "translation.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    for name in ("gatys", "quality", "perceptual"):
        sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a/ and b/ of three pictures of 40x32 px each, and model.npz."""
    folder, rng = tmp_path_factory.mktemp("translation"), np.random.default_rng(0)
    for domain in "ab":
        (folder / domain).mkdir()
        for i in range(3):
            pixels = rng.integers(0, 256, (5, 6, 3), dtype=np.uint8)
            Image.fromarray(pixels).resize((40, 32)).save(folder / domain / f"{i}.png")
    network_files.save(folder / "model.npz", dsmap(TINY), TINY)
    return folder


def run(benchmark, capsys, case, place, *words):
    flags = ["--a", str(place / "a"), "--b", str(place / "b"), "--model", str(place / "model.npz"), "--width", "2"]
    benchmark.main([case, *flags, *words])
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def pictures(place, domain):
    return [images.read(place / domain / f"{i}.png").rgb for i in range(3)]


def test_distances(benchmark, capsys, place):
    lines = run(benchmark, capsys, "distances", place, "--features", "vgg19", "--seeds", "4", "--direction", "b2a")
    assert [line["model"] for line in lines] == ["identity", "untrained", "model"]
    network = network_files.load(place / "model.npz", "translate")[0]
    codes = np.random.default_rng(4).standard_normal((3, 8), np.float32)
    across = translation(network, "b", "a")
    painted = [np.asarray(across([one[None], code[None]])[0]) for one, code in
               zip(pictures(place, "b"), codes, strict=True)]
    for line, fake in ((lines[0], pictures(place, "b")), (lines[2], painted)):
        with pytest.warns(metrics.FewPicturesWarning):
            wanted = metrics.distribution_distances(pictures(place, "a"), fake, features="vgg19")
        assert line["frechet_vgg19"] == pytest.approx(wanted["frechet_vgg19"], abs=1e-6)
        assert line["kernel_vgg19"] == pytest.approx(wanted["kernel_vgg19"], abs=1e-6)
        assert (line["n"], line["singular"], line["direction"]) == (3, True, "b2a")


def test_codes(benchmark, capsys, place):
    line = run(benchmark, capsys, "codes", place, "--seeds", "0,1")[-1]
    assert (line["model"], line["count"]) == ("model", 6)
    network = network_files.load(place / "model.npz", "translate")[0]
    errors = []
    for seed in (0, 1):
        codes = np.random.default_rng(seed).standard_normal((3, 8), np.float32)
        for picture, code in zip(pictures(place, "a"), codes, strict=True):
            painted = np.asarray(translation(network, "a", "b")([picture[None], code[None]]))
            errors.append(np.abs(np.asarray(part(network, "b", "style")(painted)) - code).mean())
    assert line["style"] == pytest.approx(np.mean(errors), rel=1e-4)
    own = translation(network, "a", "a")
    styles = [np.asarray(part(network, "a", "style")(one[None])) for one in pictures(place, "a")]
    again = [np.asarray(own([one[None], style])) for one, style in zip(pictures(place, "a"), styles, strict=True)]
    wanted = np.mean([np.abs(a[0] - b).mean() for a, b in zip(again, pictures(place, "a"), strict=True)])
    assert line["image"] == pytest.approx(wanted, rel=1e-4)


def test_diversity_needs_one_domain_alone(benchmark, capsys, place):
    benchmark.main(["diversity", "--a", str(place / "a"), "--model", str(place / "model.npz"), "--width", "2",
                    "--contents", "1"])
    line = json.loads(capsys.readouterr().out.splitlines()[-1])
    network = network_files.load(place / "model.npz", "translate")[0]
    across, codes = translation(network, "a", "b"), np.random.default_rng(0).standard_normal((10, 8), np.float32)
    painted = [np.asarray(across([pictures(place, "a")[0][None], code[None]])[0]) for code in codes]
    wanted = metrics.diversity([painted], metrics.perceptual_distance)
    assert (line["contents"], line["vgg_dist"]) == (1, pytest.approx(wanted, abs=1e-3))
    with pytest.raises(SystemExit, match="distances needs --a and --b."):
        benchmark.main(["distances", "--a", str(place / "a")])
