"""Which pictures a pattern finds, and where each goes."""

import os

import pytest
from PIL import Image

from tfstyle.batch.plan import planned_batch

ALL = ["a.jpg", "b.gif", "b.png", "in/a.jpg", "in/deep/c.webp"]


def photos(pattern, output="out", **options):
    return [photo for photo, _ in planned_batch(pattern, output, **options).pairs]


@pytest.mark.parametrize(("pattern", "wanted"), [
    ("photos", ALL),
    ("photos/", ALL),
    ("photos/**", ALL),
    ("./photos//**/*", ALL),
    ("photos/*", ["a.jpg", "b.gif", "b.png"]),
    ("photos/**/*.jpg", ["a.jpg", "in/a.jpg"]),
    ("photos/**/**/*.jpg", ["a.jpg", "in/a.jpg"]),
    ("photos/*/*", ["in/a.jpg"]),
    ("photos/in/**/c.*", ["deep/c.webp"]),
    ("photos/**/deep/*", ["in/deep/c.webp"]),
    ("photos/[b]?x*", []),
    ("photos/[ab].[gp]*", ["b.gif", "b.png"]),
    ("ph*/a.jpg", ["photos/a.jpg"]),
])
def test_what_is_found(here, refusal, pattern, wanted):
    if wanted:
        assert photos(pattern) == wanted
        assert photos(os.path.abspath(pattern)) == wanted
    else:
        assert refusal(planned_batch, pattern, "out") == (
            f"There is no picture that {pattern!r} finds; check the path, and quote the pattern."
        )


def test_results_lie_as_their_photos_do(here):
    plan = planned_batch("photos/**/*", "out")
    assert dict(plan.pairs) == dict.fromkeys(ALL) | {one: one for one in ALL} | {"b.gif": "b.gif.png"}
    assert (plan.root, plan.output, plan.there) == ("photos", "out", set())
    webp = dict(planned_batch("photos", "out", "webp").pairs)
    assert webp["in/a.jpg"] == "in/a.webp" and webp["b.gif"] == "b.gif.webp" and webp["b.png"] == "b.png.webp"


def test_what_is_there(here):
    os.makedirs("out/in")
    os.makedirs("out/b.png")  # a folder is no picture
    Image.new("RGB", (16, 16)).save("out/in/a.jpg")
    assert planned_batch("photos", "out").there == {"in/a.jpg"}


def test_an_output_inside_is_no_input(here):
    os.makedirs("photos/out")
    os.link("photos/a.jpg", "photos/out/a.jpg")
    assert photos("photos", "photos/out") == ALL
    assert photos("photos", "elsewhere") == [*ALL, "out/a.jpg"]


def test_links_to_folders(here):
    os.symlink("..", "photos/in/round")
    assert photos("photos/**/*.jpg") == ["a.jpg", "in/a.jpg"]
    assert photos("photos/in/round/*.jpg") == ["a.jpg"]


def test_a_link_to_nothing_is_no_less_a_photo(here):
    """Its owner learns of it, as of a file that is damaged."""
    os.symlink("nowhere.jpg", "photos/gone.jpg")
    assert "gone.jpg" in photos("photos")


def test_a_folder_whose_name_looks_like_a_pattern(here):
    os.rename("photos", "photos [1]")
    assert photos("photos [1]") == ALL and photos("photos [1]/*.gif") == ["b.gif"]


def test_home(here, monkeypatch):
    monkeypatch.setenv("HOME", str(here))
    assert photos("~/photos/*.gif") == ["b.gif"]


@pytest.mark.parametrize(("pattern", "output", "sentence"), [
    ("photos/a.jpg", "out", "'photos/a.jpg' is one picture; quote the pattern, such as 'photos/*.jpg', or name a fold"),
    ("gone/*.jpg", "out", "There is no picture that 'gone/*.jpg' finds; check the path, and quote the pattern."),
    ("photos/gone/in", "out", "There is no 'photos/gone'; check the path, and quote the pattern."),
    ("photos/*/../*.jpg", "out", "The pattern 'photos/*/../*.jpg' goes back by .. after a wildcard; write it without."),
    ("photos/*", "photos", "output 'photos' is the folder of the photos itself; choose another."),
    ("photos", "paint.png", "output 'paint.png' is a file, and 'photos' many pictures; name a folder for theirs."),
    ("photos", "new.jpg", "output 'new.jpg' is a file, and 'photos' many pictures; name a folder for theirs."),
    (3, "out", "the pattern must be a path (str or pathlib.Path); received 3."),
    ("photos", "", "output must be a path (str or pathlib.Path); received ''."),
])
def test_refusals(here, refusal, pattern, output, sentence):
    assert refusal(planned_batch, pattern, output).startswith(sentence)


def test_nothing_that_is_read_is_overwritten(here, refusal):
    os.makedirs("out")
    os.symlink("../photos/a.jpg", "out/a.jpg")
    told = refusal(planned_batch, "photos", "out")
    assert told == "output 'out/a.jpg' would overwrite a picture that is read; choose another folder."
    os.remove("out/a.jpg")
    os.rename("paint.png", "out/b.png")
    told = refusal(planned_batch, "photos", "out", None, ["out/b.png"])
    assert told == "output 'out/b.png' would overwrite a picture that is read; choose another folder."
    os.makedirs("results")
    os.symlink("../photos/in", "results/in")
    told = refusal(planned_batch, "photos", "results")
    assert told == "output 'results/in/a.jpg' would overwrite a picture that is read; choose another folder."


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="may read anything")
def test_a_folder_that_may_not_be_read(here, refusal):
    os.chmod("photos/in", 0)
    told = refusal(planned_batch, "photos", "out")
    os.chmod("photos/in", 0o700)
    assert told == "The folder 'photos/in' cannot be read (Permission denied); change its permissions."


def test_no_file_is_asked_about_by_itself(here, monkeypatch):
    asked = []
    stat = os.stat

    def counted(path, *args, **options):
        asked.append(path)
        return stat(path, *args, **options)

    for number in range(50):
        os.link("photos/a.jpg", f"photos/x{number}.jpg")
    monkeypatch.setattr(os, "stat", counted)
    assert len(photos("photos")) == 55
    assert len(asked) < 20
