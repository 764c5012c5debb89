"""A daemon on a virtual clock: the engine, timers, and a broker that may be away.

What the daemon's intake and dispatcher do, in the order in which they do it, but for what takes
time there: a commit and a try take none here.
"""

import heapq
from collections.abc import Iterator, Mapping
from typing import Protocol

from pbxrules import engine, runs
from pbxrules.memory import TIMED, Memory, Moves, Whole
from pbxrules.model import Decision, Delivery, Event, GiveUp, Moment, Outcome, Run
from pbxrules.rules import RuleSet
from pbxrules.walking import names_of

JITTER = 1.0
"""The whole of a delay between two tries, so that each test is as the last time."""
NEEDS_BROKER = "mqtt"
MOST = 100_000
MOST_AT_ONCE = 10_000
"""Tries and ends of waits in one case, and at one moment: beyond it, it would go on for ever."""


class EndlessError(Exception):
    """The rules would go on for ever; ``str()`` says after how much they were stopped."""


class Witness(Protocol):
    """Who is told of what happens."""

    def decided(self, event: Event, decision: Decision) -> None:
        """An event came in, and that was decided; nothing of it has happened yet."""

    def moved(self, before: Whole | None, after: Whole) -> None:
        """A run began, went on or ended."""

    def timed_out(self, whole: Whole) -> None:
        """What a run waited for is over."""

    def tried(self, whole: Whole, delivery: Delivery | GiveUp) -> Outcome:
        """An action is tried; what becomes of it."""

    def settled(self, moves: Moves) -> None:
        """All that one decision moved has been told."""


class Daemon:
    """Decides, waits and tries, one thing after the other."""

    def __init__(
        self, ruleset: RuleSet, now: Moment, secrets: Mapping[str, str], witness: Witness
    ) -> None:
        self.ruleset = ruleset
        self.now = now
        self.memory = Memory()
        self._broker_up = True
        self._began = now
        self._secrets = secrets
        self._witness = witness
        self._events = 0
        self._steps = 0
        self._at_once = 0
        self._open: dict[int, Whole] = {}
        """The runs that have not ended."""
        self._owing: dict[int, None] = {}
        """Those of them that owe an action."""
        self._alarms: list[tuple[float, int]] = []
        """Uptimes at which something may be due, and of which run; a heap."""

    @property
    def at_s(self) -> float:
        """Seconds since the start."""
        return self.now.uptime_s - self._began.uptime_s

    # --- what happens ------------------------------------------------------------------------

    def report(self, event: Event) -> None:
        """Take an event."""
        self._events += 1
        arrival = engine.arrival(self.ruleset, self.memory, event, self._events, self.now)
        decision, moves = engine.decide(self.ruleset, self.memory, arrival, self.now)
        self._witness.decided(event, decision)
        self._apply(moves)
        self.work()

    def set_broker(self, *, up: bool) -> None:
        """Let the broker go, or be back."""
        self._broker_up = up
        self.work()

    def work(self) -> None:
        """Try all that can be tried now, what has been due for longest first."""
        while (run_id := self._next_owed()) is not None:
            self._count()
            whole = self._whole(run_id)
            if runs.expired(whole.run, self.now):
                self._apply(engine.expire(self.memory, whole, self.now))
            else:
                self._try(whole)

    def go_on_to(self, at_s: float) -> None:
        """Let time pass, and do what is due meanwhile; at that moment, too."""
        until = self._began.uptime_s + at_s
        while (due := self._next_due()) is not None and due <= until:
            self._pass_to(due)
            self._ring()
            self.work()
        self._pass_to(until)

    def finish(self, longest_s: float) -> None:
        """Let time pass until nothing waits, but no longer than that."""
        until = self.now.uptime_s + longest_s
        while (due := self._next_due()) is not None and due <= until:
            self.go_on_to(due - self._began.uptime_s)

    # --- time --------------------------------------------------------------------------------

    def _pass_to(self, uptime_s: float) -> None:
        if uptime_s > self.now.uptime_s:
            self._at_once = 0
            self.now = self._began.after(uptime_s - self._began.uptime_s)

    def _next_due(self) -> float | None:
        """When the next thing is due; what is so no more is forgotten on the way."""
        while self._alarms:
            due, run_id = self._alarms[0]
            if run_id in self._open and due in self._dues(self._whole(run_id).run):
                return max(due, self.now.uptime_s)
            heapq.heappop(self._alarms)
        return None

    def _dues(self, run: Run) -> Iterator[float]:
        """When something becomes of a run by itself."""
        if run.verb in TIMED:
            if run.verb != "join" and (run.verb != "lane" or run.expires_s is not None):
                yield run.next_try.uptime_s
            return
        if run.expires_s is not None:
            yield run.due.uptime_s + run.expires_s
        yield run.next_try.uptime_s

    def _ring(self) -> None:
        """Wake all that is due now."""
        while self._alarms and self._alarms[0][0] <= self.now.uptime_s:
            _, run_id = heapq.heappop(self._alarms)
            if run_id not in self._open:
                continue
            whole = self._whole(run_id)
            self._count()
            if whole.run.verb not in TIMED:
                if runs.expired(whole.run, self.now):
                    self._apply(engine.expire(self.memory, whole, self.now))
            elif whole.run.verb != "join" and self.now.reached(whole.run.next_try):
                self._witness.timed_out(whole)
                self._apply(engine.wake(self.ruleset, self.memory, run_id, self.now))

    def _count(self) -> None:
        self._steps += 1
        self._at_once += 1
        if self._steps > MOST:
            raise EndlessError(f"{MOST:,} tries and waits")
        if self._at_once > MOST_AT_ONCE:
            raise EndlessError(f"{MOST_AT_ONCE:,} tries and waits at one moment")

    # --- tries -------------------------------------------------------------------------------

    def _next_owed(self) -> int | None:
        owed = [run for run_id in self._owing if self._can_be_tried(run := self._whole(run_id).run)]
        return min(owed, key=lambda run: (run.due.uptime_s, run.id)).id if owed else None

    def _can_be_tried(self, run: Run) -> bool:
        return (self._broker_up or run.verb != NEEDS_BROKER) and self.now.reached(run.next_try)

    def _try(self, whole: Whole) -> None:
        delivery = self._delivery(whole)
        tried = Whole(runs.tried_once(whole.run), whole.event, whole.program)
        self._open[tried.run.id] = tried
        self.memory.touch(tried)
        if tried.run.parent:
            self.memory.begun(tried.run.parent)
        outcome = self._witness.tried(tried, delivery)
        self._apply(engine.settle(self.memory, tried, outcome, self.now, jitter=JITTER))

    def _delivery(self, whole: Whole) -> Delivery | GiveUp:
        state = self.memory.state(whole.program.state)
        names = names_of(self.memory.calls.get(whole.run.call), whole.event, state)
        return runs.delivery(
            whole, names=names, secrets=self._secrets, store_id="test", now=self.now
        )

    # --- what is moved -----------------------------------------------------------------------

    def _whole(self, run_id: int) -> Whole:
        return self.memory.runs.get(run_id) or self._open[run_id]

    def _apply(self, moves: Moves) -> None:
        self.memory.apply(moves)
        for whole in moves.runs:
            run_id = whole.run.id
            before = self._open.pop(run_id, None)
            self._owing.pop(run_id, None)
            self._witness.moved(before, whole)
            if whole.run.ended:
                continue
            self._open[run_id] = whole
            if whole.run.verb not in TIMED:
                self._owing[run_id] = None
            for due in self._dues(whole.run):
                if due > self.now.uptime_s or whole.run.verb in TIMED:
                    heapq.heappush(self._alarms, (due, run_id))
        self._witness.settled(moves)
