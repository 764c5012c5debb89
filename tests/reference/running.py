"""Runs on their way, as generators."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from tests.reference.past import Past
from tests.reference.things import (
    EndedError,
    Life,
    Owed,
    Run,
    UnclearError,
    Wait,
    later,
    passed,
)
from tests.reference.words import TRIES, all_waits, evaluated, seconds

MOST_STEPS = 1_000
MOST_HEARD = 16
"""Of the reports that a run may want later it knows the last ones."""


class Running(Past):
    """Runs begin, go on and end."""

    def start(self, run: Run) -> None:
        run.stage, run.started = "on", True
        run.due = run.matched
        run.life = self.life(run)
        if run.rule.get("mode", "parallel") != "parallel":
            run.leaves = dict(self._left.get((run.rule["id"], run.key), {}))
        self.go(run)

    def end(self, run: Run, fate: str) -> None:
        run.stage, run.fate, run.rests = "over", fate, []
        lane = self.lane(run)
        if run.started and lane and all(other.stage == "lane" for other in lane):
            if any(passed(lane[0].matched, other.matched) < 0 for other in lane):
                raise UnclearError  # which of them was first, after a boot
            self.start(lane[0])

    def restart(self, lane: list[Run]) -> None:
        """A newer match wants the place of all these."""
        for run in lane:
            if run.stage == "lane":
                self.end(run, "dropped")
            elif run.rule.get("mode") != "restart":
                continue  # it goes on with the rule that it began with
            elif not run.outcome:
                owed = run.rests[0]
                if isinstance(owed, Owed) and not owed.beside:
                    run.settled.append((owed.verb, "dropped", owed.attempts))
                self.go(run, end=EndedError("restarted"))
            else:
                (owed,) = run.rests
                assert isinstance(owed, Owed)
                if owed.attempts and not owed.under_way:  # it had its one try
                    self.settle(run, owed, "failed", {})

    def go(
        self,
        run: Run,
        *,
        answer: Any = None,
        end: EndedError | None = None,
    ) -> None:
        """Let a run go on until it waits again, or is over."""
        run.steps = 0
        run.sees = {**self.state, **run.leaves}
        try:
            run.rests = run.life.send(answer) if end is None else run.life.throw(end)
        except StopIteration:
            self._left[run.rule["id"], run.key] = run.leaves
            self.end(run, run.outcome)

    def life(self, run: Run) -> Life:
        outcome = "done"
        try:
            yield from self.steps(run, run.rule["actions"])
        except EndedError as ended:
            outcome = ended.outcome
        run.outcome = outcome
        if run.begun and "finally" in run.rule:
            run.due, run.steps = self.now, 0
            with suppress(EndedError):
                yield from self.steps(run, run.rule["finally"])

    def steps(self, run: Run, steps: Sequence[Mapping[str, Any]]) -> Life:
        for step in steps:
            run.steps += 1
            if run.steps > MOST_STEPS:
                run.settled.append(("repeat", "failed", 0))
                raise EndedError("failed")
            yield from self.step(run, step)

    def step(self, run: Run, step: Mapping[str, Any]) -> Life:
        match step:
            case {"delay": span}:
                yield [Wait("delay", self.now, later(self.now, seconds(span)))]
                run.due, run.steps = self.now, 0
            case {"wait_for": _}:
                yield from self.wait(run, step)
            case {"if": condition}:
                way = "then" if self.agrees(run, step, condition) else "else"
                yield from self.steps(run, step.get(way, ()))
            case {"choose": branches}:
                ways = (way["do"] for way in branches if self.agrees(run, step, way["when"]))
                yield from self.steps(run, next(ways, step.get("default", ())))
            case {"repeat": how}:
                yield from self.repeat(run, step, how)
            case {"stop": _}:
                run.settled.append(("stop", "done", 0))
                raise EndedError("stopped")
            case {"set": values}:
                self.set(run, step, values)
            case {"parallel": actions}:
                owed = [self.owed(run, action, beside=True) for action in actions]
                yield from self.act(run, owed, go_on=step.get("continue_on_error", False))
            case _:
                yield from self.act(run, [self.owed(run, step)])

    def wait(self, run: Run, step: Mapping[str, Any]) -> Life:
        waits = [*all_waits([run.rule["actions"]])]
        wanted = [r for r in self.reports if any(self.wants(run, wait, r) for wait in waits)]
        came = (r for r in wanted[-MOST_HEARD:] if self.wants(run, step, r))
        report = next(came, None)
        if report is None:
            report = yield [
                Wait(
                    "wait_for", self.now, later(self.now, seconds(step.get("timeout", "1h"))), step
                )
            ]
            run.steps = 0
        run.due = self.now
        result: dict[str, Any] = {"timed_out": report is None}
        if report is not None:
            run.heard = report.number
            result |= report.fields
        if "register" in step:
            run.results[step["register"]] = result
        if report is None and step.get("else") == "stop":
            raise EndedError("stopped")

    def repeat(self, run: Run, step: Mapping[str, Any], how: Mapping[str, Any]) -> Life:
        rounds = 0
        while rounds < how.get("count", rounds + 1):
            if "while" in how and not self.agrees(run, step, how["while"]):
                return
            yield from self.steps(run, how["do"])
            rounds += 1
            if "until" in how and self.agrees(run, step, how["until"]):
                return

    def set(self, run: Run, step: Mapping[str, Any], values: Mapping[str, Any]) -> None:
        run.begun = True
        names = self.names(run, step)
        found = {name: evaluated(value, names) for name, value in values.items()}
        run.due = self.now
        if any(type(value) is not type(self.state[name]) for name, value in found.items()):
            run.settled.append(("set", "failed", 0))
            if not run.outcome:
                raise EndedError("failed")
            return
        run.sees.update(found)
        run.leaves.update(found)
        self._set.update(found)

    def act(self, run: Run, owed: list[Owed], *, go_on: bool = False) -> Life:
        """Owe one action, or several side by side, until all are settled.

        Of these none sees what another registers.
        """
        try:
            yield owed
        finally:
            for one in sorted(owed, key=lambda one: one.place):
                if one.state and "register" in one.step:
                    run.results[one.step["register"]] = one.result
        run.due, run.steps = self.now, 0
        bad = [
            one.state
            for one in owed
            if one.state != "done" and not one.step.get("continue_on_error")
        ]
        if bad and not go_on and not run.outcome:
            raise EndedError("expired" if "expired" in bad else "failed")

    def owed(self, run: Run, step: Mapping[str, Any], *, beside: bool = False) -> Owed:
        verb = next(verb for verb in TRIES if verb in step)
        usual, last = (run.rule.get("expires", "60s"), TRIES[verb])
        if run.outcome:  # finally: it is tried for an hour
            usual, last = "1h", None
        text = step.get("expires", usual)
        if run.outcome and text == "never":
            text = "1h"
        return Owed(
            step=step,
            due=run.due,
            # In a lane it was due before it began; of an older boot nobody can tell for sure.
            again=run.due if run.due.boot == self.now.boot else self.now,
            expires_s=None if text == "never" else seconds(text),
            limit=step.get("retry", {}).get("attempts", last),
            beside=beside,
        )

    def settle(self, run: Run, owed: Owed, state: str, result: Any) -> None:
        owed.state = state
        owed.result, owed.place = result, len(run.settled)
        run.settled.append((owed.verb, state, owed.attempts))
        if all(isinstance(rest, Owed) and rest.state for rest in run.rests):
            self.go(run)
