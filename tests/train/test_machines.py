"""Several processes that train as one, by the parts that need only one: who is who, shares of a batch, refusals."""

import socket
import types

import numpy as np
import pytest

from tfstyle.train import machines
from tfstyle.train.machines_settings import Machines, check_backend, host_and_port

PLACE = {"coordinator": "10.0.0.1:5000", "processes": 4, "process": 1}


# Who is who


def test_who_trains_alone():
    assert not Machines().several and Machines().writes
    assert not Machines("10.0.0.1:5000", 1, 0).several
    assert Machines(**PLACE).several and not Machines(**PLACE).writes
    assert Machines(**PLACE | {"process": 0}).writes
    assert Machines("auto").several and Machines("auto").writes
    assert Machines("auto", process=3).several


ALL = "To train in several processes, give all of coordinator, processes and process, or coordinator auto."


@pytest.mark.parametrize("changed, sentence", [
    ({"processes": None}, ALL),
    ({"coordinator": None}, ALL),
    ({"process": None}, ALL),
    ({"process": 4}, "process must be under processes (4), since the first is 0; received 4."),
    ({"process": -1}, "process must be a whole number from 0 to 4095; received -1."),
    ({"processes": 0}, "processes must be a whole number from 1 to 4096; received 0."),
    ({"coordinator": "10.0.0.1"},
     "coordinator must be HOST:PORT, such as 10.0.0.1:5000, or auto; received '10.0.0.1'."),
    ({"coordinator": "10.0.0.1:70000"},
     "coordinator must be HOST:PORT, such as 10.0.0.1:5000, or auto; received '10.0.0.1:70000'."),
    ({"coordinator": "http://one:5000"},
     "coordinator must be HOST:PORT, such as 10.0.0.1:5000, or auto; received 'http://one:5000'."),
])
def test_places_that_are_none(refusal, changed, sentence):
    assert refusal(Machines, **PLACE | changed) == sentence


def test_addresses():
    assert host_and_port("one.cluster:5000") == ("one.cluster", 5000)
    assert host_and_port("[fe80::1]:80") == ("fe80::1", 80)


@pytest.mark.parametrize("backend", ["tensorflow", "torch", None])
def test_other_backends_are_refused(refusal, monkeypatch, backend):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    check_backend()
    monkeypatch.delenv("KERAS_BACKEND")
    if backend:
        monkeypatch.setenv("KERAS_BACKEND", backend)
    assert refusal(check_backend) == (
        f"Several processes train together under JAX, not under {backend or 'tensorflow'}; set KERAS_BACKEND=jax."
    )


def test_keras_may_have_been_told_otherwise(refusal):
    import keras

    if keras.backend.backend() == "jax":
        pytest.skip("it is JAX")
    assert refusal(machines.join, Machines(**PLACE)) == (
        "Several processes train together under JAX; set KERAS_BACKEND=jax."
    )


# The way to process 0


def test_a_port_that_is_taken(refusal):
    with socket.create_server(("", 0)) as taken:
        port = taken.getsockname()[1]
        said = refusal(machines._look, Machines(f"127.0.0.1:{port}", 2, 0))
    assert said == f"coordinator: port {port} is not free here (Address already in use); choose another."


def test_a_process_0_that_is_not_there(refusal, monkeypatch):
    monkeypatch.setattr(machines, "COMING", 0)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        machines._look(Machines(f"127.0.0.1:{port}", 2, 1))
    assert refusal(machines._look, Machines(f"127.0.0.1:{port}", 2, 1)) == (
        f"coordinator: process 0 cannot be reached at 127.0.0.1:{port} (Connection refused); start it there, or mend "
        "the address."
    )


# Shares


@pytest.fixture
def cluster(monkeypatch):
    """A function (devices of each process, which one this is) that puts them under JAX, in no order."""

    def cluster(counts, mine):
        found = [
            types.SimpleNamespace(platform="gpu", id=10 * process + i, process_index=process)
            for process, count in enumerate(counts) for i in range(count)
        ]
        fake = types.SimpleNamespace(
            devices=lambda: found[::-2] + found[-2::-2], process_count=lambda: len(counts), process_index=lambda: mine
        )
        monkeypatch.setattr(machines, "_jax", lambda: fake)

    return cluster


@pytest.mark.parametrize("counts", [(1, 1), (2, 2, 2), (1, 3)])
def test_the_parts_of_a_batch_are_the_batch(cluster, counts):
    batch = {"photo": np.arange(24).reshape(12, 2), "own": np.arange(24)}
    parts = []
    for mine, count in enumerate(counts):
        cluster(counts, mine)
        assert (machines.count(), machines.index(), machines.first()) == (len(counts), mine, mine == 0)
        parts.append(machines.part(batch))
        assert len(parts[-1]["photo"]) == 12 * count // sum(counts)
    for name, array in batch.items():
        np.testing.assert_array_equal(np.concatenate([part[name] for part in parts]), array)
    assert machines.devices() == [f"gpu:{10 * process + i}" for process, n in enumerate(counts) for i in range(n)]


def test_a_batch_that_cannot_be_shared(cluster, refusal):
    cluster((2, 2), 0)
    said = refusal(machines.part, {"photo": np.zeros(6)})
    assert said == "Batches must be multiples of the 4 devices; received 6."


def test_one_process_has_all_of_it(cluster):
    cluster((2,), 0)
    batch = {"photo": np.zeros(3)}
    assert machines.part(batch) is batch
    assert machines.any_of(True) is True and machines.any_of(None) is False
    assert machines.from_first(lambda: b"all") == b"all" and machines.from_first(lambda: None) is None
    machines.check_alike({"crop": 32})
    with machines.in_turn() as busy:
        busy()


# Together


@pytest.mark.parametrize("mine", [0, 1])
def test_in_turn(cluster, monkeypatch, mine):
    """Process 0 does its part while the others ask whether it is still at it."""
    said, at = [], iter([0.0, 30.0, 61.0, 61.0, 62.0])
    answers = iter([True, True, False] if mine else [True, False])

    def any_of(asked):
        said.append(asked)
        return next(answers)

    cluster((1, 1), mine)
    monkeypatch.setattr(machines, "any_of", any_of)
    monkeypatch.setattr(machines.time, "monotonic", lambda: next(at))
    with machines.in_turn() as busy:
        said.append("work")
        for _ in range(3):
            busy()
    assert said == ([False, False, False, "work"] if mine else ["work", True, False])


def test_processes_that_were_started_otherwise(cluster, monkeypatch, refusal):
    cluster((1, 1), 1)
    monkeypatch.setattr(machines, "from_first", lambda make: b'{"processes": 2, "crop": "32", "paintings": "abc"}')
    machines.check_alike({"crop": "32", "paintings": "abc"})
    assert refusal(machines.check_alike, {"crop": "64", "paintings": "abc"}) == (
        "crop is 64 here and 32 in process 0; give all processes the same pictures and flags."
    )
    assert refusal(machines.check_alike, {"crop": "32"}).startswith("paintings is None here and abc in process 0; ")


@pytest.mark.parametrize("told, lost", [
    ("UNKNOWN: Gloo AllGather failed: [pair.cc:538] Read error [127.0.0.1]:38622: Connection reset by peer", True),
    ("INTERNAL: NCCL operation ncclGroupEnd() failed: remote process exited or there was a network error", True),
    ("UNAVAILABLE: The following nodes are unreachable by the coordination service", True),
    ("RESOURCE_EXHAUSTED: Out of memory allocating 8589934592 bytes.", False),
    ("Incompatible shapes for broadcasting: (2, 3) and (4,)", False),
])
def test_who_has_gone(told, lost):
    assert machines.is_lost(RuntimeError(told)) == lost
