"""Settings of the page: where it is served, and what it takes on."""

import contextlib
import dataclasses
import ipaddress
import re

from tfstyle.checks import InputError
from tfstyle.images import LEAST_SIDE
from tfstyle.settings import check_fields, setting

__all__ = ["WebSettings"]

_HOST = re.compile(r"[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*", re.ASCII | re.IGNORECASE)


@dataclasses.dataclass(frozen=True)
class WebSettings:
    """How the page is served. Each field carries its unit and range in `metadata["text"]`.

    Raises:
        InputError: a value outside its range, or a name that no browser would ask for.
    """

    host: str = setting(
        "127.0.0.1", "address to listen on; 127.0.0.1 is this machine alone, 0.0.0.0 its whole network", group="page"
    )
    port: int = setting(7860, "port to listen on; 0 takes any that is free", group="page", low=0, high=65535)
    name: str | None = setting(
        None, "name that the page has behind another server, such as paint.example.org; none for this machine's own",
        group="page",
    )
    browser: bool = setting(True, "open the page in the browser of this machine", group="page")

    largest: int = setting(
        2048, "long side in pixels that a result may have", group="limit", low=LEAST_SIDE, high=16384
    )
    upload: float = setting(20.0, "megabytes that the file of a picture may have", group="limit", low=0.01, high=1000.0)
    megapixels: float = setting(
        40.0, "million pixels that a picture may have, of whatever size its file is", group="limit", low=0.01, high=89.0
    )
    room: float = setting(
        4.0, "gigabytes that all pictures kept here may have; above, no more are taken", group="limit", low=0.001,
        high=10000.0,
    )
    at_once: int = setting(1, "pictures that are painted at a time", group="limit", low=1, high=8)
    waiting: int = setting(8, "pictures that may wait for their turn", group="limit", low=0, high=24)
    seconds: float = setting(
        600.0, "after which an optimization ends with what it has", group="limit", low=1.0, high=86400.0
    )
    keep: float = setting(
        60.0, "minutes after which pictures are deleted here; all of them are when the page ends", group="limit",
        low=1.0, high=10080.0,
    )
    preview: int = setting(10, "steps from one preview of an optimization to the next", group="limit", low=1, high=1000)

    def __post_init__(self):
        check_fields(self)
        if self.name is not None and not _is_host(self.name):
            near = _nearest_host(self.name)
            hint = "." if near is None else f"; did you mean {near!r}?"
            raise InputError(
                "name must be a host name without http://, port and path, such as paint.example.org, or an address, "
                f"of IPv6 in brackets; received {self.name!r}{hint}"
            )


def _is_host(text):
    """Whether browsers say a host in these very words, but for its port: `tfstyle.web.guard` compares them."""
    if text.startswith("["):
        try:
            return text.lower() == f"[{ipaddress.IPv6Address(text[1:-1])}]"
        except ValueError:
            return False
    return len(text) <= 253 and _HOST.fullmatch(text) is not None


def _nearest_host(text):
    """The host that a text may mean, or None."""
    host = re.sub(r"^\w*:?//", "", text.strip()).partition("/")[0]
    for address in (host, re.sub(r":\d+$", "", host)):
        with contextlib.suppress(ValueError):
            return f"[{ipaddress.IPv6Address(address.strip('[]'))}]"
    with contextlib.suppress(UnicodeError):
        host = address.rstrip(".").encode("idna").decode()  # as browsers have letters beyond a to z
    return host if _is_host(host) else None
