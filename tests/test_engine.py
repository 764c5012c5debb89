"""What an event starts, and why not."""

from dataclasses import replace

import pytest
from hypothesis import given, settings

from pbxrules.engine import Arrival, decide
from pbxrules.index import build
from pbxrules.memory import Memory
from pbxrules.misses import words
from pbxrules.model import Condition, Event, Facts, Miss, Moment, Tried, Verdict
from pbxrules.rules import RuleSet
from tests.rulefiles import NOON_S, decided, event, fired, rule
from tests.rulefiles import ruleset as read_rules
from tests.rulesets import EVENTS, RULES, Written, fits, ruleset


@settings(max_examples=60)
@given(RULES, EVENTS)
def test_what_starts_is_what_looking_at_every_rule_gives(
    written: list[list[Written]], told: Event
) -> None:
    rules = ruleset(written)
    decision = decided(rules, told)
    wanted = [
        str(place)
        for place, triggers in enumerate(written)
        if any(fits(trigger, told) for trigger in triggers)
    ]
    assert [rule.id for rule in decision.fired] == wanted
    assert [verdict.rule for verdict in decision.verdicts if verdict.matched] == wanted
    places = [int(verdict.rule) for verdict in decision.verdicts]
    assert places == sorted(set(places))


def test_a_verdict_tells_the_first_miss_of_each_trigger_looked_at() -> None:
    rules = read_rules(
        rule("[{event: ring, extension: 1, trunk: t}, {event: ring, caller: 7}]"),
        rule("{event: ring, trunk: u}").replace("id: r", "id: s"),
        rule("{event: bye}").replace("id: r", "id: t"),
    )
    told = event(extension="1", caller="7x", trunk="u")
    assert decided(rules, told).verdicts == (
        Verdict(rule="r", matched=False, because=((Miss("trunk", "t"),),)),
        Verdict(rule="s", matched=True),
    )
    told = event(extension="1", caller="7", trunk="v")
    assert decided(rules, told).verdicts == (Verdict(rule="r", matched=True),)


def test_a_rule_starts_once_however_many_of_its_triggers_fit() -> None:
    rules = read_rules(rule("[{event: ring}, {extension: 1}, {caller: 2}]"))
    decision = decided(rules, event(extension="1", caller="2"))
    assert decision.fired == (rules.by_id["r"],)
    assert [run.trigger for run in decision.changes.runs] == ["1"]
    assert decision.verdicts == (Verdict(rule="r", matched=True),)


def test_nothing_of_one_rule_changes_another() -> None:
    one, other = rule("{event: ring}"), rule("any").replace("id: r", "id: s")
    assert fired(read_rules(one, other), event()) == ["r", "s"]
    for text, name in ((one, "r"), (other, "s")):
        assert fired(read_rules(text), event()) == [name]


def test_promise_6_a_rule_whose_test_breaks_does_not_match_and_harms_no_other() -> None:
    def broken(_: object) -> bool:
        raise ZeroDivisionError

    rules = read_rules(rule("{event: ring, extension: 1}"), rule("any").replace("id: r", "id: s"))
    for trigger in rules.rules[0].triggers:
        object.__setattr__(
            trigger, "tests", tuple(replace(test, holds=broken) for test in trigger.tests)
        )
    rules = replace(rules, index=build([rule.triggers for rule in rules.rules]))
    told = event(extension="1")
    decision = decided(rules, told)
    assert [rule.id for rule in decision.fired] == ["s"]
    (because,) = decision.verdicts[0].because
    assert words(because, told) in (
        "event breaks: ZeroDivisionError()",
        "extension breaks: ZeroDivisionError()",
    )


NOON = Moment(boot="b", uptime_s=100.0, wall_s=NOON_S)
ASKS = "{event: ring}\n  conditions: "


def rules_of(*conditions: str) -> RuleSet:
    """The rules ``r0``, ``r1``, … for every ring, each with these conditions."""
    texts = [
        rule(ASKS + one).replace("id: r", f"id: r{place}") for place, one in enumerate(conditions)
    ]
    return read_rules(*texts)


@pytest.mark.parametrize(
    "condition",
    [
        pytest.param("'{{ 1 / 0 }}'", id="it divides by zero"),
        pytest.param("'{{ caller }}'", id="it gives a text"),
        pytest.param("'{{ caller < 5 }}'", id="it compares text and number"),
        pytest.param("{not: '{{ caller }}'}", id="not of what can't be worked out"),
        pytest.param("{not: {not: '{{ caller }}'}}", id="not not of it"),
        pytest.param("{not: ['{{ caller }}', {caller: 9}]}", id="it among several of which none"),
        pytest.param("{not: {caller: 7, or: ['{{ caller }}']}}", id="it beside what holds"),
        pytest.param("[{caller: 7}, '{{ caller }}']", id="it in a list"),
        pytest.param("{or: [{caller: 9}, '{{ caller }}']}", id="it as the last that might do"),
    ],
)
def test_promise_6_a_condition_that_can_not_be_worked_out_fires_nothing_and_harms_no_rule(
    condition: str,
) -> None:
    rules = rules_of(condition, "{caller: 7}")
    decision = decided(rules, event(caller="7"))
    assert [rule.id for rule in decision.fired] == ["r1"]
    assert not decision.verdicts[0].matched
    told = [words(misses, event(caller="7")) for misses in decision.verdicts[0].because]
    assert "}} fails: " in told[0]


def test_what_can_not_be_worked_out_keeps_nothing_else_from_holding() -> None:
    assert fired(rules_of("{or: ['{{ 1 / 0 }}', {caller: 7}]}"), event(caller="7")) == ["r0"]
    assert fired(rules_of("{not: {and: [{caller: 9}, '{{ 1 / 0 }}']}}"), event()) == ["r0"]


def test_promise_6_a_condition_that_breaks_harms_no_other_rule() -> None:
    class Broken(Condition):
        says = "x"
        parts = ()

        def misses(self, facts: Facts, *, wanted: bool) -> tuple[Miss, ...]:
            raise ZeroDivisionError(facts.trigger, wanted)

    rules = rules_of("{caller: 7}", "{caller: 7}")
    object.__setattr__(rules.rules[0], "condition", Broken())
    told = event(caller="7")
    decision = decided(rules, told)
    assert [rule.id for rule in decision.fired] == ["r1"]
    assert [words(misses, told) for misses in decision.verdicts[0].because] == [
        "a condition breaks: ZeroDivisionError('1', True)"
    ]


def test_a_rule_that_fits_and_whose_conditions_do_not_hold_says_what_they_lack() -> None:
    rules = read_rules(
        rule("[{event: bye}, {event: ring, id: door}]\n  conditions: {trigger: '1', caller: 7}")
    )
    assert decided(rules, event(caller="7")).verdicts == (
        Verdict(rule="r", matched=False, because=((Miss("trigger", "1", "door"),),)),
    )


@pytest.mark.parametrize(
    ("triggers", "trigger"),
    [
        pytest.param("any", "1", id="any is the first"),
        pytest.param("{event: ring}", "1", id="the only one is the first"),
        pytest.param("{event: ring, id: door}", "door", id="an id"),
        pytest.param("[{event: bye}, {event: ring}]", "2", id="the second, by its place"),
        pytest.param("[{event: bye, id: a}, {event: ring}]", "2", id="places count all"),
        pytest.param("[{caller: 7, id: a}, {event: ring, id: b}]", "a", id="the first that fits"),
        pytest.param("[{event: ring, id: a}, {caller: 7, id: b}]", "a", id="whatever it asks"),
    ],
)
def test_a_start_says_which_trigger_fits(triggers: str, trigger: str) -> None:
    decision = decided(read_rules(rule(triggers)), event(caller="7"))
    assert [run.trigger for run in decision.changes.runs] == [trigger]


def test_conditions_see_the_moment_that_they_are_given() -> None:
    text = "times: {lunch: {after: 12:00, before: 13:00}}\n" + rule(ASKS + "{time: lunch}")
    rules = read_rules(text)
    assert [fired(rules, event(), wall_s=NOON_S + s) for s in (-1, 0, 3599, 3600)] == [
        [], ["r"], ["r"], [],
    ]  # fmt: skip


@pytest.mark.parametrize("mode", ["parallel", "queued"])
@pytest.mark.parametrize(
    ("waiting", "begins"),
    [
        pytest.param(0, True, id="none waits"),
        pytest.param(9, True, id="the last place is free"),
        pytest.param(10, False, id="as many as may wait do"),
        pytest.param(11, False, id="more than may wait do"),
    ],
)
def test_promise_9_a_lane_with_too_many_runs_gives_up_the_newest(
    waiting: int, begins: bool, mode: str
) -> None:
    keys = f"  max: 10\n  mode: {mode}\n  per: extension\n"
    rules = read_rules(rule().replace("  actions", f"{keys}  actions"))
    memory = Memory()
    for number in range(waiting):
        memory.open(number, "r", '["101"]')
        memory.open(100 + number, "r", '["102"]')
    told = Arrival(event=event(extension="101"), id=7)
    decision, _ = decide(rules, memory, told, NOON)
    (run,) = decision.changes.runs
    assert [rule.id for rule in decision.fired] == ["r"]
    assert run.ended is not begins
    if not begins:
        reason = f"the rule has {waiting} runs that wait already"
        dropped = Tried(
            position="actions/0", verb="log", state="dropped", reason=reason, attempts=0
        )
        assert run.tried == (dropped,)
