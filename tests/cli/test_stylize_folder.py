"""tfstyle stylize of a folder: what is said, what is written, and with which exit code."""

import os
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
    """photos/ of a.png to d.png beside the pictures of `folder`, and network.npz; returns a command line."""
    os.mkdir("photos")
    rng = np.random.default_rng(1)
    for name in "abcd":
        Image.fromarray(rng.integers(0, 256, (24, 32, 3), dtype=np.uint8)).save(f"photos/{name}.png")
    (folder / "network.npz").write_bytes(network_file.read_bytes())
    return ["stylize", "photos", "paint.png", "-o", "out", "--size", "32", "--model", "network.npz"]


def line(capsys, wanted, err=""):
    told = capsys.readouterr()
    assert re.fullmatch(rf"out  {wanted}  \d+\.\d s\n", told.out) and told.err == err


def test_a_folder(photos, painting, capsys):
    assert main(photos) == 0
    line(capsys, "4 painted")
    assert sorted(os.listdir("out")) == ["a.png", "b.png", "c.png", "d.png"]
    os.remove("out/b.png")
    assert main(photos) == 0
    line(capsys, "1 painted, 3 skipped")
    assert main(photos) == 0
    line(capsys, "0 painted, 4 skipped")
    assert main([*photos, "--overwrite"]) == 0
    line(capsys, "4 painted")
    assert main([*photos, "--overwrite", "--quiet"]) == 0
    assert tuple(capsys.readouterr()) == ("", "")
    assert len(painting["jobs"]) == 4  # all skipped is no work


def test_what_is_handed_on(photos, painting):
    os.makedirs("photos/in")
    os.link("photos/a.png", "photos/in/e.png")
    words = ["glass.png", "--weights", "3", "1", "--style-size", "40", "--color", "histogram", "--texture", "photo.png",
             "--quality", "30", "--format", "webp", "--recursive"]
    assert main([*photos, *words]) == 0
    job = painting["jobs"].pop()
    assert job.styles == ["paint.png", "glass.png"] and job.weights == (0.75, 0.25) and job.quality == 30
    assert job.texture == "photo.png" and job.controls.style_size == 40 and job.controls.color == "histogram"
    assert sorted(os.listdir("out")) == ["a.webp", "b.webp", "c.webp", "d.webp", "in"]
    assert os.listdir("out/in") == ["e.webp"]


def test_bad_files_are_listed_in_the_end(photos, painting, capsys):
    with open("photos/b.png", "wb") as file:
        file.write(b"no picture")
    with open("photos/c.png", "wb"):
        pass

    def step(number):
        if number == 2:
            raise MemoryError

    painting["step"] = step
    assert main(photos) == 1
    line(capsys, "1 painted, 3 failed", (
        "tfstyle: content picture 'photos/b.png' is in no picture format that can be read, or damaged; convert it to "
        "JPEG or PNG first.\n"
        "tfstyle: content picture 'photos/c.png' is empty (0 bytes); get or save the picture again.\n"
        "tfstyle: photos/d.png: memory ran out; use a smaller size.\n"
    ))
    assert os.listdir("out") == ["a.png"]


ENDS = [(KeyboardInterrupt(), 130, "interrupted"), (ends.Ended(143, "terminated."), 143, "terminated")]


@pytest.mark.parametrize(("error", "code", "what"), ENDS)
@pytest.mark.parametrize("overwrite", [False, True])
def test_a_signal_keeps_what_is_done(photos, painting, capsys, overwrite, error, code, what):
    def step(number):
        if number == 3:
            raise error

    painting["step"] = step
    words = ["--overwrite"] * overwrite
    assert main([*photos, *words]) == code
    how = "the same command without --overwrite" if overwrite else "the same command"
    line(capsys, "2 painted, 2 left", f"tfstyle: {what}; {how} goes on with the 2 left.\n")
    assert sorted(os.listdir("out")) == ["a.png", "b.png"]
    painting["step"] = lambda number: None
    assert main(photos) == 0
    line(capsys, "2 painted, 2 skipped")


def test_a_disk_that_is_full(photos, painting, capsys, monkeypatch):
    def replace(source, target):
        raise OSError(28, "No space left on device")

    def step(number):
        monkeypatch.setattr(os, "replace", replace)

    painting["step"] = step
    assert main([*photos, "--size", "none"]) == 1
    told = capsys.readouterr()
    count = told.err.count("No space left on device")
    assert 0 < count < 4 and told.out.startswith(f"out  0 painted, {count} failed, {4 - count} left  ")
    assert told.err.endswith(f"tfstyle: {4 - count} pictures were not reached; the same command goes on from there.\n")
    assert os.listdir("out") == []


@pytest.mark.parametrize(("words", "sentence"), [
    (["-o", "photos"], "output 'photos' is the folder of the photos itself; choose another."),
    (["-o", "out.png"], "output 'out.png' is a file, and 'photos' a folder of pictures; name a folder for theirs."),
    (["-o", "photo.png"], "output 'photo.png' is a file, and 'photos' a folder of pictures; name a folder for theirs."),
    (["--masks", "glass.png"], "--masks fit one photo, and CONTENT is a folder; paint its photos one by one."),
    (["--format", "gif"], "--format must be one of 'png', 'jpg', 'jpeg', 'webp', 'tif', 'tiff', 'avif'; received"),
    (["--quality", "0"], "--quality must be a whole number from 1 to 100; received 0."),
    (["--texture", "gone.png"], "texture picture 'gone.png' does not exist; "),
    (["--style-size", "17"], "style picture 'paint.png' is 48x64 px and its short side would be 13 px at size 17; "),
])
def test_bad_flags(photos, painting, refused, words, sentence):
    assert refused(*photos, *words).startswith(sentence)
    assert not painting["jobs"] and not os.path.exists("out")


def test_an_empty_folder(photos, painting, refused):
    os.mkdir("empty")
    assert refused("stylize", "empty", *photos[2:]) == (
        "There is no picture in the folder 'empty'; check the path (with recursive, the folders inside are looked "
        "into, too)."
    )
    assert not os.path.exists("out")


def test_nothing_to_do_imports_no_tensorflow(photos, painting):
    assert main(photos) == 0
    code = f"import sys; from tfstyle.cli import main; print(main({photos}), 'tensorflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.stdout.endswith("s\n0 False\n") and done.stderr == ""


def test_a_bar_on_a_terminal(photos, painting, monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert main(photos) == 0
    told = capsys.readouterr()
    assert "painting 4 of 4 100%|" in told.err and told.out.startswith("out  4 painted  ")


def test_a_real_run(photos, capsys):
    assert main([*photos, "--precision", "float32", "--strength", "0.6"]) == 0
    line(capsys, "4 painted")
    settings = {"size": 32, "model": "network.npz", "precision": "float32", "strength": 0.6}
    wanted = tfstyle.stylize("photos/c.png", "paint.png", **settings)
    with Image.open("out/c.png") as image:
        np.testing.assert_array_equal(np.asarray(image), np.asarray(wanted))
