"""What the operators of templates do; everything that Python would guess at fails.

``'%9999999d' % 1`` formats and ``'a' * 10**9`` fills the memory in Python; here ``- / // %``
take numbers only.  Messages name kinds, never values: a value may be a secret.
"""

import math
import operator
from collections.abc import Callable, Mapping
from typing import Any

from pbxrules.template.instants import INSTANT, Instant
from pbxrules.template.values import LARGEST, LIMIT, Absent, RenderError, RuleText, kind

Binary = Callable[[object, object], object]


def is_number(value: object) -> bool:
    """Whether *value* is a number; true and false are none."""
    return type(value) is int or type(value) is float


def number(value: object) -> object:
    """*value*, the result of an arithmetic operation, unless JSON has no such number."""
    if isinstance(value, float) and not math.isfinite(value):
        raise RenderError("the number is too large")
    if isinstance(value, int) and abs(value) >= LARGEST:
        raise RenderError("the number is too large")
    return value


def add(left: object, right: object) -> object:
    """``left + right``, where an absent part of a text is empty."""
    if isinstance(left, Absent) and isinstance(right, str):
        return right
    if isinstance(right, Absent) and isinstance(left, str):
        return left
    return add_strictly(left, right)


def add_strictly(left: object, right: object) -> object:
    """``left + right``, which is absent if either is."""
    if isinstance(left, str) and isinstance(right, str):
        if len(left) + len(right) > LIMIT:
            raise RenderError("the text is longer than 64 KiB")
        text = left + right
        ours = type(left) is RuleText and type(right) is RuleText
        return RuleText(text) if ours else text
    if isinstance(left, Absent):
        return left
    if isinstance(right, Absent):
        return right
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        if len(left) + len(right) > LIMIT:
            raise RenderError("the list has more than 65,536 entries")
        return [*left, *right]
    return _add_numbers(left, right)


def arithmetic(sign: str, apply: Callable[[float, float], float]) -> Binary:
    """The operation *apply* on two numbers; absent if either is."""

    def binary(left: object, right: object) -> object:
        if isinstance(left, int | float) and isinstance(right, int | float):
            if is_number(left) and is_number(right):
                return number(apply(left, right))
        elif isinstance(left, Absent):
            return left
        elif isinstance(right, Absent):
            return right
        raise RenderError(f"{kind(left)} {sign} {kind(right)}{_cure(left, right)}")

    return binary


def _cure(left: object, right: object) -> str:
    if {kind(left), kind(right)} == {"text", "a number"}:
        return ": '| int' makes a number of a text, '| string' a text of a number"
    return " can't be worked out"


_add_numbers = arithmetic("+", operator.add)


def negative(value: object) -> object:
    """``-value``."""
    return SIGNS["Sub"](0, value)


def equal(left: object, right: object) -> bool:
    """Whether both are of one kind and the same; absent is the same as null."""
    kinds = kind(left), kind(right)
    if kinds[0] != kinds[1]:
        return set(kinds) == {"null", "absent"}
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        return list(left) == list(right)
    return left == right or kinds[0] == "absent"


def unequal(left: object, right: object) -> bool:
    """The opposite of ``equal``."""
    return not equal(left, right)


def ordered(sign: str, apply: Callable[[Any, Any], bool]) -> Binary:
    """The comparison *apply* of two numbers or two texts; false if one is absent or null."""

    def binary(left: object, right: object) -> bool:
        if isinstance(left, str) and isinstance(right, str):
            return apply(left, right)
        if is_number(left) and is_number(right):
            return apply(left, right)
        if {kind(left), kind(right)} & {"absent", "null"}:
            return False
        raise RenderError(f"{kind(left)} {sign} {kind(right)}{_cure(left, right)}")

    return binary


def contains(value: object, container: object) -> bool:
    """Whether *value* is a part of a text, an entry of a list or a key of a map."""
    if isinstance(container, list | tuple):
        return any(equal(value, entry) for entry in container)
    if container is None or isinstance(container, Absent):
        return False
    if isinstance(container, str | Mapping):
        if isinstance(value, str):
            return value in container
        if value is None or isinstance(value, Absent):
            return False
    raise RenderError(f"{kind(value)} can't be in {kind(container)}")


def lacks(value: object, container: object) -> bool:
    """The opposite of ``contains``."""
    return not contains(value, container)


def member(value: object, key: str, absent: Absent) -> object:
    """``value.key``: what a map has under *key*, else absent; else only a time has members."""
    if type(value) is dict or isinstance(value, Mapping):  # the first is mostly so, and quick
        return value.get(key, absent)
    if isinstance(value, Instant) and key in INSTANT:
        return INSTANT[key].of(value.local())
    return value if isinstance(value, Absent) else absent


def item(value: object, index: object, absent: Absent) -> object:
    """``value[index]``: of a map by text, of a list or a text by a whole number."""
    if type(value) is dict and type(index) is str:
        return value.get(index, absent)
    if isinstance(value, Absent):
        return value
    if isinstance(index, Absent):
        return index
    if value is None or index is None:
        return absent
    if isinstance(value, Mapping):
        if isinstance(index, str):
            return value.get(index, absent)
        raise RenderError(f"the keys of a map are text, and {kind(index)} was asked for")
    if isinstance(value, str | list | tuple) and isinstance(index, int) and is_number(index):
        return value[index] if -len(value) <= index < len(value) else absent
    raise RenderError(f"{kind(value)} has no entry by {kind(index)}")


def part(value: object, start: object, stop: object) -> object:
    """``value[start:stop]`` of a text or a list; either bound may be null."""
    for given in (value, start, stop):
        if isinstance(given, Absent):
            return given
    if not isinstance(value, str | list | tuple):
        raise RenderError(f"{kind(value)} can't be cut by [:]")
    return value[_bound(start) : _bound(stop)]


def _bound(value: object) -> int | None:
    if value is None or (isinstance(value, int) and is_number(value)):
        return value
    raise RenderError(f"the bounds of [:] are whole numbers, not {kind(value)}")


SIGNS: Mapping[str, Binary] = {
    "Add": add_strictly,
    "Sub": arithmetic("-", operator.sub),
    "Div": arithmetic("/", operator.truediv),
    "FloorDiv": arithmetic("//", operator.floordiv),
    "Mod": arithmetic("%", operator.mod),
}
"""By Jinja2's name of the node."""
COMPARISONS: Mapping[str, Binary] = {
    "eq": equal,
    "ne": unequal,
    "lt": ordered("<", operator.lt),
    "lteq": ordered("<=", operator.le),
    "gt": ordered(">", operator.gt),
    "gteq": ordered(">=", operator.ge),
    "in": contains,
    "notin": lacks,
}
"""By Jinja2's name of the operand."""
