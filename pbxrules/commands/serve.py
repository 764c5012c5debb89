"""``pbxrules serve``: take reports, and do what the rules say."""

import sys
from pathlib import Path
from typing import Any

import click

from pbxrules.console import (
    UNUSABLE,
    broker_warnings,
    print_problems,
    reread,
    settings_of,
    settings_options,
)
from pbxrules.errors import ProblemsError

PLACE = 10
"""Where the help lists it."""


@click.command(epilog="Example: pbxrules serve --listen 0.0.0.0:8080 --mqtt mqtt://127.0.0.1:1883")
@settings_options("config", "listen", "rules", "state", "mqtt")
def serve(config: Path | None, **flags: Any) -> None:
    """Take reports and do what the rules say, until SIGTERM.

    SIGHUP reads rules and schemas anew; if anything is wrong, nothing changes.
    """
    from pbxrules import app, logs

    settings = settings_of(config, with_secrets=True, **flags)
    try:
        daemon = app.App(settings, reread(config, flags), app.load_snapshot(settings))
    except ProblemsError as exc:
        print_problems(exc.problems)
        sys.exit(UNUSABLE)
    logs.start(settings.log_level, settings.log_format)
    without_broker = broker_warnings(settings, daemon.snapshot)
    app.log_warnings([*without_broker, *daemon.snapshot.warnings])
    sys.exit(app.serve(daemon))
