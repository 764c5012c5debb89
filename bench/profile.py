"""``python -m bench.profile``: where pbxrules' time goes under the load of the bench.

py-spy samples the daemon from outside, so that it runs at nearly its own speed
and all its threads are seen.  cProfile (``--with cprofile``) counts every call, but
sees the main thread alone and slows small functions more than big ones: its order
is right, its shares are not.
"""

import argparse
import pstats
import signal
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench import daemon, throughput
from bench.__main__ import ROOT, interrupt, work_folder
from bench.contestants import CONTESTANTS, PBXRULES, TOOLS, WEBHOOK, Contestant, contestant
from bench.errors import BenchError
from bench.processes import require, running, stop, tail, wait_until

PY_SPY, CPROFILE = "py-spy", "cprofile"
RATE_HZ = 200
WARM_UP_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Shares of all samples (0..1) by function: in it alone, and in it or below it."""

    alone: Counter[str]
    below: Counter[str]
    total: float


def arguments(argv: Sequence[str]) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.profile", description=__doc__)
    parser.add_argument("--seconds", type=float, default=8.0, help="load for so long (8)")
    parser.add_argument("--top", type=int, default=30, help="functions to list (30)")
    parser.add_argument("--with", dest="how", choices=(PY_SPY, CPROFILE), default=PY_SPY)
    parser.add_argument("--gil", action="store_true", help="py-spy: only who holds the GIL")
    parser.add_argument("--lines", action="store_true", help="py-spy: by line, not by function")
    parser.add_argument("--native", action="store_true", help="py-spy: C frames, too")
    parser.add_argument("--thread", default="", help="py-spy: only threads with this in the name")
    parser.add_argument("--pbxrules", metavar="PATH", help="the daemon (beside this Python)")
    who = [name for name in CONTESTANTS if name != WEBHOOK]
    parser.add_argument("--contestant", choices=who, default=PBXRULES)
    parser.add_argument("--keep", type=Path, metavar="FILE", help="keep the folded stacks there")
    return parser.parse_args(argv)


def folded(lines: Iterable[str], *, thread: str = "") -> tuple[Profile, Counter[str]]:
    """Sum up py-spy's raw lines ``thread;frame;frame count``; the second is by thread.

    A function that recurs in one stack counts once for it.
    """
    alone, below, threads = Counter[str](), Counter[str](), Counter[str]()
    for line in lines:
        stack, _, count = line.rpartition(" ")
        name, *frames = stack.split(";")
        threads[name] += int(count)
        if thread in name and frames:
            alone[frames[-1]] += int(count)
            for frame in set(frames):
                below[frame] += int(count)
    return Profile(alone=alone, below=below, total=sum(alone.values())), threads


def called(stats: pstats.Stats) -> Profile:
    """Turn cProfile's *stats* into the same, by seconds."""
    alone, below = Counter[str](), Counter[str]()
    entries = stats.stats.items()  # type: ignore[attr-defined]  # typeshed leaves it out
    for (file, line, function), (_, _, own, cumulative, _) in entries:
        name = f"{function} ({Path(file).name}:{line})"
        alone[name] += own
        below[name] += cumulative
    return Profile(alone=alone, below=below, total=sum(alone.values()))


def sampled(args: argparse.Namespace, folder: Path, console: Console) -> Profile:
    """Load the contestant while py-spy watches it."""
    program = [str(daemon.executable(args.pbxrules))] if args.contestant == PBXRULES else []
    raw = args.keep or folder / "stacks.txt"
    with contestant(args.contestant, folder / args.contestant, program) as who:
        throughput.measure(who, seconds=WARM_UP_S)
        log = folder / "py-spy.log"
        with running(spy(args, who, raw), log=log) as watcher:
            wait_until(lambda: "Sampling process" in tail(log), process=watcher, log=log)
            say(console, throughput.measure(who, seconds=args.seconds))
            watcher.send_signal(signal.SIGINT)
            watcher.wait(30)
    if not raw.exists():
        msg = f"py-spy gave nothing; try --with cprofile\n{tail(log)}"
        raise BenchError(msg)
    profile, threads = folded(raw.read_text(encoding="utf-8").splitlines(), thread=args.thread)
    total = sum(threads.values())
    for name, count in threads.most_common():
        console.print(f"{count / total:6.1%}  {name}", markup=False)
    return profile


def spy(args: argparse.Namespace, who: Contestant, raw: Path) -> list[str]:
    """Return py-spy's command line for *who*."""
    # Not --nonblocking: a fifth of its stacks were torn, and the rate was no better.
    chosen = {"--function": not args.lines, "--gil": args.gil, "--native": args.native}
    return [
        str(Path(sys.executable).with_name("py-spy")),
        *("record", "--threads", "--format", "raw", "--output", str(raw)),
        *("--rate", str(RATE_HZ), "--pid", str(who.process.pid)),
        *(option for option, wanted in chosen.items() if wanted),
    ]


def counted(args: argparse.Namespace, folder: Path, console: Console) -> Profile:
    """Load the daemon while it runs under cProfile."""
    out = folder / "cprofile"
    program = [sys.executable, "-m", "cProfile", "-o", str(out)]
    program.append(str(daemon.executable(args.pbxrules)))
    with contestant(PBXRULES, folder / PBXRULES, program) as who:
        say(console, throughput.measure(who, seconds=args.seconds))
        stop(who.process)  # it writes the file at its end
        if not out.exists():
            msg = f"cProfile wrote nothing\n{tail(who.log)}"
            raise BenchError(msg)
    return called(pstats.Stats(str(out)))


def say(console: Console, figure: throughput.Throughput) -> None:
    """Print what was reached while it was watched."""
    console.print(f"{figure.delivered_per_s:.0f} reports/s delivered while watched")
    for complaint in figure.complaints:
        console.print(f"! {complaint}", style="yellow", markup=False)


def show(profile: Profile, *, top: int, console: Console) -> None:
    """Print the *top* functions twice: by their own time, and with what they call."""
    for title, order in (("Own time", profile.alone), ("With what it calls", profile.below)):
        table = Table(title=title, title_justify="left")
        table.add_column("own", justify="right")
        table.add_column("with callees", justify="right")
        table.add_column("function", overflow="fold")
        for name, _ in order.most_common(top):
            shares = (counts[name] / profile.total for counts in (profile.alone, profile.below))
            table.add_row(*(f"{share:.1%}" for share in shares), name)
        console.print(table, markup=False)


def main(argv: Sequence[str]) -> int:
    """Run; return the exit code, as that of ``python -m bench``."""
    args = arguments(argv)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 140)
    try:
        require(TOOLS[args.contestant])
        with work_folder(ROOT / ".bench") as folder:
            take = sampled if args.how == PY_SPY else counted
            show(take(args, folder, console), top=args.top, console=console)
    except BenchError as problem:
        console.print(str(problem), style="red", markup=False)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
