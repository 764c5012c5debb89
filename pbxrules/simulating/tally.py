"""What came of the reports that were sent: counts, and latencies in bounded memory."""

import math
from array import array
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

_STEP = 1.01
_LEAST_S = 1e-6
_SLOTS = math.ceil(math.log(1e9) / math.log(_STEP)) + 1
PERCENTILES = (50, 90, 99)
_MOST_REASONS = 20
OK = 200
"""With nothing else the PBX is content."""


class Latencies:
    """Durations from a microsecond to 17 minutes, each known to 1 %."""

    def __init__(self) -> None:
        self.count = 0
        self.longest_s = 0.0
        self._slots = array("Q", bytes(8 * _SLOTS))

    def add(self, seconds: float) -> None:
        """Count one more."""
        self.count += 1
        self.longest_s = max(self.longest_s, seconds)
        slot = math.ceil(math.log(max(seconds, _LEAST_S) / _LEAST_S) / math.log(_STEP))
        self._slots[min(slot, _SLOTS - 1)] += 1

    def percentile(self, percent: float) -> float:
        """Seconds that so many of a hundred did not exceed, at most 1 % too many; 0 of none."""
        rank = max(1, math.ceil(self.count * percent / 100))
        passed = 0
        for slot, count in enumerate(self._slots):
            passed += count
            if passed >= rank:
                return min(_LEAST_S * _STEP**slot, self.longest_s)
        return 0.0


@dataclass(slots=True)
class Tally:
    """The counts of one simulation."""

    reports: int = 0
    """That were to be sent, those that the PBX sends twice twice."""
    sent: int = 0
    """Every try of each."""
    accepted: int = 0
    refused: int = 0
    """Answered, and not 200."""
    errors: int = 0
    """Not answered."""
    again: int = 0
    """Tries after the first."""
    given_up: int = 0
    """Reports that were not accepted by their last try."""
    unfinished: int = 0
    """Reports of which nobody knows, for it was ended before."""
    statuses: Counter[int] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    latencies: Latencies = field(default_factory=Latencies)
    behind_s: float = 0.0
    """The most that a report was begun after its time, since all connections were taken."""
    first_s: float = 0.0
    last_s: float = 0.0
    """When the first was begun and the last ended, by the sender's clock."""

    def answered(self, status: int, seconds: float) -> None:
        """Count an answer."""
        self.statuses[status] += 1
        self.latencies.add(seconds)
        if status == OK:
            self.accepted += 1
        else:
            self.refused += 1

    def failed(self, reason: str) -> None:
        """Count a try that was not answered."""
        self.errors += 1
        known = reason in self.reasons or len(self.reasons) < _MOST_REASONS
        self.reasons[reason if known else "others"] += 1

    @property
    def took_s(self) -> float:
        """From the first report to the last answer."""
        return max(0.0, self.last_s - self.first_s)

    @property
    def per_s(self) -> float:
        """Answers a second."""
        return self.latencies.count / self.took_s if self.took_s else 0.0

    @property
    def good(self) -> bool:
        """Whether each report was accepted in the end."""
        return not self.given_up

    def as_json(self) -> dict[str, Any]:
        """The counts, as documented."""
        found = {f"p{p}": self.latencies.percentile(p) for p in PERCENTILES}
        found["max"] = self.latencies.longest_s
        return {
            "reports": self.reports,
            "sent": self.sent,
            "accepted": self.accepted,
            "refused": self.refused,
            "errors": self.errors,
            "sent_again": self.again,
            "given_up": self.given_up,
            "unfinished": self.unfinished,
            "statuses": {str(status): n for status, n in sorted(self.statuses.items())},
            "reasons": dict(self.reasons.most_common()),
            "latency_ms": {name: round(seconds * 1000, 3) for name, seconds in found.items()},
            "rate_per_s": round(self.per_s, 1),
            "behind_s": round(self.behind_s, 3),
            "took_s": round(self.took_s, 3),
        }
