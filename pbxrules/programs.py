"""Programs: what a rule does, compiled from its JSON.

The JSON is what a run keeps of its rule, so a program is made of nothing else: a run that
is found after a restart goes on with the program it began with, whatever the groups,
times, scripts and states of the rules are by then.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pbxrules.conditions.declared import Declared, declared_by
from pbxrules.conditions.reading import Reader
from pbxrules.conditions.times import TimeError
from pbxrules.errors import Fault
from pbxrules.language import Language, duration_s
from pbxrules.model import NOTHING, Node, Program, StateDecl, Trigger, WaitFor
from pbxrules.rulefile import RuleFile
from pbxrules.schema import Path
from pbxrules.steps.actions import DEFAULT_EXPIRES
from pbxrules.steps.reading import FINALLY, Gathered, Steps
from pbxrules.steps.results import elsewhere
from pbxrules.steps.sources import Scripts, Source
from pbxrules.steps.words import Only
from pbxrules.template import rule_vars, variables_used

IN_FINALLY = Only(where=FINALLY, controls=frozenset({"if", "set"}))
USUAL_MODE = "parallel"


def source_of(
    rule: Mapping[str, Any], path: Path, *, file: RuleFile, language: Language, scripts: Scripts
) -> tuple[dict[str, Any], list[Fault]]:
    """The JSON of the rule at *path* that a run keeps, and what is wrong with its scripts.

    A step that the schema refuses hides nothing of what is wrong with the others: in its
    place stands a ``Broken``, of which no program is made.
    """
    told = {key: rule[key] for key in rule if file.usable((*path, key))}
    source = Source(file=file, language=language, scripts=scripts)
    made = {
        "rule": rule.get("id", ""),
        "expires": told.get("expires", DEFAULT_EXPIRES),
        "variables": {**language.variables, **told.get("variables", {})},
        "actions": source.steps(rule.get("actions"), (*path, "actions")),
    }
    if told.get("mode", USUAL_MODE) != USUAL_MODE:
        made["mode"] = told["mode"]
    if FINALLY in rule:
        made[FINALLY] = source.steps(rule[FINALLY], (*path, FINALLY))
    return made, source.faults


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What stands around a program where it is read from a file."""

    declared: Declared
    triggers: Sequence[Trigger] | None = None
    """Those of its rule; None: nobody says which."""
    usable: Callable[[Path], bool] = lambda _: True
    """Whether nothing is known to be wrong with a part of the source."""


def program(source: Mapping[str, Any], language: Language) -> Program:
    """The program of a rule's stored JSON.

    Raises:
        ValueError: This release, on this machine, no longer understands it.
    """
    try:
        around = Around(declared=declared_by(source, language))
    except TimeError as exc:
        raise ValueError(str(exc)) from exc
    made, faults = compiled(source, language, around)
    if made is None:
        raise ValueError("; ".join(fault.message for fault in faults))
    return made


def compiled(
    source: Mapping[str, Any], language: Language, around: Around
) -> tuple[Program | None, list[Fault]]:
    """The program of *source*, or what is wrong with its steps, by their paths in it."""
    variables = source["variables"]
    reader = Reader(
        language=language,
        declared=around.declared,
        rule=source["rule"],
        variables=variables,
        usable=around.usable,
    )
    reader.triggers = around.triggers
    gathered = Gathered()
    steps = Steps(
        gathered=gathered,
        reader=reader,
        expires=source["expires"],
        elsewhere=elsewhere(source),
    )
    steps.read(source["actions"], ("actions",))
    if FINALLY in source:
        steps.only = IN_FINALLY
        steps.know("outcome", frozenset())
        steps.read(source[FINALLY], (FINALLY,))
    if reader.faults or gathered.broken:
        return None, reader.faults
    used = variables_used(frozenset(reader.used.names), variables)
    kept = {name: variables[name] for name in sorted(used)}
    whole = {**source, "variables": kept, **reader.used.of(around.declared)}
    return _program(whole, gathered.in_order(), reader, language), []


def _program(
    source: Mapping[str, Any], nodes: Mapping[str, Node], reader: Reader, language: Language
) -> Program:
    declared = reader.declared.state
    return Program(
        rule=source["rule"],
        nodes=nodes,
        vars=rule_vars(source["variables"]),
        text=_JSON(source),
        digest=digest_of(source),
        expires_s=None if source["expires"] == "never" else duration_s(source["expires"]),
        zone=language.zone,
        mode=source.get("mode", USUAL_MODE),
        waits=tuple(n.deed.same for n in nodes.values() if isinstance(n.deed, WaitFor)),
        state=dict(_states(declared, reader.used.states(declared))) or NOTHING,
        about_calls=reader.used.names_calls,
    )


def _states(
    declared: Mapping[str, StateDecl | None], used: set[str]
) -> Iterator[tuple[str, StateDecl]]:
    for name in sorted(used):
        state = declared[name]
        if state is not None:
            yield name, state


_JSON = json.JSONEncoder(separators=(",", ":")).encode
"""As ASCII: half of a surrogate pair is nothing that a store takes."""


def digest_of(value: Any) -> str:
    """The name of a JSON value, the same for the same value only."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=16).hexdigest()
