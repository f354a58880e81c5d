"""tfstyle enlarge: what is checked, what is handed on, what is written, and with which exit code."""

import os
import re
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import tfstyle
import tfstyle.enlarger
from tfstyle import images
from tfstyle.cli import main

PLAIN = ("enlarge", "photo.png", "-o", "out.png")
INPUTS = ["eight.npz", "glass.png", "network.npz", "paint.png", "photo.png"]


@pytest.fixture(scope="module")
def networks(tmp_path_factory):
    """Bytes of .npz files that enlarge, by their factors."""
    from tfstyle.nets import network_files
    from tfstyle.nets.superres import SuperResConfig, superres

    path, found = tmp_path_factory.mktemp("network") / "network.npz", {}
    for factor in (4, 8):
        config = SuperResConfig(factor, width=4, blocks=1, normalization="none")
        network_files.save(path, superres(config), config)
        found[factor] = path.read_bytes()
    return found


@pytest.fixture
def model(folder, networks):
    """network.npz in the current folder: what --model is given."""
    (folder / "network.npz").write_bytes(networks[4])
    return ("--model", "network.npz")


@pytest.fixture
def eight(folder, networks):
    """Another that enlarges by 8."""
    (folder / "eight.npz").write_bytes(networks[8])
    return ("--model", "eight.npz")


@pytest.fixture
def files(folder):
    """Lists what a run has left beside the inputs."""
    return lambda: sorted(set(os.listdir()) - set(INPUTS))


@pytest.fixture
def asked(monkeypatch):
    """Puts an engine without a network in the enlarger's place; returns what it is asked for, call by call."""
    calls = []

    class Enlarger:
        def __init__(self, model, **settings):
            calls.append({"model": model} | settings)

        def enlarge(self, picture, **settings):
            calls[-1] |= {"shape": picture.rgb.shape} | settings
            return Image.new("RGB", (320, 240), (255, 128, 0))

    monkeypatch.setattr(tfstyle.enlarger, "Enlarger", Enlarger)
    return calls


@pytest.mark.parametrize(("words", "sentence"), [
    (["--factor", "3"], "factor must be 4 or 8; received 3."),
    (["--factor", "two"], "--factor must be a whole number; received 'two'."),
    (["--precision", "float23"], "--precision must be one of 'auto', 'float32', 'bfloat16'; received 'float23'; did"),
    (["--quality", "0"], "--quality must be a whole number from 1 to 100; received 0."),
    (["--model", "gone.npz"], "There is no model 'gone.npz'; check the path, or use the model default."),
    (["--model", "."], "model '.' is a folder without a saved_model.pb; name the folder that holds it."),
    (["--model", "paint.png"], "model 'paint.png' has an unknown ending; it must be .npz or .keras, or a folder."),
    (["-o", "out.gif"], "output 'out.gif' has the unknown extension '.gif'; use one of "),
    (["-o", "gone/out.png"], "output 'gone/out.png': '{here}/gone' does not exist; make that folder first"),
    (["-o", "photo.png"], "--output 'photo.png' would overwrite the picture 'photo.png'; choose another name."),
    (["more.png"], "tfstyle enlarge takes no argument 'more.png'; see tfstyle enlarge --help."),
    (["--match-histograms"], "There is no flag --match-histograms; did you mean --match-histogram?"),
])
def test_bad_flags(refused, files, model, asked, words, sentence):
    assert refused(*PLAIN, *model, *words).startswith(sentence.format(here=os.getcwd()))
    assert files() == [] and asked == []


def test_bad_pictures(refused, files, model, asked, monkeypatch):
    said = refused("enlarge", "phot.png", "-o", "out.png", *model)
    assert said == "picture 'phot.png' does not exist; did you mean 'photo.png'?"
    Image.new("RGB", (15, 40)).save("paint.png")
    assert refused("enlarge", "paint.png", "-o", "out.png", *model).startswith("picture 'paint.png' is 15x40 px")
    Image.new("RGB", (4100, 16)).save("paint.png")
    said = refused("enlarge", "paint.png", "-o", "out.webp", *model)
    assert said == "output 'out.webp': WEBP holds at most 16383 px a side, not 16400; use .png or .tiff."
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 16 * 80 * 60 - 1)
    assert refused(*PLAIN, *model).startswith("A 80x60 px picture would be 320x240 px, over the limit of 76799 ")
    assert files() == [] and asked == []


def test_without_shipped_weights(refused, files, monkeypatch):
    monkeypatch.setattr("tfstyle.weights.files.SHIPPED", {})
    assert refused(*PLAIN, "--factor", "8").startswith("No network that enlarges by 8 is part of this version of tfsty")
    assert files() == []


def test_a_model_of_another_factor(refused, files, model, eight, asked):
    said = refused(*PLAIN, *model, "--factor", "8")
    assert said == "The model 'network.npz' enlarges by 4, not by 8; use the factor 4 or another model."
    said = refused(*PLAIN, *eight, "--factor", "4")
    assert said == "The model 'eight.npz' enlarges by 8, not by 4; use the factor 8 or another model."
    assert files() == [] and asked == []


def test_the_models_own_factor(refused, files, eight, capsys, monkeypatch):
    assert main([*PLAIN, *eight, "--factor", "none", "--precision", "float32"]) == 0
    assert capsys.readouterr().out.startswith("out.png  640x480  ") and files() == ["out.png"]
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 64 * 80 * 60 - 1)
    assert refused(*PLAIN, *eight).startswith("A 80x60 px picture would be 640x480 px, over the limit of 307199 ")


def test_bad_command_lines_import_no_tensorflow(folder, model, eight, network_file):
    good = [*PLAIN, *model]
    lines = [
        ["enlarge"], ["enlarge", "gone.png", "-o", "out.png", *model], [*good, "--factor", "5"],
        [*good, "--model", "gone.npz"], [*good, "--model", str(network_file)], [*good, "-o", "out.gif"],
        [*PLAIN, *eight, "--factor", "4"],
    ]
    code = f"""
import sys
from tfstyle.cli import main
print([main(line) for line in {lines}], "tensorflow" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.stdout == f"{[2] * len(lines)} False\n"
    assert done.stderr.count("tfstyle: ") == len(lines)
    assert not (folder / "out.png").exists()


def test_what_is_handed_on(folder, model, eight, asked):
    assert main([*PLAIN, *model]) == 0
    plain = {"model": "network.npz", "factor": 4, "precision": "auto", "shape": (60, 80, 3), "match_histogram": True}
    assert asked.pop() == plain
    assert main([*PLAIN, *eight]) == 0
    assert asked.pop() == plain | {"model": "eight.npz", "factor": 8}
    assert main([*PLAIN, *eight, "--factor", "8", "--precision", "float32", "--no-match-histogram"]) == 0
    assert asked.pop() == plain | {
        "model": "eight.npz", "factor": 8, "precision": "float32", "match_histogram": False,
    }


def test_the_line_and_the_picture(files, model, asked, capsys):
    assert main([*PLAIN, *model]) == 0
    told = capsys.readouterr()
    assert re.fullmatch(r"out\.png  320x240  \d+\.\d s\n", told.out) and told.err == ""
    assert files() == ["out.png"]
    assert images.to_uint8(images.read("out.png").rgb)[0, 0].tolist() == [255, 128, 0]
    os.remove("out.png")
    assert main([*PLAIN, *model, "--quiet"]) == 0
    assert tuple(capsys.readouterr()) == ("", "") and files() == ["out.png"]


def test_quality_from_a_flagfile(files, model, asked):
    for quality in ("20", "95"):
        with open("recipe.flags", "w", encoding="utf-8") as file:
            file.write(f"# a recipe\n--quality={quality}\n")
        assert main(["enlarge", "photo.png", "-o", f"{quality}.jpg", *model, "--flagfile=recipe.flags"]) == 0
    with Image.open("20.jpg") as rough, Image.open("95.jpg") as fine:
        assert rough.quantization[0][0] > fine.quantization[0][0]


@pytest.mark.parametrize("kind", ["memory", "device"])
def test_memory_running_out(files, model, asked, monkeypatch, capsys, kind):
    import tensorflow as tf

    def enlarge(*_, **__):
        raise MemoryError if kind == "memory" else tf.errors.ResourceExhaustedError(None, None, "OOM")

    monkeypatch.setattr(tfstyle.enlarger.Enlarger, "enlarge", enlarge)
    assert main([*PLAIN, *model]) == 1
    assert tuple(capsys.readouterr()) == ("", "tfstyle: memory ran out; use a smaller picture.\n")
    assert files() == []


def test_ctrl_c_writes_nothing(files, model, asked, monkeypatch, capsys):
    def enlarge(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(tfstyle.enlarger.Enlarger, "enlarge", enlarge)
    assert main([*PLAIN, *model]) == 130
    assert tuple(capsys.readouterr()) == ("", "tfstyle: interrupted.\n")
    assert files() == []


def test_a_real_run(files, model, capsys):
    assert main(["enlarge", "glass.png", "-o", "out.png", *model, "--precision", "float32"]) == 0
    told = capsys.readouterr()
    assert told.err == "" and told.out.startswith("out.png  320x240  ")
    with Image.open("out.png") as image:
        assert image.mode == "RGBA"
        wanted = tfstyle.enlarge("glass.png", model="network.npz", precision="float32")
        np.testing.assert_array_equal(np.asarray(image), np.asarray(wanted))
    assert files() == ["out.png"]
