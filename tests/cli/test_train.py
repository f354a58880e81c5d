"""tfstyle train: what is checked before the work, what is handed on, and with which exit code it ends."""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from tfstyle.checks import InputError
from tfstyle.cli import main
from tfstyle.train.settings import ArbitrarySettings, TrainSettings, run_of

PLAIN = ("train", "arbitrary", "--content-dir", "photos", "--style-dir", "paints", "--workdir", "run")


@pytest.fixture
def here(folder):
    """The current folder, with photos/ of one picture and paints/ of two."""
    for place, names in (("photos", ["photo"]), ("paints", ["paint", "glass"])):
        (folder / place).mkdir()
        for name in names:
            (folder / f"{name}.png").rename(folder / place / f"{name}.png")
    return folder


@pytest.fixture
def trained(monkeypatch):
    """Puts a training of `steps` steps without a network in place of the real one.

    Returns:
        Dict: "calls", the arguments of each call; "step", a function called before each step, which tests replace;
        "done", the step to begin at.
    """
    import tfstyle.train.arbitrary

    told = {"calls": [], "step": lambda number: None, "done": 0}

    def train_arbitrary(photos, paintings, workdir, settings, pace, *, measured, callback, **options):
        told["calls"].append((len(photos), len(paintings), workdir, settings, pace, options))
        told["sets"] = photos, paintings
        measured(1, 2)
        for done in range(told["done"] + 1, pace.steps + 1):
            told["step"](done)
            if callback(done, {"loss": 1 / done}):
                return done
        return max(told["done"], pace.steps)

    monkeypatch.setattr(tfstyle.train.arbitrary, "train_arbitrary", train_arbitrary)
    return told


# Refused before the work


@pytest.mark.parametrize("words, sentence", [
    (["--steps", "0"], "--steps must be a whole number from 1 to 1e+09; received 0."),
    (["--crop", "100"], "crop must be a multiple of 16; received 100."),
    (["--precision", "float16"], "--precision must be one of 'auto', 'float32', 'bfloat16'; received 'float16'"),
    (["--stesp", "3"], "There is no flag --stesp; did you mean --steps?"),
    (["--style-wieght=3"], "There is no flag --style-wieght; did you mean --style-weight?"),
    (["photo.png"], "tfstyle train arbitrary takes no argument 'photo.png'; see tfstyle train arbitrary --help."),
    (["--content-dir", "gone"], "--content-dir: There is no folder or tar file gone to take pictures from; "),
    (["--style-dir", "empty"], "--style-dir: empty holds no pictures (.jpg, "),
    (["--workdir", "photos/photo.png"], "--workdir 'photos/photo.png' cannot be made (File exists); "),
    (["--bank", "photos/photo.png/x"], "--bank 'photos/photo.png/x' cannot be made (Not a directory); "),
    (["--init", "gone.npz"], "--init 'gone.npz' is neither default nor a file; check the path."),
    (["--processes", "2"], "To train in several processes, give all of coordinator, "),
    (["--coordinator", "one"], "To train in several processes, give all of coordinator, "),
    (["--process", "x"], "--process must be a whole number from 0 to 4095; received 'x'."),
    (["--coordinator", "one:5000", "--processes", "2", "--process", "0"],
     "Several processes train together under JAX, not under tensorflow; set KERAS_BACKEND=jax."),
    (["--coordinator", "auto"], "Several processes train together under JAX, not under tensorflow; set KERAS_BACKEND="),
])
def test_bad_flags(refused, here, trained, words, sentence):
    (here / "empty").mkdir()
    assert refused(*PLAIN, *words).startswith(sentence)
    assert trained["calls"] == []


@pytest.mark.parametrize("words, sentence", [
    (["train"], "Name the network to train: arbitrary, style, superres, translate; see tfstyle train --help."),
    (["train", "--flagfile=a.flags"],
     "Name the network to train: arbitrary, style, superres, translate; see tfstyle train --help."),
    (["train", "arbitrary"], "The following arguments are required: --content-dir, --style-dir, --workdir; see "
     "tfstyle train arbitrary --help."),
    ([*PLAIN[:6]], "The following arguments are required: --workdir; see tfstyle train arbitrary --help."),
    (["train", "arbitary", *PLAIN[2:]], "NETWORK must be one of 'arbitrary', 'style', 'superres', 'translate'; "
     "received 'arbitary'; did you mean 'arbitrary'?"),
    (["train", "--steps", "3", "arbitary"],
     "NETWORK must be one of 'arbitrary', 'style', 'superres', 'translate'; received '3'."),
    (["train", "--content-dir", "superres", "--workdir", "run", "arbitrary"],
     "Name the network first: tfstyle train arbitrary ..."),
])
def test_bad_words(refused, here, words, sentence):
    (here / "a.flags").write_text("--steps=3\n")
    assert refused(*words).rstrip(".") == sentence.rstrip(".")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written(refused, here):
    (here / "run").mkdir(mode=0o555)
    assert refused(*PLAIN) == "--workdir 'run' cannot be written (Permission denied); choose another place."


def checkpoint(path, run):
    head = np.frombuffer(json.dumps({"run": run}).encode(), np.uint8)
    np.savez(path, step=5, head=head, **{"model/0": np.zeros(1)})


def test_a_checkpoint_of_another_run(refused, here, trained):
    assert main([*PLAIN, "--quiet"]) == 0
    photos, paintings = trained["sets"]
    run = run_of(ArbitrarySettings(), TrainSettings(), photographs=photos.fingerprint, paintings=paintings.fingerprint)
    checkpoint("run/checkpoint.npz", run)
    said = refused(*PLAIN, "--crop", "64")
    assert said == (
        "run/checkpoint.npz is of a run in which crop was 128, not 64; repeat that run's flags, give --change to go on "
        "otherwise, or begin in another workdir."
    )
    assert "in which paintings was '" in refused(*PLAIN, "--style-dir", "photos")
    assert "in which learning_rate was 0.0015, not 0.001" in refused(*PLAIN, "--learning-rate", "0.001")
    assert main([*PLAIN, "--quiet", "--steps", "9", "--log-every", "1", "--init", "gone.npz"]) == 0  # goes on
    assert main([*PLAIN, "--quiet", "--crop", "64", "--change"]) == 0
    *_, settings, _, options = trained["calls"][-1]
    assert settings.crop == 64 and options["change"]
    (here / "run" / "checkpoint.npz").write_bytes(b"half")
    assert refused(*PLAIN) == "run/checkpoint.npz is damaged; delete it to start anew."


def test_nothing_bad_needs_keras(here):
    (here / "run").mkdir()
    (here / "run" / "checkpoint.npz").write_bytes(b"half")
    lines = [[*PLAIN[:-1], "other", "--crop", "100"], [*PLAIN], [*PLAIN, "--content-dir", "gone"], ["train"]]
    code = f"""
import sys
from tfstyle.checks import InputError
from tfstyle.cli import main
print([main(line) for line in {lines}], [name for name in ("keras", "tensorflow", "jax") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.stdout == "[2, 2, 2, 2] []\n", done.stderr


# Told beforehand, and to programs


def told(capsys, *words):
    """The JSON document of a command line that exits 0."""
    assert main([*PLAIN, "--json", *words]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return json.loads(out)


FILES = {"network": "arbitrary", "workdir": "run", "weights": "run/weights.npz", "checkpoint": "run/checkpoint.npz",
         "log": "run/log.jsonl"}


def test_a_dry_run_writes_nothing(here, trained, capsys):
    before = sorted(here.rglob("*"))
    assert main([*PLAIN, "--dry-run", "--steps", "7", "--bank", "bank"]) == 0
    assert capsys.readouterr() == ("run/weights.npz  would be trained from step 0 to 7\n", "")
    alone = {"steps": 7, "processes": 1, "process": 0}
    assert told(capsys, "--dry-run", "--steps", "7") == {"dry_run": True, **FILES, "step": 0, **alone}
    assert sorted(here.rglob("*")) == before and trained["calls"] == []
    (here / "run").mkdir()
    checkpoint("run/checkpoint.npz", None)
    assert told(capsys, "--dry-run", "--steps", "7") == {"dry_run": True, **FILES, "step": 5, **alone}
    assert main([*PLAIN, "--dry-run", "--steps", "4"]) == 0
    assert capsys.readouterr().out == "run/weights.npz  would be trained no further than to step 5\n"


def test_a_dry_run_refuses_as_a_run(refused, here, trained):
    (here / "run").mkdir()
    (here / "run" / "checkpoint.npz").write_bytes(b"half")
    assert refused(*PLAIN, "--dry-run") == "run/checkpoint.npz is damaged; delete it to start anew."
    assert refused(*PLAIN, "--dry-run", "--workdir", "photos/photo.png/x").startswith("--workdir 'photos/photo.png")
    assert refused(*PLAIN, "--dry-run", "--bank", "photos/photo.png").startswith("--bank 'photos/photo.png'")


def test_a_dry_run_of_one_of_several(here, capsys, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    place = ["--coordinator", "one:5000", "--processes", "2", "--process", "1"]
    facts = told(capsys, "--dry-run", *place)
    assert (facts["processes"], facts["process"]) == (2, 1)
    facts = told(capsys, "--dry-run", "--coordinator", "auto")
    assert (facts["processes"], facts["process"]) == (None, None)


def test_a_checkpoint_that_only_process_0_looks_at(refused, here, capsys, monkeypatch):
    """Others may have an old folder of that name."""
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    (here / "run").mkdir()
    (here / "run" / "checkpoint.npz").write_bytes(b"half")
    place = ["--coordinator", "one:5000", "--processes", "2", "--dry-run"]
    assert refused(*PLAIN, *place, "--process", "0") == "run/checkpoint.npz is damaged; delete it to start anew."
    assert main([*PLAIN, *place, "--process", "1"]) == 0


def test_json(here, trained, capsys):
    done = {"interrupted": False, "passed_over": 0, "processes": 1, "process": 0}
    assert told(capsys, "--steps", "3", "--quiet") == {**FILES, "step": 3, "steps": 3, **done}
    trained["done"] = 7
    assert told(capsys, "--steps", "3") == {**FILES, "step": 7, "steps": 7, **done}


# What is handed on, and how it ends


def test_flags_reach_the_training(here, trained, capsys):
    words = ["--content-dir", "paints", "--steps", "3", "--photos", "8", "--no-measure-styles", "--widths", "4,4,8,8",
             "--bank", "bank", "--init", "default"]
    assert main([*PLAIN, *words]) == 0
    photos, paintings, workdir, settings, pace, options = trained["calls"].pop()
    assert (photos, paintings, workdir) == (3, 2, "run")
    assert settings == ArbitrarySettings(photos=8, measure_styles=False, widths=(4, 4, 8, 8))
    assert pace == TrainSettings(steps=3)
    assert options == {"bank": "bank", "init": "default", "change": False} and (here / "bank").is_dir()
    told = capsys.readouterr()
    assert (told.out, told.err) == ("run/weights.npz  step 3 of 3\n", "")
    assert main([*PLAIN, "--steps", "2", "--quiet"]) == 0
    assert trained["calls"].pop()[3:] == (
        ArbitrarySettings(), TrainSettings(steps=2), {"bank": None, "init": None, "change": False}
    )
    assert capsys.readouterr() == ("", "")


def test_the_network_may_be_named_last(here, trained):
    (here / "run.flags").write_text("--content-dir=photos\n--style-dir=paints\n--workdir=run\n--steps=4\n")
    assert main(["train", "--flagfile=run.flags", "--quiet", "arbitrary"]) == 0
    assert main(["train", "--flagfile", "run.flags", "--steps", "5", "--quiet", "arbitrary"]) == 0
    assert [call[4].steps for call in trained["calls"]] == [4, 5]


def test_a_run_that_was_longer_is_done(here, trained, capsys):
    trained["done"] = 7
    assert main([*PLAIN, "--steps", "5"]) == 0
    assert capsys.readouterr().out == "run/weights.npz  step 7 of 7\n"


def test_divergence(here, trained, capsys):
    from tfstyle.train.loop import NonFiniteLoss

    def step(number):
        raise NonFiniteLoss("The term gram is no longer finite at step 1; begin anew.")

    trained["step"] = step
    assert main(PLAIN) == 1
    assert capsys.readouterr() == ("", "tfstyle: The term gram is no longer finite at step 1; begin anew.\n")


@pytest.mark.parametrize("error", [
    MemoryError(), RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 8589934592 bytes."),
    RuntimeError("OOM when allocating tensor with shape[8,256,256,64]"),
])
def test_memory(here, trained, capsys, error):
    def step(number):
        raise error

    trained["step"] = step
    assert main(PLAIN) == 1
    assert capsys.readouterr().err == "tfstyle: memory ran out; use a smaller batch or smaller crops.\n"


def test_a_disk_that_refuses_is_bad_input_only_before_the_first_step(here, trained, capsys):
    def step(number):
        if number == failing:
            raise InputError("run/log.jsonl cannot be written (No space left on device); make room and go on.")

    trained["step"] = step
    for failing, code in ((1, 2), (2, 1)):
        assert main(PLAIN) == code
        assert capsys.readouterr() == (
            "", "tfstyle: run/log.jsonl cannot be written (No space left on device); make room and go on.\n"
        )


def test_a_fault_of_ours_is_not_hidden(here, trained):
    def step(number):
        raise KeyError("a defect")

    trained["step"] = step
    with pytest.raises(KeyError):
        main(PLAIN)


@pytest.fixture
def ctrl_c():
    """Sends SIGINT to this process, with Python's own handler in place whatever the test's parent had set."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield lambda: os.kill(os.getpid(), signal.SIGINT)
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_stops_after_the_step(here, trained, capfd, ctrl_c):
    trained["step"] = lambda number: ctrl_c() if number == 3 else None
    assert main([*PLAIN, "--steps", "9"]) == 130
    told = capfd.readouterr()
    assert told.out == "run/weights.npz  step 3 of 9, interrupted\n"
    assert told.err == "\ntfstyle: stopping after this step to write a checkpoint; Ctrl-C again quits at once.\n"


def test_sigterm_keeps_a_checkpoint_too(here, trained, capfd):
    trained["step"] = lambda number: os.kill(os.getpid(), signal.SIGTERM) if number == 3 else None
    assert main([*PLAIN, "--steps", "9"]) == 143
    told = capfd.readouterr()
    assert told.out == "run/weights.npz  step 3 of 9, interrupted\n"
    assert told.err == "\ntfstyle: stopping after this step to write a checkpoint; SIGTERM again quits at once.\n"


def test_damaged_pictures_are_told_of(here, trained, capsys):
    def step(number):
        for pictures in trained["sets"]:
            pictures.damaged[3] = "picture b.png cannot be decoded."

    trained["step"] = step
    assert main([*PLAIN, "--steps", "1", "--quiet"]) == 0
    assert capsys.readouterr().err == (
        "tfstyle: pictures passed over: 2; the first: picture b.png cannot be decoded.\n"
    )


def test_the_bar_of_a_resumed_run_starts_where_it_stands(here, trained, monkeypatch):
    import io

    import tqdm

    made = []

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    class Kept(tqdm.tqdm):
        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            made.append(self)

    monkeypatch.setattr(tqdm, "tqdm", Kept)
    monkeypatch.setattr(sys, "stderr", Terminal())
    trained["done"] = 6
    seen = []
    trained["step"] = lambda number: seen.append((made[0].n, made[0].desc))
    assert main([*PLAIN, "--steps", "9"]) == 0
    bar, = made
    assert seen == [(0, "measuring paintings, 1 of 2"), (7, "training"), (8, "training")]
    assert (bar.initial, bar.n, bar.total) == (6, 9, 9)
    assert "loss 0.111" in bar.format_meter(**bar.format_dict)
    text = sys.stderr.getvalue()
    assert "loading Keras" in text and "training" in text
