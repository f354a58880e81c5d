"""Batches that are refused, before anything is written."""

import http.server
import os
import threading

import numpy as np
import pytest

from tfstyle.batch import job
from tfstyle.batch.job import stylize_batch
from tfstyle.checks import InputError

OURS = {"model": "network.npz", "precision": "float32", "size": 32}


def run(style="paint.png", output="out", **options):
    return stylize_batch("photos", style, output, **(OURS | options))


@pytest.mark.parametrize(("change", "sentence"), [
    ({"style": "pain.png"}, "style picture 'pain.png' does not exist; did you mean 'paint.png'?"),
    ({"style": None}, "There is no style picture; give one or more."),
    ({"masks": ["a.png"]}, "masks fit one photo; leave them out, or stylize the photos of the folder one by one."),
    ({"format": "gif"}, "format must be one of "),
    ({"stregth": 1}, "setting must be one of "),
    ({"actors": (3, 2)}, "actors must be one number, or the fewest and the most; received '3,2'."),
    ({"callback": 5}, "callback must be a function; received int."),
    ({"gpus": 1.5}, "gpus must be a whole number, or a part of one; received 1.5."),
    ({"actors": ()}, "actors must be one number, or the fewest and the most; received ''."),
    ({"actors": 0}, "actors must be a whole number of at least 1; received 0."),
    ({"cpus": 0}, "cpus must be a number from 0.01 to 1024; received 0."),
    ({"output": "paint.png/out"}, "output 'paint.png/out' cannot be made (Not a directory); choose another place."),
])
def test_refusals(here, refusal, change, sentence):
    assert refusal(run, **change).startswith(sentence)
    assert not os.path.exists("out")


def test_codes_that_no_network_takes(here, refusal):
    code = np.full(100, np.nan, np.float32)
    assert refusal(run, style=code) == "A style code holds NaN or infinite values; make it anew from its picture."
    assert refusal(run, style=[np.zeros(100, int)]).startswith("A style code must be float of shape (K,); received int")
    assert not os.path.exists("out")


@pytest.mark.parametrize(("address", "sentence"), [
    ("somewhere", "ray_address must be auto, local, HOST:PORT or ray://HOST:PORT; received 'somewhere'."),
    ("ray://:10001", "ray_address must be auto, local, HOST:PORT or ray://HOST:PORT; received 'ray://:10001'."),
    ("127.0.0.1:99999", "ray_address must be auto, local, HOST:PORT or ray://HOST:PORT; received '127.0.0.1:99999'."),
    ("127.0.0.1:1", "No Ray cluster answers at 127.0.0.1:1 (Connection refused); start one, or name its address."),
])
def test_addresses(here, refusal, monkeypatch, address, sentence):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    assert refusal(run, ray_address=address) == sentence
    assert not os.path.exists("out")


def test_what_answers_is_something_else(here, refusal, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as server:
        server.RequestHandlerClass.log_message = lambda *args: None
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        told = refusal(run, ray_address=f"127.0.0.1:{server.server_port}")
        server.shutdown()
        thread.join()
    assert told == f"What answers at 127.0.0.1:{server.server_port} is no Ray cluster; start one, or name its address."


def test_without_ray(here, refusal, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert refusal(run, ray_address="auto") == "ray_address needs Ray: pip install 'tfstyle[ray]'."


def test_without_a_cluster_nothing_is_written(here, refusal, listed, monkeypatch):
    def connected(address, settings):
        raise InputError("There is none.")

    monkeypatch.setattr(job, "check_address", lambda address: None)
    monkeypatch.setattr(job, "connected", connected)
    assert refusal(run, ray_address="auto") == "There is none." and not os.path.exists("out")
