"""``choose: [{when, do}]``, ``default``: the first branch whose condition holds."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pbxrules.model import Choose
from pbxrules.schema import Path
from pbxrules.steps.controls import EACH, Control, spelled

if TYPE_CHECKING:
    from pbxrules.steps.reading import Steps


def _read(step: Mapping[str, Any], path: Path, steps: "Steps") -> Choose | None:
    here = spelled(path)
    branches = []
    for place, branch in enumerate(step["choose"]):
        at = (*path, "choose", place)
        condition = steps.condition(branch["when"], (*at, "when"))
        body = steps.read(branch["do"], (*at, "do"), here)
        if condition is not None:
            branches.append((condition, body))
    default = steps.read(step.get("default"), (*path, "default"), here)
    return Choose(branches=tuple(branches), default=default)


CONTROL = Control(
    name="choose",
    read=_read,
    conditions=(("choose", EACH, "when"),),
    lists=(("choose", EACH, "do"), ("default",)),
)
