"""Rule files' values become a ``RuleSet``, or every ``Problem`` of all of them.

The JSON Schema says what may stand where; this module makes something of it, and finds
what a schema can't: names that nothing has, ids given twice, templates that can't be.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pbxrules import index
from pbxrules.conditions.declared import Declared, state_of
from pbxrules.conditions.reading import Reader
from pbxrules.conditions.state import topic_faults
from pbxrules.conditions.times import Time, TimeError, compile_time
from pbxrules.errors import Fault, Location, ProblemsError
from pbxrules.language import Language, duration_s
from pbxrules.model import NOTHING, Condition, Program, Rule, StateDecl
from pbxrules.programs import Around, compiled, digest_of, source_of
from pbxrules.rulefile import NAMED, RuleFile, Told, checked
from pbxrules.schema import Path
from pbxrules.scripts import FileScripts
from pbxrules.steps.results import elsewhere
from pbxrules.yamlsource import Document

MAX_RUNS = 10_000
"""Of one lane, waiting ones included; the newest beyond it is given up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSet:
    """All rules of a folder, ready to decide."""

    rules: tuple[Rule, ...]
    """Those that are enabled."""
    index: index.Index
    by_id: Mapping[str, Rule]
    state: Mapping[str, StateDecl] = field(default_factory=lambda: NOTHING)
    """What is remembered over restarts, by name."""
    disabled: int = 0
    about_calls: bool = False
    """Which reports belong to one call makes a difference to a rule."""


class _Reading:
    """What is gathered over all files."""

    def __init__(self, language: Language) -> None:
        self.language = language
        self.told = Told()
        self.groups: dict[str, list[str]] = {}
        self.times: dict[str, Time | None] = {}
        self.state: dict[str, StateDecl | None] = {}
        self.written: dict[str, dict[str, Any]] = {
            "groups": self.groups,
            "times": {},
            "state": {},
        }
        """The JSON of what is good."""
        self.declared = Declared(
            groups=self.groups,
            times=self.times,
            state=self.state,
            written=self.written,
            unread=self.told.unread,
        )
        self.scripts = FileScripts(language=language, declared=self.declared)
        self.rules: dict[str, Rule] = {}
        self.disabled: set[str] = set()
        self.firsts: dict[tuple[str, str], Location] = {}


def load(documents: Iterable[Document], language: Language, *, partial: bool = False) -> RuleSet:
    """The rules of all *documents* together; each is let go once it is read.

    Args:
        documents: As they were read.
        language: What rules may say.
        partial: A file could not be read, so that nobody knows which groups there are.

    Raises:
        ProblemsError: With everything that is wrong with any of them.
    """
    reading = _Reading(language)
    reading.told.unread.update(NAMED.values() if partial else ())
    files = [checked(document, language, reading.told) for document in documents]
    for file in files:
        _read_groups(file, reading)
        _read_times(file, reading)
        _read_state(file, reading)
        _declare_scripts(file, reading)
    for name in reading.scripts.names():
        reading.scripts.find(name)
    files.reverse()
    while files:
        file = files.pop()
        _read_rules(file, reading)
        file.tell_mismatches()
    if reading.told.problems:
        # One by one, as everywhere: to free 10,000 at once holds every thread up for 45 ms.
        while reading.rules:
            reading.rules.popitem()
        raise ProblemsError(reading.told.problems)
    rules = tuple(rule for rule in reading.rules.values() if rule.id not in reading.disabled)
    return RuleSet(
        rules=rules,
        index=index.build([rule.triggers for rule in rules]),
        by_id={rule.id: rule for rule in rules},
        state={name: state for name, state in reading.state.items() if state is not None},
        disabled=len(reading.disabled),
        about_calls=any(rule.about_calls for rule in rules),
    )


# --- What is declared ---------------------------------------------------------------------------


def _read_groups(file: RuleFile, reading: _Reading) -> None:
    for name, group in _named("groups", "group", file, reading):
        reading.groups[name] = file.document.as_written(group, ("groups", name)) or []


def _read_times(file: RuleFile, reading: _Reading) -> None:
    language = reading.language
    for name, value in _named("times", "time", file, reading):
        path: Path = ("times", name)
        reading.times[name] = None
        if value is None:
            continue
        wanted = file.document.as_written(value, path)
        try:
            reading.times[name] = compile_time(
                wanted, zone=language.zone, zones=language.zones, zone_names=language.zone_names
            )
        except TimeError as exc:
            file.tell(
                Fault((*path, *p.path), p.code, p.message, p.hint, at_key=p.code in _AT_KEY)
                for p in exc.problems
            )
        else:
            reading.written["times"][name] = wanted


_AT_KEY = ("unknown-key", "two-keys")
"""What is wrong with a key of a time, and not with its value."""


def _read_state(file: RuleFile, reading: _Reading) -> None:
    for name, value in _named("state", "state", file, reading):
        reading.state[name] = None
        faults = list(topic_faults(value, ("state", name, "mqtt")))
        file.tell(faults)
        if value is not None and not faults:
            reading.state[name] = state_of(value)
            reading.written["state"][name] = value


def _declare_scripts(file: RuleFile, reading: _Reading) -> None:
    for name, _ in _named("scripts", "script", file, reading):
        reading.scripts.declare(name, file, file.value["scripts"][name])


def _named(key: str, kind: str, file: RuleFile, reading: _Reading) -> Iterator[tuple[str, Any]]:
    """The names that a file is the first to give under *key*, and for what.

    None where something is wrong with it.
    """
    named = file.value.get(key, {}) if isinstance(file.value, Mapping) else {}
    for name in named if isinstance(named, Mapping) else ():
        if _first(file, reading, kind, name, (key, name)):
            yield name, named[name] if file.usable((key, name)) else None


def _first(file: RuleFile, reading: _Reading, kind: str, name: str, path: Path) -> bool:
    """Whether *name* was not given before; a problem where it was."""
    at_key = kind != "id"
    where = file.document.key_place(path) if at_key else file.document.place(path)
    before = reading.firsts.setdefault((kind, name), where)
    if before == where:
        return True
    message = f"the {kind} '{name}' stands also at {before}"
    file.tell([Fault(path, f"duplicate-{kind}", message, at_key=at_key)])
    return False


# --- Rules --------------------------------------------------------------------------------------


def _read_rules(file: RuleFile, reading: _Reading) -> None:
    rules = file.value.get("rules", []) if isinstance(file.value, Mapping) else []
    for place, rule in enumerate(rules if isinstance(rules, list) else []):
        if isinstance(rule, Mapping):
            _read_rule(rule, ("rules", place), file, reading)


def _read_rule(rule: Mapping[str, Any], path: Path, file: RuleFile, reading: _Reading) -> None:
    before = len(file.told.problems)
    rule_id = rule.get("id")
    if isinstance(rule_id, str):
        _first(file, reading, "id", rule_id, (*path, "id"))
    reader = _reader(rule, path, file, reading)
    condition = _read_asked(rule, path, reader, file.document)
    per = reader.read_fields(rule.get("per", []), (*path, "per"), also=("call",))
    file.tell(reader.faults)
    program = _read_program(rule, path, file, reading, reader)
    if program is None or not file.usable(path) or len(file.told.problems) > before:
        return
    assert isinstance(rule_id, str)
    cooldown = rule.get("cooldown")
    reading.rules[rule_id] = Rule(
        id=rule_id,
        where=reading.firsts["id", rule_id],
        triggers=tuple(reader.triggers or ()),
        condition=condition,
        program=program,
        digest=_digest_of_waiting(rule, reader, program),
        per=per,
        once_per_call="once_per" in rule,
        cooldown_s=None if cooldown is None else duration_s(cooldown),
        mode=program.mode,
        max_runs=int(rule.get("max", MAX_RUNS)),
        about_calls=_about_calls(rule, per, reader, program),
    )
    if rule.get("enabled") is False:
        reading.disabled.add(rule_id)


def _reader(rule: Mapping[str, Any], path: Path, file: RuleFile, reading: _Reading) -> Reader:
    own = rule.get("variables", {}) if file.usable((*path, "variables")) else {}
    reader = Reader(
        language=reading.language,
        declared=reading.declared,
        rule=str(rule.get("id", "")),
        variables={**reading.language.variables, **own},
        usable=file.usable,
    )
    reader.elsewhere = elsewhere(rule)
    return reader


def _about_calls(
    rule: Mapping[str, Any], per: Sequence[str], reader: Reader, program: Program
) -> bool:
    """Whether it makes a difference to a rule which reports belong to one call."""
    triggers = reader.triggers or ()
    counts = any(trigger.count is not None and trigger.count.of == "calls" for trigger in triggers)
    waits = any(trigger.for_s is not None for trigger in triggers) or ("call",) in program.waits
    names = reader.used.names_calls or program.about_calls
    return counts or waits or names or "once_per" in rule or "call" in per


def _digest_of_waiting(rule: Mapping[str, Any], reader: Reader, program: Program) -> str:
    """What tells whether a reload changed a rule whose ``for`` waits; ``""`` without one."""
    if all(trigger.for_s is None for trigger in reader.triggers or ()):
        return ""
    return digest_of([rule, reader.used.of(reader.declared), program.digest])


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
    rule: Mapping[str, Any], path: Path, file: RuleFile, reading: _Reading, reader: Reader
) -> Program | None:
    """The rule's program; None, and its problems told, where it can't be."""
    if not file.usable((*path, "variables")):
        return None
    source, faults = source_of(
        rule, path, file=file, language=reading.language, scripts=reading.scripts
    )
    file.tell(faults)
    around = Around(
        declared=reading.declared,
        triggers=reader.triggers,
        usable=lambda inner: file.usable((*path, *inner)),
    )
    program, faults = compiled(source, reading.language, around)
    file.tell(replace(fault, path=(*path, *fault.path)) for fault in faults)
    return program
