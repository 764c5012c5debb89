"""Simulated traffic: the reports of many calls at once, and of which call each truly is.

``arrivals`` numbers legs as the PBX does, ``courses`` has how each call goes; here is who calls
whom when all lines are taken.
"""

import heapq
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pbxrules.pbx.arrivals import SERIAL, Arrivals, Sent
from pbxrules.pbx.course import Course, Habits, Parties
from pbxrules.pbx.courses import KINDS
from pbxrules.pbx.people import TRUNKS, People, outside_number

if TYPE_CHECKING:
    from random import Random

__all__ = ["KINDS", "Habits", "Sent", "traffic"]

_FIRST_EXTENSION = 1001
_START_S = 1_589_947_952


def traffic(
    random: "Random",
    *,
    calls: int,
    at_once: int = 200,
    pbx: str = SERIAL,
    habits: Habits | None = None,
) -> list[Sent]:
    """The reports of so many *calls* of one PBX, in the order in which they arrive.

    There are *at_once* lines, on each of which a call begins some seconds after the last one.

    The same *random* in the same state gives the same.
    """
    office = _Office(random, at_once, habits or Habits())
    return list(Arrivals(office.calls(calls), random, start_s=_START_S, pbx=pbx))


class _Office:
    """Who calls whom, and when."""

    def __init__(self, random: "Random", at_once: int, habits: Habits) -> None:
        self._random = random
        self._habits = habits
        self._lines = [(random.uniform(0, 30), line) for line in range(at_once)]
        heapq.heapify(self._lines)
        # Not all of them talk, or there would be nobody to call.
        names = [str(_FIRST_EXTENSION + n) for n in range(3 * at_once + 10)]
        self._people = People(names, random, habits)

    def calls(self, number: int) -> Iterator[tuple[str, Course]]:
        last: dict[int, tuple[str, Parties]] = {}
        for _ in range(number):
            start_s, line = heapq.heappop(self._lines)
            kind, who = self._again(last.get(line), start_s) or self._new(start_s)
            call = Course(random=self._random, habits=self._habits, who=who, now_s=start_s)
            KINDS[kind].write(call)
            self._people.join(start_s, call.ends_s)
            last[line] = kind, who
            heapq.heappush(self._lines, (call.now_s + self._random.uniform(1, 4), line))
            yield kind, call

    def _again(
        self, last: tuple[str, Parties] | None, start_s: float
    ) -> tuple[str, Parties] | None:
        redialled = self._random.random() < self._habits.redialled
        if redialled and last and all(self._people.takes(n, start_s) for n in last[1].inside):
            return last
        return None

    def _new(self, start_s: float) -> tuple[str, Parties]:
        kind = self._random.choices(list(KINDS), [kind.share for kind in KINDS.values()])[0]
        inside: list[str] = []
        while len(inside) < KINDS[kind].inside:
            name = self._random.choice(self._people.names)
            if name not in inside and self._people.takes(name, start_s):
                inside.append(name)
        return kind, Parties(
            inside=tuple(inside),
            outside=outside_number(self._random),
            trunk=self._random.choice(TRUNKS),
        )
