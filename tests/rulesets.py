"""Random rule sets and events, and which rules fire by the plainest way to work it out."""

import fnmatch
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import strategies as st

from pbxrules import index
from pbxrules.conditions.fields import CASED, field_test
from pbxrules.errors import Location
from pbxrules.model import Event, FieldValue, Rule, Trigger
from pbxrules.rules import RuleSet
from tests.rulefiles import program, rule

PROGRAM = program(rule())
GROUPS = {"a": ["1", "2"], "b": ["2", "3", "4"], "empty": []}

# Few values, so that tests and events meet.
TEXTS = st.sampled_from(["1", "2", "3", "4", "5", "12", "21", "121", "1a", "1A", "a", "A", "+1"])
PARTS = st.sampled_from(["1", "2", "a", "A", "12", "21", "1a", "+"])
SOME = PARTS | st.lists(PARTS, min_size=1, max_size=3)
PATTERNS = st.sampled_from(["1", "*", "1*", "*1", "?", "?1", "1?1", "[12]*", "[!1]*a", "*2*", "+*"])
REGEXES = st.sampled_from(["1", ".*", "1.*", ".*1", "1|2", "[0-9]+", ".a", "(1|12)1?", "[a-z]+"])
BOUNDS = st.sampled_from([["1", "3"], ["10", "19"], ["11", "12"], ["000", "999"], ["+1", "+4"]])
NUMBERS = st.sampled_from(["-1", "1", "2.5", "5", "12"])
LENGTHS = st.sampled_from(["1", "2", {"above": "1"}, {"below": "2"}, {"between": ["1", "2"]}])
FIELDS = st.sampled_from(["caller", "extension", "trunk", "extensions", "payload.x", "duration"])
WANTED = st.recursive(
    TEXTS | st.lists(TEXTS, min_size=1, max_size=3),
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "in": st.sampled_from([*GROUPS, ["1"], ["3", "A"]]),
            "not": inner,
            "exists": st.booleans(),
            "prefix": SOME,
            "suffix": SOME,
            "contains": SOME,
            "glob": PATTERNS | st.lists(PATTERNS, min_size=1, max_size=2),
            "regex": REGEXES | st.lists(REGEXES, min_size=1, max_size=2),
            "above": NUMBERS,
            "below": NUMBERS,
            "between": BOUNDS,
            "length": LENGTHS,
        },
    ).filter(bool).flatmap(
        lambda tests: st.sampled_from([tests, {**tests, "ignore_case": True}])
        if tests.keys() & {*CASED}
        else st.just(tests)
    ),
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
            "duration": st.integers(1, 13),
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
            program=replace(PROGRAM, rule=str(place)),
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


def _holds(wanted: Any, value: FieldValue | None, *, fold: bool = False) -> bool:
    if not isinstance(wanted, dict):
        wanted = {"in": wanted if isinstance(wanted, list) else [wanted]}
    fold = wanted.get("ignore_case", fold)
    if "exists" in wanted and wanted["exists"] is not (value is not None):
        return False
    if "not" in wanted and _holds(wanted["not"], value, fold=fold):
        return False
    asked = [name for name in wanted if name not in ("exists", "not", "ignore_case")]
    elements = value if isinstance(value, tuple) else () if value is None else (value,)
    return not asked or any(
        all(_passes(name, wanted[name], str(element), fold) for name in asked)
        for element in elements
    )


def _passes(name: str, operand: Any, text: str, fold: bool) -> bool:
    if name in ("above", "below", "between", "length"):
        return _measured(name, operand, text)
    if name == "in" and isinstance(operand, str):
        operand = GROUPS[operand]
    options = operand if isinstance(operand, list) else [operand]
    if name == "regex":
        flags = re.IGNORECASE if fold else re.NOFLAG
        return any(re.fullmatch(option, text, flags) for option in options)
    if fold:
        text, options = text.lower(), [option.lower() for option in options]
    return any(LOOKS[name](text, option) for option in options)


LOOKS: Mapping[str, Callable[[str, str], bool]] = {
    "in": lambda text, option: text == option,
    "glob": fnmatch.fnmatchcase,
    "prefix": lambda text, option: text[: len(option)] == option,
    "suffix": lambda text, option: text[::-1][: len(option)] == option[::-1],
    "contains": lambda text, option: text.find(option) >= 0,
}


def _measured(name: str, operand: Any, text: str) -> bool:
    if name == "length":
        tests = operand if isinstance(operand, dict) else {"between": [operand, operand]}
        return all(_between(*RANGES[word](operand), len(text)) for word, operand in tests.items())
    if not text.lstrip("+").isdigit():
        return False
    if name == "between":
        low, high = operand
        same = len(text) == len(low) and text.count("+") == low.count("+")
        return same and int(low) <= int(text) <= int(high)
    return "+" not in text and _between(*RANGES[name](operand), float(text))


RANGES: Mapping[str, Callable[[Any], tuple[float, float]]] = {
    "above": lambda bound: (math.nextafter(float(bound), math.inf), math.inf),
    "below": lambda bound: (-math.inf, math.nextafter(float(bound), -math.inf)),
    "between": lambda bounds: (float(bounds[0]), float(bounds[1])),
}


def _between(low: float, high: float, number: float) -> bool:
    return low <= number <= high
