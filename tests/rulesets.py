"""Random rule sets and events, and which rules fire by the plainest way to work it out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from pbxrules import index
from pbxrules.conditions.fields import field_test
from pbxrules.errors import Location
from pbxrules.model import Event, FieldValue, Program, Rule, Trigger
from pbxrules.rules import RuleSet

GROUPS = {"a": ["1", "2"], "b": ["2", "3", "4"], "empty": []}

# Few values, so that tests and events meet.
TEXTS = st.sampled_from(["1", "2", "3", "4", "5"])
FIELDS = st.sampled_from(["caller", "extension", "trunk", "extensions", "payload.x", "duration"])
WANTED = st.recursive(
    TEXTS | st.lists(TEXTS, min_size=1, max_size=3),
    lambda inner: st.dictionaries(
        st.just("not"), inner, min_size=1
    ) | st.fixed_dictionaries(
        {},
        optional={
            "in": st.sampled_from([*GROUPS, ["1"], ["3", "5"]]),
            "not": inner,
            "exists": st.booleans(),
        },
    ).filter(bool),
    max_leaves=3,
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A trigger as it stands in a file: wanted tests by field."""

    tests: Mapping[str, Any]


TRIGGERS = st.dictionaries(FIELDS, WANTED, max_size=3).map(lambda tests: Written(tests=tests))
RULES = st.lists(st.lists(TRIGGERS, min_size=1, max_size=3), max_size=12)
EVENTS = st.builds(
    lambda fields, x: Event(
        fields={"event": "ring", "action": "RING", "received_at": "now", **fields},
        payload={} if x is None else {"x": x},
    ),
    st.fixed_dictionaries(
        {},
        optional={
            "caller": TEXTS,
            "extension": TEXTS,
            "trunk": TEXTS,
            "extensions": st.lists(TEXTS, max_size=3).map(tuple),
            "duration": st.integers(1, 5),
        },
    ),
    st.none() | TEXTS | st.lists(TEXTS, max_size=3) | st.integers(1, 5),
)


def ruleset(written: list[list[Written]]) -> RuleSet:
    """The rules ``0``, ``1``, … with these triggers, made by the code under test."""
    rules = tuple(
        Rule(
            id=str(place),
            where=Location("a.yaml"),
            triggers=tuple(
                Trigger(
                    id=str(number),
                    tests=tuple(field_test(f, w, GROUPS) for f, w in trigger.tests.items()),
                )
                for number, trigger in enumerate(triggers, 1)
            ),
            program=Program(rule=str(place), steps=(), vars={}, source={}),
            max_runs=1,
        )
        for place, triggers in enumerate(written)
    )
    return RuleSet(
        rules=rules,
        index=index.build([rule.triggers for rule in rules]),
        by_id={rule.id: rule for rule in rules},
    )


def fits(trigger: Written, event: Event) -> bool:
    """Whether all tests hold, worked out anew from the words of the language."""
    return all(_holds(wanted, _value(event, field)) for field, wanted in trigger.tests.items())


def _value(event: Event, field: str) -> FieldValue | None:
    if not field.startswith("payload."):
        return event.fields.get(field)
    value = event.payload.get(field.removeprefix("payload."))
    return tuple(value) if isinstance(value, list) else value


def _holds(wanted: Any, value: FieldValue | None) -> bool:
    if isinstance(wanted, dict):
        return all(_operator(name, wanted[name], value) for name in wanted)
    options = wanted if isinstance(wanted, list) else [wanted]
    elements = value if isinstance(value, tuple) else () if value is None else (value,)
    return any(str(element) == option for element in elements for option in options)


def _operator(name: str, operand: Any, value: FieldValue | None) -> bool:
    if name == "exists":
        return (value is not None) == bool(operand)
    if name == "not":
        return not _holds(operand, value)
    return _holds(operand if isinstance(operand, list) else GROUPS[operand], value)
