"""The action ``http``, against real servers on the loopback."""

import asyncio
import contextlib
import json
import socket
import ssl
import struct
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPHeaders, HTTPServerRequest, ResponseStartLine
from tornado.netutil import bind_sockets

from pbxrules import __version__
from pbxrules.actions.http import Http
from pbxrules.model import NOTHING, Done, GiveUp, Outcome, TryAgain
from tests.deliveries import delivery

PATH = "/hook/s3cret-token?key=s3cret-key"
Peer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

# Of 127.0.0.1, good from 2020 to 2120; nobody trusts it but a test that says so.
CERTIFICATE = """
-----BEGIN CERTIFICATE-----
MIIBczCCARqgAwIBAgIBATAKBggqhkjOPQQDAjAYMRYwFAYDVQQDDA1wYnhydWxl
cy10ZXN0MCAXDTIwMDEwMTAwMDAwMFoYDzIxMjAwMTAxMDAwMDAwWjAYMRYwFAYD
VQQDDA1wYnhydWxlcy10ZXN0MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEZJ1a
1BfI+cv5T2i1tg9+SmIbfGmF6cvSzo2lUhy95jjQLvPp5Wq2qi+wHwBsOZyVG7xt
SfteESSLAJGS2Q9wR6NTMFEwDwYDVR0TAQH/BAUwAwEB/zAOBgNVHQ8BAf8EBAMC
AoQwHQYDVR0OBBYEFKWWBMz4tmRnXwdoqSLpaeCXww3+MA8GA1UdEQQIMAaHBH8A
AAEwCgYIKoZIzj0EAwIDRwAwRAIgKS2B2cOXZue3DFotQjqJuaa8t+uiXYn/Bs3b
qEcLc9MCIDb19NsjqV9/UFM/QTGfLp+yPh7HFYadWyLkJQARCzvI
-----END CERTIFICATE-----
"""
KEY = """
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgt1tuBXSzG/J0M4MX
7JevrZmnbDteW4LU1/Z7yVBMdwyhRANCAARknVrUF8j5y/lPaLW2D35KYht8aYXp
y9LOjaVSHL3mONAu8+nlaraqL7AfAGw5nJUbvG1J+14RJIsAkZLZD3BH
-----END PRIVATE KEY-----
"""


async def sent(
    url: str, args: Mapping[str, Any], timeout_s: float = 20.0, *, uses_secret: bool = False
) -> Outcome:
    """What becomes of one request to *url*, without what is kept of the answer."""
    performed = await performed_by(url, args, timeout_s, uses_secret=uses_secret)
    return replace(performed, result=NOTHING)


async def performed_by(
    url: str, args: Mapping[str, Any], timeout_s: float = 20.0, *, uses_secret: bool = False
) -> Outcome:
    """What becomes of one request to *url*."""
    http = Http()
    try:
        return await http.perform(
            delivery("http", {"url": url, **args}, timeout_s=timeout_s, uses_secret=uses_secret)
        )
    finally:
        await http.close()


def post(
    args: Mapping[str, Any] | None = None,
    *,
    status: int = 204,
    location: str | None = None,
    path: str = PATH,
    tls: ssl.SSLContext | None = None,
    uses_secret: bool = False,
) -> tuple[Outcome, list[HTTPServerRequest]]:
    """What becomes of a request to Tornado's server, and the requests that it saw."""
    seen: list[HTTPServerRequest] = []

    def answer(request: HTTPServerRequest) -> None:
        seen.append(request)
        headers = HTTPHeaders({"Content-Length": "0"} if status != 204 else {})
        if location is not None:
            headers["Location"] = location.replace("HERE", request.host)
        assert request.connection is not None
        request.connection.write_headers(ResponseStartLine("HTTP/1.1", status, "So"), headers)
        request.connection.finish()

    async def one() -> Outcome:
        (listening,) = bind_sockets(0, "127.0.0.1")
        server = HTTPServer(answer, ssl_options=tls)
        server.add_sockets([listening])
        origin = f"{'https' if tls else 'http'}://127.0.0.1:{listening.getsockname()[1]}"
        try:
            return await sent(origin + path, args or {}, uses_secret=uses_secret)
        finally:
            server.stop()
            await server.close_all_connections()

    return asyncio.run(one()), seen


@contextlib.asynccontextmanager
async def listening(peer: Peer) -> AsyncIterator[str]:
    """The host and port of a server that treats each connection as *peer* does."""

    under_way: list[asyncio.Task[None]] = []

    async def treat(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            await peer(reader, writer)
        with contextlib.suppress(ConnectionError):
            writer.close()
            await writer.wait_closed()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        under_way.append(asyncio.create_task(treat(reader, writer)))

    async with await asyncio.start_server(accept, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        yield f"{host}:{port}"
        async with asyncio.timeout(20):  # each ends, for the other side leaves none open
            await asyncio.gather(*under_way)


def meet(
    peer: Peer,
    *,
    scheme: str = "http",
    timeout_s: float = 20.0,
    args: Mapping[str, Any] | None = None,
) -> tuple[Outcome, str]:
    """What becomes of a request to a server that behaves like *peer*, and its host and port."""

    async def one() -> tuple[Outcome, str]:
        async with listening(peer) as authority:
            url = f"{scheme}://{authority}{PATH}"
            return await sent(url, args or {}, timeout_s), authority

    return asyncio.run(one())


def saying(answer: bytes) -> Peer:
    """Says *answer* to every request, and closes."""

    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()

    return peer


async def closed_by_the_other(reader: asyncio.StreamReader) -> None:
    """Wait until the other side has hung up."""
    with contextlib.suppress(ConnectionError):
        while await reader.read(65536):
            pass


# --- What is sent ---------------------------------------------------------------------------


def test_a_request_carries_what_the_rule_says() -> None:
    args = {"json": {"from": "ü\ud83d", "n": None}, "headers": {"Title": "Klingel: Käse", "N": 7}}

    outcome, (request,) = post(args)

    assert outcome == Done(detail="answered 204")
    assert (request.method, request.uri) == ("POST", PATH)
    assert json.loads(request.body) == {"from": "ü\ufffd", "n": None}
    headers = dict(request.headers)
    assert headers.pop("Host").startswith("127.0.0.1:")
    assert headers.pop("Title").encode("latin1").decode() == "Klingel: Käse"
    assert headers == {
        "User-Agent": f"pbxrules/{__version__}",
        "Content-Type": "application/json",
        "Content-Length": str(len(request.body)),
        "Idempotency-Key": "run-7/actions/0",
        "Connection": "close",
        "N": "7",
    }


@pytest.mark.parametrize(
    ("args", "body", "kind"),
    [
        pytest.param({}, b"", None, id="nothing"),
        pytest.param({"body": "Käse"}, "Käse".encode(), "text/plain; charset=utf-8", id="text"),
        pytest.param({"body": b"\xff"}, b"\xff", None, id="bytes"),
        pytest.param({"json": None}, b"null", "application/json", id="null is a JSON value"),
        pytest.param(
            {"json": [], "headers": {"content-type": "a/b"}}, b"[]", "a/b", id="the rule's own kind"
        ),
    ],
)
def test_a_body_is_sent_with_its_kind(args: Mapping[str, Any], body: bytes, kind: str) -> None:
    outcome, (request,) = post(args)
    assert outcome == Done(detail="answered 204")
    assert (request.body, request.headers.get("Content-Type")) == (body, kind)


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_each_method_is_sent(method: str) -> None:
    outcome, (request,) = post({"method": method}, status=200)
    assert outcome == Done(detail="answered 200")
    assert request.method == method


@pytest.mark.parametrize(
    ("path", "target"),
    [
        pytest.param("", "/", id="no path"),
        pytest.param("?a=1", "/?a=1", id="a query alone"),
        pytest.param("/a%2Fb%0d%0aX:1#here", "/a%2Fb%0d%0aX:1", id="what is encoded stays so"),
        pytest.param("/ä b", "/%C3%A4%20b", id="what is not is encoded"),
    ],
)
def test_a_url_becomes_a_request_line(path: str, target: str) -> None:
    _, (request,) = post(path=path)
    assert request.uri == target


def test_a_name_and_password_of_the_url_are_sent_as_such() -> None:
    async def one() -> tuple[Outcome, bytes]:
        came: list[bytes] = []

        async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            came.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(b"HTTP/1.1 401 No\r\n\r\n")

        async with listening(peer) as authority:
            return await sent(f"http://me:p%40ss@{authority}/", {}), came[0]

    outcome, request = asyncio.run(one())
    assert outcome == GiveUp(reason="answered 401")
    assert b"Authorization: Basic bWU6cEBzcw==\r\n" in request  # me:p@ss
    assert b"Host: 127.0.0.1:" in request


# --- What the answer means ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        pytest.param(200, Done(detail="answered 200"), id="200 is success"),
        pytest.param(202, Done(detail="answered 202"), id="202 is success"),
        pytest.param(299, Done(detail="answered 299"), id="299 is success"),
        pytest.param(400, GiveUp(reason="answered 400"), id="400 will not change"),
        pytest.param(404, GiveUp(reason="answered 404"), id="404 will not change"),
        pytest.param(408, TryAgain(reason="answered 408"), id="408 may change"),
        pytest.param(425, TryAgain(reason="answered 425"), id="425 may change"),
        pytest.param(429, TryAgain(reason="answered 429"), id="429 may change"),
        pytest.param(500, TryAgain(reason="answered 500"), id="500 may change"),
        pytest.param(503, TryAgain(reason="answered 503"), id="503 may change"),
        pytest.param(599, TryAgain(reason="answered 599"), id="599 may change"),
        pytest.param(600, GiveUp(reason="answered 600"), id="600 is nothing known"),
    ],
)
def test_a_status_has_its_meaning(status: int, expected: Outcome) -> None:
    outcome, requests = post(status=status)
    assert outcome == expected
    assert len(requests) == 1


def test_promise_8_of_a_request_with_a_secret_nothing_of_the_answer_is_kept() -> None:
    outcome, _ = post(status=302, location="https://tok.example/", uses_secret=True)
    assert outcome == GiveUp(reason="answered 302; redirects are not followed")


def kept(head: bytes, body: bytes, *, uses_secret: bool = False) -> Mapping[str, Any]:
    """What ``register`` keeps of an answer with this head and this body."""

    async def one() -> Outcome:
        async with listening(saying(b"HTTP/1.1 " + head + b"\r\n\r\n" + body)) as authority:
            return await performed_by(f"http://{authority}/", {}, uses_secret=uses_secret)

    return asyncio.run(one()).result


LATIN = b"200 OK\r\nContent-Type: text/plain; charset=iso-8859-1"


@pytest.mark.parametrize(
    ("head", "body", "expected"),
    [
        pytest.param(b"200 OK", b"", (200, "", None), id="nothing"),
        pytest.param(b"200 OK", b"on\n", (200, "on\n", None), id="a text"),
        pytest.param(b"500 No", b'{"a": [1, null]}', (500, '{"a": [1, null]}', {"a": [1, None]}),
                     id="JSON, whatever its status and kind"),
        pytest.param(b"404 No", b"7", (404, "7", 7), id="JSON that is a number"),
        pytest.param(b"200 OK", b"[1e999]", (200, "[1e999]", None), id="a number too large"),
        pytest.param(b"200 OK", b"[NaN]", (200, "[NaN]", None), id="no strict JSON"),
        pytest.param(b"200 OK", b"[" * 5000, (200, "[" * 5000, None), id="nested too deep"),
        pytest.param(b"200 OK", b'"\\ud800"', (200, '"\\ud800"', "\ufffd"), id="a lone surrogate"),
        pytest.param(b"200 OK", b"K\xc3\xa4se", (200, "Käse", None), id="UTF-8"),
        pytest.param(LATIN, b"K\xe4se", (200, "Käse", None), id="an encoding that it names"),
        pytest.param(LATIN.replace(b"iso-8859-1", b"hex"), b"K\xe4", (200, "K\ufffd", None),
                     id="an encoding that is none"),
        pytest.param(b"302 No\r\nLocation: /x", b"x", (302, "x", None), id="a redirect"),
    ],
)  # fmt: skip
def test_the_result_of_a_request(head: bytes, body: bytes, expected: tuple[int, str, Any]) -> None:
    assert kept(head, body) == dict(zip(("status", "body", "json"), expected, strict=True))


def test_of_a_long_answer_64_kib_are_kept_and_no_json() -> None:
    result = kept(b"200 OK", b"[" + b" " * 65_534 + b"]")
    assert (len(result["body"]), result["json"]) == (65_536, [])
    result = kept(b"200 OK", b"[" + b" " * 65_535 + b"]")
    assert (len(result["body"]), result["json"]) == (65_536, None)


def test_without_an_answer_the_result_has_no_status() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/"
        outcome = asyncio.run(performed_by(url, {}))
    assert isinstance(outcome, TryAgain)
    assert outcome.result == {"status": None, "body": "", "json": None}


def test_promise_8_the_result_of_a_request_with_a_secret_has_nothing_of_the_answer() -> None:
    assert kept(b"200 OK", b'{"token": "tok"}', uses_secret=True) == {"status": 200}


@pytest.mark.parametrize(
    ("location", "pointed"),
    [
        pytest.param(
            "https://other.example:8443/s3cret?s3cret", "https://other.example:8443", id="host"
        ),
        pytest.param("http://HERE/s3cret/", "another path there", id="the same host"),
        pytest.param("/s3cret/", "another path there", id="a path alone"),
        pytest.param("https://me:s3cret@HERE/", "https://", id="the same host with TLS"),
    ],
)
def test_a_redirect_is_given_up_and_says_where_to_but_no_path(location: str, pointed: str) -> None:
    outcome, requests = post(status=302, location=location)
    assert isinstance(outcome, GiveUp)
    assert outcome.reason.startswith(f"answered 302 and pointed to {pointed}")
    assert outcome.reason.endswith("; redirects are not followed")
    assert "s3cret" not in outcome.reason
    assert len(requests) == 1


@pytest.mark.parametrize("location", [None, "", "http://[", "javascript:alert(1)", "http://a b/"])
def test_a_redirect_to_nowhere_is_given_up_too(location: str | None) -> None:
    outcome, _ = post(status=307, location=location)
    assert outcome == GiveUp(reason="answered 307; redirects are not followed")


def test_a_word_before_the_answer_is_no_answer() -> None:
    outcome, _ = meet(saying(b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"))
    assert outcome == Done(detail="answered 200")


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(b"Content-Length: 300000000\r\n", id="of known length"),
        pytest.param(b"Content-Length: 99999999999999\r\n", id="of absurd length"),
        pytest.param(b"", id="without end"),
    ],
)
def test_a_huge_answer_costs_little_and_counts(head: bytes) -> None:
    written = 0

    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal written
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n")
        while True:  # until the other has had enough
            writer.write(bytes(65536))
            await writer.drain()
            written += 65536

    tracemalloc.start()
    try:
        outcome, _ = meet(peer)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert outcome == Done(detail="answered 200")
    assert peak < 4_000_000
    assert written < 30_000_000  # what the system's buffers took


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"Content-Length: 10\r\n\r\nabc", id="cut short"),
        pytest.param(b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", id="no chunk"),
        pytest.param(b"Content-Length: ten\r\n\r\n", id="no length"),
    ],
)
def test_a_status_counts_though_its_body_is_broken(body: bytes) -> None:
    outcome, _ = meet(saying(b"HTTP/1.1 200 OK\r\n" + body))
    assert outcome == Done(detail="answered 200")


def test_a_status_counts_though_its_body_never_ends() -> None:
    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nevent: 1\n")
        await closed_by_the_other(reader)

    assert meet(peer, timeout_s=0.3)[0] == Done(detail="answered 200")


def test_who_answers_before_the_body_is_read_has_answered() -> None:
    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 No\r\nContent-Length: 0\r\n\r\n")
        await asyncio.wait_for(finished.wait(), 20)

    finished = asyncio.Event()

    async def one() -> Outcome:
        async with listening(peer) as authority:
            outcome = await sent(f"http://{authority}/", {"body": b"x" * 30_000_000})
            finished.set()
            return outcome

    assert asyncio.run(one()) == GiveUp(reason="answered 413")


# --- No answer ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"", id="closed"),
        pytest.param(b"HTTP/1.1 200", id="half a line"),
        pytest.param(b"SSH-2.0-OpenSSH\r\n\r\n", id="another protocol"),
        pytest.param(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000, id="too long a head"),
        pytest.param(b"HTTP/1.1 103 Wait\r\n\r\n" * 20, id="words before the answer alone"),
    ],
)
def test_what_is_no_answer_is_tried_again(answer: bytes) -> None:
    outcome, authority = meet(saying(answer))
    assert isinstance(outcome, TryAgain)
    assert outcome.reason.startswith(f"no answer from {authority}")
    assert "s3cret" not in outcome.reason


def test_a_connection_reset_is_tried_again() -> None:
    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        at_once = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)

    outcome, authority = meet(peer)
    assert outcome == TryAgain(reason=f"no answer from {authority}: Connection reset by peer")


def test_a_refused_connection_is_tried_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    outcome = asyncio.run(sent(f"http://127.0.0.1:{port}{PATH}", {}))
    assert outcome == TryAgain(reason=f"no answer from 127.0.0.1:{port}: Connection refused")


def test_a_name_that_nobody_has_is_tried_again() -> None:
    outcome = asyncio.run(sent(f"http://light.invalid{PATH}", {}))
    assert isinstance(outcome, TryAgain)
    assert outcome.reason.startswith("no answer from light.invalid: ")
    assert "s3cret" not in outcome.reason


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_at_the_timeout_it_is_tried_again_and_the_connection_closed(scheme: str) -> None:
    async def one() -> tuple[Outcome, str]:
        came, hung_up = asyncio.Event(), asyncio.Event()

        async def peer(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
            came.set()
            await closed_by_the_other(reader)
            hung_up.set()

        async with listening(peer) as authority:
            outcome = await sent(f"{scheme}://{authority}{PATH}", {}, timeout_s=1)
            await asyncio.wait_for(came.wait(), 20)
            await asyncio.wait_for(hung_up.wait(), 20)
            return outcome, authority

    outcome, authority = asyncio.run(one())
    assert outcome == TryAgain(reason=f"no answer from {authority} within 1 s")


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_cancelled_request_closes_its_connection(scheme: str) -> None:
    async def cancelled() -> None:
        came, hung_up = asyncio.Event(), asyncio.Event()

        async def peer(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
            await reader.read(1)
            came.set()
            await closed_by_the_other(reader)
            hung_up.set()

        async with listening(peer) as authority:
            task = asyncio.ensure_future(sent(f"{scheme}://{authority}/", {}))
            await asyncio.wait_for(came.wait(), 20)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await asyncio.wait_for(hung_up.wait(), 20)

    asyncio.run(cancelled())


# --- TLS ------------------------------------------------------------------------------------


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    path = tmp_path / "certificate.pem"
    path.write_text(CERTIFICATE + KEY)
    return path


@pytest.fixture
def tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def test_a_trusted_certificate_is_taken(
    certificate: Path, tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    outcome, (request,) = post(tls=tls)
    assert (outcome, request.protocol) == (Done(detail="answered 204"), "https")


def test_an_unknown_certificate_is_refused_before_anything_is_sent(tls: ssl.SSLContext) -> None:
    outcome, requests = post(tls=tls)
    assert isinstance(outcome, TryAgain)
    assert outcome.reason.endswith(": its certificate is refused: self-signed certificate")
    assert not requests


def test_a_target_without_tls_is_named() -> None:
    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await closed_by_the_other(reader)

    outcome, authority = meet(peer, scheme="https")
    assert isinstance(outcome, TryAgain)
    assert outcome.reason.startswith(f"no answer from {authority}: ")


# --- What is never sent ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        pytest.param(
            {"headers": {"X-From": "a\r\nX-Admin: 1"}},
            "the header 'X-From' would hold a control character",
            id="a caller that adds a header",
        ),
        pytest.param(
            {"headers": {"X-From": "a\0"}},
            "the header 'X-From' would hold a control character",
            id="NUL in a header",
        ),
        pytest.param({"headers": {"a b": "c"}}, "'a b' can't be a header", id="no header's name"),
        pytest.param(
            {"headers": {"content-LENGTH": "0"}},
            "the header 'content-LENGTH' can't be set by a rule",
            id="another length",
        ),
        pytest.param(
            {"method": "BREW"},
            "'BREW' is no method: GET HEAD POST PUT PATCH DELETE OPTIONS",
            id="unknown method",
        ),
        pytest.param({"json": float("nan")}, "JSON has no NaN and no infinity", id="NaN"),
        pytest.param(
            {"url": "ftp://a/s3cret"},
            "the URL begins with neither http:// nor https://",
            id="another scheme",
        ),
        pytest.param({"url": "http:///s3cret"}, "the URL's host is not valid", id="no host"),
        pytest.param({"url": "http://a b/s3cret"}, "the URL's host is not valid", id="no name"),
        pytest.param(
            {"url": "http://a:99999/s3cret"}, "the URL's host or port is not valid", id="no port"
        ),
        pytest.param(
            {"url": f"http://{'a' * 64}.de/s3cret"},
            "the URL's host or port is not valid",
            id="too long a name",
        ),
    ],
)
def test_an_impossible_request_is_given_up(args: Mapping[str, Any], expected: str) -> None:
    async def one() -> tuple[Outcome, list[str]]:
        came: list[str] = []

        async def peer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            came.append("somebody")
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")

        async with listening(peer) as authority:
            return await sent(f"http://{authority}/", args), came

    assert asyncio.run(one()) == (GiveUp(reason=expected), [])


def test_the_dispatcher_is_told_the_bounds() -> None:
    http = Http()
    assert (http.concurrency, http.per_rule, http.ready()) == (64, 16, True)
