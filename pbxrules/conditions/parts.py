"""What a field test is made of: parts that ask something of one text, or of the field."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pbxrules.model import FieldValue, Key

SHOWN = 5
"""Texts of a list that are named in words."""
Passes = Callable[[str], bool]
Holds = Callable[[FieldValue | None], bool]


@dataclass(frozen=True, slots=True)
class FieldTestError(Exception):
    """A test that can't be; *path* leads to the wrong part of it."""

    path: tuple[str | int, ...]
    code: str
    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """What stands beside an operator and has a say in what it means."""

    groups: Mapping[str, Sequence[str]]
    ignore_case: bool = False


@dataclass(frozen=True, slots=True)
class Element:
    """Asks something of one text; a list field passes if one of its elements does."""

    wanted: str
    passes: Passes
    key: Key | None = None


@dataclass(frozen=True, slots=True)
class Whole:
    """Asks something of the field as a whole, which may be absent or a list."""

    wanted: str
    holds: Holds
    key: Key | None = None


Part = Element | Whole


def of_the_field(part: Part) -> Whole:
    """*part*, asked of a field: any element is enough, and an absent field fails."""
    if isinstance(part, Whole):
        return part
    passes = part.passes

    def holds(value: FieldValue | None) -> bool:
        if isinstance(value, str):
            return passes(value)
        if isinstance(value, tuple):
            return any(map(passes, value))
        return value is not None and passes(str(value))

    return Whole(part.wanted, holds, part.key)


def listed(texts: Sequence[str]) -> str:
    """*texts* in words, any of which will do."""
    if len(texts) == 1:
        return texts[0]
    return f"one of {', '.join(texts[:SHOWN])}{', …' if len(texts) > SHOWN else ''}"
