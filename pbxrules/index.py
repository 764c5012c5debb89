"""Which triggers can fit an event at all, found without looking at the others.

Each trigger that asks for equality somewhere is filed under one field and the texts it
may have: the field whose texts the fewest triggers share.  An event then meets only what
is filed under its own values, so that its cost does not grow with the number of rules.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pbxrules.conditions.fields import value_of
from pbxrules.model import Event, FieldTest, Trigger

Place = tuple[int, int]
"""A rule's place among the rules, and a trigger's in the rule."""


@dataclass(frozen=True, slots=True)
class Index:
    """Triggers by the field values that they need."""

    by_field: Mapping[str, Mapping[str, tuple[Place, ...]]]
    always: tuple[Place, ...]
    """Triggers without a test of equality."""

    def candidates(self, event: Event) -> list[Place]:
        """The triggers that may fit *event*, in order; every one that fits is among them."""
        found = list(self.always)
        for field, by_text in self.by_field.items():
            value = value_of(event, field)
            if value is None:
                continue
            if isinstance(value, tuple):
                for text in dict.fromkeys(value):
                    found.extend(by_text.get(text, ()))
            else:
                found.extend(by_text.get(str(value), ()))
        if len(found) > 1:
            return sorted(set(found))
        return found


def build(triggers: Sequence[Sequence[Trigger]]) -> Index:
    """The index of all rules' triggers, in the rules' order."""
    shared = Counter(
        (test.field, text)
        for rule in triggers
        for trigger in rule
        for test in _equalities(trigger)
        for text in test.equals
    )
    by_field: defaultdict[str, defaultdict[str, list[Place]]] = defaultdict(
        lambda: defaultdict(list)
    )
    always: list[Place] = []
    for rule_place, rule in enumerate(triggers):
        for trigger_place, trigger in enumerate(rule):
            place = (rule_place, trigger_place)
            test = min(_equalities(trigger), key=lambda t: _load(t, shared), default=None)
            if test is None:
                always.append(place)
                continue
            for text in test.equals:
                by_field[test.field][text].append(place)
    return Index(
        {f: {text: tuple(p) for text, p in texts.items()} for f, texts in by_field.items()},
        tuple(always),
    )


def _equalities(trigger: Trigger) -> Iterable[FieldTest]:
    return [test for test in trigger.tests if test.equals]


def _load(test: FieldTest, shared: Mapping[tuple[str, str], int]) -> int:
    """How many other triggers an event would meet where this test's field fits."""
    return max(shared[test.field, text] for text in test.equals)
