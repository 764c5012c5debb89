"""A store in a test: a loop for it to call back, and changes to put."""

import contextlib
import itertools
import json
import queue
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pbxrules import model
from pbxrules.errors import StoreError, ValueProblem
from pbxrules.model import (
    RUNS_PER_EVENT,
    Changes,
    Event,
    KeptKey,
    Miss,
    Moment,
    Run,
    Tried,
    Verdict,
)
from pbxrules.pbx.openvox import as_sent
from pbxrules.store import (
    Accepted,
    Advanced,
    Change,
    LoadedRun,
    Refused,
    SeenAgain,
    Store,
)
from pbxrules.store.pruning import Keep
from pbxrules.store.sqlite import SqliteStore

NOW = Moment(boot="boot-a", uptime_s=1000.0, wall_s=1_795_000_000.0)
PATIENCE_S = 20.0
MISSED = (
    (Miss("trunk", "t"),),
    (Miss("caller", "ü"),),
    (Miss("time", "night", "Tue 14:05"), Miss("{{ a }} fails"), Miss("{{ b }}", found="false")),
)
SOURCE = {"rule": "r", "expires": "60s", "variables": {}, "actions": [{"log": "{{ caller }} ☎"}]}


class Loop:
    """What the store asks to be called, called when the test says so."""

    def __init__(self) -> None:
        self._calls: queue.SimpleQueue[tuple[Callable[..., object], tuple[Any, ...]]] = (
            queue.SimpleQueue()
        )

    def call(self, function: Callable[..., object], *args: Any) -> None:
        self._calls.put((function, args))

    def turn_until(self, holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not holds():
            function, args = self._calls.get(timeout=max(0.0, deadline - time.monotonic()))
            function(*args)


Told = tuple[str, StoreError | None]


@dataclass(slots=True)
class Kept:
    """An open store, and what it told whom, in the order in which it did."""

    store: Store
    loop: Loop
    folder: Path
    told: list[Told] = field(default_factory=list)

    def put(self, change: Change, name: str = "") -> None:
        self.store.put(change, lambda fate: self.told.append((name, fate)))

    def settle(self) -> list[Told]:
        """Turn the loop until all that was put has had its turn."""
        done: list[StoreError | None] = []
        self.store.barrier(done.append)
        self.loop.turn_until(lambda: bool(done))
        assert done == [None]
        return self.told

    def wait_told(self, name: str) -> StoreError | None:
        self.loop.turn_until(lambda: any(told == name for told, _ in self.told))
        return dict(self.told)[name]

    def write(self, *changes: Change) -> None:
        """Put all and see them durable."""
        before = len(self.told)
        for change in changes:
            self.put(change)
        assert [fate for _, fate in self.settle()[before:]] == [None] * len(changes)

    def loaded(self) -> list[LoadedRun]:
        return self.store.load([run.id for run in self.store.open_runs()])


def body(number: int, size: int = 0) -> bytes:
    filler = f',"filler":"{"x" * size}"' if size else ""
    return f'{{"action":"RING","callid":"{number}"{filler}}}'.encode()


def run(event_id: int, place: int = 1, *, at: Moment = NOW, **changes: Any) -> Run:
    owed = Run(
        id=event_id * RUNS_PER_EVENT + place,
        event_id=event_id,
        rule=f"rule-{place}",
        program="digest",
        trigger="door",
        position="actions/0",
        verb="log",
        due=at,
        expires_s=60.0,
        next_try=at,
        attempt=0,
        tried=(),
    )
    return replace(owed, **changes)


def accepted(
    number: int,
    *runs: Run,
    kept: tuple[model.Kept, ...] = (),
    forgotten: tuple[KeptKey, ...] = (),
    size: int = 0,
    at: Moment = NOW,
    **changes: Any,
) -> Accepted:
    sent = body(number, size)
    fields: Any = {
        "event": "ring", "action": "RING", "received_at": "2026-11-18T12:26:40.000+00:00",
        "caller": "☎ 030\n", "extensions": ("101", "102"), "duration": 7,
    }  # fmt: skip
    made = Accepted(
        id=number,
        event=Event(fields=fields, payload=as_sent(sent)),
        call=f"call-{number}",
        body=sent,
        digest=b"%016d" % number,
        subject=None,
        resend_s=10.0,
        received=at,
        verdicts=(
            *(Verdict(rule=one.rule, matched=True) for one in runs),
            Verdict(rule="other", matched=False, because=MISSED),
        ),
        changes=Changes(runs=runs, kept=kept, forgotten=forgotten),
        programs=(("digest", json.dumps(SOURCE)),) if runs else (),
    )
    return replace(made, **changes)


def advanced(
    *runs: Run, kept: tuple[model.Kept, ...] = (), forgotten: tuple[KeptKey, ...] = ()
) -> Advanced:
    return Advanced(changes=Changes(runs=runs, kept=kept, forgotten=forgotten))


def value(name: str, value: Any, until: Moment | None = None, **key: str) -> model.Kept:
    found_by = {"kind": "state", "rule": "", "name": name} | key
    return model.Kept(**found_by, value=value, until=until)


def refused(number: int, *, at: Moment = NOW) -> Refused:
    return Refused(
        at=at,
        digest=b"%016d" % number,
        body=b"\xff%d" % number,
        status=422,
        title="not as its schema",
        errors=(ValueProblem("/ext", f"no {number}"),),
    )


def ended(owed: Run, at: Moment = NOW) -> Run:
    done = Tried(position="actions/0", verb="log", state="done", reason="ü", attempts=1)
    return replace(owed, position="", due=at, expires_s=None, tried=(done,))


def tried_again(owed: Run, at: Moment) -> Run:
    return replace(owed, attempt=owed.attempt + 1, next_try=at)


def as_dict(kept: Iterable[model.Kept]) -> dict[KeptKey, model.Kept]:
    """What is remembered, each once."""
    listed = list(kept)
    found = {one.key: one for one in listed}
    assert len(found) == len(listed)
    return found


class Books:
    """What a store holds, in plain dicts: each change takes effect as it comes."""

    def __init__(self) -> None:
        self.events: dict[int, tuple[Accepted, Moment]] = {}
        """Each with when it was last seen."""
        self.runs: dict[int, Run] = {}
        self.memory: dict[KeptKey, model.Kept] = {}

    def apply(self, change: Change) -> None:
        match change:
            case Accepted():
                self.events[change.id] = (change, change.received)
                self._apply(change.changes)
            case Advanced():
                self._apply(change.changes)
            case SeenAgain():
                self.events[change.event_id] = (self.events[change.event_id][0], change.at)

    def _apply(self, changes: Changes) -> None:
        for run in changes.runs:
            self.runs[run.id] = run
        for key in changes.forgotten:
            self.memory.pop(key, None)
        for kept in changes.kept:
            self.memory[kept.key] = kept

    def owed(self) -> list[Run]:
        return sorted((run for run in self.runs.values() if not run.ended), key=lambda r: r.id)


def busy_daemon() -> Iterator[Change]:
    """Changes without end, each of which changes what is on disk."""
    for number in itertools.count(1):
        acting, waiting = run(number, 1), run(number, 2, verb="for", lane=f'["{number}"]')
        moved = [replace(run(number - 1, 2), begun=True, mark=number)] if number > 1 else []
        yield accepted(
            number,
            acting,
            waiting,
            *moved,
            kept=(value("x", number), value(str(number), [number], NOW.after(60), kind="count")),
            forgotten=(("count", "", str(number - 3)),),
        )
        yield advanced(ended(acting))
        yield advanced(*(ended(one) for one in moved), kept=(value("y", {"n": number}),))


@contextlib.contextmanager
def store_in(folder: Path) -> Iterator[Kept]:
    """The SQLite store of *folder*, open."""
    loop = Loop()
    store = SqliteStore(folder, keep=Keep(), call=loop.call)
    try:
        yield Kept(store, loop, folder)
    finally:
        store.close()
