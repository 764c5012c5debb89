"""Reports sent as the PBX sends them, over real sockets."""

import itertools
import json
import socket

import pytest

from pbxrules import sending, shipped
from pbxrules.pbx.compose import LAYOUTS
from pbxrules.reportflags import KINDS
from pbxrules.sending import Answer, report, send, url_of
from tests.reports import event_of
from tests.sockets import recording

BODY = b'{"action":"RING"}'


@pytest.mark.parametrize(
    ("path", "request_line"),
    [
        pytest.param("", b"POST HTTP/1.1", id="without a path, as the PBX prints it"),
        pytest.param("/", b"POST HTTP/1.1", id="the root is no path either"),
        pytest.param("/events", b"POST /events HTTP/1.1", id="a path"),
        pytest.param("/a/b?c=d", b"POST /a/b?c=d HTTP/1.1", id="a query"),
    ],
)
def test_a_report_is_sent_byte_for_byte_as_the_pbx_does(path: str, request_line: bytes) -> None:
    with recording() as server:
        answer = send(server.url + path, BODY)
    assert answer == Answer(status=200, text='{"id": 7}')
    assert answer.ok
    host = f"Host:127.0.0.1:{server.port}".encode()
    assert server.came == [
        request_line + b"\r\n" + host + b"\r\nContent-Length:17\r\nAccept: application/json\r\n"
        b"Content-Type:application/json\r\nConnection:close\r\n\r\n" + BODY
    ]


@pytest.mark.parametrize(
    "name", sorted(path.name for path in shipped.folder("openvox").glob("*.http"))
)
def test_the_header_lines_are_those_of_the_manufacturers_examples(name: str) -> None:
    """But for Host and Content-Length, and spaces."""

    def lines(request: bytes) -> list[bytes]:
        head = request.partition(b"\r\n\r\n")[0].replace(b" ", b"").lower().split(b"\r\n")
        return sorted(line for line in head if not line.startswith((b"host:", b"content-length:")))

    example = (shipped.folder("openvox") / name).read_bytes()
    with recording() as server:
        send(server.url, example.partition(b"\r\n\r\n")[2])
    assert lines(server.came[0]) == lines(example)


@pytest.mark.parametrize("status", [200, 201, 204, 302, 400, 422, 503])
def test_the_pbx_is_content_with_200_and_nothing_else(status: int) -> None:
    with recording(b"HTTP/1.1 %d So\r\nContent-Length: 2\r\n\r\nno" % status) as server:
        answer = send(server.url, BODY)
    assert (answer.status, answer.text) == (status, "no")
    assert answer.ok is (status == 200)


def test_an_answer_that_is_no_utf_8_is_shown_all_the_same() -> None:
    with recording(b"HTTP/1.1 200 OK\r\n\r\n\xff") as server:
        assert send(server.url, BODY).text == "\ufffd"


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"SSH-2.0-OpenSSH\r\n", id="another protocol"),
        pytest.param(b"hello there\r\n", id="no status"),
    ],
)
def test_what_is_no_http_is_told(answer: bytes) -> None:
    with recording(answer) as server, pytest.raises(OSError, match="the answer is not HTTP"):
        send(server.url, BODY)


def test_where_nobody_listens_an_os_error_says_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(ConnectionRefusedError):
        send(f"http://127.0.0.1:{port}", BODY)


def test_a_server_without_tls_is_not_spoken_to_over_https() -> None:
    with recording() as server, pytest.raises(OSError, match=r"."):
        send(server.url.replace("http:", "https:"), BODY)


@pytest.mark.parametrize("url", ["mqtt://h", "h:8080", "http://", "", "http://h:x", "http://h/ü"])
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        send(url, BODY)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        pytest.param("127.0.0.1", "http://127.0.0.1:80", id="this machine"),
        pytest.param("0.0.0.0", "http://127.0.0.1:80", id="everywhere"),  # noqa: S104 - as one may write it
        pytest.param("", "http://127.0.0.1:80", id="everywhere, unsaid"),
        pytest.param("::", "http://[::1]:80", id="everywhere, by IPv6"),
        pytest.param("::1", "http://[::1]:80", id="this machine, by IPv6"),
        pytest.param("pbx.lan", "http://pbx.lan:80", id="a name"),
    ],
)
def test_where_a_listening_address_is_met(host: str, url: str) -> None:
    assert url_of(host, 80) == url


def test_a_large_body_goes_out_whole() -> None:
    body = b'{"a":"' + b"x" * 1_000_000 + b'"}'
    with recording() as server:
        send(server.url, body)
    assert server.came[0].endswith(body)


# --- The eight reports ------------------------------------------------------------------------

TOLD = {
    "extension": "107", "caller": "+4930", "callee": "108", "trunk": "t9", "dialled": "99",
    "reason": "486", "status": "Busy", "call_id": "1589.7", "pbx": "sn1",
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_alone_is_a_report_that_is_understood(kind: str) -> None:
    event = event_of(report(kind, {}))
    assert event.kind == kind


@pytest.mark.parametrize(("kind", "direction"), LAYOUTS)
@pytest.mark.parametrize("name", TOLD)
def test_what_is_told_is_in_the_event_or_refused_with_a_reason(
    kind: str, direction: str, name: str
) -> None:
    told = {"direction": direction or None, name: TOLD[name]}
    try:
        body = report(kind, told)
    except ValueError as refusal:
        message = str(refusal)
        assert message.isprintable()
        assert name in message or kind in message
        return
    if name == "call_id" and kind == "extension_status":
        return  # it has none, and an option that is always filled in is no wish
    assert event_of(body).fields.get(name) == TOLD[name]


def test_every_call_that_is_made_up_has_an_id_of_its_own() -> None:
    ids = [json.loads(report("ring", {}))["callid"] for _ in range(50)]
    assert len(set(ids)) == 50
    counters = [int(one.partition(".")[2]) for one in ids]
    assert all(later == earlier + 1 for earlier, later in itertools.pairwise(counters))


def test_nobody_waits_for_ever() -> None:
    assert 0 < sending.TIMEOUT_S <= 60
