"""How a word that steers what is done is read, and where in a step its parts stand."""

import importlib
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from sys import intern
from typing import TYPE_CHECKING, Any

from pbxrules import steps
from pbxrules.model import Deed
from pbxrules.schema import Path

if TYPE_CHECKING:
    from pbxrules.steps.reading import Steps

EACH = "*"
"""Of a list, in a ``Way``."""
Way = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """A word that steers what is done."""

    name: str
    read: Callable[[Mapping[str, Any], Path, "Steps"], Deed | None]
    """The deed of a step that stands at a path; None where something is wrong, which is told."""
    conditions: tuple[Way, ...] = ()
    """Where conditions stand, in which a number is its digits."""
    tests: tuple[Way, ...] = ()
    """Where field tests stand, of which the same is true."""
    lists: tuple[Way, ...] = ()
    """Where lists of steps stand."""
    adds: frozenset[str] = frozenset()
    """Keys that stand beside it only in what a run keeps."""


@cache
def controls() -> Mapping[str, Control]:
    """Every word that steers what is done."""
    found: dict[str, Control] = {}
    for module in pkgutil.iter_modules(steps.__path__, f"{steps.__name__}."):
        control = getattr(importlib.import_module(module.name), "CONTROL", None)
        if control is not None:
            found[control.name] = control
    return found


def places(step: Any, way: Way) -> Iterator[Path]:
    """Where in *step* there is something at *way*."""
    if not way:
        yield ()
        return
    first, *rest = way
    if first == EACH:
        keys: list[str | int] = [*range(len(step))] if isinstance(step, list) else []
    else:
        keys = [first] if isinstance(step, Mapping) and first in step else []
    for key in keys:
        for place in places(step[key], tuple(rest)):
            yield (key, *place)


def found(step: Mapping[str, Any], kind: str) -> tuple[Path, ...]:
    """Where *step* has ``conditions``, ``tests`` or ``lists``, by the controls in it."""
    known = controls()
    present = [known[key] for key in step if key in known]
    if not present:  # most steps are actions
        return ()
    return tuple(at for one in present for way in getattr(one, kind) for at in places(step, way))


def value_at(value: Any, path: Path) -> Any:
    """What stands at *path* in *value*."""
    for step in path:
        value = value[step]
    return value


def spelled(path: Path) -> str:
    """``actions/2/then/0``; one text for all programs."""
    return intern("/".join(map(str, path)))
