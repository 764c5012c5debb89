"""What stands on disk, as far as a start reads it: rows, in memory."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

from pbxrules import programs
from pbxrules.memory import Moves, Whole
from pbxrules.model import Kept, KeptKey, Program
from pbxrules.store import LoadedRun, OpenRun, rows
from tests.rulefiles import LANGUAGE


class Disk:
    """Rows of runs, and of what is remembered."""

    def __init__(self) -> None:
        self.runs: dict[int, Whole] = {}
        """Those that have not ended."""
        self._kept: dict[KeptKey, Kept] = {}

    def write(self, moves: Moves) -> None:
        changes = moves.changes
        for key in changes.forgotten:
            self._kept.pop(key, None)
        self._kept |= {kept.key: kept for kept in changes.kept}
        for whole in moves.runs:
            self.runs.pop(whole.run.id, None)
            if not whole.run.ended:
                self.runs[whole.run.id] = whole

    # --- as a store tells it -----------------------------------------------------------------

    def memory(self) -> list[Kept]:
        return [replace(k, value=json.loads(json.dumps(k.value))) for k in self._kept.values()]

    def open_runs(self) -> list[OpenRun]:
        owed = [self.runs[run_id].run for run_id in sorted(self.runs)]
        told = OpenRun.__dataclass_fields__
        return [OpenRun(**{name: getattr(run, name) for name in told}) for run in owed]

    def load(self, run_ids: Sequence[int]) -> list[LoadedRun]:
        return [_read_back(self.runs[run_id]) for run_id in sorted(set(run_ids))]


def _read_back(whole: Whole) -> LoadedRun:
    """A run as its row has it."""
    boots: list[str] = []

    def number(boot: str) -> int:
        boots.append(boot)
        return len(boots) - 1

    row = rows.run_row(whole.run, number)
    run = rows.run(row, whole.run.event_id, dict(enumerate(boots)))
    source: Mapping[str, object] = json.loads(whole.program.text)
    return LoadedRun(run=run, event=whole.event, call=run.call, source=source)


def program_of(loaded: LoadedRun) -> Program:
    """The program of a run, made anew from its rule's JSON."""
    return _program(json.dumps(loaded.source))


@lru_cache(maxsize=1_000)
def _program(source: str) -> Program:
    return programs.program(json.loads(source), LANGUAGE)
