"""How each kind of simulated call goes.

What the ids of a call's reports are, ``wire.md`` and the manufacturer's examples tell.  An
outbound call is told of by its first leg (RING, first BYE, CDR) and its second (ALERT, second
BYE), and the ANSWER names both; what comes in bears the first leg's id besides its own.  What
they leave open is a habit.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pbxrules.pbx.course import BUSY, IDLE, RINGING, Course, Fate, Fields, Leg

PREFIX = "16"
"""Dialled to get a line; a CDR keeps it, the other reports do not."""
_WITHHELD = 0.1


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
    fate = call.fate(callees) if to is None else Fate.ANSWERED
    call.turn(BUSY, caller)
    first = call.leg()
    call.wait(0.02, 1.2)
    legs = {callee: call.leg() for callee in callees}
    call.wait(0.05, 0.3)
    told = legs if call.habits.later_leg else dict.fromkeys(callees, first)
    for callee, leg in told.items() if fate is not Fate.ENGAGED else ():
        if leg is not first or callee == callees[0]:
            call.say("alert", leg, extension=caller)
        call.say("ring", leg, **way, callee=callee)
        call.turn(RINGING, callee)
    callee = call.random.choice(callees)
    if fate is Fate.ANSWERED:
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
    call.record(first, **way, callee=callees[0])


def _pass_on(call: Course, told: Leg, caller: str, by: str, to: str) -> Leg:
    """An internal call is transferred, and answered; the new leg."""
    call.say("transfer", told, direction="internal", extension=to, other=by)
    call.turn(IDLE, by)
    call.wait(0.1, 1.0)
    leg = call.leg()
    told = leg if call.habits.later_leg else told
    call.wait(0.05, 0.3)
    call.say("alert", told, extension=caller)
    call.say("ring", told, direction="internal", caller=caller, callee=to)
    call.turn(RINGING, to)
    call.talk(told, direction="internal", caller=caller, callee=to)
    return leg


def _from_outside(call: Course, callees: Sequence[str], to: str | None = None) -> None:
    """As ``_from_inside``; of a group the first one is busy and the last one answers."""
    caller = "" if call.chance(_WITHHELD) else call.who.outside
    way: Fields = {"direction": "inbound", "caller": caller}
    told = way | {"trunk": call.who.trunk}
    fate = call.fate(callees) if to is None else Fate.ANSWERED
    first = call.leg()
    call.wait(0.1, 2.0)
    legs = {callee: call.leg() for callee in callees}
    call.wait(0.05, 0.3)
    if fate is not Fate.ENGAGED:
        call.say("alert", legs[callees[0]], first, **told, callee=callees[0])
        for callee, leg in legs.items():
            call.say("ring", leg, first, **told, callee=callee)
            call.turn(RINGING, callee)
    if len(callees) > 1:
        call.fail(legs[callees[0]], first, **told, callee=callees[0])
    callee, last = callees[-1], legs[callees[-1]]
    if fate is Fate.ANSWERED:
        call.talk(last, first, **told, callee=callee)
        if to is not None:
            callee, last = to, _pass_in(call, first, told, callee, to)
        call.say("bye", last, first, **told, callee=callee)
        call.say("bye", first, first, **told, callee=callee)
    else:
        call.fail(last, first, **told, callee=callee)
    call.record(first, **way, callee=callees[0])


def _pass_in(call: Course, first: Leg, told: Fields, by: str, to: str) -> Leg:
    """A call from outside is transferred, and answered; the new leg."""
    call.say("transfer", first, first, direction="inbound", extension=to)
    call.turn(IDLE, by)
    last = call.leg()
    call.say("ring", last, first, **told, callee=to)
    call.turn(RINGING, to)
    call.talk(last, first, **told, callee=to)
    return last


def _outbound(call: Course) -> None:
    who, (caller,) = call.who, call.who.inside
    way: Fields = {"direction": "outbound", "caller": caller}
    told = way | {"trunk": who.trunk}
    fate = call.fate([who.outside])
    call.turn(BUSY, caller)
    first = call.leg()
    call.wait(0.02, 1.5)
    second = call.leg()
    call.wait(0.2, 3.0)
    if fate is not Fate.ENGAGED:
        call.say("alert", second, direction="outbound", extension=caller)
        call.say("ring", first, first, **told, callee=who.outside)
    if fate is Fate.ANSWERED:
        call.talk(second, first, **told, callee=who.outside)
        call.say("bye", first, first, **told, callee=who.outside)
        call.say("bye", second, second, **told, callee=who.outside)
    else:
        call.fail(first, first, **told, callee=who.outside)
    call.record(first, **way, callee=PREFIX + who.outside)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of calls."""

    share: int
    """So many of a hundred calls."""
    inside: int
    """So many extensions take part, or may be rung."""
    write: Callable[[Course], None]
    outside: bool = False
    """It comes in or goes out."""
    group: bool = False
    passed_on: bool = False


KINDS: Mapping[str, Kind] = {
    "internal": Kind(share=30, inside=2, write=_internal),
    "inbound": Kind(share=25, inside=1, write=_inbound, outside=True),
    "outbound": Kind(share=25, inside=1, write=_outbound, outside=True),
    "internal group": Kind(share=4, inside=4, write=_internal, group=True),
    "inbound group": Kind(share=8, inside=3, write=_inbound, outside=True, group=True),
    "internal transfer": Kind(share=4, inside=3, write=_internal_transfer, passed_on=True),
    "inbound transfer": Kind(
        share=4, inside=2, write=_inbound_transfer, outside=True, passed_on=True
    ),
}
