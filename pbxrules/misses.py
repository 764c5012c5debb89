"""Misses as a person reads them."""

from pbxrules.conditions.fields import value_of
from pbxrules.model import Event, Miss


def words(misses: tuple[Miss, ...], event: Event) -> str:
    """Misses in words: ``extension is 102, wanted 101``."""
    told = [_words(miss, event) for miss in misses]
    return told[0] if len(told) == 1 else f"one of these would do: {'; '.join(told)}"


def _words(miss: Miss, event: Event) -> str:
    if miss.wanted is None and miss.found is None:
        return miss.subject
    found = found_in(miss.subject, event) if miss.found is None else miss.found
    wanted = "" if miss.wanted is None else f", wanted {miss.wanted}"
    return f"{miss.subject} is {found}{wanted}"


def found_in(field: str, event: Event) -> str:
    """The value of a field in words; ``absent`` where the event does not tell it."""
    value = value_of(event, field)
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return "absent" if value is None else str(value)
