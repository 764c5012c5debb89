"""``pbxrules send``: a report, as the PBX sends it."""

import sys
from pathlib import Path
from typing import Any

import click

from pbxrules.console import BAD, GOOD, settings_of, settings_options

KINDS = ("ring", "alert", "answer", "bye", "call_failed", "transfer", "extension_status", "cdr")

PLACE = 40
"""Where the help lists it."""


@click.command(
    epilog="Example: pbxrules send ring --extension 101 --caller 0301234 --trunk to-18-16-2"
)
@click.argument("kind", type=click.Choice(KINDS), required=False)
@click.option("--extension", help="The extension that the report is about.")
@click.option("--caller", help="Who calls.")
@click.option("--callee", help="Who is called.")
@click.option("--trunk", help="The trunk of an outside call.")
@click.option(
    "--direction",
    type=click.Choice(["internal", "inbound", "outbound"]),
    help="Which way the call goes.",
)
@click.option("--dialled", help="The number that was called from outside.")
@click.option("--reason", help="Of a call_failed.")
@click.option("--status", help="Of an extension_status or a cdr.")
@click.option("--call-id", help="The call; else one of its own.")
@click.option("--pbx", help="The PBX's serial number.")
@click.option("--file", type=click.File("rb"), help="Send this report (JSON) instead; - is stdin.")
@click.option("--url", metavar="URL", help="Where to; else where the configuration listens.")
@settings_options("config")
def send(
    kind: str | None, file: Any, url: str | None, config: Path | None, **told: str | None
) -> None:
    """Send a report as the PBX would: its own form, its own request line.

    A KIND alone is enough; what is not told is made up.
    """
    from pbxrules import sending

    if (kind is None) == (file is None):
        raise click.UsageError(f"give a KIND ({', '.join(KINDS)}) or --file")
    beside = [f"--{name.replace('_', '-')}" for name, value in told.items() if value is not None]
    if file and beside:
        raise click.UsageError(f"--file is the whole report: {', '.join(beside)} can't change it")
    if url is None:
        host, port = settings_of(config).listen[0]
        url = sending.url_of(host, port)
    try:
        body = file.read().strip() if file else sending.report(str(kind), told)
        answer = sending.send(url, body)
    except ValueError as exc:
        raise click.UsageError(str(exc)) from exc
    except OSError as exc:
        click.echo(f"pbxrules: {url}: {exc.strerror or exc} (does the daemon run there?)", err=True)
        sys.exit(BAD)
    click.echo(body.decode("utf-8", "replace"))
    click.echo(click.style(f"{answer.status} ", fg="green" if answer.ok else "red") + answer.text)
    sys.exit(GOOD if answer.ok else BAD)
