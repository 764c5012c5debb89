"""Rule files' values become a ``RuleSet``, or every ``Problem`` of all of them.

The JSON Schema says what may stand where; this module makes something of it, and finds
what a schema can't: names that nothing has, ids given twice, templates that can't be.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pbxrules import index
from pbxrules.conditions.fields import FieldTestError, field_test
from pbxrules.errors import Problem, ProblemsError, did_you_mean
from pbxrules.language import Language, duration_s
from pbxrules.model import FieldTest, Program, Retry, Rule, Step, Trigger
from pbxrules.schema import Path, shown
from pbxrules.template import Context, TemplateError, TemplateProblem, compile_tree, rule_vars
from pbxrules.yamlsource import Document

DEFAULT_EXPIRES = "60s"
DEFAULT_TIMEOUT = "10s"
MAX_RUNS = 10_000
"""Of one rule, waiting ones included; the newest beyond it is given up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSet:
    """All rules of a folder, ready to decide."""

    rules: tuple[Rule, ...]
    """Those that are enabled."""
    index: index.Index
    by_id: Mapping[str, Rule]
    disabled: int = 0


@dataclass(frozen=True, slots=True)
class _Fault:
    """A problem whose place is still a path in its file."""

    path: Path
    code: str
    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    """One rule file while it is read."""

    document: Document
    wrong: frozenset[Path]
    """Where the schema already found something: no need to look there again."""

    def usable(self, path: Path) -> bool:
        return not any(wrong[: len(path)] == path for wrong in self.wrong)


@dataclass(slots=True, kw_only=True)
class _Reading:
    """What is gathered over all files."""

    language: Language
    problems: list[Problem] = field(default_factory=list)
    groups: dict[str, list[str]] = field(default_factory=dict)
    rules: dict[str, Rule] = field(default_factory=dict)
    disabled: set[str] = field(default_factory=set)
    firsts: dict[tuple[str, str], str] = field(default_factory=dict)

    def add(self, document: Document, faults: Sequence[_Fault], *, at_key: bool = False) -> None:
        for fault in faults:
            where = document.key_place(fault.path) if at_key else document.place(fault.path)
            self.problems.append(Problem(where, fault.code, fault.message, fault.hint))


def load(documents: Sequence[Document], language: Language) -> RuleSet:
    """The rules of all *documents* together.

    Raises:
        ProblemsError: With everything that is wrong with any of them.
    """
    reading = _Reading(language=language)
    files = [_checked(document, reading) for document in documents]
    for file in files:
        _read_groups(file, reading)
    for file in files:
        _read_rules(file, reading)
    if reading.problems:
        raise ProblemsError(reading.problems)
    rules = tuple(rule for rule in reading.rules.values() if rule.id not in reading.disabled)
    return RuleSet(
        rules=rules,
        index=index.build([rule.triggers for rule in rules]),
        by_id={rule.id: rule for rule in rules},
        disabled=len(reading.disabled),
    )


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=16).hexdigest()


def _checked(document: Document, reading: _Reading) -> _File:
    """Report what reading and the schema find wrong with a file."""
    reading.problems.extend(document.problems)
    if document.value is None or not document.complete:
        return _File(document=document, wrong=frozenset({()}))
    wrong: set[Path] = set()
    for found in reading.language.rules_schema.mismatches(document.value):
        # A value that is wrong for a reason already told needs no second one.
        path = found.path if found.key is None else (*found.path, found.key)
        fault = _Fault(path, found.code, found.message, found.hint)
        told = {problem.where for problem in document.problems}
        if document.place(path) not in told:
            reading.add(document, [fault], at_key=found.key is not None)
        wrong.add(path if found.key is None else found.path)
    return _File(document=document, wrong=frozenset(wrong))


def _read_groups(file: _File, reading: _Reading) -> None:
    value = file.document.value
    groups = value.get("groups", {}) if isinstance(value, Mapping) else {}
    for name in groups if isinstance(groups, Mapping) else ():
        path: Path = ("groups", name)
        if file.usable(path) and _first(file, reading, "group", name, path):
            reading.groups[name] = _texts(groups[name], file.document, path)


def _first(file: _File, reading: _Reading, kind: str, name: str, path: Path) -> bool:
    """Whether *name* was not given before; a problem where it was."""
    at_key = kind != "id"
    where = str(file.document.key_place(path) if at_key else file.document.place(path))
    before = reading.firsts.setdefault((kind, name), where)
    if before == where:
        return True
    fault = _Fault(path, f"duplicate-{kind}", f"the {kind} '{name}' stands also at {before}")
    reading.add(file.document, [fault], at_key=at_key)
    return False


def _texts(value: Any, document: Document, path: Path) -> Any:
    """*value* with every number in it as its text as written: ``0101``, ``1.50``."""
    match value:
        case dict():
            return {key: _texts(value[key], document, (*path, key)) for key in value}
        case list():
            return [_texts(item, document, (*path, place)) for place, item in enumerate(value)]
        case bool() | str() | None:
            return value
        case _:
            return document.written(path)


def _read_rules(file: _File, reading: _Reading) -> None:
    value = file.document.value
    if not isinstance(value, Mapping):
        return
    reading.add(file.document, list(_not_yet(value, (), "file", reading.language)), at_key=True)
    rules = value.get("rules", [])
    for place, rule in enumerate(rules if isinstance(rules, list) else []):
        path: Path = ("rules", place)
        if isinstance(rule, Mapping):
            _read_rule(rule, path, file, reading)


def _read_rule(rule: Mapping[str, Any], path: Path, file: _File, reading: _Reading) -> None:
    document = file.document
    before = len(reading.problems)
    rule_id = rule.get("id")
    if isinstance(rule_id, str):
        _first(file, reading, "id", rule_id, (*path, "id"))
    reading.add(document, list(_not_yet(rule, path, "rule", reading.language)), at_key=True)
    triggers = _read_triggers(rule.get("triggers"), (*path, "triggers"), file, reading)
    program = _read_program(rule, path, file, reading)
    if program is None or not file.usable(path) or len(reading.problems) > before:
        return
    assert isinstance(rule_id, str)
    reading.rules[rule_id] = Rule(
        id=rule_id,
        where=document.place((*path, "id")),
        triggers=triggers,
        program=program,
        max_runs=MAX_RUNS,
    )
    if rule.get("enabled") is False:
        reading.disabled.add(rule_id)


def _read_program(
    rule: Mapping[str, Any], path: Path, file: _File, reading: _Reading
) -> Program | None:
    """The rule's program; None, and its problems reported, where it can't be."""
    steps = rule.get("actions")
    if not isinstance(steps, list) or not file.usable((*path, "variables")):
        return None
    # A step that the schema refuses hides nothing of what is wrong with the others.
    usable = [place for place in range(len(steps)) if file.usable((*path, "actions", place))]
    expires = rule.get("expires") if file.usable((*path, "expires")) else None
    told = {**rule, "expires": expires or DEFAULT_EXPIRES}
    source = _source(told, usable, path, file.document, reading.language)
    program, faults = _compiled(source, reading.language)
    for fault in faults:
        place = usable[int(fault.path[1])]
        moved = (*path, "actions", place, *fault.path[2:])
        reading.add(
            file.document,
            [_Fault(moved, fault.code, fault.message, fault.hint)],
            at_key=fault.code in _AT_KEY,
        )
    return program if len(usable) == len(steps) else None


_AT_KEY = ("not-yet", "unknown-key", "two-verbs")
"""Problems of a key, not of its value."""


def _not_yet(
    value: Mapping[str, Any], path: Path, kind: str, language: Language
) -> Iterator[_Fault]:
    for key in value:
        if key in language.not_yet[kind]:
            message = f"'{key}' is not in this release yet"
            yield _Fault((*path, key), "not-yet", message)


# --- triggers ----------------------------------------------------------------------------


def _read_triggers(value: Any, path: Path, file: _File, reading: _Reading) -> tuple[Trigger, ...]:
    if value == "any":
        return (Trigger(id="1", tests=()),)
    single = isinstance(value, Mapping)
    listed = [value] if single else value if isinstance(value, list) else []
    triggers = []
    for place, trigger in enumerate(listed):
        at = path if single else (*path, place)
        if isinstance(trigger, Mapping):
            tests = _read_tests(trigger, at, file, reading)
            triggers.append(Trigger(id=str(place + 1), tests=tests))
    return tuple(triggers)


def _read_tests(
    trigger: Mapping[str, Any], path: Path, file: _File, reading: _Reading
) -> tuple[FieldTest, ...]:
    document = file.document
    reading.add(document, list(_not_yet(trigger, path, "trigger", reading.language)), at_key=True)
    tests: list[FieldTest] = []
    for name in trigger:
        at = (*path, name)
        if name in reading.language.not_yet["trigger"]:
            continue
        unknown = _unknown_field(name, at, reading.language)
        if unknown:
            reading.add(document, [unknown], at_key=True)
        elif file.usable(at):
            tests.extend(_read_test(name, _texts(trigger[name], document, at), at, file, reading))
    return tuple(tests)


def _read_test(
    name: str, wanted: Any, path: Path, file: _File, reading: _Reading
) -> Iterator[FieldTest]:
    faults = list(_test_faults(name, wanted, path, reading.language))
    if not faults:
        try:
            yield field_test(name, wanted, reading.groups)
        except FieldTestError as exc:
            faults.append(_Fault((*path, *exc.path), exc.code, exc.message, exc.hint))
    reading.add(file.document, faults)


def _unknown_field(name: str, path: Path, language: Language) -> _Fault | None:
    first, *members = name.split(".")
    if name in language.fields or (first == "payload" and members and all(members)):
        return None
    if first in language.field_hints:
        hint = f"say '{language.field_hints[first]}'"
    else:
        hint = did_you_mean(name, [*language.fields, "for", "until", "count"])
    return _Fault(path, "unknown-field", f"no event has a field '{name}'", hint)


def _test_faults(name: str, wanted: Any, path: Path, language: Language) -> Iterator[_Fault]:
    """Operators that are not there yet, and events that nothing sends."""
    match wanted:
        case Mapping():
            yield from _not_yet(wanted, path, "operator", language)
            for key in ("not", "in"):
                if isinstance(wanted.get(key), list | Mapping) or key == "not" and key in wanted:
                    yield from _test_faults(name, wanted[key], (*path, key), language)
        case list():
            for place, item in enumerate(wanted):
                yield from _test_faults(name, item, (*path, place), language)
        case str() if name == "event" and wanted not in language.events:
            hint = did_you_mean(wanted, language.events) or f"one of {', '.join(language.events)}"
            yield _Fault(path, "unknown-event", f"no report is the event {shown(wanted)}", hint)


# --- actions -----------------------------------------------------------------------------


def _source(
    rule: Mapping[str, Any],
    usable: Sequence[int],
    path: Path,
    document: Document,
    language: Language,
) -> dict[str, Any]:
    """The JSON that a run keeps of its rule."""
    return {
        "rule": rule.get("id", ""),
        "expires": rule["expires"],
        "variables": {**language.variables, **rule.get("variables", {})},
        "actions": [
            _plain_step(rule["actions"][place], (*path, "actions", place), document, language)
            for place in usable
        ],
    }


def _plain_step(
    step: Mapping[str, Any], path: Path, document: Document, language: Language
) -> dict[str, Any]:
    """A step whose arguments are as its verb means them: numbers in text are their digits."""
    plain = dict(step)
    for verb in language.verbs.values():
        for name, context in verb.templates.items():
            keys = verb.path_of(name, step)
            if keys is None or context is Context.VALUE:
                continue
            holder = plain
            for key in keys[:-1]:
                holder[key] = dict(holder[key])
                holder = holder[key]
            holder[keys[-1]] = _texts(holder[keys[-1]], document, (*path, *keys))
    return plain


def program(source: Mapping[str, Any], language: Language) -> Program:
    """The program of a rule's stored JSON.

    Raises:
        ValueError: This release no longer understands it.
    """
    compiled, faults = _compiled(source, language)
    if compiled is None:
        raise ValueError("; ".join(fault.message for fault in faults))
    return compiled


def program_digest(program: Program) -> str:
    """The name under which a run finds its program again, whatever the rules are by then."""
    return _digest(program.source)


def _compiled(source: Mapping[str, Any], language: Language) -> tuple[Program | None, list[_Fault]]:
    faults: list[_Fault] = []
    used: set[str] = set()
    steps = [
        _compiled_step(step, ("actions", place), source, language, faults, used)
        for place, step in enumerate(source["actions"])
    ]
    if faults:
        return None, faults
    variables = source["variables"]
    kept = {name: variables[name] for name in sorted(used) if name in variables}
    return Program(
        rule=source["rule"],
        steps=tuple(step for step in steps if step is not None),
        vars=rule_vars(kept),
        source={**source, "variables": kept},
    ), []


def _compiled_step(  # noqa: PLR0913 - gathers faults and used names beside its result
    step: Mapping[str, Any],
    path: Path,
    source: Mapping[str, Any],
    language: Language,
    faults: list[_Fault],
    used: set[str],
) -> Step | None:
    late = list(_not_yet(step, path, "step", language))
    verbs = [key for key in step if key in language.verbs]
    if late or len(verbs) != 1:
        faults.extend(late or [_one_verb(verbs, path, language)])
        return None
    verb = language.verbs[verbs[0]]
    for key in step:
        owner = language.beside.get(key)
        if owner not in (None, verb.name):
            message = f"'{key}' stands beside {owner} only"
            faults.append(_Fault((*path, key), "unknown-key", message))
    args = verb.arguments(step)
    names = language.names(source["variables"])
    for name, context in verb.templates.items():
        if name in args:
            at = (*path, *(verb.path_of(name, step) or ()))
            try:
                args[name] = compile_tree(args[name], context, names)
            except TemplateError as exc:
                faults.extend(_template_fault(problem, at) for problem in exc.problems)
            else:
                used.update(_variables_used(args[name].uses))
    return _step(verb.name, args, step, source, language)


def _template_fault(problem: TemplateProblem, path: Path) -> _Fault:
    return _Fault((*path, *problem.path), problem.code, problem.message, problem.hint)


def _variables_used(uses: Iterable[str]) -> Iterator[str]:
    for name in uses:
        if name.startswith("vars."):
            yield name.split(".")[1]


def _one_verb(verbs: list[str], path: Path, language: Language) -> _Fault:
    words = ", ".join(language.verbs)
    if not verbs:
        return _Fault(path, "no-verb", f"an action needs a verb: one of {words}")
    return _Fault(
        (*path, verbs[1]),
        "two-verbs",
        f"'{verbs[1]}' stands in an action that has '{verbs[0]}' already",
        "begin a new action with -",
    )


def _step(
    verb: str,
    args: Mapping[str, Any],
    step: Mapping[str, Any],
    source: Mapping[str, Any],
    language: Language,
) -> Step:
    retry = {**language.verbs[verb].retry, **step.get("retry", {})}
    expires = step.get("expires", source["expires"])
    return Step(
        verb=verb,
        args=args,
        timeout_s=duration_s(step.get("timeout", DEFAULT_TIMEOUT)),
        retry=Retry(
            attempts=retry.get("attempts"),
            delay_s=duration_s(retry["delay"]),
            max_delay_s=duration_s(retry["max_delay"]),
        ),
        expires_s=None if expires == "never" else duration_s(expires),
        continue_on_error=step.get("continue_on_error", False),
    )
