"""A simulated house: its phones, its trunks, and the calls of its day."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import tzinfo
from typing import TYPE_CHECKING

from pbxrules.pbx.arrivals import STATUS, Arrivals
from pbxrules.pbx.course import Course, Habits, Line, Parties
from pbxrules.pbx.courses import KINDS, Kind
from pbxrules.pbx.curves import Curve
from pbxrules.pbx.people import People, outside_number

if TYPE_CHECKING:
    from random import Random

HABITS = Habits(engaged=0.2, longest_talk_s=300.0, statuses=True)
OFFLINE = "offline"
"""The kind of what is no call: a phone that loses the PBX for a while."""
_OFFLINE_SHARE = 0.02
_OFFLINE_S = (5.0, 600.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """What there is, and what happens there; shares are 0..1, of all calls."""

    extensions: tuple[str, ...]
    trunks: tuple[str, ...]
    groups: tuple[tuple[str, ...], ...]
    """Extensions that ring together."""
    curve: Curve
    missed: float
    passed_on: float
    """Calls that are transferred, with the missed ones at most all; 0 unless ``passes_on``."""
    again: float
    """Reports that are sent a second time."""

    @property
    def shares(self) -> dict[str, float]:
        """Of each kind of calls that can be made here, its share."""
        possible = {name: kind for name, kind in KINDS.items() if self._has(kind)}
        through = {name: kind.share for name, kind in possible.items() if kind.passed_on}
        rest = {name: kind.share for name, kind in possible.items() if not kind.passed_on}
        shares = _scaled(through, self.passed_on) | _scaled(rest, 1.0 - self.passed_on)
        return {name: share for name, share in shares.items() if share}

    @property
    def habits(self) -> Habits:
        """Of its people and its PBX."""
        rest = 1.0 - self.passed_on
        answered = 1.0 - min(1.0, self.missed / rest) if rest else 1.0
        return replace(HABITS, answered=answered, again=self.again)

    @property
    def passes_on(self) -> bool:
        """Whether there is somebody to pass a call on to."""
        return any(kind.passed_on and self._has(kind) for kind in KINDS.values())

    def _has(self, kind: Kind) -> bool:
        if kind.outside and not self.trunks:
            return False
        if kind.group:
            return bool(self.groups) and (kind.outside or self._somebody_calls)
        return kind.inside <= len(self.extensions)

    @property
    def _somebody_calls(self) -> bool:
        """Whether there is a group and one who is not of it."""
        return any(len(group) < len(self.extensions) for group in self.groups)


def _scaled(shares: dict[str, int], total: float) -> dict[str, float]:
    whole = sum(shares.values())
    return {name: total * share / whole for name, share in shares.items()}


class Day:
    """What happens in *house* from *start_s* on, for *duration_s*."""

    def __init__(
        self, house: House, random: "Random", *, start_s: float, duration_s: float, zone: tzinfo
    ) -> None:
        """Let nothing happen yet.

        Args:
            house: Somebody there can call somebody.
            random: The same one in the same state gives the same day.
            start_s: In seconds since 1970 UTC.
            duration_s: No call begins later; those that have begun end.
            zone: Of the house's clocks, and the PBX's.
        """
        self.calls = 0
        self.turned_away = 0
        """Calls that were not made, for nobody was free."""
        self._house = house
        self._random = random
        self._habits = house.habits
        self._people = People(house.extensions, random, self._habits)
        self._kinds, self._weights = list(house.shares), list(house.shares.values())
        self._begins = house.curve.begins(random, start_s=start_s, duration_s=duration_s, zone=zone)
        self.arrivals = Arrivals(self._courses(), random, start_s=start_s, zone=zone)
        """All that is reported, as it arrives."""

    def _courses(self) -> Iterator[tuple[str, Course]]:
        for at_s in self._begins:
            (kind,) = self._random.choices(self._kinds, self._weights)
            inside = self._who(KINDS[kind], at_s)
            if inside is None:
                self.turned_away += 1
                continue
            self.calls += 1
            course = self._course(inside, at_s)
            KINDS[kind].write(course)
            self._people.join(at_s, course.ends_s)
            yield kind, course
            if self._random.random() < _OFFLINE_SHARE and (off := self._off(at_s)) is not None:
                yield OFFLINE, off

    def _course(self, inside: tuple[str, ...], at_s: float) -> Course:
        trunks = self._house.trunks
        who = Parties(
            inside=inside,
            outside=outside_number(self._random),
            trunk=self._random.choice(trunks) if trunks else "",
        )
        return Course(random=self._random, habits=self._habits, who=who, now_s=at_s)

    def _who(self, kind: Kind, at_s: float) -> tuple[str, ...] | None:
        """Who takes part in a call of that kind; None: too few are free."""
        if not kind.group:
            found = self._people.pick(kind.inside, at_s)
            return tuple(found) if len(found) == kind.inside else None
        group = self._random.choice(self._house.groups)
        members = [name for name in group if self._people.takes(name, at_s)]
        caller = [] if kind.outside else self._people.pick(1, at_s, but=group)
        if not members or len(caller) != (not kind.outside):
            return None
        return (*caller, *members)

    def _off(self, at_s: float) -> Course | None:
        """A phone that nobody uses loses the PBX, and finds it again."""
        free = self._people.pick(1, at_s)
        if not free:
            return None
        course = self._course(tuple(free), at_s)
        for status in ("Unregistered", "Registered"):
            fields = {"extension": free[0], "status": status}
            course.lines.append(
                Line(at_s=course.now_s, event=STATUS, leg=None, trunk_leg=None, fields=fields)
            )
            course.wait(*_OFFLINE_S)
        self._people.join(at_s, {free[0]: course.lines[-1].at_s})
        return course
