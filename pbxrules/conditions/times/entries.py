"""The value of a key that asks for days: one text or a list, read, or what is wrong with it."""

import re
from collections.abc import Iterator
from typing import Any

from pbxrules.conditions.times.days import DAY_KEYS, DayKey, Days
from pbxrules.conditions.times.problems import Path, TimeError, WrongError
from pbxrules.errors import did_you_mean
from pbxrules.schema import SHOWN, shown

_RANGE = ("..", "…", "\u2013", "\u2014", " - ", " to ", "-", ":")
"""How people write from … to …; the first is ours, two are dashes."""
_AND = re.compile(r"\s*[,;/|+]\s*|\s+and\s+|\s+")


def days(key: str, value: Any, path: Path) -> Days:
    """The days that *value* of *key* asks for.

    Raises:
        TimeError: With everything that is wrong with it; *path* leads to it.
    """
    listed = value if isinstance(value, list) else [value]
    spans, problems = [], []
    for place, item in enumerate(listed):
        try:
            spans.append(_span(key, item))
        except WrongError as exc:
            problems.append(exc.at((*path, place) if isinstance(value, list) else path))
    if not listed:
        problems.append(WrongError("this list is empty").at(path))
    if problems:
        raise TimeError(problems)
    return DAY_KEYS[key].days(spans)


def _span(key: str, item: Any) -> Any:
    kind = DAY_KEYS[key]
    message = f"{shown(item)} is not {kind.wanted}"
    if not isinstance(item, str):
        raise WrongError(message, code="wrong-type")
    span = kind.read(item)
    if span is None:
        raise WrongError(message, _hint(key, item))
    return span


def _hint(key: str, text: str) -> str:
    kind = DAY_KEYS[key]
    loose = " ".join(text[:SHOWN].lower().split())
    ours = [f"'{said}'" for said in (_mended(kind, loose), _elsewhere(key, loose)) if said]
    if ours:
        return f"say {', or '.join(ours)}"
    several = [_mended(kind, part) for part in _AND.split(loose)]
    if len(several) > 1 and all(several):
        return f"write a list: [{', '.join(several)}]"
    ends = [end for end in loose.split("..") if end not in kind.words]
    near = next(filter(None, (did_you_mean(end, kind.words) for end in ends)), "")
    return near or (f"one of {', '.join(kind.words)}" if kind.words else "")


def _elsewhere(key: str, text: str) -> str:
    """*text* with another key before it, under which it can be read; else ``""``."""
    # The number of a weekday or of a month is no day of the month.
    not_meant = (key, "days") if DAY_KEYS[key].words else (key,)
    for other, kind in DAY_KEYS.items():
        if other not in not_meant and _reads(kind, text):
            return f"{other}: {text}"
    return ""


def _mended(kind: DayKey[Any], text: str) -> str:
    """*text* in our spelling, where it is clear what is meant; else ``""``."""
    return next((ours for ours in _guesses(kind, text) if _reads(kind, ours)), "")


def _guesses(kind: DayKey[Any], text: str) -> Iterator[str]:
    yield kind.mended(text)
    for sign in _RANGE:
        first, found, last = text.partition(sign)
        if found:
            yield f"{kind.mended(first.strip())}..{kind.mended(last.strip(' .'))}"


def _reads(kind: DayKey[Any], text: str) -> bool:
    try:
        return kind.read(text) is not None
    except WrongError:
        return False
