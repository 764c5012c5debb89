"""``python -m bench``: measure, print, and with ``--json`` write the figures down.

Exit 0: measured, targets met or missed.  1: something broke.  2: something is
not installed, or the command line is wrong.  130: Ctrl-C.
"""

import argparse
import json
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from types import FrameType

from rich.console import Console

from bench import daemon, suite, table
from bench.contestants import CONTESTANTS, LETTERS, PBXRULES, TOOLS
from bench.errors import BenchError
from bench.machine import facts
from bench.processes import require
from bench.results import Results, as_json

ROOT = Path(__file__).resolve().parent.parent
EPILOG = """\
examples:
  python -m bench                         everything, about six minutes
  python -m bench --quick                 everything, roughly, under two minutes
  python -m bench --only a,c,throughput   two contestants, one part
  python -m bench --only deciding         what one ring costs, by the number of rules
  python -m bench --only testing          1,000 tests of rules
  python -m bench --only replaying        a million events through other rules
  python -m bench --json figures.json
"""


def arguments(argv: list[str]) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measure pbxrules beside a bare Tornado handler and Debian's webhook.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_amounts(parser)
    add_places(parser)
    return parser.parse_args(argv)


def add_amounts(parser: argparse.ArgumentParser) -> None:
    """Add the options that say what is measured, and how much of it."""
    parser.add_argument("--seconds", type=float, metavar="S", help="load for so long each time (6)")
    parser.add_argument("--rounds", type=int, metavar="N", help="turns under load, better even (4)")
    parser.add_argument("--samples", type=int, metavar="N", help="latencies for each (1000)")
    parser.add_argument(
        "--gap-ms", type=float, default=5.0, metavar="MS", help="rest between latencies (5)"
    )
    parser.add_argument("--quick", action="store_true", help="2 rounds of 3 s, 200 latencies")
    parser.add_argument(
        "--only",
        type=names,
        default=[],
        metavar="LIST",
        help=f"some of {', '.join((*CONTESTANTS, *suite.PARTS))}, separated by commas",
    )


def add_places(parser: argparse.ArgumentParser) -> None:
    """Add the options that say where things are."""
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    parser.add_argument("--pbxrules", metavar="PATH", help="the daemon (beside this Python)")
    parser.add_argument(
        "--folder", type=Path, default=ROOT / ".bench", help="for state and logs (.bench)"
    )
    parser.add_argument("--keep", action="store_true", help="do not remove state and logs")


def names(text: str) -> list[str]:
    """Return the contestants and parts that *text* names, for ``--only``."""
    found = [LETTERS.get(name, name) for name in text.split(",")]
    if unknown := set(found) - {*CONTESTANTS, *suite.PARTS}:
        msg = f"not one of {', '.join((*CONTESTANTS, *suite.PARTS))}: {', '.join(unknown)}"
        raise argparse.ArgumentTypeError(msg)
    return found


def plan_of(args: argparse.Namespace) -> suite.Plan:
    """Return the plan that *args* ask for.

    Raises:
        BenchError: A tool or the daemon is not installed.
    """
    wanted = [name for name in CONTESTANTS if name in args.only] or list(CONTESTANTS)
    parts = [part for part in suite.PARTS if part in args.only] or suite.PARTS
    if not suite.OF_CONTESTANTS.isdisjoint(parts):
        require(sorted(set(chain.from_iterable(TOOLS[name] for name in wanted))))
    elif suite.RELOADING in parts:
        require(TOOLS[PBXRULES])
    quick = args.quick
    return suite.Plan(
        contestants=wanted,
        parts=parts,
        rounds=max(1, args.rounds or (2 if quick else 4)),
        seconds=max(1.0, args.seconds or (3.0 if quick else 6.0)),
        blocks=2 if quick else 6,
        samples=max(10, args.samples or (200 if quick else 1000)),
        gap_s=max(0.0, args.gap_ms / 1e3),
        starts=3 if quick else 5,
        turns=3 if quick else 9,
        program=[str(daemon.executable(args.pbxrules))] if PBXRULES in wanted else [],
    )


@contextmanager
def work_folder(parent: Path, *, keep: bool = False) -> Iterator[Path]:
    """Give a new folder in *parent* that is gone afterwards, and *parent* with it if empty.

    With *keep* it stays.
    """
    parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=parent))
    folder.chmod(0o755)  # mosquitto gives up root, and has to reach its configuration
    try:
        yield folder
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)
        if not any(parent.iterdir()):
            parent.rmdir()


def interrupt(number: int, _frame: FrameType | None) -> None:
    """End by way of every ``finally``, so that no child stays behind."""
    raise SystemExit(128 + number)


def measured(plan: suite.Plan, args: argparse.Namespace, progress: Console) -> Results:
    """Measure and print; the figures that were taken are printed even if a later one fails."""

    def say(line: str) -> None:
        # No spinner: it would wake a core ten times a second while we measure.
        progress.print(line, style="dim", markup=False, soft_wrap=True)

    with work_folder(args.folder, keep=args.keep) as folder:
        results = Results(machine=facts(folder))
        try:
            suite.run(plan, results, folder, say)
        finally:
            console = Console(highlight=False, width=None if sys.stdout.isatty() else 110)
            table.show(results, console)
    return results


def main(argv: list[str]) -> int:
    """Run; return the exit code."""
    args = arguments(argv)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    progress = Console(stderr=True, highlight=False)
    code = 2
    try:
        plan = plan_of(args)
        code = 1
        results = measured(plan, args, progress)
    except BenchError as problem:
        progress.print(str(problem), style="red", markup=False, soft_wrap=True)
        return code
    except KeyboardInterrupt:
        return 130
    if args.json:
        args.json.write_text(json.dumps(as_json(results), indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
