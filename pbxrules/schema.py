"""JSON Schemas (draft 2020-12): jsonschema-rs decides, jsonschema explains.

jsonschema-rs answers "is it valid?" 70 times faster, but its errors leave out what a
person needs; jsonschema is asked only about what was refused, and imported only then.
A test holds that both give the same verdict.  Neither may fetch: every ``$ref`` is local.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import jsonschema_rs

from pbxrules.members import Members, members
from pbxrules.mismatches import SHOWN, Mismatch, Path, explained, matches, shown

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

__all__ = ["SHOWN", "EventSchema", "Mismatch", "Path", "Schema", "event_schemas", "shown"]


class Schema:
    """One compiled JSON Schema."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        """Compile *document*.

        Raises:
            ValueError: It is no valid JSON Schema, or refers outside itself.
        """
        self.document = document
        try:
            compiled = jsonschema_rs.Draft202012Validator(
                dict(document), pattern_options=jsonschema_rs.RegexOptions(), offline=True
            )
        except jsonschema_rs.ValidationError as exc:
            raise ValueError(f"/{'/'.join(map(str, exc.instance_path))}: {exc.message}") from exc
        self.is_valid: Callable[[Any], bool] = compiled.is_valid

    def mismatches(self, value: Any, *, limit: int | None = None) -> list[Mismatch]:
        """Everything wrong with *value*, in the value's order; empty if it is valid.

        With *limit* it stops after so many errors: each takes some 30 microseconds.
        """
        if self.is_valid(value):
            return []
        found = [
            m for error in islice(_errors(self.document, value), limit) for m in explained(error)
        ]
        # What is of the wrong kind needs no second word about what it is.
        kinds = {m.path for m in found if m.code == "wrong-type"}
        found = [m for m in found if m.code == "wrong-type" or m.path not in kinds]
        return list({(m.path, m.code, m.message): m for m in found}.values()) or [
            Mismatch(path=(), code="wrong-value", message="is not what its schema asks for")
        ]


def _errors(document: Mapping[str, Any], value: Any) -> Iterator["ValidationError"]:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import ValidationError
    from jsonschema.validators import extend
    from referencing import Registry

    def linear(_: Any, pattern: str, text: Any, __: Any) -> Iterator[ValidationError]:
        # Python's re backtracks for seconds, and its $ matches before a newline.
        if isinstance(text, str) and not matches(pattern, text):
            yield ValidationError(f"{text!r} does not match {pattern!r}")

    explainer: Any = extend(Draft202012Validator, {"pattern": linear})  # type: ignore[no-untyped-call]
    yield from explainer(document, registry=Registry()).iter_errors(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSchema:
    """What one ``action`` of the PBX must look like, and which event it becomes."""

    event: str
    """Our name: the file's, ``ring`` of ``ring.schema.json``."""
    schema: Schema
    members: Members | None
    """What such a report may hold, as far as the schema lists it."""


def event_schemas(documents: Mapping[str, Mapping[str, Any]]) -> dict[str, EventSchema]:
    """The schemas of *documents* (event name to JSON Schema) by the ``action`` they are for.

    Each names its action as ``properties.action.const`` or ``.enum``.

    Raises:
        ValueError: A document is no valid schema, names no action, or one that another has.
    """
    found: dict[str, EventSchema] = {}
    for event, document in documents.items():
        names = _actions(document)
        if not names:
            raise ValueError(f"{event}: properties.action needs a const: the PBX's own word")
        try:
            entry = EventSchema(event=event, schema=Schema(document), members=members(document))
        except ValueError as exc:
            raise ValueError(f"{event}: {exc}") from exc
        for name in names:
            if name in found:
                raise ValueError(f"{event}: the action '{name}' is already {found[name].event}")
            found[name] = entry
    return found


def _actions(document: Any) -> list[str]:
    """The PBX's words that a schema is for; none where it is no schema at all."""
    try:
        action = document["properties"]["action"]
        names = action["enum"] if "enum" in action else [action["const"]]
    except (KeyError, TypeError):
        return []
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []
