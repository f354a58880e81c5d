"""tfstyle evaluate: what is checked before the work, what is measured, printed and written."""

import json
import os
import subprocess
import sys
import tarfile

import keras
import numpy as np
import pytest
from PIL import Image

import tfstyle.metrics
from tfstyle.cli import evaluate, main
from tfstyle.train.data import PictureSet

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

PLAIN = ("evaluate", "real", "fake")
PROTOCOL = {
    "features": "vgg19", "text": "two means", "weights": "shipped.npz", "weights_sha256": "abc", "n": 4, "of": [6, 4],
    "d": 2, "side": 128, "resize": "Lanczos", "seed": 0, "subsets": 100, "subset_size": 2, "singular": False,
}


@pytest.fixture
def here(folder, monkeypatch):
    """The current folder, with real/ of six pictures, 0.png to 5.png, and fake/ of four, 0.jpg to 3.jpg."""
    monkeypatch.setenv("KERAS_HOME", str(folder / "keras"))
    rng = np.random.default_rng(1)
    for name, count, ending in (("real", 6, "png"), ("fake", 4, "jpg")):
        (folder / name).mkdir()
        for i in range(count):
            pixels = rng.integers(0, 256, (6, 6, 3), dtype=np.uint8)
            Image.fromarray(pixels).resize((20 + i, 18)).save(folder / name / f"{i}.{ending}")
    return folder


@pytest.fixture
def measured(monkeypatch):
    """Puts figures that are known in the place of the distances; returns the arguments of each call."""
    calls = []

    def distances(real, fake, *settings, told):
        calls.append((len(real), len(fake), *settings))
        told(8, 8)
        return {"frechet_vgg19": 1.5, "kernel_vgg19": 0.25, "kernel_vgg19_std": 0.125, "protocol": dict(PROTOCOL)}

    monkeypatch.setattr(tfstyle.metrics, "distribution_distances", distances)
    return calls


# Refused before the work


@pytest.mark.parametrize(("words", "sentence"), [
    (["--features", "vgg16"], "--features must be one of 'auto', 'inception_v3', 'vgg19'; received 'vgg16'; did you"),
    (["--feature", "vgg19"], "There is no flag --feature; did you mean --features?"),
    (["--count", "5"], "There are 6 real and 4 fake pictures, fewer than the count of 5: lower it."),
    (["--count", "1"], "--count must be a whole number of at least 2; received 1."),
    (["--seed", "x"], "--seed must be a whole number of at least 0; received 'x'."),
    (["--subset-size", "5"], "subset_size must be a whole number from 2 to 4; received 5."),
    (["--inception-weights", "gone.h5"], "There is no file of weights 'gone.h5'; check the path, or give"),
    (["--inception-weights", "photo.png"], "photo.png has an unknown ending; Inception's weights are read from .h5,"),
    (["--features", "vgg19", "--inception-weights", "photo.png"], "inception_weights are of no use to the features"),
    (["--lpips-weights", "photo.png"], "lpips_weights are of no use without paired; give that too."),
    (["--vgg16-weights", "photo.png"], "vgg16_weights are of no use without lpips_weights; give those too."),
    (["--paired", "--lpips-weights", "gone.pth"], "There is no file 'gone.pth' of LPIPS' linear weights; check the"),
    (["--paired", "--lpips-weights", "photo.png"], "photo.png cannot be read as LPIPS' linear weights, .npz or .pth: "),
    (["--paired"], "picture 'fake/2.jpg' is 30x30 px, but 'real/2.png' is 22x18; pairs must have one size."),
    (["--paired", "--dry-run"], "picture 'fake/2.jpg' is 30x30 px, but 'real/2.png' is 22x18; pairs must"),
    (["-o", "gone/out.json"], "--output 'gone/out.json': there is no folder '{here}/gone'; make it first."),
    (["-o", "real"], "--output 'real' is a folder; name a file in it."),
    (["-o", "out.png"], "--output 'out.png' is for figures, written as JSON; name a file that ends in .json."),
    (["more"], "tfstyle evaluate takes no argument 'more'; see tfstyle evaluate --help."),
])
def test_bad_flags(refused, here, measured, words, sentence):
    Image.new("RGB", (30, 30)).save("fake/2.jpg")
    assert refused(*PLAIN, *words).startswith(sentence.format(here=os.getcwd()))
    assert measured == [] and not os.path.exists("out.json")


def test_bad_folders(refused, here, measured):
    os.mkdir("empty"), os.mkdir("one")
    Image.new("RGB", (30, 30)).save("one/a.png")
    assert refused("evaluate", "gone", "fake").startswith("REAL_DIR: There is no folder or tar file gone to take pict")
    assert refused("evaluate", "real", "empty").startswith("FAKE_DIR: empty holds no pictures (.jpg, ")
    said = "There must be at least 2 {} pictures for a distance of sets; received 1."
    assert refused("evaluate", "real", "one") == said.format("fake")
    assert refused("evaluate", "one", "fake") == said.format("real")
    assert refused("evaluate", "real").startswith("The following arguments are required: FAKE_DIR; see tfstyle evalu")
    assert measured == []


def test_bad_pictures(refused, here, measured):
    Image.new("RGB", (30, 15)).save("fake/2.jpg")
    assert refused(*PLAIN) == "picture 'fake/2.jpg' is 30x15 px (width x height); use one of at least 16 px a side."
    with open("fake/2.jpg", "wb") as file:
        file.write(b"no picture")
    assert refused(*PLAIN).startswith("picture 'fake/2.jpg' is in no picture format that can be read, or damaged; ")
    assert measured == []


def test_bad_pairs(refused, here, measured):
    os.rename("fake/3.jpg", "fake/9.jpg")
    said = refused(*PLAIN, "--paired")
    assert said == "There is no real picture of the name of '9.jpg' to pair it with; rename it."
    Image.new("RGB", (30, 30)).save("real/0.jpg")
    assert refused(*PLAIN, "--paired") == "There are two real pictures called '0'; rename one."
    assert measured == []


@pytest.mark.parametrize("how", [(), ("--dry-run",)])
@pytest.mark.parametrize("path, other", [
    ("real/1.png", "the picture 'real/1.png'"),
    ("fake/../fake/3.jpg", "the picture 'fake/3.jpg'"),
    ("link.json", "the picture 'real/5.png'"),  # what it leads to would be written
    ("real.tar", "the picture 'real.tar'"),
    ("mine.h5", "--inception-weights"),
])
def test_nothing_that_is_read_is_overwritten(refused, here, measured, path, other, how):
    os.symlink("real/5.png", "link.json")
    with tarfile.open("real.tar", "w") as shard:
        shard.add("real")
    with open("mine.h5", "wb") as file:
        file.write(b"weights")
    before = {path: path.read_bytes() for path in here.rglob("*.*")}
    real = "real.tar" if path == "real.tar" else "real"
    said = refused("evaluate", real, "fake", "--count", "2", "--inception-weights", "mine.h5", "-o", path, *how)
    assert said == f"--output {path!r} would overwrite {other}; choose another name."
    assert {path: path.read_bytes() for path in here.rglob("*.*")} == before and measured == []


def test_bad_command_lines_import_no_tensorflow(here):
    (here / "fake" / "3.jpg").write_bytes(b"no picture")
    lines = [
        ["evaluate", "real"], ["evaluate", "real", "gone"], [*PLAIN, "--features", "x"], [*PLAIN, "--count", "9"],
        [*PLAIN, "--paired", "--lpips-weights", "gone.npz"], [*PLAIN], [*PLAIN, "-o", "gone/x.json"],
    ]
    code = f"""
import sys
from tfstyle.cli import main
print([main(line) for line in {lines}], "tensorflow" in sys.modules or "keras" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.stdout == f"{[2] * len(lines)} False\n"
    assert done.stderr.count("tfstyle: ") == len(lines)


# What is measured


def test_what_is_handed_on(here, measured):
    assert main(PLAIN) == 0
    assert main([*PLAIN, "--features", "vgg19", "--count", "3", "--seed", "7", "--subsets", "9",
                 "--subset-size", "2"]) == 0
    assert measured == [
        (6, 4, "auto", "imagenet", None, 0, 100, None), (6, 4, "vgg19", "imagenet", 3, 7, 9, 2),
    ]


def test_the_lines(here, measured, capsys):
    assert main(PLAIN) == 0
    told = capsys.readouterr()
    assert told.err == ""
    assert told.out == (
        "frechet_vgg19  1.5\n"
        "kernel_vgg19   0.25, deviation 0.125\n"
        "4 of 6 real and 4 of 4 fake pictures, seed 0; 100 subsets of 2\n"
        "128x128 px (Lanczos); two means\n"
        "weights shipped.npz, SHA-256 abc\n"
        "not FID and KID, which need ImageNet's weights of Inception-v3: see --features\n"
    )


def test_the_document(here, measured, capsys):
    assert main([*PLAIN, "--json", "-o", "out.json"]) == 0
    told = capsys.readouterr()
    wanted = {"frechet_vgg19": 1.5, "kernel_vgg19": 0.25, "kernel_vgg19_std": 0.125, "protocol": PROTOCOL}
    assert json.loads(told.out) == wanted and told.err == ""
    with open("out.json", encoding="utf-8") as file:
        assert file.read() == told.out
    assert sorted(os.listdir()) == ["fake", "glass.png", "out.json", "paint.png", "photo.png", "real"]


def test_few_pictures_are_warned_of(here, measured, capsys, monkeypatch):
    monkeypatch.setitem(PROTOCOL, "d", 4)
    assert main(PLAIN) == 0
    told = capsys.readouterr()
    assert told.out.startswith("frechet_vgg19  1.5\n")
    assert told.err.startswith("tfstyle: 4 pictures are no more than the 4 features, so their covariance is singular")
    assert told.err.count("\n") == 1


def test_pairs(here, measured, capsys, monkeypatch):
    """Those that are drawn, by name whatever the ending; PSNR of pictures that are the same is null in JSON."""
    for i in range(4):
        with Image.open(f"real/{i}.png") as image:
            image.rotate(180).save(f"fake/{i}.png")
        os.remove(f"fake/{i}.jpg")
    monkeypatch.setattr(tfstyle.metrics, "perceptual_distance", lambda one, two: float(one[0, 0, 0]) - two[0, 0, 0])
    assert main([*PLAIN, "--paired", "--count", "3", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["paired"]
    real, fake = PictureSet("real"), PictureSet("fake")
    drawn = evaluate.draw(evaluate.EvaluateSettings(count=3), 6, 4)[1]
    pairs = [(real[i], fake[i]) for i in map(int, drawn)]
    assert len(pairs) == found.pop("n") == 3
    assert found == pytest.approx({
        "psnr": np.mean([tfstyle.metrics.psnr(*pair) for pair in pairs]),
        "ssim": np.mean([tfstyle.metrics.ssim(*pair) for pair in pairs]),
        "vgg_dist": np.mean([float(one[0, 0, 0]) - two[0, 0, 0] for one, two in pairs]),
    })
    for i in range(4):
        with Image.open(f"real/{i}.png") as image:
            image.save(f"fake/{i}.png")
    assert main([*PLAIN, "--paired", "-o", "out.json"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[2:5] == ["psnr           inf", "ssim           1", "vgg_dist       0"]
    assert lines[-1] == "4 pairs at their own size; PSNR and SSIM of luminance, vgg_dist by VGG-19"
    with open("out.json", encoding="utf-8") as file:
        assert json.load(file)["paired"]["psnr"] is None


def test_lpips(here, measured, capsys, monkeypatch):
    for i in range(4):
        with Image.open(f"real/{i}.png") as image:
            image.save(f"fake/{i}.jpg")
    np.savez("lin.npz", **{f"lin{i}": np.ones(width) for i, width in enumerate((64, 128, 256, 512, 512))})
    monkeypatch.setattr(tfstyle.metrics, "perceptual_distance", lambda one, two: 0.5)
    calls = []
    monkeypatch.setattr(tfstyle.metrics, "lpips_distance", lambda one, two, **files: calls.append(files) or 0.25)
    assert main([*PLAIN, "--paired", "--lpips-weights", "lin.npz"]) == 0
    told = capsys.readouterr().out
    assert "\nlpips_other_vgg16  0.25\n" in told
    assert told.endswith("\nLPIPS' weights lin.npz, VGG-16 imagenet\n")
    assert calls == [{"weights": "lin.npz", "network": "imagenet"}] * 4


def test_memory_running_out(here, monkeypatch, capsys):
    def distances(*_, **__):
        raise MemoryError

    monkeypatch.setattr(tfstyle.metrics, "distribution_distances", distances)
    assert main([*PLAIN, "-o", "out.json"]) == 1
    assert tuple(capsys.readouterr()) == ("", "tfstyle: memory ran out; close other programs.\n")
    assert not os.path.exists("out.json")


# For real


def test_a_real_run(here, capsys):
    with tarfile.open("real.tar", "w") as shard:
        for name in sorted(os.listdir("real")):
            shard.add(f"real/{name}")
    for i in range(4):
        with Image.open(f"real/{i}.png") as image:
            image.save(f"fake/{i}.jpg", quality=50)
    assert main([*PLAIN, "--paired", "-o", "out.json"]) == 0
    told = capsys.readouterr()
    assert told.out.startswith("frechet_vgg19  ") and "\nvgg_dist       " in told.out
    assert told.err.startswith("tfstyle: 4 pictures are no more than the 80 features")
    with open("out.json", encoding="utf-8") as file:
        found = json.load(file)
    assert found["protocol"]["singular"] and found["protocol"]["weights"] == "vgg19_imagenet_palette8.npz"
    assert 10 < found["paired"]["psnr"] < 50 and 0 < found["paired"]["vgg_dist"] < 1
    assert main(["evaluate", "real.tar", "fake", "--json"]) == 0
    packed = json.loads(capsys.readouterr().out)
    assert packed == {name: figure for name, figure in found.items() if name != "paired"}


def test_a_real_run_with_weights_of_inception(here, capsys, monkeypatch):
    """A small network in its place, with weights from a file."""

    def application(weights):
        image = keras.Input((None, None, 3))
        return keras.Model(image, keras.layers.Conv2D(3, 9, 9, data_format="channels_last")(image))

    monkeypatch.setattr("tfstyle.nets.inception.application", application)
    application(None).save_weights("mine.weights.h5")
    assert main([*PLAIN, "--inception-weights", "mine.weights.h5"]) == 0
    told = capsys.readouterr().out
    assert told.startswith("frechet_inception_v3  ") and "\nweights mine.weights.h5, SHA-256 " in told
    assert "fid" not in told and "not FID" not in told
    for words in (["-o", "mine.weights.h5/x"], ["--count", "5"]):
        assert main([*PLAIN, "--inception-weights", "mine.weights.h5", *words]) == 2
