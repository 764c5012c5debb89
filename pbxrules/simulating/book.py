"""What came of a simulation, for people: a live line, and a table at the end."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pbxrules.simulating.sender import Sender
from pbxrules.simulating.tally import PERCENTILES, Tally

if TYPE_CHECKING:
    from rich.console import Console

REDRAW_S = 0.25


@contextmanager
def live(
    console: "Console", sender: Sender, *, until_s: float, clock: Callable[[], float]
) -> Iterator[Callable[[], None]]:
    """What redraws the live line, now and then; nothing is drawn but on a terminal."""
    if not console.is_terminal:
        yield lambda: None
        return
    from rich.progress import BarColumn, Progress, TextColumn

    columns = (BarColumn(20), TextColumn("{task.percentage:3.0f} %  {task.description}"))
    with Progress(*columns, console=console, auto_refresh=False, transient=True) as progress:
        task = progress.add_task("", total=until_s)
        drawn_s = clock()

        def draw() -> None:
            nonlocal drawn_s
            if clock() - drawn_s >= REDRAW_S:
                drawn_s = clock()
                sender.tally.last_s = drawn_s
                done_s = min(sender.at_s, until_s)
                progress.update(task, completed=done_s, description=line(sender.tally))
                progress.refresh()

        yield draw


def line(tally: Tally) -> str:
    """The live line."""
    p99_ms = tally.latencies.percentile(99) * 1000
    texts = [f"sent {tally.sent:,}", f"accepted {tally.accepted:,}"]
    texts += [f"refused {tally.refused:,}"] if tally.refused else []
    texts += [f"errors {tally.errors:,}"] if tally.errors else []
    return "  ".join([*texts, f"{_rate(tally.per_s)}/s", f"p99 {_ms(p99_ms)}"])


def rows(tally: Tally, calls: int, *, simulated_s: float) -> Iterator[tuple[str, str, str]]:
    """The table: a word, its value, and what a colour should say of it."""
    yield "calls", f"{calls:,} in {_span(simulated_s)} of the PBX's time", ""
    yield "sent", _with(tally.sent, f"{tally.again:,} of them again" if tally.again else ""), ""
    yield "accepted", f"{tally.accepted:,}", "green" if tally.accepted else ""
    statuses = {str(status): n for status, n in tally.statuses.items() if status != 200}  # noqa: PLR2004
    yield "refused", _with(tally.refused, _several(statuses)), "red" if tally.refused else ""
    yield "errors", _with(tally.errors, _several(tally.reasons)), "red" if tally.errors else ""
    if tally.given_up:
        yield "given up", f"{tally.given_up:,} not accepted by the last try", "red"
    if tally.unfinished:
        yield "unfinished", f"{tally.unfinished:,} when it was ended", "yellow"
    found = [(f"p{p}", tally.latencies.percentile(p)) for p in PERCENTILES]
    found.append(("max", tally.latencies.longest_s))
    if tally.latencies.count:
        yield "latency", "  ".join(f"{name} {_ms(s * 1000)}" for name, s in found), ""
    yield "rate", f"{_rate(tally.per_s)} a second, for {tally.took_s:,.1f} s", ""
    if tally.behind_s >= 0.1:  # noqa: PLR2004 - what a person would notice
        why = "all connections were taken (give more --connections)"
        yield "behind", f"up to {tally.behind_s:,.1f} s: {why}", "yellow"


def _with(count: int, more: str) -> str:
    return f"{count:,} ({more})" if count and more else f"{count:,}"


def _several(counts: "dict[str, int]") -> str:
    most = sorted(counts.items(), key=lambda one: -one[1])
    return ", ".join(f"{name}: {count:,}" for name, count in most)


def _span(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    told = [f"{hours:,} h"] if hours else []
    told += [f"{minutes} min"] if minutes else []
    return " ".join(told if hours else [*told, f"{rest} s"])


def _ms(value: float) -> str:
    return f"{value:,.0f} ms" if value >= 100 else f"{value:.1f} ms"  # noqa: PLR2004 - three digits


def _rate(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"  # noqa: PLR2004 - two digits
