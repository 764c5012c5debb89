"""Tests of one field of an event.

A scalar is exact, a list is any of, a map has operators that must all hold.  A plain
string is never a pattern, for ``*`` and ``#`` are dialled.  On a list field a test holds
if any one element passes all of it; ``not`` holds if none does.  An absent field fails
every test but ``exists: false`` and ``not``.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from pbxrules.conditions.leaves import Leaf, in_words
from pbxrules.conditions.numbers import above, below, between, length
from pbxrules.conditions.parts import (
    Beside,
    Element,
    FieldTestError,
    Part,
    Passes,
    Whole,
    listed,
    of_the_field,
)
from pbxrules.conditions.patterns import glob, regex
from pbxrules.errors import did_you_mean
from pbxrules.model import Event, Facts, FieldTest, FieldValue, Key, Kind, Miss

__all__ = [
    "IGNORE_CASE", "OPERATORS", "FieldTestError", "OfField", "field_test", "field_value",
    "value_of",
]  # fmt: skip

IGNORE_CASE = "ignore_case"
"""Stands among the operators, tests nothing, and changes what those of ``CASED`` mean."""
CASED = ("in", "not", "glob", "regex", "prefix", "suffix", "contains")


def field_test(field: str, wanted: Any, groups: Mapping[str, Sequence[str]]) -> FieldTest:
    """The test that *field* is as *wanted* says, with numbers already as their digits.

    Raises:
        FieldTestError: Something in *wanted* is unknown, such as a group, or can't be read.
    """
    if not isinstance(wanted, Mapping):
        return _exact(field, _texts(wanted))
    return _of_field(field, _all(wanted, Beside(groups=groups)))


@lru_cache(maxsize=4096)
def _exact(field: str, texts: tuple[str, ...]) -> FieldTest:
    """Shared by all rules that ask for the same: ``event: ring`` stands in every other rule."""
    if len(texts) != 1:
        return _of_field(field, _of_texts("equals", texts))
    (wanted,) = texts
    key = Key(kind="equals", texts=frozenset(texts), exact=True)

    # What most tests are, at half the cost of any other.
    def holds(value: FieldValue | None) -> bool:
        if isinstance(value, str):
            return value == wanted
        if isinstance(value, tuple):
            return wanted in value
        return value is not None and str(value) == wanted

    return FieldTest(field=field, wanted=wanted, holds=holds, key=key)


def _of_field(field: str, part: Part) -> FieldTest:
    whole = of_the_field(part)
    return FieldTest(field=field, wanted=whole.wanted, holds=whole.holds, key=whole.key)


def value_of(event: Event, field: str) -> FieldValue | None:
    """The value that a test of *field* sees; None where the event does not tell it."""
    told = event.fields.get(field)
    if told is not None or not field.startswith("payload."):
        return told
    value: Any = event.payload
    for name in field.split(".")[1:]:
        value = value.get(name) if isinstance(value, Mapping) else None
    return field_value(value)


def field_value(value: Any) -> FieldValue | None:
    """A JSON value as a test sees it; None where it is nothing that can be tested."""
    match value:
        case bool():
            return "true" if value else "false"
        case str() | int() | float():
            return value
        case list() if all(isinstance(item, str) for item in value):
            return tuple(value)
        case _:
            return None


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


# --- tests of texts ---------------------------------------------------------------------------

_PASSES: Mapping[Kind, Callable[[tuple[str, ...]], Passes]] = {
    "equals": lambda texts: frozenset(texts).__contains__,
    "begins": lambda texts: lambda text: text.startswith(texts),
    "ends": lambda texts: lambda text: text.endswith(texts),
    "contains": lambda texts: lambda text: any(part in text for part in texts),
}


@lru_cache(maxsize=4096)
def _of_texts(kind: Kind, texts: tuple[str, ...], *, ignore_case: bool = False) -> Element:
    """Shared as well, for the sake of groups, which many rules ask for."""
    sought = tuple(map(str.casefold, texts)) if ignore_case else texts
    passes = _PASSES[kind](sought)
    key = Key(
        kind=kind,
        texts=frozenset(sought),
        folded=ignore_case,
        exact=kind != "contains",  # the index does not look for parts of a long value
    )
    return Element(
        listed(texts),
        (lambda text: passes(text.casefold())) if ignore_case else passes,
        # Every text begins with an empty one, so that tells nothing.
        key if kind == "equals" or all(sought) else None,
    )


def _texts(operand: Any) -> tuple[str, ...]:
    return tuple(operand) if isinstance(operand, list) else (operand,)


def _in(operand: Any, beside: Beside) -> Element:
    if isinstance(operand, list):
        return _of_texts("equals", _texts(operand), ignore_case=beside.ignore_case)
    if operand not in beside.groups:
        hint = did_you_mean(operand, beside.groups) or "declare it under 'groups:'"
        raise FieldTestError((), "unknown-group", f"no group is called '{operand}'", hint)
    texts = tuple(beside.groups[operand])
    members = _of_texts("equals", texts, ignore_case=beside.ignore_case)
    return replace(members, wanted=f"in {operand}")


def _texts_that(kind: Kind, word: str) -> Callable[[Any, Beside], Element]:
    def made(operand: Any, beside: Beside) -> Element:
        part = _of_texts(kind, _texts(operand), ignore_case=beside.ignore_case)
        return replace(part, wanted=f"{word} {part.wanted}")

    return made


# --- operators --------------------------------------------------------------------------------


def _test(wanted: Any, beside: Beside) -> Part:
    if isinstance(wanted, Mapping):
        return _all(wanted, beside)
    return _of_texts("equals", _texts(wanted), ignore_case=beside.ignore_case)


def _all(wanted: Mapping[str, Any], beside: Beside) -> Part:
    """All operators of a map: one element has to pass all that ask something of an element."""
    names = [name for name in wanted if name != IGNORE_CASE]
    if IGNORE_CASE in wanted:
        if not any(name in CASED for name in names):
            message = f"'{IGNORE_CASE}' changes nothing here"
            hint = f"it goes with {', '.join(CASED)}"
            raise FieldTestError((IGNORE_CASE,), "lone-modifier", message, hint)
        beside = replace(beside, ignore_case=wanted[IGNORE_CASE])
    part = _joined([_operator(name, wanted[name], beside) for name in names])
    if wanted.get(IGNORE_CASE):
        return replace(part, wanted=f"{part.wanted} (ignoring case)")
    return part


def _operator(name: str, operand: Any, beside: Beside) -> Part:
    try:
        return OPERATORS[name](operand, beside)
    except FieldTestError as exc:
        raise FieldTestError((name, *exc.path), exc.code, exc.message, exc.hint) from exc


def _joined(parts: Sequence[Part]) -> Part:
    if len(parts) == 1:
        return parts[0]
    wanted = " and ".join(part.wanted for part in parts)
    passes = [part.passes for part in parts if isinstance(part, Element)]
    key = min((part.key for part in parts if part.key), key=_vagueness, default=None)
    key = key and replace(key, exact=False)
    one = Element(wanted, lambda text: all(passing(text) for passing in passes), key)
    holds = [part.holds for part in parts if isinstance(part, Whole)]
    if not holds:
        return one
    if passes:
        holds.append(of_the_field(one).holds)
    return Whole(wanted, lambda value: all(held(value) for held in holds), key)


def _vagueness(key: Key) -> tuple[int, int]:
    """Smaller for what fewer texts are likely to pass."""
    return _VAGUENESS[key.kind], -min(map(len, key.texts), default=0)


_VAGUENESS: Mapping[Kind, int] = {
    "equals": 0,
    "begins": 1,
    "ends": 1,
    "contains": 2,
    "matches": 3,
}


def _not(operand: Any, beside: Beside) -> Whole:
    part = of_the_field(_test(operand, beside))
    several = isinstance(operand, Mapping) and len(operand.keys() - {IGNORE_CASE}) > 1
    wanted = f"not ({part.wanted})" if several else f"not {part.wanted}"
    return Whole(wanted, lambda value: not part.holds(value))


def _exists(operand: bool, _: Beside) -> Whole:  # noqa: FBT001 - the YAML's own
    return Whole("there" if operand else "absent", lambda value: (value is not None) is operand)


OPERATORS: Mapping[str, Callable[[Any, Beside], Part]] = {
    "in": _in,
    "not": _not,
    "glob": glob,
    "regex": regex,
    "prefix": _texts_that("begins", "prefix"),
    "suffix": _texts_that("ends", "suffix"),
    "contains": _texts_that("contains", "contains"),
    "above": above,
    "below": below,
    "between": between,
    "length": length,
    "exists": _exists,
}
"""The operators of a field test, by the word that stands in the YAML."""
