"""``time: NAME``: whether a named time holds at the moment of firing."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING, Any

from pbxrules.conditions.leaves import Leaf, in_words, one_of
from pbxrules.conditions.times import Time
from pbxrules.errors import Fault, did_you_mean
from pbxrules.model import Condition, Facts, Miss
from pbxrules.schema import Path

if TYPE_CHECKING:
    from pbxrules.conditions.reading import Kind, Reader


@dataclass(frozen=True, slots=True, kw_only=True)
class AtTime(Leaf):
    """Holds at one of these times."""

    names: tuple[str, ...]
    times: tuple[Time, ...]
    zone: tzinfo
    """By which a miss tells the time."""

    @property
    def says(self) -> str:
        """Its word and the names."""
        return f"time {one_of(self.names)}"

    def is_true(self, facts: Facts) -> bool:
        """Whether it is one of the times."""
        return any(time.holds(facts.wall_s) for time in self.times)

    def miss(self, facts: Facts, *, wanted: bool) -> Miss:
        """The time that it is instead."""
        local = datetime.fromtimestamp(facts.wall_s // 1, self.zone)
        return Miss("time", in_words(one_of(self.names), so=wanted), f"{local:%a %H:%M}")


def _read(wanted: Any, path: Path, reader: "Reader") -> Iterator[Condition]:
    if not reader.usable(path):
        return
    listed = wanted if isinstance(wanted, list) else [wanted]
    known = reader.declared.times
    for place, name in enumerate(listed):
        reader.used.times.add(name)
        if name not in known:
            at = (*path, place) if isinstance(wanted, list) else path
            hint = did_you_mean(name, known) or "describe it under 'times:'"
            message = f"no time is called '{name}'"
            reader.faults.append(Fault(at, "unknown-time", message, hint))
    times = tuple(time for name in listed if (time := known.get(name)))
    zones = {zone for time in times for zone in time.spans}
    zone = zones.pop() if len(zones) == 1 else reader.language.zone
    yield AtTime(names=tuple(listed), times=times, zone=zone)


KEYS: Mapping[str, "Kind"] = {"time": _read}
