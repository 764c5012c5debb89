"""Random streams of reports, commits, times, outcomes and restarts: every run comes to its end.

What an event makes of a run is the engine's business, and has a test of its own; here is that
nothing of it is lost between the loop's turns: a commit may come late, or fail, at any point.
"""

import asyncio
import itertools
import tempfile
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, example, given, settings

from pbxrules import runs
from pbxrules.model import Delivery, Done, Event, GiveUp, Outcome, Run, TryAgain
from tests.daemon import HandClock, MemoryStore
from tests.drawn import RuleSets, seen_of
from tests.houses import Hands, House, house
from tests.processes import PATIENCE_S
from tests.streams import (
    MORE_REPORTS,
    REPORTS,
    SPANS_S,
    STATUSES,
    Happening,
    reported,
    rule_sets,
    streams,
    text_of,
)

OUTCOMES: Mapping[str, Outcome] = {
    "done": Done(result={"exit_code": 0}),
    "again": TryAgain(reason="no answer"),
    "at once": TryAgain(reason="the connection went", at_once=True),
    "failed": GiveUp(reason="refused"),
}
HAPPENINGS: list[Happening] = [
    *(("report", told) for told in (*REPORTS, *MORE_REPORTS, *STATUSES)),
    *(("commit", what) for what in ("written", "written", "written", "not written") * 40),
    *(("turn", None),) * 160,
    *(("outcome", told) for told in [*product(range(6), OUTCOMES)] * 7),
    *(("wait", span_s) for span_s in SPANS_S[:80]),
    *(("targets", what) for what in ("there", "away") * 40),
    *(("restart", None),) * 80,
]
QUEUE: RuleSets = [
    [{"id": "r", "mode": "queued", "triggers": {"event": "ring"}, "actions": [{"log": "a"}]}]
]
RING: Happening = ("report", {"event": "ring", "extension": "101", "call": ""})
LOST_BEHIND_ANOTHER: list[Happening] = [
    RING,
    ("commit", "written"),
    ("turn", None),
    RING,  # its run waits in the lane, and begins as the first one ends
    ("outcome", (0, "failed")),
    ("commit", "not written"),  # so the second ring never was
    ("commit", "written"),
]
CALL_IDS = {"c1": "1795000000.1", "c2": "1795000500.7", "c3": "1795000900.9", "c4": "1795001300.2"}
LONG_S = 600.0


class Lives:
    """A house that is ended and begun anew, on one disk."""

    def __init__(self, folder: Path, written: list[dict[str, Any]]) -> None:
        self.folder = folder
        self.rules = text_of(written)
        self.disk = MemoryStore()
        self.clock = HandClock()
        self.hands = Hands(self._perform, concurrency=3, per_rule=2)
        self.wrong: list[object] = []
        """What is not as it must be; a failure in a callback would be nobody's."""
        self._modes = {rule["id"]: rule["mode"] for rule in written}
        self._last = {rule["id"]: rule.get("finally") for rule in written}
        self._numbers = itertools.count(1)
        self._begun: set[int] = set()
        self._under_way: dict[asyncio.Future[Outcome], Delivery] = {}

    async def _perform(self, delivery: Delivery) -> Outcome:
        outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._under_way[outcome] = delivery
        self._look_at_the_disk(delivery)
        self._look_at_lanes()
        try:
            return await outcome
        finally:
            del self._under_way[outcome]

    def _look_at_the_disk(self, delivery: Delivery) -> None:
        """What is begun is what is owed there."""
        if int(delivery.id.split("-")[1]) not in self.disk.runs:
            self.wrong.append(delivery)
        run = self._run_of(delivery)
        self._begun.add(run.parent or run.id)
        if delivery.id != f"memory-{run.id}-{runs._place(run)}":
            self.wrong.append((delivery, run))

    def _look_at_lanes(self) -> None:
        """In a lane of ``single`` and ``queued`` one run is on at a time."""
        on: dict[tuple[str, str], set[int]] = {}
        for delivery in self._under_way.values():
            run = self._run_of(delivery)
            if self._modes[run.rule] in ("single", "queued"):
                on.setdefault((run.rule, run.lane), set()).add(run.parent or run.id)
        self.wrong += [ids for ids in on.values() if len(ids) > 1]

    def _run_of(self, delivery: Delivery) -> Run:
        return self.disk.runs[int(delivery.id.split("-")[1])]

    # --- a life ------------------------------------------------------------------------------

    async def live(self, happenings: list[Happening], *, last: bool) -> None:
        """Begin, let these happen, and be cut off; the last one comes to its end."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: self.wrong.append(context))
        performers = dict.fromkeys(("log", "mqtt", "shell", "http"), self.hands)
        async with house(
            self.folder, self.rules, performers, clock=self.clock, store=self.disk, grace_s=0
        ) as here:
            for kind, told in happenings:
                await getattr(self, f"_{kind}")(here, told)
            if last:
                await self._come_to_an_end(here)
        assert self.wrong == []

    async def _report(self, here: House, told: Mapping[str, Any]) -> None:
        number = next(self._numbers)
        fields, call, _ = reported(told)
        if call:
            fields["call_id"] = CALL_IDS[call]
        here.intake._take(
            Event(fields=fields, payload={}),
            b"{}",
            str(number).encode(),
            None,
            here.clock.now(),
            lambda _: None,
        )

    async def _commit(self, _: House, told: str) -> None:
        self.disk.writable = told == "written"
        self.disk.commit()
        self.disk.writable = True

    async def _turn(self, *_: Any) -> None:
        for _again in range(3):
            await asyncio.sleep(0)

    async def _wait(self, here: House, seconds: float) -> None:
        here.clock.go_on(seconds)
        now = here.clock.now()
        here.dispatcher.ring_due(now)
        for line in here.dispatcher._lines.values():
            here.dispatcher._sweep_line(line, now)

    async def _outcome(self, here: House, told: tuple[int, str]) -> None:
        number, what = told
        open_ = [outcome for outcome in self._under_way if not outcome.done()]
        if open_:
            open_[number % len(open_)].set_result(OUTCOMES[what])
            await self._turn(here)

    async def _targets(self, here: House, told: str) -> None:
        self.hands.is_ready = told == "there"
        for verb in here.dispatcher._lines:
            here.dispatcher.pump(verb)

    # --- the end -----------------------------------------------------------------------------

    async def _come_to_an_end(self, here: House) -> None:
        """All is done and written from here on, and time goes on."""
        # As long as it takes: what was not in memory is read by a thread.
        patience = asyncio.get_running_loop().time() + PATIENCE_S
        while asyncio.get_running_loop().time() < patience:
            await self._targets(here, "there")
            await self._turn()
            for outcome in self._under_way:
                if not outcome.done():
                    outcome.set_result(Done())
            await self._turn()
            self.disk.commit()
            if not here.dispatcher.waiting and not self.disk.waits:
                break
            await self._wait(here, LONG_S if not self._under_way else 0)
        self._look_at_the_end(here)

    def _look_at_the_end(self, here: House) -> None:
        assert [run for run in self.disk.runs.values() if not run.ended] == []
        assert here.dispatcher._hot == 0
        seen = seen_of(here.memory)
        for what in ("runs", "lanes", "queued", "watched", "branches", "of event"):
            assert seen[what] == {}, what
        assert {one.key: one for one in here.memory.all_kept()} == {
            key: kept for key, kept in self.disk.kept.items() if kept.kind != "call"
        }
        self._look_for_finally()

    def _look_for_finally(self) -> None:
        """It was done if an action was begun, and else not."""
        for run in self.disk.runs.values():
            last = self._last[run.rule]
            tried = any(one.position.startswith("finally/") for one in run.tried)
            assert run.begun or run.id not in self._begun
            assert run.begun or not tried
            if run.begun and not run.parent and last and "if" not in last[0]:
                assert tried, run


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@example(QUEUE, LOST_BEHIND_ANOTHER)
@given(rule_sets(), streams(HAPPENINGS))
def test_whatever_happens_every_run_comes_to_its_end(
    written: RuleSets, happenings: list[Happening]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        lives = Lives(Path(folder), [dict(rule) for rule in written[0]])
        spans = split(happenings)
        for number, span in enumerate(spans, 1):
            asyncio.run(lives.live(span, last=number == len(spans)))


def split(happenings: list[Happening]) -> list[list[Happening]]:
    """What happens in each life."""
    lives: list[list[Happening]] = [[]]
    for kind, told in happenings:
        if kind == "restart":
            lives.append([])
        else:
            lives[-1].append((kind, told))
    return lives
