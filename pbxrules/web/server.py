"""The HTTP server, on Tornado's lower interface: 1.46 times as fast as its handlers.

The PBX's page prints its request line as ``POST HTTP/1.1``, with no path.  Exactly that
line is read as ``POST / HTTP/1.1``; every other line that HTTP does not know is a 400.
"""

import asyncio
import logging
import socket
import sys
from collections.abc import Awaitable, Iterable
from contextlib import suppress
from typing import Any, cast

from tornado.httpserver import HTTPServer
from tornado.httputil import (
    ParseBodyConfig,
    ParseMultipartConfig,
    set_parse_body_config,
)
from tornado.iostream import IOStream
from tornado.netutil import bind_sockets

from pbxrules.errors import ReportError
from pbxrules.intake import Intake
from pbxrules.web import answers
from pbxrules.web.exchange import MAX_BODY, MAX_HEAD, Exchanges
from pbxrules.web.general import GeneralRequests
from pbxrules.web.plain import PlainExchange

logger = logging.getLogger("pbxrules.web")

MAX_CONNECTIONS = 900
"""At once; each may hold a report, and Linux gives a process 1,024 files unless told."""
HEADER_TIMEOUT_S = 10
BODY_TIMEOUT_S = 5

_PATHLESS = b"POST HTTP/1.1\r\n"
_WITH_PATH = b"POST / HTTP/1.1\r\n"
_TORNADOS_400 = b"HTTP/1.1 400 Bad Request\r\n\r\n"
_NOT_HTTP = ReportError(400, "The request is not HTTP/1.1")


class ReportServer:
    """Listens for reports and hands them to the intake."""

    def __init__(
        self,
        intake: Intake,
        *,
        header_timeout_s: float = HEADER_TIMEOUT_S,
        body_timeout_s: float = BODY_TIMEOUT_S,
    ) -> None:
        set_parse_body_config(ParseBodyConfig(multipart=ParseMultipartConfig(enabled=False)))
        self._exchanges = Exchanges(intake, header_timeout_s, body_timeout_s)
        self._server = _Server(
            GeneralRequests(self._exchanges),
            max_header_size=MAX_HEAD,
            # Ours (see data_received), for Tornado answers what is too large with a 400.
            max_body_size=sys.maxsize,
            # A head, or a body of 64 KiB, and what one read brings besides.
            max_buffer_size=4 * MAX_BODY,
        )
        # Timeouts are ours (see Exchange); the option itself can only be turned to an hour.
        self._server.conn_params.header_timeout = None

    def listen(self, addresses: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
        """Open the ports; returns what they became (a port 0 is chosen by the system).

        Raises:
            OSError: An address can't be had; its ``filename`` says which.
        """
        opened: list[socket.socket] = []
        for host, port in addresses:
            try:
                opened += bind_sockets(port, host, backlog=1024)
            except OSError as exc:
                for sock in opened:
                    sock.close()
                raise OSError(exc.errno, exc.strerror, f"{host}:{port}") from exc
        for sock in opened:
            _accept_with_data(sock)
        self._server.add_sockets(opened)
        return [sock.getsockname()[:2] for sock in opened]

    def stop_listening(self) -> None:
        """Take no further connection."""
        self._server.stop()

    async def close(self, grace_s: float) -> None:
        """Answer what is in hand, and close all connections."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._exchanges.all_answered(), grace_s)
        self._exchanges.cut()
        await self._server.close_all_connections()


class _Server(HTTPServer):
    """Tornado's server, with a short way for what the PBX sends, and words for a bad line."""

    request_callback: GeneralRequests

    def handle_stream(self, stream: IOStream, address: Any) -> None:
        exchanges = self.request_callback.exchanges
        if len(self._connections) + exchanges.connected >= MAX_CONNECTIONS:
            stream.close()
            return
        PlainExchange(exchanges, stream, lambda head: self._hand_on(stream, address, head)).start()

    def _hand_on(self, stream: IOStream, address: Any, first: bytes) -> None:
        """Let Tornado read a connection on, behind the head that it has sent already."""
        read_until_regex, write = stream.read_until_regex, stream.write
        head: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        head.set_result(first)
        fresh = True

        def read_head(regex: bytes, max_bytes: int | None = None) -> "asyncio.Future[bytes]":
            nonlocal head, fresh
            head = _with_path(head if fresh else read_until_regex(regex, max_bytes))
            fresh = False
            return head

        def write_with_words(data: bytes | memoryview) -> "asyncio.Future[None]":
            if data != _TORNADOS_400:
                return write(data)
            intake = self.request_callback.exchanges.intake
            intake.refuse(_first_line(head), _NOT_HTTP)
            return write(answers.raw(answers.refused(_NOT_HTTP)))

        # Tornado offers no hook here; the stream is of one connection only.
        stream.read_until_regex = read_head  # type: ignore[method-assign]
        stream.write = write_with_words  # type: ignore[method-assign]
        super().handle_stream(stream, address)


def _accept_with_data(sock: socket.socket) -> None:
    """Let the kernel hand over a connection with its first bytes, or after a second without.

    Its head is there when it is accepted, and is read without a second turn of the loop.
    """
    defer = getattr(socket, "TCP_DEFER_ACCEPT", None)  # Linux
    if defer is not None:
        sock.setsockopt(socket.IPPROTO_TCP, defer, 1)


def _with_path(reading: "Awaitable[bytes]") -> "asyncio.Future[bytes]":
    """The head of a request, with a path where the PBX's line has none.

    No coroutine, for a task costs as much as all the rest of reading a head.
    """
    read = cast("asyncio.Future[bytes]", reading)
    head: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def pass_on(read: "asyncio.Future[bytes]") -> None:
        if head.done() or read.cancelled():
            head.cancel()
        elif (trouble := read.exception()) is not None:
            head.set_exception(trouble)
        else:
            data = read.result()
            pathless = data.startswith(_PATHLESS)
            head.set_result(_WITH_PATH + data[len(_PATHLESS) :] if pathless else data)

    if read.done():
        pass_on(read)
    else:
        read.add_done_callback(pass_on)
    return head


def _first_line(head: "asyncio.Future[bytes]") -> bytes:
    if not head.done() or head.cancelled() or head.exception() is not None:
        return b""
    return head.result().partition(b"\r\n")[0]
