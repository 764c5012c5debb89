"""``pbxrules queue``: what is owed, what waits, what was given up; and a hand in it."""

import sys
from pathlib import Path
from typing import Any

import click

from pbxrules.console import (
    UNUSABLE,
    asked,
    asked_if_any,
    refuse_options_before,
    settings_of,
    settings_options,
    store_of,
)
from pbxrules.errors import StoreError

PLACE = 84
"""Where the help lists it."""
NO_DAEMON = "pbxrules: no daemon runs on {}: what is owed waits until one does"


@click.group(invoke_without_command=True, epilog="Example: pbxrules queue --owed")
@settings_options("config", "state")
@click.option("--owed", "kinds", flag_value="owed", multiple=True, help="Actions to be done.")
@click.option("--waiting", "kinds", flag_value="waiting", multiple=True, help="What waits.")
@click.option("--given-up", "kinds", flag_value="given_up", multiple=True, help="And why.")
@click.option("--rule", metavar="ID", help="Only of this rule.")
@click.option(
    "-n",
    "--last",
    type=click.IntRange(min=0),
    default=20,
    show_default=True,
    help="Only so many of those that were given up.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def queue(
    config: Path | None,
    state: str | None,
    kinds: tuple[str, ...],
    rule: str | None,
    last: int,
    as_json: bool,  # noqa: FBT001 - click gives it so
) -> None:
    """What is owed, what waits, and what was given up lately.

    Each with when it is tried next or how long it waits, and why it failed. Exits with 0, or
    with 2 if there is nothing to read.
    """
    if (command := click.get_current_context().invoked_subcommand) is not None:
        refuse_options_before(command)
        return
    from pbxrules import queuebook
    from pbxrules.clock import Clock

    path = store_of(config, state)
    live = asked_if_any(path.parent, {"do": "queue"})
    now = Clock().now()
    try:
        found = queuebook.entries(path, live=live or {}, now=now, given_up=last)
    except StoreError as exc:
        click.echo(f"pbxrules: {exc}", err=True)
        sys.exit(UNUSABLE)
    if live is None and any(queuebook.kind(entry) != "given_up" for entry in found):
        click.echo(NO_DAEMON.format(path.parent), err=True)
    wanted = [
        entry
        for entry in found
        if rule in (None, entry["rule"]) and (not kinds or queuebook.kind(entry) in kinds)
    ]
    if as_json:
        for entry in wanted:
            click.echo(queuebook.as_json(entry))
    elif wanted:
        queuebook.show(wanted, now)
    else:
        click.echo("nothing is owed, waits or was given up" if not found else "none of these")


@queue.command(epilog="Example: pbxrules queue retry 4.1")
@settings_options("config", "state")
@click.argument("run", metavar="ID")
def retry(run: str, **where: Any) -> None:
    """Try what run ID owes now; or begin it again at the step that was given up.

    ID is as 'pbxrules queue' shows it. What was given up gets the whole of its 'expires' anew;
    what was done before is not done again, but for 'finally'. Exits with 0 once that is on
    disk, with 1 if it can't be done, with 2 if no daemon runs.
    """
    answer = _asked(where, {"do": "retry", "run": run})
    told = f"{run} of rule '{answer['rule']}'"
    at = f"{answer['action']} ({answer['position']})"
    if answer["ready"]:
        click.echo(f"{told} goes on: {at}")
    else:
        click.echo(f"{told} goes on with {at} as soon as that can be tried")


@queue.command(epilog="Example: pbxrules queue drop 4.1")
@settings_options("config", "state")
@click.argument("run", metavar="ID")
def drop(run: str, **where: Any) -> None:
    """Give up what run ID owes or waits for; its 'finally' is done still.

    A command that runs is killed. Exits with 0 once that is on disk, with 1 if it can't be
    done, with 2 if no daemon runs.
    """
    answer = _asked(where, {"do": "drop", "run": run})
    told = f"{run} of rule '{answer['rule']}' is dropped"
    if answer["position"]:
        click.echo(f"{told}; {answer['action']} ({answer['position']}) is still to be done")
    else:
        click.echo(told)


def _asked(where: dict[str, Any], request: dict[str, Any]) -> Any:
    """The daemon's answer; options may stand before the word or behind it."""
    above = click.get_current_context().parent
    before = {} if above is None else above.params
    config, state = (where[name] or before.get(name) for name in ("config", "state"))
    return asked(settings_of(config, state=state).state, request)
