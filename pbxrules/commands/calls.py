"""``pbxrules calls``: who called whom."""

import sys
from pathlib import Path

import click

from pbxrules.console import UNUSABLE, settings_options, store_of
from pbxrules.errors import StoreError

PLACE = 80
"""Where the help lists it."""


@click.command(epilog="Example: pbxrules calls -n 10")
@settings_options("config", "state")
@click.option("-n", "--last", type=click.IntRange(min=0), help="Only so many.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def calls(config: Path | None, state: str | None, last: int | None, as_json: bool) -> None:  # noqa: FBT001 - click gives it so
    """The calls that the last 5,000 reports belong to: who, whether answered, how long.

    A report that is not surely of its call has a ? behind it.
    """
    from pbxrules import callbook

    path = store_of(config, state)
    try:
        callbook.calls(path, last=last, as_json=as_json)
    except StoreError as exc:
        click.echo(f"pbxrules: {exc}", err=True)
        sys.exit(UNUSABLE)
