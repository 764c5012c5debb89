"""Simulated traffic: the reports of many calls at once, and of which call each truly is.

Legs are numbered ``epoch.counter`` through all calls, as the PBX does it; ``courses`` has how
each call goes.
"""

import heapq
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pbxrules.pbx.compose import compose
from pbxrules.pbx.courses import KINDS, Course, Habits, Leg, Line, Parties

if TYPE_CHECKING:
    from random import Random

__all__ = ["KINDS", "Habits", "Sent", "traffic"]

TRUNKS = ("to-18-16-2", "sip-berlin")
_FIRST_EXTENSION = 1001
_START_S = 1_589_947_952
_DIAL_S = 2.0
"""Nobody begins two calls within so many seconds: a number has to be dialled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One report as it arrives."""

    at_s: float
    """From the start."""
    report: Mapping[str, Any]
    event: str
    call: int
    """The call that it truly is of."""
    kind: str
    """One of ``KINDS``."""
    again: bool = False
    """It was sent before."""


def traffic(
    random: "Random",
    *,
    calls: int,
    at_once: int = 200,
    pbx: str = "a09805021987",
    habits: Habits | None = None,
) -> list[Sent]:
    """The reports of so many *calls* of one PBX, in the order in which they arrive.

    There are *at_once* lines, on each of which a call begins some seconds after the last one.

    The same *random* in the same state gives the same.
    """
    office = _Office(random, at_once, habits or Habits())
    written = list(office.calls(calls))
    _number([leg for _, call in written for leg in call.legs], random)
    sent: list[Sent] = []
    for number, (kind, call) in enumerate(written):
        for line in call.lines:
            sent += _arrivals(line, number, kind, pbx, call)
    return sorted(sent, key=lambda one: one.at_s)


class _Office:
    """Who calls whom, and when."""

    def __init__(self, random: "Random", at_once: int, habits: Habits) -> None:
        self._random = random
        self._habits = habits
        self._lines = [(random.uniform(0, 30), line) for line in range(at_once)]
        heapq.heapify(self._lines)
        # Not all of them talk, or there would be nobody to call.
        self._names = [str(_FIRST_EXTENSION + n) for n in range(3 * at_once + 10)]
        self._free_s = dict.fromkeys(self._names, 0.0)
        self._begun_s = dict.fromkeys(self._names, -_DIAL_S)

    def calls(self, number: int) -> Iterator[tuple[str, Course]]:
        last: dict[int, tuple[str, Parties]] = {}
        for _ in range(number):
            start_s, line = heapq.heappop(self._lines)
            kind, who = self._again(last.get(line), start_s) or self._new(start_s)
            call = Course(random=self._random, habits=self._habits, who=who, now_s=start_s)
            KINDS[kind].write(call)
            for name in who.inside:
                self._free_s[name] = call.now_s
                self._begun_s[name] = start_s
            last[line] = kind, who
            heapq.heappush(self._lines, (call.now_s + self._random.uniform(1, 4), line))
            yield kind, call

    def _again(
        self, last: tuple[str, Parties] | None, start_s: float
    ) -> tuple[str, Parties] | None:
        redialled = self._random.random() < self._habits.redialled
        if redialled and last and all(self._takes(name, start_s) for name in last[1].inside):
            return last
        return None

    def _new(self, start_s: float) -> tuple[str, Parties]:
        kind = self._random.choices(list(KINDS), [kind.share for kind in KINDS.values()])[0]
        inside: list[str] = []
        while len(inside) < KINDS[kind].inside:
            name = self._random.choice(self._names)
            if name not in inside and self._takes(name, start_s):
                inside.append(name)
        return kind, Parties(
            inside=tuple(inside),
            outside=f"030{self._random.randrange(10**6):06}",
            trunk=self._random.choice(TRUNKS),
        )

    def _takes(self, name: str, start_s: float) -> bool:
        """Whether that extension is in a call that begins now."""
        if start_s < self._begun_s[name] + _DIAL_S:
            return False
        return self._free_s[name] <= start_s or self._random.random() < self._habits.second_line


def _number(legs: list[Leg], random: "Random") -> None:
    """Give every leg its id: the counter goes up by one or two, through all calls."""
    counter = random.randrange(1_000, 100_000)
    legs.sort(key=lambda leg: leg.made_s)
    for leg in legs:
        counter += random.randint(1, 2)
        leg.id = f"{int(_START_S + leg.made_s)}.{counter}"


def _arrivals(line: Line, number: int, kind: str, pbx: str, call: Course) -> Iterator[Sent]:
    random, habits = call.random, call.habits
    told = dict(line.fields)
    if line.trunk_leg is not None:
        told["trunk_call_id"] = line.trunk_leg.id
    report = compose(
        line.event,
        call_id=line.leg.id,
        pbx=None if call.chance(habits.without_sn) else pbx,
        **told,
    )
    at_s = line.at_s + random.uniform(0.0, 0.05)
    if call.chance(habits.late):
        at_s += random.uniform(0.0, habits.late_s)
    yield Sent(at_s=at_s, report=report, event=line.event, call=number, kind=kind)
    if call.chance(habits.again):
        at_s += random.uniform(10.0, 60.0)
        yield Sent(at_s=at_s, report=report, event=line.event, call=number, kind=kind, again=True)
