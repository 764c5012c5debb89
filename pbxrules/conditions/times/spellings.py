"""How people write days and hours elsewhere, and how that is written here.

Each function takes a text in small letters and gives our spelling of it, ``""`` where it
knows none.  Whether there is such a day or hour is not looked at here.  Nothing of this is
ever read as a time: there is one spelling for each thing, and a hint for the others.
"""

import re
from collections.abc import Sequence

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")

_WEEKDAY_NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTH_NAMES = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september",
    "october", "november", "december",
)  # fmt: skip
_SEVERAL_DAYS = {
    "weekday": "mon..fri", "weekdays": "mon..fri", "workday": "mon..fri", "workdays": "mon..fri",
    "weekend": "sat..sun", "weekends": "sat..sun", "daily": "mon..sun",
}  # fmt: skip
_HOURS = {"noon": "12:00", "midday": "12:00"}
_NOON = 12

_DAY_OF_MONTH = re.compile(r"(-?)0?([1-9][0-9]?)(?:st|nd|rd|th|\.)?")
_YEAR = re.compile(r"(?:'|20)?([0-9]{2})")
_NUMBERS = re.compile(r"(?:([0-9]{4})[-/.])?([0-9]{1,2})([-/])([0-9]{1,2})")
_DAY_FIRST = re.compile(r"([0-9]{1,2})\. ?([0-9]{1,2})(?:\.? ?([0-9]{4})|\.?)")
_MONTH_THEN_DAY = re.compile(r"([a-z]+)[. -]+([0-9]{1,2})(?:st|nd|rd|th)?(?:,? ([0-9]{4}))?")
_DAY_THEN_MONTH = re.compile(r"([0-9]{1,2})(?:st|nd|rd|th)?[. -]*([a-z]+)\.?(?:,? ([0-9]{4}))?")
_CLOCK = re.compile(r"([0-9]{1,2})(?:[:.h]?([0-9]{2}))?(?::([0-9]{2}))? ?(am|pm|h|uhr)?")


def weekday(text: str) -> str:
    """``mon`` for ``monday``, ``mo`` or ``mondays``; ``mon..fri`` for ``workdays``."""
    least = 2  # no two weekdays begin with the same two letters
    return _SEVERAL_DAYS.get(text) or _shortened(text, WEEKDAYS, _WEEKDAY_NAMES, least)


def month(text: str) -> str:
    """``nov`` for ``november``, ``11`` or ``nov.``."""
    if re.fullmatch("0?[1-9]|1[0-2]", text):
        return MONTHS[int(text) - 1]
    return _shortened(text, MONTHS, _MONTH_NAMES, 3)


def _shortened(text: str, ours: Sequence[str], names: Sequence[str], least: int) -> str:
    text = text.removesuffix(".").removesuffix("s")
    if len(text) < least:
        return ""
    found = [word for word, name in zip(ours, names, strict=True) if name.startswith(text)]
    return found[0] if len(found) == 1 else ""


def day_of_month(text: str) -> str:
    """``1`` for ``01``, ``1.`` or ``1st``; ``-1`` for ``last``."""
    if text in ("last", "last day"):
        return "-1"
    match = _DAY_OF_MONTH.fullmatch(text)
    return match[1] + match[2] if match else ""


def year(text: str) -> str:
    """``2027`` for ``27``."""
    match = _YEAR.fullmatch(text)
    return f"20{match[1]}" if match else ""


def date(text: str) -> str:
    """``12-24`` for ``24.12.``, ``24/12`` or ``december 24``; with its year, if it has one."""
    if match := _NUMBERS.fullmatch(text):
        in_year, first, sign, second = match.groups()
        if in_year is None and int(first) > len(MONTHS):
            first, second = second, first
        elif in_year is None and sign == "/" and int(second) <= len(MONTHS):
            return ""  # 5/6 is in May here and in June there
    elif match := _DAY_FIRST.fullmatch(text):
        second, first, in_year = match.groups()
    elif match := _MONTH_THEN_DAY.fullmatch(text):
        first, second, in_year = match.groups()
    elif match := _DAY_THEN_MONTH.fullmatch(text):
        second, first, in_year = match.groups()
    else:
        return ""
    if first.isalpha():
        short = month(first)
        if not short:
            return ""
        first = str(MONTHS.index(short) + 1)
    day = f"{first:0>2}-{second:0>2}"
    return f"{in_year}-{day}" if in_year else day


def hour(text: str) -> str:
    """``07:00`` for ``7:00``, ``7``, ``7 am`` or ``7h``."""
    if text in _HOURS:
        return _HOURS[text]
    match = _CLOCK.fullmatch(text)
    if not match:
        return ""
    hours, minutes, seconds, half = int(match[1]), match[2] or "00", match[3], match[4]
    if half in ("am", "pm"):
        if not 1 <= hours <= _NOON:
            return ""
        hours = hours % _NOON + (_NOON if half == "pm" else 0)
    return f"{hours:02}:{minutes}" + (f":{seconds}" if seconds else "")
