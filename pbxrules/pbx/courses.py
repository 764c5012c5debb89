"""How a simulated call goes: its legs, and what is reported of them.

What the ids of a call's reports are, ``wire.md`` and the manufacturer's examples tell.  An
outbound call is told of by its first leg (RING, first BYE, CDR) and its second (ALERT, second
BYE), and the ANSWER names both; what comes in bears the first leg's id besides its own.  What
they leave open is a habit.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

PREFIX = "16"
"""Dialled to get a line; a CDR keeps it, the other reports do not."""
_ANSWERED = 0.7
_WITHHELD = 0.1


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
    leg: Leg
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
    legs: list[Leg] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)

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
        self.lines.append(
            Line(at_s=self.now_s, event=event, leg=leg, trunk_leg=trunk_leg, fields=fields)
        )
        self.now_s += 0.02

    def chance(self, share: float) -> bool:
        """True for that *share* of all."""
        return self.random.random() < share

    def talk(self, leg: Leg, trunk_leg: Leg | None = None, /, **fields: str | None) -> None:
        """It is answered after a while, and talked."""
        self.wait(1.0, 20.0)
        self.say("answer", leg, trunk_leg, **fields)
        self.wait(1.0, 60.0)

    def fail(self, leg: Leg, trunk_leg: Leg | None = None, /, **fields: str | None) -> None:
        """It is not answered."""
        self.wait(0.5, 25.0)
        reason = self.random.choice(("480", "486", "487"))
        self.say("call_failed", leg, trunk_leg, reason=reason, **fields)

    def record(self, leg: Leg, /, *, talked: bool, **fields: str | None) -> None:
        """The record that is written when all is over."""
        self.wait(0.05, 1.5)
        self.say("cdr", leg, status="ANSWERED" if talked else "NO ANSWER", **fields)


def _internal(call: Course) -> None:
    caller, *callees = call.who.inside
    _from_inside(call, caller, callees)


def _internal_transfer(call: Course) -> None:
    caller, callee, to = call.who.inside
    _from_inside(call, caller, [callee], to)


def _inbound(call: Course) -> None:
    _from_outside(call, call.who.inside)


def _inbound_transfer(call: Course) -> None:
    callee, to = call.who.inside
    _from_outside(call, [callee], to)


def _from_inside(call: Course, caller: str, callees: Sequence[str], to: str | None = None) -> None:
    """An extension calls one or a group; who answers may pass it on *to* another."""
    way: Fields = {"direction": "internal", "caller": caller}
    first = call.leg()
    call.wait(0.02, 1.2)
    legs = {callee: call.leg() for callee in callees}
    call.wait(0.05, 0.3)
    told = legs if call.habits.later_leg else dict.fromkeys(callees, first)
    for callee, leg in told.items():
        if leg is not first or callee == callees[0]:
            call.say("alert", leg, extension=caller)
        call.say("ring", leg, **way, callee=callee)
    callee = call.random.choice(callees)
    talked = to is not None or call.chance(_ANSWERED)
    if talked:
        call.talk(told[callee], **way, callee=callee)
        last = legs[callee]
        if to is not None:
            last = _pass_on(call, told[callee], caller, callee, to)
            callee = to
        one, other = call.random.sample((caller, callee), 2)
        call.say("bye", first, direction="internal", extension=one, other=other)
        call.say("bye", last, direction="internal", extension=other, other=one)
    else:
        call.fail(told[callee], **way, callee=callee)
    call.record(first, talked=talked, **way, callee=callees[0])


def _pass_on(call: Course, told: Leg, caller: str, by: str, to: str) -> Leg:
    """An internal call is transferred, and answered; the new leg."""
    call.say("transfer", told, direction="internal", extension=to, other=by)
    call.wait(0.1, 1.0)
    leg = call.leg()
    told = leg if call.habits.later_leg else told
    call.wait(0.05, 0.3)
    call.say("alert", told, extension=caller)
    call.say("ring", told, direction="internal", caller=caller, callee=to)
    call.talk(told, direction="internal", caller=caller, callee=to)
    return leg


def _from_outside(call: Course, callees: Sequence[str], to: str | None = None) -> None:
    """As ``_from_inside``; of a group the first one is busy and the last one answers."""
    caller = "" if call.chance(_WITHHELD) else call.who.outside
    way: Fields = {"direction": "inbound", "caller": caller}
    told = way | {"trunk": call.who.trunk}
    first = call.leg()
    call.wait(0.1, 2.0)
    legs = {callee: call.leg() for callee in callees}
    call.wait(0.05, 0.3)
    call.say("alert", legs[callees[0]], first, **told, callee=callees[0])
    for callee, leg in legs.items():
        call.say("ring", leg, first, **told, callee=callee)
    if len(callees) > 1:
        call.fail(legs[callees[0]], first, **told, callee=callees[0])
    callee, last = callees[-1], legs[callees[-1]]
    talked = to is not None or call.chance(_ANSWERED)
    if talked:
        call.talk(last, first, **told, callee=callee)
        if to is not None:
            call.say("transfer", first, first, direction="inbound", extension=to)
            callee, last = to, call.leg()
            call.say("ring", last, first, **told, callee=callee)
            call.talk(last, first, **told, callee=callee)
        call.say("bye", last, first, **told, callee=callee)
        call.say("bye", first, first, **told, callee=callee)
    else:
        call.fail(last, first, **told, callee=callee)
    call.record(first, talked=talked, **way, callee=callees[0])


def _outbound(call: Course) -> None:
    who, (caller,) = call.who, call.who.inside
    way: Fields = {"direction": "outbound", "caller": caller}
    told = way | {"callee": who.outside, "trunk": who.trunk}
    first = call.leg()
    call.wait(0.02, 1.5)
    second = call.leg()
    call.wait(0.2, 3.0)
    call.say("alert", second, direction="outbound", extension=caller)
    call.say("ring", first, first, **told)
    talked = call.chance(_ANSWERED)
    if talked:
        call.talk(second, first, **told)
        call.say("bye", first, first, **told)
        call.say("bye", second, second, **told)
    else:
        call.fail(first, first, **told)
    call.record(first, talked=talked, **way, callee=PREFIX + who.outside)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of calls."""

    share: int
    """So many of a hundred calls."""
    inside: int
    """So many extensions take part, or may be rung."""
    write: Callable[[Course], None]


KINDS: Mapping[str, Kind] = {
    "internal": Kind(share=30, inside=2, write=_internal),
    "inbound": Kind(share=25, inside=1, write=_inbound),
    "outbound": Kind(share=25, inside=1, write=_outbound),
    "internal group": Kind(share=4, inside=4, write=_internal),
    "inbound group": Kind(share=8, inside=3, write=_inbound),
    "internal transfer": Kind(share=4, inside=3, write=_internal_transfer),
    "inbound transfer": Kind(share=4, inside=2, write=_inbound_transfer),
}
