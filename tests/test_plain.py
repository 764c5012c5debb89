"""The short way for a report: it takes what Tornado would read just so, and nothing else."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tornado.httputil import HTTPHeaders, parse_request_start_line

from pbxrules import shipped
from pbxrules.web.exchange import PATHS
from pbxrules.web.plain import plain

POSTS = [path.read_bytes() for path in sorted(shipped.folder("openvox").glob("*.http"))]


def head(*lines: str, request: str = "POST / HTTP/1.1") -> bytes:
    """A head of these lines."""
    return "".join(f"{line}\r\n" for line in (request, *lines, "")).encode("latin1")


CLOSE, SIZE = "Connection: close", "Content-Length: 12"


@pytest.mark.parametrize("request_bytes", POSTS)
def test_what_the_pbx_sends_is_plain(request_bytes: bytes) -> None:
    first, end, body = request_bytes.partition(b"\r\n\r\n")
    found = plain(first + end)
    assert found is not None
    assert found[1] == len(body)


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param(head(CLOSE, SIZE), id="with spaces behind the colons"),
        pytest.param(head("Connection:close", "Content-Length:12"), id="without"),
        pytest.param(head("connection: CLOSE", "CONTENT-LENGTH: 12"), id="in any case"),
        pytest.param(head(CLOSE, SIZE, request="POST HTTP/1.1"), id="without a path"),
        pytest.param(head(CLOSE, SIZE, request="POST /events?a=b HTTP/1.1"), id="with a query"),
        pytest.param(head("Host: x", "X-Empty:", CLOSE, SIZE), id="with an empty header"),
    ],
)
def test_these_are_plain(lines: bytes) -> None:
    found = plain(lines)
    assert found is not None
    assert found[1] == 12


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param(head(CLOSE), id="no length"),
        pytest.param(head(SIZE), id="a connection that is kept"),
        pytest.param(head(CLOSE, SIZE, SIZE), id="two lengths"),
        pytest.param(head(CLOSE, SIZE, "Connection: keep-alive"), id="two minds about the end"),
        pytest.param(head(CLOSE, "Content-Length: +12"), id="a length with a sign"),
        pytest.param(head(CLOSE, "Content-Length: 1_2"), id="a length as Python writes it"),
        pytest.param(head(CLOSE, "Content-Length: 0x12"), id="a length that is hexadecimal"),
        pytest.param(head(CLOSE, "Content-Length: 12, 12"), id="a list of lengths"),
        pytest.param(head(CLOSE, "Content-Length: " + "9" * 5000), id="digits without end"),
        pytest.param(head(CLOSE, "Content-Length:"), id="an empty length"),
        pytest.param(head(CLOSE, SIZE, "Transfer-Encoding: chunked"), id="chunks"),
        pytest.param(head(CLOSE, SIZE, "Expect: 100-continue"), id="who asks first"),
        pytest.param(head(CLOSE, SIZE, "Upgrade: h2c"), id="who wants another protocol"),
        pytest.param(head(CLOSE, SIZE, request="GET / HTTP/1.1"), id="another method"),
        pytest.param(head(CLOSE, SIZE, request="POST /x HTTP/1.1"), id="another path"),
        pytest.param(head(CLOSE, SIZE, request="POST / HTTP/1.0"), id="another version"),
        pytest.param(head(CLOSE, SIZE, request="POST  HTTP/1.1"), id="two spaces for a path"),
        pytest.param(head("Content-Length : 12", CLOSE), id="a space before the colon"),
        pytest.param(head(CLOSE, "X: a", " b", SIZE), id="a header over two lines"),
        pytest.param(head(CLOSE, "X: \x00", SIZE), id="a NUL"),
        pytest.param(head(CLOSE, "X: \r", SIZE), id="a lone CR"),
        pytest.param(head(CLOSE, SIZE).replace(b"\r\n", b"\n"), id="lines that end by LF alone"),
        pytest.param(head(CLOSE, SIZE)[:-2], id="no end"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_these_go_the_long_way(lines: bytes) -> None:
    assert plain(lines) is None


NAMES = st.sampled_from(
    ["Content-Length", "content-length", "Connection", "Transfer-Encoding", "Expect", "Host", "X"]
)
VALUES = st.one_of(
    st.sampled_from(["close", "Close", "keep-alive", "12", "012", "chunked", "100-continue", ""]),
    st.text(st.characters(max_codepoint=0x7F), max_size=6),
)
SPACE = st.sampled_from(["", " ", "\t", "  "])
LINES = st.lists(
    st.builds("".join, st.tuples(NAMES, SPACE, st.just(":"), SPACE, VALUES, SPACE)), max_size=5
)
REQUESTS = st.sampled_from(["POST / HTTP/1.1", "POST HTTP/1.1", "POST /events HTTP/1.1", "PUT / "])


@given(REQUESTS, LINES)
@example("POST / HTTP/1.1", ["Content-Length: 012", "Connection:\tclose "])
def test_tornado_would_have_read_the_same(request_line: str, lines: list[str]) -> None:
    data = head(*lines, request=request_line)
    found = plain(data)
    if found is None:
        return
    text = data.decode("latin1").replace("POST HTTP/1.1", "POST / HTTP/1.1", 1)
    first, _, rest = text.partition("\r\n")
    line, headers = parse_request_start_line(first), HTTPHeaders.parse(rest[:-2])
    assert line.method == "POST"
    assert line.path.partition("?")[0] in PATHS
    assert int(headers["Content-Length"]) == found[1]
    assert headers["Connection"].lower() == "close"
    assert not {"Transfer-Encoding", "Expect", "Upgrade"} & set(headers)


def test_a_long_head_takes_one_pass() -> None:
    hostile = b"POST / HTTP/1.1\r\n" + b"A:" + b" " * 16_000 + b"\x00\r\n\r\n"
    many = b"POST / HTTP/1.1\r\n" + b"A:\r\n" * 4_000 + b"\x00\r\n\r\n"
    assert plain(hostile) is None
    assert plain(many) is None
