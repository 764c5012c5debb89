"""What an event starts, and why not."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings

from pbxrules.engine import decide, words
from pbxrules.model import Event, Verdict
from tests.rulefiles import event, rule
from tests.rulefiles import ruleset as read_rules
from tests.rulesets import EVENTS, RULES, Written, fits, ruleset


@settings(max_examples=60)
@given(RULES, EVENTS)
def test_what_starts_is_what_looking_at_every_rule_gives(
    written: list[list[Written]], told: Event
) -> None:
    rules = ruleset(written)
    decision = decide(rules, told)
    wanted = [
        str(place)
        for place, triggers in enumerate(written)
        if any(fits(trigger, told) for trigger in triggers)
    ]
    assert [start.id for start in decision.starts] == wanted
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
    assert decide(rules, told).verdicts == (
        Verdict(rule="r", matched=False, because=(("trunk", "t"),)),
        Verdict(rule="s", matched=True),
    )
    told = event(extension="1", caller="7", trunk="v")
    assert decide(rules, told).verdicts == (Verdict(rule="r", matched=True),)


def test_a_rule_starts_once_however_many_of_its_triggers_fit() -> None:
    rules = read_rules(rule("[{event: ring}, {extension: 1}, {caller: 2}]"))
    decision = decide(rules, event(extension="1", caller="2"))
    assert [start.id for start in decision.starts] == ["r"]
    assert decision.verdicts == (Verdict(rule="r", matched=True),)


def test_nothing_of_one_rule_changes_another() -> None:
    one, other = rule("{event: ring}"), rule("any").replace("id: r", "id: s")
    both = decide(read_rules(one, other), event())
    assert [start.id for start in both.starts] == ["r", "s"]
    for text, name in ((one, "r"), (other, "s")):
        assert [start.id for start in decide(read_rules(text), event()).starts] == [name]


def test_promise_6_a_rule_whose_test_breaks_does_not_match_and_harms_no_other() -> None:
    def broken(_: object) -> bool:
        raise ZeroDivisionError

    rules = read_rules(rule("{event: ring, extension: 1}"), rule("any").replace("id: r", "id: s"))
    for trigger in rules.rules[0].triggers:
        object.__setattr__(
            trigger, "tests", tuple(replace(test, holds=broken) for test in trigger.tests)
        )
    told = event(extension="1")
    decision = decide(rules, told)
    assert [start.id for start in decision.starts] == ["s"]
    (because,) = decision.verdicts[0].because
    assert words(because, told).endswith("wanted a test that does not break: ZeroDivisionError()")


@pytest.mark.parametrize(
    ("because", "fields", "expected"),
    [
        pytest.param(
            ("extension", "101"), {"extension": "102"}, "extension is 102, wanted 101", id="a text"
        ),
        pytest.param(
            ("trunk", "one of t, u"), {}, "trunk is absent, wanted one of t, u", id="absent"
        ),
        pytest.param(
            ("extensions", "7"),
            {"extensions": ("1", "2")},
            "extensions is 1, 2, wanted 7",
            id="a list",
        ),
        pytest.param(("duration", "10"), {"duration": 0}, "duration is 0, wanted 10", id="zero"),
    ],
)
def test_a_miss_in_words(because: tuple[str, str], fields: dict[str, Any], expected: str) -> None:
    assert words(because, event(**fields)) == expected


def test_a_miss_of_the_payload_shows_what_was_sent() -> None:
    rules = read_rules(rule("{event: ring, payload.sn: 5}"))
    told = Event(fields=event().fields, payload={"sn": "7"})
    (verdict,) = decide(rules, told).verdicts
    (miss,) = verdict.because
    assert words(miss, told) == "payload.sn is 7, wanted 5"
