"""Triggers that no report can pass, and conditions that never hold with any of them.

The tables of the PBX's reports say which fields an event has when its call goes a certain
way.  A trigger matches nothing if one of its tests holds for no value, or if no event, going
no way, has all the fields that it asks for.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pbxrules.errors import Problem, did_you_mean
from pbxrules.language import Language
from pbxrules.lint.asked import Asked, of_conditions, of_trigger
from pbxrules.lint.written import WrittenRule, WrittenTrigger
from pbxrules.model import FieldTest
from pbxrules.pbx.tables import ACTIONS, FIELDS, SOURCES, WAY_FIELDS
from pbxrules.schema import Path

DIRECTIONS = ("internal", "inbound", "outbound")
OTHER_DIRECTIONS = {
    "in": "inbound", "incoming": "inbound", "out": "outbound", "outgoing": "outbound",
    "intern": "internal", "local": "internal",
}  # fmt: skip
"""Words of other systems, and ours for them."""
NEVER = "never-matches"
_PLACING = ("event", "direction")
"""Fields that tell with which event, and which way of its call, one has to do."""
SOME = 5
"""Events that are named one by one."""
UNTOLD = frozenset({"event", "action", "received_at", "pbx", "direction"})
"""Fields that are no help in the place of another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One event whose call goes one way."""

    event: str
    way: str
    fields: frozenset[str]
    direction: tuple[str | None, ...]
    """What it may be; None: absent."""

    def passes(self, asked: Mapping[str, Asked] | Mapping[str, FieldTest]) -> bool:
        """Whether its event and direction may pass."""
        event = asked.get("event")
        direction = asked.get("direction")
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
        self._fitting: dict[Any, list[Place]] = {}

    def left(self, asked: Mapping[str, Asked]) -> list[Place]:
        """The places whose event and direction may pass."""
        # 10,000 rules ask for the same few.
        key = tuple(asked[name].wanted if name in asked else None for name in _PLACING)
        if key not in self._known:
            self._known[key] = [place for place in self.all if place.passes(asked)]
        return self._known[key]

    def fitting(self, written: WrittenTrigger) -> list[Place]:
        """The places that have all the fields which a trigger asks for.

        10,000 rules ask for the same few sets of fields, so each set is looked at once.
        """
        tests = {test.field: test for test in written.trigger.tests}
        needed = [name for name, test in tests.items() if not test.holds(None)]
        told = [str(written.value.get(name)) for name in _PLACING]
        key = (*told, *needed)
        if key not in self._fitting:
            fields = {name for name in needed if name in FIELDS}.difference(_PLACING)
            self._fitting[key] = [
                place
                for place in self.all
                if place.fields.issuperset(fields) and place.passes(tests)
            ]
        return self._fitting[key]


def _place(event: str, row: str, way: str) -> Place:
    source = SOURCES[row, way].get("direction")
    if source is None:
        direction: tuple[str | None, ...] = (None,)
    else:
        direction = (source[1:],) if source.startswith("=") else (*DIRECTIONS, None)
    return Place(event=event, way=way, fields=WAY_FIELDS[row, way], direction=direction)


def never_warnings(rule: WrittenRule, places: Places) -> Iterator[Problem]:
    """Why triggers or conditions of *rule* let nothing pass."""
    left: list[WrittenTrigger] = []
    for written in rule.triggers:
        found = _impossible(rule, of_trigger(rule, written, maps_only=True))
        if not found and not places.fitting(written):
            asked = {one.field: one for one in of_trigger(rule, written)}
            found = _impossible(rule, asked.values())
            found = found or list(_misplaced(rule, written.path, asked, places))
        yield from found
        left += [] if found else [written]
    if "conditions" in rule.value and (left or not rule.triggers):
        yield from _conditions(rule, left, places)


def _conditions(
    rule: WrittenRule, triggers: Sequence[WrittenTrigger], places: Places
) -> list[Problem]:
    """Why the conditions never hold, or with none of *triggers*."""
    conditions = list(of_conditions(rule))
    impossible = _impossible(rule, conditions)
    if impossible or not conditions:
        return impossible
    asked = [{one.field: one for one in of_trigger(rule, each)} for each in triggers]
    against = [_against(rule, one, conditions, places) for one in asked or [{}]]
    return against[0][:1] if all(against) else []


def _against(
    rule: WrittenRule, trigger: Mapping[str, Asked], conditions: Sequence[Asked], places: Places
) -> list[Problem]:
    """Why what fits a trigger never passes the conditions."""
    both = dict(trigger)
    for asked in conditions:
        name = asked.field
        both[name] = both[name].also(asked) if name in both else asked
        if not both[name].can_hold:
            message = f"no '{name}' passes both this and what is asked before"
            return [rule.warning(asked.path, NEVER, message)]
    return list(_misplaced(rule, (*rule.path, "conditions"), both, places))


# --- One field ---------------------------------------------------------------------------


def _impossible(rule: WrittenRule, asked: Iterable[Asked]) -> list[Problem]:
    """The tests that hold for no value."""
    return [problem for one in asked for problem in _wrong(rule, one)]


def _wrong(rule: WrittenRule, asked: Asked) -> Iterator[Problem]:
    if asked.field == "direction":
        if not any(map(asked.holds, (*DIRECTIONS, None))):
            message = f"no call's 'direction' is {asked.wanted}"
            yield rule.warning(asked.path, NEVER, message, _direction_hint(asked.written))
    elif isinstance(asked.written, Mapping) and not asked.can_hold:
        message = f"the parts of this test exclude each other: no '{asked.field}' passes"
        yield rule.warning(asked.path, NEVER, message)


def _direction_hint(written: Any) -> str:
    hint = ""
    if isinstance(written, str):
        ours = OTHER_DIRECTIONS.get(written.lower())
        hint = f"say '{ours}'" if ours else did_you_mean(written, DIRECTIONS)
    return hint or f"it is {joined(DIRECTIONS, 'or')}"


# --- All of them ---------------------------------------------------------------------------


def _misplaced(
    rule: WrittenRule, path: Path, asked: Mapping[str, Asked], places: Places
) -> Iterator[Problem]:
    """Fields that the events which are asked for never have."""
    left = places.left(asked)
    if not left:
        yield _no_place(rule, asked, places)
        return
    direction = asked["direction"].written if "direction" in asked else None
    needed = [
        name
        for name, one in asked.items()
        if name in FIELDS and name not in _PLACING and not one.holds(None)
    ]
    lacking = [name for name in needed if not any(name in place.fields for place in left)]
    for name in lacking:
        message = f"{subject(left, direction)} never has '{name}'"
        yield rule.key_warning(asked[name].path, NEVER, message, instead(name, left))
    if not lacking and not any(place.fields.issuperset(needed) for place in left):
        names = joined([f"'{name}'" for name in needed], "and")
        message = f"{subject(left, direction)} never has {names} together"
        yield rule.warning(path, NEVER, message, "make two triggers of it")


def _no_place(rule: WrittenRule, asked: Mapping[str, Asked], places: Places) -> Problem:
    """No event is left once its direction is asked, or none at all."""
    if "direction" not in asked:
        return rule.warning(asked["event"].path, NEVER, "no event passes this test")
    direction = asked["direction"]
    of_event = {"event": asked["event"]} if "event" in asked else {}
    left = [place for place in places.all if place.passes(of_event)]
    known = dict.fromkeys(way for place in left for way in place.direction)
    told = [way for way in known if way is not None]
    if not told:
        message = f"{subject(left)} never has 'direction'"
        return rule.key_warning(direction.path, NEVER, message, instead("direction", left))
    message = f"the 'direction' of {subject(left)} is never {direction.wanted}"
    hint = f"it is {joined(told, 'or')}" + (", or absent" if None in known else "")
    return rule.warning(direction.path, NEVER, message, hint)


def subject(places: Sequence[Place], direction: Any = None) -> str:
    """How *places* are called where *direction* is written: ``an outbound ring``."""
    events = list(dict.fromkeys(place.event for place in places))
    which = f"{direction} " if isinstance(direction, str) else ""
    told = which + (joined(events, "or") if len(events) < SOME else "event")
    return f"an {told}" if told[0] in "aeio" else f"a {told}"


def joined(words: Sequence[str], last: str) -> str:
    """``a, b and c``."""
    return f" {last} ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def instead(name: str, places: Sequence[Place]) -> str:
    """What these events have in the place of the field *name*."""
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
