"""Rule files for tests, written as a person writes them."""

import ast
import json
from pathlib import Path
from typing import Any

import pytest

from pbxrules import loading, rules
from pbxrules.engine import Arrival, decide
from pbxrules.errors import ProblemsError
from pbxrules.language import Language
from pbxrules.memory import Memory
from pbxrules.model import Decision, Event, Moment, Program, Step
from pbxrules.rules import RuleSet
from pbxrules.template import Instant, RenderError, RuleVars, Scope
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


def codes_in(*modules: Path) -> set[str]:
    """Every problem code that these modules can give."""
    found: set[str] = set()
    for module in modules:
        for node in ast.walk(ast.parse(module.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                found |= {
                    argument.value
                    for argument in [*node.args, *(word.value for word in node.keywords)]
                    if isinstance(argument, ast.Constant)
                    and isinstance(argument.value, str)
                    and _is_code(argument.value)
                }
    return found


def _is_code(text: str) -> bool:
    words = text.split("-")
    return len(words) > 1 and words[0] != "x" and all(w.isalpha() and w.islower() for w in words)


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


def filled(action: Step, of: Program, /, **fields: Any) -> dict[str, Any] | str:
    """The arguments of an action of a program, for a ring with these fields; or why not."""
    told = event(**fields)
    scope = Scope(
        fields=told.fields,
        payload=told.payload,
        vars=RuleVars(of.vars if action.vars is None else action.vars),
        secrets={"ntfy": "s3cret"},
        extras={
            "rule": {"id": of.rule},
            "trigger": {"id": "door"},
            "now": Instant(NOON_S, of.zone),
        },
    )
    try:
        return {
            name: value.render(scope) if hasattr(value, "render") else value
            for name, value in action.args.items()
        }
    except RenderError as exc:
        return str(exc)


def decided(rules: RuleSet, told: Event, *, wall_s: float = NOON_S) -> Decision:
    """What the rules make of an event, at noon unless told."""
    now = Moment(boot="b", uptime_s=100.0, wall_s=wall_s)
    decision, _ = decide(rules, Memory(), Arrival(event=told, id=1), now)
    return decision


def fired(rules: RuleSet, told: Event, *, wall_s: float = NOON_S) -> list[str]:
    """The rules that fire."""
    return [rule.id for rule in decided(rules, told, wall_s=wall_s).fired]


def event(**fields: Any) -> Event:
    """An event with these fields; without ``event`` a ring."""
    told = {"event": "ring", "action": "RING", "received_at": "2026-11-23T06:46:00+00:00"}
    return Event(fields={**told, **fields}, payload={"action": "RING"})


def source_of(made: Program) -> dict[str, Any]:
    """What a run keeps of a program: its rule's own JSON."""
    source: dict[str, Any] = json.loads(made.text)
    return source
