"""``set: {name: value}``: values of the rule set's state."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pbxrules.conditions.state import unknown_state
from pbxrules.model import Set
from pbxrules.schema import Path
from pbxrules.steps.controls import Control
from pbxrules.template import Context, Tree, kind

if TYPE_CHECKING:
    from pbxrules.steps.reading import Steps


def _read(step: Mapping[str, Any], path: Path, steps: "Steps") -> Set | None:
    declared = steps.reader.declared.state
    values: dict[str, Tree] = {}
    for name, value in step["set"].items():
        at = (*path, "set", name)
        tree = steps.kept_tree(value, Context.VALUE, at)
        if name not in declared:
            steps.reader.faults.append(unknown_state(name, at, declared))
            continue
        steps.reader.used.state.add(name)
        first = declared[name]
        if first is not None and first.topic is not None:
            message = f"'{name}' is what MQTT tells, and read-only"
            steps.fault(at, "read-only", message, f"publish to {first.topic}", at_key=True)
        elif first is not None and tree is not None:
            _check_kind(name, first.first, value, tree, at, steps)
        if tree is not None:
            values[name] = tree
    return Set(values=values, vars=steps.variables)


def _check_kind(name: str, first: Any, value: Any, tree: Tree, path: Path, steps: "Steps") -> None:
    """Whether a value is of the type of the first one, as far as it can be told by now."""
    single = isinstance(value, str) and value.startswith("{{") and value.endswith("}}")
    if (tree.is_literal or not single) and kind(value) != kind(first):
        message = f"'{name}' is {kind(first)}, and this is {kind(value)}"
        steps.fault(path, "wrong-type", message, "it keeps the type of its first value")


CONTROL = Control(name="set", read=_read)
