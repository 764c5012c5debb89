"""What a rule asks of an event, read from its file, with all that is wrong with it."""

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache, cached_property
from typing import Any

from pbxrules import conditions
from pbxrules.conditions import logic, template
from pbxrules.conditions.declared import Declared, Noted, Used
from pbxrules.conditions.fields import FieldTestError, OfField, field_test
from pbxrules.errors import Fault, did_you_mean
from pbxrules.language import CONDITION_HINTS, EVENT_HINTS, TRIGGER_HINTS, Language, duration_s
from pbxrules.members import Members, joined
from pbxrules.misplaced import COLUMN
from pbxrules.model import NOTHING, Condition, Count, FieldTest, Trigger
from pbxrules.schema import Path, shown
from pbxrules.template import Names, UnknownMember, unknown_member

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
        declared: Declared,
        rule: str,
        variables: Mapping[str, Any] | None,
        usable: Callable[[Path], bool] = lambda _: True,
    ) -> None:
        """Begin.

        Args:
            language: What rules may say.
            declared: What all files declare.
            rule: Its id.
            variables: Its own, and the configuration's; None: nobody says which.
            usable: Whether nothing is known to be wrong with a value or with what is in it.
        """
        self.language = language
        self.declared = declared
        self.rule = rule
        self.variables = variables
        self.usable = usable
        self.used = Used()
        self.faults: list[Fault] = []
        self.triggers: Sequence[Trigger] | None = None
        """Those that ``read_triggers`` read; None: nobody says which."""
        self.elsewhere: Mapping[str, str] = NOTHING
        """Names that are known in other places only, and where."""
        self._groups = Noted(declared.groups, self.used.groups)
        self._names: Names | None = None

    @cached_property
    def payload(self) -> Members | None:
        """What a report may hold that fits one of the triggers; None: whatever it is."""
        if self.triggers is None:
            return None
        return joined(self.language.payload(trigger.tests) for trigger in self.triggers)

    @property
    def names(self) -> Names:
        """What the templates of its conditions may name."""
        if self._names is None:
            self._names = self.language.names(
                self.variables,
                payload=self.payload,
                state=self.declared.names_of_state,
                elsewhere=self.elsewhere,
            )
        return self._names

    @names.setter
    def names(self, names: Names) -> None:
        self._names = names

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
        beside = self.language.words["trigger"]
        fields = [name for name in trigger if name not in beside]
        tests = [
            test
            for name in fields
            for test in self._tests(name, trigger[name], (*path, name), "trigger")
        ]
        self._look_for_members(fields, path, self.language.payload(tests))
        told = {key: trigger[key] for key in trigger if self.usable((*path, key))}
        name = told.get("id")
        return Trigger(
            id=name if isinstance(name, str) else place,
            tests=tuple(tests),
            for_s=duration_s(told["for"]) if "for" in told else None,
            until=self._until(trigger, told, path),
            count=_count(told.get("count")),
        )

    def _until(
        self, trigger: Mapping[str, Any], told: Mapping[str, Any], path: Path
    ) -> tuple[str, ...]:
        at = (*path, "until")
        if "until" in trigger and "for" not in trigger:
            message, hint = "'until' stands beside 'for' only", "say for how long: for: 20s"
            self.faults.append(Fault(at, "unknown-key", message, hint, at_key=True))
        until = trigger.get("until", [])
        single = not isinstance(until, list)
        for place, name in enumerate([until] if single else until):
            here = at if single else (*at, place)
            if self.usable(here):
                self.faults += event_faults(name, here, self.language)
        return tuple(dict.fromkeys([until] if single else until)) if "until" in told else ()

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
                parts = [
                    part for word in value for part in self._part(word, value[word], (*path, word))
                ]
                fields = [word for word in value if word not in kinds()]
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

    def read_tests(self, value: Any, path: Path, where: str) -> tuple[FieldTest, ...]:
        """The tests of a map of them, of which *where* says what it is."""
        if not isinstance(value, Mapping):
            return ()
        tests = tuple(
            t for name in value for t in self._tests(name, value[name], (*path, name), where)
        )
        self._look_for_members(value, path, self.language.payload(tests))
        return tests

    def read_fields(self, value: Any, path: Path, *, also: Sequence[str] = ()) -> tuple[str, ...]:
        """The fields that a list names, or the one that is no list; *also* may be named, too."""
        if not self.usable(path):
            return ()
        listed = value if isinstance(value, list) else [value]
        for place, name in enumerate(listed):
            at = (*path, place) if isinstance(value, list) else path
            unknown = None if name in also else self._unknown_field(name, at, "", also)
            if unknown is not None:
                self.faults.append(replace(unknown, at_key=False))
            elif (missing := _missing_member(name, self.payload)) is not None:
                self.faults.append(Fault(at, "unknown-member", missing.message, missing.hint))
        return tuple(dict.fromkeys(listed))

    def _tests(self, name: str, wanted: Any, path: Path, where: str) -> Iterator[FieldTest]:
        """The test that the field *name* is as *wanted*; none where that is wrong."""
        unknown = self._unknown_field(name, path, where)
        if unknown is not None:
            self.faults.append(unknown)
        else:
            yield from self.test(name, wanted, path)

    def test(self, name: str, wanted: Any, path: Path) -> Iterator[FieldTest]:
        """The test that *name*, a field or its like, is as *wanted*; none where that is wrong."""
        if not self.usable(path):
            return
        faults = list(_test_faults(name, wanted, path, self.language))
        if not faults:
            try:
                yield field_test(name, wanted, self._groups)
            except FieldTestError as exc:
                faults.append(Fault((*path, *exc.path), exc.code, exc.message, exc.hint))
        self.faults += faults

    def _unknown_field(
        self, name: str, path: Path, where: str, also: Sequence[str] = ()
    ) -> Fault | None:
        first, *members = name.split(".")
        fields, hints = self.language.fields, self.language.field_hints
        if name in fields or (first == "payload" and members and all(members)):
            return None
        words = self.language.words
        elsewhere = [place for place, listed in words.items() if name in listed]
        control = self.language.controls.get(where)
        theirs = {"trigger": TRIGGER_HINTS, "condition": CONDITION_HINTS}.get(where, {})
        if control is not None and name in control.beside:
            hint = f"it stands beside '{where}'"
        elif name in self.declared.state:
            hint = f"say state: {{{name}: …}}"
        elif name in theirs:
            hint = theirs[name]
        elif elsewhere and where:
            hint = f"it stands under '{elsewhere[0]}s'"
        elif where and name in self.language.operators:
            hint = f"write it in a field's test, as in caller: {{{name}: …}}"
        elif where and name in self.language.rule_keys:
            hint = COLUMN.format("actions" if control else f"{where}s")
        elif first in hints:
            hint = f"say '{hints[first]}'"
        else:
            known = [*fields, *words.get(where, ()), *also]
            hint = did_you_mean(name, known) or SOME_FIELDS
        message = f"no event has a field '{name}'"
        return Fault(path, "unknown-field", message, hint, at_key=True)

    def _look_for_members(self, fields: Iterable[str], path: Path, members: Members | None) -> None:
        """Note which ``payload.x`` of *fields* no report can have."""
        for name in fields:
            if (missing := _missing_member(name, members)) is not None:
                at = (*path, name)
                fault = Fault(at, "unknown-member", missing.message, missing.hint, at_key=True)
                self.faults.append(fault)


def _missing_member(name: str, members: Members | None) -> UnknownMember | None:
    """What of ``payload.x`` no report can have."""
    first, *way = name.split(".")
    return unknown_member(members, way) if first == "payload" else None


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
        case str() if name == "event":
            yield from event_faults(wanted, path, language)


def event_faults(wanted: Any, path: Path, language: Language) -> Iterator[Fault]:
    """An event that nothing sends."""
    if wanted not in language.events:
        said = EVENT_HINTS.get(wanted.lower().replace(" ", "_").replace("-", "_"))
        near = f"say '{said}'" if said else did_you_mean(wanted, language.events)
        hint = near or f"one of {', '.join(language.events)}"
        yield Fault(path, "unknown-event", f"no report is the event {shown(wanted)}", hint)


def _count(written: Any) -> Count | None:
    if written is None:
        return None
    return Count(
        at_least=int(float(written["at_least"])),
        within_s=duration_s(written["within"]),
        of=written.get("of", "calls"),
    )
