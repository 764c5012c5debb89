"""Moments as a person writes them: a day, a day and a time, a time of today, so long ago."""

import re
from datetime import date, datetime, time, tzinfo

from pbxrules.language import duration_s

HOW = "such as 2026-11-24T22:30, 2026-11-24, 22:30 (today) or 7d (ago)"
LAST_S = 250_000_000_000.0
"""In the year 9892: no clock shows more."""
_AGO = re.compile("[0-9]{1,9}(?:s|m|h|d)")


def wall_s(text: str, *, zone: tzinfo, now_s: float) -> float:
    """The moment that *text* means, in seconds since 1970 UTC, never before it.

    Args:
        text: As a person writes it.
        zone: Of the wall clock, unless it says one.
        now_s: Of which day ``22:30`` is, and before when ``7d`` was.

    Raises:
        ValueError: It is no moment; the message is for the person who wrote it.
    """
    try:
        seconds = _seconds(text, zone, now_s)
    except (ValueError, OverflowError):
        raise ValueError(f"'{text}' is no moment: write it {HOW}") from None
    if not 0 <= seconds < LAST_S:
        raise ValueError(f"'{text}' is too far away")
    return seconds


def _seconds(text: str, zone: tzinfo, now_s: float) -> float:
    if _AGO.fullmatch(text):
        return now_s - duration_s(text)
    return _moment(text, datetime.fromtimestamp(now_s, zone).date(), zone).timestamp()


def _moment(text: str, today: date, zone: tzinfo) -> datetime:
    if ":" in text and "-" not in text.partition(":")[0]:
        clock = time.fromisoformat(text)
        return datetime.combine(today, clock, clock.tzinfo or zone)
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)


def told(wall_s: float, zone: tzinfo) -> str:
    """A moment by the wall clock of *zone*: ``Tue 2026-11-24 22:30:05``."""
    return f"{datetime.fromtimestamp(wall_s // 1, zone):%a %Y-%m-%d %H:%M:%S}"
