"""``pbxrules explain``: why a rule fired, or did not."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pbxrules.console import (
    UNUSABLE,
    language_of,
    print_problems,
    settings_of,
    settings_options,
)
from pbxrules.errors import ProblemsError, ReportError, StoreError, did_you_mean
from pbxrules.reportflags import KINDS, body_of, report_options

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pbxrules.config import Config
    from pbxrules.explaining.explanation import Explanation, Then
    from pbxrules.language import Language
    from pbxrules.loading import Snapshot
    from pbxrules.model import Event, Moment, Rule

PLACE = 72
"""Where the help lists it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wish:
    """What is to be explained."""

    what: str | None
    file: Any
    told: "Mapping[str, str | None]"
    at: str | None
    rules: tuple[str, ...]

    @property
    def id(self) -> int:
        """Of the stored event; 0 where it is none."""
        return int(self.what) if self.what is not None and self.what.isdecimal() else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Subject:
    """The event that is explained, and what was decided as it came."""

    event: "Event"
    came: "Moment"
    id: int = 0
    then: "Mapping[str, Then] | None" = None


@click.command(epilog="Example: pbxrules explain ring --extension 101 --caller 0301234 --at 23:00")
@click.argument("what", metavar="[ID|KIND]", required=False)
@report_options
@click.option("--file", type=click.File("rb"), help="This report (JSON) instead; - is stdin.")
@click.option("--at", metavar="TIME", help="As if it came then: 23:00, 2026-11-24T23:00, 7d (ago).")
@click.option("--rule", "only", multiple=True, metavar="ID", help="Only this rule (repeat).")
@click.option("--all", "every", is_flag=True, help="All rules, not only the nearest ones.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@settings_options("config", "rules", "state")
def explain(
    what: str | None,
    file: Any,
    at: str | None,
    only: tuple[str, ...],
    every: bool,  # noqa: FBT001 - click gives it so
    as_json: bool,  # noqa: FBT001
    config: Path | None,
    rules: str | None,
    state: str | None,
    **told: str | None,
) -> None:
    """Why each rule fires for an event, or does not: all its tests, and what they found.

    ID is an event that 'pbxrules events' lists: it is explained at its own moment, beside what
    was decided then. Or give a KIND of report with flags, as 'send' takes them, or --file.
    What rules remember is worked out from the events that are kept. Nothing is sent.

    Exits with 0 if it could be explained, 2 if the event, a rule or the configuration can't be
    used.
    """
    wish = _Wish(what=what, file=file, told=told, at=at, rules=only)
    _check(wish)
    settings = settings_of(config, rules=rules, state=state)
    try:
        explanation, language = _explained(wish, settings)
    except ProblemsError as exc:
        print_problems(exc.problems)
        sys.exit(UNUSABLE)
    except ReportError as exc:
        _print_refusal(exc)
        sys.exit(UNUSABLE)
    except StoreError as exc:
        click.echo(f"pbxrules: {exc}", err=True)
        sys.exit(UNUSABLE)
    _show(explanation, language, every=every or bool(only), as_json=as_json)


def _check(wish: _Wish) -> None:
    """Refuse what does not fit together."""
    kind = None if wish.id else wish.what
    if (wish.what is None) == (wish.file is None):
        kinds = ", ".join(KINDS)
        raise click.UsageError(f"give an event's ID, a KIND ({kinds}) or --file")
    if kind is not None and kind not in KINDS:
        hint = did_you_mean(kind, KINDS) or f"there are {', '.join(KINDS)}"
        raise click.UsageError(f"'{kind}' is neither an event's number nor a report ({hint})")
    given = [name for name, value in wish.told.items() if value is not None]
    if wish.id and given:
        flag = given[0].replace("_", "-")
        raise click.UsageError(f"event {wish.id} is stored: --{flag} can't change it")


def _explained(wish: _Wish, settings: "Config") -> "tuple[Explanation, Language]":
    from pbxrules import engine, loading
    from pbxrules.explaining.explanation import Explanation
    from pbxrules.explaining.trees import explain as trees_of
    from pbxrules.replaying.player import EndlessError
    from pbxrules.retracing import Until, retrace

    language = language_of(settings)
    snapshot = loading.load(loading.rule_files(settings.rules), language)
    chosen = _rules(wish, snapshot)
    store = settings.state / "pbxrules.db"
    subject = _stored(wish, store, language) if wish.id else _told(wish, language)
    until = Until(came=subject.came, id=subject.id, moved=wish.at is not None)
    try:
        path = store if store.exists() else None
        past = retrace(path, snapshot.ruleset, language, until)
    except EndlessError as exc:
        raise StoreError(f"what came before can't be worked out: {exc}") from exc
    number = subject.id or 1 << 40  # none that is stored
    ruleset = snapshot.ruleset
    arrival = engine.arrival(ruleset, past.memory, subject.event, number, past.now)
    return Explanation(
        event=subject.event,
        id=subject.id,
        at_s=subject.came.wall_s,
        remembered=past.remembered,
        trees=trees_of(ruleset, past.memory, arrival, past.now, chosen),
        then=_of_chosen(subject.then, wish),
    ), language


def _of_chosen(then: "Mapping[str, Then] | None", wish: _Wish) -> "Mapping[str, Then] | None":
    """What was decided on the rules that are asked for."""
    if then is None or not wish.rules:
        return then
    return {rule: told for rule, told in then.items() if rule in wish.rules}


def _rules(wish: _Wish, snapshot: "Snapshot") -> "Sequence[Rule]":
    known = snapshot.ruleset.by_id
    for name in wish.rules:
        if name not in known:
            hint = did_you_mean(name, known) or "one with enabled: false never fires"
            raise click.UsageError(f"no rule is called '{name}' ({hint})")
    return [known[name] for name in wish.rules]


# --- The event -------------------------------------------------------------------------------


def _moment(wish: _Wish, language: "Language", now: "Moment") -> "Moment":
    from pbxrules import timewords
    from pbxrules.model import Moment

    if wish.at is None:
        return now
    try:
        wall_s = timewords.wall_s(wish.at, zone=language.zone, now_s=now.wall_s)
    except ValueError as exc:
        raise click.UsageError(f"--at: {exc}") from exc
    return Moment(boot="", uptime_s=0.0, wall_s=wall_s)


def _told(wish: _Wish, language: "Language") -> _Subject:
    """The event of a report that flags tell, or a file.

    Raises:
        ReportError: It would be refused.
    """
    from pbxrules.clock import Clock, iso
    from pbxrules.pbx import openvox
    from pbxrules.pbx.body import parse

    came = _moment(wish, language, Clock().now())
    body = body_of(wish.what, wish.file, wish.told)
    at = iso(came.wall_s)
    event = openvox.read(parse(body), schemas=language.event_schemas, received_at=at)
    return _Subject(event=event, came=came)


def _stored(wish: _Wish, store: Path, language: "Language") -> _Subject:
    """An event of the store.

    Raises:
        StoreError: The store can't be read.
    """
    from pbxrules.clock import Clock
    from pbxrules.explaining.explanation import then_of
    from pbxrules.store import history, reading

    if not store.exists():
        raise click.UsageError(f"no daemon has kept its state in {store.parent} (--state DIR)")
    with reading.opened(store) as db:
        oldest, newest = history.span(db)
        if not oldest <= wish.id <= newest:  # SQLite takes no number over 64 bits
            raise click.UsageError(_not_kept(wish.id, oldest, newest))
        found = reading.events(db, after=wish.id - 1, at_most=1)
        pasts = list(history.events(db, after=wish.id - 1, before=wish.id + 1))
    if not pasts or found[0].id != wish.id:
        raise click.UsageError(_not_kept(wish.id, oldest, newest))
    (record,), (past,) = found, pasts
    came = past.came if wish.at is None else _moment(wish, language, Clock().now())
    then = then_of(record.event, record.verdicts, record.runs)
    return _Subject(event=record.event, came=came, id=record.id, then=then)


def _not_kept(number: int, oldest: int, newest: int) -> str:
    kept = f"there are {oldest} to {newest}" if newest else "there is none yet"
    return f"no event {number} is kept ({kept})"


# --- What is printed -------------------------------------------------------------------------


def _print_refusal(exc: ReportError) -> None:
    from pbxrules.printable import escape

    click.echo(f"pbxrules: {exc.title}", err=True)
    for error in exc.errors:
        click.echo(escape(f"    {error.pointer} {error.message}"), err=True)


def _show(explanation: "Explanation", language: "Language", *, every: bool, as_json: bool) -> None:
    from rich.console import Console

    from pbxrules.clock import iso
    from pbxrules.explainbook import Page
    from pbxrules.explaining import explanation as told

    if as_json:
        click.echo(json.dumps(told.as_json(explanation, iso), indent=2))
        return
    page = Page(zone=language.zone, all=every)
    page.show(explanation, Console(highlight=False, soft_wrap=True))
