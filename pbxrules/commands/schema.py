"""``pbxrules schema``: the JSON Schemas that travel with pbxrules."""

import click

PLACE = 60
"""Where the help lists it."""


@click.command(epilog="Example: pbxrules schema event ring > ring.schema.json")
@click.argument("what", type=click.Choice(["rules", "tests", "config", "event"]))
@click.argument("name", required=False)
def schema(what: str, name: str | None) -> None:
    """Print a JSON Schema, for an editor or to write one of your own."""
    import json

    from pbxrules import shipped
    from pbxrules.errors import did_you_mean

    if what != "event":
        click.echo(json.dumps(shipped.schema(what), indent=2, ensure_ascii=False))
        return
    events = shipped.event_schemas()
    if name not in events:
        hint = did_you_mean(name or "", events)
        raise click.UsageError(
            f"give an event: {', '.join(events)}" + (f" ({hint})" if hint else "")
        )
    click.echo(json.dumps(events[name], indent=2, ensure_ascii=False))
