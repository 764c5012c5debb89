"""Rules on the clock of events that came in once, with no world around them.

What the daemon's intake and dispatcher do, as far as memory is concerned: an action succeeds
as soon as it is owed, and what waits for a time has it when the events' clock gets there.
"""

import heapq
from collections.abc import Mapping, Sequence

from pbxrules import engine, runs
from pbxrules.language import Verb
from pbxrules.memory import TIMED, Memory, Moves, Whole
from pbxrules.model import Decision, Event, GiveUp, Moment, Outcome, Run
from pbxrules.records import record
from pbxrules.rules import RuleSet
from pbxrules.testing.answering import Answers
from pbxrules.walking import names_of

FOR = "for"
MOST_AT_ONCE, MOST_BETWEEN = 10_000, 1_000_000
"""Actions and ends of waits at one moment, and between two events: beyond it, they would go on
for ever."""


class EndlessError(Exception):
    """A rule would go on for ever; ``str()`` says which one."""


@record()
class Later:
    """What came of a ``for`` that an event began."""

    event_id: int
    rule: str
    at: Moment
    fired: bool
    why: str
    """Why it did not."""


class Player:
    """Decides, waits, and takes what is done for a success."""

    def __init__(
        self,
        ruleset: RuleSet,
        verbs: Mapping[str, Verb],
        secrets: Mapping[str, str],
        *,
        most: int = MOST_BETWEEN,
    ) -> None:
        """Begin with nothing remembered; what stands for *secrets* goes nowhere.

        After *most* actions and ends of waits without an event they would go on for ever.
        """
        self.ruleset = ruleset
        self.memory = Memory()
        self._now = Moment(boot="", uptime_s=0.0, wall_s=0.0)
        self._most = most
        self._answers = Answers({}, verbs)
        self._secrets = secrets
        self._alarms: list[tuple[float, int]] = []
        """When what waits is to be woken, and which run; a heap."""
        self._owed: dict[int, Whole] = {}
        self._waiting: set[int] = set()
        """The runs that wait with a ``for``."""
        self._later: list[Later] = []
        self._at_once = self._between = 0
        """What was done at this moment, and since the last event."""

    def go_on_to(self, now: Moment) -> None:
        """Let time pass, and do what is due meanwhile; at that moment, too."""
        while self._alarms and self._alarms[0][0] <= now.uptime_s:
            left_s = self._alarms[0][0] - self._now.uptime_s
            if left_s > 0:
                self._now = self._now.after(left_s)
                self._at_once = 0
            self._ring()
            self._work()
        self._now = now

    def _ring(self) -> None:
        """Wake all that is due by now, before any of it is done."""
        while self._alarms and self._alarms[0][0] <= self._now.uptime_s:
            due, run_id = heapq.heappop(self._alarms)
            whole = self.memory.runs.get(run_id)
            if whole is None or whole.run.next_try.uptime_s != due:
                continue  # it waits no more, or for another time
            self._count(whole.run)
            self._apply(engine.wake(self.ruleset, self.memory, run_id, self._now))

    def take(self, event: Event, event_id: int) -> Decision:
        """Take an event at the moment that time has come to."""
        now = self._now
        self._at_once = self._between = 0
        arrival = engine.arrival(self.ruleset, self.memory, event, event_id, now)
        decision, moves = engine.decide(self.ruleset, self.memory, arrival, now)
        self._apply(self._without_brief(moves) if moves.runs else moves)
        if self._owed:
            self._work()
        return decision

    def finish(self) -> None:
        """Let time pass until no ``for`` waits any more."""
        while self._waiting and self._alarms:
            due = self._alarms[0][0]
            self.go_on_to(self._now.after(max(0.0, due - self._now.uptime_s)))

    def later(self) -> Sequence[Later]:
        """What came of the ``for``s that have ended since this was asked last."""
        if not self._later:
            return self._later
        found, self._later = self._later, []
        return found

    # --- what is owed ------------------------------------------------------------------------

    def _work(self) -> None:
        while self._owed:
            whole = min(self._owed.values(), key=_since)
            del self._owed[whole.run.id]
            self._count(whole.run)
            if runs.expired(whole.run, self._now):
                self._apply(engine.expire(self.memory, whole, self._now))
            else:
                self._do(whole)

    def _count(self, run: Run) -> None:
        self._at_once += 1
        self._between += 1
        if self._at_once > MOST_AT_ONCE:
            raise EndlessError(
                f"'{run.rule}' would go on for ever: {MOST_AT_ONCE:,} things at one moment"
            )
        if self._between > self._most:
            raise EndlessError(
                f"'{run.rule}' would go on for ever: {self._most:,} things between two events"
            )

    def _do(self, whole: Whole) -> None:
        """An action succeeds, unless it can't even be filled in."""
        outcome = self._outcome(whole)
        tried = Whole(runs.tried_once(whole.run), whole.event, whole.program)
        self.memory.touch(tried)
        if tried.run.parent:
            self.memory.begun(tried.run.parent)
        self._apply(engine.settle(self.memory, tried, outcome, self._now, jitter=1.0))

    def _outcome(self, whole: Whole) -> Outcome:
        known = self.memory.calls.get(whole.run.call)
        names = names_of(known, whole.event, self.memory.state(whole.program.state))
        delivery = runs.delivery(
            whole, names=names, secrets=self._secrets, store_id="", now=self._now
        )
        if isinstance(delivery, GiveUp):
            return delivery
        return self._answers.to(whole.run.rule, delivery)

    def _without_brief(self, moves: Moves) -> Moves:
        """*moves* without the runs that end as they begin, and leave nothing behind.

        They are most of all, and to begin and end them takes as long as to decide on them.
        """
        lasting = tuple([whole for whole in moves.runs if not self._is_brief(whole)])
        if len(lasting) == len(moves.runs):
            return moves
        return Moves(runs=lasting, kept=moves.kept, forgotten=moves.forgotten, call=moves.call)

    def _is_brief(self, whole: Whole) -> bool:
        run, program = whole.run, whole.program
        alone = len(program.nodes) == 1 and program.mode in engine.AT_ONCE
        return alone and run.verb not in TIMED and not run.ended and run.id not in self._waiting

    # --- what is moved -----------------------------------------------------------------------

    def _apply(self, moves: Moves) -> None:
        self.memory.apply(moves)
        for whole in moves.runs:
            run = whole.run
            self._owed.pop(run.id, None)
            if run.id in self._waiting and (run.ended or run.verb != FOR):
                self._waiting.discard(run.id)
                self._later.append(_later(run, self._now))
            if run.ended:
                continue
            if run.verb not in TIMED:
                self._owed[run.id] = whole
                continue
            if run.verb == FOR:
                self._waiting.add(run.id)
            if run.verb != "join" and (run.verb != "lane" or run.expires_s is not None):
                heapq.heappush(self._alarms, (run.next_try.uptime_s, run.id))


def _since(whole: Whole) -> tuple[float, int]:
    """What has been due for longest is done first."""
    return whole.run.due.uptime_s, whole.run.id


def _later(run: Run, now: Moment) -> Later:
    dropped = bool(run.ended and run.tried and run.tried[-1].verb == FOR)
    return Later(
        event_id=run.event_id,
        rule=run.rule,
        at=now,
        fired=not dropped,
        why=run.tried[-1].reason if dropped else "",
    )
