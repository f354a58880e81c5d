"""tfstyle client: what is checked, what is asked of the server, what is written, and with which exit code."""

import base64
import http.server
import io
import json
import os
import re
import subprocess
import sys
import threading

import numpy as np
import pytest
from PIL import Image

import tfstyle.cli.client
from tfstyle import images
from tfstyle.cli import main
from tfstyle.serving import ServingError

PLAIN = ("client", "photo.png", "paint.png", "-o", "out.png", "--size", "64")
INPUTS = ["glass.png", "paint.png", "photo.png"]


@pytest.fixture
def files(folder):
    """Lists what a run has left beside the inputs."""
    return lambda: sorted(set(os.listdir()) - set(INPUTS))


@pytest.fixture
def asked(monkeypatch):
    """Puts a client without a server in place of ours; returns (its settings, what it is asked), call by call."""
    calls = []

    class Client:
        def __init__(self, **settings):
            self.settings = settings

        def __enter__(self):
            return self

        def __exit__(self, *_):
            calls[-1]["closed"] = True

        def stylize(self, content, style, **call):
            calls.append({"server": self.settings, "content": content, "style": style} | call)
            return Image.new("RGB", (64, 48), (255, 128, 0))

        def optimize(self, content, style, **call):
            return self.stylize(content, style, optimize=True, **call)

    monkeypatch.setattr(tfstyle.cli.client, "Client", Client)
    return calls


@pytest.mark.parametrize(("words", "sentence"), [
    (["--strength", "1.5"], "--strength must be a number from 0 to 1; received 1.5."),
    (["--size", "9"], "--size must be a whole number of at least 16; received 9."),
    (["--timeout", "0"], "--timeout must be a number from 0.001 to 1e+06; received 0."),
    (["--retries", "x"], "--retries must be a whole number from 0 to 100; received 'x'."),
    (["--model-version", "new"], "--model-version must be a whole number of at least 0; received 'new'."),
    (["--model-version", "1", "--label", "new"], "Give the version of a model or its label, not both."),
    (["--url", "localhost:8501"], "url must begin with http://, https://, grpc:// or grpcs://, such as http://loc"),
    (["--url", "htp://h"], "The scheme of the url must be one of 'http', 'https', 'grpc', 'grpcs'; received 'htp';"),
    (["--quality", "0"], "--quality must be a whole number from 1 to 100; received 0."),
    (["--weights", "1", "2"], "--weights must have one number for each STYLE; received 2 for 1."),
    (["--method", "slow"], "--method must be one of 'fast', 'optimize'; received 'slow'"),
    (["--steps", "5"], "--steps is a flag of --method optimize, not of fast; leave it out."),
    (["--tv-weight", "5"], "--tv-weight is a flag of --method optimize, not of fast; leave it out."),
    (["--method", "optimize", "--strength", "1"], "--strength is a flag of --method fast, not of optimize; leave it"),
    (["--method", "optimize", "--steps", "0"], "--steps must be a whole number of at least 1; received 0."),
    (["--method", "optimize", "--weights", "1"], "--weights is a flag of --method fast, not of optimize; leave it"),
    (["glass.png", "--method", "optimize"], "--method optimize takes one STYLE picture; received 2."),
    (["-o", "out.gif"], "output 'out.gif' has the unknown extension '.gif'; use one of "),
    (["-o", "photo.png"], "--output 'photo.png' would overwrite the picture 'photo.png'; choose another name."),
])
def test_bad_flags(refused, files, asked, words, sentence):
    assert refused(*PLAIN, *words).startswith(sentence)
    assert files() == [] and asked == []


def test_bad_pictures_never_reach_a_server(refused, files):
    assert refused("client", "gone.png", "paint.png", "-o", "out.png").startswith("content picture 'gone.png' does not")
    assert refused("client", "photo.png", "pain.png", "-o", "out.png").startswith("style picture 'pain.png' does not")
    assert refused(*PLAIN, "--style-size", "17").startswith("style picture 'paint.png' is 48x64 px and its short side")
    assert files() == []


def test_what_is_handed_on(folder, asked):
    assert main(PLAIN) == 0
    plain = {"server": {}, "content": "photo.png", "style": ["paint.png"], "size": 64, "weights": None, "closed": True}
    assert asked.pop() == plain
    words = ["glass.png", "--weights", "3", "1", "--strength", "0.5", "--style-size", "40", "--model", "mine",
             "--label", "stable", "--timeout", "9", "--retries", "0", "--url", "http://h:1"]
    assert main([*PLAIN, *words]) == 0
    assert asked.pop() == plain | {
        "style": ["paint.png", "glass.png"], "weights": (3.0, 1.0), "strength": 0.5, "style_size": 40,
        "server": {"model": "mine", "label": "stable", "timeout": 9.0, "retries": 0, "url": "http://h:1"},
    }
    assert main([*PLAIN, "--size", "none", "--model-version", "3", "--timeout", "none"]) == 0
    assert asked.pop() == plain | {"size": None, "server": {"version": 3, "timeout": None}}
    words = ["--method", "optimize", "--steps", "7", "--style-weight", "2", "--model", "slow"]
    assert main([*PLAIN, *words]) == 0
    wanted = plain | {"optimize": True, "steps": 7, "style_weight": 2.0, "model": "slow"}
    del wanted["weights"]
    assert asked.pop() == wanted


def test_the_line_and_the_picture(files, asked, capsys):
    assert main(PLAIN) == 0
    told = capsys.readouterr()
    assert re.fullmatch(r"out\.png  64x48  \d+\.\d s\n", told.out) and told.err == ""
    assert images.to_uint8(images.read("out.png").rgb)[0, 0].tolist() == [255, 128, 0]
    os.remove("out.png")
    assert main([*PLAIN, "--quiet"]) == 0
    assert tuple(capsys.readouterr()) == ("", "") and files() == ["out.png"]


@pytest.mark.parametrize(("error", "code", "words"), [
    (ServingError("The server at h is asleep."), 1, "The server at h is asleep."),
    (MemoryError(), 1, "memory ran out; use a smaller --size."), (KeyboardInterrupt(), 130, "interrupted."),
    (tfstyle.InputError("The server refuses this: too large."), 2, "The server refuses this: too large."),
])
def test_exit_codes(files, asked, monkeypatch, capsys, error, code, words):
    def stylize(*_, **__):
        asked.append({})
        raise error

    monkeypatch.setattr(tfstyle.cli.client.Client, "stylize", stylize)
    assert main(PLAIN) == code
    assert tuple(capsys.readouterr()) == ("", f"tfstyle: {words}\n") and files() == []


class Inverting(http.server.BaseHTTPRequestHandler):
    """Answers every picture with its negative."""

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with Image.open(io.BytesIO(base64.b64decode(request["inputs"]["content_bytes"][0]["b64"]))) as photo:
            negative, file = Image.fromarray(255 - np.asarray(photo)), io.BytesIO()
        negative.save(file, "PNG")
        body = json.dumps({"outputs": [{"b64": base64.b64encode(file.getvalue()).decode()}]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def test_a_real_run_without_tensorflow(files):
    server = http.server.HTTPServer(("127.0.0.1", 0), Inverting)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    words = ["client", "glass.png", "paint.png", "-o", "out.png", "--url", f"http://127.0.0.1:{server.server_port}"]
    closed = ["client", "photo.png", "paint.png", "-o", "no.png", "--url", "http://127.0.0.1:1", "--retries", "0"]
    code = f"""
import sys
from tfstyle.cli import main
print([main(line) for line in {[words, closed, ["client"]]}], "tensorflow" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    server.shutdown()
    thread.join()
    server.server_close()
    assert done.stdout.splitlines()[-1] == "[0, 1, 2] False", done.stderr
    assert "The server at http://127.0.0.1:1 cannot be reached (" in done.stderr and files() == ["out.png"]
    glass = images.read("glass.png", size=512)
    with Image.open("out.png") as painted:
        values = np.asarray(painted)
    np.testing.assert_array_equal(values[..., :3], 255 - images.to_uint8(glass.rgb))
    np.testing.assert_array_equal(values[..., 3], images.to_uint8(glass.alpha))
