"""``stop: "why"``: the run ends here."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pbxrules.model import Stop
from pbxrules.schema import Path
from pbxrules.steps.controls import Control
from pbxrules.template import Context

if TYPE_CHECKING:
    from pbxrules.steps.reading import Steps


def _read(step: Mapping[str, Any], path: Path, steps: "Steps") -> Stop | None:
    why = steps.kept_tree(step["stop"], Context.TEXT, (*path, "stop"))
    return None if why is None else Stop(why=why, vars=steps.variables)


CONTROL = Control(name="stop", read=_read)
