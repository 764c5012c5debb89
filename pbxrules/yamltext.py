"""Values as YAML, as a person writes them: quotes only where they are needed, all on one line.

What is written is read back by ``yamlsource`` as exactly the value that it was.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from pbxrules.yamlsource import NUMBER, UNSEEN, read

_PLAIN = re.compile(r"(?:[\w/$+.]|--?[A-Za-z])([\w/$+.@=~() -]*[\w/$+.@=~()-])?")
_DIGITS = re.compile(r"\+?[0-9]+")
_NUMBER_LIKE = re.compile(r"[-+.]?[0-9]|[-+.]*$")
_WORDS = frozenset({"true", "false", "null", "on", "off", "yes", "no", "y", "n"})
"""Words that some YAML takes for something else than text."""
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def scalar(text: str, *, of_field: bool = False) -> str:
    """*text* as it may stand in ``[…]`` and ``{…}``.

    Args:
        text: Without halves of surrogate pairs, which no file holds.
        of_field: It is compared with a field, where a number is its digits as written.
    """
    if of_field and _DIGITS.fullmatch(text) and _reads_as(text, text):
        return text
    plain = _PLAIN.fullmatch(text) and text.lower() not in _WORDS
    if plain and not _NUMBER_LIKE.match(text) and _reads_as(text, text):
        return text
    seen = text.isprintable() and not UNSEEN.search(text)
    if seen and "'" not in text and ('"' in text or "\\" in text):
        return f"'{text}'"
    return '"' + "".join(map(_escaped, text)) + '"'


def _reads_as(written: str, text: str) -> bool:
    document = read(f"[{written}]", file="")
    return not document.problems and document.written((0,)) == text


def _escaped(char: str) -> str:
    if char in _ESCAPES:
        return _ESCAPES[char]
    if char.isprintable() and not UNSEEN.match(char) and char != "\ufffd":
        return char
    code = ord(char)
    return f"\\u{code:04X}" if code <= 0xFFFF else f"\\U{code:08X}"  # noqa: PLR2004 - what \u holds


def flow(value: Any, *, of_fields: bool = False) -> str:
    """A JSON value: ``{topic: a, payload: "ON"}``.

    *of_fields*: what stands in it are fields of an event.
    """
    match value:
        case Mapping():
            members = (f"{scalar(k)}: {flow(v, of_fields=of_fields)}" for k, v in value.items())
            return f"{{{', '.join(members)}}}"
        case list() | tuple():
            return f"[{', '.join(flow(item, of_fields=of_fields) for item in value)}]"
        case str():
            return scalar(value, of_field=of_fields)
    return json.dumps(value)


def is_written(value: Any) -> bool:
    """Whether rule files can say *value*: no NaN, and no number with an exponent."""
    match value:
        case Mapping():
            return all(map(is_written, value.values()))
        case list() | tuple():
            return all(map(is_written, value))
        case bool() | None | str():
            return True
    return NUMBER.fullmatch(json.dumps(value)) is not None
