"""``if: condition``, ``then``, ``else``: one way or the other."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pbxrules.model import If
from pbxrules.schema import Path
from pbxrules.steps.controls import Control, spelled

if TYPE_CHECKING:
    from pbxrules.steps.reading import Steps


def _read(step: Mapping[str, Any], path: Path, steps: "Steps") -> If | None:
    condition = steps.condition(step["if"], (*path, "if"))
    here = spelled(path)
    if "then" not in step:
        steps.fault(path, "missing-key", "'then' is missing beside 'if'", "then: […]")
    then = steps.read(step.get("then"), (*path, "then"), here)
    otherwise = step.get("else", [])
    if not isinstance(otherwise, list):
        message = "'else' of an if is a list of actions"
        steps.fault((*path, "else"), "wrong-value", message, 'such as [{stop: "why"}]')
    other = steps.read(otherwise, (*path, "else"), here)
    return If(condition=condition, then=then, otherwise=other) if condition else None


CONTROL = Control(name="if", read=_read, conditions=(("if",),), lists=(("then",), ("else",)))
