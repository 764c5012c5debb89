"""What the last process remembered, read back from the store."""

from collections.abc import Callable

from pbxrules import runs
from pbxrules.memory import TIMED, Memory, Whole, touchable
from pbxrules.model import Program
from pbxrules.store import LoadedRun, OpenRun, Store


def recall(
    store: Store, program_of: Callable[[LoadedRun], Program]
) -> tuple[Memory, list[OpenRun]]:
    """Memory as it was, and all runs that something is owed of.

    Args:
        store: Where it stands.
        program_of: The program of a run that was read back.  May raise ValueError: such a run
            is given up when its turn comes, and is not remembered whole.
    """
    owed = store.open_runs()
    memory = Memory(store.memory())
    known: dict[str, bool] = {}
    # Of those that only wait for their action's turn, thousands may stand in the store.
    first_of = {run.program: run.id for run in owed if run.verb not in TIMED}
    for loaded in store.load(list(first_of.values())):
        whole = _whole(loaded, program_of)
        known[loaded.run.program] = whole is not None and touchable(whole)
    special = [run.id for run in owed if run.verb in TIMED or run.parent or known.get(run.program)]
    for loaded in store.load(special):
        whole = _whole(loaded, program_of)
        if whole is not None:
            memory.remember(whole)
    for run in owed:
        if run.id not in memory.runs and not run.parent:
            memory.open(run.id, run.rule, run.lane)
    return memory, owed


def _whole(loaded: LoadedRun, program_of: Callable[[LoadedRun], Program]) -> Whole | None:
    try:
        return runs.resumed(Whole(loaded.run, loaded.event, program_of(loaded)))
    except ValueError:
        return None
