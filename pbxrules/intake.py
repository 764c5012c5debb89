"""Reports in: bytes become an event, a decision, and rows on disk; then the answer.

Decisions are serial, in the order in which reports are read; commits follow in the same
order, many at a time.  Nothing here waits: the answer goes out when the commit is done.
"""

import hashlib
import logging
from collections.abc import Callable

from pbxrules import engine, resends
from pbxrules.clock import Clock, iso
from pbxrules.dispatcher import Dispatcher
from pbxrules.errors import ReportError, StoreError
from pbxrules.loading import Snapshot
from pbxrules.memory import Memory, Moves
from pbxrules.model import Event, Moment
from pbxrules.pbx import openvox
from pbxrules.pbx.body import parse
from pbxrules.records import record
from pbxrules.resends import Resends, Seen
from pbxrules.store import Accepted, Refused, SeenAgain, Store

logger = logging.getLogger("pbxrules.events")


@record(kw_only=False)
class Receipt:
    """The report is on disk, with all that it starts."""

    id: int
    event: str
    rules: tuple[str, ...]
    duplicate: bool
    """It was a resend, and started nothing."""


Reply = Callable[[Receipt | StoreError], None]


@record(kw_only=False)
class _Waiting:
    """An event that waits for its commit."""

    seen: Seen
    replies: list[Reply]
    """Who waits with it: its sender, then those of its resends."""
    moves: Moves
    before: Moves
    """What takes them out of memory again."""


class Intake:
    """Takes reports; one for each daemon, on the loop's thread."""

    def __init__(
        self,
        snapshot: Snapshot,
        store: Store,
        dispatcher: Dispatcher,
        memory: Memory,
        clock: Clock,
    ) -> None:
        self.snapshot = snapshot
        """Swapped whole at a reload."""
        self._store = store
        self._dispatcher = dispatcher
        self._memory = memory
        self._clock = clock
        self._next_id = store.next_event_id
        self._resends = Resends(clock.now())
        self._waiting: dict[int, _Waiting] = {}
        """Events that wait for their commits, in their order."""
        for before in store.seen(now=clock.now()):
            seen = Seen(
                id=before.id,
                event=before.event,
                digest=before.digest,
                subject=before.subject,
                resend_s=before.resend_s,
                rules=before.rules,
                last_seen=before.last_seen,
            )
            self._resends.add(seen)
            self._resends.settle(seen)

    def accept(self, body: bytes, reply: Reply) -> None:
        """Take one report; *reply* is called once it is on disk, or can't be.

        Raises:
            ReportError: It is refused, and *reply* will not be called.
        """
        now = self._clock.now()
        digest = _digest(body)
        seen = self._resends.find(digest, now)
        if seen is not None:
            self._take_again(seen, now, reply)
            return
        try:
            event = openvox.read(
                parse(body), schemas=self.snapshot.event_schemas, received_at=iso(now.wall_s)
            )
        except ReportError as exc:
            self.refuse(body, exc)
            raise
        subject = resends.subject(event)
        if subject is not None:
            seen = self._resends.find_status(subject, digest)
            if seen is not None:
                self._take_again(seen, now, reply)
                return
        self._take(event, body, digest, subject, now, reply)

    def refuse(self, body: bytes, error: ReportError) -> None:
        """Keep a report that is not accepted, to look at."""
        now = self._clock.now()
        fields = {
            "status": error.status,
            "why": error.title,
            "errors": [f"{e.pointer} {e.message}".strip() for e in error.errors[:3]],
        }
        logger.warning("report refused", extra={"fields": fields})
        self._store.put(
            Refused(
                at=now,
                digest=_digest(body),
                body=body,
                status=error.status,
                title=error.title,
                errors=error.errors,
            ),
            self._recover_from,
        )

    def _take(
        self,
        event: Event,
        body: bytes,
        digest: bytes,
        subject: str | None,
        now: Moment,
        reply: Reply,
    ) -> None:
        # What is due at this moment goes before the report.
        self._dispatcher.ring_due(now)
        ruleset, memory = self.snapshot.ruleset, self._memory
        arrival = engine.arrival(ruleset, memory, event, self._next_id, now)
        self._next_id += 1
        decision, moves = engine.decide(ruleset, memory, arrival, now)
        resend_s = resends.span_s(event)
        accepted = Accepted(
            arrival.id,
            event,
            arrival.call,
            body,
            digest,
            subject,
            resend_s,
            now,
            decision.verdicts,
            decision.changes,
            tuple([(w.program.digest, w.program.text) for w in moves.runs]),
        )
        # First: the writer wakes while the rest is noted, which it is before any answer comes.
        self._store.put(accepted, lambda fate: self._committed(accepted, moves, fate))
        seen = Seen(
            id=arrival.id,
            event=event.kind,
            digest=digest,
            subject=subject,
            resend_s=resend_s,
            rules=tuple([rule.id for rule in decision.fired]),
            last_seen=now,
        )
        self._resends.add(seen)
        self._waiting[arrival.id] = _Waiting(seen, [reply], moves, memory.undoing(moves))
        memory.apply(moves)

    def _committed(self, accepted: Accepted, moves: Moves, fate: StoreError | None) -> None:
        if fate is not None:
            self._recover_from(fate)
            logger.error("report not written", extra={"fields": {"why": str(fate)}})
        waiting = self._waiting.pop(accepted.id)
        if fate is None:
            self._memory.written(moves)
            self._resends.settle(waiting.seen)
            # The lamp first: the PBX does not mind to wait, and nor does the log.
            for whole in moves.runs:
                self._dispatcher.take(whole)
        for place, reply in enumerate(waiting.replies):
            reply(_receipt(waiting.seen, duplicate=place > 0) if fate is None else fate)
        if fate is None:
            _log(accepted)

    def _take_again(self, seen: Seen, now: Moment, reply: Reply) -> None:
        waiting = self._waiting.get(seen.id)
        if waiting is not None:
            waiting.replies.append(reply)

        def written(fate: StoreError | None) -> None:
            self._recover_from(fate)
            if fate is None:
                self._resends.again(seen, now)
            if waiting is None:
                reply(_receipt(seen, duplicate=True) if fate is None else fate)

        self._store.put(SeenAgain(event_id=seen.id, at=now), written)

    def _recover_from(self, fate: StoreError | None) -> None:
        """Let the store go on after a loss: what waited fails too, so it was never seen.

        The PBX will send it again, and then it is new.
        """
        if fate is not None and self._store.recover():
            for waiting in reversed(self._waiting.values()):
                self._resends.forget(waiting.seen)
                self._memory.undo(waiting.before, waiting.moves)
            moved = [w.run.id for waiting in self._waiting.values() for w in waiting.moves.runs]
            self._dispatcher.undone(dict.fromkeys(moved))


def _digest(body: bytes) -> bytes:
    """96 bits, which no two of a day's reports share by chance: the least that memory holds."""
    return hashlib.blake2b(body, digest_size=12).digest()


def _receipt(seen: Seen, *, duplicate: bool) -> Receipt:
    return Receipt(seen.id, seen.event, seen.rules, duplicate)


_LOGGED = ("extension", "caller", "callee", "trunk", "status", "call_id")


def _log(accepted: Accepted) -> None:
    if not logger.isEnabledFor(logging.INFO):
        return
    told = accepted.event.fields
    fields: dict[str, object] = {"event": accepted.id}
    fields |= {name: told[name] for name in _LOGGED if name in told}
    fields["rules"] = [verdict.rule for verdict in accepted.verdicts if verdict.matched]
    logger.info(accepted.event.kind, extra={"fields": fields})
