"""The reports of calls as they arrive, made as they are wanted: ids, delays, statuses.

A call is written down whole when it begins, up to minutes ahead of its last report, and legs
are numbered through all calls in the order in which they are made.  So before anything of a
moment is told, every call that begins by then is taken, and every leg made by then has its id.
Only the calls under way are held.
"""

import heapq
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING, Any

from pbxrules.pbx.compose import compose
from pbxrules.pbx.course import BUSY, IDLE, RINGING, Course, Leg, Line

if TYPE_CHECKING:
    from random import Random

STATUS = "extension_status"
SERIAL = "a09805021987"
"""The PBX of the manufacturer's examples."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """A line of a call."""

    line: Line
    call: int
    kind: str
    course: Course


class Arrivals:
    """Iterates over the reports of *calls*, in the order in which they arrive."""

    def __init__(
        self,
        calls: Iterable[tuple[str, Course]],
        random: "Random",
        *,
        start_s: float,
        pbx: str = SERIAL,
        zone: tzinfo = UTC,
    ) -> None:
        """Take nothing of *calls* yet.

        Args:
            calls: With their kinds, in the order in which they begin.
            random: For the ids, and what becomes of reports on their way.
            start_s: What the times of *calls* count from, in seconds since 1970 UTC.
            pbx: The PBX's serial.
            zone: Its local time, of which a cdr tells.
        """
        self._random = random
        self._start_s = start_s
        self._pbx = pbx
        self._zone = zone
        self._counter = random.randrange(1_000, 100_000)
        self._calls = iter(calls)
        self._next = next(self._calls, None)
        self.calls = 0
        """So many have begun."""
        self.reports = 0
        """So many have arrived."""
        self._placed = 0
        self._waiting: list[tuple[float, int, _Told | Sent]] = []
        self._legs: list[tuple[float, int, Leg]] = []
        self._statuses = _Statuses()

    def __iter__(self) -> Iterator[Sent]:
        while True:
            while self._next is not None and (
                not self._waiting or self._next[1].begun_s <= self._waiting[0][0]
            ):
                self._begin(*self._next)
                self._next = next(self._calls, None)
            if not self._waiting:
                return
            at_s, _, one = heapq.heappop(self._waiting)
            if isinstance(one, Sent):
                self.reports += 1
                yield one
                continue
            while self._legs and self._legs[0][0] <= at_s:
                self._number(heapq.heappop(self._legs)[2])
            self._tell(one)

    def _begin(self, kind: str, course: Course) -> None:
        for leg in course.legs:
            heapq.heappush(self._legs, (leg.made_s, self._place(), leg))
        for line in course.lines:
            self._wait(line.at_s, _Told(line=line, call=self.calls, kind=kind, course=course))
        self.calls += 1

    def _wait(self, at_s: float, one: _Told | Sent) -> None:
        heapq.heappush(self._waiting, (at_s, self._place(), one))

    def _place(self) -> int:
        """What keeps equal times in order."""
        self._placed += 1
        return self._placed

    def _number(self, leg: Leg) -> None:
        """Give it its id: the counter goes up by one or two, through all calls."""
        self._counter += self._random.randint(1, 2)
        leg.id = f"{int(self._start_s + leg.made_s)}.{self._counter}"

    def _tell(self, one: _Told) -> None:
        """Send a report on its way: it may come late, and again."""
        line, random, habits = one.line, self._random, one.course.habits
        if line.event == STATUS and not self._statuses.changed(one):
            return
        # A status always is: without the PBX's name it would be one of another's extension.
        named = random.random() >= habits.without_sn or line.event == STATUS
        report = self._report(line, named=named)
        at_s = line.at_s + random.uniform(0.0, 0.05)
        if random.random() < habits.late:
            at_s += random.uniform(0.0, habits.late_s)
        self._wait(
            at_s, Sent(at_s=at_s, report=report, event=line.event, call=one.call, kind=one.kind)
        )
        # An old status would be a new one: the same bytes may be true again.
        if line.event != STATUS and random.random() < habits.again:
            at_s += random.uniform(10.0, 60.0)
            again = Sent(
                at_s=at_s, report=report, event=line.event, call=one.call, kind=one.kind, again=True
            )
            self._wait(at_s, again)

    def _report(self, line: Line, *, named: bool) -> dict[str, Any]:
        told = dict(line.fields)
        if line.trunk_leg is not None:
            told["trunk_call_id"] = line.trunk_leg.id
        if line.event == "cdr" and line.leg is not None:
            began = datetime.fromtimestamp(self._start_s + line.leg.made_s, self._zone)
            told["started_at"] = began.strftime("%Y-%m-%d %H:%M:%S")
        call_id = "" if line.leg is None else line.leg.id
        return compose(line.event, call_id=call_id, pbx=self._pbx if named else None, **told)


@dataclass(slots=True)
class _Statuses:
    """What each extension does, of all that it does in its calls."""

    _in_calls: dict[str, dict[int, str]] = field(default_factory=dict)
    _last: dict[str, str] = field(default_factory=dict)

    def changed(self, one: _Told) -> bool:
        """Whether that extension is now what the line says, and was not before."""
        name, status = str(one.line.fields["extension"]), str(one.line.fields["status"])
        if status not in (RINGING, BUSY, IDLE):
            return True
        calls = self._in_calls.setdefault(name, {})
        calls.pop(one.call, None)
        if status != IDLE:
            calls[one.call] = status
        most = next((word for word in (BUSY, RINGING) if word in calls.values()), IDLE)
        was, self._last[name] = self._last.get(name, IDLE), most
        return status == most != was
