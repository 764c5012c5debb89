"""One report to a receiver and its answer, on a socket that never blocks.

An exchange is a generator that says what it waits for, so that one thread has many of them
under way: threads would fight for the interpreter at each system call, and asyncio's streams
cost more than the rest of the exchange together.
"""

import errno
import os
import select
import socket
import ssl
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

from pbxrules.pbx.compose import encode, request
from pbxrules.sending import Place, place_of

READABLE, WRITABLE = select.EPOLLIN, select.EPOLLOUT
LONGEST_ANSWER = 1 << 20
_CHUNK = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where reports go."""

    family: int
    address: Any
    place: Place

    def request(self, report: Any) -> bytes:
        """The bytes that the PBX sends here."""
        return request(encode(report), self.place.host, self.place.path)


def target(url: str, *, timeout_s: float) -> Target:
    """Where *url* leads, somebody listens there now, and a first connection was made.

    Raises:
        ValueError: *url* is no http or https URL.
        OSError: Nobody listens there.
    """
    place = place_of(url)
    request(b"", place.host, place.path)  # says what can't stand in it
    with socket.create_connection(place.address, timeout=timeout_s) as probe:
        return Target(family=probe.family, address=probe.getpeername(), place=place)


class Exchange:
    """A report on its way; ``answer`` is the status, once it is there."""

    def __init__(self, to: Target, data: bytes) -> None:
        """Open a socket; nothing is sent yet."""
        self.sock = socket.socket(to.family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        self.status: int | None = None
        self.steps = self._steps(to, data)

    def close(self) -> None:
        """Be gone, however far it went."""
        self.steps.close()
        self.sock.close()

    def _steps(self, to: Target, data: bytes) -> Generator[int, None, None]:
        """What it waits for, again and again; it has ended when the receiver has hung up.

        After the whole answer it goes on until then: who hangs up first keeps the port for
        a minute, and a client would run out of them.
        """
        code = self.sock.connect_ex(to.address)
        if code not in (0, errno.EINPROGRESS):
            raise OSError(code, os.strerror(code))
        if to.place.tls is not None:
            yield from self._shake_hands(to.place.tls, to.place.address[0])
        yield from self._send(data)
        yield from self._receive()

    def _send(self, data: bytes) -> Generator[int, None, None]:
        sent = 0
        while sent < len(data):
            try:  # on one machine the connection stands already
                sent += self.sock.send(data[sent:] if sent else data)
            except (BlockingIOError, ssl.SSLWantWriteError):
                yield WRITABLE
            except ssl.SSLWantReadError:
                yield READABLE

    def _receive(self) -> Generator[int, None, None]:
        received = b""
        yield READABLE
        while True:
            try:
                more = self.sock.recv(_CHUNK)
            except (BlockingIOError, ssl.SSLWantReadError):
                yield READABLE
                continue
            received += more
            if self.status is None:
                self.status = _status(received, ended=not more)
            if not more:
                break
            if len(received) > LONGEST_ANSWER:
                raise OSError("the answer has no end")
        if self.status is None:
            raise OSError("the answer is not HTTP" if received else "hung up without an answer")

    def _shake_hands(self, tls: ssl.SSLContext, name: str) -> Generator[int, None, None]:
        yield WRITABLE
        code = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            raise OSError(code, os.strerror(code))
        # It takes the descriptor over, so who waits for that notices nothing.
        self.sock = tls.wrap_socket(self.sock, server_hostname=name, do_handshake_on_connect=False)
        while True:
            try:
                self.sock.do_handshake()
            except ssl.SSLWantReadError:
                yield READABLE
            except ssl.SSLWantWriteError:
                yield WRITABLE
            else:
                return


def _status(received: bytes, *, ended: bool) -> int | None:
    """The status of an answer, once it is there as a whole."""
    head, end, body = received.partition(b"\r\n\r\n")
    words = head.split(maxsplit=2)
    if len(words) < 2 or not words[0].startswith(b"HTTP/") or not words[1].isdigit():  # noqa: PLR2004 - version and status
        return None
    if not ended:
        lines = head.lower().split(b"\r\n")
        lengths = [line[15:].strip() for line in lines if line.startswith(b"content-length:")]
        if not end or not lengths or not lengths[0].isdigit() or len(body) < int(lengths[0]):
            return None
    return int(words[1])
