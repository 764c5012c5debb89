"""A daemon to which happens what was drawn, and all that can be seen of its memory."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pbxrules import runs
from pbxrules.memory import TIMED, Memory
from pbxrules.model import Done, Event, GiveUp, Moment, Outcome, TryAgain
from pbxrules.rules import RuleSet
from tests.rulefiles import ruleset
from tests.streams import TOPIC, reported, text_of
from tests.virtual import STARTS, Daemon

RuleSets = Sequence[Sequence[Mapping[str, Any]]]
Happening = tuple[str, Any]


def read(rules: Sequence[Mapping[str, Any]], number: int = 0) -> RuleSet:
    """The rules, read as a file of theirs is."""
    return ruleset(text_of(rules, number))


class DrawnDaemon(Daemon):
    """Its actions are begun as soon as they are owed; how they end is drawn."""

    def __init__(self, rule_sets: RuleSets) -> None:
        """Start with the first of *rule_sets*; the others are for reloads."""
        self.rule_sets = [read(rules, number) for number, rules in enumerate(rule_sets)]
        super().__init__(self.rule_sets[0], STARTS)
        self._up = True
        self._boots = 0

    def happens(self, kind: str, told: Any) -> None:
        """Let one thing happen, and all that follows at once."""
        match kind:
            case "report":
                self._tell(told)
            case "lost":
                fields, call, sure = reported(told)
                self.lose(Event(fields=fields, payload={}), call, sure=sure)
            case "wait":
                self._wait(told)
            case "outcome":
                self._outcome(*told)
            case "targets":
                self._up = told
            case "clock":
                self.now = replace(self.now, wall_s=self.now.wall_s + told)
            case "crash":
                self._die(*told)
            case "message":
                self.memory.tell(TOPIC, told)
            case "reload":
                self.reload(self.rule_sets[told])
        self._wait(0.0)

    def _tell(self, told: Mapping[str, Any]) -> None:
        fields, call, sure = reported(told)
        self.report(Event(fields=fields, payload={}), call, sure=sure)

    def _outcome(self, number: int, what: str, jitter: float) -> None:
        under_way = sorted(self.under_way)
        outcomes: Mapping[str, Outcome] = {
            "done": Done(result={"exit_code": number}),
            "again": TryAgain(reason="no answer"),
            "failed": GiveUp(reason="refused"),
        }
        if under_way:
            self.tried(under_way[number % len(under_way)], outcomes[what], jitter=jitter)

    def _die(self, boots: bool, down_s: float, by_s: float) -> None:
        now = self.now.after(down_s)
        if boots:
            self._boots += 1
            boot = f"boot {self._boots}"
            now = Moment(boot=boot, uptime_s=10.0, wall_s=now.wall_s + by_s)
        self.crash(now)

    def _wait(self, seconds: float) -> None:
        self._try()
        while (due := min(self._due(), default=(seconds + 1, 0, "")))[0] <= seconds:
            left, run_id, what = due
            seconds -= max(0.0, left)
            self.now = self.now.after(max(0.0, left))
            if what == "expires":
                self.expire(run_id)
            elif what != "again":
                self.wake(run_id)
            self._try()
        self.now = self.now.after(seconds)

    def _due(self) -> list[tuple[float, int, str]]:
        """What is due in how many seconds."""
        return [
            (left, run_id, what)
            for run_id in self.open
            for left, _, _, what in self._stops_of(run_id)
        ]

    def _try(self) -> None:
        for run_id in [*self.open] if self._up else ():
            run = self.whole(run_id).run
            owed = run.verb not in TIMED and run_id not in self.under_way
            if owed and self.now.reached(run.next_try) and not runs.expired(run, self.now):
                self.begin(run_id)


def seen_of(memory: Memory) -> dict[str, Any]:
    """All that can be seen of a memory, but for the order in which it came."""
    return {
        "kept": {one.key: one for one in memory.all_kept()},
        "count": memory._count,
        "bound": dict(memory.bound),
        "runs": dict(memory.runs),
        "lanes": {lane: {*ids} for lane, ids in memory.lanes.items()},
        "queued": {lane: {*ids} for lane, ids in memory.queued.items()},
        "watched": {subject: {*ids} for subject, ids in memory._watched.items()},
        "branches": {parent: {*ids} for parent, ids in memory._branches.items()},
        "of event": {event_id: {*ids} for event_id, ids in memory.branches_of_event.items()},
        "leaving": {*memory.leaving},
        "held": {subject: dict(rules) for subject, rules in memory.held.items()},
    }
