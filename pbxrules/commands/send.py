"""``pbxrules send``: a report, as the PBX sends it."""

import sys
from pathlib import Path
from typing import Any

import click

from pbxrules.console import BAD, GOOD, settings_of, settings_options
from pbxrules.reportflags import KINDS, body_of, report_options

PLACE = 40
"""Where the help lists it."""


@click.command(
    epilog="Example: pbxrules send ring --extension 101 --caller 0301234 --trunk to-18-16-2"
)
@click.argument("kind", type=click.Choice(KINDS), required=False)
@report_options
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
    body = body_of(kind, file, told)
    if url is None:
        host, port = settings_of(config).listen[0]
        url = sending.url_of(host, port)
    try:
        answer = sending.send(url, body)
    except ValueError as exc:
        raise click.UsageError(str(exc)) from exc
    except OSError as exc:
        click.echo(f"pbxrules: {url}: {exc.strerror or exc} (does the daemon run there?)", err=True)
        sys.exit(BAD)
    click.echo(body.decode("utf-8", "replace"))
    click.echo(click.style(f"{answer.status} ", fg="green" if answer.ok else "red") + answer.text)
    sys.exit(GOOD if answer.ok else BAD)
