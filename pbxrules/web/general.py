"""Every form of request but the plain one: kept connections, chunks, other methods.

Tornado reads them; what is ours is the bounds of size and time, and the answers.
"""

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

from pbxrules.errors import ReportError
from pbxrules.web import answers
from pbxrules.web.answers import Answer
from pbxrules.web.exchange import (
    MAX_BODY,
    MAX_DISCARDED,
    NOT_ALLOWED,
    PATHS,
    Exchange,
    Exchanges,
    seen,
    too_large,
)


class GeneralRequests(HTTPServerConnectionDelegate):
    """Makes an exchange of each request that Tornado reads."""

    def __init__(self, exchanges: Exchanges) -> None:
        self.exchanges = exchanges

    def start_request(
        self,
        server_conn: object,  # noqa: ARG002 - Tornado's signature
        request_conn: HTTPConnection,
    ) -> "GeneralExchange":
        """A connection asks for something, or begins to."""
        return GeneralExchange(self.exchanges, cast("HTTP1Connection", request_conn))


class GeneralExchange(Exchange, HTTPMessageDelegate):
    """One request that Tornado reads, and its answer."""

    def __init__(self, exchanges: Exchanges, connection: HTTP1Connection) -> None:
        super().__init__(exchanges, connection.stream)
        self._connection = connection
        self._detached = False
        self._is_head = False
        self._refusal: ReportError | None = None
        self._close_after(exchanges.header_timeout_s)

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> None:
        """Tornado has read the head."""
        self._in_time()
        self._exchanges.began(self)
        line = cast("RequestStartLine", start_line)
        self._asked = " ".join(line).encode("latin1", "replace")
        self._is_head = line.method == "HEAD"
        self._refusal = _route(line.method, line.path.partition("?")[0])
        size = _size(headers)
        if size is not None and size > MAX_DISCARDED:
            # Else Tornado would read it all.
            self._connection.detach()
            self._detached = True
            self._refuse(self._refusal or too_large())
        else:
            self._close_after(self._exchanges.body_timeout_s)

    def data_received(self, chunk: bytes) -> None:
        """Tornado has read a piece of the body."""
        self._keep(chunk)
        if self._size > MAX_DISCARDED:
            # Tornado hands over no more of it, and closes when this is written.
            self._refuse(self._refusal or too_large())

    def finish(self) -> None:
        """The body has ended."""
        self._in_time()
        if self._refusal is not None:
            self._refuse(self._refusal)
        elif self._size > MAX_BODY:
            self._refuse(too_large())
        else:
            self._take(b"".join(self._chunks))

    def on_connection_close(self) -> None:
        """The sender has gone."""
        # What is accepted stays accepted; only nobody reads the answer.
        self._in_time()
        self._end()

    def _write(self, answer: Answer) -> None:
        if self._detached:
            self._stream.write(answers.raw(answer)).add_done_callback(
                lambda _: self._stream.close()
            )
            return
        headers = HTTPHeaders({"Content-Type": answer.content_type})
        headers["Content-Length"] = str(len(answer.body))
        for name, value in answer.headers:
            headers[name] = value
        start = ResponseStartLine("HTTP/1.1", answer.status, answers.REASONS[answer.status])
        connection = self._connection
        body = b"" if self._is_head else answer.body
        connection.write_headers(start, headers, body).add_done_callback(seen)
        connection.finish()


def _size(headers: HTTPHeaders) -> int | None:
    """The Content-Length; None if it is not given, or no number."""
    length = headers.get("Content-Length", "")
    # Python refuses to read thousands of digits; so many say enough by their beginning.
    return int(length[:18]) if length.isascii() and length.isdigit() else None


def _route(method: str, path: str) -> ReportError | None:
    if path not in PATHS:
        return ReportError(404, "Reports go to / or /events, by POST")
    if method != "POST":
        return ReportError(NOT_ALLOWED, f"Reports come by POST, not {method[:20]}")
    return None
