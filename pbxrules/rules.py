"""Rule files' values become a ``RuleSet``, or every ``Problem`` of all of them.

The JSON Schema says what may stand where; this module makes something of it, and finds
what a schema can't: names that nothing has, ids given twice, templates that can't be.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pbxrules import index
from pbxrules.conditions.reading import Reader
from pbxrules.conditions.times import Time, TimeError, compile_time
from pbxrules.errors import Fault, Problem, ProblemsError
from pbxrules.language import Language
from pbxrules.members import Members
from pbxrules.model import Condition, Program, Rule
from pbxrules.programs import DEFAULT_EXPIRES, compiled, source_of
from pbxrules.schema import Path
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
    mismatches: tuple[Fault, ...] = ()
    """What it found, not told yet."""
    strange: set[Path] = field(default_factory=set)
    """Fields that no event has: what the schema says of their values is no matter."""

    def usable(self, path: Path) -> bool:
        return not any(wrong[: len(path)] == path for wrong in self.wrong)


@dataclass(slots=True, kw_only=True)
class _Reading:
    """What is gathered over all files."""

    language: Language
    problems: list[Problem] = field(default_factory=list)
    groups: dict[str, list[str]] = field(default_factory=dict)
    times: dict[str, Time | None] = field(default_factory=dict)
    """None: what is wrong with it is told where it is described."""
    rules: dict[str, Rule] = field(default_factory=dict)
    disabled: set[str] = field(default_factory=set)
    firsts: dict[tuple[str, str], str] = field(default_factory=dict)

    def add(self, document: Document, faults: Iterable[Fault]) -> None:
        for fault in faults:
            where = (document.key_place if fault.at_key else document.place)(fault.path)
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
        _read_times(file, reading)
    for file in files:
        _read_rules(file, reading)
        _tell_mismatches(file, reading)
    if reading.problems:
        raise ProblemsError(reading.problems)
    rules = tuple(rule for rule in reading.rules.values() if rule.id not in reading.disabled)
    return RuleSet(
        rules=rules,
        index=index.build([rule.triggers for rule in rules]),
        by_id={rule.id: rule for rule in rules},
        disabled=len(reading.disabled),
    )


def _checked(document: Document, reading: _Reading) -> _File:
    """Report what reading finds wrong with a file, and note what the schema does."""
    reading.problems.extend(document.problems)
    if document.value is None or not document.complete:
        return _File(document=document, wrong=frozenset({()}))
    wrong: set[Path] = set()
    told = {problem.where for problem in document.problems}
    mismatches: list[Fault] = []
    for found in reading.language.rules_schema.mismatches(document.value):
        # A value that is wrong for a reason already told needs no second one.
        path = found.path if found.key is None else (*found.path, found.key)
        at_key = found.key is not None
        if document.place(path) not in told:
            fault = Fault(path, found.code, found.message, found.hint, at_key=at_key)
            mismatches.append(fault)
        wrong.add(path if found.key is None else found.path)
    return _File(document=document, wrong=frozenset(wrong), mismatches=tuple(mismatches))


def _tell_mismatches(file: _File, reading: _Reading) -> None:
    for fault in file.mismatches:
        around = {fault.path[: depth + 1] for depth in range(len(fault.path))}
        if file.strange.isdisjoint(around):
            reading.add(file.document, [fault])


def _read_groups(file: _File, reading: _Reading) -> None:
    for name, group in _named("groups", file):
        if _first(file, reading, "group", name, ("groups", name)):
            reading.groups[name] = group or []


def _read_times(file: _File, reading: _Reading) -> None:
    language = reading.language
    for name, wanted in _named("times", file):
        path: Path = ("times", name)
        if not _first(file, reading, "time", name, path):
            continue
        reading.times[name] = None
        if wanted is None:
            continue
        try:
            reading.times[name] = compile_time(
                wanted, zone=language.zone, zones=language.zones, zone_names=language.zone_names
            )
        except TimeError as exc:
            reading.add(
                file.document,
                [
                    Fault((*path, *p.path), p.code, p.message, p.hint, at_key=p.code in _AT_KEY)
                    for p in exc.problems
                ],
            )


_AT_KEY = ("unknown-key", "two-keys")
"""What is wrong with a key of a time, and not with its value."""


def _named(key: str, file: _File) -> Iterator[tuple[str, Any]]:
    """The names that a file gives under *key*, and for what, with numbers as their digits.

    None where something is wrong with it.
    """
    value = file.document.value
    named = value.get(key, {}) if isinstance(value, Mapping) else {}
    for name in named if isinstance(named, Mapping) else ():
        usable = file.usable((key, name))
        yield name, file.document.as_written(named[name], (key, name)) if usable else None


def _first(file: _File, reading: _Reading, kind: str, name: str, path: Path) -> bool:
    """Whether *name* was not given before; a problem where it was."""
    at_key = kind != "id"
    where = str(file.document.key_place(path) if at_key else file.document.place(path))
    before = reading.firsts.setdefault((kind, name), where)
    if before == where:
        return True
    message = f"the {kind} '{name}' stands also at {before}"
    reading.add(file.document, [Fault(path, f"duplicate-{kind}", message, at_key=at_key)])
    return False


def _read_rules(file: _File, reading: _Reading) -> None:
    value = file.document.value
    if not isinstance(value, Mapping):
        return
    reading.add(file.document, reading.language.late(value, (), "file"))
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
    reading.add(document, reading.language.late(rule, path, "rule"))
    reader = _reader(rule, path, file, reading)
    condition = _read_asked(rule, path, reader, document)
    reading.add(document, reader.faults)
    file.strange.update(fault.path for fault in reader.faults if fault.code == "unknown-field")
    program = _read_program(rule, path, file, reading, reader.payload)
    if program is None or not file.usable(path) or len(reading.problems) > before:
        return
    assert isinstance(rule_id, str)
    reading.rules[rule_id] = Rule(
        id=rule_id,
        where=document.place((*path, "id")),
        triggers=reader.triggers,
        condition=condition,
        program=program,
        max_runs=MAX_RUNS,
    )
    if rule.get("enabled") is False:
        reading.disabled.add(rule_id)


def _reader(rule: Mapping[str, Any], path: Path, file: _File, reading: _Reading) -> Reader:
    own = rule.get("variables", {}) if file.usable((*path, "variables")) else {}
    return Reader(
        language=reading.language,
        groups=reading.groups,
        times=reading.times,
        rule=str(rule.get("id", "")),
        variables={**reading.language.variables, **own},
        usable=file.usable,
    )


def _read_asked(
    rule: Mapping[str, Any], path: Path, reader: Reader, document: Document
) -> Condition | None:
    """What the rule asks of an event: its triggers, which the reader keeps, and its conditions."""
    at = (*path, "triggers")
    reader.read_triggers(document.as_written(rule.get("triggers"), at), at)
    if "conditions" not in rule or not reader.usable((*path, "variables")):
        return None
    at = (*path, "conditions")
    return reader.read_conditions(document.as_written(rule["conditions"], at), at)


def _read_program(
    rule: Mapping[str, Any], path: Path, file: _File, reading: _Reading, payload: Members | None
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
    program, faults = compiled(source, reading.language, payload)
    for fault in faults:
        place = usable[int(fault.path[1])]
        moved = replace(fault, path=(*path, "actions", place, *fault.path[2:]))
        reading.add(file.document, [moved])
    return program if len(usable) == len(steps) else None
