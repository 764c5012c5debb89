"""The action ``http``: one request, whose status says whether it worked.

Made of the two halves that Tornado's own client is made of, ``TCPClient`` and
``HTTP1Connection``.  That client can't end a request early: a cancelled fetch keeps its
connection until the timeout, and an answer without end is read without end.  Here the
connection is closed whatever happens, and the status counts from when it has come.

What is said of a request names its host and nothing else of its URL, for webhooks keep
their secrets in paths and queries.
"""

import asyncio
import base64
import json
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any
from urllib.parse import SplitResult, quote, unquote, urljoin, urlsplit

from tornado.http1connection import HTTP1Connection, HTTP1ConnectionParameters
from tornado.httputil import (
    HTTPHeaders,
    HTTPInputError,
    HTTPMessageDelegate,
    RequestStartLine,
    ResponseStartLine,
)
from tornado.iostream import IOStream, StreamClosedError
from tornado.tcpclient import TCPClient

from pbxrules import __version__
from pbxrules.actions import KEPT_BYTES, kept_text
from pbxrules.model import Delivery, GiveUp, Outcome, TryAgain
from pbxrules.outcomes import of_status
from pbxrules.pbx.body import json_value

READ_BYTES = KEPT_BYTES
"""Of an answer's body; then the connection is closed."""

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
OURS = frozenset(
    {"connection", "content-length", "expect", "host", "idempotency-key", "te", "trailer"}
    | {"transfer-encoding", "upgrade"}
)
"""Headers that a rule can't set: they say where the message ends, or which one it is."""

_CHARSET = re.compile(r'charset="?([A-Za-z0-9_.:-]{1,40})')
_CONTROL = re.compile("[\0-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_HOST = re.compile(r"[A-Za-z0-9._:%-]+")
_URL_SAFE = "".join(map(chr, range(0x21, 0x7F)))


class Http:
    """Sends requests; each has a connection of its own, gone when the request is."""

    def __init__(self, *, concurrency: int = 64, per_rule: int | None = 16) -> None:
        self.concurrency = concurrency
        self.per_rule = per_rule
        self._client = TCPClient()
        self._tls: ssl.SSLContext | None = None
        self._loading = asyncio.Lock()

    def ready(self) -> bool:
        """Always: each target is down by itself."""
        return True

    async def perform(self, delivery: Delivery) -> Outcome:
        """What the target's status means, or why there is none."""
        try:
            request = _request(delivery)
        except _UnfitError as error:
            return GiveUp(reason=str(error))
        tls = await self._context() if request.tls else None
        answer, trouble = _Answer(), ""
        try:
            async with asyncio.timeout(delivery.timeout_s) as deadline:
                await self._exchange(request, answer, tls)
        except OSError as error:  # refused, unresolved, TLS, cut off, timed out
            late = deadline.expired()
            trouble = f" within {delivery.timeout_s:g} s" if late else f": {_words(error)}"
        outcome: Outcome
        if answer.status is None:
            outcome = TryAgain(reason=f"no answer from {request.authority}{trouble}")
        else:
            location = "" if delivery.uses_secret else answer.location
            outcome = of_status(answer.status, pointed=_pointed(location, request))
        return replace(outcome, result=_result(answer, quiet=delivery.uses_secret))

    async def close(self) -> None:
        """Let the resolver go."""
        self._client.close()

    async def _exchange(
        self, request: "_Request", answer: "_Answer", tls: ssl.SSLContext | None
    ) -> None:
        stream = await self._client.connect(request.host, request.port, ssl_options=tls)
        try:
            answer.stream = stream
            connection = HTTP1Connection(
                stream, is_client=True, params=HTTP1ConnectionParameters(max_body_size=2**62)
            )
            connection.write_headers(
                RequestStartLine(request.method, request.target, ""), request.headers, request.body
            )
            connection.finish()
            await connection.read_response(answer)
        finally:
            stream.close()
        if stream.error and answer.status is None:
            raise stream.error

    async def _context(self) -> ssl.SSLContext:
        """The system's trusted certificates; reading them takes 28 ms here, so in a thread."""
        async with self._loading:
            if self._tls is None:
                self._tls = await asyncio.to_thread(ssl.create_default_context)
            return self._tls


class _Answer(HTTPMessageDelegate):
    """The status, the address of a redirect and the body, noted as they come."""

    def __init__(self) -> None:
        self.stream: IOStream | None = None
        self.status: int | None = None
        self.location = ""
        self.kind = ""
        """As ``Content-Type`` has it."""
        self.body = bytearray()
        """So much of it as is read."""

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> None:
        if isinstance(start_line, ResponseStartLine) and start_line.code >= HTTPStatus.OK:
            self.status = start_line.code
            self.location = headers.get("Location", "")
            self.kind = headers.get("Content-Type", "")

    def data_received(self, chunk: bytes) -> None:
        self.body += chunk
        if len(self.body) > READ_BYTES:
            self.finish()

    def finish(self) -> None:
        # Also while the request is still being sent: who has answered reads no more of it.
        if self.stream is not None:
            self.stream.close()


class _UnfitError(Exception):
    """No request can be made of these arguments; says why, without the URL."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    method: str
    tls: bool
    host: str
    port: int
    authority: str
    """The host, and the port if the URL names one."""
    target: str
    headers: HTTPHeaders
    body: bytes


def _request(delivery: Delivery) -> _Request:
    args = delivery.args
    method = args.get("method", "POST")
    if method not in METHODS:
        raise _UnfitError(f"{method!r} is no method: {' '.join(METHODS)}")
    url, host, port = _split(args["url"])
    authority = _authority(host, port)
    body, kind = _body(args)
    fixed = {"Host": authority, "Connection": "close", "Idempotency-Key": delivery.id}
    if body or method in ("POST", "PUT", "PATCH"):
        fixed["Content-Length"] = str(len(body))
    usual = {"User-Agent": f"pbxrules/{__version__}"} | kind | _authorization(url)
    tls = url.scheme == "https"
    return _Request(
        method=method,
        tls=tls,
        host=host,
        port=port or (443 if tls else 80),
        authority=authority,
        target=quote((url.path or "/") + (url.query and f"?{url.query}"), safe=_URL_SAFE),
        headers=_headers(usual, args.get("headers") or {}, fixed),
        body=body,
    )


def _split(text: str) -> tuple[SplitResult, str, int | None]:
    """The URL's parts, its host as DNS has it, and its port if it names one."""
    try:
        url = urlsplit(_SURROGATE.sub("\ufffd", text))
        host, port = (url.hostname or "").encode("idna").decode(), url.port
    except ValueError:
        raise _UnfitError("the URL's host or port is not valid") from None
    if url.scheme not in ("http", "https"):
        raise _UnfitError("the URL begins with neither http:// nor https://")
    if not _HOST.fullmatch(host):
        raise _UnfitError("the URL's host is not valid")
    return url, host, port


def _authority(host: str, port: int | None) -> str:
    name = f"[{host}]" if ":" in host else host
    return name if port is None else f"{name}:{port}"


def _body(args: Mapping[str, Any]) -> tuple[bytes, dict[str, str]]:
    """The body, and the header that says what it is."""
    if "json" in args:
        try:
            text = json.dumps(args["json"], ensure_ascii=False, allow_nan=False)
        except ValueError:
            raise _UnfitError("JSON has no NaN and no infinity") from None
        return _SURROGATE.sub("\ufffd", text).encode(), {"Content-Type": "application/json"}
    body = args.get("body")
    if isinstance(body, str):
        kind = {"Content-Type": "text/plain; charset=utf-8"}
        return _SURROGATE.sub("\ufffd", body).encode(), kind
    return body or b"", {}


def _authorization(url: SplitResult) -> dict[str, str]:
    if url.username is None:
        return {}
    pair = f"{unquote(url.username)}:{unquote(url.password or '')}"
    return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


def _headers(*layers: Mapping[str, Any]) -> HTTPHeaders:
    """All layers' headers, of which a later layer's replaces an earlier one's."""
    usual, given, fixed = layers
    headers = HTTPHeaders(usual)
    for name, value in given.items():
        if name.lower() in OURS:
            raise _UnfitError(f"the header {name!r} can't be set by a rule")
        if _CONTROL.search(text := str(value)):
            raise _UnfitError(f"the header {name!r} would hold a control character")
        headers.pop(name, None)
        try:
            # UTF-8, as curl sends it; Tornado writes each character as one byte.
            headers.add(name, text.strip().encode().decode("latin1"))
        except HTTPInputError:
            raise _UnfitError(f"{name!r} can't be a header") from None
    headers.update(fixed)
    return headers


def _result(answer: _Answer, *, quiet: bool) -> dict[str, Any]:
    """What ``register`` keeps of it; *quiet*: nothing that the target said."""
    if quiet:
        return {"status": answer.status}
    charset = _CHARSET.search(answer.kind)
    try:
        body = kept_text(bytes(answer.body), encoding=charset[1] if charset else "utf-8")
    except LookupError:  # nobody knows that encoding
        body = kept_text(bytes(answer.body))
    whole = len(answer.body) <= READ_BYTES
    return {"status": answer.status, "body": body, "json": json_value(body) if whole else None}


def _pointed(location: str, request: _Request) -> str:
    """Where a redirect points, without path and query: they may repeat a secret."""
    here = f"{'https' if request.tls else 'http'}://{request.authority}"
    try:
        url, host, port = _split(location and urljoin(here, location))
    except (_UnfitError, ValueError):
        return ""
    there = f"{url.scheme}://{_authority(host, port)}"
    return " and pointed to " + ("another path there" if there == here else there)


def _words(error: OSError) -> str:
    """What went wrong on the way, in the system's words."""
    cause = error.real_error if isinstance(error, StreamClosedError) else error
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"its certificate is refused: {cause.verify_message}"
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror
    return "the connection was closed"
