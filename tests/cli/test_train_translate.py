"""tfstyle train translate: its flags, what is refused before the work, what is handed on, and a run of two steps."""

import json
import subprocess
import sys
import types

import numpy as np
import pytest
from PIL import Image

from tfstyle.cli import main
from tfstyle.train.settings import run_of
from tfstyle.train.translate_settings import DSMAPPace, DSMAPSettings

PLAIN = ("train", "translate", "--a", "one", "--b", "two", "--workdir", "run", "--crop", "64")


@pytest.fixture
def here(folder):
    """The current folder, with one/ and two/ of two pictures each, 72x80 and 80x72."""
    rng = np.random.default_rng(1)
    for place, size in (("one", (72, 80)), ("two", (80, 72))):
        (folder / place).mkdir()
        for i in range(2):
            pixels = rng.integers(0, 256, (5, 6, 3), dtype=np.uint8)
            Image.fromarray(pixels).resize(size).save(folder / place / f"{i}.png")
    return folder


@pytest.fixture
def trained(monkeypatch):
    """Puts a training without a network in place of the real one; the arguments of each call, in a list."""
    calls = []

    def train_translate(a, b, workdir, settings, pace, *, callback, **options):
        calls.append((a, b, workdir, settings, pace, options))
        callback(pace.steps, {"loss": 0.5})
        return pace.steps

    monkeypatch.setitem(sys.modules, "tfstyle.train.translate", types.SimpleNamespace(train_translate=train_translate))
    return calls


def test_what_is_handed_on(here, trained, capsys):
    words = ["--steps", "7", "--method", "munit", "--width", "8", "--init", "random", "--change"]
    assert main([*PLAIN, *words]) == 0
    (a, b, workdir, settings, pace, options), = trained
    assert [len(a), len(b), workdir] == [2, 2, "run"] and a.fingerprint != b.fingerprint
    assert settings == DSMAPSettings(crop=64, method="munit", width=8) and pace == DSMAPPace(steps=7)
    assert options == {"init": "random", "change": True}
    assert capsys.readouterr().out.splitlines()[-1].split("  ")[1] == "step 7 of 7"


def test_a_domain_of_several_folders(here, trained):
    assert main([*PLAIN, "--a", "two"]) == 0
    assert [len(pictures) for pictures in trained[0][:2]] == [4, 2]


def test_methods_differ_in_what_is_left_out():
    dsmap, munit = DSMAPSettings(), DSMAPSettings(method="munit")
    names = "image style content mapped cycle contextual example".split()
    assert [getattr(dsmap, f"{name}_weight") for name in names] == [10, 10, 2, 2, 5, 1, 1]
    assert [getattr(munit, f"{name}_weight") for name in names] == [10, 1, 1, 0, 0, 0, 0]
    assert (munit.mapping, munit.shared_tail, munit.halvings) == (False, False, 2)
    assert DSMAPSettings(method="munit", cycle_weight=10.0).cycle_weight == 10


@pytest.mark.parametrize("words, sentence", [
    (PLAIN[:4] + PLAIN[6:], "The following arguments are required: --b; see tfstyle train translate --help."),
    ([*PLAIN, "--content-dir", "one"], "There is no flag --content-dir; "),
    ([*PLAIN, "--a", "gone"], "--a: There is no folder or tar file gone to take pictures from; "),
    ([*PLAIN, "--b", "empty"], "--b: empty holds no pictures "),
    ([*PLAIN, "--crop", "100"], "crop must be a multiple of 16; received 100."),
    ([*PLAIN, "--crop", "48"], "--crop must be a whole number from 64 to 4096; received 48."),
    ([*PLAIN, "--crop", "80"],
     "2 of domain a's 2 pictures are smaller than the crop of 80 px, such as 0.png (72x80); take them out, or use a "),
    ([*PLAIN, "--crop", "80", "--short-side", "64"], "short_side (64) is under crop (80), "),
    ([*PLAIN, "--method", "munti"],
     "--method must be one of 'dsmap', 'munit'; received 'munti'; did you mean 'munit'?"),
    ([*PLAIN, "--halvings", "2"], "2 halvings need mapping turned off; "),
    ([*PLAIN, "--no-mapping", "--mapped-weight", "1"], "mapped_weight is for networks with mapping; "),
    ([*PLAIN[:5], "one", *PLAIN[6:]], "Both domains are the same pictures, "),
    ([*PLAIN, "--init", "default"], "--init 'default' is neither random nor a file; check the path."),
    ([*PLAIN, "--loss-network", "vgg16"], "No vgg16 weights are shipped: "),
])
def test_refused_before_the_work(refused, here, trained, words, sentence):
    (here / "empty").mkdir()
    assert refused(*words).startswith(sentence)
    assert not trained and not (here / "run" / "log.jsonl").exists()


def test_a_single_picture(refused, here, trained):
    (here / "two" / "1.png").unlink()
    sentence = "Domain b holds a single picture that can be read; give it more, at best hundreds."
    assert refused(*PLAIN) == sentence
    (here / "two" / "1.png").write_bytes(b"no picture")
    assert refused(*PLAIN) == sentence


def test_without_mapping_nothing_is_mapped(here, trained):
    assert main([*PLAIN, "--no-mapping"]) == 0
    assert (trained[0][3].mapping, trained[0][3].mapped_weight) == (False, 0.0)


def test_vgg16_is_not_asked_for_where_nothing_is_measured(here, trained):
    assert main([*PLAIN, "--method", "munit", "--loss-network", "vgg16"]) == 0


def test_a_checkpoint_of_other_domains(refused, here, trained):
    run = run_of(DSMAPSettings(crop=64), DSMAPPace(), domain_a="other", domain_b="other")
    head = np.frombuffer(json.dumps({"run": run}).encode(), np.uint8)
    (here / "run").mkdir()
    np.savez(here / "run" / "checkpoint.npz", head=head, step=3, **{"model/0": np.zeros(1)})
    assert "is of a run in which domain a was 'other', not " in refused(*PLAIN)
    assert main([*PLAIN, "--change"]) == 0


def test_reading_the_settings_imports_no_keras():
    code = "import sys, tfstyle.cli.train_networks; assert not {'keras', 'tensorflow', 'jax'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.slow
def test_two_steps_and_a_third(here, capsys):
    small = ["--width", "2", "--hidden", "4", "--blocks", "1", "--pictures", "1", "--precision", "float32"]
    assert main([*PLAIN, *small, "--steps", "2"]) == 0
    assert main([*PLAIN, *small, "--steps", "3"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].split("  ")[1] == "step 3 of 3"
    lines = [json.loads(line) for line in (here / "run" / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [2, 3]
    assert (here / "run" / "previews" / "step-000003.png").is_file()
    assert main(["translate", "photo.png", "--model", "run/weights.npz", "-o", "out.png", "--size", "64"]) == 0
    with Image.open("out.png") as made:
        assert made.size == (64, 48)
