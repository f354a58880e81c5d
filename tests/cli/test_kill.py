"""Runs that are ended from without, as processes.

One that is killed goes on where its checkpoint stands; Ctrl-C and SIGTERM leave what was there, and one sentence.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.slow

# The command line with a checkpoint after every step; a user's run writes one every few seconds.
EVERY_STEP = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from tfstyle.chatter import hushed
with hushed():
    from tfstyle.gatys import loop
loop.optimize.__kwdefaults__["checkpoint_seconds"] = 0.0
from tfstyle.cli import main
sys.exit(main(sys.argv[1:]))
"""
FLAGS = "--size 96 --scales 2 --steps 12,40 --deterministic --seed 3 --init noise".split()
STEPS = 52


def started(output, *words):
    """The command line as a process."""
    words = ("optimize", "photo.png", "paint.png", "-o", output, *FLAGS, *words)
    command = [sys.executable, "-c", EVERY_STEP, *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finished(process):
    """(exit code, stdout, stderr)"""
    out, err = process.communicate(timeout=600)
    return process.returncode, out, err


def steps_done(checkpoint):
    """Steps that a checkpoint holds; 0 if it is not there yet."""
    if not os.path.exists(checkpoint):
        return 0
    with np.load(checkpoint) as file:
        return len(json.loads(bytes(file["head"]))["progress"]["records"])


def wait_for_steps(process, checkpoint, count):
    while steps_done(checkpoint) < count:
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)


def losses(path):
    with open(path, encoding="utf-8") as file:
        trace = json.load(file)
    return [record["raw"] for record in (*trace["records"], trace["final"])]


def test_killed_at_both_scales_and_resumed(folder):
    code, line, told = finished(started("whole.png", "--trace", "whole.json"))
    assert (code, told) == (0, "") and line.startswith("whole.png  96x72  ")

    for count in (5, 20):  # at the first scale, and the resumed run at the second
        process = started("resumed.png", "--trace", "resumed.json", "--checkpoint", "run.npz")
        wait_for_steps(process, "run.npz", count)
        process.kill()
        assert finished(process)[0] == -signal.SIGKILL
        assert count <= steps_done("run.npz") < STEPS
        assert not os.path.exists("resumed.png") and not os.path.exists("resumed.json")

    code, line, told = finished(started("resumed.png", "--trace", "resumed.json", "--checkpoint", "run.npz"))
    assert (code, told) == (0, "") and line.startswith("resumed.png  96x72  ")
    assert (folder / "resumed.png").read_bytes() == (folder / "whole.png").read_bytes()
    assert losses("resumed.json") == losses("whole.json") and len(losses("whole.json")) == STEPS + 1


@pytest.mark.parametrize(("signum", "name", "ended_with"), [
    (signal.SIGINT, "Ctrl-C", 130), (signal.SIGTERM, "SIGTERM", 143)])
def test_a_signal_writes_the_picture(folder, signum, name, ended_with):
    process = started("out.png", "--checkpoint", "run.npz", "--trace", "run.json", "--steps", "9999")
    wait_for_steps(process, "run.npz", 3)
    process.send_signal(signum)
    code, line, told = finished(process)
    assert code == ended_with
    assert line.startswith("out.png  96x72  ") and "interrupted at step " in line
    assert told == f"\ntfstyle: stopping after this step to write the picture; {name} again quits at once.\n"
    assert 3 <= len(losses("run.json")) - 1 < 9999
    assert os.path.getsize("out.png") > 1000


# Every verb, while TensorFlow loads, while it works, and while it writes

ENDS = [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")]

# The command line with a signal from within, as soon as a function is called that the first argument names; the second
# is the signal. What that function does is done slowly enough.
STRUCK = """
import functools, importlib, os, signal, sys, threading, time
signal.signal(signal.SIGINT, signal.default_int_handler)
from tfstyle.cli import backend, main
module, _, name = sys.argv[1].partition(":")

def strike(load):
    found = load()
    *path, last = name.split(".")
    owner = functools.reduce(getattr, path, importlib.import_module(module))
    real = getattr(owner, last)

    def slowly(*args, **options):
        threading.Timer(0.05, os.kill, (os.getpid(), int(sys.argv[2]))).start()
        real(*args, **options)
        for _ in range(600):
            time.sleep(0.1)

    setattr(owner, last, slowly)
    return found

for loader in ("tensorflow", "keras"):
    setattr(backend, loader, functools.partial(strike, getattr(backend, loader)))
sys.exit(main(sys.argv[3:]))
"""

# A package that stands in for TensorFlow: it takes long to load.
LOADING = """
import os, signal, time
os.write(2, b"I0000 00:00:1795296658.5 11803 port.cc:153] oneDNN\\n")
os.kill(os.getpid(), int(os.environ["STRUCK_BY"]))
time.sleep(60)
"""

VERBS = {
    "stylize": "stylize photo.png paint.png -o out.png --size 64 --model network.npz",
    "enlarge": "enlarge photo.png -o out.png",
    "translate": "translate photo.png --model monet --size 32 --random-styles 3 -o out.png",
    "export": "export arbitrary --model network.npz -o out",
    "evaluate": "evaluate real fake --features vgg19 -o out.json",
}


@pytest.fixture
def inputs(folder, network_file):
    """What VERBS name, in the current folder; lists what has come to it since."""
    (folder / "network.npz").write_bytes(network_file.read_bytes())
    for name in ("real", "fake"):
        (folder / name).mkdir()
        for number in range(3):
            with Image.open("photo.png") as photo:
                photo.rotate(90 * number).save(folder / name / f"{number}.png")
    before = set(folder.rglob("*"))
    return lambda: sorted(set(folder.rglob("*")) - before)


def ended(command, **environment):
    """(exit code, stdout, stderr) of a process."""
    done = subprocess.run(
        [sys.executable, *command], check=False, capture_output=True, text=True, timeout=300,
        env=os.environ | environment,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(("signum", "code", "sentence"), ENDS)
@pytest.mark.parametrize("verb", [*VERBS, "optimize"])
def test_while_tensorflow_loads(inputs, folder, verb, signum, code, sentence):
    (folder / "standin" / "tensorflow").mkdir(parents=True)
    (folder / "standin" / "tensorflow" / "__init__.py").write_text(LOADING)
    before = inputs()
    words = VERBS.get(verb, "optimize photo.png paint.png -o out.png --size 64").split()
    script = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)\n" \
             "sys.path.insert(0, 'standin'); from tfstyle.cli import main; sys.exit(main(sys.argv[1:]))"
    found, out, err = ended(["-c", script, *words], STRUCK_BY=str(int(signum)), PYTHONDONTWRITEBYTECODE="1")
    assert (found, out, err.strip()) == (code, "", f"tfstyle: {sentence}.")
    assert inputs() == before


@pytest.mark.parametrize(("verb", "moment", "how"), [
    ("stylize", "tfstyle.images.output:os.fsync", 1),
    ("enlarge", "tfstyle.enlarger:Enlarger.enlarge", 0), ("enlarge", "tfstyle.atomic:os.fsync", 1),
    ("translate", "tfstyle.translator:Translator.translate", 1), ("translate", "tfstyle.atomic:os.fsync", 0),
    ("export", "tfstyle.export.savedmodel:save", 0),
    ("evaluate", "tfstyle.metrics:distribution_distances", 0), ("evaluate", "tfstyle.atomic:os.fsync", 1),
])
def test_while_it_works_and_writes(inputs, verb, moment, how):
    signum, code, sentence = ENDS[how]
    found, out, err = ended(["-c", STRUCK, moment, str(int(signum)), *VERBS[verb].split()])
    assert (found, err.splitlines()[-1:]) == (code, [f"tfstyle: {sentence}."]), err
    assert "Traceback" not in err and (out == "" or verb == "evaluate")
    assert [path.name for path in inputs()] in ([], ["out"])  # a folder that was made, and has nothing in it


@pytest.mark.parametrize(("signum", "code", "sentence"), ENDS)
def test_while_a_server_thinks(inputs, signum, code, sentence):
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        script = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)\n" \
                 "from tfstyle.cli import main; sys.exit(main(sys.argv[1:]))"
        words = ["client", "photo.png", "paint.png", "-o", "out.png", "--url", url, "--json"]
        process = subprocess.Popen(
            [sys.executable, "-c", script, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        server.settimeout(60)
        with server.accept()[0] as connection:
            assert connection.recv(4)
            process.send_signal(signum)
            found, out, err = finished(process)
    assert (found, err) == (code, f"tfstyle: {sentence}.\n") and inputs() == []
    assert json.loads(out) == {"error": f"{sentence}.", "exit_code": code}
