"""What came of cases, for people: a line for each file and case, and all about what failed."""

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from pbxrules.printable import escape
from pbxrules.testing.coverage import Coverage, percent
from pbxrules.testing.documents import Outcome, moment
from pbxrules.testing.judging import Failure
from pbxrules.testing.running import Result
from pbxrules.testing.timeline import Line, lines

if TYPE_CHECKING:
    from rich.console import Console

Pieces = list[tuple[str, str]]
"""A line, as texts with their styles."""
BEFORE = " " * 8
STYLES = {"event": "bold cyan", "broker": "yellow", "state": "magenta", "run": "", "action": ""}


class Book:
    """Prints results as they come."""

    def __init__(self, console: "Console") -> None:
        self._console = console
        self._file = ""

    def show(self, result: Result) -> None:
        """Print what came of a case."""
        if result.file != self._file:
            self._file = result.file
            self._print([(result.file, "bold")])
        style, word = ("green", "ok  ") if result.passed else ("bold red", "FAIL")
        self._print([("  ", ""), (word, style), (f"  {result.case.name}", "")])
        for failure in result.failures:
            for line in _failure(failure):
                self._print(line)
        if result.failures:
            for note in result.notes:
                self._print([(BEFORE, ""), (f"note: {note}", "dim")])
            for line in _timeline(result):
                self._print(line)

    def show_coverage(self, coverages: Mapping[str, Coverage]) -> None:
        """Print what of the rules never came into play."""
        for line in _coverage(coverages):
            self._print(line)

    def show_sum(self, outcome: Outcome) -> None:
        """Print how many there were, and how many failed."""
        cases, files = len(outcome.results), len(outcome.by_file())
        failed = outcome.failed
        told = f"{_count(cases, 'case')} in {_count(files, 'file')}: "
        ended = ("all passed", "green") if not failed else (f"{failed} failed", "bold red")
        self._print([(told, ""), ended, (f" ({outcome.seconds:.2f} s)", "dim")])

    def _print(self, pieces: Pieces) -> None:
        from rich.text import Text

        self._console.print(
            Text.assemble(*((shown(text), style) for text, style in pieces)), soft_wrap=True
        )


def shown(text: str) -> str:
    """*text* with control characters escaped; backslashes only where those are, too."""
    return text if text.isprintable() else escape(text)


def _failure(failure: Failure) -> Iterator[Pieces]:
    place = "" if failure.expected is None else f"{failure.expected.where}: "
    yield [(BEFORE, ""), (place, "dim"), (failure.says, "red")]
    for came in failure.came:
        yield [(BEFORE, ""), ("  came: ", "bold"), (came, "")]
    for why in failure.because:
        yield [(BEFORE, ""), ("  because: ", "bold"), (why, "yellow")]


def _timeline(result: Result) -> Iterator[Pieces]:
    told = lines(result.happened)
    width = max((len(moment(line.at_s)) for line in told), default=0)
    yield [(BEFORE, ""), ("what happened:", "dim")]
    before = ""
    for line in told:
        at = moment(line.at_s)
        yield [(BEFORE, ""), (f"  {at if at != before else '':>{width}}  ", "dim"), *_line(line)]
        before = at


def _line(line: Line) -> Iterable[tuple[str, str]]:
    if line.rule:
        yield "  → ", "dim"
        yield f"{line.rule} ", "bold"
    yield line.text, STYLES.get(line.kind, "") if line.good else "red"


def _coverage(coverages: Mapping[str, Coverage]) -> Iterator[Pieces]:
    each = coverages.values()
    rules = sum(len(one.rules) for one in each)
    fired = rules - sum(len(one.never_fired) for one in each)
    branches, taken = sum(len(one.branches) for one in each), sum(one.taken for one in each)
    for one in each:
        for rule in one.never_fired:
            yield [(f"{rule.where}: ", "bold"), (f"'{rule.id}' never fired", "yellow")]
        for branch in one.never_taken:
            told = f"'{branch.rule}', {branch.path}: {branch.lacking}"
            yield [(f"{branch.where}: ", "bold"), (told, "yellow")]
    told = f"{fired} of {_count(rules, 'rule')} fired"
    if branches:
        told += f", {taken} of {_count(branches, 'branch', 'branches')} taken"
    yield [(f"coverage {percent(coverages):.0f} %: ", ""), (told, "")]


def _count(number: int, noun: str, plural: str = "") -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {plural or noun + 's'}"
