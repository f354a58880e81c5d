"""Where a server is and how patiently it is asked: the settings of a client, and the address of a model."""

import dataclasses
import urllib.parse

from tfstyle.checks import InputError, check_choice
from tfstyle.settings import check_fields, setting

__all__ = ["Address", "Connection", "Place", "place"]

# What serves where no port is named: TensorFlow Serving's own, or the one of encrypted traffic.
_PORTS = {"http": 8501, "https": 443, "grpc": 8500, "grpcs": 443}


@dataclasses.dataclass(frozen=True)
class Connection:
    """How `tfstyle.serving.Client` reaches its server. Each field carries its unit and range in its metadata.

    Raises:
        InputError: a value outside its range, both a version and a label, or an address that is none.
    """

    url: str = setting(
        "http://localhost:8501", "of TensorFlow Serving: http(s)://host:8501 (REST), or grpc(s)://host:8500, which "
        "needs tfstyle[grpc]", group="server",
    )
    model: str = setting("arbitrary", "name under which the model is served", group="server")
    version: int | None = setting(None, "of the model; none takes the newest", group="server", low=0)
    label: str | None = setting(None, "of a version of the model, such as stable", group="server")
    timeout: float | None = setting(
        None, "seconds that a whole call may take, retries included; none: 60 for one pass, 600 for an optimization",
        group="server", low=0.001, high=1e6,
    )
    retries: int = setting(
        3, "further attempts where the server is unavailable; whatever else goes wrong is told at once", group="server",
        low=0, high=100,
    )
    backoff: float = setting(
        0.2, "seconds before the first of them, give or take half; doubled each time, up to 10", group="server",
        low=0.0, high=60.0,
    )

    def __post_init__(self):
        check_fields(self)
        place(self.url)
        if self.version is not None and self.label is not None:
            raise InputError("Give the version of a model or its label, not both.")


@dataclasses.dataclass(frozen=True)
class Address:
    """A model on a server: its name, with a version, a label or neither."""

    model: str
    version: int | None = None
    label: str | None = None

    def __str__(self):
        told = f"model {self.model!r}"
        if self.version is not None:
            return f"{told}, version {self.version}"
        return told if self.label is None else f"{told}, label {self.label!r}"


@dataclasses.dataclass(frozen=True)
class Place:
    """A server's address in its parts; `path` is what stands before /v1/models behind a proxy."""

    scheme: str
    host: str
    port: int
    path: str


def place(url):
    """The parts of a server's address.

    Raises:
        InputError: another scheme, no host, or parts that no server's address has.
    """
    example = "such as http://localhost:8501 or grpc://localhost:8500"
    scheme, colon, _ = url.partition("://")
    if not colon:
        raise InputError(f"url must begin with http://, https://, grpc:// or grpcs://, {example}; received {url!r}.")
    check_choice("The scheme of the url", scheme, tuple(_PORTS))
    try:
        parts = urllib.parse.urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:  # a port that is no number, brackets that do not close
        raise InputError(f"url {url!r} is no address ({error}); give one {example}.") from None
    path = parts.path.rstrip("/")
    if not host or any(c.isspace() or not c.isprintable() for c in url):
        raise InputError(f"url {url!r} names no host; give one {example}.")
    if parts.username is not None or parts.query or parts.fragment or (path and scheme.startswith("grpc")):
        raise InputError(f"url {url!r} holds more than the address of a server; give one {example}.")
    return Place(scheme, host, _PORTS[scheme] if port is None else port, path)
