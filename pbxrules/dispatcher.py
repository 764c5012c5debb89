"""Actions out: what is owed is tried, and what became of it is written down.

A run is held here from its commit until it has ended.  One that owes an action stands in
the line of its verb, in order of due time, until the verb's performer has room; then it is
tried, and the outcome makes it step on, wait for the next try, or end.  One that waits for
a time has an alarm.  The row on disk goes along; it is never more than one try behind, so
after a crash that try is made again.

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
import traceback
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from pbxrules import engine, runs
from pbxrules.actions import Performer
from pbxrules.alarms import Alarm, Alarms
from pbxrules.errors import StoreError
from pbxrules.memory import TIMED, Memory, Moves, Rest, Whole, rest_of, touchable
from pbxrules.model import Changes, Delivery, GiveUp, Moment, Outcome, Program, Run, TryAgain
from pbxrules.rules import RuleSet
from pbxrules.store import Advanced, LoadedRun, OpenRun, Store
from pbxrules.tellings import discreet, log_step, names
from pbxrules.walking import names_of

logger = logging.getLogger("pbxrules.actions")

HOT = 2_000
"""Runs kept whole in memory that nothing but their turn can change: about 2 KB each."""
LOAD = 64
"""Runs read again at a time."""
TOLD = frozenset({"log"})
"""Verbs that tell people: they get the names of secrets, not their values."""
SWEEP_S = 1.0
"""How often what waits is looked through for what has expired."""
CUT_OFF_S = 2.0
"""What is cut off at the end gets this to let go."""


@dataclass(slots=True, eq=False)
class _Held:
    """A run that has not ended, from its commit on."""

    id: int
    rule: str
    lane: str
    verb: str
    due: float
    """Uptime of this boot."""
    late: float
    """The uptime at which its action has expired."""
    rest: Rest | None = None
    """Where it rests on disk, if that was read."""
    minded: bool = False
    """Memory has it: as it will be when all that was decided is on disk."""
    whole: Whole | None = None
    """Unless memory has it, or it is to be read again."""
    turn: int = 0
    """Entries of a line with an older number are none any more."""
    alarm: "Alarm[_Held] | None" = None


@dataclass(slots=True)
class _Line:
    """The runs that owe an action of one verb."""

    performer: Performer
    waiting: list[tuple[float, int, int, _Held]] = field(default_factory=list)
    """A heap, by due time; each entry with the turn of its run."""
    parked: defaultdict[str, deque[tuple[int, _Held]]] = field(
        default_factory=lambda: defaultdict(deque)
    )
    """Runs of rules that have all they may have under way, or whose last try is not over yet."""
    under_way: dict[int, "asyncio.Future[Outcome]"] = field(default_factory=dict)
    per_rule: Counter[str] = field(default_factory=Counter)
    loading: bool = False


class Dispatcher:
    """Tries what is owed, and wakes what waits, on the loop's thread."""

    def __init__(
        self,
        store: Store,
        performers: Mapping[str, Performer],
        memory: Memory,
        *,
        now: Callable[[], Moment],
        ruleset: Callable[[], RuleSet],
        program_of: Callable[[LoadedRun], Program],
        secrets: Callable[[], Mapping[str, str]],
    ) -> None:
        """Prepare; nothing is tried before ``start``.

        Args:
            store: Where what becomes of runs is written.
            performers: By verb.
            memory: What is remembered; what becomes of runs is applied to it.
            now: The clock.
            ruleset: The rules in force.
            program_of: The program of a run read back from the store.  May raise ValueError.
            secrets: Their values, for the moment of performing.
        """
        self._store = store
        self._lines = {verb: _Line(performer) for verb, performer in performers.items()}
        self._memory = memory
        self._now = now
        self._ruleset = ruleset
        self._program_of = program_of
        self._secrets = secrets
        self._order = itertools.count()
        self._held: dict[int, _Held] = {}
        self._hot = 0
        self._stopping = False
        self._alarms = Alarms(lambda: now().uptime_s, self._ring)
        self._sweeper: asyncio.TimerHandle | None = None
        self.waiting: Counter[str] = Counter()
        """Runs that have not ended, by rule."""

    def start(self, owed: Iterable[OpenRun]) -> None:
        """Take up what was owed when the last process ended, and begin."""
        now = self._now()
        for run in owed:
            due = _uptime(run.due, now)
            held = _Held(run.id, run.rule, run.lane, run.verb, due, _late(due, run.expires_s))
            self._held[run.id] = held
            self.waiting[run.rule] += 1
            whole = self._memory.runs.get(run.id)
            if whole is not None:
                settling_s = runs.settling_s(run.verb, run.next_try, run.expires_s, now)
                self._rest(held, whole, not_before=now.uptime_s + settling_s)
            elif run.verb in TIMED:
                self._read_again([held])
            else:
                self._place(held, _next_try(run, now), now)
        self.reloaded()  # the rules may have been changed while nobody ran
        self._sweep()
        for verb in self._lines:
            self.pump(verb)

    # --- what was written ----------------------------------------------------------------

    def take(self, whole: Whole) -> None:
        """Take a run, or what became of one, that is on disk."""
        run = whole.run
        held = self._held.get(run.id)
        if run.ended:
            if held is not None:
                self._forget(held)
            return
        if held is not None and held.rest == rest_of(run):
            return  # what changed is nothing that it rests for; memory has it
        self._rest(self._hold(run), whole)

    def undone(self, run_ids: Iterable[int]) -> None:
        """Go on with runs that an event had moved which can't be written: they are as before."""
        for run_id in run_ids:
            held, whole = self._held.get(run_id), self._memory.runs.get(run_id)
            if held is None or whole is None or held.rest != rest_of(whole.run):
                continue  # it is taken, or goes on, when it is on disk
            line = self._lines.get(held.verb)
            if line is None or run_id not in line.under_way:
                self._rest(held, whole)

    def ring_due(self, now: Moment) -> None:
        """Wake what is due: it goes before a report of the same moment."""
        self._alarms.ring_due(now.uptime_s)

    def reloaded(self) -> None:
        """New rules are in force: a ``for`` of one that changed is dropped."""
        self._write(engine.reloaded(self._ruleset(), self._memory, self._now()))

    def _hold(self, run: Run) -> _Held:
        held = self._held.get(run.id)
        if held is None:
            held = _Held(run.id, run.rule, run.lane, run.verb, 0.0, math.inf)
            self._held[run.id] = held
            self.waiting[run.rule] += 1
        return held

    def _rest(self, held: _Held, whole: Whole, *, not_before: float = 0.0) -> None:
        """Let a run wait for what it rests for."""
        run, now = whole.run, self._now()
        self._let_go(held)
        held.rest, held.minded = rest_of(run), touchable(whole)
        held.verb, held.due = run.verb, _uptime(run.due, now)
        held.late = _late(held.due, run.expires_s)
        next_try = _next_try(run, now)
        if run.verb not in TIMED:
            self._keep(held, whole)
            self._place(held, next_try, now)
            self.pump(run.verb)
        elif run.verb != "join" and (run.verb != "lane" or run.expires_s is not None):
            held.alarm = self._alarms.set(max(next_try, not_before), held)

    def _let_go(self, held: _Held) -> None:
        """Take a run out of whatever it waits in; a try under way is killed."""
        held.turn += 1
        if held.alarm is not None:
            self._alarms.take_back(held.alarm)
            held.alarm = None
        if held.whole is not None:
            held.whole = None
            self._hot -= 1
        line = self._lines.get(held.verb)
        attempt = None if line is None else line.under_way.get(held.id)
        if attempt is not None:
            attempt.cancel()

    def _keep(self, held: _Held, whole: Whole) -> None:
        """Keep the run whole, if nobody else does and there is room for it."""
        if not held.minded and self._hot < HOT:
            self._hot += 1
            held.whole = whole

    def _whole(self, held: _Held) -> Whole | None:
        return self._memory.runs.get(held.id) or held.whole

    def _is_cold(self, held: _Held) -> bool:
        return not held.minded and self._whole(held) is None

    def _moved_on(self, held: _Held) -> bool:
        """Whether it was decided that a run rests no more where it does on disk: so it waits."""
        latest = self._memory.runs.get(held.id)
        return held.minded and (latest is None or rest_of(latest.run) != held.rest)

    def _forget(self, held: _Held) -> None:
        self._let_go(held)
        if self._held.pop(held.id, None) is None:
            return
        self.waiting[held.rule] -= 1
        if not self.waiting[held.rule]:
            del self.waiting[held.rule]

    # --- time ----------------------------------------------------------------------------

    def _ring(self, held: _Held) -> None:
        """The time has come that a run waited for."""
        held.alarm = None
        if held.verb in TIMED and held.minded:
            self._wake(held)
        elif held.verb in TIMED:
            self._read_again([held])  # which could not be done at the start
        else:
            self._line_up(held)
            self.pump(held.verb)

    def _wake(self, held: _Held) -> None:
        if self._stopping or self._moved_on(held):
            return
        whole = self._memory.runs.get(held.id)
        moves = engine.wake(self._ruleset(), self._memory, held.id, self._now())
        if whole is not None:
            _log_moves(whole, moves)
        self._write(moves)

    def _write(self, moves: Moves) -> None:
        """Remember and write down what became of runs; they go on when it is on disk."""
        self._memory.apply(moves)

        def written(_: StoreError | None) -> None:
            for whole in moves.runs:
                if whole.run.ended:
                    self.take(whole)
                elif not self._stopping and self._memory.knows(whole.run):
                    self._go_on(whole)  # else its event was lost meanwhile: it never was

        if moves.runs or moves.kept or moves.forgotten:
            self._store.put(Advanced(changes=moves.changes), written)

    def _go_on(self, whole: Whole) -> None:
        """Let a run that went on go on."""
        self._rest(self._hold(whole.run), whole)

    # --- the lines ---------------------------------------------------------------------------

    def _place(self, held: _Held, next_try: float, now: Moment) -> None:
        """Line up a run now, or when its next try is due."""
        if next_try <= now.uptime_s:
            self._line_up(held)
        else:
            held.alarm = self._alarms.set(next_try, held)

    def _line_up(self, held: _Held) -> None:
        entry = held.due, next(self._order), held.turn, held
        heapq.heappush(self._lines[held.verb].waiting, entry)

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
            _, _, turn, held = heapq.heappop(line.waiting)
            if turn != held.turn or self._moved_on(held):
                continue
            whole = self._whole(held)
            if self._is_full(line, held):
                line.parked[held.rule].append((turn, held))
            elif whole is None:
                self._read_again([held, *self._next_cold(line)])
            else:
                self._try(line, held, whole)

    def _is_full(self, line: _Line, held: _Held) -> bool:
        """Whether a run has to wait until another try of its rule is over, or one of its own."""
        if held.id in line.under_way:  # which is being killed
            return True
        most = line.performer.per_rule
        return most is not None and line.per_rule[held.rule] >= most

    def _next_cold(self, line: _Line) -> list[_Held]:
        """Take the next runs out of a line that are not in memory."""
        entries = [heapq.heappop(line.waiting) for _ in range(min(LOAD, len(line.waiting)))]
        cold = [e[3] for e in entries if e[2] == e[3].turn and self._is_cold(e[3])]
        for entry in entries:
            if entry[3] not in cold and entry[2] == entry[3].turn:
                heapq.heappush(line.waiting, entry)
        return cold

    def _read_again(self, cold: list[_Held]) -> None:
        """Read runs back from the store; then go on with their line."""
        line = self._lines.get(cold[0].verb)
        if line is not None:
            line.loading = True
        loop = asyncio.get_running_loop()
        reading = loop.run_in_executor(None, self._store.load, [held.id for held in cold])
        reading.add_done_callback(lambda done: self._have_read(line, cold, done))

    def _have_read(
        self, line: _Line | None, cold: list[_Held], reading: "asyncio.Future[list[LoadedRun]]"
    ) -> None:
        if line is not None:
            line.loading = False
        if self._stopping or reading.cancelled():
            return
        if (trouble := reading.exception()) is not None:
            logger.error(
                "can't read what is owed",
                extra={"fields": {"why": str(trouble)}},
                exc_info=None if isinstance(trouble, StoreError) else trouble,
            )
            now = self._now()
            for held in cold:
                self._place(held, now.uptime_s + SWEEP_S, now)
            return
        found = {loaded.run.id: loaded for loaded in reading.result()}
        for held in cold:
            loaded = found.get(held.id)
            if loaded is None or loaded.run.ended:
                # Its row is gone: somebody's hand was in the file, and nothing is left to do.
                self._forget(held)
                self._leave_lane(held)
            else:
                self._take_back(held, loaded)
        if line is not None:
            self.pump(cold[0].verb)

    def _take_back(self, held: _Held, loaded: LoadedRun) -> None:
        try:
            program = self._program_of(loaded)
            whole = runs.resumed(Whole(loaded.run, loaded.event, program))
        except Exception as exc:  # noqa: BLE001 - what one run is of harms no other
            why = str(exc) if isinstance(exc, ValueError) else f"a defect: {exc!r}"
            self._end_unknown(held, loaded, why)
            return
        if whole.run.verb in TIMED:
            self._memory.remember(whole)
            self._rest(held, whole)
            return
        held.rest = rest_of(whole.run)
        held.whole = whole
        self._hot += 1
        if runs.expired(whole.run, self._now()):
            self._expire(whole)
        else:
            self._line_up(held)

    def _expire(self, whole: Whole) -> None:
        moves = engine.expire(self._memory, whole, self._now())
        _log_moves(whole, moves)
        self._write(moves)

    def _sweep(self) -> None:
        """Give up what expired while it waited; comes back every ``SWEEP_S``."""
        now = self._now()
        for line in self._lines.values():
            self._sweep_line(line, now)
        self._sweeper = asyncio.get_running_loop().call_later(SWEEP_S, self._sweep)

    def _sweep_line(self, line: _Line, now: Moment) -> None:
        late = [entry[3] for entry in line.waiting if _is_late(entry[3], entry[2], now)]
        if late:
            line.waiting = [e for e in line.waiting if not _is_late(e[3], e[2], now)]
            heapq.heapify(line.waiting)
        for rule, parked in list(line.parked.items()):
            late += [held for turn, held in parked if _is_late(held, turn, now)]
            line.parked[rule] = deque(p for p in parked if not _is_late(p[1], p[0], now))
            if not line.parked[rule]:
                del line.parked[rule]
        self._give_up(line, [held for held in late if not self._moved_on(held)])

    def _give_up(self, line: _Line, late: list[_Held]) -> None:
        cold = []
        for held in late:
            whole = self._whole(held)
            if whole is None:
                cold.append(held)
            else:
                self._expire(whole)
        if cold and line.loading:
            for held in cold:
                self._line_up(held)
        elif cold:
            for held in cold[HOT:]:
                self._line_up(held)
            self._read_again(cold[:HOT])

    def _end_unknown(self, held: _Held, loaded: LoadedRun, why: str) -> None:
        """Give up a run that this release no longer understands, with the reason."""
        fields = {"event": loaded.run.event_id, "rule": held.rule, "why": why}
        logger.error("run given up; what it owed is to be done by hand", extra={"fields": fields})
        run = runs.abandon(loaded.run, why, self._now())
        self._store.put(Advanced(changes=Changes(runs=(run,))), lambda _: self._forget(held))
        self._leave_lane(held)

    def _leave_lane(self, held: _Held) -> None:
        """Let the next of its lane begin behind a run that can't go on."""
        self._memory.close(held.id, held.rule, held.lane)
        self._write(engine.freed(self._memory, held.rule, held.lane, self._now()))

    # --- one try -----------------------------------------------------------------------------

    def _try(self, line: _Line, held: _Held, whole: Whole) -> None:
        now = self._now()
        if runs.expired(whole.run, now):
            self._expire(whole)
            return
        delivery = self._delivery(whole, now)
        if isinstance(delivery, GiveUp):
            whole = self._note_try(held, whole)
            self._settle(held, whole, discreet(delivery, self._secrets()))
            return
        # First: what is noted of it can wait, and a lamp does not.
        attempt = _begun(line.performer, delivery)
        whole = self._note_try(held, whole)
        line.under_way[held.id] = attempt
        line.per_rule[held.rule] += 1
        attempt.add_done_callback(lambda done: self._tried(line, held, whole, done))

    def _note_try(self, held: _Held, whole: Whole) -> Whole:
        """The run, with a try of its action begun."""
        run = runs.tried_once(whole.run)
        whole = Whole(run, whole.event, whole.program)
        if touchable(whole):
            self._memory.touch(whole)
        else:
            self._hot += held.whole is None
            held.whole = whole
        if run.parent:
            self._memory.begun(run.parent)
        return whole

    def _delivery(self, whole: Whole, now: Moment) -> Delivery | GiveUp:
        secrets = self._secrets()
        memory, run = self._memory, whole.run
        try:
            return runs.delivery(
                whole,
                names=names_of(
                    memory.calls.get(run.call), whole.event, memory.state(whole.program.state)
                ),
                secrets=names(secrets) if run.verb in TOLD else secrets,
                store_id=self._store.id,
                now=now,
            )
        except Exception as exc:  # noqa: BLE001 - it harms no other run
            # Where, but not what: that may hold a secret, and is told with the outcome.
            at = "".join(traceback.format_tb(exc.__traceback__, limit=-1))
            logger.error("an action can't be filled in", extra={"fields": {"at": at}})  # noqa: TRY400
            quiet = runs.step_of(run, whole.program).uses_secret
            return GiveUp(reason=f"a defect: {type(exc).__name__ if quiet else repr(exc)}")

    def _tried(
        self, line: _Line, held: _Held, whole: Whole, attempt: "asyncio.Future[Outcome]"
    ) -> None:
        self._make_room(line, held)
        if not attempt.cancelled():  # else it was killed, or the daemon stops: owed still
            self._have_outcome(held, whole, attempt)
        self.pump(whole.run.verb)

    def _make_room(self, line: _Line, held: _Held) -> None:
        del line.under_way[held.id]
        line.per_rule[held.rule] -= 1
        if not line.per_rule[held.rule]:
            del line.per_rule[held.rule]
        parked = line.parked.get(held.rule)
        while parked:
            turn, first = parked.popleft()
            if not parked:
                del line.parked[held.rule]
            if turn == first.turn:
                self._line_up(first)
                break

    def _have_outcome(self, held: _Held, whole: Whole, attempt: "asyncio.Future[Outcome]") -> None:
        broken = attempt.exception()
        quiet = runs.step_of(whole.run, whole.program).uses_secret
        what = type(broken).__name__ if quiet else repr(broken)
        outcome = attempt.result() if broken is None else GiveUp(reason=f"a defect: {what}")
        outcome = discreet(outcome, self._secrets())
        if broken is not None:
            logger.error("an action broke", exc_info=None if quiet else broken)
        self._settle(held, whole, outcome)

    def _settle(self, held: _Held, whole: Whole, outcome: Outcome) -> None:
        latest = self._whole(held)
        if latest is None or rest_of(latest.run) != rest_of(whole.run):
            return  # it was cut short meanwhile
        if isinstance(outcome, TryAgain) and outcome.at_once:
            # It waits for its verb to be ready again; nothing worth a write has happened.
            self._line_up(held)
            return
        jitter = random.random()  # noqa: S311 - no secret, only not all at one moment
        moves = engine.settle(self._memory, latest, outcome, self._now(), jitter=jitter)
        _log_moves(latest, moves)
        self._write(moves)

    # --- the end -----------------------------------------------------------------------------

    async def stop(self, grace_s: float) -> None:
        """Begin nothing more, give what is under way *grace_s*, and let the rest be owed."""
        self._stopping = True
        if self._sweeper is not None:
            self._sweeper.cancel()
        self._alarms.close()
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


def _uptime(moment: Moment, now: Moment) -> float:
    """A moment as the uptime of the boot that *now* is of."""
    if moment.boot == now.boot:
        return moment.uptime_s
    return now.uptime_s - (now.wall_s - moment.wall_s)


def _next_try(run: Run | OpenRun, now: Moment) -> float:
    """The uptime at which a run is to be tried, or woken."""
    if run.next_try.boot == now.boot:
        return run.next_try.uptime_s
    return now.uptime_s + runs.left_s(run.due, run.next_try, now)


def _is_late(held: _Held, turn: int, now: Moment) -> bool:
    return held.late <= now.uptime_s and turn == held.turn


def _late(due: float, expires_s: float | None) -> float:
    return math.inf if expires_s is None else due + expires_s


def _log_moves(before: Whole, moves: Moves) -> None:
    """Tell what became of the run that *before* was."""
    for whole in moves.runs:
        if whole.run.id == before.run.id:
            log_step(before, whole.run)
