"""What commands share: exit codes, options, and how problems are printed."""

import os
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pbxrules.errors import Problem, ProblemsError
from pbxrules.model import Step

if TYPE_CHECKING:
    from pbxrules.config import Config
    from pbxrules.language import Language
    from pbxrules.loading import Snapshot
    from pbxrules.model import Deed

GOOD, BAD, UNUSABLE = 0, 1, 2
"""Exit codes: it worked · it did not · the command or a file can't be used."""

NO_BROKER = "mqtt actions fail, for no broker is configured"

Options = Callable[[Callable[..., Any]], Callable[..., Any]]


def settings_options(*names: str) -> Options:
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


def settings_of(
    config: Path | None, form: str = "text", *, with_secrets: bool = False, **flags: Any
) -> "Config":
    """The configuration with the flags that were given; exits with 2 where it is wrong."""
    try:
        return reread(config, flags, with_secrets=with_secrets)()
    except ProblemsError as exc:
        print_problems(exc.problems, form)
        sys.exit(UNUSABLE)


def language_of(settings: "Config") -> "Language":
    """What rules may say, by the configuration.

    Raises:
        ProblemsError: A schema of its own can't be read, or is none.
    """
    from pbxrules import loading

    return loading.language(
        schemas=settings.schemas,
        variables=settings.variables,
        secrets=settings.secrets,
        timezone=settings.timezone,
    )


def reread(
    config: Path | None, flags: Mapping[str, Any], *, with_secrets: bool = True
) -> "Callable[[], Config]":
    """What reads the configuration, with the flags that were given, as often as it is called."""
    from pbxrules import config as configuration

    given = given_flags(flags)
    return lambda: configuration.load(config, os.environ, given, with_secrets=with_secrets)


def given_flags(flags: Mapping[str, Any]) -> dict[tuple[str | int, ...], Any]:
    """The flags that were given, by their path in the configuration."""
    paths: dict[str, tuple[str | int, ...]] = {"mqtt": ("mqtt", "url")}
    return {
        paths.get(name, (name,)): list(value) if isinstance(value, tuple) else value
        for name, value in flags.items()
        if value
    }


def broker_warnings(settings: "Config", snapshot: "Snapshot") -> list[Problem]:
    """That rules send messages which nobody will take, told once, at the first that does."""
    if "url" in settings.mqtt:
        return []
    hint = "say where it is: mqtt.url in the configuration, or serve --mqtt URL"
    return [
        Problem(rule.where, "no-broker", NO_BROKER, hint, "warning")
        for rule in snapshot.ruleset.rules
        if any(_publishes(node.deed) for node in rule.program.nodes.values())
    ][:1]


def _publishes(deed: "Deed") -> bool:
    return isinstance(deed, Step) and deed.verb == "mqtt"


def print_problems(
    problems: Iterable[Problem], form: str = "text", *, err: bool | None = None
) -> None:
    """Print *problems*; as text on stderr, else on stdout for who reads them there."""
    err = form == "text" if err is None else err
    if form != "text":
        from pbxrules.listing import FORMATS

        if text := FORMATS[form](problems):
            click.echo(text, err=err)
        return
    for problem in problems:
        place = click.style(str(problem.where), bold=True)
        warns = problem.severity == "warning"
        code = click.style(problem.code, fg="yellow" if warns else "red")
        kind = "warning: " if warns else ""
        click.echo(f"{place}: {kind}{code}: {problem.advice}", err=err)


def store_of(config: Path | None, state: str | None) -> Path:
    """The file of the store; exits with 2 where there is none."""
    path = settings_of(config, state=state).state / "pbxrules.db"
    if not path.exists():
        click.echo(f"pbxrules: no daemon has kept its state in {path.parent}", err=True)
        sys.exit(UNUSABLE)
    return path


def asked(folder: Path, request: Mapping[str, Any]) -> Mapping[str, Any]:
    """The answer of the daemon that runs on the state *folder*.

    Exits with 2 where none does, and with 1, the reason on stderr, where it can't be done.
    """
    from pbxrules import control

    try:
        answer = control.ask(folder, request)
    except TimeoutError:
        click.echo(f"pbxrules: the daemon on {folder} does not answer", err=True)
        sys.exit(UNUSABLE)
    except (OSError, ValueError) as exc:
        why = getattr(exc, "strerror", None) or exc
        click.echo(f"pbxrules: no daemon runs on {folder}: {why}", err=True)
        sys.exit(UNUSABLE)
    if "error" in answer:
        click.echo(f"pbxrules: {answer['error']}", err=True)
        sys.exit(BAD)
    return answer


def asked_if_any(folder: Path, request: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The answer of the daemon that runs on the state *folder*; None where none does."""
    from pbxrules import control

    try:
        answer = control.ask(folder, request, timeout_s=5)
    except (OSError, ValueError):
        return None
    return None if "error" in answer else answer


def refuse_options_before(command: str) -> None:
    """Refuse what stands before a *command* of a group: it is of the group's own listing alone."""
    context = click.get_current_context()
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name or "")
        shared = parameter.name in ("config", "rules", "state")
        if source is click.core.ParameterSource.COMMANDLINE and not shared:
            option = next(opt for opt in reversed(parameter.opts) if opt.startswith("-"))
            raise click.UsageError(f"{option} says nothing to '{command}': put options behind it")


def counted(number: int, noun: str) -> str:
    """``1 rule``, ``2 rules``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
