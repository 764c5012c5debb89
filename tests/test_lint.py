"""Warnings: what is said of rules that are good, and that it is true."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbxrules import lint, loading, rules, shipped
from pbxrules.errors import Problem
from pbxrules.model import Event
from pbxrules.pbx.tables import ACTIONS, SOURCES, WAY_FIELDS
from pbxrules.yamlsource import read
from tests.rulefiles import LANGUAGE, fired, rule

TEXTS = ["1", "2", "33", "ring", "inbound", "Busy"]
PLACES = sorted(WAY_FIELDS)
DIRECTIONS = ["internal", "inbound", "outbound"]
FIELDS = ["caller", "extension", "trunk", "dialled", "status", "duration", "extensions", "reason"]

texts = st.sampled_from(TEXTS)
operators = st.fixed_dictionaries(
    {},
    optional={
        "in": st.sampled_from(["g", ["1"], ["2", "33"]]),
        "not": texts | st.lists(texts, min_size=1, max_size=2) | st.just({"exists": True}),
        "exists": st.booleans(),
        "prefix": st.sampled_from(["1", "3"]),
        "glob": st.sampled_from(["?", "*", "3*"]),
        "above": st.sampled_from(["1", "2"]),
        "below": st.sampled_from(["2", "30"]),
    },
).filter(bool)
wanted = texts | st.lists(texts, min_size=1, max_size=2) | operators
events = st.sampled_from([*ACTIONS, "other"])
tests = st.fixed_dictionaries(
    {},
    optional={
        "event": events | st.lists(events, min_size=1, max_size=3) | st.builds(
            lambda event: {"not": event}, events
        ),
        "direction": st.sampled_from(DIRECTIONS)
        | st.lists(st.sampled_from(DIRECTIONS), min_size=1, max_size=2)
        | st.sampled_from([{"exists": False}, {"not": "inbound"}, "incoming"]),
        **dict.fromkeys(FIELDS, wanted),
    },
).filter(bool)  # fmt: skip


@st.composite
def reports(draw: st.DrawFn) -> Event:
    """What some report tells, by the PBX's tables: each field may be there if its row has it."""
    kind, way = draw(st.sampled_from(PLACES))
    fields: dict[str, Any] = {"event": kind, "action": "X", "received_at": "now"}
    for field, source in SOURCES[kind, way].items():
        if source.startswith("="):
            fields[field] = source[1:]
        elif field == "direction":
            told = draw(st.none() | st.sampled_from(DIRECTIONS))
            fields |= {} if told is None else {"direction": told}
        elif field == "extensions":
            several = draw(st.none() | ANY_TEXTS)
            fields |= {} if several is None else {"extensions": tuple(several)}
        elif draw(st.booleans()):
            fields[field] = draw(st.integers(0, 40) if "duration" in field else texts)
    return Event(fields=fields, payload={})


ANY_TEXTS = st.lists(texts, min_size=1, max_size=2)


def warned(value: Mapping[str, Any]) -> tuple[rules.RuleSet, list[Problem]]:
    """The rules of a file that is this value, and the warnings about it."""
    document = read(_yaml(value), file="a.yaml")
    ruleset = rules.load([document], LANGUAGE)
    return ruleset, list(lint.warnings([document], ruleset, LANGUAGE))


def _yaml(value: Any) -> str:
    match value:
        case Mapping():
            return "{" + ", ".join(f"{k}: {_yaml(value[k])}" for k in value) + "}"
        case list():
            return "[" + ", ".join(map(_yaml, value)) + "]"
        case bool():
            return str(value).lower()
        case _:
            return f'"{value}"'


def file_of(triggers: Any, conditions: Any = None) -> dict[str, Any]:
    asked = {} if conditions is None else {"conditions": conditions}
    one = {"id": "r", "triggers": triggers, **asked, "expires": "never", "actions": [{"log": "a"}]}
    return {"groups": {"g": ["1", "33"]}, "rules": [one]}


@settings(max_examples=400)
@given(trigger=tests, condition=st.none() | tests, came=st.lists(reports(), max_size=20))
def test_what_is_said_never_to_match_never_does(
    trigger: dict[str, Any], condition: dict[str, Any] | None, came: list[Event]
) -> None:
    ruleset, found = warned(file_of(trigger, condition))
    if any(problem.code == "never-matches" for problem in found):
        for event in came:
            assert not fired(ruleset, event)


@settings(max_examples=400)
@given(place=st.sampled_from(PLACES), data=st.data())
def test_a_trigger_that_asks_for_texts_is_said_never_to_match_only_if_none_fits(
    place: tuple[str, str], data: st.DataObject
) -> None:
    """Of fields that an event has when its call goes one way, any may be asked."""
    fields = sorted(WAY_FIELDS[place] - {"event", "action", "received_at", "direction"})
    asked = data.draw(st.lists(st.sampled_from(fields), unique=True)) if fields else []
    source = SOURCES[place].get("direction", "")
    direction = {"direction": source[1:]} if source.startswith("=") else {}
    trigger = {"event": place[0], **direction, **dict.fromkeys(asked, "1")}
    ruleset, found = warned(file_of(trigger))
    assert [problem for problem in found if problem.code == "never-matches"] == []
    told = {name: ("1",) if name == "extensions" else "1" for name in asked}
    event = Event(fields={"event": place[0], **direction, **told}, payload={})
    assert fired(ruleset, event)


def test_the_example_rules_are_beyond_doubt() -> None:
    files = loading.rule_files(shipped.folder("rules"))
    assert loading.load(files, loading.language()).warnings == ()


def test_events_of_the_users_own_have_the_fields_of_other() -> None:
    from pbxrules.schema import event_schemas

    schemas = shipped.event_schemas()
    schemas["dtmf"] = {"properties": {"action": {"const": "DTMF"}}}
    language = loading.language()
    own = type(language)(
        rules_schema=language.rules_schema,
        verbs=language.verbs,
        controls=language.controls,
        event_schemas=event_schemas(schemas),
    )
    for trigger, expected in (
        ("{event: dtmf, extension: 1}", []),
        ("{event: dtmf, recording: 1}", ["never-matches"]),
    ):
        document = read(rule(trigger), file="a.yaml")
        found = lint.warnings([document], rules.load([document], own), own)
        assert [problem.code for problem in found] == expected


@pytest.mark.parametrize("uses", ["{in: spare}", "{not: {in: spare}}"])
def test_a_group_that_a_rule_of_another_file_uses_is_used(uses: str) -> None:
    files = [
        read("groups: {spare: [1]}\n", file="a.yaml"),
        read(rule(f"{{event: ring, caller: {uses}}}"), file="b.yaml"),
    ]
    assert lint.warnings(files, rules.load(files, LANGUAGE), LANGUAGE) == ()
    alone = rules.load(files[:1], LANGUAGE)
    (warning,) = lint.warnings(files[:1], alone, LANGUAGE)
    assert str(warning) == (
        "a.yaml:1:10: warning: unused-group: no rule uses the group 'spare' (take it away)"
    )
