"""The values that templates work on, what people call them, and how they become text.

Which text may steer a topic or a URL is told by the value itself: ``RuleText`` is what the
rule's author wrote (a literal, something out of ``vars``), and Python's own operations on
``str`` give a plain ``str`` back, so the mark is lost by everything that was not thought of.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import field
from enum import Enum
from types import MappingProxyType
from typing import Any, Final, NewType

from pbxrules.model import FieldValue
from pbxrules.records import record
from pbxrules.template.instants import Instant

LIMIT: Final = 64 * 1024
"""No text that a template makes is longer, in UTF-8 bytes."""
LARGEST: Final = 10**308
"""Below it a whole number can become a float, and text (Python stops at 4,300 digits)."""


class Context(Enum):
    """Where a template stands, which decides what becomes of an absent or hostile value."""

    VALUE = "a value"
    """JSON: one single ``{{ }}`` keeps its type; absent is null."""
    TEXT = "a text"
    """Absent is empty."""
    TOPIC = "a topic"
    URL = "a URL"
    ARGUMENT = "an argument"
    CONDITION = "a condition"
    """True or false; absent is false."""

    @property
    def strict(self) -> bool:
        """Whether an absent value fails here."""
        return self in _STRICT


_STRICT: Final = frozenset({Context.TOPIC, Context.URL, Context.ARGUMENT})


class RenderError(Exception):
    """A template can't be filled in.  Says why, and never quotes a secret or a call's text."""


class RuleText(str):
    """Text that the author of the rule wrote."""

    __slots__ = ()


class Absent:
    """What a known name gives that this event lacks: false, and equal to null only."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        """Make the absence of *name*, which is the template's own spelling."""
        self.name = name

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return f"Absent({self.name!r})"


RuleVars = NewType("RuleVars", Mapping[str, Any])
"""``vars`` whose texts are all marked as the author's."""


def rule_vars(values: Mapping[str, Any]) -> RuleVars:
    """Mark all texts in *values*, a rule's ``variables``; done once, when rules are loaded."""
    return RuleVars({key: _marked(value) for key, value in values.items()})


def _marked(value: Any) -> Any:
    if isinstance(value, str):
        return RuleText(value)
    if isinstance(value, Mapping):
        return {key: _marked(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_marked(inner) for inner in value]
    return value


_NO_VARS: Final = rule_vars({})
_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


@record(kw_only=False)
class Scope:
    """What the names of a template stand for."""

    fields: Mapping[str, FieldValue] = field(default_factory=lambda: _NOTHING)
    payload: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)
    vars: RuleVars = field(default_factory=lambda: _NO_VARS)
    secrets: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    """The real ones only where the action is performed; elsewhere ``{"x": "<secret x>"}``."""
    extras: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)
    """``call``, ``rule``, ``state``, registered results, …; a field of that name goes first."""


_KINDS: Final[dict[type, str]] = {
    str: "text", RuleText: "text", int: "a number", float: "a number", bool: "true or false",
    type(None): "null", list: "a list", tuple: "a list", dict: "a map", MappingProxyType: "a map",
    Absent: "absent", Instant: "a time",
}  # fmt: skip


def kind(value: object) -> str:
    """What a person calls the type of *value*, such as ``text`` or ``a number``."""
    known = _KINDS.get(type(value))
    if known is not None:
        return known
    return "a map" if isinstance(value, Mapping) else type(value).__name__


def unmarked(value: object) -> object:
    """*value*, a text without its mark as the author's."""
    return str(value) if type(value) is RuleText else value


def bounded(text: str) -> str:
    """*text*, unless it is longer than ``LIMIT``.

    Raises:
        RenderError: It is.
    """
    # A code point has at most 4 bytes: the common case encodes nothing.
    if len(text) > LIMIT // 4 and size(text) > LIMIT:
        raise RenderError("the text is longer than 64 KiB")
    return text


def size(text: str) -> int:
    """The UTF-8 bytes of *text*, in which a lone surrogate counts 3."""
    return len(text.encode("utf-8", "surrogatepass"))


def to_text(value: object) -> str:
    """*value* as JSON has it, but a text as it is; an absent one is empty.

    Raises:
        RenderError: It is too long, or nothing that JSON has.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, Absent):
        return ""
    if isinstance(value, Instant):
        return str(value)
    return to_json(value)


_ENCODE: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def to_json(value: object) -> str:
    """*value* as compact JSON; an absent one is null.

    Raises:
        RenderError: It is too long, or nothing that JSON has.
    """
    return bounded(_ENCODE(plain(value)))


def plain(value: object) -> Any:
    """A JSON value of its own like *value*: no marks, no tuples, null for what is absent.

    Raises:
        RenderError: It is certainly longer than ``LIMIT``, or nothing that JSON has.
    """
    if type(value) is str:
        return bounded(value)
    if value is None or type(value) is int or type(value) is bool:
        return value
    return _Copy().of(value)


class _Copy:
    """One copying, which stops where its text would certainly be too long.

    A template can name the same long list ten thousand times in its own list.
    """

    def __init__(self) -> None:
        self.left = LIMIT

    def of(self, value: object) -> Any:
        self.left -= 1
        if isinstance(value, str):
            self.left -= len(value)
        if self.left < 0:
            raise RenderError("the value is longer than 64 KiB")
        if isinstance(value, str):
            return bounded(str(value))
        if isinstance(value, Mapping):
            return {self.of(str(key)): self.of(inner) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self.of(inner) for inner in value]
        if value is None or isinstance(value, Absent):
            return None
        if isinstance(value, Instant):
            return str(value)
        if isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
            return value
        raise RenderError(f"{kind(value)} that JSON does not have")
