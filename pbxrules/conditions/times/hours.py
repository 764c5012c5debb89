"""A time of day: ``22:30``, ``22:30:15`` or ``24:00`` → seconds since its midnight."""

import re
from typing import Any

from pbxrules.conditions.times import spellings
from pbxrules.conditions.times.problems import WrongError
from pbxrules.schema import SHOWN, shown

DAY_S = 86_400
WANTED = "a time of day such as 22:30"

_WRITTEN = re.compile("([01][0-9]|2[0-3]):([0-5][0-9])(?::([0-5][0-9]))?")
_DAYS_END = ("24:00", "24:00:00")


def second_of_day(key: str, value: Any) -> int:
    """Seconds since midnight by the wall clock, 0..86400; *key* is ``after`` or ``before``.

    Raises:
        WrongError: It is no time of day.
    """
    if not isinstance(value, str):
        hint = "for several spans say any: [{after: …, before: …}, …]"
        code = "wrong-type"
        raise WrongError(f"{shown(value)} is not {WANTED}", hint, code=code)
    second = _read(value)
    if second is None:
        raise WrongError(f"{shown(value)} is not {WANTED}", _hint(key, value))
    return second


def _read(text: str) -> int | None:
    if text in _DAYS_END:
        return DAY_S
    match = _WRITTEN.fullmatch(text)
    if not match:
        return None
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return 3600 * hours + 60 * minutes + seconds


def _hint(key: str, text: str) -> str:
    loose = " ".join(text[:SHOWN].lower().split())
    if loose == "midnight":
        return f"say '{'24:00' if key == 'before' else '00:00'}'"
    if loose.startswith(("sunrise", "sunset", "dawn", "dusk")):
        return "when the sun rises and sets is not known here: write a time such as 20:00"
    first, dots, last = loose.partition("..")
    if dots and _read(first) is not None and _read(last) is not None:
        return f"say 'after: {first}' and 'before: {last}'"
    ours = spellings.hour(loose)
    return f"say '{ours}'" if _read(ours) is not None else "HH:MM or HH:MM:SS, 00:00 to 24:00"
