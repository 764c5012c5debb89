"""How long reports wait while the daemon reads 10,000 rules anew."""

import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from signal import SIGHUP

from bench import calls, daemon, house
from bench.broker import mosquitto
from bench.daemon import Daemon
from bench.errors import BenchError
from bench.loading import RULES
from bench.processes import HOST, free_port, tail

GAP_S = 0.005
CALM_S = 0.5
"""Reports before each reload, for comparison, and after it."""
TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reload:
    """One reload, and what the reports waited that came one after the other meanwhile."""

    seconds: float
    """From SIGHUP to its line in the log."""
    calm: list[float]
    """Seconds from POST to answer, of reports before it."""
    waits: list[float]
    """The same, of those from SIGHUP on until a while after it."""
    rss_mb: float
    """Resident memory afterwards."""


def measure(folder: Path, program: list[str], *, times: int) -> list[Reload]:
    """Return *times* reloads of one daemon.

    Raises:
        BenchError: A report was not answered 200, or a reload did not end.
    """
    home = folder / "reloading"
    house.write(home / "rules", RULES)
    port = free_port()
    with (
        mosquitto(home) as broker,
        daemon.serving(
            program,
            port=port,
            broker=broker,
            rules=home / "rules",
            state=home / "state",
            log=home / "log",
        ) as served,
    ):
        reports = _reports(port, home / "log")
        return [_reload(served, reports, home / "log") for _ in range(times)]


def _reload(served: Daemon, reports: Iterator[float], log: Path) -> Reload:
    calm = list(_during(reports, CALM_S))
    reloaded = log.read_bytes().count(b"reloaded")
    started = time.perf_counter()
    served.process.send_signal(SIGHUP)
    waits = []
    while log.read_bytes().count(b"reloaded") == reloaded:
        waits.append(next(reports))
        if time.perf_counter() - started > TIMEOUT_S:
            message = f"not reloaded within {TIMEOUT_S:.0f} s\n{tail(log)}"
            raise BenchError(message)
    seconds = time.perf_counter() - started
    waits += _during(reports, CALM_S)
    rss_mb = daemon.resident_mb(served.process.pid)
    return Reload(seconds=seconds, calm=calm, waits=waits, rss_mb=rss_mb)


def _during(reports: Iterator[float], seconds: float) -> Iterator[float]:
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        yield next(reports)


def _reports(port: int, log: Path) -> Iterator[float]:
    """Post a report each time one is asked for; give the seconds until its answer."""
    for number in range(10**9):
        time.sleep(GAP_S)
        request = calls.report(number, port=port, path="/")
        started = time.perf_counter()
        with socket.socket() as connection:
            connection.settimeout(10)
            connection.connect((HOST, port))
            connection.sendall(request)
            answer = b"".join(iter(lambda: connection.recv(4096), b""))
        yield time.perf_counter() - started
        if not answer.startswith(b"HTTP/1.1 200 "):
            message = f"pbxrules answered {answer[:200]!r}\n{tail(log)}"
            raise BenchError(message)
