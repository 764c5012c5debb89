"""The index: it never loses a trigger that fits, and it does not look at all of them."""

from hypothesis import example, given, settings

from pbxrules.index import build
from pbxrules.model import Event
from tests.rulefiles import event, rule
from tests.rulefiles import ruleset as read_rules
from tests.rulesets import EVENTS, RULES, Written, fits, ruleset

RING = Event(fields={"event": "ring", "extensions": ("1", "1", "2")}, payload={})


@settings(max_examples=60)
@given(RULES, EVENTS)
@example([[Written(tests={"extensions": ["1", "2"]})]], RING)
@example([[Written(tests={"extensions": {"in": "empty"}})]], RING)
def test_every_trigger_that_fits_is_a_candidate_once_and_in_order(
    written: list[list[Written]], told: Event
) -> None:
    candidates = ruleset(written).index.candidates(told)
    fitting = [
        (place, number)
        for place, triggers in enumerate(written)
        for number, trigger in enumerate(triggers)
        if fits(trigger, told)
    ]
    assert [place for place in candidates if place in fitting] == fitting
    assert candidates == sorted(set(candidates))


def test_no_rules_no_candidates() -> None:
    assert build([]).candidates(event()) == []


def test_a_trigger_is_filed_under_what_the_fewest_share() -> None:
    """So a ring on one of 1,000 extensions meets one rule, not the 1,000 that name rings."""
    files = [
        rule(f"{{event: ring, extension: {number}}}").replace("id: r", f"id: r{number}")
        for number in range(1000)
    ]
    rules = read_rules("rules:\n" + "".join(text.removeprefix("rules:\n") for text in files))
    assert rules.index.candidates(event(extension="7")) == [(7, 0)]
    assert rules.index.candidates(event(event="bye", extension="7")) == [(7, 0)]
    assert rules.index.candidates(event()) == []


def test_a_trigger_without_equality_is_always_looked_at() -> None:
    rules = read_rules(rule("{extension: {not: 5}}"), rule("any").replace("id: r", "id: s"))
    assert rules.index.candidates(event(event="bye")) == [(0, 0), (1, 0)]


def test_lists_and_groups_are_filed_under_each_of_their_texts() -> None:
    text = "groups: {g: [1, 2]}\n" + rule("[{extension: {in: g}}, {extension: [2, 3]}]")
    index = read_rules(text).index
    found = {number: index.candidates(event(extension=number)) for number in "1234"}
    assert found == {"1": [(0, 0)], "2": [(0, 0), (0, 1)], "3": [(0, 1)], "4": []}
