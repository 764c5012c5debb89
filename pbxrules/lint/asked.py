"""What a trigger or a condition asks of one field, and whether anything passes.

What a test holds for is asked of the test itself, for each text that it names; so nothing
here knows what an operator means.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from pbxrules.conditions.fields import field_test
from pbxrules.lint.written import WrittenRule, WrittenTrigger
from pbxrules.model import FieldTest, FieldValue
from pbxrules.schema import Path

LISTS = ("extensions", "payload")
"""Fields that may hold several values, of which each operator may mean another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """All that is asked of one field."""

    path: Path
    """Where, in the file."""
    written: Any
    tests: tuple[FieldTest, ...]
    named: Collection[str] | None
    """The only texts that may pass; None where they are not named."""
    exists: frozenset[bool]
    """What is said of the field's being there."""
    over: frozenset[Decimal]
    under: frozenset[Decimal]
    """Numbers that the field is to be above, and below."""

    @property
    def field(self) -> str:
        """Its name."""
        return self.tests[0].field

    @property
    def wanted(self) -> str:
        """All of it in words."""
        return " and ".join(test.wanted for test in self.tests)

    def holds(self, value: FieldValue | None) -> bool:
        """Whether *value* passes all of it."""
        return all(test.holds(value) for test in self.tests)

    @property
    def can_hold(self) -> bool:
        """Whether some value passes, or the field's absence."""
        if self.field.partition(".")[0] in LISTS or self.holds(None):
            return True
        if False in self.exists or (self.over and self.under and max(self.over) >= min(self.under)):
            return False
        return self.named is None or any(map(self.holds, self.named))

    def also(self, other: "Asked") -> "Asked":
        """What both ask for, where *other* stands."""
        named = self.named if other.named is None else other.named
        return replace(
            other,
            tests=(*self.tests, *other.tests),
            named=named,
            exists=self.exists | other.exists,
            over=self.over | other.over,
            under=self.under | other.under,
        )


def of_trigger(
    rule: WrittenRule, written: WrittenTrigger, *, maps_only: bool = False
) -> Iterator[Asked]:
    """What a trigger asks of each field; of texts and lists nothing if *maps_only*."""
    for test in written.trigger.tests:
        wanted = written.value[test.field]
        if not maps_only or isinstance(wanted, dict):
            yield _asked((*written.path, test.field), wanted, test, rule)


def of_conditions(rule: WrittenRule) -> Iterator[Asked]:
    """The field tests that must hold in any case."""
    yield from _of_condition(rule, (*rule.path, "conditions"), rule.value["conditions"])


def _of_condition(rule: WrittenRule, path: Path, written: Any) -> Iterator[Asked]:
    if isinstance(written, list):
        for place, one in enumerate(written):
            yield from _of_condition(rule, (*path, place), one)
    elif isinstance(written, Mapping):
        for word, wanted in written.items():
            if word == "and":
                yield from _of_condition(rule, (*path, word), wanted)
            elif rule.is_field(word):
                at = (*path, word)
                test = field_test(word, rule.as_written(at), rule.groups)
                yield _asked(at, wanted, test, rule)


def _asked(path: Path, written: Any, test: FieldTest, rule: WrittenRule) -> Asked:
    operators = rule.as_written(path) if isinstance(written, dict) else {}
    return Asked(
        path=path,
        written=written,
        tests=(test,),
        named=test.equals or None,
        exists=frozenset(_exists(operators)),
        over=frozenset(_bounds(operators, "above")),
        under=frozenset(_bounds(operators, "below")),
    )


def _exists(operators: Any, *, negated: bool = False) -> Iterator[bool]:
    if isinstance(operators, dict):
        if "exists" in operators:
            yield operators["exists"] is not negated
        yield from _exists(operators.get("not"), negated=not negated)


def _bounds(operators: Mapping[str, Any], name: str) -> Iterator[Decimal]:
    if name in operators:
        yield Decimal(operators[name])
