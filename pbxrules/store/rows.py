"""Values as rows of the SQLite store, and back."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple
from typing import Any

from pbxrules.model import Event, FieldValue, Miss, Moment, Run, Tried, Verdict
from pbxrules.store import Accepted

EVENT_COLUMNS = (
    "id, boot, uptime, wall, event, digest, subject, resend_s, seen_boot, seen_uptime, seen_wall,"
    " repeats, fields, body, verdicts"
)
RUN_COLUMNS = (
    "id, rule, program, position, verb, due_boot, due_uptime, due_wall, expires_s,"
    " try_boot, try_uptime, try_wall, attempt, tried, trigger_id"
)
Row = tuple[Any, ...]
to_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def event_row(accepted: Accepted, boot: int) -> Row:
    """The row of ``EVENT_COLUMNS``; *boot* is the number of the boot of its moment."""
    at = accepted.received
    return (
        accepted.id, boot, at.uptime_s, at.wall_s,
        accepted.event.kind, accepted.digest, accepted.subject, accepted.resend_s,
        boot, at.uptime_s, at.wall_s, 0,
        to_json(accepted.event.fields), accepted.body, verdicts_json(accepted.verdicts),
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


def run_row(run: Run, boot_number: Callable[[str], int]) -> Row:
    """The row of ``RUN_COLUMNS``."""
    due, due_try = run.due, run.next_try
    tried = [(t.position, t.verb, t.state, t.reason, t.attempts) for t in run.tried]
    return (
        run.id, run.rule, run.program, run.position, run.verb,
        boot_number(due.boot), due.uptime_s, due.wall_s, run.expires_s,
        boot_number(due_try.boot), due_try.uptime_s, due_try.wall_s,
        run.attempt, to_json(tried) if tried else "[]", run.trigger,
    )  # fmt: skip


def run(row: Sequence[Any], event_id: int, boots: Mapping[int, str]) -> Run:
    """The run of a row of ``RUN_COLUMNS``."""
    return Run(
        id=row[0], event_id=event_id, rule=row[1], program=row[2], position=row[3], verb=row[4],
        due=moment(row[5:8], boots), expires_s=row[8], next_try=moment(row[9:12], boots),
        attempt=row[12], tried=tried(row[13]), trigger=row[14],
    )  # fmt: skip


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

    values: dict[str, FieldValue] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in json.loads(fields).items()
    }
    return Event(fields=values, payload=as_sent(body))
