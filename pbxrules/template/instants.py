"""``now``: a moment in a zone, as text by ISO 8601 and with members for its parts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Final

from pbxrules.records import record

WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@record(kw_only=False)
class Instant:
    """A moment; its zone only says how it is told."""

    wall_s: float
    """Seconds since 1970 UTC."""
    zone: tzinfo

    def __str__(self) -> str:
        return self.local().isoformat(timespec="seconds")

    def local(self) -> datetime:
        """The moment by the wall clock of its zone."""
        # Whole seconds: fromtimestamp would round up into the next one.
        return datetime.fromtimestamp(self.wall_s // 1, self.zone)


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """What stands behind ``now.``."""

    of: Callable[[datetime], object]
    doc: str
    example: object
    """Of Tuesday the 24th of November 2026, 14:05:09 in Berlin."""


INSTANT: Final[Mapping[str, Member]] = {
    "year": Member(of=lambda t: t.year, doc="The year.", example=2026),
    "month": Member(of=lambda t: t.month, doc="The month, 1 to 12.", example=11),
    "day": Member(of=lambda t: t.day, doc="The day of the month, from 1.", example=24),
    "hour": Member(of=lambda t: t.hour, doc="The hour, 0 to 23.", example=14),
    "minute": Member(of=lambda t: t.minute, doc="The minute, 0 to 59.", example=5),
    "second": Member(of=lambda t: t.second, doc="The second, 0 to 59.", example=9),
    "weekday": Member(
        of=lambda t: WEEKDAYS[t.weekday()], doc="The day of the week, mon to sun.", example="tue"
    ),
    "date": Member(of=lambda t: t.date().isoformat(), doc="The date.", example="2026-11-24"),
    "time": Member(
        of=lambda t: f"{t:%H:%M:%S}",
        doc="The time of the day.",
        example="14:05:09",
    ),
    "timestamp": Member(
        of=lambda t: int(t.timestamp()), doc="Seconds since 1970 UTC.", example=1795525509
    ),
}
"""The members of ``now``: a table from which the docs are made."""
