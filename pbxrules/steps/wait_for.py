"""``wait_for: {tests}``: nothing is done until an event comes, or the time is over."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pbxrules.language import duration_s
from pbxrules.model import WaitFor
from pbxrules.schema import Path
from pbxrules.steps.controls import Control

if TYPE_CHECKING:
    from pbxrules.steps.reading import Steps

DEFAULT_TIMEOUT = "1h"
CALL = ("call",)


def _read(step: Mapping[str, Any], path: Path, steps: "Steps") -> WaitFor | None:
    tests = steps.reader.read_tests(step["wait_for"], (*path, "wait_for"), "wait_for")
    otherwise = step.get("else", "continue")
    if not isinstance(otherwise, str):
        message = "'else' of a wait_for is continue or stop"
        hint = "register its result, and put an 'if' behind it"
        steps.fault((*path, "else"), "wrong-value", message, hint)
    known = steps.language.controls["wait_for"].result | {*steps.language.fields}
    return WaitFor(
        tests=tests,
        timeout_s=duration_s(step.get("timeout", DEFAULT_TIMEOUT)),
        stops=otherwise == "stop",
        same=_same(step.get("same", "call"), (*path, "same"), steps),
        register=steps.register(step, path, known),
    )


def _same(written: Any, path: Path, steps: "Steps") -> tuple[str, ...]:
    if written == "none":
        return ()
    if written in ("call", ["call"]):
        return CALL
    for place, name in enumerate(written if isinstance(written, list) else ()):
        if name in ("call", "none"):
            steps.fault((*path, place), "wrong-value", f"'{name}' stands alone", f"same: {name}")
            return ()
    return steps.reader.read_fields(written, path, also=("call", "none"))


CONTROL = Control(name="wait_for", read=_read, tests=(("wait_for",),))
