"""``delay: 500ms``: nothing is done for a time."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pbxrules.language import duration_s
from pbxrules.model import Delay
from pbxrules.schema import Path
from pbxrules.steps.controls import Control

if TYPE_CHECKING:
    from pbxrules.steps.reading import Steps


def _read(step: Mapping[str, Any], _: Path, __: "Steps") -> Delay:
    return Delay(seconds=duration_s(step["delay"]))


CONTROL = Control(name="delay", read=_read)
