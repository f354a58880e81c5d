"""tfstyle optimize: what is checked, what is handed on, what is written, and with which exit code."""

import dataclasses
import json
import os
import signal

import numpy as np
import pytest
from PIL import Image

import tfstyle.api
from tfstyle import __version__, images
from tfstyle.cli import flags, main
from tfstyle.gatys.record import NonFiniteError
from tfstyle.look import Look

PLAIN = ("optimize", "photo.png", "paint.png", "-o", "out.png", "--size", "64")
INPUTS = ["glass.png", "left.png", "paint.png", "photo.png"]


@pytest.fixture
def files(folder):
    """Lists what a run has left beside the input pictures, of which left.png is a mask: white on the left."""
    Image.fromarray(np.uint8([[255, 0]])).resize((40, 30)).save("left.png")
    return lambda: sorted(set(os.listdir()) - set(INPUTS))


# Refused before the work


@pytest.mark.parametrize("words, sentence", [
    (["--steps", "0"], "--steps must be a whole number from 1 to 1e+06; received 0."),
    (["--preset", "gatys2015"],
     "preset must be one of 'default', 'gatys2016', 'tf-tutorial', 'matconvnet-1000'; "
     "received 'gatys2015'; did you mean 'gatys2016'?"),
    (["--quality", "0"], "--quality must be a whole number from 1 to 100; received 0."),
    (["--quality", "best"], "--quality must be a whole number from 1 to 100; received 'best'."),
    (["--save-every", "0"], "--save-every must be a whole number of at least 1; received 0."),
    (["--frames-dir", "frames"], "--frames-dir needs --save-every N."),
    (["--weights", "0.5", "0.5"], "--weights must have one number for each STYLE; received 2 for 1."),
    (["--weights", "-1"], "--weights must be a number of at least 0; received -1."),
    (["--weights", "0"], "--weights are all 0; raise one."),
    (["--weights", "1", "glass.png"],
     "Argument --weights: 'glass.png' is no number; name the pictures before this flag; see tfstyle optimize"),
    (["--checkpoint", "run.ckpt"], "--checkpoint 'run.ckpt' must end in .npz."),
    (["--checkpoint", "gone/run.npz"],
     "--checkpoint 'gone/run.npz': there is no folder '{here}/gone'; make it first."),
    (["--trace", "gone/run.json"],
     "--trace 'gone/run.json': there is no folder '{here}/gone'; make it first."),
    (["--trace", "./out.png"], "--trace './out.png' would overwrite --output; choose another name."),
    (["--trace", "paint.png"],
     "--trace 'paint.png' would overwrite the picture 'paint.png'; choose another name."),
    (["-o", "photo.png"],
     "--output 'photo.png' would overwrite the picture 'photo.png'; choose another name."),
    (["-o", "out.gif"], "output 'out.gif' has the unknown extension '.gif'; use one of "),
    (["-o", "gone/out.png"], "output 'gone/out.png': '{here}/gone' does not exist; make that folder first"),
    (["--save-every", "1", "--frames-dir", "photo.png"],
     "--frames-dir 'photo.png' cannot be made (File exists); "),
    (["--init", "contents"],
     "--init 'contents' is neither content, style, noise nor the path of a picture or"),
    (["--network-weights", "gone.npz"], "There is no file of weights 'gone.npz'; "),
    (["--network", "vgg16"], "No vgg16 weights are shipped"),
    (["--scales", "4"], "scales=4 would shrink this 64x48 px picture under 16 px; use fewer scales."),
    (["--style-layer-weights", "1,2"],
     "style_layer_weights must have one number for each of the 5 style layers"),
    (["--content-weight", "0", "--style-weight", "0"], "content_weight and style_weight are both 0"),
    (["--masks", "left.png", "left.png"], "--masks must have one picture for each STYLE, or one fewer; received 2 "),
    (["--masks", "paint.png"], "mask 1 'paint.png' is 48x64 px and the photo 64x48 px, which is another ratio"),
    (["--masks", "left.png", "--weights", "1"], "weights mix styles everywhere and masks give each its place; "),
    (["--texture", "gone.png"], "texture picture 'gone.png' does not exist; "),
    (["--texture", "glass.png", "--checkpoint", "glass.png"],
     "--checkpoint 'glass.png' would overwrite the picture 'glass.png'; choose another name."),
    (["--masks", "left.png", "-o", "left.png"],
     "--output 'left.png' would overwrite the picture 'left.png'; choose another name."),
    (["--style-scale", "2", "--style-size", "40"], "style_size and style_scale both say how large the style is lo"),
])
def test_bad_flags(refused, files, words, sentence):
    assert refused(*PLAIN, *words).startswith(sentence.format(here=os.getcwd()))
    assert files() == []


@pytest.mark.parametrize("words, sentence", [
    (["gone.png", "paint.png"], "content picture 'gone.png' does not exist; "),
    (["photo.png", "pain.png"], "style picture 'pain.png' does not exist; did you mean 'paint.png'?"),
    (["photo.png"], "There is no STYLE picture; name one, or give --style-weight 0 "),
    (["none"], "There is neither a CONTENT nor a STYLE picture; name at least one."),
    (["none", "paint.png", "--content-weight", "2"], "CONTENT is none, so leave out --content-weight, "),
    (["none", "paint.png", "--masks", "left.png"],
     "--masks lie over a photo, and CONTENT is none; leave them out, or name a picture."),
    (["photo.png", "--style-weight", "0", "--texture", "paint.png"],
     "--texture goes with a STYLE picture; name one after CONTENT."),
    (["photo.png", "--style-weight", "0", "--masks", "left.png"],
     "--masks goes with a STYLE picture; name one after CONTENT."),
])
def test_bad_pictures(refused, files, words, sentence):
    assert refused("optimize", *words, "-o", "out.png").startswith(sentence)
    assert files() == []


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


# When something fails


def test_a_failure_beside_the_picture_does_not_cost_it(files, stand_in, capsys):
    def step(number):
        if number == 3:
            os.rmdir("there")

    os.mkdir("there")
    stand_in["step"] = step
    assert main([*PLAIN, "--trace", "there/run.json"]) == 1
    told = capsys.readouterr()
    assert told.out.startswith("out.png  64x48")
    assert told.err == "tfstyle: --trace 'there/run.json' could not be written (No such file or directory).\n"
    assert files() == ["out.png"]


def test_a_frame_that_fails_stops_the_frames_and_not_the_run(files, stand_in, capsys):
    stand_in["step"] = lambda number: os.rename("frames", "moved") if number == 2 else None
    assert main([*PLAIN, "--save-every", "1", "--frames-dir", "frames"]) == 1
    told = capsys.readouterr()
    assert told.out.startswith("out.png  64x48")
    assert told.err.count("\n") == 1 and "'frames/out-0002.png'" in told.err
    assert files() == ["moved", "out.png"] and os.listdir("moved") == ["out-0001.png"]


def test_a_picture_that_cannot_be_written_in_the_end(files, stand_in, capsys):
    os.mkdir("there")
    stand_in["step"] = lambda number: os.rmdir("there") if number == 4 else None
    assert main([*PLAIN, "-o", "there/out.png", "--trace", "run.json"]) == 1
    told = capsys.readouterr()
    assert told.out == "" and told.err.count("\n") == 1
    assert told.err.startswith("tfstyle: output 'there/out.png': ")
    assert files() == ["run.json"]
    with open("run.json", encoding="utf-8") as file:
        assert json.load(file)["faults"] == [told.err.removeprefix("tfstyle: ").strip()]


@pytest.mark.parametrize("error, sentence", [
    (NonFiniteError("style/relu1_1 became infinite."), "style/relu1_1 became infinite."),
    (MemoryError(), "memory ran out; use a smaller --size, or --optimizer adam."),
])
def test_a_run_that_comes_to_nothing_leaves_its_trace(files, stand_in, capsys, error, sentence):
    def step(number):
        if number == 3:
            raise error

    stand_in["step"] = step
    assert main([*PLAIN, "--trace", "run.json"]) == 1
    assert tuple(capsys.readouterr()) == ("", f"tfstyle: {sentence}\n")
    assert files() == ["run.json"]
    with open("run.json", encoding="utf-8") as file:
        told = json.load(file)
    assert told["faults"] == [sentence] and len(told["records"]) == 2 and told["final"] is None


def test_memory_of_the_device_running_out(files, stand_in, capsys):
    import tensorflow as tf

    def step(number):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")

    stand_in["step"] = step
    assert main([*PLAIN, "--plot", "loss.png"]) == 1
    assert capsys.readouterr().err == "tfstyle: memory ran out; use a smaller --size, or --optimizer adam.\n"
    assert files() == []


def test_a_setting_that_only_the_run_can_refuse(files, stand_in, refused):
    def step(number):
        raise tfstyle.InputError("A picture of this size does not fit; use size=64.")

    stand_in["step"] = step
    assert refused(*PLAIN) == "A picture of this size does not fit; use size=64."


# Ctrl-C


@pytest.fixture
def ctrl_c():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield lambda: os.kill(os.getpid(), signal.SIGINT)
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_writes_what_there_is(files, stand_in, capsys, ctrl_c):
    stand_in["step"] = lambda number: ctrl_c() if number == 2 else None
    assert main([*PLAIN, "--trace", "run.json"]) == 130
    assert capsys.readouterr().out == (
        "out.png  64x48  1.0 s  content_loss 0.2500  style_rel 0.1250  tv 0.5000  "
        "interrupted at step 2 of 4\n"
    )
    assert files() == ["out.png", "run.json"]
    assert abs(images.read("out.png").rgb - 0.5).max() < 0.01
    with open("run.json", encoding="utf-8") as file:
        assert json.load(file)["interrupted"] is True


def test_ctrl_c_twice_writes_nothing(files, stand_in, ctrl_c):
    stand_in["step"] = lambda number: (ctrl_c(), ctrl_c()) if number == 2 else None
    with pytest.raises(SystemExit) as end:
        main(PLAIN)
    assert end.value.code == 130
    assert files() == []


def test_ctrl_c_while_checking(folder, monkeypatch, capsys):
    def interrupted(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(images, "read", interrupted)
    assert main(PLAIN) == 130
    assert tuple(capsys.readouterr()) == ("", "tfstyle: interrupted.\n")


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
