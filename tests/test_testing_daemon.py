"""The virtual daemon of tests of rules beside a plain one that looks at every run each time."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pbxrules import runs
from pbxrules.memory import TIMED, Moves, Whole
from pbxrules.model import Decision, Delivery, Done, Event, GiveUp, Outcome
from pbxrules.testing.daemon import Daemon, EndlessError
from tests.drawn import DrawnDaemon, read
from tests.streams import REPORTS, SPANS_S, STATUSES, reported, rule_sets
from tests.virtual import STARTS

LATER_S = 200.0
Tried = tuple[float, str, str, str]
"""When, of which event and rule, at which step."""


def told_of(whole: Whole, at_s: float) -> Tried:
    run = whole.run
    return round(at_s, 3), str(run.event_id), run.rule, run.position


def event_of(told: Mapping[str, Any]) -> tuple[Event, str]:
    """An event, and its call, which its id alone tells."""
    fields, call, _ = reported(told)
    fields.pop("call_id", None)
    if call:
        fields["call_id"] = call
    return Event(fields=fields, payload={}), call


class Plain(DrawnDaemon):
    """Tries at once what is owed, and all of it succeeds; looks for what is due among all."""

    def __init__(self, rule_sets: list[list[dict[str, Any]]]) -> None:
        super().__init__(rule_sets)
        self.tries: list[Tried] = []

    def _try(self) -> None:
        while owed := [whole for run_id in self.open if self._is_owed(whole := self.whole(run_id))]:
            whole = min(owed, key=lambda one: (one.run.due.uptime_s, one.run.id))
            if runs.expired(whole.run, self.now):
                self.expire(whole.run.id)
                continue
            self.tries.append(told_of(whole, self.now.since(STARTS)))
            self.begin(whole.run.id)
            self.tried(whole.run.id, Done(result={"exit_code": 0}))

    def _is_owed(self, whole: Whole) -> bool:
        return whole.run.verb not in TIMED and self.now.reached(whole.run.next_try)

    def wait(self, seconds: float) -> None:
        until = self.now.after(seconds)
        while due := [one for one in self._due() if one[0] <= until.since(self.now)]:
            self.now = self.now.after(max(0.0, min(due)[0]))
            for _, run_id, what in sorted(due, key=lambda one: one[:2]):
                if run_id in self.open and what not in ("again", "expires") and self._has(run_id):
                    self.wake(run_id)
            self._try()
        self.now = until

    def _has(self, run_id: int) -> bool:
        run = self.whole(run_id).run
        return run.verb in TIMED and run.verb != "join" and self.now.reached(run.next_try)


class Noting:
    """Lets all succeed, and writes down what was tried."""

    daemon: Daemon

    def __init__(self) -> None:
        self.tries: list[Tried] = []

    def decided(self, event: Event, decision: Decision) -> None:
        """Nothing."""

    def moved(self, before: Whole | None, after: Whole) -> None:
        """Nothing."""

    def timed_out(self, whole: Whole) -> None:
        """Nothing."""

    def settled(self, moves: Moves) -> None:
        """Nothing."""

    def tried(self, whole: Whole, delivery: Delivery | GiveUp) -> Outcome:  # noqa: ARG002 - all succeed
        self.tries.append(told_of(whole, self.daemon.at_s))
        return Done(result={"exit_code": 0})


HAPPENINGS = st.lists(
    st.one_of(
        st.sampled_from([("report", told) for told in (*REPORTS, *STATUSES)]),
        st.sampled_from([("wait", span_s) for span_s in SPANS_S]),
    ),
    max_size=40,
)


@pytest.mark.timeout(120)
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(rule_sets(), HAPPENINGS)
def test_both_try_the_same_at_the_same_moments(
    rules: list[list[dict[str, Any]]], happenings: list[tuple[str, Any]]
) -> None:
    plain, noting = Plain(rules[:1]), Noting()
    daemon = noting.daemon = Daemon(read(rules[0]), STARTS, {}, noting)
    at_s = 0.0
    for kind, told in [*happenings, ("wait", LATER_S)]:
        if kind == "wait":
            at_s += told
            daemon.go_on_to(at_s)
            plain.wait(told)
        else:
            event, call = event_of(told)
            daemon.report(event)
            plain.report(event, call)
            plain._try()
    assert noting.tries == plain.tries
    assert daemon.memory.state(daemon.ruleset.state) == plain.memory.state(plain.ruleset.state)


def test_the_plain_one_sees_time_pass() -> None:
    rule = {"id": "r", "triggers": "any", "actions": [{"log": "a"}, {"delay": "2s"}, {"log": "b"}]}
    plain = Plain([[rule]])
    plain.report(*event_of({"event": "ring", "extension": "101", "call": "c1"}))
    plain._try()
    plain.wait(3.0)
    assert [(at_s, position) for at_s, _, _, position in plain.tries] == [
        (0.0, "actions/0"),
        (2.0, "actions/2"),
    ]


def test_what_goes_on_for_ever_is_stopped() -> None:
    rule = {"id": "r", "triggers": "any",
            "actions": [{"repeat": {"while": "{{ true }}", "do": [{"log": "a"}]}}]}  # fmt: skip
    noting = Noting()
    daemon = noting.daemon = Daemon(read([rule]), STARTS, {}, noting)
    event, _ = event_of({"event": "ring", "extension": "101", "call": "c1"})
    with pytest.raises(EndlessError):
        daemon.report(event)
