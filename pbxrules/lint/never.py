"""Triggers that no report can pass.

The tables of the PBX's reports say which fields an event has when its call goes a certain
way.  A trigger matches nothing if one of its tests holds for no value, or if no event, going
no way, has all the fields that it asks for.  What a test holds for is asked of the test
itself, for each text that it names; so nothing here knows what an operator means.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pbxrules.errors import Problem, did_you_mean
from pbxrules.language import Language
from pbxrules.lint.written import WrittenRule, WrittenTrigger
from pbxrules.model import FieldTest
from pbxrules.pbx.tables import ACTIONS, FIELDS, SOURCES, WAY_FIELDS

DIRECTIONS = ("internal", "inbound", "outbound")
OTHER_DIRECTIONS = {
    "in": "inbound", "incoming": "inbound", "out": "outbound", "outgoing": "outbound",
    "intern": "internal", "local": "internal",
}  # fmt: skip
"""Words of other systems, and ours for them."""
NEVER = "never-matches"
LISTS = ("extensions", "payload")
"""Fields that may hold several values, of which each test may mean another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One event whose call goes one way."""

    event: str
    way: str
    fields: frozenset[str]
    direction: tuple[str | None, ...]
    """What it may be; None: absent."""

    def passes(self, tests: Mapping[str, FieldTest]) -> bool:
        """Whether its event and direction may pass *tests*."""
        event = tests.get("event")
        direction = tests.get("direction")
        return (event is None or event.holds(self.event)) and (
            direction is None or any(map(direction.holds, self.direction))
        )


class Places:
    """Every place of an event that rules may name."""

    def __init__(self, language: Language) -> None:
        """Take the events of *language*; those of the user's own are like ``other``."""
        self.all = [
            _place(event, row, way)
            for event in language.events
            for row, way in WAY_FIELDS
            if row == (event if event in ACTIONS else "other")
        ]
        self._known: dict[Any, list[Place]] = {}

    def left(self, event: Any, direction: Any, tests: Mapping[str, FieldTest]) -> list[Place]:
        """The places that pass *tests* of event and direction, which are written so."""
        key = (repr(event), repr(direction))  # 10,000 rules ask for the same few
        if key not in self._known:
            self._known[key] = [place for place in self.all if place.passes(tests)]
        return self._known[key]


def _place(event: str, row: str, way: str) -> Place:
    source = SOURCES[row, way].get("direction")
    if source is None:
        direction: tuple[str | None, ...] = (None,)
    else:
        direction = (source[1:],) if source.startswith("=") else (*DIRECTIONS, None)
    return Place(event=event, way=way, fields=WAY_FIELDS[row, way], direction=direction)


def never_warnings(rule: WrittenRule, places: Places) -> Iterator[Problem]:
    """Why triggers of *rule* match nothing."""
    for written in rule.triggers:
        tests = {test.field: test for test in written.trigger.tests}
        found = list(_impossible(rule, written, tests))
        yield from found or _misplaced(rule, written, tests, places)


# --- One test ----------------------------------------------------------------------------


def _impossible(
    rule: WrittenRule, written: WrittenTrigger, tests: Mapping[str, FieldTest]
) -> Iterator[Problem]:
    """Tests that hold for no value."""
    for name, test in tests.items():
        path = (*written.path, name)
        if name == "direction":
            yield from _unknown_direction(rule, path, test, written.value[name])
        elif isinstance(written.value[name], Mapping) and name.partition(".")[0] not in LISTS:
            wanted = rule.as_written(path[len(rule.path) :])
            if not _can_hold(test, wanted, rule):
                message = f"the parts of this test exclude each other: no '{name}' passes"
                yield rule.warning(path, NEVER, message)


def _unknown_direction(
    rule: WrittenRule, path: tuple[str | int, ...], test: FieldTest, written: Any
) -> Iterator[Problem]:
    if any(map(test.holds, (*DIRECTIONS, None))):
        return
    hint = "it is internal, inbound or outbound"
    if isinstance(written, str):
        ours = OTHER_DIRECTIONS.get(written.lower())
        hint = f"say '{ours}'" if ours else did_you_mean(written, DIRECTIONS) or hint
    yield rule.warning(path, NEVER, f"no call's 'direction' is {test.wanted}", hint)


def _can_hold(test: FieldTest, wanted: Mapping[str, Any], rule: WrittenRule) -> bool:
    if test.holds(None):
        return True
    if False in _exists(wanted):
        return False
    named = _named(wanted, rule)
    return named is None or any(map(test.holds, named))


def _exists(wanted: Any, *, negated: bool = False) -> set[bool]:
    """What *wanted* says of the field's being there."""
    if not isinstance(wanted, Mapping):
        return set()
    said = {wanted["exists"] is not negated} if "exists" in wanted else set()
    return said | _exists(wanted.get("not"), negated=not negated)


def _named(wanted: Any, rule: WrittenRule) -> Sequence[str] | None:
    """The only texts that may pass *wanted*; None where it does not name them."""
    match wanted:
        case str():
            return [wanted]
        case list():
            return wanted
        case {"in": list() as texts}:
            return texts
        case {"in": str() as group}:
            return rule.groups[group]
        case _:
            return None


# --- All of them ---------------------------------------------------------------------------


def _misplaced(
    rule: WrittenRule, written: WrittenTrigger, tests: Mapping[str, FieldTest], places: Places
) -> Iterator[Problem]:
    """Fields that the events of this trigger never have."""
    event, direction = written.value.get("event"), written.value.get("direction")
    left = places.left(event, direction, tests)
    if not left:
        asked = "direction" if direction is not None else "event"
        yield from _no_place(rule, (*written.path, asked), tests, places)
        return
    needed = [
        name
        for name, test in tests.items()
        if name in FIELDS and name not in ("event", "direction") and not test.holds(None)
    ]
    lacking = [name for name in needed if not any(name in place.fields for place in left)]
    for name in lacking:
        message = f"{_subject(left, direction)} never has '{name}'"
        yield rule.key_warning((*written.path, name), NEVER, message, _instead(name, left))
    if not lacking and not any(place.fields.issuperset(needed) for place in left):
        names = joined([f"'{name}'" for name in needed], "and")
        message = f"{_subject(left, direction)} never has {names} together"
        yield rule.warning(written.path, NEVER, message, "make two triggers of it")


def _no_place(
    rule: WrittenRule,
    path: tuple[str | int, ...],
    tests: Mapping[str, FieldTest],
    places: Places,
) -> Iterator[Problem]:
    """No event is left once its direction is asked, or none at all."""
    if path[-1] == "event":
        yield rule.warning(path, NEVER, "no event passes this test")
        return
    of_event = {"event": tests["event"]} if "event" in tests else {}
    left = [place for place in places.all if place.passes(of_event)]
    known = dict.fromkeys(way for place in left for way in place.direction)
    told = [way for way in known if way is not None]
    wanted = tests["direction"].wanted
    if told:
        message = f"the 'direction' of {_subject(left, None)} is never {wanted}"
        hint = f"it is {joined(told, 'or')}" + (", or absent" if None in known else "")
        yield rule.warning(path, NEVER, message, hint)
    else:
        message = f"{_subject(left, None)} never has 'direction'"
        yield rule.key_warning(path, NEVER, message, _instead("direction", left))


def _subject(places: Sequence[Place], direction: Any) -> str:
    """How *places* are called: ``an outbound ring``."""
    events = list(dict.fromkeys(place.event for place in places))
    which = f"{direction} " if isinstance(direction, str) else ""
    told = which + (joined(events, "or") if len(events) < SOME else "event")
    return f"an {told}" if told[0] in "aeio" else f"a {told}"


def joined(words: Sequence[str], last: str) -> str:
    """``a, b and c``."""
    return f" {last} ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


SOME = 5
"""Events that are named one by one."""
UNTOLD = frozenset({"event", "action", "received_at", "pbx", "direction"})


def _instead(name: str, places: Sequence[Place]) -> str:
    """What these events have in its place."""
    if name == "extension":
        theirs = {
            other
            for place in places
            for other, source in SOURCES.get((place.event, place.way), {}).items()
            if source.partition("|")[0] == "ext.0"
        }
        if len(theirs) == 1:
            return f"the extension is its '{theirs.pop()}'"
    has = frozenset().union(*(place.fields for place in places)) - UNTOLD
    return f"it has {', '.join(field for field in FIELDS if field in has)}"
