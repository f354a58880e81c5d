"""Two processes that train as one, on this machine: what they compute, what they write, and how they end."""

import importlib.util
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="JAX is not installed"),
]

ROOT = pathlib.Path(__file__).parents[2]
QUICK = str(pathlib.Path(__file__).with_name("one_of_several.py"))
NO_TENSORFLOW = pathlib.Path(__file__).with_name("no_tensorflow.py").read_text()  # which Keras would load
PACE = "--steps 6 --warmup 2 --average 0.5 --learning-rate 0.1 --log-every 2 --preview-every 4 --checkpoint-every 3"
TOY = ("--content-dir", "photos", "--photos", "4", *PACE.split())
LOST = (
    "tfstyle: another process of this training has ended or cannot be reached; repeat the command in all of them to go "
    "on from the last checkpoint.\n"
)
SOON = 240  # s in which a process must have ended of itself, on a busy machine too


@pytest.fixture
def here(tmp_path, picture, png):
    """A folder with photos/ of three pictures and paintings/ of two."""
    for name, count, first in (("photos", 3, 0), ("paintings", 2, 10)):
        (tmp_path / name).mkdir()
        for i in range(count):
            (tmp_path / name / f"{i}.png").write_bytes(png(picture(first + i, 72 + i, 70)))
    return tmp_path


@pytest.fixture
def start(here):
    """A function (program, words, before it) that starts a process, which does not outlive the test."""
    begun = []

    def start(program, *words, before=""):
        code = (
            f"{NO_TENSORFLOW}\nimport runpy, signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
            f"{before}\nrunpy.run_path({program!r}, run_name='__main__')"
        )
        environment = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"} | {
            "PYTHONPATH": str(ROOT), "KERAS_BACKEND": "jax", "XLA_FLAGS": "--xla_backend_optimization_level=0",
        }
        begun.append(subprocess.Popen(
            [sys.executable, "-c", code, *words], cwd=here, env=environment, text=True, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ))
        return begun[-1]

    yield start
    for process in begun:
        process.kill()
        process.communicate()


@pytest.fixture
def toys(start):
    """A function that starts two processes of the toy, the second with a workdir of its own, which it must not use.

    Args:
        workdir: of the first.
        *words: flags of both; others: of the second alone. before: Python that both run first.
    """

    def toys(workdir, *words, others=(), before=""):
        address = f"127.0.0.1:{free_port()}"
        return [
            start(QUICK, "train", "superres", *TOY, "--workdir", place, "--coordinator", address, "--processes", "2",
                  "--process", str(process), *words, *(others if process else ()), before=before)
            for process, place in enumerate((workdir, "unused"))
        ]

    return toys


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as found:
        return found.getsockname()[1]


def ended(process):
    """(exit code, stdout, stderr)"""
    out, err = process.communicate(timeout=SOON)
    return process.returncode, out, err.removeprefix("\n")


def kept(workdir):
    with np.load(workdir / "checkpoint.npz") as file:
        return {name: file[name] for name in file.files if name != "head"}


def logged(workdir):
    lines = [json.loads(line) for line in (workdir / "log.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if name != "seconds"} for line in lines]


def assert_near(one, other, losses=1e-5, weights=1e-5):
    """Two runs have the same log and the same weights.

    Args:
        one, other: their workdirs.
        losses: greatest relative difference of a loss; its figures in the log are rounded at the fifth place.
        weights: greatest difference of a weight, and of all else but what is the optimizer's.
    """
    found, wanted = logged(one), logged(other)
    assert [line["step"] for line in found] == [line["step"] for line in wanted] != []
    for line, its in zip(found, wanted, strict=True):
        assert line.keys() == its.keys()
        for name, value in its.items():
            np.testing.assert_allclose(line[name], value, rtol=losses, atol=2e-5, err_msg=name)
    found, wanted = kept(one), kept(other)
    assert found.keys() == wanted.keys() and found["step"] == wanted["step"]
    for name, value in wanted.items():
        if not name.startswith("optimizer/"):
            np.testing.assert_allclose(found[name], value, rtol=0, atol=weights, err_msg=name)


NETWORKS = {  # "style" and "superres" step as "arbitrary" does
    "arbitrary": "--content-dir photos --style-dir paintings --photos 2 --styles 2 --crop 32 --style-crop 32 "
    "--style-sizes 32 --widths 4,4,8,8 --blocks 1 --code 4 --hidden 8 --clip 100",
    "translate": "--a photos --b paintings --crop 64 --short-side 64 --pictures 2 --width 2 --style 3 --hidden 4 "
    "--blocks 1 --method munit",
}


@pytest.mark.parametrize("network", NETWORKS)
def test_each_network(start, here, network):
    """Three steps. Losses differ by the order of sums; Adam makes of a gradient that is nothing but rounding, as that
    of a bias before a normalization, whole steps either way, three at most of 0.001 in each run."""
    command = str(ROOT / "tfstyle" / "__main__.py")
    words = [
        "train", network, *NETWORKS[network].split(), *"--steps 3 --learning-rate 0.001 --warmup 0 --average 0.5 "
        "--log-every 1 --preview-every 99 --precision float32 --seed 3".split(),
    ]
    before = "from tfstyle.train import arbitrary\narbitrary.PREVIEW_SIDE = 32" if network == "arbitrary" else ""
    assert ended(start(command, *words, "--workdir", "one", before=before))[0] == 0
    address = f"127.0.0.1:{free_port()}"
    pair = [
        start(command, *words, "--workdir", "two", "--coordinator", address, "--processes", "2", "--process", process,
              before=before) for process in "01"
    ]
    assert [ended(process) for process in pair] == [(0, "two/weights.npz  step 3 of 3\n", ""), (0, "", "")]
    assert_near(here / "two", here / "one", losses=1e-3, weights=6e-3)
    found, wanted = ([value for name, value in kept(here / name).items() if name.startswith("model/")]
                     for name in ("two", "one"))
    far = np.concatenate([np.abs(a - b).ravel() for a, b in zip(found, wanted, strict=True)])
    assert np.mean(far) < 1e-4  # all others went the same way


def test_two_are_one_and_go_on_as_one(start, toys, here):
    """Six steps of one process and of two; then three more of one, of two after one, and of one after two."""

    def one(workdir, steps):
        return ended(start(QUICK, "train", "superres", *TOY, "--workdir", workdir, "--steps", steps))

    assert one("one", "6") == (0, "one/weights.npz  step 6 of 6\n", "")
    assert list(map(ended, toys("two"))) == [(0, "two/weights.npz  step 6 of 6\n", ""), (0, "", "")]
    assert not any((here / "unused").iterdir())
    one_wrote, two_wrote = (
        {str(path.relative_to(here / name)) for path in (here / name).rglob("*.*") if "tensorboard" not in path.parts}
        for name in ("one", "two")
    )
    assert one_wrote == two_wrote and "previews/step-000004.png" in two_wrote
    assert_near(here / "two", here / "one")
    shutil.copytree(here / "one", here / "mixed")

    assert one("one", "9")[0] == one("two", "9")[0] == 0
    assert [ended(process)[0] for process in toys("mixed", "--steps", "9")] == [0, 0]
    for name in ("two", "mixed"):
        assert logged(here / name)[-1]["step"] == 9
        assert_near(here / name, here / "one")


@pytest.mark.parametrize("killed", [0, 1])
def test_a_killed_process_ends_the_other(toys, here, killed):
    pair = toys("run", "--steps", "100000", "--json")
    wait_for_step(pair, here / "run", 3)
    pair[killed].kill()
    code, out, told = ended(pair[1 - killed])
    assert (code, told) == (1, LOST)
    assert json.loads(out) == {"error": LOST.removeprefix("tfstyle: ").rstrip(), "exit_code": 1}
    assert kept(here / "run")["step"] >= 3


def test_a_process_that_falls_silent_ends_the_other(toys, here):
    """As a machine without power: its sockets stay open, and nothing comes."""
    pair = toys("run", "--steps", "100000", before="from tfstyle.train import machines\nmachines.HEARTBEAT = 10")
    wait_for_step(pair, here / "run", 3)
    pair[1].send_signal(signal.SIGSTOP)
    assert ended(pair[0]) == (1, "", LOST)


def test_ctrl_c_in_one_stops_all_at_the_same_step(toys, here):
    pair = toys("run", "--steps", "100000", "--checkpoint-every", "100000", "--log-every", "1")
    wait_for_line(pair, here / "run", 3)
    pair[1].send_signal(signal.SIGINT)
    (code, line, told), (other, nothing, asked) = map(ended, pair)
    step = int(kept(here / "run")["step"])
    assert (code, line, told) == (130, f"run/weights.npz  step {step} of 100000, interrupted\n", "")
    assert (other, nothing) == (130, "")
    assert asked == (
        "tfstyle: stopping after this step to write a checkpoint; Ctrl-C again quits at once.\n"
    )
    assert logged(here / "run")[-1]["step"] == step


def test_losses_that_are_not_finite_stop_all(toys, here, monkeypatch):
    monkeypatch.setenv("BROKEN_AT", "4")
    for code, out, told in map(ended, toys("run")):
        assert (code, out) == (1, "")
        assert told.startswith("tfstyle: The term first, near is no longer finite at step 5; begin in another ")
    assert kept(here / "run")["step"] == 3


def test_a_process_with_other_flags_is_refused(toys):
    first, other = map(ended, toys("run", others=["--crop", "64"]))
    assert first == (1, "", LOST)
    assert other == (
        2, "", "tfstyle: crop is 64 here and 288 in process 0; give all processes the same pictures and flags.\n"
    )


def test_a_failure_of_one_ends_the_other(toys, here):
    """Process 0 finds its folder taken; the other learns that it has gone."""
    import fcntl

    (here / "run").mkdir()
    claim = os.open(here / "run", os.O_RDONLY)
    fcntl.flock(claim, fcntl.LOCK_EX)
    first, other = map(ended, toys("run"))
    os.close(claim)
    assert first == (
        2, "", "tfstyle: Another process is training in run; stop it first, or name another workdir.\n"
    )
    assert other == (1, "", LOST)


def test_those_who_do_not_come(start):
    before = "from tfstyle.train import machines\nmachines.COMING = 4"
    words = ["train", "superres", *TOY, "--workdir", "run", "--processes", "2"]
    address = f"127.0.0.1:{free_port()}"
    first, other = (
        start(QUICK, *words, "--coordinator", where, "--process", process, before=before)
        for where, process in ((address, "0"), (f"127.0.0.1:{free_port()}", "1"))
    )
    assert ended(first) == (
        1, "", "tfstyle: not all processes of this training have come; start each of them, with the same --coordinator "
        "and --processes.\n"
    )
    code, out, told = ended(other)
    assert (code, out) == (2, "") and told.startswith("tfstyle: coordinator: process 0 cannot be reached at 127.0.0.1:")


def test_slurm_says_who_is_who(start, here, monkeypatch):
    monkeypatch.setenv("JAX_COORDINATOR_PORT", str(free_port()))
    for name, value in (("JOB_ID", 7), ("STEP_NODELIST", "127.0.0.1"), ("NTASKS", 2)):
        monkeypatch.setenv(f"SLURM_{name}", str(value))
    pair = []
    for process in ("0", "1"):
        monkeypatch.setenv("SLURM_PROCID", process)
        monkeypatch.setenv("SLURM_LOCALID", process)
        pair.append(start(QUICK, "train", "superres", *TOY, "--workdir", "run", "--coordinator", "auto", "--json"))
    for process, (code, out, told) in enumerate(map(ended, pair)):
        assert (code, told) == (0, "")
        facts = json.loads(out)
        assert (facts["processes"], facts["process"], facts["step"]) == (2, process, 6)
        assert facts["weights"] == "run/weights.npz"


def wait_for_step(pair, workdir, step):
    wait(pair, lambda: (workdir / "checkpoint.npz").exists() and kept(workdir)["step"] >= step)


def wait_for_line(pair, workdir, step):
    path = workdir / "log.jsonl"
    wait(pair, lambda: path.exists() and path.read_text().count("\n") >= step)


def wait(pair, come):
    while not come():
        for process in pair:
            assert process.poll() is None, process.communicate()
        time.sleep(0.02)
