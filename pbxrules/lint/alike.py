"""Triggers that stand twice, and rules that fire for the same events."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pbxrules.errors import Problem
from pbxrules.lint.written import WrittenRule

DECIDING = ("conditions", "per", "once_per", "cooldown")
"""Keys of a rule that decide with its triggers whether it fires."""


def alike_warnings(rules: Sequence[WrittenRule]) -> Iterator[Problem]:
    """What stands twice."""
    firsts: dict[str, WrittenRule] = {}
    for rule in rules:
        triggers: dict[str, Any] = {}
        for written in rule.triggers:
            told = _told(rule, written.path[len(rule.path) :])
            if told in triggers:
                where = rule.document.place(triggers[told])
                message = f"this trigger stands also in line {where.line}"
                yield rule.warning(written.path, "duplicate-trigger", message, "take one away")
            triggers.setdefault(told, written.path)
        first = firsts.setdefault(_deciding(rule, triggers), rule)
        if first is not rule:
            where = first.document.place((*first.path, "id"))
            message = f"'{rule.rule.id}' fires whenever '{first.rule.id}' at {where} does"
            path = (*rule.path, "triggers")
            hint = "put the actions of both into one rule"
            yield rule.key_warning(path, "duplicate-trigger", message, hint)


def _told(rule: WrittenRule, path: tuple[str | int, ...]) -> str:
    value = rule.as_written(path)
    value = {name: value[name] for name in value if name != "id"}
    return json.dumps(_plain(value), sort_keys=True)


def _deciding(rule: WrittenRule, triggers: Mapping[str, Any]) -> str:
    rest = {name: rule.as_written((name,)) for name in DECIDING if name in rule.value}
    return json.dumps([sorted(triggers), _plain(rest)], sort_keys=True)


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
