"""The calls that a store's reports belong to, for people and as JSON.

They are worked out anew from the reports, as the daemon does where a rule asks for calls.
"""

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pbxrules.calls import Calls, Known, assign
from pbxrules.clock import iso
from pbxrules.model import Event, Moment
from pbxrules.printable import escape
from pbxrules.store import reading
from pbxrules.store.reading import EventRecord

READ = 5_000
"""Reports that are looked at, the last ones."""
PAGE = 500


def calls(path: Path, *, last: int | None, as_json: bool) -> None:
    """Print the last calls of a store, the newest at the end.

    Raises:
        StoreError: The store can't be read.
    """
    found = list(_calls(path))
    if not found and not as_json:
        sys.stdout.write("no calls\n")
    for told in found if last is None else found[len(found) - min(last, len(found)) :]:
        sys.stdout.write(json.dumps(told) + "\n" if as_json else escape(_line(told)) + "\n")


def _calls(path: Path) -> Iterator[dict[str, Any]]:
    table, reports = Calls(), dict[str, list[dict[str, Any]]]()
    known: dict[str, Known] = {}
    for record in _records(path):
        assigned = assign(table, record.event, _moment(record.event))
        if assigned is None:
            continue
        call, change = assigned
        table.apply(change)
        known[call.id] = change.put
        reports.setdefault(call.id, []).append(
            {"id": record.id, "event": record.event.kind, "sure": call.sure}
        )
    for key, one in known.items():
        yield {
            "id": key,
            "started": iso(one.started_s),
            "ended": None if one.ended_s is None else iso(one.ended_s),
            "seconds": None if one.ended_s is None else round(one.ended_s - one.started_s, 3),
            "direction": one.direction,
            "caller": one.caller,
            "callee": one.callee,
            "answered": one.answered,
            "extensions": list(one.extensions),
            "reports": reports[key],
        }


def _records(path: Path) -> Iterator[EventRecord]:
    with reading.opened(path) as db:
        newest = reading.before_last(db, READ)
    while True:
        with reading.opened(path) as db:  # each reading is short
            records = reading.events(db, after=newest, at_most=PAGE)
        yield from records
        if len(records) < PAGE:
            return
        newest = records[-1].id


def _moment(event: Event) -> Moment:
    """When it came; as of one boot, for all that is asked of it here is seconds between two."""
    came = datetime.fromisoformat(str(event.fields["received_at"])).astimezone(UTC)
    seconds = came.timestamp()
    return Moment(boot="", uptime_s=seconds, wall_s=seconds)


def _line(told: dict[str, Any]) -> str:
    lasts = "goes on" if told["seconds"] is None else f"{told['seconds']:.0f} s"
    fate = "answered" if told["answered"] else "not answered"
    parties = f"{told['caller'] or '?'} → {told['callee'] or '?'}"
    events = " ".join(
        f"{report['event']}{'' if report['sure'] else '?'}" for report in told["reports"]
    )
    direction = told["direction"] or ""
    return f"{told['started']} {direction:8} {parties}  {fate}, {lasts}  ({events})"
