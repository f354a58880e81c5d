"""Folders of pictures: what is found, what is skipped, and what becomes of pictures that fail."""

import dataclasses
import errno
import os
import subprocess
import sys

import pytest
from PIL import Image

import tfstyle
from tfstyle import folder, images
from tfstyle.folder import FolderResult, prepared_folder, stylize_folder

OURS = {"model": "network.npz", "precision": "float32", "size": 48}
RESULTS = ["C.png", "a.jpg", "b.png", "d.webp"]


# What is found, and what it is called


def test_what_is_a_picture(here, listed, quick):
    result = stylize_folder("photos", "paint.png", "out", **OURS)
    assert listed("out") == RESULTS
    assert result == FolderResult([os.path.join("out", name) for name in RESULTS], [], {}, 0)


def test_folders_inside(here, listed, quick):
    result = stylize_folder(here / "photos", "paint.png", here / "new" / "out", recursive=True, **OURS)
    assert listed("new/out") == [*RESULTS, "in/a.jpg", "in/deep/e.png"]
    assert result.done[-1] == str(here / "new" / "out" / "in" / "deep" / "e.png")


def test_an_output_inside_is_not_painted(here, listed, quick):
    for _ in range(2):
        stylize_folder("photos", "paint.png", "photos/out", recursive=True, overwrite=True, **OURS)
    assert listed("photos/out") == [*RESULTS, "in/a.jpg", "in/deep/e.png"]


def test_formats_and_quality(here, listed, quick):
    stylize_folder("photos", "paint.png", "fine", format="jpg", **OURS)
    stylize_folder("photos", "paint.png", "rough", format="jpg", quality=10, **OURS)
    assert listed("fine") == listed("rough") == ["C.jpg", "a.jpg", "b.jpg", "d.jpg"]
    assert os.path.getsize("rough/a.jpg") < os.path.getsize("fine/a.jpg")


# Going on


def test_what_is_there_is_skipped(here, listed, quick):
    os.makedirs("out")
    (here / "out" / "b.png").write_bytes(b"mine")
    result = stylize_folder("photos", "paint.png", "out", **OURS)
    assert result == FolderResult(["out/C.png", "out/a.jpg", "out/d.webp"], ["out/b.png"], {}, 0) and len(quick) == 3
    assert (here / "out" / "b.png").read_bytes() == b"mine"
    result = stylize_folder("photos", "paint.png", "out", **OURS)
    assert result == FolderResult([], [f"out/{name}" for name in RESULTS], {}, 0) and len(quick) == 3
    result = stylize_folder("photos", "paint.png", "out", overwrite=True, **OURS)
    assert len(result.done) == 4 and not result.skipped and len(quick) == 7
    assert images.read("out/b.png").alpha is not None


def test_a_bad_file_in_the_middle(here, listed, quick):
    (here / "photos" / "bad.png").write_bytes((here / "photos" / "b.png").read_bytes()[:200])
    (here / "photos" / "text.png").write_text("no picture")
    Image.new("RGB", (9, 9)).save("photos/small.png")
    os.mkdir("out")
    os.mkdir("out/d.webp")
    result = stylize_folder("photos", "paint.png", "out", **OURS)
    assert listed("out") == ["C.png", "a.jpg", "b.png"] and result.left == 0
    begins = {
        "bad.png": "content picture 'photos/bad.png' cannot be decoded (",
        "d.webp": "output 'out/d.webp' is a folder; ",
        "small.png": "content picture 'photos/small.png' is 9x9 px (width x height); use one of at least 16 px a side.",
        "text.png": "content picture 'photos/text.png' is in no picture format that can be read, or damaged; ",
    }
    assert {os.path.basename(path) for path in result.failed} == begins.keys()
    for name, sentence in begins.items():
        assert result.failed[f"photos/{name}"].startswith(sentence)
    os.rmdir("out/d.webp")
    assert stylize_folder("photos", "paint.png", "out", **OURS).done == ["out/d.webp"]


@pytest.mark.parametrize("error", [MemoryError(), tfstyle.InputError("A 48x36 px picture needs 9 GiB.")])
def test_a_picture_that_memory_runs_out_for(here, listed, monkeypatch, error):
    def painter(job):
        def paint(photo):
            rgb, alpha = photo
            if alpha is not None:
                raise error
            return images.to_pil(rgb)
        return paint

    monkeypatch.setattr(folder, "_painter", painter)
    result = stylize_folder("photos", "paint.png", "out", **OURS)
    assert result.failed == {"photos/b.png": str(error) or "memory ran out; use a smaller size."}
    assert listed("out") == ["C.png", "a.jpg", "d.webp"]


def test_a_callback_sees_what_is_done_and_stops_it(here, listed, quick, monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    told = []

    def callback(result):
        told.append(dataclasses.replace(result, done=list(result.done)))
        return len(told) == 1

    for number in range(20):
        Image.new("RGB", (20, 20)).save(f"photos/x{number:02}.png")
    result = stylize_folder("photos", "paint.png", "out", callback=callback, **OURS)
    assert [len(one.done) for one in told] == list(range(1, len(told) + 1))
    assert [one.left for one in told] == [24 - len(one.done) for one in told]
    assert told[0].done == ["out/C.png"] and 0 < result.left < 24
    assert sorted(f"out/{name}" for name in listed("out")) == sorted(result.done)
    again = stylize_folder("photos", "paint.png", "out", **OURS)
    assert again.skipped == result.done and len(again.done) == result.left and again.left == 0


def test_a_full_disk_stops_it(here, listed, quick, monkeypatch):
    for number in range(20):
        Image.new("RGB", (20, 20)).save(f"photos/x{number:02}.png")

    def replace(source, target):
        raise OSError(errno.ENOSPC, "No space left on device")

    job = prepared_folder("photos", "paint.png", "out", **(OURS | {"size": None}))
    monkeypatch.setattr(os, "replace", replace)
    result = folder.paint_folder(job)
    assert result.left and result.failed and not result.done and listed("out") == []
    assert all("No space left on device" in sentence for sentence in result.failed.values())


def test_a_defect_is_not_swallowed(here, monkeypatch):
    monkeypatch.setattr(folder, "_painter", lambda job: lambda photo: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        stylize_folder("photos", "paint.png", "out", **OURS)


def test_nothing_to_do_imports_no_tensorflow(here, quick):
    stylize_folder("photos", "paint.png", "out", **OURS)
    code = f"""
import sys
from tfstyle.folder import stylize_folder
print(len(stylize_folder("photos", "paint.png", "out", **{OURS}).skipped), "tensorflow" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.stdout == "4 False\n", done.stderr
