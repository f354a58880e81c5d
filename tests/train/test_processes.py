"""Trainings as processes: killed and resumed, interrupted, under JAX without TensorFlow, on two devices."""

import importlib.util
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

pytestmark = pytest.mark.slow

ROOT = pathlib.Path(__file__).parents[2]
FLAGS = (
    "--photos 2 --styles 2 --crop 32 --style-crop 32 --style-sizes 32 --widths 4,4,8,8 --blocks 1 --code 4 --hidden 8 "
    "--warmup 2 --average 0.9 --log-every 2 --preview-every 1000 --precision float32 --seed 3"
).split()
# The command line with sheets of small pictures; `before` runs first, `after` last.
CODE = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
{before}
from tfstyle.chatter import hushed
with hushed():
    from tfstyle.train import arbitrary
arbitrary.PREVIEW_SIDE = 32
from tfstyle.cli import main
code = main(sys.argv[1:])
{after}
sys.exit(code)
"""
NO_TENSORFLOW = pathlib.Path(__file__).with_name("no_tensorflow.py").read_text()
needs_jax = pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="JAX is not installed")


@pytest.fixture
def started(folders, tmp_path):
    """A function (workdir, flags) that starts a training as a process."""

    def start(workdir, *flags, before="", after="", **environment):
        photos, paintings = map(str, folders)
        words = ["train", "arbitrary", "--content-dir", photos, "--style-dir", paintings, "--workdir", workdir]
        command = [sys.executable, "-c", CODE.format(before=before, after=after), *words, *FLAGS, *flags]
        environment = os.environ | {"PYTHONPATH": str(ROOT)} | environment
        return subprocess.Popen(
            command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        )

    return start


@pytest.fixture
def trained(started):
    """A function that runs a training to its end and returns its stdout."""

    def train(*args, **options):
        code, out, err = finished(started(*args, **options))
        assert code == 0, err
        return out

    return train


def finished(process):
    """(exit code, stdout, stderr)"""
    out, err = process.communicate(timeout=3600)
    return process.returncode, out, err


def arrays(path):
    with np.load(path) as file:
        return {name: file[name] for name in file.files if name != "head"}


def wait_for_step(process, path, step):
    while not path.exists() or arrays(path)["step"] < step:
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)


def logged(path):
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [{name: value for name, value in line.items() if name != "seconds"} for line in lines]


def assert_log_is_near(found, wanted, tolerance):
    assert [line["step"] for line in found] == [line["step"] for line in wanted]
    for line, other in zip(found, wanted, strict=True):
        for name, value in other.items():
            np.testing.assert_allclose(line[name], value, rtol=tolerance, atol=2e-5, err_msg=name)


def test_killed_and_resumed(started, trained, tmp_path):
    line = trained("whole", "--steps", "12", "--checkpoint-every", "1")
    assert line == "whole/weights.npz  step 12 of 12\n"
    process = started("run", "--steps", "12", "--checkpoint-every", "1")
    wait_for_step(process, tmp_path / "run" / "checkpoint.npz", 5)
    process.kill()
    assert finished(process)[0] == -signal.SIGKILL
    assert arrays(tmp_path / "run" / "checkpoint.npz")["step"] < 12
    trained("run", "--steps", "12", "--checkpoint-every", "1")
    found, wanted = (arrays(tmp_path / name / "checkpoint.npz") for name in ("run", "whole"))
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-6, atol=1e-7, err_msg=name)
    assert_log_is_near(logged(tmp_path / "run" / "log.jsonl"), logged(tmp_path / "whole" / "log.jsonl"), 1e-4)
    for name in ("run", "whole"):
        kept = {path.name for path in (tmp_path / name).iterdir()} - {"tensorboard"}
        assert kept == {"checkpoint.npz", "log.jsonl", "previews", "styles", "weights.npz"}  # and nothing half-written


def test_ctrl_c_writes_a_checkpoint(started, tmp_path):
    process = started("run", "--steps", "99999", "--checkpoint-every", "1", "--no-measure-styles")
    wait_for_step(process, tmp_path / "run" / "checkpoint.npz", 2)
    process.send_signal(signal.SIGINT)
    code, line, told = finished(process)
    assert code == 130
    step = int(arrays(tmp_path / "run" / "checkpoint.npz")["step"])
    assert line == f"run/weights.npz  step {step} of 99999, interrupted\n"
    assert "stopping after this step to write a checkpoint" in told


@pytest.fixture
def beginning(tmp_path):
    """The path of a weights.npz that trainings under both backends start from."""
    import keras

    from tfstyle.nets import arbitrary_weights
    from tfstyle.nets.arbitrary import ArbitraryConfig, style_predictor, transformer

    keras.utils.set_random_seed(0)
    config = ArbitraryConfig((4, 4, 8, 8), 1, 4, 8)
    arbitrary_weights.save(tmp_path / "start.npz", style_predictor(config), transformer(config), config)
    return str(tmp_path / "start.npz")


@needs_jax
@pytest.mark.parametrize("measure", ["--measure-styles", "--no-measure-styles"])
def test_jax_without_tensorflow(trained, tmp_path, beginning, measure):
    """Three steps, two more after a resume, compiled once; then TensorFlow goes on from there."""
    count = (
        "from tfstyle.train.loop import keras\n"
        "print(keras.backend.backend(), 'tensorflow' in sys.modules, calls)"
    )
    spy = (
        f"{NO_TENSORFLOW}\ncalls = []\nimport tfstyle.losses\n"
        "inner = tfstyle.losses.total_variation\n"
        "tfstyle.losses.total_variation = lambda image: calls.append(tuple(image.shape)) or inner(image)"
    )
    flags = ("--init", beginning, measure, "--augment", "0", "--checkpoint-every", "1")
    line = trained("run", *flags, "--steps", "3", before=spy, after=count, KERAS_BACKEND="jax")
    assert line == "run/weights.npz  step 3 of 3\njax False [(4, 32, 32, 3)]\n"  # the loss was traced once
    trained("both", *flags, "--steps", "3", KERAS_BACKEND="tensorflow")
    assert_log_is_near(logged(tmp_path / "run" / "log.jsonl"), logged(tmp_path / "both" / "log.jsonl"), 0.02)

    trained("run", *flags, "--steps", "5", before=NO_TENSORFLOW, KERAS_BACKEND="jax")
    done = arrays(tmp_path / "run" / "checkpoint.npz")
    assert done["step"] == 5 and done["optimizer/0"] == 5
    trained("run", *flags, "--steps", "7", KERAS_BACKEND="tensorflow")
    further = arrays(tmp_path / "run" / "checkpoint.npz")
    assert further["step"] == 7 and further["optimizer/0"] == 7 and further.keys() == done.keys()
    assert [line["step"] for line in logged(tmp_path / "run" / "log.jsonl")] == [2, 3, 4, 5, 6, 7]
    for name, value in done.items():
        if name.startswith("model/"):  # steps from there, not from new weights
            assert 0 < np.abs(further[name] - value).max() < 0.02, name


@needs_jax
def test_two_devices_of_jax_share_the_batch(trained, tmp_path, beginning):
    flags = ("--init", beginning, "--steps", "3")
    trained("one", *flags, KERAS_BACKEND="jax")
    two = "--xla_force_host_platform_device_count=2"
    where = "import jax\nprint(len(jax.devices()), keras.distribution.distribution())"
    line = trained("two", *flags, after=f"import keras\n{where}", KERAS_BACKEND="jax", XLA_FLAGS=two)
    assert line.splitlines()[1].startswith("2 <") and "DataParallel" in line
    assert_log_is_near(logged(tmp_path / "two" / "log.jsonl"), logged(tmp_path / "one" / "log.jsonl"), 0.01)


@needs_jax
def test_the_loop_under_jax():
    files = [str(pathlib.Path(__file__).with_name(name)) for name in ("test_loop.py", "test_checkpoint.py")]
    words = ["-q", "-p", "no:cacheprovider", *files]
    code = f"{NO_TENSORFLOW}\nimport pytest\nsys.exit(pytest.main({words}))"
    done = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True, cwd=ROOT,
        env=os.environ | {"KERAS_BACKEND": "jax"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
