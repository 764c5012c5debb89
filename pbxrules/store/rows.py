"""Values as rows of the SQLite store, and back."""

import functools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple
from typing import Any

from pbxrules.model import (
    Arrived,
    Changes,
    Event,
    FieldValue,
    Kept,
    KeptKey,
    Miss,
    Moment,
    Run,
    Tried,
    Verdict,
)
from pbxrules.store import Accepted

EVENT_COLUMNS = (
    "id, boot, uptime, wall, event, digest, subject, resend_s, seen_boot, seen_uptime, seen_wall,"
    " repeats, fields, body, verdicts, call"
)
RUN_COLUMNS = (
    "id, rule, program, position, verb, due_boot, due_uptime, due_wall, expires_s,"
    " try_boot, try_uptime, try_wall, attempt, tried, trigger_id, lane, call, more"
)
MEMORY_COLUMNS = "kind, rule, name, value, until_boot, until_uptime, until_wall"
MORE = (
    "parent", "given_up", "mark", "begun", "outcome", "counters", "results", "inbox", "trouble",
)  # fmt: skip
"""What of a run goes into the column ``more``, where it is not as at the beginning.

A parent, or else what was given up, comes first in the text: ``reading`` looks for it there.
"""
GIVEN_UP = f"""more GLOB '{{"{MORE[1]}":*'"""
"""Of a row of ``runs``, in the words that their index ``runs_given_up`` has."""

Row = tuple[Any, ...]
BootNumber = Callable[[str], int]
to_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def _plain_value(value: object) -> Any:
    """What ``json`` does not know by itself."""
    if isinstance(value, Arrived):
        return [getattr(value, name) for name in Arrived.__slots__]
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is nothing that JSON has")


# Escaped to ASCII: what a server answered may hold half of a surrogate pair, and UTF-8 has none.
_values_json = json.JSONEncoder(separators=(",", ":"), default=_plain_value).encode


def event_row(accepted: Accepted, boot: int) -> Row:
    """The row of ``EVENT_COLUMNS``; *boot* is the number of the boot of its moment."""
    at = accepted.received
    return (
        accepted.id, boot, at.uptime_s, at.wall_s,
        accepted.event.kind, accepted.digest, accepted.subject, accepted.resend_s,
        boot, at.uptime_s, at.wall_s, 0,
        to_json(accepted.event.fields), accepted.body, verdicts_json(accepted.verdicts),
        accepted.call,
    )  # fmt: skip


def verdicts_json(verdicts: Sequence[Verdict]) -> str:
    """The verdicts as stored: rule, matched, and what was missed."""
    return to_json([(v.rule, v.matched, [_plain(m) for m in v.because]) for v in verdicts])


def _plain(misses: tuple[Miss, ...]) -> Any:
    """One miss as its words, ``["trunk", "t"]``; several as a list of such."""
    plain = [
        [miss.subject, miss.wanted] if miss.found is None else astuple(miss) for miss in misses
    ]
    return plain[0] if len(plain) == 1 else plain


def _misses(plain: Any) -> tuple[Miss, ...]:
    return tuple(Miss(*one) for one in ([plain] if isinstance(plain[0], str) else plain))


def verdicts(text: str) -> tuple[Verdict, ...]:
    """The verdicts that ``verdicts_json`` stored."""
    return tuple(
        Verdict(rule=rule, matched=matched, because=tuple(map(_misses, because)))
        for rule, matched, because in json.loads(text)
    )


def run_row(run: Run, boot_number: BootNumber) -> Row:
    """The row of ``RUN_COLUMNS``."""
    due, due_try = run.due, run.next_try
    tried = [(t.position, t.verb, t.state, t.reason, t.attempts) for t in run.tried]
    return (
        run.id, run.rule, run.program, run.position, run.verb,
        boot_number(due.boot), due.uptime_s, due.wall_s, run.expires_s,
        boot_number(due_try.boot), due_try.uptime_s, due_try.wall_s,
        run.attempt, to_json(tried) if tried else "[]", run.trigger,
        run.lane, run.call, _more_json(run),
    )  # fmt: skip


def _more_json(run: Run) -> str:
    if (
        run.parent or run.mark or run.counters or run.results or run.inbox
        or run.given_up or run.trouble
    ):  # fmt: skip
        return _members_json({name: getattr(run, name) for name in MORE})
    return _simple_json(run.begun, run.outcome)


@functools.lru_cache(maxsize=32)
def _simple_json(begun: bool, outcome: str) -> str:  # noqa: FBT001 - what it is cached by
    """The text for most runs: nothing at first, one of a few outcomes at last."""
    return _members_json({"begun": begun, "outcome": outcome})


def _members_json(members: Mapping[str, Any]) -> str:
    told = {name: value for name, value in members.items() if value}
    return _values_json(told) if told else ""


def run(row: Sequence[Any], event_id: int, boots: Mapping[int, str]) -> Run:
    """The run of a row of ``RUN_COLUMNS``."""
    return Run(
        id=row[0], event_id=event_id, rule=row[1], program=row[2], position=row[3], verb=row[4],
        due=moment(row[5:8], boots), expires_s=row[8], next_try=moment(row[9:12], boots),
        attempt=row[12], tried=tried(row[13]), trigger=row[14], lane=row[15], call=row[16],
        **more(row[17]),
    )  # fmt: skip


def more(text: str) -> dict[str, Any]:
    """The members of a run that stand in ``more``."""
    if not text:
        return {}
    members: dict[str, Any] = json.loads(text)
    if "inbox" in members:
        members["inbox"] = tuple(map(_arrived, members["inbox"]))
    return members


def _arrived(values: Sequence[Any]) -> Arrived:
    return Arrived(**dict(zip(Arrived.__slots__, map(_no_lists, values), strict=True)))


def _no_lists(value: Any) -> Any:
    """A field's value, or a map of such, as ``Event`` has it: its lists are tuples."""
    if isinstance(value, list):
        return tuple(value)
    if isinstance(value, dict):
        return {name: _no_lists(inner) for name, inner in value.items()}
    return value


def kept_row(kept: Kept, boot_number: BootNumber) -> Row:
    """The row of ``MEMORY_COLUMNS``."""
    at = kept.until
    until = (None,) * 3 if at is None else (boot_number(at.boot), at.uptime_s, at.wall_s)
    return (*kept.key, _values_json(kept.value), *until)


def kept(row: Sequence[Any], boots: Mapping[int, str]) -> Kept:
    """The remembered value of a row of ``MEMORY_COLUMNS``."""
    until = None if row[4] is None else moment(row[4:7], boots)
    return Kept(kind=row[0], rule=row[1], name=row[2], value=json.loads(row[3]), until=until)


def overlay(memory: dict[KeptKey, Kept | None], changes: Changes) -> None:
    """Change *memory* as *changes* say; None stands for what is forgotten."""
    for key in changes.forgotten:
        memory[key] = None
    for one in changes.kept:
        memory[one.key] = one


def tried(text: str) -> tuple[Tried, ...]:
    """The settled steps of a run."""
    return tuple(
        Tried(position=position, verb=verb, state=state, reason=reason, attempts=attempts)
        for position, verb, state, reason, attempts in json.loads(text)
    )


def moment(columns: Sequence[Any], boots: Mapping[int, str]) -> Moment:
    """The moment of three columns: boot, uptime, wall."""
    boot, uptime, wall = columns
    return Moment(boot=boots[boot], uptime_s=uptime, wall_s=wall)


def event(fields: str, body: bytes) -> Event:
    """The event of an accepted report."""
    # Imported here: the daemon needs it only for what it reads back after a restart.
    from pbxrules.pbx.openvox import as_sent

    values: dict[str, FieldValue] = _no_lists(json.loads(fields))
    return Event(fields=values, payload=as_sent(body))
