"""The HTTP server, by raw bytes over TCP: what is answered to what, however hostile."""

import asyncio
import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbxrules import shipped
from pbxrules.web import server
from pbxrules.web.exchange import MAX_BODY, MAX_DISCARDED
from pbxrules.web.server import BODY_TIMEOUT_S, HEADER_TIMEOUT_S
from tests.daemon import Answer, Connection, Daemon, MemoryStore, chunked, post, report, status
from tests.reports import OTHER_EVENTS, sample

REQUESTS = [path.read_bytes() for path in sorted(shipped.folder("openvox").glob("*.http"))]
AT = "2026-11-18T11:06:40.123+00:00"
"""The hand clock's noon."""


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[bytes], Answer]]:
    """The answer of one daemon to a request, for tests to which it matters not which one."""
    with asyncio.Runner() as runner:
        daemon = Daemon(tmp_path_factory.mktemp("shared"))
        runner.run(daemon.__aenter__())
        yield lambda data: runner.run(daemon.exchange(data))
        runner.run(daemon.__aexit__(None, None, None))
    assert daemon.complaints == []


def problem(answer: Answer) -> tuple[int, str, list[tuple[str, str]]]:
    """The status, the title and the errors of a problem document, which it must be."""
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json
    assert set(told) == {"title", "status", "errors"}
    assert told["status"] == answer.status
    assert all(set(error) == {"pointer", "message"} for error in told["errors"])
    errors = [(error["pointer"], error["message"]) for error in told["errors"]]
    return answer.status, told["title"], errors


# --- The manufacturer's requests ------------------------------------------------------------

OUT = {"trunk": "to-18-16-2", "trunk_call_id": "1589948178.1690"}
IN = {"trunk": "to-18-16-2", "trunk_call_id": "1589948512.1707", "dialled": "101"}
SN = {"pbx": "a09805021987"}
EVENTS: list[dict[str, Any]] = [
    {
        "event": "alert",
        "action": "ALERT",
        "caller": "101",
        "extension": "101",
        "extensions": ["101"],
        "call_id": "1589947952.1670",
        **SN,
    },
    {
        "event": "ring",
        "action": "RING",
        "direction": "internal",
        "caller": "101",
        "callee": "106",
        "extension": "106",
        "extensions": ["106", "101"],
        "call_id": "1589947952.1670",
        **SN,
    },
    {
        "event": "alert",
        "action": "ALERT",
        "caller": "106",
        "extension": "106",
        "extensions": ["106"],
        "call_id": "1589948179.1692",
    },
    {
        "event": "ring",
        "action": "RING",
        "direction": "outbound",
        "caller": "106",
        "callee": "103",
        "extensions": ["106"],
        "call_id": "1589948178.1690",
        **OUT,
    },
    {
        "event": "alert",
        "action": "ALERT",
        "direction": "inbound",
        "caller": "103",
        "callee": "101",
        "call_id": "1589948512.1709",
        **IN,
        **SN,
    },
    {
        "event": "ring",
        "action": "RING",
        "direction": "inbound",
        "caller": "103",
        "callee": "101",
        "extension": "101",
        "extensions": ["101"],
        "call_id": "1589948512.1709",
        **IN,
        **SN,
    },
]


def test_the_manufacturers_requests_become_the_events_of_the_design(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Daemon(tmp_path) as daemon:
            answers = [await daemon.exchange(request) for request in REQUESTS]
            assert [(answer.status, answer.json) for answer in answers] == [
                (
                    200,
                    {
                        "id": number,
                        "event": event["event"],
                        "rules": ["every-report", "rings-101"] if number == 6 else ["every-report"],
                        "duplicate": False,
                    },
                )
                for number, event in enumerate(EVENTS, 1)
            ]
            assert {answer.headers["content-type"] for answer in answers} == {"application/json"}
            delivered = await daemon.performed()
            assert [delivery.verb for delivery in delivered] == ["log"] * 6 + ["mqtt"]
            await daemon.written()
            bodies = [request.partition(b"\r\n\r\n")[2] for request in REQUESTS]
            assert daemon.events() == [
                {
                    "id": number,
                    "received_at": AT,
                    "fields": {**event, "received_at": AT, "payload": json.loads(body)},
                    "rules": answer.json["rules"],
                    "actions": [
                        {
                            "rule": rule,
                            "run": f"{number}.{place}",
                            "position": "actions/0",
                            "action": verb,
                            "state": "done",
                            "reason": "",
                            "attempts": 1,
                        }
                        for place, (rule, verb) in enumerate(
                            zip(answer.json["rules"], ("log", "mqtt"), strict=False), 1
                        )
                    ],
                }
                for number, (event, body, answer) in enumerate(
                    zip(EVENTS, bodies, answers, strict=True), 1
                )
            ]

    asyncio.run(scenario())


def test_the_manufacturers_requests_sent_again_are_answered_as_duplicates(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Daemon(tmp_path) as daemon:
            first = [(await daemon.exchange(request)).json for request in REQUESTS]
            again = [(await daemon.exchange(request)).json for request in REQUESTS]
            assert again == [{**told, "duplicate": True} for told in first]
            assert len(await daemon.performed()) == 7

    asyncio.run(scenario())


def test_the_public_examples_of_the_other_reports_are_accepted(
    shared: Callable[[bytes], Answer],
) -> None:
    answers = [shared(post(body, headers=["Connection: close"])) for body in OTHER_EVENTS]
    assert [answer.json["event"] for answer in answers] == [
        "answer",
        "bye",
        "bye",
        "call_failed",
        "transfer",
        "extension_status",
        "cdr",
    ]


@pytest.mark.parametrize("size", [1, 2, 7, 1000], ids=lambda size: f"{size} bytes at a time")
def test_a_request_may_come_in_pieces(size: int, tmp_path: Path) -> None:
    async def scenario() -> Answer:
        async with Daemon(tmp_path) as daemon, daemon.connected() as connection:
            data = REQUESTS[5]
            for start in range(0, len(data), size):
                await connection.send(data[start : start + size])
                await asyncio.sleep(0)  # the server's turn
            return await connection.answer()

    assert asyncio.run(scenario()).json["event"] == "ring"


# --- Request lines and paths ----------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("POST HTTP/1.1", id="as the PBX prints it"),
        pytest.param("POST / HTTP/1.1", id="the root"),
        pytest.param("POST /events HTTP/1.1", id="events"),
        pytest.param("POST /?pbx=1&x=/y HTTP/1.1", id="the root with a query"),
        pytest.param("POST /events? HTTP/1.1", id="events with an empty query"),
        pytest.param("POST / HTTP/1.0", id="HTTP 1.0"),
    ],
)
def test_these_request_lines_are_taken(line: str, shared: Callable[[bytes], Answer]) -> None:
    body = report(line=line)
    assert shared(post(body, line=line, headers=["Connection: close"])).status == 200


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("GET HTTP/1.1", id="no path and another method"),
        pytest.param("POST HTTP/1.0", id="no path and HTTP 1.0"),
        pytest.param("POST  HTTP/1.1", id="two blanks"),
        pytest.param("POST HTTP/1.1 ", id="a blank at the end"),
        pytest.param(" POST HTTP/1.1", id="a blank at the front"),
        pytest.param("post HTTP/1.1", id="small letters"),
        pytest.param("POST http/1.1", id="small letters in the version"),
        pytest.param("POST\tHTTP/1.1", id="a tab"),
        pytest.param("POST HTTP/1.10", id="a longer version"),
        pytest.param("POST", id="the method alone"),
        pytest.param("POST /", id="HTTP 0.9"),
        pytest.param("POST / HTTP/2.0", id="HTTP 2"),
        pytest.param("POST /a b HTTP/1.1", id="a blank in the path"),
        pytest.param("POST / HTTP/1.1 x", id="a word too many"),
        pytest.param("HTTP/1.1 200 OK", id="an answer"),
        pytest.param("\x16\x03\x01", id="TLS"),
    ],
)
def test_every_other_malformed_request_line_is_a_400(
    line: str, shared: Callable[[bytes], Answer]
) -> None:
    answer = shared(post(report(line=line), line=line))
    assert problem(answer) == (400, "The request is not HTTP/1.1", [])


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(REQUESTS[1].replace(b"\r\n", b"\n", 1), id="that ends in LF"),
        pytest.param(b"\r\n" + REQUESTS[1], id="behind an empty line"),
        pytest.param(REQUESTS[1].replace(b"POST", b"\xefPOST", 1), id="behind another byte"),
    ],
)
def test_a_line_without_path_is_taken_in_no_other_form(
    data: bytes, shared: Callable[[bytes], Answer]
) -> None:
    assert shared(data).status == 400


@pytest.mark.parametrize(
    "header",
    [
        pytest.param("no colon", id="a line without colon"),
        pytest.param(": x", id="a header without name"),
        pytest.param("A B: x", id="a blank in a name"),
        pytest.param(" folded", id="a folded line"),
        pytest.param("A: \x00", id="a NUL"),
        pytest.param("Content-Length: -1", id="a negative length"),
        pytest.param("Content-Length: 0x10", id="a length that is no number"),
        pytest.param("Content-Length: +5", id="a length with a sign"),
        pytest.param("Transfer-Encoding: gzip, chunked", id="another transfer encoding"),
        pytest.param("Transfer-Encoding: identity", id="the identity"),
    ],
)
def test_malformed_headers_are_a_400(header: str, shared: Callable[[bytes], Answer]) -> None:
    data = f"POST / HTTP/1.1\r\nHost: pbx\r\n{header}\r\nConnection: close\r\n\r\n{{}}"
    assert problem(shared(data.encode("latin1"))) == (400, "The request is not HTTP/1.1", [])


@pytest.mark.parametrize(
    "path", ["/event", "/events/", "//", "/x?/events", "*", "http://pbx/", "?"]
)
def test_other_paths_are_a_404(path: str, shared: Callable[[bytes], Answer]) -> None:
    for method in ("POST", "GET"):
        data = post(report(path=path), line=f"{method} {path} HTTP/1.1")
        answer = shared(data.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))
        assert problem(answer)[:2] == (404, "Reports go to / or /events, by POST")


@pytest.mark.parametrize("path", ["/", "/events", "/events?x"])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS", "TRACE", "post", "X" * 99])
def test_other_methods_are_a_405_that_says_which_is_allowed(
    method: str, path: str, shared: Callable[[bytes], Answer]
) -> None:
    line = f"{method} {path} HTTP/1.1"
    for headers in (["Connection: close"], ["Connection: Close", "Expect: x"]):
        answer = shared(post(report(), line=line, headers=headers))
        assert problem(answer)[0] == 405
        assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize("closes", [False, True], ids=["kept alive", "closed"])
def test_a_head_is_answered_without_a_body(closes: bool, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Daemon(tmp_path) as daemon, daemon.connected() as connection:
            headers = ["Connection: close"] if closes else []
            await connection.send(post(b"", line="HEAD / HTTP/1.1", headers=headers))
            answer = await connection.answer(to_head=True)
            assert (answer.status, answer.headers["allow"]) == (405, "POST")
            if closes:
                assert await connection.rest() == b""
            else:
                await connection.send(post(report()))
                assert (await connection.answer()).status == 200
            assert daemon.complaints == []

    asyncio.run(scenario())


# --- What is wrong with a body --------------------------------------------------------------

RING = b'{"action":"RING","callid":"1.1","ext":{"extid":["1","2"]}%s}'


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(
            b"",
            (400, "the body is not JSON", [("", "line 1, column 1: there is no body")]),
            id="no body",
        ),
        pytest.param(
            b"action=RING",
            (400, "the body is not JSON", [("", "line 1, column 1: Expecting value")]),
            id="a form",
        ),
        pytest.param(
            RING % b',"x":"\xe4"',
            (
                400,
                "the body is not UTF-8",
                [("", "the byte at offset 63 is 0xe4: invalid continuation byte")],
            ),
            id="Latin-1",
        ),
        pytest.param(
            b"[]",
            (400, "a report is a JSON object", [("", "this JSON value is not an object")]),
            id="a list",
        ),
        pytest.param(
            RING % b',"callid":"2","a~/b":{"c":[NaN,-Infinity,1e999]}',
            (
                400,
                "the body is not strict JSON",
                [
                    ("/callid", "'callid' is given 2 times"),
                    ("/a~0~1b/c/0", "NaN is no JSON number"),
                    ("/a~0~1b/c/1", "-Infinity is no JSON number"),
                    ("/a~0~1b/c/2", "the number 1e999 is too large"),
                ],
            ),
            id="a repeated key and numbers that are none, all of them",
        ),
        pytest.param(
            RING % (b',"x":' + b"[" * 32 + b"]" * 32),
            (400, "the body is nested too deep", [("", "nested deeper than 32")]),
            id="33 deep",
        ),
        pytest.param(
            b"[" * 60_000,
            (400, "the body is nested too deep", [("", "nested deeper than 32")]),
            id="60,000 deep",
        ),
        pytest.param(
            RING % (b',"x":' + b"9" * 65),
            (
                400,
                "the body is not strict JSON",
                [("/x", "the number has 65 digits; 64 are allowed")],
            ),
            id="a number of 65 digits",
        ),
        pytest.param(
            b"{}",
            (
                422,
                "the report does not say what it is",
                [("/action", "'action', the kind of the report, is missing")],
            ),
            id="no action",
        ),
        pytest.param(
            b'{"action":"RING","callid":7,"ext":{"extid":[1,"",{}]},"sn":[]}',
            (
                422,
                "the report is not a well-formed ring",
                [
                    ("/callid", "7 is not text"),
                    ("/ext/extid/0", "1 is not text"),
                    ("/ext/extid/1", "this text is empty"),
                    ("/ext/extid/2", "a mapping is not text"),
                    ("/sn", "a list is not text or a whole number or null"),
                ],
            ),
            id="all that the schema finds, each with its pointer",
        ),
    ],
)
@pytest.mark.parametrize("in_chunks", [False, True], ids=["with its length", "in chunks"])
def test_a_refused_body_says_all_that_is_wrong(
    body: bytes, expected: Any, in_chunks: bool, shared: Callable[[bytes], Answer]
) -> None:
    headers = ["Connection: close"]
    parts = [body[start : start + 50] for start in range(0, len(body), 50)]
    answer = shared(chunked(*parts, headers=headers) if in_chunks else post(body, headers=headers))
    assert problem(answer) == expected


def test_nothing_of_a_refused_report_is_evaluated(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Daemon(tmp_path) as daemon:
            bad = report(callid=7)
            for body in (bad, b"\xff", bad):
                assert (await daemon.post(body)).status in (400, 422)
            await daemon.written()
            assert daemon.events() == []
            assert daemon.recorder.deliveries == []
            assert {kept.body: kept.count for kept in daemon.refused()} == {b"\xff": 1, bad: 2}
            assert (await daemon.post(report())).json["id"] == 1

    asyncio.run(scenario())


# --- Sizes ----------------------------------------------------------------------------------


def of_size(size: int) -> bytes:
    return report(x="").replace(b'"x": ""', b'"x": "%s"' % (b"x" * (size - len(report(x="")))))


@pytest.mark.parametrize("closes", [False, True], ids=["kept alive", "closed"])
@pytest.mark.parametrize("in_chunks", [False, True], ids=["with its length", "in chunks"])
@pytest.mark.parametrize(
    ("size", "expected"),
    [
        pytest.param(MAX_BODY, 200, id="64 KiB"),
        pytest.param(MAX_BODY + 1, 413, id="a byte more"),
        pytest.param(MAX_DISCARDED, 413, id="1 MiB"),
        pytest.param(MAX_DISCARDED + 1, 413, id="more than 1 MiB"),
        pytest.param(4 * MAX_DISCARDED, 413, id="4 MiB"),
    ],
)
def test_a_report_has_at_most_64_kib(
    size: int, expected: int, in_chunks: bool, closes: bool, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with Daemon(tmp_path) as daemon, daemon.connected() as connection:
            body = of_size(size)
            headers = ["Connection: close"] if closes else []
            parts = [body[start : start + 5_000] for start in range(0, size, 5_000)]
            data = chunked(*parts, headers=headers) if in_chunks else post(body, headers=headers)
            sending = asyncio.create_task(connection.send(data))
            answer = await connection.answer()
            await sending
            assert answer.status == expected
            if expected == 413:
                assert problem(answer)[1] == "A report has at most 65536 bytes"
            assert len(daemon.events()) == (expected == 200)
            # Up to 1 MiB is read to its end, so that the connection is as good as before.
            if not closes and size <= MAX_DISCARDED:
                await connection.send(post(report()))
                assert (await connection.answer()).status == 200
            assert (await daemon.post(report())).status == 200
            assert daemon.complaints == []

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"Content-Length: 1048577\r\n\r\n", id="a length just too large"),
        pytest.param(b"Content-Length: %s\r\n\r\n" % (b"9" * 5000), id="a length of 5,000 digits"),
        pytest.param(
            b"Expect: 100-continue\r\nContent-Length: 1048577\r\n\r\n", id="asking before sending"
        ),
    ],
)
def test_what_is_far_too_large_is_refused_before_it_is_sent(
    data: bytes, shared: Callable[[bytes], Answer]
) -> None:
    assert shared(b"POST / HTTP/1.1\r\nHost: pbx\r\n" + data).status == 413


def test_promise_9_what_is_too_large_is_answered_at_once_and_not_held_in_memory(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        async with Daemon(tmp_path) as daemon, daemon.connected() as connection:
            body = of_size(MAX_DISCARDED)
            data = post(body, headers=["Connection: close"])
            await connection.send(data[:300_000])
            assert (await connection.answer()).status == 413
            (exchange,) = daemon.server._exchanges._open
            while exchange._stream._read_buffer_size:
                await asyncio.sleep(0)
            assert sum(map(len, exchange._chunks)) <= MAX_BODY
            await connection.send(data[300_000:])
            assert await connection.rest() == b""
            await daemon.written()
            assert daemon.rows("SELECT status, body FROM refused") == [(413, body[:MAX_BODY])]

    asyncio.run(scenario())


def test_who_never_sends_all_that_is_too_large_is_cut(tmp_path: Path) -> None:
    async def scenario() -> None:
        daemon = Daemon(tmp_path, body_timeout_s=0.3)
        async with daemon, daemon.connected() as connection:
            head = b"POST / HTTP/1.1\r\nConnection: close\r\nContent-Length: 70000\r\n\r\n"
            await connection.send(head)
            assert (await connection.answer()).status == 413
            assert await connection.rest() == b""
            await daemon.written()
            assert daemon.rows("SELECT body FROM refused") == [(b"POST / HTTP/1.1",)]
            assert daemon.open_exchanges == 0

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("data", "status", "kept"),
    [
        pytest.param(
            post(b"{}", line="POST /x?y=1 HTTP/1.1"), 404, b"POST /x?y=1 HTTP/1.1", id="a path"
        ),
        pytest.param(
            b"GET /events HTTP/1.1\r\nHost: pbx\r\nConnection: close\r\n\r\n",
            405,
            b"GET /events HTTP/1.1",
            id="a method",
        ),
        pytest.param(b"\x16\x03\x01 TLS\r\n\r\n", 400, b"\x16\x03\x01 TLS", id="not HTTP"),
        pytest.param(
            chunked(b"x" * 40_000, b"y" * 40_000, headers=["Connection: close"]),
            413,
            b"x" * 40_000 + b"y" * (MAX_BODY - 40_000),
            id="too large in chunks",
        ),
        pytest.param(
            b"POST / HTTP/1.1\r\nContent-Length: 1048577\r\n\r\n",
            413,
            b"POST / HTTP/1.1",
            id="far too large",
        ),
    ],
)
def test_what_is_refused_before_it_is_read_is_logged_and_kept_as_well(
    data: bytes, status: int, kept: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        async with Daemon(tmp_path) as daemon, daemon.connected() as connection:
            await connection.send(data)
            assert (await connection.answer()).status == status
            await daemon.written()
            assert daemon.rows("SELECT status, body, count FROM refused") == [(status, kept, 1)]

    asyncio.run(scenario())
    assert caplog.messages.count("report refused") == 1


def test_a_report_that_meets_a_defect_is_answered_500(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        async with Daemon(tmp_path) as daemon:
            snapshot = daemon.intake.snapshot
            daemon.intake.snapshot = None  # type: ignore[assignment]
            for _ in range(2):
                answer = await daemon.post(report())
                assert problem(answer)[:2] == (500, "A defect of pbxrules; its log says more")
            assert daemon.open_exchanges == 0
            daemon.intake.snapshot = snapshot
            assert (await daemon.post(report())).json["duplicate"] is False

    asyncio.run(scenario())
    assert caplog.messages.count("a report broke its reading") == 2


def test_promise_9_connections_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MAX_CONNECTIONS", 4)

    async def scenario() -> None:
        async with Daemon(tmp_path) as daemon:
            request = post(report(), headers=["Connection: close"])
            idle = [await daemon.connect() for _ in range(4)]
            for connection in idle:  # the kernel keeps those that say nothing to itself
                await connection.send(request[:9])
            async with daemon.connected() as one_more:
                await one_more.send(request[:9])
                assert await one_more.rest() == b""
            for connection in idle:
                await connection.send(request[9:])
                assert (await connection.answer()).status == 200
                assert await connection.rest() == b""
                connection.close()
            assert (await daemon.post(report())).status == 200

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"POST / HTTP/1.1\r\nX: " + b"x" * 20_000, id="a header without end"),
        pytest.param(b"x" * 20_000, id="a line without end"),
        pytest.param(
            b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + b"0" * 100,
            id="the length of a chunk without end",
        ),
    ],
)
def test_what_does_not_end_is_cut(data: bytes, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Daemon(tmp_path) as daemon, daemon.connected() as connection:
            await connection.send(data)
            assert not (await connection.rest()).startswith(b"HTTP/1.1 200")
            assert (await daemon.post(report())).status == 200
            assert daemon.complaints == []

    asyncio.run(scenario())


# --- Slow senders ---------------------------------------------------------------------------

HEAD = b"POST / HTTP/1.1\r\nHost: pbx\r\n"
SLOW = [
    pytest.param(b"", id="nothing at all"),
    pytest.param(HEAD, id="half a head"),
    pytest.param(HEAD + b"Content-Length: 9\r\n\r\n{", id="half a body"),
    pytest.param(
        HEAD + b"Connection: close\r\nContent-Length: 9\r\n\r\n{", id="half of the only body"
    ),
    pytest.param(HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{", id="half a chunk"),
    pytest.param(post(b"{}"), id="a whole request and no other"),
]


def test_headers_have_10_s_and_bodies_5_s() -> None:
    assert (HEADER_TIMEOUT_S, BODY_TIMEOUT_S) == (10, 5)


@pytest.mark.parametrize("data", SLOW)
def test_who_is_slow_is_cut(data: bytes, tmp_path: Path) -> None:
    async def scenario() -> None:
        daemon = Daemon(tmp_path, header_timeout_s=0.4, body_timeout_s=0.3)
        async with daemon, daemon.connected() as connection:
            await connection.send(data)
            rest = await connection.rest()
            assert b" 200 " not in rest
            assert (await daemon.post(report())).status == 200
            assert [event["id"] for event in daemon.events()] == [1]
            assert daemon.complaints == []

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(HEAD + b"X: ", id="in the head"),
        pytest.param(HEAD + b"Content-Length: 9000\r\n\r\n", id="in the body"),
        pytest.param(
            HEAD + b"Connection: close\r\nContent-Length: 9000\r\n\r\n", id="in the only body"
        ),
        pytest.param(HEAD + b"Transfer-Encoding: chunked\r\n\r\n2000\r\n", id="in a chunk"),
    ],
)
def test_who_sends_a_byte_now_and_then_is_cut_too(data: bytes, tmp_path: Path) -> None:
    async def scenario() -> None:
        daemon = Daemon(tmp_path, header_timeout_s=0.4, body_timeout_s=0.4)
        async with daemon, daemon.connected() as connection:
            await connection.send(data)
            while not connection.has_ended:
                assert (await daemon.post(report())).status == 200
                await connection.send(b"1")

    asyncio.run(scenario())


def test_many_slow_connections_leave_an_honest_one_answered(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Daemon(tmp_path, header_timeout_s=0.5, body_timeout_s=0.5) as daemon:
            slow: list[Connection] = []
            for number in range(300):
                connection = await daemon.connect()
                await connection.send(SLOW[number % len(SLOW)].values[0])  # type: ignore[arg-type]
                slow.append(connection)
            for number in range(5):
                assert (await daemon.post(report(callid=str(number)))).status == 200
            for connection in slow:
                assert b" 200 " not in await connection.rest()
                connection.close()

    asyncio.run(scenario())


# --- What is not unpacked, not guessed, not smuggled ------------------------------------------


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "x"])
def test_an_encoded_body_is_not_unpacked(encoding: str, shared: Callable[[bytes], Answer]) -> None:
    headers = [f"Content-Encoding: {encoding}", "Connection: close"]
    packed = gzip.compress(report(), mtime=0)
    assert problem(shared(post(packed, headers=headers)))[:2] == (400, "the body is not UTF-8")
    assert shared(post(report(), headers=headers)).status == 200


@pytest.mark.parametrize(
    "kind",
    ["multipart/form-data; boundary=x", "application/x-www-form-urlencoded", "text/plain", "", "/"],
)
def test_only_the_body_tells_what_it_is(kind: str, shared: Callable[[bytes], Answer]) -> None:
    headers = [f"Content-Type: {kind}", "Connection: close"]
    assert shared(post(report(), headers=headers)).status == 200
    form = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n%s\r\n--x--\r\n' % report()
    assert shared(post(form, headers=headers)).status == 400


@pytest.mark.parametrize(
    "head",
    [
        pytest.param("Content-Length: {size}\r\nContent-Length: 0", id="two lengths"),
        pytest.param("Content-Length: 0, {size}", id="two lengths in one"),
        pytest.param(
            "Content-Length: {size}\r\nTransfer-Encoding: chunked", id="length and chunks"
        ),
        pytest.param(
            "Transfer-Encoding: chunked\r\nContent-Length: {size}", id="chunks and length"
        ),
        pytest.param("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", id="chunks twice"),
        pytest.param("Transfer-Encoding: xchunked", id="nearly chunked"),
        pytest.param("Transfer-Encoding : chunked", id="a blank before the colon"),
        pytest.param(
            "Content-Length: {size}\r\nTransfer-Encoding: \x0bchunked", id="a strange blank"
        ),
    ],
)
@pytest.mark.parametrize("closes", [False, True], ids=["kept alive", "closed"])
def test_a_request_of_two_lengths_is_refused_and_nothing_behind_it_is_read(
    head: str, closes: bool, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with Daemon(tmp_path) as daemon, daemon.connected() as connection:
            lines = head.format(size=len(report())) + "\r\nConnection: close" * closes
            data = f"POST / HTTP/1.1\r\nHost: pbx\r\n{lines}\r\n\r\n".encode("latin1")
            await connection.send(data + b"0\r\n\r\n" + post(report()))
            answer = await connection.answer()
            assert problem(answer) == (400, "The request is not HTTP/1.1", [])
            assert await connection.rest() == b""
            assert daemon.events() == []
            assert daemon.complaints == []

    asyncio.run(scenario())


def test_nothing_behind_the_last_request_of_a_connection_is_read(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Daemon(tmp_path) as daemon, daemon.connected() as connection:
            last = post(report(), headers=["Connection: close"])
            await connection.send(last + post(report(callid="2.2")))
            assert (await connection.answer()).status == 200
            assert await connection.rest() == b""
            assert [event["id"] for event in daemon.events()] == [1]

    asyncio.run(scenario())


# --- Several requests of one connection -------------------------------------------------------


@pytest.mark.parametrize("in_chunks", [False, True], ids=["with their lengths", "in chunks"])
def test_requests_may_share_a_connection(in_chunks: bool, tmp_path: Path) -> None:
    form = chunked if in_chunks else post

    async def scenario() -> None:
        async with Daemon(tmp_path) as daemon, daemon.connected() as connection:
            for number in range(3):
                await connection.send(form(report(callid=f"{number}.1")))
                assert (await connection.answer()).json["id"] == number + 1
            await connection.send(form(b"no report"))
            assert (await connection.answer()).status == 400
            await connection.send(form(report(callid="9.1")))
            assert (await connection.answer()).json["id"] == 4

    asyncio.run(scenario())


def test_pipelined_requests_are_answered_in_order(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Daemon(tmp_path) as daemon, daemon.connected() as connection:
            pathless = post(report(callid="2.1"), line="POST HTTP/1.1")
            parts = [
                post(report(callid="1.1")),
                post(b"no report"),
                pathless,
                chunked(report(callid="3.1")),
                post(report(callid="1.1"), line="POST /nowhere HTTP/1.1"),
                post(report(callid="1.1"), headers=["Connection: close"]),
            ]
            await connection.send(b"".join(parts))
            answers = [await connection.answer() for _ in parts]
            assert await connection.rest() == b""
            assert [answer.status for answer in answers] == [200, 400, 200, 200, 404, 200]
            assert [a.json["id"] for a in answers if a.status == 200] == [1, 2, 3, 1]
            assert answers[-1].json["duplicate"]

    asyncio.run(scenario())


@pytest.mark.parametrize("closes", [False, True], ids=["kept alive", "closed"])
def test_who_asks_before_sending_is_told_to_go_on(closes: bool, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Daemon(tmp_path) as daemon, daemon.connected() as connection:
            headers = ["Expect: 100-continue", *["Connection: close"] * closes]
            head, _, body = post(report(), headers=headers).partition(b"\r\n\r\n")
            await connection.send(head + b"\r\n\r\n")
            assert (await connection.answer()).status == 100
            await connection.send(body)
            assert (await connection.answer()).status == 200

    asyncio.run(scenario())


# --- Senders that hang up -------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers", [["Connection: close"], []], ids=["after this report", "kept alive"]
)
@pytest.mark.parametrize("aborts", [False, True], ids=["closes", "aborts"])
def test_a_report_whose_sender_has_gone_stays_accepted(
    aborts: bool, headers: list[str], tmp_path: Path
) -> None:
    async def scenario() -> None:
        store = MemoryStore()
        async with Daemon(tmp_path, store=store) as daemon:
            connection = await daemon.connect()
            await connection.send(post(report(), headers=headers))
            await store.arrived.wait()
            (connection.abort if aborts else connection.close)()
            await unaccepted(daemon)
            store.commit()
            assert list(store.accepted) == [1]
            assert daemon.dispatcher.waiting.total() == 2
            store.at_once = True
            assert (await daemon.post(report())).json["duplicate"]
            assert daemon.complaints == []

    async def unaccepted(daemon: Daemon) -> None:
        """A whole exchange meanwhile, so that the server's loop has seen the end."""
        assert (await daemon.post(b"no report")).status == 400

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="at once"),
        pytest.param(b"POST", id="in the line"),
        pytest.param(HEAD, id="in the head"),
        pytest.param(HEAD + b"Content-Length: 9\r\n\r\n{", id="in the body"),
        pytest.param(
            HEAD + b"Connection: close\r\nContent-Length: 9\r\n\r\n{", id="in the only body"
        ),
        pytest.param(HEAD + b"Transfer-Encoding: chunked\r\n\r\n9\r\n{", id="in a chunk"),
    ],
)
@pytest.mark.parametrize("aborts", [False, True], ids=["ends", "aborts"])
def test_who_hangs_up_early_harms_nothing(data: bytes, aborts: bool, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Daemon(tmp_path) as daemon:
            for _ in range(3):
                connection = await daemon.connect()
                await connection.send(data)
                if aborts:
                    assert (await daemon.post(b"no report")).status == 400
                    connection.abort()
                else:
                    connection.end()
                    await connection.rest()
                    connection.close()
            assert (await daemon.post(report())).json["id"] == 1
            assert daemon.complaints == []

    asyncio.run(scenario())


def test_who_aborts_behind_a_report_that_is_in_hand_harms_nothing(tmp_path: Path) -> None:
    async def scenario() -> None:
        store = MemoryStore()
        async with Daemon(tmp_path, store=store) as daemon:
            connection = await daemon.connect()
            await connection.send(post(report()) + REQUESTS[0][:-9])
            await store.arrived.wait()
            connection.abort()
            assert (await daemon.post(b"no report")).status == 400
            store.commit()
            assert (await daemon.post(b"no report")).status == 400
            assert list(store.accepted) == [1]
            assert daemon.open_exchanges == 0
            assert daemon.complaints == []

    asyncio.run(scenario())


def test_a_sender_that_ends_its_side_is_still_answered(tmp_path: Path) -> None:
    async def scenario() -> Answer:
        async with Daemon(tmp_path) as daemon, daemon.connected() as connection:
            await connection.send(REQUESTS[0])
            connection.end()
            return await connection.answer()

    assert asyncio.run(scenario()).status == 200


# --- The store ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers", [["Connection: close"], []], ids=["after this report", "kept alive"]
)
def test_promise_1_no_byte_of_an_answer_leaves_before_the_commit(
    headers: list[str], tmp_path: Path
) -> None:
    async def scenario() -> None:
        store = MemoryStore()
        async with (
            Daemon(tmp_path, store=store) as daemon,
            daemon.connected() as first,
            daemon.connected() as resend,
        ):
            await first.send(post(report(), headers=headers))
            await store.arrived.wait()
            await resend.send(post(report(), headers=headers))
            # What had been written before this answer would have come by now.
            assert (await daemon.post(b"no report")).status == 400
            assert not first.has_bytes
            assert not resend.has_bytes

            store.commit()
            told = [(await connection.answer()).json for connection in (first, resend)]
            assert [answer["duplicate"] for answer in told] == [False, True]
            assert [answer["id"] for answer in told] == [1, 1]

    asyncio.run(scenario())


def test_promise_9_a_503_comes_only_while_the_store_cannot_write(tmp_path: Path) -> None:
    async def scenario() -> None:
        store = MemoryStore(at_once=True)
        async with Daemon(tmp_path, store=store) as daemon:
            assert (await daemon.post(report())).status == 200
            store.writable = False
            for body in (report(), report(callid="2.2"), status("Idle")):
                answer = await daemon.post(body)
                assert problem(answer)[:2] == (
                    503,
                    "The report can't be stored now; send it again later",
                )
                assert answer.headers["retry-after"] == "5"
            # What is wrong is wrong all the same.
            assert (await daemon.post(b"no report")).status == 400
            assert (await daemon.post(report(callid=7))).status == 422
            store.writable = True
            told = [
                (await daemon.post(body)).json
                for body in (report(), report(callid="2.2"), status("Idle"))
            ]
            assert [answer["duplicate"] for answer in told] == [True, False, False]
            assert len(store.accepted) == 3

    asyncio.run(scenario())


def test_a_report_in_hand_is_answered_at_the_end(tmp_path: Path) -> None:
    async def scenario() -> None:
        store = MemoryStore()
        async with Daemon(tmp_path, store=store) as daemon, daemon.connected() as connection:
            await connection.send(post(report()))
            await store.arrived.wait()
            daemon.server.stop_listening()
            closing = asyncio.create_task(daemon.server.close(10))
            with pytest.raises(ConnectionRefusedError):
                await daemon.connect()
            assert not closing.done()
            store.commit()
            assert (await connection.answer()).status == 200
            await closing
            assert await connection.rest() == b""

    asyncio.run(scenario())


def test_a_report_whose_commit_takes_too_long_is_cut_at_the_end(tmp_path: Path) -> None:
    async def scenario() -> None:
        store = MemoryStore()
        async with Daemon(tmp_path, store=store) as daemon:
            kept = [await daemon.connect(), await daemon.connect()]
            await kept[0].send(post(report()))
            await kept[1].send(post(report(), headers=["Connection: close"]))
            await store.arrived.wait()
            await daemon.server.close(0.01)
            assert [await connection.rest() for connection in kept] == [b"", b""]
            store.commit()  # tells nobody, and stands
            assert list(store.accepted) == [1]
            assert daemon.complaints == []
            for connection in kept:
                connection.close()

    asyncio.run(scenario())


# --- Whatever comes -------------------------------------------------------------------------

REPORTS = [*(sample(f.name) for f in sorted(shipped.folder("openvox").glob("*.http")))]
REPORTS += OTHER_EVENTS
WORDS = ["action", "RING", "ALERT", "BYE", "NewCdr", "ExtensionStatus", "ext", "extid", "callid"]
WORDS += [
    "inbound",
    "outbound",
    "call",
    "from",
    "to",
    "trunk",
    "status",
    "101",
    "",
    "\ud800",
    "x" * 99,
]
TEXT = st.one_of(st.sampled_from(WORDS), st.text(max_size=5))
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXT),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXT, inner, max_size=5)),
    max_leaves=12,
)
HOSTILE = st.builds(
    lambda base, more: json.dumps({**base, **more} if isinstance(base, dict) else base).encode(),
    st.one_of(st.sampled_from([json.loads(body) for body in REPORTS]), JSON),
    st.dictionaries(TEXT, JSON, max_size=3),
)
PIECES = st.one_of(
    st.binary(max_size=6),
    st.sampled_from([b'"', b"{", b"}", b"[", b"\\u0000", b"\\", b"NaN", b"1e999", b"9" * 65]),
    st.sampled_from([b'"ext":{"extid":"1"},', b'"action":"BYE",', b"\xff", b"\x00", b"[" * 40]),
)


def mutated(whole: list[bytes]) -> st.SearchStrategy[bytes]:
    """One of *whole* with pieces cut out, put in and overwritten."""
    edits = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 12), PIECES), max_size=4)

    def edited(data: bytes, edits: list[tuple[float, int, bytes]]) -> bytes:
        for where, cut, piece in edits:
            at = int(where * len(data))
            data = data[:at] + piece + data[at + cut :]
        return data

    return st.builds(edited, st.sampled_from(whole), edits)


BODIES = st.one_of(st.binary(max_size=200), HOSTILE, mutated(REPORTS))


def test_promise_1_whatever_the_body_it_is_on_disk_exactly_if_it_is_answered_200(
    tmp_path: Path,
) -> None:
    accepted: set[bytes] = set()
    refused: set[bytes] = set()
    with asyncio.Runner() as runner:
        daemon = Daemon(tmp_path)
        runner.run(daemon.__aenter__())

        @settings(max_examples=300)
        @given(BODIES, st.booleans())
        def any_body(body: bytes, closes: bool) -> None:
            headers = ["Connection: close"] if closes else []
            answer = runner.run(one(post(body, headers=headers)))
            assert answer.status in (200, 400, 422)
            found = daemon.rows("SELECT 1 FROM events WHERE body = ?", body)
            assert bool(found) is (answer.status == 200)
            if answer.status == 200:
                assert set(answer.json) == {"id", "event", "rules", "duplicate"}
                accepted.add(body)
            else:
                assert problem(answer)[2], "each refusal has its reasons"
                refused.add(body)

        async def one(data: bytes) -> Answer:
            async with daemon.connected() as connection:
                await connection.send(data)
                return await connection.answer()

        any_body()
        runner.run(daemon.__aexit__(None, None, None))
    assert daemon.complaints == []

    async def reopened() -> tuple[set[bytes], set[bytes]]:
        async with Daemon(tmp_path) as again:
            bodies = {body for (body,) in again.rows("SELECT body FROM events")}
            return bodies, {kept.body for kept in again.refused()}

    on_disk, kept = asyncio.run(reopened())
    assert on_disk == accepted
    assert kept <= refused


RAW = st.one_of(
    st.binary(max_size=300),
    mutated([*REQUESTS, chunked(report()), post(report(), headers=["Expect: 100-continue"])]),
    mutated([b"GET / HTTP/1.1\r\n\r\n", b"HEAD /events HTTP/1.0\r\n\r\n", HEAD + b"\r\n"]),
    st.lists(st.sampled_from([*REQUESTS, post(report()), chunked(b"{}"), b"\r\n"]), max_size=4).map(
        b"".join
    ),
)


def test_whatever_comes_as_a_request_the_next_honest_one_is_answered(tmp_path: Path) -> None:
    with asyncio.Runner() as runner:
        daemon = Daemon(tmp_path)
        runner.run(daemon.__aenter__())

        async def one(data: bytes, cuts: list[int], aborts: bool) -> bytes:
            async with daemon.connected() as connection:
                for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
                    await connection.send(data[start:end])
                    await asyncio.sleep(0)
                if aborts:
                    connection.abort()
                    return b""
                connection.end()
                return await connection.rest()

        @settings(max_examples=200)
        @given(RAW, st.lists(st.integers(0, 300), max_size=3), st.integers(0, 9))
        def any_request(data: bytes, cuts: list[int], fate: int) -> None:
            said = runner.run(one(data, sorted(cuts), fate == 0))
            assert not said or said.startswith((b"HTTP/1.1 200 ", b"HTTP/1.1 4", b"HTTP/1.1 100 "))
            assert runner.run(daemon.post(report())).status == 200
            complaints, daemon.complaints[:] = list(daemon.complaints), []
            assert complaints == []

        any_request()
        assert daemon.open_exchanges == 0
        runner.run(daemon.__aexit__(None, None, None))
