"""Who of simulated extensions is free, and the numbers outside."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from pbxrules.pbx.course import Habits

if TYPE_CHECKING:
    from random import Random

TRUNKS = ("to-18-16-2", "sip-berlin")
DIAL_S = 2.0
"""Nobody begins two calls within so many seconds: a number has to be dialled."""
_TRIES = 8


class People:
    """Extensions, and until when each has a call."""

    def __init__(self, names: Sequence[str], random: "Random", habits: Habits) -> None:
        self.names = names
        self._random = random
        self._second_line = habits.second_line
        self._free_s = dict.fromkeys(names, 0.0)
        self._begun_s = dict.fromkeys(names, -DIAL_S)

    def takes(self, name: str, at_s: float) -> bool:
        """Whether that extension is in a call that begins now."""
        if at_s < self._begun_s[name] + DIAL_S:
            return False
        return self._free_s[name] <= at_s or self._random.random() < self._second_line

    def join(self, from_s: float, until_s: Mapping[str, float]) -> None:
        """These have a call from now on, each until its time."""
        for name, end_s in until_s.items():
            self._free_s[name] = max(end_s, self._free_s[name])
            self._begun_s[name] = from_s

    def pick(self, count: int, at_s: float, but: Sequence[str] = ()) -> list[str]:
        """So many who take a call now, by chance; fewer, where there are no more."""
        found: list[str] = []
        for _ in range(_TRIES * count):  # most are free most of the time
            if len(found) == count:
                return found
            name = self._random.choice(self.names)
            if name not in found and name not in but and self.takes(name, at_s):
                found.append(name)
        rest = [name for name in self.names if name not in found and name not in but]
        self._random.shuffle(rest)
        found += [name for name in rest if self.takes(name, at_s)]
        return found[:count]


def outside_number(random: "Random") -> str:
    """A number of the public network."""
    return f"030{random.randrange(10**6):06}"
