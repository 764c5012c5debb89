"""Reports are sent at their times, again where they were not accepted, and counted rightly."""

import contextlib
import itertools
import math
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbxrules.pbx.arrivals import Sent
from pbxrules.pbx.compose import compose, encode
from pbxrules.simulating import sender as sending
from pbxrules.simulating.book import line, rows
from pbxrules.simulating.exchanges import target
from pbxrules.simulating.sender import TRIES, Sender
from pbxrules.simulating.tally import Latencies, Tally
from tests.sockets import OK, recording
from tests.test_http import CERTIFICATE, KEY

FAST = 10_000.0
"""So fast that the pause before a report is sent again is half a millisecond."""


def reports(count: int, *, apart_s: float = 0.0) -> Iterator[Sent]:
    for number in range(count):
        report = compose("ring", call_id=f"1589.{number}")
        yield Sent(at_s=number * apart_s, report=report, event="ring", call=number, kind="internal")


def answer(status: int, body: bytes = b"{}") -> bytes:
    return b"HTTP/1.1 %d So\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body)


def sender_to(url: str, *, speed: float = math.inf, connections: int = 4, **how: float) -> Sender:
    to = target(url, timeout_s=10)
    return Sender(to, speed=speed, connections=connections, clock=time.perf_counter, **how)


@contextlib.contextmanager
def serving(serve: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server on a thread of its own, which has *serve* do what it likes with a connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    peer, _ = server.accept()
                    with peer, contextlib.suppress(OSError):
                        serve(peer)

        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}"
        finally:
            with contextlib.suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)
            thread.join()


def answering(statuses: Iterator[int]) -> Callable[[socket.socket], None]:
    def serve(peer: socket.socket) -> None:
        if peer.recv(65_536):  # nothing comes of the first look whether somebody listens
            peer.sendall(answer(next(statuses)))

    return serve


def counts(tally: Tally) -> dict[str, int]:
    names = ("reports", "sent", "accepted", "refused", "errors", "again", "given_up", "unfinished")
    return {name: value for name in names if (value := getattr(tally, name))}


def test_each_report_is_sent_once_as_the_pbx_does() -> None:
    with recording() as server:
        sender = sender_to(server.url)
        sender.run(reports(50))
    assert counts(sender.tally) == {"reports": 50, "sent": 50, "accepted": 50}
    assert sender.tally.good
    came = [request for request in server.came if request]
    assert sorted(request.partition(b"\r\n\r\n")[2] for request in came) == sorted(
        encode(one.report) for one in reports(50)
    )
    assert all(request.startswith(b"POST HTTP/1.1\r\n") for request in came)


def test_a_path_is_kept() -> None:
    with recording() as server:
        sender_to(f"{server.url}/events?x=1").run(reports(1))
    assert server.came[-1].startswith(b"POST /events?x=1 HTTP/1.1\r\n")


def test_one_connection_keeps_the_order() -> None:
    with recording() as server:
        sender_to(server.url, connections=1).run(reports(20))
    bodies = [request.partition(b"\r\n\r\n")[2] for request in server.came if request]
    assert bodies == [encode(one.report) for one in reports(20)]


def test_what_is_not_answered_200_is_sent_again_until_it_is() -> None:
    with serving(answering(iter([503, 201, 500, 200]))) as url:
        sender = sender_to(url, speed=FAST)
        sender.run(reports(1))
    assert counts(sender.tally) == {
        "reports": 1, "sent": 4, "accepted": 1, "refused": 3, "again": 3,
    }  # fmt: skip
    assert sender.tally.good
    assert sender.tally.statuses == {503: 1, 201: 1, 500: 1, 200: 1}


def test_how_far_it_is_says_the_last_report_that_was_begun() -> None:
    first, second = reports(2)
    with recording() as server:
        sender = sender_to(server.url, speed=1.0)

        def tick() -> None:
            sender.stopping = sender.tally.accepted == 1

        sender.run([replace(first, at_s=0.25), replace(second, at_s=3600.0)], tick)
    assert sender.at_s == 0.25


def test_after_some_tries_it_is_given_up() -> None:
    with serving(answering(itertools.repeat(422))) as url:
        sender = sender_to(url, speed=FAST)
        sender.run(reports(5))
    assert counts(sender.tally) == {
        "reports": 5, "sent": 5 * TRIES, "refused": 5 * TRIES, "again": 5 * (TRIES - 1),
        "given_up": 5,
    }  # fmt: skip
    assert not sender.tally.good


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        pytest.param(b"", "hung up without an answer", id="nothing"),
        pytest.param(b"SSH-2.0-OpenSSH\r\n", "the answer is not HTTP", id="another protocol"),
        pytest.param(b"hello there\r\n", "the answer is not HTTP", id="no status"),
        pytest.param(b"x" * 2_000_000, "the answer has no end", id="too much"),
    ],
)
def test_what_is_no_answer_is_an_error(given: bytes, reason: str) -> None:
    def serve(peer: socket.socket) -> None:
        peer.recv(65_536)
        peer.sendall(given)

    with serving(serve) as url:
        sender = sender_to(url, speed=FAST)
        sender.run(reports(1))
    assert sender.tally.errors == TRIES
    assert dict(sender.tally.reasons) == {reason: TRIES}
    assert sender.tally.latencies.count == 0


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\n{}", id="without a length"),
        pytest.param(b"HTTP/1.1 200 OK\r\n", id="a head alone"),
        pytest.param(OK + b"and more", id="more than its length"),
    ],
)
def test_what_ends_with_the_connection_is_an_answer(given: bytes) -> None:
    with recording(given) as server:
        sender = sender_to(server.url)
        sender.run(reports(3))
    assert counts(sender.tally) == {"reports": 3, "sent": 3, "accepted": 3}


def test_nobody_is_waited_for_longer_than_the_timeout() -> None:
    ended = threading.Event()

    def serve(_: socket.socket) -> None:
        ended.wait(30)

    with serving(serve) as url:
        sender = sender_to(url, speed=FAST, timeout_s=0.02)
        sender.run(reports(2))
        ended.set()
    assert dict(sender.tally.reasons) == {"no answer within 0.02 s": 2 * TRIES}
    assert counts(sender.tally)["given_up"] == 2


def test_an_answer_counts_when_it_is_there_and_not_when_the_receiver_hangs_up() -> None:
    """One that never does is left after the timeout, and nothing is wrong."""
    ended = threading.Event()

    def serve(peer: socket.socket) -> None:
        if peer.recv(65_536):
            peer.sendall(OK)
            ended.wait(30)

    with serving(serve) as url:
        sender = sender_to(url, timeout_s=0.5)
        sender.run(reports(1))
        ended.set()
    assert counts(sender.tally) == {"reports": 1, "sent": 1, "accepted": 1}
    assert sender.tally.latencies.longest_s < 0.5


def test_where_nobody_listens_any_more_each_try_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        sender = sender_to(f"http://127.0.0.1:{server.getsockname()[1]}", speed=FAST)
    sender.run(reports(3))
    assert dict(sender.tally.reasons) == {"Connection refused": 3 * TRIES}


def test_told_to_stop_it_begins_nothing_more_and_waits_for_what_is_under_way() -> None:
    with recording() as server:
        sender = sender_to(server.url, connections=2)

        def tick() -> None:
            sender.stopping = sender.tally.accepted >= 10

        sender.run(reports(10_000), tick)
    assert 10 <= sender.tally.sent < 200
    assert sender.tally.accepted == sender.tally.sent
    assert sender.tally.unfinished == 0


def test_what_waits_to_be_sent_again_when_it_is_stopped_is_unfinished() -> None:
    with serving(answering(itertools.repeat(503))) as url:
        sender = sender_to(url, speed=0.01)

        def tick() -> None:
            sender.stopping = sender.tally.refused == 3

        sender.run(reports(3), tick)
    assert counts(sender.tally) == {"reports": 3, "sent": 3, "refused": 3, "unfinished": 3}


def test_interrupted_it_counts_what_was_under_way_and_holds_no_socket() -> None:
    ended = threading.Event()

    def serve(_: socket.socket) -> None:
        ended.wait(30)

    def tick() -> None:
        raise KeyboardInterrupt

    with serving(serve) as url:
        sender = sender_to(url, connections=3)
        with pytest.raises(KeyboardInterrupt):
            sender.run(reports(10), tick)
        ended.set()
    assert counts(sender.tally) == {"reports": 3, "sent": 3, "unfinished": 3}


def test_more_than_may_wait_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "MOST_WAITING", 4)
    with serving(answering(itertools.repeat(503))) as url:
        sender = sender_to(url, speed=FAST)
        sender.run(reports(60))
    assert sender.tally.given_up == 60
    assert sender.tally.sent < 60 * TRIES


@pytest.mark.parametrize("speed", [1.0, 10.0])
def test_a_report_is_sent_at_its_time(speed: float) -> None:
    with recording() as server:
        sender = sender_to(server.url, speed=speed)
        sender.run(reports(5, apart_s=0.05 * speed))
    assert 0.2 <= sender.tally.took_s < 2
    assert sender.at_s == pytest.approx(0.2 * speed)


def test_when_all_connections_are_taken_it_says_how_far_behind_it_is() -> None:
    ended = threading.Event()

    def serve(peer: socket.socket) -> None:
        if peer.recv(65_536):
            ended.wait(0.2)
            peer.sendall(OK)

    with serving(serve) as url:
        sender = sender_to(url, speed=1.0, connections=1)
        sender.run(reports(2))
    assert sender.tally.behind_s >= 0.15
    told = {word: value for word, value, _ in rows(sender.tally, 2, simulated_s=1)}
    assert told["behind"].endswith("all connections were taken (give more --connections)")


# --- TLS ------------------------------------------------------------------------------------


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    path = tmp_path / "certificate.pem"
    path.write_text(CERTIFICATE + KEY)
    return path


@pytest.mark.parametrize("trusted", [True, False], ids=["trusted", "not trusted"])
def test_a_certificate_is_looked_at(
    certificate: Path, monkeypatch: pytest.MonkeyPatch, trusted: bool
) -> None:
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    came: list[bytes] = []

    def serve(peer: socket.socket) -> None:
        with context.wrap_socket(peer, server_side=True) as safe:
            came.append(safe.recv(65_536))
            safe.sendall(OK)

    with serving(serve) as url:
        sender = sender_to(url.replace("http:", "https:"), speed=FAST)
        sender.run(reports(2))
    assert sender.tally.accepted == (2 if trusted else 0)
    assert len(came) == (2 if trusted else 0)
    assert all("certificate" in reason.lower() for reason in sender.tally.reasons)


@pytest.mark.parametrize("url", ["mqtt://h", "h:8080", "http://", "", "http://h:x", "http://h/ü"])
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        target(url, timeout_s=1)


# --- The figures ------------------------------------------------------------------------------


@given(st.lists(st.floats(1e-6, 900), min_size=1, max_size=200), st.sampled_from([50, 90, 99, 100]))
def test_a_percentile_is_that_of_the_sorted_list_to_a_hundredth(
    seconds: Sequence[float], percent: int
) -> None:
    latencies = Latencies()
    for one in seconds:
        latencies.add(one)
    true = sorted(seconds)[max(1, math.ceil(len(seconds) * percent / 100)) - 1]
    assert true * 0.9999 <= latencies.percentile(percent) <= true * 1.0101
    assert latencies.longest_s == max(seconds)


@pytest.mark.parametrize("seconds", [0.0, 1e-9, 1e6], ids=["none", "next to none", "days"])
def test_what_no_clock_measures_is_counted_all_the_same(seconds: float) -> None:
    latencies = Latencies()
    latencies.add(seconds)
    assert latencies.count == 1
    assert latencies.percentile(50) <= seconds


def test_without_an_answer_there_is_no_latency() -> None:
    assert Latencies().percentile(99) == 0.0
    assert Tally().as_json()["rate_per_s"] == 0.0
    assert "latency" not in {word for word, _, _ in rows(Tally(), 0, simulated_s=0)}


def test_reasons_are_as_many_as_fit_a_screen() -> None:
    tally = Tally()
    for number in range(1000):
        tally.failed(f"reason {number}")
    assert len(tally.reasons) == 21
    assert tally.reasons["others"] == 980


def test_the_live_line_tells_of_refusals_only_where_there_are_some() -> None:
    tally = Tally(sent=1_234, accepted=1_230)
    assert line(tally) == "sent 1,234  accepted 1,230  0.0/s  p99 0.0 ms"
    tally.answered(503, 0.25)
    tally.failed("Connection refused")
    assert line(tally) == "sent 1,234  accepted 1,230  refused 1  errors 1  0.0/s  p99 250 ms"
