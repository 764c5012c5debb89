"""What is known of one call, and what a report adds to it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple, Self

from pbxrules.calls.told import MAX_LISTED, Mark, Told
from pbxrules.model import Moment
from pbxrules.records import record

_CALLEE_FROM: Mapping[str, int] = {
    "cdr": 1,  # the number as it was dialled, prefix and all
    "alert": 2,  # of an inbound call the number dialled, not who is rung
    "call_failed": 3,
    "bye": 4,
    "ring": 5,
    "answer": 6,
}
"""Whose word on the callee counts: the highest; of equals the first."""


@record()
class Call:
    """The call that a report belongs to, as it was known with this report: kept with the event."""

    id: str
    """Our key: the first id that was seen of the call; never another one later."""
    sure: bool
    """The report is of this call without doubt.  If not, it may cancel nothing."""
    answered: bool
    """An answer came, or a cdr with ANSWERED, this report included."""
    caller: str | None
    callee: str | None
    """Who answered, else who was rung first."""
    extensions: tuple[str, ...]
    """Every extension named so far, in the order in which they were."""
    started_s: float
    """When its first report came, in wall seconds since 1970 UTC."""
    ended_s: float | None
    """When the first bye or cdr came; None while it goes on."""
    direction: str | None
    pbx: str | None
    legs: tuple[str, ...]
    """The ids that this report itself bears."""

    def as_json(self) -> dict[str, Any]:
        """It as JSON has it, under the names that ``call.…`` has in templates."""
        names = {"started_s": "started", "ended_s": "ended"}
        told = {names.get(name, name): getattr(self, name) for name in _CALL_FIELDS}
        return {n: list(value) if isinstance(value, tuple) else value for n, value in told.items()}

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Self:
        """The value that ``as_json`` told."""
        names = {"started": "started_s", "ended": "ended_s"}
        given = {names.get(name, name): value for name, value in told.items()}
        return cls(**given | {name: tuple(given[name]) for name in ("extensions", "legs")})


_CALL_FIELDS = tuple(field.name for field in fields(Call))


def surely_one(first: Call, second: Call) -> bool:
    """Whether two reports are of one call without doubt, so that the later one may cancel.

    A report that is not sure of its call is still of one with those that bear the same id,
    though they may have been put elsewhere since.
    """
    if first.id == second.id and first.sure and second.sure:
        return True
    one_pbx = first.pbx is None or second.pbx is None or first.pbx == second.pbx
    return one_pbx and not set(first.legs).isdisjoint(second.legs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """Somebody passed the call on, so a leg may come that shares no id with the others."""

    by: str
    at: Moment


class Known(NamedTuple):
    """All that is remembered of one call; a new one with each of its reports, so a tuple."""

    id: str
    legs: tuple[str, ...]
    """Its ids, by reports that are sure of it; at most ``MAX_LISTED``, as the lists below."""
    doubtful: tuple[str, ...]
    """Ids of reports that may be of another call."""
    first_leg: str | None
    pbx: str | None
    direction: str | None
    caller: str | None
    callee: str | None
    callee_from: str
    """The event that named the callee."""
    extensions: tuple[str, ...]
    marks: tuple[Mark, ...]
    """What it was told, to know what comes again, and what must be of another call."""
    answered: bool
    transfer: Transfer | None
    """The last one."""
    started_s: float
    ended_s: float | None
    seen: Moment
    """When its last report came."""

    def as_json(self) -> tuple[Any, ...]:
        """Its values in their order, as JSON has them: they are kept with each report of it."""
        passed_on = self.transfer and (self.transfer.by, _listed(self.transfer.at))
        return (*self[:_TRANSFER], passed_on, self.started_s, self.ended_s, _listed(self.seen))

    @classmethod
    def from_json(cls, values: Sequence[Any] | Mapping[str, Any]) -> Self:
        """The value that ``as_json`` told; at first it told a map."""
        listed = isinstance(values, Sequence)
        told = dict(zip(cls._fields, values, strict=True)) if listed else dict(values)
        passed_on = told["transfer"]
        return cls(
            **told
            | {name: tuple(told[name]) for name in ("legs", "doubtful", "extensions")}
            | {
                "marks": tuple(Mark(*mark) for mark in told["marks"]),
                "transfer": passed_on and Transfer(by=passed_on[0], at=_moment(passed_on[1])),
                "seen": _moment(told["seen"]),
            }
        )


_TRANSFER = Known._fields.index("transfer")


def _listed(moment: Moment) -> tuple[Any, ...]:
    return moment.boot, moment.uptime_s, moment.wall_s


def _moment(listed: Sequence[Any]) -> Moment:
    boot, uptime_s, wall_s = listed
    return Moment(boot=boot, uptime_s=uptime_s, wall_s=wall_s)


def founded(key: str, told: Told, now: Moment) -> Known:
    """The call of which *told* is the first report."""
    return Known(
        id=key,
        legs=told.ids,
        doubtful=(),
        first_leg=told.first_leg,
        pbx=told.pbx,
        direction=told.direction,
        caller=told.caller,
        callee=told.callee,
        callee_from=told.event,
        extensions=_with((), told.extensions),
        marks=(told.mark,),
        answered=told.answers,
        transfer=_transfer(None, told, now),
        started_s=now.wall_s,
        ended_s=now.wall_s if told.event in ("bye", "cdr") else None,
        seen=now,
    )


def learned(known: Known, told: Told, now: Moment) -> Known:
    """*known* with what a report adds that is sure of it."""
    better = told.callee is not None and (
        known.callee is None
        or _CALLEE_FROM.get(told.event, 0) > _CALLEE_FROM.get(known.callee_from, 0)
    )
    legs = _with(known.legs, told.ids)
    return Known(
        id=known.id,
        legs=legs,
        doubtful=known.doubtful and tuple(leg for leg in known.doubtful if leg not in legs),
        first_leg=known.first_leg or told.first_leg,
        pbx=known.pbx or told.pbx,
        direction=known.direction or told.direction,
        caller=known.caller or told.caller,
        callee=told.callee if better else known.callee,
        callee_from=told.event if better else known.callee_from,
        extensions=_with(known.extensions, told.extensions),
        marks=_marked(known.marks, told.mark),
        answered=known.answered or told.answers,
        transfer=_transfer(known.transfer, told, now),
        started_s=known.started_s,
        ended_s=_ended_s(known, told, now),
        seen=now,
    )


def doubted(known: Known, told: Told, now: Moment) -> Known:
    """*known* after a report that may be of another call.

    Of it is kept only what finds the call again, and the PBX: no other's report joins them.
    """
    doubtful = tuple(leg for leg in told.ids if leg not in known.legs)
    return known._replace(
        doubtful=_with(known.doubtful, doubtful),
        pbx=known.pbx or told.pbx,
        marks=_marked(known.marks, told.mark),
        seen=now,
    )


def seen_by(known: Known, told: Told, *, sure: bool) -> Call:
    """The call as it is kept with the event of *told*, which is in *known* already."""
    return Call(
        id=known.id,
        sure=sure,
        answered=known.answered,
        caller=known.caller,
        callee=known.callee,
        extensions=known.extensions,
        started_s=known.started_s,
        ended_s=known.ended_s,
        direction=known.direction,
        pbx=known.pbx,
        legs=told.ids,
    )


def _with(names: tuple[str, ...], more: tuple[str, ...]) -> tuple[str, ...]:
    for name in more:
        if name not in names and len(names) < MAX_LISTED:
            names = (*names, name)
    return names


def _marked(marks: tuple[Mark, ...], mark: Mark) -> tuple[Mark, ...]:
    return marks if mark in marks else (*marks, mark)[-MAX_LISTED:]


def _transfer(last: Transfer | None, told: Told, now: Moment) -> Transfer | None:
    if told.event != "transfer":
        return last
    return Transfer(by=told.extensions[-1] if told.extensions else "", at=now)


def _ended_s(known: Known, told: Told, now: Moment) -> float | None:
    if known.ended_s is None:
        return now.wall_s if told.event in ("bye", "cdr") else None
    # The bye of who passed it on ends one leg only.
    if known.transfer and told.event in ("ring", "answer"):
        return None
    return known.ended_s
