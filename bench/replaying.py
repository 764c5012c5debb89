"""How long ``pbxrules replay`` takes for a million events, as a person waits for it.

A block of simulated traffic is decided once, by the rules that were in force; a store holds it
again and again, each time a day later and with call ids of its own.  So the same rules give the
same, which a small store shows before, and other rules differ.
"""

import random
import re
import resource
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.errors import BenchError
from pbxrules import loading
from pbxrules.clock import iso
from pbxrules.model import RUNS_PER_EVENT, Changes, Moment
from pbxrules.pbx import openvox
from pbxrules.pbx.compose import encode
from pbxrules.pbx.traffic import traffic
from pbxrules.replaying.past import Timeline
from pbxrules.replaying.player import FOR, Later, Player
from pbxrules.store import Accepted, rows
from pbxrules.store.migrations import migrate

EVENTS, EVENTS_FIRST = 1_000_000, 50_000
RULES = 30
CALLS, AT_ONCE = 2_000, 10
"""Of one block: some 12,000 reports of 10 lines, in two hours and a half."""
BLOCK_S = 86_400
START_S = 1_764_000_000
BOOT = "b"
_EPOCH = re.compile(r'"(1[0-9]{9})\.')
"""Of a call id, in JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replaying:
    """One replay of all events by other rules."""

    seconds: float
    """From the start of the command to its end."""
    cpu_s: float
    """Of it, by the clock of its process: it has one thread."""
    differences: int


def measure(folder: Path) -> Replaying:
    """Return the replay of all events by rules that differ from those that were in force.

    Raises:
        BenchError: It did not run, or the rules that were in force gave something else.
    """
    folder = folder / "replaying"
    same, new = (folder / name for name in ("same", "new"))
    for place, others in ((same, 0), (new, 5)):
        place.mkdir(parents=True, exist_ok=True)
        (place / "rules.yaml").write_text(rules(others), "utf-8")
    write(folder / "first", same, EVENTS_FIRST)
    if differences := _once(folder / "first", same).differences:
        raise BenchError(f"the same rules fire otherwise {differences} times")
    write(folder / "state", same, EVENTS)
    return _once(folder / "state", new)


def _once(state: Path, folder: Path) -> Replaying:
    code = "from pbxrules.cli import main; main(['replay', *__import__('sys').argv[1:]])"
    argv = [sys.executable, "-c", code, "--state", str(state), "--rules", str(folder)]
    root = Path(__file__).parents[1]
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(argv, cwd=root, capture_output=True, text=True, check=False)  # noqa: S603 - ourselves
    seconds = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    head = done.stdout.partition("\n")[0]
    told = re.search(r"(?:(nothing)|([\d,]+)) differs?$", head)
    if done.returncode or told is None:
        raise BenchError(f"the replay did not run well\n{done.stdout[:2000]}{done.stderr}")
    return Replaying(
        seconds=seconds,
        cpu_s=after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        differences=0 if told[1] else int(told[2].replace(",", "")),
    )


# --- rules -----------------------------------------------------------------------------------


def rules(others: int) -> str:
    """Return a file of 30 rules; *others* of the lamps burn for another phone than they did."""
    lamps = "".join(_lamp(n, 1001 + n + (500 if n < others else 0)) for n in range(RULES - 6))
    return f"state: {{missed: 0}}\nrules:\n{lamps}{REMEMBERING}"


def _lamp(number: int, phone: int) -> str:
    return f"""\
- id: lamp-{number}
  triggers: {{event: ring, extension: {phone}}}
  actions:
  - mqtt: {{topic: home/lamp/{number}/set, payload: {{state: "ON", by: "{{{{ caller }}}}"}}}}
"""


REMEMBERING = """\
- id: siren
  triggers: {event: ring, extension: [1001, 1002]}
  mode: restart
  actions:
  - mqtt: {topic: home/siren/set, payload: "ON"}
  - wait_for: {event: [answer, bye]}
    timeout: 10m
  finally:
  - mqtt: {topic: home/siren/set, payload: "OFF"}
- id: nobody-answers
  triggers: {event: ring, direction: inbound, for: 20s}
  actions: [{log: "nobody answers {{ extension }}"}]
- id: missed
  triggers: {event: [bye, cdr], direction: inbound}
  conditions: ["{{ not call.answered }}"]
  once_per: call
  actions:
  - set: {missed: "{{ state.missed + 1 }}"}
- id: insistent
  triggers: {event: ring, direction: inbound, count: {at_least: 3, within: 5m}}
  per: caller
  actions: [{mqtt: {topic: home/bedroom/chime, payload: "{{ caller }}"}}]
- id: chime
  triggers: {event: ring, direction: inbound}
  cooldown: 5m
  actions: [{mqtt: {topic: home/chime, payload: "1"}}]
- id: berlin
  triggers: {event: answer, trunk: {prefix: sip-}}
  conditions: [{caller: {prefix: "030"}}]
  actions: [{log: "Berlin: {{ caller }}"}]
"""


# --- the store -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    """An event of the block, as it is stored."""

    row: rows.Row
    began: tuple[rows.Row, ...]
    """The runs of its ``for``s."""


def write(state: Path, folder: Path, at_least: int) -> int:
    """Make a store of so many events, in whole blocks, decided by the rules of *folder*.

    Returns:
        How many there are.
    """
    state.mkdir(parents=True)
    block = _block(folder)
    with sqlite3.connect(state / "pbxrules.db", isolation_level=None) as db:
        db.execute("PRAGMA journal_mode = OFF")
        db.execute("PRAGMA synchronous = OFF")
        migrate(db)
        db.execute("BEGIN")
        db.execute("INSERT INTO boots (id, boot) VALUES (1, ?)", (BOOT,))
        blocks = -(-at_least // len(block))
        for nth in range(blocks):
            first = nth * len(block)
            _insert(db, "events", rows.EVENT_COLUMNS, _moved(block, first, nth * BLOCK_S))
            runs = (
                (row[0] + first * RUNS_PER_EVENT, *row[1:]) for one in block for row in one.began
            )
            _insert(db, "runs", rows.RUN_COLUMNS, runs)
        db.execute("COMMIT")
    db.close()
    return blocks * len(block)


def _insert(db: sqlite3.Connection, table: str, columns: str, values: Iterator[rows.Row]) -> None:
    marks = ",".join("?" * len(columns.split(",")))
    db.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", values)  # noqa: S608 - ours


def _moved(block: list[_Kept], first: int, by_s: int) -> Iterator[rows.Row]:
    """Return the rows of the block, so much later and with ids behind *first*."""

    def epoch(found: re.Match[str]) -> str:
        return f'"{int(found[1]) + by_s}.'

    for one in block:
        row = one.row
        fields, body = _EPOCH.sub(epoch, row[12]), _EPOCH.sub(epoch, row[13].decode())
        yield (
            row[0] + first, row[1], row[2] + by_s, row[3] + by_s, *row[4:9], row[9] + by_s,
            row[10] + by_s, row[11], fields, body.encode(), *row[14:],
        )  # fmt: skip


def _block(folder: Path) -> list[_Kept]:
    """Return a block of traffic, decided by the rules of *folder*."""
    snapshot = loading.load(loading.rule_files(folder), loading.language())
    player = Player(snapshot.ruleset, snapshot.language.verbs, {})
    timeline = Timeline()
    kept: list[rows.Row] = []
    began: dict[int, dict[str, rows.Row]] = {}
    sent = traffic(random.Random(1), calls=CALLS, at_once=AT_ONCE)  # noqa: S311 - chosen, not secret
    for number, one in enumerate((one for one in sent if not one.again), 1):
        came = Moment(boot=BOOT, uptime_s=1000.0 + one.at_s, wall_s=START_S + one.at_s)
        at = iso(came.wall_s)
        event = openvox.read(one.report, schemas=snapshot.event_schemas, received_at=at)
        player.go_on_to(timeline.at(came))
        decision = player.take(event, number)
        waits = [run for run in decision.changes.runs if run.verb == FOR and not run.ended]
        began[number] = {run.rule: rows.run_row(run, lambda _: 1) for run in waits}
        _settle(began, player.later())
        accepted = Accepted(
            id=number, event=event, call="", body=encode(one.report), digest=b"", subject=None,
            resend_s=10.0, received=came, verdicts=decision.verdicts, changes=Changes(),
            programs=(),
        )  # fmt: skip
        kept.append(rows.event_row(accepted, 1))
    player.finish()
    _settle(began, player.later())
    return [_Kept(row=row, began=tuple(began[row[0]].values())) for row in kept]


def _settle(began: dict[int, dict[str, rows.Row]], ended: Sequence[Later]) -> None:
    """Write down what came of ``for``s."""
    for later in ended:
        row = list(began[later.event_id][later.rule])
        why = [] if later.fired else [("for", "for", "dropped", later.why, 0)]
        row[3], row[13] = "", rows.to_json(why)
        began[later.event_id][later.rule] = tuple(row)
