"""Actions out: what is owed is tried, and what became of it is written down.

A run is held here from its commit until it has ended.  It stands in the line of its
step's verb, in order of due time, until the verb's performer has room; then it is tried,
and the outcome makes it step on, wait for the next try, or end.  The row on disk goes
along; it is never more than one try behind, so after a crash that try is made again.

Many runs may wait (a broker is down), so beyond ``HOT`` only their ids are kept in
memory, and the rest is read again when their turn comes.
"""

# Over 300 lines: one state (who is held, where) that every method keeps true.

import asyncio
import heapq
import itertools
import logging
import math
import random
import re
import traceback
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from pbxrules import runs
from pbxrules.actions import Performer
from pbxrules.errors import StoreError
from pbxrules.model import (
    Delivery,
    Done,
    Event,
    GiveUp,
    Moment,
    Outcome,
    Program,
    Run,
    TryAgain,
)
from pbxrules.store import Advanced, LoadedRun, OpenRun, Store

logger = logging.getLogger("pbxrules.actions")

HOT = 2_000
"""Runs kept whole in memory: about 2 KB each."""
LOAD = 64
"""Runs read again at a time."""
TOLD = frozenset({"log"})
"""Verbs that tell people: they get the names of secrets, not their values."""
SWEEP_S = 1.0
"""How often what waits is looked through for what has expired."""
CUT_OFF_S = 2.0
"""What is cut off at the end gets this to let go."""


@dataclass(frozen=True, slots=True)
class Whole:
    """A run with what its next step needs."""

    run: Run
    event: Event
    program: Program


@dataclass(slots=True, eq=False)
class _Held:
    """A run that has not ended, from its commit on."""

    id: int
    rule: str
    verb: str
    due: float
    """Uptime of this boot."""
    late: float
    """The uptime at which its step has expired."""
    whole: Whole | None


@dataclass(slots=True)
class _Line:
    """The runs whose next step is of one verb."""

    performer: Performer
    waiting: list[tuple[float, int, _Held]] = field(default_factory=list)
    """A heap, by due time."""
    parked: defaultdict[str, deque[_Held]] = field(default_factory=lambda: defaultdict(deque))
    """Runs of rules that have all they may have under way."""
    under_way: dict[int, "asyncio.Future[Outcome]"] = field(default_factory=dict)
    per_rule: Counter[str] = field(default_factory=Counter)
    loading: bool = False


class Dispatcher:
    """Tries what is owed, on the loop's thread."""

    def __init__(
        self,
        store: Store,
        performers: Mapping[str, Performer],
        *,
        now: Callable[[], Moment],
        program_of: Callable[[LoadedRun], Program],
        secrets: Callable[[], Mapping[str, str]],
    ) -> None:
        """Prepare; nothing is tried before ``start``.

        Args:
            now: The clock.
            program_of: The program of a run read back from the store.  May raise ValueError.
            secrets: Their values, for the moment of performing.
        """
        self._store = store
        self._lines = {verb: _Line(performer) for verb, performer in performers.items()}
        self._now = now
        self._program_of = program_of
        self._secrets = secrets
        self._order = itertools.count()
        self._hot = 0
        self._stopping = False
        self._timers: dict[int, asyncio.TimerHandle] = {}
        self._sweeper: asyncio.TimerHandle | None = None
        self.waiting: Counter[str] = Counter()
        """Runs that have not ended, by rule."""

    def start(self, owed: list[OpenRun]) -> None:
        """Take up what was owed when the last process ended, and begin."""
        for run in owed:
            due = self._uptime(run.due)
            held = _Held(run.id, run.rule, run.verb, due, _late(due, run.expires_s), None)
            self.waiting[run.rule] += 1
            self._place(held, self._uptime(run.next_try))
        self._sweep()
        for verb in self._lines:
            self.pump(verb)

    def _uptime(self, moment: Moment) -> float:
        now = self._now()
        if moment.boot == now.boot:
            return moment.uptime_s
        return now.uptime_s - (now.wall_s - moment.wall_s)

    def hold(self, run: Run, event: Event, program: Program) -> None:
        """Take a run whose beginning is on disk."""
        if run.ended:
            return
        self.waiting[run.rule] += 1
        due = run.due.uptime_s
        held = _Held(run.id, run.rule, run.verb, due, _late(due, run.expires_s), None)
        self._keep(held, Whole(run, event, program))
        self._line_up(held)
        self.pump(run.verb)

    def _keep(self, held: _Held, whole: Whole) -> None:
        """Keep the run whole, if there is room for it."""
        if self._hot < HOT:
            self._hot += 1
            held.whole = whole

    # --- the lines ---------------------------------------------------------------------------

    def _place(self, held: _Held, next_try: float) -> None:
        """Line up a run now, or when its next try is due."""
        wait_s = next_try - self._now().uptime_s
        if wait_s <= 0:
            self._line_up(held)
            return
        loop = asyncio.get_running_loop()
        self._timers[held.id] = loop.call_later(wait_s, self._wake, held)

    def _wake(self, held: _Held) -> None:
        del self._timers[held.id]
        self._line_up(held)
        self.pump(held.verb)

    def _line_up(self, held: _Held) -> None:
        heapq.heappush(self._lines[held.verb].waiting, (held.due, next(self._order), held))

    def pump(self, verb: str) -> None:
        """Try what stands first in a line, while there is room."""
        line = self._lines[verb]
        performer = line.performer
        while (
            line.waiting
            and not line.loading
            and not self._stopping
            and len(line.under_way) < performer.concurrency
            and performer.ready()
        ):
            held = heapq.heappop(line.waiting)[2]
            if performer.per_rule is not None and line.per_rule[held.rule] >= performer.per_rule:
                line.parked[held.rule].append(held)
            elif held.whole is None:
                self._read_again(line, [held, *self._next_cold(line)])
            else:
                self._try(line, held, held.whole)

    def _next_cold(self, line: _Line) -> list[_Held]:
        """Take the next runs out of a line that are not in memory."""
        entries = [heapq.heappop(line.waiting) for _ in range(min(LOAD, len(line.waiting)))]
        for entry in entries:
            if entry[2].whole is not None:
                heapq.heappush(line.waiting, entry)
        return [entry[2] for entry in entries if entry[2].whole is None]

    def _read_again(self, line: _Line, cold: list[_Held]) -> None:
        """Read runs back from the store; then go on with the line."""
        line.loading = True
        loop = asyncio.get_running_loop()
        reading = loop.run_in_executor(None, self._store.load, [held.id for held in cold])
        reading.add_done_callback(lambda done: self._have_read(line, cold, done))

    def _have_read(
        self, line: _Line, cold: list[_Held], reading: "asyncio.Future[list[LoadedRun]]"
    ) -> None:
        line.loading = False
        if self._stopping or reading.cancelled():
            return
        if (trouble := reading.exception()) is not None:
            logger.error(
                "can't read what is owed",
                extra={"fields": {"why": str(trouble)}},
                exc_info=None if isinstance(trouble, StoreError) else trouble,
            )
            for held in cold:
                self._place(held, self._now().uptime_s + SWEEP_S)
            return
        found = {loaded.run.id: loaded for loaded in reading.result()}
        now = self._now()
        for held in cold:
            loaded = found.get(held.id)
            if loaded is None:
                # Its row is gone: somebody's hand was in the file, and nothing is left to do.
                self._forget(held)
            else:
                self._take_back(held, loaded, now)
        self.pump(cold[0].verb)

    def _take_back(self, held: _Held, loaded: LoadedRun, now: Moment) -> None:
        try:
            program = self._program_of(loaded)
        except Exception as exc:  # noqa: BLE001 - what one run is of harms no other
            why = str(exc) if isinstance(exc, ValueError) else f"a defect: {exc!r}"
            self._end_unknown(held, loaded, why)
            return
        held.whole = whole = Whole(loaded.run, loaded.event, program)
        self._hot += 1
        if runs.expired(loaded.run, now):
            self._expire(held, whole, now)
        else:
            self._line_up(held)

    def _expire(self, held: _Held, whole: Whole, now: Moment) -> None:
        run = runs.expire(whole.run, whole.program, now)
        _log(whole, run)
        self._step(held, whole, run)

    def _sweep(self) -> None:
        """Give up what expired while it waited; comes back every ``SWEEP_S``."""
        now = self._now()
        for line in self._lines.values():
            self._sweep_line(line, now)
        self._sweeper = asyncio.get_running_loop().call_later(SWEEP_S, self._sweep)

    def _sweep_line(self, line: _Line, now: Moment) -> None:
        late = [entry[2] for entry in line.waiting if entry[2].late <= now.uptime_s]
        if late:
            line.waiting = [entry for entry in line.waiting if entry[2].late > now.uptime_s]
            heapq.heapify(line.waiting)
        for rule, parked in list(line.parked.items()):
            late += [held for held in parked if held.late <= now.uptime_s]
            line.parked[rule] = deque(held for held in parked if held.late > now.uptime_s)
            if not line.parked[rule]:
                del line.parked[rule]
        for held in late:
            if held.whole is not None:
                self._expire(held, held.whole, now)
        cold = [held for held in late if held.whole is None]
        if cold and line.loading:
            for held in cold:
                self._line_up(held)
        elif cold:
            for held in cold[HOT:]:
                self._line_up(held)
            self._read_again(line, cold[:HOT])

    def _end_unknown(self, held: _Held, loaded: LoadedRun, why: str) -> None:
        """Give up a run that this release no longer understands, with the reason."""
        logger.error("run given up", extra={"fields": {"run": held.id, "why": why}})
        run = runs.abandon(loaded.run, why, self._now())
        self._store.put(Advanced(run=run), lambda _: self._forget(held))

    # --- one try -----------------------------------------------------------------------------

    def _try(self, line: _Line, held: _Held, whole: Whole) -> None:
        now = self._now()
        if runs.expired(whole.run, now):
            self._expire(held, whole, now)
            return
        delivery = self._delivery(whole, now)
        run = runs.tried_once(whole.run)
        held.whole = whole = Whole(run, whole.event, whole.program)
        if isinstance(delivery, GiveUp):
            self._settle(held, whole, _discreet(delivery, self._secrets()))
            return
        attempt = _begun(line.performer, delivery)
        line.under_way[held.id] = attempt
        line.per_rule[held.rule] += 1
        attempt.add_done_callback(lambda done: self._tried(line, held, whole, done))

    def _delivery(self, whole: Whole, now: Moment) -> Delivery | GiveUp:
        secrets = self._secrets()
        try:
            return runs.delivery(
                whole.run,
                whole.program,
                whole.event,
                secrets=_names(secrets) if whole.run.verb in TOLD else secrets,
                store_id=self._store.id,
                now=now,
            )
        except Exception as exc:  # noqa: BLE001 - it harms no other run
            # Where, but not what: that may hold a secret, and is told with the outcome.
            at = "".join(traceback.format_tb(exc.__traceback__, limit=-1))
            logger.error("an action can't be filled in", extra={"fields": {"at": at}})  # noqa: TRY400
            quiet = runs.step_of(whole.run, whole.program).uses_secret
            return GiveUp(reason=f"a defect: {type(exc).__name__ if quiet else repr(exc)}")

    def _tried(
        self, line: _Line, held: _Held, whole: Whole, attempt: "asyncio.Future[Outcome]"
    ) -> None:
        del line.under_way[held.id]
        line.per_rule[held.rule] -= 1
        if not line.per_rule[held.rule]:
            del line.per_rule[held.rule]
        parked = line.parked.get(held.rule)
        if parked:
            self._line_up(parked.popleft())
            if not parked:
                del line.parked[held.rule]
        if attempt.cancelled():  # the daemon stops: owed still
            return
        broken = attempt.exception()
        quiet = runs.step_of(whole.run, whole.program).uses_secret
        what = type(broken).__name__ if quiet else repr(broken)
        outcome = attempt.result() if broken is None else GiveUp(reason=f"a defect: {what}")
        outcome = _discreet(outcome, self._secrets())
        if broken is not None:
            logger.error("an action broke", exc_info=None if quiet else broken)
        self._settle(held, whole, outcome)
        self.pump(whole.run.verb)

    def _settle(self, held: _Held, whole: Whole, outcome: Outcome) -> None:
        now = self._now()
        if isinstance(outcome, TryAgain) and outcome.at_once:
            # It waits for its verb to be ready again; nothing worth a write has happened.
            self._line_up(held)
            return
        jitter = random.random()  # noqa: S311 - no secret, only not all at one moment
        run = runs.advance(whole.run, whole.program, outcome, now, jitter=jitter)
        _log(whole, run)
        self._step(held, whole, run)

    def _step(self, held: _Held, whole: Whole, run: Run) -> None:
        """Write down what the run became; it goes on when that is on disk."""

        def written(_: StoreError | None) -> None:
            if run.ended:
                self._forget(held)
            elif not self._stopping:
                held.verb, held.due = run.verb, run.due.uptime_s
                held.late = _late(held.due, run.expires_s)
                held.whole = Whole(run, whole.event, whole.program)
                if self._hot > HOT:  # its row says it all
                    held.whole = None
                    self._hot -= 1
                self._place(held, self._uptime(run.next_try))
                self.pump(held.verb)

        self._store.put(Advanced(run=run), written)

    def _forget(self, held: _Held) -> None:
        if held.whole is not None:
            self._hot -= 1
            held.whole = None
        self.waiting[held.rule] -= 1
        if not self.waiting[held.rule]:
            del self.waiting[held.rule]

    # --- the end -----------------------------------------------------------------------------

    async def stop(self, grace_s: float) -> None:
        """Begin nothing more, give what is under way *grace_s*, and let the rest be owed."""
        self._stopping = True
        if self._sweeper is not None:
            self._sweeper.cancel()
        for timer in self._timers.values():
            timer.cancel()
        under_way = [task for line in self._lines.values() for task in line.under_way.values()]
        if under_way:
            _, late = await asyncio.wait(under_way, timeout=grace_s)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=CUT_OFF_S)
        for line in self._lines.values():
            await line.performer.close()


def _begun(performer: Performer, delivery: Delivery) -> "asyncio.Future[Outcome]":
    """The try, begun; a performer that breaks at once is told of as one that breaks later."""
    try:
        return asyncio.ensure_future(performer.perform(delivery))
    except Exception as exc:  # noqa: BLE001 - else it ends the answers of all reports in this commit
        broken: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        broken.set_exception(exc)
        return broken


def _names(secrets: Mapping[str, str]) -> Mapping[str, str]:
    """The words that stand for each secret where people read."""
    return {name: f"{{{{ secret.{name} }}}}" for name in secrets}


def _discreet(outcome: Outcome, secrets: Mapping[str, str]) -> Outcome:
    """*outcome*, with the names of secrets in place of their values."""
    said = outcome.detail if isinstance(outcome, Done) else outcome.reason
    words = {secrets[name]: word for name, word in _names(secrets).items() if secrets[name]}
    if not words:
        return outcome
    # The longest first, and all at once: one may be a part of another, or of a name.
    anyone = "|".join(map(re.escape, sorted(words, key=len, reverse=True)))
    hidden = re.sub(anyone, lambda found: words[found[0]], said)
    if hidden == said:
        return outcome
    if isinstance(outcome, Done):
        return Done(detail=hidden)
    return replace(outcome, reason=hidden)


def _late(due: float, expires_s: float | None) -> float:
    return math.inf if expires_s is None else due + expires_s


def _log(whole: Whole, run: Run) -> None:
    """One line for what became of an action, or of a try that failed."""
    before = len(whole.run.tried)
    fields = {"event": run.event_id, "rule": run.rule, "action": whole.run.verb}
    if len(run.tried) == before:
        fields["next"] = f"{run.next_try.since(whole.run.due):.1f}s after it was due"
        logger.info("action failed, is tried again", extra={"fields": fields})
        return
    settled = run.tried[-1]
    if settled.state == "done":
        logger.debug("action done", extra={"fields": fields | {"detail": settled.reason}})
    else:
        logger.warning(
            "action %s", settled.state, extra={"fields": fields | {"why": settled.reason}}
        )
