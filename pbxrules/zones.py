"""Time zones by their IANA names: the machine's own files, else those of ``tzdata``."""

from collections.abc import Mapping
from datetime import UTC, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

LOCALTIME = Path("/etc/localtime")


def find(name: str) -> tzinfo:
    """The zone called *name*.

    Raises:
        KeyError: There is none.
    """
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # ValueError: ../x; OSError: a folder, Europe
        raise KeyError(name) from None


def names() -> list[str]:
    """The names of all zones, sorted.  It reads some 600 files."""
    return sorted(available_timezones())


def of_machine(environment: Mapping[str, str], localtime: Path = LOCALTIME) -> tzinfo:
    """The machine's own zone, as C programs find it; UTC where it has none.

    ``TZ`` counts if it names a zone, with or without a colon before it.  Its POSIX form,
    ``CET-1CEST``, is not read.
    """
    try:
        return find(environment.get("TZ", "").removeprefix(":"))
    except KeyError:
        pass
    try:
        with localtime.open("rb") as file:
            return ZoneInfo.from_file(file, key=_name_behind(localtime))
    except (OSError, ValueError):
        return UTC


def _name_behind(localtime: Path) -> str | None:
    """``Europe/Berlin`` of ``/usr/share/zoneinfo/Europe/Berlin``."""
    parts = localtime.resolve().parts
    return "/".join(parts[parts.index("zoneinfo") + 1 :]) if "zoneinfo" in parts else None
