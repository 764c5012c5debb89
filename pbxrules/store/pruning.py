"""What the store forgets, so that it never fills the disk."""

import sqlite3
import time
from dataclasses import dataclass

from pbxrules.store import RUNS_PER_EVENT

CHUNK = 1_000
"""Events deleted at a time: a few milliseconds, so that no report waits for it."""
KEEP_REFUSED = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """How much history stays; what is still owed stays in any case."""

    events: int = 100_000
    days: float = 90
    megabytes: int = 1024


class Pruner:
    """Deletes what is too much or too old, in small chunks, on the writer's thread."""

    def __init__(self, db: sqlite3.Connection, keep: Keep) -> None:
        self._db = db
        self._keep = keep
        (page_size,) = db.execute("PRAGMA page_size").fetchone()
        self._max_pages = keep.megabytes * 1024 * 1024 // page_size
        db.execute(f"PRAGMA max_page_count = {self._max_pages}")
        oldest, newest = db.execute("SELECT min(id), max(id) FROM events").fetchone()
        self._cursor: int = oldest or 0
        kept = db.execute("SELECT value FROM meta WHERE key = 'last_event_id'").fetchone()
        self.last_event_id = max(newest or 0, int(kept[0]) if kept else 0)
        db.execute(
            "DELETE FROM programs WHERE digest NOT IN"
            " (SELECT program FROM runs WHERE position <> '')"
        )
        (self._refused,) = db.execute("SELECT count(*) FROM refused").fetchone()

    def prune(self) -> None:
        """Delete one chunk of what is no longer kept; events with open runs stay."""
        (newest,) = self._db.execute("SELECT max(id) FROM events").fetchone()
        if newest is None:
            return
        end = min(self._cursor + CHUNK, self._first_kept(newest))
        if end <= self._cursor:
            return
        runs = (self._cursor * RUNS_PER_EVENT, end * RUNS_PER_EVENT)
        self._db.execute("BEGIN IMMEDIATE")
        self._db.execute("INSERT OR REPLACE INTO meta VALUES ('last_event_id', ?)", (str(newest),))
        self._db.execute("DELETE FROM runs WHERE id >= ? AND id < ? AND position = ''", runs)
        self._db.execute(
            "DELETE FROM events WHERE id >= ? AND id < ? AND NOT EXISTS"
            " (SELECT 1 FROM runs WHERE runs.id BETWEEN events.id * ? AND (events.id + 1) * ?)",
            (self._cursor, end, RUNS_PER_EVENT, RUNS_PER_EVENT),
        )
        self._db.execute("COMMIT")
        self._cursor = end

    def _first_kept(self, newest: int) -> int:
        keep = self._keep
        too_many = newest - keep.events + 1
        # The wall clock of the machine: history is counted in days.
        before = time.time() - keep.days * 86_400
        old = self._db.execute(
            "SELECT id FROM events WHERE id >= ? AND wall >= ? ORDER BY id LIMIT 1",
            (self._cursor, before),
        ).fetchone()
        first = max(too_many, old[0] if old else newest)
        (pages,) = self._db.execute("PRAGMA page_count").fetchone()
        (free,) = self._db.execute("PRAGMA freelist_count").fetchone()
        if pages - free > 0.9 * self._max_pages:
            first = max(first, self._cursor + CHUNK)
        return min(first, newest)

    def bound_refused(self) -> None:
        """Keep the last ``KEEP_REFUSED`` refused reports."""
        (count,) = self._db.execute("SELECT count(*) FROM refused").fetchone()
        if count > KEEP_REFUSED:
            self._db.execute(
                "DELETE FROM refused WHERE id IN"
                " (SELECT id FROM refused ORDER BY last_wall, id LIMIT ?)",
                (count - KEEP_REFUSED,),
            )
