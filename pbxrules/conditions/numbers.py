"""Tests of texts as numbers: ``above``, ``below``, ``between`` and ``length``.

A text is a number if it is written with digits alone, a minus before and a fraction behind
them allowed; its zeros in front do not count.  In ``between`` they do, for it is meant for
ranges of extensions and direct numbers: there a value has as many digits as the bounds.
"""

import operator
import re
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from pbxrules.conditions.parts import Beside, Element, FieldTestError
from pbxrules.model import Key
from pbxrules.schema import shown

MAX_DIGITS = 40
"""Of a bound of ``between``; no number that can be dialled has more."""
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")


def above(operand: Any, _: Beside) -> Element:
    """The value is a number, and more than this one."""
    return _compared("above", operator.gt, operand)


def below(operand: Any, _: Beside) -> Element:
    """The value is a number, and less than this one."""
    return _compared("below", operator.lt, operand)


def between(operand: Any, _: Beside) -> Element:
    """The value has as many digits as the two bounds, and is one of them or between them."""
    low, high = _bounds(operand)

    def passes(text: str) -> bool:
        # Of as many digits, the order of texts is that of numbers.
        return len(text) == len(low) and low <= text <= high and _is_dialled(text)

    plus = "+" if low[0] == "+" else ""
    heads = frozenset(plus + head for head in _heads(low.lstrip("+"), high.lstrip("+")))
    key = Key(kind="begins", texts=heads) if all(heads) else None
    return Element(f"between {low} and {high}", passes, key)


def length(operand: Any, beside: Beside) -> Element:
    """The value has so many characters: a number, or a map of tests of that number."""
    if not isinstance(operand, Mapping):
        wanted = int(Decimal(operand))
        return Element(f"length {wanted}", lambda text: len(text) == wanted)
    parts = [_LENGTHS[name](operand[name], beside) for name in operand]
    return Element(
        f"length {' and '.join(part.wanted for part in parts)}",
        lambda text: all(part.passes(str(len(text))) for part in parts),
    )


def _span(operand: Any, _: Beside) -> Element:
    """``between`` of lengths: numbers, whatever their digits."""
    low, high = (Decimal(text) for text in operand)
    if low > high:
        raise _backwards(operand, "between")
    return Element(f"between {low} and {high}", lambda text: low <= Decimal(text) <= high)


_LENGTHS: Mapping[str, Callable[[Any, Beside], Element]] = {
    "above": above,
    "below": below,
    "between": _span,
}


def _compared(word: str, holds: Callable[[Decimal, Decimal], bool], operand: str) -> Element:
    bound = Decimal(operand)

    def passes(text: str) -> bool:
        return _NUMBER.fullmatch(text) is not None and holds(Decimal(text), bound)

    return Element(f"{word} {operand}", passes)


def _is_dialled(text: str) -> bool:
    digits = text.removeprefix("+")
    return digits.isascii() and digits.isdigit()


def _bounds(operand: Any) -> tuple[str, str]:
    for place, bound in enumerate(operand):
        if not _is_dialled(bound) or len(bound) > MAX_DIGITS:
            message = f"{shown(bound)} is not digits (at most {MAX_DIGITS}, a + before them or not)"
            raise FieldTestError((place,), "wrong-value", message)
    low, high = operand
    if len(low) != len(high) or (low[0] == "+") != (high[0] == "+"):
        message = f"{shown(low)} and {shown(high)} have not the same number of digits"
        hint = "for numbers of any length say above and below"
        raise FieldTestError((), "wrong-value", message, hint)
    if low > high:
        raise _backwards(operand)
    return low, high


def _backwards(operand: Any, *path: str) -> FieldTestError:
    low, high = operand
    message = f"nothing is between {low} and {high}"
    return FieldTestError(path, "wrong-value", message, f"write [{high}, {low}]")


def _heads(low: str, high: str) -> Iterator[str]:
    """The beginnings that all numbers from *low* to *high* have, and no others as long do."""
    if set(low) <= {"0"} and set(high) <= {"9"}:
        yield ""
        return
    first, last = low[0], high[0]
    if first == last:
        yield from (first + head for head in _heads(low[1:], high[1:]))
        return
    rest = len(low) - 1
    yield from (first + head for head in _heads(low[1:], "9" * rest))
    yield from map(str, range(int(first) + 1, int(last)))
    yield from (last + head for head in _heads("0" * rest, high[1:]))
