"""The days that a time is on, as its keys ask for them, each from its texts.

Every key takes a value, a range ``a..b`` with both ends in it, or a list of such.
"""

import calendar
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from itertools import combinations
from typing import Any, Generic, TypeVar

from pbxrules.conditions.times import spellings
from pbxrules.conditions.times.problems import WrongError
from pbxrules.conditions.times.spellings import MONTHS, WEEKDAYS

YEARS = range(2000, 2100)
"""A year outside is a slip of the pen."""
CYCLE = range(2000, 2028)
"""Years of every kind: leap or not, and begun on each weekday; within ``YEARS`` they repeat."""

_LENGTHS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_MONTH_LENGTHS = range(28, 32)
_LEAP_YEAR = 2000

_DAY = re.compile("-?(?:[1-9]|[12][0-9]|3[01])")
_YEAR = re.compile("[0-9]{4}")
_DATE = re.compile("(?:([0-9]{4})-)?([0-9]{2})-([0-9]{2})")

Annual = tuple[int, int]
"""Month and day, in every year."""
Dates = frozenset[Annual] | tuple[date, date]
"""Days of every year, or the first and the last of some that come once."""
Span = TypeVar("Span")
"""What one text, a value or a range, asks for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Days:
    """The days that one key asks for."""

    hold: Callable[[date], bool]
    years: frozenset[int] | None = None
    """They are in these years only; None: the key says nothing of years."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DayKey(Generic[Span]):
    """How the texts of one key are read."""

    wanted: str
    """What each text must be, for ``'x' is not …``."""
    read: Callable[[str], Span | None]
    """One text; None where it is nothing that this key takes.

    Raises ``WrongError`` where it is, and there is no such day.
    """
    days: Callable[[Sequence[Span]], Days]
    """The days of any of these."""
    mended: Callable[[str], str]
    """Our spelling of one end; see ``spellings``."""
    words: Sequence[str] = ()
    """All that one end may be, if those are words."""


def conflict(asked: Mapping[str, Days]) -> tuple[str, ...]:
    """The fewest of these keys that no day satisfies together; ``()`` if some day does all."""
    if _some_day(asked.values()):
        return ()
    fewer = (some for n in range(1, len(asked)) for some in combinations(asked, n))
    return next((some for some in fewer if not _some_day([asked[k] for k in some])), tuple(asked))


def _some_day(asked: Iterable[Days]) -> bool:
    parts = list(asked)
    told = [part.years for part in parts if part.years is not None]
    years = frozenset.intersection(*told) if told else CYCLE
    return any(all(part.hold(day) for part in parts) for day in _days_of(years))


def _days_of(years: Iterable[int]) -> Iterator[date]:
    for year in sorted(years):
        first = date(year, 1, 1).toordinal()
        yield from map(date.fromordinal, range(first, first + 365 + calendar.isleap(year)))


def _ends(text: str) -> tuple[str, str]:
    """Both ends of a range; of a single value, it twice."""
    first, dots, last = text.partition("..")
    return first, last if dots else first


def _backwards(first: object, last: object, also: str = "") -> WrongError:
    return WrongError(f"'{first}..{last}' runs backwards", f"say '{last}..{first}'{also}")


# --- weekdays and months, which go round ---------------------------------------------------


def _around(words: Sequence[str], text: str) -> frozenset[int] | None:
    """The places in *words* from one end on to the other, over the last one if need be."""
    first, last = _ends(text)
    if first not in words or last not in words:
        return None
    start = words.index(first)
    steps = (words.index(last) - start) % len(words)
    return frozenset((start + step) % len(words) for step in range(steps + 1))


def _weekdays(spans: Sequence[frozenset[int]]) -> Days:
    wanted = frozenset().union(*spans)
    return Days(hold=lambda day: day.weekday() in wanted)


def _months(spans: Sequence[frozenset[int]]) -> Days:
    wanted = frozenset().union(*spans)
    return Days(hold=lambda day: day.month - 1 in wanted)


# --- days of the month ---------------------------------------------------------------------


def _month_days(text: str) -> frozenset[tuple[int, int]] | None:
    """Pairs of a month's length and a day in it."""
    if not all(map(_DAY.fullmatch, _ends(text))):
        return None
    first, last = map(int, _ends(text))
    if first < 0 < last:
        message = f"'{text}' runs over the month's end"
        raise WrongError(message, f"say [{first}..-1, 1..{last}]")
    if first > last and (first > 0) == (last > 0):
        also = f", or over the month's end [{first}..-1, 1..{last}]" if first > 0 else ""
        raise _backwards(first, last, also)
    return frozenset(
        (length, day)
        for length in _MONTH_LENGTHS
        for day in range(1, length + 1)
        if _in_month(first, length) <= day <= _in_month(last, length)
    )


def _in_month(day: int, length: int) -> int:
    return day if day > 0 else length + 1 + day


def _length(day: date) -> int:
    leap = day.month == 2 and calendar.isleap(day.year)  # noqa: PLR2004 - February
    return _LENGTHS[day.month - 1] + leap


def _days_of_month(spans: Sequence[frozenset[tuple[int, int]]]) -> Days:
    wanted = frozenset().union(*spans)
    return Days(hold=lambda day: (_length(day), day.day) in wanted)


# --- years and dates -----------------------------------------------------------------------


def _checked_year(text: str) -> int:
    if int(text) not in YEARS:
        raise WrongError(f"the year {text} is not one of {YEARS[0]} to {YEARS[-1]}")
    return int(text)


def _year_span(text: str) -> frozenset[int] | None:
    if not all(map(_YEAR.fullmatch, _ends(text))):
        return None
    first, last = map(_checked_year, _ends(text))
    if first > last:
        raise _backwards(first, last)
    return frozenset(range(first, last + 1))


def _years(spans: Sequence[frozenset[int]]) -> Days:
    wanted = frozenset().union(*spans)
    return Days(hold=lambda day: day.year in wanted, years=wanted)


def _dates_span(text: str) -> Dates | None:
    first, last = map(_date, _ends(text))
    match first, last:
        case date(), date():
            if first > last:
                raise _backwards(first, last)
            return first, last
        case (_, _), (_, _):
            return _of_every_year(first, last)
        case (None, _) | (_, None):
            return None
        case _:
            message = f"of '{text}' one end has a year and the other has none"
            raise WrongError(message, "write both as MM-DD, or both as YYYY-MM-DD")


def _of_every_year(first: Annual, last: Annual) -> frozenset[Annual]:
    days = ((day.month, day.day) for day in _days_of([_LEAP_YEAR])) if first != last else (first,)
    if first <= last:
        return frozenset(day for day in days if first <= day <= last)
    return frozenset(day for day in days if day >= first or day <= last)


def _date(text: str) -> date | Annual | None:
    match = _DATE.fullmatch(text)
    if not match:
        return None
    year = _checked_year(match[1]) if match[1] else None
    month, day = int(match[2]), int(match[3])
    if not _is_day(year, month, day):
        hint = _why_no_day(match[1], match[2], match[3])
        raise WrongError(f"there is no day {text}", hint)
    return date(year, month, day) if year else (month, day)


def _is_day(year: int | None, month: int, day: int) -> bool:
    try:
        date(year or _LEAP_YEAR, month, day)
    except ValueError:
        return False
    return True


def _why_no_day(year: str | None, month: str, day: str) -> str:
    number = int(year) if year else None
    if 1 <= int(month) <= len(MONTHS):
        length = _length(date(number or _LEAP_YEAR, int(month), 1))
        return f"{MONTHS[int(month) - 1]}{f' {year}' if year else ''} has {length} days"
    if _is_day(number, int(day), int(month)):
        return f"say '{f'{year}-' if year else ''}{day}-{month}'"
    return "the month stands before the day, 01 to 12"


def _dates(spans: Sequence[Dates]) -> Days:
    annual = frozenset[Annual]().union(*(span for span in spans if isinstance(span, frozenset)))
    once = [span for span in spans if not isinstance(span, frozenset)]
    single = frozenset(first for first, last in once if first == last)
    longer = [(first, last) for first, last in once if first < last]

    def hold(day: date) -> bool:
        return (
            (day.month, day.day) in annual
            or day in single
            or any(first <= day <= last for first, last in longer)
        )

    if annual:
        return Days(hold=hold)
    years = frozenset(y for first, last in once for y in range(first.year, last.year + 1))
    return Days(hold=hold, years=years)


DAY_KEYS: Mapping[str, DayKey[Any]] = {
    "weekdays": DayKey(
        wanted="a weekday such as mon, or a range such as mon..fri",
        read=partial(_around, WEEKDAYS),
        days=_weekdays,
        mended=spellings.weekday,
        words=WEEKDAYS,
    ),
    "days": DayKey(
        wanted="a day of the month (1 to 31, or -1 for its last), or a range such as 1..7",
        read=_month_days,
        days=_days_of_month,
        mended=spellings.day_of_month,
    ),
    "months": DayKey(
        wanted="a month such as nov, or a range such as nov..feb",
        read=partial(_around, MONTHS),
        days=_months,
        mended=spellings.month,
        words=MONTHS,
    ),
    "years": DayKey(
        wanted="a year such as 2027, or a range such as 2027..2029",
        read=_year_span,
        days=_years,
        mended=spellings.year,
    ),
    "dates": DayKey(
        wanted="a date (MM-DD for every year, or YYYY-MM-DD), or a range such as 12-24..12-26",
        read=_dates_span,
        days=_dates,
        mended=spellings.date,
    ),
}
"""The keys that ask for days, by the word that stands in the YAML."""
