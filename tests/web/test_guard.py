"""What is let through to gradio's server, and what browsers are told."""

import asyncio

import pytest

from tfstyle.web.guard import Guard


def asked(path, headers=(), scope_type="http"):
    """(status or None, headers, body or what the server behind answered)."""
    sent = []

    async def behind(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": [(b"server", b"behind")]})
        await send({"type": "http.response.body", "body": b"behind"})

    async def send(message):
        sent.append(message)

    asyncio.run(Guard(behind, 1.0)({"type": scope_type, "path": path, "headers": list(headers)}, None, send))
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
    status, _, body = asked("/gradio_api/upload", [(b"content-length", b"2000000")])
    assert status == 413 and b"1 MB" in body
    assert asked("/gradio_api/upload", [(b"content-length", b"1000000")])[0] == 200


def test_the_beginning_and_the_end_of_the_server_pass():
    assert asked("", scope_type="lifespan")[2] == b"behind"


@pytest.mark.parametrize("headers, status", [
    ({"origin": "http://127.0.0.1:7860", "host": "127.0.0.1:7860"}, 200),
    ({"origin": "https://art.example.org", "host": "art.example.org"}, 200),
    ({"origin": "https://art.example.org", "host": "127.0.0.1:7860", "x-forwarded-host": "art.example.org"}, 200),
    ({"origin": "http://elsewhere.example", "host": "127.0.0.1:7860"}, 403),
    ({"origin": "null", "host": "127.0.0.1:7860"}, 403),
    ({"host": "127.0.0.1:7860"}, 200),
])
def test_pages_of_other_sites_may_not_ask(headers, status):
    assert asked("/gradio_api/queue/join", [(k.encode(), v.encode()) for k, v in headers.items()])[0] == status
