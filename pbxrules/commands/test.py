"""``pbxrules test``: the tests of rules, run on a virtual clock."""

import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pbxrules.console import (
    BAD,
    GOOD,
    UNUSABLE,
    language_of,
    print_problems,
    settings_of,
    settings_options,
)
from pbxrules.errors import Problem, ProblemsError

if TYPE_CHECKING:
    from pbxrules.config import Config
    from pbxrules.testing.documents import Outcome
    from pbxrules.testing.running import Folder, Result

PLACE = 30
"""Where the help lists it."""
NONE_THERE = "no tests in {}: they stand beside the rules, in files *.test.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wish:
    """What is to be run, and how it is to be told."""

    paths: tuple[Path, ...]
    name: str
    first: bool
    as_json: bool
    junit: Path | None
    least: float | None


@click.command(epilog="Example: pbxrules test rules --run siren")
@settings_options("config", "rules")
@click.option("--run", "name", metavar="NAME", help="Cases with this in their name (or * and ?).")
@click.option("-x", "--exitfirst", "first", is_flag=True, help="Stop at the first that fails.")
@click.option("--watch", is_flag=True, help="Run again whenever a file of the folder changes.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.option(
    "--junit",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write JUnit's XML there, too.",
)
@click.option(
    "--min-coverage",
    "least",
    type=click.FloatRange(0, 100),
    metavar="PERCENT",
    help="Fail if less of the rules and their branches came into play.",
)
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
def test(
    config: Path | None,
    rules: str | None,
    paths: tuple[Path, ...],
    name: str | None,
    first: bool,  # noqa: FBT001 - click gives it so
    watch: bool,  # noqa: FBT001
    as_json: bool,  # noqa: FBT001
    junit: Path | None,
    least: float | None,
) -> None:
    """Run the tests of rules: the files *.test.yaml of folders, or such files alone.

    Without PATHS, those of the configuration's rules. Nothing is sent, and the clock is a
    virtual one. Exits with 0 if all is as expected, 1 if a case failed or too little was
    covered, 2 if a rule, a test or the configuration can't be used.
    """
    if watch and as_json:
        raise click.UsageError("--watch is for people, --json for programs: take one of them")
    settings = settings_of(config, rules=rules)
    wish = _Wish(
        paths=paths or (settings.rules,),
        name=name or "",
        first=first,
        as_json=as_json,
        junit=junit,
        least=least,
    )
    if watch:
        _watch(wish, settings)
    sys.exit(_once(wish, settings))


def _watch(wish: _Wish, settings: "Config") -> None:
    """Run, and again with each change, until Ctrl-C."""
    from pbxrules import watching

    folders = [path.parent if path.suffix else path for path in wish.paths]
    try:
        while True:
            before = watching.seen(folders)
            _once(wish, settings)
            click.echo("waiting for a change; Ctrl-C ends it", err=True)
            watching.wait_for_change(folders, before)
            click.echo("", err=True)
    except KeyboardInterrupt:
        sys.exit(GOOD)


def _once(wish: _Wish, settings: "Config") -> int:
    """Run all once, and tell of it; the exit code."""
    try:
        folders = _folders(wish, settings)
    except ProblemsError as exc:
        print_problems(exc.problems)
        return UNUSABLE
    if not any(file.cases for folder in folders.values() for file in folder.files):
        places = ", ".join(map(str, wish.paths))
        none = f"no case has '{wish.name}' in its name" if wish.name else NONE_THERE.format(places)
        click.echo(f"pbxrules: {none}", err=True)
        return UNUSABLE
    outcome = _run(wish, folders)
    if wish.junit is not None and not _wrote_junit(wish.junit, outcome):
        return UNUSABLE
    return GOOD if outcome.failed == 0 and _is_covered(wish, outcome) else BAD


# --- What is run -----------------------------------------------------------------------------


def _files(paths: tuple[Path, ...]) -> dict[Path, list[Path]]:
    """The test files that *paths* name, by their folder.

    Raises:
        ProblemsError: A folder is not there, or can't be listed.
    """
    from pbxrules import casefiles, loading

    found: dict[Path, list[Path]] = {}
    for path in paths:
        if loading.holds_tests(path) and not os.path.isdir(path):  # noqa: PTH112 - as in check
            found.setdefault(path.parent, []).append(path)
        elif path.suffix in (".yaml", ".yml"):
            raise click.UsageError(f"{path} holds rules, no tests: those are in files *.test.yaml")
        else:
            found.setdefault(path, []).extend(casefiles.case_files(path))
    return {folder: list(dict.fromkeys(files)) for folder, files in found.items()}


def _folders(wish: _Wish, settings: "Config") -> "dict[str, Folder]":
    """What is run, by folder.

    Raises:
        ProblemsError: With everything that is wrong with rules and tests.
    """
    from pbxrules import casefiles

    language = language_of(settings)
    found: dict[str, Folder] = {}
    problems: list[Problem] = []
    for folder, files in _files(wish.paths).items():
        try:
            found[str(folder)] = casefiles.load(folder, files, language).only(wish.name)
        except ProblemsError as exc:
            problems += exc.problems
    if problems:
        raise ProblemsError(problems)
    return found


def _run(wish: _Wish, folders: "Mapping[str, Folder]") -> "Outcome":
    """Run the cases, and tell of each as it ends."""
    import json
    import time

    from rich.console import Console

    from pbxrules.casebook import Book
    from pbxrules.testing.documents import Outcome, as_json

    book = None if wish.as_json else Book(Console(highlight=False, soft_wrap=True))
    began = time.perf_counter()
    done: list[Result] = []
    for result in _results(folders):
        done.append(result)
        if book is not None:
            book.show(result)
        if wish.first and not result.passed:
            break
    outcome = Outcome(
        results=done,
        coverages={name: folder.coverage for name, folder in folders.items()},
        seconds=time.perf_counter() - began,
    )
    if book is None:
        click.echo(json.dumps(as_json(outcome), indent=2))
        return outcome
    if wish.least is not None or _is_whole(wish, outcome):
        book.show_coverage(outcome.coverages)
    book.show_sum(outcome)
    return outcome


def _results(folders: "Mapping[str, Folder]") -> "Iterator[Result]":
    from pbxrules.testing.running import results

    for folder in folders.values():
        yield from results(folder)


def _is_whole(wish: _Wish, outcome: "Outcome") -> bool:
    """Whether all tests of the folders were run: else nobody wonders what was not covered."""
    cut_short = wish.first and outcome.failed
    return not (wish.name or cut_short) and all(path.is_dir() for path in wish.paths)


# --- What comes of it ------------------------------------------------------------------------


def _is_covered(wish: _Wish, outcome: "Outcome") -> bool:
    """Whether as much of the rules came into play as was asked for; told where not."""
    from pbxrules.testing.coverage import percent

    if wish.least is None:
        return True
    found = percent(outcome.coverages)
    if found < wish.least:
        click.echo(f"pbxrules: coverage is {found:.1f} %, wanted {wish.least:g} %", err=True)
    return found >= wish.least


def _wrote_junit(path: Path, outcome: "Outcome") -> bool:
    from pbxrules.testing.documents import junit

    try:
        path.write_text(junit(outcome), "utf-8")
    except OSError as exc:
        click.echo(f"pbxrules: can't write {path}: {exc.strerror or exc}", err=True)
        return False
    return True
