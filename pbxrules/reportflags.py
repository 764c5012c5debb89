"""A report that is told by the flags of a command, or stands in a file."""

from collections.abc import Callable, Mapping
from typing import Any

import click

KINDS = ("ring", "alert", "answer", "bye", "call_failed", "transfer", "extension_status", "cdr")

_OPTIONS = (
    click.option("--extension", help="The extension that the report is about."),
    click.option("--caller", help="Who calls."),
    click.option("--callee", help="Who is called."),
    click.option("--trunk", help="The trunk of an outside call."),
    click.option(
        "--direction",
        type=click.Choice(["internal", "inbound", "outbound"]),
        help="Which way the call goes.",
    ),
    click.option("--dialled", help="The number that was called from outside."),
    click.option("--reason", help="Of a call_failed."),
    click.option("--status", help="Of an extension_status or a cdr."),
    click.option("--call-id", help="The call; else one of its own."),
    click.option("--pbx", help="The PBX's serial number."),
)


def report_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that tell what a report says."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def body_of(kind: str | None, file: Any, told: Mapping[str, str | None]) -> bytes:
    """The report of these flags, or the one that stands in *file*.

    Raises:
        click.UsageError: They don't fit together; nothing was read.
    """
    from pbxrules import sending

    given = [f"--{name.replace('_', '-')}" for name, value in told.items() if value is not None]
    if file is not None:
        if given:
            raise click.UsageError(
                f"--file is the whole report: {', '.join(given)} can't change it"
            )
        return bytes(file.read().strip())
    try:
        return sending.report(str(kind), told)
    except ValueError as exc:
        raise click.UsageError(str(exc)) from exc
