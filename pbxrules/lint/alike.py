"""Triggers that stand twice, and rules that fire for the same events."""

import json
from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any

from pbxrules.errors import Problem
from pbxrules.lint.written import WrittenRule
from pbxrules.schema import Path

DECIDING = ("conditions", "per", "once_per", "cooldown", "mode", "max")
"""Keys of a rule that decide with its triggers whether it fires."""


def alike_warnings(rules: Sequence[WrittenRule]) -> Iterator[Problem]:
    """What stands twice."""
    likely: defaultdict[Hashable, list[WrittenRule]] = defaultdict(list)
    for rule in rules:
        likely[_likeness(rule)].append(rule)
        if len(rule.triggers) > 1:
            yield from _triggers(rule)
    for alike in likely.values():  # mostly one rule each, so that few are compared in full
        if len(alike) > 1:
            yield from _rules(alike)


def _likeness(rule: WrittenRule) -> Hashable:
    """The same for rules whose triggers are the same, and for few others."""
    return frozenset(
        frozenset((test.field, test.equals or test.wanted) for test in trigger.tests)
        for trigger in rule.rule.triggers
    )


def _triggers(rule: WrittenRule) -> Iterator[Problem]:
    firsts: dict[str, Path] = {}
    for written in rule.triggers:
        first = firsts.setdefault(_told(rule, written.path), written.path)
        if first is not written.path:
            message = f"this trigger stands also in line {rule.document.place(first).line}"
            yield rule.warning(written.path, "duplicate-trigger", message, "take one away")


def _rules(rules: Sequence[WrittenRule]) -> Iterator[Problem]:
    firsts: dict[str, WrittenRule] = {}
    for rule in rules:
        first = firsts.setdefault(_deciding(rule), rule)
        if first is not rule:
            where = first.document.place((*first.path, "id"))
            message = f"'{rule.rule.id}' fires whenever '{first.rule.id}' at {where} does"
            hint = "put the actions of both into one rule"
            path = (*rule.path, "triggers")
            yield rule.key_warning(path, "duplicate-trigger", message, hint)


def _deciding(rule: WrittenRule) -> str:
    """All that decides whether a rule fires, the same for all spellings of it."""
    triggers = sorted({_told(rule, written.path) for written in rule.triggers})
    rest = {name: rule.as_written((*rule.path, name)) for name in DECIDING if name in rule.value}
    return json.dumps([triggers, _plain(rest)], sort_keys=True)


def _told(rule: WrittenRule, path: Path) -> str:
    value = rule.as_written(path)
    value = {name: value[name] for name in value if name != "id"}
    return json.dumps(_plain(value), sort_keys=True)


def _plain(value: Any) -> Any:
    """*value* in one spelling of several that mean the same: texts of a list in their order."""
    match value:
        case Mapping():
            return {name: _plain(inner) for name, inner in value.items()}
        case list() if all(isinstance(item, str) for item in value):
            return sorted(set(value)) if len(set(value)) > 1 else value[0] if value else value
        case list():
            return [_plain(item) for item in value]
        case _:
            return value
