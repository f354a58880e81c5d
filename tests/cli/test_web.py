"""tfstyle web: what it checks before there is a page, and what it says."""

import json
import socket

import pytest

from tfstyle.cli import main
from tfstyle.web import server


@pytest.fixture
def taken():
    """A port that something else listens on."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield other.getsockname()[1]


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


def test_a_dry_run_serves_nothing(served, capsys):
    assert main(["web", "--dry-run", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"url": "http://127.0.0.1:7860/", "dry_run": True}
    assert main(["web", "--dry-run", "--host", "::1", "--port", "80"]) == 0
    assert capsys.readouterr().out == "would serve the page at http://[::1]:80/\n"
    assert not served


@pytest.mark.parametrize("host, warned", [("0.0.0.0", True), ("192.0.2.1", True), ("127.0.0.1", False),
                                          ("localhost", False), ("::1", False), ("example.com", True)])
def test_the_network_is_warned_of(served, capsys, host, warned):
    assert main(["web", "--dry-run", "--host", host]) == 0
    told = capsys.readouterr().err
    assert ("anybody who reaches" in told) == warned and told.count("\n") == warned


def test_a_port_in_use_is_one_sentence(refused, taken):
    assert f"Port {taken} is in use" in refused("web", "--port", str(taken), "--no-browser")


def test_an_address_of_another_machine_is_one_sentence(capsys):
    assert main(["web", "--host", "192.0.2.1", "--no-browser"]) == 2
    assert "'192.0.2.1' is no address of this machine" in capsys.readouterr().err


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
