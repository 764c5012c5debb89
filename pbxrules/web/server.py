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
from tornado.iostream import IOStream, StreamClosedError
from tornado.netutil import bind_sockets

from pbxrules.errors import ReportError, StoreError
from pbxrules.intake import Intake, Receipt
from pbxrules.web import answers
from pbxrules.web.answers import Answer

logger = logging.getLogger("pbxrules.web")

MAX_BODY = 64 * 1024
MAX_DISCARDED = 1024 * 1024
"""A body that is too large is read up to this much, so that its sender reads the answer."""
MAX_CONNECTIONS = 900
"""At once; each may hold a report, and Linux gives a process 1,024 files unless told."""
HEADER_TIMEOUT_S = 10
BODY_TIMEOUT_S = 5
MAX_HEADER = 16 * 1024
PATHS = ("/", "/events")
NOT_ALLOWED, TOO_LARGE = 405, 413

_PATHLESS = b"POST HTTP/1.1\r\n"
_WITH_PATH = b"POST / HTTP/1.1\r\n"
_NO_LINE = RequestStartLine("", "", "")
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
        self._exchanges = _Exchanges(intake, header_timeout_s, body_timeout_s)
        self._server = _Server(
            self._exchanges,
            max_header_size=MAX_HEADER,
            # Ours (see data_received), for Tornado answers what is too large with a 400.
            max_body_size=sys.maxsize,
            # A head, or a body of 64 KiB, and what one read brings besides.
            max_buffer_size=4 * MAX_BODY,
        )
        # Timeouts are ours (see _Exchange); the option itself can only be turned to an hour.
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
    """Tornado's server, with ears for the PBX's request line and words for a bad one."""

    request_callback: "_Exchanges"

    def handle_stream(self, stream: IOStream, address: Any) -> None:
        exchanges = self.request_callback
        if len(self._connections) + exchanges.under_way >= MAX_CONNECTIONS:
            stream.close()
            return
        read_until_regex, write = stream.read_until_regex, stream.write
        head: asyncio.Future[bytes] | None = None

        def read_head(regex: bytes, max_bytes: int | None = None) -> "asyncio.Future[bytes]":
            nonlocal head
            head = _with_path(read_until_regex(regex, max_bytes))
            return head

        def write_with_words(data: bytes | memoryview) -> "asyncio.Future[None]":
            if data != _TORNADOS_400:
                return write(data)
            exchanges.intake.refuse(_first_line(head), _NOT_HTTP)
            return write(answers.raw(answers.refused(_NOT_HTTP)))

        # Tornado offers no hook here; the stream is of one connection only.
        stream.read_until_regex = read_head  # type: ignore[method-assign]
        stream.write = write_with_words  # type: ignore[method-assign]
        super().handle_stream(stream, address)


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


def _first_line(head: "asyncio.Future[bytes] | None") -> bytes:
    if head is None or not head.done() or head.cancelled() or head.exception() is not None:
        return b""
    return head.result().partition(b"\r\n")[0]


class _Exchanges(HTTPServerConnectionDelegate):
    """The requests under way."""

    def __init__(self, intake: Intake, header_timeout_s: float, body_timeout_s: float) -> None:
        self.intake = intake
        self.header_timeout_s = header_timeout_s
        self.body_timeout_s = body_timeout_s
        self.loop = asyncio.get_running_loop()
        self._open: set[_Exchange] = set()
        self._idle = asyncio.Event()
        self._idle.set()

    def start_request(
        self,
        server_conn: object,  # noqa: ARG002 - Tornado's signature
        request_conn: HTTPConnection,
    ) -> "_Exchange":
        return _Exchange(self, cast("HTTP1Connection", request_conn))

    def began(self, exchange: "_Exchange") -> None:
        self._open.add(exchange)
        self._idle.clear()

    def ended(self, exchange: "_Exchange") -> None:
        self._open.discard(exchange)
        if not self._open:
            self._idle.set()

    @property
    def under_way(self) -> int:
        """How many requests were begun and not answered."""
        return len(self._open)

    async def all_answered(self) -> None:
        await self._idle.wait()

    def cut(self) -> None:
        """Close what is still not answered."""
        for exchange in list(self._open):
            exchange.cut()


class _Exchange(HTTPMessageDelegate):
    """One request and its answer.

    The PBX closes its connection after each report.  So such a request leaves Tornado's
    machinery once its head is read: what is left is to read a number of bytes, to write
    the answer and to close, in half the time.  Every other form of request goes on there.
    """

    def __init__(self, exchanges: _Exchanges, connection: HTTP1Connection) -> None:
        self._exchanges = exchanges
        self._connection = connection
        self._stream: IOStream = connection.stream
        self._detached = False
        self._is_head = False
        self._line = _NO_LINE
        self._refusal: ReportError | None = None
        self._chunks: list[bytes] = []
        self._size = 0
        # One timer of ours: Tornado's timeouts make a future and a task for each.
        self._timer = exchanges.loop.call_later(exchanges.header_timeout_s, self._stream.close)

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> None:
        self._timer.cancel()
        self._exchanges.began(self)
        self._line = line = cast("RequestStartLine", start_line)
        self._is_head = line.method == "HEAD"
        self._refusal = _route(line.method, line.path.partition("?")[0])
        size = _size(headers)
        if size is not None and size > MAX_DISCARDED:
            self._connection.detach()
            self._detached = True
            self._refuse(self._refusal or _too_large())
        elif size is not None and not self._is_head and _ends_after(headers):
            self._connection.detach()
            self._detached = True
            if size <= MAX_BODY:
                self._read_body(size)
            else:
                self._discard_body(size)
        else:
            self._arm()

    def _arm(self) -> None:
        exchanges = self._exchanges
        self._timer = exchanges.loop.call_later(exchanges.body_timeout_s, self._stream.close)

    def _read_body(self, size: int) -> None:
        try:
            reading = cast("asyncio.Future[bytes]", self._stream.read_bytes(size))
        except StreamClosedError:  # the head was in our buffer, its sender had gone
            self._end()
            return
        if reading.done():
            self._have_body(reading)
        else:
            self._arm()
            reading.add_done_callback(self._have_body)

    def _have_body(self, reading: "asyncio.Future[bytes]") -> None:
        self._timer.cancel()
        if reading.cancelled() or reading.exception() is not None:
            self._end()
            return
        self.data_received(reading.result())
        self.finish()

    def _discard_body(self, size: int) -> None:
        """Answer that it is too large, and read on in small pieces, so that this is read."""
        error = self._refusal or _too_large()
        if not self._stream.closed():
            self._stream.write(answers.raw(_refusal(error))).add_done_callback(_seen)
        self._arm()
        self._discard_more(error, size)

    def _discard_more(self, error: ReportError, size: int) -> None:
        try:
            piece = cast("asyncio.Future[bytes]", self._stream.read_bytes(MAX_BODY, partial=True))
        except StreamClosedError:
            self._discarded(error)
            return

        def have(piece: "asyncio.Future[bytes]") -> None:
            if piece.cancelled() or piece.exception() is not None:
                self._discarded(error)
                return
            self._keep(piece.result())
            if self._size < size:
                self._discard_more(error, size)
            else:
                self._discarded(error)

        piece.add_done_callback(have)

    def _discarded(self, error: ReportError) -> None:
        self._timer.cancel()
        self._keep_refused(error)
        self._stream.close()
        self._end()

    def data_received(self, chunk: bytes) -> None:
        self._keep(chunk)
        if self._size > MAX_DISCARDED:
            # Tornado hands over no more of it, and closes when this is written.
            self._refuse(self._refusal or _too_large())

    def _keep(self, chunk: bytes) -> None:
        """Count a piece of the body, and keep it, up to 64 KiB in all."""
        left = MAX_BODY - self._size
        self._size += len(chunk)
        if left >= len(chunk):
            self._chunks.append(chunk)
        elif left > 0:
            self._chunks.append(chunk[:left])

    def finish(self) -> None:
        self._timer.cancel()
        if self._refusal is not None:
            self._refuse(self._refusal)
        elif self._size > MAX_BODY:
            self._refuse(_too_large())
        else:
            self._take(b"".join(self._chunks))

    def on_connection_close(self) -> None:
        # What is accepted stays accepted; only nobody reads the answer.
        self._timer.cancel()
        self._end()

    def cut(self) -> None:
        self._stream.close()
        self._end()

    def _take(self, body: bytes) -> None:
        try:
            self._exchanges.intake.accept(body, self._reply)
        except ReportError as exc:
            self._answer(answers.refused(exc))
        except Exception:  # else its sender waits for ever
            logger.exception("a report broke its reading")
            self._answer(answers.broken())

    def _refuse(self, error: ReportError) -> None:
        """Answer *error*, which the intake does not know of yet."""
        self._keep_refused(error)
        self._answer(_refusal(error))

    def _keep_refused(self, error: ReportError) -> None:
        """Keep what was refused to look at: the body if that is why, else the request line."""
        body = b"".join(self._chunks) if error.status == TOO_LARGE else b""
        self._chunks.clear()
        self._exchanges.intake.refuse(
            body or " ".join(self._line).encode("latin1", "replace"), error
        )

    def _reply(self, fate: Receipt | StoreError) -> None:
        if isinstance(fate, StoreError):
            self._answer(answers.unavailable(fate))
        else:
            self._answer(answers.accepted(fate))

    def _answer(self, answer: Answer) -> None:
        if self._stream.closed():
            pass
        elif self._detached:
            writing = self._stream.write(answers.raw(answer))
            if self._stream.writing():
                writing.add_done_callback(lambda _: self._stream.close())
            else:
                self._stream.close()
        else:
            self._answer_by_tornado(answer)
        self._end()

    def _answer_by_tornado(self, answer: Answer) -> None:
        headers = HTTPHeaders({"Content-Type": answer.content_type})
        headers["Content-Length"] = str(len(answer.body))
        for name, value in answer.headers:
            headers[name] = value
        start = ResponseStartLine("HTTP/1.1", answer.status, answers.REASONS[answer.status])
        connection = self._connection
        body = b"" if self._is_head else answer.body
        connection.write_headers(start, headers, body).add_done_callback(_seen)
        connection.finish()

    def _end(self) -> None:
        self._exchanges.ended(self)


def _size(headers: HTTPHeaders) -> int | None:
    """The Content-Length; None if it is not given, or no number."""
    length = headers.get("Content-Length", "")
    # Python refuses to read thousands of digits; so many say enough by their beginning.
    return int(length[:18]) if length.isascii() and length.isdigit() else None


def _ends_after(headers: HTTPHeaders) -> bool:
    """Whether the connection ends with this request, and nothing about its body is special."""
    return (
        headers.get("Connection", "").lower() == "close"
        and "Transfer-Encoding" not in headers
        and "Expect" not in headers
    )


def _seen(writing: "asyncio.Future[None]") -> None:
    """Nobody waits for a written answer; a sender that has gone is no news."""
    if not writing.cancelled():
        writing.exception()


def _route(method: str, path: str) -> ReportError | None:
    if path not in PATHS:
        return ReportError(404, "Reports go to / or /events, by POST")
    if method != "POST":
        return ReportError(NOT_ALLOWED, f"Reports come by POST, not {method[:20]}")
    return None


def _too_large() -> ReportError:
    return ReportError(TOO_LARGE, f"A report has at most {MAX_BODY} bytes")


def _refusal(error: ReportError) -> Answer:
    allow = (("Allow", "POST"),) if error.status == NOT_ALLOWED else ()
    return answers.refused(error, allow)
