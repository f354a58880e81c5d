"""Folders of tiny photos, and a Ray cluster of two nodes on this machine."""

import json
import os
import pathlib
import secrets
import shutil
import signal
import socket
import sys
import tempfile
import time

import numpy as np
import psutil
import pytest
from PIL import Image

from tfstyle import atomic, folder, images
from tfstyle.batch.job import prepared_batch
from tfstyle.batch.worker import Order, versions

SECONDS = 240  # before a test gives up waiting


@pytest.fixture
def here(tmp_path, monkeypatch, network_file):
    """The current folder: photos/ with folders inside, paint.png, other.png and network.npz."""
    rng = np.random.default_rng(3)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    for path in ("photos/a.jpg", "photos/b.gif", "photos/b.png", "photos/in/a.jpg", "photos/in/deep/c.webp",
                 "photos/.hidden.png", "photos/.in/d.png", "photos/.tfstyle-0123.png", "paint.png", "other.png"):
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        Image.fromarray(rng.integers(20, 256, (24, 32, 3), dtype=np.uint8)).save(path)
    (tmp_path / "photos" / "notes.txt").write_text("no picture")
    (tmp_path / "network.npz").write_bytes(network_file.read_bytes())
    return tmp_path


@pytest.fixture
def defects(monkeypatch):
    """A set of numbers, counted from 1, of pictures at which a painter without a network breaks."""
    numbers, count = set(), 0

    def paint(photo):
        nonlocal count
        count += 1
        if count in numbers:
            raise RuntimeError("no\ngood")
        return images.to_pil(photo[0], photo[1])

    monkeypatch.setattr(folder, "_painter", lambda painting: paint)
    return numbers


@pytest.fixture
def order(here, monkeypatch):
    """An `Order`, and an environment that an actor may change."""
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "TF_FORCE_GPU_ALLOW_GROWTH"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setattr(atomic, "_marked", "")
    os.mkdir("out")
    painting = prepared_batch("photos", "paint.png", "out", model="network.npz", precision="float32", size=32).painting
    return Order(painting, str(here / "photos"), str(here / "out"), 3, versions(), "mark-")


@pytest.fixture
def manifest():
    """Reads the manifest of a folder: (head, [line, ...])."""

    def read(output):
        text = pathlib.Path(output, "manifest.jsonl").read_text()
        head, *lines = map(json.loads, text.splitlines())
        assert text.endswith("\n")
        return head, lines

    return read


class Cluster:
    """Two nodes of one core each, started as one would on two machines."""

    def __init__(self):
        # Short, since the paths of sockets below it may have 107 bytes; and of its own, as is all of this cluster.
        self.folder = tempfile.mkdtemp(prefix="rt", dir="/tmp")
        with socket.socket() as one, socket.socket() as other:
            for free in (one, other):
                free.bind(("127.0.0.1", 0))
            port, client = one.getsockname()[1], other.getsockname()[1]
        self.address, self.client = f"127.0.0.1:{port}", f"ray://127.0.0.1:{client}"
        # A token of its own: Ray would else take, or make, one in the home folder.
        self.environment = os.environ | {
            "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32), "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_worker_niceness": "0", "RAY_health_check_period_ms": "500", "RAY_health_check_timeout_ms": "2000",
        }
        self._nodes = []
        try:
            self.head = self._start(
                "--head", f"--port={port}", f"--ray-client-server-port={client}", f"--temp-dir={self.folder}",
                "--include-dashboard=false", "--num-gpus=1",  # that it has none does not matter to Ray
            )
            self.second = self.join()
        except BaseException:
            self.stop()
            raise

    def _start(self, *words):
        command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--num-cpus=1",
                   "--node-ip-address=127.0.0.1", "--object-store-memory=100000000", *words]
        with open(os.path.join(self.folder, f"{len(self._nodes)}.log"), "wb") as log:
            node = psutil.Popen(command, stdout=log, stderr=log, env=self.environment, start_new_session=True)
        self._nodes.append(node)
        self._wait(lambda: b"Ray runtime started" in pathlib.Path(log.name).read_bytes(), node, log.name)
        return node

    @staticmethod
    def _wait(ready, node, log):
        until = time.monotonic() + SECONDS
        while not ready():
            assert node.poll() is None and time.monotonic() < until, pathlib.Path(log).read_text()
            time.sleep(0.1)

    def join(self):
        """Another node."""
        return self._start(f"--address={self.address}")

    def actors(self, node=None):
        """The processes that paint, of one node or of all."""
        found = []
        for one in self._nodes if node is None else [node]:
            for process in _below(one):
                try:
                    if "MapWorker" in " ".join(process.cmdline()):
                        found.append(process)
                except psutil.Error:
                    continue
        return found

    @staticmethod
    def kill(node):
        """kill -9 of a node's raylet, its workers and all else of it, as when its machine goes."""
        for process in (*_below(node), node):
            try:
                process.send_signal(signal.SIGKILL)
            except psutil.NoSuchProcess:
                continue

    def stop(self):
        for node in reversed(self._nodes):
            self.kill(node)
            node.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def _below(node):
    try:
        return node.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


@pytest.fixture(scope="module")
def cluster():
    """`Cluster`, alone on this machine's loopback."""
    pytest.importorskip("ray")
    made = Cluster()
    yield made
    made.stop()
