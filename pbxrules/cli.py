"""``pbxrules``: every module of ``commands`` as a command, in the order of a day's work."""

import errno
import os
import sys
from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import click

from pbxrules import __version__, commands
from pbxrules.console import UNUSABLE


class _Group(click.Group):
    """Commands in the order in which they were added, not of the alphabet."""

    def invoke(self, ctx: click.Context) -> Any:
        """Do what was asked; what the system refuses is told in a line, and ends with 2."""
        if os.environ.get("NO_COLOR"):
            ctx.color = False  # click itself does not look
        if sys.stdout is None:  # closed by who started us
            sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - until the end
        try:
            done = super().invoke(ctx)
            sys.stdout.flush()
        except OSError as exc:
            # click ends quietly where nobody reads on; and of a daemon that broke the log has
            # to tell where, and systemd has to start it again, which it does not after a 2.
            if exc.errno == errno.EPIPE or ctx.invoked_subcommand == "serve":
                raise
            where = "" if exc.filename is None else f"{exc.filename}: "
            click.echo(f"pbxrules: {where}{exc.strerror or exc}", err=True)
            _forget_what_was_printed()
            sys.exit(UNUSABLE)
        return done

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(self.commands)


@click.group(
    cls=_Group,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Begin with 'pbxrules demo'. COMMAND --help shows an example of each.",
)
@click.version_option(__version__, prog_name="pbxrules")
def main() -> None:
    """When a phone rings, something in the building happens.

    pbxrules takes the call reports of an IP-PBX, decides by the rules of a folder, and
    sends MQTT messages, runs commands and makes web requests. Nothing accepted is lost.
    """


def _forget_what_was_printed() -> None:
    """Else Python tries it again at its end, with a traceback."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _found() -> Iterator[tuple[int, click.Command]]:
    for module in iter_modules(commands.__path__):
        found = import_module(f"{commands.__name__}.{module.name}")
        yield found.PLACE, getattr(found, module.name)


for _, command in sorted(_found(), key=lambda found: found[0]):
    main.add_command(command)
