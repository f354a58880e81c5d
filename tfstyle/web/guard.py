"""What stands between the network and gradio: which addresses there are, and what browsers may load.

gradio's own server has doors that the page has no use for (its API and documents, fetching by proxy, logins), and a
version of its template may name other hosts. Here the former are not found and the latter not loaded.
"""

import asyncio
import contextlib
import ipaddress
import os
import re
import time

__all__ = ["Guard", "is_private"]

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
_UPLOAD = "/gradio_api/upload"
_OWN = ("127.0.0.1", "localhost", "[::1]")  # names of this machine that no other can have


def is_private(host):
    """Whether only this machine reaches an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Guard:
    """An ASGI application around gradio's.

    Args:
        app: gradio's.
        limits: `tfstyle.web.settings.WebSettings`.
        folder: that uploads come to.
    """

    def __init__(self, app, limits, folder):
        self._app, self._limits, self._folder = app, limits, folder
        self._most = int(limits.upload * 2**20) + _BESIDES
        self._names = {limits.host.lower(), *_OWN, (limits.name or _OWN[0]).lower()}
        self._any_name = limits.name is None and not is_private(limits.host)

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path, headers = scope["path"], dict(scope["headers"])
        # A name of somebody else's may be made to mean this machine; pages under it would be at home here.
        if not self._any_name and _name(headers.get(b"host", b"")) not in self._names:
            known = self._limits.name or "127.0.0.1 or localhost"
            await _answer(send, 421, f"This page is at {known}; tfstyle web --name gives it another name.")
            return
        if path != "/" and not _PATHS.fullmatch(path):
            await _answer(send, 404, "There is nothing at this address.")
            return
        if self._from_elsewhere(headers):
            await _answer(send, 403, "Pages of other sites may not use this one.")
            return
        too_much = f"A picture may have {self._limits.upload:g} MB on this page; save it smaller."
        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or int(length) > self._most:
            await _answer(send, 413, too_much)
            return
        if path.startswith(_UPLOAD) and scope.get("method") == "POST" and not await asyncio.to_thread(self._has_room):
            await _answer(send, 507, "This page has no room for more pictures; try again later.")
            return
        read = 0

        async def counted():
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > self._most:  # without a length, or with a wrong one
                from starlette.formparsers import MultiPartException

                raise MultiPartException(too_much)  # at which gradio clears away what it has written
            return message

        async def guarded(message):
            if message["type"] == "http.response.start":
                message = message | {"headers": [*message["headers"], *_HEADERS]}
            await send(message)

        await self._app(scope, counted, guarded)

    def _from_elsewhere(self, headers):
        """Whether a page of another site has had the browser ask, which could use what only this machine reaches."""
        origin = headers.get(b"origin")
        if origin is None:
            return False
        at = origin.partition(b"://")[2]
        return at != headers.get(b"host") and (self._limits.name is None or _name(at) != self._limits.name.lower())

    def _has_room(self):
        """Whether the folder may have more. Uploads that were broken off are forgotten by gradio and deleted here."""
        total, now = 0, time.time()
        for place, _, names in os.walk(self._folder):
            for name in names:
                path = os.path.join(place, name)
                with contextlib.suppress(FileNotFoundError):
                    status = os.stat(path)
                    total += status.st_size
                    if place == self._folder and now - status.st_mtime > self._limits.keep * 60:
                        os.remove(path)
        return total < self._limits.room * 1e9


def _name(host):
    """A host without its port, as text."""
    return re.sub(r":\d+$", "", host.decode("latin-1")).lower()


async def _answer(send, status, sentence):
    headers = [(b"content-type", b"text/plain; charset=utf-8"), *_HEADERS]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": sentence.encode()})
