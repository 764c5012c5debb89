"""``and``, ``or``, ``not``: conditions made of conditions.

What can't be worked out is neither true nor false: it misses whatever is wanted.  So
``or`` may still hold by another part, and ``not`` never does.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pbxrules.model import Condition, Facts, Miss
from pbxrules.schema import Path

if TYPE_CHECKING:
    from pbxrules.conditions.reading import Kind, Reader

MOST = 5
"""Misses of alternatives that are told."""


def all_of(parts: Sequence[Condition]) -> Condition:
    """Holds if all *parts* do."""
    return parts[0] if len(parts) == 1 else _joined("and", parts, strict_when=True)


def any_of(parts: Sequence[Condition]) -> Condition:
    """Holds if one of *parts* does."""
    return parts[0] if len(parts) == 1 else _joined("or", parts, strict_when=False)


def none_of(parts: Sequence[Condition]) -> Condition:
    """Holds if each of *parts* does not."""
    either = any_of(parts)

    def misses(facts: Facts, *, wanted: bool) -> tuple[Miss, ...]:
        return either.misses(facts, wanted=not wanted)

    return Condition(says="not", misses=misses, parts=tuple(parts))


def _joined(says: str, parts: Sequence[Condition], *, strict_when: bool) -> Condition:
    """Parts of which each must be as wanted if that is *strict_when*, else one of them.

    All of ``and`` must be true for it to be true, and one must be false for it to be false;
    with ``or`` it is the other way round.
    """

    def misses(facts: Facts, *, wanted: bool) -> tuple[Miss, ...]:
        found: list[Miss] = []
        for part in parts:
            missed = part.misses(facts, wanted=wanted)
            if bool(missed) is (wanted is strict_when):
                return missed
            found += missed
        return _bounded(found)

    return Condition(says=says, misses=misses, parts=tuple(parts))


def _bounded(misses: list[Miss]) -> tuple[Miss, ...]:
    if len(misses) <= MOST:
        return tuple(misses)
    return (*misses[: MOST - 1], Miss(f"{len(misses) - MOST + 1} more"))


# --- what stands in the YAML -----------------------------------------------------------------


def _kind(combined: Callable[[Sequence[Condition]], Condition], *, one_will_do: bool) -> "Kind":
    def read(wanted: Any, path: Path, reader: "Reader") -> Iterator[Condition]:
        if isinstance(wanted, list) or one_will_do:
            parts = tuple(reader.conditions(wanted, path))
            if parts:
                yield combined(parts)

    return read


KEYS: Mapping[str, "Kind"] = {
    "and": _kind(all_of, one_will_do=False),
    "or": _kind(any_of, one_will_do=False),
    "not": _kind(none_of, one_will_do=True),
}
