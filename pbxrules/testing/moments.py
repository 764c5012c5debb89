"""When a test begins, and when in it something happens."""

import re
from datetime import UTC, datetime, tzinfo
from typing import Any

from pbxrules.errors import Fault
from pbxrules.hints import near_duration
from pbxrules.language import duration_s
from pbxrules.mismatches import shown
from pbxrules.schema import Path

USUAL_START = datetime(2026, 11, 24, 12, 0)  # noqa: DTZ001 - in the zone of the configuration
"""A Tuesday, at noon: where a test says nothing else."""
_DURATION = re.compile("[0-9]{1,9}(?:ms|s|m|h|d)")


def start_s(text: str | None, path: Path, zone: tzinfo, found: list[Fault]) -> float:
    """When the clock begins, in seconds since 1970 UTC."""
    begins = USUAL_START
    if text is not None:
        try:
            begins = datetime.fromisoformat(text)
        except ValueError:
            message = f"{shown(text)} is no day and time"
            found.append(Fault(path, "wrong-value", message, "such as 2026-11-24T23:00"))
    try:
        return (begins if begins.tzinfo else begins.replace(tzinfo=zone)).timestamp()
    except (OverflowError, ValueError):
        found.append(Fault(path, "wrong-value", f"{shown(text)} is too far away"))
        return 0.0


def received_at(began_s: float, at_s: float) -> str:
    """The field of that name of an event, so long after the start."""
    return datetime.fromtimestamp(began_s + at_s, UTC).isoformat(timespec="milliseconds")


def seconds(value: Any, path: Path, found: list[Fault]) -> float | None:
    """Seconds after the start; None where there is no value, or it is none."""
    if value is None:
        return None
    if isinstance(value, str) and _DURATION.fullmatch(value):
        return duration_s(value)
    hint = near_duration(value) or "such as 20s or 5m"
    message = f"{shown(value)} is no time after the start"
    found.append(Fault(path, "wrong-value", message, hint))
    return None
