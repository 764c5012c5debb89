"""What to write in the place of a value that a schema refuses.

A schema says more of itself by keywords of ours: ``x-hint`` (what to do, or a map that says it
by the kind of value that stands there, such as ``null``), ``x-duration`` and ``x-slug`` (what
its pattern is about), ``x-example`` (which ``make schemas`` leaves where it makes snippets of
examples).
"""

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

ONE_LINE = 80
"""Characters of an example that a hint shows."""

_WORDS = {
    "true": "true", "yes": "true", "on": "true", "y": "true", "1": "true",
    "false": "false", "no": "false", "off": "false", "n": "false", "0": "false",
}  # fmt: skip
_NUMBER = re.compile(r"[+]?(-?)0*([0-9]+(?:\.[0-9]+)?)")
_PLAIN = re.compile(r"(?:--?(?=\w))?[A-Za-z_/][\w/.-]*(?:[:][\w/.-]+)*")


def example(value: Any) -> str:
    """*value* as YAML in one line."""
    match value:
        case Mapping():
            members = (f"{_scalar(key)}: {example(value[key])}" for key in value)
            return "{" + ", ".join(members) + "}"
        case str():
            return _scalar(value)
        case list():
            return "[" + ", ".join(map(example, value)) + "]"
        case _:
            return json.dumps(value)


def _scalar(text: str) -> str:
    if _PLAIN.fullmatch(text) and text.lower() not in (*_WORDS, "null"):
        return text
    if ('"' in text or "\\" in text) and text.isprintable():
        return "'" + text.replace("'", "''") + "'"
    return json.dumps(text, ensure_ascii=not text.isprintable())


def such_as(schema: Mapping[str, Any], key: str = "") -> str:
    """An example of what *schema* describes, if it has a short one."""
    examples = [schema["x-example"]] if "x-example" in schema else schema.get("examples", [])
    if not examples:
        return ""
    text = example(examples[0])
    text = f"{key}: {text}" if key else text
    return f"such as {text}" if len(text) <= ONE_LINE else ""


def kind(value: Any) -> str:
    """JSON Schema's word for what *value* is, but ``number`` for whole ones too."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "string"
        case Mapping():
            return "object"
        case _:
            return "array"


def of_wrong_type(schema: Mapping[str, Any], names: Sequence[str], value: Any) -> str:
    """What to do about *value*, which is of none of the types *names*; ``""`` if unknown."""
    told = schema.get("x-hint", "")
    hint = told.get(kind(value), "") if isinstance(told, Mapping) else told
    if not hint and "x-duration" in schema:
        hint = near_duration(value) or UNITS
    elif not hint and "boolean" in names and isinstance(value, str):
        hint = _said(_WORDS.get(value.lower(), ""), value)
    elif not hint and {"integer", "number"} & {*names} and isinstance(value, str):
        number = _NUMBER.fullmatch(value.strip())
        hint = _said(f"{number[1]}{number[2]}" if number else "", value)
    elif not hint and names == ["array"]:
        hint = _as_list(value)
    elif not hint and names == ["object"]:
        hint = _as_map(schema, value)
    return hint or such_as(schema)


def _said(meant: str, written: str) -> str:
    without = ", without quotes" if meant == written else ""
    return meant and f"write {meant}{without}"


def _as_list(value: Any) -> str:
    if isinstance(value, Mapping):
        dashed = next((key for key in value if re.match(r"-\w", key)), None)
        if dashed is not None:
            return f"write '- {dashed[1:]}', with a space after the dash"
        return "put '- ' before it, or brackets around it"
    if isinstance(value, str):
        parts = value.split(", ")
        return f"write {example(parts)}" if all(parts) else ""
    return f"write {example([value])}" if kind(value) == "number" else ""


def _as_map(schema: Mapping[str, Any], value: Any) -> str:
    if isinstance(value, list) and value and all(isinstance(item, Mapping) for item in value):
        return "leave out the '- ' before its keys"
    required = schema.get("required", ())
    if isinstance(value, str) and len(required) == 1 and len(value) <= ONE_LINE:
        return f"write {example({required[0]: value})}"
    return ""


def of_wrong_text(schema: Mapping[str, Any], text: str) -> str:
    """What to do about *text*, which does not match the pattern of *schema*."""
    if "x-duration" in schema:
        return near_duration(text) or (MORE if _NOTHING.fullmatch(text) else UNITS)
    name = slug(text, schema["x-slug"]) if "x-slug" in schema else ""
    return name and f"such as {name}"


def slug(text: str, blank: str) -> str:
    """*text* as a name of small letters and digits, with *blank* for all else; ``""`` if none."""
    plain = unicodedata.normalize("NFKD", text.replace("ß", "ss")).encode("ascii", "ignore")
    name = re.sub(r"[^a-z0-9]+", blank, plain.decode().lower()).strip(blank)[:60].strip(blank)
    return name if name[:1].isalpha() else ""


# --- Durations ---------------------------------------------------------------------------

UNITS = "a whole number with ms, s, m, h or d behind it"
MORE = "so long that something can be done in it"
_NOTHING = re.compile("0+(?:ms|s|m|h|d)")
_UNITS_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_OTHER_UNITS = {
    "msec": "ms", "msecs": "ms", "millisecond": "ms", "milliseconds": "ms",
    "sec": "s", "secs": "s", "second": "s", "seconds": "s",
    "min": "m", "mins": "m", "minute": "m", "minutes": "m",
    "hr": "h", "hrs": "h", "hour": "h", "hours": "h", "day": "d", "days": "d",
}  # fmt: skip
_AMOUNT = re.compile(r"([0-9]+(?:[.,][0-9]+)?)\s*([A-Za-z]*)")
_CLOCK = re.compile(r"([0-9]+):([0-9]{2}):([0-9]{2})")
LONGEST_MS = 366 * 86_400_000


def near_duration(value: Any) -> str:
    """``write 20s`` for what other systems take: ``20 sec``, ``00:00:20``, ``{seconds: 20}``."""
    total = 0.0
    match value:
        case bool():
            return ""
        case int() | float():
            total = value * 1000.0
        case str():
            total = _read(value)
        case Mapping() if value.keys() <= _OTHER_UNITS.keys():
            numbers = [n for n in value.values() if kind(n) == "number"]
            if len(numbers) == len(value):
                units = (_UNITS_MS[_OTHER_UNITS[name]] for name in value)
                total = sum(unit * number for unit, number in zip(units, numbers, strict=True))
    if not 1 <= total <= LONGEST_MS or total != int(total):
        return ""
    unit = next(name for name in reversed(_UNITS_MS) if total % _UNITS_MS[name] == 0)
    return f"write {int(total) // _UNITS_MS[unit]}{unit}"


def _read(text: str) -> float:
    """Milliseconds of *text*; 0 where it is nothing known."""
    if clock := _CLOCK.fullmatch(text.strip()):
        hours, minutes, seconds = map(int, clock.groups())
        return ((hours * 60 + minutes) * 60 + seconds) * 1000.0
    if amount := _AMOUNT.fullmatch(text.strip().rstrip(".")):
        word = amount[2].lower() or "s"
        unit = _OTHER_UNITS.get(word, word)
        return float(amount[1].replace(",", ".")) * _UNITS_MS.get(unit, 0)
    return 0.0
