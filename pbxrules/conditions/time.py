"""``time: NAME``: whether a named time holds at the moment of firing."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pbxrules.conditions.leaves import in_words, leaf, one_of
from pbxrules.errors import Fault, did_you_mean
from pbxrules.model import Condition, Facts, Miss
from pbxrules.schema import Path

if TYPE_CHECKING:
    from pbxrules.conditions.reading import Kind, Reader


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
    times = [time for name in listed if (time := known.get(name))]
    words = one_of(listed)
    zones = {zone for time in times for zone in time.spans}
    zone = zones.pop() if len(zones) == 1 else reader.language.zone

    def miss(facts: Facts, *, wanted: bool) -> Miss:
        local = datetime.fromtimestamp(facts.wall_s // 1, zone)
        return Miss("time", in_words(words, so=wanted), f"{local:%a %H:%M}")

    yield leaf(f"time {words}", lambda facts: any(t.holds(facts.wall_s) for t in times), miss)


KEYS: Mapping[str, "Kind"] = {"time": _read}
