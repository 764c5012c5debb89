"""``parallel: [actions]``: actions side by side, joined when all have settled."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pbxrules.model import Parallel
from pbxrules.schema import Path
from pbxrules.steps.controls import Control, spelled

if TYPE_CHECKING:
    from pbxrules.steps.reading import Steps


def _read(step: Mapping[str, Any], path: Path, steps: "Steps") -> Parallel:
    return Parallel(
        branches=steps.read_aside(step["parallel"], (*path, "parallel"), spelled(path)),
        continue_on_error=step.get("continue_on_error", False),
    )


CONTROL = Control(name="parallel", read=_read, lists=(("parallel",),))
