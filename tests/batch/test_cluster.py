"""Batches on a real Ray cluster of two nodes, of which actors, nodes and the command itself are killed."""

import json
import pathlib
import secrets
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest
from PIL import Image

from tfstyle.batch.manifest import read_manifest
from tfstyle.folder import stylize_folder

pytestmark = pytest.mark.slow

COUNT = 100
SECONDS = 240  # before a test gives up waiting
FLAGS = ["--size", "640", "--model", "network.npz", "--precision", "float32", "--pictures-per-task", "4"]
BAD = {"photos/in/p001.png": "is in no picture format that can be read", "photos/p050.png": "is empty (0 bytes)"}
OURS = {"size": 640, "model": "network.npz", "precision": "float32"}


@pytest.fixture(scope="module")
def photos(tmp_path_factory, network_file):
    """A folder with photos/ of 100 pictures, two of them damaged, paint.png, network.npz, and wanted/, all painted."""
    top = tmp_path_factory.mktemp("batch")
    rng = np.random.default_rng(5)
    for number in range(COUNT):
        path = top / "photos" / ("in" * (number % 2)) / f"p{number:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)).resize((32, 24)).save(path)
    (top / "photos" / "in" / "p001.png").write_bytes(b"no picture")
    (top / "photos" / "p050.png").write_bytes(b"")
    Image.fromarray(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)).resize((64, 48)).save(top / "paint.png")
    (top / "network.npz").write_bytes(network_file.read_bytes())
    stylize_folder(top / "photos", str(top / "paint.png"), top / "wanted", recursive=True,
                   **(OURS | {"model": str(top / "network.npz")}))
    return top


@pytest.fixture
def batch(photos, cluster):
    """Starts tfstyle batch on the cluster as a process, into a folder of a name."""
    started = []

    def start(output, *words, address=cluster.address, environment=None):
        command = [sys.executable, "-m", "tfstyle", "batch", "photos/**/*.png", "paint.png", "-o", output, *FLAGS,
                   "--ray-address", address, "--json", *words]
        started.append(subprocess.Popen(
            command, cwd=photos, env=environment or cluster.environment, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        ))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def wait(condition, process=None):
    until = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < until, "it takes too long"
        if process is not None and process.poll() is not None:
            raise AssertionError(process.communicate())
        time.sleep(0.01)


def wait_for_lines(process, output, count):
    """Waits until so many pictures are known, and not all of them."""
    path = output / "manifest.jsonl"
    wait(lambda: path.exists() and path.read_bytes().count(b"\n") > count, process)
    assert path.read_bytes().count(b"\n") - 1 < COUNT


def check_all_is_there(photos, output):
    """Every result is what one process paints, the damaged are told of, and nothing else lies there."""
    head, lines = read_manifest(output)
    assert head["styles"] and len(lines) == COUNT
    found = {str(path.relative_to(output)): path.read_bytes() for path in output.rglob("*") if path.is_file()}
    del found["manifest.jsonl"]
    wanted = {str(path.relative_to(photos / "wanted")): path for path in (photos / "wanted").rglob("*.png")}
    assert found.keys() == wanted.keys() and len(found) == COUNT - len(BAD)
    for name, path in wanted.items():
        assert found[name] == path.read_bytes()
    failed = {f"photos/{photo}": line["sentence"] for photo, line in lines.items() if line["state"] == "failed"}
    assert failed.keys() == BAD.keys() and all(text in failed[photo] for photo, text in BAD.items())
    assert {line["state"] for line in lines.values()} == {"done", "failed"}


def finished(process):
    """(exit code, what --json told, stderr)"""
    out, err = process.communicate(timeout=SECONDS)
    return process.returncode, json.loads(out) if out else None, err


def test_an_actor_and_a_node_are_killed(photos, cluster, batch):
    process = batch("one", "--actors", "2")
    wait(lambda: len(cluster.actors()) == 2, process)
    wait_for_lines(process, photos / "one", 4)
    (actor,) = cluster.actors(cluster.head)
    actor.send_signal(signal.SIGKILL)
    wait_for_lines(process, photos / "one", 12)
    assert cluster.actors(cluster.second)
    cluster.kill(cluster.second)
    code, told, err = finished(process)
    assert code == 1 and err.count("\n") == 2 and all(photo in err for photo in BAD), err
    assert (told["painted"], told["left"], told["skipped"]) == (COUNT - 2, 0, 0)
    assert {one["photo"] for one in told["failed"]} == BAD.keys()
    check_all_is_there(photos, photos / "one")
    wait(lambda: not cluster.actors())


def test_the_command_is_killed_and_given_again(photos, cluster, batch):
    process = batch("two")
    wait_for_lines(process, photos / "two", 8)
    process.kill()
    process.wait()
    wait(lambda: not cluster.actors())
    results = [path for path in (photos / "two").rglob("*.png") if not path.name.startswith(".")]
    assert 0 < len(results) < COUNT - 2
    for path in results:
        with Image.open(path) as image:
            image.load()
    (photos / "two" / "in" / ".tfstyle-0123456789abcdef.png").write_bytes(b"half")
    code, told, err = finished(batch("two", "--gpus", "0.5", address=cluster.client))
    assert code == 1 and err.count("\n") == 2, err
    assert told["skipped"] == len(results) and told["painted"] == COUNT - 2 - len(results)
    check_all_is_there(photos, photos / "two")


@pytest.mark.parametrize(("signum", "wanted", "word"), [
    (signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated"),
])
def test_a_signal_ends_it(photos, cluster, batch, signum, wanted, word):
    process = batch(word)
    wait_for_lines(process, photos / word, 4)
    process.send_signal(signum)
    code, told, err = finished(process)
    assert code == wanted and told["left"] > 0, err
    left = f"tfstyle: {word}; the same command goes on with the {told['left']} left.\n"
    assert err.endswith(left) and err.count("\n") == 1 + len(told["failed"]), err
    wait(lambda: not cluster.actors())
    assert not list((photos / word).rglob(".tfstyle-*"))


def test_addresses_of_no_cluster(photos, cluster, batch):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        others = cluster.environment | {"RAY_AUTH_TOKEN": secrets.token_hex(32)}
        runs = [batch("four", address=address), batch("four", environment=others)]
        for process, of in zip(runs, (address, cluster.address), strict=True):
            code, _, err = finished(process)
            assert code == 2 and err.count("\n") == 1 and f" {of} " in err, err
    assert not pathlib.Path(photos, "four").exists() or not list((photos / "four").rglob("*.png"))


def test_workers_that_cannot_paint_are_told_of(photos, cluster, batch, monkeypatch):
    """A network that the command sees and the actors do not is one fault, and not one of every picture."""
    code = (
        "import sys, tfstyle.batch.worker as worker\n"
        "worker.versions = lambda: {'tfstyle': '9.9', 'keras': None, 'tensorflow': None}\n"
        "import tfstyle.batch.job as job; job.versions = worker.versions\n"
        "from tfstyle.cli import main; sys.exit(main(sys.argv[1:]))\n"
    )
    words = ["batch", "photos", "paint.png", "-o", "five", *FLAGS, "--ray-address", cluster.address]
    done = subprocess.run(
        [sys.executable, "-c", code, *words], cwd=photos, env=cluster.environment, capture_output=True, text=True
    )
    assert done.returncode == 2 and done.stderr.count("\n") == 1, done.stderr
    assert "cannot paint: it has tfstyle " in done.stderr and "the command that was given 9.9" in done.stderr
    assert psutil.pid_exists(cluster.head.pid)


def test_a_picture_that_kills_its_actor_each_time(photos, cluster):
    """As one that needs more memory than there is; its task's others are painted, and Ray does not go on for ever."""
    code = (
        "import os, signal, sys, tfstyle.batch.cluster as cluster\n"
        "class Dying(cluster.Worker):\n"  # of __main__, and so sent to the actors as it is
        "    def __init__(self, order):\n"
        "        super().__init__(order)\n"
        "        from tfstyle import images\n"
        "        write = images.write\n"
        "        def killed(path, *rest, **options):\n"
        "            if path.endswith('p002.png'):\n"
        "                os.kill(os.getpid(), signal.SIGKILL)\n"
        "            return write(path, *rest, **options)\n"
        "        images.write = killed\n"
        "cluster.Worker = Dying\n"
        "from tfstyle.cli import main; sys.exit(main(sys.argv[1:]))\n"
    )
    words = ["batch", "photos/p00*.png", "paint.png", "-o", "six", *FLAGS, "--ray-address", cluster.address, "--json"]
    done = subprocess.run(
        [sys.executable, "-c", code, *words], cwd=photos, env=cluster.environment, capture_output=True, text=True,
        timeout=3 * SECONDS,  # four actors come and go
    )
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and "died each time" in done.stderr, done.stderr
    told = json.loads(done.stdout)
    assert [one["photo"] for one in told["failed"]] == ["photos/p002.png"] and (told["painted"], told["left"]) == (4, 0)
    names = sorted(path.name for path in (photos / "six").iterdir())
    assert names == ["manifest.jsonl", "p000.png", "p004.png", "p006.png", "p008.png"]
