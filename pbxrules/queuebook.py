"""What is owed, what waits and what was given up, for people and as JSON."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pbxrules import runs
from pbxrules.byhand import name_of
from pbxrules.clock import iso
from pbxrules.memory import TIMED
from pbxrules.model import Moment, Run, Tried
from pbxrules.printable import escape
from pbxrules.showing import SHOWN_AS, STYLES
from pbxrules.store import reading

LAST_GIVEN_UP = 20
HEADS = {"owed": "owed", "waiting": "waiting", "given_up": "given up"}
"""The kinds, in the order in which they are shown, and what people call them."""
KINDS = {"trying": "owed"}
"""The kind that a state is of, where it is none itself."""
STYLE = {"owed": STYLES["owed"], "waiting": STYLES["waits"], "given_up": STYLES["failed"]}
WAITS = {
    "for": "fires in {}", "delay": "goes on in {}", "wait_for": "waits, for another {} at most",
    "lane": "waits for the run before it to end", "join": "waits for its actions to end",
}  # fmt: skip
NOT_READY = {"mqtt": "the broker is not connected"}
"""Why an action can't be tried now, by its verb."""
SPANS = ((86_400.0, "d"), (3_600.0, "h"), (60.0, "min"))


def entries(
    path: Path, *, live: Mapping[str, Any], now: Moment, given_up: int = LAST_GIVEN_UP
) -> list[dict[str, Any]]:
    """The queue of a store, one entry for each run, what comes next first.

    Args:
        path: The store's file.
        live: What the daemon that runs says of it; empty where none does.
        now: The moment.
        given_up: The last so many of those that were given up.

    Raises:
        StoreError: The store can't be read.
    """
    with reading.opened(path) as db:
        still, ended = reading.queue(db, given_up=given_up)
    trying, not_ready = set(live.get("trying", ())), set(live.get("not_ready", ()))
    owed = [_owed(run, trying, not_ready) for run in _in_order(still, now) if _owes(run)]
    waiting = [_waiting(run) for run in _in_order(still, now) if not _owes(run)]
    ended.sort(key=lambda run: run.due.wall_s)
    return [*owed, *waiting, *map(_given_up, ended)]


def _owes(run: Run) -> bool:
    return run.verb not in TIMED


def _in_order(still: Sequence[Run], now: Moment) -> list[Run]:
    return sorted(still, key=lambda run: (runs.left_s(run.due, run.next_try, now), run.id))


def _owed(run: Run, trying: set[str], not_ready: set[str]) -> dict[str, Any]:
    tried = name_of(run.id) in trying
    why = run.trouble
    if not why and not tried and run.verb in not_ready:
        why = NOT_READY.get(run.verb, f"no '{run.verb}' can be tried now")
    return _entry(run, state="trying" if tried else "owed", reason=why)


def _waiting(run: Run) -> dict[str, Any]:
    return _entry(run, state="waiting", reason="")


def _given_up(run: Run) -> dict[str, Any]:
    bad = _failed(run)
    last = bad[-1] if bad else None
    entry = _entry(run, state="given_up", reason="; ".join(one.reason for one in bad))
    if last is not None:
        verb = last.verb if len(bad) == 1 else "join"
        entry |= {"action": SHOWN_AS.get(verb, verb), "attempts": last.attempts}
    return {**entry, "position": run.given_up, "next_at": None, "expires_at": None}


def _failed(run: Run) -> list[Tried]:
    """What was not done of the step that a run was given up at; of a ``parallel`` maybe many."""
    last = {tried.position: tried for tried in run.tried}
    within = [t for path, t in last.items() if f"{path}/".startswith(f"{run.given_up}/")]
    return [tried for tried in within if tried.state != "done"] or list(run.tried[-1:])


def _entry(run: Run, *, state: str, reason: str) -> dict[str, Any]:
    timeless = run.verb == "join" or (run.verb == "lane" and run.expires_s is None)
    late = None if run.expires_s is None else run.due.wall_s + run.expires_s
    return {
        "run": name_of(run.id),
        "state": state,
        "rule": run.rule,
        "position": run.position,
        "action": SHOWN_AS.get(run.verb, run.verb),
        "attempts": run.attempt,
        "since": iso(run.due.wall_s),
        "next_at": None if timeless else iso(run.next_try.wall_s),
        "expires_at": None if late is None or run.verb == "for" else iso(late),
        "reason": reason,
        "part_of": name_of(run.parent) if run.parent else None,
        "_run": run,
    }


def kind(entry: Mapping[str, Any]) -> str:
    """``owed``, ``waiting`` or ``given_up``."""
    state: str = entry["state"]
    return KINDS.get(state, state)


def as_json(entry: Mapping[str, Any]) -> str:
    """One line of ``pbxrules queue --json``."""
    return json.dumps({name: value for name, value in entry.items() if name != "_run"})


# --- for people ------------------------------------------------------------------------------


def show(found: Sequence[Mapping[str, Any]], now: Moment) -> None:
    """Print a table on stdout."""
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=True, file=sys.stdout)
    for pieces in _lines(found, now):
        console.print(Text.assemble(*pieces))


def _lines(found: Sequence[Mapping[str, Any]], now: Moment) -> Iterator[list[tuple[str, str]]]:
    columns: dict[str, Callable[[Mapping[str, Any]], str]] = {
        "run": lambda entry: str(entry["run"]),
        "rule": lambda entry: escape(str(entry["rule"])),
        "action": lambda entry: escape(str(entry["action"])),
    }
    widths = {
        name: max((len(text(entry)) for entry in found), default=0)
        for name, text in columns.items()
    }
    styles = {"run": "bold", "rule": "bold", "action": ""}
    for name, head in HEADS.items():
        own = [entry for entry in found if kind(entry) == name]
        if own:
            yield [(head, STYLE[name])]
        for entry in own:
            cells = [(f"  {text(entry):<{widths[c]}}", styles[c]) for c, text in columns.items()]
            yield [*cells, *((f"  {escape(said)}", style) for said, style in _said(entry, now))]


def _said(entry: Mapping[str, Any], now: Moment) -> Iterator[tuple[str, str]]:
    """What there is to say of an entry, with styles."""
    run: Run = entry["_run"]
    why = entry["reason"]
    match kind(entry):
        case "given_up":
            yield entry["since"], "dim"
        case "waiting":
            yield WAITS[run.verb].format(_span(runs.left_s(run.due, run.next_try, now))), ""
        case _:
            yield _next(entry, now), ""
    if entry["expires_at"] is not None and run.expires_s is not None:
        yield f"expires in {_span(run.expires_s - now.since(run.due))}", "dim"
    if why:
        tries = entry["attempts"]
        # Where it was given up, the reason tells of the tries.
        told = f" (try {tries} failed)" if kind(entry) == "owed" and run.trouble else ""
        yield why + told, "red"


def _next(entry: Mapping[str, Any], now: Moment) -> str:
    run: Run = entry["_run"]
    left_s = runs.left_s(run.due, run.next_try, now)
    if entry["state"] == "trying":
        return "is being tried"
    return f"next try in {_span(left_s)}" if left_s > 0 else "to be tried now"


def _span(seconds: float) -> str:
    """A time as people say it: ``12 s``, ``3 min``, ``2 h``, ``4 d``."""
    for size, unit in SPANS:
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"
