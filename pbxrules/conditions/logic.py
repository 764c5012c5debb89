"""``and``, ``or``, ``not``: conditions made of conditions.

What can't be worked out is neither true nor false: it misses whatever is wanted.  So
``or`` may still hold by another part, and ``not`` never does.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pbxrules.model import Condition, Facts, Miss
from pbxrules.schema import Path

if TYPE_CHECKING:
    from pbxrules.conditions.reading import Kind, Reader

MOST = 5
"""Misses of alternatives that are told."""


@dataclass(frozen=True, slots=True)
class And(Condition):
    """Holds if all parts do."""

    parts: tuple[Condition, ...]

    @property
    def says(self) -> str:
        """Its word."""
        return "and"

    def misses(self, facts: Facts, *, wanted: bool) -> tuple[Miss, ...]:
        """Of being true what the first part misses; of being false what each does."""
        return _joined(self.parts, facts, wanted=wanted, each=wanted)


@dataclass(frozen=True, slots=True)
class Or(Condition):
    """Holds if one part does."""

    parts: tuple[Condition, ...]

    @property
    def says(self) -> str:
        """Its word."""
        return "or"

    def misses(self, facts: Facts, *, wanted: bool) -> tuple[Miss, ...]:
        """Of being true what each part misses; of being false what the first does."""
        return _joined(self.parts, facts, wanted=wanted, each=not wanted)


@dataclass(frozen=True, slots=True)
class Not(Condition):
    """Holds if each part does not."""

    parts: tuple[Condition, ...]

    @property
    def says(self) -> str:
        """Its word."""
        return "not"

    def misses(self, facts: Facts, *, wanted: bool) -> tuple[Miss, ...]:
        """What the parts miss of being the opposite."""
        return _joined(self.parts, facts, wanted=not wanted, each=wanted)


def all_of(parts: Sequence[Condition]) -> Condition:
    """Holds if all *parts* do."""
    return parts[0] if len(parts) == 1 else And(tuple(parts))


def _joined(
    parts: Sequence[Condition], facts: Facts, *, wanted: bool, each: bool
) -> tuple[Miss, ...]:
    """What is missed of *parts* being as *wanted*: *each* of them, else any one."""
    found: list[Miss] = []
    for part in parts:
        missed = part.misses(facts, wanted=wanted)
        if bool(missed) is each:
            return missed
        found += missed
    return _bounded(found)


def _bounded(misses: list[Miss]) -> tuple[Miss, ...]:
    if len(misses) <= MOST:
        return tuple(misses)
    return (*misses[: MOST - 1], Miss(f"{len(misses) - MOST + 1} more"))


# --- what stands in the YAML -----------------------------------------------------------------


def _kind(made: type[And | Or | Not], *, one_will_do: bool) -> "Kind":
    def read(wanted: Any, path: Path, reader: "Reader") -> Iterator[Condition]:
        if isinstance(wanted, list) or one_will_do:
            parts = tuple(reader.conditions(wanted, path))
            if parts:
                yield made(parts)

    return read


KEYS: Mapping[str, "Kind"] = {
    "and": _kind(And, one_will_do=False),
    "or": _kind(Or, one_will_do=False),
    "not": _kind(Not, one_will_do=True),
}
