"""The spellings of a report's parties, brought to the plain form: parties at the top level.

The manufacturer's table puts them under an object ``call``, Yeastar 1.0.2 under a list
``call``, Yeastar 1.0.0 repeats ``ext``; all examples of the manufacturer are plain already.
Errors must point into the report as it was sent, so each path of the plain form that is
not where it was written has its origin beside it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pbxrules.errors import ValueProblem, pointer
from pbxrules.pbx.body import Repeated
from pbxrules.schema import Path, shown

PARTIES = ("ext", "inbound", "outbound")
"""The members that say who takes part in a call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plain:
    """A report with its parties at the top level, and ``extid`` a list where ``ext`` came twice."""

    report: Mapping[str, Any]
    origins: Mapping[Path, Path]
    """Where parts of it were written, if not at the same path."""
    problems: tuple[ValueProblem, ...]
    """What could not be brought to the plain form; with pointers into the report as sent."""

    def pointer(self, path: Path) -> str:
        """The pointer into the report as sent of what stands at *path* in the plain form."""
        for length in range(len(path), 0, -1):
            if (origin := self.origins.get(path[:length])) is not None:
                return pointer((*origin, *path[length:]))
        return pointer(path)


def is_plain(report: Mapping[str, Any]) -> bool:
    """Whether *report* has none of the three other spellings."""
    return "call" not in report and type(report.get("ext")) is not Repeated


def plain(report: Mapping[str, Any]) -> Plain:
    """*report* in the plain form; its other members as they are."""
    problems: list[ValueProblem] = []
    written: dict[str, list[tuple[Path, Any]]] = {name: [] for name in PARTIES}
    for path, value in _parties(report, problems):
        name = next(part for part in reversed(path) if isinstance(part, str))
        written[name].append((path, value))
    moved = {k: v for k, v in report.items() if k != "call" and k not in PARTIES}
    origins: dict[Path, Path] = {}
    if len(written["ext"]) > 1:
        moved["ext"] = {"extid": _joined(written.pop("ext"), origins, problems)}
    for name, places in written.items():
        for path, value in places[:1]:
            moved[name] = value
            origins[(name,)] = path
        problems += [
            ValueProblem(pointer(path), f"'{name}' is given already") for path, _ in places[1:]
        ]
    return Plain(report=moved, origins=origins, problems=tuple(problems))


def unmarked(value: Any) -> Any:
    """*value* with plain lists in the place of ``Repeated``."""
    match value:
        case dict():
            return {key: unmarked(member) for key, member in value.items()}
        case list():
            return [unmarked(item) for item in value]
        case _:
            return value


def _parties(
    members: Mapping[str, Any], problems: list[ValueProblem], path: Path = ()
) -> Iterator[tuple[Path, Any]]:
    """Every party with its path, in the order written."""
    for key, value in members.items():
        at = (*path, key)
        if key in PARTIES:
            if isinstance(value, Repeated):
                yield from (((*at, i), item) for i, item in enumerate(value))
            else:
                yield at, value
        elif at == ("call",):
            yield from _called(value, problems)


def _called(call: Any, problems: list[ValueProblem]) -> Iterator[tuple[Path, Any]]:
    if isinstance(call, list):
        places: list[tuple[Path, Any]] = [(("call", i), item) for i, item in enumerate(call)]
    else:
        places = [(("call",), call)]
    for path, value in places:
        if isinstance(value, dict):
            yield from _parties(value, problems, path)
        else:
            problems.append(ValueProblem(pointer(path), f"{shown(value)} is not a mapping"))


def _joined(
    places: list[tuple[Path, Any]], origins: dict[Path, Path], problems: list[ValueProblem]
) -> list[Any]:
    """The ``extid`` of every ``ext`` in one list."""
    extids: list[tuple[Path, Any]] = []
    for path, ext in places:
        extid = ext.get("extid") if isinstance(ext, dict) else None
        at = (*path, "extid")
        if isinstance(extid, list) and extid:
            extids += [((*at, i), item) for i, item in enumerate(extid)]
        elif isinstance(ext, dict) and "extid" in ext:
            extids.append((at, extid))
        else:
            named = isinstance(ext, dict)
            wrong = "'extid' is missing from ext" if named else f"{shown(ext)} is not a mapping"
            problems.append(ValueProblem(pointer(path), wrong))
    for i, (at, _) in enumerate(extids):
        origins[("ext", "extid", i)] = at
    # No extid at all was said above; the schema need not say it again.
    return [extid for _, extid in extids] or ["-"]
