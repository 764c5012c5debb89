"""What jsonschema's errors mean, in a person's words, with what to do."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pbxrules import hints
from pbxrules.errors import did_you_mean, nearest

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
    missing: str | None = None
    """The key that is missing."""
    kind: str = ""
    """What has the key, or lacks it: ``a rule``."""


def matches(pattern: str, text: str) -> bool:
    """Whether *pattern* is found in *text*, in linear time: Python's ``re`` may take seconds."""
    import re2

    return re2.search(pattern, text) is not None


def explained(error: Any) -> Iterator[Mismatch]:
    """What *error*, a ValidationError of jsonschema, says."""
    if error.context and error.validator in ("anyOf", "oneOf"):
        # The branch that comes furthest is the one that was meant.
        deepest = max(error.context, key=lambda inner: len(inner.absolute_path))
        yield from explained(deepest)
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


FEW = 8
"""Keys that are listed where no hint is to be had."""


def _unknown_keys(path: Path, error: Any) -> Iterator[Mismatch]:
    schema: Any = error.schema
    known = list(schema.get("properties", {}))
    for key in error.instance:
        if key in known:
            continue
        meant, hint = _meant(str(key), schema)
        if not meant and not hint and len(known) <= FEW:
            hint = f"there are {', '.join(known)}"
        message = f"'{key}' is no key of {_kind(error)}"
        yield Mismatch(
            path=path,
            code="unknown-key",
            message=message,
            hint=hint,
            key=str(key),
            kind=_kind(error),
        )


def _meant(key: str, schema: Mapping[str, Any]) -> tuple[str, str]:
    """The key that *key* most likely stands for, if any, and what to do."""
    other = schema.get("x-other-words", {}).get(key)
    if other is not None:
        return ("", other) if " " in other else (other, f"say '{other}'")
    known = schema.get("properties", {})
    meant = nearest(key, known)
    return meant, f"did you mean '{meant}'?" if meant else ""


def _not_together(path: Path, error: Any) -> Iterator[Mismatch]:
    keys = error.validator_value.get("required", ())
    words = " and ".join(f"'{key}'" for key in keys)
    message = f"{words} can't both stand in {_kind(error)}"
    yield Mismatch(path=path, code="two-keys", message=message, key=keys[-1] if keys else None)


def _missing_keys(path: Path, error: Any) -> Iterator[Mismatch]:
    schema: Any = error.schema
    known = schema.get("properties", {})
    # One mistake is told once: 'triger' is unknown, and 'triggers' is not missing too.
    misspelt = {_meant(str(key), schema)[0] for key in error.instance if key not in known}
    for key in error.validator_value:
        if key not in error.instance and key not in misspelt:
            message = f"'{key}' is missing from {_kind(error)}"
            hint = _slug_hint(key, known.get(key, {}), error.instance)
            hint = hint or schema.get("x-missing", {}).get(key, "")
            hint = hint or hints.such_as(known.get(key, {}), key)
            yield Mismatch(
                path=path,
                code="missing-key",
                message=message,
                hint=hint,
                missing=key,
                kind=_kind(error),
            )


def _slug_hint(key: str, schema: Mapping[str, Any], instance: Mapping[str, Any]) -> str:
    """A name made of another key's text: an ``id`` of the ``alias``."""
    text = instance.get(schema["x-slug-of"]) if "x-slug-of" in schema else None
    name = hints.slug(text, schema["x-slug"]) if isinstance(text, str) else ""
    return name and f"such as {key}: {name}"


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
    schema: Any = error.schema
    wanted = error.validator_value
    names = [wanted] if isinstance(wanted, str) else list(wanted)
    words = " or ".join(_TYPES[name] for name in names)
    hint = ""
    number = hints.kind(error.instance) == "number"
    if names == ["string"] and number and matches(schema.get("pattern", ""), str(error.instance)):
        hint = "put it in quotes"
    else:
        words = schema.get("x-wanted", words)
        hint = "" if _is_secret(error) else hints.of_wrong_type(schema, names, error.instance)
    message = f"{_quoted(error)} is not {words}"
    yield Mismatch(path=path, code="wrong-type", message=message, hint=hint)


def _not_listed(path: Path, error: Any) -> Iterator[Mismatch]:
    options = [str(option) for option in error.validator_value]
    wanted = error.schema.get("x-wanted")
    words = f"is not {wanted}" if wanted else f"is none of {', '.join(options)}"
    hint = did_you_mean(str(error.instance), options) or error.schema.get("x-hint", "")
    if str(error.instance) in options:
        hint = f"write {error.instance}, without quotes"
    message = f"{_quoted(error)} {words}"
    yield Mismatch(path=path, code="wrong-value", message=message, hint=hint)


def _not_the_one(path: Path, error: Any) -> Iterator[Mismatch]:
    message = f"{_quoted(error)} is not {shown(error.validator_value)}"
    yield Mismatch(path=path, code="wrong-value", message=message)


def _bound(words: str) -> Callable[[Path, Any], Iterator[Mismatch]]:
    def explain(path: Path, error: Any) -> Iterator[Mismatch]:
        schema: Any = error.schema
        message = f"{_quoted(error)} {words} {error.validator_value}"
        if not error.instance and not isinstance(error.instance, int | float):
            text = isinstance(error.instance, str)
            kind = "text" if text else shown(error.instance).removeprefix("a ")
            message = f"this {kind} is empty"
        hint = schema.get("x-hint", "")
        hint = hint if isinstance(hint, str) else ""
        yield Mismatch(path=path, code="wrong-value", message=message, hint=hint)

    return explain


def _pattern(path: Path, error: Any) -> Iterator[Mismatch]:
    schema: Any = error.schema
    wanted = schema.get("x-wanted") or f"of the form {error.validator_value}"
    message = f"{_quoted(error)} is not {wanted}"
    hint = "" if _is_secret(error) else hints.of_wrong_text(schema, error.instance)
    key = error.instance if "propertyNames" in error.absolute_schema_path else None
    yield Mismatch(path=path, code="wrong-value", message=message, hint=hint, key=key)


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
