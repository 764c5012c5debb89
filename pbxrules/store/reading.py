"""Reading a SQLite store: by its owner, and by commands while the daemon writes.

Each reading is short: a reader that stays open keeps the write-ahead log from shrinking.
"""

import contextlib
import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pbxrules.errors import StoreError, ValueProblem
from pbxrules.model import RUNS_PER_EVENT, Event, Kept, Moment, Run, Verdict
from pbxrules.store import LoadedRun, OpenRun, SeenEvent, rows
from pbxrules.store.migrations import MIGRATIONS

MAX_IDS = 1_000
"""Of one statement: SQLite takes no more than 32,766 values."""


@contextlib.contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """The store at *path*, for reading only.

    Raises:
        StoreError: There is none, it is of another version, or it can't be read.
    """
    try:
        db = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=5)
    except sqlite3.Error as exc:
        raise StoreError(f"{path}: {exc}") from exc
    try:
        _check_version(path, db)
        yield db
    except sqlite3.Error as exc:
        raise StoreError(f"{path}: {exc}") from exc
    finally:
        db.close()


def _check_version(path: Path, db: sqlite3.Connection) -> None:
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if 0 < version < len(MIGRATIONS):
        raise StoreError(
            f"{path}: an older pbxrules wrote it: start 'pbxrules serve' once, and it is brought"
            " up to date"
        )
    if version > len(MIGRATIONS):
        raise StoreError(f"{path}: a newer pbxrules wrote it: read it with that one")


def _boots(db: sqlite3.Connection) -> dict[int, str]:
    return dict(db.execute("SELECT id, boot FROM boots"))


def seen(db: sqlite3.Connection, now: Moment) -> list[SeenEvent]:
    """Events whose resends may still come, and each subject's last; the oldest first."""
    boots = _boots(db)
    columns = "id, event, digest, subject, resend_s, verdicts, seen_boot, seen_uptime, seen_wall"
    found = db.execute(
        f"SELECT {columns} FROM events WHERE subject IS NULL AND (seen_wall + resend_s >= ?"
        " OR (seen_boot = (SELECT id FROM boots WHERE boot = ?) AND seen_uptime + resend_s >= ?))"
        f" UNION ALL SELECT {columns} FROM events WHERE id IN"
        " (SELECT max(id) FROM events WHERE subject IS NOT NULL GROUP BY subject)"
        " ORDER BY seen_wall, id",
        (now.wall_s, now.boot, now.uptime_s),
    )
    return [
        SeenEvent(
            id=row[0],
            event=row[1],
            digest=row[2],
            subject=row[3],
            resend_s=row[4],
            rules=tuple(v.rule for v in rows.verdicts(row[5]) if v.matched),
            last_seen=rows.moment(row[6:9], boots),
        )
        for row in found
    ]


def memory(db: sqlite3.Connection) -> list[Kept]:
    """All that is remembered: what is to be forgotten first comes first, what never is, last."""
    boots = _boots(db)
    found = db.execute(
        f"SELECT {rows.MEMORY_COLUMNS} FROM memory"
        " ORDER BY until_wall IS NULL, until_wall, kind, rule, name"
    )
    return [rows.kept(row, boots) for row in found]


def open_runs(db: sqlite3.Connection) -> list[OpenRun]:
    """All runs that something is owed of, in order of their ids."""
    boots = _boots(db)
    found = db.execute(
        "SELECT id, rule, program, lane, call, verb, due_boot, due_uptime, due_wall, expires_s,"
        " try_boot, try_uptime, try_wall,"
        # A parent stands first in it; without one there may be much, none of it needed here.
        f""" CASE WHEN more GLOB '{{"{rows.MORE[0]}":*' THEN more ELSE '' END"""
        " FROM runs WHERE position <> '' ORDER BY id"
    )
    return [
        OpenRun(
            id=row[0],
            rule=row[1],
            program=row[2],
            lane=row[3],
            call=row[4],
            parent=rows.more(row[13]).get("parent", 0),
            verb=row[5],
            due=rows.moment(row[6:9], boots),
            expires_s=row[9],
            next_try=rows.moment(row[10:13], boots),
        )
        for row in found
    ]


def queue(db: sqlite3.Connection, *, given_up: int) -> tuple[list[Run], list[Run]]:
    """The runs that something is owed of, and the last *given_up* of which that was given up."""
    boots = _boots(db)
    columns = f"SELECT {rows.RUN_COLUMNS} FROM runs"
    still = db.execute(f"{columns} WHERE position <> '' ORDER BY id")
    open_ = [rows.run(row, row[0] // RUNS_PER_EVENT, boots) for row in still]
    ended = db.execute(
        f"{columns} WHERE {rows.GIVEN_UP} AND position = '' ORDER BY id DESC LIMIT ?", (given_up,)
    )
    return open_, [rows.run(row, row[0] // RUNS_PER_EVENT, boots) for row in ended][::-1]


def load(db: sqlite3.Connection, run_ids: Sequence[int]) -> list[LoadedRun]:
    """These runs, whole, in order of their ids."""
    loading = _Loading(db)
    ids = sorted(set(run_ids))
    return [
        loaded
        for start in range(0, len(ids), MAX_IDS)
        for loaded in loading.load(ids[start : start + MAX_IDS])
    ]


class _Loading:
    """Reads runs; those of one event, or of one program, share it."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._boots = _boots(db)
        self._event: tuple[int, Event] | None = None
        """The last one: runs come in order of their ids, and so of their events."""
        self._sources: dict[str, Mapping[str, Any] | None] = {}

    def load(self, run_ids: Sequence[int]) -> Iterator[LoadedRun]:
        columns = [f"runs.{name.strip()}" for name in rows.RUN_COLUMNS.split(",")]
        found = self._db.execute(
            f"SELECT {', '.join(columns)}, events.id, events.fields, events.body, events.call"
            " FROM runs JOIN events ON events.id = runs.id / ?"
            f" WHERE runs.id IN ({','.join('?' * len(run_ids))}) ORDER BY runs.id",
            (RUNS_PER_EVENT, *run_ids),
        )
        for row in found:
            event_id, fields, body, call = row[len(columns) :]
            run = rows.run(row[: len(columns)], event_id, self._boots)
            source = self._source(run.program)
            if source is not None:
                event = self._event_of(event_id, fields, body)
                yield LoadedRun(run=run, event=event, call=call, source=source)

    def _event_of(self, event_id: int, fields: str, body: bytes) -> Event:
        if self._event is None or self._event[0] != event_id:
            self._event = event_id, rows.event(fields, body)
        return self._event[1]

    def _source(self, digest: str) -> Mapping[str, Any] | None:
        if digest not in self._sources:
            found = self._db.execute("SELECT source FROM programs WHERE digest = ?", (digest,))
            row = found.fetchone()
            self._sources[digest] = None if row is None else json.loads(row[0])
        return self._sources[digest]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRecord:
    """An accepted event as ``pbxrules events`` shows it."""

    id: int
    event: Event
    call: str
    """The key of its call; ``""`` where it has none."""
    verdicts: tuple[Verdict, ...]
    runs: tuple[Run, ...]
    repeats: int


def before_last(db: sqlite3.Connection, count: int) -> int:
    """The id after which the last *count* events come; 0 if there are no more than those."""
    found = db.execute("SELECT id FROM events ORDER BY id DESC LIMIT 1 OFFSET ?", (count,))
    row = found.fetchone()
    return int(row[0]) if row else 0


def events(
    db: sqlite3.Connection, *, after: int = 0, at_most: int | None = None
) -> list[EventRecord]:
    """Accepted events with ids above *after*, in order; the first *at_most* of them."""
    boots = _boots(db)
    found = db.execute(
        "SELECT id, fields, body, call, verdicts, repeats FROM events"
        " WHERE id > ? ORDER BY id LIMIT ?",
        (after, -1 if at_most is None else at_most),
    ).fetchall()
    return [
        EventRecord(
            id=id_,
            event=rows.event(fields, body),
            call=call,
            verdicts=rows.verdicts(verdicts),
            runs=_runs_of(db, id_, boots),
            repeats=repeats,
        )
        for id_, fields, body, call, verdicts, repeats in found
    ]


def _runs_of(db: sqlite3.Connection, event_id: int, boots: dict[int, str]) -> tuple[Run, ...]:
    found = db.execute(
        f"SELECT {rows.RUN_COLUMNS} FROM runs WHERE id > ? AND id < ? ORDER BY id",
        (event_id * RUNS_PER_EVENT, (event_id + 1) * RUNS_PER_EVENT),
    )
    return tuple(rows.run(row, event_id, boots) for row in found)


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedRecord:
    """A report that was not accepted."""

    id: int
    first_wall_s: float
    last_wall_s: float
    count: int
    status: int
    title: str
    errors: tuple[ValueProblem, ...]
    body: bytes


def refused(db: sqlite3.Connection) -> list[RefusedRecord]:
    """The reports that were not accepted, in the order in which they last came."""
    found = db.execute(
        "SELECT id, first_wall, last_wall, count, status, title, errors, body FROM refused"
        " ORDER BY last_wall, id"
    )
    return [
        RefusedRecord(
            id=row[0],
            first_wall_s=row[1],
            last_wall_s=row[2],
            count=row[3],
            status=row[4],
            title=row[5],
            errors=tuple(ValueProblem(p, m) for p, m in json.loads(row[6])),
            body=row[7],
        )
        for row in found
    ]
