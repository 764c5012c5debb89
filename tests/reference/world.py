"""What happens, and what it makes of the rules."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from tests.reference.running import Running
from tests.reference.things import Owed, Report, Rule, Run, Wait, later, passed
from tests.reference.words import Scripts, fits, listed, seconds, tests_of, with_scripts

SETTLING_S = 5.0
"""After a start no ``for`` and no ``wait_for`` ends by time for so long."""


class Reference(Running):
    """Everything that happened, and what it makes of the rules."""

    @contextmanager
    def moment(self) -> Iterator[None]:
        """One thing that happens: what is set in it is seen by others afterwards."""
        self._set, self._left = {}, {}
        for run in self.runs:
            run.leaves = {}
        yield
        self.state.update(self._set)

    def report(self, fields: Mapping[str, str], call: str, *, sure: bool) -> None:
        report = Report(len(self.reports) + 1, self.now, fields, call, sure)
        with self.moment():
            self.reports.append(report)
            self.to_hear = [run for run in self.runs if run.open]
            while self.to_hear:
                run = self.to_hear.pop(0)
                if run.open:
                    self.hear(run, report)
            for rule in self.rules:
                self.look_at(rule, report)

    def wake(self, run: Run) -> None:
        """The time that it waited for has come."""
        (rest,) = run.rests
        with self.moment():
            match rest:
                case Wait(kind="for"):
                    self.stayed_so(run)
                case Wait(kind="lane"):
                    run.settled.append(("lane", "expired", 0))
                    self.end(run, "expired")
                case Wait(kind="delay"):
                    self.go(run)
                case Wait(kind="wait_for"):
                    self.go(run, answer=None)

    def begin(self, run: Run, owed: Owed) -> None:
        """A try of an action begins."""
        owed.attempts += 1
        owed.under_way = True
        run.begun = True

    def tried(self, run: Run, owed: Owed, outcome: str, result: Any, *, jitter: float) -> None:
        """A try has ended: ``done``, ``failed`` for good, or ``again``."""
        owed.under_way = False
        with self.moment():
            if outcome != "again":
                self.settle(run, owed, outcome, result)
                return
            limit = 1 if self.in_the_way(run) else owed.limit
            if limit is not None and owed.attempts >= limit:
                self.settle(run, owed, "failed", result)
                return
            retry = {"delay": "1s", "max_delay": "60s", **owed.step.get("retry", {})}
            doubled = seconds(retry["delay"]) * 2 ** (owed.attempts - 1)
            wait_s = min(doubled, seconds(retry["max_delay"])) * (0.5 + 0.5 * jitter)
            spent = max(0.0, passed(owed.due, self.now))
            if owed.expires_s is not None and spent + wait_s >= owed.expires_s:
                self.settle(run, owed, "expired", result)
            else:
                owed.again, owed.wakes = later(self.now, wait_s), None

    def expire(self, run: Run, owed: Owed) -> None:
        with self.moment():
            self.settle(run, owed, "expired", {})

    def crash(self) -> None:
        """The daemon is killed and started again, *now*.

        What is under way then is tried again.  Nobody knows by then whether what is owed was
        begun: a siren may be on.  What the broker holds, it has yet to tell.
        """
        self.state |= dict.fromkeys(self.bound)
        for run in self.runs:
            for rest in run.rests:
                if isinstance(rest, Wait) and rest.until is not None:
                    left_s = max(self.settles_s(run, rest), self.left_s(rest.since, rest.until))
                    rest.wakes = later(self.now, left_s)
                elif isinstance(rest, Owed) and not rest.state:
                    run.begun = True
                    rest.under_way = False
                    rest.wakes = later(self.now, self.left_s(rest.due, rest.again))

    def settles_s(self, run: Run, rest: Wait) -> float:
        """For how long reports sent again may come first; a ``for`` is not to be late by that."""
        if rest.kind not in ("for", "wait_for"):
            return 0.0
        late_s = self.first_expires_s(run) if rest.kind == "for" else None
        if late_s is None or rest.until is None:
            return SETTLING_S
        in_time_s = passed(self.now, rest.until) + late_s - 0.5
        return min(SETTLING_S, max(0.0, in_time_s))

    def message(self, topic: str, text: str | None) -> None:
        """The retained message of a topic is another one; or there is none any more."""
        self.state |= {name: text for name, bound in self.bound.items() if bound == topic}

    def reload(self, rules: Sequence[Rule], scripts: Scripts) -> None:
        self.rules = [with_scripts(rule, scripts) for rule in rules]
        for run in self.runs:
            if run.stage == "for" and run.rule not in self.rules:
                self.end(run, "dropped")

    # --- from a report to a run --------------------------------------------------------------

    def look_at(self, rule: Rule, report: Report) -> None:
        triggers = enumerate(listed(rule["triggers"]), 1)
        fitting = ((place, one) for place, one in triggers if fits(tests_of(one), report.fields))
        place, trigger = next(fitting, (0, None))
        if trigger is None:
            return
        names = {**report.fields, "call": report.call}
        key = tuple(names.get(name) or None for name in listed(rule.get("per")))
        trigger_id = trigger.get("id", str(place))
        what = rule["id"], place, key
        if "count" in trigger and not self.is_the_nth(trigger["count"], what, report):
            return
        run = Run(rule, trigger, trigger_id, report, key, self.now)
        run.heard = report.number
        if "for" not in trigger:
            run.fired = True
            self.fire(run)
        elif not self.is_waited_for(rule, report):
            run.stage = "for"
            run.rests = [Wait("for", self.now, later(self.now, seconds(trigger["for"])))]
        if run.stage:
            self.runs.append(run)

    def hear(self, run: Run, report: Report) -> None:
        """Let a run know of a report."""
        if run.stage == "for":
            if self.ends(run, report):
                self.end(run, "dropped")
            return
        match run.rests:
            case [Wait(kind="wait_for", step=step)] if self.wants(run, step, report):
                self.go(run, answer=report)

    def stayed_so(self, run: Run) -> None:
        """A ``for`` has lasted its time: it fires, unless that was too long ago."""
        until, late_s = run.rests[0].until, self.first_expires_s(run)  # type: ignore[union-attr]
        assert until is not None
        if late_s is not None and max(0.0, passed(until, self.now)) >= late_s:
            self.end(run, "dropped")
            return
        run.fired = True
        run.matched = self.now
        run.stage, run.rests = "", []
        self.fire(run)
        if not run.stage:
            self.end(run, "dropped")

    def fire(self, run: Run) -> None:
        """Conditions, ``once_per``, ``cooldown``, ``mode``; then it starts or waits for that."""
        rule = run.rule
        run.sees = self.state
        names = self.names(run, {})
        if not self.holds(rule.get("conditions"), run.report.fields, names):
            return
        if "once_per" in rule and run.report.call and self.has_run_for(run):
            return
        if "cooldown" in rule and self.is_cooling(run):
            return
        mode, lane = rule.get("mode", "parallel"), self.lane(run)
        if mode == "single" and lane:
            return
        if mode != "restart" and len(lane) >= rule.get("max", 10_000):
            self.end(run, "dropped")
            return
        if mode == "restart":
            self.restart(lane)
            lane = self.lane(run)
        self.took_place.append(run)
        if lane and mode in ("restart", "queued"):
            late_s = self.first_expires_s(run)
            until = None if late_s is None else later(run.matched, late_s)
            run.stage, run.rests = "lane", [Wait("lane", run.matched, until)]
        else:
            self.start(run)

    # --- what is seen ------------------------------------------------------------------------

    def fired(self) -> list[str]:
        """The rules that the last report fired, also where there was no room for a run."""
        last = self.reports[-1]
        return [run.rule["id"] for run in self.runs if run.report is last and run.fired]

    def stops(self) -> list[tuple[float, tuple[int, str], str, str]]:
        """The seconds until something is due by itself; whose, which, and what that is."""
        return sorted(
            (left, run.name, which, what)
            for run in self.runs
            for rest in run.rests
            for left, which, what in self.stops_of(run, rest)
        )

    def stops_of(self, run: Run, rest: Wait | Owed) -> Iterator[tuple[float, str, str]]:
        if isinstance(rest, Wait):
            if rest.until is not None:
                yield passed(self.now, rest.wakes or rest.until), "", rest.kind
        elif not rest.state and not rest.under_way:
            says = self.says(run, rest)
            if rest.expires_s is not None:
                yield rest.expires_s - passed(rest.due, self.now), says, "expires"
            if passed(self.now, rest.opens) > 0:
                yield passed(self.now, rest.opens), says, "again"
