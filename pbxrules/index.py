"""Which triggers can fit an event at all, found without looking at the others.

Each trigger is filed once: under that of its field tests which the fewest events are
likely to pass, by the key that such a value has (``model.Key``).  An event then meets only
what is filed under its own values, so that its cost does not grow with the number of rules:

* equal texts stand in a dict, by text;
* beginnings, ends and parts in a dict for each length in use, where the value's own
  beginning, end or part of that length is looked up;
* patterns in sets of RE2, which match a value against all of a set in one pass;
* what has no key is looked at with every event.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from operator import itemgetter

import re2

from pbxrules.conditions.fields import value_of
from pbxrules.conditions.patterns import as_bytes, options
from pbxrules.model import Event, FieldTest, Key, Kind, Trigger

Place = tuple[int, int]
"""A rule's place among the rules, and a trigger's in the rule."""
Candidate = tuple[Place, tuple[FieldTest, ...]]
"""A trigger, and those of its tests that are still to be looked at."""
Filed = tuple[Candidate, ...]
Table = Mapping[str, tuple[Filed, ...]]
"""By text; what is filed under one key is one tuple, however many texts the key has."""
Tables = tuple[tuple[int, Table], ...]
"""A table for each length of its texts."""

GUESS = 16
"""Triggers that share a text as common as the values that a beginning, end, part or pattern
fits: nobody knows how many, so equality is taken unless its text is more common than this."""
LONG = 256
"""A longer value is not looked up part by part, for it has too many of them."""
PATTERNS = 500
"""In one set of RE2: it compiles in 5 ms, and holds the interpreter for so long."""
MEMORY = 8 << 20
"""Bytes that one such set may take, those that it learns while it matches included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """The triggers that are filed under one field."""

    field: str
    folded: bool
    """The field's texts are looked up case-folded."""
    equals: Table
    begins: Tables
    ends: Tables
    contains: Tables
    matches: tuple[tuple[re2.Set, tuple[Filed, ...]], ...]
    """Sets, and what is filed under each of their patterns."""

    def find(self, text: str, found: list[Candidate]) -> None:
        """Add to *found* the triggers that may fit an event whose field is *text*."""
        if self.folded:
            text = text.casefold()
        for filed in self.equals.get(text, ()):
            found += filed
        for length, table in self.begins:
            for filed in table.get(text[:length], ()):
                found += filed
        for length, table in self.ends:
            for filed in table.get(text[-length:], ()):
                found += filed
        if self.contains or self.matches:
            self._find_within(text, found)

    def _find_within(self, text: str, found: list[Candidate]) -> None:
        for length, table in self.contains:
            if len(text) > LONG:
                found += chain.from_iterable(chain.from_iterable(table.values()))
                continue
            for start in range(len(text) - length + 1):
                for filed in table.get(text[start : start + length], ()):
                    found += filed
        for patterns, by_number in self.matches:
            for number in patterns.Match(as_bytes(text)) or ():
                found += by_number[number]


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """Triggers by the field values that they need."""

    shelves: tuple[Shelf, ...]
    always: Filed
    """Triggers without a key, and those of patterns that no set can hold."""

    def candidates(self, event: Event) -> list[Candidate]:
        """The triggers that may fit *event*, in order; every one that fits is among them.

        It fits those whose remaining tests hold.
        """
        found = list(self.always)
        for shelf in self.shelves:
            value = value_of(event, shelf.field)
            if value is None:
                continue
            if isinstance(value, tuple):
                for text in value:
                    shelf.find(text, found)
            else:
                shelf.find(str(value), found)
        return sorted(dict(found).items()) if len(found) > 1 else found


def build(triggers: Sequence[Sequence[Trigger]], *, memory: int = MEMORY) -> Index:
    """The index of all rules' triggers, in the rules' order.

    Args:
        triggers: Those of each rule.
        memory: Bytes that one set of patterns may take; what needs more is always looked at.
    """
    loads = _loads(test for rule in triggers for trigger in rule for test in trigger.tests)
    filed: defaultdict[tuple[str, bool], defaultdict[Key, list[Candidate]]] = defaultdict(
        lambda: defaultdict(list)
    )
    always: list[Candidate] = []
    same: dict[tuple[FieldTest, ...], tuple[FieldTest, ...]] = {}
    for rule_place, rule in enumerate(triggers):
        for trigger_place, trigger in enumerate(rule):
            best = _best(trigger, loads)
            left = tuple(test for test in trigger.tests if test is not best or not _exact(test))
            candidate = ((rule_place, trigger_place), same.setdefault(left, left))
            if best is None or best.key is None:
                always.append(candidate)
            else:
                filed[best.field, best.key.folded][best.key].append(candidate)
    shelves = []
    for (field, folded), by_key in filed.items():
        shelf, too_large = _shelf(field, by_key, folded=folded, memory=memory)
        shelves.append(shelf)
        always += too_large
    return Index(shelves=tuple(shelves), always=tuple(sorted(dict(always).items())))


def _best(trigger: Trigger, loads: Mapping[tuple[str, Key], int]) -> FieldTest | None:
    """The test that the fewest events are likely to pass; None where none has a key."""
    keyed = ((loads[test.field, test.key], test) for test in trigger.tests if test.key)
    return min(keyed, key=itemgetter(0), default=(0, None))[1]


def _exact(test: FieldTest) -> bool:
    return test.key is not None and test.key.exact


def _shelf(
    field: str, by_key: Mapping[Key, Sequence[Candidate]], *, folded: bool, memory: int
) -> tuple[Shelf, list[Candidate]]:
    """What is filed under *field*, and what no set of patterns can hold."""
    sets = _Sets(memory)
    sets.add(_by_text("matches", by_key))
    shelf = Shelf(
        field=field,
        folded=folded,
        equals=_by_text("equals", by_key),
        begins=_by_length(_by_text("begins", by_key)),
        ends=_by_length(_by_text("ends", by_key)),
        contains=_by_length(_by_text("contains", by_key)),
        matches=tuple(sets.made),
    )
    return shelf, sets.too_large


def _loads(tests: Iterable[FieldTest]) -> Mapping[tuple[str, Key], int]:
    """For the key of a test: how common the values seem that have it.

    A text that many triggers ask for is taken to be common.
    """
    asked = Counter((test.field, test.key) for test in tests if test.key)
    lengths: defaultdict[tuple[str, bool, Kind], set[int]] = defaultdict(set)
    for field, key in asked:
        lengths[field, key.folded, key.kind].update(map(len, key.texts))
    shared: Counter[tuple[str, bool, Kind, str]] = Counter()
    for (field, key), times in asked.items():
        for kind, text in _seen_as(key, lengths, field):
            shared[field, key.folded, kind, text] += times
    return {
        (field, key): max(
            0 if key.kind == "equals" else GUESS,
            *(shared[field, key.folded, key.kind, text] for text in key.texts),
            0,
        )
        for field, key in asked
    }


def _seen_as(
    key: Key, lengths: Mapping[tuple[str, bool, Kind], set[int]], field: str
) -> Iterator[tuple[Kind, str]]:
    """The texts of *key*, and those of their beginnings and ends that others may ask for."""
    for text in key.texts:
        if key.kind == "equals":
            yield "equals", text
        if key.kind in ("equals", "begins"):
            for length in lengths[field, key.folded, "begins"]:
                if length <= len(text):
                    yield "begins", text[:length]
        if key.kind in ("equals", "ends"):
            for length in lengths[field, key.folded, "ends"]:
                if length <= len(text):
                    yield "ends", text[-length:]


def _by_text(kind: Kind, by_key: Mapping[Key, Sequence[Candidate]]) -> Table:
    table: defaultdict[str, list[Filed]] = defaultdict(list)
    for key, candidates in by_key.items():
        if key.kind == kind:
            shared = tuple(candidates)
            for text in key.texts:
                table[text].append(shared)
    return {text: tuple(found) for text, found in table.items()}


def _by_length(by_text: Table) -> Tables:
    tables: defaultdict[int, dict[str, tuple[Filed, ...]]] = defaultdict(dict)
    for text, found in by_text.items():
        tables[len(text)][text] = found
    return tuple(sorted(tables.items()))


class _Sets:
    """Patterns, put into as few sets of RE2 as may be."""

    def __init__(self, memory: int) -> None:
        self._options = options(max_mem=memory)
        self.made: list[tuple[re2.Set, tuple[Filed, ...]]] = []
        self.too_large: list[Candidate] = []

    def add(self, by_pattern: Table) -> None:
        """Make sets of these patterns; those that are too many or too large go apart."""
        if not by_pattern or (len(by_pattern) <= PATTERNS and self._made(by_pattern)):
            return
        patterns = list(by_pattern.items())
        if len(patterns) == 1:
            self.too_large += chain.from_iterable(patterns[0][1])
            return
        half = len(patterns) // 2
        self.add(dict(patterns[:half]))
        self.add(dict(patterns[half:]))

    def _made(self, by_pattern: Table) -> bool:
        made = re2.Set.FullMatchSet(self._options)
        try:
            for pattern in by_pattern:
                made.Add(pattern)
            made.Compile()
        except re2.error:
            return False
        self.made.append((made, tuple(tuple(chain(*found)) for found in by_pattern.values())))
        return True
