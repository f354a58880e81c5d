"""tfstyle train style and superres: flags of their own, checks before the work, and what is handed on."""

import dataclasses
import json
import subprocess
import sys
import types

import numpy as np
import pytest

from tfstyle import images
from tfstyle.checks import InputError
from tfstyle.cli import flags, main
from tfstyle.cli.train_networks import NETWORKS
from tfstyle.train.data import fingerprint
from tfstyle.train.machines_settings import Machines
from tfstyle.train.perceptual_settings import StylePace, StyleSettings, SuperResPace, SuperResSettings
from tfstyle.train.settings import run_of

STYLE = ("train", "style", "--style", "paint.png", "--content-dir", "photos", "--workdir", "run")
SUPERRES = ("train", "superres", "--content-dir", "photos", "--workdir", "run")


@pytest.fixture
def here(folder):
    """The current folder, with photos/ of one picture, and paint.png."""
    (folder / "photos").mkdir()
    (folder / "photo.png").rename(folder / "photos" / "photo.png")
    return folder


@pytest.fixture
def trained(monkeypatch):
    """Puts trainings without a network in place of the real ones; the arguments of each call, in a list."""
    calls = []

    def training(name, count):
        def train(photos, *args, callback, **options):
            assert len(args) == count
            calls.append((name, photos, *args, options))
            steps = args[-1].steps
            assert not callback(steps, {"loss": 0.5})
            return steps

        return train

    for module, name, count in (("feedforward", "train_style", 4), ("superres", "train_superres", 3)):
        monkeypatch.setitem(
            sys.modules, f"tfstyle.train.{module}", types.SimpleNamespace(**{name: training(name, count)})
        )
    return calls


def helped(capsys, *words):
    with pytest.raises(SystemExit) as end:
        main(["train", *words])
    assert end.value.code == 0
    return capsys.readouterr().out


def plain(text):
    """Words without the lines that they stand on."""
    return " ".join(text.replace("\\\n", " ").split())


# Help and flags


@pytest.mark.parametrize("words", [["--help"], ["arbitary", "-h"]])
def test_help_without_a_network_names_them_all(capsys, words):
    text = helped(capsys, *words)
    assert "\n  --" not in text
    for name, network in NETWORKS.items():
        assert f"\n  {name}:" in text and plain(network.text) in plain(text) and plain(network.examples) in plain(text)


@pytest.mark.parametrize("name", NETWORKS)
def test_help_shows_the_flags_of_one_network(capsys, name):
    network = NETWORKS[name]
    for words in ([name, "--help"], ["--help", name]):
        text = helped(capsys, *words)
        assert text.startswith(f"usage: tfstyle train {name} {network.usage} [flags]\n")
        fields = [field for kind in (network.pace, Machines, network.settings) for field in dataclasses.fields(kind)]
        own = {flags.flag(field.name) for field in fields}
        shown = {line.split()[0].strip(",") for line in text.splitlines() if line.startswith("  --")}
        beside = {"--workdir", "--init", "--change", "--quiet", "--json", "--dry-run", "--flagfile"}
        data = {
            "arbitrary": {"--content-dir", "--style-dir", "--bank"}, "style": {"--content-dir", "--style"},
            "superres": {"--content-dir"}, "translate": {"--a", "--b"},
        }[name]
        assert shown == own | beside | data
        assert sum(f"tfstyle train {other} --" in text for other in NETWORKS) == 1


def test_each_network_has_the_pace_that_suits_it(capsys):
    texts = {name: " ".join(helped(capsys, name, "--help").split()) for name in NETWORKS if name != "translate"}
    for name, steps, rate in (("arbitrary", 12000, 0.0015), ("style", 2400, 0.001), ("superres", 20000, 0.001)):
        assert f"those before a resume included (default: {steps})" in texts[name]
        assert f"falls to nothing along a cosine (default: {rate})" in texts[name]


# Refused before the work


@pytest.mark.parametrize("words, sentence", [
    ([*STYLE[:2], *STYLE[4:]], "The following arguments are required: --style; see tfstyle train style --help."),
    ([*STYLE, "--style-dir", "photos"], "There is no flag --style-dir; did you mean --style-size?"),
    ([*STYLE, "photo.png"], "tfstyle train style takes no argument 'photo.png'; see tfstyle train style --help."),
    ([*STYLE, "--style", "gone.png"], "style picture 'gone.png' does not exist; check the path."),
    ([*STYLE, "--style", "text.jpg"], "style picture 'text.jpg' "),
    ([*STYLE, "--style-size", "16"], "--style-size must be a whole number from 32 to 4096; received 16."),
    ([*STYLE, "--network", "papr"],
     "--network must be one of 'compact', 'paper'; received 'papr'; did you mean 'paper'?"),
    ([*STYLE, "--content-dir", "gone"], "--content-dir: There is no folder or tar file gone to take pictures from; "),
    ([*STYLE, "--workdir", "paint.png"], "--workdir 'paint.png' cannot be made (File exists); "),
    ([*STYLE, "--init", "gone.npz"], "--init 'gone.npz' is neither default, random nor a file; check the path."),
    ([*STYLE, "--loss-network", "vgg16"], "No vgg16 weights are shipped: "),
    ([*STYLE, "--loss-weights", "gone.npz"], "There is no file of weights 'gone.npz'; "),
    ([*SUPERRES, "--factor", "3"], "factor must be 4 or 8; received 3."),
    ([*SUPERRES, "--factor", "four"], "--factor must be a whole number of at least 1; received 'four'."),
    ([*SUPERRES, "--style", "paint.png"], "There is no flag --style; "),
    ([*SUPERRES, "--init", "default"], "--init 'default' is neither random nor a file; check the path."),
    ([*SUPERRES, "--feature-weight", "0"], "feature_weight and pixel_weight are both 0, "),
    ([*SUPERRES, "--loss-weights", "gone.npz"], "There is no file of weights 'gone.npz'; "),
])
def test_bad_flags(refused, here, trained, words, sentence):
    (here / "text.jpg").write_text("no picture")
    assert refused(*words).startswith(sentence)
    assert trained == []


@pytest.mark.parametrize("words, settings, pace, painting", [
    (STYLE, StyleSettings, StylePace, "paint.png"), (SUPERRES, SuperResSettings, SuperResPace, None),
])
def test_a_checkpoint_of_another_run(refused, here, trained, words, settings, pace, painting):
    assert main([*words, "--quiet"]) == 0
    data = {"painting": fingerprint(images.read(painting, size=512).rgb)} if painting else {}
    run = run_of(settings(), pace(), photographs=trained[0][1].fingerprint, **data)
    head = np.frombuffer(json.dumps({"run": run}).encode(), np.uint8)
    np.savez("run/checkpoint.npz", step=5, head=head, **{"model/0": np.zeros(1)})
    assert refused(*words, "--blocks", "2").startswith("run/checkpoint.npz is of a run in which blocks was ")
    assert "in which learning_rate was 0.0" in refused(*words, "--learning-rate", "0.5")
    if painting:
        assert "in which painting was " in refused(*words, "--style", "photos/photo.png")
    assert main([*words, "--quiet", "--steps", "9", "--init", "gone.npz"]) == 0  # goes on, whatever it started from
    assert main([*words, "--quiet", "--blocks", "2", "--change"]) == 0
    assert trained[-1][-1]["change"] and trained[-1][-3].blocks == 2


def test_nothing_bad_needs_keras(here):
    lines = [
        [*STYLE, "--style", "gone.png"], [*STYLE, "--init", "gone"], [*STYLE, "--loss-weights", "gone.npz"],
        [*SUPERRES, "--factor", "5"], [*SUPERRES, "--content-dir", "gone"], ["train", "supres"],
    ]
    code = f"""
import sys
from tfstyle.cli import main
print([main(line) for line in {lines}], [name for name in ("keras", "tensorflow", "jax") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.stdout == f"{[2] * len(lines)} []\n", done.stderr


# What is handed on, and how it ends


def test_flags_reach_the_training_of_a_style(here, trained, capsys):
    words = ["--steps", "3", "--network", "paper", "--widths", "4,4,8", "--style-layers", "relu1_1,relu2_1", "--init",
             "random"]
    assert main([*STYLE, *words]) == 0
    (name, photos, *given), = trained
    assert name == "train_style" and len(photos) == 1
    assert given == [
        "paint.png", "run", StyleSettings(network="paper", widths=(4, 4, 8), style_layers=("relu1_1", "relu2_1")),
        StylePace(steps=3), {"init": "random", "change": False},
    ]
    assert capsys.readouterr() == ("run/weights.npz  step 3 of 3\n", "")


def test_flags_reach_the_training_that_enlarges(here, trained, capsys):
    assert main([*SUPERRES, "--factor", "8", "--residual", "--steps", "3", "--normalization", "none"]) == 0
    (name, photos, *given), = trained
    assert name == "train_superres" and len(photos) == 1
    assert given == [
        "run", SuperResSettings(factor=8, residual=True, normalization="none"), SuperResPace(steps=3),
        {"init": None, "change": False},
    ]
    assert capsys.readouterr() == ("run/weights.npz  step 3 of 3\n", "")


@pytest.mark.parametrize("words", [STYLE, SUPERRES])
def test_flagfile(here, trained, words):
    (here / "a.flags").write_text("# ours\n--steps=7\n--blocks=3\n--quiet\n")
    assert main([*words, "--flagfile", "a.flags", "--steps", "3"]) == 0
    assert trained[0][-3].blocks == 3 and trained[0][-2].steps == 3


def test_a_layer_that_the_network_lacks(refused, here, monkeypatch):
    """Known only to what imports Keras; one sentence all the same."""
    import tfstyle.train.feedforward

    def train_style(photos, painting, workdir, settings, pace, **options):
        from tfstyle.nets.vgg import layer_info

        layer_info(settings.content_layer)

    monkeypatch.setattr(tfstyle.train.feedforward, "train_style", train_style)
    assert refused(*STYLE, "--content-layer", "relu4_9").startswith("vgg19 has no layer 'relu4_9'; did you mean ")


def test_a_full_disk_in_the_middle_is_no_bad_input(here, capsys, monkeypatch):
    import tfstyle.train.superres

    def train_superres(photos, workdir, settings, pace, *, callback, **options):
        callback(1, {"loss": 1.0})
        raise InputError("run/checkpoint.npz cannot be written (No space left on device); make room and go on.")

    monkeypatch.setattr(tfstyle.train.superres, "train_superres", train_superres)
    assert main(SUPERRES) == 1
    assert capsys.readouterr().err == (
        "tfstyle: run/checkpoint.npz cannot be written (No space left on device); make room and go on.\n"
    )
