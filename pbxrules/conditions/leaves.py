"""Conditions that have no parts: one look at the facts, and its words."""

from collections.abc import Callable
from typing import Protocol

from pbxrules.model import Condition, Facts, Miss
from pbxrules.template import RenderError

SHOWN = 160
"""Characters of a miss in words: it is stored with the event."""


class ToldMiss(Protocol):
    """Puts a miss into words."""

    def __call__(self, facts: Facts, /, *, wanted: bool) -> Miss:
        """What was found where the condition should be as *wanted*, and is not."""


def leaf(says: str, holds: Callable[[Facts], bool], miss: ToldMiss) -> Condition:
    """The condition that *holds* decides and *miss* puts into words.

    Where *holds* raises it is neither true nor false, and the miss says why.
    """

    def misses(facts: Facts, *, wanted: bool) -> tuple[Miss, ...]:
        try:
            return () if holds(facts) is wanted else (miss(facts, wanted=wanted),)
        except RenderError as exc:
            return (Miss(f"{says} fails: {exc}"),)
        except Exception as exc:  # noqa: BLE001 - a defect in one condition keeps no rule from its call
            return (Miss(f"{says} breaks: {exc!r}"[: 2 * SHOWN]),)

    return Condition(says=says, misses=misses)


def one_of(names: list[str]) -> str:
    """What is wanted where any of *names* would do."""
    return names[0] if len(names) == 1 else f"one of {', '.join(names)}"


def in_words(wanted: str, *, so: bool) -> str:
    """What is wanted, or, where it is not to be *so*, its opposite."""
    if so:
        return wanted
    simple = not wanted.startswith("not ") and " and " not in wanted
    return f"not {wanted}" if simple else f"not ({wanted})"
