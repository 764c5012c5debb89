"""How long it takes to decide one ring, by the number of rules, and beside rule-engine.

The rules are files, loaded as the daemon loads them.  They take turns, for the
machine drifts; each turn is timed as a whole, over rings of which some fire and some do not.
"""

import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from bench import house, peers
from bench.errors import BenchError
from bench.latency import no_collector
from pbxrules import loading
from pbxrules.engine import Arrival, decide
from pbxrules.loading import Snapshot
from pbxrules.memory import Memory
from pbxrules.model import Event, Moment
from pbxrules.rules import RuleSet

SIZES = (10, 1_000, 10_000, 100_000)
RINGS = 2_000
PEER, PEER_AT, PEER_RINGS = "rule-engine", 1_000, 60
"""It takes some 10 ms for one ring."""
NOW = Moment(boot="b", uptime_s=0.0, wall_s=0.0)
Say = Callable[[str], None]
Turn = Callable[[], float]
"""Seconds for one ring, measured anew each time."""


def measure(folder: Path, *, rounds: int, say: Say) -> dict[str, list[float]]:
    """Return the seconds for one ring in each round, by number of rules, and that of rule-engine.

    Raises:
        BenchError: rule-engine fires other rules than we do.
    """
    snapshots = {size: _snapshot(folder / f"rules-{size}", size, say) for size in SIZES}
    turns: dict[str, Turn] = {
        str(size): _ours(snapshot, house.rings(size, RINGS)) for size, snapshot in snapshots.items()
    }
    turns[PEER] = _theirs(snapshots[PEER_AT])
    seconds: dict[str, list[float]] = {name: [] for name in turns}
    with no_collector():
        for turn in turns.values():
            turn()  # caches, and what is compiled at first use
        for _ in range(rounds):
            for name, turn in turns.items():
                seconds[name].append(turn())
    return seconds


def fires(ruleset: RuleSet, ring: Event) -> int:
    """Return how many rules fire for *ring*, before which nothing was."""
    decision, _ = decide(ruleset, Memory(), Arrival(event=ring, id=1), NOW)
    return len(decision.fired)


def _snapshot(folder: Path, size: int, say: Say) -> Snapshot:
    house.write(folder, size)
    started = time.perf_counter()
    snapshot = loading.load(loading.rule_files(folder), loading.language())
    took = time.perf_counter() - started
    shutil.rmtree(folder)
    rings = house.rings(size, RINGS)
    met = sum(len(snapshot.ruleset.index.candidates(ring)) for ring in rings) / RINGS
    fired = sum(fires(snapshot.ruleset, ring) for ring in rings) / RINGS
    say(
        f"deciding  {size} rules, loaded in {took:.2f} s:"
        f" a ring meets {met:.1f} and fires {fired:.1f}"
    )
    return snapshot


def _ours(snapshot: Snapshot, rings: Sequence[Event]) -> Turn:
    def turn() -> float:
        ruleset, memory = snapshot.ruleset, Memory()
        started = time.perf_counter()
        for ring in rings:
            decide(ruleset, memory, Arrival(event=ring, id=1), NOW)
        return (time.perf_counter() - started) / len(rings)

    return turn


def _theirs(snapshot: Snapshot) -> Turn:
    """Return the turn of rule-engine with the same rules, which fire for the same rings.

    Raises:
        BenchError: They do not.
    """
    rings = house.rings(PEER_AT, PEER_RINGS)
    theirs = peers.rule_engine_of(house.house(PEER_AT))
    wanted = [fires(snapshot.ruleset, ring) for ring in rings]
    if (seen := [theirs(ring) for ring in rings]) != wanted:
        message = f"rule-engine fires {seen}, pbxrules {wanted}"
        raise BenchError(message)

    def turn() -> float:
        started = time.perf_counter()
        for ring in rings:
            theirs(ring)
        return (time.perf_counter() - started) / len(rings)

    return turn
