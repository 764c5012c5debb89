"""Rule files for tests, written as a person writes them."""

from typing import Any

import pytest

from pbxrules import loading, rules
from pbxrules.engine import decide
from pbxrules.errors import ProblemsError
from pbxrules.language import Language
from pbxrules.model import Decision, Event, Program, Step
from pbxrules.rules import RuleSet
from pbxrules.yamlsource import read

LANGUAGE = loading.language(
    variables={"site": "hq", "lamps": {"101": "hall"}}, secrets=["ntfy"], timezone="Europe/Berlin"
)
NOON_S = 1795518000.0
"""Tuesday the 24th of November 2026, 12:00 in Berlin."""


def rule(triggers: str = "any", actions: str = "[{log: hi}]") -> str:
    """A file with one rule: its triggers in line 3, its actions in line 4."""
    return f"rules:\n- id: r\n  triggers: {triggers}\n  actions: {actions}\n"


def ruleset(*texts: str, language: Language = LANGUAGE) -> RuleSet:
    """The rules of the files ``a.yaml``, ``b.yaml``, …"""
    files = zip("abcdef", texts, strict=False)
    return rules.load([read(text, file=f"{name}.yaml") for name, text in files], language)


def told(*texts: str) -> list[str]:
    """What ``pbxrules check`` prints about these files."""
    with pytest.raises(ProblemsError) as caught:
        ruleset(*texts)
    return [str(problem) for problem in caught.value.problems]


def program(text: str) -> Program:
    """The program of a file's one rule."""
    (only,) = ruleset(text).rules
    return only.program


def step(action: str) -> Step:
    """The one step that an action is."""
    (only,) = steps(program(rule(actions=f"[{action}]")))
    return only


def steps(program: Program) -> list[Step]:
    """The actions of a program, in the order in which they stand."""
    return [node.deed for node in program.nodes.values() if isinstance(node.deed, Step)]


def decided(rules: RuleSet, told: Event, *, wall_s: float = NOON_S) -> Decision:
    """What the rules make of an event, at noon unless told."""
    return decide(rules, told, wall_s)


def fired(rules: RuleSet, told: Event, *, wall_s: float = NOON_S) -> list[str]:
    """The rules that fire."""
    return [start.rule.id for start in decided(rules, told, wall_s=wall_s).starts]


def event(**fields: Any) -> Event:
    """An event with these fields; without ``event`` a ring."""
    told = {"event": "ring", "action": "RING", "received_at": "2026-11-23T06:46:00+00:00"}
    return Event(fields={**told, **fields}, payload={"action": "RING"})
