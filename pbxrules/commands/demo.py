"""``pbxrules demo``: real calls, played to the example rules."""

import sys
from pathlib import Path
from typing import Any

import click

from pbxrules.console import given_flags, settings_options

PLACE = 50
"""Where the help lists it."""


@click.command(epilog="Example: pbxrules demo --once")
@settings_options("config", "listen", "rules", "mqtt")
@click.option("--once", is_flag=True, help="End when all has arrived; 0 only if it has.")
def demo(
    config: Path | None,
    once: bool,  # noqa: FBT001 - click gives it so
    **flags: Any,
) -> None:
    """Play six real calls to the example rules, and show what comes of them.

    Needs nothing: where no broker is configured it brings one of its own. Rules that are
    configured play instead of the examples; what it keeps is gone at its end.
    """
    from pbxrules import demo as playing

    sys.exit(playing.run(config, given_flags(flags), once=once))
