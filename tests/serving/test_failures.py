"""What a client does when its server is unavailable, slow, broken or no such server; and the words it finds."""

import random
import socket
import threading
import time

import numpy as np
import pytest

from tfstyle.checks import InputError
from tfstyle.serving import Client, failures
from tfstyle.serving.connection import Address, Connection, place

PHOTO = np.arange(16 * 20 * 3, dtype=np.uint8).reshape(16, 20, 3)
UNAVAILABLE = "UNAVAILABLE"


def paint(client):
    return client.stylize(PHOTO, PHOTO, size=None)


@pytest.fixture
def waits(monkeypatch):
    """The seconds that clients wait between attempts, noted in place of the waiting."""
    noted = []
    monkeypatch.setattr("tfstyle.serving.client.time", type("clock", (), {
        "monotonic": staticmethod(time.monotonic), "sleep": staticmethod(noted.append)}))
    return noted


# Retries


def test_unavailable_is_tried_again_ever_later(url, engine, servers, waits, monkeypatch):
    monkeypatch.setattr(random, "uniform", lambda low, high: high)
    engine.script += [servers.Refused(UNAVAILABLE, "loading")] * 3
    with Client(url) as client:
        wanted = np.asarray(paint(client))
        assert waits == [0.2 * 1.5, 0.4 * 1.5, 0.8 * 1.5] and engine.asked == ["stylize_bytes"] * 4
        np.testing.assert_array_equal(paint(client), wanted)
        engine.script.append(servers.Refused(UNAVAILABLE, "loading"))
        assert client.status() == {1: "AVAILABLE"}
    assert waits[3:] == [0.2 * 1.5]


def test_waits_are_bounded_and_not_all_alike(url, engine, servers, waits, trouble):
    engine.script += [servers.Refused(UNAVAILABLE, "loading")] * 10
    with Client(url, retries=9, timeout=1000) as client:
        assert "(loading), tried 10 times; " in trouble(paint, client)
    means = [min(0.2 * 2**attempt, 10) for attempt in range(9)]
    shares = np.array(waits) / means
    assert 0.5 <= shares.min() < shares.max() <= 1.5


def test_no_more_than_asked_for(url, engine, servers, trouble):
    engine.script += [servers.Refused(UNAVAILABLE, "overloaded")] * 5
    with Client(url, retries=1, backoff=0) as client:
        said = trouble(paint, client)
    assert said == (f"The server at {url} cannot be reached (overloaded), tried 2 times; check that it runs and that "
                    "this is its address.")
    with Client(url, retries=0) as client:
        assert "(overloaded), tried once; " in trouble(client.status)
    assert len(engine.script) == 2


def test_no_wait_beyond_the_time_given(url, engine, servers, waits, trouble):
    engine.script += [servers.Refused(UNAVAILABLE, "overloaded")] * 5
    with Client(url, retries=5, backoff=30, timeout=4) as client:
        assert "tried once" in trouble(paint, client)
    assert waits == []


@pytest.mark.parametrize(("code", "words"), [
    ("DEADLINE_EXCEEDED", "has not answered in time ("), ("INTERNAL", "failed (oh no); see its log."),
    ("RESOURCE_EXHAUSTED", "has no room for this (oh no); use a smaller size or fewer requests at a time."),
    ("NOT_FOUND", "has no model 'arbitrary' (oh no); check the name"),
])
def test_all_else_is_told_at_once(url, engine, servers, trouble, code, words):
    engine.script += [servers.Refused(code, "oh no")] * 5
    with Client(url) as client:
        assert words in trouble(paint, client)
    assert len(engine.script) == 4


def test_who_gave_up(urls, engine, servers, trouble):
    engine.script += [servers.Refused("DEADLINE_EXCEEDED", "oh no")]
    with Client(urls["http"]) as client:
        assert trouble(client.status).endswith(
            " (oh no): it gave up before we did; use a smaller size or raise its --rest_api_timeout_in_ms."
        )


def test_bad_input_is_told_at_once(url, engine, servers, refusal):
    message = "assertion failed: [It isn't \"gut\": \u00fcber 5.] [[{{node Assert}}]]"
    engine.script += [servers.Refused("INVALID_ARGUMENT", message)] * 2
    with Client(url) as client:
        assert refusal(paint, client) == "The server refuses this: It isn't \"gut\": \u00fcber 5."
    assert len(engine.script) == 1


# Time


def test_a_slow_server(url, engine, trouble):
    go = threading.Event()
    engine.script += [lambda: go.wait(20)] * 2
    with Client(url, timeout=0.3) as client:
        said = trouble(paint, client)
        assert said.startswith(f"The server at {url} has not answered in time (0.3 s); use a smaller ")
        assert len(engine.script) == 1
        go.set()
        engine.script.clear()
        assert paint(client).size == (20, 16)  # the same client, as if nothing had been


def test_all_requests_of_a_call_share_its_time(url, engine, trouble):
    engine.script += [lambda: time.sleep(0.2)] * 8
    with Client(url, timeout=0.5) as client:
        assert "has not answered in time" in trouble(client.stylize, PHOTO, [PHOTO] * 6, size=None)
    assert 0 < len(engine.asked) < 6


@pytest.fixture
def scripted():
    """A server that answers each connection with the next script: pieces of bytes, sent after the request has come.

    A number between the pieces is a wait in seconds. Yields (address, list of scripts).
    """
    scripts, threads, over = [], [], threading.Event()

    def serve(connection, pieces):
        with connection:
            try:
                connection.recv(2**20)
                for piece in pieces:
                    if isinstance(piece, float):
                        over.wait(piece)
                    else:
                        connection.sendall(piece)
            except OSError:  # the client has gone
                return

    def accept():
        while True:
            connection, _ = listener.accept()
            if over.is_set():
                connection.close()
                return
            threads.append(threading.Thread(target=serve, args=(connection, scripts.pop(0) if scripts else [])))
            threads[-1].start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        accepting = threading.Thread(target=accept)
        accepting.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", scripts
        over.set()
        socket.create_connection(listener.getsockname()).close()
        for thread in (accepting, *threads):
            thread.join()


def http(body, status="200 OK", length=None):
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body) if length is None else length}\r\n\r\n{body}".encode()


STATUS = http('{"model_version_status": [{"version": "3", "state": "LOADING"}]}')


def test_a_reset_before_the_answer_is_tried_again(scripted, trouble):
    url, scripts = scripted
    scripts += [[], [], [STATUS]]
    with Client(url, backoff=0) as client:
        assert client.status() == {3: "LOADING"}
    scripts += [[], [STATUS]]
    with Client(url, retries=0) as client:
        assert "cannot be reached" in trouble(client.status)
    assert len(scripts) == 1


def test_a_connection_that_the_server_has_closed_meanwhile_counts_for_nothing(scripted):
    url, scripts = scripted
    scripts += [[STATUS], [STATUS], [STATUS]]  # each closes without having said so
    with Client(url, retries=0) as client:
        assert [client.status() for _ in range(3)] == [{3: "LOADING"}] * 3


@pytest.mark.parametrize(("answer", "words"), [
    (http('{"model_', length=900), "failed (its answer broke off"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{", "failed (its answer broke off"),
    (http("<html>Hello</html>"), "another kind of model 'arbitrary' (it answers, but not as TensorFlow Serving does)"),
    (http('{"model_version_status": 5}'), "(it answers, but not as TensorFlow Serving does)"),
    (http("<html>Bad</html>", "502 Bad Gateway"), "failed (HTTP status 502); see its log."),
    (http("<html>No</html>", "404 Not Found"), "has no model 'arbitrary' (HTTP status 404); check the name"),
    (http("", "401 Unauthorized"), "does not let us in (HTTP status 401); ask those who run it."),
    (http("", "413 Too Large"), "has no room for this (HTTP status 413); use a smaller size"),
    (b"\x00\x00\x12\x04\x00\x00\r\n\r\n", "a grpc:// address?); see its log."),
])
def test_answers_of_no_use_are_told_at_once(scripted, trouble, answer, words):
    url, scripts = scripted
    scripts += [[answer], [STATUS]]
    with Client(url) as client:
        assert words in trouble(client.status)
    assert len(scripts) == 1


def test_the_time_is_of_the_whole_answer_not_of_its_pieces(scripted, trouble):
    url, scripts = scripted
    scripts.append([STATUS[:-20], *[0.1, b" "] * 100])
    with Client(url, timeout=0.4) as client:
        assert "has not answered in time (0.4 s)" in trouble(client.status)


def test_nobody_there(trouble):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    for scheme in ("http", "grpc"):
        with Client(f"{scheme}://127.0.0.1:{port}", retries=2, backoff=0.001) as client:
            said = trouble(paint, client)
            assert said.startswith(f"The server at {scheme}://127.0.0.1:{port} cannot be reached (")
            assert "refused" in said
            assert said.endswith(", tried 3 times; check that it runs and that this is its address.")
    with Client("http://no-such-host.invalid", retries=0) as client:
        assert "cannot be reached (" in trouble(client.status)


def test_tls_with_a_server_that_has_none(urls, engine, trouble):
    with Client(urls["http"].replace("http", "https")) as client:
        assert "does not let us in (no encrypted connection: " in trouble(client.status)


# Addresses and words


@pytest.mark.parametrize(("url", "scheme", "host", "port", "path"), [
    ("http://localhost", "http", "localhost", 8501, ""), ("https://a.example/", "https", "a.example", 443, ""),
    ("http://a.example:80/tf/serving/", "http", "a.example", 80, "/tf/serving"), ("grpc://h", "grpc", "h", 8500, ""),
    ("grpcs://h", "grpcs", "h", 443, ""), ("grpc://[::1]:9", "grpc", "::1", 9, ""),
])
def test_addresses(url, scheme, host, port, path):
    found = place(url)
    assert (found.scheme, found.host, found.port, found.path) == (scheme, host, port, path)


@pytest.mark.parametrize(("settings", "words"), [
    ({"url": "localhost:8501"}, "url must begin with http://, https://, grpc:// or grpcs://, such as http://localho"),
    ({"url": "htp://h"}, "The scheme of the url must be one of 'http', 'https', 'grpc', 'grpcs'; received 'htp'; did"),
    ({"url": "http://h:x"}, "url 'http://h:x' is no address ("), ({"url": "http://"}, "url 'http://' names no host; "),
    ({"url": "http://a b"}, "url 'http://a b' names no host; give one such as"), ({"url": 5}, "url must be a text"),
    ({"url": "http://me:pw@h"}, "url 'http://me:pw@h' holds more than the address of a server; give one such as"),
    ({"url": "grpc://h/x"}, "url 'grpc://h/x' holds more than"), ({"url": "http://h?x=1"}, "url 'http://h?x=1' holds"),
    ({"timeout": 0}, "timeout must be a number from 0.001 to 1e+06; received 0."),
    ({"retries": -1}, "retries must be a whole number from 0 to 100; received -1."),
    ({"version": 1.5}, "version must be a whole number of at least 0; received 1.5."),
    ({"version": 1, "label": "new"}, "Give the version of a model or its label, not both."),
    ({"model": ""}, "model must be a text; received ''."), ({"backoff": -1}, "backoff must be a number from 0 to 60; "),
])
def test_bad_settings(refusal, settings, words):
    assert refusal(Client, **settings).startswith(words)
    assert refusal(Connection, **settings).startswith(words)


SENTENCE = "The picture is 9x9 px; use a larger one"


@pytest.mark.parametrize("message", [
    "SENTENCE.",
    "assertion failed: [SENTENCE.]\n\t [[{{node Assert/AssertGuard/Assert}}]]",
    "{{function_node __inference_stylize_12}} assertion failed: [SENTENCE.]\n\t [[{{node a}}]] [Op:Predict]",
    "assertion failed: [The picture is] [9x9 px; use a larger one]\n\t [[{{node b}}]]\n\t [[PartitionedCall]]",
    ("2 root error(s) found.\n  (0) INVALID_ARGUMENT: {{function_node f}} assertion failed: [SENTENCE.]\n\t "
     "[[{{node c}}]]\n\t [[d]]\n  (1) INVALID_ARGUMENT: assertion failed: [Another.]\n\t [[e]]\n"
     "0 successful operations.\n0 derived errors ignored."),
    "SENTENCE.\n\nDetected at node 'Assert' defined at (most recent call last):\n  File \"x.py\", line 5",
])
def test_words_of_a_graph_become_a_sentence(message):
    message = message.replace("SENTENCE", SENTENCE)
    assert failures.plain(message) == SENTENCE
    failure = failures.Failure("INVALID_ARGUMENT", message)
    error = failures.translated(failure, "http://h", Address("m"), 5, 1)
    assert isinstance(error, InputError) and str(error) == f"The server refuses this: {SENTENCE}."


def test_long_and_empty_words():
    assert len(failures.plain("x" * 10_000)) < 500 and failures.plain(" ") == ""
    for code in ("INVALID_ARGUMENT", "UNAVAILABLE", "INTERNAL", "UNKNOWN", "CANCELLED", "ABORTED", "NOT_FOUND"):
        error = failures.translated(failures.Failure(code, ""), "http://h", Address("m", 2), 5, 1)
        assert isinstance(error, failures.ServingError)
        assert str(error).startswith("The server at http://h ") and "()" not in str(error)
