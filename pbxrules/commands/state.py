"""``pbxrules state``: what the rules remember, and a hand in it."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pbxrules.console import (
    UNUSABLE,
    asked,
    asked_if_any,
    language_of,
    print_problems,
    refuse_options_before,
    settings_of,
    settings_options,
)
from pbxrules.errors import ProblemsError, StoreError

if TYPE_CHECKING:
    from pbxrules.config import Config

PLACE = 86
"""Where the help lists it."""


@click.group(invoke_without_command=True, epilog="Example: pbxrules state --json")
@settings_options("config", "rules", "state")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def state(config: Path | None, rules: str | None, state: str | None, as_json: bool) -> None:  # noqa: FBT001 - click gives it so
    """What the rules remember: each name with its value.

    The names are those that rule files declare under 'state:'. Where no daemon runs the values
    are those on disk, and what a topic says is unknown. Exits with 0, or with 2 if the rules or
    the store can't be read.
    """
    if (command := click.get_current_context().invoked_subcommand) is not None:
        refuse_options_before(command)
        return
    from pbxrules import statebook

    settings = settings_of(config, rules=rules, state=state)
    live = asked_if_any(settings.state, {"do": "state"})
    try:
        told = _on_disk(settings) if live is None else live["state"]
    except ProblemsError as exc:
        print_problems(exc.problems)
        sys.exit(UNUSABLE)
    except StoreError as exc:
        click.echo(f"pbxrules: {exc}", err=True)
        sys.exit(UNUSABLE)
    statebook.show(told, as_json=as_json)


def _on_disk(settings: "Config") -> list[dict[str, Any]]:
    """The names that the rules declare, with the values that the store has.

    Raises:
        ProblemsError: The rules are not good.
        StoreError: The store can't be read.
    """
    from pbxrules import byhand, loading
    from pbxrules.memory import Memory
    from pbxrules.store import reading

    ruleset = loading.load(loading.rule_files(settings.rules), language_of(settings)).ruleset
    path = settings.state / "pbxrules.db"
    if not path.exists():
        return byhand.state_rows(ruleset.state, Memory())
    with reading.opened(path) as db:
        return byhand.state_rows(ruleset.state, Memory(reading.memory(db)))


@state.command(
    name="set",
    epilog="Example: pbxrules state set missed 0",
    context_settings={"ignore_unknown_options": True},  # a value may be -1
)
@settings_options("config", "state")
@click.argument("name")
@click.argument("value")
def set_(name: str, value: str, **where: Any) -> None:
    """Give NAME another VALUE, of the type of its first one: text, a number, true or false.

    A list is written in JSON. Runs and conditions see it from the next event on. Exits with 0
    once it is on disk, with 1 if it can't be, with 2 if no daemon runs.
    """
    above = click.get_current_context().parent
    before: Mapping[str, Any] = {} if above is None else above.params
    config, folder = (where[option] or before.get(option) for option in ("config", "state"))
    settings = settings_of(config, state=folder)
    answer = asked(settings.state, {"do": "set", "name": name, "value": value})
    from pbxrules import statebook

    click.echo(f"{answer['name']} is {statebook.shown(answer['value'])}")
