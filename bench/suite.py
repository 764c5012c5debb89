"""The order of things: who is measured when."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import (
    daemon,
    deciding,
    joining,
    lasting,
    latency,
    loading,
    reloading,
    replaying,
    testing,
    throughput,
)
from bench.broker import mosquitto
from bench.contestants import PBXRULES, TORNADO, WEBHOOK, Contestant, contestant
from bench.processes import free_port
from bench.results import Results, percentile

THROUGHPUT, LATENCY, SIZE = "throughput", "latency", "size"
DECIDING, LOADING, RELOADING = "deciding", "loading", "reloading"
JOINING, LASTING, TESTING = "joining", "lasting", "testing"
REPLAYING = "replaying"
PARTS = (
    THROUGHPUT,
    LATENCY,
    SIZE,
    DECIDING,
    LOADING,
    RELOADING,
    JOINING,
    LASTING,
    TESTING,
    REPLAYING,
)
OF_CONTESTANTS = frozenset({THROUGHPUT, LATENCY, SIZE})
SETTLE_S = 1.0
FSYNCS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to measure, and for how long.

    ``samples`` and ``blocks`` are of the latency: so many in all, taken in so many turns.
    ``starts`` is also how often rules are loaded and reloaded, ``turns`` how often the rule
    sets take turns at deciding.
    """

    contestants: Sequence[str]
    parts: Sequence[str]
    rounds: int
    seconds: float
    blocks: int
    samples: int
    gap_s: float
    starts: int
    turns: int
    program: list[str]

    def seconds_of(self, name: str) -> float:
        """Return for how long *name* is loaded; webhook is slow, not noisy, so half."""
        return max(2.0, self.seconds / 2) if name == WEBHOOK else self.seconds

    def samples_of(self, name: str) -> int:
        """Return how many latencies of *name* make one block."""
        return -(-self.samples // self.blocks // (4 if name == WEBHOOK else 1))


Say = Callable[[str], None]


def run(plan: Plan, results: Results, folder: Path, say: Say) -> None:
    """Measure what *plan* says into *results*, which keep what was taken if this raises."""
    if not OF_CONTESTANTS.isdisjoint(plan.parts):
        beside_others(plan, results, folder, say)
    if PBXRULES in plan.contestants:
        by_itself(plan, results, folder, say)


def by_itself(plan: Plan, results: Results, folder: Path, say: Say) -> None:
    """Measure what is compared with no contestant."""
    if SIZE in plan.parts:
        starts(plan, results, folder, say)
    if LOADING in plan.parts:
        loads(plan, results, folder, say)
    if RELOADING in plan.parts:
        reloads(plan, results, folder, say)
    if DECIDING in plan.parts:
        results.deciding = deciding.measure(folder, rounds=plan.turns, say=say)
    if JOINING in plan.parts:
        results.joining = joining.measure(say)
    if LASTING in plan.parts:
        results.lasting = lasting.measure(plan.program, folder / LASTING, say)
    if TESTING in plan.parts:
        tests(plan, results, folder, say)
    if REPLAYING in plan.parts:
        replays(results, folder, say)


def beside_others(plan: Plan, results: Results, folder: Path, say: Say) -> None:
    """Measure what the contestants are compared by."""
    with contestants(plan, folder) as running:
        if THROUGHPUT in plan.parts:
            throughput_rounds(plan, results, running, say)
        if LATENCY in plan.parts:
            latency_blocks(plan, results, running, folder, say)
        served = running.get(PBXRULES)
        if served is not None and SIZE in plan.parts:
            memory(plan, results, served, say)


@contextmanager
def contestants(plan: Plan, folder: Path) -> Iterator[dict[str, Contestant]]:
    """Run all contestants of *plan* for the length of the block; who has no turn idles."""
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(contestant(name, folder / name, plan.program))
            for name in plan.contestants
        }


def turns(names: Iterable[str], turn: int) -> list[str]:
    """Return *names* in the order of turn *turn*.

    pbxrules and tornado follow each other directly, and who is first changes, for the
    machine drifts: one and the same server, measured as both, once gave ratios of
    1.05 to 1.15 with webhook in between.
    """
    ordered = sorted(names, key=[TORNADO, PBXRULES, WEBHOOK].index)
    return [*reversed(ordered[:2]), *ordered[2:]] if turn % 2 else ordered


def throughput_rounds(
    plan: Plan, results: Results, running: dict[str, Contestant], say: Say
) -> None:
    """Load the contestants in turns."""
    for turn in range(plan.rounds):
        results.rounds.append({})
        for name in turns(running, turn):
            time.sleep(SETTLE_S)
            figure = throughput.measure(running[name], seconds=plan.seconds_of(name))
            results.rounds[-1][name] = figure
            if name == PBXRULES:
                results.reports_before_rss += figure.accepted
            say(
                f"throughput {turn + 1}/{plan.rounds}  {name:<9}"
                f"{figure.delivered_per_s:7.0f} reports/s delivered"
                + "".join(f"; {text}" for text in figure.complaints)
            )


def latency_blocks(
    plan: Plan, results: Results, running: dict[str, Contestant], folder: Path, say: Say
) -> None:
    """Take the latencies in turns, with the disk's own before each turn."""
    for turn in range(plan.blocks):
        results.fsync += latency.fsync(folder, samples=FSYNCS)
        for name in turns(running, turn):
            samples = plan.samples_of(name)
            taken = latency.measure(running[name], samples=samples, gap_s=plan.gap_s)
            results.latency.setdefault(name, []).extend(taken)
            p50, p99 = (percentile(taken, percent) * 1e3 for percent in (50, 99))
            say(f"latency {turn + 1}/{plan.blocks}  {name:<9}p50 {p50:6.2f} ms  p99 {p99:6.2f} ms")


def memory(plan: Plan, results: Results, served: Contestant, say: Say) -> None:
    """Take the daemon's memory after the load, or after one of its own if there was none."""
    if not results.reports_before_rss:
        load = throughput.measure(served, seconds=plan.seconds)
        results.reports_before_rss = load.accepted
    results.rss_mb = daemon.resident_mb(served.process.pid)
    results.peak_mb = daemon.resident_mb(served.process.pid, "VmHWM")
    say(f"memory  {results.rss_mb:.1f} MB, at most {results.peak_mb:.1f} MB")


def starts(plan: Plan, results: Results, folder: Path, say: Say) -> None:
    """Take the time from the start to READY=1, each time with a new state folder."""
    rules = folder / "starts" / "rules"
    daemon.write_rules(rules)
    with mosquitto(rules.parent) as broker:
        for number in range(plan.starts):
            state, log = (rules.parent / f"{what}-{number}" for what in ("state", "log"))
            with daemon.serving(
                plan.program, port=free_port(), broker=broker, rules=rules, state=state, log=log
            ) as served:
                results.ready.append(served.ready_s)
            say(f"start {number + 1}/{plan.starts}  READY after {served.ready_s:.2f} s")


def loads(plan: Plan, results: Results, folder: Path, say: Say) -> None:
    """Take the time and the memory of loading many rules."""
    results.loading = loading.measure(folder, times=plan.starts)
    for number, each in enumerate(results.loading, start=1):
        say(
            f"loading {number}/{plan.starts}  {loading.RULES} rules in {each.seconds:.2f} s,"
            f" {each.more_mb:.0f} MB more"
        )


def tests(plan: Plan, results: Results, folder: Path, say: Say) -> None:
    """Take the time of many tests of rules."""
    results.testing = testing.measure(folder, times=plan.starts)
    for number, each in enumerate(results.testing, start=1):
        say(f"testing {number}/{plan.starts}  {testing.CASES} cases in {each.seconds:.2f} s")


def replays(results: Results, folder: Path, say: Say) -> None:
    """Take the time of a replay of many events."""
    results.replaying = replaying.measure(folder)
    each = results.replaying
    say(
        f"replaying  {replaying.EVENTS:,} events in {each.seconds:.1f} s, {each.cpu_s:.1f} s of"
        f" CPU, {each.differences:,} differences"
    )


def reloads(plan: Plan, results: Results, folder: Path, say: Say) -> None:
    """Take what reports wait while many rules are loaded anew."""
    results.reloading = reloading.measure(folder, plan.program, times=plan.starts)
    for number, each in enumerate(results.reloading, start=1):
        say(
            f"reloading {number}/{plan.starts}  {loading.RULES} rules in {each.seconds:.2f} s,"
            f" {len(each.waits)} reports waited {max(each.waits) * 1e3:.1f} ms at most,"
            f" before {max(each.calm) * 1e3:.1f} ms; {each.rss_mb:.0f} MB"
        )
