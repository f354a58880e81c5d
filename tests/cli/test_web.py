"""tfstyle web: what it checks before there is a page, and what it says."""

import json
import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from tfstyle.cli import main
from tfstyle.web import server


@pytest.fixture
def taken():
    """A port that something else listens on."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield other.getsockname()[1]


@pytest.fixture
def free():
    """A port that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
    return port


@pytest.fixture
def served(monkeypatch):
    """Puts an end to the page as soon as it is there; returns a list of (settings, port) of those served."""
    calls = []

    def serve(settings, listener, folder, ready, around):
        calls.append((settings, listener.getsockname()[1]))
        ready(f"http://127.0.0.1:{calls[-1][1]}/")
        raise KeyboardInterrupt

    monkeypatch.setattr(server, "_serve", serve)
    monkeypatch.setattr("webbrowser.open", lambda address: pytest.fail("no browser was asked for"))
    return calls


def test_the_address_is_told_and_ctrl_c_is_the_end(served, capsys):
    assert main(["web", "--port", "0", "--no-browser", "--largest", "128"]) == 130
    ((settings, port),) = served
    told = capsys.readouterr()
    assert told.out == f"The page is at http://127.0.0.1:{port}/ until Ctrl-C.\n"
    assert told.err == "tfstyle: interrupted.\n"
    assert settings.largest == 128


def test_json_is_one_document(served, capsys):
    assert main(["web", "--port", "0", "--no-browser", "--json"]) == 130
    assert json.loads(capsys.readouterr().out) == {"url": f"http://127.0.0.1:{served[0][1]}/"}


def test_sigterm_has_its_own_code(monkeypatch, capsys):
    def serve(*args):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(30)

    monkeypatch.setattr(server, "_serve", serve)
    assert main(["web", "--port", "0", "--no-browser"]) == 143
    assert capsys.readouterr().err == "tfstyle: terminated.\n"


def test_from_python_the_end_is_an_exception_and_the_environment_as_before(monkeypatch):
    seen = {}

    def serve(settings, listener, folder, ready, around):
        seen.update(os.environ)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(30)

    monkeypatch.setattr(server, "_serve", serve)
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.delenv("GRADIO_TEMP_DIR", raising=False)
    before = dict(os.environ)
    with pytest.raises(SystemExit) as end:
        server.launch(server.WebSettings(port=0))
    assert end.value.code == 143 and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert seen["HF_HUB_OFFLINE"] == "1" and seen["GRADIO_TEMP_DIR"] and dict(os.environ) == before


def test_work_that_goes_on_ends_with_the_process(tmp_path):
    """TensorFlow's threads outlive the page where a step takes long, and an interpreter that ends takes them badly."""
    code = """
import sys, threading, time
from tfstyle.cli import main
from tfstyle.web import server

def serve(*args):
    threading.Thread(target=time.sleep, args=(600,), name="tfstyle-web-job").start()  # no daemon: Python waits for it
    raise KeyboardInterrupt

server._serve = serve
main(["web", "--port", "0", "--no-browser", "--json"])
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60,
        env=os.environ | {"TMPDIR": str(tmp_path)},
    )
    assert (done.returncode, done.stderr) == (130, "tfstyle: interrupted.\n")
    assert json.loads(done.stdout) == {"error": "interrupted.", "exit_code": 130}
    assert not list(tmp_path.iterdir())


def test_a_dry_run_serves_nothing(served, capsys, free):
    assert main(["web", "--dry-run", "--json", "--port", str(free)]) == 0
    assert json.loads(capsys.readouterr().out) == {"url": f"http://127.0.0.1:{free}/", "dry_run": True}
    assert main(["web", "--dry-run", "--port", str(free)]) == 0, "the port has been let go of"
    assert capsys.readouterr().out == f"would serve the page at http://127.0.0.1:{free}/\n"
    assert not served
    assert server.url("::1", 80) == "http://[::1]:80/"


@pytest.mark.parametrize("host, warned", [("0.0.0.0", True), ("127.0.0.1", False), ("localhost", False)])
def test_the_network_is_warned_of(served, capsys, host, warned):
    assert main(["web", "--dry-run", "--host", host, "--port", "0"]) == 0
    told = capsys.readouterr().err
    assert ("anybody who reaches" in told) == warned and told.count("\n") == warned


def test_the_network_is_warned_of_once_the_page_is_there(served, capsys):
    assert main(["web", "--host", "0.0.0.0", "--port", "0", "--no-browser", "--quiet"]) == 130
    told = capsys.readouterr()
    assert told.out == "" and told.err.startswith("tfstyle: anybody who reaches 0.0.0.0 of this machine in the network")
    assert told.err.endswith(" keeps it to this machine.\ntfstyle: interrupted.\n") and told.err.count("\n") == 2


def test_a_name_with_more_than_a_name_is_refused(refused):
    said = refused("web", "--name", "http://paint.example.org", "--port", "0", "--dry-run")
    assert said.endswith("; received 'http://paint.example.org'; did you mean 'paint.example.org'?")


@pytest.mark.parametrize("how", [(), ("--dry-run",)])
def test_a_port_in_use_is_one_sentence(refused, taken, how):
    assert f"Port {taken} is in use" in refused("web", "--port", str(taken), "--no-browser", *how)


@pytest.mark.parametrize("how", [(), ("--quiet",), ("--dry-run",)])
def test_an_address_of_another_machine_is_one_sentence(refused, how):
    said = refused("web", "--host", "192.0.2.1", "--no-browser", *how)
    assert said == "'192.0.2.1' is no address of this machine; use --host 127.0.0.1 or 0.0.0.0."


def test_without_gradio_it_says_what_to_install(refused, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "pip install 'tfstyle[web]'" in refused("web")


def test_an_old_gradio_is_refused(refused, monkeypatch):
    monkeypatch.setattr("importlib.metadata.version", lambda name: "5.49.1")
    assert "gradio 6 or newer, and this is 5.49.1" in refused("web")


def test_a_folder_for_pictures_is_private_and_gone_at_the_end(served, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(server, "_serve", lambda settings, listener, folder, *rest: seen.append(
        (tmp_path / folder).stat().st_mode & 0o777
    ))
    server.launch(server.WebSettings(port=0))
    assert seen == [0o700] and not list(tmp_path.iterdir())
