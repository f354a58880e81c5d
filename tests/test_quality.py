"""benchmarks/quality.py: which pairs it paints, and that its means are those of the pictures it names."""

import csv
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

BENCHMARKS = pathlib.Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def quality(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)  # as for a script that is run
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "2")
    spec = importlib.util.spec_from_file_location("quality", BENCHMARKS / "quality.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    sys.modules.pop("gatys", None)


@pytest.fixture
def folders(tmp_path, photo, painting, other_painting):
    """Flags for three contents and two styles."""
    sides = {
        "content": {"a": photo, "b": photo[:, ::-1], "c": photo[::-1]},
        "style": {"x": painting, "y": other_painting},
    }
    for side, pictures in sides.items():
        (tmp_path / side).mkdir()
        for name, picture in pictures.items():
            images.write(tmp_path / side / f"{name}.png", picture)
        (tmp_path / side / "notes.txt").write_text("no picture")
    return ["--content-dir", str(tmp_path / "content"), "--style-dir", str(tmp_path / "style")]


@pytest.fixture
def stylizer(monkeypatch):
    """A stylizer that mixes the style's mean color in; the list of what it was asked."""
    asked = []

    class Stylizer:
        def __init__(self, model="default", *, precision="auto"):
            asked.append(("model", model, precision))

        def style_code(self, style, style_size=512):
            assert isinstance(style_size, int)
            asked.append(("code", style, style_size))
            return images.read(style).rgb.mean(axis=(0, 1))

        def stylize(self, content, style, *, strength=1.0, size=512, style_size=None):
            known = isinstance(style, np.ndarray) and style.ndim == 1
            asked.append(("known" if known else "new", content, style, strength, size, style_size))
            code = style if known else images.read(style).rgb.mean(axis=(0, 1))
            picture = images.read(content, size=size).rgb
            return images.to_pil((1 - strength) * picture + strength * (picture + code) / 2)

    monkeypatch.setattr(tfstyle, "ArbitraryStylizer", Stylizer, raising=False)
    return asked


@pytest.fixture
def evaluator(monkeypatch):
    """An evaluator of two figures that a test can compute: how far the pictures' mean colors are apart."""

    class Evaluator:
        def __init__(self, size):
            self.size = size

        def __call__(self, *paths):
            photo, style, result = (images.read(path).rgb.mean(axis=(0, 1)) for path in paths)
            apart = {"red": float(abs(result - style)[0]), "blue": float(abs(result - style)[2])}
            changed = float(np.abs(result - photo).sum())
            return {"content_loss": changed, "style_layers": apart, "eval_size": [self.size, 1]}

    monkeypatch.setattr(metrics, "Evaluator", Evaluator)


@pytest.fixture
def told(quality, capsys):
    """Runs the benchmark; the JSON lines it prints."""

    def told(*words, status=None):
        if status is None:
            quality.main(list(map(str, words)))
        else:
            with pytest.raises(SystemExit) as error:
                quality.main(list(map(str, words)))
            assert error.value.code == status
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    return told


def names(asked, kind):
    return [(pathlib.Path(call[1]).stem, call[2]) for call in asked if call[0] == kind]


# Painted pairs


def test_pairs_tell_the_means_of_all_pictures(told, stylizer, evaluator, folders, tmp_path):
    out = tmp_path / "new" / "out"
    flags = "--size 40 --eval-size 99 --strength 0.5 --verbose --model mine.npz --style-size 128 --precision float32"
    *lines, last = told("pairs", *folders, "--out", out, *flags.split())
    assert sorted(path.name for path in out.iterdir()) == [f"{c}__{s}.png" for c in "abc" for s in "xy"]
    assert [line["stylized"] for line in lines] == [str(out / f"{c}__{s}.png") for c in "abc" for s in "xy"]
    assert {line["case"] for line in lines} == {"pair"} and {tuple(line["eval_size"]) for line in lines} == {(99, 1)}
    for figure in (lambda line: line["content_loss"], lambda line: line["style_layers"]["blue"]):
        assert figure(last) == pytest.approx(statistics.fmean(map(figure, lines)), rel=1e-4) != 0
    wanted = {"case": "pairs", "count": 6, "failed": 0, "strength": 0.5, "size": 40, "eval_size": 99, "style_size": 128,
              "model": "mine.npz", "precision": "float32"}
    assert wanted.items() <= last.items()
    assert {"known_style", "new_style", "peak_mib", "others", "machine", "backend"} <= last.keys()
    with Image.open(out / "b__y.png") as picture:
        assert picture.size == (40, 30) and picture.mode == "RGB"

    assert stylizer[0] == ("model", "mine.npz", "float32")
    assert names(stylizer, "code") == [("x", 128), ("x", 128), ("y", 128)]  # the first one twice, to compile
    paintings = [call for call in stylizer if call[0] == "known"]
    assert [pathlib.Path(call[1]).stem for call in paintings] == [*"aabbcc"]
    assert {call[3:] for call in paintings} == {(0.5, 40, 128)}


def test_pairs_without_a_folder_leave_nothing_and_tell_one_line(told, stylizer, evaluator, folders, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    (line,) = told("pairs", *folders, "--size", 32)
    assert line["count"] == 6 and line["failed"] == 0 and sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("limit", [1, 3, 4, 6, 50])
def test_a_limit_meets_every_picture_as_often_as_any_other(quality, monkeypatch, folders, limit):
    found = []
    monkeypatch.setattr(quality, "pairs", lambda arguments: found.extend(quality.chosen(arguments)))
    quality.main(["pairs", *folders, "--limit", str(limit)])
    assert len(set(found)) == len(found) == min(limit, 6) and found == sorted(found)
    for side, of in ((0, "abc"), (1, "xy")):
        counts = [sum(pair[side].stem == name for pair in found) for name in of]
        assert max(counts) - min(counts) <= 1


def test_curve_tells_one_line_a_strength(told, stylizer, evaluator, folders, tmp_path):
    lines = told("curve", *folders, "--size", 32, "--limit", 2, "--out", tmp_path / "out")
    assert [(line["case"], line["strength"]) for line in lines] == [("curve", s) for s in (0, 0.25, 0.5, 0.75, 1)]
    losses = [line["content_loss"] for line in lines]
    assert losses == sorted(losses) and losses[0] < 0.01 < losses[1]
    assert len(list((tmp_path / "out").iterdir())) == 10
    assert [line["strength"] for line in told("curve", *folders, "--strengths", "0.1,0", "--limit", 1)] == [0.1, 0]


def test_time_paints_at_512x384_and_never_the_same_new_style(told, stylizer, folders):
    (line,) = told("time", *folders, "--repeat", 3)
    calls = [call for call in stylizer if call[0] in ("known", "new")]
    assert {images.read(call[1]).rgb.shape for call in calls} == {(384, 512, 3)}
    styles = [call[2] for call in calls if call[0] == "new"]
    assert len(styles) == 3 and len({style.tobytes() for style in styles}) == 3
    assert {style.shape for style in styles} == {(384, 512, 3)}
    assert len(calls) == 1 + 2 * 3  # the first compiles
    assert line["case"] == "time" and line["size"] == "512x384"
    assert {"known_style", "new_style", "peak_mib"} <= line.keys()


# Given files


def table(path, *rows):
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    return path


def test_files_are_measured_by_the_evaluator_itself(told, folders, tmp_path):
    paths = "content/a.png", "style/x.png", "content/b.png"
    triples = table(tmp_path / "t.csv", ("peer", "content", "style", "stylized", "tv"), ("one", *paths, "none"),
                    ("two", "content/a.png", "style/x.png", "absent.png", ""))
    pair, failed, last = told("files", "--triples", triples, "--eval-size", 32, "--verbose", status=1)
    figures = metrics.Evaluator(32)(*(tmp_path / path for path in paths))
    assert pair["case"] == "pair" and pair["peer"] == "one" and pair["content"] == paths[0]
    for line in (pair, last):
        for name in ("content_loss", "style_rel", "ssim", "tv", "style_of_content"):
            assert line[name] == pytest.approx(figures[name], rel=1e-5), name
        assert line["style_layers"] == pytest.approx(figures["style_layers"], rel=1e-5)
    assert failed["peer"] == "two" and "absent.png' does not exist" in failed["error"]
    assert (last["case"], last["count"], last["failed"], last["eval_size"]) == ("files", 1, 1, 32)


def test_files_that_can_all_be_measured_end_well(told, evaluator, folders, tmp_path):
    row = tmp_path / "content/a.png", tmp_path / "style/y.png", tmp_path / "content/a.png"
    (line,) = told("files", "--triples", table(tmp_path / "t.csv", ("content", "style", "stylized"), row))
    assert line["count"] == 1 and line["failed"] == 0 and line["content_loss"] == 0


# Usage


def test_slips_are_told_in_a_sentence(told, folders, tmp_path):
    told("files", status="files needs --triples CSV, with the columns content, style and stylized.")
    bad = table(tmp_path / "t.csv", ("content", "style"), ("a", "b"))
    told("files", "--triples", bad,
         status=f"{bad} needs rows, and in its first line the columns content, style and stylized.")
    (tmp_path / "empty").mkdir()
    told("pairs", "--content-dir", tmp_path / "empty",
         status="There are no pictures (.jpg, .jpeg, .png, .webp) in one of the two folders.")
    told("curve", "--strengths", "0;1", status=2)
    told("pairs", "--limit", "0", status=2)


def test_two_pictures_of_one_name_are_refused(told, stylizer, folders, tmp_path):
    Image.new("RGB", (40, 40)).save(tmp_path / "style" / "x.jpg")
    told("pairs", *folders, status="Two pictures of one folder differ in nothing but their endings: rename one.")
