"""``pbxrules replay``: what rules would have done with the events that came."""

import sys
from collections.abc import Iterator
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
from pbxrules.errors import ProblemsError, StoreError

if TYPE_CHECKING:
    from pbxrules.config import Config
    from pbxrules.language import Language
    from pbxrules.replaying.comparing import Counts, Span
    from pbxrules.replaying.lines import Reader
    from pbxrules.replaying.past import Past
    from pbxrules.rules import RuleSet

PLACE = 74
"""Where the help lists it."""
SUCCEEDS = "nothing was sent: each action is taken to succeed at once"
UNKNOWN = "state.{} is null: nobody keeps the messages of {}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wish:
    """What is to be replayed, and how it is to be told."""

    file: Any
    begins: str | None
    ends: str | None
    form: str
    each: int


@click.command(epilog="Example: pbxrules replay --from 7d --rules new-rules")
@click.option("--from", "begins", metavar="TIME", help="Count from then on: 2026-11-24, 7d (ago).")
@click.option("--to", "ends", metavar="TIME", help="Count up to then.")
@click.option("--file", type=click.File("rb"), help="Events of this file instead; - is stdin.")
@click.option("-n", "each", type=click.IntRange(min=0), default=3, help="Of each rule; else 3.")
@click.option("--csv", "as_csv", is_flag=True, help="A row for each difference.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@settings_options("config", "rules", "state")
def replay(
    begins: str | None,
    ends: str | None,
    file: Any,
    each: int,
    as_csv: bool,  # noqa: FBT001 - click gives it so
    as_json: bool,  # noqa: FBT001
    config: Path | None,
    rules: str | None,
    state: str | None,
) -> None:
    """What rules would have done with the events that came, beside what was done.

    The events that are kept go through the rules (--rules: new ones) on their own time.
    Nothing is sent. A file holds one JSON object a line: what 'pbxrules events --json' prints,
    or {"at": TIME, "report": {…}}.

    Exits with 0 whatever differs, 2 if the rules, the events or the configuration can't be used.
    """
    if as_csv and as_json:
        raise click.UsageError("take one of --csv and --json")
    form = "csv" if as_csv else "json" if as_json else "text"
    wish = _Wish(file=file, begins=begins, ends=ends, form=form, each=each)
    settings = settings_of(config, rules=rules, state=state)
    try:
        sys.exit(_replayed(wish, settings))
    except ProblemsError as exc:
        print_problems(exc.problems)
    except StoreError as exc:
        click.echo(f"pbxrules: {exc}", err=True)
    sys.exit(UNUSABLE)


def _replayed(wish: _Wish, settings: "Config") -> int:
    """Replay, and tell of it; the exit code."""
    from pbxrules import loading, replaybook
    from pbxrules.replaying.comparing import Comparison
    from pbxrules.replaying.lines import Reader
    from pbxrules.replaying.player import EndlessError, Player
    from pbxrules.replaying.replay import replay as take_again
    from pbxrules.testing.filling import placeholders

    language = language_of(settings)
    span = _span(wish, language)
    reader = None if wish.file is None else Reader(getattr(wish.file, "name", "-"), language)
    pasts = _stored(settings) if reader is None else reader.events(wish.file)
    with loading.collected_in_pieces():
        ruleset = loading.load(loading.rule_files(settings.rules), language).ruleset
        book = replaybook.book(wish.form, ruleset, zone=language.zone, each=wish.each)
        comparison = Comparison(ruleset, span, book.differs)
        player = Player(ruleset, language.verbs, placeholders(language.secrets))
        try:
            take_again(pasts, player, comparison)
        except EndlessError as exc:
            raise StoreError(f"the rules can't be replayed: {exc}") from exc
    if reader is not None and reader.bad:
        for bad in reader.bad:
            click.echo(f"{bad}", err=True)
        return UNUSABLE
    book.end(comparison.counts, _notes(ruleset, language, comparison.counts, reader))
    return 0


def _span(wish: _Wish, language: "Language") -> "Span":
    from pbxrules import timewords
    from pbxrules.clock import Clock
    from pbxrules.replaying.comparing import Span

    now_s = Clock().now().wall_s
    given = {}
    for flag, name, text in (("--from", "from_s", wish.begins), ("--to", "to_s", wish.ends)):
        if text is not None:
            try:
                given[name] = timewords.wall_s(text, zone=language.zone, now_s=now_s)
            except ValueError as exc:
                raise click.UsageError(f"{flag}: {exc}") from exc
    span = Span(**given)
    if span.from_s >= span.to_s:
        raise click.UsageError(f"nothing is between --from {wish.begins} and --to {wish.ends}")
    return span


def _stored(settings: "Config") -> "Iterator[Past]":
    """The events of the store.

    Raises:
        StoreError: It can't be read.
    """
    from pbxrules.progress import tracked
    from pbxrules.store import history, reading

    path = settings.state / "pbxrules.db"
    if not path.exists():
        raise StoreError(f"no daemon has kept its state in {path.parent} (--state DIR, or --file)")
    with reading.opened(path) as db:
        oldest, newest = history.span(db)
        pasts = history.events(db)
        yield from tracked(pasts, "events", newest - oldest + 1, lambda past: past.id - oldest)


def _notes(
    ruleset: "RuleSet", language: "Language", counts: "Counts", reader: "Reader | None"
) -> list[str]:
    """What is to be known of the figures."""
    from pbxrules import timewords
    from pbxrules.replaying.remembering import remembers, topics

    notes = [SUCCEEDS] if counts.events else []
    if remembers(ruleset) and counts.since_s is not None:
        since = timewords.told(counts.since_s, language.zone)
        notes.append(f"what was remembered is known from {since} on")
    notes += [UNKNOWN.format(name, topic) for name, topic in topics(ruleset).items()]
    if reader is not None and reader.again:
        reports = "1 report was" if reader.again == 1 else f"{reader.again:,} reports were"
        notes.append(f"{reports} sent again, which starts nothing twice")
    return notes
