"""What a file says of one time → a ``Time``, or all that is wrong with it."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Any

from pbxrules.conditions.times.days import DAY_KEYS, Days, conflict
from pbxrules.conditions.times.entries import days
from pbxrules.conditions.times.hours import DAY_S, second_of_day
from pbxrules.conditions.times.problems import Path, TimeError, TimeProblem, WrongError
from pbxrules.conditions.times.spans import Span, Time
from pbxrules.errors import did_you_mean
from pbxrules.schema import shown

KEYS = ("after", "before", *DAY_KEYS, "timezone", "any")
OTHER_WORDS: Mapping[str, str] = {
    "from": "after", "start": "after", "begin": "after", "since": "after", "at": "after",
    "to": "before", "end": "before", "until": "before", "till": "before",
    "weekday": "weekdays", "day_of_week": "weekdays", "day": "days", "day_of_month": "days",
    "month": "months", "year": "years", "date": "dates", "holidays": "dates",
    "time_zone": "timezone", "zone": "timezone", "tz": "timezone", "or": "any", "any_of": "any",
}  # fmt: skip
"""Words of other systems for the keys of a time, and ours; the schema has the same."""

_IN_WORDS = {
    "after": "after ", "before": "before ", "weekdays": "on ", "days": "on days ",
    "months": "in ", "years": "in ", "dates": "on ", "timezone": "in ",
}  # fmt: skip
_SHOWN = 5
"""Entries of a list that are named in words."""


def compile_time(
    wanted: Any,
    *,
    zone: tzinfo,
    zones: Callable[[str], tzinfo],
    zone_names: Callable[[], Iterable[str]] = tuple,
) -> Time:
    """The time that *wanted* describes.

    Args:
        wanted: As read from YAML, with numbers already as their digits.
        zone: Of the wall clock, where *wanted* names none.
        zones: The zone of an IANA name; KeyError or ValueError where there is none.
        zone_names: Those there are; only asked where a name is none of them.

    Raises:
        TimeError: With everything that is wrong with it.
    """
    reading = _Reading(zones=zones, zone_names=zone_names)
    spans = list(reading.spans(wanted, (), {}))
    if reading.problems:
        raise TimeError(reading.problems)
    by_zone: dict[tzinfo, list[Span]] = {}
    for its, span in spans:
        by_zone.setdefault(its or zone, []).append(span)
    return Time(words=_words(wanted), spans={z: tuple(by_zone[z]) for z in by_zone})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """What one key says."""

    path: Path
    text: str
    value: Any
    """Seconds, ``Days`` or a zone; None where it is wrong, which is told already."""


@dataclass(slots=True, kw_only=True)
class _Reading:
    """One time while it is read."""

    zones: Callable[[str], tzinfo]
    zone_names: Callable[[], Iterable[str]]
    problems: list[TimeProblem] = field(default_factory=list)

    def spans(
        self, wanted: Any, path: Path, around: Mapping[str, _Part]
    ) -> Iterator[tuple[tzinfo | None, Span]]:
        """The spans of *wanted*, each with its zone; *around* are the keys beside its ``any``.

        Each map of ``any`` is read as if the keys beside ``any`` stood in it, so that of a
        span over midnight they too mean the day on which it began.
        """
        if not isinstance(wanted, Mapping) or not wanted:
            self.problems.append(_no_map(wanted).at(path))
            return
        parts = dict(around)
        for key in wanted:
            at = (*path, key)
            if key not in KEYS:
                hint = _hint_for_key(str(key))
                message = f"{shown(key)} is no key of a time"
                self.problems.append(WrongError(message, hint, code="unknown-key").at(at))
            elif key in around:
                message = f"'{key}' stands in the mapping around this one too"
                self.problems.append(WrongError(message, "say it once", code="two-keys").at(at))
            elif key != "any":
                parts[key] = self._part(key, wanted[key], at)
        if "any" in wanted:
            yield from self._any(wanted["any"], (*path, "any"), parts)
        else:
            yield from self._span(parts, path)

    def _any(
        self, maps: Any, path: Path, around: Mapping[str, _Part]
    ) -> Iterator[tuple[tzinfo | None, Span]]:
        if not isinstance(maps, list) or not maps:
            empty = WrongError("this list is empty")
            hint = "such as any: [{before: 08:00}, {weekdays: sun}]"
            no_list = WrongError(f"{shown(maps)} is not a list", hint, code="wrong-type")
            self.problems.append((empty if maps == [] else no_list).at(path))
            return
        for place, wanted in enumerate(maps):
            yield from self.spans(wanted, (*path, place), around)

    def _part(self, key: str, value: Any, path: Path) -> _Part:
        made: Any = None
        try:
            if key in DAY_KEYS:
                made = days(key, value, path)
            elif key == "timezone":
                made = self._zone(value)
            else:
                made = second_of_day(key, value)
        except TimeError as exc:
            self.problems += exc.problems
        except WrongError as exc:
            self.problems.append(exc.at(path))
        return _Part(path=path, text=_listed(value, ", "), value=made)

    def _zone(self, name: Any) -> tzinfo:
        if not isinstance(name, str):
            message = f"{shown(name)} is not a time zone's name"
            raise WrongError(message, "such as Europe/Berlin", code="wrong-type")
        try:
            return self.zones(name)
        except (KeyError, ValueError):
            hint = did_you_mean(name, self.zone_names()) or "such as Europe/Berlin"
            message = f"no time zone is called {shown(name)}"
            raise WrongError(message, hint, code="unknown-zone") from None

    def _span(self, parts: Mapping[str, _Part], path: Path) -> Iterator[tuple[tzinfo | None, Span]]:
        if any(part.value is None for part in parts.values()):
            return
        asked: dict[str, Days] = {key: parts[key].value for key in parts if key in DAY_KEYS}
        start_s = parts["after"].value if "after" in parts else 0
        end_s = parts["before"].value if "before" in parts else DAY_S
        if start_s == end_s:
            self.problems.append(_no_span(parts).at(_last(parts, ("after", "before"), path)))
        if against := conflict(asked) if asked else ():
            self.problems.append(_no_day(parts, against).at(_last(parts, against, path)))
        zone = parts["timezone"].value if "timezone" in parts else None
        tests = tuple(each.hold for each in asked.values())
        yield zone, Span(start_s=start_s, end_s=end_s, days=tests)


# --- words -----------------------------------------------------------------------------------


def _hint_for_key(key: str) -> str:
    return f"say '{OTHER_WORDS[key]}'" if key in OTHER_WORDS else did_you_mean(key, KEYS)


def _no_map(wanted: Any) -> WrongError:
    if isinstance(wanted, Mapping):
        return WrongError("this mapping is empty", f"its keys: {', '.join(KEYS)}")
    hint = "say any: [{…}, {…}]" if isinstance(wanted, list) else "such as {after: 22:30}"
    return WrongError(f"{shown(wanted)} is not a mapping", hint, code="wrong-type")


def _no_span(parts: Mapping[str, _Part]) -> WrongError:
    first = parts["after"].text if "after" in parts else "00:00"
    last = parts["before"].text if "before" in parts else "24:00"
    hint = "without 'after' and 'before' it is the whole day"
    if "after" not in parts:
        hint = "midnight as the day's end is 24:00"
    elif "before" not in parts:
        hint = "midnight as the day's beginning is 00:00"
    message = f"this time never holds: from {first} to {last} there is nothing"
    return WrongError(message, hint, code="never-holds")


def _no_day(parts: Mapping[str, _Part], against: Sequence[str]) -> WrongError:
    asked = " and ".join(f"'{key}: {parts[key].text}'" for key in against)
    together = " together" if len(against) > 1 else ""
    message = f"this time never holds: no day fits {asked}{together}"
    hint = "for one or the other say any: [{…}, {…}]" if together else ""
    return WrongError(message, hint, code="never-holds")


def _last(parts: Mapping[str, _Part], keys: Iterable[str], path: Path) -> Path:
    """Where the last of *keys* stands: in the innermost map, if they are in several."""
    paths = [parts[key].path for key in keys if key in parts]
    return max(reversed(paths), key=len, default=path)


def _words(wanted: Mapping[str, Any]) -> str:
    told = [
        prefix + _listed(wanted[key], " or ") for key, prefix in _IN_WORDS.items() if key in wanted
    ]
    if "any" in wanted:
        inner = [_words(each) for each in wanted["any"][:_SHOWN]]
        inner = [f"({words})" if ", " in words else words for words in inner]
        words = " or ".join(inner) + (" or …" if len(wanted["any"]) > _SHOWN else "")
        told.append(f"({words})" if told and len(inner) > 1 else words)
    return ", ".join(told)


def _listed(value: Any, between: str) -> str:
    texts = value if isinstance(value, list) else [value]
    return between.join(map(str, texts[:_SHOWN])) + (f"{between}…" if len(texts) > _SHOWN else "")
