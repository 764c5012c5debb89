"""The clock: the only place that reads it, but for what the store deletes by age."""

import time
import uuid
from datetime import UTC, datetime
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
        return Moment(
            boot=self._boot, uptime_s=time.clock_gettime(self._uptime), wall_s=time.time()
        )


def iso(wall_s: float) -> str:
    """The UTC time as ISO 8601 text, to the millisecond: ``2026-11-23T06:31:00.250+00:00``."""
    return datetime.fromtimestamp(wall_s, UTC).isoformat(timespec="milliseconds")
