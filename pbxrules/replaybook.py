"""What would have fired, for people and for programs."""

import csv
import json
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import tzinfo
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from pbxrules.casebook import shown
from pbxrules.clock import iso
from pbxrules.printable import escape
from pbxrules.replaying.comparing import Counts, Difference, why
from pbxrules.rules import RuleSet
from pbxrules.showing import fields_text
from pbxrules.store import rows
from pbxrules.timewords import told

if TYPE_CHECKING:
    from rich.console import Console

Pieces = list[tuple[str, str]]
"""A line, as texts with their styles."""
COLUMNS = (
    "event", "at", "rule", "then", "now", "fired_at", "kind", "caller", "callee", "extension",
    "trunk", "call_id", "why",
)  # fmt: skip
"""Of ``--csv``."""
FROM_FIELDS = COLUMNS[7:12]
NAMED = 10
"""Of the rules that fire as before so many are named."""
FORMULA = "=@+-\t\r"
"""With what a spreadsheet begins a formula."""


class Book(Protocol):
    """Where it is told what would have fired."""

    def differs(self, difference: Difference) -> None:
        """Tell of a difference, as it comes."""

    def end(self, counts: Counts, notes: list[str]) -> None:
        """Tell the sum, and what is to be known of it."""


def document(difference: Difference, ruleset: RuleSet) -> dict[str, Any]:
    """A difference as ``pbxrules replay --json`` has it."""
    past = difference.past
    fired_s = difference.fired_s
    return {
        "event": past.id,
        "at": iso(past.came.wall_s),
        "rule": difference.rule,
        "then": not difference.now,
        "now": difference.now,
        "fired_at": None if fired_s is None else iso(fired_s),
        "fields": dict(past.event.fields),
        "why": why(difference, ruleset, rows.verdicts),
    }


def rules(counts: Counts, ruleset: RuleSet) -> list[dict[str, Any]]:
    """How often each rule fires, and fired: those of which that differs first."""
    names = dict.fromkeys([*ruleset.by_id, *sorted(counts.then)])
    found = [
        {
            "rule": name,
            "exists": name in ruleset.by_id,
            "then": counts.then[name] if counts.known else None,
            "now": counts.now[name],
            "more": counts.more[name],
            "less": counts.less[name],
        }
        for name in names
    ]
    return sorted(found, key=lambda one: not (one["more"] or one["less"]))


# --- for programs ----------------------------------------------------------------------------


class Csv:
    """A row for each difference."""

    def __init__(self, ruleset: RuleSet, out: TextIO) -> None:
        self._ruleset = ruleset
        self._rows = csv.writer(out, lineterminator="\n")
        self._rows.writerow(COLUMNS)

    def differs(self, difference: Difference) -> None:
        """Write its row."""
        made = document(difference, self._ruleset)
        fields: Mapping[str, Any] = made["fields"]
        words = {True: "fired", False: ""}
        self._rows.writerow(
            [
                made["event"],
                made["at"],
                _cell(made["rule"]),
                words[made["then"]],
                words[made["now"]],
                made["fired_at"] or "",
                _cell(fields["event"]),
                *(_cell(fields.get(name, "")) for name in FROM_FIELDS),
                _cell(made["why"]),
            ]
        )

    def end(self, counts: Counts, notes: list[str]) -> None:
        """Nothing: the rows are all."""


def _cell(value: object) -> str:
    """A text that a spreadsheet shows, and neither runs nor breaks at; a number stays as it is."""
    text = escape(str(value))
    dialled = text[:1] in "+-" and text[1:].isdigit()
    return f"'{text}" if text[:1] and text[0] in FORMULA and not dialled else text


class Json:
    """One object; the differences first, for they are written as they come."""

    def __init__(self, ruleset: RuleSet, out: TextIO) -> None:
        self._ruleset = ruleset
        self._out = out
        self._before = '{"differences": [\n'

    def differs(self, difference: Difference) -> None:
        """Write it."""
        self._out.write(self._before + json.dumps(document(difference, self._ruleset)))
        self._before = ",\n"

    def end(self, counts: Counts, notes: list[str]) -> None:
        """Write what is to be known of all."""
        first_s, last_s = counts.first_s, counts.last_s
        whole = {
            "events": counts.events,
            "known": counts.known,
            "first": None if first_s is None else iso(first_s),
            "last": None if last_s is None else iso(last_s),
            "rules": rules(counts, self._ruleset),
            "notes": notes,
        }
        begun = self._before if self._before.startswith("{") else "\n"
        self._out.write(f"{begun}],\n{json.dumps(whole, indent=1)[2:]}\n")


# --- for people ------------------------------------------------------------------------------


class Text:
    """A table of the rules, and below it the first differences of each."""

    def __init__(self, ruleset: RuleSet, console: "Console", *, zone: tzinfo, each: int) -> None:
        """Begin; of each rule at most *each* differences are shown."""
        self._ruleset = ruleset
        self._console = console
        self._zone = zone
        self._each = each
        self._kept: defaultdict[str, list[Difference]] = defaultdict(list)

    def differs(self, difference: Difference) -> None:
        """Keep it, if it is one of the first of its rule."""
        kept = self._kept[difference.rule]
        if len(kept) < self._each:
            kept.append(difference)

    def end(self, counts: Counts, notes: list[str]) -> None:
        """Print all."""
        from rich.text import Text as Line

        for pieces in self._lines(counts, notes):
            line = Line.assemble(*((shown(text), style) for text, style in pieces))
            self._console.print(line, soft_wrap=True)

    def _lines(self, counts: Counts, notes: list[str]) -> Iterator[Pieces]:
        yield [(self._head(counts), "bold")]
        yield from ([(f"note: {note}", "dim")] for note in notes)
        if not counts.events:
            return
        listed = rules(counts, self._ruleset)
        yield [("", "")]
        yield from _table(listed, known=counts.known > 0)
        for one in listed:
            if one["more"] or one["less"]:
                yield [("", "")]
                yield from self._differences(one)

    def _head(self, counts: Counts) -> str:
        if counts.first_s is None or counts.last_s is None:
            return "no events"
        events = "1 event" if counts.events == 1 else f"{counts.events:,} events"
        span = f"{told(counts.first_s, self._zone)} to {told(counts.last_s, self._zone)}"
        if not counts.known:
            return f"{events}, {span}: what fired then is not known"
        differences = counts.more.total() + counts.less.total()
        fired = f"rules fired {_times(counts.then.total())}, and would {_times(counts.now.total())}"
        differ = "1 differs" if differences == 1 else f"{differences:,} differ"
        differ = differ if differences else "nothing differs"
        return f"{events}, {span}: {fired}; {differ}"

    def _differences(self, one: Mapping[str, Any]) -> Iterator[Pieces]:
        yield [(one["rule"], "bold")]
        kept = self._kept[one["rule"]]
        for difference in kept:
            past = difference.past
            mark, style, word = ("+", "green", "then") if difference.now else ("-", "red", "now")
            fields = past.event.fields
            yield [
                (f"  {mark} ", style),
                (f"{past.id} ", "bold"),
                (f"{told(past.came.wall_s, self._zone)} ", "dim"),
                (f"{past.event.kind} ", "cyan"),
                (fields_text(fields), ""),
            ]
            reason = why(difference, self._ruleset, rows.verdicts)
            yield [(f"      {word}: {reason}{self._late(difference)}", style)]
        left = one["more"] + one["less"] - len(kept)
        if left:
            yield [(f"  and {left:,} more (-n {one['more'] + one['less']} shows them)", "dim")]

    def _late(self, difference: Difference) -> str:
        """When it would fire, if not at once."""
        fired_s, came_s = difference.fired_s, difference.past.came.wall_s
        if fired_s is None or fired_s == came_s:
            return ""
        return f"; it would fire at {told(fired_s, self._zone)}"


def _table(listed: list[dict[str, Any]], *, known: bool) -> Iterator[Pieces]:
    """The rules that fire otherwise, and in one line the others; all, where nobody knows."""
    shown_whole = [one for one in listed if not known or one["more"] or one["less"]]
    if shown_whole:
        width = max(len("rule"), *(len(one["rule"]) for one in shown_whole))
        yield [(f"{'rule':{width}}{'     then' if known else ''}      now", "dim")]
        yield from (_row(one, width) for one in shown_whole)
    alike = [one["rule"] for one in listed if one not in shown_whole]
    if alike:
        rules = "1 rule" if len(alike) == 1 else f"{len(alike):,} rules"
        fire = "fires" if len(alike) == 1 else "fire"
        more = f", and {len(alike) - NAMED:,} more" if len(alike) > NAMED else ""
        yield [(f"{rules} {fire} as before: {', '.join(alike[:NAMED])}{more}", "dim")]


def _row(one: Mapping[str, Any], width: int) -> Pieces:
    row: Pieces = [(f"{one['rule']:{width}}", "bold")]
    if one["then"] is not None:
        row.append((f"{one['then']:9,}", ""))
    row.append((f"{one['now']:9,}", ""))
    if one["more"]:
        row.append((f"  +{one['more']:,}", "green"))
    if one["less"]:
        row.append((f"  -{one['less']:,}", "red"))
    if not one["exists"]:
        row.append(("  (there is no such rule any more)", "dim"))
    return row


def book(form: str, ruleset: RuleSet, *, zone: tzinfo, each: int) -> Book:
    """The book for ``csv``, ``json`` or ``text``, which prints on stdout."""
    if form == "csv":
        return Csv(ruleset, sys.stdout)
    if form == "json":
        return Json(ruleset, sys.stdout)
    from rich.console import Console

    return Text(ruleset, Console(highlight=False, soft_wrap=True), zone=zone, each=each)


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number:,} times"
