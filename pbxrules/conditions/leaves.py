"""Conditions that have no parts: one look at the facts, and its words."""

from collections.abc import Sequence

from pbxrules.model import Condition, Facts, Miss
from pbxrules.template import RenderError

SHOWN = 160
"""Characters of a template in a miss: it is stored with the event."""


class Leaf(Condition):
    """A condition that is true or false by itself.

    Where looking raises, it is neither, and the miss says why.
    """

    __slots__ = ()

    @property
    def parts(self) -> tuple[Condition, ...]:
        """None."""
        return ()

    def is_true(self, facts: Facts) -> bool:
        """Whether it is true.  May raise anything."""
        raise NotImplementedError

    def miss(self, facts: Facts, *, wanted: bool) -> Miss:
        """What was found instead, where it should be as *wanted* and is not."""
        raise NotImplementedError

    def misses(self, facts: Facts, *, wanted: bool) -> tuple[Miss, ...]:
        """Why it is not as *wanted*; empty if it is."""
        try:
            return () if self.is_true(facts) is wanted else (self.miss(facts, wanted=wanted),)
        except RenderError as exc:
            return (Miss(f"{self.says} fails: {exc}"),)
        except Exception as exc:  # noqa: BLE001 - a defect in one condition keeps no rule from its call
            return (Miss(f"{self.says} breaks: {exc!r}"[: 2 * SHOWN]),)


def one_of(names: Sequence[str]) -> str:
    """What is wanted where any of *names* would do."""
    return names[0] if len(names) == 1 else f"one of {', '.join(names)}"


def in_words(wanted: str, *, so: bool) -> str:
    """What is wanted, or, where it is not to be *so*, its opposite."""
    if so:
        return wanted
    simple = not wanted.startswith("not ") and " and " not in wanted
    return f"not {wanted}" if simple else f"not ({wanted})"
