"""The tests of templates, what stands behind ``is``: a table from which the docs are made."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from pbxrules.template.operators import contains, is_number
from pbxrules.template.values import Absent, RenderError, kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Predicate:
    """What stands behind ``is``; it sees absent values."""

    function: Callable[..., bool]
    doc: str
    example: str
    gives: bool


def _is_in(value: object, container: object) -> bool:
    return contains(value, container)


def _parity(name: str, rest: int) -> Callable[[object], bool]:
    def parity(value: object) -> bool:
        if value is None or isinstance(value, Absent):
            return False
        if isinstance(value, int) and is_number(value):
            return value % 2 == rest
        raise RenderError(f"'{name}' takes a whole number, not {kind(value)}")

    return parity


def _of_kind(name: str) -> Callable[[object], bool]:
    return lambda value: kind(value) == name


TESTS: Final[Mapping[str, Predicate]] = {
    "boolean": Predicate(
        function=_of_kind("true or false"), doc="It is true or false.",
        example="{{ 'true' is boolean }}", gives=False,
    ),
    "defined": Predicate(
        function=lambda value: not isinstance(value, Absent), doc="This event has it.",
        example="{{ '' is defined }}", gives=True,
    ),
    "even": Predicate(
        function=_parity("even", 0), doc="It is a whole number that 2 divides.",
        example="{{ 4 is even }}", gives=True,
    ),
    "in": Predicate(
        function=_is_in, doc="It is in the list, the text or the map's keys.",
        example="{{ '1' is in ['1', '2'] }}", gives=True,
    ),
    "mapping": Predicate(
        function=_of_kind("a map"), doc="It is a map.",
        example="{{ [] is mapping }}", gives=False,
    ),
    "none": Predicate(
        function=lambda value: value is None or isinstance(value, Absent),
        doc="It is null or absent.",
        example="{{ none is none }}", gives=True,
    ),
    "number": Predicate(
        function=is_number, doc="It is a number; a text of digits is none.",
        example="{{ '101' is number }}", gives=False,
    ),
    "odd": Predicate(
        function=_parity("odd", 1), doc="It is a whole number that 2 does not divide.",
        example="{{ 3 is odd }}", gives=True,
    ),
    "sequence": Predicate(
        function=_of_kind("a list"), doc="It is a list.",
        example="{{ ['1'] is sequence }}", gives=True,
    ),
    "string": Predicate(
        function=_of_kind("text"), doc="It is text.",
        example="{{ '101' is string }}", gives=True,
    ),
}  # fmt: skip

OTHER_TESTS: Final[Mapping[str, str]] = {
    "float": "write 'is number'",
    "integer": "write 'is number'",
    "list": "write 'is sequence'",
    "match": "templates have no patterns: use the field test 'regex'",
    "null": "write 'is none'",
    "search": "templates have no patterns: use the field test 'regex'",
    "undefined": "write 'is not defined'",
}
