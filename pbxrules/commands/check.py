"""``pbxrules check``: what is wrong with rules."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pbxrules.console import (
    BAD,
    UNUSABLE,
    broker_warnings,
    counted,
    language_of,
    print_problems,
    settings_of,
    settings_options,
)
from pbxrules.errors import Problem, ProblemsError

if TYPE_CHECKING:
    from pbxrules.config import Config
    from pbxrules.loading import Snapshot

PLACE = 20
"""Where the help lists it."""


@click.command(epilog="Example: pbxrules check rules/night.yaml")
@settings_options("config", "rules")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "github"]),
    default="text",
    help="Lines for people, an array for programs, or GitHub's workflow commands.",
)
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
def check(config: Path | None, rules: str | None, form: str, paths: tuple[Path, ...]) -> None:
    """Say what is wrong with rules and their tests (of the configuration, without PATHS).

    Exits with 0 if all is well, 1 with problems, 2 if a file or the configuration can't be read.
    Warnings change no exit code.
    """
    settings = settings_of(config, form, rules=rules)
    try:
        found = _checked(settings, paths)
    except ProblemsError as exc:
        print_problems(exc.problems, form, err=False)
        unreadable = any(problem.code == "unreadable" for problem in exc.problems)
        sys.exit(UNUSABLE if unreadable else BAD)
    warnings = sorted([*found.snapshot.warnings, *broker_warnings(settings, found.snapshot)])
    print_problems(warnings, form, err=False)
    if form != "json":
        warned = f", {counted(len(warnings), 'warning')}" if warnings else ""
        click.echo(f"{_good(found)}{warned}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Checked:
    """What was read, and is good."""

    snapshot: "Snapshot"
    rule_files: int
    tests: int
    test_files: int


def _good(found: _Checked) -> str:
    """How much it is: ``3 rules in 2 files are good, 1 disabled, and 4 tests in 1 file``."""
    ruleset = found.snapshot.ruleset
    tests = f"{counted(found.tests, 'test')} in {counted(found.test_files, 'file')}"
    if not found.rule_files and found.test_files:
        return f"{tests} {'is' if found.tests == 1 else 'are'} good"
    count = len(ruleset.rules)
    told = f"{counted(count, 'rule')} in {counted(found.rule_files, 'file')}"
    off = f", {ruleset.disabled} disabled" if ruleset.disabled else ""
    more = f", and {tests}" if found.test_files else ""
    return f"{told} {'is' if count == 1 else 'are'} good{off}{more}"


def _checked(settings: "Config", paths: tuple[Path, ...]) -> _Checked:
    """What is in the files of *paths*, or of the configuration's folder.

    Raises:
        ProblemsError: With everything that is wrong with any of them.
    """
    from pbxrules import casefiles, loading

    language = language_of(settings)
    rules: list[Path] = []
    tests: list[Path] = []
    for path in paths or (settings.rules,):
        # Not Path's own, which raises where a folder above can't be entered.
        if not paths or os.path.isdir(path):  # noqa: PTH112
            rules += loading.rule_files(path)
            tests += casefiles.case_files(path)
        else:
            (tests if loading.holds_tests(path) else rules).append(path)
    snapshot = None
    problems: list[Problem] = []
    try:
        snapshot = loading.load(rules, language)
    except ProblemsError as exc:
        problems += exc.problems
    count, wrong = casefiles.check(tests, language)
    problems += wrong
    if snapshot is None or problems:
        raise ProblemsError(problems)
    return _Checked(snapshot=snapshot, rule_files=len(rules), tests=count, test_files=len(tests))
