"""``repeat: {count, while or until, do}``: a list of steps, again and again."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pbxrules.model import Condition, Repeat
from pbxrules.schema import Path
from pbxrules.steps.controls import Control, spelled

if TYPE_CHECKING:
    from pbxrules.steps.reading import Steps

ENDS = ("count", "while", "until")


def _read(step: Mapping[str, Any], path: Path, steps: "Steps") -> Repeat | None:
    repeat, at = step["repeat"], (*path, "repeat")
    if not any(key in repeat for key in ENDS):
        message = "a repeat needs an end: 'count', 'while' or 'until'"
        steps.fault(at, "missing-key", message, "such as count: 3")

    def condition(key: str) -> Condition | None:
        return steps.condition(repeat[key], (*at, key)) if key in repeat else None

    before = condition("while")
    body = steps.read(repeat["do"], (*at, "do"), spelled(path))
    count = repeat.get("count")
    return Repeat(
        body=body,
        count=None if count is None else int(count),
        before=before,
        after=condition("until"),  # which sees the results of the round
    )


CONTROL = Control(
    name="repeat",
    read=_read,
    conditions=(("repeat", "while"), ("repeat", "until")),
    lists=(("repeat", "do"),),
)
