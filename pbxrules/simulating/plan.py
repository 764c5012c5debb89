"""What a person wishes of the simulated PBX, read from the words of the command's options."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from typing import Any

from pbxrules.errors import Location, Problem, ProblemsError
from pbxrules.hints import near_duration
from pbxrules.language import duration_s
from pbxrules.pbx.curves import Curve
from pbxrules.pbx.house import House
from pbxrules.simulating import phones

LONGEST_S = 366 * 86_400.0
MOST_CONNECTIONS = 500
_YEARS = range(2000, 2100)
_DURATION = re.compile("[0-9]{1,9}(?:ms|s|m|h|d)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be simulated."""

    house: House
    seed: int | None
    """None: any."""
    start_s: float | None
    """In seconds since 1970 UTC; None: nobody said."""
    duration_s: float
    speed: float
    """Simulated seconds in a real one; infinite: as fast as it goes."""
    connections: int


DEFAULTS: Mapping[str, str | None] = {
    "extensions": "101..140",
    "trunks": "2",
    "groups": None,
    "calls-per-hour": "60",
    "missed": "20",
    "transfers": None,
    "resends": "3",
    "seed": None,
    "start": None,
    "duration": "1h",
    "speed": "1",
    "connections": "16",
}
"""What holds where an option is not given; without one it depends on the others."""
_TRANSFERS = 0.08


def read(given: Mapping[str, str | None], zone: tzinfo) -> Plan:
    """The plan by the options *given*, by their names without the dashes.

    Raises:
        ProblemsError: With everything that is wrong with them.
    """
    problems: list[Problem] = []
    found: dict[str, Any] = {}
    for name, default in DEFAULTS.items():
        text = default if given.get(name) is None else given[name]
        found[name] = None
        if text is not None:
            try:
                found[name] = _READERS[name](text.strip(), zone)
            except ValueError as exc:
                problems.append(_problem(name, str(exc)))
    house = None if _spoilt(problems, _HOUSE) else _house(found, problems)
    if problems or house is None:
        raise ProblemsError(problems)
    return Plan(
        house=house,
        seed=found["seed"],
        start_s=found["start"],
        duration_s=found["duration"],
        speed=found["speed"],
        connections=found["connections"],
    )


def _problem(name: str, message: str) -> Problem:
    return Problem(Location(f"--{name}", 0, 0), "wrong-value", message)


def _spoilt(problems: list[Problem], names: tuple[str, ...]) -> bool:
    return bool({problem.where.file for problem in problems} & {f"--{name}" for name in names})


_HOUSE = ("extensions", "trunks", "groups", "calls-per-hour", "missed", "transfers", "resends")


def _house(found: Mapping[str, Any], problems: list[Problem]) -> House | None:
    """The house; None, and *problems*, where its parts don't fit together."""
    extensions = found["extensions"]
    try:
        groups = phones.grouped(found["groups"], extensions)
    except ValueError as exc:
        problems.append(_problem("groups", str(exc)))
        groups = ()
    house = House(
        extensions=extensions,
        trunks=found["trunks"],
        groups=groups,
        curve=found["calls-per-hour"],
        missed=found["missed"],
        passed_on=0.0,
        again=found["resends"],
    )
    if not house.shares:
        why = "one phone alone has nobody to call (give it a trunk, or a second extension)"
        problems.append(_problem("extensions", why))
        return None
    return _with_transfers(house, found["transfers"], problems)


def _with_transfers(house: House, wished: float | None, problems: list[Problem]) -> House:
    passed_on = _TRANSFERS if wished is None else wished
    possible = house.passes_on
    if wished and not possible:
        why = "there is nobody to pass a call on to (give 3 extensions, or 2 and a trunk)"
        problems.append(_problem("transfers", why))
    if wished is None:
        passed_on = min(passed_on, 1.0 - house.missed) if possible else 0.0
    if house.missed + passed_on > 1.0 + 1e-9:
        both = f"{house.missed:.0%} missed and {passed_on:.0%} transferred"
        why = f"{both} are more than all calls (who is transferred was not missed)"
        problems.append(_problem("transfers", why))
    return replace(house, passed_on=passed_on)


# --- One option each -------------------------------------------------------------------------


def _percent(text: str, _: tzinfo) -> float:
    try:
        percent = float(text.removesuffix("%"))
    except ValueError:
        percent = math.nan
    if not 0 <= percent <= 100:  # noqa: PLR2004 - percent
        raise ValueError(f"{text} is no percentage (0 to 100)")
    return percent / 100


def _whole(text: str, least: int, most: int) -> int:
    if not re.fullmatch("[0-9]{1,20}", text, re.ASCII) or not least <= int(text) <= most:
        raise ValueError(f"{text} is no whole number from {least:,} to {most:,}")
    return int(text)


def _speed(text: str, _: tzinfo) -> float:
    if text == "max":
        return math.inf
    try:
        speed = float(text)
    except ValueError:
        speed = math.nan
    if not 0.01 <= speed <= 100_000:  # noqa: PLR2004 - in the message
        raise ValueError(f"{text} is no speed (a number from 0.01 to 100000, or max)")
    return speed


def _duration(text: str, _: tzinfo) -> float:
    if not _DURATION.fullmatch(text):
        hint = near_duration(text) or "such as 90s, 30m or 1h"
        raise ValueError(f"{text} is no duration ({hint})")
    seconds = duration_s(text)
    if not 0 < seconds <= LONGEST_S:
        raise ValueError(f"{text} is too {'long' if seconds else 'short'} (1ms to 366d)")
    return seconds


def _start(text: str, zone: tzinfo) -> float:
    try:
        start = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text} is no day and time (such as 2026-11-24T08:00)") from None
    if start.year not in _YEARS:
        raise ValueError(f"{text} is too far away (the years 2000 to 2099)")
    return (start if start.tzinfo else start.replace(tzinfo=zone)).timestamp()


_READERS: Mapping[str, Callable[[str, tzinfo], Any]] = {
    "extensions": lambda text, _: phones.extensions(text),
    "trunks": lambda text, _: phones.trunks(text),
    "groups": lambda text, _: phones.groups(text),
    "calls-per-hour": lambda text, _: Curve.of(text),
    "missed": _percent,
    "transfers": _percent,
    "resends": _percent,
    "seed": lambda text, _: _whole(text, 0, 10**18),
    "start": _start,
    "duration": _duration,
    "speed": _speed,
    "connections": lambda text, _: _whole(text, 1, MOST_CONNECTIONS),
}
