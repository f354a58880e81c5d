"""What is let through to gradio's server, and what browsers are told."""

import asyncio
import os

import pytest

from tfstyle.web.guard import Guard, is_private
from tfstyle.web.settings import WebSettings

HERE = {"host": "127.0.0.1:7860"}


def asked(path, headers=HERE, scope_type="http", body=(), folder="", **limits):
    """(status or None, headers, body or what the server behind answered)."""
    sent, parts = [], list(body)

    async def behind(scope, receive, send):
        while parts:
            await receive()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"server", b"behind")]})
        await send({"type": "http.response.body", "body": b"behind"})

    async def send(message):
        sent.append(message)

    async def receive():
        return {"type": "http.request", "body": parts.pop(0), "more_body": bool(parts)}

    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": scope_type, "method": "POST", "path": path, "headers": pairs}
    asyncio.run(Guard(behind, WebSettings(**{"upload": 1} | limits), str(folder))(scope, receive, send))
    return sent[0]["status"], dict(sent[0]["headers"]), sent[1]["body"]


@pytest.mark.parametrize("path", [
    "/", "/config", "/theme.css", "/assets/index-1.js", "/static/js/x.js", "/gradio_api/upload",
    "/gradio_api/upload_progress", "/gradio_api/queue/join", "/gradio_api/queue/data", "/gradio_api/heartbeat/a1b2",
    "/gradio_api/run/predict", "/gradio_api/file=/some/where/a.png",
])
def test_what_the_page_needs_is_let_through(path):
    status, headers, body = asked(path)
    assert (status, body) == (200, b"behind")
    assert headers[b"server"] == b"behind"
    policy = headers[b"content-security-policy"].decode()
    assert "default-src 'self'" in policy and "http" not in policy and "unsafe-eval" not in policy
    assert headers[b"x-content-type-options"] == b"nosniff"


@pytest.mark.parametrize("path", [
    "/docs", "/openapi.json", "/login", "/monitoring", "/gradio_api/info", "/gradio_api/openapi.json",
    "/gradio_api/call/predict", "/gradio_api/proxy=http://example.com/", "/gradio_api/file=http://example.com/a.png",
    "/gradio_api/file=https://example.com/a.png", "/gradio_api/mcp/", "/gradio_api/dev/reload", "/gradio_api/token",
    "/gradio_api/runs", "/gradio_api/heartbeat/a/b", "//", "",
])
def test_what_it_does_not_need_is_not_there(path):
    status, headers, body = asked(path)
    assert status == 404 and body.endswith(b".") and b"server" not in headers


def test_too_much_is_refused_before_it_is_read():
    status, _, body = asked("/gradio_api/upload", HERE | {"content-length": "2000000"})
    assert status == 413 and b"1 MB" in body
    assert asked("/gradio_api/upload", HERE | {"content-length": "1000000"})[0] == 200
    assert asked("/gradio_api/upload", HERE | {"content-length": "-1"})[0] == 413


@pytest.mark.parametrize("headers", [HERE, HERE | {"content-length": "10"}])
def test_too_much_without_its_length_is_broken_off(headers):
    fault = pytest.importorskip("starlette.formparsers").MultiPartException
    assert asked("/gradio_api/upload", headers, body=[bytes(500_000)] * 2)[0] == 200
    with pytest.raises(fault):
        asked("/gradio_api/upload", headers, body=[bytes(500_000)] * 3)


def test_a_full_folder_takes_no_more(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "result.png").write_bytes(bytes(600_000))
    assert asked("/gradio_api/upload", folder=tmp_path, room=0.001)[0] == 200
    (tmp_path / "broken-off").write_bytes(bytes(600_000))
    status, _, body = asked("/gradio_api/upload", folder=tmp_path, room=0.001)
    assert status == 507 and b"no room" in body
    assert asked("/gradio_api/queue/join", folder=tmp_path, room=0.001)[0] == 200
    for path in ("broken-off", "a/result.png"):
        os.utime(tmp_path / path, (0, 0))
    asked("/gradio_api/upload", folder=tmp_path, room=0.001)
    assert asked("/gradio_api/upload", folder=tmp_path, room=0.001)[0] == 200
    assert [path.name for path in tmp_path.rglob("*.*")] == ["result.png"], "gradio deletes what it knows of"


def test_the_beginning_and_the_end_of_the_server_pass():
    assert asked("", scope_type="lifespan")[2] == b"behind"


@pytest.mark.parametrize("headers, status", [
    ({"origin": "http://127.0.0.1:7860", "host": "127.0.0.1:7860"}, 200),
    ({"origin": "http://[::1]:7860", "host": "[::1]:7860"}, 200),
    ({"origin": "https://art.example.org", "host": "127.0.0.1:7860", "x-forwarded-host": "art.example.org"}, 403),
    ({"origin": "http://elsewhere.example", "host": "127.0.0.1:7860"}, 403),
    ({"origin": "null", "host": "127.0.0.1:7860"}, 403),
    ({"host": "127.0.0.1:7860"}, 200),
])
def test_pages_of_other_sites_may_not_ask(headers, status):
    assert asked("/gradio_api/queue/join", headers)[0] == status


@pytest.mark.parametrize("limits, host, status", [
    ({}, "127.0.0.1:7860", 200),
    ({}, "localhost", 200),
    ({}, "LOCALHOST:1", 200),
    ({}, "[::1]:7860", 200),
    ({}, "evil.example:7860", 421),
    ({}, "127.0.0.1.evil.example", 421),
    ({}, "", 421),
    ({"host": "127.0.0.2"}, "127.0.0.2:7860", 200),
    ({"host": "::1"}, "evil.example", 421),
    ({"host": "0.0.0.0"}, "studio.example:7860", 200),
    ({"name": "paint.example.org"}, "paint.example.org", 200),
    ({"name": "Paint.example.org"}, "paint.example.org:443", 200),
    ({"name": "[2001:DB8::1]"}, "[2001:db8::1]:443", 200),
    ({"name": "paint.example.org"}, "evil.example", 421),
    ({"name": "paint.example.org", "host": "0.0.0.0"}, "evil.example", 421),
])
def test_a_page_of_this_machine_has_no_other_name(limits, host, status):
    """Who owns a name can have it mean 127.0.0.1, and pages under it would be of the same origin as ours."""
    got, _, body = asked("/", {"host": host, "origin": f"http://{host}"}, **limits)
    assert got == status and (b"--name" in body) == (status == 421)


def test_a_server_before_the_page_may_keep_its_name_to_itself():
    headers = HERE | {"origin": "https://paint.example.org"}
    assert asked("/gradio_api/queue/join", headers, name="paint.example.org")[0] == 200
    assert asked("/gradio_api/queue/join", headers)[0] == 403


@pytest.mark.parametrize("host, private", [
    ("127.0.0.1", True), ("127.0.0.2", True), ("localhost", True), ("::1", True), ("0.0.0.0", False),
    ("192.0.2.1", False), ("example.com", False),
])
def test_what_only_this_machine_reaches(host, private):
    assert is_private(host) == private
