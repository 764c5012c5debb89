"""What was sent beside what was wanted: how they differ, in words."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pbxrules.hints import example

SHOWN = 120
"""Characters of a value that a difference shows."""
PAYLOAD = "payload"
"""What goes out as bytes, whose kind nobody sees: ``1`` and ``"1"`` are the same on the wire."""


def differences(found: Any, wanted: Any, path: str = "") -> Iterator[str]:
    """How *found* is not what is *wanted*; nothing where it is.

    Of a map the members that are wanted, and no others; a list is wanted as a whole.
    """
    if isinstance(wanted, Mapping):
        yield from _of_maps(found, wanted, path)
    elif isinstance(wanted, list | tuple):
        yield from _of_lists(found, wanted, path)
    elif not _same(found, wanted):
        yield _differs(found, wanted, path)


USUAL: Mapping[str, Mapping[str, Any]] = {
    "http": {"method": "POST"},
    "log": {"level": "info"},
    "mqtt": {"qos": 1, "retain": False},
}
"""What an action does where its rule does not say, by its verb."""


def of_arguments(verb: str, given: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """How the arguments of an action are not what is *wanted*."""
    found = {**USUAL.get(verb, {}), **given}
    told: list[str] = []
    for name, value in wanted.items():
        if name not in found:
            told.append(f"it has no {name}, wanted {_short(value)}")
        elif name == PAYLOAD:
            told += differences(*_on_the_wire(found[name], value), name)
        else:
            told += differences(found[name], value, name)
    return told


def _on_the_wire(found: Any, wanted: Any) -> tuple[Any, Any]:
    """Both as they are sent: a map as JSON, whatever kind of value it was made of."""
    if isinstance(wanted, Mapping | list):
        return _read(found), wanted
    return _sent(found), _sent(wanted)


def _read(value: Any) -> Any:
    """A text that is JSON as that."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _sent(value: Any) -> Any:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _of_maps(found: Any, wanted: Mapping[str, Any], path: str) -> Iterator[str]:
    if not isinstance(found, Mapping):
        yield _differs(found, wanted, path)
        return
    for name, value in wanted.items():
        inner = f"{path}.{name}" if path else name
        if name in found:
            yield from differences(found[name], value, inner)
        else:
            yield f"{inner} is absent, wanted {_short(value)}"


def _of_lists(found: Any, wanted: Sequence[Any], path: str) -> Iterator[str]:
    if not isinstance(found, list | tuple) or len(found) != len(wanted):
        yield _differs(found, wanted, path)
        return
    for place, (one, other) in enumerate(zip(found, wanted, strict=True)):
        yield from differences(one, other, f"{path}[{place}]")


def _same(found: Any, wanted: Any) -> bool:
    """Whether two scalars are the same in JSON; ``1`` is ``1.0`` there, but no ``true``."""
    if isinstance(found, bool) or isinstance(wanted, bool):
        return found is wanted
    return bool(found == wanted)


def _differs(found: Any, wanted: Any, path: str) -> str:
    hint = ""
    if isinstance(found, str) and not isinstance(wanted, str | Mapping | list | tuple):
        hint = " (sent is a text: put it in quotes)" if found == _sent(wanted) else ""
    elif isinstance(wanted, str) and not isinstance(found, str | Mapping | list | tuple):
        hint = " (sent is no text: leave the quotes out)" if wanted == _sent(found) else ""
    return f"{path or 'it'} is {_short(found)}, wanted {_short(wanted)}{hint}"


def _short(value: Any) -> str:
    text = "nothing" if value is None else example(value)
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
