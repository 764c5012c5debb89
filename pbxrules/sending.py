"""Send a report as the PBX would: for ``send`` and ``demo``."""

import itertools
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from pbxrules.pbx.compose import compose, encode, request

TIMEOUT_S = 10
_counter = itertools.count(time.time_ns() // 1_000_000 % 100_000 + 1000)
"""Two calls within a second get ids of their own, or the second would be a resend."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the receiver said."""

    status: int
    text: str

    @property
    def ok(self) -> bool:
        """Whether the PBX would be content: exactly 200."""
        return self.status == 200  # noqa: PLR2004


def report(kind: str, told: Mapping[str, str | None]) -> bytes:
    """The body of a report of *kind*, with what is told and the rest made up.

    Raises:
        ValueError: What is told does not fit together; the message says why.
    """
    call_id = told.get("call_id") or f"{int(time.time())}.{next(_counter)}"
    rest = {name: value for name, value in told.items() if name != "call_id" and value is not None}
    return encode(compose(kind, call_id=call_id, **rest))


def url_of(host: str, port: int) -> str:
    """The URL of a listening address; one that listens everywhere is met on this machine."""
    here = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    return f"http://[{here}]:{port}" if ":" in here else f"http://{here}:{port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where reports go, as a URL says it."""

    address: tuple[str, int]
    host: str
    """As a request names it."""
    path: str | None
    """Without one the request line has none, as the PBX prints it."""
    tls: ssl.SSLContext | None


def place_of(url: str) -> Place:
    """Where *url* leads; nobody was asked whether there is such a host.

    Raises:
        ValueError: It is no http or https URL.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"'{url}' is no http:// or https:// URL")
    path = urlunsplit(("", "", parts.path, parts.query, ""))
    return Place(
        address=(parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)),
        host=parts.netloc,
        path=path if path not in ("", "/") else None,
        tls=ssl.create_default_context() if parts.scheme == "https" else None,
    )


def send(url: str, body: bytes) -> Answer:
    """Send *body* over a connection of its own; without a path, as the PBX prints it.

    Raises:
        ValueError: *url* is no http or https URL.
        OSError: Nobody answers there.
    """
    place = place_of(url)
    return exchange(place.address, request(body, place.host, place.path), tls=place.tls)


def exchange(address: tuple[str, int], data: bytes, *, tls: ssl.SSLContext | None = None) -> Answer:
    """Send these bytes, as they are, and read the answer.

    Raises:
        OSError: Nobody answers there.
    """
    with socket.create_connection(address, timeout=TIMEOUT_S) as plain:
        sock = tls.wrap_socket(plain, server_hostname=address[0]) if tls else plain
        sock.sendall(data)
        with sock.makefile("rb") as answer:
            head, _, text = answer.read(1 << 20).partition(b"\r\n\r\n")
    words = head.split(maxsplit=2)
    if len(words) < 2 or not words[1].isdigit():  # noqa: PLR2004 - version and status
        raise OSError("the answer is not HTTP")
    return Answer(status=int(words[1]), text=text.decode("utf-8", "replace").strip())
