"""What was accepted and what is owed: the contract that every store keeps.

One process owns a store.  Changes are put by the loop's thread, in the order in which
they were decided; they take effect in that order, and are durable (fsynced) when their
callback runs.  A change whose commit failed left no trace, and neither did any put after
it until ``recover``: what was decided behind it was decided on a memory that does not
exist.

What time or an action made of runs (``Advanced``) is the exception: what has happened has
happened.  It is kept, and written as soon as the store can write again, ahead of all that
was put after it; only the runs of an event that failed are left out of it.  One that no
try could ever write, which is a defect, is let go of and told so.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pbxrules.errors import StoreError, ValueProblem
from pbxrules.model import Changes, Event, Kept, Moment, Run, Verdict
from pbxrules.records import record

Settled = Callable[[StoreError | None], None]
"""Called on the loop's thread, once, with None when the change is durable."""


@record(kw_only=False)
class Accepted:
    """An event, what was decided, and what that changes."""

    id: int
    event: Event
    call: str
    """The key of its call; ``""`` where it has none."""
    body: bytes
    digest: bytes
    subject: str | None
    """Of an ``extension_status``: whose status it is."""
    resend_s: float
    """For how long, since it was last seen, the same bytes are a resend."""
    received: Moment
    verdicts: tuple[Verdict, ...]
    changes: Changes
    """The runs that begin, those of earlier events that it moved or ended, and memory."""
    programs: tuple[tuple[str, str], ...]
    """Digest and JSON text of the programs of the runs that begin."""


@record()
class SeenAgain:
    """A resend of an event that is already accepted."""

    event_id: int
    at: Moment


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A report that was not accepted, kept to look at; the same bytes are counted."""

    at: Moment
    digest: bytes
    body: bytes
    status: int
    title: str
    errors: tuple[ValueProblem, ...]


@record()
class Advanced:
    """Runs that went on without an event: an action settled, or a time came.

    It may begin branches of a ``parallel``: their program is stored already.
    """

    changes: Changes

    @property
    def lazy(self) -> bool:
        """Whether it may be written a little later, along with what is put next.

        So it is where all of its runs have ended, and memory stays as it is: nobody waits
        for that, and a crash in between only repeats what is at-least-once anyway.
        """
        changes = self.changes
        quiet = not changes.kept and not changes.forgotten
        return quiet and all(run.ended for run in changes.runs)


Change = Accepted | SeenAgain | Refused | Advanced


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenEvent:
    """What is remembered of an event to know its resend."""

    id: int
    event: str
    digest: bytes
    subject: str | None
    resend_s: float
    rules: tuple[str, ...]
    last_seen: Moment


@record()
class OpenRun:
    """A run that something is owed of, in short: what it takes to line it up, or to time it."""

    id: int
    rule: str
    program: str
    lane: str
    call: str
    parent: int
    verb: str
    due: Moment
    expires_s: float | None
    next_try: Moment


@record()
class LoadedRun:
    """A run with what is needed to go on with it."""

    run: Run
    event: Event
    call: str
    """Of its event, as in ``Accepted``."""
    source: Mapping[str, Any]
    """Of its program."""


class Store(Protocol):
    """Durable memory of one daemon; see the module for what every store promises."""

    @property
    def id(self) -> str:
        """Random, made once for the life of the store; part of every delivery id."""

    @property
    def next_event_id(self) -> int:
        """Larger than every id ever given out, also of events since deleted."""

    def put(self, change: Change, settled: Settled | None = None) -> None:
        """Queue *change* to be committed; returns at once."""

    def recover(self) -> bool:
        """Accept changes again after a failed commit, to be called by who is told of it.

        Returns:
            Whether this is the first word since that failure.  Then all that was put and is
            not settled fails too, and what was decided on it is to be forgotten at once.
        """

    def seen(self, *, now: Moment) -> list[SeenEvent]:
        """Events whose resends may still come, and each subject's last; the oldest first."""

    def memory(self) -> list[Kept]:
        """All that is remembered; to be asked at the start, and after a ``recover``.

        What was put in an ``Advanced`` is part of it, written or not.  What is to be
        forgotten first comes first; what never is, last.
        """

    def open_runs(self) -> list[OpenRun]:
        """All runs that something is owed of, in order of their ids."""

    def load(self, run_ids: Sequence[int]) -> list[LoadedRun]:
        """These runs, whole, also those that were given up; may be called from any thread.

        Raises:
            StoreError: The store can't be read.
        """

    def barrier(self, settled: Settled) -> None:
        """Call *settled* once all that was put before is settled; writes nothing itself."""

    def close(self) -> None:
        """Commit what was put, and let go of the store."""
