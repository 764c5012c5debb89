"""The call that a report belongs to, and what it changes in the table."""

from pbxrules.calls.known import Call, Known, doubted, founded, learned, seen_by
from pbxrules.calls.nearness import Found, nearest
from pbxrules.calls.table import Calls, Change
from pbxrules.calls.told import Told, tell
from pbxrules.model import Event, Moment


def assign(calls: Calls, event: Event, now: Moment) -> tuple[Call, Change] | None:
    """The call that *event* belongs to, and what is to be changed in *calls*; None: to no call.

    The same calls, event and moment give the same; *calls* is not changed: that is for
    ``Calls.apply``, once it is decided.  A report that comes again is given the call that it
    had, while that is remembered.
    """
    told = tell(event)
    if told is None:
        return None
    found = _found(calls, told, now)
    sure = found is None or found.sure
    if found is None:
        known = after = founded(_free_key(calls, told.mark.leg), told, now)
    else:
        known = learned(found.known, told, now)
        after = known if sure else doubted(found.known, told, now)
    gone, given_up = calls.outdated(after, now)
    return seen_by(known, told, sure=sure), Change(put=after, gone=gone, given_up=given_up)


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
    having = calls.having(told.ids)
    if told.pbx:
        having = [known for known in having if known.pbx in (None, told.pbx)]
    if not having:
        return None
    certain: list[Known] = []
    for leg in told.ids:
        certain = certain or [known for known in having if leg in known.legs]
    again = [known for known in having if told.mark in known.marks]
    known = _most_told(again or certain or having)
    of_one_pbx = len(certain) == 1 or len({known.pbx for known in certain if known.pbx}) <= 1
    is_certain = told.ids[0] in known.legs or told.ids[-1] in known.legs
    return Found(known=known, sure=is_certain and of_one_pbx)


def _most_told(known: list[Known]) -> Known:
    """Of calls with one id (for it showed only later that they are one) the best known."""
    if len(known) == 1:
        return known[0]
    return max(known, key=lambda call: (len(call.marks), call.started_s, call.id))


def _free_key(calls: Calls, leg: str) -> str:
    """*leg*, unless another PBX's call has that key."""
    key, number = leg, 1
    while calls.get(key) is not None:
        number += 1
        key = f"{leg}#{number}"
    return key
