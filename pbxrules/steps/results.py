"""Which results steps register, as far as that can be told without reading the steps."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pbxrules.model import NOTHING
from pbxrules.steps.controls import found, value_at

LATER = "a later action registers it"
ONLY_LAST = "only 'finally' knows it"


@dataclass(frozen=True, slots=True)
class Broken:
    """In the place of a step of which something wrong was told already."""

    step: Mapping[str, Any] = field(default_factory=lambda: NOTHING)
    """What stands there; its conditions, tests and lists of steps are looked at all the same."""
    registers: tuple[str, ...] = ()
    """The results of the script that was to stand there."""


def registered(steps: Any) -> Iterator[str]:
    """The names under which a list of steps, and those inside them, keep their results."""
    for step in steps if isinstance(steps, list) else ():
        if isinstance(step, Broken):
            yield from step.registers
            yield from registered([step.step])
        elif isinstance(step, Mapping):
            if isinstance(step.get("register"), str):
                yield step["register"]
            for at in found(step, "lists"):
                yield from registered(value_at(step, at))
            yield from registered(step.get("script"))


def elsewhere(rule: Mapping[str, Any]) -> dict[str, str]:
    """The names that only a part of what a rule does knows, and which part that is."""
    lists = (rule.get("actions"), rule.get("finally"))
    later = {name: LATER for steps in lists for name in registered(steps)}
    return {"outcome": ONLY_LAST, **later}
