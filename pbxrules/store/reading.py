"""Reading a SQLite store: by its owner, and by commands while the daemon writes.

Each reading is short: a reader that stays open keeps the write-ahead log from shrinking.
"""

import contextlib
import json
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from pbxrules.errors import StoreError, ValueProblem
from pbxrules.model import Event, Moment, Run, Verdict
from pbxrules.store import RUNS_PER_EVENT, LoadedRun, OpenRun, SeenEvent, rows
from pbxrules.store.migrations import MIGRATIONS


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


def open_runs(db: sqlite3.Connection) -> list[OpenRun]:
    """All runs that something is owed of, in order of their ids."""
    boots = _boots(db)
    found = db.execute(
        "SELECT id, rule, verb, due_boot, due_uptime, due_wall, expires_s,"
        " try_boot, try_uptime, try_wall"
        " FROM runs WHERE position <> '' ORDER BY id"
    )
    return [
        OpenRun(
            id=row[0],
            rule=row[1],
            verb=row[2],
            due=rows.moment(row[3:6], boots),
            expires_s=row[6],
            next_try=rows.moment(row[7:10], boots),
        )
        for row in found
    ]


def load(db: sqlite3.Connection, run_ids: Sequence[int]) -> list[LoadedRun]:
    """These runs, whole."""
    boots = _boots(db)
    columns = ", ".join(f"runs.{name.strip()}" for name in rows.RUN_COLUMNS.split(","))
    found = db.execute(
        f"SELECT {columns}, events.id, events.fields, events.body, programs.source FROM runs"
        " JOIN events ON events.id = runs.id / ?"
        " JOIN programs ON programs.digest = runs.program"
        f" WHERE runs.id IN ({','.join('?' * len(run_ids))}) ORDER BY runs.id",
        (RUNS_PER_EVENT, *run_ids),
    )
    return [
        LoadedRun(
            run=rows.run(row[:15], row[15], boots),
            event=rows.event(row[16], row[17]),
            source=json.loads(row[18]),
        )
        for row in found
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRecord:
    """An accepted event as ``pbxrules events`` shows it."""

    id: int
    event: Event
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
        "SELECT id, fields, body, verdicts, repeats FROM events WHERE id > ? ORDER BY id LIMIT ?",
        (after, -1 if at_most is None else at_most),
    ).fetchall()
    return [
        EventRecord(
            id=id_,
            event=rows.event(fields, body),
            verdicts=rows.verdicts(verdicts),
            runs=_runs_of(db, id_, boots),
            repeats=repeats,
        )
        for id_, fields, body, verdicts, repeats in found
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
