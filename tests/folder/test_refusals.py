"""Folders of pictures: what is refused before the work."""

import errno
import os

import numpy as np
import pytest

from tfstyle.folder import stylize_folder

OURS = {"model": "network.npz", "precision": "float32", "size": 48}


@pytest.mark.parametrize(("change", "sentence"), [
    ({"folder": "gone"}, "There is no folder 'gone'; check the path."),
    ({"folder": "paint.png"}, "There is no folder 'paint.png'; check the path."),
    ({"folder": "empty"}, "There is no picture in the folder 'empty'; check the path (with recursive, "),
    ({"folder": "empty", "recursive": True}, "There is no picture in the folder 'empty'; check the path."),
    ({"folder": 3}, "the folder must be a path (str or pathlib.Path); received int."),
    ({"output": "photos"}, "output 'photos' is the folder of the photos itself; choose another."),
    ({"output": "photos/../photos/"}, "output 'photos/../photos/' is the folder of the photos itself; choose another."),
    ({"output": "paint.png"}, "output 'paint.png' is a file, and 'photos' a folder of pictures; name a folder for "),
    ({"output": "new.jpg"}, "output 'new.jpg' is a file, and 'photos' a folder of pictures; name a folder for "),
    ({"output": "paint.png/out"}, "output 'paint.png/out' cannot be made (Not a directory); choose another place."),
    ({"style": "pain.png"}, "style picture 'pain.png' does not exist; did you mean 'paint.png'?"),
    ({"style": None}, "There is no style picture; give one or more."),
    ({"style": []}, "There is no style picture; give one or more."),
    ({"style_size": 17}, "style picture 'paint.png' is 48x64 px and its short side would be 13 px at size 17; "),
    ({"texture": "gone.png"}, "texture picture 'gone.png' does not exist; "),
    ({"weights": [1, 2]}, "There must be one weight for the one style; received 2."),
    ({"masks": ["a.png"]}, "masks fit one photo; leave them out, or stylize the photos of the folder one by one."),
    ({"format": "gif"}, "format must be one of 'png', 'jpg', 'jpeg', 'webp', 'tif', 'tiff', 'avif'; received 'gif'"),
    ({"quality": 0}, "quality must be a whole number from 1 to 100; received 0."),
    ({"model": "foreign", "strength": 0.5}, "The model 'foreign' takes one style picture, at strength 1 and without"),
    ({"model": "foreign", "style": ["paint.png", "other.png"]}, "The model 'foreign' takes one style picture, at st"),
    ({"style": np.zeros(12, np.float32), "color": "match", "color_when": "before"}, "color_when before recolors"),
    ({"strength": 2}, "strength must be a number from 0 to 1; received 2."),
    ({"stregth": 1}, "setting must be one of "),
    ({"model": "gone.npz"}, "There is no model 'gone.npz'; "),
])
def test_refusals(here, refusal, listed, change, sentence):
    os.makedirs("empty/inside")
    os.makedirs("foreign")
    (here / "foreign" / "saved_model.pb").write_bytes(b"")
    before = listed(".")
    call = {"folder": "photos", "style": "paint.png", "output": "out"} | OURS | change
    assert refusal(stylize_folder, **call).startswith(sentence)
    assert listed(".") == before and not os.path.exists("out")


@pytest.mark.parametrize("overwrite", [True, False])
def test_nothing_that_is_read_is_overwritten(here, refusal, quick, overwrite):
    os.makedirs("out")
    os.link("other.png", "out/b.png")
    os.symlink("../photos/a.jpg", "out/a.jpg")
    before = (here / "photos" / "a.jpg").read_bytes()
    told = refusal(stylize_folder, "photos", "paint.png", "out", overwrite=overwrite, **OURS)
    assert told == "output 'out/a.jpg' would overwrite a picture that is read; choose another folder."
    os.remove("out/a.jpg")
    for name in ("style", "texture"):
        call = {"style": "paint.png"} | {name: "out/b.png"}
        told = refusal(stylize_folder, "photos", output="out", overwrite=overwrite, **call, **OURS)
        assert told == "output 'out/b.png' would overwrite a picture that is read; choose another folder."
    assert (here / "photos" / "a.jpg").read_bytes() == before and not quick


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="may write anywhere")
def test_folders_that_may_not_be_read_or_written(here, refusal):
    os.makedirs("out")
    os.chmod("out", 0o500)
    assert "cannot be written (Permission denied)" in refusal(stylize_folder, "photos", "paint.png", "out", **OURS)
    os.chmod("photos/in", 0)
    told = refusal(stylize_folder, "photos", "paint.png", "new", recursive=True, **OURS)
    assert told == "The folder 'photos/in' cannot be read (Permission denied); change its permissions."


def test_a_folder_that_cannot_be_read_is_told(here, refusal, monkeypatch):
    walk = os.walk

    def unreadable(top, onerror=None):
        yield from walk(top)
        onerror(PermissionError(errno.EACCES, "Permission denied", "photos/in"))

    monkeypatch.setattr(os, "walk", unreadable)
    told = refusal(stylize_folder, "photos", "paint.png", "new", **OURS)
    assert told == "The folder 'photos/in' cannot be read (Permission denied); change its permissions."
