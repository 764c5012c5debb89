"""The figures for a person: tables, the targets, and what not to trust."""

import statistics

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.contestants import PBXRULES
from bench.deciding import PEER, PEER_AT, SIZES
from bench.joining import Joining
from bench.lasting import Lasting
from bench.results import Results, Verdict, median_rate, percentile, ratios, verdicts


def show(results: Results, console: Console) -> None:
    """Print all of *results*."""
    machine = results.machine
    console.print(
        f"\n{machine['cpu']}, {machine['cores']} cores, Linux {machine['kernel']}, Python"
        f" {machine['python']}, {machine['file_system']},"
        f" load average before {machine['load_average_before']:.2f}",
        highlight=False,
    )
    if results.rounds:
        console.print(throughput(results))
    if results.latency:
        console.print(latency(results))
    if results.joining:
        console.print(joining(results.joining))
    if results.deciding:
        console.print(deciding(results))
    if results.lasting:
        console.print(lasting(results.lasting))
    for complaint in complaints(results):
        console.print(Text(f"! {complaint}", style="yellow"))
    if judged := verdicts(results):
        console.print(targets(judged))


def throughput(results: Results) -> Table:
    """Return the medians of the rounds, and the ratio of each round."""
    table = Table(
        title="Throughput: reports/s, 16 connections, one report each", title_justify="left"
    )
    for heading in ("", "delivered", "of each round", "answered", "drained in", "pbxrules is"):
        table.add_column(heading, justify="left" if not heading else "right")
    for name in results.rounds[0]:
        figures = [run[name] for run in results.rounds if name in run]
        delivered = median_rate(results.rounds, name, lambda run: run.delivered_per_s)
        answered = median_rate(results.rounds, name, lambda run: run.answered_per_s)
        each = [] if name == PBXRULES else ratios(results.rounds, name)
        table.add_row(
            name,
            f"{delivered:.0f}",
            " ".join(f"{run.delivered_per_s:.0f}" for run in figures),
            f"{answered:.0f}",
            f"{max(run.drain_s for run in figures):.2f} s",
            " ".join(f"{ratio:.2f}x" for ratio in each),
        )
    return table


def latency(results: Results) -> Table:
    """Return the percentiles of POST to message, and those of a bare fsync."""
    table = Table(title="Latency: POST to message, one at a time, ms", title_justify="left")
    for heading in ("", "samples", "p50", "p90", "p99", "max", "p50, pbxrules is"):
        table.add_column(heading, justify="left" if not heading else "right")
    own = results.latency.get(PBXRULES)
    for name, values in {**results.latency, "4 KiB + fdatasync": results.fsync}.items():
        median = percentile(values, 50)
        compared = own is not None and name != PBXRULES
        table.add_row(
            name,
            str(len(values)),
            *(f"{percentile(values, percent) * 1e3:.2f}" for percent in (50, 90, 99, 100)),
            f"{percentile(own, 50) / median:.2f}x" if own is not None and compared else "",
        )
    return table


def joining(measured: Joining) -> Table:
    """Return for each kind of report how many were put with the right call."""
    table = Table(title="Reports put with their calls, 200 at once", title_justify="left")
    headings = ("", "reports", "precision", "recall", "rightly in doubt", "surely wrong")
    for heading in headings:
        table.add_column(heading, justify="right" if heading else "left")
    for kind, score in measured.scores.items():
        table.add_row(
            kind,
            str(score.reports),
            f"{score.precision:.4f}",
            f"{score.recall:.4f}",
            str(score.doubted),
            str(score.surely_wrong),
        )
    return table


def deciding(results: Results) -> Table:
    """Return what one ring costs, by the number of rules, and with rule-engine."""
    table = Table(title="Deciding one ring, us", title_justify="left")
    for heading in ("", "rules", "median", "of each round", "of the first"):
        table.add_column(heading, justify="left" if not heading else "right")
    first = statistics.median(results.deciding[str(SIZES[0])])
    for name, each in results.deciding.items():
        median = statistics.median(each)
        table.add_row(
            name if name == PEER else PBXRULES,
            str(PEER_AT) if name == PEER else name,
            f"{median * 1e6:.1f}",
            f"{min(each) * 1e6:.1f}..{max(each) * 1e6:.1f}",
            f"{median / first:.2f}x",
        )
    return table


def lasting(measured: Lasting) -> Table:
    """Return what decisions took, and how late runs that waited were woken."""
    table = Table(title="Rules that remember", title_justify="left")
    for heading in ("", "median", "of each round"):
        table.add_column(heading, justify="right" if heading else "left")
    for what, taken in (("decide", measured.decide_s), ("apply", measured.apply_s)):
        for name, values in taken.items():
            median, *each = (f"{s * 1e6:.1f}" for s in (statistics.median(values), *values))
            table.add_row(f"{what}, {name}, µs", median, " ".join(each))
    if measured.late_s:
        p50, *more = (f"{percentile(measured.late_s, p) * 1e3:.2f}" for p in (50, 90, 99, 100))
        table.add_row("woken late, ms", p50, "p90 {}, p99 {}, max {}".format(*more))
    return table


def complaints(results: Results) -> list[str]:
    """Return for each run that is not to be trusted why."""
    return [
        f"round {number}, {name}: {text}"
        for number, turn in enumerate(results.rounds, start=1)
        for name, run in turn.items()
        for text in run.complaints
    ]


def targets(judged: list[Verdict]) -> Table:
    """Return the targets, met or missed."""
    table = Table(title="Targets", title_justify="left")
    table.add_column("")
    table.add_column("wanted", justify="right")
    table.add_column("seen", justify="right")
    table.add_column("")
    for verdict in judged:
        word = Text("pass", style="green") if verdict.met else Text("MISS", style="bold red")
        table.add_row(verdict.name, verdict.wanted, verdict.seen, word)
    return table
