"""What rules that remember cost: to decide, and while ten thousand of their runs wait.

Decisions are timed in this process, on a clock of its own; the runs that wait are those of
a daemon, whose messages tell how late it woke them.
"""

import gc
import random
import socket
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from string import Template

from bench import calls, daemon
from bench.broker import mosquitto
from bench.calls import EXTENSION, TRUNK
from bench.errors import BenchError
from bench.processes import HOST, free_port
from bench.subscriber import TOPIC, Subscriber
from pbxrules import engine, loading, runs
from pbxrules.memory import TIMED, Memory, Moves, Whole
from pbxrules.model import Done, Event, FieldValue, Moment
from pbxrules.rules import RuleSet

ROUNDS = 7
RINGS = 500
STATEFUL = 100
MET = 3
"""So many rules that remember fit each ring: one of each of the first ``KINDS``."""
PLAIN, MIXED, ONE = "1,000 rules", "of which 100 remember", "a ring that fits one of them"
"""Rings that fit none of those that remember, ``MET`` of them, and one of any kind."""

WAITING = 10_000
SAMPLES = 200
GAP_S = 0.01
WAIT_S = 4
AT_ONCE = 50
SETTLE_S = 2.0
FAR, NEAR = ("701", "702"), ("703", "704")
"""Extensions whose rules wait: an hour, and ``WAIT_S``; by ``delay``, and by ``for``."""

HEAD = """\
groups:
  family: ["+4930123456", "0171234567"]
times:
  night: {after: 22:30, before: 07:00}
state:
  missed: 0
  house: lived-in
rules:
"""
FITS = "{event: ring, extension: $extension, trunk: $trunk}"
DOES = '[{mqtt: {topic: house/$name, payload: "{{ call_id }}"}}]'
KINDS = (
    f"""
    triggers: {{event: ring, extension: $extension, direction: inbound, for: 20s}}
    per: call
    actions: {DOES}
""",
    f"""
    triggers: {{event: ring, extension: $extension, count: {{at_least: 3, within: 5m}}}}
    per: caller
    actions: {DOES}
""",
    f"""
    triggers: {FITS}
    once_per: call
    conditions: [{{state: {{house: lived-in}}}}, "{{{{ not call.answered }}}}"]
    cooldown: 2s
    actions: {DOES}
""",
    f"""
    triggers: {FITS}
    cooldown: 5m
    actions: {DOES}
""",
    f"""
    triggers: {FITS}
    mode: restart
    conditions: [{{state: {{house: lived-in}}}}, {{not: {{caller: {{in: family}}}}}}]
    actions: [{{set: {{missed: "{{{{ state.missed + 1 }}}}"}}}}, {{delay: 3m}}]
    finally: [{{log: over}}]
""",
    f"""
    triggers: {FITS}
    mode: single
    actions: [{{log: rings}}, {{wait_for: {{event: [answer, bye]}}, timeout: 10m}}]
""",
    f"""
    triggers: {FITS}
    mode: queued
    per: trunk
    actions: {DOES}
""",
    f"""
    triggers: {FITS}
    conditions: [{{time: night}}, {{state: {{house: empty}}}}]
    actions: {DOES}
""",
    f"""
    triggers: {{event: [bye, cdr], extension: $extension}}
    once_per: call
    expires: never
    conditions: ["{{{{ not call.answered }}}}"]
    actions: {DOES}
""",
    f"""
    triggers: {{event: extension_status, extension: $extension, for: 5m}}
    actions: {DOES}
""",
)
"""Rules that remember, as the language has them."""
WAITS = (
    """
    triggers: {event: ring, extension: $extension}
    actions: [{delay: $span}, {mqtt: {topic: $topic, payload: "{{ call_id }}"}}]
""",
    """
    triggers: {event: ring, extension: $extension, for: $span}
    actions: [{mqtt: {topic: $topic, payload: "{{ call_id }}"}}]
""",
)


@dataclass(slots=True, kw_only=True)
class Lasting:
    """What was measured.  Times in seconds."""

    decide_s: dict[str, list[float]] = field(
        default_factory=lambda: {PLAIN: [], MIXED: [], ONE: []}
    )
    """The median decision of each round."""
    apply_s: dict[str, list[float]] = field(default_factory=lambda: {PLAIN: [], MIXED: [], ONE: []})
    """The median of taking what was decided into memory."""
    waiting_mb: float = 0.0
    """Resident memory that ``WAITING`` runs took, with all that is kept of their reports."""
    late_s: list[float] = field(default_factory=list)
    """From when a run was due to its message at a subscriber.

    It is due ``WAIT_S`` after the daemon took its report; here that counts from when the
    report was sent, so what it took to take it is in the figure.
    """


def measure(program: Sequence[str], folder: Path, say: Callable[[str], None]) -> Lasting:
    """Time decisions in *ROUNDS* turns, then let runs of the daemon *program* wait."""
    measured = Lasting()
    decisions(measured, folder / "deciding")
    for name in (PLAIN, MIXED, ONE):
        decide_us, apply_us = (
            statistics.median(taken[name]) * 1e6 for taken in (measured.decide_s, measured.apply_s)
        )
        say(f"lasting  {name:<29}decide {decide_us:5.1f} µs, apply {apply_us:5.1f} µs")
    if program:
        waits(measured, program, folder / "waiting", say)
    return measured


# --- to decide -------------------------------------------------------------------------------


def decisions(measured: Lasting, folder: Path) -> None:
    """Time the decisions of both rule sets in turns."""
    daemon.write_rules(folder / "plain")
    daemon.write_rules(folder / "mixed", count=daemon.RULES - STATEFUL)
    (folder / "mixed" / "stateful.yaml").write_text(HEAD + stateful(), encoding="utf-8")
    houses = {
        PLAIN: House(folder / "plain", (EXTENSION,)),
        MIXED: House(folder / "mixed", (EXTENSION,)),
        ONE: House(folder / "mixed", [extension_of(n) for n in range(MET, STATEFUL)]),
    }
    gc.collect()
    gc.freeze()  # what the bench holds is not the daemon's to walk
    for _ in range(ROUNDS):
        for name, house in houses.items():
            decide_s, apply_s = zip(*(house.ring() for _ in range(RINGS)), strict=True)
            measured.decide_s[name].append(statistics.median(decide_s))
            measured.apply_s[name].append(statistics.median(apply_s))
    gc.unfreeze()


def stateful() -> str:
    """``STATEFUL`` rules of all ``KINDS`` as YAML, of which ``MET`` fit the rings."""
    texts = []
    for number in range(STATEFUL):
        name, kind = f"lasting-{number}", KINDS[number % len(KINDS)]
        extension = extension_of(number)
        told = Template(kind).substitute(name=name, extension=extension, trunk=TRUNK)
        texts.append(f"  - id: {name}{told}")
    return "".join(texts)


def extension_of(number: int) -> str:
    """That of a rule that remembers: the first ones share one."""
    return EXTENSION if number < MET else str(5000 + number)


class House:
    """A rule set with all that it remembers, and a clock that stands still in between."""

    def __init__(self, folder: Path, rung: Sequence[str]) -> None:
        """Read the rules in *folder*; the calls ring the extensions *rung* in turns."""
        self._rung = rung
        language = loading.language()
        self._ruleset: RuleSet = loading.load(loading.rule_files(folder), language).ruleset
        self._memory = Memory()
        self._chance = random.Random(1)  # noqa: S311 - the same calls each time
        self._rings = 0

    def ring(self) -> tuple[float, float]:
        """The next call, a second later: how long it took to decide, and to remember.

        Whatever is due goes before it, and every action succeeds.
        """
        self._rings += 1
        now = Moment(boot="bench", uptime_s=float(self._rings), wall_s=1.79e9 + self._rings)
        self._wake(now)
        extension = self._rung[self._rings % len(self._rung)]
        event = ring(self._rings, extension, caller=f"0301234{self._chance.randrange(200)}")
        arrival = engine.arrival(self._ruleset, self._memory, event, self._rings, now)
        began_s = time.perf_counter()
        _, moves = engine.decide(self._ruleset, self._memory, arrival, now)
        decided_s = time.perf_counter()
        self._memory.apply(moves)
        applied_s = time.perf_counter()
        self._perform(moves, now)
        return decided_s - began_s, applied_s - decided_s

    def _wake(self, now: Moment) -> None:
        for whole in list(self._memory.runs.values()):
            if whole.run.verb in TIMED and now.reached(whole.run.next_try):
                moves = engine.wake(self._ruleset, self._memory, whole.run.id, now)
                self._memory.apply(moves)
                self._perform(moves, now)

    def _perform(self, moves: Moves, now: Moment) -> None:
        for whole in moves.runs:
            if not whole.run.ended and whole.run.verb not in TIMED:
                tried = Whole(runs.tried_once(whole.run), whole.event, whole.program)
                done = engine.settle(self._memory, tried, Done(), now, jitter=0.5)
                self._memory.apply(done)
                self._perform(done, now)


def ring(number: int, extension: str, *, caller: str) -> Event:
    """An inbound ring of call *number*."""
    fields: dict[str, FieldValue] = {
        "event": "ring", "action": "RING", "received_at": "", "direction": "inbound",
        "caller": caller, "callee": extension, "extension": extension,
        "extensions": (extension,), "trunk": TRUNK, "call_id": calls.call_id(number),
    }  # fmt: skip
    return Event(fields=fields, payload={})


# --- to wait ---------------------------------------------------------------------------------


def waits(
    measured: Lasting, program: Sequence[str], folder: Path, say: Callable[[str], None]
) -> None:
    """Let ``WAITING`` runs wait, and see how late those are woken that are due meanwhile."""
    rules = folder / "rules"
    daemon.write_rules(rules)
    (rules / "waiting.yaml").write_text("rules:\n" + waiting(), encoding="utf-8")
    with (
        mosquitto(folder) as broker,
        Subscriber(broker) as subscriber,
        daemon.serving(
            list(program), port=(port := free_port()), broker=broker, rules=rules,
            state=folder / "state", log=folder / "log",
        ) as served,
    ):  # fmt: skip
        # Of the reports themselves it remembers something, too: not counted are those before.
        send(port, range(WAITING), (EXTENSION,))
        settle(subscriber)
        before_mb = daemon.resident_mb(served.process.pid)
        send(port, range(WAITING, 2 * WAITING), FAR)
        settle(subscriber)
        measured.waiting_mb = daemon.resident_mb(served.process.pid) - before_mb
        say(f"lasting  {WAITING} waiting runs took {measured.waiting_mb:.1f} MB")
        measured.late_s = lateness(port, range(2 * WAITING, 2 * WAITING + SAMPLES), subscriber)
        worst_ms = max(measured.late_s) * 1e3
        say(f"lasting  {SAMPLES} of them woken {worst_ms:.1f} ms late at most")


def waiting() -> str:
    """The rules that wait, as YAML."""
    texts = []
    for extensions, span, topic in ((FAR, "1h", "house/far"), (NEAR, f"{WAIT_S}s", TOPIC)):
        for extension, kind in zip(extensions, WAITS, strict=True):
            told = Template(kind).substitute(extension=extension, span=span, topic=topic)
            texts.append(f"  - id: waits-{extension}{told}")
    return "".join(texts)


def send(port: int, numbers: Iterable[int], extensions: Sequence[str]) -> None:
    """Send rings as fast as they are taken, ``AT_ONCE`` at a time, to *extensions* in turns."""
    numbers = list(numbers)
    for start in range(0, len(numbers), AT_ONCE):
        some = numbers[start : start + AT_ONCE]
        for connection in [begun(port, n, extensions[n % len(extensions)]) for n in some]:
            answered(connection)


def begun(port: int, number: int, extension: str) -> socket.socket:
    """Send the ring of call *number* to *extension*, and do not wait for the answer."""
    request = calls.report(number, port=port, path="/")
    connection = socket.create_connection((HOST, port), timeout=10)
    connection.sendall(request.replace(f'"{EXTENSION}"'.encode(), f'"{extension}"'.encode()))
    return connection


def answered(connection: socket.socket) -> None:
    """Wait until the report on *connection* is on disk.

    Raises:
        BenchError: It was not answered 200.
    """
    with connection:
        answer = b"".join(iter(lambda: connection.recv(4096), b""))
    if not answer.startswith(b"HTTP/1.1 200 "):
        msg = f"pbxrules answered {answer[:200]!r}"
        raise BenchError(msg)


def settle(subscriber: Subscriber) -> None:
    """Let the daemon do what it still has to."""
    while subscriber.gather(SETTLE_S):
        subscriber.take()


def lateness(port: int, numbers: Iterable[int], subscriber: Subscriber) -> list[float]:
    """Start runs that wait ``WAIT_S``, one each ``GAP_S``, and return how late each was woken.

    Raises:
        BenchError: One was not woken.
    """
    due: dict[str, float] = {}
    for number in numbers:
        due[calls.call_id(number)] = time.perf_counter() + WAIT_S
        answered(begun(port, number, NEAR[number % len(NEAR)]))
        time.sleep(GAP_S)
    late: dict[str, float] = {}
    until = time.perf_counter() + 2 * WAIT_S
    while len(late) < len(due) and subscriber.gather(max(0.0, until - time.perf_counter())):
        late |= {m.payload: m.at - due[m.payload] for m in subscriber.take()}
    if len(late) < len(due):
        msg = f"{len(due) - len(late)} of {len(due)} runs were not woken"
        raise BenchError(msg)
    return list(late.values())
