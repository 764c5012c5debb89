"""``pbxrules simulate``: a PBX and its calls."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pbxrules.console import (
    BAD,
    GOOD,
    UNUSABLE,
    counted,
    language_of,
    print_problems,
    settings_of,
    settings_options,
)
from pbxrules.errors import ProblemsError

if TYPE_CHECKING:
    from datetime import tzinfo

    from pbxrules.config import Config
    from pbxrules.pbx.house import Day
    from pbxrules.simulating.exchanges import Target
    from pbxrules.simulating.plan import Plan
    from pbxrules.simulating.sender import Sender

PLACE = 45
"""Where the help lists it."""
ONLY_SENT = ("url", "speed", "connections", "json")
"""What says nothing to a file."""


def _wish(name: str, metavar: str, text: str) -> Callable[[Callable[..., Any]], Any]:
    return click.option(f"--{name}", metavar=metavar, help=text)


@click.command(
    epilog="Example: pbxrules simulate --extensions 101..120 --calls-per-hour office:80 --speed 60"
)
@settings_options("config")
@_wish("extensions", "WHICH", "101..140, 101,105,110 or how many.  [default: 101..140]")
@_wish("trunks", "WHICH", "sip-a,sip-b or how many.  [default: 2]")
@_wish(
    "groups",
    "WHICH",
    "Who rings together: 101..104,105+107 or how many.  [default: four of twenty]",
)
@_wish(
    "calls-per-hour",
    "CURVE",
    "60, office, office:120, or by hours of the day 8=20,9..16=60.  [default: 60]",
)
@_wish("missed", "PERCENT", "Calls that nobody answers.  [default: 20]")
@_wish("transfers", "PERCENT", "Calls that are passed on.  [default: 8]")
@_wish("resends", "PERCENT", "Reports that are sent twice.  [default: 3]")
@_wish("seed", "N", "The same seed and start: the same reports.  [default: any]")
@_wish("duration", "TIME", "Of the PBX's time: 30m, 8h.  [default: 1h]")
@_wish(
    "start", "TIME", "The PBX's time: 2026-11-24T08:00.  [default: now; --file: 2026-11-24T12:00]"
)
@_wish("speed", "N", "1, 60 times as fast, or max.  [default: 1]")
@_wish("connections", "N", "Reports under way at once.  [default: 16]")
@click.option("--url", metavar="URL", help="Where to; else where the configuration listens.")
@click.option(
    "--file",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    metavar="FILE",
    help="Send nothing, but write there: lines of JSON (- is stdout), or NAME.test.yaml.",
)
@click.option("--json", "as_json", is_flag=True, help="What came of it as one JSON object.")
def simulate(
    config: Path | None,
    url: str | None,
    file: Path | None,
    as_json: bool,  # noqa: FBT001 - click gives it so
    **given: str | None,
) -> None:
    """Be a PBX: calls in, out and inside, groups, missed calls, transfers, and their reports.

    They are sent as the PBX does, each over a connection of its own and again if it is not
    answered 200. Ctrl-C ends it. Exits with 0 if all were accepted, 1 if one was not or nobody
    listens, 2 if an option or the configuration can't be used.
    """
    import os

    from pbxrules import zones
    from pbxrules.simulating import plan

    wished = {name.replace("_", "-"): text for name, text in given.items()}
    _refuse_beside_file(file, {**wished, "url": url, "json": as_json or None})
    settings = settings_of(config)
    zone = (
        zones.of_machine(os.environ) if settings.timezone is None else zones.find(settings.timezone)
    )
    try:
        made = plan.read(wished, zone)
    except ProblemsError as exc:
        print_problems(exc.problems)
        sys.exit(UNUSABLE)
    if file is not None:
        sys.exit(_write(made, settings, zone, file))
    if url is None:
        from pbxrules.sending import url_of

        url = url_of(*settings.listen[0])
    sys.exit(_send(made, zone, url, as_json=as_json))


def _refuse_beside_file(file: Path | None, given: Mapping[str, Any]) -> None:
    beside = [f"--{name}" for name in ONLY_SENT if given[name] is not None]
    if file is not None and beside:
        raise click.UsageError(f"--file sends nothing: {', '.join(beside)} can't stand beside it")


def _day(plan: "Plan", seed: int, start_s: float, zone: "tzinfo") -> "Day":
    from random import Random

    from pbxrules.pbx.house import Day

    random = Random(seed)  # noqa: S311 - the same calls each time; no secret
    return Day(plan.house, random, start_s=start_s, duration_s=plan.duration_s, zone=zone)


def _seed(plan: "Plan") -> int:
    from random import SystemRandom

    return SystemRandom().randrange(1_000_000) if plan.seed is None else plan.seed


def _tell_doubts(day: "Day") -> None:
    if day.turned_away:
        why = f"{counted(day.turned_away, 'call')} not made: nobody was free"
        click.echo(f"{why} (give more --extensions or fewer --calls-per-hour)", err=True)
    elif not day.calls:
        click.echo("no call began (a longer --duration, or more --calls-per-hour)", err=True)


# --- To a file -------------------------------------------------------------------------------


def _write(plan: "Plan", settings: "Config", zone: "tzinfo", file: Path) -> int:
    """Write the reports, and say how many; the exit code."""
    from pbxrules.testing.moments import USUAL_START

    seed = _seed(plan)
    start_s = USUAL_START.replace(tzinfo=zone).timestamp() if plan.start_s is None else plan.start_s
    day = _day(plan, seed, start_s, zone)
    try:
        _fill(file, day, settings, name=_case_name(plan, seed), start_s=start_s, zone=zone)
    except ProblemsError as exc:
        print_problems(exc.problems)
        return UNUSABLE
    except KeyboardInterrupt:
        click.echo("ended before the end", err=True)
    except BrokenPipeError:
        raise  # click ends quietly where nobody reads on
    except (ValueError, OSError) as exc:
        why = exc.strerror if isinstance(exc, OSError) and exc.strerror else exc
        click.echo(f"pbxrules: can't write {file}: {why}", err=True)
        return UNUSABLE
    counts = f"{counted(day.arrivals.reports, 'report')} of {counted(day.calls, 'call')}"
    click.echo(f"{counts} (seed {seed})", err=True)
    _tell_doubts(day)
    return GOOD


def _case_name(plan: "Plan", seed: int) -> str:
    from pbxrules.language import duration_text

    return f"{duration_text(plan.duration_s)} of a simulated PBX (seed {seed})"


def _fill(
    file: Path, day: "Day", settings: "Config", *, name: str, start_s: float, zone: "tzinfo"
) -> None:
    """Write lines, or a test of the rules that stand beside it.

    Raises:
        ProblemsError: Those rules can't be used.
        ValueError: No test can be made.
        OSError: It can't be written.
    """
    from pbxrules import loading
    from pbxrules.simulating import written

    if loading.holds_tests(file):
        rules = loading.load(loading.rule_files(file.parent), language_of(settings))
        text = written.case_text(day.arrivals, rules, name=name, start_s=start_s, zone=zone)
        file.write_text(text, "utf-8")
        return
    with click.open_file(str(file), "w", encoding="utf-8") as opened:
        opened.writelines(written.lines(day.arrivals, start_s=start_s, zone=zone))


# --- To a receiver ---------------------------------------------------------------------------


def _send(plan: "Plan", zone: "tzinfo", url: str, *, as_json: bool) -> int:
    """Send the reports, and tell what came of them; the exit code."""
    import time

    from rich.console import Console

    from pbxrules.simulating import book
    from pbxrules.simulating.sender import Sender

    to = _target(url)
    if to is None:
        return BAD
    seed, clock = _seed(plan), time.perf_counter
    start_s = time.time() if plan.start_s is None else plan.start_s
    day = _day(plan, seed, start_s, zone)
    sender = Sender(to, speed=plan.speed, connections=plan.connections, clock=clock)
    console = Console(stderr=True, highlight=False)
    with (
        _ended_by_signals(sender),
        book.live(console, sender, until_s=plan.duration_s, clock=clock) as draw,
    ):
        sender.run(day.arrivals, draw)
    if as_json:
        _print_json(sender, day, seed, start_s, url)
    else:
        _print_table(sender, day, seed)
    _tell_doubts(day)
    return GOOD if sender.tally.good else BAD


def _target(url: str) -> "Target | None":
    """Who listens there; None if nobody does, and then it is said."""
    from pbxrules.simulating.exchanges import target
    from pbxrules.simulating.sender import TIMEOUT_S

    try:
        return target(url, timeout_s=TIMEOUT_S)
    except ValueError as exc:
        raise click.UsageError(str(exc)) from exc
    except OSError as exc:
        click.echo(f"pbxrules: {url}: {exc.strerror or exc} (does the daemon run there?)", err=True)
        return None


@contextmanager
def _ended_by_signals(sender: "Sender") -> Iterator[None]:
    """Ctrl-C and SIGTERM begin nothing more; the second one does not wait for answers."""
    import signal

    def end(number: int, _: object) -> None:
        if sender.stopping:
            signal.default_int_handler(number, None)
        sender.stopping = True

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    except KeyboardInterrupt:
        pass  # what is known by now is told
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _print_table(sender: "Sender", day: "Day", seed: int) -> None:
    from pbxrules.simulating import book

    for word, value, colour in book.rows(sender.tally, day.calls, simulated_s=sender.at_s):
        click.echo(f"{word:<11}{click.style(value, fg=colour or None)}")
    click.echo(f"{'seed':<11}{seed}")


def _print_json(sender: "Sender", day: "Day", seed: int, start_s: float, url: str) -> None:
    import json

    from pbxrules.clock import iso

    told = {
        "url": url,
        "seed": seed,
        "start": iso(start_s),
        "simulated_s": round(sender.at_s, 3),
        "calls": day.calls,
        "calls_not_made": day.turned_away,
        **sender.tally.as_json(),
    }
    click.echo(json.dumps(told, indent=2))
