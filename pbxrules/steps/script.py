"""``script: {name, with}``: a named list of steps, put in when the rules were loaded."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pbxrules.model import Choose
from pbxrules.schema import Path
from pbxrules.steps.controls import Control, spelled

if TYPE_CHECKING:
    from pbxrules.steps.reading import Steps


def _read(step: Mapping[str, Any], path: Path, steps: "Steps") -> Choose:
    # No branch, and what is done without one: a list of steps by itself.
    body = steps.read_script(step["script"], step["with"], (*path, "script"), spelled(path))
    return Choose(branches=(), default=body)


CONTROL = Control(name="script", read=_read, adds=frozenset({"with"}))
