"""Changes as SQL.

Rows of a commit go in by few statements with many rows: each statement gives up the GIL
once, and would otherwise fight the loop's thread for it at every row.  So of what a commit
says of one run, or remembers under one key, only the last is written.
"""

import itertools
import sqlite3
from collections.abc import Iterable, Iterator, Sequence

from pbxrules.model import Kept, KeptKey, Run
from pbxrules.store import Accepted, Advanced, Change, Refused, SeenAgain
from pbxrules.store.pruning import Pruner
from pbxrules.store.rows import (
    EVENT_COLUMNS,
    MEMORY_COLUMNS,
    RUN_COLUMNS,
    Row,
    event_row,
    kept_row,
    overlay,
    run_row,
    to_json,
)

MAX_ROWS = 16
"""Of one statement: a statement of each size stays prepared."""
PREPARED = 256
"""What a connection must keep for that."""
_HAS_KEY = "(kind = ? AND rule = ? AND name = ?)"


class Statements:
    """Writes changes, inside a transaction that the caller begins and ends."""

    def __init__(self, db: sqlite3.Connection, pruner: Pruner) -> None:
        self._db = db
        self._pruner = pruner
        self._boots: dict[str, int] = {}
        self._programs: set[str] = set()
        """Those that are stored."""

    def rolled_back(self) -> None:
        """Trust no more in what was written since the last commit."""
        self._boots.clear()
        self._programs.clear()

    def write(self, changes: Iterable[Change]) -> None:
        """Write *changes*, which take effect in their order."""
        events: list[Row] = []
        runs: dict[int, Run] = {}
        memory: dict[KeptKey, Kept | None] = {}
        for change in changes:
            match change:
                case Accepted():
                    for digest, text in change.programs:
                        if digest not in self._programs:
                            self._insert_program(digest, text)
                    events.append(event_row(change, self._boot(change.received.boot)))
                case SeenAgain():
                    self._insert_events(events)
                    events.clear()
                    self._see_again(change)
                case Refused():
                    self._refuse(change)
            if isinstance(change, Accepted | Advanced):
                for run in change.changes.runs:
                    runs[run.id] = run
                overlay(memory, change.changes)
        self._insert_events(events)
        self._insert_runs(runs.values())
        if memory:
            self._remember(memory)

    def _insert_events(self, rows: Sequence[Row]) -> None:
        self._many(f"INSERT INTO events ({EVENT_COLUMNS}) VALUES", rows)

    def _insert_runs(self, runs: Iterable[Run]) -> None:
        rows = [run_row(run, self._boot) for run in runs]
        self._many(f"INSERT OR REPLACE INTO runs ({RUN_COLUMNS}) VALUES", rows)

    def _remember(self, memory: dict[KeptKey, Kept | None]) -> None:
        kept = [kept_row(one, self._boot) for one in memory.values() if one is not None]
        forgotten = [key for key, one in memory.items() if one is None]
        self._many(f"INSERT OR REPLACE INTO memory ({MEMORY_COLUMNS}) VALUES", kept)
        # Not IN (VALUES …): SQLite 3.40 then looks at every row, 11 ms where there are 100,000.
        self._many("DELETE FROM memory WHERE", forgotten, each=_HAS_KEY, between=" OR ")

    def _many(self, start: str, rows: Sequence[Row], *, each: str = "", between: str = ",") -> None:
        for chunk in _chunks(rows):
            one = each or f"({','.join('?' * len(chunk[0]))})"
            sql = f"{start} {between.join([one] * len(chunk))}"
            self._db.execute(sql, list(itertools.chain.from_iterable(chunk)))

    def _insert_program(self, digest: str, text: str) -> None:
        self._db.execute("INSERT OR IGNORE INTO programs VALUES (?, ?)", (digest, text))
        self._programs.add(digest)

    def _see_again(self, seen: SeenAgain) -> None:
        at = seen.at
        self._db.execute(
            "UPDATE events SET repeats = repeats + 1,"
            " seen_boot = ?, seen_uptime = ?, seen_wall = ? WHERE id = ?",
            (self._boot(at.boot), at.uptime_s, at.wall_s, seen.event_id),
        )

    def _refuse(self, refused: Refused) -> None:
        errors = to_json([(e.pointer, e.message) for e in refused.errors])
        at = refused.at.wall_s
        self._db.execute(
            "INSERT INTO refused (digest, first_wall, last_wall, count, status, title, errors,"
            " body) VALUES (?, ?, ?, 1, ?, ?, ?, ?)"
            " ON CONFLICT (digest) DO UPDATE SET count = count + 1, last_wall = excluded.last_wall",
            (
                refused.digest,
                at,
                at,
                refused.status,
                refused.title,
                errors,
                refused.body,
            ),
        )
        self._pruner.bound_refused()

    def _boot(self, boot: str) -> int:
        number = self._boots.get(boot)
        if number is None:
            self._db.execute("INSERT OR IGNORE INTO boots (boot) VALUES (?)", (boot,))
            found = self._db.execute("SELECT id FROM boots WHERE boot = ?", (boot,))
            (number,) = found.fetchone()
            self._boots[boot] = number
        return number


def _chunks(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    for start in range(0, len(rows), MAX_ROWS):
        yield rows[start : start + MAX_ROWS]
