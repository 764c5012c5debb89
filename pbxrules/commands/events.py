"""``pbxrules events``: what came, and what became of it."""

import sys
from pathlib import Path

import click

from pbxrules.console import GOOD, UNUSABLE, settings_options, store_of
from pbxrules.errors import StoreError

PLACE = 70
"""Where the help lists it."""


@click.command(epilog="Example: pbxrules events --follow")
@settings_options("config", "state")
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes.")
@click.option("-n", "--last", type=click.IntRange(min=0), help="Only so many; 20 on a terminal.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.option("--refused", is_flag=True, help="The reports that were not accepted, and why.")
def events(
    config: Path | None,
    state: str | None,
    follow: bool,  # noqa: FBT001 - click gives it so
    last: int | None,
    as_json: bool,  # noqa: FBT001
    refused: bool,  # noqa: FBT001
) -> None:
    """What came, which rules fired, and what became of each action."""
    from pbxrules import showing

    path = store_of(config, state)
    try:
        if refused:
            showing.refused(path, as_json=as_json)
        else:
            showing.events(path, last=last, follow=follow, as_json=as_json)
    except StoreError as exc:
        click.echo(f"pbxrules: {exc}", err=True)
        sys.exit(UNUSABLE)
    except KeyboardInterrupt:
        sys.exit(GOOD)
