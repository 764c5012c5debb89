"""How many calls begin in each hour of the day."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

HOURS = 24
MOST = 10_000_000.0
USUAL = 60.0
OFFICE = (
    0.0, 0.0, 0.0, 0.0, 0.0, 0.02, 0.05, 0.3, 0.7, 1.0, 1.0, 0.9,
    0.5, 0.6, 0.9, 0.9, 0.7, 0.4, 0.15, 0.05, 0.02, 0.02, 0.0, 0.0,
)  # fmt: skip
"""Of an office, for each hour from midnight on, as shares of the busiest one."""
FORMS = "such as 60, office, office:120, or 8=20,9..11=60,12..17=40"
_NUMBER = r"[0-9]{1,8}(?:\.[0-9]{1,3})?"
_PART = re.compile(rf"(?P<first>[0-9]{{1,2}})(?:\.\.(?P<last>[0-9]{{1,2}}))?=(?P<calls>{_NUMBER})")


@dataclass(frozen=True, slots=True)
class Curve:
    """Calls an hour, for each hour of the day from midnight on."""

    per_hour: tuple[float, ...]

    @classmethod
    def of(cls, text: str) -> "Curve":
        """The curve that a person wrote, in one of ``FORMS``.

        Raises:
            ValueError: Why it is none.
        """
        if re.fullmatch(_NUMBER, text):
            return cls((_calls(text),) * HOURS)
        word, colon, peak = text.partition(":")
        if word == "office":
            if colon and not re.fullmatch(_NUMBER, peak):
                raise ValueError(f"'{peak}' is no number of calls ({FORMS})")
            most = _calls(peak) if colon else USUAL
            return cls(tuple(most * share for share in OFFICE))
        return cls(_by_hours(text))

    def begins(
        self, random: "Random", *, start_s: float, duration_s: float, zone: tzinfo
    ) -> Iterator[float]:
        """When each call begins, in seconds from the start: by chance, as often as it says.

        Args:
            random: The same one in the same state gives the same.
            start_s: In seconds since 1970 UTC.
            duration_s: None begins later.
            zone: Whose hours the curve's are.
        """
        now_s = 0.0
        while now_s < duration_s:
            local = datetime.fromtimestamp(start_s + now_s, zone)
            past_s = local.minute * 60 + local.second + local.microsecond / 1e6
            end_s = min(now_s + max(3600.0 - past_s, 0.001), duration_s)
            per_s = self.per_hour[local.hour] / 3600.0
            # What has not happened by the hour's end knows nothing of how long it did not.
            while per_s:
                now_s += random.expovariate(per_s)
                if now_s >= end_s:
                    break
                yield now_s
            now_s = end_s


def _calls(text: str) -> float:
    calls = float(text)
    if calls > MOST:
        raise ValueError(f"{text} calls an hour are too many, at most {MOST:,.0f}")
    return calls


def _by_hours(text: str) -> tuple[float, ...]:
    per_hour: dict[int, float] = {}
    for part in text.split(","):
        found = _PART.fullmatch(part.strip())
        if found is None:
            raise ValueError(f"'{part}' is no number of calls ({FORMS})")
        first, last = int(found["first"]), int(found["last"] or found["first"])
        if max(first, last) >= HOURS:
            raise ValueError(f"'{part}': the hours of a day are 0 to 23")
        if last < first:
            raise ValueError(
                f"'{part}' runs backwards (write {first}..23={found['calls']} and "
                f"0..{last}={found['calls']})"
            )
        for hour in range(first, last + 1):
            if hour in per_hour:
                raise ValueError(f"hour {hour} is given twice")
            per_hour[hour] = _calls(found["calls"])
    return tuple(per_hour.get(hour, 0.0) for hour in range(HOURS))
