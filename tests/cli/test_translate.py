"""tfstyle translate: what is checked, what is handed on, what is written, and with which exit code."""

import os
import re
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image, ImageSequence

import tfstyle
import tfstyle.translator
from tfstyle import images
from tfstyle.checks import InputError
from tfstyle.cli import main

PLAIN = ("translate", "photo.png", "--model", "network.npz", "--size", "32", "-o")
INPUTS = ["glass.png", "network.npz", "paint.png", "photo.png"]
LINE = ("--interpolate", "paint.png", "photo.png")


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    """Bytes of an .npz between two domains."""
    from tfstyle.nets import network_files
    from tfstyle.nets.dsmap import DSMAPConfig, dsmap

    path = tmp_path_factory.mktemp("network") / "network.npz"
    config = DSMAPConfig(width=4, hidden=8, blocks=1)
    network_files.save(path, dsmap(config), config)
    return path.read_bytes()


@pytest.fixture
def model(folder, content):
    """network.npz in the current folder, which PLAIN names."""
    (folder / "network.npz").write_bytes(content)


@pytest.fixture(scope="module")
def engine(content, tmp_path_factory):
    """What the command line builds anew for each run."""
    path = tmp_path_factory.mktemp("engine") / "network.npz"
    path.write_bytes(content)
    return tfstyle.Translator(path, precision="float32")


@pytest.fixture
def files(folder):
    """Lists what a run has left beside the inputs."""
    return lambda: sorted(set(os.listdir()) - set(INPUTS))


@pytest.fixture
def asked(model, engine, monkeypatch):
    """Hands out the one engine; returns what it is asked for, call by call."""
    calls = []

    def built(model, **settings):
        calls.append({"model": model} | settings)
        return engine

    monkeypatch.setattr(tfstyle.translator, "Translator", built)
    return calls


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image)


def frames(path):
    """[RGB pixels] of an animation, and for how many ms each is shown."""
    with Image.open(path) as image:
        shown = [(np.asarray(frame.convert("RGB"), int), frame.info["duration"])
                 for frame in ImageSequence.Iterator(image)]
        assert image.info["loop"] == 0
    return [frame for frame, _ in shown], {duration for _, duration in shown}


def nearest(frame, pictures):
    """Which of some pictures a frame is, whose colors are not quite theirs."""
    return int(np.argmin([np.abs(frame - picture).mean() for picture in pictures]))


def wanted(engine, code, direction="a2b", size=32):
    return np.asarray(engine.translate("photo.png", code, direction=direction, size=size))


@pytest.mark.parametrize(("words", "sentence"), [
    (["--direction", "a2c"], "--direction must be one of 'a2b', 'b2a', 'a2a', 'b2b'; received 'a2c'."),
    (["--size", "15"], "--size must be a whole number of at least 16; received 15."),
    (["--style-size", "none"], "--style-size must be a whole number of at least 16; received 'none'."),
    (["--seed", "-1"], "--seed must be a whole number of at least 0; received -1."),
    (["--precision", "float23"], "--precision must be one of 'auto', 'float32', 'bfloat16'; received 'float23'; did"),
    (["--quality", "0"], "--quality must be a whole number from 1 to 100; received 0."),
    (["--model", "gone.npz"], "There is no model 'gone.npz'; check the path."),
    (["--model", "."], "model '.' is a folder without a saved_model.pb; name the folder that holds it."),
    (["--model", "paint.png"], "model 'paint.png' has an unknown ending; it must be .npz or .keras, or a folder."),
    (["--random-styles", "0"], "--random-styles must be a whole number from 1 to 1000; received 0."),
    (["--random-styles", "1001"], "--random-styles must be a whole number from 1 to 1000; received 1001."),
    (["--random-styles", "few"], "--random-styles must be a whole number from 1 to 1000; received 'few'."),
    ([*LINE, "1"], "the N of --interpolate must be a whole number from 2 to 1000; received 1."),
    ([*LINE, "more.png"], "the N of --interpolate must be a whole number from 2 to 1000; received 'more.png'."),
    ([*LINE], "Argument --interpolate: expected 3 arguments; see tfstyle translate --help."),
    (["--interpolate", "paint.png", "gone.png", "3"], "style picture 'gone.png' does not exist"),
    (["--style", "gone.png"], "style picture 'gone.png' does not exist"),
    (["--style", "paint.png", "--random-styles", "2"], "--style and --random-styles exclude each other; give one"),
    ([*LINE, "3", "--style", "paint.png"], "--style and --interpolate exclude each other; give one of them."),
    ([*LINE, "3", "--random-styles", "2"], "--random-styles and --interpolate exclude each other; give one of them."),
    (["-o", "out.gif"], "output 'out.gif' is for several pictures, and one comes out; use .png, .jpg or .webp."),
    (["-o", "out.bmp"], "output 'out.bmp' has the unknown extension '.bmp'; use one of "),
    (["-o", "out.bmp", "--random-styles", "2"], "output 'out-1.bmp' has the unknown extension '.bmp'; use one of "),
    (["-o", "gone/out.png"], "output 'gone/out.png': '{here}/gone' does not exist; make that folder first"),
    (["-o", "gone/out.gif", "--random-styles", "2"], "--output 'gone/out.gif': there is no folder '{here}/gone'; make"),
    (["-o", "photo.png"], "--output 'photo.png' would overwrite the picture 'photo.png'; choose another name."),
    (["-o", "paint.png", "--style", "paint.png"], "--output 'paint.png' would overwrite the picture 'paint.png'; ch"),
    (["more.png"], "tfstyle translate takes no argument 'more.png'; see tfstyle translate --help."),
    (["--random-style", "5"], "There is no flag --random-style; did you mean --random-styles?"),
])
def test_bad_flags(refused, files, asked, words, sentence):
    assert refused(*PLAIN, "out.png", *words).startswith(sentence.format(here=os.getcwd()))
    assert files() == [] and asked == []


def test_bad_pictures(refused, files, asked, folder):
    said = refused("translate", "phot.png", *PLAIN[2:], "out.png")
    assert said == "picture 'phot.png' does not exist; did you mean 'photo.png'?"
    Image.new("RGB", (15, 40)).save("paint.png")
    assert refused("translate", "paint.png", *PLAIN[2:], "out.png").startswith("picture 'paint.png' is 15x40 px")
    assert refused(*PLAIN, "out.png", "--style", "paint.png").startswith("style picture 'paint.png' is 15x40 px")
    Image.new("RGB", (16400, 16)).save("paint.png")
    words = ("translate", "paint.png", *PLAIN[2:], "out.webp", "--size", "none")
    assert refused(*words) == "output 'out.webp': WEBP holds at most 16383 px a side, not 16400; use .png or .tiff."
    os.rename("paint.png", "out-2.png")
    said = refused("translate", "out-2.png", *PLAIN[2:], "out.png", "--size", "none", "--random-styles", "3")
    assert said == "--output 'out-2.png' would overwrite the picture 'out-2.png'; choose another name."
    assert files() == ["out-2.png"] and asked == []


def test_a_model_is_required(refused, files, folder, network_file):
    assert refused("translate", "photo.png", "-o", "out.png") == (
        "The following arguments are required: --model; see tfstyle translate --help."
    )
    said = refused(*PLAIN, "out.png", "--model", str(network_file))
    assert said.endswith(" paints pictures and translates none; use tfstyle.stylize, or give another.")
    (folder / "network.npz").write_bytes(b"damaged")
    assert refused(*PLAIN, "out.png") == (
        "network.npz holds no network that this tfstyle knows, or is damaged: give another file."
    )
    assert files() == []


def test_bad_command_lines_import_no_tensorflow(folder, model, network_file):
    good = [*PLAIN, "out.png"]
    lines = [
        ["translate"], ["translate", "gone.png", *good[2:]], [*good, "--size", "5"], [*good, "--style", "gone.png"],
        [*good, "--model", "gone.npz"], [*good, "--model", str(network_file)], [*good, "-o", "out.gif"],
        [*good, *LINE, "1"], [*good, "-o", "out.bmp", "--random-styles", "3"], [*good, "-o", "photo.png"],
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


def test_one_picture_in_a_random_style(files, asked, engine, capsys):
    assert main([*PLAIN, "out.png"]) == 0
    told = capsys.readouterr()
    assert re.fullmatch(r"out\.png  32x24  \d+\.\d s\n", told.out) and told.err == ""
    assert files() == ["out.png"] and asked == [{"model": "network.npz", "precision": "auto"}]
    np.testing.assert_array_equal(pixels("out.png"), wanted(engine, None))
    assert main([*PLAIN, "out.png", "--seed", "3", "--direction", "b2a", "--precision", "float32", "--quiet"]) == 0
    assert tuple(capsys.readouterr()) == ("", "") and asked[1]["precision"] == "float32"
    np.testing.assert_array_equal(pixels("out.png"), wanted(engine, engine.random_codes(1, 3)[0], "b2a"))
    assert main([*PLAIN, "other.png", "--random-styles", "1", "--size", "none"]) == 0
    np.testing.assert_array_equal(pixels("other.png"), wanted(engine, None, size=None))
    assert files() == ["other.png", "out.png"] and "80x60" in capsys.readouterr().out


def test_the_style_of_a_picture(files, asked, engine):
    assert main([*PLAIN, "out.png", "--style", "paint.png", "--style-size", "24", "--direction", "b2a"]) == 0
    code = engine.style_code("paint.png", "a", style_size=24)
    np.testing.assert_array_equal(pixels("out.png"), wanted(engine, code, "b2a"))
    assert main([*PLAIN, "usual.png", "--style", "paint.png"]) == 0
    np.testing.assert_array_equal(pixels("usual.png"), wanted(engine, engine.style_code("paint.png")))
    assert files() == ["out.png", "usual.png"]


def test_random_styles_are_numbered_files(files, asked, engine, capsys):
    assert main([*PLAIN, "out.png", "--random-styles", "10", "--seed", "4"]) == 0
    names = [f"out-{number:02}.png" for number in range(1, 11)]
    assert files() == names and len(asked) == 1
    assert re.fullmatch(r"out-01\.png to out-10\.png  32x24  \d+\.\d s\n", capsys.readouterr().out)
    for name, code in zip(names, engine.random_codes(10, 4), strict=True):
        np.testing.assert_array_equal(pixels(name), wanted(engine, code))


def test_interpolated_styles_are_numbered_files(files, asked, engine):
    assert main([*PLAIN, "out.png", *LINE, "3", "--style-size", "40"]) == 0
    assert files() == ["out-1.png", "out-2.png", "out-3.png"]
    ends = [engine.style_code(path, style_size=40) for path in LINE[1:]]
    for name, code in zip(files(), engine.interpolated(*ends, 3), strict=True):
        np.testing.assert_array_equal(pixels(name), wanted(engine, code))


@pytest.mark.parametrize("name", ["out.gif", "OUT.GIF", "out.webp"])
def test_interpolated_styles_as_an_animation_go_forth_and_back(files, asked, engine, monkeypatch, capsys, name):
    codes = engine.random_codes(4, 1)
    monkeypatch.setattr(engine, "interpolated", lambda first, second, count: codes[:count])  # as unlike as they get
    steps = [wanted(engine, code) for code in codes]
    assert main([*PLAIN, name, *LINE, "4"]) == 0
    assert files() == [name]
    assert capsys.readouterr().out.startswith(f"{name}  6 pictures of 32x24  ")
    found, durations = frames(name)
    assert len(found) == 6 and durations == {200}
    assert [nearest(frame, steps) for frame in found] == [0, 1, 2, 3, 2, 1]
    assert main([*PLAIN, "two.gif", *LINE, "2"]) == 0
    assert len(frames("two.gif")[0]) == 2


@pytest.mark.parametrize("name", ["out.gif", "out.webp"])
def test_random_styles_as_an_animation(files, asked, engine, name):
    assert main([*PLAIN, name, "--random-styles", "3"]) == 0
    found, durations = frames(name)
    assert files() == [name] and len(found) == 3 and durations == {1000}
    assert [nearest(frame, [wanted(engine, code) for code in engine.random_codes(3)]) for frame in found] == [0, 1, 2]


def test_alpha_in_files_and_animations(files, asked):
    glass = np.dstack([np.full((24, 32, 3), 128, np.uint8), np.zeros((24, 32), np.uint8)])
    glass[6:, :, 3] = 255
    glass[9, :20, 3] = 20
    Image.fromarray(glass).save("glass.png")
    for name in ("out.png", "out.gif", "out.webp"):
        assert main(["translate", "glass.png", *PLAIN[2:], name, "--random-styles", "2"]) == 0
    assert files() == ["out-1.png", "out-2.png", "out.gif", "out.webp"]
    for name in files():
        with Image.open(name) as image:
            for frame in ImageSequence.Iterator(image):
                found, alpha = np.asarray(frame.convert("RGBA"))[..., 3], glass[..., 3]
                np.testing.assert_array_equal(found, np.where(alpha < 128, 0, 255) if name == "out.gif" else alpha)


def test_quality_from_a_flagfile(files, asked):
    for quality in ("20", "95"):
        with open("recipe.flags", "w", encoding="utf-8") as file:
            file.write(f"# a recipe\n--quality={quality}\n--random-styles=2\n")
        assert main([*PLAIN, f"{quality}.jpg", "--flagfile=recipe.flags"]) == 0
        assert main([*PLAIN, f"{quality}.webp", "--flagfile=recipe.flags"]) == 0
    with Image.open("20-2.jpg") as rough, Image.open("95-2.jpg") as fine:
        assert rough.quantization[0][0] > fine.quantization[0][0]
    assert os.path.getsize("20.webp") < os.path.getsize("95.webp")


def test_all_pictures_are_written_or_none(refused, files, asked, monkeypatch):
    with open("out-2.png", "w", encoding="utf-8") as file:
        file.write("old")
    write, paths = images.write, []

    def full(path, *given, **options):
        paths.append(path)
        if len(paths) == 3:
            raise InputError(f"output {path!r} cannot be written (No space left on device); choose another place.")
        write(path, *given, **options)

    monkeypatch.setattr(images, "write", full)
    said = refused(*PLAIN, "out.png", "--random-styles", "4")
    assert said == "output 'out-3.png' cannot be written (No space left on device); choose another place."
    assert files() == ["out-2.png"] and len(paths) == 3
    with open("out-2.png", encoding="utf-8") as file:
        assert file.read() == "old"


@pytest.mark.parametrize("name", ["out.png", "out.gif"])
def test_a_disk_that_refuses(refused, files, asked, monkeypatch, name):
    def refuse(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tfstyle.atomic.os.replace", refuse)
    said = refused(*PLAIN, name, "--random-styles", "2")
    assert re.fullmatch(r"output '.*out.*' cannot be written \(No space left on device\); choose another place\.", said)
    assert ".tfstyle-" not in said and files() == []


@pytest.mark.parametrize("kind", ["memory", "device"])
def test_memory_running_out(files, asked, engine, monkeypatch, capsys, kind):
    import tensorflow as tf

    def translate(*_, **__):
        raise MemoryError if kind == "memory" else tf.errors.ResourceExhaustedError(None, None, "OOM")

    monkeypatch.setattr(engine, "translate", translate)
    assert main([*PLAIN, "out.png"]) == 1
    assert tuple(capsys.readouterr()) == ("", "tfstyle: memory ran out; use a smaller --size.\n")
    assert files() == []


def test_ctrl_c_writes_nothing(files, asked, engine, monkeypatch, capsys):
    translate, calls = engine.translate, []

    def interrupted(*given, **options):
        calls.append(given)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return translate(*given, **options)

    monkeypatch.setattr(engine, "translate", interrupted)
    assert main([*PLAIN, "out.png", "--random-styles", "3"]) == 130
    assert tuple(capsys.readouterr()) == ("", "tfstyle: interrupted.\n")
    assert files() == [] and len(calls) == 2


def test_a_real_run(files, model, capsys):
    words = ["translate", "glass.png", *PLAIN[2:], "out.png", "--style", "paint.png", "--precision", "float32"]
    assert main(words) == 0
    told = capsys.readouterr()
    assert told.err == "" and told.out.startswith("out.png  32x24  ")
    made = tfstyle.translate("glass.png", model="network.npz", style="paint.png", size=32, precision="float32")
    assert made.mode == "RGBA"
    np.testing.assert_array_equal(pixels("out.png"), np.asarray(made))
    assert files() == ["out.png"]
