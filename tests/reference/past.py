"""What can be looked up of all that happened."""

import math
from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import Any

from tests.reference.things import (
    At,
    Counted,
    Owed,
    Report,
    Rule,
    Run,
    UnclearError,
    passed,
    spends,
)
from tests.reference.words import (
    TRIES,
    Scripts,
    evaluated,
    fits,
    is_bound,
    listed,
    seconds,
    template,
    with_scripts,
)

DAY_S = 86_400.0
"""For so long a call is known: it has ended long before."""
UNTIL = {
    "ring": ("answer", "bye", "cdr", "call_failed"),
    "alert": ("answer", "bye", "cdr", "call_failed"),
    "answer": ("bye", "cdr"),
    "extension_status": ("extension_status",),
}


class Past:
    """All that ever happened."""

    def __init__(
        self, rules: Sequence[Rule], scripts: Scripts, state: Mapping[str, Any], now: At
    ) -> None:
        self.now = now
        self.moments = [now]
        """All that ever were."""
        self.rules = [with_scripts(rule, scripts) for rule in rules]
        self.bound = {name: first["mqtt"] for name, first in state.items() if is_bound(first)}
        """The topic of each name of the state that is bound to one."""
        self.state = {name: None if name in self.bound else state[name] for name in state}
        self.reports: list[Report] = []
        self.runs: list[Run] = []
        """All that ever were, in the order of their reports."""
        self.took_place: list[Run] = []
        """Those that got past ``cooldown`` and ``mode``, in that order."""
        self.counted: list[Counted] = []
        self._set: dict[str, Any] = {}
        self._left: dict[tuple[Any, ...], dict[str, Any]] = {}
        self.to_hear: list[Run] = []
        """Runs that hear of the last report in the order in which they matched, and did not yet."""

    def set_clock(self, now: At) -> None:
        self.now = now
        self.moments.append(now)

    def over(self, since: At, span_s: float, *, ahead: bool = True) -> bool:
        """Whether so much time has passed.

        *ahead*: what a clock that was set back, over a boot, has yet to come is over, for
        nobody knows how long ago it was.
        """
        least = 0.0 if ahead else -math.inf
        if not least <= passed(since, self.now) < span_s:
            return True
        then = self.moments[self.moments.index(since) :]
        if not all(least <= passed(since, moment) < span_s for moment in then):
            raise UnclearError
        return False

    def left_s(self, since: At, until: At) -> float:
        """For how long it is to be waited yet, after a boot at most as long as in all."""
        left_s = max(0.0, passed(self.now, until))
        return (
            left_s if until.boot == self.now.boot else min(left_s, max(0.0, passed(since, until)))
        )

    # --- calls, extensions and lanes ------------------------------------------------------------

    def surely_same(self, one: Report, other: Report) -> bool:
        """Whether two reports are without a doubt of the same call, or of the same extension."""
        if one.subject is None or one.subject != other.subject:
            return False
        return (self.is_sure(one, then=other) and other.sure) or (
            "call_id" in one.fields and one.fields["call_id"] == other.fields["call_id"]
        )

    def is_sure(self, report: Report, *, then: Report | None = None) -> bool:
        """Whether *then* (now) a report with this id had surely been of this call."""
        own = report.call, report.fields.get("call_id")
        before = self.reports if then is None else self.reports[: then.number]
        return any((r.call, r.fields.get("call_id")) == own and r.sure for r in before)

    def of_call(self, report: Report) -> dict[str, Any]:
        if report.kind == "extension_status" or not report.call:
            return {"id": None, "sure": False, "answered": False}
        answered = any(r.call == report.call and r.kind == "answer" for r in self.reports)
        return {"id": report.call, "sure": self.is_sure(report), "answered": answered}

    def ends(self, run: Run, report: Report) -> bool:
        """Whether a report ends what a run's ``for`` waits for."""
        began = run.report
        if not self.surely_same(began, report):
            return False
        told = listed(run.trigger.get("until"))
        if report.kind not in (told or UNTIL.get(began.kind, ())):
            return False
        if report.kind == began.kind == "extension_status":
            return report.fields.get("status") != began.fields.get("status")
        if report.kind == "call_failed" and not told:
            return report.fields.get("call_id") == began.fields.get("call_id")
        return True

    def wants(self, run: Run, step: Mapping[str, Any], report: Report) -> bool:
        """Whether a report satisfies a ``wait_for``."""
        if report.number <= run.heard or not fits(step["wait_for"], report.fields):
            return False
        if report is self.reports[-1] and any(run is one for one in self.to_hear):
            return False  # it comes to it when it is its turn
        same = step.get("same", "call")
        if same == "call":
            return self.surely_same(run.report, report)
        return same == "none" or all(
            report.fields.get(name) == run.report.fields.get(name) for name in listed(same)
        )

    def lane(self, run: Run) -> list[Run]:
        """What is on in its lane or waits there."""
        return [
            other
            for other in self.took_place
            if other.open and other.rule["id"] == run.rule["id"] and other.key == run.key
        ]

    def in_the_way(self, run: Run) -> bool:
        """Whether a run's ``finally`` keeps a newer match from its start."""
        waits = any(other.stage == "lane" for other in self.lane(run))
        return bool(run.outcome) and run.rule.get("mode") == "restart" and waits

    # --- what keeps a match from firing ----------------------------------------------------------

    def is_waited_for(self, rule: Rule, report: Report) -> bool:
        """Whether a ``for`` of this rule waits for this call, or fired and the call goes on."""
        return report.subject is not None and any(
            run.rule["id"] == rule["id"]
            and "for" in run.trigger
            and run.report.subject == report.subject
            and (run.stage == "for" or run.fired)
            and not self.over(run.report.at, seconds(run.trigger["for"]) + DAY_S, ahead=False)
            and not any(self.ends(run, end) for end in self.reports[run.report.number :])
            for run in self.runs
        )

    def is_the_nth(self, count: Any, what: tuple[Any, ...], report: Report) -> bool:
        """Whether a ``count`` fires; a call that reports again within the time is no new one."""
        within = seconds(count["within"])
        before = [match for match in reversed(self.counted) if match.what == what]
        if before and self.over(before[0].at, before[0].within):
            before = []  # nothing of it was kept
        before = [*takewhile(lambda match: not self.over(match.at, within), before)]
        # What was too old once stays so, whatever the clocks say later.
        self.counted = [m for m in self.counted if m.what != what or m in before]
        of_calls = count.get("of", "calls") == "calls"
        again = of_calls and report.call and report.call in [match.call for match in before]
        anew = [*takewhile(lambda match: not match.fires, before)]
        number = sum(match.counts for match in anew) + (not again)
        fires = not again and number >= count["at_least"]
        self.counted.append(Counted(what, self.now, within, report.call, not again, fires))
        return fires

    def has_run_for(self, run: Run) -> bool:
        same = [
            other
            for other in self.took_place
            if other.rule["id"] == run.rule["id"]
            and other.report.call == run.report.call
            and "once_per" in other.rule
        ]
        return (
            bool(same) and spends(same[-1]) and not self.over(same[-1].matched, DAY_S, ahead=False)
        )

    def is_cooling(self, run: Run) -> bool:
        same = [
            other
            for other in self.took_place
            if other.rule["id"] == run.rule["id"]
            and other.key == run.key
            and "cooldown" in other.rule
        ]
        if not same or not spends(same[-1]):
            return False
        return not self.over(same[-1].matched, seconds(same[-1].rule["cooldown"]))

    def first_expires_s(self, run: Run) -> float | None:
        """For how long after its match the first action, or else the run, may begin."""
        first = run.rule["actions"][0]  # of a script, if that comes first
        own = first.get("expires") if any(verb in first for verb in TRIES) else None
        text = own or run.rule.get("expires", "60s")
        return None if text == "never" else seconds(text)

    # --- templates and conditions ------------------------------------------------------------

    def names(self, run: Run, step: Mapping[str, Any]) -> dict[str, Any]:
        """What a step sees; in a script the variables that it was given."""
        return {
            "vars": step.get("vars", run.rule.get("variables", {})),
            **run.report.fields,
            **run.results,
            "state": run.sees,
            "outcome": run.outcome,
            "trigger": {"id": run.trigger_id},
            "call": self.of_call(run.report),
        }

    def agrees(self, run: Run, step: Mapping[str, Any], conditions: Any) -> bool:
        return self.holds(conditions, run.report.fields, self.names(run, step))

    def holds(self, conditions: Any, fields: Mapping[str, str], names: Mapping[str, Any]) -> bool:
        for condition in listed(conditions):
            if isinstance(condition, str):
                if evaluated(condition, names) is not True:
                    return False
                continue
            tests = {name: wanted for name, wanted in condition.items() if name != "state"}
            known = {k: v for k, v in names["state"].items() if v is not None}
            state = {name: str(value) for name, value in known.items()}
            if not fits(tests, fields) or not fits(condition.get("state", {}), state):
                return False
        return True

    def says(self, run: Run, owed: Owed) -> str:
        """What an action that is owed would tell now."""
        match owed.step:
            case {"mqtt": {"payload": text}} | {"http": {"body": text}}:
                pass
            case {"shell": [_, text]} | {"log": text}:
                pass
        return template(text).render({**self.names(run, owed.step), "state": self.state})
