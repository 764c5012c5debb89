"""``pbxrules completion``: what makes a shell complete our commands."""

import click

PLACE = 100
"""Where the help lists it."""


@click.command(epilog='Example: eval "$(pbxrules completion bash)"')
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print what makes a shell complete our commands; put it into its start file."""
    from click.shell_completion import get_completion_class

    main = click.get_current_context().find_root().command
    maker = get_completion_class(shell)
    assert maker is not None
    click.echo(maker(main, {}, "pbxrules", "_PBXRULES_COMPLETE").source())
