"""The store of one machine: SQLite in a file of its own, written by one thread.

WAL with ``synchronous=FULL``: every commit is fsynced (``NORMAL`` lost up to 976 answered
rows at a simulated power cut).  What was put while a commit was on its way goes into the
next, so an fsync is shared by all that waited for it.  Rows of a batch go in by few
statements with many rows: each statement gives up the GIL once, and would otherwise
fight the loop's thread for it at every row.
"""

# Over 300 lines: both sides of one hand-over, the loop's and the writer's, are read together.

import contextlib
import fcntl
import itertools
import logging
import os
import queue
import sqlite3
import threading
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from pbxrules.errors import StoreError
from pbxrules.model import Moment
from pbxrules.store import (
    Accepted,
    Advanced,
    Change,
    LoadedRun,
    OpenRun,
    Refused,
    SeenAgain,
    SeenEvent,
    Settled,
    reading,
)
from pbxrules.store.ballast import Ballast
from pbxrules.store.migrations import migrate
from pbxrules.store.pruning import Keep, Pruner
from pbxrules.store.rows import (
    EVENT_COLUMNS,
    RUN_COLUMNS,
    Row,
    event_row,
    run_row,
    to_json,
)

logger = logging.getLogger("pbxrules.store")

MAX_BATCH = 256
MAX_WAITING = 20_000
"""Refused reports beyond this many waiting changes are not kept: nobody waits for them."""
MAX_ROWS = 16
"""Of one statement: a statement of each size stays prepared, all together 0.5 MB (32: 1.8)."""
LAZY_S = 0.05
"""How long an outcome that nobody waits for may wait for a commit to go along with."""
PRUNE_EVERY = 256
"""Changes written between two looks at what is too old; a look deletes more than that."""
RETRY_S = 1.0
"""How often outcomes that could not be written are tried again."""


class _Put(NamedTuple):
    change: Change | None
    settled: Settled | None
    marker: str = ""


_LAZY = _Put(None, None, "lazy")
"""Says that outcomes wait which may go along with the next commit."""
_Answer = tuple[Settled, StoreError | None]


class SqliteStore:
    """A ``Store`` (see the package) in ``FOLDER/pbxrules.db``."""

    def __init__(
        self,
        folder: Path,
        *,
        keep: Keep,
        call: Callable[..., object],
        soon: Callable[..., object] | None = None,
    ) -> None:
        """Open or make the store, and start its writer.

        Args:
            folder: Made if it is missing, for its owner only.
            keep: How much history stays.
            call: Runs a function on the loop's thread, such as ``call_soon_threadsafe``.
            soon: As ``call``, but only called on the loop's thread, such as ``call_soon``:
                what is put in one turn of the loop then goes into one commit.

        Raises:
            StoreError: Another process owns the folder, or the file can't be used.
        """
        with contextlib.ExitStack() as opened:
            try:
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
                self._lock = _own(folder)
                opened.callback(os.close, self._lock)
                self._db = _connect(folder / "pbxrules.db")
                opened.callback(self._db.close)
                migrate(self._db)
                self.id = self._made_once("store", lambda: uuid.uuid4().hex[:12])
                self._pruner = Pruner(self._db, keep)
            except (OSError, sqlite3.Error) as exc:
                raise StoreError(f"{folder}: {exc}") from exc
            opened.pop_all()
        self.path = folder / "pbxrules.db"
        self._boots: dict[str, int] = {}
        self._programs: set[str] = set()
        self.next_event_id = self._pruner.last_event_id + 1
        self._ballast = Ballast(folder / "ballast")
        self._ballast.take()
        self._call = call
        self._soon = soon
        self._queue: queue.SimpleQueue[list[_Put]] = queue.SimpleQueue()
        self._put_now: list[_Put] = []
        """Put in this turn of the loop, and not handed over yet."""
        self._idle = True
        """The writer waits for something to do.  (A guess, for the other thread sets it.)"""
        self._lazy: deque[_Put] = deque()
        """Outcomes that nobody waits for: they go along with the next commit."""
        self._kept: list[_Put] = []
        self._failed: StoreError | None = None
        """The writer's: why no news is written until a ``recover``."""
        self._told: StoreError | None = None
        self._recovered: StoreError | None = None
        """The loop's: the last failure it was told of, and the last it recovered from."""
        self._written = 0
        """Changes since the last look at what is too old."""
        self._thread = threading.Thread(target=self._work, name="store", daemon=True)
        self._thread.start()

    # --- the loop's side ---------------------------------------------------------------

    def put(self, change: Change, settled: Settled | None = None) -> None:
        """Queue *change* to be committed; returns at once."""
        put = _Put(change, settled)
        if isinstance(change, Advanced) and change.run.ended:
            self._lazy.append(put)
            if len(self._lazy) == 1:
                self._queue.put([_LAZY])
        elif isinstance(change, Refused) and self._queue.qsize() > MAX_WAITING:
            return
        elif self._soon is None or (self._idle and not self._put_now):
            # A lone report waits for nobody; of many, the rest goes on while it is written.
            self._idle = False
            self._queue.put([put])
        else:
            self._put_now.append(put)
            if len(self._put_now) == 1:
                self._soon(self._hand_over)

    def _hand_over(self) -> None:
        if self._put_now:
            self._queue.put(self._put_now)
            self._put_now = []

    def recover(self) -> bool:
        """Accept changes again after a failed commit; whether this is the first word of it.

        Of one failure many are told.  Only the first may recover: behind its marker another
        commit may fail, and a later marker would let through what was decided behind that.
        """
        if self._told is self._recovered:
            return False
        self._recovered = self._told
        self._hand_over()
        self._queue.put([_Put(None, None, "recover")])
        return True

    def _tell(self, answers: Iterable[_Answer], failed: StoreError | None) -> None:
        if failed is not None:
            self._told = failed
        for settled, fate in answers:
            try:
                settled(fate)
            except Exception:  # whoever else is told must not suffer for it
                logger.exception("what follows a commit broke")

    def barrier(self, settled: Settled) -> None:
        """Call *settled* once all that was put before is settled."""
        self._hand_over()
        self._queue.put([_Put(None, settled)])

    def seen(self, *, now: Moment) -> list[SeenEvent]:
        """Events whose resends may still come, and each subject's last; the oldest first."""
        with reading.opened(self.path) as db:
            return reading.seen(db, now)

    def open_runs(self) -> list[OpenRun]:
        """All runs that something is owed of, in order of their ids."""
        with reading.opened(self.path) as db:
            return reading.open_runs(db)

    def load(self, run_ids: Sequence[int]) -> list[LoadedRun]:
        """These open runs, whole; may be called from any thread."""
        with reading.opened(self.path) as db:
            return reading.load(db, run_ids)

    def close(self) -> None:
        """Commit what was put, and let go of the store."""
        self._hand_over()
        self._queue.put([_Put(None, None, "stop")])
        self._thread.join()
        self._db.close()
        os.close(self._lock)

    # --- the writer's side -------------------------------------------------------------

    def _work(self) -> None:
        while True:
            batch = self._take()
            stop = any(put.marker == "stop" for put in batch)
            try:
                self._commit(batch)
            except Exception:  # without this thread every report would wait for ever
                logger.exception("the store's writer broke, and goes on")
            if stop:
                return

    def _take(self) -> list[_Put]:
        """What waits, up to a marker; nothing where outcomes are to be tried again."""
        batch: list[_Put] = []
        with contextlib.suppress(queue.Empty):
            self._idle = True
            batch += self._queue.get(timeout=RETRY_S if self._kept else None)
            if batch[-1] is _LAZY:
                batch += self._queue.get(timeout=LAZY_S)
            self._idle = False
            while len(batch) < MAX_BATCH and not batch[-1].marker:
                batch += self._queue.get_nowait()
        # Whoever appends to an empty deque wakes us; so what comes while it is emptied is not lost.
        lazy = []
        with contextlib.suppress(IndexError):
            while True:
                lazy.append(self._lazy.popleft())
        # What has ended comes last, behind whatever else was said of the same run.
        return batch + lazy

    def _commit(self, batch: list[_Put]) -> None:
        outcomes = [put for put in batch if isinstance(put.change, Advanced)]
        news = [put for put in batch if put.change and not isinstance(put.change, Advanced)]
        answers = self._write_news(news, outcomes) if news or outcomes or self._kept else []
        # A barrier tells that everything before it had its turn.
        answers += [(put.settled, None) for put in batch if put.change is None and put.settled]
        if answers:
            self._call(self._tell, answers, self._failed)
        if any(put.marker == "recover" for put in batch):
            self._failed = None

    def _write_news(self, news: list[_Put], outcomes: list[_Put]) -> list[_Answer]:
        """Write all, else the outcomes alone; who is to be told what."""
        if news and self._failed is None and not self._ballast.keep():
            self._failed = StoreError("the disk is full")
        settled = [*self._kept, *outcomes]
        if self._failed is None and news:
            # What could not be written before must not fail what comes after it.
            together = [] if self._kept else settled
            self._failed = self._write([*news, *together])
            if self._failed is None and together is settled:
                return [(put.settled, None) for put in (*news, *settled) if put.settled]
        answers: list[_Answer] = [(put.settled, self._failed) for put in news if put.settled]
        # What has happened has happened: outcomes stay until they can be written.
        if settled and self._write(settled) is None:
            self._kept.clear()
            answers += [(put.settled, None) for put in settled if put.settled]
        else:
            self._kept = settled
        return answers

    def _write(self, puts: Sequence[_Put]) -> StoreError | None:
        """Write all or nothing; a store at its own bound first forgets its oldest events."""
        trouble = self._write_once(puts)
        if trouble is not None and "full" in str(trouble):
            if self._prune(full=True):
                trouble = self._write_once(puts)
            if trouble is not None:
                self._ballast.give_up()
        if trouble is None:
            self._written += len(puts)
            if self._written >= PRUNE_EVERY:
                self._written = 0
                self._prune(full=False)
        return trouble

    def _write_once(self, puts: Sequence[_Put]) -> StoreError | None:
        db = self._db
        try:
            db.execute("BEGIN IMMEDIATE")
            self._insert([put.change for put in puts if put.change is not None])
            db.execute("COMMIT")
        except Exception as exc:
            with contextlib.suppress(sqlite3.Error):
                db.execute("ROLLBACK")
            self._programs.clear()
            self._boots.clear()
            if not isinstance(exc, sqlite3.Error):
                # It ends this commit, and not the thread.
                logger.exception("a change can't be written")
            return StoreError(str(exc))
        return None

    def _prune(self, *, full: bool) -> bool:
        """Whether old events went; a failure is no failure of what was committed before."""
        try:
            return self._pruner.prune(full=full)
        except Exception:
            with contextlib.suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")
            logger.exception("old events can't be deleted")
            return False

    def _insert(self, changes: Iterable[Change]) -> None:
        events: list[Row] = []
        runs: list[Row] = []
        for change in changes:
            match change:
                case Accepted():
                    for digest, source in change.programs:
                        if digest not in self._programs:
                            self._insert_program(digest, to_json(source))
                    events.append(event_row(change, self._boot(change.received.boot)))
                    runs.extend(run_row(run, self._boot) for run in change.runs)
                case Advanced():
                    runs.append(run_row(change.run, self._boot))
                case SeenAgain():
                    self._many("events", EVENT_COLUMNS, "", events)
                    events.clear()
                    self._see_again(change)
                case Refused():
                    self._refuse(change)
        self._many("events", EVENT_COLUMNS, "", events)
        self._many("runs", RUN_COLUMNS, _ON_RUN_CONFLICT, runs)

    def _many(self, table: str, columns: str, conflict: str, rows: list[Row]) -> None:
        row_sql = "(" + ",".join("?" * (columns.count(",") + 1)) + ")"
        start = 0
        while start < len(rows):
            chunk = rows[start : start + MAX_ROWS]
            values = ",".join([row_sql] * len(chunk))
            sql = f"INSERT INTO {table} ({columns}) VALUES {values} {conflict}"
            self._db.execute(sql, list(itertools.chain.from_iterable(chunk)))
            start += len(chunk)

    def _insert_program(self, digest: str, source: str) -> None:
        self._db.execute("INSERT OR IGNORE INTO programs VALUES (?, ?)", (digest, source))
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

    def _made_once(self, key: str, make: Callable[[], str]) -> str:
        self._db.execute("INSERT OR IGNORE INTO meta VALUES (?, ?)", (key, make()))
        (value,) = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return str(value)


_ON_RUN_CONFLICT = "ON CONFLICT (id) DO UPDATE SET " + ", ".join(
    f"{column} = excluded.{column}"
    for column in (name.strip() for name in RUN_COLUMNS.split(","))
    if column not in ("id", "rule", "program", "trigger_id")
)


def _own(folder: Path) -> int:
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as exc:
        pid = os.pread(lock, 20, 0).decode("ascii", "replace").strip()
        os.close(lock)
        raise StoreError(
            f"{folder} belongs to the pbxrules that runs as process {pid}: "
            "stop that one, or give another state folder"
        ) from exc
    os.ftruncate(lock, 0)
    os.pwrite(lock, str(os.getpid()).encode(), 0)
    return lock


def _connect(path: Path) -> sqlite3.Connection:
    existed = path.exists()
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        if not existed:
            path.chmod(0o600)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA journal_size_limit = 16777216")
        db.execute("PRAGMA busy_timeout = 5000")
        # The writer appends: it comes back to a handful of pages, and 2 MB would be kept for more.
        db.execute("PRAGMA cache_size = -512")
    except sqlite3.Error:
        db.close()
        raise
    return db
