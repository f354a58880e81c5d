"""tfstyle stylize: what is checked, what is handed on, what is written, and with which exit code."""

import dataclasses
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import tfstyle
import tfstyle.api
from tfstyle import images
from tfstyle.cli import flags, main
from tfstyle.controls import Controls

PLAIN = ("stylize", "photo.png", "paint.png", "-o", "out.png", "--size", "64")
INPUTS = ["glass.png", "left.png", "network.npz", "paint.png", "photo.png"]


@pytest.fixture
def model(folder, network_file):
    """network.npz in the current folder: what --model is given."""
    (folder / "network.npz").write_bytes(network_file.read_bytes())
    return ("--model", "network.npz")


@pytest.fixture
def files(folder):
    """Lists what a run has left beside the inputs, of which left.png is a mask: white on the left."""
    Image.fromarray(np.uint8([[255, 0]])).resize((40, 30)).save("left.png")
    return lambda: sorted(set(os.listdir()) - set(INPUTS))


@pytest.fixture
def asked(monkeypatch):
    """Puts an engine without a network in place of the front door; returns what it is asked for, call by call."""
    calls = []

    def stylize(content, style, **settings):
        calls.append({"content": content, "style": style} | settings)
        return Image.new("RGB", (64, 48), (255, 128, 0))

    monkeypatch.setattr(tfstyle.api, "stylize", stylize)
    return calls


@pytest.mark.parametrize(("words", "sentence"), [
    (["--strength", "1.5"], "--strength must be a number from 0 to 1; received 1.5."),
    (["--strength", "much"], "--strength must be a number from 0 to 1; received 'much'."),
    (["--size", "9"], "--size must be a whole number of at least 16; received 9."),
    (["--style-size", "9.5"], "--style-size must be a whole number of at least 16; received 9.5."),
    (["--style-size", "17"], "style picture 'paint.png' is 48x64 px and its short side would be 13 px at size 17; "),
    (["--precision", "float23"], "--precision must be one of 'auto', 'float32', 'bfloat16'; received 'float23'; did"),
    (["--quality", "0"], "--quality must be a whole number from 1 to 100; received 0."),
    (["--weights", "1", "2"], "--weights must have one number for each STYLE; received 2 for 1."),
    (["--weights", "x"], "Argument --weights: 'x' is no number; name the pictures before this flag; see tfstyle sty"),
    (["--model", "gone.npz"], "There is no model 'gone.npz'; check the path, or use the model default."),
    (["--model", "."], "model '.' is a folder without a saved_model.pb; name the folder that holds it."),
    (["-o", "out.gif"], "output 'out.gif' has the unknown extension '.gif'; use one of "),
    (["-o", "gone/out.png"], "output 'gone/out.png': '{here}/gone' does not exist; make that folder first"),
    (["-o", "photo.png"], "--output 'photo.png' would overwrite the picture 'photo.png'; choose another name."),
    (["--color", "luminence"], "--color must be one of 'style', 'luminance', 'match', 'histogram'; received 'lumin"),
    (["--style-scale", "2", "--style-size", "40"], "style_size and style_scale both say how large the style is lo"),
    (["--masks", "left.png", "glass.png"], "--masks must have one picture for each STYLE, or one fewer; received 2 "
     "(left.png, glass.png) for 1: name CONTENT and every STYLE before this flag."),
    (["--masks", "gone.png"], "mask 1 'gone.png' does not exist; "),
    (["--masks", "paint.png"], "mask 1 'paint.png' is 48x64 px and the photo 64x48 px, which is another ratio"),
    (["--masks", "left.png", "--weights", "1"], "weights mix styles everywhere and masks give each its place; "),
    (["--texture", "gone.png"], "texture picture 'gone.png' does not exist; "),
    (["--texture", "glass.png", "-o", "glass.png"], "--output 'glass.png' would overwrite the picture 'glass.png'; "),
    (["--masks", "left.png", "-o", "left.png"], "--output 'left.png' would overwrite the picture 'left.png'; choose"),
    (["--recursive"], "--recursive is for a folder as CONTENT, and 'photo.png' is none."),
    (["--overwrite"], "--overwrite is for a folder as CONTENT, and 'photo.png' is none."),
    (["--format", "png"], "--format is for a folder as CONTENT, and 'photo.png' is none."),
])
def test_bad_flags(refused, files, model, asked, words, sentence):
    assert refused(*PLAIN, *model, *words).startswith(sentence.format(here=os.getcwd()))
    assert files() == [] and asked == []


@pytest.mark.parametrize(("words", "sentence"), [
    (["gone.png", "paint.png"], "content picture 'gone.png' does not exist; "),
    (["photo.png", "pain.png"], "style picture 'pain.png' does not exist; did you mean 'paint.png'?"),
    (["photo.png"], "There is no STYLE picture; name one after CONTENT, or give a --model of one style."),
    (["photo.png", "--masks", "left.png", "glass.png", "paint.png"], "--masks must have one picture for each STYLE, "
     "or one fewer; received 3 (left.png, glass.png, paint.png) for 0: name CONTENT and every STYLE before this flag."),
    ([], "The following arguments are required: CONTENT; see tfstyle stylize --help."),
])
def test_bad_pictures(refused, files, model, asked, words, sentence):
    assert refused("stylize", *words, "-o", "out.png", *model).startswith(sentence)
    assert files() == [] and asked == []


def test_without_shipped_weights(refused, files, monkeypatch):
    monkeypatch.setattr("tfstyle.controls.SHIPPED", {})
    assert refused(*PLAIN).startswith("The one-pass network's weights are not part of this version")
    assert files() == []


def test_bad_command_lines_import_no_tensorflow(folder, files, model, one_style):
    (folder / "bad.npz").write_bytes((folder / "wave.npz").read_bytes()[:999])
    good = ["stylize", "photo.png", "paint.png", "-o", "out.png", *model]
    lines = [
        ["stylize"], ["stylize", "gone.png", "paint.png", "-o", "out.png", *model], [*good, "--strength", "2"],
        [*good, "--model", "gone.npz"], [*good, "-o", "out.gif"], [*good, "--weights", "1", "2"],
        ["stylize", "photo.png", "-o", "out.png", *model], [*good, "--model", "wave.npz"],
        ["stylize", "photo.png", "-o", "out.png", "--model", "wave.npz", "--strength", "0.5"],
        ["stylize", "photo.png", "-o", "out.png", "--model", "bad.npz"], [*good, "--masks", "paint.png"],
        [*good, "--texture", "gone.png"], ["stylize", ".", "paint.png", "-o", ".", *model],
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


def test_what_is_handed_on(files, model, asked):
    """What was asked for and nothing else: the defaults are the call's own."""
    assert main([*PLAIN, *model]) == 0
    plain = {"content": "photo.png", "style": ["paint.png"], "size": 64, "weights": None, "model": "network.npz"}
    assert asked.pop() == plain
    words = ["--style-size", "40", "glass.png", "--strength=.5", "--precision", "float32", "--weights", "3", "1"]
    assert main([*PLAIN, *model, *words]) == 0
    assert asked.pop() == plain | {
        "style": ["paint.png", "glass.png"], "style_size": 40, "strength": 0.5, "precision": "float32",
        "weights": (3.0, 1.0),
    }
    assert main([*PLAIN, *model, "--size", "none"]) == 0
    assert asked.pop()["size"] is None


def test_masks_and_texture_are_handed_on(files, model, asked):
    words = ["stylize", "photo.png", "paint.png", "glass.png", *model, "--texture", "glass.png"]
    for masks in (["left.png", "left.png"], ["left.png"]):
        assert main([*words, "--masks", *masks, "-o", "out.png"]) == 0
        found = asked.pop()
        assert found["style"] == ["paint.png", "glass.png"] and found["weights"] is None
        assert found["masks"] == masks and found["texture"] == "glass.png"
    # A STYLE may follow the masks after another flag, but not at once.
    assert main(["stylize", "photo.png", "--masks", "left.png", "-o", "out.png", "paint.png", *model]) == 0
    assert asked.pop()["style"] == ["paint.png"]


@pytest.mark.parametrize("field", dataclasses.fields(Controls), ids=lambda field: field.name)
def test_every_setting_reaches_the_call(files, model, asked, field):
    """With a value that is not its default, whatever settings there will be."""
    kind, meta = str(field.type), field.metadata
    if field.name == "model":
        words, value = ["--model", "network.npz"], "network.npz"
    elif "bool" in kind:
        words, value = [flags.typed(field.name, not field.default)], not field.default
    elif meta["choices"]:
        value = next(choice for choice in meta["choices"] if choice != field.default)
        words = [flags.flag(field.name), value]
    else:
        value = 48 if "int" in kind else 0.75
        words = [flags.flag(field.name), str(value)]
    assert main(["stylize", "photo.png", "paint.png", "-o", "out.png", *model, *words]) == 0
    assert asked.pop() == {"content": "photo.png", "style": ["paint.png"], "weights": None, "model": "network.npz"} | {
        field.name: value}


def test_the_line_and_the_picture(files, model, asked, capsys):
    assert main([*PLAIN, *model]) == 0
    told = capsys.readouterr()
    assert re.fullmatch(r"out\.png  64x48  \d+\.\d s\n", told.out) and told.err == ""
    assert files() == ["out.png"]
    assert images.to_uint8(images.read("out.png").rgb)[0, 0].tolist() == [255, 128, 0]
    os.remove("out.png")
    assert main([*PLAIN, *model, "--quiet"]) == 0
    assert tuple(capsys.readouterr()) == ("", "") and files() == ["out.png"]


def test_quality(files, model, asked):
    for quality in ("20", "95"):
        words = ["-o", f"{quality}.jpg", "--quality", quality]
        assert main(["stylize", "photo.png", "paint.png", "--size", "64", *model, *words]) == 0
    with Image.open("20.jpg") as rough, Image.open("95.jpg") as fine:
        assert rough.quantization[0][0] > fine.quantization[0][0]


def test_flagfile(files, model, asked):
    with open("recipe.flags", "w", encoding="utf-8") as file:
        file.write("# a recipe\n--strength=0.25\n--weights=1,3\n")
    assert main(["stylize", "photo.png", "paint.png", "glass.png", "-o", "out.png", *model,
                 "--flagfile=recipe.flags"]) == 0
    assert asked[0]["strength"] == 0.25 and asked[0]["weights"] == (1.0, 3.0)


@pytest.mark.parametrize("kind", ["memory", "device"])
def test_memory_running_out(files, model, monkeypatch, capsys, kind):
    import tensorflow as tf

    def stylize(*_, **__):
        raise MemoryError if kind == "memory" else tf.errors.ResourceExhaustedError(None, None, "OOM")

    monkeypatch.setattr(tfstyle.api, "stylize", stylize)
    assert main([*PLAIN, *model]) == 1
    assert tuple(capsys.readouterr()) == ("", "tfstyle: memory ran out; use a smaller --size.\n")
    assert files() == []


def test_ctrl_c_writes_nothing(files, model, monkeypatch, capsys):
    def stylize(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(tfstyle.api, "stylize", stylize)
    assert main([*PLAIN, *model]) == 130
    assert tuple(capsys.readouterr()) == ("", "tfstyle: interrupted.\n")
    assert files() == []


def test_a_disk_that_refuses_in_the_end_keeps_the_old_picture(files, model, asked, monkeypatch, refused):
    Image.new("RGB", (20, 20)).save("out.png")
    with open("out.png", "rb") as file:
        before = file.read()

    def replace(source, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", replace)
    assert "No space left on device" in refused(*PLAIN, *model)
    with open("out.png", "rb") as file:
        assert file.read() == before
    assert files() == ["out.png"]


def test_a_real_run(files, model, capsys):
    words = ["stylize", "glass.png", "paint.png", "photo.png", "-o", "out.png", "--size", "48", *model,
             "--precision", "float32"]
    assert main([*words, "--strength", "0.6", "--weights", "3", "1"]) == 0
    told = capsys.readouterr()
    assert told.err == "" and told.out.startswith("out.png  48x36  ")
    engine = tfstyle.ArbitraryStylizer("network.npz", precision="float32")
    wanted = engine.stylize("glass.png", ["paint.png", "photo.png"], weights=[3, 1], strength=0.6, size=48)
    with Image.open("out.png") as image:
        assert image.mode == "RGBA"
        np.testing.assert_array_equal(np.asarray(image), np.asarray(wanted))
    assert main([*words, "--strength", "0"]) == 0
    glass = images.read("glass.png", size=48)
    with Image.open("out.png") as image:
        np.testing.assert_array_equal(np.asarray(image), np.asarray(images.to_pil(glass.rgb, glass.alpha)))
    assert files() == ["out.png"]


# A model of one style


@pytest.fixture(scope="module")
def style_file(tmp_path_factory):
    """The path of a small network for one style, of random weights."""
    from tfstyle.nets import network_files
    from tfstyle.nets.feedforward import FeedForwardConfig, feedforward

    config = FeedForwardConfig(widths=(4, 6, 8, 8), blocks=1)
    path = tmp_path_factory.mktemp("one") / "wave.npz"
    network_files.save(path, feedforward(config), config)
    return path


@pytest.fixture
def one_style(folder, style_file):
    """wave.npz in the current folder: a command line with it, and without a STYLE."""
    (folder / "wave.npz").write_bytes(style_file.read_bytes())
    return ("stylize", "glass.png", "--model", "wave.npz", "-o", "out.png", "--size", "48")


@pytest.mark.parametrize(("words", "sentence"), [
    (["paint.png"], "The model 'wave.npz' paints in the one style that it has learned; give no style picture."),
    (["--strength", "0.5"], "strength is for models of any style, and 'wave.npz' paints in one; leave it out."),
    (["--style-size", "64"], "style_size is for models of any style, and 'wave.npz' paints in one; leave it out."),
    (["--weights", "1"], "weights is for models of any style, and 'wave.npz' paints in one; leave it out."),
    (["--model", "wvae.npz"], "There is no model 'wvae.npz'; "),
    (["--model", "swril"], "There is no model 'swril'; did you mean 'swirl'?"),
    (["--model", "bad.npz"], "bad.npz holds no network that this tfstyle knows, or is damaged: give another file."),
    (["-o", "glass.png"], "--output 'glass.png' would overwrite the picture 'glass.png'; choose another name."),
])
def test_bad_flags_for_one_style(refused, one_style, asked, monkeypatch, words, sentence):
    monkeypatch.setattr("tfstyle.controls.shipped_styles", lambda: ("swirl",))
    with open("bad.npz", "wb") as file:
        file.write(b"no network")
    assert refused(*one_style, *words).startswith(sentence)
    assert asked == [] and not os.path.exists("out.png")


def test_an_older_file_is_told_in_one_sentence(refused, one_style):
    with np.load("wave.npz") as file:
        arrays = dict(file)
    arrays["config"] = np.frombuffer(bytes(arrays["config"]).replace(b'"version": 1', b'"version": 0'), np.uint8)
    np.savez("wave.npz", **arrays)
    assert refused(*one_style).startswith("wave.npz is of version 0, and this tfstyle reads version 1: ")
    assert not os.path.exists("out.png")


def test_a_real_run_in_one_style(one_style, capsys):
    assert main([*one_style, "--precision", "float32"]) == 0
    told = capsys.readouterr()
    assert told.err == "" and told.out.startswith("out.png  48x36  ")
    wanted = tfstyle.FeedForwardStylizer("wave.npz", precision="float32").stylize("glass.png", size=48)
    with Image.open("out.png") as image:
        assert image.mode == "RGBA"
        np.testing.assert_array_equal(np.asarray(image), np.asarray(wanted))
