"""Rule files' values become a ``RuleSet``, or every ``Problem`` of all of them.

The JSON Schema says what may stand where; this module makes something of it, and finds
what a schema can't: names that nothing has, ids given twice, templates that can't be.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pbxrules import index
from pbxrules.conditions.fields import FieldTestError, field_test
from pbxrules.errors import Problem, ProblemsError, did_you_mean
from pbxrules.language import Language
from pbxrules.model import FieldTest, Program, Rule, Trigger
from pbxrules.programs import DEFAULT_EXPIRES, Fault, as_written, compiled, not_yet, source_of
from pbxrules.schema import Path, shown
from pbxrules.yamlsource import Document

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

    def add(self, document: Document, faults: Sequence[Fault], *, at_key: bool = False) -> None:
        for fault in faults:
            where = document.key_place(fault.path) if at_key else document.place(fault.path)
            self.problems.append(Problem(where, fault.code, fault.message, fault.hint))


def load(documents: Iterable[Document], language: Language) -> RuleSet:
    """The rules of all *documents* together; each is let go once it is read.

    Raises:
        ProblemsError: With everything that is wrong with any of them.
    """
    reading = _Reading(language=language)
    files = [_checked(document, reading) for document in documents]
    for file in files:
        _read_groups(file, reading)
    files.reverse()
    while files:
        _read_rules(files.pop(), reading)
    if reading.problems:
        # One by one, as everywhere: to free 10,000 at once holds every thread up for 45 ms.
        while reading.rules:
            reading.rules.popitem()
        raise ProblemsError(reading.problems)
    rules = tuple(rule for rule in reading.rules.values() if rule.id not in reading.disabled)
    return RuleSet(
        rules=rules,
        index=index.build([rule.triggers for rule in rules]),
        by_id={rule.id: rule for rule in rules},
        disabled=len(reading.disabled),
    )


def _checked(document: Document, reading: _Reading) -> _File:
    """Report what reading and the schema find wrong with a file."""
    reading.problems.extend(document.problems)
    if document.value is None or not document.complete:
        return _File(document=document, wrong=frozenset({()}))
    wrong: set[Path] = set()
    for found in reading.language.rules_schema.mismatches(document.value):
        # A value that is wrong for a reason already told needs no second one.
        path = found.path if found.key is None else (*found.path, found.key)
        fault = Fault(path, found.code, found.message, found.hint)
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
            reading.groups[name] = as_written(groups[name], file.document, path)


def _first(file: _File, reading: _Reading, kind: str, name: str, path: Path) -> bool:
    """Whether *name* was not given before; a problem where it was."""
    at_key = kind != "id"
    where = str(file.document.key_place(path) if at_key else file.document.place(path))
    before = reading.firsts.setdefault((kind, name), where)
    if before == where:
        return True
    fault = Fault(path, f"duplicate-{kind}", f"the {kind} '{name}' stands also at {before}")
    reading.add(file.document, [fault], at_key=at_key)
    return False


def _read_rules(file: _File, reading: _Reading) -> None:
    value = file.document.value
    if not isinstance(value, Mapping):
        return
    reading.add(file.document, list(not_yet(value, (), "file", reading.language)), at_key=True)
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
    reading.add(document, list(not_yet(rule, path, "rule", reading.language)), at_key=True)
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
    source = source_of(told, usable, path, file.document, reading.language)
    program, faults = compiled(source, reading.language)
    for fault in faults:
        place = usable[int(fault.path[1])]
        moved = (*path, "actions", place, *fault.path[2:])
        reading.add(
            file.document,
            [Fault(moved, fault.code, fault.message, fault.hint)],
            at_key=fault.code in _AT_KEY,
        )
    return program if len(usable) == len(steps) else None


_AT_KEY = ("not-yet", "unknown-key", "two-verbs")
"""Problems of a key, not of its value."""


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
    reading.add(document, list(not_yet(trigger, path, "trigger", reading.language)), at_key=True)
    tests: list[FieldTest] = []
    for name in trigger:
        at = (*path, name)
        if name in reading.language.not_yet["trigger"]:
            continue
        unknown = _unknown_field(name, at, reading.language)
        if unknown:
            reading.add(document, [unknown], at_key=True)
        elif file.usable(at):
            tests.extend(
                _read_test(name, as_written(trigger[name], document, at), at, file, reading)
            )
    return tuple(tests)


def _read_test(
    name: str, wanted: Any, path: Path, file: _File, reading: _Reading
) -> Iterator[FieldTest]:
    faults = list(_test_faults(name, wanted, path, reading.language))
    if not faults:
        try:
            yield field_test(name, wanted, reading.groups)
        except FieldTestError as exc:
            faults.append(Fault((*path, *exc.path), exc.code, exc.message, exc.hint))
    reading.add(file.document, faults)


def _unknown_field(name: str, path: Path, language: Language) -> Fault | None:
    first, *members = name.split(".")
    if name in language.fields or (first == "payload" and members and all(members)):
        return None
    if first in language.field_hints:
        hint = f"say '{language.field_hints[first]}'"
    else:
        hint = did_you_mean(name, [*language.fields, "for", "until", "count"])
    return Fault(path, "unknown-field", f"no event has a field '{name}'", hint)


def _test_faults(name: str, wanted: Any, path: Path, language: Language) -> Iterator[Fault]:
    """Events that nothing sends."""
    match wanted:
        case Mapping():
            for key in ("not", "in"):
                if isinstance(wanted.get(key), list | Mapping) or (key == "not" and key in wanted):
                    yield from _test_faults(name, wanted[key], (*path, key), language)
        case list():
            for place, item in enumerate(wanted):
                yield from _test_faults(name, item, (*path, place), language)
        case str() if name == "event" and wanted not in language.events:
            hint = did_you_mean(wanted, language.events) or f"one of {', '.join(language.events)}"
            yield Fault(path, "unknown-event", f"no report is the event {shown(wanted)}", hint)
