"""The filters of templates: a table from which the docs are made.

A filter gives plain text, never the author's: ``{{ vars.room | lower }}`` in a topic is
encoded.  None takes a pattern (a regex on caller-IDs can hang) or makes text without bound.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import quote

from pbxrules.template.operators import is_number, number
from pbxrules.template.values import LIMIT, Absent, RenderError, kind, to_json, to_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """What stands behind ``|``."""

    function: Callable[..., object]
    doc: str
    example: str
    gives: object
    """What *example* gives."""
    absent: Literal["passes", "taken", "taken in text"] = "passes"
    """Whether an absent value is the result, or *function* sees it."""


def _text(value: object, name: str) -> str:
    if isinstance(value, str):
        return value
    raise RenderError(f"'{name}' takes text, not {kind(value)}")


def _number(value: object, name: str) -> int | float:
    if isinstance(value, int | float) and is_number(value):
        return value
    raise RenderError(f"'{name}' takes a number, not {kind(value)}")


def _whole(value: object, name: str, most: int) -> int:
    if isinstance(value, int) and is_number(value) and 0 <= value <= most:
        return value
    raise RenderError(f"'{name}' takes a whole number from 0 to {most}")


def _lower(value: object) -> str:
    return _text(value, "lower").lower()


def _upper(value: object) -> str:
    return _text(value, "upper").upper()


def _trim(value: object) -> str:
    return _text(value, "trim").strip()


def _length(value: object) -> int:
    if isinstance(value, str | list | tuple | Mapping):
        return len(value)
    raise RenderError(f"'length' takes text, a list or a map, not {kind(value)}")


def _default(value: object, default_value: object = "", boolean: object = False) -> object:  # noqa: FBT002 - the names that Jinja2 gives them
    lacking = value is None or isinstance(value, Absent) or (bool(boolean) and not value)
    return default_value if lacking else value


def _replace(value: object, old: object, new: object) -> str:
    text, old, new = _text(value, "replace"), _text(old, "replace"), _text(new, "replace")
    if not old:
        raise RenderError("'replace' takes a text to look for that is not empty")
    # Known before it is made: 64 KiB of 'a', each replaced by 64 KiB, would be 4 GiB.
    if len(text) + text.count(old) * (len(new) - len(old)) > LIMIT:
        raise RenderError("the text is longer than 64 KiB")
    return text.replace(old, new)


def _truncate(
    value: object,
    length: object = 255,
    killwords: object = False,  # noqa: FBT002 - the name that Jinja2 gives it
    end: object = "...",
    leeway: object = 5,
) -> str:
    text, mark = _text(value, "truncate"), _text(end, "truncate")
    most = _whole(length, "truncate", LIMIT)
    if len(text) <= most + _whole(leeway, "truncate", LIMIT):
        return text
    if most < len(mark):
        raise RenderError("'truncate' takes a length that is at least that of its end mark")
    kept = text[: most - len(mark)]
    return (kept if killwords else kept.rsplit(" ", 1)[0]) + mark


# ASCII digits only, unlike int() and float(), which take '1_000', '٣' and 'nan'.
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
_LONGEST_NUMBER: Final = 300


def _read(value: object) -> int | float | None:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int | float):
        return value
    if not isinstance(value, str) or len(value) > _LONGEST_NUMBER:
        return None
    digits = value.strip(" ")
    if not _NUMBER.fullmatch(digits):
        return None
    try:
        return int(digits)
    except ValueError:
        found = float(digits)
        return found if math.isfinite(found) else None


_REQUIRED: Final = object()


def _converted(value: object, default: object, name: str, to: type[int | float]) -> object:
    found = _read(value)
    if found is not None:
        return number(to(found))
    if default is _REQUIRED:
        raise RenderError(f"{kind(value)} is no number: write {name}(0) for 0 in such a case")
    return default


def _int(value: object, default: object = _REQUIRED) -> object:
    return _converted(value, default, "int", int)


def _float(value: object, default: object = _REQUIRED) -> object:
    return _converted(value, default, "float", float)


_ROUNDINGS: Final[Mapping[object, Callable[[float], float]]] = {
    "common": round,
    "ceil": math.ceil,
    "floor": math.floor,
}


def _round(value: object, precision: object = 0, method: object = "common") -> object:
    given, places = _number(value, "round"), _whole(precision, "round", 15)
    if not isinstance(method, str) or method not in _ROUNDINGS:
        raise RenderError("'round' takes the method 'common', 'ceil' or 'floor'")
    if not places:
        return int(_ROUNDINGS[method](given))
    if method == "common":
        return round(given, places)
    return number(_ROUNDINGS[method](given * 10**places) / 10**places)


def _abs(value: object) -> object:
    return abs(_number(value, "abs"))


def _join(value: object, d: object = "") -> str:
    if not isinstance(value, list | tuple):
        raise RenderError(f"'join' takes a list, not {kind(value)}")
    between = _text(d, "join")
    left = LIMIT + len(between)
    parts = []
    for entry in value:
        parts.append("" if entry is None else to_text(entry))
        left -= len(parts[-1]) + len(between)
        if left < 0:
            raise RenderError("the text is longer than 64 KiB")
    return between.join(parts)


def _end(name: str, index: int) -> Callable[[object], object]:
    def end(value: object) -> object:
        if not isinstance(value, str | list | tuple):
            raise RenderError(f"'{name}' takes a list or text, not {kind(value)}")
        return value[index] if value else Absent(f"the {name} of nothing")

    return end


def _urlencode(value: object) -> str:
    return quote(to_text(value), safe="", errors="surrogatepass")


FILTERS: Final[Mapping[str, Filter]] = {
    "abs": Filter(
        function=_abs, doc="The number without its sign.",
        example="{{ -5 | abs }}", gives=5,
    ),
    "default": Filter(
        function=_default, absent="taken",
        doc="Another value in place of an absent or null one; with `true` as second argument "
        "also of an empty, zero or false one.",
        example="{{ '' | default('withheld', true) }}", gives="withheld",
    ),
    "first": Filter(
        function=_end("first", 0), doc="The first entry of a list, the first character of a text.",
        example="{{ ['100', '101'] | first }}", gives="100",
    ),
    "float": Filter(
        function=_float, doc="The number that a text spells; what spells none gives the argument, "
        "and without one the step fails.",
        example="{{ '21.5' | float }}", gives=21.5,
    ),
    "int": Filter(
        function=_int, doc="The same, as a whole number, cut toward zero.",
        example="{{ 'anonymous' | int(0) }}", gives=0,
    ),
    "join": Filter(
        function=_join, doc="The entries of a list as one text, the argument between them.",
        example="{{ ['100', '101'] | join(', ') }}", gives="100, 101",
    ),
    "last": Filter(
        function=_end("last", -1), doc="The last entry of a list, the last character of a text.",
        example="{{ '0101' | last }}", gives="1",
    ),
    "length": Filter(
        function=_length, doc="How many characters a text has, or entries a list or map.",
        example="{{ '0101' | length }}", gives=4,
    ),
    "lower": Filter(
        function=_lower, doc="The text in small letters.",
        example="{{ 'Hall' | lower }}", gives="hall",
    ),
    "replace": Filter(
        function=_replace, doc="The text with every first argument replaced by the second.",
        example="{{ '+49 30 123' | replace(' ', '') }}", gives="+4930123",
    ),
    "round": Filter(
        function=_round, doc="The number to so many places (none: a whole number); the second "
        "argument is 'common', 'ceil' or 'floor'.",
        example="{{ 2.345 | round(1) }}", gives=2.3,
    ),
    "string": Filter(
        function=to_text, absent="taken in text", doc="Any value as text, as JSON has it.",
        example="{{ 'line ' + (3 | string) }}", gives="line 3",
    ),
    "to_json": Filter(
        function=to_json, absent="taken in text",
        doc="Any value as JSON, a text in its quotes; an absent one is null.",
        example="{{ ['a', none, true] | to_json }}", gives='["a",null,true]',
    ),
    "trim": Filter(
        function=_trim, doc="The text without the blanks around it.",
        example="{{ ' hall ' | trim }}", gives="hall",
    ),
    "truncate": Filter(
        function=_truncate, doc="The text cut to so many characters, as Jinja2 does it: between "
        "words (second argument `true`: anywhere), with `...`, and if it is 5 longer at least.",
        example="{{ 'a caller with a long name' | truncate(12) }}", gives="a caller...",
    ),
    "upper": Filter(
        function=_upper, doc="The text in capital letters.",
        example="{{ 'on' | upper }}", gives="ON",
    ),
    "urlencode": Filter(
        function=_urlencode, doc="The text for a form; in a `url` it happens by itself.",
        example="{{ '+49 30/1' | urlencode }}", gives="%2B49%2030%2F1",
    ),
}  # fmt: skip


OTHER_FILTERS: Final[Mapping[str, str]] = {
    "attr": "write '.name'",
    "bool": "compare: == 'true'",
    "count": "write 'length'",
    "d": "write 'default'",
    "e": "leave it out: nothing here is HTML",
    "escape": "leave it out: nothing here is HTML",
    "is_defined": "write 'is defined'",
    "regex_findall": "templates have no patterns: use the field test 'regex'",
    "regex_match": "templates have no patterns: use the field test 'regex'",
    "regex_replace": "templates have no patterns: use 'replace'",
    "regex_search": "templates have no patterns: use the field test 'regex'",
    "safe": "leave it out: nothing here is HTML",
    "slugify": "use 'lower' and 'replace'",
    "strip": "write 'trim'",
    "to_str": "write 'string'",
    "tojson": "write 'to_json'",
}
"""What other systems have: name to what to do."""
