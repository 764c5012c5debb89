"""A time, ready to be asked whether a moment is in it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo

from pbxrules.conditions.times.spellings import WEEKDAYS

_ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One span of the wall clock, on certain days."""

    start_s: int
    """Seconds from the midnight of the day to which it belongs, 0..86400."""
    end_s: int
    """Not in it any more.  Before *start_s*: of the next day."""
    days: tuple[Callable[[date], bool], ...]
    """All must hold of the day to which it belongs."""

    def holds(self, day: date, second: int) -> bool:
        """Whether the wall clock's *second* of *day* is in it."""
        if self.start_s <= self.end_s:
            inside = self.start_s <= second < self.end_s
        elif second < self.end_s:
            inside, day = True, day - _ONE_DAY
        else:
            inside = second >= self.start_s
        return inside and all(hold(day) for hold in self.days)


@dataclass(frozen=True, slots=True, kw_only=True)
class Time:
    """Certain hours of certain days by the wall clock."""

    words: str
    """For people: ``after 22:30, before 07:00``."""
    spans: Mapping[tzinfo, tuple[Span, ...]]
    """Any of them is enough, each by the wall clock of its zone."""

    def holds(self, wall_s: float) -> bool:
        """Whether this moment, in seconds since 1970 UTC, is in it."""
        for zone, spans in self.spans.items():
            # Whole seconds: fromtimestamp would round up into the next one.
            local = datetime.fromtimestamp(wall_s // 1, zone)
            day = local.date()
            second = local.hour * 3600 + local.minute * 60 + local.second
            for span in spans:
                if span.holds(day, second):
                    return True
        return False

    def clock(self, wall_s: float) -> str:
        """What its wall clock shows, of several the first: ``fri 2026-11-27 22:30:05``."""
        local = datetime.fromtimestamp(wall_s // 1, next(iter(self.spans)))
        return f"{WEEKDAYS[local.weekday()]} {local:%Y-%m-%d %H:%M:%S}"
