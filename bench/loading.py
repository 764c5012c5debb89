"""How long 10,000 rules take to load and check, and how much memory they leave.

``python -m bench.loading FOLDER`` does it once, in a process of its own: what another
loading has left behind (compiled patterns, caches, free memory) would make it cheaper.
"""

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from bench import house
from bench.daemon import resident_mb
from bench.errors import BenchError

RULES = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Loading:
    """One loading of all rules."""

    seconds: float
    more_mb: float
    """Resident memory afterwards, more than before: what it imported included."""


def measure(folder: Path, *, times: int) -> list[Loading]:
    """Return *times* loadings of the same files.

    Raises:
        BenchError: One failed.
    """
    rules = folder / "loading"
    house.write(rules, RULES)
    return [_once(rules) for _ in range(times)]


def _once(rules: Path) -> Loading:
    argv = [sys.executable, "-m", "bench.loading", str(rules)]
    root = Path(__file__).parents[1]
    done = subprocess.run(argv, cwd=root, capture_output=True, text=True, check=False)  # noqa: S603 - ourselves
    if done.returncode:
        message = f"rules were not loaded\n{done.stderr}"
        raise BenchError(message)
    return Loading(**json.loads(done.stdout))


def _load(rules: Path) -> Loading:
    from pbxrules import loading

    before_mb = resident_mb("self")
    started = time.perf_counter()
    snapshot = loading.load(loading.rule_files(rules), loading.language())
    seconds = time.perf_counter() - started
    assert len(snapshot.ruleset.rules) == RULES
    return Loading(seconds=seconds, more_mb=resident_mb("self") - before_mb)


if __name__ == "__main__":
    loaded = _load(Path(sys.argv[1]))
    print(json.dumps({"seconds": loaded.seconds, "more_mb": loaded.more_mb}))
