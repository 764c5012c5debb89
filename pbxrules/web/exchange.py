"""One request and its answer, and all those under way."""

import asyncio
import logging
from typing import cast

from tornado.http1connection import HTTP1Connection
from tornado.httputil import (
    HTTPConnection,
    HTTPHeaders,
    HTTPMessageDelegate,
    HTTPServerConnectionDelegate,
    RequestStartLine,
    ResponseStartLine,
)
from tornado.iostream import IOStream, StreamClosedError

from pbxrules.errors import ReportError, StoreError
from pbxrules.intake import Intake, Receipt
from pbxrules.web import answers
from pbxrules.web.answers import Answer

logger = logging.getLogger("pbxrules.web")

MAX_BODY = 64 * 1024
MAX_DISCARDED = 1024 * 1024
"""A body that is too large is read up to this much, so that its sender reads the answer."""
PATHS = ("/", "/events")
NOT_ALLOWED, TOO_LARGE = 405, 413
_NO_LINE = RequestStartLine("", "", "")


class Exchanges(HTTPServerConnectionDelegate):
    """The requests under way."""

    def __init__(self, intake: Intake, header_timeout_s: float, body_timeout_s: float) -> None:
        self.intake = intake
        self.header_timeout_s = header_timeout_s
        self.body_timeout_s = body_timeout_s
        self.loop = asyncio.get_running_loop()
        self._open: set[Exchange] = set()
        self._idle = asyncio.Event()
        self._idle.set()

    def start_request(
        self,
        server_conn: object,  # noqa: ARG002 - Tornado's signature
        request_conn: HTTPConnection,
    ) -> "Exchange":
        """A connection asks for something, or begins to."""
        return Exchange(self, cast("HTTP1Connection", request_conn))

    def began(self, exchange: "Exchange") -> None:
        """Its head was read."""
        self._open.add(exchange)
        self._idle.clear()

    def ended(self, exchange: "Exchange") -> None:
        """It was answered, or nobody waits for an answer any more."""
        self._open.discard(exchange)
        if not self._open:
            self._idle.set()

    @property
    def under_way(self) -> int:
        """How many requests were begun and not answered."""
        return len(self._open)

    async def all_answered(self) -> None:
        """Come back once no request is under way."""
        await self._idle.wait()

    def cut(self) -> None:
        """Close what is still not answered."""
        for exchange in list(self._open):
            exchange.cut()


class Exchange(HTTPMessageDelegate):
    """One request and its answer.

    The PBX closes its connection after each report.  So such a request leaves Tornado's
    machinery once its head is read: what is left is to read a number of bytes, to write
    the answer and to close, in half the time.  Every other form of request goes on there.
    """

    def __init__(self, exchanges: Exchanges, connection: HTTP1Connection) -> None:
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
        """Tornado has read the head."""
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
        """Tornado has read a piece of the body."""
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
        """The body has ended."""
        self._timer.cancel()
        if self._refusal is not None:
            self._refuse(self._refusal)
        elif self._size > MAX_BODY:
            self._refuse(_too_large())
        else:
            self._take(b"".join(self._chunks))

    def on_connection_close(self) -> None:
        """The sender has gone."""
        # What is accepted stays accepted; only nobody reads the answer.
        self._timer.cancel()
        self._end()

    def cut(self) -> None:
        """Close it without an answer."""
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
