"""The connection to a cluster, and what comes through it, without a cluster."""

import os
import signal
import types

import pytest

from tfstyle.batch import cluster
from tfstyle.batch.settings import RaySettings

ray = pytest.importorskip("ray")

DIED = """Initialization failure from server:
Traceback (most recent call last):
  File "proxier.py", line 772, in Datapath
    raise RuntimeError(
RuntimeError: Starting Ray client server failed. See ray_client_server_23000.err for detailed logs.
"""


class Ray(types.SimpleNamespace):
    """Of which init() fails by some errors, one a time, before it connects."""

    def init(self, **options):
        self.calls.append(options)
        if self.errors:
            raise self.errors.pop(0)


@pytest.mark.parametrize("times", [0, 1, 2])
def test_a_server_whose_fork_dies_is_asked_again(times):
    one = Ray(errors=[ConnectionAbortedError(DIED)] * times, calls=[])
    cluster._join(one, "ray://127.0.0.1:10001")
    assert len(one.calls) == times + 1 and {call["address"] for call in one.calls} == {"ray://127.0.0.1:10001"}


@pytest.mark.parametrize("error, times, why", [
    (ConnectionAbortedError(DIED), 3,
     "RuntimeError: Starting Ray client server failed. See ray_client_server_23000.err for detailed logs."),
    (RuntimeError("Version mismatch: The cluster has:\n    Ray: 2.0\n"), 1,
     "Version mismatch: The cluster has: Ray: 2.0."),
    (ConnectionError("ray client connection timeout"), 1, "ray client connection timeout."),
])
def test_a_server_that_takes_nobody(refusal, error, times, why):
    one = Ray(errors=[error] * 9, calls=[])
    assert refusal(cluster._join, one, "ray://a:1") == f"There is no Ray cluster at ray://a:1 to work with: {why}"
    assert len(one.calls) == times


def test_no_cluster_on_this_machine(refusal):
    one = Ray(errors=[ConnectionError("Please specify the one by setting `--address` flag")], calls=[])
    assert refusal(cluster._join, one, "auto") == "No Ray cluster runs on this machine; start one, or name its address."


def test_what_an_actor_has_done_before_it_refuses_is_told(refusal, monkeypatch):
    lines = [{"photo": "a", "state": "failed"}, {"state": "refused", "sentence": "All is lost."}]
    monkeypatch.setattr(cluster, "_streamed", lambda *call: iter([lines]))
    told = []
    assert refusal(cluster.paint_on_ray, ray, [], None, None, lambda *call: told.append(call)) == "All is lost."
    assert told == [([lines[0]], False)]


@pytest.mark.parametrize(("cpus", "gpus", "needs"), [
    (2, 0, None), (0.5, 0, None), (3, 0, "3 CPU"), (1, 0.5, "1 CPU and 0.5 GPU"),
])
def test_what_is_waited_for_is_told(refusal, capsys, cpus, gpus, needs):
    machines = [{"Alive": True, "Resources": {"CPU": 2.0}}, {"Alive": False, "Resources": {"CPU": 64.0, "GPU": 1.0}}]
    one, settings = types.SimpleNamespace(nodes=lambda: machines), RaySettings(cpus=cpus, gpus=gpus)
    cluster._check_nodes(one, settings, is_all=False)
    told = f"tfstyle: no machine of the cluster has {needs} for an actor; waiting for one that has.\n"
    assert capsys.readouterr().err == (told if needs else "")
    if needs:
        alone = f"This machine has not the {needs} that an actor is to have; lower cpus or gpus."
        assert refusal(cluster._check_nodes, one, settings, is_all=True) == alone


def test_a_cluster_of_this_machine_needs_its_cores(refusal):
    cluster.check_room("auto", RaySettings(cpus=1000))
    cluster.check_room("local", RaySettings(cpus=os.cpu_count()))
    assert refusal(cluster.check_room, "local", RaySettings(cpus=1000)) == (
        f"cpus must be at most {os.cpu_count()} here, as many as this machine has; received 1000."
    )


def test_sigterm_stays_ours():
    before = signal.getsignal(signal.SIGTERM)
    with cluster._own_sigterm():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    assert signal.getsignal(signal.SIGTERM) == before
