"""The events of a SQLite store from the oldest one on, many and quickly: a million takes a minute.

Reports as sent are read only where a rule asks for them, and decisions are left as they are
stored until somebody looks.
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from typing import Any

from pbxrules.model import NOTHING, RUNS_PER_EVENT, Event, FieldValue, Moment
from pbxrules.pbx.openvox import as_sent
from pbxrules.replaying.past import Past, Sent
from pbxrules.store import rows

PAGE = 2_000
"""Events of one reading: 10 ms, so that the write-ahead log can shrink in between."""
_NONE: frozenset[str] = frozenset()
_MATCHED, _WAITED = ",true,", '"waited for"'
"""What stands in stored verdicts where a rule fired, or its ``for`` began to wait."""
FOR, WAITS = "for", "its 'for' waits still"


def span(db: sqlite3.Connection) -> tuple[int, int]:
    """The ids of the oldest and the newest event; 0, 0 where there is none."""
    oldest, newest = db.execute("SELECT min(id), max(id) FROM events").fetchone()
    return oldest or 0, newest or 0


def events(db: sqlite3.Connection, *, after: int = 0, before: int | None = None) -> Iterator[Past]:
    """The events that are kept, in the order in which they came, with ids between these two.

    Raises:
        sqlite3.Error: They can't be read.
    """
    boots: dict[int, str] = dict(db.execute("SELECT id, boot FROM boots"))
    last, end = after, (1 << 62) if before is None else before
    while True:
        # A reading ends with its last row, and all are fetched at once.
        page = db.execute(
            "SELECT id, boot, uptime, wall, fields, body, verdicts FROM events"
            " WHERE id > ? AND id < ? ORDER BY id LIMIT ?",
            (last, end, PAGE),
        ).fetchall()
        if not page:
            return
        for id_, boot, uptime_s, wall_s, fields, body, verdicts in page:
            if boot not in boots:  # the daemon writes on
                boots.update(db.execute("SELECT id, boot FROM boots"))
            fired, ended = _fired(db, id_, verdicts)
            yield Past(
                id=id_,
                came=Moment(boot=boots[boot], uptime_s=uptime_s, wall_s=wall_s),
                event=Event(fields=_fields(fields), payload=Sent(body, as_sent)),
                fired=fired,
                ended=ended,
                verdicts=verdicts,
            )
        last = page[-1][0]


def _fields(text: str) -> Mapping[str, FieldValue]:
    values: dict[str, Any] = json.loads(text)
    if "[" in text:
        for name, value in values.items():
            if type(value) is list:
                values[name] = tuple(value)
    return values


def _fired(
    db: sqlite3.Connection, event_id: int, verdicts: str
) -> tuple[frozenset[str], Mapping[str, str]]:
    """The rules that fired, at once or after their ``for``; and why the others' ended."""
    if _MATCHED not in verdicts and _WAITED not in verdicts:
        return _NONE, NOTHING
    at_once = frozenset(rule for rule, matched, _ in json.loads(verdicts) if matched)
    if _WAITED not in verdicts:
        return at_once, NOTHING
    runs = _runs(db, event_id)
    ended = {rule: why for rule, why in runs.items() if why is not None}
    return at_once | (runs.keys() - ended.keys()), ended


def _runs(db: sqlite3.Connection, event_id: int) -> dict[str, str | None]:
    """The rules of an event's runs, and why each has not begun; None: it has."""
    found = db.execute(
        "SELECT rule, position, verb, tried FROM runs WHERE id > ? AND id < ? ORDER BY id",
        (event_id * RUNS_PER_EVENT, (event_id + 1) * RUNS_PER_EVENT),
    ).fetchall()
    return {rule: _not_begun(position, verb, tried) for rule, position, verb, tried in found}


def _not_begun(position: str, verb: str, tried: str) -> str | None:
    if position:
        return WAITS if verb == FOR else None
    steps = rows.tried(tried)
    return steps[-1].reason if steps and steps[-1].verb == FOR else None
