"""``pbxrules reload``: new rules for the daemon that runs."""

import sys
from pathlib import Path

import click

from pbxrules.console import BAD, UNUSABLE, counted, settings_of, settings_options

PLACE = 90
"""Where the help lists it."""


@click.command(epilog="Example: pbxrules reload && echo the new rules are in force")
@settings_options("config", "state")
def reload(config: Path | None, state: str | None) -> None:
    """Let the daemon read its rules anew, and say what came of it."""
    from pbxrules import control

    settings = settings_of(config, state=state)
    try:
        answer = control.ask(settings.state, {"do": "reload"})
    except OSError as exc:
        why = exc.strerror or exc
        click.echo(f"pbxrules: no daemon runs on {settings.state}: {why}", err=True)
        sys.exit(UNUSABLE)
    if not answer.get("reloaded"):
        for problem in answer.get("problems", []):
            click.echo(problem, err=True)
        click.echo("the old rules stay in force", err=True)
        sys.exit(BAD)
    verb = "is" if answer["rules"] == 1 else "are"
    click.echo(f"{counted(answer['rules'], 'rule')} {verb} in force")
    for warning in answer.get("warnings", []):
        click.echo(warning, err=True)
    if answer.get("needs_restart"):
        click.echo(f"needs a restart: {', '.join(answer['needs_restart'])}", err=True)
