"""The clock: the only place that reads it, but for what the store deletes by age."""

import time
import uuid
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from pbxrules.model import Moment


class Clock:
    """Moments of this boot of this machine."""

    def __init__(self) -> None:
        try:
            self._boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        except OSError:  # not Linux: every start counts as a boot, spans over it by the wall
            self._boot = uuid.uuid4().hex
        # CLOCK_BOOTTIME goes on while the machine sleeps; elsewhere the monotonic clock is next.
        self._uptime = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)

    def now(self) -> Moment:
        """This moment."""
        return Moment(self._boot, time.clock_gettime(self._uptime), time.time())


def iso(wall_s: float) -> str:
    """The UTC time as ISO 8601 text, to the millisecond: ``2026-11-23T06:31:00.250+00:00``."""
    second, micros = divmod(round(wall_s * 1e6), 1_000_000)
    return f"{_second(second)}.{micros // 1000:03d}+00:00"


@lru_cache(maxsize=4)
def _second(wall_s: int) -> str:
    """A report has two such texts, and a second may have a thousand reports."""
    return datetime.fromtimestamp(wall_s, UTC).strftime("%Y-%m-%dT%H:%M:%S")
