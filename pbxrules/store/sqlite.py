"""The store of one machine: SQLite in a file of its own, written by one thread.

WAL with ``synchronous=FULL``: every commit is fsynced (``NORMAL`` lost up to 976 answered
rows at a simulated power cut).  What was put while a commit was on its way goes into the
next, so an fsync is shared by all that waited for it.
"""

# Over 300 lines: both sides of one hand-over, the loop's and the writer's, are read together.

import contextlib
import fcntl
import logging
import os
import queue
import sqlite3
import threading
import uuid
from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from pbxrules.errors import StoreError
from pbxrules.model import Changes, Kept, KeptKey, Moment
from pbxrules.store import (
    Accepted,
    Advanced,
    Change,
    LoadedRun,
    OpenRun,
    Refused,
    SeenEvent,
    Settled,
    reading,
)
from pbxrules.store.ahead import make_room
from pbxrules.store.ballast import Ballast
from pbxrules.store.migrations import migrate
from pbxrules.store.pruning import Keep, Pruner
from pbxrules.store.rows import overlay
from pbxrules.store.statements import PREPARED, Statements

logger = logging.getLogger("pbxrules.store")

MAX_BATCH = 256
MAX_WAITING = 20_000
"""Refused reports beyond this many waiting changes are not kept: nobody waits for them."""
LAZY_S = 0.05
"""How long an outcome that nobody waits for may wait for a commit to go along with."""
PRUNE_EVERY = 256
"""Changes written between two looks at what is too old; a look deletes more than that."""
CHECKPOINT_EVERY = 200
"""Commits after which the log is moved into the database at the next quiet moment: of lone reports
some 550 pages.  SQLite itself moves 1,000, in the commit that reaches them: 5 ms more."""
QUIET_S = 0.1
"""Nothing to do for so long is a quiet moment."""
RETRY_S = 1.0
"""How often outcomes that could not be written are tried again."""


class _Put(NamedTuple):
    change: Change | None
    settled: Settled | None
    marker: str = ""


_LAZY = _Put(None, None, "lazy")
"""Says that outcomes wait at the loop, for a commit to go along with."""
_Answer = tuple[Settled, StoreError | None]


class _UnwritableError(StoreError):
    """It lies with a change itself: no other try can help."""


_PASSING = (sqlite3.Error, MemoryError)
_LASTING = (
    sqlite3.DataError, sqlite3.IntegrityError, sqlite3.InterfaceError, sqlite3.ProgrammingError,
)  # fmt: skip
"""Errors that may pass, and those of their kind that never do: the change is what is wrong."""


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
                self._statements = Statements(self._db, self._pruner)
            except (OSError, sqlite3.Error) as exc:
                raise StoreError(f"{folder}: {exc}") from exc
            opened.pop_all()
        self.path = folder / "pbxrules.db"
        make_room(folder / "pbxrules.db-wal")
        self.next_event_id = self._pruner.last_event_id + 1
        self._ballast = Ballast(folder / "ballast")
        self._ballast.take()
        self._call = call
        self._soon = soon
        self._queue: queue.SimpleQueue[list[_Put]] = queue.SimpleQueue()
        self._lazy: list[_Put] = []
        """Put before ``_put_now``, to go along with whatever is handed over next."""
        self._put_now: list[_Put] = []
        """Put in this turn of the loop, and not handed over yet."""
        self._unwritten: dict[object, Changes] = {}
        """What outcomes change of memory, until they are settled."""
        self._idle = True
        """The writer waits for something to do.  (A guess, for the other thread sets it.)"""
        self._some_lazy = False
        """The writer's: whether outcomes wait at the loop."""
        self._kept: list[_Put] = []
        """The writer's: outcomes that could not be written yet, in their order."""
        self._failed: StoreError | None = None
        """The writer's: why no news is written until a ``recover``."""
        self._lost: set[int] = set()
        """The writer's: events that failed since the last ``recover``."""
        self._told: StoreError | None = None
        self._recovered: StoreError | None = None
        """The loop's: the last failure it was told of, and the last it recovered from."""
        self._written = self._commits = 0
        """Changes since the last look at what is too old, and commits since the log was moved."""
        self._thread = threading.Thread(target=self._work, name="store", daemon=True)
        self._thread.start()

    # --- the loop's side ---------------------------------------------------------------

    def put(self, change: Change, settled: Settled | None = None) -> None:
        """Queue *change* to be committed; returns at once."""
        if isinstance(change, Advanced):
            settled = self._noted(change.changes, settled)
        put = _Put(change, settled)
        if isinstance(change, Advanced) and change.lazy and not self._put_now:
            self._lazy.append(put)
            if len(self._lazy) == 1:
                self._queue.put([_LAZY])
            return
        if isinstance(change, Refused) and self._queue.qsize() + len(self._put_now) > MAX_WAITING:
            return
        # A lone report waits for nobody; of many, the rest goes on while it is written.
        at_once = self._soon is None or (self._idle and not self._put_now)
        self._put_now.append(put)
        if at_once:
            self._hand_over()
        elif self._soon is not None and len(self._put_now) == 1:
            self._soon(self._hand_over)

    def _noted(self, changes: Changes, settled: Settled | None) -> Settled | None:
        """Know what an outcome says of memory until it is settled, and then call *settled*."""
        if not changes.kept and not changes.forgotten:
            return settled
        note = object()
        self._unwritten[note] = changes

        def told(fate: StoreError | None) -> None:
            del self._unwritten[note]
            if settled is not None:
                settled(fate)

        return told

    def _hand_over(self) -> None:
        handed = [*self._lazy, *self._put_now]
        if handed:
            self._idle = False
            self._queue.put(handed)
            self._lazy.clear()
            self._put_now.clear()

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

    def memory(self) -> list[Kept]:
        """All that is remembered, with what was put in an ``Advanced``, written or not."""
        with reading.opened(self.path) as db:
            remembered: dict[KeptKey, Kept | None] = {one.key: one for one in reading.memory(db)}
        for changes in self._unwritten.values():
            overlay(remembered, changes)
        return [one for one in remembered.values() if one is not None]

    def open_runs(self) -> list[OpenRun]:
        """All runs that something is owed of, in order of their ids."""
        with reading.opened(self.path) as db:
            return reading.open_runs(db)

    def load(self, run_ids: Sequence[int]) -> list[LoadedRun]:
        """These runs, whole, also those that were given up; may be called from any thread."""
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
        """What waits, up to a marker; nothing where it is time to look after outcomes."""
        batch: list[_Put] = []
        self._idle = True
        with contextlib.suppress(queue.Empty):
            batch += self._queue.get(timeout=self._patience_s())
            self._idle = False
            while len(batch) < MAX_BATCH and batch[-1].marker in {"", "lazy"}:
                batch += self._queue.get_nowait()
        return batch

    def _patience_s(self) -> float | None:
        """How long to wait for something to do, before it is time for something else."""
        if self._some_lazy:
            return LAZY_S
        if self._kept:
            return RETRY_S
        return QUIET_S if self._commits >= CHECKPOINT_EVERY else None

    def _commit(self, batch: list[_Put]) -> None:
        if self._some_lazy and not batch:
            # Nothing came that they could go along with.
            self._call(self._hand_over)
        # Whatever is handed over takes along all that waited before.
        self._some_lazy = bool(batch) and batch[-1] is _LAZY
        puts = [put for put in batch if put.change is not None]
        answers = self._write_all(puts)
        # A barrier tells that everything before it had its turn.
        answers += [(put.settled, None) for put in batch if put.change is None and put.settled]
        if answers:
            self._call(self._tell, answers, self._failed)
        if any(put.marker == "recover" for put in batch):
            self._failed = None
            self._lost.clear()
        self._tidy(quiet=not batch)

    def _tidy(self, *, quiet: bool) -> None:
        """What is due from time to time, behind the answers; what takes long when nobody asks."""
        if self._written >= PRUNE_EVERY:
            self._written = 0
            self._prune(full=False)
        if quiet and self._commits >= CHECKPOINT_EVERY:
            self._commits = 0
            with contextlib.suppress(sqlite3.Error):  # what is wrong with it, the next commit tells
                self._db.execute("PRAGMA wal_checkpoint")

    def _write_all(self, puts: list[_Put]) -> list[_Answer]:
        """Write all, else the outcomes alone; who is to be told what."""
        outcomes = [put for put in puts if isinstance(put.change, Advanced)]
        news = [put for put in puts if not isinstance(put.change, Advanced)]
        answers: list[_Answer] = []
        if news:
            # Nothing is written ahead of what was put before it.
            answers += self._write_kept()
            self._failed = self._failed or self._obstacle() or self._write(puts)
            if self._failed is None:
                return answers + _answers(puts, None)
        answers += _answers(news, self._failed)
        self._lost.update(put.change.id for put in news if isinstance(put.change, Accepted))
        tried_just_now = bool(news and self._kept)
        self._kept += [_without(put, self._lost) if self._lost else put for put in outcomes]
        return answers if tried_just_now else answers + self._write_kept()

    def _obstacle(self) -> StoreError | None:
        """Why news need not be tried."""
        if self._kept:
            return StoreError("what was put before can't be written")
        return None if self._ballast.keep() else StoreError("the disk is full")

    def _write_kept(self) -> list[_Answer]:
        """Write the outcomes that are kept, or as many as can be; who is to be told what.

        What has happened has happened: they stay until they can be written.  One that never
        can is let go of, for all that comes later would wait behind it.
        """
        if not self._kept:
            return []
        trouble = self._write(self._kept)
        if trouble is None:
            written, self._kept = self._kept, []
            return _answers(written, None)
        answers: list[_Answer] = []
        while self._kept and isinstance(trouble, _UnwritableError):
            alone = self._write(self._kept[:1])
            if alone is not None and not isinstance(alone, _UnwritableError):
                break
            answers += _answers([self._kept.pop(0)], alone)
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
            self._commits += 1
        return trouble

    def _write_once(self, puts: Sequence[_Put]) -> StoreError | None:
        db = self._db
        try:
            db.execute("BEGIN IMMEDIATE")
            self._statements.write([put.change for put in puts if put.change is not None])
            db.execute("COMMIT")
        except Exception as exc:
            with contextlib.suppress(sqlite3.Error):
                db.execute("ROLLBACK")
            self._statements.rolled_back()
            if isinstance(exc, _PASSING) and not isinstance(exc, _LASTING):
                return StoreError(str(exc))
            # It ends this commit, and not the thread.
            logger.exception("a change can't be written")
            return _UnwritableError(str(exc))
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

    def _made_once(self, key: str, make: Callable[[], str]) -> str:
        self._db.execute("INSERT OR IGNORE INTO meta VALUES (?, ?)", (key, make()))
        (value,) = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return str(value)


def _answers(puts: Iterable[_Put], fate: StoreError | None) -> list[_Answer]:
    return [(put.settled, fate) for put in puts if put.settled]


def _without(put: _Put, lost: AbstractSet[int]) -> _Put:
    """An outcome without the runs of the events *lost*."""
    assert isinstance(put.change, Advanced)
    changes = put.change.changes
    left = tuple(run for run in changes.runs if run.event_id not in lost)
    return put._replace(change=Advanced(changes=replace(changes, runs=left)))


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
    db = sqlite3.connect(
        path, isolation_level=None, check_same_thread=False, cached_statements=PREPARED
    )
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
