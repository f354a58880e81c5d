"""Folders of pictures: what is found, named, skipped and refused, and that each is painted as it is alone."""

import dataclasses
import errno
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import tfstyle
from tfstyle import folder, images
from tfstyle.folder import FolderResult, prepared_folder, stylize_folder


@pytest.fixture
def here(tmp_path, monkeypatch, network_file):
    """The current folder: photos/ of four pictures and what is none, paint.png beside it, and network.npz."""
    rng = np.random.default_rng(3)

    def picture(path, size, mode="RGB"):
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        Image.fromarray(rng.integers(20, 256, (5, 7, len(mode)), dtype=np.uint8)).resize(size).save(path)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    for path, size, mode in (
        ("photos/a.jpg", (48, 36), "RGB"), ("photos/b.png", (36, 48), "RGBA"), ("photos/C.BMP", (40, 40), "RGB"),
        ("photos/d.webp", (60, 30), "RGB"), ("photos/.hidden.png", (20, 20), "RGB"),
        ("photos/.tfstyle-0123.png", (20, 20), "RGB"), ("photos/in/a.jpg", (30, 30), "RGB"),
        ("photos/in/deep/e.png", (30, 30), "RGB"), ("photos/.in/f.png", (30, 30), "RGB"),
        ("paint.png", (48, 64), "RGB"), ("other.png", (50, 40), "RGB"),
    ):
        picture(path, size, mode)
    (tmp_path / "photos" / "notes.txt").write_text("no picture")
    (tmp_path / "network.npz").write_bytes(network_file.read_bytes())
    return tmp_path


@pytest.fixture
def listed():
    """Lists the files below a folder."""
    return lambda top: sorted(
        os.path.relpath(os.path.join(where, name), top) for where, _, names in os.walk(top) for name in names
    )


OURS = {"model": "network.npz", "precision": "float32", "size": 48}
RESULTS = ["C.png", "a.jpg", "b.png", "d.webp"]


@pytest.fixture
def quick(monkeypatch):
    """Puts a painter without a network in place of the real one: it turns photos over. Returns what it was given."""
    seen = []

    def painter(job):
        def paint(photo):
            seen.append(photo)
            return images.to_pil(255 - photo.rgb, photo.alpha)
        return paint

    monkeypatch.setattr(folder, "_painter", painter)
    return seen


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


# What is refused before the work


@pytest.mark.parametrize(("change", "sentence"), [
    ({"folder": "gone"}, "There is no folder 'gone'; check the path."),
    ({"folder": "paint.png"}, "There is no folder 'paint.png'; check the path."),
    ({"folder": "empty"}, "There is no picture in the folder 'empty'; check the path, or have its folders looked into"),
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
    ({"weights": [1, 2]}, "There must be one weight for each of the 1 styles; received 2."),
    ({"masks": ["a.png"]}, "masks fit one photo; leave them out, or stylize the photos of the folder one by one."),
    ({"format": "gif"}, "format must be one of 'png', 'jpg', 'jpeg', 'webp', 'tif', 'tiff', 'avif'; received 'gif'"),
    ({"quality": 0}, "quality must be a whole number from 1 to 100; received 0."),
    ({"model": "foreign", "strength": 0.5}, "The model 'foreign' takes one style picture, at strength 1 and without"),
    ({"model": "foreign", "style": ["paint.png", "other.png"]}, "The model 'foreign' takes one style picture, at st"),
    ({"style": np.zeros(12, np.float32), "color": "match", "color_when": "before"}, "color_when='before' recolors"),
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
            if photo.alpha is not None:
                raise error
            return images.to_pil(photo.rgb)
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


# Each picture is what it is alone


def pixels(image):
    return np.asarray(image)


@pytest.mark.parametrize("settings", [
    {}, {"size": None}, {"style_size": 40}, {"style_scale": 0.5}, {"strength": 0.4}, {"color": "luminance"},
    {"color": "match", "color_when": "before"}, {"photoreal": True, "size": 64}, {"tiled": "yes"},
    {"style": ["paint.png", "other.png"], "weights": [3, 1]}, {"texture": "other.png"},
], ids=lambda settings: ",".join(settings) or "plain")
def test_as_alone(here, settings):
    settings = OURS | {"style": "paint.png"} | settings
    style = settings.pop("style")
    result = stylize_folder("photos", style, "out", format="png", **settings)
    assert not result.failed and len(result.done) == 4
    for photo, painted in (("a.jpg", "a.png"), ("b.png", "b.png"), ("C.BMP", "C.png"), ("d.webp", "d.png")):
        with Image.open(f"out/{painted}") as image:
            np.testing.assert_array_equal(pixels(image), pixels(tfstyle.stylize(f"photos/{photo}", style, **settings)))


def test_codes_as_styles(here):
    code = tfstyle.ArbitraryStylizer("network.npz", precision="float32").style_code("paint.png", 48)
    stylize_folder("photos", code, "out", **OURS)
    with Image.open("out/b.png") as image:
        np.testing.assert_array_equal(pixels(image), pixels(tfstyle.stylize("photos/b.png", code, **OURS)))


def test_a_style_is_looked_at_once_for_each_size(here, monkeypatch):
    from tfstyle.stylizer import ArbitraryStylizer

    sizes = []
    measure = ArbitraryStylizer.style_code

    def style_code(self, style, style_size=512):
        sizes.append(style_size)
        return measure(self, style, style_size)

    monkeypatch.setattr(ArbitraryStylizer, "style_code", style_code)
    stylize_folder("photos", "paint.png", "one", **OURS)
    assert sizes == [48]
    stylize_folder("photos", "paint.png", "two", **(OURS | {"size": None, "style_size": 40}))
    assert sizes == [48, 40]
    stylize_folder("photos", "paint.png", "three", **(OURS | {"size": None, "style_scale": 2.0}))
    assert sizes == [48, 40, 80, 96, 120]


def test_a_model_of_one_style(here, refusal):
    from tfstyle.nets import network_files
    from tfstyle.nets.feedforward import FeedForwardConfig, feedforward

    config = FeedForwardConfig(widths=(4, 6, 8, 8), blocks=1)
    network_files.save("wave.npz", feedforward(config), config)
    call = {"model": "wave.npz", "precision": "float32", "size": 48}
    assert "give no style picture" in refusal(stylize_folder, "photos", "paint.png", "out", **call)
    result = stylize_folder("photos", None, "out", **call)
    assert len(result.done) == 4
    with Image.open("out/b.png") as image:
        np.testing.assert_array_equal(pixels(image), pixels(tfstyle.stylize("photos/b.png", **call)))


def test_memory_of_the_device_running_out(here, monkeypatch):
    import tensorflow as tf

    from tfstyle.stylizer import ArbitraryStylizer

    def stylize(self, content, *_, **__):
        if content.alpha is not None:
            raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")
        return images.to_pil(content.rgb)

    monkeypatch.setattr(ArbitraryStylizer, "stylize", stylize)
    result = stylize_folder("photos", "paint.png", "out", **OURS)
    assert result.failed == {"photos/b.png": "memory ran out; use a smaller size."} and len(result.done) == 3
