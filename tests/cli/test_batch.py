"""tfstyle batch: what is said, what is written, and with which exit code."""

import json
import os
import pathlib
import re
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import tfstyle
from tfstyle.cli import ends, main


@pytest.fixture
def photos(folder, network_file):
    """photos/a.png to photos/d.png, the last in a folder, and network.npz; returns a command line."""
    os.makedirs("photos/in")
    rng = np.random.default_rng(1)
    for name in ("a", "b", "c", "in/d"):
        Image.fromarray(rng.integers(0, 256, (24, 32, 3), dtype=np.uint8)).save(f"photos/{name}.png")
    (folder / "network.npz").write_bytes(network_file.read_bytes())
    return ["batch", "photos/**/*.png", "paint.png", "-o", "out", "--size", "32", "--model", "network.npz"]


def line(capsys, wanted, err=""):
    told = capsys.readouterr()
    assert re.fullmatch(rf"out  {wanted}  \d+\.\d s\n", told.out) and told.err == err


def test_a_batch(photos, painting, capsys):
    assert main(photos) == 0
    line(capsys, "4 painted")
    assert sorted(os.listdir("out")) == ["a.png", "b.png", "c.png", "in", "manifest.jsonl"]
    os.remove("out/in/d.png")
    assert main(photos) == 0
    line(capsys, "1 painted, 3 skipped")
    assert main(photos) == 0
    line(capsys, "0 painted, 4 skipped")
    assert main([*photos, "--overwrite", "--quiet"]) == 0
    assert tuple(capsys.readouterr()) == ("", "")
    assert len(painting["jobs"]) == 3  # all skipped is no work


def test_json(photos, painting, capsys):
    with open("photos/b.png", "wb") as file:
        file.write(b"no picture")
    assert main([*photos, "--json"]) == 1
    told = capsys.readouterr()
    facts = json.loads(told.out)
    assert facts.pop("seconds") >= 0
    sentence = facts["failed"][0].pop("sentence")
    assert facts == {
        "input": "photos/**/*.png", "styles": ["paint.png"], "output": "out", "manifest": "out/manifest.jsonl",
        "pictures": 4, "painted": 3, "skipped": 0, "tried_again": 0, "failed": [{"photo": "photos/b.png"}], "left": 0,
        "interrupted": False,
    }
    assert told.err == f"tfstyle: {sentence}\n" and sentence.startswith("content picture 'photos/b.png' is in no ")
    page = (pathlib.Path(__file__).resolve().parents[2] / "docs" / "command-line.md").read_text(encoding="utf-8")
    example = json.loads(re.search(r"^`batch`:\n\n```json\n(.+?)```", page, re.M | re.S)[1])
    assert list(example) == [*facts, "seconds"]
    assert example["pictures"] == example["painted"] + len(example["failed"]) + example["left"]


def test_dry_run(photos, painting, capsys):
    assert main([*photos, "--dry-run"]) == 0
    assert tuple(capsys.readouterr()) == ("out  4 pictures, 0 there already, 4 to paint\n", "")
    assert not os.path.exists("out") and not painting["jobs"]
    with open("photos/b.png", "rb+") as file:
        file.truncate(20)
    assert main([*photos, "--quiet"]) == 1
    with open("out/manifest.jsonl", "rb") as file:
        before = file.read()
    capsys.readouterr()
    assert main([*photos, "--dry-run"]) == 0
    assert capsys.readouterr().out == (
        "out  4 pictures, 3 there already, 1 to paint, 1 of them again after a failure\n"
    )
    assert main([*photos, "--dry-run", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["dry_run"] is True and (facts["left"], facts["skipped"], facts["tried_again"]) == (1, 3, 1)
    with open("out/manifest.jsonl", "rb") as file:
        assert file.read() == before


def test_what_is_handed_on(photos, painting):
    words = ["glass.png", "--weights", "3", "1", "--style-size", "40", "--color", "histogram", "--texture", "photo.png",
             "--quality", "30", "--format", "webp"]
    assert main([*photos, *words]) == 0
    job = painting["jobs"].pop()
    assert len(job.styles) == 2 and job.weights == (0.75, 0.25) and job.quality == 30
    assert job.controls.style_size == 40 and job.controls.color == "histogram"
    with open("photo.png", "rb") as file:
        assert job.texture == file.read()
    assert sorted(os.listdir("out")) == ["a.webp", "b.webp", "c.webp", "in", "manifest.jsonl"]


ENDS = [(KeyboardInterrupt(), 130, "interrupted"), (ends.Ended(143, "terminated."), 143, "terminated")]


@pytest.mark.parametrize(("error", "code", "what"), ENDS)
@pytest.mark.parametrize("overwrite", [False, True])
def test_a_signal_keeps_what_is_done(photos, painting, capsys, overwrite, error, code, what):
    assert main([*photos, "--quiet"]) == 0
    if not overwrite:
        for name in ("a", "b", "c", "in/d"):
            os.remove(f"out/{name}.png")

    def step(number):
        if number == 3:
            raise error

    painting["step"] = step
    words = ["--overwrite"] * overwrite
    assert main([*photos, *words]) == code
    how = "the same command without --overwrite" if overwrite else "the same command"
    line(capsys, "2 painted, 2 left", f"tfstyle: {what}; {how} goes on with the 2 left.\n")
    painting["step"] = lambda number: None
    assert main(photos) == 0
    line(capsys, "2 painted, 2 skipped")


def test_a_defect_in_every_picture(photos, painting, capsys, monkeypatch):
    monkeypatch.setattr("tfstyle.batch.worker.ALIKE", 3)

    def step(number):
        raise RuntimeError("no\ngood")

    painting["step"] = step
    assert main(photos) == 2
    told = capsys.readouterr()
    assert told.out == "" and told.err == (
        "tfstyle: 3 pictures in a row have failed by RuntimeError, of which the manifest tells more; mend that, and "
        "the same command goes on.\n"
    )
    painting["step"] = lambda number: None
    assert main(photos) == 0
    line(capsys, "4 painted")


def test_ctrl_c_that_a_library_makes_another_error_of(photos, painting, capsys):
    def step(number):
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt as end:
            raise RuntimeError from end

    painting["step"] = step
    assert main(photos) == 130
    line(capsys, "0 painted, 4 left", "tfstyle: interrupted; the same command goes on with the 4 left.\n")


def test_a_disk_that_is_full(photos, painting, capsys, monkeypatch):
    def replace(source, target):
        raise OSError(28, "No space left on device")

    painting["step"] = lambda number: monkeypatch.setattr(os, "replace", replace)
    assert main([*photos, "--size", "none"]) == 1
    told = capsys.readouterr()
    count = told.err.count("No space left on device")
    assert 0 < count < 4 and told.out.startswith(f"out  0 painted, {count} failed, {4 - count} left  ")
    were = "picture was" if count == 3 else "pictures were"
    assert told.err.endswith(f"tfstyle: {4 - count} {were} not reached; the same command goes on from there.\n")


@pytest.mark.parametrize(("words", "sentence"), [
    (["-o", "photos"], "output 'photos' is the folder of the photos itself; choose another."),
    (["--format", "gif"], "--format must be one of 'png', 'jpg', 'jpeg', 'webp', 'tif', 'tiff', 'avif'; received"),
    (["--quality", "0"], "--quality must be a whole number from 1 to 100; received 0."),
    (["--texture", "gone.png"], "texture picture 'gone.png' does not exist; "),
    (["--actors", "2"], "--actors is for a Ray cluster; add --ray-address, or leave it out."),
    (["--actors", "2", "--cpus", "none"], "--cpus must be a number from 0.01 to 1024; received 'none'."),
    (["--actors", "4,2", "--ray-address", "local"], "actors must be one number, or the fewest and the most; received"),
    (["--ray-address", "127.0.0.1:1"], "No Ray cluster answers at 127.0.0.1:1 (Connection refused); start one, or "),
    (["--masks", "glass.png"], "There is no flag --masks; "),
    (["--recursive"], "There is no flag --recursive; "),
])
def test_bad_flags(photos, painting, refused, monkeypatch, words, sentence):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    assert refused(*photos, *words).startswith(sentence)
    assert not painting["jobs"] and not os.path.exists("out")


def test_a_pattern_that_the_shell_has_taken_apart(photos, refused):
    told = refused("batch", "photos/a.png", "photos/b.png", "paint.png", *photos[3:])
    assert told.startswith("'photos/a.png' is one picture; quote the pattern, such as 'photos/*.jpg'")


def test_no_style(photos, refused):
    assert refused(photos[0], photos[1], *photos[3:]).startswith("There is no STYLE picture; name one after INPUT_GLOB")


def test_another_style_is_refused(photos, painting, refused, capsys):
    assert main([*photos, "--quiet"]) == 0
    assert refused(*photos[:2], "photo.png", *photos[3:]) == (
        "out holds pictures of another style; give the same as then, choose another output, or overwrite them."
    )


def test_nothing_to_do_imports_no_tensorflow(photos, painting):
    assert main(photos) == 0
    code = f"import sys; from tfstyle.cli import main; print(main({photos}), 'tensorflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.stdout.endswith("s\n0 False\n") and done.stderr == ""


def test_a_bar_on_a_terminal(photos, painting, monkeypatch, capsys):
    with open("photos/b.png", "wb"):
        pass
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert main(photos) == 1
    told = capsys.readouterr()
    assert "painting 4 of 4 100%|" in told.err and "1 failed" in told.err and told.out.startswith("out  3 painted, 1 ")


def test_a_real_run(photos, capsys):
    assert main([*photos, "--precision", "float32", "--strength", "0.6"]) == 0
    line(capsys, "4 painted")
    settings = {"size": 32, "model": "network.npz", "precision": "float32", "strength": 0.6}
    wanted = tfstyle.stylize("photos/in/d.png", "paint.png", **settings)
    with Image.open("out/in/d.png") as image:
        np.testing.assert_array_equal(np.asarray(image), np.asarray(wanted))
