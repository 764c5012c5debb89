"""What the store holds, for people and as JSON."""

import json
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pbxrules.clock import iso
from pbxrules.memory import TIMED
from pbxrules.misses import words
from pbxrules.model import RUNS_PER_EVENT, Run
from pbxrules.printable import escape
from pbxrules.store import reading
from pbxrules.store.reading import EventRecord

if TYPE_CHECKING:
    from rich.console import Console

LAST_ON_TERMINAL = 20
POLL_S = 0.3
PAGE = 200
SETTLE_S = 2.0
"""How long ``--follow`` waits for an event's actions before it shows them as owed."""
STYLES = {
    "done": "green", "owed": "yellow", "waits": "yellow",
    "failed": "red", "expired": "red", "dropped": "red",
}  # fmt: skip
SHOWN_AS = {"lane": "start", "join": "parallel"}
"""What a person calls what a run waits for, where that is no word of the rule's."""
WAITS = {
    "for": "until {at}", "delay": "until {at}", "wait_for": "until {at} at the latest",
    "lane": "for the run before it to end", "join": "for its actions to end",
}  # fmt: skip
CUT_SHORT = {
    "restarted": "a newer match took its place",
    "stopped": "what it waited for did not come in time",
}
"""Why a run ended before its last step, by its outcome, where no step tells."""


def event_json(record: EventRecord) -> dict[str, Any]:
    """One event as ``pbxrules events --json`` has it."""
    fields = {**record.event.fields, "payload": record.event.payload}
    return {
        "id": record.id,
        "received_at": record.event.fields["received_at"],
        "fields": fields,
        "rules": [verdict.rule for verdict in record.verdicts if verdict.matched],
        "actions": [action for run in record.runs for action in actions(run)],
    }


def actions(run: Run) -> Iterator[dict[str, Any]]:
    """What became of each action of a run; the last one may be owed still."""
    if run.parent and run.ended and not _told(run):
        return  # the run that it was a branch of tells
    for tried in run.tried:
        yield _action(run, tried.position, tried.verb, tried.state, tried.reason, tried.attempts)
    if run.outcome in CUT_SHORT and not run.parent and not _told(run):
        yield _action(run, "", "run", run.outcome, CUT_SHORT[run.outcome], 0)
    if not run.ended:
        state = "waits" if run.verb in TIMED else "owed"
        yield _action(run, run.position, run.verb, state, _why_open(run), run.attempt)


def _action(
    run: Run, position: str, verb: str, state: str, reason: str, attempts: int
) -> dict[str, Any]:
    return {
        "rule": run.rule,
        "run": f"{run.event_id}.{run.id % RUNS_PER_EVENT}",
        "position": position,
        "action": SHOWN_AS.get(verb, verb),
        "state": state,
        "reason": reason,
        "attempts": attempts,
    }


def _told(run: Run) -> bool:
    """Whether a step tells why the run was cut short."""
    return any(tried.state == "dropped" or tried.verb == "stop" for tried in run.tried)


def _why_open(run: Run) -> str:
    at = iso(run.next_try.wall_s)
    if run.verb in TIMED:
        return WAITS[run.verb].format(at=at)
    return f"next try at {at}" if run.attempt else "not done yet"


def events(path: Path, *, last: int | None, follow: bool, as_json: bool) -> None:
    """Print the events of a store; with *follow* go on until interrupted.

    Raises:
        StoreError: The store can't be read.
    """
    if last is None and not as_json and sys.stdout.isatty():
        last = LAST_ON_TERMINAL
    show = _json_printer() if as_json else _table_printer()
    newest = 0
    if last is not None:
        with reading.opened(path) as db:
            newest = reading.before_last(db, last)
    patience: float | None = None
    while True:
        with reading.opened(path) as db:
            # Read in pages, so that a large store costs little memory and no long reading.
            records = reading.events(db, after=newest, at_most=PAGE)
        for record in records:
            if follow and is_owed(record):
                # Its actions began just now: what becomes of them is worth a moment.
                patience = patience or time.monotonic() + SETTLE_S
                if time.monotonic() < patience:
                    break
            patience = None
            newest = record.id
            show(record)
        else:
            if len(records) == PAGE:
                continue
        if not follow:
            return
        time.sleep(POLL_S)


def is_owed(record: EventRecord) -> bool:
    """Whether an action of the event is still to be done."""
    return not all(run.ended for run in record.runs)


def _json_printer() -> Any:
    def show(record: EventRecord) -> None:
        sys.stdout.write(json.dumps(event_json(record), ensure_ascii=True) + "\n")
        sys.stdout.flush()

    return show


def _table_printer() -> Any:
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True)

    def show(record: EventRecord) -> None:
        for line in event_lines(record):
            _print(console, line)

    return show


def _print(console: "Console", pieces: Iterable[tuple[str, str]]) -> None:
    from rich.text import Text

    console.print(Text.assemble(*((escape(text), style) for text, style in pieces)))


_SHOWN = ("extension", "caller", "callee", "trunk", "direction", "status", "reason", "call_id")


def fields_text(fields: Mapping[str, object]) -> str:
    """The fields that a person looks at first."""
    return " ".join(f"{name}={fields[name]}" for name in _SHOWN if name in fields)


def event_lines(record: EventRecord) -> Iterator[list[tuple[str, str]]]:
    """An event in lines of styled pieces: what came, what fired, what became of it."""
    told = record.event.fields
    repeats = f"  (sent {record.repeats + 1} times)" if record.repeats else ""
    yield [
        (f"{record.id:>6} ", "bold"),
        (f"{told['received_at']} ", "dim"),
        (f"{record.event.kind} ", "bold cyan"),
        (fields_text(told) + repeats, ""),
    ]
    for verdict in record.verdicts:
        if not verdict.matched:
            why = "; ".join(words(misses, record.event) for misses in verdict.because)
            yield [("       - ", "dim"), (f"{verdict.rule}: {why}", "dim")]
    for run in record.runs:
        for action in actions(run):
            # Where it was given up, the reason tells of the tries.
            counts = action["attempts"] > 1 and action["state"] in ("done", "owed")
            tries = f" ({action['attempts']} tries)" if counts else ""
            reason = action["reason"] and f" {action['reason']}"
            yield [
                ("       → ", ""),
                (f"{run.rule} ", "bold"),
                (f"{action['action']} ", ""),
                (action["state"], STYLES.get(action["state"], "")),
                (reason + tries, ""),
            ]


def refused(path: Path, *, as_json: bool) -> None:
    """Print the reports that were not accepted.

    Raises:
        StoreError: The store can't be read.
    """
    with reading.opened(path) as db:
        records = reading.refused(db)
    for record in records:
        told = {
            "first_at": iso(record.first_wall_s),
            "last_at": iso(record.last_wall_s),
            "count": record.count,
            "status": record.status,
            "title": record.title,
            "errors": [{"pointer": e.pointer, "message": e.message} for e in record.errors],
            "body": record.body.decode("utf-8", "replace"),
        }
        if as_json:
            sys.stdout.write(json.dumps(told) + "\n")
            continue
        times = f" ({record.count} times)" if record.count > 1 else ""
        sys.stdout.write(f"{told['last_at']} {record.status} {record.title}{times}\n")
        for error in record.errors:
            sys.stdout.write(escape(f"    {error.pointer} {error.message}") + "\n")
        sys.stdout.write(escape(f"    {str(told['body'])[:500]}") + "\n")
