"""What a rule asks of an event, read from its file, with all that is wrong with it."""

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

from pbxrules import conditions
from pbxrules.conditions import logic, template
from pbxrules.conditions.fields import FieldTestError, field_test, value_of
from pbxrules.conditions.leaves import Leaf, in_words
from pbxrules.conditions.times import Time
from pbxrules.errors import Fault, did_you_mean
from pbxrules.language import CONDITION_HINTS, EVENT_HINTS, TRIGGER_HINTS, Language
from pbxrules.members import Members, joined
from pbxrules.misplaced import COLUMN
from pbxrules.model import Condition, Facts, FieldTest, Miss, Trigger
from pbxrules.schema import Path, shown
from pbxrules.template import Names, unknown_member

SOME_FIELDS = "such as event, extension, caller, callee, direction, trunk"
Kind = Callable[[Any, Path, "Reader"], Iterator[Condition]]
"""Reads what stands behind a word of a condition; gives nothing where that is wrong."""


@cache
def kinds() -> Mapping[str, Kind]:
    """What each word of a condition means that is no field."""
    found: dict[str, Kind] = {}
    for module in pkgutil.iter_modules(conditions.__path__, f"{conditions.__name__}."):
        found |= getattr(importlib.import_module(module.name), "KEYS", {})
    return found


class Reader:
    """Reads one rule, whose numbers are their digits already, and gathers its faults."""

    def __init__(
        self,
        *,
        language: Language,
        groups: Mapping[str, Sequence[str]],
        times: Mapping[str, Time | None],
        rule: str,
        variables: Mapping[str, Any],
        usable: Callable[[Path], bool],
    ) -> None:
        """Begin.

        Args:
            language: What rules may say.
            groups: Those of all files.
            times: Those of all files; None where something is wrong with it.
            rule: Its id.
            variables: Its own, and the configuration's.
            usable: Whether nothing is known to be wrong with a value or with what is in it.
        """
        self.language = language
        self.groups = groups
        self.times = times
        self.rule = rule
        self.variables = variables
        self.usable = usable
        self.faults: list[Fault] = []
        self.triggers: tuple[Trigger, ...] = ()
        """Those that ``read_triggers`` read."""

    @cached_property
    def payload(self) -> Members | None:
        """What a report may hold that fits one of the triggers; None: whatever it is."""
        return joined(self.language.payload(trigger.tests) for trigger in self.triggers)

    @cached_property
    def names(self) -> Names:
        """What the templates of its conditions may name."""
        return self.language.names(self.variables, payload=self.payload)

    # --- triggers ----------------------------------------------------------------------------

    def read_triggers(self, value: Any, path: Path) -> None:
        """Read what stands under ``triggers``."""
        if value == "any":
            self.triggers = (Trigger(id="1", tests=()),)
            return
        single = isinstance(value, Mapping)
        listed = [value] if single else value if isinstance(value, list) else []
        self.triggers = tuple(
            self._trigger(trigger, path if single else (*path, place), str(place + 1))
            for place, trigger in enumerate(listed)
            if isinstance(trigger, Mapping)
        )

    def _trigger(self, trigger: Mapping[str, Any], path: Path, place: str) -> Trigger:
        self.faults += self.language.late(trigger, path, "trigger")
        beside = self.language.words["trigger"]
        fields = [name for name in trigger if name not in beside]
        tests = [
            test
            for name in fields
            for test in self._tests(name, trigger[name], (*path, name), "trigger")
        ]
        self._look_for_members(fields, path, self.language.payload(tests))
        name = trigger.get("id")
        return Trigger(id=name if isinstance(name, str) else place, tests=tuple(tests))

    # --- conditions --------------------------------------------------------------------------

    def read_conditions(self, value: Any, path: Path) -> Condition | None:
        """What stands under ``conditions``; None where nothing usable does."""
        parts = tuple(self.conditions(value, path))
        return logic.all_of(parts) if parts else None

    def conditions(self, value: Any, path: Path) -> Iterator[Condition]:
        """The conditions of a list, or the one that is no list."""
        if isinstance(value, list):
            for place, item in enumerate(value):
                yield from self._condition(item, (*path, place))
        else:
            yield from self._condition(value, path)

    def _condition(self, value: Any, path: Path) -> Iterator[Condition]:
        match value:
            case str() if self.usable(path):
                yield from template.read(value, path, self)
            case Mapping():
                self.faults += self.language.late(value, path, "condition")
                words = [word for word in value if word not in self.language.not_yet["condition"]]
                parts = [
                    part for word in words for part in self._part(word, value[word], (*path, word))
                ]
                fields = [word for word in words if word not in kinds()]
                self._look_for_members(fields, path, self.payload)
                if parts:
                    yield logic.all_of(parts)

    def _part(self, word: str, wanted: Any, path: Path) -> Iterator[Condition]:
        kind = kinds().get(word)
        if kind is not None:
            yield from kind(wanted, path, self)
            return
        for test in self._tests(word, wanted, path, "condition"):
            yield OfField(test)

    # --- field tests -------------------------------------------------------------------------

    def _tests(self, name: str, wanted: Any, path: Path, where: str) -> Iterator[FieldTest]:
        """The test that the field *name* is as *wanted*; none where that is wrong."""
        unknown = self._unknown_field(name, path, where)
        if unknown is not None:
            self.faults.append(unknown)
        elif self.usable(path):
            faults = list(_test_faults(name, wanted, path, self.language))
            if not faults:
                try:
                    yield field_test(name, wanted, self.groups)
                except FieldTestError as exc:
                    faults.append(Fault((*path, *exc.path), exc.code, exc.message, exc.hint))
            self.faults += faults

    def _unknown_field(self, name: str, path: Path, where: str) -> Fault | None:
        first, *members = name.split(".")
        fields, hints = self.language.fields, self.language.field_hints
        if name in fields or (first == "payload" and members and all(members)):
            return None
        elsewhere = [place for place, words in self.language.words.items() if name in words]
        theirs = TRIGGER_HINTS if where == "trigger" else CONDITION_HINTS
        if name in theirs:
            hint = theirs[name]
        elif elsewhere:
            hint = f"it stands under '{elsewhere[0]}s'"
        elif name in self.language.operators:
            hint = f"write it in a field's test, as in caller: {{{name}: …}}"
        elif name in self.language.rule_keys:
            hint = COLUMN.format(f"{where}s")
        elif first in hints:
            hint = f"say '{hints[first]}'"
        else:
            hint = did_you_mean(name, [*fields, *self.language.words[where]]) or SOME_FIELDS
        message = f"no event has a field '{name}'"
        return Fault(path, "unknown-field", message, hint, at_key=True)

    def _look_for_members(self, fields: Iterable[str], path: Path, members: Members | None) -> None:
        """Note which ``payload.x`` of *fields* no report can have."""
        for name in fields:
            first, *way = name.split(".")
            unknown = unknown_member(members, way) if first == "payload" else None
            if unknown is not None:
                at = (*path, name)
                fault = Fault(at, "unknown-member", unknown.message, unknown.hint, at_key=True)
                self.faults.append(fault)


@dataclass(frozen=True, slots=True)
class OfField(Leaf):
    """Holds if a field is as its test wants it."""

    test: FieldTest

    @property
    def says(self) -> str:
        """The field, and what is wanted."""
        return f"{self.test.field} {self.test.wanted}"

    def is_true(self, facts: Facts) -> bool:
        """Whether the test holds."""
        return self.test.holds(value_of(facts.event, self.test.field))

    def miss(self, _: Facts, *, wanted: bool) -> Miss:
        """The field, and what is wanted; its value is the event's to tell."""
        return Miss(self.test.field, in_words(self.test.wanted, so=wanted))


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
            said = EVENT_HINTS.get(wanted.lower().replace(" ", "_").replace("-", "_"))
            near = f"say '{said}'" if said else did_you_mean(wanted, language.events)
            hint = near or f"one of {', '.join(language.events)}"
            yield Fault(path, "unknown-event", f"no report is the event {shown(wanted)}", hint)
