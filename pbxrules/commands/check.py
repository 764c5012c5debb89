"""``pbxrules check``: what is wrong with rules."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pbxrules.console import (
    BAD,
    UNUSABLE,
    broker_warnings,
    counted,
    print_problems,
    settings_of,
    settings_options,
)
from pbxrules.errors import ProblemsError

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
    """Say what is wrong with rule files (those of the configuration, unless PATHS are given).

    Exits with 0 if all is well, 1 with problems, 2 if a file or the configuration can't be read.
    Warnings change no exit code.
    """
    settings = settings_of(config, form, rules=rules)
    try:
        files, snapshot = _checked(settings, paths)
    except ProblemsError as exc:
        print_problems(exc.problems, form, err=False)
        unreadable = any(problem.code == "unreadable" for problem in exc.problems)
        sys.exit(UNUSABLE if unreadable else BAD)
    warnings = sorted([*snapshot.warnings, *broker_warnings(settings, snapshot)])
    print_problems(warnings, form, err=False)
    if form != "json":
        ruleset = snapshot.ruleset
        count = len(ruleset.rules)
        verb = "is" if count == 1 else "are"
        off = f", {ruleset.disabled} disabled" if ruleset.disabled else ""
        warned = f", {counted(len(warnings), 'warning')}" if warnings else ""
        click.echo(f"{counted(count, 'rule')} in {counted(files, 'file')} {verb} good{off}{warned}")


def _checked(settings: "Config", paths: tuple[Path, ...]) -> tuple[int, "Snapshot"]:
    """How many files were read, and what is in them.

    Raises:
        ProblemsError: With everything that is wrong with any of them.
    """
    from pbxrules import loading

    language = loading.language(
        schemas=settings.schemas,
        variables=settings.variables,
        secrets=settings.secrets,
        timezone=settings.timezone,
    )
    files: list[Path] = []
    for path in paths or (settings.rules,):
        # Not Path's own, which raises where a folder above can't be entered.
        if not paths or os.path.isdir(path):  # noqa: PTH112
            files += loading.rule_files(path)
        elif loading.holds_tests(path):
            click.echo(f"{path}: holds tests, no rules: skipped", err=True)
        else:
            files.append(path)
    return len(files), loading.load(files, language)
