"""The call that a report belongs to, and what it changes in the table."""

from dataclasses import dataclass

from pbxrules.calls.known import Call, Known, doubted, founded, learned, seen_by
from pbxrules.calls.nearness import Found, nearest
from pbxrules.calls.table import Calls, Change
from pbxrules.calls.told import Told, tell
from pbxrules.model import Event, Moment


@dataclass(frozen=True, slots=True, kw_only=True)
class Assigned:
    """Where a report belongs; nothing has changed yet."""

    call: Call | None
    """None: it bears no call's id, and belongs to no call."""
    change: Change | None
    """For ``Calls.apply``, and for the disk; None where *call* is."""


def assign(calls: Calls, event: Event, now: Moment) -> Assigned:
    """The call that *event* belongs to, and what is to be changed in *calls*.

    The same calls, event and moment give the same; *calls* is not changed.  A report that
    comes again is given the call that it had, while that is remembered.
    """
    told = tell(event)
    if told is None:
        return Assigned(call=None, change=None)
    found = _found(calls, told, now)
    if found is None:
        known = after = founded(_free_key(calls, told.mark.leg), told, now)
    else:
        known = after = learned(found.known, told, now)
        if not found.sure:
            after = doubted(found.known, told, now)
    gone, given_up = calls.outdated(after, now)
    return Assigned(
        call=seen_by(known, told, sure=found is None or found.sure),
        change=Change(put=after, gone=gone, given_up=given_up),
    )


def _found(calls: Calls, told: Told, now: Moment) -> Found | None:
    """The call that *told* belongs to; None: to a new one."""
    sharing = _sharing(calls, told)
    if sharing is None:
        return nearest(calls, told, now)
    if sharing.sure or told.mark in sharing.known.marks:
        return sharing
    # A report before it, with the same id, was put there in doubt.  This one may tell more.
    likely = nearest(calls, told, now)
    if likely is None:
        return None if told.caller or told.extensions else sharing
    return likely if likely.sure or likely.known.id == sharing.known.id else sharing


def _sharing(calls: Calls, told: Told) -> Found | None:
    """The call with an id of *told*: where it went before, else the one that is sure of the id."""
    having: list[Known] = []
    certain: list[Known] = []
    for leg in told.ids:
        of_leg = calls.having(leg)
        if told.pbx:
            of_leg = [known for known in of_leg if known.pbx in (None, told.pbx)]
        certain = certain or [known for known in of_leg if leg in known.legs]
        having += of_leg
    if not having:
        return None
    again = [known for known in having if told.mark in known.marks]
    # Two calls of one PBX have an id if it showed only later that they are one; where it was
    # learned last, more is known.
    known = (again or certain or having)[-1]
    of_one_pbx = len(certain) == 1 or len({known.pbx for known in certain if known.pbx}) <= 1
    is_certain = any(leg in known.legs for leg in told.ids)
    return Found(known=known, sure=is_certain and of_one_pbx)


def _free_key(calls: Calls, leg: str) -> str:
    """*leg*, unless another PBX's call has that key."""
    key, number = leg, 1
    while calls.get(key) is not None:
        number += 1
        key = f"{leg}#{number}"
    return key
