"""What the store forgets, so that it never fills the disk."""

import sqlite3
import time
from dataclasses import dataclass

from pbxrules.model import RUNS_PER_EVENT
from pbxrules.store.rows import GIVEN_UP

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
            " (SELECT program FROM runs WHERE position <> '' UNION"
            # What was given up may be taken up again.
            f" SELECT program FROM runs WHERE {GIVEN_UP})"
        )
        (self._refused,) = db.execute("SELECT count(*) FROM refused").fetchone()

    def prune(self, *, full: bool = False) -> bool:
        """Delete one chunk of what is no longer kept; events with open runs stay.

        Args:
            full: There is no room for a commit; if it is our own bound, make some.

        Returns:
            Whether there was such a chunk.
        """
        (newest,) = self._db.execute("SELECT max(id) FROM events").fetchone()
        if newest is None:
            return False
        bound = 0.5 if full else 0.9
        end = self._end(newest, bound)
        if end <= self._cursor:
            # Once more from the oldest: of what was passed by, nothing may be owed any more.
            (self._cursor,) = self._db.execute("SELECT min(id) FROM events").fetchone()
            end = self._end(newest, bound)
        if end <= self._cursor:
            return False
        runs = (self._cursor * RUNS_PER_EVENT, end * RUNS_PER_EVENT)
        self._db.execute("BEGIN IMMEDIATE")
        self._db.execute("INSERT OR REPLACE INTO meta VALUES ('last_event_id', ?)", (str(newest),))
        # With an event that stays stay all of its runs: they are shown, and may be one's branches.
        self._db.execute(
            "DELETE FROM events WHERE id >= ? AND id < ? AND NOT EXISTS (SELECT 1 FROM runs"
            " WHERE position <> '' AND runs.id BETWEEN events.id * ? AND (events.id + 1) * ?)",
            (self._cursor, end, RUNS_PER_EVENT, RUNS_PER_EVENT),
        )
        self._db.execute(
            "DELETE FROM runs WHERE id >= ? AND id < ? AND NOT EXISTS"
            " (SELECT 1 FROM events WHERE events.id = runs.id / ?)",
            (*runs, RUNS_PER_EVENT),
        )
        self._db.execute("COMMIT")
        self._cursor = end
        return True

    def _end(self, newest: int, bound: float) -> int:
        """The end of the next chunk: the id of the first event that stays."""
        chunk = self._db.execute(
            "SELECT id FROM events WHERE id >= ? ORDER BY id LIMIT 1 OFFSET ?",
            (self._cursor, CHUNK),
        ).fetchone()
        chunk_end: int = chunk[0] if chunk else newest
        return min(chunk_end, self._first_kept(newest, chunk_end, bound))

    def _first_kept(self, newest: int, chunk_end: int, bound: float) -> int:
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
        if pages - free > bound * self._max_pages:
            first = max(first, chunk_end)
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
