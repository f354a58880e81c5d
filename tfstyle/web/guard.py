"""What stands between the network and gradio: which addresses there are, and what browsers may load.

gradio's own server has doors that the page has no use for (its API and documents, fetching by proxy, logins), and a
version of its template may name other hosts. Here the former are not found and the latter not loaded.
"""

import re

__all__ = ["Guard"]

# Beside the page itself, all that it asks for.
_PATHS = re.compile(
    r"/(config|theme\.css|favicon\.ico|manifest\.json|robots\.txt)"
    r"|/(assets|static)/.+"
    r"|/gradio_api/(upload|upload_progress|startup-events|cancel|reset|run/predict|queue/(join|data))/?"
    r"|/gradio_api/heartbeat/\w+"
    r"|/gradio_api/file=(?!https?:).+"
)
_POLICY = "; ".join((
    "default-src 'self'",
    "script-src 'self' 'unsafe-inline'",  # gradio writes its configuration into the page
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data: blob:",
    "font-src 'self' data:",
    "connect-src 'self' data: blob:",
    "worker-src 'self' blob:",
    "object-src 'none'",
    "base-uri 'self'",
    "form-action 'self'",
    "frame-ancestors 'self'",
))
_HEADERS = [
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
]
_BESIDES = 100_000  # bytes of a request besides its picture


class Guard:
    """An ASGI application around gradio's.

    Args:
        app: gradio's.
        megabytes: that a request may have.
    """

    def __init__(self, app, megabytes):
        self._app, self._most, self._megabytes = app, int(megabytes * 2**20) + _BESIDES, megabytes

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = scope["path"]
        if path != "/" and not _PATHS.fullmatch(path):
            await _answer(send, 404, "There is nothing at this address.")
            return
        headers = dict(scope["headers"])
        if _from_elsewhere(headers):
            await _answer(send, 403, "Pages of other sites may not use this one.")
            return
        if int(headers.get(b"content-length", 0)) > self._most:
            await _answer(send, 413, f"A picture may have {self._megabytes:g} MB on this page; save it smaller.")
            return

        async def guarded(message):
            if message["type"] == "http.response.start":
                message = message | {"headers": [*message["headers"], *_HEADERS]}
            await send(message)

        await self._app(scope, receive, guarded)


def _from_elsewhere(headers):
    """Whether a page of another site has had the browser ask, which could use what only this machine reaches."""
    origin = headers.get(b"origin")
    own = (headers.get(b"host"), headers.get(b"x-forwarded-host"))
    return origin is not None and origin.partition(b"://")[2] not in own


async def _answer(send, status, sentence):
    headers = [(b"content-type", b"text/plain; charset=utf-8"), *_HEADERS]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": sentence.encode()})
