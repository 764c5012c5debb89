"""The bytes of a report → the JSON value that they mean, or why they mean none.

Python's ``json`` takes NaN, 1e999, repeated keys, lone surrogates and UTF-16, and a body
nested 995 deep is a RecursionError.  So there are two readers.  The fast one is the C
scanner with hooks that notice what they can't vouch for (3.7 microseconds for an inbound
RING).  Only then the careful one reads again (14 for a repeated ``ext``): it knows where in
the value it is, so that it can say all that is wrong at once, and it mends what may be mended.
"""

import json
import math
import re
from collections.abc import Callable
from sys import intern
from typing import Any, NoReturn

from pbxrules.errors import ReportError, ValueProblem, pointer
from pbxrules.schema import Path, shown

MAX_DEPTH = 32
"""A body may nest so deep; the outermost object counts as 1."""
MAX_DIGITS = 64
"""A number may be written with so many digits."""

# A text that is never closed runs to the end, so that each character is looked at once.
_NO_BRACKETS = re.compile(r'(?:"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)|[^"\[\]{}]++)++', re.DOTALL)
_SURROGATE = re.compile("[\ud800-\udfff]")


class Repeated(list[Any]):
    """The values of a repeated key, in the order written, where repeating it has a meaning."""


def parse(body: bytes) -> dict[str, Any]:
    """The report that *body* is.

    A repeated ``ext`` at the top, in ``call`` or in an element of ``call`` becomes a
    ``Repeated``; a lone surrogate becomes U+FFFD, in keys too.

    Raises:
        ReportError: 400, with everything that is wrong: the body is not UTF-8, no JSON,
            nested deeper than ``MAX_DEPTH``, not an object, or has a repeated key, NaN,
            Infinity, or a number too large or of more than ``MAX_DIGITS`` digits.
    """
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        message = f"the byte at offset {error.start} is {body[error.start]:#04x}: {error.reason}"
        _refuse("the body is not UTF-8", message)
    # Never less than the depth; only a report that has so many brackets is measured.
    if text.count("{") + text.count("[") > MAX_DEPTH:
        _check_depth(text)
    try:
        value, end = _FAST.raw_decode(text)
    except ValueError:  # _DoubtError is one, too
        return _careful(text)
    if end != len(text) or "\\u" in text or type(value) is not dict:
        return _careful(text)
    return value


def json_value(text: str) -> Any:
    """The JSON value that *text* is, by the rules of ``parse``; None if it is none."""
    try:
        _check_depth(text)
        written = _CAREFUL.decode(text)
    except (ReportError, ValueError):
        return None
    problems: list[ValueProblem] = []
    found = _value(written, (), problems)
    return None if problems else found


def _refuse(title: str, message: str) -> NoReturn:
    raise ReportError(400, title, [ValueProblem("", message)])


def _check_depth(text: str) -> None:
    depth = 0
    for bracket in _NO_BRACKETS.sub("", text):
        depth += 1 if bracket in "[{" else -1
        if depth > MAX_DEPTH:
            _refuse("the body is nested too deep", f"nested deeper than {MAX_DEPTH}")


class _DoubtError(ValueError):
    """Only the careful reader can tell what this is."""


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # Each report brings its own copy of the same few names, and thousands may be waited with.
    members = {intern(name): value for name, value in pairs}
    if len(members) != len(pairs):
        raise _DoubtError
    return members


def _number_problem(text: str) -> str:
    if len(text) > MAX_DIGITS:
        digits = sum(map(str.isdigit, text))
        if digits > MAX_DIGITS:
            return f"the number has {digits} digits; {MAX_DIGITS} are allowed"
    if math.isinf(float(text)):
        return f"the number {text} is too large"
    return ""


def _fast_int(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise _DoubtError
    return int(text)


def _fast_float(text: str) -> float:
    value = float(text)
    if len(text) > MAX_DIGITS or math.isinf(value):
        raise _DoubtError
    return value


def _fast_constant(_: str) -> NoReturn:
    raise _DoubtError


_FAST = json.JSONDecoder(
    object_pairs_hook=_members,
    parse_int=_fast_int,
    parse_float=_fast_float,
    parse_constant=_fast_constant,
)


class _Pairs(list[tuple[str, Any]]):
    """An object as it was written."""


class _Wrong:
    """A number or word that is refused."""

    def __init__(self, message: str) -> None:
        self.message = message


def _careful_number(kind: Callable[[str], Any]) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        problem = _number_problem(text)
        return _Wrong(problem) if problem else kind(text)

    return read


_CAREFUL = json.JSONDecoder(
    object_pairs_hook=_Pairs,
    parse_int=_careful_number(int),
    parse_float=_careful_number(float),
    parse_constant=lambda word: _Wrong(f"{word} is no JSON number"),
)


def _careful(text: str) -> dict[str, Any]:
    try:
        written = _CAREFUL.decode(text)
    except json.JSONDecodeError as error:
        what = "there is no body" if not text else error.msg
        _refuse("the body is not JSON", f"line {error.lineno}, column {error.colno}: {what}")
    if not isinstance(written, _Pairs):
        _refuse("a report is a JSON object", "this JSON value is not an object")
    problems: list[ValueProblem] = []
    report: dict[str, Any] = _object(written, (), problems)
    if problems:
        raise ReportError(400, "the body is not strict JSON", problems)
    return report


def _clean(text: str) -> str:
    return _SURROGATE.sub("\ufffd", text)


def _value(written: Any, path: Path, problems: list[ValueProblem]) -> Any:
    match written:
        case str():
            return _clean(written)
        case _Pairs():
            return _object(written, path, problems)
        case list():
            return [_value(item, (*path, i), problems) for i, item in enumerate(written)]
        case _Wrong():
            problems.append(ValueProblem(pointer(path), written.message))
            return None
        case _:
            return written


def _object(written: _Pairs, path: Path, problems: list[ValueProblem]) -> dict[str, Any]:
    given: dict[str, list[Any]] = {}
    for key, value in written:
        given.setdefault(_clean(key), []).append(value)
    members: dict[str, Any] = {}
    for key, values in given.items():
        at = (*path, key)
        if len(values) == 1:
            members[key] = _value(values[0], at, problems)
        elif key == "ext" and _may_repeat(path):
            members[key] = Repeated(_value(v, (*at, i), problems) for i, v in enumerate(values))
        else:
            message = f"{shown(key)} is given {len(values)} times"
            problems.append(ValueProblem(pointer(at), message))
            for value in values:
                _value(value, at, problems)
    return members


def _may_repeat(path: Path) -> bool:
    """Whether parties stand in the object at *path*: the report, ``call`` or one of ``call``."""
    match path:
        case () | ("call",) | ("call", int()):
            return True
        case _:
            return False
