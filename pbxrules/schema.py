"""JSON Schemas (draft 2020-12): jsonschema-rs decides, jsonschema explains.

jsonschema-rs answers "is it valid?" 70 times faster, but its errors leave out what a
person needs; jsonschema is asked only about what was refused, and imported only then.
A test holds that both give the same verdict.  Neither may fetch: every ``$ref`` is local.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import jsonschema_rs

from pbxrules.errors import did_you_mean
from pbxrules.members import Members, members

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

Path = tuple[str | int, ...]
SHOWN = 60
"""Characters of a value that a message quotes."""
MAX_MESSAGE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Mismatch:
    """One way in which a value is not what its schema asks for."""

    path: Path
    """Where in the value; for an unknown or missing key, of the mapping around it."""
    code: str
    message: str
    hint: str = ""
    key: str | None = None
    """The key, where that is what is wrong, and not its value."""


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
            m for error in islice(_errors(self.document, value), limit) for m in _explain(error)
        ]
        # What is of the wrong kind needs no second word about what it is.
        kinds = {m.path for m in found if m.code == "wrong-type"}
        found = [m for m in found if m.code == "wrong-type" or m.path not in kinds]
        return list({(m.path, m.code, m.message): m for m in found}.values()) or [
            Mismatch(path=(), code="wrong-value", message="is not what its schema asks for")
        ]


def _matches(pattern: str, text: str) -> bool:
    import re2

    return re2.search(pattern, text) is not None


def _errors(document: Mapping[str, Any], value: Any) -> Iterator["ValidationError"]:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import ValidationError
    from jsonschema.validators import extend
    from referencing import Registry

    def linear(_: Any, pattern: str, text: Any, __: Any) -> Iterator[ValidationError]:
        # Python's re backtracks for seconds, and its $ matches before a newline.
        if isinstance(text, str) and not _matches(pattern, text):
            yield ValidationError(f"{text!r} does not match {pattern!r}")

    explainer: Any = extend(Draft202012Validator, {"pattern": linear})  # type: ignore[no-untyped-call]
    yield from explainer(document, registry=Registry()).iter_errors(value)


def _explain(error: Any) -> Iterator[Mismatch]:
    if error.context and error.validator in ("anyOf", "oneOf"):
        # The branch that comes furthest is the one that was meant.
        deepest = max(error.context, key=lambda inner: len(inner.absolute_path))
        yield from _explain(deepest)
        return
    path = tuple(error.absolute_path)
    explain = _WORDS.get(str(error.validator))
    if explain is None:
        # jsonschema's own words quote the value, however long it is.
        message = error.message[:MAX_MESSAGE]
        if _is_secret(error):
            message = "this value is not what its schema asks for"
        yield Mismatch(path=path, code="wrong-value", message=message)
        return
    yield from explain(path, error)


def _kind(error: Any) -> str:
    schema: Any = error.schema
    title = schema.get("title") if isinstance(schema, Mapping) else None
    return str(title or "this mapping")


def _unknown_keys(path: Path, error: Any) -> Iterator[Mismatch]:
    schema: Any = error.schema
    known = list(schema.get("properties", {}))
    other: Mapping[str, str] = schema.get("x-other-words", {})
    for key in error.instance:
        if key in known:
            continue
        hint = _said(other[key]) if key in other else did_you_mean(str(key), known)
        message = f"'{key}' is no key of {_kind(error)}"
        yield Mismatch(path=path, code="unknown-key", message=message, hint=hint, key=str(key))


def _said(word: str) -> str:
    """What to do: say our *word*, unless that is a sentence by itself."""
    return word if " " in word else f"say '{word}'"


def _not_together(path: Path, error: Any) -> Iterator[Mismatch]:
    keys = error.validator_value.get("required", ())
    words = " and ".join(f"'{key}'" for key in keys)
    message = f"{words} can't both stand in {_kind(error)}"
    yield Mismatch(path=path, code="two-keys", message=message, key=keys[-1] if keys else None)


def _missing_keys(path: Path, error: Any) -> Iterator[Mismatch]:
    for key in error.validator_value:
        if key not in error.instance:
            message = f"'{key}' is missing from {_kind(error)}"
            yield Mismatch(path=path, code="missing-key", message=message)


_TYPES = {
    "string": "text", "integer": "a whole number", "number": "a number", "boolean": "true or false",
    "array": "a list", "object": "a mapping", "null": "null",
}  # fmt: skip


def shown(value: Any) -> str:
    """*value* as a message quotes it: short, on one line, without control characters."""
    match value:
        case bool():
            return "true" if value else "false"
        case None:
            return "null"
        case str():
            text = ascii(value) if not value.isprintable() else f"'{value}'"
            return text if len(text) <= SHOWN else text[: SHOWN - 3] + "…'"
        case Mapping():
            return "a mapping"
        case Sequence():
            return "a list"
        case _:
            return str(value)[:SHOWN]


def _quoted(error: Any) -> str:
    """The value that is wrong; not where it may be a secret, in the right place or not."""
    return "this value" if _is_secret(error) else shown(error.instance)


def _is_secret(error: Any) -> bool:
    schema: Any = error.schema
    return isinstance(schema, Mapping) and "x-secret" in schema


def _wrong_type(path: Path, error: Any) -> Iterator[Mismatch]:
    wanted = error.validator_value
    names = [wanted] if isinstance(wanted, str) else list(wanted)
    words = " or ".join(_TYPES[name] for name in names)
    schema: Any = error.schema
    hint = schema.get("x-hint", "")
    if names == ["string"]:
        number = isinstance(error.instance, int | float) and not isinstance(error.instance, bool)
        if number and _matches(schema.get("pattern", ""), str(error.instance)):
            hint = "put it in quotes"
        else:
            words = schema.get("x-wanted", words)
    message = f"{_quoted(error)} is not {words}"
    yield Mismatch(path=path, code="wrong-type", message=message, hint=hint)


def _not_listed(path: Path, error: Any) -> Iterator[Mismatch]:
    options = [str(option) for option in error.validator_value]
    wanted = error.schema.get("x-wanted")
    words = f"is not {wanted}" if wanted else f"is none of {', '.join(options)}"
    yield Mismatch(
        path=path,
        code="wrong-value",
        message=f"{_quoted(error)} {words}",
        hint=did_you_mean(str(error.instance), options),
    )


def _not_the_one(path: Path, error: Any) -> Iterator[Mismatch]:
    message = f"{_quoted(error)} is not {shown(error.validator_value)}"
    yield Mismatch(path=path, code="wrong-value", message=message)


def _bound(words: str) -> Callable[[Path, Any], Iterator[Mismatch]]:
    def explain(path: Path, error: Any) -> Iterator[Mismatch]:
        message = f"{_quoted(error)} {words} {error.validator_value}"
        if not error.instance and not isinstance(error.instance, int | float):
            text = isinstance(error.instance, str)
            kind = "text" if text else shown(error.instance).removeprefix("a ")
            message = f"this {kind} is empty"
        yield Mismatch(path=path, code="wrong-value", message=message)

    return explain


def _pattern(path: Path, error: Any) -> Iterator[Mismatch]:
    schema: Any = error.schema
    wanted = schema.get("x-wanted") or f"of the form {error.validator_value}"
    message = f"{_quoted(error)} is not {wanted}"
    key = error.instance if "propertyNames" in error.absolute_schema_path else None
    yield Mismatch(path=path, code="wrong-value", message=message, key=key)


_WORDS: Mapping[str, Callable[[Path, Any], Iterator[Mismatch]]] = {
    "additionalProperties": _unknown_keys,
    "unevaluatedProperties": _unknown_keys,
    "required": _missing_keys,
    "not": _not_together,
    "type": _wrong_type,
    "enum": _not_listed,
    "const": _not_the_one,
    "pattern": _pattern,
    "minimum": _bound("is less than"),
    "maximum": _bound("is more than"),
    "minItems": _bound("has fewer entries than"),
    "maxItems": _bound("has more entries than"),
    "minLength": _bound("is shorter than"),
    "maxLength": _bound("is longer than"),
    "minProperties": _bound("has fewer keys than"),
    "maxProperties": _bound("has more keys than"),
}


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
