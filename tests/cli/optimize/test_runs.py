"""tfstyle optimize: what is handed on, and what is written."""

import dataclasses
import json
import os

import numpy as np
import pytest
from PIL import Image

import tfstyle.api
from tfstyle import __version__, images
from tfstyle.cli import flags, main
from tfstyle.gatys.record import Record
from tfstyle.look import Look

PLAIN = ("optimize", "photo.png", "paint.png", "-o", "out.png", "--size", "64")


# What is handed on


def call(stand_in, *words):
    """The keywords with which a command line calls the optimizer."""
    assert main(["optimize", "-o", "out.png", *words]) == 0
    return stand_in["calls"].pop()


def test_only_given_flags_are_settings(folder, stand_in):
    plain = {"content": "photo.png", "style": ["paint.png"], "weights": None, "init": None,
             "checkpoint": None, "preset": "default", "size": 512}
    assert call(stand_in, "photo.png", "paint.png") == plain
    words = ["photo.png", "paint.png", "--preset", "gatys2016", "--steps", "7", "--no-normalized"]
    assert call(stand_in, *words) == plain | {"preset": "gatys2016", "steps": (7,), "normalized": False}


def test_styles_before_and_after_flags(folder, stand_in):
    words = ["photo.png", "paint.png", "--size", "none", "glass.png", "--weights", "3", "1"]
    found = call(stand_in, *words)
    assert found["style"] == ["paint.png", "glass.png"]
    assert found["weights"] == (3.0, 1.0) and found["size"] is None


def test_masks_and_texture(files, stand_in, monkeypatch):
    run, given = tfstyle.api.optimize_pictures, []

    def optimize_pictures(*args, masks=None, texture=None, **settings):
        given.append((masks, texture))
        return run(*args, **settings)

    monkeypatch.setattr(tfstyle.api, "optimize_pictures", optimize_pictures)
    words = ["photo.png", "paint.png", "glass.png", "--texture", "glass.png", "--masks", "left.png"]
    found = call(stand_in, *words, "--trace", "run.json")
    assert found["style"] == ["paint.png", "glass.png"] and found["weights"] is None
    call(stand_in, "none", "paint.png", "--texture", "glass.png")
    call(stand_in, "photo.png", "paint.png")
    assert given == [(["left.png"], "glass.png"), (None, "glass.png"), (None, None)]
    with open("run.json", encoding="utf-8") as file:
        told = json.load(file)
    assert (told["masks"], told["texture"]) == (["left.png"], "glass.png")


@pytest.mark.parametrize("field", dataclasses.fields(Look), ids=lambda field: field.name)
def test_every_setting_of_the_look_reaches_the_call(files, stand_in, field):
    kind, choices = str(field.type), field.metadata["choices"]
    if choices:
        value = next(choice for choice in choices if choice != field.default)
    else:
        value = not field.default if "bool" in kind else 48 if "int" in kind else 0.75
    words = flags.typed(field.name, value).split()
    assert call(stand_in, "photo.png", "paint.png", *words)[field.name] == value


def test_texture_and_content_alone_start_from_noise(folder, stand_in):
    found = call(stand_in, "none", "paint.png")
    assert found["content"] is None and found["content_weight"] == 0 and found["init"] == "noise"
    found = call(stand_in, "photo.png", "--style-weight", "0")
    assert found["style"] is None and found["style_weight"] == 0 and found["init"] == "noise"
    assert call(stand_in, "none", "paint.png", "--init", "style")["init"] == "style"


def test_flagfile(folder, stand_in):
    (folder / "recipe.flags").write_text("# a recipe\n--steps=3,2\n--size=48\n")
    found = call(stand_in, "photo.png", "paint.png", "--flagfile=recipe.flags", "--size", "64")
    assert found["steps"] == (3, 2) and found["size"] == 64


# What is written


def test_the_line_and_the_picture(files, stand_in, capsys):
    assert main(PLAIN) == 0
    told = capsys.readouterr()
    assert told.out == "out.png  64x48  2.0 s  content_loss 0.2500  style_rel 0.1250  tv 0.5000\n"
    assert told.err == ""
    assert files() == ["out.png"]
    with Image.open("out.png") as image:
        assert image.size == (64, 48) and image.mode == "RGB" and image.getextrema() == ((255, 255),) * 3


def test_quiet(files, stand_in, capsys):
    assert main([*PLAIN, "--quiet"]) == 0
    assert tuple(capsys.readouterr()) == ("", "")
    assert files() == ["out.png"]


def test_trace(files, stand_in):
    assert main([*PLAIN, "--steps", "2", "--trace", "run.json", "--preset", "tf-tutorial"]) == 0
    with open("run.json", encoding="utf-8") as file:
        told = json.load(file)
    assert (told["tfstyle"], told["content"], told["styles"]) == (__version__, "photo.png", ["paint.png"])
    assert (told["width"], told["height"], told["preset"]) == (64, 48, "tf-tutorial")
    assert told["settings"]["steps"] == [2] and told["settings"]["content_layers"] == ["block5_conv2"]
    assert set(told["versions"]) == {"python", "tensorflow", "keras", "numpy", "pillow"}
    assert told["versions"]["numpy"] == np.__version__
    assert [record["step"] for record in told["records"]] == [1, 2, 3, 4]
    assert told["records"][1]["weighted"] == {
        "content/relu4_2": 0.5, "style/relu1_1": 1.0, "style/relu2_1": 1.0, "tv": 0.0}
    assert told["final"]["figures"]["style_rel"] == 0.125
    assert told["faults"] == [] and told["interrupted"] is False


def test_frames(files, stand_in):
    assert main([*PLAIN, "--save-every", "2"]) == 0
    assert files() == ["out-0002.png", "out-0004.png", "out.png"]
    frame = images.read("out-0002.png").rgb
    assert frame.shape == (48, 64, 3) and abs(frame - 0.5).max() < 0.01
    assert main([*PLAIN, "--save-every", "3", "--frames-dir", "frames"]) == 0
    assert os.listdir("frames") == ["out-0003.png"]


def test_plot(files, stand_in):
    pytest.importorskip("matplotlib")
    assert main([*PLAIN, "--plot", "loss.png"]) == 0
    with Image.open("loss.png") as image:
        assert image.size == (960, 600)


def test_quality(files, stand_in, monkeypatch):
    told = []
    monkeypatch.setattr(images, "write", lambda *args, quality: told.append((args[0], quality)))
    assert main(["optimize", "photo.png", "paint.png", "-o", "out.jpg", "--quality", "80"]) == 0
    assert main(PLAIN) == 0
    assert told == [("out.jpg", 80), ("out.png", 95)]


# The real loop, through a network of few filters


def run(*words, picture=("glass.png", "paint.png")):
    return main(["optimize", *picture, "-o", "out.png", "--size", "64", "--scales", "2", "--steps", "2,3",
                 "--precision", "float32", *words])


def test_a_real_run(folder, files, tiny_vgg, capsys):
    assert run("--trace", "run.json", "--save-every", "5", "--checkpoint", "run.npz") == 0
    told = capsys.readouterr()
    assert told.err == "" and told.out.startswith("out.png  64x48  ")
    assert files() == ["out-0005.png", "out.png", "run.json", "run.npz"]
    painted, glass = images.read("out.png"), images.read("glass.png", size=64)
    np.testing.assert_array_equal(images.to_uint8(painted.alpha), images.to_uint8(glass.alpha))
    assert abs(painted.rgb - glass.rgb).max() > 0.05
    with open("run.json", encoding="utf-8") as file:
        trace = json.load(file)
    assert [(record["step"], record["steps"], record["scale"]) for record in trace["records"]] == [
        (1, 5, 32), (2, 5, 32), (3, 5, 64), (4, 5, 64), (5, 5, 64)]
    for record in trace["records"]:
        assert record["total"] == pytest.approx(sum(record["weighted"].values()))
    with Image.open("out.png") as image:  # as it is: reading it anew continues colors under its transparency
        rgb = np.asarray(image)[..., :3] / np.float32(255)
    difference = [np.abs(np.diff(rgb, axis=axis)).mean() for axis in (0, 1)]
    assert trace["final"]["figures"]["tv"] == pytest.approx(sum(difference), rel=1e-5)
    assert f"tv {trace['final']['figures']['tv']:.4f}\n" in told.out

    # The finished run's checkpoint gives the same picture again, and all records, without a step.
    written = (folder / "out.png").read_bytes()
    os.remove("out.png")
    assert run("--trace", "again.json", "--checkpoint", "run.npz") == 0
    assert (folder / "out.png").read_bytes() == written
    with open("again.json", encoding="utf-8") as file:
        assert json.load(file)["records"] == trace["records"]

    # To another run it is refused.
    os.remove("out.png")
    capsys.readouterr()
    assert run("--checkpoint", "run.npz", "--style-weight", "2") == 2
    told = capsys.readouterr()
    assert told.out == "" and told.err.count("\n") == 1
    assert told.err.startswith("tfstyle: run.npz belongs to another run")
    assert not os.path.exists("out.png")


def test_a_real_texture_and_content_alone(files, tiny_vgg, capsys):
    assert run("--style-scale", "1.5", picture=("none", "paint.png")) == 0
    line = capsys.readouterr().out
    assert line.startswith("out.png  48x64") and "content_loss" not in line and "style_rel" in line
    assert run("--style-weight", "0", picture=("photo.png",)) == 0
    line = capsys.readouterr().out
    assert line.startswith("out.png  64x48") and "content_loss" in line and "style_rel" not in line


def test_an_unknown_layer_is_refused(files, tiny_vgg, capsys):
    assert run("--style-layers", "relu9_1") == 2
    told = capsys.readouterr()
    assert told.out == "" and "relu9_1" in told.err and told.err.count("\n") == 1
    assert files() == []


def test_while_a_texture_is_mixed_nothing_is_written(files, stand_in, monkeypatch):
    """Its records, of step 0, are none of the run's."""
    run = tfstyle.api.optimize_pictures

    def optimize_pictures(*args, callback, texture, **settings):
        mixing = Record(0, 60, 512, {}, {}, 0.0, pytest.fail)
        assert callback(mixing) is callback(mixing) is False
        return run(*args, callback=callback, **settings)

    monkeypatch.setattr(tfstyle.api, "optimize_pictures", optimize_pictures)
    assert main([*PLAIN, "--texture", "glass.png", "--save-every", "4", "--trace", "run.json"]) == 0
    assert files() == ["out-0004.png", "out.png", "run.json"]
    with open("run.json", encoding="utf-8") as file:
        assert [record["step"] for record in json.load(file)["records"]] == [1, 2, 3, 4]
