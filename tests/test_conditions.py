"""Conditions: which hold of which event at which moment, and what is said where they do not."""

import json
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbxrules.conditions.leaves import Leaf
from pbxrules.conditions.logic import MOST, And, Not, Or
from pbxrules.conditions.reading import kinds
from pbxrules.misses import words
from pbxrules.model import Condition, Event, Facts, Miss
from pbxrules.template import RenderError
from tests.rulefiles import LANGUAGE, NOON_S, event, fired, rule, ruleset

FILE = """
groups: {family: ["+4930", "0171"]}
times:
  night: {after: 22:30, before: 07:00}
  weekend: {weekdays: sat..sun}
  tokyo: {after: 22:00, before: 06:00, timezone: Asia/Tokyo}
state: {armed: {mqtt: home/armed}, door: {mqtt: home/door}, missed: 0, open: false, last: []}
"""
TRIGGERS = "[{event: ring, id: door}, {event: alert}, {event: cdr}]"
ZONE = ZoneInfo("Europe/Berlin")


NAMES = {
    "state": {"armed": "true", "door": None, "missed": 3, "open": False, "last": ["0171", "9"]},
    "call": {"id": "c1", "answered": False, "caller": "+4930"},
}
"""What the rules remember, and what is known of the call."""


def condition(written: str) -> Condition:
    """What a rule's ``conditions`` say, in a file with groups, times and variables."""
    text = rule(f'{TRIGGERS}\n  variables: {{vips: ["0171"]}}\n  conditions: {written}')
    (only,) = ruleset(FILE, text).rules
    assert only.condition is not None
    return only.condition


def at(text: str) -> float:
    """The moment of a text by Berlin's clock; without a date on Tuesday the 24th."""
    told = text if "-" in text else f"2026-11-24 {text}"
    return datetime.fromisoformat(told).replace(tzinfo=ZONE).timestamp()


def facts(moment: str = "14:05", trigger: str = "door", **fields: Any) -> Facts:
    told = {"caller": "+4930", "callee": "101", "extensions": ("101", "102"), **fields}
    kept = {name: value for name, value in told.items() if value is not None}
    seen = Event(fields=event(**kept).fields, payload={"action": "RING", "n": 3})
    return Facts(event=seen, wall_s=at(moment), trigger=trigger, names=NAMES)


HOLDS = [
    ("{caller: +4930}", {}, "a field test"),
    ("[{caller: +4930}]", {}, "a list of one"),
    ("{caller: +4930, callee: 101}", {}, "field tests of which all hold"),
    ("[{caller: +4930}, {callee: 101}]", {}, "conditions of which all hold"),
    ("{caller: {in: family}}", {}, "an operator"),
    ("{extensions: 102}", {}, "a list field"),
    ("{payload.n: 3}", {}, "a member of the report"),
    ("{trunk: {exists: false}}", {}, "an absent field"),
    ("{time: night}", {"moment": "22:30"}, "a time that begins"),
    ("{time: night}", {"moment": "06:59:59"}, "a time about to end"),
    ("{time: [night, weekend]}", {"moment": "2026-11-28 12:00"}, "one of two times"),
    ("{time: [weekend, night]}", {"moment": "23:00"}, "the other of them"),
    ("{time: tokyo}", {"moment": "14:05"}, "a time of another zone"),
    ("{time: night, caller: +4930}", {"moment": "23:00"}, "a time beside a field"),
    ("{not: {time: night}}", {}, "not that time"),
    ("{state: {armed: 'true'}}", {}, "a state"),
    ("{state: {missed: 3, open: 'false'}}", {}, "states of other types, as text"),
    ("{state: {missed: {above: 2, below: 4}}}", {}, "a state by operators"),
    ("{state: {last: {in: family}}}", {}, "a state that is a list"),
    ("{state: {door: {exists: false}}}", {}, "a state that MQTT never told"),
    ("{state: {door: {not: open}}}", {}, "not of such a state"),
    ("{not: {state: {door: open}}}", {}, "not around such a state"),
    ("{state: {armed: {in: ['true', 'on']}}, caller: +4930}", {}, "a state beside a field"),
    ("'{{ state.missed > 2 and not call.answered }}'", {}, "a template with state and call"),
    ("'{{ state.door == none }}'", {}, "a template with a state never told"),
    ("{trigger: door}", {}, "the trigger by its id"),
    ("{trigger: 2}", {"trigger": "2"}, "the trigger by its place"),
    ("{trigger: [door, 3]}", {"trigger": "3"}, "one of two triggers"),
    ("{and: [{caller: +4930}, {callee: 101}]}", {}, "and"),
    ("{and: [{caller: +4930}]}", {}, "and of one"),
    ("{or: [{caller: 9}, {callee: 101}]}", {}, "or, by the second"),
    ("{or: [{caller: +4930}, {callee: 9}]}", {}, "or, by the first"),
    ("{or: [{caller: 9, callee: 101}, {callee: 101}]}", {}, "a map in or asks for all of it"),
    ("{not: {caller: 9}}", {}, "not"),
    ("{not: {caller: +4930, callee: 9}}", {}, "not of a map of which one fails"),
    ("{not: [{caller: 9}, {callee: 9}]}", {}, "not of a list of which none holds"),
    ("{not: {not: {caller: +4930}}}", {}, "not not"),
    ("{not: {caller: 9}}", {"caller": None}, "not of an absent field"),
    ("{not: '{{ caller == \"9\" }}'}", {}, "not of a template"),
    ("{not: {or: [{caller: 9}, {callee: 9}]}}", {}, "neither"),
    ("{caller: +4930, or: [{callee: 9}, {callee: 101}]}", {}, "or beside a field test"),
    ("{caller: +4930, not: {callee: 9}, and: [{trigger: door}]}", {}, "all words in one map"),
    ("'{{ callee | length > 2 }}'", {}, "a template"),
    ("['{{ callee | length > 2 }}', {caller: +4930}]", {}, "a template in a list"),
    ("{or: ['{{ callee == none }}', '{{ caller == \"+4930\" }}']}", {}, "templates in or"),
    ("'{{ caller not in vars.vips }}'", {}, "a template with the rule's variables"),
    ("'{{ vars[\"lamps\"][callee] == \"hall\" }}'", {}, "and with the configuration's"),
    ("'{{ rule.id == \"r\" and trigger.id == \"door\" }}'", {}, "a template with rule and trigger"),
    ("'{{ now.hour == 14 and now.weekday == \"tue\" }}'", {}, "a template with the time"),
    ("'{{ payload.n > 2 and fields.event == \"ring\" }}'", {}, "a template with the report"),
]  # fmt: skip
FAILS = [
    ("{caller: 9}", {}, "caller is +4930, wanted 9", "a field test"),
    ("{trunk: t}", {}, "trunk is absent, wanted t", "a test of an absent field"),
    ("{extensions: 9}", {}, "extensions is 101, 102, wanted 9", "a test of a list field"),
    ("{payload.n: 4}", {}, "payload.n is 3, wanted 4", "a test of a member"),
    (
        "[{caller: +4930}, {callee: 9}, {trunk: t}]", {}, "callee is 101, wanted 9",
        "the first of a list that fails",
    ),
    ("{time: night}", {}, "time is Tue 14:05, wanted night", "another time"),
    ("{time: night}", {"moment": "07:00"}, "time is Tue 07:00, wanted night", "a time's end"),
    (
        "{time: [night, weekend]}", {}, "time is Tue 14:05, wanted one of night, weekend",
        "neither of two times",
    ),
    ("{time: tokyo}", {"moment": "23:00"}, "time is Wed 07:00, wanted tokyo",
     "a time of another zone, by that clock"),
    (
        "{not: {time: night}}", {"moment": "23:05"}, "time is Tue 23:05, wanted not night",
        "not that time",
    ),
    (
        "{state: {armed: 'false'}}", {}, "state.armed is true, wanted false",
        "a state that is otherwise",
    ),
    ("{state: {door: open}}", {}, "state.door is absent, wanted open", "a state never told"),
    ("{state: {missed: {below: 2}}}", {}, "state.missed is 3, wanted below 2", "a number"),
    (
        "{state: {last: {in: [1, 2]}}}", {}, "state.last is 0171, 9, wanted one of 1, 2",
        "a list that has none of it",
    ),
    (
        "{not: {state: {open: 'false'}}}", {}, "state.open is false, wanted not false",
        "not of a state",
    ),
    ("'{{ call.answered }}'", {}, "{{ call.answered }} is false", "a template of the call"),
    ("{trigger: 2}", {}, "trigger is door, wanted 2", "another trigger"),
    ("{trigger: [2, 3]}", {}, "trigger is door, wanted one of 2, 3", "none of two triggers"),
    ("{not: {trigger: door}}", {}, "trigger is door, wanted not door", "not that trigger"),
    ("{not: {caller: +4930}}", {}, "caller is +4930, wanted not +4930", "not"),
    (
        "{not: {caller: {in: family}}}", {}, "caller is +4930, wanted not in family",
        "not with an operator",
    ),
    (
        "{not: {caller: {not: 9}}}", {}, "caller is +4930, wanted not (not 9)",
        "not around the operator not",
    ),
    (
        "{not: {caller: {in: family, exists: true}}}", {},
        "caller is +4930, wanted not (in family and there)", "not around two operators",
    ),
    (
        "{or: [{caller: 9}, {trunk: t}]}", {},
        "one of these would do: caller is +4930, wanted 9; trunk is absent, wanted t", "or",
    ),
    ("{or: [{caller: 9}]}", {}, "caller is +4930, wanted 9", "or of one"),
    (
        "{or: [{caller: 9, trunk: t}, {time: night}]}", {},
        "one of these would do: caller is +4930, wanted 9; time is Tue 14:05, wanted night",
        "the first that fails of each map in or",
    ),
    (
        "{or: [{or: [{caller: 8}, {caller: 9}]}, {time: night}]}", {},
        ("one of these would do: caller is +4930, wanted 8; caller is +4930, wanted 9;"
         " time is Tue 14:05, wanted night"), "or in or",
    ),
    (
        "{not: {caller: +4930, callee: 101}}", {},
        "one of these would do: caller is +4930, wanted not +4930; callee is 101, wanted not 101",
        "not of a map of which all holds",
    ),
    (
        "{not: [{caller: 9}, {callee: 101}]}", {}, "callee is 101, wanted not 101",
        "not of a list of which one holds",
    ),
    (
        "{not: {or: [{caller: 9}, {callee: 101}]}}", {}, "callee is 101, wanted not 101",
        "not of or",
    ),
    ("{not: {not: {caller: 9}}}", {}, "caller is +4930, wanted 9", "not not"),
    (
        "{caller: +4930, or: [{callee: 9}]}", {}, "callee is 101, wanted 9",
        "or beside a field test that holds",
    ),
    (
        "'{{ callee | length > 5 }}'", {}, "{{ callee | length > 5 }} is false", "a template",
    ),
    ("'{{   trunk\n  == 1 }}'", {}, "{{ trunk == 1 }} is false", "a template of two lines"),
    ("'{{ trunk }}'", {}, "{{ trunk }} is false", "a template of what is absent"),
    (
        "{not: '{{ callee == \"101\" }}'}", {}, '{{ callee == "101" }} is true, wanted false',
        "not of a template",
    ),
    (
        "'{{ caller }}'", {},
        "{{ caller }} fails: the condition gives text, not true or false: compare it",
        "a template that gives a text",
    ),
    ("'{{ 1 / 0 }}'", {}, "{{ 1 / 0 }} fails: division by zero", "a template that fails"),
    (
        "{not: '{{ 1 / 0 }}'}", {}, "{{ 1 / 0 }} fails: division by zero",
        "not of a template that fails",
    ),
    (
        "{or: ['{{ caller < 5 }}', {caller: 9}]}", {},
        ("one of these would do: {{ caller < 5 }} fails: text < a number: '| int' makes a number"
         " of a text, '| string' a text of a number; caller is +4930, wanted 9"),
        "one in or that fails",
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("written", "seen"), [pytest.param(*row, id=sentence) for *row, sentence in HOLDS]
)
def test_a_condition_that_holds(written: str, seen: dict[str, Any]) -> None:
    assert condition(written).holds(facts(**seen))
    assert condition(written).misses(facts(**seen), wanted=True) == ()
    assert not condition(f"{{not: {written}}}").holds(facts(**seen))


@pytest.mark.parametrize(
    ("written", "seen", "told"), [pytest.param(*row, id=sentence) for *row, sentence in FAILS]
)
def test_a_condition_that_does_not_hold_says_why(
    written: str, seen: dict[str, Any], told: str
) -> None:
    made, given_facts = condition(written), facts(**seen)
    assert not made.holds(given_facts)
    assert words(made.misses(given_facts, wanted=True), given_facts.event) == told
    whole = f"{{and: {written}}}" if written.startswith("[") else written  # not all, for not any
    opposite = condition(f"{{not: {whole}}}")
    assert opposite.holds(given_facts) is (" fails: " not in told)


def test_a_rule_without_conditions_has_none() -> None:
    (plain,) = ruleset(rule()).rules
    assert plain.condition is None


def test_a_tree_of_conditions_can_be_walked() -> None:
    def tree(one: Condition) -> Any:
        return [one.says, *map(tree, one.parts)] if one.parts else one.says

    made = condition(
        "[{time: night, not: [{caller: 9}, {trigger: [door, 2]}]}, or: ['{{ a }}', {trunk: t}]]"
        .replace("{{ a }}", "{{ callee }}")
    )  # fmt: skip
    assert tree(made) == [
        "and",
        ["and", "time night", ["not", "caller 9", "trigger one of door, 2"]],
        ["or", "{{ callee }}", "trunk t"],
    ]


# --- The laws of logic ------------------------------------------------------------------------


@dataclass(frozen=True)
class Constant(Leaf):
    """A condition that is true, false, or can't be worked out."""

    value: bool | None

    @property
    def says(self) -> str:
        return str(self.value)

    def is_true(self, _: Facts) -> bool:
        if self.value is None:
            raise RenderError("no")
        return self.value

    def miss(self, _: Facts, *, wanted: bool) -> Miss:
        return Miss(self.says, str(wanted))


Tree = bool | None | tuple[str, list["Tree"]]
TREES: st.SearchStrategy[Any] = st.recursive(
    st.booleans() | st.none(),
    lambda inner: st.tuples(
        st.sampled_from(["and", "or", "not"]), st.lists(inner, min_size=1, max_size=3)
    ),
    max_leaves=12,
)


def made(tree: Tree) -> Condition:
    if not isinstance(tree, tuple):
        return Constant(tree)
    word, parts = tree
    kind: dict[str, type[And | Or | Not]] = {"and": And, "or": Or, "not": Not}
    return kind[word](tuple(made(part) for part in parts))


def worked_out(tree: Tree) -> bool | None:
    """True, false, or neither, by Kleene's tables."""
    if not isinstance(tree, tuple):
        return tree
    word, parts = tree
    values = [worked_out(part) for part in parts]
    decisive = word != "and"  # by one of them alone
    if decisive in values:
        found: bool | None = decisive
    else:
        found = None if None in values else not decisive
    return found if word != "not" or found is None else not found


@given(TREES)
def test_what_can_not_be_worked_out_is_neither_true_nor_false(tree: Tree) -> None:
    wanted = worked_out(tree)
    assert made(tree).holds(facts()) is (wanted is True)
    assert made(("not", [tree])).holds(facts()) is (wanted is False)


@given(TREES)
def test_the_misses_are_few_and_each_tells_of_a_leaf_that_is_otherwise(tree: Tree) -> None:
    for wanted in (True, False):
        misses = made(tree).misses(facts(), wanted=wanted)
        assert len(misses) <= MOST
        for miss in misses:
            otherwise = {miss.subject, miss.wanted} == {"True", "False"}
            assert otherwise or miss.subject == "None fails: no" or "more" in miss.subject


def test_of_many_alternatives_some_are_told_and_the_rest_counted() -> None:
    many = ", ".join(f"{{caller: {number}}}" for number in range(20))
    misses = condition(f"{{or: [{many}]}}").misses(facts(), wanted=True)
    assert [miss.wanted for miss in misses] == ["0", "1", "2", "3", None]
    assert misses[-1].subject == "16 more"


def test_a_condition_that_breaks_says_so_and_does_not_hold() -> None:
    @dataclass(frozen=True)
    class Broken(Constant):
        def is_true(self, facts: Facts) -> bool:
            raise ZeroDivisionError(facts.trigger)

    broken = Broken(value=None)
    for one in (broken, Not((broken,))):
        assert not one.holds(facts())
        assert one.misses(facts(), wanted=True) == (Miss("None breaks: ZeroDivisionError('door')"),)


def test_where_nothing_is_remembered_every_state_is_absent() -> None:
    nothing = Facts(event=event(), wall_s=NOON_S, trigger="door")
    assert condition("{state: {armed: {exists: false}}}").holds(nothing)
    assert not condition("{state: {armed: 'true'}}").holds(nothing)


# --- What is kept of a miss -------------------------------------------------------------------


def test_what_is_stored_of_a_long_state_is_short() -> None:
    told = replace(facts(), names={"state": {"armed": "x" * 500}})
    (miss,) = condition("{state: {armed: 'true'}}").misses(told, wanted=True)
    assert miss.found == "x" * 160


def test_what_is_stored_of_a_long_template_is_short() -> None:
    long = "{{ caller == '" + "9" * 500 + "' }}"
    (miss,) = condition(f'"{long}"').misses(facts(), wanted=True)
    assert len(miss.subject) <= 165
    assert miss.subject.startswith("{{ caller == '999")
    assert miss.subject.endswith("…}}")


@pytest.mark.parametrize("caller", ["{{ 7*7 }}", "x" * 70_000, "\0", "\ud800", "'; drop", ""])
def test_no_text_of_a_call_stands_in_what_is_stored_of_a_template(caller: str) -> None:
    for source in ("{{ caller == '5' }}", "{{ caller }}", "{{ caller < 5 }}", "{{ caller | int }}"):
        misses = condition(f'"{source}"').misses(facts(caller=caller), wanted=True)
        stored = json.dumps([[miss.subject, miss.wanted, miss.found] for miss in misses])
        assert len(stored) < 300
        assert not caller or caller not in stored.replace(source, "")


# --- Found by folder --------------------------------------------------------------------------


def test_the_words_of_conditions_are_those_that_the_schema_lists() -> None:
    listed = LANGUAGE.words["condition"]
    assert {*listed} == {*kinds()}
    assert not {*kinds()} & {*LANGUAGE.fields}


# --- Whole rules ------------------------------------------------------------------------------


def test_the_times_and_groups_of_one_file_serve_all_files() -> None:
    first = rule("{event: ring}\n  conditions: {time: night}")
    second = rule("{event: ring}\n  conditions: {not: {time: night}}").replace("id: r", "id: s")
    rules = ruleset(first, second, FILE)
    for moment, fires in (("14:05", ["s"]), ("23:00", ["r"])):
        assert fired(rules, event(), wall_s=at(moment)) == fires


def test_noon_is_noon() -> None:
    assert at("12:00") == NOON_S
