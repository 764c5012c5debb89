"""``pbxrules``: every module of ``commands`` as a command, in the order of a day's work."""

from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules

import click

from pbxrules import __version__, commands


class _Group(click.Group):
    """Commands in the order in which they were added, not of the alphabet."""

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


def _found() -> Iterator[tuple[int, click.Command]]:
    for module in iter_modules(commands.__path__):
        found = import_module(f"{commands.__name__}.{module.name}")
        yield found.PLACE, getattr(found, module.name)


for _, command in sorted(_found(), key=lambda found: found[0]):
    main.add_command(command)
