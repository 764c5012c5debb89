"""The call that a report is likely of though they share no id: by time and by parties."""

from collections.abc import Mapping
from typing import NamedTuple

from pbxrules.calls.known import Known
from pbxrules.calls.table import NEAR_S, Calls
from pbxrules.calls.told import MAX_LISTED, Point, Told, point, points
from pbxrules.model import Moment

NEAR_COUNTERS = 100
"""Legs of one call are so near at most: at 200 calls at once some 40 are made in a second."""
CLOSE_S, CLOSE_COUNTERS = 1, 8
"""Legs that are so near were made by one dial."""
TRANSFER_S = 10.0
"""The leg that a transfer makes is told of so soon after it; and a BYE so soon after the other."""
_LEAST_DIGITS = 3  # of a number that may be the end of another one
_BOTH = 2

_AGAIN: Mapping[tuple[str, str | None], int] = {
    ("alert", None): 1,
    ("ring", "internal"): 1,
    ("ring", "outbound"): 1,
    ("answer", "internal"): 1,
    ("answer", "outbound"): 1,
    ("call_failed", "internal"): 1,
    ("call_failed", "outbound"): 1,
    ("bye", "internal"): 1,  # the second one has the other party first
    ("bye", "outbound"): 2,
    ("cdr", "internal"): 1,
    ("cdr", "outbound"): 1,
    ("transfer", "internal"): MAX_LISTED,
    ("transfer", "outbound"): MAX_LISTED,
}
"""How often a call can be told the same of different legs, by event and direction.

Only these join by nearness.  What is told of an inbound call all bears the id of its first leg.
"""


class Found(NamedTuple):
    """A call that a report may belong to."""

    known: Known
    sure: bool


class _Fit(NamedTuple):
    """How well a near call fits: the least is the best."""

    far: bool
    parties_missing: int
    counters: int
    again: bool


def nearest(calls: Calls, told: Told, now: Moment) -> Found | None:
    """The call that *told* is likely of; sure if no other is as likely."""
    allowed = _AGAIN.get((told.event, told.direction))
    made = points(told.ids)
    if allowed is None or not made:
        return None
    near = calls.near(_names(told), made)
    fits = [(fit, known) for known in near if (fit := _fit(known, told, made, allowed)) is not None]
    if not fits:
        return _transferred(calls, told, now)
    best, known = min(fits, key=lambda found: (found[0], found[1].id))
    rivals = sum(fit.far <= best.far for fit, _ in fits) - 1
    enough = not best.far or not best.parties_missing
    return Found(known=known, sure=not rivals and enough and not best.again)


def _names(told: Told) -> tuple[str, ...]:
    others = (told.caller, told.callee)
    return (*told.extensions, *(name for name in others if name and name not in told.extensions))


def _fit(known: Known, told: Told, made: list[Point], allowed: int) -> _Fit | None:
    """How well they fit; None if they can't be one call."""
    agreed = _agreed(known, told) if _may_be_one(known, told) else 0
    distance = _distance(known, told, made) if agreed else None
    if distance is None:
        return None
    seconds, counters = distance
    far = seconds > CLOSE_S or counters > CLOSE_COUNTERS
    again = _told_before(known, told) >= allowed
    # The legs of a group, made at once, may alert the caller one by one.
    if again and (far or told.event != "alert"):
        return None
    return _Fit(far=far, parties_missing=max(0, _BOTH - agreed), counters=counters, again=again)


def _told_before(known: Known, told: Told) -> int:
    """Of how many of its legs the call was told the same."""
    new = told.mark
    same = {mark.leg for mark in known.marks if mark[:2] == new[:2]}
    return len(same.intersection(known.legs))


def _may_be_one(known: Known, told: Told) -> bool:
    """Nothing but the parties says that they are different calls."""
    if known.pbx and told.pbx and known.pbx != told.pbx:
        return False
    if known.first_leg and told.first_leg and known.first_leg != told.first_leg:
        return False
    if told.direction is None:  # an alert by an extension
        return known.direction != "inbound"
    return known.direction is None or known.direction == told.direction


def _agreed(known: Known, told: Told) -> int:
    """How many parties both name; 0 if a party of the one can't be in the other."""
    if told.caller is None:
        return _agreed_unordered(known, told)
    dialled = "cdr" in (told.event, known.callee_from)
    if known.caller is None or not _same(known.caller, told.caller, dialled=dialled):
        return 0
    if known.callee is None or told.callee is None:
        return 1
    if _same(known.callee, told.callee, dialled=dialled):
        return _BOTH
    # A group rings others, too; outside there is one who is called.
    return 0 if "outbound" in (known.direction, told.direction) else 1


def _agreed_unordered(known: Known, told: Told) -> int:
    """As ``_agreed``, where the order does not tell who called: an internal bye or transfer."""
    named = sum(name in known.extensions for name in told.extensions)
    if told.event == "transfer":
        return named  # the new party is new
    if known.caller and known.caller not in told.extensions and known.transfer is None:
        return 0
    return named if named == len(told.extensions) or len(known.extensions) == 1 else 0


def _same(one: str, other: str, *, dialled: bool) -> bool:
    """Whether it is one number; *dialled*: perhaps with the prefix that was dialled before it."""
    if one == other or not dialled:
        return one == other
    short, long = sorted((one, other), key=len)
    return len(short) >= _LEAST_DIGITS and long.endswith(short)


def _distance(known: Known, told: Told, made: list[Point]) -> tuple[int, int] | None:
    """Seconds and counters between the nearest of their legs; None if none are near."""
    theirs = points(known.legs)
    if not _in_order(known, told, made, theirs):
        return None
    near = [
        (abs(counter - other[1]), abs(epoch - other[0]))
        for epoch, counter in made
        for other in theirs
        if abs(epoch - other[0]) <= NEAR_S and abs(counter - other[1]) <= NEAR_COUNTERS
    ]
    if not near:
        return None
    counters, seconds = min(near)
    return seconds, counters


def _in_order(known: Known, told: Told, made: list[Point], theirs: list[Point]) -> bool:
    """Whether the first leg, where it is known, was made before the others."""
    first = point(told.first_leg or known.first_leg or "")
    if first is None or told.event == "cdr":
        return True
    others = made if known.first_leg else theirs
    return all(counter >= first[1] for _, counter in others)


def _transferred(calls: Calls, told: Told, now: Moment) -> Found | None:
    """The call that was passed on, and of whose new leg *told* tells."""
    if told.event not in ("alert", "ring", "answer", "bye") or not told.extensions:
        return None
    fits = [
        (agreed, known)
        for known in calls.transferred(told.caller or told.extensions[0])
        if _may_be_one(known, told) and (agreed := _agreed_transferred(known, told, now))
    ]
    if not fits:
        return None
    agreed, known = max(fits, key=lambda found: (found[0], found[1].started_s, found[1].id))
    rivals = sum(other == agreed for other, _ in fits) - 1
    return Found(known=known, sure=agreed == _BOTH and not rivals)


def _agreed_transferred(known: Known, told: Told, now: Moment) -> int:
    """How many of the parties of a new leg the call knows; 0 if it can't be of that call."""
    if told.event == "bye":
        goes_on = known.ended_s is None or now.since(known.seen) <= TRANSFER_S
        return _BOTH if goes_on and set(told.extensions) <= set(known.extensions) else 0
    transfer = known.transfer
    if transfer is None or now.since(transfer.at) > TRANSFER_S:
        return 0
    if transfer.by in (told.caller, told.callee):
        return 0
    if told.callee is None:
        return 1
    return _BOTH if told.callee in known.extensions else 0
