"""Tests of one field of an event.

A scalar is exact, a list is any of, a map has operators that must all hold.  A plain
string is never a pattern, for ``*`` and ``#`` are dialled.  On a list field a test holds
if any element passes it; ``not`` holds if none does.  An absent field fails every test
but ``exists: false`` and ``not``.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pbxrules.errors import did_you_mean
from pbxrules.model import Event, FieldTest, FieldValue

SHOWN = 5
"""Texts of a list that are named in words."""
Holds = Callable[[FieldValue | None], bool]


@dataclass(frozen=True, slots=True)
class FieldTestError(Exception):
    """A test that can't be; *path* leads to the wrong part of it."""

    path: tuple[str | int, ...]
    code: str
    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of a test: what it asks, in words, and the texts where it asks for equality."""

    holds: Holds
    wanted: str
    equals: frozenset[str] = frozenset()


def field_test(field: str, wanted: Any, groups: Mapping[str, Sequence[str]]) -> FieldTest:
    """The test that *field* is as *wanted* says, with numbers already as their digits.

    Raises:
        FieldTestError: Something in *wanted* is unknown, such as a group.
    """
    part = _test(wanted, groups)
    return FieldTest(field=field, wanted=part.wanted, holds=part.holds, equals=part.equals)


def value_of(event: Event, field: str) -> FieldValue | None:
    """The value that a test of *field* sees; None where the event does not tell it."""
    if not field.startswith("payload."):
        return event.fields.get(field)
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


def _test(wanted: Any, groups: Mapping[str, Sequence[str]]) -> _Part:
    match wanted:
        case Mapping():
            return _all([_operator(name, wanted[name], groups) for name in wanted])
        case list():
            return _any_of(wanted)
        case _:
            return _any_of([wanted])


def _any_of(texts: Sequence[str]) -> _Part:
    return _one_of(tuple(texts))


@lru_cache(maxsize=4096)
def _one_of(texts: tuple[str, ...]) -> _Part:
    """Shared by all tests that ask for the same: ``event: ring`` stands in every other rule."""
    options = frozenset(texts)

    def holds(value: FieldValue | None) -> bool:
        if isinstance(value, tuple):
            return not options.isdisjoint(value)
        return value is not None and str(value) in options

    one = len(options) == 1
    words = ", ".join(texts[:SHOWN]) + (", …" if len(texts) > SHOWN else "")
    return _Part(holds, words if one else f"one of {words}", options)


def _all(parts: Sequence[_Part]) -> _Part:
    if len(parts) == 1:
        return parts[0]

    def holds(value: FieldValue | None) -> bool:
        return all(part.holds(value) for part in parts)

    return _Part(holds, " and ".join(part.wanted for part in parts))


def _operator(name: str, operand: Any, groups: Mapping[str, Sequence[str]]) -> _Part:
    try:
        return OPERATORS[name](operand, groups)
    except FieldTestError as exc:
        raise FieldTestError((name, *exc.path), exc.code, exc.message, exc.hint) from exc


def _in(operand: Any, groups: Mapping[str, Sequence[str]]) -> _Part:
    if isinstance(operand, list):
        return _any_of(operand)
    if operand not in groups:
        raise FieldTestError(
            (), "unknown-group", f"no group is called '{operand}'", did_you_mean(operand, groups)
        )
    part = _any_of(groups[operand])
    return _Part(part.holds, f"in {operand}", part.equals)


def _not(operand: Any, groups: Mapping[str, Sequence[str]]) -> _Part:
    part = _test(operand, groups)
    return _Part(lambda value: not part.holds(value), f"not {part.wanted}")


def _exists(operand: bool, _: Mapping[str, Sequence[str]]) -> _Part:  # noqa: FBT001 - the YAML's own
    return _Part(lambda value: (value is not None) is operand, "there" if operand else "absent")


OPERATORS: Mapping[str, Callable[[Any, Mapping[str, Sequence[str]]], _Part]] = {
    "in": _in,
    "not": _not,
    "exists": _exists,
}
"""The operators of a field test, by the word that stands in the YAML."""
