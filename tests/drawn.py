"""A daemon to which happens what was drawn, and all that can be seen of its memory."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from pbxrules import runs
from pbxrules.memory import TIMED, Memory
from pbxrules.model import Done, Event, GiveUp, Moment, Outcome, TryAgain
from pbxrules.rules import RuleSet
from tests.rulefiles import ruleset
from tests.streams import STATE
from tests.virtual import STARTS, Daemon

RuleSets = Sequence[Sequence[Mapping[str, Any]]]
Happening = tuple[str, Any]

# Few values and short times, so that things meet: in one lane, of one call, at one moment.
EXTENSION = st.sampled_from(["101", "102"])
REPORT = st.fixed_dictionaries(
    {
        "event": st.sampled_from(
            ["ring", "ring", "ring", "alert", "answer", "bye", "call_failed", "cdr"]
        ),
        "extension": EXTENSION,
        "call": st.sampled_from(["c1", "c1", "c2", "c3", ""]),
        "doubtful": st.sampled_from([False, False, False, True]),
    }
)
STATUS = st.fixed_dictionaries(
    {
        "event": st.just("extension_status"),
        "extension": EXTENSION,
        "status": st.sampled_from(["idle", "busy"]),
    }
)
SPANS_S = st.sampled_from([0.5, 1.0, 1.0, 1.5, 2.0, 2.0, 3.0, 5.0, 8.0, 60.0])
JUMPS_S = st.sampled_from([3_600.0, -3_600.0, 31_536_000.0, -31_536_000.0])


def named(**told: st.SearchStrategy[Any]) -> list[st.SearchStrategy[Happening]]:
    """What may happen, by name."""
    return [st.tuples(st.just(name), one) for name, one in told.items()]


def streams(*happenings: st.SearchStrategy[Happening]) -> st.SearchStrategy[list[Happening]]:
    """Some of these, one after the other."""
    # Several lists: of one hypothesis draws about six.
    return st.tuples(*[st.lists(st.one_of(*happenings), max_size=12)] * 6).map(
        lambda lists: [happening for each in lists for happening in each]
    )


REPORTS = [*named(report=REPORT)] * 3 + named(report=STATUS)
HAPPENINGS = streams(
    *REPORTS,
    *named(wait=SPANS_S) * 2,
    *named(
        outcome=st.tuples(
            st.integers(0, 5), st.sampled_from(["done", "done", "again", "failed"]), st.floats(0, 1)
        )
    )
    * 3,
    *named(
        targets=st.booleans(),
        crash=st.tuples(st.booleans(), SPANS_S, st.one_of(st.just(0.0), JUMPS_S)),
        clock=JUMPS_S,
        reload=st.integers(0, 2),
    ),
)


def read(rules: Sequence[Mapping[str, Any]]) -> RuleSet:
    """The rules, read as a file of theirs is."""
    return ruleset(f"state: {json.dumps(STATE)}\nrules: {json.dumps(rules)}\n")


def fields_of(told: Mapping[str, Any], call_id: str) -> dict[str, Any]:
    """The fields of a report that was drawn."""
    fields = {name: told[name] for name in told if name not in ("call", "doubtful")}
    fields |= {"action": "A", "received_at": "now"}
    return fields | ({"call_id": call_id} if call_id else {})


class DrawnDaemon(Daemon):
    """Its actions are begun as soon as they are owed; how they end is drawn."""

    def __init__(self, rule_sets: RuleSets) -> None:
        """Start with the first of *rule_sets*; the others are for reloads."""
        self.rule_sets = [read(rules) for rules in rule_sets]
        super().__init__(self.rule_sets[0], STARTS)
        self._up = True
        self._boots = 0

    def happens(self, kind: str, told: Any) -> None:
        """Let one thing happen, and all that follows at once."""
        match kind:
            case "report":
                self._tell(told)
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
            case "reload":
                self.reload(self.rule_sets[told])
        self._wait(0.0)

    def _tell(self, told: Mapping[str, Any]) -> None:
        call = told.get("call", "")
        fields = fields_of(told, f"{call}-{told['extension']}" if call else "")
        event = Event(fields=fields, payload={})
        self.report(event, call, sure=not told.get("doubtful"))

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
