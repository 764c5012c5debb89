"""What was measured, and what follows from it.  Nothing here measures or prints."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field

from bench.contestants import PBXRULES, TORNADO, WEBHOOK
from bench.deciding import PEER, PEER_AT, SIZES
from bench.joining import ALERT, BYE, SHARED, Joining
from bench.lasting import MET, MIXED, ONE, WAITING, Lasting
from bench.loading import RULES, Loading
from bench.reloading import Reload
from bench.replaying import EVENTS, Replaying
from bench.testing import CASES, Testing
from bench.testing import RULES as RULES_TESTED
from bench.throughput import Throughput

AT_LEAST_OF_TORNADO = 0.8
AIM_OF_TORNADO = 1.0
AT_LEAST_OF_WEBHOOK = 2.5
P50_OF_TORNADO = 1.25
P99_OF_OWN_P50 = 3.0
RSS_MB = 60.0
READY_S = 0.8
RIGHTLY_SHARED, RIGHTLY_NEAR = 1.0, 0.99
ASSIGN_S = 20e-6
DECIDE_S = 20e-6
MOST_OF_LEAST = 3.0
LOAD_S = 2.0
LOAD_MB = 100.0
WAIT_S = 0.05
MIXED_S = 40e-6
FITS = {1: ONE, MET: MIXED}
"""How many of the rules that remember fit a ring."""
WAITING_MB = 40.0
LATE_S = 0.02
TESTED_S = 5.0
REPLAYED_S = 60.0


@dataclass(slots=True, kw_only=True)
class Results:
    """All figures of one run.  Times in seconds, in the order in which they were taken."""

    machine: dict[str, str | int | float]
    rounds: list[dict[str, Throughput]] = field(default_factory=list)
    latency: dict[str, list[float]] = field(default_factory=dict)
    fsync: list[float] = field(default_factory=list)
    rss_mb: float | None = None
    peak_mb: float | None = None
    reports_before_rss: int = 0
    ready: list[float] = field(default_factory=list)
    joining: Joining | None = None
    deciding: dict[str, list[float]] = field(default_factory=dict)
    loading: list[Loading] = field(default_factory=list)
    reloading: list[Reload] = field(default_factory=list)
    lasting: Lasting | None = None
    testing: list[Testing] = field(default_factory=list)
    replaying: Replaying | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One target of the issue: what was wanted, what was seen, and whether it is met."""

    name: str
    wanted: str
    seen: str
    met: bool


def percentile(values: Sequence[float], percent: int) -> float:
    """Return the smallest of *values* that *percent* of them do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


def ratios(rounds: Sequence[dict[str, Throughput]], other: str) -> list[float]:
    """Return pbxrules' delivered reports/s over *other*'s, for each round that has both."""
    return [
        run[PBXRULES].delivered_per_s / run[other].delivered_per_s
        for run in rounds
        if PBXRULES in run and other in run
    ]


def median_rate(
    rounds: Sequence[dict[str, Throughput]], name: str, rate: Callable[[Throughput], float]
) -> float | None:
    """Return the median over *rounds* of one figure of *name*, or None if it took no part."""
    values = [rate(run[name]) for run in rounds if name in run]
    return statistics.median(values) if values else None


def verdicts(results: Results) -> list[Verdict]:
    """Return a verdict for each target whose figures were taken."""
    return [
        *speed(results),
        *delay(results),
        *size(results),
        *calls(results),
        *many_rules(results),
        *decisions(results),
        *remembering(results),
        *testing(results),
        *replaying(results),
    ]


def speed(results: Results) -> list[Verdict]:
    """Judge the throughput: nothing lost, and the ratios."""
    found = []
    runs = [run[PBXRULES] for run in results.rounds if PBXRULES in run]
    if runs:
        accepted, gone = sum(run.accepted for run in runs), sum(run.lost for run in runs)
        seen = f"{accepted - gone} of {accepted}"
        found.append(
            Verdict(name="pbxrules delivered", wanted="all accepted", seen=seen, met=gone == 0)
        )
    for other, least, aim in (
        (TORNADO, AT_LEAST_OF_TORNADO, f" (aim {AIM_OF_TORNADO:.1f})"),
        (WEBHOOK, AT_LEAST_OF_WEBHOOK, ""),
    ):
        if each := ratios(results.rounds, other):
            ratio = statistics.median(each)
            found.append(
                Verdict(
                    name=f"reports/s, pbxrules / {other}",
                    wanted=f">= {least:.1f}{aim}",
                    seen=f"{ratio:.2f} ({min(each):.2f}..{max(each):.2f})",
                    met=ratio >= least,
                )
            )
    return found


def delay(results: Results) -> list[Verdict]:
    """Judge the latency."""
    if PBXRULES not in results.latency:
        return []
    p50, p99 = (percentile(results.latency[PBXRULES], percent) for percent in (50, 99))
    limits = {"p99 <= 3 * own p50": (p99, P99_OF_OWN_P50 * p50)}
    if TORNADO in results.latency:
        bare = percentile(results.latency[TORNADO], 50)
        limit = P50_OF_TORNADO * bare + percentile(results.fsync, 50)
        limits["p50 <= 1.25 * tornado + fsync"] = (p50, limit)
    if WEBHOOK in results.latency:
        limits["p50 < webhook"] = (p50, percentile(results.latency[WEBHOOK], 50))
    return [
        Verdict(
            name=f"latency, {name}",
            wanted=f"<= {limit * 1e3:.2f} ms",
            seen=f"{value * 1e3:.2f} ms",
            met=value <= limit,
        )
        for name, (value, limit) in sorted(limits.items())
    ]


def size(results: Results) -> list[Verdict]:
    """Judge the memory and the start."""
    found = []
    if results.rss_mb is not None:
        found.append(
            Verdict(
                name=f"resident memory after {results.reports_before_rss} reports",
                wanted=f"<= {RSS_MB:.0f} MB",
                seen=f"{results.rss_mb:.1f} MB",
                met=results.rss_mb <= RSS_MB,
            )
        )
    if results.ready:
        ready = statistics.median(results.ready)
        found.append(
            Verdict(
                name=f"serve to READY, median of {len(results.ready)}",
                wanted=f"< {READY_S:.1f} s",
                seen=f"{ready:.2f} s",
                met=ready < READY_S,
            )
        )
    return found


def calls(results: Results) -> list[Verdict]:
    """Judge whether reports find their calls, and how fast."""
    if results.joining is None:
        return []
    found = []
    for kind, least in ((SHARED, RIGHTLY_SHARED), (ALERT, RIGHTLY_NEAR), (BYE, RIGHTLY_NEAR)):
        score = results.joining.scores[kind]
        worst = min(score.precision, score.recall)
        found.append(
            Verdict(
                name=f"calls, {kind}: precision and recall",
                wanted=f">= {least:.2f}",
                seen=f"{score.precision:.4f} {score.recall:.4f}",
                met=worst >= least,
            )
        )
    best_s = min(results.joining.assign_s)
    found.append(
        Verdict(
            name="calls, one report, CPU time",
            wanted=f"< {ASSIGN_S * 1e6:.0f} µs",
            seen=f"{best_s * 1e6:.1f} µs",
            met=best_s < ASSIGN_S,
        )
    )
    return found


def many_rules(results: Results) -> list[Verdict]:
    """Judge the loading of many rules, and the waiting meanwhile."""
    found = []
    if results.loading:
        seconds = statistics.median(each.seconds for each in results.loading)
        more_mb = statistics.median(each.more_mb for each in results.loading)
        name = f"loading {RULES} rules, median of {len(results.loading)}"
        seen, met = f"{seconds:.2f} s", seconds < LOAD_S
        found.append(Verdict(name=name, wanted=f"< {LOAD_S:.0f} s", seen=seen, met=met))
        seen, met = f"{more_mb:.0f} MB", more_mb < LOAD_MB
        name = "resident memory more by them"
        found.append(Verdict(name=name, wanted=f"< {LOAD_MB:.0f} MB", seen=seen, met=met))
    if results.reloading:
        waited = max(wait for each in results.reloading for wait in each.waits)
        found.append(
            Verdict(
                name=f"longest wait of a report in {len(results.reloading)} reloads of them",
                wanted=f"<= {WAIT_S * 1e3:.0f} ms",
                seen=f"{waited * 1e3:.1f} ms",
                met=waited <= WAIT_S,
            )
        )
    return found


def decisions(results: Results) -> list[Verdict]:
    """Judge what one ring costs."""
    if not results.deciding:
        return []
    median = {name: statistics.median(each) for name, each in results.deciding.items()}
    least, most = str(SIZES[0]), str(SIZES[-1])
    ratio = median[most] / median[least]
    at = str(PEER_AT)
    return [
        Verdict(
            name=f"deciding a ring at {at} rules",
            wanted=f"<= {DECIDE_S * 1e6:.0f} us",
            seen=f"{median[at] * 1e6:.1f} us",
            met=median[at] <= DECIDE_S,
        ),
        Verdict(
            name=f"the same at {most} rules, of that at {least}",
            wanted=f"<= {MOST_OF_LEAST:.1f}",
            seen=f"{ratio:.2f}",
            met=ratio <= MOST_OF_LEAST,
        ),
        Verdict(
            name=f"{PEER} at {at} rules, of pbxrules",
            wanted="> 1",
            seen=f"{median[PEER] / median[at]:.0f}",
            met=median[PEER] > median[at],
        ),
    ]


def remembering(results: Results) -> list[Verdict]:
    """Judge what rules that remember cost."""
    lasting = results.lasting
    if lasting is None:
        return []
    medians = {fits: statistics.median(lasting.decide_s[name]) for fits, name in FITS.items()}
    found = [
        Verdict(
            name=f"decide, 1,000 rules {MIXED}, {fits} of which fit",
            wanted=f"<= {MIXED_S * 1e6:.0f} µs",
            seen=f"{decide_s * 1e6:.1f} µs",
            met=decide_s <= MIXED_S,
        )
        for fits, decide_s in medians.items()
    ]
    if lasting.late_s:
        late_s = percentile(lasting.late_s, 99)
        found += [
            Verdict(
                name=f"memory of {WAITING:,} waiting runs",
                wanted=f"< {WAITING_MB:.0f} MB",
                seen=f"{lasting.waiting_mb:.1f} MB",
                met=lasting.waiting_mb < WAITING_MB,
            ),
            Verdict(
                name="woken after its time, p99",
                wanted=f"<= {LATE_S * 1e3:.0f} ms",
                seen=f"{late_s * 1e3:.2f} ms",
                met=late_s <= LATE_S,
            ),
        ]
    return found


def testing(results: Results) -> list[Verdict]:
    """Judge how long tests of rules take."""
    if not results.testing:
        return []
    seconds = statistics.median(each.seconds for each in results.testing)
    return [
        Verdict(
            name=f"{CASES:,} cases of {RULES_TESTED} rules, median of {len(results.testing)}",
            wanted=f"< {TESTED_S:.0f} s",
            seen=f"{seconds:.2f} s",
            met=seconds < TESTED_S,
        )
    ]


def replaying(results: Results) -> list[Verdict]:
    """Judge how long a replay takes, by its CPU time: others may use the core meanwhile."""
    found = results.replaying
    if found is None:
        return []
    return [
        Verdict(
            name=f"replay of {EVENTS:,} events, on one core",
            wanted=f"< {REPLAYED_S:.0f} s",
            seen=f"{found.cpu_s:.1f} s ({found.seconds:.1f} s by the clock)",
            met=found.cpu_s < REPLAYED_S,
        )
    ]


def as_json(results: Results) -> dict[str, object]:
    """Return everything as values that JSON has; latencies as percentiles, in seconds."""
    return {
        "machine": results.machine,
        "throughput": [
            {name: asdict(run) for name, run in turn.items()} for turn in results.rounds
        ],
        "latency": {name: summary(values) for name, values in results.latency.items()},
        "fsync": summary(results.fsync) if results.fsync else None,
        "rss_mb": results.rss_mb,
        "peak_mb": results.peak_mb,
        "reports_before_rss": results.reports_before_rss,
        "ready_s": results.ready,
        "joining": asdict(results.joining) if results.joining else None,
        "deciding_s": results.deciding,
        "loading": [asdict(each) for each in results.loading],
        "reloading": [
            {
                "seconds": each.seconds,
                "calm": summary(each.calm),
                "waits": summary(each.waits),
                "still_s": each.still_s,
                "rss_mb": each.rss_mb,
            }
            for each in results.reloading
        ],
        "lasting": asdict(results.lasting) if results.lasting else None,
        "testing": [asdict(each) for each in results.testing],
        "replaying": asdict(results.replaying) if results.replaying else None,
        "verdicts": [asdict(verdict) for verdict in verdicts(results)],
    }


def summary(values: Sequence[float]) -> dict[str, float]:
    """Return the number of *values* and their percentiles."""
    return {"samples": len(values)} | {f"p{p}": percentile(values, p) for p in (50, 90, 99, 100)}
