"""The calls known now, found by id, and by who takes part in them when."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

from pbxrules.calls.known import Known
from pbxrules.calls.told import Point, points
from pbxrules.model import Moment
from pbxrules.records import record

LIVE_S = 12 * 3600.0
"""A call that never ended is forgotten so long after its last report."""
ENDED_S = 3600.0
"""One that ended may still get a second BYE, its CDR, and what is sent again."""
MAX_CALLS = 1_000
"""So many that go on, and so many that ended; the PBX carries some two hundred at once."""
NEAR_S = 2
"""Legs of one call are made within so many seconds (``wire.md``)."""
MAX_NEAR = 16
"""So many near calls are looked at, the latest; more there are only by malice."""
_AT_ONCE = 4  # calls forgotten with one report: more than come, and never a long wait
_SPAN_S = 4  # an entry's, so that two seconds either way touch two at most

_Place = tuple[str, int]
"""A party, and the span in which a leg of its call was made."""
_K = TypeVar("_K")


@record()
class Change:
    """What one report changes in the table."""

    put: Known
    gone: tuple[str, ...] = ()
    """The calls to forget, by their keys."""
    given_up: int = 0
    """How many of those go on as far as we know, but there are too many."""


class Calls:
    """The calls known now; only ``apply`` changes it.

    From the disk it is made of what was put and is not gone, in the order of ``seen``.
    """

    __slots__ = ("_by_leg", "_by_party", "_ended", "_live", "_transferred", "given_up")

    def __init__(self, known: Iterable[Known] = ()) -> None:
        """Know these; those not seen for longest first."""
        # In the order of their last reports.
        self._live: dict[str, Known] = {}
        self._ended: dict[str, Known] = {}
        self._by_leg: dict[str, tuple[str, ...]] = {}
        self._by_party: dict[_Place, tuple[str, ...]] = {}
        self._transferred: dict[str, tuple[str, ...]] = {}
        self.given_up = 0
        """Calls that went on when they were forgotten, because there were too many."""
        for call in known:
            self._put(call)

    def __len__(self) -> int:
        return len(self._live) + len(self._ended)

    def __iter__(self) -> Iterator[Known]:
        """Those that go on, then those that ended; not seen for longest first."""
        yield from self._live.values()
        yield from self._ended.values()

    def get(self, key: str) -> Known | None:
        """The call of that key."""
        return self._live.get(key) or self._ended.get(key)

    def having(self, legs: tuple[str, ...]) -> list[Known]:
        """The calls that know any of these ids."""
        keys: dict[str, None] = {}
        for leg in legs:
            for key in self._by_leg.get(leg, ()):
                keys[key] = None
        return [call for key in keys if (call := self.get(key))]

    def near(self, names: Iterable[str], made: Iterable[Point]) -> list[Known]:
        """The calls of any of *names* with legs of about that time, at most ``MAX_NEAR``."""
        keys: dict[str, None] = {}
        for epoch in {epoch for epoch, _ in made}:
            for span in range((epoch - NEAR_S) // _SPAN_S, (epoch + NEAR_S) // _SPAN_S + 1):
                for name in names:
                    for key in self._by_party.get((name, span), ()):
                        keys[key] = None
        return [call for key in list(keys)[-MAX_NEAR:] if (call := self.get(key))]

    def transferred(self, name: str) -> list[Known]:
        """The calls that were passed on, and in which *name* takes part."""
        return [call for key in self._transferred.get(name, ()) if (call := self.get(key))]

    def outdated(self, put: Known, now: Moment) -> tuple[tuple[str, ...], int]:
        """The calls to forget when *put* comes in, and how many of them go on.

        Those not seen for longest; of many that are due only some, the rest with the next.
        """
        live, given_up = self._due(self._live, LIVE_S, put, now)
        ended, _ = self._due(self._ended, ENDED_S, put, now)
        return (*live, *ended), given_up

    def _due(
        self, calls: dict[str, Known], span_s: float, put: Known, now: Moment
    ) -> tuple[list[str], int]:
        """Of *calls* those to forget, and how many of them only because there are too many."""
        gone: list[str] = []
        many = 0
        room = MAX_CALLS - (calls is self._place_of(put) and put.id not in calls)
        for key, call in calls.items():
            old = now.since(call.seen) > span_s
            if len(gone) == _AT_ONCE or not (old or len(calls) - len(gone) > room):
                break
            if key != put.id:
                gone.append(key)
                many += not old
        return gone, many

    def apply(self, change: Change) -> None:
        """Know what *change* says."""
        for key in change.gone:
            self._forget(key)
        self.given_up += change.given_up
        self._put(change.put)

    def _place_of(self, call: Known) -> dict[str, Known]:
        return self._live if call.ended_s is None else self._ended

    def _put(self, call: Known) -> None:
        before = self._live.pop(call.id, None) or self._ended.pop(call.id, None)
        self._place_of(call)[call.id] = call
        for leg in (*call.legs, *call.doubtful):
            _add(self._by_leg, leg, call.id)
        if before is None or _moves(before, call):
            places = _places(call)
            for place in () if before is None else _places(before) - places:
                _remove(self._by_party, place, call.id)
            for place in places:
                _add(self._by_party, place, call.id)
        if call.transfer is not None:
            for name in call.extensions:
                _add(self._transferred, name, call.id)

    def _forget(self, key: str) -> None:
        call = self._live.pop(key, None) or self._ended.pop(key, None)
        if call is None:
            return
        for leg in (*call.legs, *call.doubtful):
            _remove(self._by_leg, leg, key)
        for place in _places(call):
            _remove(self._by_party, place, key)
        for name in call.extensions if call.transfer else ():
            _remove(self._transferred, name, key)


def _places(call: Known) -> set[_Place]:
    if call.direction == "inbound":
        return set()  # all its reports bear the id of its first leg
    names = {*call.extensions, call.caller, call.callee}
    spans = {epoch // _SPAN_S for epoch, _ in points(call.legs)}
    return {(name, span) for name in names if name for span in spans}


def _moves(before: Known, after: Known) -> bool:
    return (before.legs, before.extensions, before.caller, before.callee, before.direction) != (
        after.legs, after.extensions, after.caller, after.callee, after.direction,
    )  # fmt: skip


def _add(index: dict[_K, tuple[str, ...]], place: _K, key: str) -> None:
    keys = index.get(place, ())
    if key not in keys:
        index[place] = (*keys, key)


def _remove(index: dict[_K, tuple[str, ...]], place: _K, key: str) -> None:
    left = tuple(other for other in index.get(place, ()) if other != key)
    if left:
        index[place] = left
    else:
        index.pop(place, None)
