"""What was asked of an event and of the moment, and what came of it: a tree for each rule."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pbxrules.conditions.fields import value_of
from pbxrules.conditions.leaves import Leaf
from pbxrules.conditions.template import ByTemplate
from pbxrules.misses import found_in
from pbxrules.model import NOTHING, Condition, Event, Facts, FieldTest, Trigger

SHOWN = 200
"""Characters of an exception that are told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One thing that was asked, and whether it is so."""

    kind: str
    """``trigger``, ``test``, ``condition`` or ``memory``."""
    says: str
    """What was asked: ``extension 101``, ``or``, ``cooldown 5m``."""
    holds: bool | None
    """None: it can't be worked out, which is neither."""
    found: str = ""
    """What was found; ``""`` where the parts tell."""
    subject: str = ""
    """Of a test: its field."""
    values: Mapping[str, Any] = field(default_factory=lambda: NOTHING)
    """What the names of a template stand for."""
    parts: tuple["Node", ...] = ()


def of_trigger(trigger: Trigger, event: Event) -> Node:
    """All tests of a trigger."""
    parts = tuple(_of_test(test, event) for test in trigger.tests)
    holds = all(part.holds is True for part in parts)
    return Node(kind="trigger", says=trigger.id, holds=holds, parts=parts)


def _of_test(test: FieldTest, event: Event) -> Node:
    says, found = f"{test.field} {test.wanted}", found_in(test.field, event)
    holds: bool | None
    try:
        holds = bool(test.holds(value_of(event, test.field)))
    except Exception as exc:  # noqa: BLE001 - as where it is decided: one defect spoils no other test
        holds, found = None, f"breaks: {exc!r}"[:SHOWN]
    return Node(kind="test", says=says, holds=holds, found=found, subject=test.field)


def of_condition(condition: Condition, facts: Facts) -> Node:
    """A condition with all that it is made of."""
    try:
        missed = condition.misses(facts, wanted=True)
        holds = _holds(condition, facts)
        found = missed[0].subject if holds is None else _found(condition, facts, so=holds)
    except Exception as exc:  # noqa: BLE001 - as in a test
        holds, found = None, f"breaks: {exc!r}"[:SHOWN]
    return Node(
        kind="condition",
        says=condition.says,
        holds=holds,
        found=found,
        values=condition.values(facts) if isinstance(condition, ByTemplate) else NOTHING,
        parts=tuple(of_condition(part, facts) for part in condition.parts),
    )


def _holds(condition: Condition, facts: Facts) -> bool | None:
    """Whether it is true; None where it is neither true nor false."""
    if not condition.misses(facts, wanted=True):
        return True
    return None if condition.misses(facts, wanted=False) else False


def _found(condition: Condition, facts: Facts, *, so: bool) -> str:
    """What a condition without parts looked at: a miss tells it, of either way."""
    if not isinstance(condition, Leaf) or isinstance(condition, ByTemplate):
        return ""
    miss = condition.miss(facts, wanted=not so)
    return found_in(miss.subject, facts.event) if miss.found is None else miss.found
