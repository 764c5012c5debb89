"""Reports a second, counted until the last message was delivered.

A server that only answers fast gains nothing: the clock runs from wrk's start to
the arrival of the last message, and each report that was answered 200 must have
one.  wrk tells how many it sent, so the ids are known; at its end up to 16
requests are cut off in the middle, and only these may be missing.
"""

import json
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import calls
from bench.contestants import BLOCK, Contestant
from bench.errors import BenchError
from bench.processes import HOST, stop, tail, tool
from bench.subscriber import NAP_S, Message, Subscriber

CONNECTIONS = 16
# What wrk cuts off at its end is among the newest; a connection that waited while
# the others had three answers each is still excused.
YOUNGEST = 4 * CONNECTIONS
QUIET_S = 0.3
STALLED_S = 15.0
SCRIPT = Path(__file__).with_name("report.lua")


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What wrk says of one run; *answered* includes *refused*, the answers above 399."""

    first: int
    next: int
    answered: int
    refused: int
    connect: int
    broken: int
    timeout: int
    duration_us: int

    @property
    def accepted(self) -> int:
        """How many reports were answered 200."""
        return self.answered - self.refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Throughput:
    """One run: rates in reports/s, counts of reports."""

    contestant: str
    delivered_per_s: float
    answered_per_s: float
    accepted: int
    refused: int
    delivered: int
    twice: int
    lost: int
    errors: int
    connections: int
    drain_s: float

    @property
    def complaints(self) -> list[str]:
        """What makes this figure one not to be trusted, in words."""
        texts = {
            f"{self.lost} of {self.accepted} accepted reports never arrived": self.lost > 0,
            f"{self.refused} reports were refused": self.refused > 0,
            f"{self.errors} connections broke or timed out": self.errors > 0,
            f"wrk did not reconnect: {self.connections} connections for {self.accepted} reports": (
                self.connections < self.accepted
            ),
        }
        return [text for text, wrong in texts.items() if wrong]


def measure(who: Contestant, *, seconds: float) -> Throughput:
    """Load *who* for *seconds*, wait for its last message, and count."""
    who.subscriber.take()
    before = passive_opens()
    started = time.perf_counter()
    load = wrk(who, seconds=seconds)
    stopped = time.perf_counter()
    messages = drain(who.subscriber, load)
    arrived: dict[str, float] = {}
    for message in messages:
        arrived.setdefault(message.payload, message.at)
    last = max(arrived.values(), default=stopped)
    return Throughput(
        contestant=who.name,
        delivered_per_s=load.accepted / (max(last, stopped) - started),
        answered_per_s=load.accepted / (load.duration_us / 1e6),
        accepted=load.accepted,
        refused=load.refused,
        delivered=len(arrived),
        twice=len(messages) - len(arrived),
        lost=lost(list(arrived), load),
        errors=load.connect + load.broken + load.timeout,
        connections=passive_opens() - before,
        drain_s=max(0.0, last - stopped),
    )


def lost(delivered: Sequence[str], load: Load) -> int:
    """Return how many accepted reports have no message.

    The first id is not sent: wrk makes it only to see whether the script works.
    """
    numbers = range(load.first + 1, load.next)
    missing = calls.missing(delivered, numbers)
    old = [number for number in missing if number < load.next - YOUNGEST]
    unanswered = len(numbers) - load.accepted
    return max(0, len(old) - load.refused - load.broken, len(missing) - unanswered)


def wrk(who: Contestant, *, seconds: float) -> Load:
    """Run wrk against *who* while its messages are gathered."""
    first = who.fresh_numbers()
    steps = (calls.FIRST_EPOCH, calls.EPOCH_STEP, calls.FIRST_COUNTER, calls.COUNTER_STEP)
    argv = [tool("wrk"), "-t1", f"-c{CONNECTIONS}", f"-d{seconds:.0f}s", "--timeout", "20s"]
    argv += ["-s", str(SCRIPT), f"http://{HOST}:{who.port}{who.path}", "--", str(first)]
    argv += [calls.head(port=who.port, path=who.path), calls.BODY, *map(str, steps)]
    process = subprocess.Popen(  # noqa: S603 - our own command line, no shell
        argv, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        while process.poll() is None:
            who.subscriber.gather(0.01)
            time.sleep(NAP_S)
        output, _ = process.communicate()
    finally:
        stop(process)  # type: ignore[arg-type]  # of text, where the others are of bytes
    line = output.strip().rpartition("\n")[2]
    if not line.startswith("{"):
        msg = f"wrk gave no figures (exit {process.returncode})\n{output}\n{tail(who.log)}"
        raise BenchError(msg)
    load = Load(first=first, **json.loads(line))
    if load.next - first > BLOCK or not load.accepted:
        msg = f"{who.name} took nothing, or wrk ran out of ids: {load}\n{tail(who.log)}"
        raise BenchError(msg)
    return load


def drain(subscriber: Subscriber, load: Load) -> list[Message]:
    """Wait until every accepted report's message came, or nothing came for 15 s."""
    messages: list[Message] = []
    seen: set[str] = set()
    quiet_since = time.perf_counter()
    while time.perf_counter() - quiet_since < STALLED_S:
        while subscriber.gather(QUIET_S):
            quiet_since = time.perf_counter()
            time.sleep(NAP_S)
        fresh = subscriber.take()
        messages += fresh
        seen.update(message.payload for message in fresh)
        if len(seen) >= load.accepted:
            break
    return messages


def passive_opens() -> int:
    """Return how many TCP connections this machine accepted so far.

    RFC 4022's tcpPassiveOpens; the proof that wrk makes a new connection for each
    report, independent of what wrk and the server say.
    """
    lines = Path("/proc/net/snmp").read_text(encoding="ascii").splitlines()
    names, values = (line.split() for line in lines if line.startswith("Tcp:"))
    return int(values[names.index("PassiveOpens")])
