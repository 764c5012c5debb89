"""A simulated call while it is written down: its legs, and what is reported of them.

What the manufacturer leaves open of that is a habit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

_ENGAGED = "486"
_REASONS = ("480", _ENGAGED, "487")


RINGING, BUSY, IDLE = "Ringing", "Busy", "Idle"
"""What an extension does, in the PBX's words."""


class Fate(Enum):
    """How a call ends that is not passed on."""

    ANSWERED = "answered"
    MISSED = "missed"
    ENGAGED = "engaged"
    """It failed before anything rang."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """What this PBX and its people do; shares are 0..1."""

    later_leg: bool = False
    """Reports of an internal call bear the id of the leg that rings, not of the caller's."""
    without_sn: float = 0.2
    late: float = 0.05
    """Reports that come up to ``late_s`` later, and so out of order."""
    late_s: float = 1.0
    again: float = 0.03
    """Reports that are sent a second time, 10 to 60 s later."""
    redialled: float = 0.05
    """Calls that are made once more, by the same to the same, within 1 to 4 s."""
    second_line: float = 0.03
    """Extensions that take or make a call beside the one that they have."""
    answered: float = 0.7
    """Of the calls that are not passed on; those are answered all."""
    engaged: float = 0.0
    """Of those not answered, the calls of one phone that fail at once, for it is engaged."""
    longest_talk_s: float = 60.0
    statuses: bool = False
    """What an extension does is told, too."""


Fields = dict[str, str | None]
"""What ``compose`` takes."""


@dataclass(slots=True, eq=False)
class Leg:
    """One party's connection; its id is known when all legs of the traffic are."""

    made_s: float
    id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A report that is to be sent when its legs have their ids."""

    at_s: float
    event: str
    leg: Leg | None
    """None where it is of no call."""
    trunk_leg: Leg | None
    fields: Mapping[str, str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parties:
    """Who takes part in a call, and who might."""

    inside: tuple[str, ...]
    """As many extensions as the kind of call needs; the caller first, if he is one of them."""
    outside: str
    trunk: str


@dataclass(slots=True, kw_only=True)
class Course:
    """A call while it is written down."""

    random: "Random"
    habits: Habits
    who: Parties
    now_s: float
    begun_s: float = field(init=False)
    legs: list[Leg] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    ends_s: dict[str, float] = field(default_factory=dict)
    """When it ended for each of the extensions."""
    _answered_s: float | None = None
    _engaged: bool = False
    _statuses: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.begun_s = self.now_s

    def wait(self, least_s: float, most_s: float) -> None:
        """Nothing happens for a time between these."""
        self.now_s += self.random.uniform(least_s, most_s)

    def leg(self) -> Leg:
        """A leg that is made now."""
        self.legs.append(Leg(self.now_s))
        return self.legs[-1]

    def say(
        self, event: str, leg: Leg, trunk_leg: Leg | None = None, /, **fields: str | None
    ) -> None:
        """A report of this *leg*, with the trunk's id of *trunk_leg*."""
        self._add(event, leg, trunk_leg, **fields)
        self.now_s += 0.02

    def _add(
        self, event: str, leg: Leg | None, trunk_leg: Leg | None, /, **fields: str | None
    ) -> None:
        self.lines.append(
            Line(at_s=self.now_s, event=event, leg=leg, trunk_leg=trunk_leg, fields=fields)
        )

    def chance(self, share: float) -> bool:
        """True for that *share* of all."""
        return self.random.random() < share

    def turn(self, status: str, *extensions: str) -> None:
        """These extensions, as far as they are inside, are *status* in this call from now on."""
        for name in extensions:
            if name in self.who.inside and self._statuses.get(name, IDLE) != status:
                self._statuses[name] = status
                self.ends_s[name] = self.now_s
                if self.habits.statuses:
                    self._add("extension_status", None, None, extension=name, status=status)

    def fate(self, callees: Sequence[str]) -> Fate:
        """What becomes of a call to these that nobody passes on."""
        drawn = self.random.random()
        if drawn < self.habits.answered:
            return Fate.ANSWERED
        engaged = (1.0 - self.habits.answered) * self.habits.engaged
        alone = len(callees) == 1
        self._engaged = alone and drawn < self.habits.answered + engaged
        return Fate.ENGAGED if self._engaged else Fate.MISSED

    def talk(
        self, leg: Leg, trunk_leg: Leg | None = None, /, *, callee: str, **fields: str | None
    ) -> None:
        """It is answered after a while, and talked."""
        self.wait(1.0, 20.0)
        if self._answered_s is None:
            self._answered_s = self.now_s
        self.say("answer", leg, trunk_leg, callee=callee, **fields)
        self.turn(BUSY, callee)
        self.turn(IDLE, *(name for name, status in self._statuses.items() if status == RINGING))
        self.wait(1.0, self.habits.longest_talk_s)

    def fail(
        self, leg: Leg, trunk_leg: Leg | None = None, /, *, callee: str, **fields: str | None
    ) -> None:
        """It is not answered, for it is engaged or nobody comes."""
        if self._engaged:
            reason = _ENGAGED
        else:
            self.wait(0.5, 25.0)
            reason = self.random.choice(_REASONS)
        self.say("call_failed", leg, trunk_leg, reason=reason, callee=callee, **fields)
        self.turn(IDLE, callee)

    def record(self, leg: Leg, /, **fields: str | None) -> None:
        """The record that is written when all is over."""
        ended_s = self.now_s
        self.turn(IDLE, *self.who.inside)
        self.wait(0.05, 1.5)
        talked_s = 0.0 if self._answered_s is None else ended_s - self._answered_s
        silent = "BUSY" if self._engaged else "NO ANSWER"
        self.say(
            "cdr",
            leg,
            status=silent if self._answered_s is None else "ANSWERED",
            duration=str(round(ended_s - leg.made_s)),
            talk_duration=str(round(talked_s)),
            **fields,
        )
