"""The connection to a cluster, and what comes through it, without a cluster."""

import contextlib
import types

import pytest

from tfstyle.batch import cluster

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
    ray = Ray(errors=[ConnectionAbortedError(DIED)] * times, calls=[])
    cluster._join(ray, "ray://127.0.0.1:10001")
    assert len(ray.calls) == times + 1 and {call["address"] for call in ray.calls} == {"ray://127.0.0.1:10001"}


@pytest.mark.parametrize("error, times, why", [
    (ConnectionAbortedError(DIED), 3,
     "RuntimeError: Starting Ray client server failed. See ray_client_server_23000.err for detailed logs."),
    (RuntimeError("Version mismatch: The cluster has:\n    Ray: 2.0\n"), 1,
     "Version mismatch: The cluster has: Ray: 2.0."),
    (ConnectionError("ray client connection timeout"), 1, "ray client connection timeout."),
])
def test_a_server_that_takes_nobody(refusal, error, times, why):
    ray = Ray(errors=[error] * 9, calls=[])
    assert refusal(cluster._join, ray, "ray://a:1") == f"There is no Ray cluster at ray://a:1 to work with: {why}"
    assert len(ray.calls) == times


def test_what_an_actor_has_done_before_it_refuses_is_told(refusal, monkeypatch):
    lines = [{"photo": "a", "state": "failed"}, {"state": "refused", "sentence": "All is lost."}]
    monkeypatch.setattr(cluster, "_connected", contextlib.nullcontext)
    monkeypatch.setattr(cluster, "_streamed", lambda *call: iter([lines]))
    told = []
    assert refusal(cluster.paint_on_ray, [], None, None, "auto", lambda *call: told.append(call)) == "All is lost."
    assert told == [([lines[0]], False)]
