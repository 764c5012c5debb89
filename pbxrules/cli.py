"""The commands.  Each imports what it needs itself, so that ``--help`` comes at once."""

# Over 300 lines: one function for each command, mostly its options.

import os
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pbxrules import __version__
from pbxrules.errors import Problem, ProblemsError, StoreError
from pbxrules.model import Step

if TYPE_CHECKING:
    from pbxrules.config import Config
    from pbxrules.loading import Snapshot

KINDS = ("ring", "alert", "answer", "bye", "call_failed", "transfer", "extension_status", "cdr")
GOOD, BAD, UNUSABLE = 0, 1, 2
"""Exit codes: it worked · it did not · the command or a file can't be used."""

NO_BROKER = "rules have mqtt actions, and no broker is configured (mqtt.url, or serve --mqtt URL)"

Options = Callable[[Callable[..., Any]], Callable[..., Any]]


class _Group(click.Group):
    """Commands in the order of a day's work, not of the alphabet."""

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


def _settings_options(*names: str) -> Options:
    """The options that change the configuration, of those that *names* lists."""
    options = {
        "config": click.option(
            "--config", type=click.Path(path_type=Path), metavar="FILE", help="The configuration."
        ),
        "listen": click.option(
            "--listen", multiple=True, metavar="HOST:PORT", help="Where reports come in (repeat)."
        ),
        "rules": click.option("--rules", metavar="DIR", help="The folder of the rules."),
        "state": click.option("--state", metavar="DIR", help="The folder of what is kept."),
        "mqtt": click.option("--mqtt", metavar="URL", help="The broker: mqtt://HOST[:PORT]."),
    }

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        for name in reversed(names):
            command = options[name](command)
        return command

    return add


def _settings(config: Path | None, *, with_secrets: bool = False, **flags: Any) -> "Config":
    """The configuration with the flags that were given; exits with 2 where it is wrong."""
    try:
        return _reread(config, flags, with_secrets=with_secrets)()
    except ProblemsError as exc:
        _print_problems(exc.problems)
        sys.exit(UNUSABLE)


def _reread(
    config: Path | None, flags: Mapping[str, Any], *, with_secrets: bool = True
) -> "Callable[[], Config]":
    from pbxrules import config as configuration

    given = _given(flags)
    return lambda: configuration.load(config, os.environ, given, with_secrets=with_secrets)


def _given(flags: Mapping[str, Any]) -> dict[tuple[str | int, ...], Any]:
    """The flags that were given, by their path in the configuration."""
    paths: dict[str, tuple[str | int, ...]] = {"mqtt": ("mqtt", "url")}
    return {
        paths.get(name, (name,)): list(value) if isinstance(value, tuple) else value
        for name, value in flags.items()
        if value
    }


def _lacks_broker(settings: "Config", snapshot: "Snapshot") -> bool:
    """Whether rules send messages that nobody will take."""
    nodes = (node for rule in snapshot.ruleset.rules for node in rule.program.nodes.values())
    return "url" not in settings.mqtt and any(
        isinstance(node.deed, Step) and node.deed.verb == "mqtt" for node in nodes
    )


def _print_problems(problems: Iterable[Problem], *, err: bool = True) -> None:
    for problem in problems:
        place = click.style(str(problem.where), bold=True)
        code = click.style(problem.code, fg="red")
        hint = f" ({problem.hint})" if problem.hint else ""
        click.echo(f"{place}: {code}: {problem.message}{hint}", err=err)


@main.command(epilog="Example: pbxrules serve --listen 0.0.0.0:8080 --mqtt mqtt://127.0.0.1:1883")
@_settings_options("config", "listen", "rules", "state", "mqtt")
def serve(config: Path | None, **flags: Any) -> None:
    """Take reports and do what the rules say, until SIGTERM.

    SIGHUP reads rules and schemas anew; if anything is wrong, nothing changes.
    """
    import logging

    from pbxrules import app, logs

    settings = _settings(config, with_secrets=True, **flags)
    try:
        snapshot = app.load_snapshot(settings)
    except ProblemsError as exc:
        _print_problems(exc.problems)
        sys.exit(UNUSABLE)
    logs.start(settings.log_level, settings.log_format)
    if _lacks_broker(settings, snapshot):
        logging.getLogger("pbxrules").warning(NO_BROKER)
    sys.exit(app.serve(_reread(config, flags), settings, snapshot))


@main.command(epilog="Example: pbxrules check rules/night.yaml")
@_settings_options("config", "rules")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
def check(config: Path | None, rules: str | None, paths: tuple[Path, ...]) -> None:
    """Say what is wrong with rule files (those of the configuration, unless PATHS are given).

    Exits with 0 if all is well, 1 with problems, 2 if a file or the configuration can't be read.
    """
    from pbxrules import loading

    settings = _settings(config, rules=rules)
    try:
        language = loading.language(
            schemas=settings.schemas,
            variables=settings.variables,
            secrets=settings.secrets,
            timezone=settings.timezone,
        )
        files: list[Path] = []
        for path in paths or (settings.rules,):
            # Not Path's own, which raises where a folder above can't be entered.
            if not paths or os.path.isdir(path):  # noqa: PTH112
                files += loading.rule_files(path)
            elif loading.holds_tests(path):
                click.echo(f"{path}: holds tests, no rules: skipped", err=True)
            else:
                files.append(path)
        snapshot = loading.load(files, language)
    except ProblemsError as exc:
        _print_problems(exc.problems, err=False)
        unreadable = any(problem.code == "unreadable" for problem in exc.problems)
        sys.exit(UNUSABLE if unreadable else BAD)
    ruleset = snapshot.ruleset
    off = f", {ruleset.disabled} disabled" if ruleset.disabled else ""
    count = len(ruleset.rules)
    verb = "is" if count == 1 else "are"
    click.echo(f"{_count(count, 'rule')} in {_count(len(files), 'file')} {verb} good{off}")
    if _lacks_broker(settings, snapshot):
        click.echo(f"warning: {NO_BROKER}", err=True)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


@main.command(
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
@_settings_options("config")
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
        host, port = _settings(config).listen[0]
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


@main.command(epilog="Example: pbxrules demo --once")
@_settings_options("config", "listen", "rules", "mqtt")
@click.option("--once", is_flag=True, help="End when all has arrived; 0 only if it has.")
def demo(
    config: Path | None,
    once: bool,  # noqa: FBT001 - click gives it so
    **flags: Any,
) -> None:
    """Play six real calls to the example rules, and show what comes of them.

    Needs nothing: where no broker is configured it brings one of its own. Rules that are
    configured play instead of the examples; what it keeps is gone at its end.
    """
    from pbxrules import demo as playing

    sys.exit(playing.run(config, _given(flags), once=once))


@main.command(epilog="Example: pbxrules schema event ring > ring.schema.json")
@click.argument("what", type=click.Choice(["rules", "config", "event"]))
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


@main.command(epilog="Example: pbxrules events --follow")
@_settings_options("config", "state")
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes.")
@click.option("-n", "--last", type=click.IntRange(min=0), help="Only so many; 20 on a terminal.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.option("--refused", is_flag=True, help="The reports that were not accepted, and why.")
def events(
    config: Path | None,
    state: str | None,
    follow: bool,  # noqa: FBT001 - click gives it so
    last: int | None,
    as_json: bool,  # noqa: FBT001
    refused: bool,  # noqa: FBT001
) -> None:
    """What came, which rules fired, and what became of each action."""
    from pbxrules import showing

    path = _store(config, state)
    try:
        if refused:
            showing.refused(path, as_json=as_json)
        else:
            showing.events(path, last=last, follow=follow, as_json=as_json)
    except StoreError as exc:
        click.echo(f"pbxrules: {exc}", err=True)
        sys.exit(UNUSABLE)
    except KeyboardInterrupt:
        sys.exit(GOOD)


@main.command(epilog="Example: pbxrules calls -n 10")
@_settings_options("config", "state")
@click.option("-n", "--last", type=click.IntRange(min=0), help="Only so many.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def calls(config: Path | None, state: str | None, last: int | None, as_json: bool) -> None:  # noqa: FBT001 - click gives it so
    """The calls that the last 5,000 reports belong to: who, whether answered, how long.

    A report that is not surely of its call has a ? behind it.
    """
    from pbxrules import callbook

    path = _store(config, state)
    try:
        callbook.calls(path, last=last, as_json=as_json)
    except StoreError as exc:
        click.echo(f"pbxrules: {exc}", err=True)
        sys.exit(UNUSABLE)


def _store(config: Path | None, state: str | None) -> Path:
    """The file of the store; exits with 2 where there is none."""
    path = _settings(config, state=state).state / "pbxrules.db"
    if not path.exists():
        click.echo(f"pbxrules: no daemon has kept its state in {path.parent}", err=True)
        sys.exit(UNUSABLE)
    return path


@main.command(epilog="Example: pbxrules reload && echo the new rules are in force")
@_settings_options("config", "state")
def reload(config: Path | None, state: str | None) -> None:
    """Let the daemon read its rules anew, and say what came of it."""
    from pbxrules import control

    settings = _settings(config, state=state)
    try:
        answer = control.ask(settings.state, {"do": "reload"})
    except OSError as exc:
        why = exc.strerror or exc
        click.echo(f"pbxrules: no daemon runs on {settings.state}: {why}", err=True)
        sys.exit(UNUSABLE)
    if not answer.get("reloaded"):
        for problem in answer.get("problems", []):
            click.echo(problem, err=True)
        click.echo("the old rules stay in force", err=True)
        sys.exit(BAD)
    verb = "is" if answer["rules"] == 1 else "are"
    click.echo(f"{_count(answer['rules'], 'rule')} {verb} in force")
    if answer.get("needs_restart"):
        click.echo(f"needs a restart: {', '.join(answer['needs_restart'])}", err=True)


@main.command(epilog='Example: eval "$(pbxrules completion bash)"')
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print what makes a shell complete our commands; put it into its start file."""
    from click.shell_completion import get_completion_class

    maker = get_completion_class(shell)
    assert maker is not None
    click.echo(maker(main, {}, "pbxrules", "_PBXRULES_COMPLETE").source())
