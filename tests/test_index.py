"""The index: it never loses a trigger that fits, and it does not look at all of them."""

from collections.abc import Iterable

import pytest
from hypothesis import example, given, settings

from pbxrules.conditions.fields import value_of
from pbxrules.index import LONG, PATTERNS, Index, Place, build
from pbxrules.model import Event
from tests.rulefiles import event, fired, rule
from tests.rulefiles import ruleset as read_rules
from tests.rulesets import EVENTS, RULES, Written, fits, ruleset


def places_of(index: Index, told: Event) -> list[Place]:
    return [place for place, _ in index.candidates(told)]


RING = Event(fields={"event": "ring", "extensions": ("1", "1", "2")}, payload={})


@settings(max_examples=60)
@given(RULES, EVENTS)
@example([[Written(tests={"extensions": ["1", "2"]})]], RING)
@example([[Written(tests={"extensions": {"in": "empty"}})]], RING)
def test_every_trigger_that_fits_is_a_candidate_once_and_in_order(
    written: list[list[Written]], told: Event
) -> None:
    candidates = places_of(ruleset(written).index, told)
    fitting = [
        (place, number)
        for place, triggers in enumerate(written)
        for number, trigger in enumerate(triggers)
        if fits(trigger, told)
    ]
    assert [place for place in candidates if place in fitting] == fitting
    assert candidates == sorted(set(candidates))


@settings(max_examples=60)
@given(RULES, EVENTS)
def test_the_tests_that_are_left_of_a_candidate_decide_it(
    written: list[list[Written]], told: Event
) -> None:
    rules = ruleset(written)
    for (place, number), left in rules.index.candidates(told):
        tests = rules.rules[place].triggers[number].tests
        assert set(left) <= set(tests)
        fit = all(test.holds(value_of(told, test.field)) for test in tests)
        assert all(test.holds(value_of(told, test.field)) for test in left) is fit


def test_no_rules_no_candidates() -> None:
    assert build([]).candidates(event()) == []


def test_a_trigger_is_filed_under_what_the_fewest_share() -> None:
    """So a ring on one of 1,000 extensions meets one rule, not the 1,000 that name rings."""
    files = [
        rule(f"{{event: ring, extension: {number}}}").replace("id: r", f"id: r{number}")
        for number in range(1000)
    ]
    rules = read_rules("rules:\n" + "".join(text.removeprefix("rules:\n") for text in files))
    assert places_of(rules.index, event(extension="7")) == [(7, 0)]
    assert places_of(rules.index, event(event="bye", extension="7")) == [(7, 0)]
    assert places_of(rules.index, event()) == []


def many(triggers: Iterable[str]) -> str:
    """A file with a rule for each of *triggers*."""
    return "rules:\n" + "".join(
        f"- {{id: r{number}, triggers: {trigger}, actions: [{{log: hi}}]}}\n"
        for number, trigger in enumerate(triggers)
    )


def places(text: str, **fields: str) -> list[int]:
    """The rules that a ring with these fields meets."""
    return [rule for rule, _ in places_of(read_rules(text).index, event(**fields))]


# 20 rules for each of 50 extensions; each rule has a caller test of its own.
TESTS = {
    "prefix": "{{prefix: '0{0:03}'}}",
    "suffix": "{{suffix: '{0:03}0'}}",
    "contains": "{{contains: 'x{0:03}x'}}",
    "a glob": "{{glob: '?x{0:03}?'}}",
    "a glob of patterns": "{{glob: '?[{1}][{2}][{3}]'}}",
    "regex": "{{regex: '.x0*{0}'}}",
    "between": "{{between: ['0{0:03}0', '0{0:03}9']}}",
    "glob, in any case": "{{glob: 'X{0:03}*', ignore_case: true}}",
    "prefix, in any case": "{{prefix: 'X{0:03}', ignore_case: true}}",
}
FITTING = {
    "prefix": "0123456", "suffix": "561230", "contains": "ax123xb", "a glob": "ax123b",
    "a glob of patterns": "a123", "regex": "ax00123", "between": "01237",
    "glob, in any case": "x123a", "prefix, in any case": "x123a",
}  # fmt: skip


@pytest.mark.parametrize("name", TESTS)
def test_a_pattern_is_looked_up_where_equal_texts_are_common(name: str) -> None:
    tests = (TESTS[name].format(n, n // 100, n // 10 % 10, n % 10) for n in range(1000))
    text = many(f"{{event: ring, extension: {n // 20}, caller: {t}}}" for n, t in enumerate(tests))
    rules = read_rules(text)
    told = event(extension="6", caller=FITTING[name])
    assert places_of(rules.index, told) == [(123, 0)]
    assert fired(rules, told) == ["r123"]
    assert not places_of(rules.index, event(extension="6", caller="y"))


def test_a_rare_text_is_looked_up_before_a_pattern() -> None:
    text = many(f"{{extension: {n // 2}, caller: {{prefix: 0}}}}" for n in range(100))
    assert places(text, extension="7") == [14, 15]
    assert places(text, caller="0") == []


def test_a_prefix_that_many_share_is_looked_up_after_a_text_that_fewer_share() -> None:
    """So a caller from the own country does not meet all rules that name an own number."""
    numbers = [f"{{event: ring, caller: +4930{n:03}}}" for n in range(100)]
    both = [f"{{extension: {n // 20}, caller: {{prefix: +4930}}}}" for n in range(40)]
    assert places(many([*numbers, *both]), caller="+4930555", extension="1") == [*range(120, 140)]


def test_an_end_that_many_share_is_looked_up_after_a_text_that_fewer_share() -> None:
    numbers = [f"{{event: ring, caller: {n:03}99}}" for n in range(100)]
    both = [f"{{extension: {n // 20}, caller: {{suffix: 99}}}}" for n in range(40)]
    assert places(many([*numbers, *both]), caller="55599", extension="1") == [*range(120, 140)]


def test_a_value_meets_the_beginnings_ends_and_parts_of_every_length() -> None:
    tests = [
        f"{{caller: {{{word}: '{text}'}}}}"
        for word in ("prefix", "suffix", "contains")
        for text in ("1", "2", "12", "23", "123", "1234")
    ]
    assert places(many(tests), caller="123") == [0, 2, 4, 9, 10, *range(12, 17)]
    assert places(many(tests), caller="12") == [0, 2, 7, 8, 12, 13, 14]
    assert places(many(tests), caller="") == []


def test_a_long_value_meets_all_parts() -> None:
    """Each of its parts looked up would take too long; each rule looks for its own instead."""
    text = many(["{caller: {contains: ab}}", "{caller: {contains: c}}"])
    assert places(text, caller="x" * LONG) == []
    assert places(text, caller="x" * (LONG + 1)) == [0, 1]
    assert fired(read_rules(text), event(caller="x" * LONG + "c")) == ["r1"]


def test_more_patterns_than_a_set_takes_go_into_several() -> None:
    text = many(f"{{caller: {{regex: '.{n:04}'}}}}" for n in range(2 * PATTERNS + 1))
    (shelf,) = read_rules(text).index.shelves
    assert len(shelf.matches) > 2
    assert max(len(by_number) for _, by_number in shelf.matches) <= PATTERNS
    assert places(text, caller="x0000") == [0]
    assert places(text, caller="x1000") == [1000]


def test_patterns_that_are_too_large_for_one_set_go_into_several_or_are_always_looked_at() -> None:
    small, large = "{caller: {regex: '.[0-9]x'}}", "{caller: {regex: '(.[0-9]{100}){9}'}}"
    rules = read_rules(many([small, large, small.replace("]x", "]y"), large.replace("9}'", "8}'")]))
    index = build([rule.triggers for rule in rules.rules], memory=60_000)
    (shelf,) = index.shelves
    assert len(shelf.matches) == 2
    assert [place for place, _ in index.always] == [(1, 0), (3, 0)]
    assert places_of(index, event(caller="a1x")) == [(0, 0), (1, 0), (3, 0)]


def test_rules_of_one_pattern_share_it() -> None:
    text = many(["{caller: {regex: '.1'}}"] * 3 + ["{caller: {regex: ['.1', '.2']}}"])
    (shelf,) = read_rules(text).index.shelves
    ((_, by_number),) = shelf.matches
    assert len(by_number) == 2
    assert places(text, caller="x1") == [0, 1, 2, 3]
    assert places(text, caller="x2") == [3]


def test_a_large_group_is_held_once_however_many_rules_ask_for_it() -> None:
    members = ", ".join(map(str, range(500)))
    text = many(f"{{caller: {{in: g}}, extension: {n % 5}}}" for n in range(1000))
    (shelf,) = read_rules(f"groups: {{g: [{members}]}}\n{text}").index.shelves
    assert (shelf.field, len(shelf.equals)) == ("extension", 5)
    text = many(f"{{caller: {{in: g}}, duration: {{above: {n}}}}}" for n in range(1000))
    (shelf,) = read_rules(f"groups: {{g: [{members}]}}\n{text}").index.shelves
    assert len(shelf.equals) == 500
    assert len({id(places) for found in shelf.equals.values() for places in found}) == 1


def test_what_nothing_can_pass_is_never_looked_at() -> None:
    text = "groups: {none: []}\n" + many(["{event: ring, caller: {in: none}}"])
    assert places(text, caller="1") == []


def test_a_trigger_without_a_key_is_always_looked_at() -> None:
    rules = read_rules(rule("{extension: {not: 5}}"), rule("any").replace("id: r", "id: s"))
    assert places_of(rules.index, event(event="bye")) == [(0, 0), (1, 0)]


def test_lists_and_groups_are_filed_under_each_of_their_texts() -> None:
    text = "groups: {g: [1, 2]}\n" + rule("[{extension: {in: g}}, {extension: [2, 3]}]")
    index = read_rules(text).index
    found = {number: places_of(index, event(extension=number)) for number in "1234"}
    assert found == {"1": [(0, 0)], "2": [(0, 0), (0, 1)], "3": [(0, 1)], "4": []}
